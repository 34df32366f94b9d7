/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The queue of downloads in the database. Runs on the store's threads. Every change is on the disk
 * before it is reported: killing the node or pulling the plug loses no queued download. */

#define G_LOG_DOMAIN "p2ps-store"

#include "core/message.h"
#include "engine/store-db.h"

/* Returns: (transfer full): an empty record with size -1 */
P2psDownloadRecord *
p2ps_download_record_new (const char *filehash)
{
  P2psDownloadRecord *record = g_new0 (P2psDownloadRecord, 1);

  g_strlcpy (record->filehash, filehash, sizeof record->filehash);
  record->size = -1;
  record->sources = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  return record;
}

/* Returns: (transfer full): a deep copy */
P2psDownloadRecord *
p2ps_download_record_copy (const P2psDownloadRecord *record)
{
  P2psDownloadRecord *copy = p2ps_download_record_new (record->filehash);

  copy->filename = g_strdup (record->filename);
  copy->size = record->size;
  copy->folder = g_strdup (record->folder);
  copy->path = g_strdup (record->path);
  copy->state = record->state;
  copy->reason = g_strdup (record->reason);
  copy->added = record->added;
  copy->finished = record->finished;
  for (guint i = 0; record->sources != NULL && i < record->sources->len; i++)
    g_ptr_array_add (copy->sources, p2ps_hit_copy (g_ptr_array_index (record->sources, i)));
  return copy;
}

void
p2ps_download_record_free (P2psDownloadRecord *record)
{
  if (record == NULL)
    return;
  g_clear_pointer (&record->sources, g_ptr_array_unref);
  g_free (record->filename);
  g_free (record->folder);
  g_free (record->path);
  g_free (record->reason);
  g_free (record);
}

static void
bind_bytes (sqlite3_stmt *statement, int position, const char *text)
{
  if (text != NULL)
    sqlite3_bind_blob (statement, position, text, (int)strlen (text), SQLITE_STATIC);
}

static gboolean
write_sources (P2psDb *db, const P2psDownloadRecord *record, GError **error)
{
  for (guint i = 0; i < record->sources->len; i++)
    {
      const P2psHit *hit = g_ptr_array_index (record->sources, i);
      sqlite3_stmt *statement
          = p2ps_db_prepare (db,
                             "INSERT OR REPLACE INTO source (filehash, host, port, filename, size)"
                             " VALUES (?, ?, ?, ?, ?)",
                             error);

      if (statement == NULL)
        return FALSE;
      sqlite3_bind_text (statement, 1, record->filehash, -1, SQLITE_STATIC);
      sqlite3_bind_text (statement, 2, hit->holder.host, -1, SQLITE_STATIC);
      sqlite3_bind_int (statement, 3, hit->holder.port);
      sqlite3_bind_text (statement, 4, hit->filename != NULL ? hit->filename : "", -1,
                         SQLITE_STATIC);
      sqlite3_bind_int64 (statement, 5, hit->size);
      if (!p2ps_db_run (db, statement, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
write_record (P2psDb *db, const P2psDownloadRecord *record, GError **error)
{
  sqlite3_stmt *statement = p2ps_db_prepare (
      db,
      "INSERT INTO download (filehash, filename, size, folder, path, state, reason, added,"
      " finished) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (filehash) DO UPDATE"
      " SET filename = ?2, size = ?3, folder = ?4, path = ?5, state = ?6, reason = ?7,"
      " added = ?8, finished = ?9",
      error);

  if (statement == NULL)
    return FALSE;
  sqlite3_bind_text (statement, 1, record->filehash, -1, SQLITE_STATIC);
  sqlite3_bind_text (statement, 2, record->filename != NULL ? record->filename : "", -1,
                     SQLITE_STATIC);
  sqlite3_bind_int64 (statement, 3, record->size);
  bind_bytes (statement, 4, record->folder);
  bind_bytes (statement, 5, record->path);
  sqlite3_bind_int (statement, 6, record->state);
  sqlite3_bind_text (statement, 7, record->reason, -1, SQLITE_STATIC);
  sqlite3_bind_int64 (statement, 8, record->added);
  sqlite3_bind_int64 (statement, 9, record->finished);
  if (!p2ps_db_run (db, statement, error))
    return FALSE;
  statement = p2ps_db_prepare (db, "DELETE FROM source WHERE filehash = ?", error);
  if (statement == NULL)
    return FALSE;
  sqlite3_bind_text (statement, 1, record->filehash, -1, SQLITE_STATIC);
  return p2ps_db_run (db, statement, error) && write_sources (db, record, error);
}

static gpointer
save_download (P2psDb *db, gpointer data, GError **error)
{
  gboolean ok = p2ps_db_begin (db, TRUE, error);

  ok = ok && p2ps_db_end (db, write_record (db, data, error), error);
  return GINT_TO_POINTER (ok);
}

/* Writes the whole record, in place of an older one with the same hash. It is copied at once. */
void
p2ps_store_save_download_async (P2psStore *store, const P2psDownloadRecord *record,
                                GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (store, NULL, callback, user_data);

  g_task_set_source_tag (task, p2ps_store_save_download_async);
  g_task_set_task_data (task, p2ps_download_record_copy (record),
                        (GDestroyNotify)p2ps_download_record_free);
  p2ps_store_run (store, P2PS_STORE_WRITE, task, save_download, NULL);
}

/* Returns: whether it is on the disk; else DATABASE, NO_SPACE */
gboolean
p2ps_store_save_download_finish (P2psStore *store, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error) != NULL;
}

static gpointer
remove_download (P2psDb *db, gpointer data, GError **error)
{
  sqlite3_stmt *statement;
  gboolean ok;

  if (!p2ps_db_begin (db, TRUE, error))
    return NULL;
  statement = p2ps_db_prepare (db, "DELETE FROM download WHERE filehash = ?", error);
  if (statement != NULL)
    sqlite3_bind_text (statement, 1, data, -1, SQLITE_STATIC);
  ok = statement != NULL && p2ps_db_run (db, statement, error);
  return GINT_TO_POINTER (p2ps_db_end (db, ok, error));
}

/* Forgets the record; one that isn't there is no error. */
void
p2ps_store_remove_download_async (P2psStore *store, const char *filehash,
                                  GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (store, NULL, callback, user_data);

  g_task_set_source_tag (task, p2ps_store_remove_download_async);
  g_task_set_task_data (task, g_strdup (filehash), g_free);
  p2ps_store_run (store, P2PS_STORE_WRITE, task, remove_download, NULL);
}

gboolean
p2ps_store_remove_download_finish (P2psStore *store, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error) != NULL;
}

static gboolean
read_sources (P2psDb *db, P2psDownloadRecord *record, GError **error)
{
  sqlite3_stmt *statement = p2ps_db_prepare (
      db, "SELECT host, port, filename, size FROM source WHERE filehash = ? ORDER BY host, port",
      error);
  gboolean row = TRUE;

  if (statement == NULL)
    return FALSE;
  sqlite3_bind_text (statement, 1, record->filehash, -1, SQLITE_STATIC);
  while (p2ps_db_step (db, statement, &row, error) && row)
    {
      g_autofree char *host = p2ps_db_dup_text (statement, 0);
      g_autofree char *filename = p2ps_db_dup_text (statement, 2);
      P2psAddress holder = { .port = (guint16)sqlite3_column_int (statement, 1) };

      g_strlcpy (holder.host, host, sizeof holder.host);
      g_ptr_array_add (record->sources, p2ps_hit_new ("", &holder, filename, record->filehash,
                                                      sqlite3_column_int64 (statement, 3)));
    }
  return !row;
}

static P2psDownloadRecord *
read_record (sqlite3_stmt *statement)
{
  g_autofree char *filehash = p2ps_db_dup_text (statement, 0);
  P2psDownloadRecord *record = p2ps_download_record_new (filehash);

  record->filename = p2ps_db_dup_text (statement, 1);
  record->size = sqlite3_column_int64 (statement, 2);
  record->folder = p2ps_db_dup_text (statement, 3);
  record->path = p2ps_db_dup_text (statement, 4);
  record->state = sqlite3_column_int (statement, 5);
  record->reason = p2ps_db_dup_text (statement, 6);
  record->added = sqlite3_column_int64 (statement, 7);
  record->finished = sqlite3_column_int64 (statement, 8);
  return record;
}

static gpointer
list_downloads (P2psDb *db, gpointer data, GError **error)
{
  g_autoptr (GPtrArray) records
      = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_download_record_free);
  sqlite3_stmt *statement = p2ps_db_prepare (
      db,
      "SELECT filehash, filename, size, folder, path, state, reason, added, finished"
      " FROM download ORDER BY added, filehash",
      error);
  gboolean row = TRUE;

  if (statement == NULL)
    return NULL;
  while (p2ps_db_step (db, statement, &row, error) && row)
    g_ptr_array_add (records, read_record (statement));
  for (guint i = 0; !row && i < records->len; i++)
    if (!read_sources (db, g_ptr_array_index (records, i), error))
      return NULL;
  return row ? NULL : g_steal_pointer (&records);
}

/* All records, oldest first. */
void
p2ps_store_list_downloads_async (P2psStore *store, GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (store, NULL, callback, user_data);

  g_task_set_source_tag (task, p2ps_store_list_downloads_async);
  p2ps_store_run (store, P2PS_STORE_WRITE, task, list_downloads, (GDestroyNotify)g_ptr_array_unref);
}

/* Returns: (transfer full): of P2psDownloadRecord */
GPtrArray *
p2ps_store_list_downloads_finish (P2psStore *store, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
