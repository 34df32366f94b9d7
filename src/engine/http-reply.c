/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The bytes of an answer: status line, headers, body. Owns nothing; on the server's main context.
 * Every answer ends its connection: soup_server_accept_iostream() never keeps one open, and where
 * libsoup is older than 3.3 a client that keeps one alive and leaves would cost a descriptor. */

#include "engine/http-private.h"

#include <string.h>

/* The Date header's value, made once a second. */
static const char *
get_date (void)
{
  static _Thread_local char date[64];
  static _Thread_local gint64 made;
  gint64 second = g_get_real_time () / G_USEC_PER_SEC;

  if (second != made)
    {
      g_autoptr (GDateTime) now = g_date_time_new_from_unix_utc (second);
      g_autofree char *text = soup_date_time_to_string (now, SOUP_DATE_HTTP);

      g_strlcpy (date, text, sizeof date);
      made = second;
    }
  return date;
}

/* libsoup's list is older than RFC 6585. */
static const char *
get_phrase (guint status)
{
  return status == 429 ? "Too Many Requests" : soup_status_get_phrase (status);
}

GString *
p2ps_http_reply_begin (guint status)
{
  GString *reply = g_string_sized_new (512);

  g_string_printf (reply, "HTTP/1.1 %u %s\r\n", status, get_phrase (status));
  p2ps_http_reply_header (reply, "Date", get_date ());
  p2ps_http_reply_header (reply, "Connection", "close");
  /* No browser is to guess that a shared file is a page or a script of this node. */
  p2ps_http_reply_header (reply, "X-Content-Type-Options", "nosniff");
  return reply;
}

/* value comes from us: line ends in it would be a bug of ours, and are cut off. */
void
p2ps_http_reply_header (GString *reply, const char *name, const char *value)
{
  g_string_append (reply, name);
  g_string_append (reply, ": ");
  g_string_append_len (reply, value, strcspn (value, "\r\n"));
  g_string_append (reply, "\r\n");
}

/* Takes reply. body may be NULL: a HEAD request, or the body follows some other way.
 * content_length is -1 where the status allows none (304). */
GBytes *
p2ps_http_reply_end (GString *reply, gint64 content_length, GBytes *body)
{
  if (content_length >= 0)
    g_string_append_printf (reply, "Content-Length: %" G_GINT64_FORMAT "\r\n", content_length);
  g_string_append (reply, "\r\n");
  if (body != NULL)
    g_string_append_len (reply, g_bytes_get_data (body, NULL), g_bytes_get_size (body));
  return g_string_free_to_bytes (reply);
}

/* {"error": reason} with whatever a stranger may have put into the reason escaped. */
GBytes *
p2ps_http_reply_error_body (const char *reason)
{
  g_autofree char *valid = g_utf8_make_valid (reason, -1);
  GString *json = g_string_new ("{\"error\": \"");

  for (const char *c = valid; *c != '\0'; c++)
    if (*c == '"' || *c == '\\')
      g_string_append_printf (json, "\\%c", *c);
    else if ((guchar)*c < ' ' || *c == 0x7f)
      g_string_append_printf (json, "\\u%04x", (guint)*c);
    else
      g_string_append_c (json, *c);
  g_string_append (json, "\"}");
  return g_string_free_to_bytes (json);
}
