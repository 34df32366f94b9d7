/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Own searches, their results and the log of queries, between a driver, a library and a download
 * that do what the test says. */

#include <string.h>

#include "core/limits.h"
#include "engine/error.h"
#include "engine/own-searches.h"
#include "engine/query-log.h"
#include "loop.h"

#define HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* ---- a driver that notes what it is asked ---- */

struct _P2psDriver
{
  GObject parent_instance;
  P2psQuery *last;
  guint searches;
  guint stopped;
};

G_DEFINE_FINAL_TYPE (P2psDriver, p2ps_driver, G_TYPE_OBJECT)

static void
p2ps_driver_finalize (GObject *object)
{
  p2ps_query_free (P2PS_DRIVER (object)->last);
  G_OBJECT_CLASS (p2ps_driver_parent_class)->finalize (object);
}

static void
p2ps_driver_class_init (P2psDriverClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = p2ps_driver_finalize;
  g_signal_new ("hits", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 2, G_TYPE_PTR_ARRAY, G_TYPE_BOOLEAN);
}

static void
p2ps_driver_init (P2psDriver *driver)
{
}

void
p2ps_driver_search (P2psDriver *driver, const P2psQuery *query)
{
  p2ps_query_free (driver->last);
  driver->last = p2ps_query_copy (query);
  driver->searches++;
}

void
p2ps_driver_stop_search (P2psDriver *driver, const char *qid)
{
  driver->stopped++;
}

/* ---- a library that has one hash ---- */

struct _P2psLibrary
{
  GObject parent_instance;
  const char *has;
  guint questions;
};

G_DEFINE_FINAL_TYPE (P2psLibrary, p2ps_library, G_TYPE_OBJECT)

static void
p2ps_library_class_init (P2psLibraryClass *klass)
{
  g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 0);
}

static void
p2ps_library_init (P2psLibrary *library)
{
}

void
p2ps_library_have_async (P2psLibrary *library, const char *const *hashes,
                         GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (library, NULL, callback, user_data);
  GHashTable *have = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  library->questions++;
  g_assert_cmpuint (g_strv_length ((char **)hashes), <=, 256);
  if (library->has && g_strv_contains (hashes, library->has))
    g_hash_table_add (have, g_strdup (library->has));
  g_task_return_pointer (task, have, (GDestroyNotify)g_hash_table_unref);
}

GHashTable *
p2ps_library_have_finish (P2psLibrary *library, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* ---- a download that wants sources ---- */

struct _P2psDownload
{
  GObject parent_instance;
  guint sources;
};

G_DEFINE_FINAL_TYPE (P2psDownload, p2ps_download, G_TYPE_OBJECT)

static void
p2ps_download_class_init (P2psDownloadClass *klass)
{
}

static void
p2ps_download_init (P2psDownload *download)
{
}

const char *
p2ps_download_get_filehash (P2psDownload *download)
{
  return HASH;
}

gboolean
p2ps_download_is_over (P2psDownload *download)
{
  return FALSE;
}

void
p2ps_download_add_source (P2psDownload *download, const P2psHit *hit)
{
  download->sources++;
}

/* ---- tests ---- */

typedef struct
{
  P2psDriver *driver;
  P2psLibrary *library;
  P2psOwnSearches *searches;
} Fixture;

static void
set_up (Fixture *f)
{
  f->driver = g_object_new (p2ps_driver_get_type (), NULL);
  f->library = g_object_new (p2ps_library_get_type (), NULL);
  f->searches = p2ps_own_searches_new (f->library);
  p2ps_own_searches_set_driver (f->searches, f->driver);
  loop_start_measuring ();
}

static void
tear_down (Fixture *f)
{
  p2ps_own_searches_set_driver (f->searches, NULL);
  loop_empty ();
  g_assert_cmpuint (G_OBJECT (f->searches)->ref_count, ==, 1);
  g_object_unref (f->searches);
  g_assert_cmpuint (G_OBJECT (f->driver)->ref_count, ==, 1);
  g_object_unref (f->driver);
  loop_empty ();
  g_object_unref (f->library);
}

/* A hit for the last search: file number `number` at host 10.0.h.h. */
static P2psHit *
new_hit (Fixture *f, guint number, guint holder, const char *name, gint64 size)
{
  char hash[P2PS_HASH_SIZE], host[P2PS_HOST_SIZE];
  P2psAddress address;

  g_snprintf (hash, sizeof hash, "%064x", number);
  g_snprintf (host, sizeof host, "10.0.%u.%u", holder / 256, holder % 256);
  p2ps_address_init (&address, host, 8081);
  return p2ps_hit_new (f->driver->last->qid, &address, name, hash, size);
}

static void
give (Fixture *f, P2psHit *hit, gboolean verified)
{
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);

  g_ptr_array_add (hits, hit);
  g_signal_emit_by_name (f->driver, "hits", hits, verified);
}

static void
test_texts (void)
{
  static const char *const bad[] = { "", "  ", "...", "\xff\xfe", "?!" };
  g_autofree char *longest = g_strnfill (255, 'x');
  g_autofree char *too_long = g_strnfill (256, 'x');
  g_autofree char *upper = g_ascii_strup (HASH, -1);
  Fixture f;

  set_up (&f);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (p2ps_own_searches_start (f.searches, bad[i], &error));
      g_assert_error (error, P2PS_ERROR, P2PS_ERROR_FAILED);
    }
  g_autoptr (GError) error = NULL;
  g_assert_null (p2ps_own_searches_start (f.searches, too_long, &error));
  g_assert_nonnull (strstr (error->message, "255"));
  g_assert_cmpuint (f.driver->searches, ==, 0);

  g_assert_nonnull (p2ps_own_searches_start (f.searches, longest, NULL));
  g_assert_nonnull (p2ps_own_searches_start (f.searches, " été  song ", NULL));
  g_assert_true (f.driver->last->words);
  g_assert_cmpstr (f.driver->last->filename, ==, "été  song");
  g_assert_true (p2ps_qid_is_valid (f.driver->last->qid));
  g_assert_nonnull (p2ps_own_searches_start (f.searches, upper, NULL));
  g_assert_false (f.driver->last->words);
  g_assert_cmpstr (f.driver->last->filehash, ==, HASH);
  g_assert_cmpstr (f.driver->last->filename, ==, "");

  g_assert_nonnull (p2ps_own_searches_start_exact (f.searches, "...", NULL, NULL));
  g_assert_false (f.driver->last->words);
  g_assert_nonnull (p2ps_own_searches_start_exact (f.searches, NULL, HASH, NULL));
  g_assert_null (p2ps_own_searches_start_exact (f.searches, NULL, NULL, NULL));
  g_assert_null (p2ps_own_searches_start_exact (f.searches, "", "abc", NULL));
  tear_down (&f);
}

static void
test_groups (void)
{
  Fixture f;

  set_up (&f);
  P2psSearch *search = p2ps_own_searches_start (f.searches, "song", NULL);
  GListModel *results = p2ps_search_get_results (search);
  give (&f, new_hit (&f, 1, 1, "song.ogg", -1), FALSE);
  give (&f, new_hit (&f, 1, 2, "another \u202esong.ogg", 1000), TRUE);
  give (&f, new_hit (&f, 1, 2, "song.ogg", 1000), TRUE); /* known holder */
  give (&f, new_hit (&f, 2, 1, "other.txt", 5), TRUE);
  g_assert_cmpuint (p2ps_search_get_n_hits (search), ==, 3);
  g_assert_cmpuint (g_list_model_get_n_items (results), ==, 0);
  LOOP_WAIT_FOR (g_list_model_get_n_items (results) == 2);

  g_autoptr (P2psResult) first = g_list_model_get_item (results, 0);
  g_autofree char *names = NULL, *type = NULL;
  gboolean verified = FALSE;
  g_object_get (first, "names", &names, "content-type", &type, "verified", &verified, NULL);
  g_assert_cmpstr (p2ps_result_get_filename (first), ==, "song.ogg");
  g_assert_cmpint (p2ps_result_get_size (first), ==, 1000);
  g_assert_cmpuint (p2ps_result_get_n_sources (first), ==, 2);
  g_assert_cmpuint (p2ps_result_get_hits (first)->len, ==, 2);
  g_assert_null (strstr (names, "\u202e"));
  g_assert_nonnull (strstr (names, "another"));
  g_assert_true (g_str_has_prefix (type, "audio/"));
  g_assert_true (verified);
  tear_down (&f);
}

static void
test_have (void)
{
  char hash[P2PS_HASH_SIZE];
  Fixture f;

  set_up (&f);
  g_snprintf (hash, sizeof hash, "%064x", 7);
  f.library->has = hash;
  P2psSearch *search = p2ps_own_searches_start (f.searches, "song", NULL);
  GListModel *results = p2ps_search_get_results (search);
  for (guint i = 0; i < 600; i++)
    give (&f, new_hit (&f, i, 1, "song.ogg", 1), TRUE);
  LOOP_WAIT_FOR (g_list_model_get_n_items (results) == 600);
  g_autoptr (P2psResult) mine = g_list_model_get_item (results, 7);
  g_autoptr (P2psResult) other = g_list_model_get_item (results, 8);
  LOOP_WAIT_FOR (p2ps_result_get_have (mine));
  g_assert_false (p2ps_result_get_have (other));
  LOOP_WAIT_FOR (f.library->questions == 3);

  /* A download came in: the library says so, and the rows follow. */
  g_snprintf (hash, sizeof hash, "%064x", 8);
  g_signal_emit_by_name (f.library, "changed");
  LOOP_WAIT_FOR (p2ps_result_get_have (other));
  g_assert_false (p2ps_result_get_have (mine));
  tear_down (&f);
}

static void
test_stop (void)
{
  Fixture f;

  set_up (&f);
  P2psSearch *search = p2ps_own_searches_start (f.searches, "song", NULL);
  give (&f, new_hit (&f, 1, 1, "song.ogg", 1), TRUE);
  g_assert_true (p2ps_search_get_active (search));
  p2ps_search_stop (search);
  g_assert_false (p2ps_search_get_active (search));
  g_assert_cmpuint (f.driver->stopped, ==, 1);
  g_assert_cmpuint (g_list_model_get_n_items (p2ps_search_get_results (search)), ==, 1);
  give (&f, new_hit (&f, 2, 1, "late.ogg", 1), TRUE);
  g_assert_cmpuint (p2ps_search_get_n_hits (search), ==, 1);
  g_assert_cmpuint (g_list_model_get_n_items (p2ps_own_searches_get_model (f.searches)), ==, 1);
  p2ps_own_searches_remove (f.searches, search);
  g_assert_cmpuint (g_list_model_get_n_items (p2ps_own_searches_get_model (f.searches)), ==, 0);
  tear_down (&f);
}

static void
test_caps (void)
{
  Fixture f;

  set_up (&f);
  GListModel *model = p2ps_own_searches_get_model (f.searches);
  P2psSearch *first = p2ps_own_searches_start (f.searches, "number 0", NULL);
  p2ps_search_stop (p2ps_own_searches_start (f.searches, "number 1", NULL));
  for (guint i = 2; i < 51; i++)
    g_assert_nonnull (p2ps_own_searches_start (f.searches, "number", NULL));
  g_assert_cmpuint (g_list_model_get_n_items (model), ==, 50);
  g_autoptr (P2psSearch) oldest = g_list_model_get_item (model, 0);
  g_assert_true (oldest == first); /* the one that had ended went */
  p2ps_own_searches_start (f.searches, "number", NULL);
  g_assert_cmpuint (g_list_model_get_n_items (model), ==, 50);
  g_assert_false (p2ps_search_get_active (oldest));
  tear_down (&f);
}

static void
test_sources (void)
{
  P2psDownload *download = g_object_new (p2ps_download_get_type (), NULL);
  P2psAddress holder;
  Fixture f;

  set_up (&f);
  p2ps_own_searches_find_sources (f.searches, download);
  g_assert_cmpstr (f.driver->last->filehash, ==, HASH);
  g_assert_cmpuint (g_list_model_get_n_items (p2ps_own_searches_get_model (f.searches)), ==, 0);
  p2ps_address_init (&holder, "10.0.0.1", 8081);
  give (&f, p2ps_hit_new (f.driver->last->qid, &holder, "x", HASH, 1), TRUE);
  g_assert_cmpuint (download->sources, ==, 1);
  give (&f, new_hit (&f, 1, 1, "x", 1), TRUE); /* another file */
  g_assert_cmpuint (download->sources, ==, 1);
  p2ps_own_searches_find_sources (f.searches, download);
  g_assert_cmpuint (f.driver->searches, ==, 2);
  g_assert_cmpuint (f.driver->stopped, ==, 1);
  give (&f, p2ps_hit_new (f.driver->last->qid, &holder, "x", HASH, 1), TRUE);
  g_assert_cmpuint (download->sources, ==, 2);
  tear_down (&f);
  g_object_unref (download);
}

static guint n_changes;

static void
items_changed_cb (GListModel *model)
{
  n_changes++;
}

/* Ten thousand hits, a few in each message, as fast as a loop can take them. */
static void
test_many (void)
{
  const guint n = 10000;
  Fixture f;

  set_up (&f);
  P2psSearch *search = p2ps_own_searches_start (f.searches, "song", NULL);
  GListModel *results = p2ps_search_get_results (search);
  n_changes = 0;
  g_signal_connect (results, "items-changed", G_CALLBACK (items_changed_cb), NULL);
  loop_start_measuring ();
  gint64 start = g_get_monotonic_time ();
  for (guint i = 0; i < n; i++)
    {
      give (&f, new_hit (&f, i / 2, i, "a song of some length.ogg", 1000), TRUE);
      if (i % 20 == 0)
        loop_iterate (FALSE);
    }
  g_test_message ("%u hits in %.1f ms", n, (g_get_monotonic_time () - start) / 1000.0);
  LOOP_WAIT_FOR (g_list_model_get_n_items (results) == n / 2);
  for (guint i = 0; i < 200; i++)
    {
      g_usleep (1000);
      loop_iterate (FALSE);
    }
  g_assert_cmpuint (p2ps_search_get_n_hits (search), ==, n);
  g_test_message (
      "longest iteration %" G_GINT64_FORMAT " us (CPU %" G_GINT64_FORMAT " us), %u changes",
      loop_get_percentile (loop_wall, 100), loop_get_percentile (loop_cpu, 100), n_changes);
  g_assert_cmpint (loop_get_percentile (loop_cpu, 100), <, 8000);
  g_assert_cmpuint (n_changes, <, 40);
  tear_down (&f);
}

static void
test_log (void)
{
  g_autoptr (P2psQueryLog) log = p2ps_query_log_new ();
  GListModel *model = G_LIST_MODEL (log);
  char qid[P2PS_QID_SIZE];
  P2psAddress holder;

  p2ps_address_init (&holder, "10.0.0.1", 8081);
  for (guint i = 0; i < 1200; i++)
    {
      g_snprintf (qid, sizeof qid, "00000000-0000-4000-8000-%012x", i);
      g_autoptr (P2psQuery) query = p2ps_query_new (qid, "a\nname", HASH);
      query->origin = holder;
      p2ps_query_log_add (log, query, i < 250);
      p2ps_query_log_add (log, query, i < 250); /* a duplicate is no news */
    }
  loop_start_measuring ();
  LOOP_WAIT_FOR (g_list_model_get_n_items (model) == 1000);
  g_autoptr (P2psQueryRecord) newest = g_list_model_get_item (model, 0);
  g_autoptr (P2psQueryRecord) oldest = g_list_model_get_item (model, 999);
  g_assert_cmpstr (p2ps_query_record_get_qid (newest), ==, qid);
  /* The last 200 own ones (50 to 249), then the last 800 of others (400 to 1199). */
  g_assert_cmpstr (p2ps_query_record_get_qid (oldest), ==, "00000000-0000-4000-8000-000000000032");
  g_assert_nonnull (p2ps_query_log_get (log, "00000000-0000-4000-8000-0000000000f9"));
  g_assert_null (p2ps_query_log_get (log, "00000000-0000-4000-8000-00000000018f"));
  g_assert_nonnull (p2ps_query_log_get (log, "00000000-0000-4000-8000-000000000190"));
  g_assert_null (strchr (p2ps_query_record_get_text (newest), '\n'));
  g_assert_false (p2ps_query_record_get_own (newest));
  g_assert_null (p2ps_query_log_get (log, "00000000-0000-4000-8000-000000000001"));
  g_assert_null (g_list_model_get_item (model, 1000));

  for (guint i = 0; i < 300; i++)
    {
      g_autoptr (P2psHit) hit = p2ps_hit_new (qid, &holder, "name", HASH, 1);
      p2ps_query_log_add_hit (log, hit);
    }
  g_assert_cmpuint (p2ps_query_record_get_responses (newest)->len, ==, 256);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/search/texts", test_texts);
  g_test_add_func ("/search/groups", test_groups);
  g_test_add_func ("/search/have", test_have);
  g_test_add_func ("/search/stop", test_stop);
  g_test_add_func ("/search/caps", test_caps);
  g_test_add_func ("/search/sources", test_sources);
  g_test_add_func ("/search/many", test_many);
  g_test_add_func ("/search/log", test_log);
  return g_test_run ();
}
