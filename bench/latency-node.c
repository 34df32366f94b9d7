/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One node for bench/latency.py, which speaks to it on standard input and output.
 *   latency-node serve FOLDER                 says "PORT" once the folder's files are offered
 *   latency-node measure FOLDER PORT HASH     the same; then, at "go", fetches HASH from the node
 * at PORT while 10 000 hits come in, and at "stop" says "p50 p99 max cpu N": microseconds that an
 *       iteration of the main loop kept it, without waiting in poll(); cpu is the most that one
 *       used of the processor, N how many there were */

#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/engine-private.h"
#include "engine/p2ps.h"
#include "tests/engine/loop.h"

#define HITS 10000
#define HITS_A_MESSAGE 20

typedef struct
{
  P2psEngine *engine;
  P2psSearch *search;
  P2psDownload *download;
  guint given;
  gboolean go, stop, started;
} Bench;

static gboolean
line_cb (GIOChannel *channel, GIOCondition condition, gpointer data)
{
  Bench *bench = data;
  g_autofree char *line = NULL;

  if (g_io_channel_read_line (channel, &line, NULL, NULL, NULL) != G_IO_STATUS_NORMAL
      || g_str_has_prefix (line, "stop"))
    bench->stop = TRUE;
  else
    bench->go = TRUE;
  return !bench->stop;
}

static P2psConfig *
make_config (const char *folder, const char *state, const char *peer)
{
  P2psConfig *config = p2ps_config_new ();
  P2psAddress address;

  g_free (config->host);
  config->host = g_strdup ("127.0.0.1");
  config->port = 0;
  g_ptr_array_add (config->folders, g_strdup (folder));
  g_free (config->download_folder);
  config->download_folder = g_build_filename (state, "downloads", NULL);
  g_mkdir_with_parents (config->download_folder, 0700);
  if (peer && p2ps_address_init (&address, "127.0.0.1", (guint)atoi (peer)))
    g_array_append_val (config->peers, address);
  return config;
}

static gboolean
give_hits_cb (gpointer data)
{
  Bench *bench = data;
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  P2psAddress holder;
  char hash[P2PS_HASH_SIZE];

  p2ps_address_init (&holder, "127.0.0.9", 20000 + bench->given / HITS_A_MESSAGE);
  for (guint i = 0; i < HITS_A_MESSAGE; i++)
    {
      g_snprintf (hash, sizeof hash, "%064x", bench->given++);
      g_ptr_array_add (hits, p2ps_hit_new (p2ps_search_get_qid (bench->search), &holder,
                                           "a name of some length.flac", hash, 4096));
    }
  g_signal_emit_by_name (bench->engine->driver, "hits", hits, TRUE);
  return bench->given < HITS;
}

static void
begin (Bench *bench, const char *hash, guint port)
{
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  P2psAddress holder;

  bench->started = TRUE;
  p2ps_address_init (&holder, "127.0.0.1", port);
  g_ptr_array_add (hits,
                   p2ps_hit_new (p2ps_search_get_qid (bench->search), &holder, "file", hash, -1));
  bench->download = p2ps_engine_download (bench->engine, hash, "file", -1, hits, NULL, NULL);
  g_timeout_add (1, give_hits_cb, bench);
  loop_start_measuring ();
}

static void
report (Bench *bench)
{
  gboolean done = !bench->download
                  || (p2ps_download_get_state (bench->download) == P2PS_DOWNLOAD_DONE
                      && bench->given == HITS);

  printf ("%s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT
          " %u\n",
          done ? "done" : "unfinished", loop_get_percentile (loop_wall, 50),
          loop_get_percentile (loop_wall, 99), loop_get_percentile (loop_wall, 100),
          loop_get_percentile (loop_cpu, 100), loop_wall->len);
  fflush (stdout);
}

static void
stopped_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  *(gboolean *)data = TRUE;
}

static void
run (Bench *bench, int argc, char **argv)
{
  P2psLibrary *library = p2ps_engine_get_library (bench->engine);
  g_autoptr (GIOChannel) input = g_io_channel_unix_new (STDIN_FILENO);
  gboolean stopped = FALSE;

  while (p2ps_library_get_files (library) == 0 || p2ps_library_get_scanning (library))
    loop_iterate (TRUE);
  printf ("%u\n", p2ps_engine_get_port (bench->engine));
  fflush (stdout);
  g_io_add_watch (input, G_IO_IN | G_IO_HUP, line_cb, bench);
  while (!bench->stop || (bench->download && !p2ps_download_is_over (bench->download)))
    {
      loop_iterate (TRUE);
      if (bench->go && !bench->started && argc == 5)
        begin (bench, argv[4], (guint)atoi (argv[3]));
    }
  report (bench);
  p2ps_engine_stop_async (bench->engine, stopped_cb, &stopped);
  while (!stopped)
    g_main_context_iteration (NULL, TRUE);
}

int
main (int argc, char **argv)
{
  g_autofree char *state = g_dir_make_tmp ("p2ps-latency-XXXXXX", NULL);
  g_autoptr (GError) error = NULL;
  Bench bench = { 0 };

  if (argc != 3 && argc != 5)
    return 2;
  g_autoptr (P2psConfig) config = make_config (argv[2], state, argc == 5 ? argv[3] : NULL);
  bench.engine = p2ps_engine_new (state);
  loop_start_measuring ();
  if (!p2ps_engine_start (bench.engine, config, &error))
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  if (argc == 5)
    bench.search = p2ps_engine_search (bench.engine, "name", NULL);
  run (&bench, argc, argv);
  g_object_unref (bench.engine);
  g_autofree char *command = g_strdup_printf ("rm -rf '%s'", state);
  return system (command) == 0 ? 0 : 1;
}
