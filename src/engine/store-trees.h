/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/store-db.h"
#include "engine/store-files.h"

G_BEGIN_DECLS

/* Block trees in the database; each content has one, wherever it is. Part of changing the index,
 * within its transaction: */
gboolean p2ps_db_tree_add (P2psDb *db, const P2psNewFile *file, GError **error);
gboolean p2ps_db_tree_remove (P2psDb *db, const guint8 *hash, gint64 size, GError **error);

/* Answers for the asking of the index. */
gboolean p2ps_db_tree_find_root (P2psDb *db, const guint8 *hash, gint64 size, guint8 *root,
                                 gboolean *known, GError **error);

/* A chunk layer that somebody asks for. */
typedef struct
{
  GBytes *layer;
  GPtrArray *folders; /* of char*: where its file lies */
} P2psLayer;

void p2ps_layer_free (P2psLayer *layer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psLayer, p2ps_layer_free)
/* For a GTask that owns a char*: a root, as hex. The result is a P2psLayer, or NULL with NOT_FOUND.
 */
void p2ps_store_run_layer (P2psStore *store, GTask *task);

/* A file whose content has no tree yet. */
typedef struct
{
  guint8 hash[P2PS_BINARY_HASH_SIZE];
  char *folder; /* NULL: it is nowhere for now */
  char *name;
  gint64 size;
} P2psTreeless;

/* On the calling thread, which must be a worker. */
GPtrArray *
p2ps_store_list_treeless (P2psStore *store, const guint8 *after, guint limit, GError **error);

G_END_DECLS
