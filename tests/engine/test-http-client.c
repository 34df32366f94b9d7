/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Small requests to peers that do everything wrong. */

#include <string.h>

#include "bad-server.h"
#include "core/limits.h"
#include "disk.h"
#include "engine/error.h"
#include "engine/http-client.h"

static const char answer[] = "{\"status\": true}";

typedef struct
{
  guint status;
  char *body;
  GError *error;
  gint64 took;
} Outcome;

static void
outcome_clear (Outcome *outcome)
{
  g_free (outcome->body);
  g_clear_error (&outcome->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Outcome, outcome_clear)

static void
ask (const P2psAddress *to, gsize cap, GCancellable *cancellable, Outcome *outcome)
{
  g_autoptr (P2psHttpClient) client = p2ps_http_client_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GBytes) json = g_bytes_new_static ("{}", 2);
  g_autoptr (GBytes) body = NULL;
  gint64 begin = g_get_monotonic_time ();

  p2ps_http_client_send_async (client, to, "POST", "/query", json, TRUE, cap, cancellable,
                               got_result_cb, &result);
  await (&result);
  body = p2ps_http_client_send_finish (client, result, &outcome->status, &outcome->error);
  g_assert_true ((body == NULL) == (outcome->error != NULL));
  if (body != NULL)
    outcome->body = g_strndup (g_bytes_get_data (body, NULL), g_bytes_get_size (body));
  outcome->took = g_get_monotonic_time () - begin;
}

static void
ask_server (ServeMode mode, gsize cap, Outcome *outcome)
{
  BadServer *server = bad_server_new (mode, answer, strlen (answer));

  ask (bad_server_get_address (server), cap, NULL, outcome);
  bad_server_free (server);
}

static void
test_good (void)
{
  static const ServeMode modes[] = { SERVE_WELL, SERVE_CHUNKED, SERVE_HTTP10, SERVE_EXTRA };

  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_auto (Outcome) outcome = { 0 };

      ask_server (modes[i], strlen (answer), &outcome);
      g_assert_no_error (outcome.error);
      g_assert_cmpuint (outcome.status, ==, 200);
      g_assert_cmpstr (outcome.body, ==, answer);
    }
}

static void
test_request (void)
{
  BadServer *server = bad_server_new (SERVE_WELL, answer, strlen (answer));
  g_auto (Outcome) outcome = { 0 };
  g_autofree char *request = NULL;
  g_autofree char *host = p2ps_address_to_string (bad_server_get_address (server));
  g_autofree char *header = g_strdup_printf ("\r\nHost: %s\r\n", host);

  ask (bad_server_get_address (server), 100, NULL, &outcome);
  request = bad_server_dup_last_request (server);
  g_assert_true (g_str_has_prefix (request, "POST /query HTTP/1.1\r\n"));
  g_assert_nonnull (strstr (request, header));
  g_assert_nonnull (strstr (request, "\r\nContent-Type: application/json\r\n"));
  g_assert_nonnull (strstr (request, "\r\nUser-Agent: p2pshare/"));
  g_assert_null (strstr (request, "Accept-Encoding: gzip"));
  bad_server_free (server);
}

/* Statuses are the caller's to judge. */
static void
test_statuses (void)
{
  static const struct
  {
    ServeMode mode;
    guint status;
  } cases[] = { { SERVE_BUSY, 503 }, { SERVE_NOT_FOUND, 404 }, { SERVE_ERROR, 500 } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (Outcome) outcome = { 0 };

      ask_server (cases[i].mode, 100, &outcome);
      g_assert_no_error (outcome.error);
      g_assert_cmpuint (outcome.status, ==, cases[i].status);
    }
}

static void
test_misbehaved (void)
{
  static const ServeMode modes[]
      = { SERVE_REDIRECT, SERVE_GARBAGE,     SERVE_NOISE, SERVE_BIG_HEADERS,
          SERVE_ENDLESS,  SERVE_ENDLESS_1XX, SERVE_HUGE,  SERVE_LONG };

  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_auto (Outcome) outcome = { 0 };

      ask_server (modes[i], strlen (answer), &outcome);
      g_assert_error (outcome.error, P2PS_ERROR, P2PS_ERROR_MISBEHAVED);
      g_assert_cmpint (outcome.took, <, 2 * P2PS_SECOND);
    }
}

/* No compressed body is ever opened. */
static void
test_compressed (void)
{
  g_auto (Outcome) outcome = { 0 };

  ask_server (SERVE_GZIP, 100, &outcome);
  g_assert_no_error (outcome.error);
  g_assert_cmpstr (outcome.body, ==, "abc");
}

static void
test_refused (void)
{
  BadServer *server = bad_server_new (SERVE_WELL, answer, 1);
  P2psAddress address = *bad_server_get_address (server);
  g_auto (Outcome) outcome = { 0 };

  bad_server_free (server);
  ask (&address, 100, NULL, &outcome);
  g_assert_error (outcome.error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
}

/* Four seconds in all, whether it is silent or busy dripping. All at once, to be done in four. */
static void
test_deadline (void)
{
  static const ServeMode modes[] = { SERVE_SILENT, SERVE_DRIP, SERVE_DRIP_HEADERS };
  g_autoptr (P2psHttpClient) client = p2ps_http_client_new ();
  BadServer *servers[G_N_ELEMENTS (modes)];
  GAsyncResult *results[G_N_ELEMENTS (modes)] = { NULL };
  g_autofree char *large = g_malloc0 (100000);
  gint64 begin = g_get_monotonic_time ();

  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      servers[i] = bad_server_new (modes[i], large, 100000);
      p2ps_http_client_send_async (client, bad_server_get_address (servers[i]), "GET", "/", NULL,
                                   TRUE, 1000000, NULL, got_result_cb, &results[i]);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_autoptr (GError) error = NULL;

      await (&results[i]);
      g_assert_null (p2ps_http_client_send_finish (client, results[i], NULL, &error));
      g_assert_error (error, P2PS_ERROR, P2PS_ERROR_UNREACHABLE);
      g_object_unref (results[i]);
      bad_server_free (servers[i]);
    }
  g_assert_cmpint (g_get_monotonic_time () - begin, >=, 39 * P2PS_SECOND / 10);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 8 * P2PS_SECOND);
}

static void
test_cancel (void)
{
  BadServer *server = bad_server_new (SERVE_SILENT, answer, 1);
  g_autoptr (P2psHttpClient) client = p2ps_http_client_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GAsyncResult) result = NULL;
      g_autoptr (GError) error = NULL;

      p2ps_http_client_send_async (client, bad_server_get_address (server), "GET", "/", NULL, TRUE,
                                   10, cancellable, got_result_cb, &result);
      await_that (bad_server_get_requests (server) == i + 1);
      if (i == 0)
        p2ps_http_client_abort (client);
      else
        g_cancellable_cancel (cancellable);
      await (&result);
      g_assert_null (p2ps_http_client_send_finish (client, result, NULL, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    }
  bad_server_free (server);
}

/* The environment's proxy is not for peers. */
static void
test_no_proxy (void)
{
  g_auto (Outcome) outcome = { 0 };

  ask_server (SERVE_WELL, 100, &outcome);
  g_assert_no_error (outcome.error);
}

int
main (int argc, char **argv)
{
  g_setenv ("http_proxy", "http://127.0.0.1:1/", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http-client/good", test_good);
  g_test_add_func ("/http-client/request", test_request);
  g_test_add_func ("/http-client/statuses", test_statuses);
  g_test_add_func ("/http-client/misbehaved", test_misbehaved);
  g_test_add_func ("/http-client/compressed", test_compressed);
  g_test_add_func ("/http-client/refused", test_refused);
  g_test_add_func ("/http-client/deadline", test_deadline);
  g_test_add_func ("/http-client/cancel", test_cancel);
  g_test_add_func ("/http-client/no-proxy", test_no_proxy);
  return g_test_run ();
}
