/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A request past the guard, and its answers. Owns copies of all that was asked, so that nothing
 * about it is read from a client that has gone; on the server's main context. */

#define G_LOG_DOMAIN "p2ps-http"

#include "engine/http-private.h"

#include <string.h>

#include "engine/http-range.h"

struct _P2psHttpRequest
{
  grefcount refs;
  P2psHttpConnection *connection;
  GBytes *body;
  GHashTable *query; /* decoded when first asked for */
  gboolean answered;
};

P2psHttpRequest *
p2ps_http_request_new (P2psHttpConnection *connection)
{
  P2psHttpRequest *self = g_new0 (P2psHttpRequest, 1);

  g_ref_count_init (&self->refs);
  self->connection = p2ps_http_connection_ref (connection);
  self->body = g_byte_array_free_to_bytes (g_steal_pointer (&connection->body));
  return self;
}

P2psHttpRequest *
p2ps_http_request_ref (P2psHttpRequest *self)
{
  g_ref_count_inc (&self->refs);
  return self;
}

void
p2ps_http_request_unref (P2psHttpRequest *self)
{
  if (self->refs == -1 && !self->answered)
    p2ps_http_request_reply_error (self, 500, "The node did not answer.");
  if (!g_ref_count_dec (&self->refs))
    return;
  p2ps_http_connection_unref (self->connection);
  g_clear_pointer (&self->body, g_bytes_unref);
  g_clear_pointer (&self->query, g_hash_table_unref);
  g_free (self);
}

const char *
p2ps_http_request_get_method (P2psHttpRequest *self)
{
  return self->connection->head->method;
}

/* As it was sent: a %2F in it is no separator, a %00 no end. */
const char *
p2ps_http_request_get_path (P2psHttpRequest *self)
{
  return self->connection->head->path;
}

/* The decoded value of the first such key, "" of a key without one, or NULL. A pair that doesn't
 * decode to UTF-8 without NUL is not there. */
const char *
p2ps_http_request_get_query (P2psHttpRequest *self, const char *key)
{
  if (self->query == NULL)
    {
      const char *query = self->connection->head->query;
      g_auto (GStrv) pairs = g_strsplit (query != NULL ? query : "", "&", 0);

      self->query = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
      for (guint i = 0; pairs[i] != NULL; i++)
        {
          char *equals = strchr (g_strdelimit (pairs[i], "+", ' '), '=');
          const char *value = equals != NULL ? equals + 1 : "";
          char *name = g_uri_unescape_segment (pairs[i], equals, NULL);
          char *text = g_uri_unescape_string (value, NULL);

          if (name != NULL && text != NULL && g_utf8_validate (name, -1, NULL)
              && g_utf8_validate (text, -1, NULL) && !g_hash_table_contains (self->query, name))
            g_hash_table_insert (self->query, g_steal_pointer (&name), g_steal_pointer (&text));
          g_free (name);
          g_free (text);
        }
    }
  return g_hash_table_lookup (self->query, key);
}

const char *
p2ps_http_request_get_header (P2psHttpRequest *self, const char *name)
{
  return p2ps_http_head_get (self->connection->head, name, NULL);
}

/* "" on a unix socket. */
const char *
p2ps_http_request_get_source (P2psHttpRequest *self)
{
  return self->connection->source;
}

GBytes *
p2ps_http_request_get_body (P2psHttpRequest *self)
{
  return self->body;
}

/* --- answers --- */

/* FALSE: there is nobody to answer to, or it was answered before. */
static gboolean
begin_answer (P2psHttpRequest *self)
{
  if (self->answered)
    {
      g_warning ("a request for %s was answered twice", p2ps_http_request_get_path (self));
      return FALSE;
    }
  self->answered = TRUE;
  return self->connection->stage == P2PS_HTTP_HANDLING;
}

static gboolean
is_head (P2psHttpRequest *self)
{
  return g_str_equal (p2ps_http_request_get_method (self), "HEAD");
}

/* body may be NULL or, for a status that allows none (204, 304), must be. */
void
p2ps_http_request_reply (P2psHttpRequest *self, guint status, const char *content_type,
                         GBytes *body)
{
  GString *reply;

  if (!begin_answer (self))
    return;
  reply = p2ps_http_reply_begin (status);
  if (content_type != NULL)
    p2ps_http_reply_header (reply, "Content-Type", content_type);
  p2ps_http_connection_send (
      self->connection,
      p2ps_http_reply_end (reply, body != NULL ? (gint64)g_bytes_get_size (body) : 0,
                           is_head (self) ? NULL : body));
}

/* {"error": reason} */
void
p2ps_http_request_reply_error (P2psHttpRequest *self, guint status, const char *reason)
{
  g_autoptr (GBytes) body = p2ps_http_reply_error_body (reason);

  p2ps_http_request_reply (self, status, "application/json", body);
}

/* --- files --- */

/* RFC 6266: a plain name for old programs, the real one in UTF-8. */
static void
add_disposition (GString *reply, const char *name)
{
  g_autofree char *plain = g_strdup (name);
  g_autofree char *encoded = g_uri_escape_string (name, "!#$&+^`|", FALSE);
  g_autofree char *value = NULL;

  for (char *c = plain; *c != '\0'; c++)
    if (*c < ' ' || *c >= 0x7f || strchr ("\"\\%", *c) != NULL)
      *c = '_';
  value = g_strdup_printf ("attachment; filename=\"%s\"; filename*=UTF-8''%s", plain, encoded);
  p2ps_http_reply_header (reply, "Content-Disposition", value);
}

/* RFC 9530: the digest of the whole file, whatever part of it is sent. */
static void
add_digest (GString *reply, const char *hex)
{
  guint8 hash[32];
  g_autofree char *base64 = NULL;
  g_autofree char *value = NULL;

  for (guint i = 0; i < sizeof hash; i++)
    hash[i] = g_ascii_xdigit_value (hex[2 * i]) << 4 | g_ascii_xdigit_value (hex[2 * i + 1]);
  base64 = g_base64_encode (hash, sizeof hash);
  value = g_strdup_printf ("sha-256=:%s:", base64);
  p2ps_http_reply_header (reply, "Repr-Digest", value);
}

/* RFC 9110, 13.1.2: a list, weak tags count too. */
static gboolean
matches_any (const char *list, const char *etag)
{
  g_auto (GStrv) tags = g_strsplit (list, ",", 64);

  for (guint i = 0; tags[i] != NULL; i++)
    {
      const char *tag = g_strstrip (tags[i]);

      if (g_str_has_prefix (tag, "W/"))
        tag += 2;
      if (g_str_equal (tag, "*") || g_str_equal (tag, etag))
        return TRUE;
    }
  return FALSE;
}

static P2psRangeKind
get_range (P2psHttpRequest *self, const P2psSharedFile *file, const char *etag, gint64 *first,
           gint64 *last)
{
  const P2psHttpHead *head = self->connection->head;
  guint n_ranges, n_conditions;
  const char *range = p2ps_http_head_get (head, "Range", &n_ranges);
  const char *condition = p2ps_http_head_get (head, "If-Range", &n_conditions);

  /* Only the very same strong tag keeps the range; we give no dates, so a date never does. */
  if (n_conditions > 1 || (condition != NULL && !g_str_equal (condition, etag)))
    range = NULL;
  else if (n_ranges > 1)
    return P2PS_RANGE_REFUSED;
  return p2ps_http_range_parse (range, file->size, first, last);
}

static GString *
begin_file_reply (const P2psSharedFile *file, guint status, const char *etag)
{
  GString *reply = p2ps_http_reply_begin (status);

  p2ps_http_reply_header (reply, "Accept-Ranges", "bytes");
  if (file->filehash[0] != '\0')
    {
      p2ps_http_reply_header (reply, "ETag", etag);
      add_digest (reply, file->filehash);
    }
  if (status == 304)
    return reply;
  p2ps_http_reply_header (reply, "Content-Type", "application/octet-stream");
  add_disposition (reply, file->name);
  return reply;
}

static void
refuse_range (P2psHttpRequest *self, const P2psSharedFile *file)
{
  g_autoptr (GBytes) body
      = p2ps_http_reply_error_body (p2ps_http_refusal_get_text (P2PS_HTTP_REFUSAL_RANGE));
  GString *reply = p2ps_http_reply_begin (416);

  p2ps_http_server_refused (self->connection->server, P2PS_HTTP_REFUSAL_RANGE);
  g_string_append_printf (reply, "Content-Range: bytes */%" G_GINT64_FORMAT "\r\n", file->size);
  p2ps_http_reply_header (reply, "Content-Type", "application/json");
  p2ps_http_connection_send (self->connection, p2ps_http_reply_end (reply, g_bytes_get_size (body),
                                                                    is_head (self) ? NULL : body));
}

/* The file or the one range of it that was asked for: 200, 206, 304 or 416. The request must be a
 * GET or HEAD. Holds its own reference on the file as long as it is sent. A file whose hash is ""
 * gets neither ETag nor digest. */
void
p2ps_http_request_reply_file (P2psHttpRequest *self, P2psSharedFile *file)
{
  g_autofree char *etag = g_strdup_printf ("\"%s\"", file->filehash);
  const char *none_match = p2ps_http_request_get_header (self, "If-None-Match");
  gint64 first, last;
  P2psRangeKind kind;
  GString *reply;
  GBytes *head;

  if (self->connection->stage == P2PS_HTTP_HANDLING && self->connection->fd < 0)
    {
      p2ps_http_request_reply_error (self, 501, "Files are sent over sockets only.");
      return;
    }
  if (!begin_answer (self))
    return;
  if (none_match != NULL && matches_any (none_match, etag))
    {
      reply = begin_file_reply (file, 304, etag);
      p2ps_http_connection_send (self->connection, p2ps_http_reply_end (reply, -1, NULL));
      return;
    }
  kind = get_range (self, file, etag, &first, &last);
  if (kind == P2PS_RANGE_REFUSED)
    {
      refuse_range (self, file);
      return;
    }
  if (!is_head (self) && last >= first && !p2ps_http_queue_enter (self->connection, file, last))
    return;
  reply = begin_file_reply (file, kind == P2PS_RANGE_PART ? 206 : 200, etag);
  if (kind == P2PS_RANGE_PART)
    g_string_append_printf (reply,
                            "Content-Range: bytes %" G_GINT64_FORMAT "-%" G_GINT64_FORMAT
                            "/%" G_GINT64_FORMAT "\r\n",
                            first, last, file->size);
  head = p2ps_http_reply_end (reply, last - first + 1, NULL);
  if (is_head (self) || last < first)
    p2ps_http_connection_send (self->connection, head);
  else
    p2ps_http_connection_upload (self->connection, head, file, first, last - first + 1);
}
