/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Whole nodes that find each other, search, and fetch from each other; what a start refuses, what
 * settings change while a node runs, and how long it keeps the main loop. */

#include <sys/stat.h>

#include "engine/http-server.h"
#include "engine/store.h"
#include "nodes.h"

#define SIZE 300000

static char *
make_data (guint seed)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  char *data = g_malloc (SIZE);

  for (guint i = 0; i < SIZE; i++)
    data[i] = (char)g_rand_int_range (rand, 0, 256);
  return data;
}

static char *
hash_of (const char *data)
{
  return g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *)data, SIZE);
}

static void
assert_downloaded (Node *node, P2psDownload *download, const char *data)
{
  g_autofree char *content = NULL;
  gsize length = 0;

  LOOP_WAIT_FOR (p2ps_download_is_over (download));
  g_assert_cmpint (p2ps_download_get_state (download), ==, P2PS_DOWNLOAD_DONE);
  g_assert_true (g_str_has_prefix (p2ps_download_get_path (download), node->downloads));
  g_assert_true (g_file_get_contents (p2ps_download_get_path (download), &content, &length, NULL));
  g_assert_cmpmem (content, length, data, SIZE);
}

static void
wait_for_peers (Node *node, guint active)
{
  LOOP_WAIT_FOR (p2ps_engine_get_peers_active (node->engine) >= active);
}

/* The first result of a search, once it is there. Borrowed from the search. */
static P2psResult *
wait_for_result (P2psSearch *search)
{
  GListModel *results = p2ps_search_get_results (search);

  LOOP_WAIT_FOR (g_list_model_get_n_items (results) > 0);
  g_autoptr (P2psResult) result = g_list_model_get_item (results, 0);
  return result;
}

static void
test_start (void)
{
  Node *node = node_new (), *other = node_new ();
  g_autoptr (GError) taken = NULL, locked = NULL, twice = NULL;
  struct stat info;

  gint64 begin = g_get_monotonic_time ();
  node_start (node);
  g_test_message ("start: %" G_GINT64_FORMAT " us", g_get_monotonic_time () - begin);
  g_assert_cmpint (stat (node->state, &info), ==, 0);
  g_assert_cmpint (info.st_mode & 0777, ==, 0700);
  g_assert_true (p2ps_qid_is_valid (p2ps_engine_get_id (node->engine)));
  g_assert_cmpstr (p2ps_engine_get_host (node->engine), ==, "127.0.0.1");
  g_assert_false (p2ps_engine_start (node->engine, node->config, &twice));
  g_assert_nonnull (twice);

  other->config->port = p2ps_engine_get_port (node->engine);
  g_autofree char *port = g_strdup_printf ("%u", other->config->port);
  g_assert_false (p2ps_engine_start (other->engine, other->config, &taken));
  g_assert_error (taken, P2PS_ERROR, P2PS_ERROR_PORT_TAKEN);
  g_assert_nonnull (strstr (taken->message, port));
  other->config->port = 0;
  node_start (other); /* a start that failed may be tried again */

  g_autoptr (P2psEngine) second = p2ps_engine_new (node->state);
  g_assert_false (p2ps_engine_start (second, other->config, &locked));
  g_assert_nonnull (strstr (locked->message, node->state));

  g_autofree char *id = g_strdup (p2ps_engine_get_id (node->engine));
  gint64 stop = g_get_monotonic_time ();
  node_renew (node);
  g_assert_cmpint (g_get_monotonic_time () - stop, <, 5 * G_USEC_PER_SEC);
  node_start (node);
  g_assert_cmpstr (p2ps_engine_get_id (node->engine), ==, id);
  node_free (node);
  node_free (other);
}

static void
test_pair (void)
{
  Node *a = node_new (), *b = node_new ();
  g_autofree char *data = make_data (1);
  g_autofree char *hash = hash_of (data);

  node_write (a, "Été in Paris.ogg", data, SIZE);
  node_start (a);
  node_know (b, a);
  node_start (b);
  node_wait_for_files (a, 1);
  wait_for_peers (a, 1);
  wait_for_peers (b, 1);

  P2psSearch *search = p2ps_engine_search (b->engine, "paris ete", NULL);
  P2psResult *result = wait_for_result (search);
  g_assert_cmpstr (p2ps_result_get_filename (result), ==, "Été in Paris.ogg");
  g_assert_cmpstr (p2ps_result_get_filehash (result), ==, hash);
  g_assert_cmpint (p2ps_result_get_size (result), ==, SIZE);
  g_assert_cmpuint (p2ps_result_get_n_sources (result), ==, 1);

  P2psDownload *download = p2ps_engine_download (b->engine, hash, p2ps_result_get_filename (result),
                                                 SIZE, p2ps_result_get_hits (result), NULL, NULL);
  assert_downloaded (b, download, data);
  g_assert_cmpuint (node_get_stat (b, "queries-originated"), ==, 1);
  g_assert_cmpuint (node_get_stat (b, "hits-received"), ==, 1);
  g_assert_cmpuint (node_get_stat (b, "downloads"), ==, 1);
  g_assert_cmpuint (node_get_stat (b, "bytes-received"), ==, SIZE);
  g_assert_cmpuint (node_get_stat (a, "queries-received"), ==, 1);
  g_assert_cmpuint (node_get_stat (a, "queries-answered"), ==, 1);
  g_assert_cmpuint (node_get_stat (a, "uploads"), ==, 1);
  LOOP_WAIT_FOR (node_get_stat (a, "bytes-sent") == SIZE);

  P2psQueryRecord *own
      = p2ps_query_log_get (p2ps_engine_get_queries (b->engine), p2ps_search_get_qid (search));
  P2psQueryRecord *seen
      = p2ps_query_log_get (p2ps_engine_get_queries (a->engine), p2ps_search_get_qid (search));
  g_assert_true (p2ps_query_record_get_own (own));
  g_assert_false (p2ps_query_record_get_own (seen));
  g_assert_cmpuint (p2ps_query_record_get_responses (own)->len, ==, 1);
  g_assert_cmpuint (p2ps_query_record_get_responses (seen)->len, ==, 1);

  /* The one who has it finds nobody else. */
  P2psSearch *alone = p2ps_engine_search (a->engine, hash, NULL);
  LOOP_WAIT_FOR (node_get_stat (b, "queries-received") == 1);
  g_assert_cmpuint (p2ps_search_get_n_hits (alone), ==, 0);
  node_free (a);
  node_free (b);
}

/* By hash alone: the node asks the network who has it. The copy is shared where it lands. */
static void
test_by_hash (void)
{
  Node *a = node_new (), *b = node_new ();
  g_autofree char *data = make_data (2);
  g_autofree char *hash = hash_of (data);
  g_autoptr (GError) error = NULL;

  node_write (a, "thing", data, SIZE);
  node_start (a);
  node_know (b, a);
  g_ptr_array_add (b->config->folders, g_strdup (b->downloads));
  node_start (b);
  node_wait_for_files (a, 1);
  wait_for_peers (b, 1);

  g_assert_null (p2ps_engine_download (b->engine, "abc", NULL, -1, NULL, NULL, &error));
  g_assert_nonnull (error);
  P2psDownload *download = p2ps_engine_download (b->engine, hash, NULL, -1, NULL, NULL, NULL);
  assert_downloaded (b, download, data);
  node_wait_for_files (b, 1);
  g_assert_cmpuint (g_list_model_get_n_items (p2ps_engine_get_searches (b->engine)), ==, 0);

  /* "You have it", and the other one is told of two holders. */
  P2psSearch *search = p2ps_engine_search (b->engine, hash, NULL);
  LOOP_WAIT_FOR (p2ps_result_get_have (wait_for_result (search)));
  node_free (a);
  node_free (b);
}

/* A - B - C: the query crosses B, the hit and the file come straight from C. */
static void
test_line (void)
{
  Node *a = node_new (), *b = node_new (), *c = node_new ();
  g_autofree char *data = make_data (3);
  g_autofree char *hash = hash_of (data);

  a->engine->wanted_peers = b->engine->wanted_peers = c->engine->wanted_peers = 1;
  node_write (c, "far away.txt", data, SIZE);
  node_start (b);
  node_know (a, b);
  node_know (c, b);
  node_start (a);
  node_start (c);
  node_wait_for_files (c, 1);
  wait_for_peers (b, 2);
  wait_for_peers (a, 1);
  wait_for_peers (c, 1);
  g_assert_cmpuint (p2ps_engine_get_peers_active (a->engine), ==, 1);

  P2psResult *result = wait_for_result (p2ps_engine_search (a->engine, "away", NULL));
  const P2psHit *hit = p2ps_result_get_hits (result)->pdata[0];
  g_assert_cmpuint (hit->holder.port, ==, p2ps_engine_get_port (c->engine));
  g_assert_cmpuint (node_get_stat (b, "queries-forwarded"), ==, 1);
  g_assert_cmpuint (node_get_stat (b, "queries-answered"), ==, 0);
  g_assert_cmpuint (node_get_stat (c, "queries-received"), ==, 1);
  P2psDownload *download = p2ps_engine_download (a->engine, hash, "far away.txt", SIZE,
                                                 p2ps_result_get_hits (result), NULL, NULL);
  assert_downloaded (a, download, data);
  g_assert_cmpuint (node_get_stat (b, "bytes-sent"), ==, 0);
  node_free (a);
  node_free (b);
  node_free (c);
}

static void
added_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  gboolean ok = p2ps_engine_add_peer_finish (P2PS_ENGINE (source), result, &error);

  g_assert_true (ok == (error == NULL));
  *(int *)data = ok ? 1 : 0;
}

static int
add_peer (Node *node, const char *text)
{
  int added = -1;

  p2ps_engine_add_peer_async (node->engine, text, added_cb, &added);
  LOOP_WAIT_FOR (added >= 0);
  return added;
}

static void
test_peers (void)
{
  static const char *const bad[] = { "",
                                     "x",
                                     "10.0.0.1",
                                     "10.0.0.1:0",
                                     "10.0.0.1:70000",
                                     "10.0.0.1:80",
                                     ":8081",
                                     "10.0.0.1:8081x",
                                     "a:b:c" };
  Node *a = node_new (), *b = node_new ();

  node_start (a);
  node_start (b);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_cmpint (add_peer (a, bad[i]), ==, 0);
  g_autofree char *text = g_strdup_printf ("127.0.0.1:%u", p2ps_engine_get_port (b->engine));
  g_autofree char *named = g_strdup_printf ("localhost:%u", p2ps_engine_get_port (b->engine));
  g_autofree char *itself = g_strdup_printf ("127.0.0.1:%u", p2ps_engine_get_port (a->engine));
  g_assert_cmpint (add_peer (a, itself), ==, 0);
  g_assert_cmpint (add_peer (a, text), ==, 1);
  GListModel *peers = p2ps_engine_get_peers (a->engine);
  g_assert_cmpuint (g_list_model_get_n_items (peers), ==, 1);
  g_autoptr (P2psPeer) row = g_list_model_get_item (peers, 0);
  wait_for_peers (a, 1);
  g_autoptr (P2psPeer) same = g_list_model_get_item (peers, 0);
  g_assert_true (row == same);
  g_assert_cmpstr (p2ps_peer_get_state (row), ==, "active");
  g_assert_cmpint (ABS (p2ps_peer_get_last_heartbeat (row) - g_get_real_time () / G_USEC_PER_SEC),
                   <, 30);
  wait_for_peers (b, 1);
  p2ps_engine_remove_peer (a->engine, text);
  g_assert_cmpuint (g_list_model_get_n_items (peers), ==, 0);
  g_assert_cmpint (add_peer (a, named), ==, 1);
  node_free (a);
  node_free (b);
}

/* Who was there is known after a restart, without a word in the configuration. */
static void
test_remember (void)
{
  Node *a = node_new (), *b = node_new ();

  node_start (a);
  node_know (b, a);
  node_start (b);
  wait_for_peers (b, 1);
  node_renew (b);
  g_array_set_size (b->config->peers, 0);
  node_start (b);
  wait_for_peers (b, 1);
  node_free (a);
  node_free (b);
}

static void
test_apply (void)
{
  Node *a = node_new (), *b = node_new ();
  g_autofree char *more = g_build_filename (a->folder, "more", NULL);
  g_autofree char *file = g_build_filename (more, "second", NULL);
  g_autoptr (GError) error = NULL;

  node_write (a, "first", "1", 1);
  g_assert_cmpint (g_mkdir (more, 0700), ==, 0);
  g_assert_true (g_file_set_contents (file, "2", 1, NULL));
  node_start (a);
  node_start (b);
  node_wait_for_files (a, 1);

  /* Another folder, another peer: at once. */
  g_ptr_array_add (a->config->folders, g_strdup (more));
  node_know (a, b);
  g_assert_true (p2ps_engine_apply (a->engine, a->config, &error));
  node_wait_for_files (a, 2);
  wait_for_peers (a, 1);

  /* A port that is taken changes nothing. */
  guint16 port = p2ps_engine_get_port (a->engine);
  a->config->port = p2ps_engine_get_port (b->engine);
  g_assert_false (p2ps_engine_apply (a->engine, a->config, &error));
  g_assert_error (error, P2PS_ERROR, P2PS_ERROR_PORT_TAKEN);
  g_assert_cmpuint (p2ps_engine_get_port (a->engine), ==, port);
  g_assert_cmpuint (p2ps_engine_get_peers_active (a->engine), ==, 1);

  /* Another address: it is found there, and finds its peers again. */
  g_autoptr (P2psSearch) search = g_object_ref (p2ps_engine_search (a->engine, "word", NULL));
  g_autoptr (P2psHttpServer) probe = p2ps_http_server_new ();
  g_assert_true (p2ps_http_server_listen (probe, "127.0.0.1", 0, NULL));
  a->config->port = p2ps_http_server_get_port (probe);
  p2ps_http_server_stop (probe);
  g_assert_true (p2ps_engine_apply (a->engine, a->config, NULL));
  g_assert_cmpuint (p2ps_engine_get_port (a->engine), ==, a->config->port);
  g_assert_false (p2ps_search_get_active (search));
  wait_for_peers (a, 1);
  g_assert_cmpuint (node_get_stat (a, "queries-originated"), ==, 1);

  /* The same port on another host: the old one makes way. */
  g_free (a->config->host);
  a->config->host = g_strdup ("127.0.0.2");
  g_assert_true (p2ps_engine_apply (a->engine, a->config, NULL));
  g_assert_cmpstr (p2ps_engine_get_host (a->engine), ==, "127.0.0.2");
  g_assert_cmpuint (p2ps_engine_get_port (a->engine), ==, a->config->port);
  wait_for_peers (a, 1);
  node_free (a);
  node_free (b);
}

static void
replied_cb (P2psMessage *reply, guint status, const char *text, gpointer data)
{
  (*(guint *)data)++;
}

/* A message of 20 hits from one of many responders. */
static P2psMessage *
new_hits (const char *qid, guint number)
{
  GPtrArray *hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  P2psAddress holder;
  char hash[P2PS_HASH_SIZE];

  p2ps_address_init (&holder, "127.0.0.9", 20000 + number);
  for (guint i = 0; i < 20; i++)
    {
      g_snprintf (hash, sizeof hash, "%064x", number * 20 + i);
      g_ptr_array_add (hits, p2ps_hit_new (qid, &holder, "some name or other.flac", hash, 4096));
    }
  return p2ps_message_new_hits (hits);
}

/* 10 000 hits from peers: the node takes its share, and the loop is never kept long. */
static void
test_latency (void)
{
  Node *node = node_new ();
  guint replies = 0;

  node_start (node);
  P2psSearch *search = p2ps_engine_search (node->engine, "name", NULL);
  loop_start_measuring ();
  for (guint i = 0; i < 500; i++)
    {
      g_autoptr (P2psMessage) message = new_hits (p2ps_search_get_qid (search), i);
      p2ps_driver_deliver (node->engine->driver, "127.0.0.9", message, replied_cb, &replies);
      loop_iterate (FALSE);
    }
  g_assert_cmpuint (replies, ==, 500);
  LOOP_WAIT_FOR (g_list_model_get_n_items (p2ps_search_get_results (search)) > 0);
  g_assert_cmpuint (p2ps_search_get_n_hits (search), ==, 256);

  /* The same number past the node's cap. */
  for (guint i = 0; i < 500; i++)
    {
      g_autoptr (P2psMessage) message = new_hits (p2ps_search_get_qid (search), 1000 + i);
      g_signal_emit_by_name (node->engine->driver, "hits", message->hits, TRUE);
      loop_iterate (FALSE);
    }
  LOOP_WAIT_FOR (g_list_model_get_n_items (p2ps_search_get_results (search)) > 10000);
  for (guint i = 0; i < 100; i++)
    {
      g_usleep (2000);
      loop_iterate (FALSE);
    }
  g_test_message ("p99 %" G_GINT64_FORMAT " us, longest %" G_GINT64_FORMAT
                  " us (CPU %" G_GINT64_FORMAT " us)",
                  loop_get_percentile (loop_wall, 99), loop_get_percentile (loop_wall, 100),
                  loop_get_percentile (loop_cpu, 100));
  g_assert_cmpint (loop_get_percentile (loop_cpu, 100), <, 8000);
  node_free (node);
}

/* An engine that is dropped without a stop takes everything along. */
static void
test_dropped (void)
{
  Node *node = node_new ();

  node_start (node);
  p2ps_engine_search (node->engine, "word", NULL);
  gpointer engine = node->engine, store = node->engine->store;
  g_object_add_weak_pointer (engine, &engine);
  g_object_add_weak_pointer (store, &store);
  g_object_unref (node->engine);
  node->engine = NULL;
  loop_empty ();
  g_assert_null (engine);
  /* What the store's threads were asked for before is still done. */
  for (guint i = 0; i < 5000 && store; i++)
    {
      loop_empty ();
      g_usleep (1000);
    }
  g_assert_null (store);
  node_free (node);

  g_autofree char *never = g_build_filename (g_get_tmp_dir (), "p2ps-never", NULL);
  g_autoptr (P2psEngine) idle = p2ps_engine_new (never);
  g_autoptr (GError) error = NULL;
  g_assert_null (p2ps_engine_search (idle, "word", &error));
  g_assert_nonnull (error);
  g_assert_false (g_file_test (never, G_FILE_TEST_EXISTS));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  loop_start_measuring ();
  g_test_add_func ("/engine/start", test_start);
  g_test_add_func ("/engine/pair", test_pair);
  g_test_add_func ("/engine/by-hash", test_by_hash);
  g_test_add_func ("/engine/line", test_line);
  g_test_add_func ("/engine/peers", test_peers);
  g_test_add_func ("/engine/remember", test_remember);
  g_test_add_func ("/engine/apply", test_apply);
  g_test_add_func ("/engine/latency", test_latency);
  g_test_add_func ("/engine/dropped", test_dropped);
  return g_test_run ();
}
