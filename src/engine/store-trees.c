/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Block trees in the database. A tree goes with its content: it comes with the first file that has
 * it and is forgotten with the last. Content of at most one leaf is not in here: its root is its
 * hash. Runs on the library's workers. */

#define G_LOG_DOMAIN "p2ps-store"

#include "engine/store-trees.h"

#include "core/limits.h"
#include "engine/block-tree.h"
#include "engine/error.h"

#define MAX_PLACES 64 /* of one content that are looked at */

/* The tree of a file that was just put in. */
gboolean
p2ps_db_tree_add (P2psDb *db, const P2psNewFile *file, GError **error)
{
  sqlite3_stmt *statement;

  if (file->size <= P2PS_LEAF_SIZE)
    return TRUE;
  statement = p2ps_db_prepare (db,
                               "INSERT INTO tree (hash, root, layer) VALUES (?, ?, ?)"
                               " ON CONFLICT (hash) DO UPDATE SET root = excluded.root,"
                               " layer = excluded.layer WHERE root IS NULL",
                               error);
  if (statement == NULL)
    return FALSE;
  sqlite3_bind_blob (statement, 1, file->hash, P2PS_BINARY_HASH_SIZE, SQLITE_STATIC);
  sqlite3_bind_blob (statement, 2, file->root, P2PS_BINARY_HASH_SIZE, SQLITE_STATIC);
  if (file->layer != NULL)
    sqlite3_bind_blob64 (statement, 3, g_bytes_get_data (file->layer, NULL),
                         g_bytes_get_size (file->layer), SQLITE_STATIC);
  return p2ps_db_run (db, statement, error);
}

/* A file with this content was just taken out; another one may have it yet. */
gboolean
p2ps_db_tree_remove (P2psDb *db, const guint8 *hash, gint64 size, GError **error)
{
  sqlite3_stmt *statement;

  if (size <= P2PS_LEAF_SIZE)
    return TRUE;
  statement = p2ps_db_prepare (db,
                               "DELETE FROM tree WHERE hash = ?1"
                               " AND NOT EXISTS (SELECT 1 FROM file WHERE hash = ?1)",
                               error);
  if (statement == NULL)
    return FALSE;
  sqlite3_bind_blob (statement, 1, hash, P2PS_BINARY_HASH_SIZE, SQLITE_STATIC);
  return p2ps_db_run (db, statement, error);
}

/* --- asking --- */

/* `known` tells whether `root` was filled in. */
gboolean
p2ps_db_tree_find_root (P2psDb *db, const guint8 *hash, gint64 size, guint8 *root, gboolean *known,
                        GError **error)
{
  sqlite3_stmt *statement;
  gboolean row = FALSE;

  *known = size > 0 && size <= P2PS_LEAF_SIZE;
  if (*known)
    memcpy (root, hash, P2PS_BINARY_HASH_SIZE);
  if (size <= P2PS_LEAF_SIZE)
    return TRUE;
  statement = p2ps_db_prepare (db, "SELECT root FROM tree WHERE hash = ?", error);
  if (statement == NULL)
    return FALSE;
  sqlite3_bind_blob (statement, 1, hash, P2PS_BINARY_HASH_SIZE, SQLITE_STATIC);
  if (!p2ps_db_step (db, statement, &row, error))
    return FALSE;
  *known = row && sqlite3_column_bytes (statement, 0) == P2PS_BINARY_HASH_SIZE;
  if (*known)
    memcpy (root, sqlite3_column_blob (statement, 0), P2PS_BINARY_HASH_SIZE);
  sqlite3_reset (statement);
  return TRUE;
}

void
p2ps_layer_free (P2psLayer *layer)
{
  if (layer == NULL)
    return;
  g_clear_pointer (&layer->layer, g_bytes_unref);
  g_ptr_array_unref (layer->folders);
  g_free (layer);
}

/* Folders that are gone are left out, layers too long to be served as well. */
static gpointer
find_layer (P2psDb *db, gpointer data, GError **error)
{
  g_autoptr (P2psLayer) found = g_new0 (P2psLayer, 1);
  guint8 root[P2PS_BINARY_HASH_SIZE] = { 0 };
  gboolean row = TRUE;
  sqlite3_stmt *statement = p2ps_db_prepare (
      db,
      "SELECT d.path, t.layer FROM tree t JOIN file f ON f.hash = t.hash"
      " JOIN folder d ON d.id = f.folder WHERE t.root = ? AND t.layer IS NOT NULL"
      " AND length (t.layer) <= ? AND d.gone IS NULL LIMIT ?",
      error);

  found->folders = g_ptr_array_new_with_free_func (g_free);
  if (statement == NULL)
    return NULL;
  p2ps_digest_from_hex (data, root);
  sqlite3_bind_blob (statement, 1, root, sizeof root, SQLITE_STATIC);
  sqlite3_bind_int (statement, 2, P2PS_MAX_LAYER);
  sqlite3_bind_int (statement, 3, MAX_PLACES);
  while (p2ps_db_step (db, statement, &row, error) && row)
    {
      if (found->layer == NULL)
        found->layer = g_bytes_new (sqlite3_column_blob (statement, 1),
                                    (gsize)sqlite3_column_bytes (statement, 1));
      g_ptr_array_add (found->folders, p2ps_db_dup_text (statement, 0));
    }
  if (row)
    return NULL;
  if (found->layer == NULL)
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_NOT_FOUND, "no such tree");
      return NULL;
    }
  return g_steal_pointer (&found);
}

void
p2ps_store_run_layer (P2psStore *store, GTask *task)
{
  p2ps_store_run (store, P2PS_STORE_READ, task, find_layer, (GDestroyNotify)p2ps_layer_free);
}

/* --- what has no tree --- */

static void
treeless_free (gpointer data)
{
  P2psTreeless *treeless = data;

  g_free (treeless->folder);
  g_free (treeless->name);
  g_free (treeless);
}

typedef struct
{
  const guint8 *after;
  guint limit;
} TreelessQuery;

static gpointer
list_treeless (P2psDb *db, gpointer data, GError **error)
{
  const TreelessQuery *query = data;
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (treeless_free);
  gboolean row = TRUE;
  sqlite3_stmt *statement = p2ps_db_prepare (
      db,
      "SELECT n.hash, d.path, f.name, f.size FROM"
      " (SELECT t.hash AS hash, (SELECT g.id FROM file g JOIN folder e ON e.id = g.folder"
      " WHERE g.hash = t.hash AND e.gone IS NULL LIMIT 1) AS id FROM tree t"
      " WHERE t.root IS NULL AND t.hash > ? ORDER BY t.hash LIMIT ?) n"
      " LEFT JOIN file f ON f.id = n.id LEFT JOIN folder d ON d.id = f.folder",
      error);

  if (statement == NULL)
    return NULL;
  sqlite3_bind_blob (statement, 1, query->after, P2PS_BINARY_HASH_SIZE, SQLITE_STATIC);
  sqlite3_bind_int64 (statement, 2, query->limit);
  while (p2ps_db_step (db, statement, &row, error) && row)
    {
      P2psTreeless *treeless = g_new0 (P2psTreeless, 1);

      if (sqlite3_column_bytes (statement, 0) == sizeof treeless->hash)
        memcpy (treeless->hash, sqlite3_column_blob (statement, 0), sizeof treeless->hash);
      treeless->folder = p2ps_db_dup_text (statement, 1);
      treeless->name = p2ps_db_dup_text (statement, 2);
      treeless->size = sqlite3_column_int64 (statement, 3);
      g_ptr_array_add (list, treeless);
    }
  return row ? NULL : g_steal_pointer (&list);
}

/* At most `limit` contents without a tree, in the order of their hashes, from behind the hash
 * `after` on; each with one of its files.
 *
 * Returns: (transfer full): of P2psTreeless; or NULL */
GPtrArray *
p2ps_store_list_treeless (P2psStore *store, const guint8 *after, guint limit, GError **error)
{
  TreelessQuery query = { .after = after, .limit = limit };

  return p2ps_store_call (store, P2PS_STORE_SWEEP, list_treeless, &query,
                          (GDestroyNotify)g_ptr_array_unref, error);
}
