/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One download: its state machine and its row. Owns the planner that says whom to ask, at most one
 * fetch at a time and, between two fetches, the part file. Lives on the owner context; the disk and
 * the network are the fetch's. Refuses to run without leave of the queue (p2ps_download_poll), to
 * ask a source that lied, and to call anything done that isn't verified. */

#define G_LOG_DOMAIN "p2ps-download"

#include "engine/download.h"

#include "core/limits.h"
#include "core/planner.h"
#include "engine/download-private.h"
#include "engine/error.h"
#include "engine/fetch.h"

#define N_SAMPLES 20                    /* of the speed: ticks of 200 ms, 4 s */
#define LOCAL_RETRY (15 * P2PS_SECOND)  /* a full disk, a folder that can't be written */
#define SEARCH_AGAIN (60 * P2PS_SECOND) /* while sources are known but none works */
#define MAX_SOURCES 64

struct _P2psDownload
{
  GObject parent_instance;
  P2psDownloads *queue; /* NULL once it was removed */
  char filehash[P2PS_HASH_SIZE];
  char *filename;
  char *folder;
  char *path;
  char *reason;
  gint64 size;      /* for display: told or what a source said, -1 = unknown */
  gint64 told_size; /* by the search result or the link, -1 = nobody */
  gint64 received;
  gint64 added, finished; /* Unix time, microseconds */
  P2psDownloadState state;
  P2psKeyedList *sources;

  P2psPlanner *planner;
  P2psFetch *fetch;
  P2psDownloadSource *asked; /* by `fetch`, NULL = it looks at the disk only */
  P2psPartFile *part;
  gboolean looked;      /* at what is on the disk */
  gboolean alone;       /* parts of several sources did not fit: all from one */
  gboolean discard;     /* the part file, when the fetch ends */
  gboolean removing;    /* the part file, in a worker */
  gint64 blocked_until; /* by the disk */
  gint64 next_search;

  gint64 network_bytes; /* of `fetch`, as of the last tick */
  struct
  {
    gint64 time, bytes;
  } samples[N_SAMPLES];
  guint n_samples;
  double speed;
  gint64 transfer_bytes, transfer_time, transfer_start;
};

enum
{
  PROP_FILEHASH = 1,
  PROP_FILENAME,
  PROP_SIZE,
  PROP_RECEIVED,
  PROP_SPEED,
  PROP_PROGRESS,
  PROP_STATE,
  PROP_REASON,
  PROP_PATH,
  PROP_SECONDS_LEFT,
  PROP_SOURCES,
  PROP_ADDED,
  PROP_FINISHED,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psDownload, p2ps_download, G_TYPE_OBJECT)

GType
p2ps_download_state_get_type (void)
{
  static const GEnumValue values[] = {
    { P2PS_DOWNLOAD_QUEUED, "P2PS_DOWNLOAD_QUEUED", "queued" },
    { P2PS_DOWNLOAD_SEARCHING, "P2PS_DOWNLOAD_SEARCHING", "searching" },
    { P2PS_DOWNLOAD_CONNECTING, "P2PS_DOWNLOAD_CONNECTING", "connecting" },
    { P2PS_DOWNLOAD_DOWNLOADING, "P2PS_DOWNLOAD_DOWNLOADING", "downloading" },
    { P2PS_DOWNLOAD_VERIFYING, "P2PS_DOWNLOAD_VERIFYING", "verifying" },
    { P2PS_DOWNLOAD_WAITING, "P2PS_DOWNLOAD_WAITING", "waiting" },
    { P2PS_DOWNLOAD_PAUSED, "P2PS_DOWNLOAD_PAUSED", "paused" },
    { P2PS_DOWNLOAD_DONE, "P2PS_DOWNLOAD_DONE", "done" },
    { P2PS_DOWNLOAD_FAILED, "P2PS_DOWNLOAD_FAILED", "failed" },
    { P2PS_DOWNLOAD_CANCELLED, "P2PS_DOWNLOAD_CANCELLED", "cancelled" },
    { 0, NULL, NULL },
  };
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("P2psDownloadState", values));
  return type;
}

const char *
p2ps_download_state_to_nick (P2psDownloadState state)
{
  g_autoptr (GEnumClass) klass = g_type_class_ref (P2PS_TYPE_DOWNLOAD_STATE);
  GEnumValue *value = g_enum_get_value (klass, state);

  return value != NULL ? value->value_nick : "unknown";
}

static void
notify (P2psDownload *download, int prop)
{
  g_object_notify_by_pspec (G_OBJECT (download), props[prop]);
}

static void
set_reason (P2psDownload *download, const char *reason)
{
  g_autofree char *old = download->reason;

  if (g_strcmp0 (old, reason) == 0)
    {
      g_steal_pointer (&old);
      return;
    }
  download->reason = g_strdup (reason);
  notify (download, PROP_REASON);
}

static gboolean
is_at_work (P2psDownloadState state)
{
  return state == P2PS_DOWNLOAD_CONNECTING || state == P2PS_DOWNLOAD_DOWNLOADING
         || state == P2PS_DOWNLOAD_VERIFYING;
}

static void
set_state (P2psDownload *download, P2psDownloadState state, const char *reason)
{
  P2psDownloadState old = download->state;

  set_reason (download, reason);
  if (old == state)
    return;
  download->state = state;
  notify (download, PROP_STATE);
  if (!is_at_work (state) && download->speed != 0)
    {
      download->speed = 0;
      download->n_samples = 0;
      notify (download, PROP_SPEED);
      notify (download, PROP_SECONDS_LEFT);
    }
}

static void
set_size (P2psDownload *download, gint64 size)
{
  if (download->size == size)
    return;
  download->size = size;
  notify (download, PROP_SIZE);
  notify (download, PROP_PROGRESS);
}

static void
set_received (P2psDownload *download, gint64 received)
{
  if (download->received == received)
    return;
  download->received = received;
  notify (download, PROP_RECEIVED);
  notify (download, PROP_PROGRESS);
}

static void
set_filename (P2psDownload *download, const char *filename)
{
  g_autofree char *clean = p2ps_name_for_display (filename);

  if (g_strcmp0 (download->filename, clean) == 0)
    return;
  g_free (download->filename);
  download->filename = g_steal_pointer (&clean);
  notify (download, PROP_FILENAME);
}

static void
save (P2psDownload *download)
{
  if (download->queue != NULL)
    p2ps_downloads_save (download->queue, download);
}

static void
kick (P2psDownload *download)
{
  if (download->queue != NULL)
    p2ps_downloads_kick (download->queue);
}

static P2psDownloadSource *
find_source (P2psDownload *download, const P2psAddress *address)
{
  g_autofree char *id = p2ps_address_to_string (address);

  return p2ps_keyed_list_get (download->sources, id);
}

/* ---- the part file, when nobody works on it ---- */

static void
remove_part_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  P2psDownload *download = source;

  p2ps_part_file_remove (data, download->filehash);
  g_task_return_boolean (task, TRUE);
}

static void
part_removed_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  P2psDownload *download = P2PS_DOWNLOAD (source);

  download->removing = FALSE;
  kick (download);
}

/* Deleting a large file takes the disk a while: in a worker. Nothing is begun anew before that. */
static void
remove_part (P2psDownload *download)
{
  g_autoptr (GTask) task = g_task_new (download, NULL, part_removed_cb, NULL);

  p2ps_download_close_part (download);
  download->removing = TRUE;
  download->looked = FALSE;
  download->discard = FALSE;
  set_received (download, 0);
  g_task_set_task_data (task, g_strdup (download->folder), g_free);
  g_task_run_in_thread (task, remove_part_thread);
}

void
p2ps_download_close_part (P2psDownload *download)
{
  g_clear_pointer (&download->part, p2ps_part_file_free);
}

/* ---- one fetch ---- */

static void
take_progress (P2psDownload *download, gint64 now)
{
  P2psFetchProgress progress;
  gint64 bytes;

  p2ps_fetch_get_progress (download->fetch, &progress);
  bytes = progress.network_bytes - download->network_bytes;
  download->network_bytes = progress.network_bytes;
  set_received (download, progress.length);
  if (progress.total >= 0 && download->told_size < 0)
    set_size (download, progress.total);
  if (bytes <= 0 || download->asked == NULL)
    return;
  download->transfer_bytes += bytes;
  p2ps_download_source_add_bytes (download->asked, bytes);
  p2ps_planner_progress (download->planner, now, p2ps_download_source_get_address (download->asked),
                         bytes);
  if (download->queue != NULL)
    p2ps_downloads_count_bytes (download->queue, bytes);
}

/* The hash was right, or the file was there already. */
static void
finish (P2psDownload *download, char *path)
{
  g_free (download->path);
  download->path = path;
  download->finished = g_get_real_time ();
  download->discard = FALSE;
  if (download->size < 0)
    set_size (download, download->received);
  set_received (download, download->size);
  notify (download, PROP_PATH);
  notify (download, PROP_FINISHED);
  set_state (download, P2PS_DOWNLOAD_DONE, NULL);
  save (download);
  if (download->queue != NULL)
    p2ps_downloads_report_finished (download->queue, download, download->transfer_bytes > 0);
}

/* Our own disk or folder, for which no source can be blamed. */
static gboolean
is_local_problem (const P2psFetchResult *result)
{
  const GError *error = result->error;

  return g_error_matches (error, P2PS_ERROR, P2PS_ERROR_NO_SPACE)
         || g_error_matches (error, P2PS_ERROR, P2PS_ERROR_FOLDER)
         || (g_error_matches (error, P2PS_ERROR, P2PS_ERROR_BUSY)
             && result->attempt != P2PS_ATTEMPT_BUSY);
}

static void
source_failed (P2psDownload *download, P2psDownloadSource *asked, const P2psFetchResult *result,
               gint64 now)
{
  const P2psAddress *address = p2ps_download_source_get_address (asked);
  g_autofree char *peer = p2ps_address_to_string (address);
  g_autofree char *reason = g_strdup_printf ("%s: %s", peer, result->error->message);

  p2ps_download_source_set_state (asked, result->error->message);
  p2ps_download_source_set_other_size (asked, result->other_size);
  set_reason (download, reason);
  if (result->mixed)
    download->alone = TRUE;
  /* Whose parts were wrong isn't known: the next attempt will tell. */
  if (!result->mixed || result->attempt == P2PS_ATTEMPT_LIED)
    p2ps_planner_failed (download->planner, now, address, result->attempt, result->retry_after);
  if (result->attempt == P2PS_ATTEMPT_LIED && download->told_size < 0)
    set_size (download, -1);
  if (download->queue != NULL)
    p2ps_downloads_report_source (download->queue, address, result->error->message,
                                  result->attempt == P2PS_ATTEMPT_LIED);
}

static void
take_result (P2psDownload *download, P2psDownloadSource *asked, P2psFetchResult *result, gint64 now)
{
  gboolean wanted = download->state != P2PS_DOWNLOAD_PAUSED
                    && download->state != P2PS_DOWNLOAD_CANCELLED && download->queue != NULL;

  if (asked != NULL && result->etag_is_hash)
    p2ps_download_source_set_etag_is_hash (asked, TRUE);
  if (result->path != NULL)
    {
      finish (download, g_steal_pointer (&result->path));
      return;
    }
  if (download->discard)
    {
      remove_part (download);
      return;
    }
  if (!wanted)
    return;
  download->part = g_steal_pointer (&result->part);
  if (download->part != NULL)
    {
      set_received (download, p2ps_part_file_get_length (download->part));
      p2ps_downloads_keeps_part (download->queue, download);
    }
  if (result->error == NULL)
    {
      download->looked = TRUE;
      return;
    }
  if (is_local_problem (result))
    {
      download->blocked_until = now + LOCAL_RETRY;
      set_reason (download, result->error->message);
    }
  else if (asked != NULL && !g_error_matches (result->error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    source_failed (download, asked, result, now);
}

static void
fetch_ended_cb (P2psFetch *fetch, P2psFetchResult *result, gpointer user_data)
{
  P2psDownload *download = user_data;
  g_autoptr (P2psDownloadSource) asked = g_steal_pointer (&download->asked);
  gint64 now = g_get_monotonic_time ();

  if (asked != NULL)
    {
      P2psDownloadSource *borrowed = asked;
      download->asked = borrowed;
      take_progress (download, now);
      download->asked = NULL;
      download->transfer_time += now - download->transfer_start;
      p2ps_download_source_set_state (asked, "");
    }
  g_clear_pointer (&download->fetch, p2ps_fetch_unref);
  take_result (download, asked, result, now);
  /* Its place is free; poll() says what comes next. */
  if (is_at_work (download->state))
    set_state (download, P2PS_DOWNLOAD_QUEUED, download->reason);
  kick (download);
}

static void
start_fetch (P2psDownload *download, P2psDownloadSource *source, gint64 now)
{
  g_autofree char *disk_name = NULL;
  P2psFetchRequest request = {
    .folder = download->folder,
    .filehash = download->filehash,
    .size = download->told_size,
    .look = !download->looked,
    .alone = download->alone,
  };

  disk_name = download->filename == NULL || *download->filename == '\0'
                  ? g_strdup (download->filehash)
                  : p2ps_name_for_disk (download->filename);
  request.disk_name = disk_name;
  if (source != NULL)
    {
      request.hit = p2ps_download_source_get_hit (source);
      request.if_range = p2ps_download_source_get_etag_is_hash (source);
      p2ps_download_source_set_state (source, "Connecting");
      download->transfer_start = now;
    }
  g_set_object (&download->asked, source);
  download->network_bytes = 0;
  download->n_samples = 0;
  set_state (download, source != NULL ? P2PS_DOWNLOAD_CONNECTING : P2PS_DOWNLOAD_VERIFYING, NULL);
  download->fetch = p2ps_fetch_start (&request, g_steal_pointer (&download->part), fetch_ended_cb,
                                      g_object_ref (download), g_object_unref);
}

/* ---- what the queue calls ---- */

/* Everybody who can be asked has a file of another size than we were told: then what we were told
 * was the lie. Returns whether there is somebody to ask now. */
static gboolean
forget_told_size (P2psDownload *download, gint64 now)
{
  guint n = p2ps_keyed_list_get_size (download->sources);
  gboolean found = FALSE;

  if (download->told_size < 0)
    return FALSE;
  for (guint i = 0; i < n; i++)
    {
      P2psDownloadSource *source = p2ps_keyed_list_nth (download->sources, i);

      if (!p2ps_download_source_get_other_size (source))
        continue;
      p2ps_download_source_set_other_size (source, FALSE);
      p2ps_planner_source_is_back (download->planner, now,
                                   p2ps_download_source_get_address (source));
      found = TRUE;
    }
  if (found)
    {
      download->told_size = -1;
      download->alone = TRUE;
      set_size (download, -1);
    }
  return found;
}

static void
want_sources (P2psDownload *download, gint64 now, gint64 again)
{
  if (download->next_search > now)
    return;
  download->next_search = now + again;
  p2ps_downloads_want_sources (download->queue, download);
}

/* Acts on the planner's decision. */
static gint64
follow_plan (P2psDownload *download, gint64 now, gboolean may_run)
{
  P2psPlan plan;

  p2ps_planner_decide (download->planner, now, download->received, &plan);
  if (plan.action != P2PS_PLAN_FETCH && forget_told_size (download, now))
    p2ps_planner_decide (download->planner, now, download->received, &plan);
  switch (plan.action)
    {
    case P2PS_PLAN_FETCH:
      if (may_run)
        start_fetch (download, find_source (download, &plan.source), now);
      else
        set_state (download, P2PS_DOWNLOAD_QUEUED, NULL);
      return P2PS_NEVER;
    case P2PS_PLAN_WAIT:
      set_state (download, P2PS_DOWNLOAD_WAITING,
                 download->reason != NULL ? download->reason : "No source answers");
      want_sources (download, now, SEARCH_AGAIN);
      return plan.deadline;
    case P2PS_PLAN_SEARCH:
      set_state (download, P2PS_DOWNLOAD_SEARCHING, download->reason);
      want_sources (download, now, plan.deadline - now);
      return plan.deadline;
    }
  g_assert_not_reached ();
}

gint64
p2ps_download_poll (P2psDownload *download, gint64 now, gboolean may_run)
{
  if (download->fetch != NULL || download->removing || p2ps_download_is_over (download)
      || download->state == P2PS_DOWNLOAD_PAUSED || download->queue == NULL)
    return P2PS_NEVER;
  if (download->blocked_until > now)
    {
      set_state (download, P2PS_DOWNLOAD_WAITING, download->reason);
      return download->blocked_until;
    }
  if (download->looked)
    return follow_plan (download, now, may_run);
  if (may_run)
    start_fetch (download, NULL, now);
  else
    set_state (download, P2PS_DOWNLOAD_QUEUED, NULL);
  return P2PS_NEVER;
}

gboolean
p2ps_download_is_running (P2psDownload *download)
{
  return download->fetch != NULL;
}

static void
update_speed (P2psDownload *download, gint64 now)
{
  guint newest = download->n_samples % N_SAMPLES;
  guint oldest = download->n_samples < N_SAMPLES ? 0 : (newest + 1) % N_SAMPLES;
  gint64 time;
  double speed = 0;

  download->samples[newest].time = now;
  download->samples[newest].bytes = download->network_bytes;
  download->n_samples++;
  time = now - download->samples[oldest].time;
  if (time > 0)
    speed = (double)(download->network_bytes - download->samples[oldest].bytes) * 1e6 / time;
  if (speed == download->speed)
    return;
  download->speed = speed;
  notify (download, PROP_SPEED);
  notify (download, PROP_SECONDS_LEFT);
}

/**
 * p2ps_download_tick:
 *
 * A few times a second while it runs: brings the row up to date and ends a stalled attempt.
 */
void
p2ps_download_tick (P2psDownload *download, gint64 now, gint64 stall_time)
{
  static const P2psDownloadState states[] = {
    [P2PS_FETCH_LOOKING] = P2PS_DOWNLOAD_VERIFYING,
    [P2PS_FETCH_CONNECTING] = P2PS_DOWNLOAD_CONNECTING,
    [P2PS_FETCH_RECEIVING] = P2PS_DOWNLOAD_DOWNLOADING,
    [P2PS_FETCH_VERIFYING] = P2PS_DOWNLOAD_VERIFYING,
  };
  P2psFetchProgress progress;

  if (download->fetch == NULL)
    return;
  take_progress (download, now);
  update_speed (download, now);
  p2ps_fetch_check_stall (download->fetch, now, stall_time);
  if (!is_at_work (download->state))
    return;
  p2ps_fetch_get_progress (download->fetch, &progress);
  set_state (download, states[progress.phase], NULL);
  if (progress.phase == P2PS_FETCH_RECEIVING && download->asked != NULL)
    p2ps_download_source_set_state (download->asked, "Sending");
}

void
p2ps_download_peer_is_back (P2psDownload *download, const P2psAddress *peer)
{
  if (download->state != P2PS_DOWNLOAD_WAITING && download->state != P2PS_DOWNLOAD_SEARCHING)
    return;
  p2ps_planner_source_is_back (download->planner, g_get_monotonic_time (), peer);
  kick (download);
}

/**
 * p2ps_download_detach:
 *
 * The queue forgets this download; a part file is deleted when `remove_part_file`.
 */
void
p2ps_download_detach (P2psDownload *download, gboolean remove_part_file)
{
  download->queue = NULL;
  if (download->fetch != NULL)
    {
      download->discard = remove_part_file;
      p2ps_fetch_cancel (download->fetch);
    }
  else if (remove_part_file)
    remove_part (download);
}

/* The program ends: the fetch is told, nothing else changes, so that the queue goes on later. */
void
p2ps_download_stop (P2psDownload *download)
{
  download->queue = NULL;
  if (download->fetch != NULL)
    p2ps_fetch_cancel (download->fetch);
  p2ps_download_close_part (download);
}

void
p2ps_download_wait_stopped (P2psDownload *download, gint64 end_time)
{
  if (download->fetch != NULL)
    p2ps_fetch_wait_until (download->fetch, end_time);
}

/* ---- what people do ---- */

void
p2ps_download_pause (P2psDownload *download)
{
  if (p2ps_download_is_over (download) || download->state == P2PS_DOWNLOAD_PAUSED)
    return;
  set_state (download, P2PS_DOWNLOAD_PAUSED, NULL);
  if (download->fetch != NULL)
    p2ps_fetch_cancel (download->fetch);
  p2ps_download_close_part (download);
  save (download);
  kick (download);
}

/**
 * p2ps_download_resume:
 *
 * Goes on now, whatever it waited for; also with a failed or cancelled one.
 */
void
p2ps_download_resume (P2psDownload *download)
{
  if (download->state == P2PS_DOWNLOAD_DONE)
    return;
  download->blocked_until = 0;
  download->next_search = 0;
  p2ps_planner_retry_all (download->planner, g_get_monotonic_time ());
  if (download->fetch == NULL || !is_at_work (download->state))
    set_state (download, P2PS_DOWNLOAD_QUEUED, NULL);
  save (download);
  kick (download);
}

/* A finished one was asked for again: whether it is still there is for the worker to see. */
void
p2ps_download_look_again (P2psDownload *download)
{
  g_clear_pointer (&download->path, g_free);
  download->finished = 0;
  download->looked = FALSE;
  notify (download, PROP_PATH);
  notify (download, PROP_FINISHED);
  set_received (download, 0);
  set_state (download, P2PS_DOWNLOAD_QUEUED, NULL);
  p2ps_download_resume (download);
}

void
p2ps_download_cancel (P2psDownload *download)
{
  if (p2ps_download_is_over (download))
    return;
  set_state (download, P2PS_DOWNLOAD_CANCELLED, NULL);
  if (download->fetch != NULL)
    {
      download->discard = TRUE;
      p2ps_fetch_cancel (download->fetch);
    }
  else
    remove_part (download);
  save (download);
  kick (download);
}

/**
 * p2ps_download_add_source:
 *
 * Somebody has it. Hits for other content, without an address or without a name are ignored.
 */
void
p2ps_download_add_source (P2psDownload *download, const P2psHit *hit)
{
  g_autofree char *id = p2ps_address_to_string (&hit->holder);
  P2psDownloadSource *source = p2ps_keyed_list_get (download->sources, id);
  g_autoptr (P2psDownloadSource) made = NULL;

  if (!g_str_equal (hit->filehash, download->filehash) || !p2ps_address_is_set (&hit->holder)
      || hit->filename == NULL || *hit->filename == '\0')
    return;
  if (source != NULL)
    p2ps_download_source_set_hit (source, hit);
  else if (p2ps_keyed_list_get_size (download->sources) >= MAX_SOURCES)
    return;
  else
    {
      made = p2ps_download_source_new (hit);
      p2ps_keyed_list_add (download->sources, id, made);
    }
  p2ps_planner_add_source (download->planner, g_get_monotonic_time (), &hit->holder);
  if (download->filename == NULL || *download->filename == '\0')
    set_filename (download, hit->filename);
  if (made != NULL)
    save (download);
  kick (download);
}

/* ---- making one ---- */

P2psDownload *
p2ps_download_new (P2psDownloads *queue, const char *filehash)
{
  P2psDownload *download = g_object_new (P2PS_TYPE_DOWNLOAD, NULL);

  download->queue = queue;
  g_strlcpy (download->filehash, filehash, sizeof download->filehash);
  download->planner = p2ps_planner_new (p2ps_downloads_next_seed (queue));
  return download;
}

void
p2ps_download_init_new (P2psDownload *download, const char *filename, gint64 size,
                        const char *folder)
{
  set_filename (download, filename);
  download->folder = g_strdup (folder);
  download->size = download->told_size = size >= 0 ? size : -1;
  download->added = g_get_real_time ();
}

void
p2ps_download_init_from_record (P2psDownload *download, const P2psDownloadRecord *record)
{
  set_filename (download, record->filename);
  download->folder = g_strdup (record->folder);
  download->path = g_strdup (record->path);
  download->reason = g_strdup (record->reason);
  download->size = download->told_size = record->size >= 0 ? record->size : -1;
  download->added = record->added;
  download->finished = record->finished;
  download->state = record->state;
  for (guint i = 0; record->sources != NULL && i < record->sources->len; i++)
    p2ps_download_add_source (download, record->sources->pdata[i]);
  if (!p2ps_download_is_over (download) && download->state != P2PS_DOWNLOAD_PAUSED)
    download->state = P2PS_DOWNLOAD_QUEUED;
  if (download->state == P2PS_DOWNLOAD_DONE)
    download->received = MAX (download->size, 0);
}

/* Returns: (transfer full): what the store keeps. What a source said about the size is not kept:
 * only what it promised in its hit is. */
P2psDownloadRecord *
p2ps_download_make_record (P2psDownload *download)
{
  P2psDownloadRecord *record = p2ps_download_record_new (download->filehash);
  gboolean over = p2ps_download_is_over (download);

  record->filename = g_strdup (download->filename);
  record->folder = g_strdup (download->folder);
  record->path = g_strdup (download->path);
  record->reason = over ? g_strdup (download->reason) : NULL;
  record->size = download->state == P2PS_DOWNLOAD_DONE ? download->size : download->told_size;
  record->added = download->added;
  record->finished = download->finished;
  record->state
      = over || download->state == P2PS_DOWNLOAD_PAUSED ? download->state : P2PS_DOWNLOAD_QUEUED;
  for (guint i = 0; i < p2ps_keyed_list_get_size (download->sources); i++)
    {
      P2psDownloadSource *source = p2ps_keyed_list_nth (download->sources, i);
      g_ptr_array_add (record->sources, p2ps_hit_copy (p2ps_download_source_get_hit (source)));
    }
  return record;
}

/* ---- the row ---- */

const char *
p2ps_download_get_filehash (P2psDownload *download)
{
  return download->filehash;
}

const char *
p2ps_download_get_filename (P2psDownload *download)
{
  return download->filename;
}

gint64
p2ps_download_get_size (P2psDownload *download)
{
  return download->size;
}

gint64
p2ps_download_get_received (P2psDownload *download)
{
  return download->received;
}

/* Returns: bytes a second over the last four seconds, 0 when nothing runs */
double
p2ps_download_get_speed (P2psDownload *download)
{
  return download->speed;
}

/* Returns: bytes a second over all attempts of this session, verifying included */
double
p2ps_download_get_average_speed (P2psDownload *download)
{
  gint64 time = download->transfer_time;

  if (download->asked != NULL)
    time += g_get_monotonic_time () - download->transfer_start;
  return time > 0 ? (double)download->transfer_bytes * 1e6 / time : 0;
}

P2psDownloadState
p2ps_download_get_state (P2psDownload *download)
{
  return download->state;
}

const char *
p2ps_download_get_reason (P2psDownload *download)
{
  return download->reason;
}

const char *
p2ps_download_get_path (P2psDownload *download)
{
  return download->path;
}

/* Returns: Unix seconds */
gint64
p2ps_download_get_added (P2psDownload *download)
{
  return download->added / G_USEC_PER_SEC;
}

/* Returns: Unix seconds, 0 = not finished */
gint64
p2ps_download_get_finished (P2psDownload *download)
{
  return download->finished / G_USEC_PER_SEC;
}

GListModel *
p2ps_download_get_sources (P2psDownload *download)
{
  return G_LIST_MODEL (download->sources);
}

gboolean
p2ps_download_is_over (P2psDownload *download)
{
  return download->state == P2PS_DOWNLOAD_DONE || download->state == P2PS_DOWNLOAD_FAILED
         || download->state == P2PS_DOWNLOAD_CANCELLED;
}

static double
get_progress (P2psDownload *download)
{
  if (download->state == P2PS_DOWNLOAD_DONE)
    return 1;
  return download->size > 0 ? CLAMP ((double)download->received / download->size, 0, 1) : 0;
}

static gint64
get_seconds_left (P2psDownload *download)
{
  if (download->size < 0 || download->speed < 1)
    return -1;
  return (gint64)((download->size - download->received) / download->speed);
}

static void
p2ps_download_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  P2psDownload *download = P2PS_DOWNLOAD (object);

  switch (id)
    {
    case PROP_FILEHASH:
      g_value_set_string (value, download->filehash);
      break;
    case PROP_FILENAME:
      g_value_set_string (value, download->filename);
      break;
    case PROP_SIZE:
      g_value_set_int64 (value, download->size);
      break;
    case PROP_RECEIVED:
      g_value_set_int64 (value, download->received);
      break;
    case PROP_SPEED:
      g_value_set_double (value, download->speed);
      break;
    case PROP_PROGRESS:
      g_value_set_double (value, get_progress (download));
      break;
    case PROP_STATE:
      g_value_set_enum (value, download->state);
      break;
    case PROP_REASON:
      g_value_set_string (value, download->reason);
      break;
    case PROP_PATH:
      g_value_set_string (value, download->path);
      break;
    case PROP_SECONDS_LEFT:
      g_value_set_int64 (value, get_seconds_left (download));
      break;
    case PROP_SOURCES:
      g_value_set_object (value, download->sources);
      break;
    case PROP_ADDED:
      g_value_set_int64 (value, p2ps_download_get_added (download));
      break;
    case PROP_FINISHED:
      g_value_set_int64 (value, p2ps_download_get_finished (download));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_download_finalize (GObject *object)
{
  P2psDownload *download = P2PS_DOWNLOAD (object);

  p2ps_download_close_part (download);
  g_clear_pointer (&download->fetch, p2ps_fetch_unref);
  g_clear_pointer (&download->planner, p2ps_planner_free);
  g_clear_object (&download->asked);
  g_clear_object (&download->sources);
  g_free (download->filename);
  g_free (download->folder);
  g_free (download->path);
  g_free (download->reason);
  G_OBJECT_CLASS (p2ps_download_parent_class)->finalize (object);
}

static void
p2ps_download_class_init (P2psDownloadClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = p2ps_download_get_property;
  object_class->finalize = p2ps_download_finalize;
  props[PROP_FILEHASH] = g_param_spec_string ("filehash", NULL, NULL, NULL, flags);
  props[PROP_FILENAME] = g_param_spec_string ("filename", NULL, NULL, NULL, flags);
  props[PROP_SIZE] = g_param_spec_int64 ("size", NULL, NULL, -1, G_MAXINT64, -1, flags);
  props[PROP_RECEIVED] = g_param_spec_int64 ("received", NULL, NULL, 0, G_MAXINT64, 0, flags);
  props[PROP_SPEED] = g_param_spec_double ("speed", NULL, NULL, 0, G_MAXDOUBLE, 0, flags);
  props[PROP_PROGRESS] = g_param_spec_double ("progress", NULL, NULL, 0, 1, 0, flags);
  props[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, P2PS_TYPE_DOWNLOAD_STATE,
                                         P2PS_DOWNLOAD_QUEUED, flags);
  props[PROP_REASON] = g_param_spec_string ("reason", NULL, NULL, NULL, flags);
  props[PROP_PATH] = g_param_spec_string ("path", NULL, NULL, NULL, flags);
  props[PROP_SECONDS_LEFT]
      = g_param_spec_int64 ("seconds-left", NULL, NULL, -1, G_MAXINT64, -1, flags);
  props[PROP_SOURCES] = g_param_spec_object ("sources", NULL, NULL, G_TYPE_LIST_MODEL, flags);
  props[PROP_ADDED] = g_param_spec_int64 ("added", NULL, NULL, 0, G_MAXINT64, 0, flags);
  props[PROP_FINISHED] = g_param_spec_int64 ("finished", NULL, NULL, 0, G_MAXINT64, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
p2ps_download_init (P2psDownload *download)
{
  download->size = download->told_size = -1;
  download->sources = p2ps_keyed_list_new (P2PS_TYPE_DOWNLOAD_SOURCE, 250);
}
