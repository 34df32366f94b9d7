/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Peers to begin with after a restart, and small values by name. Runs on the store's threads. */

#define G_LOG_DOMAIN "p2ps-store"

#include "engine/store-db.h"

static gboolean
write_peers (P2psDb *db, GArray *addresses, GError **error)
{
  if (!p2ps_db_exec (db, "DELETE FROM peer", error))
    return FALSE;
  for (guint i = 0; i < addresses->len; i++)
    {
      const P2psAddress *address = &g_array_index (addresses, P2psAddress, i);
      sqlite3_stmt *statement
          = p2ps_db_prepare (db, "INSERT INTO peer (position, host, port) VALUES (?, ?, ?)", error);

      if (statement == NULL)
        return FALSE;
      sqlite3_bind_int64 (statement, 1, i);
      sqlite3_bind_text (statement, 2, address->host, -1, SQLITE_STATIC);
      sqlite3_bind_int (statement, 3, address->port);
      if (!p2ps_db_run (db, statement, error))
        return FALSE;
    }
  return TRUE;
}

static gpointer
save_peers (P2psDb *db, gpointer data, GError **error)
{
  gboolean ok = p2ps_db_begin (db, FALSE, error);

  ok = ok && p2ps_db_end (db, write_peers (db, data, error), error);
  return GINT_TO_POINTER (ok);
}

/* `addresses` of P2psAddress, most recent first, takes the place of the list that was there. It is
 * copied at once; that it could not be written is told by "notice" only. */
void
p2ps_store_save_peers (P2psStore *store, GArray *addresses)
{
  GTask *task = g_task_new (store, NULL, NULL, NULL);

  g_task_set_source_tag (task, p2ps_store_save_peers);
  g_task_set_task_data (task, g_array_copy (addresses), (GDestroyNotify)g_array_unref);
  p2ps_store_run (store, P2PS_STORE_WRITE, task, save_peers, NULL);
}

static gpointer
list_peers (P2psDb *db, gpointer data, GError **error)
{
  g_autoptr (GArray) addresses = g_array_new (FALSE, TRUE, sizeof (P2psAddress));
  sqlite3_stmt *statement
      = p2ps_db_prepare (db, "SELECT host, port FROM peer ORDER BY position LIMIT ?", error);
  gboolean row = TRUE;

  if (statement == NULL)
    return NULL;
  sqlite3_bind_int64 (statement, 1, GPOINTER_TO_UINT (data));
  while (p2ps_db_step (db, statement, &row, error) && row)
    {
      g_autofree char *host = p2ps_db_dup_text (statement, 0);
      P2psAddress address = { .port = (guint16)sqlite3_column_int (statement, 1) };

      g_strlcpy (address.host, host, sizeof address.host);
      g_array_append_val (addresses, address);
    }
  return row ? NULL : g_steal_pointer (&addresses);
}

void
p2ps_store_list_peers_async (P2psStore *store, guint limit, GAsyncReadyCallback callback,
                             gpointer user_data)
{
  GTask *task = g_task_new (store, NULL, callback, user_data);

  g_task_set_source_tag (task, p2ps_store_list_peers_async);
  g_task_set_task_data (task, GUINT_TO_POINTER (limit), NULL);
  p2ps_store_run (store, P2PS_STORE_WRITE, task, list_peers, (GDestroyNotify)g_array_unref);
}

/* Returns: (transfer full): of P2psAddress */
GArray *
p2ps_store_list_peers_finish (P2psStore *store, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

typedef struct
{
  char *key;
  char *value;
} Pair;

static void
pair_free (gpointer data)
{
  Pair *pair = data;

  g_free (pair->key);
  g_free (pair->value);
  g_free (pair);
}

static gpointer
set_value (P2psDb *db, gpointer data, GError **error)
{
  const Pair *pair = data;
  sqlite3_stmt *statement;
  gboolean ok;

  if (!p2ps_db_begin (db, TRUE, error))
    return NULL;
  statement = p2ps_db_prepare (db,
                               pair->value != NULL
                                   ? "INSERT OR REPLACE INTO value (key, value) VALUES (?, ?)"
                                   : "DELETE FROM value WHERE key = ?",
                               error);
  if (statement != NULL)
    {
      sqlite3_bind_text (statement, 1, pair->key, -1, SQLITE_STATIC);
      if (pair->value != NULL)
        sqlite3_bind_text (statement, 2, pair->value, -1, SQLITE_STATIC);
    }
  ok = statement != NULL && p2ps_db_run (db, statement, error);
  return GINT_TO_POINTER (p2ps_db_end (db, ok, error));
}

/* A NULL `value` takes the key away. */
void
p2ps_store_set_value (P2psStore *store, const char *key, const char *value)
{
  GTask *task = g_task_new (store, NULL, NULL, NULL);
  Pair *pair = g_new0 (Pair, 1);

  pair->key = g_strdup (key);
  pair->value = g_strdup (value);
  g_task_set_source_tag (task, p2ps_store_set_value);
  g_task_set_task_data (task, pair, pair_free);
  p2ps_store_run (store, P2PS_STORE_WRITE, task, set_value, NULL);
}

/* A GStrv of one value, or of none. */
static gpointer
get_value (P2psDb *db, gpointer data, GError **error)
{
  sqlite3_stmt *statement = p2ps_db_prepare (db, "SELECT value FROM value WHERE key = ?", error);
  gboolean row = FALSE;
  char **values;

  if (statement == NULL)
    return NULL;
  sqlite3_bind_text (statement, 1, data, -1, SQLITE_STATIC);
  if (!p2ps_db_step (db, statement, &row, error))
    return NULL;
  values = g_new0 (char *, 2);
  if (row)
    values[0] = p2ps_db_dup_text (statement, 0);
  sqlite3_reset (statement);
  return values;
}

void
p2ps_store_get_value_async (P2psStore *store, const char *key, GAsyncReadyCallback callback,
                            gpointer user_data)
{
  GTask *task = g_task_new (store, NULL, callback, user_data);

  g_task_set_source_tag (task, p2ps_store_get_value_async);
  g_task_set_task_data (task, g_strdup (key), g_free);
  p2ps_store_run (store, P2PS_STORE_WRITE, task, get_value, (GDestroyNotify)g_strfreev);
}

/* Returns: (transfer full) (nullable): NULL without an error when there is no such value */
char *
p2ps_store_get_value_finish (P2psStore *store, GAsyncResult *result, GError **error)
{
  g_auto (GStrv) values = g_task_propagate_pointer (G_TASK (result), error);

  return values != NULL ? g_strdup (values[0]) : NULL;
}
