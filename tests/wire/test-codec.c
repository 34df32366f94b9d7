/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Every row of the peer API in bytes: exactly the classic shapes out, and in whatever a classic
 * peer, one of ours or a stranger may send. */

#include <string.h>

#include "core/limits.h"
#include "wire/codec.h"

#define QID "0b6e2f0e-6a4d-4e0a-9c39-0c4a5d1f7a11"
#define HASH "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static P2psMessage *
request (P2psMessageType type, const char *json, GError **error)
{
  g_autoptr (GBytes) body = g_bytes_new (json, strlen (json));

  return p2ps_wire_decode_request (type, body, error);
}

static P2psMessage *
reply (P2psMessageType type, const char *json, GError **error)
{
  g_autoptr (GBytes) body = g_bytes_new (json, strlen (json));

  return p2ps_wire_decode_reply (type, body, error);
}

static void
assert_refused (P2psMessageType type, const char *json, const char *reason)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psMessage) message = request (type, json, &error);

  if (message != NULL)
    g_error ("taken: %s", json);
  g_assert_error (error, P2PS_WIRE_ERROR, P2PS_WIRE_ERROR_INVALID);
  if (strstr (error->message, reason) == NULL)
    g_error ("%s: \"%s\", not \"%s\"", json, error->message, reason);
}

static void
assert_encodes (const P2psMessage *message, P2psMessageType in_reply_to, const char *json)
{
  g_autoptr (GBytes) bytes = p2ps_wire_encode (message, in_reply_to);
  g_autofree char *text = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));

  g_assert_cmpstr (text, ==, json);
}

static P2psAddress
address (const char *host, guint port)
{
  P2psAddress value;

  g_assert_true (p2ps_address_init (&value, host, port));
  return value;
}

static void
test_paths (void)
{
  g_autoptr (P2psMessage) ping = p2ps_message_new (P2PS_MESSAGE_PING);
  g_autofree char *plain = p2ps_wire_dup_target (ping);
  g_autofree char *with_nonce = NULL;

  g_assert_cmpstr (plain, ==, "/ping");
  ping->nonce = g_strdup ("a b");
  with_nonce = p2ps_wire_dup_target (ping);
  g_assert_cmpstr (with_nonce, ==, "/ping?n=a%20b");
  g_assert_null (p2ps_wire_encode (ping, 0));
  g_assert_cmpstr (p2ps_wire_get_method (P2PS_MESSAGE_PING), ==, "GET");
  g_assert_cmpstr (p2ps_wire_get_method (P2PS_MESSAGE_QUERY_HIT), ==, "POST");
  g_assert_cmpstr (p2ps_wire_get_path (P2PS_MESSAGE_QUERY_HIT), ==, "/query_hit");
  g_assert_null (p2ps_wire_get_path (P2PS_MESSAGE_PONG));
}

static void
test_ping (void)
{
  g_autoptr (P2psMessage) ping = p2ps_wire_decode_ping ("Nonce-1");
  g_autoptr (P2psMessage) bad = p2ps_wire_decode_ping ("a\"b");
  g_autoptr (P2psMessage) pong = p2ps_message_new (P2PS_MESSAGE_PONG);
  g_autoptr (P2psMessage) classic = NULL, ours = NULL, odd = NULL;
  g_autoptr (GBytes) bytes = NULL;

  g_assert_cmpstr (ping->nonce, ==, "Nonce-1");
  g_assert_null (bad->nonce);

  pong->ok = TRUE;
  pong->files = -1;
  assert_encodes (pong, P2PS_MESSAGE_PING, "[{\"status\":true},201]");
  pong->agent = g_strdup ("p2pshare/1");
  pong->id = g_strdup ("me");
  pong->nonce = g_strdup ("Nonce-1");
  pong->files = 3;
  bytes = p2ps_wire_encode (pong, P2PS_MESSAGE_PING);
  g_assert_cmpuint (g_bytes_get_size (bytes), <, P2PS_MAX_PING_REPLY);
  ours = p2ps_wire_decode_reply (P2PS_MESSAGE_PING, bytes, NULL);
  g_assert_true (ours->ok);
  g_assert_cmpstr (ours->agent, ==, "p2pshare/1");
  g_assert_cmpstr (ours->id, ==, "me");
  g_assert_cmpstr (ours->nonce, ==, "Nonce-1");
  g_assert_cmpint (ours->files, ==, 3);

  classic = reply (P2PS_MESSAGE_PING, "[{\"status\": true}, 201]", NULL);
  g_assert_true (classic->ok);
  g_assert_null (classic->agent);
  g_assert_cmpint (classic->files, ==, -1);
  odd = reply (P2PS_MESSAGE_PING,
               "{\"status\": true, \"agent\": 5, \"id\": \"\\u202ex\", \"files\": -2}", NULL);
  g_assert_true (odd->ok);
  g_assert_null (odd->agent);
  g_assert_null (odd->id);
  g_assert_cmpint (odd->files, ==, -1);
}

static void
test_join (void)
{
  P2psAddress self = address ("10.0.0.5", 8081), unset = { "", 8081 };
  g_autoptr (P2psMessage) join = p2ps_message_new_from (P2PS_MESSAGE_JOIN, &self);
  g_autoptr (P2psMessage) vague = p2ps_message_new_from (P2PS_MESSAGE_JOIN, &unset);
  g_autoptr (P2psMessage) yes = p2ps_message_new_status (TRUE);
  g_autoptr (P2psMessage) no = p2ps_message_new_status (FALSE);

  assert_encodes (join, 0, "{\"host\":\"10.0.0.5\",\"port\":8081}");
  assert_encodes (vague, 0, "{\"host\":\"0.0.0.0\",\"port\":8081}");
  assert_encodes (yes, P2PS_MESSAGE_JOIN, "{\"status\":true}");
  assert_encodes (no, P2PS_MESSAGE_JOIN, "{\"status\":false}");
  assert_encodes (yes, P2PS_MESSAGE_HEARTBEAT, "[{\"status\":true},200]");
  assert_encodes (yes, P2PS_MESSAGE_QUERY, "[{\"status\":true},200]");
  assert_encodes (yes, P2PS_MESSAGE_QUERY_HIT, "{\"status\":\"success\"}");
  yes->duplicate = TRUE;
  assert_encodes (yes, P2PS_MESSAGE_QUERY, "[{\"status\":true,\"dup\":true},200]");
}

/* What a sender may write, and which address is meant. */
static void
test_senders (void)
{
  static const struct
  {
    const char *json;
    P2psMessageType type;
    const char *host;
    guint port;
  } rows[] = {
    { "{\"host\": \"10.0.0.5\", \"port\": 8081}", P2PS_MESSAGE_JOIN, "10.0.0.5", 8081 },
    { "{\"host\": \"10.0.0.5\", \"port\": \"8081\"}", P2PS_MESSAGE_JOIN, "10.0.0.5", 8081 },
    { "{\"host\": \"fd00::5\", \"port\": 8081.0, \"x\": []}", P2PS_MESSAGE_JOIN, "fd00::5", 8081 },
    { "{\"host\": \"0.0.0.0\", \"port\": 8081}", P2PS_MESSAGE_JOIN, "", 8081 },
    { "{\"host\": \"\", \"port\": 8081}", P2PS_MESSAGE_HEARTBEAT, "", 8081 },
    { "{\"port\": 8081}", P2PS_MESSAGE_HEARTBEAT, "", 8081 },
    { "{\"port\": 8081}", P2PS_MESSAGE_JOIN, "", 0 },
    { "{\"host\": null, \"port\": 8081}", P2PS_MESSAGE_JOIN, "", 0 },
    { "{\"host\": \"10.0.0.5\"}", P2PS_MESSAGE_JOIN, "", 0 },
    { "{}", P2PS_MESSAGE_JOIN, "", 0 },
    { "{}", P2PS_MESSAGE_HEARTBEAT, "", 0 },
    { "{}", P2PS_MESSAGE_GET_PEERS, "", 0 },
    { "{\"host\": \"1.1.1.1\", \"host\": \"10.0.0.5\", \"port\": 8081}", P2PS_MESSAGE_JOIN,
      "10.0.0.5", 8081 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (P2psMessage) message = request (rows[i].type, rows[i].json, &error);

      g_assert_no_error (error);
      g_assert_cmpint (message->type, ==, rows[i].type);
      g_assert_cmpstr (message->sender.host, ==, rows[i].host);
      g_assert_cmpuint (message->sender.port, ==, rows[i].port);
    }
}

static void
test_senders_refused (void)
{
  const P2psMessageType join = P2PS_MESSAGE_JOIN;

  assert_refused (join, "", "empty");
  assert_refused (join, "[]", "not a JSON object");
  assert_refused (join, "[{\"host\": \"10.0.0.5\", \"port\": 1}, 200]", "not a JSON object");
  assert_refused (join, "7", "not a JSON object");
  assert_refused (join, "{\"host\": 7, \"port\": 8081}", "host: not a string");
  assert_refused (join, "{\"host\": \"example.com\", \"port\": 8081}", "host: not an IP address");
  assert_refused (join, "{\"host\": \"10.0.0.5\\n\", \"port\": 8081}", "host: not an IP address");
  assert_refused (join, "{\"host\": \"10.0.0.5\", \"port\": 0}", "port: not between");
  assert_refused (join, "{\"host\": \"10.0.0.5\", \"port\": 70000}", "port: not between");
  assert_refused (join, "{\"host\": \"10.0.0.5\", \"port\": -1}", "port: not between");
  assert_refused (join, "{\"host\": \"10.0.0.5\", \"port\": 80.5}", "port: not a number");
  assert_refused (join, "{\"host\": \"10.0.0.5\", \"port\": 1e999}", "port: not a number");
  assert_refused (join, "{\"host\": \"10.0.0.5\", \"port\": true}", "port: not a number");
  assert_refused (join, "{\"host\": \"10.0.0.5\", \"port\": \"0x50\"}", "port: not a number");
  assert_refused (join, "{\"host\": \"10.0.0.5\", \"port\": \" 80\"}", "port: not a number");
  assert_refused (join, "{\"host\": \"10.0.0.5\", \"port\": 18446744073709559696}", "out of range");
}

static void
test_get_peers (void)
{
  g_autoptr (P2psMessage) peers = p2ps_message_new (P2PS_MESSAGE_PEERS);
  g_autoptr (P2psMessage) read = NULL, no = NULL;
  g_autoptr (GError) error = NULL;
  P2psAddress one = address ("10.0.0.5", 8081);

  peers->ok = FALSE;
  assert_encodes (peers, P2PS_MESSAGE_GET_PEERS,
                  "{\"status\":false,\"Msg\":\"Unauthorized request.\"}");
  peers->ok = TRUE;
  assert_encodes (peers, P2PS_MESSAGE_GET_PEERS, "{\"status\":true,\"peers\":[]}");
  g_array_append_val (peers->peers, one);
  assert_encodes (peers, P2PS_MESSAGE_GET_PEERS,
                  "{\"status\":true,\"peers\":[{\"host\":\"10.0.0.5\",\"port\":8081}]}");

  read = reply (P2PS_MESSAGE_GET_PEERS,
                "{\"status\": true, \"peers\": [{\"host\": \"10.0.0.5\", \"port\": 8081}, 5, null,"
                " {\"host\": \"0.0.0.0\", \"port\": 8081}, {\"host\": \"nowhere\", \"port\": 1},"
                " {\"host\": \"10.0.0.6\"}, {\"host\": \"10.0.0.7\", \"port\": \"9000\"}]}",
                &error);
  g_assert_no_error (error);
  g_assert_true (read->ok);
  g_assert_cmpuint (read->peers->len, ==, 2);
  g_assert_cmpstr (g_array_index (read->peers, P2psAddress, 0).host, ==, "10.0.0.5");
  g_assert_cmpuint (g_array_index (read->peers, P2psAddress, 1).port, ==, 9000);

  no = reply (P2PS_MESSAGE_GET_PEERS, "{\"status\": false, \"Msg\": \"Unauthorized request.\"}",
              NULL);
  g_assert_false (no->ok);
  g_assert_cmpuint (no->peers->len, ==, 0);
}

static void
test_query_classic (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psMessage) full = NULL, bare = NULL, by_hash = NULL, far = NULL;

  full = request (P2PS_MESSAGE_QUERY,
                  "{\"filename\": \"a b.txt\", \"filehash\": \"" HASH "\", \"host\": \"10.0.0.5\","
                  " \"port\": 8081, \"ttl\": 3, \"QID\": \"" QID "\"}",
                  &error);
  g_assert_no_error (error);
  g_assert_cmpstr (full->query->filename, ==, "a b.txt");
  g_assert_cmpstr (full->query->filehash, ==, HASH);
  g_assert_cmpstr (full->query->origin.host, ==, "10.0.0.5");
  g_assert_cmpuint (full->query->origin.port, ==, 8081);
  g_assert_cmpint (full->query->ttl, ==, 3);
  g_assert_cmpstr (full->query->qid, ==, QID);
  g_assert_false (full->query->words);
  g_assert_cmpint (full->query->xttl, ==, -1);
  g_assert_cmpint (full->query->hops, ==, -1);
  g_assert_cmpuint (full->query->via.port, ==, 0);

  bare = request (P2PS_MESSAGE_QUERY,
                  "{\"filename\": \"x\", \"filehash\": null, \"host\": \"0.0.0.0\","
                  " \"port\": \"8081\", \"QID\": \"" QID "\"}",
                  &error);
  g_assert_no_error (error);
  g_assert_cmpstr (bare->query->filehash, ==, "");
  g_assert_cmpstr (bare->query->origin.host, ==, "");
  g_assert_cmpint (bare->query->ttl, ==, -1);

  by_hash = request (P2PS_MESSAGE_QUERY,
                     "{\"filename\": null, \"filehash\":"
                     " \"9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08\","
                     " \"port\": 8081, \"ttl\": \"2\", \"QID\": \"" QID "\"}",
                     &error);
  g_assert_no_error (error);
  g_assert_cmpstr (by_hash->query->filename, ==, "");
  g_assert_cmpstr (by_hash->query->filehash, ==, HASH);
  g_assert_cmpint (by_hash->query->ttl, ==, 2);

  far = request (P2PS_MESSAGE_QUERY,
                 "{\"filename\": \"x\", \"filehash\": \"none\", \"port\": 8081,"
                 " \"ttl\": 999999999999, \"hops\": -5, \"QID\": \"" QID "\"}",
                 &error);
  g_assert_no_error (error);
  g_assert_cmpstr (far->query->filehash, ==, "");
  g_assert_cmpint (far->query->ttl, ==, 255);
  g_assert_cmpint (far->query->hops, ==, 0);
}

static void
test_query_ours (void)
{
  g_autoptr (P2psQuery) query = p2ps_query_new (QID, "two words", "");
  g_autoptr (P2psMessage) message = NULL, back = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;

  query->origin = address ("10.0.0.5", 8081);
  query->ttl = 2;
  query->words = TRUE;
  query->xttl = 4;
  query->hops = 1;
  query->via = address ("fd00::1", 9000);
  query->reached = g_strdup ("0123abcd89abcdef");
  message = p2ps_message_new_query (g_steal_pointer (&query));
  assert_encodes (message, 0,
                  "{\"filename\":\"two words\",\"filehash\":\"\",\"host\":\"10.0.0.5\","
                  "\"port\":8081,\"ttl\":2,\"QID\":\"" QID "\",\"match\":\"words\",\"xttl\":4,"
                  "\"hops\":1,\"via\":{\"host\":\"fd00::1\",\"port\":9000},"
                  "\"reached\":\"0123abcd89abcdef\"}");
  bytes = p2ps_wire_encode (message, 0);
  back = p2ps_wire_decode_request (P2PS_MESSAGE_QUERY, bytes, &error);
  g_assert_no_error (error);
  g_assert_true (back->query->words);
  g_assert_cmpint (back->query->xttl, ==, 4);
  g_assert_cmpint (back->query->hops, ==, 1);
  g_assert_true (p2ps_address_equal (&back->query->via, &message->query->via));
  g_assert_cmpstr (back->query->reached, ==, "0123abcd89abcdef");
}

static void
test_query_refused (void)
{
#define WITH(members) "{\"port\": 8081, \"QID\": \"" QID "\", " members "}"
  const P2psMessageType query = P2PS_MESSAGE_QUERY;
  g_autofree char *longest = g_strnfill (P2PS_MAX_FILENAME, 'n');
  g_autofree char *fits = g_strdup_printf (WITH ("\"filename\": \"%s\""), longest);
  g_autofree char *too_long = g_strdup_printf (WITH ("\"filename\": \"%sn\""), longest);
  g_autofree char *padding = g_strnfill (P2PS_MAX_QUERY_BODY, ' ');
  g_autofree char *big = g_strconcat (padding, fits, NULL);
  g_autofree char *names = g_strnfill (8 * P2PS_MAX_REACHED + 1, 'a');
  g_autofree char *many
      = g_strdup_printf (WITH ("\"filename\": \"x\", \"reached\": \"%s\""), names);
  g_autoptr (P2psMessage) message = request (query, fits, NULL);
  g_autoptr (P2psMessage) crowded = request (query, many, NULL);

  g_assert_nonnull (message);
  g_assert_null (message->query->reached);
  g_assert_null (crowded->query->reached);
  assert_refused (query, WITH ("\"filename\": \"x\", \"reached\": []"), "reached: not a string");
  assert_refused (query, too_long, "longer than 255 bytes");
  assert_refused (query, big, "too long");
  assert_refused (query, WITH ("\"filename\": \"\""), "neither");
  assert_refused (query, WITH ("\"filename\": \"\", \"filehash\": \"abc\""), "neither");
  assert_refused (query, WITH ("\"filename\": [\"x\"]"), "filename: not a string");
  assert_refused (query, WITH ("\"filename\": \"x\", \"filehash\": 5"), "filehash: not a string");
  assert_refused (query, WITH ("\"filename\": \"a\\u0000b\""), "a NUL");
  assert_refused (query, WITH ("\"filename\": \"\\udc00\""), "lone surrogate");
  assert_refused (query, WITH ("\"filename\": \"\\ud800\""), "lone surrogate");
  assert_refused (query, WITH ("\"filename\": \"\\ud800\\u0041\""), "lone surrogate");
  assert_refused (query, WITH ("\"filename\": \"\xff\""), "UTF-8");
  assert_refused (query, WITH ("\"filename\": \"x\", \"ttl\": \"far\""), "ttl: not a number");
  assert_refused (query, WITH ("\"filename\": \"x\", \"ttl\": []"), "ttl: not a number");
  assert_refused (query, WITH ("\"filename\": \"x\", \"via\": 3"), "via: not an object");
  assert_refused (query, WITH ("\"filename\": \"x\", \"via\": {\"port\": 0}"), "port: not between");
  assert_refused (query, "{\"filename\": \"x\", \"QID\": \"" QID "\"}", "port: missing");
  assert_refused (query, "{\"filename\": \"x\", \"port\": 8081}", "QID: not a UUID");
  assert_refused (query, "{\"filename\": \"x\", \"port\": 8081, \"QID\": \"1\"}", "not a UUID");
  assert_refused (query, "{\"filename\": \"x\", \"port\": 8081, \"QID\": 1}", "not a UUID");
#undef WITH
}

#define ROOT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* A root that is none costs nobody his hit. */
static void
assert_root (const char *json, const char *expected)
{
  g_autofree char *text = g_strdup_printf ("{\"filename\": \"a\", \"filehash\": \"" HASH
                                           "\", \"root\": %s, \"port\": 1,"
                                           " \"QID\": \"" QID "\"}",
                                           json);
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psMessage) message = request (P2PS_MESSAGE_QUERY_HIT, text, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (((P2psHit *)message->hits->pdata[0])->root, ==, expected);
}

static void
test_hit (void)
{
  P2psAddress holder = address ("10.0.0.5", 8081);
  g_autoptr (GPtrArray) one = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  g_autoptr (P2psMessage) message = NULL, classic = NULL;
  g_autoptr (GError) error = NULL;

  g_ptr_array_add (one, p2ps_hit_new (QID, &holder, "a.txt", HASH, 12));
  message = p2ps_message_new_hits (g_steal_pointer (&one));
  assert_encodes (message, 0,
                  "{\"filename\":\"a.txt\",\"filehash\":\"" HASH "\",\"size\":12,"
                  "\"host\":\"10.0.0.5\",\"port\":8081,\"QID\":\"" QID "\"}");

  g_strlcpy (((P2psHit *)message->hits->pdata[0])->root, ROOT, P2PS_HASH_SIZE);
  assert_encodes (message, 0,
                  "{\"filename\":\"a.txt\",\"filehash\":\"" HASH "\",\"size\":12,"
                  "\"root\":\"" ROOT "\","
                  "\"host\":\"10.0.0.5\",\"port\":8081,\"QID\":\"" QID "\"}");
  assert_root ("\"" ROOT "\"", ROOT);
  assert_root ("\"" ROOT "0\"", "");
  assert_root ("\"\"", "");
  assert_root ("7", "");
  assert_root ("null", "");

  classic = request (P2PS_MESSAGE_QUERY_HIT,
                     "{\"filename\": \"a.txt\", \"filehash\": \"" HASH "\", \"host\": \"0.0.0.0\","
                     " \"port\": 8081, \"QID\": \"" QID "\"}",
                     &error);
  g_assert_no_error (error);
  g_assert_cmpuint (classic->hits->len, ==, 1);
  g_assert_cmpstr (((P2psHit *)classic->hits->pdata[0])->holder.host, ==, "");
  g_assert_cmpint (((P2psHit *)classic->hits->pdata[0])->size, ==, -1);

  assert_refused (P2PS_MESSAGE_QUERY_HIT,
                  "{\"filename\": \"a\", \"filehash\": \"\", \"port\": 1, \"QID\": \"" QID "\"}",
                  "filehash");
  assert_refused (P2PS_MESSAGE_QUERY_HIT,
                  "{\"filename\": \"\", \"filehash\": \"" HASH "\", \"port\": 1,"
                  " \"QID\": \"" QID "\"}",
                  "filename");
  assert_refused (P2PS_MESSAGE_QUERY_HIT,
                  "{\"hits\": 1, \"filename\": \"a\", \"filehash\": \"" HASH "\", \"port\": 1,"
                  " \"QID\": \"" QID "\"}",
                  "hits");
}

/* Many files of one holder travel in one message, never longer than a peer takes. */
static void
test_hits (void)
{
  P2psAddress holder = address ("10.0.0.5", 8081);
  g_autofree char *worst = g_strnfill (P2PS_MAX_FILENAME, '\001');
  g_autoptr (GError) error = NULL;

  for (int round = 0; round < 2; round++)
    {
      g_autoptr (GPtrArray) many = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
      g_autoptr (P2psMessage) message = NULL, back = NULL;
      g_autoptr (GBytes) bytes = NULL;

      for (int i = 0; i < P2PS_MAX_HITS_PER_RESPONDER + 5; i++)
        g_ptr_array_add (many, p2ps_hit_new (QID, &holder, round ? worst : "name", HASH, i));
      message = p2ps_message_new_hits (g_steal_pointer (&many));
      bytes = p2ps_wire_encode (message, 0);
      g_assert_cmpuint (g_bytes_get_size (bytes), <=, P2PS_MAX_BODY);
      back = p2ps_wire_decode_request (P2PS_MESSAGE_QUERY_HIT, bytes, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (back->hits->len, >, 1);
      g_assert_cmpuint (back->hits->len, <=, P2PS_MAX_HITS_PER_RESPONDER);
      for (guint i = 0; i < back->hits->len; i++)
        {
          P2psHit *hit = back->hits->pdata[i];

          g_assert_cmpstr (hit->filename, ==, round ? worst : "name");
          g_assert_cmpint (hit->size, ==, i);
          g_assert_cmpuint (hit->holder.port, ==, 8081);
        }
    }
}

static void
test_replies (void)
{
  static const struct
  {
    P2psMessageType request;
    const char *json;
    gboolean ok;
    gboolean duplicate;
  } rows[] = {
    { P2PS_MESSAGE_JOIN, "{\"status\": true}", TRUE, FALSE },
    { P2PS_MESSAGE_JOIN, "[{\"status\": false}, 400]", FALSE, FALSE },
    { P2PS_MESSAGE_HEARTBEAT, "[{\"status\": true}, 200]", TRUE, FALSE },
    { P2PS_MESSAGE_HEARTBEAT, "{\"status\": true}", TRUE, FALSE },
    { P2PS_MESSAGE_QUERY, "[{\"status\": true, \"dup\": true}, 200]", TRUE, TRUE },
    { P2PS_MESSAGE_QUERY, "[{\"status\": true, \"dup\": 7}]", TRUE, FALSE },
    { P2PS_MESSAGE_QUERY_HIT, "{\"status\": \"success\"}", TRUE, FALSE },
    { P2PS_MESSAGE_QUERY_HIT, "{\"status\": \"error\"}", FALSE, FALSE },
  };
  static const char *const nonsense[]
      = { "", "[]", "[[]]", "[[{\"status\":true}]]", "{}", "{\"status\": 1}", "null", "<html>" };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (P2psMessage) message = reply (rows[i].request, rows[i].json, &error);

      g_assert_no_error (error);
      g_assert_cmpint (message->type, ==, P2PS_MESSAGE_STATUS);
      g_assert_cmpint (message->ok, ==, rows[i].ok);
      g_assert_cmpint (message->duplicate, ==, rows[i].duplicate);
    }
  for (guint i = 0; i < G_N_ELEMENTS (nonsense); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (reply (P2PS_MESSAGE_PING, nonsense[i], &error));
      g_assert_error (error, P2PS_WIRE_ERROR, P2PS_WIRE_ERROR_INVALID);
    }
}

static void
test_init_query (void)
{
  static const char json[] = "{\"filename\": \"a.txt\", \"filehash\": \"\"}";
  g_autoptr (GBytes) body = g_bytes_new_static (json, sizeof json - 1);
  g_autoptr (GBytes) empty = g_bytes_new_static ("{}", 2);
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psQuery) query = p2ps_wire_decode_init_query (body, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (query->filename, ==, "a.txt");
  g_assert_false (query->words);
  g_assert_null (p2ps_wire_decode_init_query (empty, &error));
  g_assert_error (error, P2PS_WIRE_ERROR, P2PS_WIRE_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_null (p2ps_wire_decode_init_query (NULL, &error));
  g_assert_error (error, P2PS_WIRE_ERROR, P2PS_WIRE_ERROR_INVALID);
}

static void
test_guard (void)
{
  static const char *const fine[] = { "",
                                      " ",
                                      "{}",
                                      "[1,-0,0.5,1e5,1E-2]",
                                      "\"\\ud83d\\ude00\\n\"",
                                      "[true,false,null]",
                                      "\"/*\"",
                                      "999999999999999999" };
  static const char *const bad[] = { "]",
                                     "[",
                                     "[}x",
                                     "/*\"*/[]",
                                     "//\n1",
                                     "'a'",
                                     "var x = 1;",
                                     "tru",
                                     "truer",
                                     "nul",
                                     "01",
                                     "0x10",
                                     "-",
                                     "1.",
                                     "1e",
                                     "1e+",
                                     "\"\n\"",
                                     "\"\\x\"",
                                     "\"\\u12\"",
                                     "\"a",
                                     "\"\\",
                                     "\"\\u",
                                     "NaN",
                                     "Infinity",
                                     "\"\\u0000\"",
                                     "\"\\udc00\\udc00\"",
                                     "\"\\ud800\\ud800\"",
                                     "9999999999999999999",
                                     "\xc3\x28",
                                     "\"\xed\xa0\x80\"",
                                     "+1",
                                     ".5" };
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) deep = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (fine); i++)
    if (!p2ps_wire_check_json (fine[i], strlen (fine[i]), NULL))
      g_error ("refused: %s", fine[i]);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    if (p2ps_wire_check_json (bad[i], strlen (bad[i]), NULL))
      g_error ("taken: %s", bad[i]);
  g_assert_false (p2ps_wire_check_json ("\"\\\0\"", 4, NULL));
  g_assert_false (p2ps_wire_check_json ("{\0}", 3, NULL));

  for (int i = 0; i < P2PS_MAX_JSON_DEPTH; i++)
    g_string_append_c (deep, '[');
  for (int i = 0; i < P2PS_MAX_JSON_DEPTH; i++)
    g_string_append_c (deep, ']');
  g_assert_true (p2ps_wire_check_json (deep->str, deep->len, NULL));
  g_string_prepend (deep, "\n\n[");
  g_string_append_c (deep, ']');
  g_assert_false (p2ps_wire_check_json (deep->str, deep->len, &error));
  g_assert_cmpstr (error->message, ==, "line 3: nested too deep");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/wire/paths", test_paths);
  g_test_add_func ("/wire/ping", test_ping);
  g_test_add_func ("/wire/join", test_join);
  g_test_add_func ("/wire/senders", test_senders);
  g_test_add_func ("/wire/senders-refused", test_senders_refused);
  g_test_add_func ("/wire/get-peers", test_get_peers);
  g_test_add_func ("/wire/query-classic", test_query_classic);
  g_test_add_func ("/wire/query-ours", test_query_ours);
  g_test_add_func ("/wire/query-refused", test_query_refused);
  g_test_add_func ("/wire/hit", test_hit);
  g_test_add_func ("/wire/hits", test_hits);
  g_test_add_func ("/wire/replies", test_replies);
  g_test_add_func ("/wire/init-query", test_init_query);
  g_test_add_func ("/wire/guard", test_guard);
  return g_test_run ();
}
