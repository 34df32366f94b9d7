/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The index of the library: what a sweep compares with, and every change to it. Runs on the
 * library's workers. A change is one transaction: searches see all of it or nothing. */

#define G_LOG_DOMAIN "p2ps-store"

#include "engine/store-files.h"

#include "engine/shared-file.h"
#include "engine/store-db.h"
#include "engine/store-trees.h"

#define OFFERED_MAX 255 /* bytes: P2PS_MAX_FILENAME, what a peer takes */

/* --- what is known --- */

static void
known_folder_free (gpointer data)
{
  P2psKnownFolder *folder = data;

  g_free (folder->path);
  g_free (folder);
}

static gpointer
list_folders (P2psDb *db, gpointer data, GError **error)
{
  g_autoptr (GHashTable) folders
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, known_folder_free);
  sqlite3_stmt *statement
      = p2ps_db_prepare (db, "SELECT id, path, gone IS NOT NULL FROM folder", error);
  gboolean row = TRUE;

  if (statement == NULL)
    return NULL;
  while (p2ps_db_step (db, statement, &row, error) && row)
    {
      P2psKnownFolder *folder = g_new0 (P2psKnownFolder, 1);

      folder->id = sqlite3_column_int64 (statement, 0);
      folder->path = p2ps_db_dup_text (statement, 1);
      folder->gone = sqlite3_column_int (statement, 2);
      g_hash_table_insert (folders, folder->path, folder);
    }
  return row ? NULL : g_steal_pointer (&folders);
}

/* Returns: (transfer full): path -> P2psKnownFolder; or NULL */
GHashTable *
p2ps_store_list_folders (P2psStore *store, GError **error)
{
  return p2ps_store_call (store, P2PS_STORE_SWEEP, list_folders, NULL,
                          (GDestroyNotify)g_hash_table_unref, error);
}

static gpointer
find_folder (P2psDb *db, gpointer data, GError **error)
{
  P2psKnownFolder *folder = data;
  sqlite3_stmt *statement
      = p2ps_db_prepare (db, "SELECT id, gone IS NOT NULL FROM folder WHERE path = ?", error);
  gboolean row = FALSE;

  if (statement == NULL)
    return NULL;
  folder->id = 0;
  sqlite3_bind_blob (statement, 1, folder->path, (int)strlen (folder->path), SQLITE_STATIC);
  if (!p2ps_db_step (db, statement, &row, error))
    return NULL;
  if (row)
    {
      folder->id = sqlite3_column_int64 (statement, 0);
      folder->gone = sqlite3_column_int (statement, 1);
      sqlite3_reset (statement);
    }
  return folder;
}

/* Fills in `folder` (its path stays NULL); id 0: not known.
 *
 * Returns: FALSE with an error */
gboolean
p2ps_store_find_folder (P2psStore *store, const char *path, P2psKnownFolder *folder, GError **error)
{
  gboolean ok;

  folder->path = (char *)path;
  ok = p2ps_store_call (store, P2PS_STORE_SWEEP, find_folder, folder, NULL, error) != NULL;
  folder->path = NULL;
  return ok;
}

void
p2ps_known_files_free (P2psKnownFiles *known)
{
  if (known == NULL)
    return;
  g_array_unref (known->files);
  g_byte_array_unref (known->names);
  g_free (known);
}

typedef struct
{
  gint64 folder;
  const char *name; /* NULL: all */
} FolderQuery;

static gpointer
list_files (P2psDb *db, gpointer data, GError **error)
{
  const FolderQuery *query = data;
  g_autoptr (P2psKnownFiles) known = g_new0 (P2psKnownFiles, 1);
  sqlite3_stmt *statement;
  gboolean row = TRUE;

  known->files = g_array_new (FALSE, FALSE, sizeof (P2psKnownFile));
  known->names = g_byte_array_new ();
  statement = p2ps_db_prepare (
      db,
      query->name == NULL
          ? "SELECT id, size, mtime_ns, inode, name FROM file WHERE folder = ? ORDER BY name"
          : "SELECT id, size, mtime_ns, inode, name FROM file WHERE folder = ? AND name = ?",
      error);
  if (statement == NULL)
    return NULL;
  sqlite3_bind_int64 (statement, 1, query->folder);
  if (query->name != NULL)
    sqlite3_bind_blob (statement, 2, query->name, (int)strlen (query->name), SQLITE_STATIC);
  while (p2ps_db_step (db, statement, &row, error) && row)
    {
      P2psKnownFile file = {
        .id = sqlite3_column_int64 (statement, 0),
        .size = sqlite3_column_int64 (statement, 1),
        .mtime_ns = sqlite3_column_int64 (statement, 2),
        .inode = (guint64)sqlite3_column_int64 (statement, 3),
        .name = known->names->len,
      };
      const guint8 *name = sqlite3_column_blob (statement, 4);

      g_byte_array_append (known->names, name, sqlite3_column_bytes (statement, 4));
      g_byte_array_append (known->names, (const guint8 *)"", 1);
      g_array_append_val (known->files, file);
    }
  return row ? NULL : g_steal_pointer (&known);
}

/* Returns: (transfer full): or NULL */
P2psKnownFiles *
p2ps_store_list_files (P2psStore *store, gint64 folder, GError **error)
{
  FolderQuery query = { .folder = folder };

  return p2ps_store_call (store, P2PS_STORE_SWEEP, list_files, &query,
                          (GDestroyNotify)p2ps_known_files_free, error);
}

/* As p2ps_store_list_files() for one name: the list has one file or none. */
P2psKnownFiles *
p2ps_store_find_file (P2psStore *store, gint64 folder, const char *name, GError **error)
{
  FolderQuery query = { .folder = folder, .name = name };

  return p2ps_store_call (store, P2PS_STORE_SWEEP, list_files, &query,
                          (GDestroyNotify)p2ps_known_files_free, error);
}

typedef struct
{
  gint64 files;
  gint64 bytes;
} Count;

static gpointer
count_files (P2psDb *db, gpointer data, GError **error)
{
  Count *count = data;
  sqlite3_stmt *statement
      = p2ps_db_prepare (db,
                         "SELECT count(*), sum(size) FROM file WHERE folder NOT IN"
                         " (SELECT id FROM folder WHERE gone IS NOT NULL)",
                         error);
  gboolean row = FALSE;

  if (statement == NULL || !p2ps_db_step (db, statement, &row, error) || !row)
    return NULL;
  count->files = sqlite3_column_int64 (statement, 0);
  count->bytes = sqlite3_column_int64 (statement, 1);
  sqlite3_reset (statement);
  return count;
}

/* How many files are offered, and their size together. */
gboolean
p2ps_store_count_files (P2psStore *store, gint64 *files, gint64 *bytes, GError **error)
{
  Count count = { 0 };

  if (p2ps_store_call (store, P2PS_STORE_SWEEP, count_files, &count, NULL, error) == NULL)
    return FALSE;
  *files = count.files;
  *bytes = count.bytes;
  return TRUE;
}

/* --- changes --- */

void
p2ps_new_file_free (P2psNewFile *file)
{
  g_ref_string_release (file->folder);
  g_clear_pointer (&file->layer, g_bytes_unref);
  g_free (file->name);
  g_free (file);
}

P2psIndexChange *
p2ps_index_change_new (void)
{
  P2psIndexChange *change = g_new0 (P2psIndexChange, 1);

  change->added = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_new_file_free);
  change->removed = g_array_new (FALSE, FALSE, sizeof (gint64));
  change->gone = g_array_new (FALSE, FALSE, sizeof (gint64));
  change->back = g_array_new (FALSE, FALSE, sizeof (gint64));
  return change;
}

guint
p2ps_index_change_get_size (const P2psIndexChange *change)
{
  return change->added->len + change->removed->len + change->gone->len + change->back->len;
}

void
p2ps_index_change_free (P2psIndexChange *change)
{
  if (change == NULL)
    return;
  g_ptr_array_unref (change->added);
  g_array_unref (change->removed);
  g_array_unref (change->gone);
  g_array_unref (change->back);
  g_free (change);
}

static gboolean
run_with_id (P2psDb *db, const char *sql, gint64 id, GError **error)
{
  sqlite3_stmt *statement = p2ps_db_prepare (db, sql, error);

  if (statement == NULL)
    return FALSE;
  sqlite3_bind_int64 (statement, 1, id);
  return p2ps_db_run (db, statement, error);
}

/* `text` must be what was put in: a table without content believes it. */
static gboolean
write_words (P2psDb *db, gboolean add, gint64 id, const char *text, GError **error)
{
  sqlite3_stmt *statement
      = p2ps_db_prepare (db,
                         add ? "INSERT INTO names (rowid, name) VALUES (?, ?)"
                             : "INSERT INTO names (names, rowid, name) VALUES ('delete', ?, ?)",
                         error);

  if (statement == NULL)
    return FALSE;
  sqlite3_bind_int64 (statement, 1, id);
  sqlite3_bind_text (statement, 2, text, -1, SQLITE_STATIC);
  return p2ps_db_run (db, statement, error);
}

static gboolean
remove_file (P2psDb *db, gint64 id, P2psIndexChange *change, GError **error)
{
  sqlite3_stmt *statement
      = p2ps_db_prepare (db, "SELECT name, size, hash FROM file WHERE id = ?", error);
  g_autofree char *name = NULL;
  g_autofree char *text = NULL;
  guint8 hash[P2PS_BINARY_HASH_SIZE] = { 0 };
  gboolean row = FALSE;
  gint64 size;

  if (statement == NULL)
    return FALSE;
  sqlite3_bind_int64 (statement, 1, id);
  if (!p2ps_db_step (db, statement, &row, error))
    return FALSE;
  if (!row)
    return TRUE;
  name = p2ps_db_dup_text (statement, 0);
  size = sqlite3_column_int64 (statement, 1);
  if (sqlite3_column_bytes (statement, 2) == sizeof hash)
    memcpy (hash, sqlite3_column_blob (statement, 2), sizeof hash);
  change->files--;
  change->bytes -= size;
  sqlite3_reset (statement);
  text = p2ps_shared_file_name_for_offer (name);
  return write_words (db, FALSE, id, text, error)
         && run_with_id (db, "DELETE FROM file WHERE id = ?", id, error)
         && p2ps_db_tree_remove (db, hash, size, error);
}

/* 0 when the folder is new and could not be added. */
static gint64
get_folder_id (P2psDb *db, const char *path, P2psIndexChange *change, GError **error)
{
  P2psKnownFolder folder = { .path = (char *)path };
  sqlite3_stmt *statement;

  if (find_folder (db, &folder, error) == NULL)
    return 0;
  if (folder.id != 0)
    {
      if (!folder.gone)
        return folder.id;
      change->recount = TRUE;
      return run_with_id (db, "UPDATE folder SET gone = NULL WHERE id = ?", folder.id, error)
                 ? folder.id
                 : 0;
    }
  statement = p2ps_db_prepare (db, "INSERT INTO folder (path) VALUES (?)", error);
  if (statement == NULL)
    return 0;
  sqlite3_bind_blob (statement, 1, path, (int)strlen (path), SQLITE_STATIC);
  return p2ps_db_run (db, statement, error) ? sqlite3_last_insert_rowid (db->sqlite) : 0;
}

/* Whether `name` is free for the content `hash`: a name on offer means one content only. */
static gboolean
name_is_free (P2psDb *db, const char *name, const guint8 *hash, gboolean *is_free, GError **error)
{
  static const char *const queries[] = {
    "SELECT hash FROM file WHERE name = ? AND offered IS NULL LIMIT 1",
    "SELECT hash FROM file WHERE offered = ? LIMIT 1",
  };

  *is_free = TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (queries) && *is_free; i++)
    {
      sqlite3_stmt *statement = p2ps_db_prepare (db, queries[i], error);
      gboolean row = FALSE;

      if (statement == NULL)
        return FALSE;
      sqlite3_bind_blob (statement, 1, name, (int)strlen (name), SQLITE_STATIC);
      if (!p2ps_db_step (db, statement, &row, error))
        return FALSE;
      if (!row)
        continue;
      *is_free = sqlite3_column_bytes (statement, 0) == P2PS_BINARY_HASH_SIZE
                 && memcmp (sqlite3_column_blob (statement, 0), hash, P2PS_BINARY_HASH_SIZE) == 0;
      sqlite3_reset (statement);
    }
  return TRUE;
}

/* "name (3fa9c1d2).ext": the same for the same content, whatever else is shared. */
static char *
name_with_hash (const char *name, const guint8 *hash, guint n_bytes)
{
  g_autoptr (GString) suffix = g_string_new (" (");
  const char *dot = strrchr (name, '.');
  gsize stem
      = dot != NULL && dot != name && strlen (dot) <= 16 ? (gsize)(dot - name) : strlen (name);
  const char *end;

  for (guint i = 0; i < n_bytes; i++)
    g_string_append_printf (suffix, "%02x", hash[i]);
  g_string_append_c (suffix, ')');
  g_string_append (suffix, name + stem);
  stem = MIN (stem, OFFERED_MAX - suffix->len);
  if (!g_utf8_validate (name, (gssize)stem, &end)) /* cut within a character */
    stem = (gsize)(end - name);
  return g_strdup_printf ("%.*s%s", (int)stem, name, suffix->str);
}

/* Chooses the name under which the file is offered: its own if that is fit for peers and no other
 * content has it. */
static gboolean
choose_name (P2psDb *db, const P2psNewFile *file, const char *text, char **offered, GError **error)
{
  static const guint lengths[] = { 4, 8, P2PS_BINARY_HASH_SIZE };
  g_autofree char *name = g_strdup (text);
  gboolean is_free = FALSE;

  if (!name_is_free (db, name, file->hash, &is_free, error))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (lengths) && !is_free; i++)
    {
      g_free (name);
      name = name_with_hash (text, file->hash, lengths[i]);
      if (!name_is_free (db, name, file->hash, &is_free, error))
        return FALSE;
    }
  *offered = g_str_equal (name, file->name) ? NULL : g_steal_pointer (&name);
  return TRUE;
}

static gboolean
insert_file (P2psDb *db, gint64 folder, const P2psNewFile *file, GError **error)
{
  g_autofree char *text = p2ps_shared_file_name_for_offer (file->name);
  g_autofree char *offered = NULL;
  sqlite3_stmt *statement;

  if (!choose_name (db, file, text, &offered, error))
    return FALSE;
  statement
      = p2ps_db_prepare (db,
                         "INSERT INTO file (folder, name, size, mtime_ns, inode, hash, offered)"
                         " VALUES (?, ?, ?, ?, ?, ?, ?)",
                         error);
  if (statement == NULL)
    return FALSE;
  sqlite3_bind_int64 (statement, 1, folder);
  sqlite3_bind_blob (statement, 2, file->name, (int)strlen (file->name), SQLITE_STATIC);
  sqlite3_bind_int64 (statement, 3, file->size);
  sqlite3_bind_int64 (statement, 4, file->mtime_ns);
  sqlite3_bind_int64 (statement, 5, (gint64)file->inode);
  sqlite3_bind_blob (statement, 6, file->hash, P2PS_BINARY_HASH_SIZE, SQLITE_STATIC);
  if (offered != NULL)
    sqlite3_bind_blob (statement, 7, offered, (int)strlen (offered), SQLITE_STATIC);
  return p2ps_db_run (db, statement, error)
         && write_words (db, TRUE, sqlite3_last_insert_rowid (db->sqlite), text, error)
         && p2ps_db_tree_add (db, file, error);
}

/* Nearly always the place is free: only when it isn't what was there is looked for. */
static gboolean
add_file (P2psDb *db, gint64 folder, const P2psNewFile *file, P2psIndexChange *change,
          GError **error)
{
  FolderQuery query = { .folder = folder, .name = file->name };
  g_autoptr (P2psKnownFiles) old = NULL;
  g_autoptr (GError) local_error = NULL;

  change->files++;
  change->bytes += file->size;
  if (insert_file (db, folder, file, &local_error))
    return TRUE;
  if ((sqlite3_errcode (db->sqlite) & 0xff) != SQLITE_CONSTRAINT)
    {
      g_propagate_error (error, g_steal_pointer (&local_error));
      return FALSE;
    }
  old = list_files (db, &query, error);
  return old != NULL && old->files->len > 0
         && remove_file (db, g_array_index (old->files, P2psKnownFile, 0).id, change, error)
         && insert_file (db, folder, file, error);
}

static gboolean
apply_all (P2psDb *db, P2psIndexChange *change, GError **error)
{
  const char *path = NULL;
  gint64 folder = 0;

  for (guint i = 0; i < change->removed->len; i++)
    if (!remove_file (db, g_array_index (change->removed, gint64, i), change, error))
      return FALSE;
  for (guint i = 0; i < change->gone->len; i++)
    if (!run_with_id (db,
                      "UPDATE folder SET gone = CAST (strftime ('%s', 'now') AS INTEGER)"
                      " WHERE id = ? AND gone IS NULL",
                      g_array_index (change->gone, gint64, i), error))
      return FALSE;
  for (guint i = 0; i < change->back->len; i++)
    if (!run_with_id (db, "UPDATE folder SET gone = NULL WHERE id = ?",
                      g_array_index (change->back, gint64, i), error))
      return FALSE;
  for (guint i = 0; i < change->added->len; i++)
    {
      const P2psNewFile *file = g_ptr_array_index (change->added, i);

      if (path == NULL || !g_str_equal (path, file->folder))
        folder = get_folder_id (db, file->folder, change, error);
      path = file->folder;
      if (folder == 0 || !add_file (db, folder, file, change, error))
        return FALSE;
    }
  return TRUE;
}

static gpointer
apply (P2psDb *db, gpointer data, GError **error)
{
  P2psIndexChange *change = data;

  change->files = 0;
  change->bytes = 0;
  change->recount = change->gone->len > 0 || change->back->len > 0;
  if (!p2ps_db_begin (db, FALSE, error))
    return NULL;
  return p2ps_db_end (db, apply_all (db, change, error), error) ? change : NULL;
}

/* Makes the changes, all or none; an added file takes the place of one with the same path.
 *
 * Returns: whether it is committed; else DATABASE, NO_SPACE */
gboolean
p2ps_store_apply (P2psStore *store, P2psIndexChange *change, GError **error)
{
  return p2ps_store_call (store, P2PS_STORE_WRITE, apply, change, NULL, error) != NULL;
}

static gpointer
shrink (P2psDb *db, gpointer data, GError **error)
{
  sqlite3_db_release_memory (db->sqlite);
  return db;
}

/* Gives back the memory that a large change took. */
void
p2ps_store_shrink (P2psStore *store)
{
  p2ps_store_call (store, P2PS_STORE_WRITE, shrink, NULL, NULL, NULL);
  p2ps_store_call (store, P2PS_STORE_SWEEP, shrink, NULL, NULL, NULL);
}

typedef struct
{
  gint64 before;
  guint limit;
  guint n;
} Forgetting;

static gboolean
forget_some (P2psDb *db, Forgetting *forgetting, GError **error)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  P2psIndexChange unused = { 0 };
  gboolean row = TRUE;
  sqlite3_stmt *statement = p2ps_db_prepare (
      db, "SELECT id FROM file WHERE folder IN (SELECT id FROM folder WHERE gone < ?) LIMIT ?",
      error);

  if (statement == NULL)
    return FALSE;
  sqlite3_bind_int64 (statement, 1, forgetting->before);
  sqlite3_bind_int64 (statement, 2, forgetting->limit);
  while (p2ps_db_step (db, statement, &row, error) && row)
    {
      gint64 id = sqlite3_column_int64 (statement, 0);
      g_array_append_val (ids, id);
    }
  for (guint i = 0; !row && i < ids->len; i++)
    if (!remove_file (db, g_array_index (ids, gint64, i), &unused, error))
      return FALSE;
  forgetting->n = ids->len;
  return !row
         && (ids->len > 0
             || run_with_id (db,
                             "DELETE FROM folder WHERE gone < ? AND id NOT IN"
                             " (SELECT folder FROM file)",
                             forgetting->before, error));
}

static gpointer
forget_gone (P2psDb *db, gpointer data, GError **error)
{
  gboolean ok = p2ps_db_begin (db, FALSE, error);

  ok = ok && p2ps_db_end (db, forget_some (db, data, error), error);
  return GINT_TO_POINTER (ok);
}

/* Forgets at most `limit` files of folders that have been gone since before `before` (Unix
 * seconds), and then such folders. `n` is how many files went: 0 = all done. */
gboolean
p2ps_store_forget_gone (P2psStore *store, gint64 before, guint limit, guint *n, GError **error)
{
  Forgetting forgetting = { .before = before, .limit = limit };
  gboolean ok
      = p2ps_store_call (store, P2PS_STORE_WRITE, forget_gone, &forgetting, NULL, error) != NULL;

  *n = forgetting.n;
  return ok;
}
