/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Every row of the peer API against a whole node, as bytes of HTTP: the classic shapes exactly. */

#include <json-glib/json-glib.h>
#include <libsoup/soup.h>
#include <sys/socket.h>

#include "engine/block-tree.h"
#include "nodes.h"

#define CONTENT "hello, peer\n"
/* SHA-256 of CONTENT, as hex and as base64url */
static char content_hex[P2PS_HASH_SIZE];
static char content_ni[44];

typedef struct
{
  Node *node;
  SoupSession *session;
} Fixture;

typedef struct
{
  guint status;
  char *type;
  char *text;
  gsize length;
  char *length_header;
} Answer;

static void
answer_free (Answer *answer)
{
  g_free (answer->type);
  g_free (answer->text);
  g_free (answer->length_header);
  g_free (answer);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Answer, answer_free)

static void
got_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  *(GBytes **)data = soup_session_send_and_read_finish (SOUP_SESSION (source), result, NULL);
}

/* One request, waited for; body NULL: none. */
static Answer *
ask (Fixture *f, const char *method, const char *path, const char *body)
{
  g_autofree char *url
      = g_strdup_printf ("http://127.0.0.1:%u%s", p2ps_engine_get_port (f->node->engine), path);
  g_autoptr (GUri) uri = g_uri_parse (url, SOUP_HTTP_URI_FLAGS | G_URI_FLAGS_ENCODED, NULL);
  g_autoptr (SoupMessage) message = soup_message_new_from_uri (method, uri);
  g_autoptr (GBytes) bytes = NULL;
  Answer *answer = g_new0 (Answer, 1);

  if (body)
    {
      g_autoptr (GBytes) sent = g_bytes_new (body, strlen (body));
      soup_message_set_request_body_from_bytes (message, "application/json", sent);
    }
  soup_session_send_and_read_async (f->session, message, 0, NULL, got_cb, &bytes);
  LOOP_WAIT_FOR (bytes != NULL);
  SoupMessageHeaders *headers = soup_message_get_response_headers (message);
  answer->status = soup_message_get_status (message);
  answer->type = g_strdup (soup_message_headers_get_content_type (headers, NULL));
  answer->length_header = g_strdup (soup_message_headers_get_one (headers, "Content-Length"));
  answer->length = g_bytes_get_size (bytes);
  answer->text = g_strndup (g_bytes_get_data (bytes, NULL), answer->length);
  return answer;
}

/* The answer's JSON is that of `expected`. */
static void
assert_json (const Answer *answer, guint status, const char *expected)
{
  g_autoptr (JsonNode) got = json_from_string (answer->text, NULL);
  g_autoptr (JsonNode) wanted = json_from_string (expected, NULL);

  g_assert_nonnull (wanted);
  g_assert_cmpuint (answer->status, ==, status);
  g_assert_cmpstr (answer->type, ==, "application/json");
  if (!got || !json_node_equal (got, wanted))
    g_error ("got %s\nwanted %s", answer->text, expected);
}

static void
assert_error (const Answer *answer, guint status)
{
  g_autoptr (JsonNode) got = json_from_string (answer->text, NULL);

  g_assert_cmpuint (answer->status, ==, status);
  g_assert_cmpstr (answer->type, ==, "application/json");
  g_assert_true (got && JSON_NODE_HOLDS_OBJECT (got));
  g_assert_true (json_object_has_member (json_node_get_object (got), "error"));
}

static void
set_up (Fixture *f)
{
  f->session = soup_session_new ();
  f->node = node_new ();
  node_write (f->node, "ö 50% #1.txt", CONTENT, -1);
  node_start (f->node);
  node_wait_for_files (f->node, 1);
}

static void
tear_down (Fixture *f)
{
  soup_session_abort (f->session);
  g_object_unref (f->session);
  node_free (f->node);
}

static void
test_ping (void)
{
  Fixture f;

  set_up (&f);
  g_autofree char *expected = g_strdup_printf (
      "[{\"status\": true, \"agent\": \"p2pshare/0.1.0\", \"id\": \"%s\", \"files\": 1,"
      "  \"nonce\": \"x1\"}, 201]",
      p2ps_engine_get_id (f.node->engine));
  g_autoptr (Answer) answer = ask (&f, "GET", "/ping?n=x1", NULL);
  g_autoptr (JsonNode) got = json_from_string (answer->text, NULL);
  g_autoptr (JsonNode) wanted = json_from_string (expected, NULL);
  JsonObject *object = json_array_get_object_element (json_node_get_array (got), 0);
  g_assert_true (json_object_has_member (object, "features"));
  json_object_remove_member (object, "features");
  g_assert_true (json_node_equal (got, wanted));
  g_autoptr (Answer) posted = ask (&f, "POST", "/ping", "{}");
  assert_error (posted, 405);
  tear_down (&f);
}

static void
test_joining (void)
{
  Node *other = node_new ();
  Fixture f;

  set_up (&f);
  node_start (other);
  g_autofree char *who = g_strdup_printf ("{\"host\": \"127.0.0.1\", \"port\": %u}",
                                          p2ps_engine_get_port (other->engine));
  g_autoptr (Answer) stranger = ask (&f, "POST", "/get_peers", who);
  assert_json (stranger, 200, "{\"status\": false, \"Msg\": \"Unauthorized request.\"}");
  g_autoptr (Answer) nobody = ask (&f, "POST", "/join", "{\"host\": \"127.0.0.1\"}");
  assert_json (nobody, 200, "{\"status\": false}");
  g_autoptr (Answer) join = ask (&f, "POST", "/join", who);
  assert_json (join, 200, "{\"status\": true}");
  LOOP_WAIT_FOR (p2ps_engine_get_peers_active (f.node->engine) == 1);
  g_autoptr (Answer) heartbeat = ask (&f, "POST", "/heartbeat", who);
  assert_json (heartbeat, 200, "[{\"status\": true}, 200]");
  g_autoptr (Answer) peers = ask (&f, "POST", "/get_peers", who);
  assert_json (peers, 200, "{\"status\": true, \"peers\": []}");
  g_autoptr (Answer) get = ask (&f, "GET", "/join", NULL);
  assert_error (get, 405);
  node_free (other);
  tear_down (&f);
}

static void
test_query (void)
{
  Node *other = node_new ();
  Fixture f;

  set_up (&f);
  node_start (other);
  P2psSearch *search = p2ps_engine_search_exact (other->engine, "ö 50% #1.txt", NULL, NULL);
  g_autofree char *query = g_strdup_printf (
      "{\"filename\": \"ö 50%% #1.txt\", \"filehash\": null, \"host\": \"127.0.0.1\","
      " \"port\": %u, \"ttl\": 2, \"QID\": \"%s\"}",
      p2ps_engine_get_port (other->engine), p2ps_search_get_qid (search));
  g_autoptr (Answer) first = ask (&f, "POST", "/query", query);
  assert_json (first, 200, "[{\"status\": true}, 200]");
  g_autoptr (Answer) again = ask (&f, "POST", "/query", query);
  assert_json (again, 200, "[{\"status\": true, \"dup\": true}, 200]");
  /* The origin is a stranger: it is pinged, then gets the hit. */
  LOOP_WAIT_FOR (p2ps_search_get_n_hits (search) == 1);

  g_autofree char *padding = g_strnfill (4200, ' ');
  g_autofree char *too_long = g_strconcat (query, padding, NULL);
  g_autoptr (Answer) refused = ask (&f, "POST", "/query", too_long);
  assert_error (refused, 413);
  g_autoptr (Answer) malformed = ask (&f, "POST", "/query", "{\"filename\": ");
  assert_error (malformed, 400);
  g_autoptr (Answer) empty = ask (&f, "POST", "/query", "[]");
  assert_error (empty, 400);
  g_autoptr (GVariant) reasons = NULL;
  g_object_get (p2ps_engine_get_stats (f.node->engine), "refused-by-reason", &reasons, NULL);
  guint64 count = 0;
  g_assert_true (g_variant_lookup (reasons, "query-too-long", "t", &count) && count == 1);
  g_assert_true (g_variant_lookup (reasons, "malformed", "t", &count) && count == 2);
  node_free (other);
  tear_down (&f);
}

static void
test_query_hit (void)
{
  Fixture f;

  set_up (&f);
  P2psSearch *search = p2ps_engine_search (f.node->engine, "thing", NULL);
  g_autofree char *hit = g_strdup_printf (
      "{\"filename\": \"a thing\", \"filehash\": \"%064x\", \"host\": \"127.0.0.1\","
      " \"port\": 8081, \"QID\": \"%s\"}",
      1, p2ps_search_get_qid (search));
  g_autoptr (Answer) taken = ask (&f, "POST", "/query_hit", hit);
  assert_json (taken, 200, "{\"status\": \"success\"}");
  g_assert_cmpuint (p2ps_search_get_n_hits (search), ==, 1);
  g_autofree char *unasked = g_strdup_printf (
      "{\"filename\": \"a thing\", \"filehash\": \"%064x\", \"host\": \"127.0.0.1\","
      " \"port\": 8081, \"QID\": \"00000000-0000-4000-8000-000000000001\"}",
      1);
  g_autoptr (Answer) refused = ask (&f, "POST", "/query_hit", unasked);
  assert_error (refused, 404);
  tear_down (&f);
}

static void
test_download (void)
{
  static const char *const missing[]
      = { "/download/",
          "/download/nothing",
          "/download/%C3%B6%2050%25%20%231.txt/",
          "/download/..%2F..%2Fetc%2Fpasswd",
          "/download/%00",
          "/download/%ff%fe",
          "/download/x/y",
          "/.well-known/ni/sha-256/",
          "/.well-known/ni/sha-256/abc",
          "/.well-known/ni/sha-256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
  g_autofree char *ni = g_strconcat ("/.well-known/ni/sha-256/", content_ni, NULL);
  g_autofree char *padded = g_strconcat (ni, "=", NULL);
  Fixture f;

  set_up (&f);
  g_autoptr (Answer) named = ask (&f, "GET", "/download/%C3%B6%2050%25%20%231.txt", NULL);
  g_assert_cmpuint (named->status, ==, 200);
  g_assert_cmpstr (named->text, ==, CONTENT);
  g_autoptr (Answer) by_content = ask (&f, "GET", ni, NULL);
  g_assert_cmpuint (by_content->status, ==, 200);
  g_assert_cmpstr (by_content->text, ==, CONTENT);
  g_autoptr (Answer) head = ask (&f, "HEAD", ni, NULL);
  g_assert_cmpuint (head->status, ==, 200);
  g_assert_cmpuint (head->length, ==, 0);
  g_assert_cmpstr (head->length_header, ==, "12");
  g_autoptr (Answer) not_ni = ask (&f, "GET", padded, NULL);
  assert_json (not_ni, 404, "{\"error\": \"File not found\"}");
  for (guint i = 0; i < G_N_ELEMENTS (missing); i++)
    {
      g_autoptr (Answer) answer = ask (&f, "GET", missing[i], NULL);
      g_assert_cmpuint (answer->status, >=, 400);
      g_assert_cmpuint (answer->status, <=, 404);
      if (answer->status == 404)
        assert_json (answer, 404, "{\"error\": \"File not found\"}");
      else
        assert_error (answer, 400);
    }
  g_autoptr (Answer) posted = ask (&f, "POST", "/download/x", "{}");
  assert_error (posted, 405);
  g_autoptr (Answer) unknown = ask (&f, "GET", "/nothing", NULL);
  assert_error (unknown, 404);
  tear_down (&f);
}

/* The chunk layer of a tree, by its root. */
static void
test_hashes (void)
{
  static const char *const missing[] = { "", "abc", "/", "x/../ping", "%00" };
  const gsize size = 2 * P2PS_CHUNK_SIZE + 5;
  g_autofree char *data = g_malloc0 (size);
  g_autoptr (P2psBlockTree) tree = p2ps_block_tree_new ();
  char root[P2PS_HASH_SIZE];
  Fixture f;

  memset (data, 'x', size);
  p2ps_block_tree_update (tree, data, size);
  g_autoptr (GBytes) layer = p2ps_block_tree_finish (tree, root);
  set_up (&f);
  node_write (f.node, "large", data, (gssize)size);
  p2ps_library_rescan (p2ps_engine_get_library (f.node->engine));
  node_wait_for_files (f.node, 2);
  g_autofree char *path = g_strconcat ("/hashes/", root, NULL);
  g_autoptr (Answer) answer = ask (&f, "GET", path, NULL);
  g_assert_cmpuint (answer->status, ==, 200);
  g_assert_cmpstr (answer->type, ==, "application/octet-stream");
  g_autoptr (GBytes) got = g_bytes_new (answer->text, answer->length);
  g_assert_true (g_bytes_equal (got, layer));
  g_autoptr (Answer) head = ask (&f, "HEAD", path, NULL);
  g_assert_cmpuint (head->status, ==, 200);
  g_assert_cmpstr (head->length_header, ==, "96");
  for (guint i = 0; i < G_N_ELEMENTS (missing); i++)
    {
      g_autofree char *other = g_strconcat ("/hashes/", missing[i], NULL);
      g_autoptr (Answer) refused = ask (&f, "GET", other, NULL);
      g_assert_cmpuint (refused->status, >=, 400);
      g_assert_cmpuint (refused->status, <=, 404);
    }
  g_autofree char *small = g_strconcat ("/hashes/", content_hex, NULL);
  g_autoptr (Answer) no_layer = ask (&f, "GET", small, NULL);
  assert_json (no_layer, 404, "{\"error\": \"No such tree\"}");
  g_autoptr (Answer) posted = ask (&f, "POST", path, "{}");
  assert_error (posted, 405);
  tear_down (&f);
}

/* "2024-03-12 10:16:12" */
static void
assert_time (JsonObject *object, const char *key)
{
  g_assert_true (g_regex_match_simple ("^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d$",
                                       json_object_get_string_member (object, key), 0, 0));
}

static JsonObject *
get_first (const Answer *answer, JsonNode **root, int number)
{
  g_assert_cmpuint (answer->status, ==, 200);
  *root = json_from_string (answer->text, NULL);
  JsonArray *array = json_node_get_array (*root);
  g_assert_cmpuint (json_array_get_length (array), ==, 2);
  g_assert_cmpint (json_array_get_int_element (array, 1), ==, number);
  return json_array_get_object_element (array, 0);
}

static void
test_local (void)
{
  Node *other = node_new ();
  Fixture f;

  set_up (&f);
  node_know (other, f.node);
  node_start (other);
  LOOP_WAIT_FOR (p2ps_engine_get_peers_active (other->engine) == 1
                 && p2ps_engine_get_peers_active (f.node->engine) == 1);
  /* Asked at `other`, which finds it at `f.node`. */
  Fixture at_other = { other, f.session };
  g_autofree char *body
      = g_strdup_printf ("{\"filename\": \"\", \"filehash\": \"%s\"}", content_hex);
  g_autoptr (JsonNode) begun_root = NULL, none_root = NULL, found_root = NULL, all_root = NULL;
  g_autoptr (Answer) begun = ask (&at_other, "POST", "/init_query", body);
  JsonObject *object = get_first (begun, &begun_root, 201);
  const char *qid = json_object_get_string_member (object, "QID");
  g_assert_true (json_object_get_boolean_member (object, "status"));
  g_assert_true (p2ps_qid_is_valid (qid));

  g_autofree char *path = g_strconcat ("/query_results/", qid, NULL);
  g_autoptr (Answer) none = ask (&at_other, "GET", path, NULL);
  object = get_first (none, &none_root, 200);
  g_assert_cmpuint (json_object_get_size (object), ==, 4);
  g_assert_cmpstr (json_object_get_string_member (object, "QID"), ==, qid);
  g_assert_true (json_object_has_member (object, "msg"));

  P2psQueryRecord *record = p2ps_query_log_get (p2ps_engine_get_queries (other->engine), qid);
  LOOP_WAIT_FOR (p2ps_query_record_get_responses (record)->len == 1);
  g_autoptr (Answer) found = ask (&at_other, "GET", path, NULL);
  object = get_first (found, &found_root, 200);
  g_assert_true (json_object_get_boolean_member (object, "status"));
  JsonArray *results = json_object_get_array_member (object, "results");
  g_assert_cmpuint (json_array_get_length (results), ==, 1);
  JsonObject *result = json_array_get_object_element (results, 0);
  g_assert_cmpuint (json_object_get_size (result), ==, 6);
  g_assert_cmpstr (json_object_get_string_member (result, "QID"), ==, qid);
  g_assert_cmpstr (json_object_get_string_member (result, "filename"), ==, "ö 50% #1.txt");
  g_assert_cmpstr (json_object_get_string_member (result, "filehash"), ==, content_hex);
  g_assert_cmpstr (json_object_get_string_member (result, "host"), ==, "127.0.0.1");
  g_assert_cmpint (json_object_get_int_member (result, "port"), ==,
                   p2ps_engine_get_port (f.node->engine));
  assert_time (result, "timestamp");

  g_autoptr (Answer) unknown = ask (&at_other, "GET", "/query_results/abc", NULL);
  assert_json (unknown, 200,
               "[{\"status\": false, \"QID\": null, \"msg\": \"No query found.\"}, 404]");
  g_autoptr (Answer) nothing = ask (&at_other, "POST", "/init_query", "{}");
  assert_error (nothing, 400);
  g_autoptr (Answer) got = ask (&at_other, "GET", "/init_query", NULL);
  assert_error (got, 405);

  LOOP_WAIT_FOR (g_list_model_get_n_items (G_LIST_MODEL (p2ps_engine_get_queries (other->engine)))
                 == 1);
  g_autoptr (Answer) all = ask (&at_other, "GET", "/stats_all", NULL);
  object = get_first (all, &all_root, 200);
  g_assert_true (json_object_get_boolean_member (object, "status"));
  JsonObject *peer
      = json_array_get_object_element (json_object_get_array_member (object, "peers"), 0);
  g_assert_cmpuint (json_object_get_size (peer), ==, 5);
  g_assert_cmpstr (json_object_get_string_member (peer, "status"), ==, "active");
  assert_time (peer, "last_seen");
  g_assert_cmpint (json_object_get_int_member (peer, "last_update"), <, 60);
  JsonObject *query
      = json_array_get_object_element (json_object_get_array_member (object, "queries"), 0);
  g_assert_cmpuint (json_object_get_size (query), ==, 5);
  g_assert_cmpstr (json_object_get_string_member (query, "id"), ==, qid);
  g_assert_cmpstr (json_object_get_string_member (query, "hash"), ==, content_hex);
  assert_time (query, "timestamp");
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (query, "responses")), ==,
                    1);
  node_free (other);
  tear_down (&f);
}

static void
read_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  *(gssize *)data = g_input_stream_read_finish (G_INPUT_STREAM (source), result, NULL);
}

/* The local user's calls, asked from another machine. */
static void
test_not_local (void)
{
  static const char *const heads[] = {
    "GET /stats_all HTTP/1.1\r\n",
    "GET /query_results/abc HTTP/1.1\r\n",
    "POST /init_query HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n",
  };
  Fixture f;

  set_up (&f);
  for (guint i = 0; i < G_N_ELEMENTS (heads); i++)
    {
      g_autofree char *request
          = g_strconcat (heads[i], "Host: 127.0.0.1\r\nConnection: close\r\n\r\n{}", NULL);
      char answer[512] = "";
      gssize length = -1;
      int ends[2];

      g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
      g_autoptr (GSocket) ours = g_socket_new_from_fd (ends[0], NULL);
      g_autoptr (GSocket) theirs = g_socket_new_from_fd (ends[1], NULL);
      g_autoptr (GSocketConnection) mine = g_socket_connection_factory_create_connection (ours);
      g_autoptr (GSocketConnection) yours = g_socket_connection_factory_create_connection (theirs);
      p2ps_http_server_accept (f.node->engine->server, G_IO_STREAM (yours), "10.1.2.3");
      g_assert_true (g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (mine)),
                                                request, strlen (request), NULL, NULL, NULL));
      g_input_stream_read_async (g_io_stream_get_input_stream (G_IO_STREAM (mine)), answer,
                                 sizeof answer - 1, 0, NULL, read_cb, &length);
      LOOP_WAIT_FOR (length >= 0);
      g_assert_true (g_str_has_prefix (answer, "HTTP/1.1 403"));
    }
  g_assert_cmpuint (g_list_model_get_n_items (p2ps_engine_get_searches (f.node->engine)), ==, 0);
  tear_down (&f);
}

static void
make_hashes (void)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize length = sizeof digest;

  g_checksum_update (sum, (const guchar *)CONTENT, strlen (CONTENT));
  g_strlcpy (content_hex, g_checksum_get_string (sum), sizeof content_hex);
  for (guint i = 0; i < 32; i++)
    digest[i] = (guint8)(g_ascii_xdigit_value (content_hex[2 * i]) * 16
                         + g_ascii_xdigit_value (content_hex[2 * i + 1]));
  g_autofree char *base64 = g_base64_encode (digest, length);
  g_strdelimit (g_strdelimit (base64, "+", '-'), "/", '_');
  g_strlcpy (content_ni, base64, sizeof content_ni); /* without the "=" */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  loop_start_measuring ();
  make_hashes ();
  g_test_add_func ("/peer-api/ping", test_ping);
  g_test_add_func ("/peer-api/joining", test_joining);
  g_test_add_func ("/peer-api/query", test_query);
  g_test_add_func ("/peer-api/query-hit", test_query_hit);
  g_test_add_func ("/peer-api/download", test_download);
  g_test_add_func ("/peer-api/hashes", test_hashes);
  g_test_add_func ("/peer-api/local", test_local);
  g_test_add_func ("/peer-api/not-local", test_not_local);
  return g_test_run ();
}
