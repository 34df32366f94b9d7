/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Owns the thread that decides when to look at what: all folders every 30 s, a changed name once it
 * has settled. It also owns the watcher and the hasher, and keeps what the library tells about
 * itself. A scanner lives as long as its thread does: stopping is asked for, and waited for only a
 * little while, since a folder on a dead network disk can hold a thread for ever. */

#define G_LOG_DOMAIN "p2ps-library"

#include "engine/scanner.h"
#include "config-build.h"

#include "engine/error.h"
#include "engine/hasher.h"
#include "engine/library.h"
#include "engine/pending.h"
#include "engine/store-trees.h"
#include "engine/sweep.h"
#include "engine/watcher.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <malloc.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAX_SKIPPED 10000
#define FORGET_AFTER (7 * 24 * 3600) /* seconds that a missing folder is remembered */
#define FORGET_AT_ONCE 1000          /* files in one transaction */
#define TREES_AT_ONCE 32             /* files: new ones should not have to wait for long */
#define STOP_PATIENCE (3 * G_TIME_SPAN_SECOND)

typedef struct
{
  guint64 round; /* of the sweep that said so */
  char reason[];
} Skip;

struct _P2psScanner
{
  gatomicrefcount refs; /* of the owner and of the thread */
  P2psStore *store;
  P2psHasher *hasher;
  P2psWatcher *watcher;          /* used by the thread alone */
  gboolean treeless;             /* there may be contents without a block tree; the thread's own */
  const P2psShares *tree_shares; /* the shares when that was last found out: no pointer */
  guint8 tree_after[P2PS_BINARY_HASH_SIZE]; /* where to go on with them */
  int wake_fd;
  void (*changed) (gpointer user_data);
  gpointer user_data;
  GDestroyNotify free_user_data;

  GMutex mutex; /* for all below */
  GCond ended_cond;
  GThread *thread;
  P2psShares *shares;
  P2psScannerTiming timing;
  P2psPending *pending; /* names to look at again, and when */
  gboolean stop;
  gboolean ended;
  gboolean sweep_now;
  guint64 counted; /* status.changes when the files were counted last */
  gint64 next_sweep;
  P2psScannerStatus status;
  GHashTable *skipped;  /* path -> Skip */
  GString *missing;     /* what this sweep has found missing; the thread's own */
  char *missing_notice; /* what the last one did */
  char *trouble;        /* why the last one failed */
  gboolean limited;     /* some folders can't be watched */
};

static void
scanner_unref (P2psScanner *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  p2ps_hasher_free (self->hasher);
  p2ps_watcher_free (self->watcher);
  p2ps_pending_free (self->pending);
  close (self->wake_fd);
  g_hash_table_unref (self->skipped);
  g_string_free (self->missing, TRUE);
  g_free (self->missing_notice);
  g_free (self->trouble);
  g_clear_pointer (&self->shares, p2ps_shares_unref);
  g_object_unref (self->store);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->ended_cond);
  if (self->free_user_data != NULL)
    self->free_user_data (self->user_data);
  g_free (self);
}

static void
wake (P2psScanner *self)
{
  eventfd_write (self->wake_fd, 1);
}

static void
set_string (char **place, const char *text)
{
  g_free (*place);
  *place = g_strdup (text);
}

/* --- what the hasher and the sweep tell; any thread --- */

static void
index_changed (const P2psIndexChange *change, gpointer user_data)
{
  P2psScanner *self = user_data;
  gint64 files = 0;
  gint64 bytes = 0;
  gboolean recounted
      = change->recount && p2ps_store_count_files (self->store, &files, &bytes, NULL);

  g_mutex_lock (&self->mutex);
  self->status.files = recounted ? files : self->status.files + change->files;
  self->status.bytes = recounted ? bytes : self->status.bytes + change->bytes;
  self->status.changes++;
  g_mutex_unlock (&self->mutex);
  self->changed (self->user_data);
}

static void
skip (P2psScanner *self, const char *folder, const char *name, const char *reason)
{
  char *path = g_build_filename (folder, name, NULL);
  gsize size = strlen (reason) + 1;
  Skip *entry;

  g_mutex_lock (&self->mutex);
  if (g_hash_table_size (self->skipped) < MAX_SKIPPED
      || g_hash_table_contains (self->skipped, path))
    {
      entry = g_malloc (sizeof *entry + size);
      entry->round = self->status.scans;
      memcpy (entry->reason, reason, size);
      g_hash_table_replace (self->skipped, g_steal_pointer (&path), entry);
    }
  g_mutex_unlock (&self->mutex);
  g_free (path);
}

static void
file_judged (const char *folder, const char *name, const char *reason, gpointer user_data)
{
  P2psScanner *self = user_data;
  g_autofree char *path = NULL;
  gboolean any;

  if (reason != NULL)
    {
      skip (self, folder, name, reason);
      return;
    }
  g_mutex_lock (&self->mutex);
  any = g_hash_table_size (self->skipped) > 0;
  if (any)
    {
      path = g_build_filename (folder, name, NULL);
      g_hash_table_remove (self->skipped, path);
    }
  g_mutex_unlock (&self->mutex);
}

static void
file_unsettled (const char *folder, const char *name, gint64 due, gpointer user_data)
{
  P2psScanner *self = user_data;

  g_mutex_lock (&self->mutex);
  p2ps_pending_add (self->pending, folder, name, due);
  g_mutex_unlock (&self->mutex);
  wake (self);
}

static void
hasher_progressed (gpointer user_data)
{
  P2psScanner *self = user_data;

  wake (self); /* a sweep may be waiting for room */
  self->changed (self->user_data);
}

static const P2psHasherFuncs hasher_funcs = {
  .indexed = index_changed,
  .judged = file_judged,
  .unsettled = file_unsettled,
  .progressed = hasher_progressed,
};

/* --- the thread: what the watcher tells --- */

static void
watched (P2psWatchEvent event, const char *folder, const char *name, gpointer user_data)
{
  P2psScanner *self = user_data;
  gint64 due;

  g_mutex_lock (&self->mutex);
  due = g_get_monotonic_time () + (gint64)self->timing.settle_ms * 1000;
  if (event == P2PS_WATCH_LOST)
    self->next_sweep = MIN (self->next_sweep, due);
  else if (self->shares != NULL && p2ps_shares_takes_name (self->shares, name))
    {
      /* A new folder is read at once, so that it is watched before much happens in it. */
      if (event == P2PS_WATCH_FOLDER)
        due = 0;
      p2ps_pending_add (self->pending, folder, name, due);
    }
  g_mutex_unlock (&self->mutex);
}

/* Waits until `until` (monotonic; 0 = not at all) for a wake-up or something to read. */
static void
wait_for_events (P2psScanner *self, gint64 until)
{
  struct pollfd fds[] = {
    { .fd = self->wake_fd, .events = POLLIN },
    { .fd = p2ps_watcher_get_fd (self->watcher), .events = POLLIN },
  };
  gint64 wait_ms = (until - g_get_monotonic_time () + 999) / 1000;
  eventfd_t count;

  if (poll (fds, G_N_ELEMENTS (fds), (int)CLAMP (wait_ms, 0, 60000)) <= 0)
    return;
  if (fds[0].revents)
    eventfd_read (self->wake_fd, &count);
  if (fds[1].revents)
    p2ps_watcher_read (self->watcher, watched, self);
}

/* --- the thread: sweeping --- */

typedef struct
{
  P2psScanner *scanner;
  P2psShares *shares;
  gboolean urgent; /* somebody waits for it: before what a sweep finds */
} Run;

static gboolean run_pending (P2psScanner *self);

/* While the queue is full the sweep waits here, and new files are still looked after. */
static gboolean
entered (const char *folder, gpointer user_data)
{
  Run *run = user_data;
  P2psScanner *self = run->scanner;
  gboolean go_on;

  p2ps_watcher_add (self->watcher, folder);
  do
    {
      g_mutex_lock (&self->mutex);
      go_on = !self->stop && self->shares == run->shares;
      g_mutex_unlock (&self->mutex);
      if (!go_on || run->urgent || p2ps_hasher_has_room (self->hasher))
        return go_on;
      p2ps_hasher_kick (self->hasher);
      wait_for_events (self, g_get_monotonic_time () + G_TIME_SPAN_SECOND / 4);
      run_pending (self);
    }
  while (TRUE);
}

static void
wanted (const char *root, const char *folder, const char *name, gint64 size, gpointer user_data)
{
  Run *run = user_data;

  p2ps_hasher_push (run->scanner->hasher, root, folder, name, size, run->shares->links,
                    run->urgent);
}

static void
unsettled (const char *folder, const char *name, gint64 due, gpointer user_data)
{
  P2psScanner *self = ((Run *)user_data)->scanner;

  g_mutex_lock (&self->mutex);
  p2ps_pending_add (self->pending, folder, name, due);
  g_mutex_unlock (&self->mutex);
}

static void
skipped (const char *folder, const char *name, const char *reason, gpointer user_data)
{
  skip (((Run *)user_data)->scanner, folder, name, reason);
}

static void
missing (const char *root, const char *reason, gpointer user_data)
{
  P2psScanner *self = ((Run *)user_data)->scanner;
  g_autofree char *display = g_filename_display_name (root);

  if (self->missing->len > 0)
    g_string_append_c (self->missing, '\n');
  g_string_append_printf (self->missing, _ ("The shared folder %s can't be read: %s"), display,
                          reason);
}

static void
swept_change (const P2psIndexChange *change, gpointer user_data)
{
  index_changed (change, ((Run *)user_data)->scanner);
}

static const P2psSweepFuncs sweep_funcs = {
  .entered = entered,
  .wanted = wanted,
  .unsettled = unsettled,
  .skipped = skipped,
  .missing = missing,
  .changed = swept_change,
};

/* Returns: (transfer full) (nullable): the shares to work with; `setup` is filled in */
static P2psShares *
begin_run (P2psScanner *self, P2psSweepSetup *setup, Run *run, gboolean urgent)
{
  g_mutex_lock (&self->mutex);
  run->shares = self->shares != NULL ? p2ps_shares_ref (self->shares) : NULL;
  setup->settle_ms = self->timing.settle_ms;
  g_mutex_unlock (&self->mutex);
  run->scanner = self;
  run->urgent = urgent;
  setup->store = self->store;
  setup->shares = run->shares;
  setup->funcs = &sweep_funcs;
  setup->user_data = run;
  return run->shares;
}

/* Looks at the names that are due. Returns: whether there were any */
static gboolean
run_pending (P2psScanner *self)
{
  g_autoptr (P2psShares) shares = NULL;
  g_autoptr (GPtrArray) names = NULL;
  g_autofree char *folder = NULL;
  P2psSweepSetup setup;
  Run run;

  g_mutex_lock (&self->mutex);
  folder = p2ps_pending_take (self->pending, g_get_monotonic_time (), &names);
  g_mutex_unlock (&self->mutex);
  if (folder == NULL)
    return FALSE;
  shares = begin_run (self, &setup, &run, TRUE);
  if (shares != NULL)
    p2ps_sweep_names (&setup, folder, names, NULL); /* on an error the next sweep finds them */
  p2ps_hasher_kick (self->hasher);
  self->changed (self->user_data);
  return TRUE;
}

/* The figures are kept up by what each change says; before a sweep they are counted anew if there
 * were changes, so that a rebuilt database or two changes at once leave no error behind. */
static void
count (P2psScanner *self)
{
  gint64 files = 0;
  gint64 bytes = 0;

  if (self->counted == self->status.changes
      || !p2ps_store_count_files (self->store, &files, &bytes, NULL))
    return;
  g_mutex_lock (&self->mutex);
  self->counted = self->status.changes;
  self->status.files = files;
  self->status.bytes = bytes;
  g_mutex_unlock (&self->mutex);
  self->changed (self->user_data);
}

static gboolean
is_stopping (P2psScanner *self)
{
  gboolean stop;

  g_mutex_lock (&self->mutex);
  stop = self->stop;
  g_mutex_unlock (&self->mutex);
  return stop;
}

static void
forget_gone (P2psScanner *self)
{
  gint64 before = g_get_real_time () / G_TIME_SPAN_SECOND - FORGET_AFTER;
  guint n = 1;

  while (n > 0 && !is_stopping (self))
    if (!p2ps_store_forget_gone (self->store, before, FORGET_AT_ONCE, &n, NULL))
      break;
}

static gboolean
skip_is_old (gpointer path, gpointer value, gpointer user_data)
{
  return ((Skip *)value)->round + 2 <= *(guint64 *)user_data;
}

static void
end_sweep (P2psScanner *self, gint64 begun, const GError *error)
{
  gint64 now = g_get_monotonic_time ();

  g_mutex_lock (&self->mutex);
  self->status.scans++;
  self->status.last_scan_seconds = (double)(now - begun) / G_TIME_SPAN_SECOND;
  /* Never more than half of the time, on a disk that is slower than the interval. */
  if (self->next_sweep == G_MAXINT64)
    self->next_sweep
        = MAX (begun + (gint64)self->timing.sweep_interval_ms * 1000, now + (now - begun));
  set_string (&self->missing_notice, self->missing->len > 0 ? self->missing->str : NULL);
  set_string (&self->trouble, error != NULL ? error->message : NULL);
  self->limited = p2ps_watcher_is_limited (self->watcher);
  g_hash_table_foreach_remove (self->skipped, skip_is_old, &self->status.scans);
  g_mutex_unlock (&self->mutex);
#ifdef __GLIBC__
  malloc_trim (0); /* the lists of names are large, and the next sweep is far */
#endif
}

/* --- the thread: block trees of what was indexed before there were any --- */

/* After a sweep. Once for these shares: what can't be read now must not be tried for ever. */
static void
begin_trees (P2psScanner *self, const P2psShares *shares)
{
  if (self->tree_shares == shares)
    return;
  self->tree_shares = shares;
  self->treeless = TRUE;
  memset (self->tree_after, 0, sizeof self->tree_after);
}

static void
push_treeless (P2psScanner *self, P2psShares *shares, const P2psTreeless *treeless)
{
  const char *root
      = treeless->folder != NULL ? p2ps_shares_find_root (shares, treeless->folder) : NULL;
  g_autoptr (GRefString) folder = NULL;

  if (root == NULL)
    return;
  folder = g_ref_string_new (treeless->folder);
  p2ps_hasher_push (self->hasher, root, folder, treeless->name, treeless->size, shares->links,
                    FALSE);
}

/* While there is nothing else to hash, has some contents without a tree read again.
 *
 * Returns: whether there may be more to do at once */
static gboolean
build_trees (P2psScanner *self)
{
  g_autoptr (P2psShares) shares = NULL;
  g_autoptr (GPtrArray) list = NULL;

  if (!self->treeless || p2ps_hasher_get_waiting (self->hasher) > 0)
    return FALSE;
  g_mutex_lock (&self->mutex);
  shares = self->shares != NULL ? p2ps_shares_ref (self->shares) : NULL;
  g_mutex_unlock (&self->mutex);
  if (shares == NULL)
    return FALSE;
  list = p2ps_store_list_treeless (self->store, self->tree_after, TREES_AT_ONCE, NULL);
  self->treeless = list != NULL && list->len > 0;
  for (guint i = 0; self->treeless && i < list->len; i++)
    {
      const P2psTreeless *treeless = list->pdata[i];

      push_treeless (self, shares, treeless);
      memcpy (self->tree_after, treeless->hash, sizeof self->tree_after);
    }
  p2ps_hasher_kick (self->hasher);
  return self->treeless;
}

/* --- the thread: everything --- */

static void
sweep (P2psScanner *self)
{
  gint64 begun = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psShares) shares = NULL;
  P2psSweepSetup setup;
  guint max_watches;
  gboolean interrupted;
  Run run;

  g_mutex_lock (&self->mutex);
  self->sweep_now = FALSE;
  self->next_sweep = G_MAXINT64;
  self->status.scanning = TRUE;
  max_watches = self->timing.max_watches;
  g_mutex_unlock (&self->mutex);
  self->changed (self->user_data);

  shares = begin_run (self, &setup, &run, FALSE);
  g_string_truncate (self->missing, 0);
  p2ps_watcher_begin (self->watcher, max_watches);
  count (self);
  if (shares != NULL)
    p2ps_sweep_all (&setup, &error);
  p2ps_hasher_kick (self->hasher);
  p2ps_watcher_end (self->watcher);
  g_mutex_lock (&self->mutex);
  interrupted = self->stop || self->shares != run.shares;
  g_mutex_unlock (&self->mutex);
  if (!interrupted)
    {
      p2ps_store_shrink (self->store);
      begin_trees (self, shares);
      end_sweep (self, begun, error);
      forget_gone (self);
    }
  g_mutex_lock (&self->mutex);
  self->status.scanning = self->sweep_now;
  g_mutex_unlock (&self->mutex);
  self->changed (self->user_data);
}

static gpointer
scan_thread (gpointer data)
{
  P2psScanner *self = data;
  gboolean running = TRUE;

  while (running)
    {
      gboolean due;
      gint64 until;

      g_mutex_lock (&self->mutex);
      due = self->shares != NULL
            && (self->sweep_now || g_get_monotonic_time () >= self->next_sweep);
      until = MIN (self->next_sweep, p2ps_pending_get_due (self->pending));
      running = !self->stop;
      g_mutex_unlock (&self->mutex);
      if (running && due)
        sweep (self);
      else if (running && !run_pending (self) && !build_trees (self))
        wait_for_events (self, until);
    }
  p2ps_hasher_stop (self->hasher);
  g_mutex_lock (&self->mutex);
  self->ended = TRUE;
  g_cond_broadcast (&self->ended_cond);
  g_mutex_unlock (&self->mutex);
  scanner_unref (self);
  return NULL;
}

/* --- the door --- */

/* Returns: (transfer full): to be given to p2ps_scanner_stop(); its thread starts with the first
 *   shares */
P2psScanner *
p2ps_scanner_new (P2psStore *store, const P2psScannerTiming *timing,
                  void (*changed) (gpointer user_data), gpointer user_data,
                  GDestroyNotify free_user_data)
{
  P2psScanner *self = g_new0 (P2psScanner, 1);

  g_atomic_ref_count_init (&self->refs);
  self->store = g_object_ref (store);
  self->changed = changed;
  self->user_data = user_data;
  self->free_user_data = free_user_data;
  self->timing = *timing;
  self->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  self->watcher = p2ps_watcher_new ();
  self->hasher = p2ps_hasher_new (store, &hasher_funcs, self);
  p2ps_hasher_set_settle (self->hasher, timing->settle_ms);
  self->pending = p2ps_pending_new ();
  self->skipped = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->missing = g_string_new (NULL);
  self->next_sweep = G_MAXINT64;
  self->counted = G_MAXUINT64;
  g_mutex_init (&self->mutex);
  g_cond_init (&self->ended_cond);
  return self;
}

/* From now on these folders are the shared ones; a sweep begins at once. */
void
p2ps_scanner_set_shares (P2psScanner *self, P2psShares *shares)
{
  P2psShares *old;

  g_mutex_lock (&self->mutex);
  old = self->shares;
  self->shares = p2ps_shares_ref (shares);
  self->sweep_now = TRUE;
  self->status.scanning = TRUE;
  if (self->thread == NULL && !self->stop)
    {
      g_atomic_ref_count_inc (&self->refs);
      self->thread = g_thread_new ("scanner", scan_thread, self);
    }
  g_mutex_unlock (&self->mutex);
  g_clear_pointer (&old, p2ps_shares_unref);
  p2ps_hasher_clear (self->hasher);
  wake (self);
}

void
p2ps_scanner_set_timing (P2psScanner *self, const P2psScannerTiming *timing)
{
  g_mutex_lock (&self->mutex);
  self->timing = *timing;
  if (self->next_sweep != G_MAXINT64)
    self->next_sweep = MIN (self->next_sweep,
                            g_get_monotonic_time () + (gint64)timing->sweep_interval_ms * 1000);
  g_mutex_unlock (&self->mutex);
  p2ps_hasher_set_settle (self->hasher, timing->settle_ms);
  wake (self);
}

/* Sweeps as soon as possible, and counts anew. */
void
p2ps_scanner_sweep (P2psScanner *self)
{
  g_mutex_lock (&self->mutex);
  self->counted = G_MAXUINT64;
  self->sweep_now = TRUE;
  self->status.scanning = self->shares != NULL;
  g_mutex_unlock (&self->mutex);
  wake (self);
}

/* Looks at one name again, now. */
void
p2ps_scanner_check (P2psScanner *self, const char *folder, const char *name)
{
  file_unsettled (folder, name, 0, self);
}

void
p2ps_scanner_set_paused (P2psScanner *self, gboolean paused)
{
  p2ps_hasher_set_paused (self->hasher, paused);
}

static char *
make_notice (P2psScanner *self)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new ();

  if (self->missing_notice != NULL)
    g_ptr_array_add (parts, self->missing_notice);
  if (self->trouble != NULL)
    g_ptr_array_add (parts, self->trouble);
  if (self->limited)
    g_ptr_array_add (parts, (gpointer)_ ("The system has no more file watches to give: in some "
                                         "folders new files are found only by the regular sweep "
                                         "(see fs.inotify.max_user_watches)."));
  if (parts->len == 0)
    return NULL;
  g_ptr_array_add (parts, NULL);
  return g_strjoinv ("\n", (char **)parts->pdata);
}

/* A snapshot; status->notice is for the caller to free. */
void
p2ps_scanner_get_status (P2psScanner *self, P2psScannerStatus *status)
{
  guint waiting = p2ps_hasher_get_waiting (self->hasher);
  guint64 hashed = p2ps_hasher_get_hashed (self->hasher);

  g_mutex_lock (&self->mutex);
  *status = self->status;
  status->to_hash = waiting;
  status->hashed = hashed;
  status->scanning |= waiting > 0 || p2ps_pending_get_due (self->pending) != G_MAXINT64;
  status->skipped = g_hash_table_size (self->skipped);
  status->notice = make_notice (self);
  g_mutex_unlock (&self->mutex);
}

/* Returns: (transfer full): of P2psSkipped, at most `limit` */
GPtrArray *
p2ps_scanner_list_skipped (P2psScanner *self, guint limit)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_skipped_free);
  GHashTableIter iter;
  gpointer path;
  gpointer value;

  g_mutex_lock (&self->mutex);
  g_hash_table_iter_init (&iter, self->skipped);
  while (list->len < limit && g_hash_table_iter_next (&iter, &path, &value))
    {
      P2psSkipped *entry = g_new0 (P2psSkipped, 1);

      entry->path = g_filename_display_name (path);
      entry->reason = g_strdup (((Skip *)value)->reason);
      g_ptr_array_add (list, entry);
    }
  g_mutex_unlock (&self->mutex);
  return list;
}

/* Gives the scanner up. What is under way ends soon; the call waits for it, but not for ever. */
void
p2ps_scanner_stop (P2psScanner *self)
{
  gint64 until = g_get_monotonic_time () + STOP_PATIENCE;
  GThread *thread;

  g_mutex_lock (&self->mutex);
  self->stop = TRUE;
  thread = g_steal_pointer (&self->thread);
  p2ps_hasher_cancel (self->hasher);
  wake (self);
  while (thread != NULL && !self->ended)
    if (!g_cond_wait_until (&self->ended_cond, &self->mutex, until))
      break;
  g_mutex_unlock (&self->mutex);
  g_clear_pointer (&thread, g_thread_unref);
  scanner_unref (self);
}
