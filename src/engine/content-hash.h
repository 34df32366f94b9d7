/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/block-tree.h"

G_BEGIN_DECLS

/* What one reading of a file is for: the SHA-256 of all of it, and its block tree. Reusable, one
 * per worker; not thread-safe. */
typedef struct _P2psContentHash P2psContentHash;

P2psContentHash *p2ps_content_hash_new (void);
P2psContentHash *p2ps_content_hash_new_for_backend (const char *backend);
void p2ps_content_hash_free (P2psContentHash *content);
void p2ps_content_hash_begin (P2psContentHash *content, gint64 size);
void p2ps_content_hash_update (P2psContentHash *content, const void *data, gsize length);
GBytes *p2ps_content_hash_finish (P2psContentHash *content, guint8 hash[P2PS_BINARY_HASH_SIZE],
                                  guint8 root[P2PS_BINARY_HASH_SIZE]);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psContentHash, p2ps_content_hash_free)

G_END_DECLS
