/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Kills a process that downloads, at random moments, and starts it again. Whatever the moment: the
 * queue is there, nothing wrong is under a finished name, and the file arrives once. The same
 * program with "child" as its first argument is the one that is killed. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bad-server.h"
#include "disk.h"
#include "engine/digest.h"
#include "engine/downloads.h"
#include "engine/part-file.h"

#define LENGTH (640 * 1024 + 77)
#define TEST_SECONDS 6 /* or what P2PS_KILL_SECONDS says */
#define NOT_IN_QUEUE 3

/* ---- the child ---- */

/* child FOLDER DATABASE HASH [PORT]: with PORT it adds the download and says so when it is stored;
 * without, the queue must have it. Ends with 0 when it is done. */
static int
child_main (char **argv)
{
  g_autoptr (P2psStore) store = p2ps_store_new (argv[3]);
  g_autoptr (P2psDownloads) downloads = p2ps_downloads_new (store);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GPtrArray) records = NULL;
  g_autoptr (GError) error = NULL;
  P2psDownload *download;

  p2ps_downloads_set_folder (downloads, argv[2]);
  if (argv[5] != NULL)
    {
      P2psAddress address = { "127.0.0.1", atoi (argv[5]) };
      g_autoptr (P2psHit) hit = p2ps_hit_new ("", &address, "name", argv[4], -1);
      g_autoptr (GPtrArray) hits = g_ptr_array_new ();

      g_ptr_array_add (hits, hit);
      p2ps_downloads_add (downloads, argv[4], "file.bin", LENGTH, NULL, hits);
      p2ps_store_list_downloads_async (store, got_result_cb, &result);
      await (&result);
      records = p2ps_store_list_downloads_finish (store, result, NULL);
      if (records == NULL || records->len != 1)
        return 4;
      if (write (STDOUT_FILENO, "+", 1) != 1)
        return 4;
    }
  else
    {
      p2ps_store_list_downloads_async (store, got_result_cb, &result);
      await (&result);
      records = p2ps_store_list_downloads_finish (store, result, &error);
      if (records == NULL || records->len != 1)
        {
          g_printerr ("not in the queue: %s\n", error != NULL ? error->message : "empty");
          return NOT_IN_QUEUE;
        }
      p2ps_downloads_load (downloads);
      await_that (p2ps_downloads_get (downloads, argv[4]) != NULL);
    }
  download = p2ps_downloads_get (downloads, argv[4]);
  if (p2ps_download_get_state (download) == P2PS_DOWNLOAD_PAUSED)
    return 4;
  await_that (p2ps_download_is_over (download));
  if (p2ps_download_get_state (download) != P2PS_DOWNLOAD_DONE)
    return 4;
  p2ps_downloads_stop (downloads);
  p2ps_store_close (store);
  return 0;
}

/* ---- the parent ---- */

typedef struct
{
  char *root;
  char *folder;
  char *database;
  char data[LENGTH];
  char hash[P2PS_HASH_SIZE];
  BadServer *server;
  GRand *random;
  guint kills, rounds, taken_up;
} Test;

/* Everything in the folder but the part file is the right file, and there is at most one. */
static guint
check_folder (Test *t)
{
  g_autoptr (GDir) dir = g_dir_open (t->folder, 0, NULL);
  const char *name;
  guint n = 0;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (t->folder, name, NULL);
      g_autofree char *content = NULL;
      gsize length;

      if (g_str_has_suffix (name, P2PS_PART_SUFFIX))
        continue;
      g_assert_cmpstr (name, ==, "file.bin");
      g_assert_true (g_file_get_contents (path, &content, &length, NULL));
      g_assert_cmpmem (content, length, t->data, sizeof t->data);
      n++;
    }
  return n;
}

static void
wait_exit_cb (GPid pid, int status, gpointer data)
{
  *(int *)data = status;
}

/* Runs a child and kills it after `delay` microseconds, or lets it end with -1. Returns its status;
 * `added`: it said that the download is stored. */
static int
run_child (Test *t, gboolean add, gint64 delay, gboolean *added)
{
  g_autofree char *port
      = add ? g_strdup_printf ("%u", bad_server_get_address (t->server)->port) : NULL;
  char *argv[]
      = { (char *)"/proc/self/exe", (char *)"child", t->folder, t->database, t->hash, port, NULL };
  g_autoptr (GError) error = NULL;
  GPid pid;
  int output, status = -1;
  char said;

  g_spawn_async_with_pipes (NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL,
                            &output, NULL, &error);
  g_assert_no_error (error);
  g_child_watch_add (pid, wait_exit_cb, &status);
  if (delay >= 0)
    {
      g_usleep (delay);
      kill (pid, SIGKILL);
      t->kills++;
    }
  await_that (status != -1);
  if (read (output, &said, 1) == 1)
    *added = TRUE;
  close (output);
  if (WIFEXITED (status))
    g_assert_cmpint (WEXITSTATUS (status), ==, 0);
  return status;
}

/* One download, killed again and again, then let go. */
static void
run_round (Test *t)
{
  gboolean added = FALSE, ended = FALSE;
  guint kills = 0;

  bad_server_set_mode (t->server, g_rand_boolean (t->random) ? SERVE_SLOW : SERVE_WELL);
  while (!ended && kills++ < 12)
    {
      int status = run_child (t, !added, g_rand_int_range (t->random, 0, 160000), &added);

      ended = WIFEXITED (status);
      if (check_folder (t) == 1 && !ended)
        {
          /* Killed after the rename: it is known again, and not asked for. */
          guint requests = bad_server_get_requests (t->server);

          status = run_child (t, !added, -1, &added);
          g_assert_true (WIFEXITED (status));
          g_assert_cmpuint (bad_server_get_requests (t->server), ==, requests);
          t->taken_up++;
          ended = TRUE;
        }
    }
  if (!ended)
    run_child (t, !added, -1, &added);
  g_assert_cmpuint (check_folder (t), ==, 1);
  t->rounds++;
}

static void
test_kill (void)
{
  Test *t = g_new0 (Test, 1);
  g_autoptr (P2psDigest) digest = p2ps_digest_new ();
  const char *seconds = g_getenv ("P2PS_KILL_SECONDS");
  gint64 end = g_get_monotonic_time ()
               + (seconds != NULL ? atoi (seconds) : TEST_SECONDS) * G_USEC_PER_SEC;

  t->random = g_rand_new_with_seed (g_test_rand_int ());
  for (gsize i = 0; i < LENGTH; i++)
    t->data[i] = g_rand_int (t->random);
  p2ps_digest_update (digest, t->data, LENGTH);
  p2ps_digest_finish (digest, t->hash);
  t->server = bad_server_new (SERVE_SLOW, t->data, LENGTH);
  while (g_get_monotonic_time () < end)
    {
      t->root = make_temp_dir ();
      t->folder = g_build_filename (t->root, "downloads", NULL);
      t->database = g_build_filename (t->root, "store.db", NULL);
      g_assert_no_errno (g_mkdir (t->folder, 0755));
      run_round (t);
      remove_tree (t->root);
      g_free (t->root);
      g_free (t->folder);
      g_free (t->database);
    }
  g_test_message ("%u downloads, %u kills, %u of them after the rename", t->rounds, t->kills,
                  t->taken_up);
  bad_server_free (t->server);
  g_rand_free (t->random);
  g_free (t);
}

int
main (int argc, char **argv)
{
  if (argc >= 5 && g_str_equal (argv[1], "child"))
    return child_main (argv);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/download-kill/kill", test_kill);
  return g_test_run ();
}
