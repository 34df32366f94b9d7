/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One SQLite connection: opening, the schema and its migrations, kept statements, errors. It is
 * used by one thread at a time (store.c sees to that). Refuses a database that a newer version has
 * made; a damaged one is only marked, store.c puts it aside. */

#define G_LOG_DOMAIN "p2ps-store"

#include "engine/store-db.h"

#include "config-build.h"
#include "engine/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 10000

/* migrations[N] brings a database of user_version N to N + 1; each one that has been in a release
 * stays as it is, with a database of that version in tests/fixtures. */
static const char *const migrations[] = {
  /* Names and paths are BLOBs: they are bytes, not always UTF-8. "offered" is NULL while a file is
   * offered under its own name. "gone" is when a folder was last seen missing (Unix seconds), so
   * that a disk that comes back needs no hashing. "names" finds files by words; it keeps no text.
   */
  "CREATE TABLE value (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
  "CREATE TABLE peer (position INTEGER PRIMARY KEY, host TEXT NOT NULL, port INTEGER NOT NULL);"
  "CREATE TABLE download (filehash TEXT PRIMARY KEY, filename TEXT NOT NULL,"
  " size INTEGER NOT NULL, folder BLOB, path BLOB, state INTEGER NOT NULL, reason TEXT,"
  " added INTEGER NOT NULL, finished INTEGER NOT NULL);"
  "CREATE TABLE source (filehash TEXT NOT NULL REFERENCES download ON DELETE CASCADE,"
  " host TEXT NOT NULL, port INTEGER NOT NULL, filename TEXT NOT NULL, size INTEGER NOT NULL,"
  " PRIMARY KEY (filehash, host, port)) WITHOUT ROWID;"
  "CREATE TABLE folder (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, gone INTEGER);"
  "CREATE TABLE file (id INTEGER PRIMARY KEY AUTOINCREMENT,"
  " folder INTEGER NOT NULL REFERENCES folder, name BLOB NOT NULL, size INTEGER NOT NULL,"
  " mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, hash BLOB NOT NULL, offered BLOB);"
  "CREATE UNIQUE INDEX file_place ON file (folder, name);"
  "CREATE INDEX file_name ON file (name, offered);"
  "CREATE INDEX file_hash ON file (hash);"
  "CREATE INDEX file_offered ON file (offered) WHERE offered IS NOT NULL;"
  "CREATE VIRTUAL TABLE names USING fts5 (name, content='',"
  " columnsize=0, detail=none,"
  " tokenize='unicode61 remove_diacritics 2', prefix='2 3 5');",
  /* The block tree of each content over one leaf (16 KiB; the root of a smaller one is its hash).
   * "root" is NULL until the tree is built: what version 1 knows has none yet. "layer" is NULL for
   * at most one chunk (1 MiB). */
  "CREATE TABLE tree (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, root BLOB, layer BLOB);"
  "CREATE INDEX tree_root ON tree (root) WHERE layer IS NOT NULL;"
  "CREATE INDEX tree_wanted ON tree (hash) WHERE root IS NULL;"
  "INSERT INTO tree (hash) SELECT DISTINCT hash FROM file WHERE size > 16384;",
};

static void
set_error (P2psDb *db, int code, GError **error)
{
  const char *text = sqlite3_errmsg (db->sqlite);
  int basic = code & 0xff;

  if (basic == SQLITE_CORRUPT || basic == SQLITE_NOTADB)
    db->damaged = TRUE;
  if (basic == SQLITE_FULL
      || (basic == SQLITE_IOERR && sqlite3_system_errno (db->sqlite) == ENOSPC))
    g_set_error (error, P2PS_ERROR, P2PS_ERROR_NO_SPACE, _ ("The disk with the database is full"));
  else
    g_set_error (error, P2PS_ERROR, P2PS_ERROR_DATABASE, _ ("The database can't be used: %s"),
                 text);
}

/* Sets `error` from what SQLite said last, and FALSE is returned for the caller to pass on. */
gboolean
p2ps_db_fail (P2psDb *db, GError **error)
{
  set_error (db, sqlite3_extended_errcode (db->sqlite), error);
  return FALSE;
}

static void
finalize_statement (gpointer statement)
{
  sqlite3_finalize (statement);
}

/* Who this node is, knows and fetches is nobody else's business, whatever the umask says: SQLite
 * gives what it makes beside the file the file's mode. Another error than "it is there" comes up
 * again when SQLite opens it. */
static void
make_private (const char *path)
{
  int fd = g_open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

  if (fd >= 0)
    close (fd);
}

/* Opens or makes the file; says nothing about the schema.
 *
 * Returns: (transfer full): or NULL: DATABASE, NO_SPACE */
P2psDb *
p2ps_db_open (const char *path, GError **error)
{
  P2psDb *db = g_new0 (P2psDb, 1);
  g_autoptr (GError) local_error = NULL;
  int code;

  db->statements = g_hash_table_new_full (g_direct_hash, g_direct_equal, NULL, finalize_statement);
  make_private (path);
  code = sqlite3_open_v2 (path, &db->sqlite,
                          SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
  if (code != SQLITE_OK)
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_DATABASE, "%s: %s", path,
                   db->sqlite != NULL ? sqlite3_errmsg (db->sqlite) : sqlite3_errstr (code));
      p2ps_db_close (db);
      return NULL;
    }
  sqlite3_extended_result_codes (db->sqlite, TRUE);
  sqlite3_busy_timeout (db->sqlite, BUSY_TIMEOUT_MS);
  return db;
}

void
p2ps_db_close (P2psDb *db)
{
  if (db == NULL)
    return;
  g_clear_pointer (&db->statements, g_hash_table_unref);
  if (db->sqlite != NULL && sqlite3_close (db->sqlite) != SQLITE_OK)
    g_warning ("a statement outlived its connection");
  g_free (db);
}

static gboolean
get_version (P2psDb *db, int *version, GError **error)
{
  sqlite3_stmt *statement = p2ps_db_prepare (db, "PRAGMA user_version", error);
  gboolean row = FALSE;

  if (statement == NULL || !p2ps_db_step (db, statement, &row, error))
    return FALSE;
  *version = row ? sqlite3_column_int (statement, 0) : 0;
  sqlite3_reset (statement);
  return TRUE;
}

static gboolean
migrate_from (P2psDb *db, int version, GError **error)
{
  for (; version < (int)G_N_ELEMENTS (migrations); version++)
    {
      g_autofree char *bump = g_strdup_printf ("PRAGMA user_version = %d", version + 1);

      if (!p2ps_db_exec (db, migrations[version], error) || !p2ps_db_exec (db, bump, error))
        return FALSE;
    }
  return TRUE;
}

/* Brings the database to the version that this program knows; all or nothing. */
gboolean
p2ps_db_migrate (P2psDb *db, GError **error)
{
  int version = 0;
  gboolean ok;

  if (!p2ps_db_exec (db,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                     "PRAGMA foreign_keys = ON; PRAGMA secure_delete = OFF;"
                     "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384; PRAGMA "
                     "wal_autocheckpoint = 4000;"
                     "PRAGMA journal_size_limit = 16777216",
                     error)
      || !get_version (db, &version, error))
    return FALSE;
  if (version == G_N_ELEMENTS (migrations))
    return TRUE;
  if (version > (int)G_N_ELEMENTS (migrations))
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_DATABASE,
                   _ ("The database was made by a newer version of this program"));
      return FALSE;
    }
  if (!p2ps_db_begin (db, TRUE, error))
    return FALSE;
  /* Another process may have been faster. */
  ok = get_version (db, &version, error) && migrate_from (db, version, error);
  return p2ps_db_end (db, ok, error);
}

/* `sql` must be static text: it is the key under which the statement is kept.
 *
 * Returns: (transfer none): reset, with no bindings; or NULL with an error */
sqlite3_stmt *
p2ps_db_prepare (P2psDb *db, const char *sql, GError **error)
{
  sqlite3_stmt *statement = g_hash_table_lookup (db->statements, sql);

  if (statement != NULL)
    {
      sqlite3_reset (statement);
      sqlite3_clear_bindings (statement);
      return statement;
    }
  if (sqlite3_prepare_v3 (db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL)
      != SQLITE_OK)
    {
      p2ps_db_fail (db, error);
      return NULL;
    }
  g_hash_table_insert (db->statements, (gpointer)sql, statement);
  return statement;
}

/* `row` tells whether there is one; it is FALSE at the end only, so that after a loop over all rows
 * it says whether the loop has failed. At the end and on errors the statement is reset. */
gboolean
p2ps_db_step (P2psDb *db, sqlite3_stmt *statement, gboolean *row, GError **error)
{
  int code = sqlite3_step (statement);

  *row = code != SQLITE_DONE;
  if (code == SQLITE_ROW)
    return TRUE;
  if (code != SQLITE_DONE)
    set_error (db, code, error);
  sqlite3_reset (statement);
  return code == SQLITE_DONE;
}

/* Runs a statement that gives no rows. */
gboolean
p2ps_db_run (P2psDb *db, sqlite3_stmt *statement, GError **error)
{
  gboolean row = TRUE;

  while (row)
    if (!p2ps_db_step (db, statement, &row, error))
      return FALSE;
  return TRUE;
}

gboolean
p2ps_db_exec (P2psDb *db, const char *sql, GError **error)
{
  return sqlite3_exec (db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK || p2ps_db_fail (db, error);
}

/* With `durable` the commit is on the disk when it is reported, even if the power fails then;
 * without, the last moments may be lost (never more: WAL stays consistent). */
gboolean
p2ps_db_begin (P2psDb *db, gboolean durable, GError **error)
{
  if (durable != db->durable
      && !p2ps_db_exec (db, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
                        error))
    return FALSE;
  db->durable = durable;
  return p2ps_db_exec (db, "BEGIN IMMEDIATE", error);
}

/* Commits when all went well (`ok`), else takes everything back.
 *
 * Returns: whether it is committed */
gboolean
p2ps_db_end (P2psDb *db, gboolean ok, GError **error)
{
  if (ok && p2ps_db_exec (db, "COMMIT", error))
    return TRUE;
  /* A full disk has already rolled it back: that is no second error. */
  if (!sqlite3_get_autocommit (db->sqlite))
    sqlite3_exec (db->sqlite, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

/* Returns: (transfer full) (nullable): the column's bytes and a NUL; NULL for NULL */
char *
p2ps_db_dup_text (sqlite3_stmt *statement, int column)
{
  const void *bytes;
  char *text;
  int length;

  if (sqlite3_column_type (statement, column) == SQLITE_NULL)
    return NULL;
  bytes = sqlite3_column_blob (statement, column);
  length = sqlite3_column_bytes (statement, column);
  text = g_malloc (length + 1);
  if (length > 0)
    memcpy (text, bytes, length);
  text[length] = '\0';
  return text;
}
