/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One download: its state machine and its row. Owns the planner that says whom to ask, at most one
 * fetch at a time and, between two fetches, the part file. Lives on the owner context; the disk and
 * the network are the fetch's. Refuses to run without leave of the queue (p2ps_download_poll), to
 * ask a source that lied, and to call anything done that isn't verified. */

#define G_LOG_DOMAIN "p2ps-download"

#include "engine/download.h"

#include "config-build.h"

#include <glib/gi18n-lib.h>

#include "core/limits.h"
#include "engine/download-private.h"
#include "engine/error.h"

#define P2PS_SPEED_SAMPLES 20           /* of the speed: ticks of 200 ms, 4 s */
#define SEARCH_AGAIN (60 * P2PS_SECOND) /* while sources are known but none works */
#define MAX_SOURCES 64

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

/* The last thing on the disk was done for one that was removed from the queue: now another download
 * of the same file may begin there. */
static void
leave (P2psDownload *download)
{
  g_autoptr (P2psDownloads) queue = g_steal_pointer (&download->left_queue);

  if (queue != NULL)
    p2ps_downloads_has_left (queue, download->filehash);
}

static void
part_removed_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  P2psDownload *download = P2PS_DOWNLOAD (source);

  download->removing = FALSE;
  leave (download);
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
  p2ps_download_set_received (download, 0);
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
  p2ps_download_set_received (download, progress.length);
  if (progress.total >= 0 && download->told_size < 0)
    p2ps_download_set_size (download, progress.total);
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
finish (P2psDownload *download, char *path, gint64 size)
{
  p2ps_download_set_finished (download, path, g_get_real_time ());
  download->discard = FALSE;
  p2ps_download_set_size (download, size);
  p2ps_download_set_received (download, size);
  p2ps_download_set_state (download, P2PS_DOWNLOAD_DONE, NULL);
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
  g_autofree char *reason = result->of > 0
                                ? g_strdup_printf (_ ("Waiting for %s (place %u of %u)"), peer,
                                                   result->place, result->of)
                                : g_strdup_printf ("%s: %s", peer, result->error->message);

  p2ps_download_source_set_state (asked, result->error->message);
  p2ps_download_source_set_other_size (asked, result->other_size);
  p2ps_download_set_reason (download, reason);
  if (result->mixed)
    download->alone = TRUE;
  /* Whose parts were wrong isn't known: the next attempt will tell. */
  if (!result->mixed || result->attempt == P2PS_ATTEMPT_LIED)
    p2ps_planner_failed (download->planner, now, address, result->attempt, result->retry_after);
  if (result->attempt == P2PS_ATTEMPT_LIED && download->told_size < 0)
    p2ps_download_set_size (download, -1);
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
      finish (download, g_steal_pointer (&result->path), result->total);
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
      p2ps_download_set_received (download, p2ps_part_file_get_length (download->part));
      p2ps_downloads_keeps_part (download->queue, download);
    }
  if (result->error == NULL)
    {
      download->looked = TRUE;
      return;
    }
  if (is_local_problem (result))
    {
      download->blocked_until = now + p2ps_downloads_get_disk_retry_time (download->queue);
      p2ps_download_set_reason (download, result->error->message);
      /* The folder may have been unmounted or replaced: it is opened anew. */
      p2ps_download_close_part (download);
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
  if (!download->removing)
    leave (download);
  /* Its place is free; poll() says what comes next. */
  if (p2ps_download_is_at_work (download->state))
    p2ps_download_set_state (download, P2PS_DOWNLOAD_QUEUED, download->reason);
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
    .throttle = p2ps_downloads_get_throttle (download->queue),
  };

  disk_name = download->filename == NULL || *download->filename == '\0'
                  ? g_strdup (download->filehash)
                  : p2ps_name_for_disk (download->filename);
  request.disk_name = disk_name;
  if (source != NULL)
    {
      request.hit = p2ps_download_source_get_hit (source);
      request.if_range = p2ps_download_source_get_etag_is_hash (source);
      p2ps_download_source_set_state (source, _ ("Connecting"));
      download->transfer_start = now;
    }
  g_set_object (&download->asked, source);
  download->network_bytes = 0;
  download->n_samples = 0;
  p2ps_download_set_state (
      download, source != NULL ? P2PS_DOWNLOAD_CONNECTING : P2PS_DOWNLOAD_VERIFYING, NULL);
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
      p2ps_download_set_size (download, -1);
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

/* By a person, with a limit of 0: nobody is asked then. */
static gboolean
is_held (P2psDownload *download)
{
  return p2ps_throttle_get_rate (p2ps_downloads_get_throttle (download->queue)) == 0;
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
      if (may_run && !is_held (download))
        start_fetch (download, find_source (download, &plan.source), now);
      else
        p2ps_download_set_state (download, P2PS_DOWNLOAD_QUEUED,
                                 is_held (download) ? _ ("The limit for downloads is 0") : NULL);
      return P2PS_NEVER;
    case P2PS_PLAN_WAIT:
      p2ps_download_set_state (download, P2PS_DOWNLOAD_WAITING,
                               download->reason != NULL ? download->reason
                                                        : _ ("No source answers"));
      want_sources (download, now, SEARCH_AGAIN);
      return plan.deadline;
    case P2PS_PLAN_SEARCH:
      p2ps_download_set_state (download, P2PS_DOWNLOAD_SEARCHING, download->reason);
      want_sources (download, now, plan.deadline - now);
      return plan.deadline;
    }
  g_assert_not_reached ();
}

gint64
p2ps_download_poll (P2psDownload *download, gint64 now, gboolean may_run)
{
  if (download->fetch != NULL || download->removing || p2ps_download_is_over (download)
      || download->state == P2PS_DOWNLOAD_PAUSED || download->queue == NULL
      || p2ps_downloads_is_leaving (download->queue, download->filehash))
    return P2PS_NEVER;
  if (download->blocked_until > now)
    {
      p2ps_download_set_state (download, P2PS_DOWNLOAD_WAITING, download->reason);
      return download->blocked_until;
    }
  if (download->looked)
    return follow_plan (download, now, may_run);
  if (may_run)
    start_fetch (download, NULL, now);
  else
    p2ps_download_set_state (download, P2PS_DOWNLOAD_QUEUED, NULL);
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
  guint newest = download->n_samples % P2PS_SPEED_SAMPLES;
  guint oldest = download->n_samples < P2PS_SPEED_SAMPLES ? 0 : (newest + 1) % P2PS_SPEED_SAMPLES;
  gint64 time;
  double speed = 0;

  download->samples[newest].time = now;
  download->samples[newest].bytes = download->network_bytes;
  download->n_samples++;
  time = now - download->samples[oldest].time;
  if (time > 0)
    speed = (double)(download->network_bytes - download->samples[oldest].bytes) * 1e6 / time;
  p2ps_download_set_speed (download, speed);
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
  if (!p2ps_download_is_at_work (download->state))
    return;
  p2ps_fetch_get_progress (download->fetch, &progress);
  p2ps_download_set_state (download, states[progress.phase],
                           progress.phase == P2PS_FETCH_RECEIVING && download->queue != NULL
                                   && is_held (download)
                               ? _ ("The limit for downloads is 0")
                               : NULL);
  if (progress.phase == P2PS_FETCH_RECEIVING && download->asked != NULL)
    p2ps_download_source_set_state (download->asked, _ ("Sending"));
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
  download->left_queue = g_object_ref (g_steal_pointer (&download->queue));
  if (download->fetch != NULL)
    {
      download->discard = remove_part_file;
      p2ps_fetch_cancel (download->fetch);
    }
  else if (remove_part_file)
    remove_part (download);
  else if (!download->removing)
    leave (download);
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
  p2ps_download_set_state (download, P2PS_DOWNLOAD_PAUSED, NULL);
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
  if (download->fetch == NULL || !p2ps_download_is_at_work (download->state))
    p2ps_download_set_state (download, P2PS_DOWNLOAD_QUEUED, NULL);
  save (download);
  kick (download);
}

/* A finished one was asked for again: whether it is still there is for the worker to see. */
void
p2ps_download_look_again (P2psDownload *download)
{
  p2ps_download_set_finished (download, NULL, 0);
  download->looked = FALSE;
  p2ps_download_set_received (download, 0);
  p2ps_download_set_state (download, P2PS_DOWNLOAD_QUEUED, NULL);
  p2ps_download_resume (download);
}

void
p2ps_download_cancel (P2psDownload *download)
{
  if (p2ps_download_is_over (download))
    return;
  p2ps_download_set_state (download, P2PS_DOWNLOAD_CANCELLED, NULL);
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
    p2ps_download_set_filename (download, hit->filename);
  if (made != NULL)
    save (download);
  kick (download);
}
