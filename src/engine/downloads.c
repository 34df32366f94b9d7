/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The queue of downloads: owns them, their order, the places for those that run, and the timers
 * that wake the others. Lives on the owner context. Every change of the queue goes to the store at
 * once, so that a kill loses none. Refuses two downloads of one hash. */

#define G_LOG_DOMAIN "p2ps-downloads"

#include "engine/downloads.h"

#include <string.h>

#include "core/limits.h"
#include "engine/download-private.h"

#define DEFAULT_MAX_ACTIVE 3
#define TICK_MILLISECONDS 200
#define DISK_RETRY_TIME (15 * P2PS_SECOND)
#define MAX_IDLE_PARTS 16 /* open part files of downloads that wait */
#define STOP_TIME (2 * G_TIME_SPAN_SECOND)

struct _P2psDownloads
{
  GObject parent_instance;
  P2psStore *store;
  P2psKeyedList *list;
  char *folder;
  GMainContext *context;
  GSource *kick;       /* run the queue soon */
  GSource *timer;      /* the first deadline of those that wait */
  GSource *tick;       /* while something runs */
  GHashTable *unsaved; /* set of P2psDownload */
  GHashTable *leaving; /* hash: how many removed ones still have files of it */
  GQueue idle_parts;   /* of P2psDownload that are in `list`, the latest last */
  P2psDownloadCounters counters;
  P2psThrottle *throttle; /* all downloads together */
  guint64 seed;
  gint64 stall_time;
  gint64 disk_retry_time;
  guint max_active;
  gboolean loading;
  gboolean stopped;
};

enum
{
  NEED_SOURCES,
  MISBEHAVED,
  FINISHED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

static void list_model_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (P2psDownloads, p2ps_downloads, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_init))

static GType
get_item_type (GListModel *model)
{
  return P2PS_TYPE_DOWNLOAD;
}

static guint
get_n_items (GListModel *model)
{
  return g_list_model_get_n_items (G_LIST_MODEL (P2PS_DOWNLOADS (model)->list));
}

static gpointer
get_item (GListModel *model, guint position)
{
  return g_list_model_get_item (G_LIST_MODEL (P2PS_DOWNLOADS (model)->list), position);
}

static void
list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
clear_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
set_source (P2psDownloads *downloads, GSource **place, GSource *source, GSourceFunc func)
{
  clear_source (place);
  *place = source;
  g_source_set_callback (source, func, downloads, NULL);
  g_source_attach (source, downloads->context);
}

/* ---- saving ---- */

static void
saved_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;

  /* The store tells people when it can't write; here it is only noted. */
  if (!p2ps_store_save_download_finish (P2PS_STORE (source), result, &error))
    g_info ("A download was not saved: %s", error->message);
}

static void
removed_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;

  if (!p2ps_store_remove_download_finish (P2PS_STORE (source), result, &error))
    g_info ("A download was not removed: %s", error->message);
}

static void
save_now (P2psDownloads *downloads, P2psDownload *download)
{
  g_autoptr (P2psDownloadRecord) record = p2ps_download_make_record (download);

  if (downloads->store != NULL)
    p2ps_store_save_download_async (downloads->store, record, saved_cb, NULL);
}

static void
save_all (P2psDownloads *downloads)
{
  GHashTableIter iter;
  gpointer download;

  g_hash_table_iter_init (&iter, downloads->unsaved);
  while (g_hash_table_iter_next (&iter, &download, NULL))
    save_now (downloads, download);
  g_hash_table_remove_all (downloads->unsaved);
}

/* Once per round of the main loop, however many sources came in it. */
void
p2ps_downloads_save (P2psDownloads *downloads, P2psDownload *download)
{
  if (downloads->loading || downloads->stopped)
    return;
  g_hash_table_add (downloads->unsaved, g_object_ref (download));
  p2ps_downloads_kick (downloads);
}

/* The store lost its database, and what it could carry over may be old: the list here is true. */
static void
store_rebuilt_cb (P2psStore *store, P2psDownloads *downloads)
{
  for (guint i = 0; i < p2ps_keyed_list_get_size (downloads->list); i++)
    p2ps_downloads_save (downloads, p2ps_keyed_list_nth (downloads->list, i));
}

/* ---- running ---- */

static gboolean
tick_cb (gpointer data)
{
  P2psDownloads *downloads = data;
  g_autoptr (P2psDownloads) alive = g_object_ref (downloads);
  gint64 now = g_get_monotonic_time ();
  guint running = 0;

  for (guint i = 0; i < p2ps_keyed_list_get_size (downloads->list); i++)
    {
      P2psDownload *download = p2ps_keyed_list_nth (downloads->list, i);

      if (!p2ps_download_is_running (download))
        continue;
      running++;
      p2ps_download_tick (download, now, downloads->stall_time);
    }
  if (running > 0 || downloads->tick == NULL)
    return G_SOURCE_CONTINUE;
  clear_source (&downloads->tick);
  return G_SOURCE_REMOVE;
}

static gboolean
run_cb (gpointer data)
{
  p2ps_downloads_kick (data);
  return G_SOURCE_REMOVE;
}

static GPtrArray *
list_all (P2psDownloads *downloads)
{
  guint n = p2ps_keyed_list_get_size (downloads->list);
  GPtrArray *all = g_ptr_array_new_full (n, g_object_unref);

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (all, g_object_ref (p2ps_keyed_list_nth (downloads->list, i)));
  return all;
}

static void
wake_at (P2psDownloads *downloads, gint64 now, gint64 deadline)
{
  clear_source (&downloads->timer);
  if (deadline == P2PS_NEVER)
    return;
  set_source (downloads, &downloads->timer,
              g_timeout_source_new (CLAMP ((deadline - now) / 1000 + 1, 1, G_MAXINT)), run_cb);
}

/* Gives the free places away in the order of the queue, and asks everybody when to come back. */
static gboolean
run_queue_cb (gpointer data)
{
  P2psDownloads *downloads = data;
  g_autoptr (P2psDownloads) alive = g_object_ref (downloads);
  g_autoptr (GPtrArray) all = list_all (downloads);
  gint64 now = g_get_monotonic_time ();
  gint64 deadline = P2PS_NEVER;
  guint running = 0;

  clear_source (&downloads->kick);
  save_all (downloads);
  for (guint i = 0; i < all->len; i++)
    running += p2ps_download_is_running (all->pdata[i]);
  for (guint i = 0; i < all->len && !downloads->stopped; i++)
    {
      gboolean was_running = p2ps_download_is_running (all->pdata[i]);

      deadline = MIN (deadline,
                      p2ps_download_poll (all->pdata[i], now, running < downloads->max_active));
      running += !was_running && p2ps_download_is_running (all->pdata[i]);
    }
  downloads->counters.active = running;
  if (downloads->stopped)
    return G_SOURCE_REMOVE;
  wake_at (downloads, now, deadline);
  if (running > 0 && downloads->tick == NULL)
    set_source (downloads, &downloads->tick, g_timeout_source_new (TICK_MILLISECONDS), tick_cb);
  return G_SOURCE_REMOVE;
}

void
p2ps_downloads_kick (P2psDownloads *downloads)
{
  GSource *source;

  if (downloads->kick != NULL || downloads->stopped)
    return;
  source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  set_source (downloads, &downloads->kick, source, run_queue_cb);
}

/* ---- what a download tells ---- */

void
p2ps_downloads_want_sources (P2psDownloads *downloads, P2psDownload *download)
{
  g_signal_emit (downloads, signals[NEED_SOURCES], 0, download);
}

void
p2ps_downloads_report_source (P2psDownloads *downloads, const P2psAddress *peer, const char *reason,
                              gboolean misbehaved)
{
  P2psAddress copy = *peer;

  downloads->counters.failed++;
  if (misbehaved)
    g_signal_emit (downloads, signals[MISBEHAVED], 0, &copy, reason);
}

void
p2ps_downloads_report_finished (P2psDownloads *downloads, P2psDownload *download, gboolean fetched)
{
  downloads->counters.downloads += fetched;
  g_signal_emit (downloads, signals[FINISHED], 0, download);
}

static guint
count_leaving (P2psDownloads *downloads, const char *filehash)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (downloads->leaving, filehash));
}

void
p2ps_downloads_has_left (P2psDownloads *downloads, const char *filehash)
{
  guint others = count_leaving (downloads, filehash) - 1;

  if (others > 0)
    g_hash_table_insert (downloads->leaving, g_strdup (filehash), GUINT_TO_POINTER (others));
  else
    g_hash_table_remove (downloads->leaving, filehash);
  p2ps_downloads_kick (downloads);
}

gboolean
p2ps_downloads_is_leaving (P2psDownloads *downloads, const char *filehash)
{
  return count_leaving (downloads, filehash) > 0;
}

void
p2ps_downloads_count_bytes (P2psDownloads *downloads, gint64 bytes)
{
  downloads->counters.bytes_received += bytes;
}

/* `download` has an open part file while it does not run; only so many may. */
void
p2ps_downloads_keeps_part (P2psDownloads *downloads, P2psDownload *download)
{
  g_queue_remove (&downloads->idle_parts, download);
  g_queue_push_tail (&downloads->idle_parts, download);
  if (g_queue_get_length (&downloads->idle_parts) > MAX_IDLE_PARTS)
    p2ps_download_close_part (g_queue_pop_head (&downloads->idle_parts));
}

guint64
p2ps_downloads_next_seed (P2psDownloads *downloads)
{
  return downloads->seed++;
}

/* ---- the queue ---- */

/**
 * p2ps_downloads_set_folder:
 * @folder: absolute, file system encoding: where downloads go that name no folder
 */
void
p2ps_downloads_set_folder (P2psDownloads *downloads, const char *folder)
{
  g_autofree char *old = downloads->folder;

  downloads->folder = g_strdup (folder);
}

/**
 * p2ps_downloads_set_max_active:
 * @max_active: at least 1: how many run at a time; those that run already go on
 */
void
p2ps_downloads_set_max_active (P2psDownloads *downloads, guint max_active)
{
  downloads->max_active = MAX (max_active, 1);
  p2ps_downloads_kick (downloads);
}

/* Bytes of files per second, of all downloads together: P2PS_RATE_NONE is no limit, 0 lets them
 * wait. Holds at once. */
void
p2ps_downloads_set_rate (P2psDownloads *downloads, guint64 bytes_per_second)
{
  if (p2ps_throttle_get_rate (downloads->throttle) == bytes_per_second)
    return;
  p2ps_throttle_set_rate (downloads->throttle, bytes_per_second);
  p2ps_downloads_kick (downloads);
}

P2psThrottle *
p2ps_downloads_get_throttle (P2psDownloads *downloads)
{
  return downloads->throttle;
}

/* How long a source may send next to nothing. */
void
p2ps_downloads_set_stall_time (P2psDownloads *downloads, gint64 microseconds)
{
  downloads->stall_time = microseconds;
}

/* How long after a full disk or an unusable folder it is tried again. */
void
p2ps_downloads_set_disk_retry_time (P2psDownloads *downloads, gint64 microseconds)
{
  downloads->disk_retry_time = microseconds;
}

gint64
p2ps_downloads_get_disk_retry_time (P2psDownloads *downloads)
{
  return downloads->disk_retry_time;
}

static void
take_record (P2psDownloads *downloads, const P2psDownloadRecord *record)
{
  g_autoptr (P2psDownload) download = NULL;
  P2psDownload *present = p2ps_keyed_list_get (downloads->list, record->filehash);

  if (present != NULL)
    {
      /* Asked for again before the store had answered. */
      for (guint i = 0; record->sources != NULL && i < record->sources->len; i++)
        p2ps_download_add_source (present, record->sources->pdata[i]);
      return;
    }
  if (record->folder == NULL)
    return;
  download = p2ps_download_new (downloads, record->filehash);
  p2ps_download_init_from_record (download, record);
  p2ps_keyed_list_add (downloads->list, record->filehash, download);
}

static void
listed_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (P2psDownloads) downloads = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) records
      = p2ps_store_list_downloads_finish (P2PS_STORE (source), result, &error);

  if (records == NULL)
    g_info ("The queue was not read: %s", error->message);
  downloads->loading = TRUE;
  for (guint i = 0; records != NULL && !downloads->stopped && i < records->len; i++)
    take_record (downloads, records->pdata[i]);
  downloads->loading = FALSE;
  p2ps_downloads_kick (downloads);
}

/**
 * p2ps_downloads_load:
 *
 * Brings the queue back as it was: what was paused stays paused, what was under way goes on.
 */
void
p2ps_downloads_load (P2psDownloads *downloads)
{
  if (downloads->store != NULL)
    p2ps_store_list_downloads_async (downloads->store, listed_cb, g_object_ref (downloads));
}

/**
 * p2ps_downloads_stop:
 *
 * For the end of the program: hands the last changes to the store and lets the workers end, for
 * which it waits at most two seconds: whatever they still do can be cut off at any moment.
 */
void
p2ps_downloads_stop (P2psDownloads *downloads)
{
  g_autoptr (GPtrArray) all = list_all (downloads);
  gint64 end = g_get_monotonic_time () + STOP_TIME;

  if (downloads->stopped)
    return;
  save_all (downloads);
  downloads->stopped = TRUE;
  clear_source (&downloads->kick);
  clear_source (&downloads->timer);
  clear_source (&downloads->tick);
  g_queue_clear (&downloads->idle_parts);
  for (guint i = 0; i < all->len; i++)
    p2ps_download_stop (all->pdata[i]);
  for (guint i = 0; i < all->len; i++)
    p2ps_download_wait_stopped (all->pdata[i], end);
  downloads->counters.active = 0;
}

static const char *
get_folder (P2psDownloads *downloads)
{
  const char *folder = downloads->folder;

  if (folder == NULL)
    folder = g_get_user_special_dir (G_USER_DIRECTORY_DOWNLOAD);
  return folder != NULL ? folder : g_get_home_dir ();
}

/**
 * p2ps_downloads_add:
 * @filehash: SHA-256 in hex
 * @filename: (nullable): as a hit named it; NULL = the first source's name is taken
 * @size: -1 = unknown
 * @folder: (nullable): absolute, file system encoding; NULL = the one that was set
 * @hits: (nullable): of #P2psHit, who has it
 *
 * Queues a download, or takes up the one of this hash that is there: a paused, failed or cancelled
 * one goes on, a finished one is looked for on the disk and fetched again only when it is gone.
 *
 * Returns: (transfer none) (nullable): NULL when `filehash` is none
 */
P2psDownload *
p2ps_downloads_add (P2psDownloads *downloads, const char *filehash, const char *filename,
                    gint64 size, const char *folder, GPtrArray *hits)
{
  char hash[P2PS_HASH_SIZE];
  P2psDownload *download;

  if (!p2ps_hash_normalize (hash, filehash))
    return NULL;
  download = p2ps_keyed_list_get (downloads->list, hash);
  if (download == NULL)
    {
      g_autoptr (P2psDownload) made = p2ps_download_new (downloads, hash);

      p2ps_download_init_new (made, filename, size,
                              folder != NULL ? folder : get_folder (downloads));
      p2ps_keyed_list_add (downloads->list, hash, made);
      download = made;
    }
  else if (p2ps_download_get_state (download) == P2PS_DOWNLOAD_DONE)
    p2ps_download_look_again (download);
  else if (p2ps_download_is_over (download)
           || p2ps_download_get_state (download) == P2PS_DOWNLOAD_PAUSED)
    p2ps_download_resume (download);
  for (guint i = 0; hits != NULL && i < hits->len; i++)
    p2ps_download_add_source (download, hits->pdata[i]);
  save_now (downloads, download);
  p2ps_downloads_kick (downloads);
  return download;
}

P2psDownload *
p2ps_downloads_get (P2psDownloads *downloads, const char *filehash)
{
  return p2ps_keyed_list_get (downloads->list, filehash);
}

/**
 * p2ps_downloads_remove:
 *
 * Takes it out of the queue. A part file is deleted; a finished file is the user's and stays.
 */
void
p2ps_downloads_remove (P2psDownloads *downloads, P2psDownload *download)
{
  g_autoptr (P2psDownload) alive = g_object_ref (download);
  const char *filehash = p2ps_download_get_filehash (download);

  if (p2ps_keyed_list_get (downloads->list, filehash) != download)
    return;
  g_hash_table_remove (downloads->unsaved, download);
  g_queue_remove (&downloads->idle_parts, download);
  g_hash_table_insert (downloads->leaving, g_strdup (filehash),
                       GUINT_TO_POINTER (count_leaving (downloads, filehash) + 1));
  p2ps_download_detach (download, p2ps_download_get_state (download) != P2PS_DOWNLOAD_DONE);
  p2ps_keyed_list_remove (downloads->list, filehash);
  if (downloads->store != NULL)
    p2ps_store_remove_download_async (downloads->store, filehash, removed_cb, NULL);
  p2ps_downloads_kick (downloads);
}

/**
 * p2ps_downloads_clear_finished:
 *
 * Takes what is done or cancelled out of the list; failed ones wait for a person.
 */
void
p2ps_downloads_clear_finished (P2psDownloads *downloads)
{
  g_autoptr (GPtrArray) all = list_all (downloads);

  for (guint i = 0; i < all->len; i++)
    {
      P2psDownloadState state = p2ps_download_get_state (all->pdata[i]);

      if (state == P2PS_DOWNLOAD_DONE || state == P2PS_DOWNLOAD_CANCELLED)
        p2ps_downloads_remove (downloads, all->pdata[i]);
    }
}

/**
 * p2ps_downloads_peer_is_back:
 *
 * A sign of life of `peer`: downloads that wait for it go on.
 */
void
p2ps_downloads_peer_is_back (P2psDownloads *downloads, const P2psAddress *peer)
{
  for (guint i = 0; i < p2ps_keyed_list_get_size (downloads->list); i++)
    p2ps_download_peer_is_back (p2ps_keyed_list_nth (downloads->list, i), peer);
}

void
p2ps_downloads_get_counters (P2psDownloads *downloads, P2psDownloadCounters *counters)
{
  *counters = downloads->counters;
}

/**
 * p2ps_downloads_flush:
 *
 * Tells what came and went at once: the GListModel is as the queue is. Views don't need it.
 */
void
p2ps_downloads_flush (P2psDownloads *downloads)
{
  p2ps_keyed_list_flush (downloads->list);
}

static void
p2ps_downloads_finalize (GObject *object)
{
  P2psDownloads *downloads = P2PS_DOWNLOADS (object);

  p2ps_downloads_stop (downloads);
  g_hash_table_unref (downloads->unsaved);
  g_hash_table_unref (downloads->leaving);
  p2ps_throttle_unref (downloads->throttle);
  g_clear_object (&downloads->list);
  g_clear_object (&downloads->store);
  g_main_context_unref (downloads->context);
  g_free (downloads->folder);
  G_OBJECT_CLASS (p2ps_downloads_parent_class)->finalize (object);
}

static void
p2ps_downloads_class_init (P2psDownloadsClass *klass)
{
  GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = p2ps_downloads_finalize;
  signals[NEED_SOURCES] = g_signal_new ("need-sources", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                        NULL, G_TYPE_NONE, 1, P2PS_TYPE_DOWNLOAD);
  signals[MISBEHAVED] = g_signal_new ("misbehaved", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                      G_TYPE_NONE, 2, G_TYPE_POINTER, G_TYPE_STRING);
  signals[FINISHED] = g_signal_new ("finished", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                    G_TYPE_NONE, 1, P2PS_TYPE_DOWNLOAD);
}

static void
p2ps_downloads_init (P2psDownloads *downloads)
{
  downloads->context = g_main_context_ref_thread_default ();
  downloads->list = p2ps_keyed_list_new (P2PS_TYPE_DOWNLOAD, 100);
  g_signal_connect_swapped (downloads->list, "items-changed",
                            G_CALLBACK (g_list_model_items_changed), downloads);
  downloads->unsaved = g_hash_table_new_full (NULL, NULL, g_object_unref, NULL);
  downloads->leaving = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  downloads->max_active = DEFAULT_MAX_ACTIVE;
  downloads->throttle = p2ps_throttle_new (P2PS_RATE_NONE);
  downloads->stall_time = P2PS_SOCKET_TIMEOUT_SECONDS * P2PS_SECOND;
  downloads->disk_retry_time = DISK_RETRY_TIME;
  downloads->seed = (guint64)g_random_int () << 32 | g_random_int ();
}

/**
 * p2ps_downloads_new:
 * @store: (nullable): where the queue is kept; NULL = nowhere
 */
P2psDownloads *
p2ps_downloads_new (P2psStore *store)
{
  P2psDownloads *downloads = g_object_new (P2PS_TYPE_DOWNLOADS, NULL);

  if (store != NULL)
    {
      downloads->store = g_object_ref (store);
      g_signal_connect_object (store, "rebuilt", G_CALLBACK (store_rebuilt_cb), downloads, 0);
    }
  return downloads;
}
