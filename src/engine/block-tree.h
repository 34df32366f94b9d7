/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/digest.h"

G_BEGIN_DECLS

/* A SHA-256 Merkle tree over the content of one file, as BEP 52 builds it: leaves of 16 KiB, the
 * last one as short as the content; upper layers padded with zero hashes to a power of two. The
 * layer whose nodes cover 1 MiB (the chunk layer) is what a download checks its chunks against.
 * Content of at most 1 MiB has no layer: its root covers just its own leaves. */
#define P2PS_LEAF_SIZE 16384
#define P2PS_CHUNK_SIZE 1048576

/* Built as the bytes come; not thread-safe. */
typedef struct _P2psBlockTree P2psBlockTree;

P2psBlockTree *p2ps_block_tree_new (void);
void p2ps_block_tree_free (P2psBlockTree *tree);
void p2ps_block_tree_update (P2psBlockTree *tree, const void *data, gsize length);
void p2ps_block_tree_add_leaf (P2psBlockTree *tree, const guint8 hash[P2PS_BINARY_HASH_SIZE]);
GBytes *p2ps_block_tree_finish_binary (P2psBlockTree *tree, guint8 root[P2PS_BINARY_HASH_SIZE]);
GBytes *p2ps_block_tree_finish (P2psBlockTree *tree, char root[P2PS_HASH_SIZE]);

guint64 p2ps_block_tree_count_chunks (gint64 size);
gboolean p2ps_block_tree_check_layer (GBytes *layer, gint64 size, const char *root);
gboolean p2ps_block_tree_check_chunk (GBytes *layer, gint64 size, guint64 index, const void *data,
                                      gsize length);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psBlockTree, p2ps_block_tree_free)

G_END_DECLS
