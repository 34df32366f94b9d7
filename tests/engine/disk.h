/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* For the tests of the store and the library: waiting for results, and folders that go away. */

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_SECONDS 20

static inline void
got_result_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **)user_data = g_object_ref (result);
}

static inline gboolean
too_late_cb (gpointer user_data)
{
  g_error ("what the test waits for did not happen in %d s", WAIT_SECONDS);
  return G_SOURCE_REMOVE;
}

/* Runs the main loop until `result` is there. */
static inline GAsyncResult *
await (GAsyncResult **result)
{
  guint alarm = g_timeout_add_seconds (WAIT_SECONDS, too_late_cb, NULL);

  while (*result == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (alarm);
  return *result;
}

static inline gboolean
wake_cb (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

/* Runs the main loop until `condition` holds. */
#define await_that(condition)                                               \
  G_STMT_START                                                              \
  {                                                                         \
    guint wake_ = g_timeout_add (5, wake_cb, NULL);                         \
    guint alarm_ = g_timeout_add_seconds (WAIT_SECONDS, too_late_cb, NULL); \
    while (!(condition))                                                    \
      g_main_context_iteration (NULL, TRUE);                                \
    g_source_remove (wake_);                                                \
    g_source_remove (alarm_);                                               \
  }                                                                         \
  G_STMT_END

/* Returns: FALSE when somebody is still putting files there */
static inline gboolean
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = NULL;
  const char *name;
  struct stat info;

  if (lstat (path, &info) != 0)
    return TRUE;
  if (S_ISDIR (info.st_mode))
    {
      g_chmod (path, 0700);
      dir = g_dir_open (path, 0, NULL);
      while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
        {
          g_autofree char *child = g_build_filename (path, name, NULL);
          remove_tree (child);
        }
    }
  /* A database that is being closed takes its own files away. */
  return g_remove (path) == 0 || errno == ENOENT;
}

static inline char *
make_temp_dir (void)
{
  g_autoptr (GError) error = NULL;
  char *path = g_dir_make_tmp ("p2ps-test-XXXXXX", &error);

  g_assert_no_error (error);
  return path;
}

static inline void
write_file (const char *path, const char *content)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, content, strlen (content)), ==, (gssize)strlen (content));
  close (fd);
}
