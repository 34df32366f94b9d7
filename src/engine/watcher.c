/* SPDX-License-Identifier: GPL-3.0-or-later */

/* inotify over the shared folders, on the scanner's thread. Not GFileMonitor: that has an object
 * and a source for each folder, and doesn't say when the system has no more watches to give. A
 * folder that can't be watched is no error here: the sweep finds what happens in it. */

#define G_LOG_DOMAIN "p2ps-library"

#include "engine/watcher.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS                                                                           \
  (IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF \
   | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK)

typedef struct
{
  int descriptor;
  guint round; /* of the sweep that saw it last */
  char path[];
} Watch;

struct _P2psWatcher
{
  int fd;                    /* -1: no inotify here */
  GHashTable *by_descriptor; /* int -> Watch, owned */
  GHashTable *by_path;       /* Watch.path -> Watch */
  guint round;
  guint max_watches;
  gboolean limited;
};

P2psWatcher *
p2ps_watcher_new (void)
{
  P2psWatcher *watcher = g_new0 (P2psWatcher, 1);

  watcher->fd = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
  watcher->limited = watcher->fd < 0;
  watcher->by_descriptor = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  watcher->by_path = g_hash_table_new (g_str_hash, g_str_equal);
  return watcher;
}

void
p2ps_watcher_free (P2psWatcher *watcher)
{
  if (watcher->fd >= 0)
    close (watcher->fd);
  g_hash_table_unref (watcher->by_path);
  g_hash_table_unref (watcher->by_descriptor);
  g_free (watcher);
}

/* Returns: to poll for reading, or -1 */
int
p2ps_watcher_get_fd (P2psWatcher *watcher)
{
  return watcher->fd;
}

/* Whether some folder could not be watched since p2ps_watcher_begin(). */
gboolean
p2ps_watcher_is_limited (P2psWatcher *watcher)
{
  return watcher->limited;
}

static void
drop_watch (P2psWatcher *watcher, Watch *watch)
{
  if (g_hash_table_lookup (watcher->by_path, watch->path) == watch)
    g_hash_table_remove (watcher->by_path, watch->path);
  g_hash_table_remove (watcher->by_descriptor, GINT_TO_POINTER (watch->descriptor));
}

static gboolean
add_watch (P2psWatcher *watcher, const char *folder)
{
  gsize size = strlen (folder) + 1;
  int descriptor = inotify_add_watch (watcher->fd, folder, EVENTS);
  Watch *watch;

  if (descriptor < 0)
    return errno != ENOSPC && errno != ENOMEM; /* gone meanwhile: nothing to watch */
  /* A folder that was renamed keeps its descriptor and gets its new path. */
  watch = g_hash_table_lookup (watcher->by_descriptor, GINT_TO_POINTER (descriptor));
  if (watch != NULL)
    drop_watch (watcher, watch);
  watch = g_malloc (sizeof *watch + size);
  watch->descriptor = descriptor;
  watch->round = watcher->round;
  memcpy (watch->path, folder, size);
  g_hash_table_insert (watcher->by_descriptor, GINT_TO_POINTER (descriptor), watch);
  g_hash_table_replace (watcher->by_path, watch->path, watch);
  return TRUE;
}

/* Watches `folder`, or goes on watching it. Cheap when it is watched already.
 *
 * Returns: FALSE when the limit is reached */
gboolean
p2ps_watcher_add (P2psWatcher *watcher, const char *folder)
{
  Watch *watch = g_hash_table_lookup (watcher->by_path, folder);

  if (watch != NULL)
    {
      watch->round = watcher->round;
      return TRUE;
    }
  if (watcher->max_watches == 0)
    return TRUE;
  if (watcher->fd < 0 || g_hash_table_size (watcher->by_descriptor) >= watcher->max_watches
      || !add_watch (watcher, folder))
    watcher->limited = TRUE;
  return !watcher->limited;
}

/* A sweep begins, which may watch `max_watches` folders (0 = nobody wants any watched): what it
 * doesn't add again until p2ps_watcher_end() is no longer watched. */
void
p2ps_watcher_begin (P2psWatcher *watcher, guint max_watches)
{
  watcher->round++;
  watcher->max_watches = max_watches;
  watcher->limited = watcher->fd < 0;
}

void
p2ps_watcher_end (P2psWatcher *watcher)
{
  g_autoptr (GPtrArray) old = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer watch;

  g_hash_table_iter_init (&iter, watcher->by_descriptor);
  while (g_hash_table_iter_next (&iter, NULL, &watch))
    if (((Watch *)watch)->round != watcher->round)
      g_ptr_array_add (old, watch);
  for (guint i = 0; i < old->len; i++)
    {
      Watch *gone = old->pdata[i];

      inotify_rm_watch (watcher->fd, gone->descriptor);
      drop_watch (watcher, gone);
    }
}

static void
handle (P2psWatcher *watcher, const struct inotify_event *event, P2psWatchFunc func,
        gpointer user_data)
{
  Watch *watch = g_hash_table_lookup (watcher->by_descriptor, GINT_TO_POINTER (event->wd));

  if (event->mask & IN_Q_OVERFLOW)
    {
      func (P2PS_WATCH_LOST, NULL, NULL, user_data);
      return;
    }
  if (watch == NULL)
    return;
  if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT))
    {
      /* After a move events would come with the old path. */
      if (event->mask & IN_MOVE_SELF)
        inotify_rm_watch (watcher->fd, event->wd);
      drop_watch (watcher, watch);
      func (P2PS_WATCH_LOST, NULL, NULL, user_data);
      return;
    }
  if (event->len == 0)
    return;
  if (!(event->mask & IN_ISDIR))
    func (P2PS_WATCH_FILE, watch->path, event->name, user_data);
  else if (event->mask & (IN_CREATE | IN_MOVED_TO))
    func (P2PS_WATCH_FOLDER, watch->path, event->name, user_data);
  else if (event->mask & (IN_DELETE | IN_MOVED_FROM))
    func (P2PS_WATCH_LOST, NULL, NULL, user_data);
}

/* Hands out what has happened; doesn't wait. */
void
p2ps_watcher_read (P2psWatcher *watcher, P2psWatchFunc func, gpointer user_data)
{
  char buffer[16384] __attribute__ ((aligned (__alignof__(struct inotify_event))));
  gssize n;

  while (watcher->fd >= 0 && (n = read (watcher->fd, buffer, sizeof buffer)) > 0)
    for (char *p = buffer; p < buffer + n;)
      {
        const struct inotify_event *event = (const struct inotify_event *)(void *)p;

        handle (watcher, event, func, user_data);
        p += sizeof *event + event->len;
      }
}
