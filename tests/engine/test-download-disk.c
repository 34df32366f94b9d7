/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A disk that really is full, then read-only, then well again: a small tmpfs in a mount namespace
 * of our own. Where the system allows no namespace, the limit on file sizes in test-download.c has
 * to do. */

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bad-server.h"
#include "disk.h"
#include "engine/digest.h"
#include "engine/downloads.h"

#define LENGTH (1024 * 1024)
#define NO_NAMESPACE 77

static gboolean
write_text (const char *path, const char *text)
{
  FILE *file = fopen (path, "w");

  if (file == NULL)
    return FALSE;
  fputs (text, file);
  return fclose (file) == 0;
}

/* Without root a user namespace comes first, in which we are root. */
static gboolean
enter_namespace (void)
{
  g_autofree char *users = g_strdup_printf ("0 %u 1", (guint)geteuid ());
  g_autofree char *groups = g_strdup_printf ("0 %u 1", (guint)getegid ());

  if (unshare (CLONE_NEWNS) < 0
      && (unshare (CLONE_NEWUSER | CLONE_NEWNS) < 0 || !write_text ("/proc/self/uid_map", users)
          || !write_text ("/proc/self/setgroups", "deny")
          || !write_text ("/proc/self/gid_map", groups)))
    return FALSE;
  return mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static gboolean
waits_because (P2psDownload *download, const char *what)
{
  return p2ps_download_get_state (download) == P2PS_DOWNLOAD_WAITING
         && strstr (p2ps_download_get_reason (download), what) != NULL;
}

static P2psDownload *
add (P2psDownloads *downloads, BadServer *server, char *data, char fill, gint64 size)
{
  g_autoptr (P2psDigest) digest = p2ps_digest_new ();
  char hash[P2PS_HASH_SIZE];
  g_autoptr (P2psHit) hit = NULL;
  P2psDownload *download;

  memset (data, fill, LENGTH);
  p2ps_digest_update (digest, data, LENGTH);
  p2ps_digest_finish (digest, hash);
  hit = p2ps_hit_new ("", bad_server_get_address (server), "name", hash, -1);
  download = p2ps_downloads_add (downloads, hash, "file.bin", size, NULL, NULL);
  p2ps_download_add_source (download, hit);
  return download;
}

static int
child_main (const char *folder)
{
  g_autofree char *data = g_malloc0 (LENGTH);
  BadServer *server;
  P2psDownloads *downloads;
  P2psDownload *download;

  if (!enter_namespace () || mount ("tmpfs", folder, "tmpfs", 0, "size=512k") < 0)
    return NO_NAMESPACE;
  server = bad_server_new (SERVE_CHUNKED, data, LENGTH);
  downloads = p2ps_downloads_new (NULL);
  p2ps_downloads_set_folder (downloads, folder);

  /* The size is known: nobody is even asked. */
  download = add (downloads, server, data, 'a', LENGTH);
  await_that (waits_because (download, "is full"));
  g_assert_cmpuint (bad_server_get_requests (server), ==, 0);
  g_assert_no_errno (mount (NULL, folder, NULL, MS_REMOUNT, "size=4m"));
  p2ps_download_resume (download);
  await_that (p2ps_download_is_over (download));
  g_assert_cmpint (p2ps_download_get_state (download), ==, P2PS_DOWNLOAD_DONE);

  /* It is not known: found out by writing. (No free space is kept here: the limit is the disk.) */
  g_assert_no_errno (mount (NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL));
  download = add (downloads, server, data, 'b', -1);
  await_that (waits_because (download, "Read-only file system"));
  g_assert_no_errno (mount (NULL, folder, NULL, MS_REMOUNT, "size=1280k"));
  bad_server_set_mode (server, SERVE_WELL);
  p2ps_download_resume (download);
  await_that (p2ps_download_get_reason (download) != NULL
              && strstr (p2ps_download_get_reason (download), "no room") != NULL);
  g_assert_no_errno (mount (NULL, folder, NULL, MS_REMOUNT, "size=4m"));
  p2ps_download_resume (download);
  await_that (p2ps_download_is_over (download));
  g_assert_cmpint (p2ps_download_get_state (download), ==, P2PS_DOWNLOAD_DONE);

  p2ps_downloads_stop (downloads);
  g_object_unref (downloads);
  bad_server_free (server);
  return 0;
}

static void
test_disk (void)
{
  g_autofree char *root = make_temp_dir ();
  g_autofree char *output = NULL;
  const char *argv[] = { "/proc/self/exe", "child", root, NULL };
  g_autoptr (GError) error = NULL;
  int status;

  g_spawn_sync (NULL, (char **)argv, NULL, 0, NULL, NULL, NULL, &output, &status, &error);
  g_assert_no_error (error);
  g_assert_true (WIFEXITED (status));
  if (WEXITSTATUS (status) == NO_NAMESPACE)
    g_test_message ("no mount namespace is allowed here");
  else if (WEXITSTATUS (status) != 0)
    g_error ("%s", output);
  remove_tree (root);
}

int
main (int argc, char **argv)
{
  if (argc == 3 && g_str_equal (argv[1], "child"))
    return child_main (argv[2]);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/download-disk/tmpfs", test_disk);
  return g_test_run ();
}
