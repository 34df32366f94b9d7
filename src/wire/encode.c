/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Messages to bytes: the classic shapes exactly, our own keys behind theirs. A classic peer ignores
 * keys that it doesn't know. Owns nothing, runs on any thread, never makes more than P2PS_MAX_BODY.
 */

#include <string.h>

#include <json-glib/json-glib.h>

#include "core/limits.h"
#include "wire/codec.h"

/* What a node of this version can do beyond the classic calls, as told in the reply to a ping. */
static const char *const features[] = { "words", "xttl", "dup", "hits", "size", "ranges", "root" };

/* json-glib writes what it is given: text that is not UTF-8 would not be JSON. */
static void
add_text (JsonBuilder *builder, const char *key, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text ? text : "", -1);

  json_builder_set_member_name (builder, key);
  json_builder_add_string_value (builder, valid);
}

static void
add_int (JsonBuilder *builder, const char *key, gint64 value)
{
  json_builder_set_member_name (builder, key);
  json_builder_add_int_value (builder, value);
}

static void
add_boolean (JsonBuilder *builder, const char *key, gboolean value)
{
  json_builder_set_member_name (builder, key);
  json_builder_add_boolean_value (builder, value);
}

/* "0.0.0.0" is how classic peers spell an address that is not set. */
static void
add_address (JsonBuilder *builder, const P2psAddress *address)
{
  add_text (builder, "host", address->host[0] != '\0' ? address->host : "0.0.0.0");
  add_int (builder, "port", address->port);
}

static void
add_query (JsonBuilder *builder, const P2psQuery *query)
{
  add_text (builder, "filename", query->filename);
  add_text (builder, "filehash", query->filehash);
  add_address (builder, &query->origin);
  if (query->ttl >= 0)
    add_int (builder, "ttl", query->ttl);
  add_text (builder, "QID", query->qid);
  if (query->words)
    add_text (builder, "match", "words");
  if (query->xttl >= 0)
    add_int (builder, "xttl", query->xttl);
  if (query->hops >= 0)
    add_int (builder, "hops", query->hops);
  if (query->via.port != 0)
    {
      json_builder_set_member_name (builder, "via");
      json_builder_begin_object (builder);
      add_address (builder, &query->via);
      json_builder_end_object (builder);
    }
  if (query->reached != NULL)
    add_text (builder, "reached", query->reached);
}

static void
add_file (JsonBuilder *builder, const P2psHit *hit)
{
  add_text (builder, "filename", hit->filename);
  add_text (builder, "filehash", hit->filehash);
  if (hit->size >= 0)
    add_int (builder, "size", hit->size);
  if (hit->root[0] != '\0')
    add_text (builder, "root", hit->root);
}

/* The first file stands where a classic peer reads it; "hits" has all of them when there are more.
 */
static void
add_hits (JsonBuilder *builder, const GPtrArray *hits, guint n)
{
  const P2psHit *first = hits->pdata[0];

  add_file (builder, first);
  add_address (builder, &first->holder);
  add_text (builder, "QID", first->qid);
  if (n < 2)
    return;
  json_builder_set_member_name (builder, "hits");
  json_builder_begin_array (builder);
  for (guint i = 0; i < n; i++)
    {
      json_builder_begin_object (builder);
      add_file (builder, hits->pdata[i]);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
}

static void
add_pong (JsonBuilder *builder, const P2psMessage *message)
{
  add_boolean (builder, "status", message->ok);
  if (message->agent != NULL)
    {
      add_text (builder, "agent", message->agent);
      json_builder_set_member_name (builder, "features");
      json_builder_begin_array (builder);
      for (guint i = 0; i < G_N_ELEMENTS (features); i++)
        json_builder_add_string_value (builder, features[i]);
      json_builder_end_array (builder);
    }
  if (message->id != NULL)
    add_text (builder, "id", message->id);
  if (message->nonce != NULL)
    add_text (builder, "nonce", message->nonce);
  if (message->files >= 0)
    add_int (builder, "files", message->files);
}

static void
add_peers (JsonBuilder *builder, const P2psMessage *message)
{
  add_boolean (builder, "status", message->ok);
  if (!message->ok)
    {
      add_text (builder, "Msg", "Unauthorized request.");
      return;
    }
  json_builder_set_member_name (builder, "peers");
  json_builder_begin_array (builder);
  for (guint i = 0; message->peers != NULL && i < message->peers->len; i++)
    {
      json_builder_begin_object (builder);
      add_address (builder, &g_array_index (message->peers, P2psAddress, i));
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
}

static void
add_status (JsonBuilder *builder, const P2psMessage *message, P2psMessageType in_reply_to)
{
  if (in_reply_to == P2PS_MESSAGE_QUERY_HIT)
    add_text (builder, "status", message->ok ? "success" : "error");
  else
    add_boolean (builder, "status", message->ok);
  if (message->duplicate)
    add_boolean (builder, "dup", TRUE);
}

static void
add_message (JsonBuilder *builder, const P2psMessage *message, P2psMessageType in_reply_to,
             guint n_hits)
{
  json_builder_begin_object (builder);
  switch (message->type)
    {
    case P2PS_MESSAGE_PING:
      break;
    case P2PS_MESSAGE_JOIN:
    case P2PS_MESSAGE_HEARTBEAT:
    case P2PS_MESSAGE_GET_PEERS:
      add_address (builder, &message->sender);
      break;
    case P2PS_MESSAGE_QUERY:
      add_query (builder, message->query);
      break;
    case P2PS_MESSAGE_QUERY_HIT:
      add_hits (builder, message->hits, n_hits);
      break;
    case P2PS_MESSAGE_PONG:
      add_pong (builder, message);
      break;
    case P2PS_MESSAGE_STATUS:
      add_status (builder, message, in_reply_to);
      break;
    case P2PS_MESSAGE_PEERS:
      add_peers (builder, message);
      break;
    }
  json_builder_end_object (builder);
}

/* The number that classic peers put beside the object of some replies; 0: a plain object. */
static int
get_code (const P2psMessage *message, P2psMessageType in_reply_to)
{
  if (message->type == P2PS_MESSAGE_PONG)
    return 201;
  if (message->type == P2PS_MESSAGE_STATUS
      && (in_reply_to == P2PS_MESSAGE_HEARTBEAT || in_reply_to == P2PS_MESSAGE_QUERY))
    return 200;
  return 0;
}

static char *
encode (const P2psMessage *message, P2psMessageType in_reply_to, guint n_hits)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  int code = get_code (message, in_reply_to);

  if (code != 0)
    json_builder_begin_array (builder);
  add_message (builder, message, in_reply_to, n_hits);
  if (code != 0)
    {
      json_builder_add_int_value (builder, code);
      json_builder_end_array (builder);
    }
  root = json_builder_get_root (builder);
  return json_to_string (root, FALSE);
}

GBytes *
p2ps_wire_encode (const P2psMessage *message, P2psMessageType in_reply_to)
{
  guint n_hits = message->hits != NULL ? message->hits->len : 0;
  g_autofree char *text = NULL;
  gsize length;

  if (message->type == P2PS_MESSAGE_PING)
    return NULL;
  g_return_val_if_fail (message->type != P2PS_MESSAGE_QUERY_HIT || n_hits > 0, NULL);
  g_return_val_if_fail (message->type != P2PS_MESSAGE_QUERY || message->query != NULL, NULL);

  text = encode (message, in_reply_to, n_hits);
  while (strlen (text) > P2PS_MAX_BODY && n_hits > 1)
    {
      n_hits /= 2;
      g_free (text);
      text = encode (message, in_reply_to, n_hits);
    }
  length = strlen (text);
  return g_bytes_new_take (g_steal_pointer (&text), length);
}
