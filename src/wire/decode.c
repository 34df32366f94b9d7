/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Bytes to messages, on any thread; owns nothing. Every input gives a message or one error with a
 * reason that can be shown to the sender. Refused: more than P2PS_MAX_BODY bytes (a query 4 KiB, a
 * reply P2PS_MAX_CONTROL_REPLY), anything that json-guard.c refuses, members of a wrong type, hosts
 * that are no literal, ports outside 1 to 65535, names of more than 255 bytes. Whether an address
 * or a name is welcome is not judged here: the core knows the sender, this room doesn't. */

#include <string.h>

#include "core/limits.h"
#include "wire/codec.h"
#include "wire/json.h"

#define MAX_HOPS 255 /* of any hop count: a number that nobody means is not worth a refusal */
#define MAX_WORD 64  /* bytes of a nonce */
#define MAX_AGENT 47 /* bytes, as many as P2psPeerInfo keeps */
#define MAX_ID 39    /* bytes */

static gboolean
invalid (GError **error, const char *key, const char *reason)
{
  g_set_error (error, P2PS_WIRE_ERROR, P2PS_WIRE_ERROR_INVALID, "%s: %s", key, reason);
  return FALSE;
}

/* The first object of a body: {…} itself, or that of [{…}, number]. Transfer full. */
static JsonObject *
parse_object (GBytes *body, gsize cap, gboolean array_too, GError **error)
{
  g_autoptr (JsonNode) root = NULL;
  JsonObject *object = NULL;
  gsize length = 0;
  const char *data = body != NULL ? g_bytes_get_data (body, &length) : NULL;

  if (length > cap)
    {
      invalid (error, "body", "too long");
      return NULL;
    }
  if (length == 0)
    {
      invalid (error, "body", "empty");
      return NULL;
    }
  root = p2ps_json_parse (data, length, error);
  if (root == NULL)
    return NULL;
  if (JSON_NODE_HOLDS_OBJECT (root))
    object = json_node_get_object (root);
  else if (array_too && JSON_NODE_HOLDS_ARRAY (root))
    object = p2ps_json_array_get_object (json_node_get_array (root), 0);
  if (object == NULL)
    {
      invalid (error, "body", "not a JSON object");
      return NULL;
    }
  return json_object_ref (object);
}

typedef enum
{
  NEED_NOTHING, /* without a port the address is left unset: port 0 */
  NEED_PORT,
  NEED_BOTH, /* as NEED_NOTHING, and a host has to be named, too */
} Need;

static gboolean
read_address (JsonObject *object, Need need, P2psAddress *address, GError **error)
{
  const char *host = NULL;
  gint64 port = 0;
  P2psJsonFound host_found = p2ps_json_get_string (object, "host", &host);
  P2psJsonFound port_found = p2ps_json_get_int (object, "port", &port);

  memset (address, 0, sizeof *address);
  if (host_found == P2PS_JSON_WRONG)
    return invalid (error, "host", "not a string");
  if (port_found == P2PS_JSON_WRONG)
    return invalid (error, "port", "not a number");
  if (port_found == P2PS_JSON_ABSENT && need == NEED_PORT)
    return invalid (error, "port", "missing");
  if (port_found == P2PS_JSON_ABSENT || (need == NEED_BOTH && host_found == P2PS_JSON_ABSENT))
    return TRUE;
  if (port < 1 || port > 65535)
    return invalid (error, "port", "not between 1 and 65535");
  if (!p2ps_address_init (address, host, port))
    return invalid (error, "host", "not an IP address");
  return TRUE;
}

static gboolean
read_filename (JsonObject *object, const char **filename, GError **error)
{
  *filename = "";
  if (p2ps_json_get_string (object, "filename", filename) == P2PS_JSON_WRONG)
    return invalid (error, "filename", "not a string");
  if (strlen (*filename) > P2PS_MAX_FILENAME)
    return invalid (error, "filename", "longer than 255 bytes");
  return TRUE;
}

/* hash "" when there is none, or none that a file can have. */
static gboolean
read_filehash (JsonObject *object, char hash[P2PS_HASH_SIZE], GError **error)
{
  const char *text = "";

  hash[0] = '\0';
  if (p2ps_json_get_string (object, "filehash", &text) == P2PS_JSON_WRONG)
    return invalid (error, "filehash", "not a string");
  if (!p2ps_hash_normalize (hash, text))
    hash[0] = '\0';
  return TRUE;
}

static gboolean
read_qid (JsonObject *object, const char **qid, GError **error)
{
  *qid = NULL;
  if (p2ps_json_get_string (object, "QID", qid) != P2PS_JSON_FOUND || !p2ps_qid_is_valid (*qid))
    return invalid (error, "QID", "not a UUID");
  return TRUE;
}

/* -1 when absent. Numbers beyond what anybody means are clamped, not refused. */
static gboolean
read_hops (JsonObject *object, const char *key, int *hops, GError **error)
{
  gint64 value = -1;

  *hops = -1;
  switch (p2ps_json_get_int (object, key, &value))
    {
    case P2PS_JSON_WRONG:
      return invalid (error, key, "not a number");
    case P2PS_JSON_FOUND:
      *hops = CLAMP (value, 0, MAX_HOPS);
      break;
    case P2PS_JSON_ABSENT:
      break;
    }
  return TRUE;
}

/* What is asked for: the part that a peer's and a local user's query share. */
static P2psQuery *
read_wanted (JsonObject *object, const char *qid, GError **error)
{
  const char *filename, *match = NULL;
  char hash[P2PS_HASH_SIZE];
  P2psQuery *query;

  if (!read_filename (object, &filename, error) || !read_filehash (object, hash, error))
    return NULL;
  if (filename[0] == '\0' && hash[0] == '\0')
    {
      invalid (error, "filename", "neither a name nor a SHA-256 to look for");
      return NULL;
    }
  query = p2ps_query_new (qid, filename, hash);
  p2ps_json_get_string (object, "match", &match);
  query->words = g_strcmp0 (match, "words") == 0;
  return query;
}

/* Whom the origin asks: what is too long to be that is as good as absent. */
static gboolean
read_reached (JsonObject *object, P2psQuery *query, GError **error)
{
  const char *reached;

  switch (p2ps_json_get_string (object, "reached", &reached))
    {
    case P2PS_JSON_WRONG:
      invalid (error, "reached", "not a string");
      return FALSE;
    case P2PS_JSON_FOUND:
      if (strlen (reached) <= 8 * P2PS_MAX_REACHED)
        query->reached = g_strdup (reached);
      break;
    case P2PS_JSON_ABSENT:
      break;
    }

  return TRUE;
}

static P2psMessage *
read_query (JsonObject *object, GError **error)
{
  g_autoptr (P2psQuery) query = NULL;
  const char *qid;
  JsonObject *via;

  if (!read_qid (object, &qid, error))
    return NULL;
  query = read_wanted (object, qid, error);
  if (query == NULL || !read_address (object, NEED_PORT, &query->origin, error)
      || !read_hops (object, "ttl", &query->ttl, error)
      || !read_hops (object, "xttl", &query->xttl, error)
      || !read_hops (object, "hops", &query->hops, error) || !read_reached (object, query, error))
    return NULL;
  memset (&query->via, 0, sizeof query->via);
  switch (p2ps_json_get_object (object, "via", &via))
    {
    case P2PS_JSON_WRONG:
      invalid (error, "via", "not an object");
      return NULL;
    case P2PS_JSON_FOUND:
      if (!read_address (via, NEED_PORT, &query->via, error))
        return NULL;
      break;
    case P2PS_JSON_ABSENT:
      break;
    }
  return p2ps_message_new_query (g_steal_pointer (&query));
}

static P2psHit *
read_file (JsonObject *object, const char *qid, const P2psAddress *holder, GError **error)
{
  const char *filename;
  const char *root = NULL;
  char hash[P2PS_HASH_SIZE];
  gint64 size = -1;
  P2psHit *hit;

  if (!read_filename (object, &filename, error) || !read_filehash (object, hash, error))
    return NULL;
  if (filename[0] == '\0')
    {
      invalid (error, "filename", "missing");
      return NULL;
    }
  if (hash[0] == '\0')
    {
      invalid (error, "filehash", "not a SHA-256");
      return NULL;
    }
  if (p2ps_json_get_int (object, "size", &size) == P2PS_JSON_WRONG || size < 0)
    size = -1;
  hit = p2ps_hit_new (qid, holder, filename, hash, size);
  if (p2ps_json_get_string (object, "root", &root) == P2PS_JSON_FOUND
      && !p2ps_hash_normalize (hit->root, root))
    hit->root[0] = '\0';
  return hit;
}

/* Of many, those that can be read are taken; a message with none is refused. */
static P2psMessage *
read_hits (JsonObject *object, GError **error)
{
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  P2psAddress holder;
  const char *qid;
  JsonArray *many = NULL;
  guint n;

  if (!read_qid (object, &qid, error) || !read_address (object, NEED_PORT, &holder, error))
    return NULL;
  if (p2ps_json_get_array (object, "hits", &many) == P2PS_JSON_WRONG)
    {
      invalid (error, "hits", "not an array");
      return NULL;
    }
  n = many != NULL ? MIN (json_array_get_length (many), P2PS_MAX_HITS_PER_RESPONDER) : 0;
  for (guint i = 0; i < n; i++)
    {
      JsonObject *file = p2ps_json_array_get_object (many, i);
      P2psHit *hit = file != NULL ? read_file (file, qid, &holder, NULL) : NULL;

      if (hit != NULL)
        g_ptr_array_add (hits, hit);
    }
  if (hits->len == 0)
    {
      P2psHit *hit = read_file (object, qid, &holder, error);

      if (hit == NULL)
        return NULL;
      g_ptr_array_add (hits, hit);
    }
  return p2ps_message_new_hits (g_steal_pointer (&hits));
}

P2psMessage *
p2ps_wire_decode_ping (const char *n)
{
  P2psMessage *message = p2ps_message_new (P2PS_MESSAGE_PING);
  gsize length = n != NULL ? strlen (n) : 0;

  if (length > 0 && length <= MAX_WORD)
    {
      for (gsize i = 0; i < length; i++)
        if (!g_ascii_isalnum (n[i]) && strchr ("-_.", n[i]) == NULL)
          return message;
      message->nonce = g_strdup (n);
    }
  return message;
}

P2psMessage *
p2ps_wire_decode_request (P2psMessageType type, GBytes *body, GError **error)
{
  g_autoptr (JsonObject) object = NULL;
  P2psAddress sender;

  if (type == P2PS_MESSAGE_PING)
    return p2ps_wire_decode_ping (NULL);
  object = parse_object (body, type == P2PS_MESSAGE_QUERY ? P2PS_MAX_QUERY_BODY : P2PS_MAX_BODY,
                         FALSE, error);
  if (object == NULL)
    return NULL;
  switch (type)
    {
    case P2PS_MESSAGE_JOIN:
    case P2PS_MESSAGE_HEARTBEAT:
    case P2PS_MESSAGE_GET_PEERS:
      if (!read_address (object, type == P2PS_MESSAGE_JOIN ? NEED_BOTH : NEED_NOTHING, &sender,
                         error))
        return NULL;
      return p2ps_message_new_from (type, &sender);
    case P2PS_MESSAGE_QUERY:
      return read_query (object, error);
    case P2PS_MESSAGE_QUERY_HIT:
      return read_hits (object, error);
    default:
      invalid (error, "body", "not a request");
      return NULL;
    }
}

P2psQuery *
p2ps_wire_decode_init_query (GBytes *body, GError **error)
{
  g_autoptr (JsonObject) object = parse_object (body, P2PS_MAX_QUERY_BODY, FALSE, error);

  return object != NULL ? read_wanted (object, "", error) : NULL;
}

/* Words that a peer says of itself; NULL when there are none or nobody could show them. */
static char *
read_words (JsonObject *object, const char *key, gsize max)
{
  const char *text = NULL;

  if (p2ps_json_get_string (object, key, &text) != P2PS_JSON_FOUND)
    return NULL;
  if (text[0] == '\0' || strlen (text) > max)
    return NULL;
  for (const char *c = text; *c != '\0'; c++)
    if (!g_ascii_isprint (*c))
      return NULL;
  return g_strdup (text);
}

static P2psMessage *
read_pong (JsonObject *object, gboolean ok)
{
  P2psMessage *message = p2ps_message_new (P2PS_MESSAGE_PONG);
  gint64 files = -1;

  message->ok = ok;
  message->agent = read_words (object, "agent", MAX_AGENT);
  message->id = read_words (object, "id", MAX_ID);
  message->nonce = read_words (object, "nonce", MAX_WORD);
  if (p2ps_json_get_int (object, "files", &files) != P2PS_JSON_FOUND || files < 0)
    files = -1;
  message->files = files;
  return message;
}

/* Entries that name no reachable address are left out, not held against the rest. */
static P2psMessage *
read_peers (JsonObject *object, gboolean ok, GError **error)
{
  g_autoptr (P2psMessage) message = p2ps_message_new (P2PS_MESSAGE_PEERS);
  JsonArray *peers = NULL;
  guint n;

  message->ok = ok;
  if (p2ps_json_get_array (object, "peers", &peers) == P2PS_JSON_WRONG)
    {
      invalid (error, "peers", "not an array");
      return NULL;
    }
  n = ok && peers != NULL ? json_array_get_length (peers) : 0;
  for (guint i = 0; i < n && message->peers->len < P2PS_MAX_PEERS; i++)
    {
      JsonObject *entry = p2ps_json_array_get_object (peers, i);
      P2psAddress address;

      if (entry != NULL && read_address (entry, NEED_PORT, &address, NULL)
          && address.host[0] != '\0')
        g_array_append_val (message->peers, address);
    }
  return g_steal_pointer (&message);
}

/* Every reply of the API has a "status": true or false, "success" from /query_hit. */
static gboolean
read_status (JsonObject *object, gboolean *ok, GError **error)
{
  const char *text = NULL;

  if (p2ps_json_get_boolean (object, "status", ok) == P2PS_JSON_FOUND)
    return TRUE;
  if (p2ps_json_get_string (object, "status", &text) == P2PS_JSON_FOUND)
    {
      *ok = strcmp (text, "success") == 0;
      return TRUE;
    }
  return invalid (error, "status", "missing");
}

P2psMessage *
p2ps_wire_decode_reply (P2psMessageType request, GBytes *body, GError **error)
{
  g_autoptr (JsonObject) object = NULL;
  P2psMessage *message;
  gboolean ok = FALSE;

  object = parse_object (body, P2PS_MAX_CONTROL_REPLY, TRUE, error);
  if (object == NULL || !read_status (object, &ok, error))
    return NULL;
  switch (request)
    {
    case P2PS_MESSAGE_PING:
      return read_pong (object, ok);
    case P2PS_MESSAGE_GET_PEERS:
      return read_peers (object, ok, error);
    case P2PS_MESSAGE_JOIN:
    case P2PS_MESSAGE_HEARTBEAT:
    case P2PS_MESSAGE_QUERY:
    case P2PS_MESSAGE_QUERY_HIT:
      message = p2ps_message_new_status (ok);
      p2ps_json_get_boolean (object, "dup", &message->duplicate);
      return message;
    default:
      invalid (error, "body", "not a reply");
      return NULL;
    }
}
