/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What is shared, as the user said it. Never changed once made, so that every thread can hold it.
 */
typedef struct
{
  gatomicrefcount refs;
  GPtrArray *roots; /* of reference strings: absolute paths, outer ones before those inside */
  gboolean hidden;  /* names with a leading dot too */
  gboolean links;   /* symbolic links are followed */
} P2psShares;

P2psShares *p2ps_shares_new (GPtrArray *folders, gboolean hidden, gboolean links);
P2psShares *p2ps_shares_ref (P2psShares *shares);
void p2ps_shares_unref (P2psShares *shares);
gboolean p2ps_shares_equal (const P2psShares *a, const P2psShares *b);
const char *p2ps_shares_find_root (const P2psShares *shares, const char *folder);
gboolean p2ps_shares_takes_name (const P2psShares *shares, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psShares, p2ps_shares_unref)

G_END_DECLS
