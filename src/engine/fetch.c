/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Owns one worker thread and what it knows. The thread looks for the finished file, takes up the
 * part file, lets fetch-http.c fill it, verifies and finishes it; the owner only reads the progress
 * under the lock and gets the result from its main loop. Refuses to outlive its cancellation for
 * longer than one disk operation. */

#define G_LOG_DOMAIN "p2ps-fetch"

#include "engine/fetch-private.h"

#include "config-build.h"

#include <glib/gi18n-lib.h>

#include "core/limits.h"
#include "engine/error.h"

static P2psFetch *
fetch_ref (P2psFetch *fetch)
{
  g_atomic_ref_count_inc (&fetch->refs);
  return fetch;
}

void
p2ps_fetch_unref (P2psFetch *fetch)
{
  if (fetch == NULL || !g_atomic_ref_count_dec (&fetch->refs))
    return;
  g_clear_pointer (&fetch->part, p2ps_part_file_free);
  g_clear_pointer (&fetch->result.part, p2ps_part_file_free);
  g_clear_error (&fetch->result.error);
  g_free (fetch->result.path);
  g_clear_pointer (&fetch->hit, p2ps_hit_free);
  g_clear_pointer (&fetch->thread, g_thread_unref);
  g_object_unref (fetch->cancellable);
  p2ps_throttle_unref (fetch->throttle);
  g_main_context_unref (fetch->owner);
  g_free (fetch->folder);
  g_free (fetch->disk_name);
  g_mutex_clear (&fetch->lock);
  g_cond_clear (&fetch->ended_cond);
  g_free (fetch);
}

void
p2ps_fetch_set_phase (P2psFetch *fetch, P2psFetchPhase phase)
{
  g_mutex_lock (&fetch->lock);
  fetch->progress.phase = phase;
  fetch->progress.waits_for_network = phase == P2PS_FETCH_CONNECTING;
  g_mutex_unlock (&fetch->lock);
}

void
p2ps_fetch_report (P2psFetch *fetch, gint64 length, gint64 network_bytes, gint64 total,
                   gboolean waits_for_network)
{
  g_mutex_lock (&fetch->lock);
  fetch->progress.length = length;
  fetch->progress.network_bytes = network_bytes;
  fetch->progress.total = total;
  fetch->progress.waits_for_network = waits_for_network;
  g_mutex_unlock (&fetch->lock);
}

void
p2ps_fetch_get_progress (P2psFetch *fetch, P2psFetchProgress *progress)
{
  g_mutex_lock (&fetch->lock);
  *progress = fetch->progress;
  g_mutex_unlock (&fetch->lock);
}

static void
rehashed_cb (gint64 bytes, gpointer user_data)
{
  p2ps_fetch_report (user_data, bytes, 0, -1, FALSE);
}

/* The hash of the whole part file is compared; wrong bytes are thrown away and somebody is blamed
 * where that is certain. */
static gboolean
verify_and_finish (P2psFetch *fetch, GError **error)
{
  P2psFetchResult *result = &fetch->result;
  const P2psAddress *peer = fetch->hit != NULL ? &fetch->hit->holder : NULL;
  gboolean certain
      = peer != NULL && !fetch->end_is_a_guess && p2ps_part_file_is_all_from (fetch->part, peer);

  result->total = p2ps_part_file_get_length (fetch->part);

  p2ps_fetch_set_phase (fetch, P2PS_FETCH_VERIFYING);
  if (p2ps_part_file_verify (fetch->part))
    {
      result->path
          = p2ps_part_file_finish (fetch->part, fetch->disk_name, fetch->cancellable, error);
      /* Its hash has ended: after a failure it is taken up anew. */
      g_clear_pointer (&fetch->part, p2ps_part_file_free);
      return result->path != NULL;
    }
  if (!p2ps_part_file_restart (fetch->part, error))
    return FALSE;
  result->attempt = certain ? P2PS_ATTEMPT_LIED : P2PS_ATTEMPT_DEAD;
  result->mixed = !certain && !fetch->end_is_a_guess;
  g_set_error (error, P2PS_ERROR, certain ? P2PS_ERROR_MISBEHAVED : P2PS_ERROR_CHANGED,
               certain ? _ ("Sent other bytes than the hash says")
               : fetch->end_is_a_guess
                   ? _ ("Ended too early, or sent other bytes than the hash says")
                   : _ ("The parts of several sources don't fit together: starting over"));
  return FALSE;
}

/* Looks at the disk, asks the source, finishes. TRUE: done, or nothing to do without a source. */
static gboolean
work (P2psFetch *fetch, GError **error)
{
  P2psFetchResult *result = &fetch->result;
  gint64 length = fetch->size;

  if (fetch->look)
    {
      result->path = p2ps_part_file_find_finished (fetch->folder, fetch->disk_name, fetch->filehash,
                                                   &length, fetch->cancellable);
      if (result->path != NULL)
        {
          result->total = length;
          p2ps_part_file_remove (fetch->folder, fetch->filehash);
          return TRUE;
        }
      if (g_cancellable_set_error_if_cancelled (fetch->cancellable, error))
        return FALSE;
    }
  if (fetch->part == NULL)
    fetch->part = p2ps_part_file_open (fetch->folder, fetch->filehash, fetch->size, rehashed_cb,
                                       fetch, fetch->cancellable, error);
  if (fetch->part == NULL)
    return FALSE;
  length = p2ps_part_file_get_length (fetch->part);
  p2ps_fetch_report (fetch, length, 0, -1, FALSE);
  if (length == fetch->size)
    {
      if (!p2ps_part_file_reserve (fetch->part, fetch->size, error))
        return FALSE;
    }
  else if (fetch->hit == NULL)
    return TRUE;
  else if (!p2ps_fetch_from_source (fetch, error))
    return FALSE;
  return verify_and_finish (fetch, error);
}

/* In the owner's main loop. */
static gboolean
ended_cb (gpointer data)
{
  P2psFetch *fetch = data;

  if (fetch->callback != NULL)
    fetch->callback (fetch, &fetch->result, fetch->user_data);
  fetch->callback = NULL;
  if (fetch->destroy != NULL)
    g_clear_pointer (&fetch->user_data, fetch->destroy);
  return G_SOURCE_REMOVE;
}

static gpointer
thread_main (gpointer data)
{
  P2psFetch *fetch = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GSource) source = g_idle_source_new ();
  GError *error = NULL;

  g_main_context_push_thread_default (context);
  fetch->result.attempt = P2PS_ATTEMPT_DEAD;
  fetch->result.total = -1;
  if (!work (fetch, &error))
    fetch->result.error = error;
  g_main_context_pop_thread_default (context);

  g_mutex_lock (&fetch->lock);
  if (fetch->stalled && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_clear_error (&fetch->result.error);
      fetch->result.error = g_error_new (P2PS_ERROR, P2PS_ERROR_UNREACHABLE, _ ("Stopped sending"));
    }
  fetch->result.part = g_steal_pointer (&fetch->part);
  fetch->ended = TRUE;
  g_cond_broadcast (&fetch->ended_cond);
  g_mutex_unlock (&fetch->lock);

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, ended_cb, fetch, (GDestroyNotify)p2ps_fetch_unref);
  g_source_attach (source, fetch->owner);
  return NULL;
}

/**
 * p2ps_fetch_start:
 * @part: (transfer full) (nullable): from the attempt before
 * @callback: called once, on the caller's thread-default main context
 *
 * Returns: (transfer full)
 */
P2psFetch *
p2ps_fetch_start (const P2psFetchRequest *request, P2psPartFile *part, P2psFetchFunc callback,
                  gpointer user_data, GDestroyNotify destroy)
{
  P2psFetch *fetch = g_new0 (P2psFetch, 1);

  g_atomic_ref_count_init (&fetch->refs);
  g_mutex_init (&fetch->lock);
  g_cond_init (&fetch->ended_cond);
  fetch->owner = g_main_context_ref_thread_default ();
  fetch->cancellable = g_cancellable_new ();
  fetch->callback = callback;
  fetch->user_data = user_data;
  fetch->destroy = destroy;
  fetch->folder = g_strdup (request->folder);
  fetch->disk_name = g_strdup (request->disk_name);
  g_strlcpy (fetch->filehash, request->filehash, sizeof fetch->filehash);
  fetch->size = request->size;
  fetch->hit = request->hit != NULL ? p2ps_hit_copy (request->hit) : NULL;
  fetch->look = request->look;
  fetch->if_range = request->if_range;
  fetch->alone = request->alone;
  fetch->throttle = p2ps_throttle_ref (request->throttle);
  fetch->part = part;
  fetch->progress.total = -1;
  if (part != NULL)
    fetch->progress.length = p2ps_part_file_get_length (part);
  fetch->thread = g_thread_new ("p2ps-fetch", thread_main, fetch_ref (fetch));
  return fetch;
}

/**
 * p2ps_fetch_cancel:
 *
 * The callback still comes: with %G_IO_ERROR_CANCELLED, or with success when it was too late.
 */
void
p2ps_fetch_cancel (P2psFetch *fetch)
{
  g_cancellable_cancel (fetch->cancellable);
}

/**
 * p2ps_fetch_check_stall:
 * @stall_time: microseconds
 *
 * To be called a few times a second: ends the attempt when the source keeps us waiting for its
 * reply, or sends next to nothing, for `stall_time`. One byte a second is no transfer.
 *
 * Returns: whether it was ended
 */
gboolean
p2ps_fetch_check_stall (P2psFetch *fetch, gint64 now, gint64 stall_time)
{
  P2psFetchProgress progress;

  p2ps_fetch_get_progress (fetch, &progress);
  if (fetch->window_start == 0 || progress.phase != fetch->window_phase
      || !progress.waits_for_network
      || progress.network_bytes - fetch->window_bytes >= P2PS_FETCH_LEAST_BYTES)
    {
      fetch->window_start = now;
      fetch->window_bytes = progress.network_bytes;
      fetch->window_phase = progress.phase;
      return FALSE;
    }
  if (now - fetch->window_start < stall_time)
    return FALSE;
  g_mutex_lock (&fetch->lock);
  fetch->stalled = TRUE;
  g_mutex_unlock (&fetch->lock);
  g_cancellable_cancel (fetch->cancellable);
  return TRUE;
}

/**
 * p2ps_fetch_wait_until:
 * @end_time: as for g_cond_wait_until()
 *
 * For the end of the program: waits until the worker is through with the disk. The callback is not
 * called any more.
 *
 * Returns: whether it ended
 */
gboolean
p2ps_fetch_wait_until (P2psFetch *fetch, gint64 end_time)
{
  gboolean ended;

  g_mutex_lock (&fetch->lock);
  while (!fetch->ended && g_cond_wait_until (&fetch->ended_cond, &fetch->lock, end_time))
    continue;
  ended = fetch->ended;
  g_mutex_unlock (&fetch->lock);
  return ended;
}
