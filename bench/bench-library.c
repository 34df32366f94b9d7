/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Our side of bench/index.py. Each call prints one line of JSON.
 *   index SHARE STATE    from nothing until everything is in the index
 *   known SHARE STATE    started again: ready to serve, sweeps in which nothing has changed
 *   names COUNT STATE    searches by words among COUNT names */

#include "engine/library-private.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static gint64 process_start; /* monotonic microseconds, when main() was entered */

static double
seconds_since (gint64 begun)
{
  return (double)(g_get_monotonic_time () - begun) / G_TIME_SPAN_SECOND;
}

static gint64
read_proc (const char *path, const char *key)
{
  g_autofree char *text = NULL;
  const char *line;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return -1;
  line = strstr (text, key);
  return line != NULL ? g_ascii_strtoll (line + strlen (key), NULL, 10) : -1;
}

static void
done_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **)user_data = g_object_ref (result);
}

static GAsyncResult *
await (GAsyncResult **result)
{
  while (*result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return *result;
}

/* Waits until `scans` sweeps are over and nothing is left to hash. */
static void
wait_for_scans (P2psLibrary *library, guint64 scans, P2psScannerStatus *status)
{
  do
    {
      g_usleep (5000);
      p2ps_scanner_get_status (library->scanner, status);
      g_free (status->notice);
    }
  while (status->scans < scans || status->scanning);
}

static P2psLibrary *
start (const char *share, const char *state, P2psStore **store)
{
  g_autoptr (GPtrArray) folders = g_ptr_array_new ();
  g_autofree char *path = g_build_filename (state, "bench.sqlite", NULL);
  P2psLibrary *library;

  *store = p2ps_store_new (path);
  library = p2ps_library_new (*store);
  g_ptr_array_add (folders, (gpointer)share);
  p2ps_library_set_folders (library, folders, FALSE, FALSE);
  return library;
}

static void
finish (P2psLibrary *library, P2psStore *store)
{
  p2ps_library_stop (library);
  g_object_unref (library);
  p2ps_store_close (store);
  g_object_unref (store);
}

static void
bench_index (const char *share, const char *state)
{
  gint64 begun = g_get_monotonic_time ();
  P2psScannerStatus status;
  P2psStore *store;
  P2psLibrary *library = start (share, state, &store);

  wait_for_scans (library, 1, &status);
  printf ("{\"seconds\": %.3f, \"files\": %" G_GINT64_FORMAT ", \"rss_kib\": %" G_GINT64_FORMAT
          ", \"peak_kib\": %" G_GINT64_FORMAT "}\n",
          seconds_since (begun), status.files, read_proc ("/proc/self/status", "VmRSS:"),
          read_proc ("/proc/self/status", "VmHWM:"));
  finish (library, store);
}

static void
bench_known (const char *share, const char *state)
{
  P2psScannerStatus status;
  P2psStore *store;
  P2psLibrary *library = start (share, state, &store);
  g_autoptr (P2psQuery) query = p2ps_query_new ("", "f1.txt", NULL);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GPtrArray) files = NULL;
  double ready;
  double best = G_MAXDOUBLE;
  gint64 written;

  p2ps_library_lookup_async (library, query, 20, NULL, done_cb, &result);
  files = p2ps_library_lookup_finish (library, await (&result), NULL);
  ready = seconds_since (process_start);
  wait_for_scans (library, 1, &status);
  written = read_proc ("/proc/self/io", "write_bytes:");
  for (int i = 0; i < 5; i++)
    {
      p2ps_library_rescan (library);
      wait_for_scans (library, (guint64)i + 2, &status);
      best = MIN (best, status.last_scan_seconds);
    }
  printf ("{\"ready\": %.3f, \"found\": %u, \"sweep\": %.3f, \"written\": %" G_GINT64_FORMAT
          ", \"hashed\": %" G_GUINT64_FORMAT ", \"files\": %" G_GINT64_FORMAT
          ", \"rss_kib\": %" G_GINT64_FORMAT "}\n",
          ready, files->len, best, read_proc ("/proc/self/io", "write_bytes:") - written,
          status.hashed, status.files, read_proc ("/proc/self/status", "VmRSS:"));
  finish (library, store);
}

/* --- a million names --- */

#define N_WORDS 20000

static char *words[N_WORDS];

/* Like the words of a language: few are very common, most are rare. */
static const char *
random_word (GRand *random)
{
  double x = g_rand_double (random);

  return words[(int)(N_WORDS * x * x * x * x)];
}

static void
make_words (GRand *random)
{
  static const char *const syllables[]
      = { "ka", "lo", "mi", "ren", "ta",  "vo",  "shi", "del", "gar", "un", "pe",
          "ro", "sa", "ti", "men", "dor", "bel", "an",  "is",  "qu",  "ax", "fo" };

  for (int i = 0; i < N_WORDS; i++)
    {
      GString *word = g_string_new (NULL);

      for (int n = g_rand_int_range (random, 1, 5); n > 0; n--)
        g_string_append (word, syllables[g_rand_int_range (random, 0, G_N_ELEMENTS (syllables))]);
      words[i] = g_string_free (word, FALSE);
    }
}

static char *
make_name (GRand *random, guint i)
{
  static const char *const types[] = { "mp3", "flac", "jpg", "pdf", "mkv" };

  if (i % 5 == 0)
    return g_strdup_printf ("DSC%05u_%u.jpg", i % 100000, i);
  return g_strdup_printf ("%s %s - %s %s %02u.%s", random_word (random), random_word (random),
                          random_word (random), random_word (random), i % 30, types[i / 7 % 5]);
}

static void
fill (P2psStore *store, GRand *random, guint n)
{
  g_autoptr (GRefString) folder = NULL;

  for (guint i = 0; i < n;)
    {
      g_autoptr (P2psIndexChange) change = p2ps_index_change_new ();

      for (guint j = 0; j < 1000 && i < n; j++, i++)
        {
          P2psNewFile *file = g_new0 (P2psNewFile, 1);

          if (i % 100 == 0)
            {
              g_autofree char *path = g_strdup_printf ("/share/folder %u", i / 100);
              g_clear_pointer (&folder, g_ref_string_release);
              folder = g_ref_string_new (path);
            }
          file->folder = g_ref_string_acquire (folder);
          file->name = make_name (random, i);
          file->size = i;
          file->inode = i;
          for (int k = 0; k < P2PS_BINARY_HASH_SIZE; k += 4)
            {
              guint32 bits = g_rand_int (random);
              memcpy (file->hash + k, &bits, 4);
            }
          g_ptr_array_add (change->added, file);
        }
      p2ps_store_apply (store, change, NULL);
    }
}

static guint
search (P2psStore *store, const char *text)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GPtrArray) found = NULL;
  GTask *task = g_task_new (store, NULL, done_cb, &result);
  P2psFileQuery *query = p2ps_file_query_new (text, NULL, 20);

  query->words = TRUE;
  g_task_set_task_data (task, query, (GDestroyNotify)p2ps_file_query_free);
  p2ps_store_run_lookup (store, task);
  found = g_task_propagate_pointer (G_TASK (await (&result)), NULL);
  return found->len;
}

static gint
compare_doubles (gconstpointer a, gconstpointer b)
{
  double x = *(const double *)a;
  double y = *(const double *)b;

  return (x > y) - (x < y);
}

/* What people type: one to three words, the last one often only begun. */
static char *
make_query (GRand *random)
{
  GString *text = g_string_new (NULL);
  int n = g_rand_int_range (random, 1, 4);

  for (int i = 0; i < n; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? " " : "", random_word (random));
  if (g_rand_boolean (random) && text->len > 4)
    g_string_truncate (text, text->len - (gsize)g_rand_int_range (random, 1, 3));
  return g_string_free (text, FALSE);
}

static void
report_worst (P2psStore *store)
{
  g_autofree char *common = g_strdup_printf ("%s %s", words[0], words[1]);
  g_autofree char *begun = g_strndup (words[0], MAX (4, strlen (words[0]) - 1));
  const char *texts[]
      = { "jpg",    "mp3", "dsc",  "dsc0", "dsc01 jpg", "k",           "ka",      "mp3 jpg",
          words[0], begun, common, "1",    "0 mp3",     "jpg dsc09 9", "zzzzzzz", "flac ka lo" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      double best = G_MAXDOUBLE;
      guint n = 0;

      for (int j = 0; j < 3; j++)
        {
          gint64 begun_at = g_get_monotonic_time ();
          n = search (store, texts[i]);
          best = MIN (best, seconds_since (begun_at));
        }
      printf ("%s{\"text\": \"%s\", \"found\": %u, \"ms\": %.2f}", i > 0 ? ", " : "", texts[i], n,
              best * 1000);
    }
}

/* The same queries whether the names were made in this run or not. */
static void
random_reseed (GRand *random)
{
  g_rand_set_seed (random, 8);
}

/* Of all threads, in milliseconds: what a search costs however busy the machine is. */
static double
cpu_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void
bench_names (guint n, const char *state)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (7);
  g_autofree char *path = g_build_filename (state, "names.sqlite", NULL);
  g_autoptr (P2psStore) store = p2ps_store_new (path);
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  g_autoptr (GArray) costs = g_array_new (FALSE, FALSE, sizeof (double));
  gint64 begun = g_get_monotonic_time ();
  double filled;

  make_words (random);
  if (!g_file_test (path, G_FILE_TEST_EXISTS)) /* else it is left from a call before */
    fill (store, random, n);
  random_reseed (random);
  filled = seconds_since (begun);
  for (int i = 0; i < 2000; i++)
    {
      g_autofree char *text = make_query (random);
      double before = cpu_ms ();
      double took;
      double cost;

      begun = g_get_monotonic_time ();
      search (store, text);
      took = seconds_since (begun) * 1000;
      cost = cpu_ms () - before;
      g_array_append_val (times, took);
      g_array_append_val (costs, cost);
      if (cost > 5 && g_getenv ("P2PS_BENCH_VERBOSE") != NULL)
        fprintf (stderr, "%.1f ms: %s\n", cost, text);
    }
  g_array_sort (times, compare_doubles);
  g_array_sort (costs, compare_doubles);
  printf ("{\"fill\": %.1f, \"p99_cpu_ms\": %.2f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": "
          "%.2f, \"worst\": [",
          filled, g_array_index (costs, double, 1980), g_array_index (times, double, 1000),
          g_array_index (times, double, 1980), g_array_index (times, double, 1999));
  report_worst (store);
  printf ("], \"rss_kib\": %" G_GINT64_FORMAT "}\n", read_proc ("/proc/self/status", "VmRSS:"));
  p2ps_store_close (store);
}

int
main (int argc, char **argv)
{
  process_start = g_get_monotonic_time ();
  if (argc == 4 && strcmp (argv[1], "index") == 0)
    bench_index (argv[2], argv[3]);
  else if (argc == 4 && strcmp (argv[1], "known") == 0)
    bench_known (argv[2], argv[3]);
  else if (argc == 4 && strcmp (argv[1], "names") == 0)
    bench_names ((guint)g_ascii_strtoull (argv[2], NULL, 10), argv[3]);
  else
    {
      fprintf (stderr, "usage: bench-library index|known SHARE STATE | names COUNT STATE\n");
      return 2;
    }
  return 0;
}
