/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Downloads from sources of every kind, most of them bad. */

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bad-server.h"
#include "core/limits.h"
#include "disk.h"
#include "engine/digest.h"
#include "engine/downloads.h"
#include "engine/part-file.h"

#define LENGTH (1024 * 1024 + 4321)
#define STALL (400 * 1000)

typedef struct
{
  char *root;   /* temporary */
  char *folder; /* where downloads go */
  char *data;
  gsize length;
  char hash[P2PS_HASH_SIZE];
  P2psStore *store;
  P2psDownloads *downloads;
  guint need_sources;
  guint misbehaved;
  guint finished;
  char *blame;
} Fixture;

static void
need_sources_cb (P2psDownloads *downloads, P2psDownload *download, Fixture *f)
{
  f->need_sources++;
}

static void
misbehaved_cb (P2psDownloads *downloads, P2psAddress *peer, const char *reason, Fixture *f)
{
  f->misbehaved++;
  g_free (f->blame);
  f->blame = p2ps_address_to_string (peer);
}

static void
finished_cb (P2psDownloads *downloads, P2psDownload *download, Fixture *f)
{
  f->finished++;
}

static void
start (Fixture *f)
{
  g_autofree char *path = g_build_filename (f->root, "store.db", NULL);

  f->store = p2ps_store_new (path);
  f->downloads = p2ps_downloads_new (f->store);
  p2ps_downloads_set_folder (f->downloads, f->folder);
  p2ps_downloads_set_stall_time (f->downloads, STALL);
  g_signal_connect (f->downloads, "need-sources", G_CALLBACK (need_sources_cb), f);
  g_signal_connect (f->downloads, "misbehaved", G_CALLBACK (misbehaved_cb), f);
  g_signal_connect (f->downloads, "finished", G_CALLBACK (finished_cb), f);
}

static void
stop (Fixture *f)
{
  gpointer downloads = f->downloads;

  p2ps_downloads_stop (f->downloads);
  /* Workers that clear up may still hold it. */
  g_object_add_weak_pointer (downloads, &downloads);
  g_object_unref (f->downloads);
  await_that (downloads == NULL);
  p2ps_store_close (f->store);
  g_clear_object (&f->store);
}

static void
set_up (Fixture *f, gconstpointer unused)
{
  g_autoptr (P2psDigest) digest = p2ps_digest_new ();
  g_autoptr (GRand) random = g_rand_new_with_seed (7);

  f->root = g_dir_make_tmp ("p2ps-download-XXXXXX", NULL);
  f->folder = g_build_filename (f->root, "downloads", NULL);
  g_assert_no_errno (g_mkdir (f->folder, 0755));
  f->length = LENGTH;
  f->data = g_malloc (f->length);
  for (gsize i = 0; i < f->length; i++)
    f->data[i] = g_rand_int (random);
  p2ps_digest_update (digest, f->data, f->length);
  p2ps_digest_finish (digest, f->hash);
  start (f);
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  stop (f);
  remove_tree (f->root);
  g_free (f->root);
  g_free (f->folder);
  g_free (f->data);
  g_free (f->blame);
}

static void
add_source (Fixture *f, P2psDownload *download, BadServer *server, gint64 size)
{
  g_autoptr (P2psHit) hit
      = p2ps_hit_new ("", bad_server_get_address (server), "some name.bin", f->hash, size);

  p2ps_download_add_source (download, hit);
}

static P2psDownload *
add (Fixture *f, const char *name, gint64 size, BadServer *server)
{
  P2psDownload *download = p2ps_downloads_add (f->downloads, f->hash, name, size, NULL, NULL);

  if (server != NULL)
    add_source (f, download, server, -1);
  return download;
}

static gboolean
is_state (P2psDownload *download, P2psDownloadState state)
{
  return p2ps_download_get_state (download) == state;
}

/* The file is in its folder under `name`, right, and nothing else is. */
static void
assert_done (Fixture *f, P2psDownload *download, const char *name)
{
  g_autofree char *path = g_build_filename (f->folder, name, NULL);
  g_autofree char *content = NULL;
  gsize length;

  await_that (p2ps_download_is_over (download));
  g_assert_cmpstr (p2ps_download_state_to_nick (p2ps_download_get_state (download)), ==, "done");
  g_assert_cmpstr (p2ps_download_get_path (download), ==, path);
  g_assert_true (g_file_get_contents (path, &content, &length, NULL));
  g_assert_cmpmem (content, length, f->data, f->length);
  g_assert_cmpint (p2ps_download_get_received (download), ==, f->length);
  g_assert_cmpint (p2ps_download_get_size (download), ==, f->length);
  g_assert_cmpuint (f->finished, ==, 1);
}

static guint
count_files (Fixture *f)
{
  g_autoptr (GDir) dir = g_dir_open (f->folder, 0, NULL);
  guint n = 0;

  while (dir != NULL && g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static char *
dup_part_path (Fixture *f)
{
  g_autofree char *name = g_strconcat (".", f->hash, P2PS_PART_SUFFIX, NULL);

  return g_build_filename (f->folder, name, NULL);
}

/* ---- sources that give it ---- */

typedef struct
{
  const char *name;
  ServeMode mode;
  gboolean size_known;
} GoodCase;

static const GoodCase good_cases[] = {
  { "well", SERVE_WELL, TRUE },       { "well-unknown-size", SERVE_WELL, FALSE },
  { "classic", SERVE_CLASSIC, TRUE }, { "chunked", SERVE_CHUNKED, TRUE },
  { "http10", SERVE_HTTP10, TRUE },   { "chunked-unknown-size", SERVE_CHUNKED, FALSE },
  { "extra", SERVE_EXTRA, TRUE },     { "http10-unknown-size", SERVE_HTTP10, FALSE },
  { "slow", SERVE_SLOW, TRUE },
};

static void
test_good (Fixture *f, gconstpointer data)
{
  const GoodCase *c = data;
  BadServer *server = bad_server_new (c->mode, f->data, f->length);
  P2psDownload *download = add (f, "a b%2F.bin", c->size_known ? (gint64)f->length : -1, server);
  g_autofree char *request = NULL;

  assert_done (f, download, "a b%2F.bin");
  g_assert_cmpuint (count_files (f), ==, 1);
  g_assert_cmpuint (f->misbehaved, ==, 0);
  request = bad_server_dup_last_request (server);
  g_assert_true (g_str_has_prefix (request, "GET /download/some%20name.bin HTTP/1.1\r\n"));
  g_assert_nonnull (strstr (request, "\r\nHost: 127.0.0.1:"));
  g_assert_nonnull (strstr (request, "\r\nUser-Agent: p2pshare/"));
  bad_server_free (server);
}

/* ---- sources that don't, and what is said of them ---- */

typedef struct
{
  const char *name;
  ServeMode mode;
  gint64 promised; /* size in the hit: 0 = the right one */
  gboolean blamed;
  const char *reason;
} BadCase;

static const BadCase bad_cases[] = {
  { "lies", SERVE_LIES, -1, TRUE, "Sent other bytes than the hash says" },
  { "cut", SERVE_CUT, -1, FALSE, "too early" },
  { "short", SERVE_SHORT, -1, FALSE, "bytes, not the" },
  { "short-promised", SERVE_SHORT, 0, TRUE, "it promised" },
  { "long", SERVE_LONG, -1, FALSE, "bytes, not the" },
  { "long-promised", SERVE_LONG, 0, TRUE, "it promised" },
  { "redirect", SERVE_REDIRECT, -1, TRUE, "redirect" },
  { "endless", SERVE_ENDLESS, -1, FALSE, "without end" },
  { "endless-promised", SERVE_ENDLESS, 0, TRUE, "without end" },
  { "endless-1xx", SERVE_ENDLESS_1XX, -1, TRUE, "HTTP" },
  { "huge", SERVE_HUGE, -1, FALSE, "bytes, not the" },
  { "drip", SERVE_DRIP, -1, FALSE, "Stopped sending" },
  { "drip-headers", SERVE_DRIP_HEADERS, -1, FALSE, "Stopped sending" },
  { "silent", SERVE_SILENT, -1, FALSE, "Stopped sending" },
  { "garbage", SERVE_GARBAGE, -1, TRUE, "HTTP" },
  { "gzip", SERVE_GZIP, -1, FALSE, "compressed" },
  { "not-found", SERVE_NOT_FOUND, -1, FALSE, "No longer has the file" },
  { "error", SERVE_ERROR, -1, FALSE, "500" },
  { "busy", SERVE_BUSY, -1, FALSE, "busy" },
};

/* Each is tried first, gives its reason, and the file then comes from another source. */
static void
test_bad (Fixture *f, gconstpointer data)
{
  const BadCase *c = data;
  BadServer *bad = bad_server_new (c->mode, f->data, f->length);
  BadServer *good = bad_server_new (SERVE_WELL, f->data, f->length);
  P2psDownload *download = add (f, "file.bin", f->length, NULL);
  g_autofree char *address = p2ps_address_to_string (bad_server_get_address (bad));
  P2psDownloadCounters counters;

  add_source (f, download, bad, c->promised == 0 ? (gint64)f->length : c->promised);
  await_that (p2ps_download_get_reason (download) != NULL);
  g_assert_nonnull (strstr (p2ps_download_get_reason (download), c->reason));
  g_assert_nonnull (strstr (p2ps_download_get_reason (download), address));
  g_assert_cmpuint (f->misbehaved, ==, c->blamed);
  if (c->blamed)
    g_assert_cmpstr (f->blame, ==, address);
  add_source (f, download, good, -1);
  assert_done (f, download, "file.bin");
  g_assert_cmpuint (count_files (f), ==, 1);
  p2ps_downloads_get_counters (f->downloads, &counters);
  g_assert_cmpuint (counters.failed, >=, 1);
  g_assert_cmpuint (counters.downloads, ==, 1);
  bad_server_free (bad);
  bad_server_free (good);
}

static void
test_refused (Fixture *f, gconstpointer unused)
{
  BadServer *gone = bad_server_new (SERVE_WELL, f->data, f->length);
  P2psHit *hit = p2ps_hit_new ("", bad_server_get_address (gone), "some name.bin", f->hash, -1);
  P2psDownload *download;

  bad_server_free (gone);
  download = add (f, "file.bin", f->length, NULL);
  p2ps_download_add_source (download, hit);
  await_that (is_state (download, P2PS_DOWNLOAD_WAITING));
  g_assert_nonnull (strstr (p2ps_download_get_reason (download), "Refused the connection"));
  await_that (f->need_sources > 0);
  p2ps_hit_free (hit);
}

/* ---- continuing ---- */

/* The first source ends at half; another one gives the rest, or all of it. */
static void
test_continue (Fixture *f, gconstpointer data)
{
  ServeMode mode = GPOINTER_TO_INT (data);
  BadServer *first = bad_server_new (SERVE_CUT, f->data, f->length);
  BadServer *second = bad_server_new (mode, f->data, f->length);
  P2psDownload *download = add (f, "file.bin", f->length, first);
  g_autofree char *request = NULL;
  g_autofree char *range
      = g_strdup_printf ("\r\nRange: bytes=%" G_GSIZE_FORMAT "-\r\n", f->length / 2);

  await_that (is_state (download, P2PS_DOWNLOAD_WAITING));
  g_assert_cmpint (p2ps_download_get_received (download), ==, f->length / 2);
  add_source (f, download, second, -1);
  assert_done (f, download, "file.bin");
  request = bad_server_dup_last_request (second);
  if (mode != SERVE_NO_RANGE)
    g_assert_nonnull (strstr (request, range));
  if (mode == SERVE_WELL)
    g_assert_cmpint (bad_server_get_sent (second), <, f->length / 2 + 1000);
  bad_server_free (first);
  bad_server_free (second);
}

/* A source that sends another range than was asked for is out. */
static void
test_other_range (Fixture *f, gconstpointer unused)
{
  BadServer *first = bad_server_new (SERVE_CUT, f->data, f->length);
  BadServer *second = bad_server_new (SERVE_OTHER_RANGE, f->data, f->length);
  P2psDownload *download = add (f, "file.bin", f->length, first);

  await_that (is_state (download, P2PS_DOWNLOAD_WAITING));
  add_source (f, download, second, -1);
  await_that (f->misbehaved == 1);
  bad_server_set_mode (first, SERVE_WELL);
  p2ps_download_resume (download);
  assert_done (f, download, "file.bin");
  bad_server_free (first);
  bad_server_free (second);
}

/* Our nodes' ETag is the hash: then, and only then, If-Range is sent. */
static void
test_if_range (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_CUT_ONCE, f->data, f->length);
  g_autofree char *etag = g_strdup_printf ("\"%s\"", f->hash);
  g_autofree char *header = g_strdup_printf ("\r\nIf-Range: %s\r\n", etag);
  g_autofree char *request = NULL;
  P2psDownload *download;

  bad_server_set_etag (server, etag);
  download = add (f, "file.bin", f->length, server);
  await_that (is_state (download, P2PS_DOWNLOAD_WAITING));
  p2ps_downloads_peer_is_back (f->downloads, bad_server_get_address (server));
  assert_done (f, download, "file.bin");
  request = bad_server_dup_last_request (server);
  g_assert_nonnull (strstr (request, header));
  bad_server_free (server);
}

/* A liar gives the first half, an honest source the second: nobody can be blamed yet; then all of
 * it is taken from one. */
static void
test_mixed_lie (Fixture *f, gconstpointer unused)
{
  g_autofree char *zeros = g_malloc0 (f->length);
  BadServer *liar = bad_server_new (SERVE_CUT, zeros, f->length);
  BadServer *honest = bad_server_new (SERVE_CUT_SECOND, f->data, f->length);
  BadServer *other = bad_server_new (SERVE_WELL, f->data, f->length);
  P2psDownload *download = add (f, "file.bin", f->length, liar);
  g_autofree char *request = NULL;

  await_that (is_state (download, P2PS_DOWNLOAD_WAITING));
  add_source (f, download, honest, -1);
  /* It gave the second half; then all was taken from it, and it ended at half. */
  await_that (bad_server_get_requests (honest) == 2);
  await_that (is_state (download, P2PS_DOWNLOAD_WAITING));
  add_source (f, download, other, -1);
  assert_done (f, download, "file.bin");
  request = bad_server_dup_last_request (other);
  g_assert_null (strstr (request, "\r\nRange:"));
  g_assert_cmpuint (f->misbehaved, ==, 0);
  bad_server_free (other);
  bad_server_free (liar);
  bad_server_free (honest);
}

/* A search result with a false size must not keep the file from us. */
static void
test_false_size (Fixture *f, gconstpointer unused)
{
  BadServer *honest = bad_server_new (SERVE_WELL, f->data, f->length);
  P2psDownload *download = add (f, "file.bin", 12345, honest);

  assert_done (f, download, "file.bin");
  g_assert_cmpuint (f->misbehaved, ==, 0);
  bad_server_free (honest);
}

/* The source says where we are in its queue, and people see it. */
static void
test_queue (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_QUEUE_ONCE, f->data, f->length);
  P2psDownload *download = add (f, "file.bin", f->length, server);
  g_autofree char *peer = p2ps_address_to_string (bad_server_get_address (server));
  g_autofree char *reason = g_strdup_printf ("Waiting for %s (place 3 of 77)", peer);

  await_that (is_state (download, P2PS_DOWNLOAD_WAITING));
  g_assert_cmpstr (p2ps_download_get_reason (download), ==, reason);
  assert_done (f, download, "file.bin");
  g_assert_cmpuint (bad_server_get_requests (server), ==, 2);
  bad_server_free (server);
}

static void
test_busy (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_BUSY_ONCE, f->data, f->length);
  P2psDownload *download = add (f, "file.bin", f->length, server);
  gint64 begin = g_get_monotonic_time ();

  assert_done (f, download, "file.bin");
  g_assert_cmpint (g_get_monotonic_time () - begin, >=, P2PS_SECOND);
  g_assert_cmpuint (bad_server_get_requests (server), ==, 2);
  bad_server_free (server);
}

/* ---- names ---- */

static const char *const bad_names[][2] = {
  { "../../etc/passwd", NULL },
  { "/etc/passwd", NULL },
  { "..", NULL },
  { "", NULL },
  { ".bashrc", NULL },
  { "a\xe2\x80\xae"
    "gpj.exe",
    NULL },
  { "a\nb\x01.txt", NULL },
  { "\xff\xfe.bin", NULL },
  { "CON", NULL },
};

static void
test_names (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_WELL, f->data, f->length);

  for (gsize i = 0; i < G_N_ELEMENTS (bad_names); i++)
    {
      P2psDownload *download = add (f, bad_names[i][0], f->length, server);
      g_autofree char *parent = NULL;
      g_autofree char *name = NULL;

      await_that (p2ps_download_is_over (download));
      parent = g_path_get_dirname (p2ps_download_get_path (download));
      name = g_path_get_basename (p2ps_download_get_path (download));
      g_assert_cmpstr (parent, ==, f->folder);
      g_assert_true (g_utf8_validate (name, -1, NULL));
      g_assert_true (name[0] != '.');
      g_assert_null (strstr (name, "\xe2\x80\xae"));
      g_assert_null (strpbrk (name, "\n\x01"));
      g_assert_no_errno (g_unlink (p2ps_download_get_path (download)));
      p2ps_downloads_remove (f->downloads, download);
    }
  g_assert_cmpuint (count_files (f), ==, 0);
  bad_server_free (server);
}

static void
assert_numbered (const char *name, guint number, const char *expected)
{
  g_autofree char *numbered = p2ps_part_file_number_name (name, number);

  g_assert_cmpstr (numbered, ==, expected);
}

static void
test_numbers (void)
{
  g_autofree char *longest = g_strnfill (251, 'x');
  g_autofree char *name = g_strconcat (longest, ".txt", NULL);
  g_autofree char *emoji = g_strconcat (longest + 4, "\xf0\x9f\x98\x80.txt", NULL);
  g_autofree char *numbered = p2ps_part_file_number_name (name, 12);
  g_autofree char *cut = p2ps_part_file_number_name (emoji, 12);

  assert_numbered ("a.txt", 1, "a.txt");
  assert_numbered ("a.txt", 2, "a (2).txt");
  assert_numbered ("a", 3, "a (3)");
  assert_numbered ("a.tar.gz", 2, "a (2).tar.gz");
  assert_numbered ("a.a very long sentence", 2, "a.a very long sentence (2)");
  g_assert_cmpuint (strlen (numbered), ==, 255);
  g_assert_true (g_str_has_suffix (numbered, " (12).txt"));
  g_assert_cmpuint (strlen (cut), <=, 255);
  g_assert_true (g_utf8_validate (cut, -1, NULL));
}

/* ---- what is on the disk already ---- */

static void
test_name_taken (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_WELL, f->data, f->length);
  g_autofree char *path = g_build_filename (f->folder, "file.bin", NULL);
  g_autofree char *content = NULL;
  P2psDownload *download;

  g_assert_true (g_file_set_contents (path, "mine", -1, NULL));
  download = add (f, "file.bin", f->length, server);
  assert_done (f, download, "file (2).bin");
  g_assert_true (g_file_get_contents (path, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "mine");
  bad_server_free (server);
}

/* The same file is there, under its name or a numbered one: nothing is fetched. */
static void
test_have_it (Fixture *f, gconstpointer data)
{
  const char *name = data;
  BadServer *server = bad_server_new (SERVE_WELL, f->data, f->length);
  g_autofree char *path = g_build_filename (f->folder, name, NULL);
  g_autofree char *other = g_build_filename (f->folder, "file.bin", NULL);
  P2psDownload *download;

  g_assert_true (g_file_set_contents (other, "mine", -1, NULL));
  g_assert_true (g_file_set_contents (path, f->data, f->length, NULL));
  download = add (f, "file.bin", -1, server);
  assert_done (f, download, name);
  g_assert_cmpuint (bad_server_get_requests (server), ==, 0);
  bad_server_free (server);
}

static void
test_empty_file (Fixture *f, gconstpointer unused)
{
  BadServer *server;
  g_autoptr (P2psDigest) digest = p2ps_digest_new ();
  P2psDownload *download;

  f->length = 0;
  p2ps_digest_finish (digest, f->hash);
  server = bad_server_new (SERVE_WELL, f->data, 0);
  download = add (f, "empty", -1, server);
  assert_done (f, download, "empty");
  bad_server_free (server);
}

/* ---- the disk says no ---- */

/* A limit on the size of files stands for a full disk: EFBIG is taken like ENOSPC. */
static void
test_disk_full (Fixture *f, gconstpointer data)
{
  gboolean size_known = GPOINTER_TO_INT (data);
  BadServer *server = bad_server_new (size_known ? SERVE_WELL : SERVE_CHUNKED, f->data, f->length);
  struct rlimit old, small;
  P2psDownload *download;

  signal (SIGXFSZ, SIG_IGN);
  g_assert_no_errno (getrlimit (RLIMIT_FSIZE, &old));
  small = old;
  small.rlim_cur = LENGTH / 2;
  g_assert_no_errno (setrlimit (RLIMIT_FSIZE, &small));
  p2ps_downloads_set_disk_retry_time (f->downloads, 50 * 1000);
  download = add (f, "file.bin", size_known ? (gint64)f->length : -1, server);
  await_that (is_state (download, P2PS_DOWNLOAD_WAITING));
  g_assert_nonnull (strstr (p2ps_download_get_reason (download), "is full"));
  g_assert_no_errno (setrlimit (RLIMIT_FSIZE, &old));
  g_assert_cmpuint (f->misbehaved, ==, 0);
  assert_done (f, download, "file.bin"); /* by itself */
  bad_server_free (server);
}

/* A folder that can't be used (here: it is a file) is a state with a reason, and the others go on.
 */
static void
test_bad_folder (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_WELL, f->data, f->length);
  g_autofree char *file = g_build_filename (f->root, "not a folder", NULL);
  P2psDownload *download;

  g_assert_true (g_file_set_contents (file, "", -1, NULL));
  download = p2ps_downloads_add (f->downloads, f->hash, "file.bin", f->length, file, NULL);
  add_source (f, download, server, -1);
  await_that (is_state (download, P2PS_DOWNLOAD_WAITING));
  g_assert_nonnull (strstr (p2ps_download_get_reason (download), "not a folder"));
  g_assert_cmpuint (f->misbehaved, ==, 0);
  g_assert_no_errno (g_unlink (file));
  g_free (f->folder);
  f->folder = g_steal_pointer (&file);
  g_assert_no_errno (g_mkdir (f->folder, 0755));
  p2ps_download_resume (download);
  assert_done (f, download, "file.bin");
  bad_server_free (server);
}

/* ---- what people do ---- */

/* A download whose first half is on the disk and whose source keeps the second back. */
static P2psDownload *
add_half (Fixture *f, BadServer *server)
{
  g_autofree char *part = dup_part_path (f);
  P2psDownload *download;
  struct stat info;

  p2ps_downloads_set_stall_time (f->downloads, 30 * P2PS_SECOND);
  download = add (f, "file.bin", f->length, server);
  await_that (stat (part, &info) == 0 && info.st_size >= LENGTH / 4);
  return download;
}

static void
test_pause (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_HOLD, f->data, f->length);
  P2psDownload *download = add_half (f, server);
  g_autofree char *part = dup_part_path (f);
  g_autofree char *request = NULL;
  gint64 begin = g_get_monotonic_time ();
  P2psDownloadCounters counters;

  p2ps_download_pause (download);
  g_assert_true (is_state (download, P2PS_DOWNLOAD_PAUSED));
  await_that ((p2ps_downloads_get_counters (f->downloads, &counters), counters.active == 0));
  g_assert_cmpint (g_get_monotonic_time () - begin, <, P2PS_SECOND / 2);
  g_assert_true (g_file_test (part, G_FILE_TEST_EXISTS));
  g_assert_true (is_state (download, P2PS_DOWNLOAD_PAUSED));
  bad_server_set_mode (server, SERVE_WELL);
  p2ps_download_resume (download);
  assert_done (f, download, "file.bin");
  g_assert_cmpuint (bad_server_get_requests (server), ==, 2);
  request = bad_server_dup_last_request (server);
  g_assert_nonnull (strstr (request, "\r\nRange: bytes="));
  bad_server_free (server);
}

static void
test_cancel (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_HOLD, f->data, f->length);
  P2psDownload *download = add_half (f, server);
  gint64 begin = g_get_monotonic_time ();

  p2ps_download_cancel (download);
  g_assert_true (is_state (download, P2PS_DOWNLOAD_CANCELLED));
  await_that (count_files (f) == 0);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, P2PS_SECOND / 2);
  bad_server_set_mode (server, SERVE_WELL);
  p2ps_download_resume (download);
  assert_done (f, download, "file.bin");
  bad_server_free (server);
}

/* Cancelled and resumed at many moments: it ends well whatever was under way. */
static void
test_toggle (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_SLOW, f->data, f->length);
  P2psDownload *download = add (f, "file.bin", f->length, server);

  for (guint i = 0; i < 30; i++)
    {
      for (guint k = 0; k < i; k++)
        g_main_context_iteration (NULL, FALSE);
      g_usleep (i * 100);
      if (i % 3 == 0)
        p2ps_download_cancel (download);
      else
        p2ps_download_pause (download);
      p2ps_download_resume (download);
    }
  assert_done (f, download, "file.bin");
  g_assert_cmpuint (count_files (f), ==, 1);
  bad_server_free (server);
}

static void
test_remove (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_HOLD, f->data, f->length);
  P2psDownload *download = add_half (f, server);

  p2ps_downloads_remove (f->downloads, download);
  g_assert_null (p2ps_downloads_get (f->downloads, f->hash));
  await_that (count_files (f) == 0);
  bad_server_free (server);
}

/* Removed while it runs and added again at once: the old one's clearing up takes nothing from the
 * new one. */
static void
test_remove_and_add (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_HOLD, f->data, f->length);
  P2psDownload *download = add_half (f, server);

  for (guint i = 0; i < 5; i++)
    {
      p2ps_downloads_remove (f->downloads, download);
      download = add (f, "file.bin", f->length, server);
      p2ps_downloads_remove (f->downloads, download);
      download = add_half (f, server);
    }
  bad_server_set_mode (server, SERVE_WELL);
  assert_done (f, download, "file.bin");
  g_assert_cmpuint (count_files (f), ==, 1);
  bad_server_free (server);
}

/* The same hash twice is one download; a finished one that is gone from the disk comes anew. */
static void
test_add_again (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_WELL, f->data, f->length);
  P2psDownload *download = add (f, "file.bin", f->length, server);

  g_assert_true (add (f, "other.bin", f->length, NULL) == download);
  assert_done (f, download, "file.bin");
  g_assert_true (add (f, "file.bin", f->length, NULL) == download);
  await_that (f->finished == 2);
  g_assert_cmpuint (bad_server_get_requests (server), ==, 1);
  g_assert_no_errno (g_unlink (p2ps_download_get_path (download)));
  add (f, "file.bin", f->length, NULL);
  await_that (f->finished == 3);
  g_assert_cmpuint (bad_server_get_requests (server), ==, 2);
  g_assert_null (p2ps_downloads_add (f->downloads, "no hash", "x", 1, NULL, NULL));
  bad_server_free (server);
}

/* By hash alone: the network is asked, and the name comes with the first source. */
static void
test_by_hash (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_WELL, f->data, f->length);
  P2psDownload *download = add (f, NULL, -1, NULL);

  await_that (f->need_sources == 1);
  g_assert_true (is_state (download, P2PS_DOWNLOAD_SEARCHING));
  add_source (f, download, server, -1);
  assert_done (f, download, "some name.bin");
  bad_server_free (server);
}

/* A sign of life wakes it long before its backoff ends. */
static void
test_peer_is_back (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_ERROR, f->data, f->length);
  P2psDownload *download = add (f, "file.bin", f->length, server);
  gint64 begin;

  await_that (is_state (download, P2PS_DOWNLOAD_WAITING));
  bad_server_set_mode (server, SERVE_WELL);
  begin = g_get_monotonic_time ();
  p2ps_downloads_peer_is_back (f->downloads, bad_server_get_address (server));
  assert_done (f, download, "file.bin");
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 2 * P2PS_SECOND);
  bad_server_free (server);
}

/* Five at once with two places: never more than two connections' worth run, all end. */
static void
test_places (Fixture *f, gconstpointer unused)
{
  BadServer *servers[5];
  char *data[5];
  P2psDownload *downloads[5];
  P2psDownloadCounters counters;

  p2ps_downloads_set_max_active (f->downloads, 2);
  for (guint i = 0; i < 5; i++)
    {
      g_autoptr (P2psDigest) digest = p2ps_digest_new ();
      g_autofree char *name = g_strdup_printf ("file %u", i);

      data[i] = g_memdup2 (f->data, f->length);
      data[i][0] = i;
      p2ps_digest_update (digest, data[i], f->length);
      p2ps_digest_finish (digest, f->hash);
      servers[i] = bad_server_new (SERVE_SLOW, data[i], f->length);
      downloads[i] = add (f, name, f->length, servers[i]);
    }
  while (f->finished < 5)
    {
      g_main_context_iteration (NULL, TRUE);
      p2ps_downloads_get_counters (f->downloads, &counters);
      g_assert_cmpuint (counters.active, <=, 2);
    }
  for (guint i = 0; i < 5; i++)
    {
      g_assert_true (is_state (downloads[i], P2PS_DOWNLOAD_DONE));
      bad_server_free (servers[i]);
      g_free (data[i]);
    }
}

/* ---- across restarts ---- */

static void
test_restart (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_HOLD, f->data, f->length);
  P2psDownload *download = add_half (f, server);
  P2psDownload *paused;
  g_autofree char *request = NULL;

  paused = p2ps_downloads_add (f->downloads,
                               "00000000000000000000000000000000000000000000000000"
                               "00000000000000",
                               "paused", 5, NULL, NULL);
  p2ps_download_pause (paused);
  stop (f);
  bad_server_set_mode (server, SERVE_WELL);
  start (f);
  p2ps_downloads_load (f->downloads);
  await_that ((download = p2ps_downloads_get (f->downloads, f->hash)) != NULL);
  paused = p2ps_downloads_get (f->downloads, "000000000000000000000000000000000000000000000000000"
                                             "0000000000000");
  g_assert_nonnull (paused);
  assert_done (f, download, "file.bin");
  g_assert_true (is_state (paused, P2PS_DOWNLOAD_PAUSED));
  request = bad_server_dup_last_request (server);
  g_assert_nonnull (strstr (request, "\r\nRange: bytes="));
  stop (f);
  start (f);
  p2ps_downloads_load (f->downloads);
  await_that ((download = p2ps_downloads_get (f->downloads, f->hash)) != NULL);
  g_assert_true (is_state (download, P2PS_DOWNLOAD_DONE));
  g_assert_cmpint (p2ps_download_get_added (download), >, 0);
  g_assert_cmpint (p2ps_download_get_finished (download), >=, p2ps_download_get_added (download));
  bad_server_free (server);
}

/* What a power cut may leave: a part file with wrong bytes. The source is not blamed for it. */
static void
test_damaged_part (Fixture *f, gconstpointer unused)
{
  BadServer *server = bad_server_new (SERVE_WELL, f->data, f->length);
  g_autofree char *zeros = g_malloc0 (f->length);
  g_autofree char *part = dup_part_path (f);
  P2psDownload *download;

  g_assert_true (g_file_set_contents (part, zeros, f->length / 2, NULL));
  download = add (f, "file.bin", f->length, server);
  assert_done (f, download, "file.bin");
  g_assert_cmpuint (f->misbehaved, ==, 0);
  g_assert_cmpuint (count_files (f), ==, 1);
  bad_server_free (server);
}

/* Killed when all bytes were there but not yet verified: no source is needed any more. */
static void
test_complete_part (Fixture *f, gconstpointer unused)
{
  g_autofree char *part = dup_part_path (f);
  P2psDownload *download;

  g_assert_true (g_file_set_contents (part, f->data, f->length, NULL));
  download = add (f, "file.bin", f->length, NULL);
  assert_done (f, download, "file.bin");
  g_assert_cmpuint (count_files (f), ==, 1);
}

#define TEST(path, data, func) g_test_add (path, Fixture, data, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (good_cases); i++)
    {
      g_autofree char *path = g_strconcat ("/download/good/", good_cases[i].name, NULL);
      TEST (path, &good_cases[i], test_good);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (bad_cases); i++)
    {
      g_autofree char *path = g_strconcat ("/download/bad/", bad_cases[i].name, NULL);
      TEST (path, &bad_cases[i], test_bad);
    }
  TEST ("/download/bad/refused", NULL, test_refused);
  TEST ("/download/continue/range", GINT_TO_POINTER (SERVE_WELL), test_continue);
  TEST ("/download/continue/classic", GINT_TO_POINTER (SERVE_CLASSIC), test_continue);
  TEST ("/download/continue/chunked", GINT_TO_POINTER (SERVE_CHUNKED), test_continue);
  TEST ("/download/continue/416", GINT_TO_POINTER (SERVE_NO_RANGE), test_continue);
  TEST ("/download/continue/other-range", NULL, test_other_range);
  TEST ("/download/continue/if-range", NULL, test_if_range);
  TEST ("/download/continue/mixed-lie", NULL, test_mixed_lie);
  TEST ("/download/false-size", NULL, test_false_size);
  TEST ("/download/busy", NULL, test_busy);
  TEST ("/download/queue", NULL, test_queue);
  TEST ("/download/names", NULL, test_names);
  g_test_add_func ("/download/numbers", test_numbers);
  TEST ("/download/disk/name-taken", NULL, test_name_taken);
  TEST ("/download/disk/have-it", "file (2).bin", test_have_it);
  TEST ("/download/disk/have-it-first", "file.bin", test_have_it);
  TEST ("/download/disk/empty", NULL, test_empty_file);
  TEST ("/download/disk/full", GINT_TO_POINTER (TRUE), test_disk_full);
  TEST ("/download/disk/full-unknown-size", GINT_TO_POINTER (FALSE), test_disk_full);
  TEST ("/download/disk/bad-folder", NULL, test_bad_folder);
  TEST ("/download/pause", NULL, test_pause);
  TEST ("/download/cancel", NULL, test_cancel);
  TEST ("/download/toggle", NULL, test_toggle);
  TEST ("/download/remove", NULL, test_remove);
  TEST ("/download/remove-and-add", NULL, test_remove_and_add);
  TEST ("/download/add-again", NULL, test_add_again);
  TEST ("/download/by-hash", NULL, test_by_hash);
  TEST ("/download/peer-is-back", NULL, test_peer_is_back);
  TEST ("/download/places", NULL, test_places);
  TEST ("/download/restart", NULL, test_restart);
  TEST ("/download/damaged-part", NULL, test_damaged_part);
  TEST ("/download/complete-part", NULL, test_complete_part);
  return g_test_run ();
}
