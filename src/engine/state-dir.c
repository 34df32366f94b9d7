/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The folder that one node keeps its state in: where it is, that only one process uses it, and how
 * its socket is named. Called at the start and the end only, on any thread; local disk calls that
 * touch one small file. */

#define G_LOG_DOMAIN "p2ps-state"

#include "engine/state-dir.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/error.h"

/* $XDG_DATA_HOME/p2pshare. Caller owns it. */
char *
p2ps_state_dir_default (void)
{
  return g_build_filename (g_get_user_data_dir (), "p2pshare", NULL);
}

static int
fail (int fd, GError **error, const char *state_dir, const char *what)
{
  int saved = errno;

  g_set_error (error, P2PS_ERROR, P2PS_ERROR_FOLDER, "state folder %s: %s: %s", state_dir, what,
               g_strerror (saved));
  if (fd >= 0)
    close (fd);
  return -1;
}

static int
refuse_taken (int fd, GError **error, const char *state_dir)
{
  char pid[24] = "";
  ssize_t n = pread (fd, pid, sizeof pid - 1, 0);

  pid[n > 0 ? n : 0] = '\0';
  g_strchomp (pid);
  g_set_error (error, P2PS_ERROR, P2PS_ERROR_FAILED,
               "a node is already running with the state folder %s%s%s", state_dir,
               *pid ? ", process " : "", pid);
  close (fd);
  return -1;
}

/* Makes the folder (0700) and locks it for this process: two nodes on one database and one part
 * file would spoil both. Returns a descriptor that holds the lock until it is closed, or -1. The
 * lock dies with the process, so a killed node leaves nothing to clean up. */
int
p2ps_state_dir_take (const char *state_dir, GError **error)
{
  g_autofree char *path = g_build_filename (state_dir, "lock", NULL);
  g_autofree char *pid = g_strdup_printf ("%d\n", (int)getpid ());
  int fd;

  if (g_mkdir_with_parents (state_dir, 0700) != 0)
    return fail (-1, error, state_dir, "can't make it");
  fd = g_open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return fail (-1, error, state_dir, "can't write in it");
  if (flock (fd, LOCK_EX | LOCK_NB) != 0)
    return errno == EWOULDBLOCK ? refuse_taken (fd, error, state_dir)
                                : fail (fd, error, state_dir, "can't lock it");
  /* The number is for the message of the next one only: a failure to write it harms nothing. */
  if (ftruncate (fd, 0) != 0 || pwrite (fd, pid, strlen (pid), 0) < 0)
    g_debug ("%s: %s", path, g_strerror (errno));
  return fd;
}

/* The path of the control socket as bind() and connect() take it. A unix address holds 107 bytes:
 * where the folder's name is longer, the path goes through an open descriptor of the folder, which
 * is put into *dir_fd (-1 otherwise) and has to stay open while the path is in use. */
char *
p2ps_state_dir_dup_socket_path (const char *state_dir, int *dir_fd, GError **error)
{
  g_autofree char *path = g_build_filename (state_dir, P2PS_CONTROL_SOCKET, NULL);

  *dir_fd = -1;
  if (strlen (path) < sizeof ((struct sockaddr_un *)NULL)->sun_path)
    return g_steal_pointer (&path);
  *dir_fd = g_open (state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (*dir_fd < 0)
    {
      fail (-1, error, state_dir, "can't open it");
      return NULL;
    }
  return g_strdup_printf ("/proc/self/fd/%d/" P2PS_CONTROL_SOCKET, *dir_fd);
}
