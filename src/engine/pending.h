/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Names in folders that are to be looked at later, each folder when the first of its names is due.
 * Not thread-safe. */
typedef struct _P2psPending P2psPending;

P2psPending *p2ps_pending_new (void);
void p2ps_pending_free (P2psPending *pending);
void p2ps_pending_add (P2psPending *pending, const char *folder, const char *name, gint64 due);
char *p2ps_pending_take (P2psPending *pending, gint64 now, GPtrArray **names);
gint64 p2ps_pending_get_due (P2psPending *pending);

G_END_DECLS
