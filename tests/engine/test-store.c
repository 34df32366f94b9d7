/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The database: what it keeps over a restart, and what it does when it is damaged, full or of
 * another version. */

#include "core/message.h"
#include "disk.h"
#include "engine/downloads.h"
#include "engine/error.h"
#include "engine/store-db.h"
#include "engine/store-files.h"
#include "engine/store-trees.h"

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

typedef struct
{
  char *dir;
  char *path;
  P2psStore *store;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->dir = make_temp_dir ();
  fixture->path = g_build_filename (fixture->dir, "state", "p2pshare.sqlite", NULL);
  fixture->store = p2ps_store_new (fixture->path);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_clear_object (&fixture->store);
  await_that (remove_tree (fixture->dir)); /* threads may be closing the database yet */
  g_free (fixture->dir);
  g_free (fixture->path);
}

static void
reopen (Fixture *fixture)
{
  p2ps_store_close (fixture->store);
  g_clear_object (&fixture->store);
  fixture->store = p2ps_store_new (fixture->path);
}

static gboolean
save (P2psStore *store, const P2psDownloadRecord *record, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  p2ps_store_save_download_async (store, record, got_result_cb, &result);
  return p2ps_store_save_download_finish (store, await (&result), error);
}

static void
save_ok (P2psStore *store, const P2psDownloadRecord *record)
{
  g_autoptr (GError) error = NULL;

  save (store, record, &error);
  g_assert_no_error (error);
}

static GPtrArray *
list (P2psStore *store, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  p2ps_store_list_downloads_async (store, got_result_cb, &result);
  return p2ps_store_list_downloads_finish (store, await (&result), error);
}

static GPtrArray *
list_ok (P2psStore *store)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *records = list (store, &error);

  g_assert_no_error (error);
  return records;
}

static char *
get_value (P2psStore *store, const char *key)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  char *value;

  p2ps_store_get_value_async (store, key, got_result_cb, &result);
  value = p2ps_store_get_value_finish (store, await (&result), &error);
  g_assert_no_error (error);
  return value;
}

static P2psDownloadRecord *
make_record (const char *filehash, gint64 added)
{
  P2psDownloadRecord *record = p2ps_download_record_new (filehash);
  P2psAddress holder = { .port = 8081 };

  g_strlcpy (holder.host, "10.0.0.5", sizeof holder.host);
  record->filename = g_strdup ("Ärger \"quoted\".ogg");
  record->size = G_GINT64_CONSTANT (5000000000);
  record->folder = g_strdup ("/tmp/\xff odd");
  record->state = 4;
  record->reason = g_strdup ("the disk is full");
  record->added = added;
  g_ptr_array_add (record->sources, p2ps_hit_new ("", &holder, "name there", filehash, -1));
  return record;
}

static void
assert_record (const P2psDownloadRecord *got, const P2psDownloadRecord *want)
{
  g_assert_cmpstr (got->filehash, ==, want->filehash);
  g_assert_cmpstr (got->filename, ==, want->filename);
  g_assert_cmpint (got->size, ==, want->size);
  g_assert_cmpstr (got->folder, ==, want->folder);
  g_assert_cmpstr (got->path, ==, want->path);
  g_assert_cmpint (got->state, ==, want->state);
  g_assert_cmpstr (got->reason, ==, want->reason);
  g_assert_cmpint (got->added, ==, want->added);
  g_assert_cmpint (got->finished, ==, want->finished);
  g_assert_cmpuint (got->sources->len, ==, want->sources->len);
  for (guint i = 0; i < got->sources->len; i++)
    {
      const P2psHit *a = g_ptr_array_index (got->sources, i);
      const P2psHit *b = g_ptr_array_index (want->sources, i);

      g_assert_true (p2ps_address_equal (&a->holder, &b->holder));
      g_assert_cmpstr (a->filename, ==, b->filename);
      g_assert_cmpstr (a->filehash, ==, b->filehash);
      g_assert_cmpint (a->size, ==, b->size);
    }
}

static void
test_lazy (Fixture *fixture, gconstpointer data)
{
  g_assert_false (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
  g_clear_object (&fixture->store);
  g_assert_false (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
}

static void
test_downloads (Fixture *fixture, gconstpointer data)
{
  g_autoptr (P2psDownloadRecord) b = make_record (HASH_B, 2);
  g_autoptr (P2psDownloadRecord) a = make_record (HASH_A, 1);
  g_autoptr (GPtrArray) records = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  save_ok (fixture->store, b);
  save_ok (fixture->store, a);
  reopen (fixture);
  records = list_ok (fixture->store);
  g_assert_cmpuint (records->len, ==, 2);
  assert_record (g_ptr_array_index (records, 0), a);
  assert_record (g_ptr_array_index (records, 1), b);

  /* a second save replaces all of it */
  g_clear_pointer (&records, g_ptr_array_unref);
  g_ptr_array_set_size (a->sources, 0);
  g_clear_pointer (&a->reason, g_free);
  a->path = g_strdup ("/tmp/done");
  a->finished = 77;
  save_ok (fixture->store, a);
  p2ps_store_remove_download_async (fixture->store, HASH_B, got_result_cb, &result);
  g_assert_true (p2ps_store_remove_download_finish (fixture->store, await (&result), &error));
  g_assert_no_error (error);
  reopen (fixture);
  records = list_ok (fixture->store);
  g_assert_cmpuint (records->len, ==, 1);
  assert_record (g_ptr_array_index (records, 0), a);
}

static void
test_peers_and_values (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GArray) peers = g_array_new (FALSE, TRUE, sizeof (P2psAddress));
  g_autoptr (GArray) got = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *id = NULL;
  g_autofree char *none = get_value (fixture->store, "id");

  g_assert_null (none);
  for (guint i = 0; i < 5; i++)
    {
      P2psAddress address = { .port = (guint16)(9000 - i) };

      g_strlcpy (address.host, "fd00::1", sizeof address.host);
      g_array_append_val (peers, address);
    }
  p2ps_store_save_peers (fixture->store, peers);
  p2ps_store_save_peers (fixture->store, peers);
  p2ps_store_set_value (fixture->store, "id", "one");
  p2ps_store_set_value (fixture->store, "id", "two");
  p2ps_store_set_value (fixture->store, "gone", "x");
  p2ps_store_set_value (fixture->store, "gone", NULL);
  reopen (fixture); /* what was asked for before is done first */
  id = get_value (fixture->store, "id");
  none = get_value (fixture->store, "gone");
  g_assert_cmpstr (id, ==, "two");
  g_assert_null (none);
  p2ps_store_list_peers_async (fixture->store, 3, got_result_cb, &result);
  got = p2ps_store_list_peers_finish (fixture->store, await (&result), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (got->len, ==, 3);
  for (guint i = 0; i < 3; i++)
    g_assert_true (p2ps_address_equal (&g_array_index (got, P2psAddress, i),
                                       &g_array_index (peers, P2psAddress, i)));
}

static guint
count_aside (Fixture *fixture)
{
  g_autofree char *folder = g_path_get_dirname (fixture->path);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  guint n = 0;

  while ((name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_prefix (name, "p2pshare.sqlite.damaged-") && !g_str_has_suffix (name, "-wal")
        && !g_str_has_suffix (name, "-shm"))
      n++;
  return n;
}

static void
count_cb (P2psStore *store, gpointer user_data)
{
  ++*(guint *)user_data;
}

static void
damage (const char *path, const char *how)
{
  struct stat info;
  int fd = open (path, O_RDWR);
  g_autofree char *junk = g_malloc (64 * 1024);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (fstat (fd, &info), ==, 0);
  memset (junk, 0x5a, 64 * 1024);
  if (g_str_equal (how, "header"))
    g_assert_cmpint (pwrite (fd, junk, 100, 0), ==, 100);
  else if (g_str_equal (how, "truncated"))
    g_assert_cmpint (ftruncate (fd, info.st_size / 2), ==, 0);
  else if (g_str_equal (how, "junk"))
    {
      g_assert_cmpint (ftruncate (fd, 0), ==, 0);
      g_assert_cmpint (pwrite (fd, junk, 5000, 0), ==, 5000);
    }
  else if (g_str_equal (how, "pages")) /* the header stays fine: found out when it is used */
    g_assert_cmpint (pwrite (fd, junk, 64 * 1024, 4096), ==, 64 * 1024);
  close (fd);
}

static void
test_damaged (Fixture *fixture, gconstpointer how)
{
  g_autoptr (P2psDownloadRecord) record = make_record (HASH_A, 1);
  g_autoptr (P2psDownloadRecord) again = make_record (HASH_B, 2);
  g_autoptr (GPtrArray) records = NULL;
  g_autofree char *value = NULL;
  guint rebuilt = 0;

  save_ok (fixture->store, record);
  p2ps_store_close (fixture->store);
  g_clear_object (&fixture->store);
  damage (fixture->path, how);
  fixture->store = p2ps_store_new (fixture->path);
  g_signal_connect (fixture->store, "rebuilt", G_CALLBACK (count_cb), &rebuilt);
  save_ok (fixture->store, again);
  p2ps_store_set_value (fixture->store, "id", "new");
  value = get_value (fixture->store, "id");
  g_assert_cmpstr (value, ==, "new");
  await_that (rebuilt > 0);
  g_assert_cmpuint (rebuilt, ==, 1);
  g_assert_cmpuint (count_aside (fixture), ==, 1);
  g_assert_nonnull (strstr (p2ps_store_get_notice (fixture->store), ".damaged-"));
  reopen (fixture);
  records = list_ok (fixture->store);
  g_assert_cmpuint (records->len, ==, 1);
  assert_record (g_ptr_array_index (records, 0), again);
  g_assert_null (p2ps_store_get_notice (fixture->store));
}

static gpointer
run_sql (P2psDb *db, gpointer data, GError **error)
{
  return GINT_TO_POINTER (p2ps_db_exec (db, data, error));
}

static void
run_sql_ok (P2psStore *store, const char *sql)
{
  g_autoptr (GError) error = NULL;

  p2ps_store_call (store, P2PS_STORE_WRITE, run_sql, (gpointer)sql, NULL, &error);
  g_assert_no_error (error);
}

static gpointer
get_root_page (P2psDb *db, gpointer data, GError **error)
{
  sqlite3_stmt *statement
      = p2ps_db_prepare (db, "SELECT rootpage FROM sqlite_schema WHERE name = 'file'", error);
  gboolean row;
  int page;

  g_assert_true (p2ps_db_step (db, statement, &row, error) && row);
  page = sqlite3_column_int (statement, 0);
  sqlite3_reset (statement);
  return GINT_TO_POINTER (page);
}

static void
damage_page (const char *path, gint64 page)
{
  int fd = open (path, O_RDWR);
  char junk[4096];

  memset (junk, 0x5a, sizeof junk);
  g_assert_cmpint (pwrite (fd, junk, sizeof junk, (page - 1) * 4096), ==, sizeof junk);
  close (fd);
}

/* Only the index is damaged: the queue, the identity and the peers are carried over. */
static void
test_salvage (Fixture *fixture, gconstpointer data)
{
  g_autoptr (P2psDownloadRecord) record = make_record (HASH_A, 1);
  g_autoptr (GPtrArray) records = NULL;
  g_autofree char *id = NULL;
  gint64 page;
  guint rebuilt = 0;

  save_ok (fixture->store, record);
  p2ps_store_set_value (fixture->store, "id", "kept");
  page = GPOINTER_TO_INT (
      p2ps_store_call (fixture->store, P2PS_STORE_WRITE, get_root_page, NULL, NULL, NULL));
  p2ps_store_close (fixture->store);
  g_clear_object (&fixture->store);
  damage_page (fixture->path, page);
  fixture->store = p2ps_store_new (fixture->path);
  g_signal_connect (fixture->store, "rebuilt", G_CALLBACK (count_cb), &rebuilt);
  run_sql_ok (fixture->store, "SELECT size FROM file");
  records = list_ok (fixture->store);
  id = get_value (fixture->store, "id");
  await_that (rebuilt > 0);
  g_assert_cmpuint (records->len, ==, 1);
  assert_record (g_ptr_array_index (records, 0), record);
  g_assert_cmpstr (id, ==, "kept");
}

/* A full disk is an error and a notice, and no damage; when there is room it goes on. */
static void
test_full (Fixture *fixture, gconstpointer data)
{
  g_autoptr (P2psDownloadRecord) record = make_record (HASH_A, 1);
  g_autoptr (P2psDownloadRecord) small = make_record (HASH_B, 2);
  g_autoptr (GPtrArray) records = NULL;
  g_autoptr (GError) error = NULL;

  save_ok (fixture->store, small);
  run_sql_ok (fixture->store, "PRAGMA max_page_count = 1");
  g_free (record->reason);
  record->reason = g_strnfill (1000000, 'x');
  g_assert_false (save (fixture->store, record, &error));
  g_assert_error (error, P2PS_ERROR, P2PS_ERROR_NO_SPACE);
  await_that (p2ps_store_get_notice (fixture->store) != NULL);
  run_sql_ok (fixture->store, "PRAGMA max_page_count = 100000");
  save_ok (fixture->store, record);
  await_that (p2ps_store_get_notice (fixture->store) == NULL);
  records = list_ok (fixture->store);
  g_assert_cmpuint (records->len, ==, 2);
  g_assert_cmpuint (count_aside (fixture), ==, 0);
}

/* A folder that can't be made: errors, no crash, and it works once the cause is gone. */
static void
test_no_folder (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = g_path_get_dirname (fixture->path);
  g_autoptr (P2psDownloadRecord) record = make_record (HASH_A, 1);
  g_autoptr (GError) error = NULL;

  write_file (folder, "a file is in the way");
  g_assert_false (save (fixture->store, record, &error));
  g_assert_error (error, P2PS_ERROR, P2PS_ERROR_DATABASE);
  await_that (p2ps_store_get_notice (fixture->store) != NULL);
  g_assert_cmpint (g_unlink (folder), ==, 0);
  save_ok (fixture->store, record);
  await_that (p2ps_store_get_notice (fixture->store) == NULL);
}

/* The database of a newer version is neither used nor put aside. */
static void
test_newer (Fixture *fixture, gconstpointer data)
{
  g_autoptr (P2psDownloadRecord) record = make_record (HASH_A, 1);
  g_autoptr (GError) error = NULL;

  run_sql_ok (fixture->store, "PRAGMA user_version = 9999");
  reopen (fixture);
  g_assert_false (save (fixture->store, record, &error));
  g_assert_error (error, P2PS_ERROR, P2PS_ERROR_DATABASE);
  g_assert_nonnull (strstr (error->message, "newer"));
  g_assert_cmpuint (count_aside (fixture), ==, 0);
}

/* --- the index --- */

static void
add_sized (P2psStore *store, const char *folder, const char *name, guint8 content, gint64 size)
{
  g_autoptr (P2psIndexChange) change = p2ps_index_change_new ();
  g_autoptr (GError) error = NULL;
  P2psNewFile *file = g_new0 (P2psNewFile, 1);

  file->folder = g_ref_string_new (folder);
  file->name = g_strdup (name);
  file->size = size;
  file->hash[0] = content;
  file->root[0] = content + 100;
  g_ptr_array_add (change->added, file);
  p2ps_store_apply (store, change, &error);
  g_assert_no_error (error);
}

static void
add_file (P2psStore *store, const char *folder, const char *name, guint8 content)
{
  add_sized (store, folder, name, content, 10);
}

/* The root that the database has for a content: its first byte, -1 for none yet, -2 when the
 * content is not known. */
static gpointer
get_root_byte (P2psDb *db, gpointer data, GError **error)
{
  sqlite3_stmt *statement = p2ps_db_prepare (db, "SELECT root FROM tree WHERE hash = ?", error);
  guint8 hash[P2PS_BINARY_HASH_SIZE] = { (guint8)GPOINTER_TO_INT (data) };
  gboolean row = FALSE;
  int result = -2;

  sqlite3_bind_blob (statement, 1, hash, sizeof hash, SQLITE_STATIC);
  g_assert_true (p2ps_db_step (db, statement, &row, error));
  if (row)
    {
      result = sqlite3_column_type (statement, 0) == SQLITE_NULL
                   ? -1
                   : *(const guint8 *)sqlite3_column_blob (statement, 0);
      sqlite3_reset (statement);
    }
  return GINT_TO_POINTER (result);
}

static int
root_byte (P2psStore *store, int content)
{
  return GPOINTER_TO_INT (p2ps_store_call (store, P2PS_STORE_WRITE, get_root_byte,
                                           GINT_TO_POINTER (content), NULL, NULL));
}

static guint
count_treeless (P2psStore *store, guint8 after)
{
  guint8 hash[P2PS_BINARY_HASH_SIZE] = { after };
  g_autoptr (GPtrArray) list = p2ps_store_list_treeless (store, hash, 10, NULL);

  return list->len;
}

static guint
count_found (P2psStore *store, const char *words)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GPtrArray) found = NULL;
  g_autoptr (GError) error = NULL;
  GTask *task = g_task_new (store, NULL, got_result_cb, &result);
  P2psFileQuery *query = p2ps_file_query_new (words, NULL, 100);

  query->words = TRUE;
  g_task_set_task_data (task, query, (GDestroyNotify)p2ps_file_query_free);
  p2ps_store_run_lookup (store, task);
  found = g_task_propagate_pointer (G_TASK (await (&result)), &error);
  g_assert_no_error (error);
  return found->len;
}

/* A file takes the place of the one that was there; its words go with it. */
static void
test_index (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GHashTable) folders = NULL;
  g_autoptr (P2psKnownFiles) known = NULL;
  g_autoptr (P2psIndexChange) change = p2ps_index_change_new ();
  const P2psKnownFolder *folder;
  gint64 files;
  gint64 bytes;

  add_file (fixture->store, "/one", "same.txt", 1);
  add_file (fixture->store, "/one", "same.txt", 2);
  add_file (fixture->store, "/two", "other same", 3);
  g_assert_true (p2ps_store_count_files (fixture->store, &files, &bytes, NULL));
  g_assert_cmpint (files, ==, 2);
  g_assert_cmpint (bytes, ==, 20);
  g_assert_cmpuint (count_found (fixture->store, "same"), ==, 2);

  folders = p2ps_store_list_folders (fixture->store, NULL);
  g_assert_cmpuint (g_hash_table_size (folders), ==, 2);
  folder = g_hash_table_lookup (folders, "/one");
  g_array_append_val (change->gone, folder->id);
  g_assert_true (p2ps_store_apply (fixture->store, change, NULL));
  g_assert_true (change->recount);
  g_assert_cmpuint (count_found (fixture->store, "same"), ==, 1);
  g_assert_true (p2ps_store_count_files (fixture->store, &files, &bytes, NULL));
  g_assert_cmpint (files, ==, 1);

  /* it is remembered for a while, then forgotten */
  known = p2ps_store_list_files (fixture->store, folder->id, NULL);
  g_assert_cmpuint (known->files->len, ==, 1);
  for (guint n = 1, i = 0; n > 0; i++)
    {
      gint64 later = g_get_real_time () / G_TIME_SPAN_SECOND + 10;

      g_assert_true (p2ps_store_forget_gone (fixture->store, later, 1, &n, NULL));
      g_assert_cmpuint (n, ==, i == 0 ? 1 : 0);
    }
  g_clear_pointer (&folders, g_hash_table_unref);
  folders = p2ps_store_list_folders (fixture->store, NULL);
  g_assert_cmpuint (g_hash_table_size (folders), ==, 1);
  add_file (fixture->store, "/one", "same.txt", 1);
  g_assert_cmpuint (count_found (fixture->store, "same"), ==, 2);
}

/* More names than one search looks at: it is bounded and still finds. */
/* A tree goes with its content, not with a file. */
static void
test_trees (Fixture *fixture, gconstpointer data)
{
  add_sized (fixture->store, "/one", "a", 1, 16385);
  add_sized (fixture->store, "/one", "b", 1, 16385);
  add_sized (fixture->store, "/one", "small", 2, 16384);
  g_assert_cmpint (root_byte (fixture->store, 1), ==, 101);
  g_assert_cmpint (root_byte (fixture->store, 2), ==, -2); /* it is the hash */
  add_sized (fixture->store, "/one", "a", 3, 20000);
  g_assert_cmpint (root_byte (fixture->store, 1), ==, 101);
  add_sized (fixture->store, "/one", "b", 3, 20000);
  g_assert_cmpint (root_byte (fixture->store, 1), ==, -2);
  g_assert_cmpint (root_byte (fixture->store, 3), ==, 103);
  g_assert_cmpuint (count_treeless (fixture->store, 0), ==, 0);
}

/* What version 1 knew has no tree until it is read again. */
static void
test_trees_of_version_1 (Fixture *fixture, gconstpointer data)
{
  g_autofree char *old = g_test_build_filename (G_TEST_DIST, "fixtures", "store-1.sqlite", NULL);
  g_autofree char *folder = g_path_get_dirname (fixture->path);
  g_autofree char *content = NULL;
  guint8 none[P2PS_BINARY_HASH_SIZE] = { 0 };
  g_autoptr (GPtrArray) list = NULL;
  sqlite3 *sqlite = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (old, &content, &length, NULL));
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (fixture->path, content, (gssize)length, NULL));
  g_assert_cmpint (sqlite3_open (fixture->path, &sqlite), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (sqlite, "UPDATE file SET size = size + 16383", NULL, NULL, NULL),
                   ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_close (sqlite), ==, SQLITE_OK);

  g_assert_cmpint (root_byte (fixture->store, 1), ==, -2); /* 16384 bytes */
  g_assert_cmpint (root_byte (fixture->store, 2), ==, -1);
  list = p2ps_store_list_treeless (fixture->store, none, 10, NULL);
  g_assert_cmpuint (list->len, ==, 2);
  g_assert_cmpstr (((P2psTreeless *)list->pdata[0])->folder, ==, "/share");
  g_assert_cmpstr (((P2psTreeless *)list->pdata[0])->name, ==, "old file 1.txt");
  g_assert_cmpint (((P2psTreeless *)list->pdata[0])->size, ==, 16385);
  g_assert_cmpuint (count_treeless (fixture->store, 2), ==, 1);
  add_sized (fixture->store, "/share", "old file 1.txt", 2, 16385);
  g_assert_cmpint (root_byte (fixture->store, 2), ==, 102);
  g_assert_cmpuint (count_treeless (fixture->store, 0), ==, 1);
}

static void
test_common_words (Fixture *fixture, gconstpointer data)
{
  g_autoptr (P2psIndexChange) change = p2ps_index_change_new ();

  for (guint i = 0; i < 3000; i++)
    {
      P2psNewFile *file = g_new0 (P2psNewFile, 1);

      file->folder = g_ref_string_new ("/share");
      file->name = g_strdup_printf ("common picture%04u.jpg", i);
      file->hash[0] = (guint8)i;
      file->hash[1] = (guint8)(i >> 8);
      g_ptr_array_add (change->added, file);
    }
  g_assert_true (p2ps_store_apply (fixture->store, change, NULL));
  g_assert_cmpuint (count_found (fixture->store, "common"), ==, 100);
  g_assert_cmpuint (count_found (fixture->store, "pict jpg"), ==, 100);
  g_assert_cmpuint (count_found (fixture->store, "picture2999"), ==, 1);
  g_assert_cmpuint (count_found (fixture->store, "picture299"), ==, 10);
}

/* Whatever script a word is in, and whatever SQLite takes for a letter: never an error. */
static void
test_any_letters (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (gunichar c = 1; c < 0x30000; c += 7)
    {
      if (!g_unichar_validate (c))
        continue;
      g_string_append_c (text, 'a');
      g_string_append_unichar (text, c);
      g_string_append (text, "b ");
      if (text->len < 64)
        continue;
      g_assert_cmpuint (count_found (fixture->store, text->str), ==, 0);
      g_string_truncate (text, 0);
    }
}

/* A database as version 1 left it (tests/fixtures/store-1.sqlite) is taken over with all it has. */
static void
test_version_1 (Fixture *fixture, gconstpointer data)
{
  g_autofree char *old = g_test_build_filename (G_TEST_DIST, "fixtures", "store-1.sqlite", NULL);
  g_autofree char *folder = g_path_get_dirname (fixture->path);
  g_autofree char *content = NULL;
  g_autofree char *id = NULL;
  g_autoptr (GPtrArray) records = NULL;
  g_autoptr (GError) error = NULL;
  const P2psDownloadRecord *record;
  const P2psHit *hit;
  gsize length;

  g_file_get_contents (old, &content, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (fixture->path, content, (gssize)length, NULL));
  records = list_ok (fixture->store);
  g_assert_cmpuint (records->len, ==, 1);
  record = records->pdata[0];
  g_assert_cmpstr (record->filename, ==, "queued.ogg");
  g_assert_cmpuint (record->sources->len, ==, 1);
  hit = record->sources->pdata[0];
  g_assert_cmpstr (hit->filename, ==, "there.ogg");
  id = get_value (fixture->store, "id");
  g_assert_cmpstr (id, ==, "version-one");
  g_assert_cmpuint (count_found (fixture->store, "old file"), ==, 3);
  add_file (fixture->store, "/share", "old file 1.txt", 99);
  add_file (fixture->store, "/share", "new file.txt", 100);
  g_assert_cmpuint (count_found (fixture->store, "file"), ==, 4);
  g_assert_cmpuint (count_aside (fixture), ==, 0);
}

/* After closing nothing is taken, and what was asked for before is done. */
static void
test_close (Fixture *fixture, gconstpointer data)
{
  g_autoptr (P2psDownloadRecord) record = make_record (HASH_A, 1);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GPtrArray) records = NULL;
  g_autoptr (GError) error = NULL;

  p2ps_store_save_download_async (fixture->store, record, got_result_cb, &result);
  p2ps_store_close (fixture->store);
  p2ps_store_close (fixture->store);
  g_assert_true (p2ps_store_save_download_finish (fixture->store, await (&result), NULL));
  records = list (fixture->store, &error);
  g_assert_null (records);
  g_assert_error (error, P2PS_ERROR, P2PS_ERROR_FAILED);
  reopen (fixture);
  records = list_ok (fixture->store);
  g_assert_cmpuint (records->len, ==, 1);
}

/* The last reference may go away in any order with what is under way. */
static void
test_drop (Fixture *fixture, gconstpointer data)
{
  g_autoptr (P2psDownloadRecord) record = make_record (HASH_A, 1);

  for (int i = 0; i < 30; i++)
    {
      p2ps_store_save_download_async (fixture->store, record, NULL, NULL);
      g_clear_object (&fixture->store);
      fixture->store = p2ps_store_new (fixture->path);
      if (i % 2)
        while (g_main_context_iteration (NULL, FALSE))
          ;
    }
}

/* The queue in memory is newer than what a damaged database gave back: it is saved anew. */
static void
test_queue_after_rebuild (Fixture *fixture, gconstpointer data)
{
  P2psDownloads *downloads = p2ps_downloads_new (fixture->store);
  g_autoptr (GPtrArray) saved = NULL;
  g_autoptr (GPtrArray) records = NULL;

  p2ps_download_pause (p2ps_downloads_add (downloads, HASH_A, "a", 5, fixture->dir, NULL));
  p2ps_download_pause (p2ps_downloads_add (downloads, HASH_B, "b", 5, fixture->dir, NULL));
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  saved = list_ok (fixture->store);
  g_assert_cmpuint (saved->len, ==, 2);
  run_sql_ok (fixture->store, "DELETE FROM download");
  g_signal_emit_by_name (fixture->store, "rebuilt");
  p2ps_downloads_stop (downloads);
  records = list_ok (fixture->store);
  g_assert_cmpuint (records->len, ==, 2);
  g_object_unref (downloads);
}

#define ADD(name, data, func) g_test_add (name, Fixture, data, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/store/lazy", NULL, test_lazy);
  ADD ("/store/downloads", NULL, test_downloads);
  ADD ("/store/peers-and-values", NULL, test_peers_and_values);
  ADD ("/store/damaged/header", "header", test_damaged);
  ADD ("/store/damaged/truncated", "truncated", test_damaged);
  ADD ("/store/damaged/junk", "junk", test_damaged);
  ADD ("/store/damaged/pages", "pages", test_damaged);
  ADD ("/store/salvage", NULL, test_salvage);
  ADD ("/store/queue-after-rebuild", NULL, test_queue_after_rebuild);
  ADD ("/store/full", NULL, test_full);
  ADD ("/store/no-folder", NULL, test_no_folder);
  ADD ("/store/newer", NULL, test_newer);
  ADD ("/store/index", NULL, test_index);
  ADD ("/store/version-1", NULL, test_version_1);
  ADD ("/store/trees", NULL, test_trees);
  ADD ("/store/trees-of-version-1", NULL, test_trees_of_version_1);
  ADD ("/store/common-words", NULL, test_common_words);
  ADD ("/store/any-letters", NULL, test_any_letters);
  ADD ("/store/close", NULL, test_close);
  ADD ("/store/drop", NULL, test_drop);
  return g_test_run ();
}
