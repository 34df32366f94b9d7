/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The driver between a node and a library that do what the test says: both are made here, so that
 * each effect can be put in by hand and each event that comes back is seen. The other side of the
 * wire is a real HTTP server. */

#include <string.h>

#include "core/limits.h"
#include "engine/driver.h"
#include "engine/error.h"
#include "engine/http-server.h"
#include "engine/net-address.h"

#define QID "3a2f6f0e-9b1d-4c57-8f0a-2d9a5f3e7c11"
#define HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* ---- a node that does what the test says ---- */

typedef struct
{
  guint64 token;
  P2psOutcome outcome;
  P2psMessage *reply;
} Sent;

struct _P2psNode
{
  GQueue effects;   /* of P2psEffect */
  GPtrArray *sent;  /* of Sent */
  GPtrArray *found; /* of GPtrArray of P2psHit */
  gint64 deadline;
  gint64 ticked;
  guint ticks;
  guint hosts;
  guint64 request;
  guint depth;
};

static P2psNode *the_node;

static void
sent_free (gpointer data)
{
  Sent *sent = data;

  p2ps_message_unref (sent->reply);
  g_free (sent);
}

P2psNode *
p2ps_node_new (const P2psNodeConfig *config, gint64 now)
{
  the_node = g_new0 (P2psNode, 1);
  g_queue_init (&the_node->effects);
  the_node->sent = g_ptr_array_new_with_free_func (sent_free);
  the_node->found = g_ptr_array_new_with_free_func ((GDestroyNotify)g_ptr_array_unref);
  the_node->deadline = P2PS_NEVER;
  return the_node;
}

void
p2ps_effect_clear (P2psEffect *effect)
{
  p2ps_message_unref (effect->message);
  *effect = (P2psEffect){ 0 };
}

static void
effect_free (gpointer data)
{
  p2ps_effect_clear (data);
  g_free (data);
}

void
p2ps_node_free (P2psNode *node)
{
  g_queue_clear_full (&node->effects, effect_free);
  g_ptr_array_unref (node->sent);
  g_ptr_array_unref (node->found);
  g_free (node);
}

gboolean
p2ps_node_pop (P2psNode *node, P2psEffect *effect)
{
  P2psEffect *first = g_queue_pop_head (&node->effects);

  if (!first)
    return FALSE;
  *effect = *first;
  g_free (first);
  return TRUE;
}

void
p2ps_node_deliver (P2psNode *node, gint64 now, const char *source, const P2psMessage *message,
                   guint64 request)
{
  node->request = request;
}

void
p2ps_node_sent (P2psNode *node, gint64 now, guint64 token, P2psOutcome outcome,
                const P2psMessage *reply)
{
  Sent *sent = g_new0 (Sent, 1);

  sent->token = token;
  sent->outcome = outcome;
  sent->reply = reply ? p2ps_message_ref ((P2psMessage *)reply) : NULL;
  g_ptr_array_add (node->sent, sent);
}

void
p2ps_node_found (P2psNode *node, gint64 now, guint64 token, GPtrArray *hits)
{
  g_ptr_array_add (node->found, g_ptr_array_ref (hits));
}

void
p2ps_node_tick (P2psNode *node, gint64 now)
{
  node->ticks++;
  node->ticked = now;
  node->deadline = P2PS_NEVER;
}

gint64
p2ps_node_get_deadline (P2psNode *node)
{
  return node->deadline;
}

void
p2ps_node_set_own_hosts (P2psNode *node, const char *const *hosts)
{
  node->hosts = g_strv_length ((char **)hosts);
}

void
p2ps_node_add_peer (P2psNode *node, gint64 now, const P2psAddress *address)
{
}

void
p2ps_node_hint_peer (P2psNode *node, gint64 now, const P2psAddress *address)
{
}

void
p2ps_node_remove_peer (P2psNode *node, gint64 now, const P2psAddress *address)
{
}

void
p2ps_node_search (P2psNode *node, gint64 now, const P2psQuery *query)
{
}

void
p2ps_node_stop_search (P2psNode *node, gint64 now, const char *qid)
{
}

void
p2ps_node_blame (P2psNode *node, gint64 now, const P2psAddress *address, int points)
{
}

/* ---- a library that has one file ---- */

struct _P2psLibrary
{
  GObject parent_instance;
  gboolean broken;
};

G_DEFINE_FINAL_TYPE (P2psLibrary, p2ps_library, G_TYPE_OBJECT)

static void
p2ps_library_class_init (P2psLibraryClass *klass)
{
}

static void
p2ps_library_init (P2psLibrary *library)
{
}

static void
file_free (gpointer data)
{
  P2psLibraryFile *file = data;

  g_free (file->name);
  g_free (file);
}

void
p2ps_library_lookup_async (P2psLibrary *library, const P2psQuery *query, guint limit,
                           GCancellable *cancellable, GAsyncReadyCallback callback,
                           gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (library, cancellable, callback, user_data);
  GPtrArray *files = g_ptr_array_new_with_free_func (file_free);
  P2psLibraryFile *file = g_new0 (P2psLibraryFile, 1);

  file->name = g_strdup ("song.ogg");
  file->size = 42;
  g_strlcpy (file->filehash, HASH, sizeof file->filehash);
  g_ptr_array_add (files, file);
  if (!library->broken)
    {
      g_task_return_pointer (task, files, (GDestroyNotify)g_ptr_array_unref);
      return;
    }
  g_ptr_array_unref (files);
  g_task_return_new_error (task, P2PS_ERROR, P2PS_ERROR_DATABASE, "broken");
}

GPtrArray *
p2ps_library_lookup_finish (P2psLibrary *library, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* ---- the other side ---- */

typedef struct
{
  P2psHttpServer *server;
  P2psHttpClient *client;
  P2psLibrary *library;
  P2psDriver *driver;
  P2psAddress to;
  guint status;
  const char *answer;
  gboolean hold; /* keep requests without an answer */
  GPtrArray *held;
  GPtrArray *requests; /* of char*: "METHOD PATH BODY" */
} Fixture;

static void
handle_cb (P2psHttpRequest *request, gpointer data)
{
  Fixture *f = data;
  GBytes *body = p2ps_http_request_get_body (request);
  gsize length = 0;
  const char *text = body ? g_bytes_get_data (body, &length) : "";
  const char *n = p2ps_http_request_get_query (request, "n");

  g_ptr_array_add (f->requests,
                   g_strdup_printf ("%s %s%s%s %.*s", p2ps_http_request_get_method (request),
                                    p2ps_http_request_get_path (request), n ? " n=" : "",
                                    n ? n : "", (int)length, length ? text : ""));
  if (f->hold)
    {
      g_ptr_array_add (f->held, p2ps_http_request_ref (request));
      return;
    }
  g_autoptr (GBytes) answer = g_bytes_new (f->answer, strlen (f->answer));
  p2ps_http_request_reply (request, f->status, "application/json", answer);
}

static void
set_up (Fixture *f, const char *self_host)
{
  P2psNodeConfig config = { .loopback_only = TRUE, .agent = "test", .seed = 1 };
  GError *error = NULL;

  *f = (Fixture){ .status = 200, .answer = "{\"status\": true}" };
  f->requests = g_ptr_array_new_with_free_func (g_free);
  f->held = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_http_request_unref);
  f->server = p2ps_http_server_new ();
  p2ps_http_server_listen (f->server, "127.0.0.1", 0, &error);
  g_assert_no_error (error);
  p2ps_http_server_set_handler (f->server, handle_cb, f, NULL);
  p2ps_address_init (&f->to, "127.0.0.1", p2ps_http_server_get_port (f->server));
  f->client = p2ps_http_client_new ();
  f->library = g_object_new (p2ps_library_get_type (), NULL);
  config.self.port = 9001;
  g_strlcpy (config.self.host, self_host, sizeof config.self.host);
  f->driver = p2ps_driver_new (&config, f->client, f->library);
}

static void
tear_down (Fixture *f)
{
  p2ps_driver_stop (f->driver);
  g_ptr_array_unref (f->held);
  p2ps_http_server_stop (f->server);
  p2ps_http_client_abort (f->client);
  g_object_unref (f->driver);
  g_object_unref (f->client);
  g_object_unref (f->library);
  g_object_unref (f->server);
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  g_ptr_array_unref (f->requests);
}

static gboolean
timeout_cb (gpointer data)
{
  g_error ("waited too long for %s", (char *)data);
  return G_SOURCE_REMOVE;
}

#define WAIT_FOR(condition)                                                       \
  G_STMT_START                                                                    \
  {                                                                               \
    guint guard_ = g_timeout_add_seconds (15, timeout_cb, (gpointer) #condition); \
    while (!(condition))                                                          \
      g_main_context_iteration (NULL, TRUE);                                      \
    g_source_remove (guard_);                                                     \
  }                                                                               \
  G_STMT_END

static void
push (P2psEffectType type, guint64 token, const P2psAddress *to, P2psMessage *message)
{
  P2psEffect *effect = g_new0 (P2psEffect, 1);

  effect->type = type;
  effect->token = token;
  effect->message = message;
  if (to)
    effect->to = *to;
  g_queue_push_tail (&the_node->effects, effect);
}

static const Sent *
get_sent (guint i)
{
  return the_node->sent->pdata[i];
}

static P2psMessage *
new_join (const char *host, guint port)
{
  P2psAddress self = { .port = port };

  g_strlcpy (self.host, host, sizeof self.host);
  return p2ps_message_new_from (P2PS_MESSAGE_JOIN, &self);
}

/* ---- tests ---- */

static void
test_outcomes (void)
{
  static const struct
  {
    guint status;
    const char *answer;
    P2psOutcome outcome;
  } rows[] = {
    { 200, "{\"status\": true}", P2PS_OUTCOME_REPLY },
    { 200, "{\"status\": false}", P2PS_OUTCOME_REPLY },
    { 200, "hello", P2PS_OUTCOME_NONSENSE },
    { 200, "", P2PS_OUTCOME_NONSENSE },
    { 404, "{\"error\": \"no\"}", P2PS_OUTCOME_DENIED },
    { 500, "{\"status\": true}", P2PS_OUTCOME_DENIED },
    { 302, "{\"status\": true}", P2PS_OUTCOME_NONSENSE },
  };
  Fixture f;

  set_up (&f, "127.0.0.1");
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      f.status = rows[i].status;
      f.answer = rows[i].answer;
      push (P2PS_EFFECT_SEND, 100 + i, &f.to, new_join ("127.0.0.1", 9001));
      p2ps_driver_drain (f.driver);
      WAIT_FOR (the_node->sent->len > i);
      g_assert_cmpuint (get_sent (i)->token, ==, 100 + i);
      g_assert_cmpint (get_sent (i)->outcome, ==, rows[i].outcome);
      g_assert_true ((get_sent (i)->reply != NULL) == (rows[i].outcome == P2PS_OUTCOME_REPLY));
    }
  g_assert_true (get_sent (0)->reply->ok);
  g_assert_false (get_sent (1)->reply->ok);
  g_assert_cmpuint (the_node->sent->len, ==, G_N_ELEMENTS (rows));
  g_assert_cmpstr (f.requests->pdata[0], ==, "POST /join {\"host\":\"127.0.0.1\",\"port\":9001}");
  tear_down (&f);
}

static void
test_nobody_there (void)
{
  g_autoptr (P2psHttpServer) gone = p2ps_http_server_new ();
  P2psAddress to;
  Fixture f;

  set_up (&f, "127.0.0.1");
  g_assert_true (p2ps_http_server_listen (gone, "127.0.0.1", 0, NULL));
  p2ps_address_init (&to, "127.0.0.1", p2ps_http_server_get_port (gone));
  p2ps_http_server_stop (gone);
  push (P2PS_EFFECT_SEND, 7, &to, new_join ("127.0.0.1", 9001));
  p2ps_driver_drain (f.driver);
  WAIT_FOR (the_node->sent->len == 1);
  g_assert_cmpuint (get_sent (0)->token, ==, 7);
  g_assert_cmpint (get_sent (0)->outcome, ==, P2PS_OUTCOME_REFUSED);
  tear_down (&f);
}

static void
test_ping (void)
{
  P2psMessage *ping = p2ps_message_new (P2PS_MESSAGE_PING);
  Fixture f;

  set_up (&f, "");
  ping->nonce = g_strdup ("abc123");
  f.answer = "[{\"status\": true, \"agent\": \"p2pshare/9\", \"nonce\": \"abc123\"}, 201]";
  push (P2PS_EFFECT_SEND, 1, &f.to, ping);
  p2ps_driver_drain (f.driver);
  WAIT_FOR (the_node->sent->len == 1);
  g_assert_cmpstr (f.requests->pdata[0], ==, "GET /ping n=abc123 ");
  g_assert_cmpstr (get_sent (0)->reply->nonce, ==, "abc123");
  tear_down (&f);
}

/* A node that listens everywhere names the address that the destination sees. */
static void
test_own_host (void)
{
  P2psAddress self = { .port = 9001 }, other;
  P2psQuery *query = p2ps_query_new (QID, "a b", "");
  GPtrArray *hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  Fixture f;

  set_up (&f, "");
  p2ps_address_init (&other, "10.1.2.3", 8081);
  query->origin = other;
  query->via = self;
  query->ttl = 3;
  g_ptr_array_add (hits, p2ps_hit_new (QID, &self, "x", HASH, -1));
  push (P2PS_EFFECT_SEND, 1, &f.to, new_join ("", 9001));
  push (P2PS_EFFECT_SEND, 2, &f.to, p2ps_message_new_query (query));
  push (P2PS_EFFECT_SEND, 3, &f.to, p2ps_message_new_hits (hits));
  p2ps_driver_drain (f.driver);
  WAIT_FOR (the_node->sent->len == 3);
  for (guint i = 0; i < 3; i++)
    {
      const char *request = f.requests->pdata[i];
      g_assert_nonnull (strstr (request, "\"host\":\"127.0.0.1\",\"port\":9001"));
      g_assert_null (strstr (request, "0.0.0.0"));
      if (g_str_has_prefix (request, "POST /query "))
        g_assert_nonnull (strstr (request, "\"host\":\"10.1.2.3\",\"port\":8081"));
    }
  g_assert_cmpuint (the_node->hosts, >=, 1);
  tear_down (&f);
}

static void
reply_cb (P2psMessage *reply, guint status, const char *text, gpointer data)
{
  GPtrArray *replies = data;

  g_ptr_array_add (replies, reply ? g_strdup_printf ("message %d", reply->ok)
                                  : g_strdup_printf ("%u %s", status, text));
}

static void
test_requests (void)
{
  g_autoptr (GPtrArray) replies = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (P2psMessage) join = new_join ("127.0.0.1", 9002);
  Fixture f;

  set_up (&f, "127.0.0.1");
  p2ps_driver_deliver (f.driver, "127.0.0.1", join, reply_cb, replies);
  guint64 first = the_node->request;
  p2ps_driver_deliver (f.driver, "127.0.0.1", join, reply_cb, replies);
  guint64 second = the_node->request;
  p2ps_driver_deliver (f.driver, "127.0.0.1", join, reply_cb, replies);
  g_assert_cmpuint (first, !=, second);
  g_assert_cmpuint (replies->len, ==, 0);

  push (P2PS_EFFECT_REJECT, second, NULL, NULL);
  ((P2psEffect *)the_node->effects.head->data)->status = 429;
  ((P2psEffect *)the_node->effects.head->data)->text = "slow down";
  push (P2PS_EFFECT_REPLY, first, NULL, p2ps_message_new_status (TRUE));
  push (P2PS_EFFECT_REPLY, first, NULL, p2ps_message_new_status (TRUE)); /* once is enough */
  p2ps_driver_drain (f.driver);
  g_assert_cmpuint (replies->len, ==, 2);
  g_assert_cmpstr (replies->pdata[0], ==, "429 slow down");
  g_assert_cmpstr (replies->pdata[1], ==, "message 1");

  /* Nobody is left without an answer. */
  p2ps_driver_stop (f.driver);
  g_assert_cmpuint (replies->len, ==, 3);
  g_assert_true (g_str_has_prefix (replies->pdata[2], "503 "));
  p2ps_driver_deliver (f.driver, "127.0.0.1", join, reply_cb, replies);
  g_assert_cmpuint (replies->len, ==, 4);
  tear_down (&f);
}

static void
count_cb (P2psDriver *driver, gpointer a, gpointer b, guint *count)
{
  (*count)++;
}

static void
count_hits_cb (P2psDriver *driver, GPtrArray *hits, guint *count)
{
  *count += hits->len;
}

static void
test_lookup (void)
{
  P2psQuery *query = p2ps_query_new (QID, "song", "");
  guint queries = 0, answers = 0;
  Fixture f;

  set_up (&f, "127.0.0.1");
  g_signal_connect (f.driver, "query", G_CALLBACK (count_cb), &queries);
  g_signal_connect (f.driver, "answers", G_CALLBACK (count_hits_cb), &answers);
  push (P2PS_EFFECT_LOOKUP, 5, NULL, p2ps_message_new_query (query));
  p2ps_driver_drain (f.driver);
  WAIT_FOR (the_node->found->len == 1);
  GPtrArray *hits = the_node->found->pdata[0];
  g_assert_cmpuint (hits->len, ==, 1);
  const P2psHit *hit = hits->pdata[0];
  g_assert_cmpstr (hit->qid, ==, QID);
  g_assert_cmpstr (hit->filename, ==, "song.ogg");
  g_assert_cmpstr (hit->filehash, ==, HASH);
  g_assert_cmpstr (hit->holder.host, ==, "127.0.0.1");
  g_assert_cmpuint (hit->holder.port, ==, 9001);
  g_assert_cmpint (hit->size, ==, 42);
  g_assert_cmpuint (queries, ==, 1);
  g_assert_cmpuint (answers, ==, 1);

  /* A library that can't answer has nothing: the node hears of it. */
  f.library->broken = TRUE;
  push (P2PS_EFFECT_LOOKUP, 6, NULL, p2ps_message_new_query (p2ps_query_new (QID, "x", "")));
  p2ps_driver_drain (f.driver);
  WAIT_FOR (the_node->found->len == 2);
  g_assert_cmpuint (((GPtrArray *)the_node->found->pdata[1])->len, ==, 0);
  tear_down (&f);
}

static void
test_deadline (void)
{
  Fixture f;

  set_up (&f, "127.0.0.1");
  gint64 due = g_get_monotonic_time () + 30000;
  the_node->deadline = due;
  p2ps_driver_drain (f.driver);
  WAIT_FOR (the_node->ticks > 0);
  g_assert_cmpint (the_node->ticked, >=, due);
  g_assert_cmpint (the_node->ticked - due, <, 10 * G_USEC_PER_SEC);
  g_assert_cmpuint (the_node->ticks, ==, 1);
  gint64 offset = p2ps_driver_get_wall_offset (f.driver);
  g_assert_cmpint (ABS (g_get_monotonic_time () + offset - g_get_real_time ()), <, G_USEC_PER_SEC);
  tear_down (&f);
}

/* A search that goes to many peers must not stand in the way of anything else. */
static void
test_many (void)
{
  gint64 longest = 0;
  Fixture f;

  set_up (&f, "127.0.0.1");
  for (guint i = 0; i < 256; i++)
    push (P2PS_EFFECT_SEND, i, &f.to, new_join ("127.0.0.1", 9001));
  gint64 start = g_get_monotonic_time ();
  p2ps_driver_drain (f.driver);
  g_assert_cmpuint (the_node->sent->len, ==, 0);
  longest = g_get_monotonic_time () - start;
  WAIT_FOR (the_node->sent->len == 256);
  g_test_message ("queueing 256 messages: %" G_GINT64_FORMAT " us", longest);
  g_autoptr (GHashTable) tokens = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < 256; i++)
    {
      g_hash_table_add (tokens, GSIZE_TO_POINTER ((gsize)get_sent (i)->token));
      g_assert_cmpint (get_sent (i)->outcome, ==, P2PS_OUTCOME_REPLY);
    }
  g_assert_cmpuint (g_hash_table_size (tokens), ==, 256);
  tear_down (&f);
}

/* After the stop the node hears of nothing, whatever was under way. */
static void
test_stop (void)
{
  Fixture f;

  set_up (&f, "127.0.0.1");
  f.hold = TRUE;
  push (P2PS_EFFECT_SEND, 1, &f.to, new_join ("127.0.0.1", 9001));
  p2ps_driver_drain (f.driver);
  WAIT_FOR (f.held->len == 1);
  push (P2PS_EFFECT_SEND, 2, &f.to, new_join ("127.0.0.1", 9001));
  p2ps_driver_drain (f.driver);
  p2ps_driver_stop (f.driver);
  g_ptr_array_set_size (f.held, 0);
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  g_assert_cmpuint (the_node->sent->len, ==, 0);
  tear_down (&f);
}

static void
test_addresses (void)
{
  g_auto (GStrv) hosts = p2ps_net_list_hosts ();
  P2psRoutes *routes = p2ps_routes_new ();
  P2psAddress to;

  g_assert_true (g_strv_contains ((const char *const *)hosts, "127.0.0.1"));
  p2ps_address_init (&to, "127.0.0.1", 9000);
  g_assert_cmpstr (p2ps_routes_get (routes, &to), ==, "127.0.0.1");
  g_assert_cmpstr (p2ps_routes_get (routes, &to), ==, "127.0.0.1");
  p2ps_address_init (&to, "127.4.5.6", 9000);
  g_assert_nonnull (p2ps_routes_get (routes, &to));
  p2ps_routes_clear (routes);
  g_assert_nonnull (p2ps_routes_get (routes, &to));
  p2ps_routes_free (routes);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/outcomes", test_outcomes);
  g_test_add_func ("/driver/nobody-there", test_nobody_there);
  g_test_add_func ("/driver/ping", test_ping);
  g_test_add_func ("/driver/own-host", test_own_host);
  g_test_add_func ("/driver/requests", test_requests);
  g_test_add_func ("/driver/lookup", test_lookup);
  g_test_add_func ("/driver/deadline", test_deadline);
  g_test_add_func ("/driver/many", test_many);
  g_test_add_func ("/driver/stop", test_stop);
  g_test_add_func ("/driver/addresses", test_addresses);
  return g_test_run ();
}
