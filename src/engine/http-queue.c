/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Slots for uploads, as HTTP: a request that gets none is told its place, 503 and when to come
 * back. On the server's main context. Small files need no slot: they are gone before the next one
 * could be asked for. */

#define G_LOG_DOMAIN "p2ps-http"

#include "engine/http-private.h"

#include "core/limits.h"

#define PAUSE_RETRY (30 * P2PS_SECOND)

static const char *
get_what (const P2psSharedFile *file)
{
  return file->filehash[0] != '\0' ? file->filehash : file->name;
}

static GBytes *
new_body (const P2psSlotsPlace *place)
{
  GString *json = g_string_new ("{\"error\": \"All upload slots are taken.\"");

  g_string_append_printf (json, ", \"place\": %u, \"of\": %u", place->place, place->of);
  if (place->estimate >= 0)
    g_string_append_printf (json, ", \"estimate_seconds\": %" G_GINT64_FORMAT,
                            place->estimate / P2PS_SECOND + 1);
  g_string_append_c (json, '}');
  return g_string_free_to_bytes (json);
}

static void
send_later (P2psHttpConnection *connection, gint64 retry_after, GBytes *body)
{
  GString *reply = p2ps_http_reply_begin (503);

  g_string_append_printf (reply, "Retry-After: %" G_GINT64_FORMAT "\r\n",
                          (retry_after + P2PS_SECOND - 1) / P2PS_SECOND);
  p2ps_http_reply_header (reply, "Content-Type", "application/json");
  p2ps_http_connection_send (connection,
                             p2ps_http_reply_end (reply, g_bytes_get_size (body), body));
}

/* Before bytes first to last of a file are sent. FALSE: not now, and the client was told. */
gboolean
p2ps_http_queue_enter (P2psHttpConnection *connection, const P2psSharedFile *file, gint64 last)
{
  const gint64 now = g_get_monotonic_time ();
  P2psSlotsPlace place;

  if (p2ps_http_server_is_paused (connection->server))
    {
      g_autoptr (GBytes) body = p2ps_http_reply_error_body ("Uploads are paused.");

      send_later (connection, PAUSE_RETRY, body);
      return FALSE;
    }
  if (file->size <= P2PS_SMALL_FILE)
    return TRUE;
  if (p2ps_slots_take (p2ps_http_server_get_slots (connection->server), now, connection->source,
                       get_what (file), &place))
    {
      connection->slot = g_strdup (get_what (file));
      connection->slot_since = now;
      connection->slot_goes_on = last < file->size - 1;
      return TRUE;
    }
  g_autoptr (GBytes) body = new_body (&place);
  send_later (connection, place.retry_after, body);
  return FALSE;
}

/* After it, or when it was cut. */
void
p2ps_http_queue_leave (P2psHttpConnection *connection, gboolean complete)
{
  g_autofree char *what = g_steal_pointer (&connection->slot);
  const gint64 now = g_get_monotonic_time ();

  if (what != NULL)
    p2ps_slots_release (p2ps_http_server_get_slots (connection->server), now, connection->source,
                        what, now - connection->slot_since, complete && connection->slot_goes_on);
}
