/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The library on real folders: what is found, when, under which name, and what is never offered. */

#include "disk.h"
#include "engine/block-tree.h"
#include "engine/digest.h"
#include "engine/error.h"
#include "engine/library.h"
#include "engine/store-db.h"

#include <sys/prctl.h>
#include <time.h>

typedef struct
{
  char *dir;   /* everything is in here */
  char *share; /* the first shared folder */
  GPtrArray *folders;
  gboolean hidden;
  gboolean links;
  guint sweep_ms;
  guint max_watches;
  P2psStore *store;
  P2psLibrary *library;
} Fixture;

/* --- the fixture --- */

static char *
path_of (Fixture *fixture, const char *name)
{
  return g_build_filename (fixture->dir, name, NULL);
}

static void
put (Fixture *fixture, const char *name, const char *content)
{
  g_autofree char *path = path_of (fixture, name);
  g_autofree char *folder = g_path_get_dirname (path);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0755), ==, 0);
  write_file (path, content);
}

static void
make_old (Fixture *fixture, const char *name, int seconds)
{
  g_autofree char *path = path_of (fixture, name);
  struct timespec times[2] = { { .tv_sec = time (NULL) - seconds, .tv_nsec = 5 },
                               { .tv_sec = time (NULL) - seconds, .tv_nsec = 5 } };

  g_assert_cmpint (utimensat (AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), ==, 0);
}

static void
share (Fixture *fixture, const char *name)
{
  g_ptr_array_add (fixture->folders, path_of (fixture, name));
}

static void
start (Fixture *fixture)
{
  g_autofree char *path = path_of (fixture, "state/library.sqlite");

  fixture->store = p2ps_store_new (path);
  fixture->library = p2ps_library_new (fixture->store);
  g_object_set (fixture->library, "settle", 20, "sweep-interval", fixture->sweep_ms, "max-watches",
                fixture->max_watches, NULL);
  p2ps_library_set_folders (fixture->library, fixture->folders, fixture->hidden, fixture->links);
}

static void
stop (Fixture *fixture)
{
  if (fixture->library != NULL)
    p2ps_library_stop (fixture->library);
  g_clear_object (&fixture->library);
  if (fixture->store != NULL)
    p2ps_store_close (fixture->store);
  g_clear_object (&fixture->store);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->dir = make_temp_dir ();
  fixture->share = path_of (fixture, "share");
  fixture->folders = g_ptr_array_new_with_free_func (g_free);
  fixture->sweep_ms = 60000; /* so long that only the watcher can find anything */
  fixture->max_watches = 1000;
  g_assert_cmpint (g_mkdir (fixture->share, 0755), ==, 0);
  share (fixture, "share");
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  stop (fixture);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  await_that (remove_tree (fixture->dir)); /* threads may be closing the database yet */
  g_free (fixture->dir);
  g_free (fixture->share);
  g_ptr_array_unref (fixture->folders);
}

static gboolean
is_quiet (Fixture *fixture)
{
  return p2ps_library_get_scans (fixture->library) > 0
         && !p2ps_library_get_scanning (fixture->library);
}

/* Starts, and waits until everything is swept and hashed. */
static void
start_and_wait (Fixture *fixture)
{
  start (fixture);
  await_that (is_quiet (fixture));
}

/* Sweeps once more, and waits for all that follows from it. */
static void
sweep (Fixture *fixture)
{
  guint64 scans = p2ps_library_get_scans (fixture->library);

  p2ps_library_rescan (fixture->library);
  await_that (p2ps_library_get_scans (fixture->library) > scans && is_quiet (fixture));
}

static guint64
hashed (Fixture *fixture)
{
  guint64 n;

  g_object_get (fixture->library, "hashed", &n, NULL);
  return n;
}

static GPtrArray *
look_up (Fixture *fixture, const char *name, const char *filehash, gboolean words)
{
  g_autoptr (P2psQuery) query = p2ps_query_new ("", name, filehash);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  GPtrArray *files;

  query->words = words;
  p2ps_library_lookup_async (fixture->library, query, 20, NULL, got_result_cb, &result);
  files = p2ps_library_lookup_finish (fixture->library, await (&result), &error);
  g_assert_no_error (error);
  return files;
}

/* The names that a lookup finds, in order, with "|" between them. */
static char *
find (Fixture *fixture, const char *name, const char *filehash, gboolean words)
{
  g_autoptr (GPtrArray) files = look_up (fixture, name, filehash, words);
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < files->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? "|" : "",
                            ((P2psLibraryFile *)files->pdata[i])->name);
  return g_string_free (text, FALSE);
}

static void
assert_found (Fixture *fixture, const char *name, gboolean words, const char *expected)
{
  g_autofree char *found = find (fixture, name, NULL, words);

  g_assert_cmpstr (found, ==, expected);
}

static P2psSharedFile *
open_file (Fixture *fixture, const char *name, const char *filehash, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  p2ps_library_open_async (fixture->library, name, filehash, NULL, got_result_cb, &result);
  return p2ps_library_open_finish (fixture->library, await (&result), error);
}

static void
assert_content (Fixture *fixture, const char *name, const char *filehash, const char *content)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psSharedFile) file = open_file (fixture, name, filehash, &error);
  char buffer[1000] = "";

  g_assert_no_error (error);
  g_assert_cmpint (pread (file->fd, buffer, sizeof buffer - 1, 0), ==, file->size);
  g_assert_cmpstr (buffer, ==, content);
  g_assert_true (p2ps_shared_file_is_unchanged (file));
}

static void
assert_not_there (Fixture *fixture, const char *name, const char *filehash)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psSharedFile) file = open_file (fixture, name, filehash, &error);

  g_assert_null (file);
  g_assert_error (error, P2PS_ERROR, P2PS_ERROR_NOT_FOUND);
}

static char *
hash_of (const char *content)
{
  return g_compute_checksum_for_string (G_CHECKSUM_SHA256, content, -1);
}

static char *
get_notice (Fixture *fixture)
{
  char *notice;

  g_object_get (fixture->library, "notice", &notice, NULL);
  return notice;
}

static gboolean
notice_has (Fixture *fixture, const char *part)
{
  g_autofree char *notice = get_notice (fixture);

  return part == NULL ? notice == NULL : notice != NULL && strstr (notice, part) != NULL;
}

static gboolean
has_files (Fixture *fixture, gint64 n)
{
  return p2ps_library_get_files (fixture->library) == n && is_quiet (fixture);
}

static gint
compare_texts (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

/* "name: reason" of everything that was skipped, sorted, with "|" between. */
static char *
list_skipped (Fixture *fixture)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GPtrArray) skipped = NULL;
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  GString *text = g_string_new (NULL);

  p2ps_library_list_skipped_async (fixture->library, 100, got_result_cb, &result);
  skipped = p2ps_library_list_skipped_finish (fixture->library, await (&result), NULL);
  for (guint i = 0; i < skipped->len; i++)
    {
      const P2psSkipped *entry = skipped->pdata[i];
      g_autofree char *name = g_path_get_basename (entry->path);

      g_ptr_array_add (texts, g_strdup_printf ("%s: %s", name, entry->reason));
    }
  g_ptr_array_sort (texts, compare_texts);
  for (guint i = 0; i < texts->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? "|" : "", (char *)texts->pdata[i]);
  return g_string_free (text, FALSE);
}

/* --- what is found --- */

static void
test_basic (Fixture *fixture, gconstpointer data)
{
  g_autofree char *hash = hash_of ("alpha");
  g_autoptr (GPtrArray) files = NULL;
  const P2psLibraryFile *file;

  put (fixture, "share/a.txt", "alpha");
  put (fixture, "share/sub/folder/b.txt", "beta");
  put (fixture, "share/empty", "");
  start_and_wait (fixture);
  g_assert_cmpint (p2ps_library_get_files (fixture->library), ==, 3);
  g_assert_cmpint (p2ps_library_get_bytes (fixture->library), ==, 9);
  g_assert_true (notice_has (fixture, NULL));
  assert_content (fixture, "b.txt", NULL, "beta");
  assert_content (fixture, NULL, hash, "alpha");
  assert_content (fixture, "empty", NULL, "");
  assert_not_there (fixture, "c.txt", NULL);
  assert_not_there (fixture, "sub/folder/b.txt", NULL);
  assert_not_there (fixture, "../share/a.txt", NULL);

  /* name OR hash: two contents; a page has all, ordered by name */
  files = look_up (fixture, "b.txt", hash, FALSE);
  g_assert_cmpuint (files->len, ==, 2);
  file = files->pdata[0];
  g_assert_cmpstr (file->name, ==, "a.txt");
  g_assert_cmpstr (file->filehash, ==, hash);
  g_assert_cmpint (file->size, ==, 5);
  assert_found (fixture, "A.TXT", FALSE, ""); /* exact means exact */
  assert_found (fixture, "b", TRUE, "b.txt");
}

static void
test_page_and_have (Fixture *fixture, gconstpointer data)
{
  g_autofree char *hash = hash_of ("7");
  const char *hashes[] = { hash, "nonsense", hash, NULL, NULL };
  g_autofree char *other = hash_of ("not here");
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GPtrArray) files = NULL;
  g_autoptr (GHashTable) have = NULL;

  hashes[3] = other;
  for (int i = 0; i < 10; i++)
    {
      g_autofree char *name = g_strdup_printf ("share/%d/file %d", i % 3, i);
      g_autofree char *content = g_strdup_printf ("%d", i);
      put (fixture, name, content);
    }
  put (fixture, "share/a copy of 4", "4");
  start_and_wait (fixture);
  p2ps_library_list_async (fixture->library, 1, 5, got_result_cb, &result);
  files = p2ps_library_list_finish (fixture->library, await (&result), NULL);
  g_assert_cmpuint (files->len, ==, 5);
  for (guint i = 0; i < files->len; i++)
    {
      const char *names[] = { "file 0", "file 1", "file 2", "file 3", "file 5" };

      g_assert_cmpstr (((P2psLibraryFile *)files->pdata[i])->name, ==, names[i]);
    }
  g_clear_object (&result);
  p2ps_library_have_async (fixture->library, (const char *const *)hashes, got_result_cb, &result);
  have = p2ps_library_have_finish (fixture->library, await (&result), NULL);
  g_assert_cmpuint (g_hash_table_size (have), ==, 1);
  g_assert_true (g_hash_table_contains (have, hash));
}

static void
test_same_content (Fixture *fixture, gconstpointer data)
{
  g_autofree char *hash = hash_of ("the same");
  g_autofree char *path = path_of (fixture, "share/one/first.txt");
  g_autoptr (GPtrArray) files = NULL;
  const P2psLibraryFile *file;

  put (fixture, "share/one/first.txt", "the same");
  put (fixture, "share/two/second.txt", "the same");
  put (fixture, "share/three/first.txt", "the same");
  start_and_wait (fixture);
  files = look_up (fixture, "second.txt", hash, FALSE);
  g_assert_cmpuint (files->len, ==, 1);
  file = files->pdata[0];
  g_assert_cmpuint (file->paths->len, ==, 3);
  assert_content (fixture, "first.txt", NULL, "the same");

  /* one place goes: the content is still there, even before anybody has noticed */
  g_assert_cmpint (g_unlink (path), ==, 0);
  assert_content (fixture, NULL, hash, "the same");
  assert_content (fixture, "first.txt", NULL, "the same");
}

/* Classic peers download by name: each name on offer means one content. */
static void
test_same_name (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) files = NULL;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  put (fixture, "share/one/cover.jpg", "front");
  put (fixture, "share/two/cover.jpg", "back");
  put (fixture, "share/three/cover.jpg", "spine");
  start_and_wait (fixture);
  files = look_up (fixture, "cover.jpg", NULL, FALSE);
  g_assert_cmpuint (files->len, ==, 3);
  for (guint i = 0; i < 3; i++)
    {
      const P2psLibraryFile *file = files->pdata[i];
      g_autoptr (P2psSharedFile) opened = open_file (fixture, file->name, NULL, NULL);

      g_assert_nonnull (opened);
      g_assert_cmpstr (opened->filehash, ==, file->filehash);
      g_assert_cmpstr (opened->name, ==, file->name);
      g_assert_true (g_str_has_suffix (file->name, ".jpg"));
    }
  before = find (fixture, "cover.jpg", NULL, FALSE);
  stop (fixture);
  start_and_wait (fixture);
  after = find (fixture, "cover.jpg", NULL, FALSE);
  g_assert_cmpstr (before, ==, after);
}

static void
test_nested (Fixture *fixture, gconstpointer data)
{
  g_autofree char *link = path_of (fixture, "again");

  put (fixture, "share/a", "a");
  put (fixture, "share/inner/b", "b");
  put (fixture, "share/inner/deep/c", "c");
  put (fixture, "share/.hidden/d", "d");
  g_assert_cmpint (symlink (fixture->share, link), ==, 0);
  share (fixture, "share/inner");
  share (fixture, "share/inner/../inner/");
  share (fixture, "share/.hidden"); /* not reached from outside, but named by the user */
  share (fixture, "again");
  start_and_wait (fixture);
  g_assert_cmpint (p2ps_library_get_files (fixture->library), ==, 4);
  g_assert_cmpuint (hashed (fixture), ==, 4);

  /* the outer folder is no longer shared: the inner one is not hashed again */
  g_ptr_array_set_size (fixture->folders, 0);
  share (fixture, "share/inner");
  p2ps_library_set_folders (fixture->library, fixture->folders, FALSE, FALSE);
  assert_found (fixture, "a", FALSE, "");
  await_that (has_files (fixture, 2));
  g_assert_cmpuint (hashed (fixture), ==, 4);
  assert_content (fixture, "c", NULL, "c");
}

static void
test_left_out (Fixture *fixture, gconstpointer data)
{
  g_autofree char *link = path_of (fixture, "share/link");
  g_autofree char *outside = path_of (fixture, "outside.txt");
  g_autofree char *folder_link = path_of (fixture, "share/folder-link");
  g_autofree char *loop = path_of (fixture, "share/loop");
  g_autofree char *fifo = path_of (fixture, "share/fifo");
  g_autofree char *skipped = NULL;

  put (fixture, "outside.txt", "outside");
  put (fixture, "elsewhere/e.txt", "elsewhere");
  put (fixture, "share/.secret", "secret");
  put (fixture, "share/.config/key", "key");
  put (fixture, "share/film.p2ps-part", "half");
  put (fixture, "share/ok", "ok");
  g_assert_cmpint (symlink (outside, link), ==, 0);
  g_assert_cmpint (symlink ("../elsewhere", folder_link), ==, 0);
  g_assert_cmpint (symlink (".", loop), ==, 0);
  g_assert_cmpint (mkfifo (fifo, 0644), ==, 0);
  start_and_wait (fixture);
  g_assert_cmpint (p2ps_library_get_files (fixture->library), ==, 1);
  skipped = list_skipped (fixture);
  g_assert_cmpstr (skipped, ==, "fifo: Not a regular file");

  /* both are options */
  stop (fixture);
  fixture->hidden = TRUE;
  fixture->links = TRUE;
  start_and_wait (fixture);
  g_assert_cmpint (p2ps_library_get_files (fixture->library), ==, 5);
  assert_content (fixture, "link", NULL, "outside");
  assert_content (fixture, "e.txt", NULL, "elsewhere");
  assert_found (fixture, "key", TRUE, "key");
}

/* A folder on the way is replaced by a link to the outside after it was indexed. */
static void
test_escape (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = path_of (fixture, "share/sub");
  g_autofree char *aside = path_of (fixture, "outside");

  fixture->max_watches = 0;
  put (fixture, "share/sub/a.txt", "a");
  start_and_wait (fixture);
  g_assert_cmpint (rename (folder, aside), ==, 0);
  g_assert_cmpint (symlink (aside, folder), ==, 0);
  assert_not_there (fixture, "a.txt", NULL); /* the same inode, and yet not in the share */
}

static void
test_odd_names (Fixture *fixture, gconstpointer data)
{
  g_autofree char *longest = g_strnfill (255, 'n');
  const char *names[] = { "caf\xe9.txt", "two\nlines", "🎉 party 🎉.ogg", "  spaces",
                          "100%.txt",    "caf%E9.txt", "Ünïcödé.txt",   longest };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename ("share", names[i], NULL);
      g_autofree char *content = g_strdup_printf ("content %d", (int)i);
      put (fixture, path, content);
    }
  start_and_wait (fixture);
  g_assert_cmpint (p2ps_library_get_files (fixture->library), ==, G_N_ELEMENTS (names));
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *content = g_strdup_printf ("content %d", (int)i);
      g_autofree char *hash = hash_of (content);
      g_autoptr (GPtrArray) by_hash = look_up (fixture, "", hash, FALSE);
      g_autoptr (GPtrArray) by_name = look_up (fixture, names[i], NULL, FALSE);
      const P2psLibraryFile *file = by_hash->pdata[0];

      g_assert_cmpuint (by_hash->len, ==, 1);
      g_assert_cmpuint (by_name->len, >=, 1);
      g_assert_true (g_utf8_validate (file->name, -1, NULL));
      g_assert_null (strpbrk (file->name, "/\n"));
      g_assert_cmpuint (strlen (file->name), <=, 255);
      assert_content (fixture, file->name, NULL, content);
    }
  assert_found (fixture, "unicode", TRUE, "Ünïcödé.txt");
  assert_found (fixture, "PARTY", TRUE, "🎉 party 🎉.ogg");
}

static void
drop_privileges (void)
{
  if (geteuid () == 0)
    {
      g_assert_cmpint (setresgid (65534, 65534, 65534), ==, 0);
      g_assert_cmpint (setresuid (65534, 65534, 65534), ==, 0);
      prctl (PR_SET_DUMPABLE, 1); /* else a leak checker could not look at itself */
    }
}

/* Root may read everything: all of this is done as nobody, in a process of its own. */
static void
test_unreadable (Fixture *fixture, gconstpointer data)
{
  g_autofree char *skipped = NULL;
  g_autofree char *path = path_of (fixture, "share/secret");
  g_autofree char *folder = path_of (fixture, "share/locked");

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }
  tear_down (fixture, data);
  drop_privileges ();
  set_up (fixture, data);
  g_free (path);
  g_free (folder);
  path = path_of (fixture, "share/secret");
  folder = path_of (fixture, "share/locked");
  put (fixture, "share/secret", "secret");
  put (fixture, "share/locked/inside", "inside");
  put (fixture, "share/ok", "ok");
  g_assert_cmpint (g_chmod (path, 0), ==, 0);
  g_assert_cmpint (g_chmod (folder, 0), ==, 0);
  start_and_wait (fixture);
  skipped = list_skipped (fixture);
  g_assert_cmpstr (skipped, ==, "locked: Permission denied|secret: Permission denied");
  g_assert_cmpint (p2ps_library_get_files (fixture->library), ==, 1);

  g_assert_cmpint (g_chmod (path, 0644), ==, 0);
  g_assert_cmpint (g_chmod (folder, 0755), ==, 0);
  sweep (fixture);
  await_that (has_files (fixture, 3));
  sweep (fixture);
  g_clear_pointer (&skipped, g_free);
  skipped = list_skipped (fixture);
  g_assert_cmpstr (skipped, ==, "");
}

/* --- words --- */

static void
test_words (Fixture *fixture, gconstpointer data)
{
  const char *hostile[]
      = { "\"", "\"* OR name:*",     "NEAR(a b)", "a AND",      "NOT holiday", "*",
          "^",  "name : holiday'--", "{holiday",  "-holiday +", "\xff\xfe" };

  put (fixture, "share/Holiday in Málaga 2019.mkv", "1");
  put (fixture, "share/holiday.txt", "2");
  put (fixture, "share/MALAGA holidays (many long words are in this name).pdf", "3");
  put (fixture, "share/Straße nach Köln.mp3", "4");
  put (fixture, "share/x-ray_report.final.pdf", "5");
  put (fixture, "share/Holidaymaker.txt", "6");
  start_and_wait (fixture);
  assert_found (fixture, "holiday", TRUE,
                "holiday.txt|Holiday in Málaga 2019.mkv|Holidaymaker.txt"
                "|MALAGA holidays (many long words are in this name).pdf");
  assert_found (fixture, "malaga HOLID", TRUE,
                "MALAGA holidays (many long words are in this name).pdf"
                "|Holiday in Málaga 2019.mkv");
  assert_found (fixture, "málaga 2019", TRUE, "Holiday in Málaga 2019.mkv");
  assert_found (fixture, "koln", TRUE, "Straße nach Köln.mp3");
  assert_found (fixture, "x-ray report", TRUE, "x-ray_report.final.pdf");
  assert_found (fixture, "pdf holiday", TRUE,
                "MALAGA holidays (many long words are in this name).pdf");
  assert_found (fixture, "liday", TRUE, "");
  assert_found (fixture, "holiday nothing", TRUE, "");
  for (gsize i = 0; i < G_N_ELEMENTS (hostile); i++)
    {
      g_autofree char *found = find (fixture, hostile[i], NULL, TRUE);
      g_assert_nonnull (found);
    }
}

/* --- changes --- */

static void
test_restart (Fixture *fixture, gconstpointer data)
{
  put (fixture, "share/a", "a");
  put (fixture, "share/sub/b", "b");
  start_and_wait (fixture);
  g_assert_cmpuint (hashed (fixture), ==, 2);
  stop (fixture);
  put (fixture, "share/c", "c");
  start_and_wait (fixture);
  g_assert_cmpuint (hashed (fixture), ==, 1);
  g_assert_cmpint (p2ps_library_get_files (fixture->library), ==, 3);
}

/* With the data "watcher" sweeps are too rare to find anything, with "sweep" nothing is watched. */
static void
prepare (Fixture *fixture, gconstpointer how)
{
  fixture->sweep_ms = g_str_equal (how, "sweep") ? 50 : 60000;
  fixture->max_watches = g_str_equal (how, "sweep") ? 0 : 1000;
}

static void
test_changes (Fixture *fixture, gconstpointer how)
{
  g_autofree char *from = path_of (fixture, "share/new");
  g_autofree char *to = path_of (fixture, "share/sub/moved");
  g_autofree char *old_hash = hash_of ("first");
  g_autofree char *new_hash = hash_of ("other");

  prepare (fixture, how);
  start_and_wait (fixture);
  put (fixture, "share/new", "first");
  await_that (has_files (fixture, 1));
  assert_content (fixture, "new", NULL, "first");

  put (fixture, "share/new", "other"); /* the same length */
  assert_not_there (fixture, "nothing", NULL);
  await_that (has_files (fixture, 1) && hashed (fixture) == 2);
  assert_content (fixture, NULL, new_hash, "other");
  assert_not_there (fixture, NULL, old_hash);

  put (fixture, "share/sub/second", "second");
  put (fixture, "share/sub/deeper/third", "third");
  await_that (has_files (fixture, 3));
  g_assert_cmpint (rename (from, to), ==, 0);
  await_that (has_files (fixture, 3) && hashed (fixture) == 5);
  assert_content (fixture, "moved", NULL, "other");
  assert_found (fixture, "new", FALSE, "");

  g_assert_cmpint (g_unlink (to), ==, 0);
  await_that (has_files (fixture, 2));
  assert_not_there (fixture, NULL, new_hash);
}

/* Folders that come with content, are renamed and go. */
static void
test_folders (Fixture *fixture, gconstpointer how)
{
  g_autofree char *outside = path_of (fixture, "outside");
  g_autofree char *inside = path_of (fixture, "share/came");
  g_autofree char *renamed = path_of (fixture, "share/renamed");

  prepare (fixture, how);
  put (fixture, "outside/a", "a");
  put (fixture, "outside/sub/b", "b");
  start_and_wait (fixture);
  g_assert_cmpint (rename (outside, inside), ==, 0);
  await_that (has_files (fixture, 2));
  g_assert_cmpint (rename (inside, renamed), ==, 0);
  await_that (has_files (fixture, 2) && hashed (fixture) == 4);
  put (fixture, "share/renamed/sub/c", "c");
  await_that (has_files (fixture, 3));
  assert_content (fixture, "c", NULL, "c");
  g_assert_true (remove_tree (renamed));
  await_that (has_files (fixture, 0));
}

/* What was written a moment ago isn't hashed yet, and what is being written is never offered under
 * the hash that it had in between. */
static void
test_settles (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = path_of (fixture, "share/growing");
  g_autofree char *end_hash = NULL;
  g_autoptr (GString) content = g_string_new (NULL);
  int fd;

  start_and_wait (fixture);
  fd = open (path, O_WRONLY | O_CREAT | O_APPEND, 0644);
  for (int i = 0; i < 30; i++)
    {
      g_assert_cmpint (write (fd, "0123456789", 10), ==, 10);
      g_string_append (content, "0123456789");
      if (i % 5 == 0)
        p2ps_library_rescan (fixture->library);
      while (g_main_context_iteration (NULL, FALSE))
        ;
      {
        g_autoptr (P2psSharedFile) file = open_file (fixture, "growing", NULL, NULL);

        if (file != NULL)
          {
            g_autofree char *hash = hash_of (content->str);
            g_assert_cmpstr (file->filehash, ==, hash);
          }
      }
    }
  close (fd);
  end_hash = hash_of (content->str);
  await_that (has_files (fixture, 1));
  assert_content (fixture, NULL, end_hash, content->str);
}

/* Changed after it was indexed, and nobody has noticed yet: not offered under the old hash. */
static void
test_changed_unnoticed (Fixture *fixture, gconstpointer data)
{
  g_autofree char *old_hash = hash_of ("old content");
  g_autoptr (P2psSharedFile) served = NULL;
  g_autoptr (P2psSharedFile) file = NULL;
  g_autoptr (GError) error = NULL;

  fixture->max_watches = 0;
  put (fixture, "share/a", "old content");
  make_old (fixture, "share/a", 100);
  start_and_wait (fixture);
  served = open_file (fixture, "a", NULL, NULL);
  g_assert_nonnull (served);
  put (fixture, "share/a", "new content");
  g_assert_false (p2ps_shared_file_is_unchanged (served));
  file = open_file (fixture, NULL, old_hash, &error);
  g_assert_null (file);
  g_assert_error (error, P2PS_ERROR, P2PS_ERROR_CHANGED);
  /* having met it, the library looks at it again by itself */
  await_that (hashed (fixture) == 2 && has_files (fixture, 1));
  assert_content (fixture, "a", NULL, "new content");
  assert_not_there (fixture, NULL, old_hash);
}

/* --- block trees --- */

/* Of all contents: how many have the root that `data` says, and its chunk layer. */
static gpointer
count_root (P2psDb *db, gpointer data, GError **error)
{
  sqlite3_stmt *statement = p2ps_db_prepare (
      db, "SELECT count (*) FROM tree WHERE lower (hex (root)) = ? AND length (layer) = 64", error);
  gboolean row = FALSE;
  int n;

  g_assert_nonnull (statement);
  sqlite3_bind_text (statement, 1, data, -1, SQLITE_STATIC);
  g_assert_true (p2ps_db_step (db, statement, &row, error));
  n = sqlite3_column_int (statement, 0);
  sqlite3_reset (statement);
  return GINT_TO_POINTER (n);
}

static int
has_root (Fixture *fixture, char *root)
{
  return GPOINTER_TO_INT (
      p2ps_store_call (fixture->store, P2PS_STORE_WRITE, count_root, root, NULL, NULL));
}

static gpointer
forget_trees (P2psDb *db, gpointer data, GError **error)
{
  g_assert_true (p2ps_db_exec (db, "UPDATE tree SET root = NULL, layer = NULL", error));
  return db;
}

/* A tree comes with the hash; where it is missing (a database of version 1) it comes later. */
static void
test_trees (Fixture *fixture, gconstpointer data)
{
  g_autofree char *content = g_malloc (P2PS_CHUNK_SIZE + 2);
  g_autoptr (P2psBlockTree) tree = p2ps_block_tree_new ();
  g_autoptr (GBytes) layer = NULL;
  char root[P2PS_HASH_SIZE];

  memset (content, 'x', P2PS_CHUNK_SIZE + 1);
  content[P2PS_CHUNK_SIZE + 1] = '\0';
  p2ps_block_tree_update (tree, content, P2PS_CHUNK_SIZE + 1);
  layer = p2ps_block_tree_finish (tree, root);
  put (fixture, "share/large", content);
  make_old (fixture, "share/large", 10);
  start_and_wait (fixture);
  g_assert_cmpint (has_root (fixture, root), ==, 1);

  p2ps_store_call (fixture->store, P2PS_STORE_WRITE, forget_trees, NULL, NULL, NULL);
  g_assert_cmpint (has_root (fixture, root), ==, 0);
  stop (fixture);
  start (fixture);
  await_that (has_root (fixture, root) == 1);
  await_that (has_files (fixture, 1));
  assert_found (fixture, "large", FALSE, "large");
}

/* --- trouble --- */

/* A share that is unmounted: its folder is away, or an empty mount point is there instead. */
static void
test_unmounted (Fixture *fixture, gconstpointer how)
{
  g_autofree char *away = path_of (fixture, "away");
  gboolean empty = g_str_equal (how, "empty");

  fixture->max_watches = 0;
  put (fixture, "other/o", "o");
  share (fixture, "other");
  put (fixture, "share/a", "a");
  put (fixture, "share/sub/b", "b");
  start_and_wait (fixture);
  g_assert_cmpint (rename (fixture->share, away), ==, 0);
  if (empty)
    g_assert_cmpint (g_mkdir (fixture->share, 0755), ==, 0);
  sweep (fixture);
  await_that (has_files (fixture, 1));
  if (!empty)
    {
      g_assert_true (notice_has (fixture, fixture->share));
      g_assert_true (notice_has (fixture, "No such file"));
    }
  assert_found (fixture, "a", FALSE, "");
  assert_found (fixture, "b", TRUE, "");
  assert_not_there (fixture, "a", NULL);
  assert_content (fixture, "o", NULL, "o"); /* work goes on elsewhere */
  put (fixture, "other/p", "p");
  sweep (fixture);
  await_that (has_files (fixture, 2));

  if (empty)
    g_assert_cmpint (g_rmdir (fixture->share), ==, 0);
  g_assert_cmpint (rename (away, fixture->share), ==, 0);
  sweep (fixture);
  await_that (has_files (fixture, 4));
  g_assert_true (notice_has (fixture, NULL));
  g_assert_cmpuint (hashed (fixture), ==, 4); /* nothing was hashed again */
  assert_content (fixture, "b", NULL, "b");
}

static void
test_watch_limit (Fixture *fixture, gconstpointer data)
{
  fixture->max_watches = 2;
  fixture->sweep_ms = 50;
  put (fixture, "share/one/a", "a");
  put (fixture, "share/two/b", "b");
  start_and_wait (fixture);
  await_that (notice_has (fixture, "max_user_watches"));
  put (fixture, "share/one/c", "c");
  put (fixture, "share/two/d", "d");
  await_that (has_files (fixture, 4)); /* the sweep finds both */
  g_object_set (fixture->library, "max-watches", 100, NULL);
  await_that (notice_has (fixture, NULL));
}

static void
test_damaged (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = path_of (fixture, "state/library.sqlite");

  put (fixture, "share/a", "a");
  put (fixture, "share/b", "b");
  start_and_wait (fixture);
  stop (fixture);
  write_file (path, "this is no database, and it is long enough to have a header, or is it?");
  start_and_wait (fixture);
  await_that (has_files (fixture, 2));
  g_assert_nonnull (p2ps_store_get_notice (fixture->store));
  assert_content (fixture, "a", NULL, "a");
}

static void
test_pause_and_stop (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) files = NULL;

  for (int i = 0; i < 200; i++)
    {
      g_autofree char *name = g_strdup_printf ("share/%d", i);
      put (fixture, name, name);
      make_old (fixture, name, 10);
    }
  start (fixture);
  p2ps_library_set_paused (fixture->library, TRUE);
  await_that (p2ps_library_get_scans (fixture->library) > 0);
  p2ps_library_set_paused (fixture->library, FALSE);
  await_that (has_files (fixture, 200));

  /* stopped in the middle of things; asking afterwards is harmless */
  p2ps_library_rescan (fixture->library);
  p2ps_library_stop (fixture->library);
  p2ps_library_rescan (fixture->library);
  assert_not_there (fixture, "1", NULL);
  files = look_up (fixture, "1", NULL, FALSE);
  g_assert_cmpuint (files->len, ==, 0);
}

#define ADD(name, data, func) g_test_add ("/library/" name, Fixture, data, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("basic", NULL, test_basic);
  ADD ("page-and-have", NULL, test_page_and_have);
  ADD ("same-content", NULL, test_same_content);
  ADD ("same-name", NULL, test_same_name);
  ADD ("nested", NULL, test_nested);
  ADD ("left-out", NULL, test_left_out);
  ADD ("escape", NULL, test_escape);
  ADD ("odd-names", NULL, test_odd_names);
  ADD ("unreadable", NULL, test_unreadable);
  ADD ("words", NULL, test_words);
  ADD ("restart", NULL, test_restart);
  ADD ("changes/watcher", "watcher", test_changes);
  ADD ("changes/sweep", "sweep", test_changes);
  ADD ("folders/watcher", "watcher", test_folders);
  ADD ("folders/sweep", "sweep", test_folders);
  ADD ("settles", NULL, test_settles);
  ADD ("changed-unnoticed", NULL, test_changed_unnoticed);
  ADD ("trees", NULL, test_trees);
  ADD ("unmounted/gone", "gone", test_unmounted);
  ADD ("unmounted/empty", "empty", test_unmounted);
  ADD ("watch-limit", NULL, test_watch_limit);
  ADD ("damaged", NULL, test_damaged);
  ADD ("pause-and-stop", NULL, test_pause_and_stop);
  return g_test_run ();
}
