/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A node's front with nothing behind it, for the attack tests and the benchmarks: it prints its
 * port and limits, serves until its standard input ends, and answers GET  /ping [{"status": true},
 * 201] POST /query            [{"status": true}, 200] POST /echo             the body GET  /target
 * path, query "q" and source as they arrived GET  /held             nothing until the next request
 * for it arrives GET  /forgotten        nothing: the request is dropped GET  /big?n=BYTES      so
 * many bytes from memory GET  /rates?total=N&source=N  sets the limits of uploads, bytes per second
 * GET  /slots?total=N&source=N  sets the upload slots GET  /state            counters GET  /stop
 * stops the server (and listens again) while others are being served GET  /download/NAME    a file
 * of the folder; its hash is the SHA-256 of its name */

#include <glib-unix.h>
#include <stdlib.h>
#include <string.h>

#include "engine/http-private.h"

static struct
{
  P2psHttpServer *server;
  GMainLoop *loop;
  P2psHttpRequest *held;
  char *folder;
  char *host;
  char *socket_path;
  int port;
  gint64 longest_us; /* turn of the main loop */
  GArray *turns;
  P2psHttpLimits limits;
} probe;

static void
reply_text (P2psHttpRequest *request, char *text)
{
  g_autoptr (GBytes) body = g_bytes_new_take (text, strlen (text));

  p2ps_http_request_reply (request, 200, "application/json", body);
}

static gint
compare_times (gconstpointer a, gconstpointer b)
{
  const gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;

  return x < y ? -1 : x > y;
}

static char *
describe_state (void)
{
  g_autoptr (GVariant) refused = g_variant_ref_sink (p2ps_http_server_get_refused (probe.server));
  GString *text = g_string_new ("{\"refused\": {");
  P2psUploadCounters uploads;
  GVariantIter iter;
  const char *key;
  guint64 n;
  gint64 p99 = 0;

  g_variant_iter_init (&iter, refused);
  for (guint i = 0; g_variant_iter_next (&iter, "{&st}", &key, &n); i++)
    g_string_append_printf (text, "%s\"%s\": %" G_GUINT64_FORMAT, i > 0 ? ", " : "", key, n);
  p2ps_http_server_get_uploads (probe.server, &uploads);
  g_array_sort (probe.turns, compare_times);
  if (probe.turns->len > 0)
    p99 = g_array_index (probe.turns, gint64, probe.turns->len * 99 / 100);
  g_string_append_printf (
      text,
      "}, \"connections\": %u, \"bytes_sent\": %" G_GUINT64_FORMAT
      ", \"uploads\": %" G_GUINT64_FORMAT
      ", \"active\": %u, \"held\": %u, \"turns\": %u, \"p99_us\": %" G_GINT64_FORMAT
      ", \"longest_us\": %" G_GINT64_FORMAT "}",
      p2ps_http_server_get_connections (probe.server), uploads.bytes_sent, uploads.uploads,
      uploads.active, probe.held != NULL, probe.turns->len, p99, probe.longest_us);
  g_array_set_size (probe.turns, 0);
  probe.longest_us = 0;
  return g_string_free (text, FALSE);
}

static void
serve_file (P2psHttpRequest *request, const char *encoded)
{
  g_autofree char *name = g_uri_unescape_string (encoded, "/");
  g_autoptr (P2psSharedFile) file = NULL;
  g_autofree char *hash = NULL;

  if (name != NULL)
    file = p2ps_shared_file_open (probe.folder, name, NULL);
  if (file == NULL)
    {
      p2ps_http_request_reply_error (request, 404, "File not found");
      return;
    }
  hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, file->name, -1);
  g_strlcpy (file->filehash, hash, sizeof file->filehash);
  p2ps_http_request_reply_file (request, file);
}

static gboolean
listen_now (GError **error)
{
  if (probe.socket_path != NULL)
    return p2ps_http_server_listen_unix (probe.server, probe.socket_path, error);
  if (!p2ps_http_server_listen (probe.server, probe.host, probe.port, error))
    return FALSE;
  probe.port = p2ps_http_server_get_port (probe.server);
  return TRUE;
}

static gboolean
restart_cb (gpointer user_data)
{
  p2ps_http_server_stop (probe.server);
  g_assert_true (listen_now (NULL));
  return G_SOURCE_REMOVE;
}

static void
serve_held (P2psHttpRequest *request)
{
  if (probe.held == NULL)
    {
      probe.held = p2ps_http_request_ref (request);
      return;
    }
  p2ps_http_request_reply (probe.held, 200, NULL, NULL);
  g_clear_pointer (&probe.held, p2ps_http_request_unref);
  reply_text (request, g_strdup ("released"));
}

static guint64
get_number (P2psHttpRequest *request, const char *key)
{
  const char *text = p2ps_http_request_get_query (request, key);

  return text != NULL ? g_ascii_strtoull (text, NULL, 10) : G_MAXUINT64;
}

static void
set_rates (P2psHttpRequest *request)
{
  p2ps_http_server_set_rates (probe.server, get_number (request, "total"),
                              get_number (request, "source"));
  reply_text (request, g_strdup ("set"));
}

static void
set_slots (P2psHttpRequest *request)
{
  p2ps_http_server_set_slots (probe.server, get_number (request, "total"),
                              get_number (request, "source"));
  reply_text (request, g_strdup ("set"));
}

static void
handler (P2psHttpRequest *request, gpointer user_data)
{
  const char *path = p2ps_http_request_get_path (request);

  if (g_str_equal (path, "/ping"))
    reply_text (request, g_strdup ("[{\"status\": true}, 201]"));
  else if (g_str_equal (path, "/query"))
    reply_text (request, g_strdup ("[{\"status\": true}, 200]"));
  else if (g_str_equal (path, "/echo"))
    p2ps_http_request_reply (request, 200, "application/json",
                             p2ps_http_request_get_body (request));
  else if (g_str_equal (path, "/held"))
    serve_held (request);
  else if (g_str_equal (path, "/big"))
    {
      gsize n = strtoul (p2ps_http_request_get_query (request, "n"), NULL, 10);

      reply_text (request, g_strnfill (n, 'x'));
    }
  else if (g_str_equal (path, "/rates"))
    set_rates (request);
  else if (g_str_equal (path, "/slots"))
    set_slots (request);
  else if (g_str_equal (path, "/state"))
    reply_text (request, describe_state ());
  else if (g_str_equal (path, "/stop"))
    {
      g_idle_add (restart_cb, NULL);
      reply_text (request, g_strdup ("stopping"));
    }
  else if (g_str_has_prefix (path, "/target"))
    reply_text (request,
                g_strdup_printf ("%s\n%s\n%s", path, p2ps_http_request_get_query (request, "q"),
                                 p2ps_http_request_get_source (request)));
  else if (g_str_has_prefix (path, "/download/"))
    serve_file (request, path + strlen ("/download/"));
  else if (g_str_equal (path, "/limited"))
    p2ps_http_request_reply_error (request, 429, "Too many queries.");
  else if (!g_str_equal (path, "/forgotten"))
    p2ps_http_request_reply_error (request, 404, "There is no such \"call\".");
}

static gboolean
stdin_ended_cb (gint fd, GIOCondition condition, gpointer user_data)
{
  g_main_loop_quit (probe.loop);
  return G_SOURCE_REMOVE;
}

/* Times each turn of the main loop, from the end of one wait to the beginning of the next. */
static gint
timed_poll (GPollFD *fds, guint n_fds, gint timeout)
{
  static gint64 began;
  gint n;

  if (began != 0 && probe.turns->len < 1000000)
    {
      gint64 took = g_get_monotonic_time () - began;

      g_array_append_val (probe.turns, took);
      probe.longest_us = MAX (probe.longest_us, took);
    }
  n = g_poll (fds, n_fds, timeout);
  began = g_get_monotonic_time ();
  return n;
}

static void
parse_arguments (int argc, char **argv)
{
  int connections = 0, per_host = 0, headers_ms = 0, idle_ms = 0, max_body = 0;
  const GOptionEntry entries[] = {
    { "host", 0, 0, G_OPTION_ARG_STRING, &probe.host, NULL, NULL },
    { "port", 0, 0, G_OPTION_ARG_INT, &probe.port, NULL, NULL },
    { "unix", 0, 0, G_OPTION_ARG_STRING, &probe.socket_path, NULL, NULL },
    { "folder", 0, 0, G_OPTION_ARG_STRING, &probe.folder, NULL, NULL },
    { "connections", 0, 0, G_OPTION_ARG_INT, &connections, NULL, NULL },
    { "per-host", 0, 0, G_OPTION_ARG_INT, &per_host, NULL, NULL },
    { "headers-ms", 0, 0, G_OPTION_ARG_INT, &headers_ms, NULL, NULL },
    { "idle-ms", 0, 0, G_OPTION_ARG_INT, &idle_ms, NULL, NULL },
    { "max-body", 0, 0, G_OPTION_ARG_INT, &max_body, NULL, NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);

  g_option_context_add_main_entries (context, entries, NULL);
  g_assert_true (g_option_context_parse (context, &argc, &argv, NULL));
  if (connections > 0)
    probe.limits.connections = connections;
  if (per_host > 0)
    probe.limits.per_host = per_host;
  if (headers_ms > 0)
    probe.limits.headers_ms = headers_ms;
  if (idle_ms > 0)
    probe.limits.idle_ms = idle_ms;
  if (max_body > 0)
    probe.limits.max_body = max_body;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  probe.server = p2ps_http_server_new ();
  p2ps_http_server_get_limits (probe.server, &probe.limits);
  parse_arguments (argc, argv);
  p2ps_http_server_set_limits (probe.server, &probe.limits);
  p2ps_http_server_set_handler (probe.server, handler, NULL, NULL);
  if (probe.host == NULL)
    probe.host = g_strdup ("127.0.0.1");
  if (!listen_now (&error))
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  g_print ("%u %u %u %u %u\n", p2ps_http_server_get_port (probe.server), probe.limits.connections,
           probe.limits.per_host, probe.limits.headers_ms, probe.limits.idle_ms);
  probe.turns = g_array_new (FALSE, FALSE, sizeof (gint64));
  probe.loop = g_main_loop_new (NULL, FALSE);
  g_main_context_set_poll_func (NULL, timed_poll);
  g_unix_fd_add (0, G_IO_IN | G_IO_HUP, stdin_ended_cb, NULL);
  g_main_loop_run (probe.loop);

  p2ps_http_server_stop (probe.server);
  g_clear_pointer (&probe.held, p2ps_http_request_unref);
  g_assert_finalize_object (probe.server);
  g_main_loop_unref (probe.loop);
  g_array_unref (probe.turns);
  g_free (probe.folder);
  g_free (probe.host);
  g_free (probe.socket_path);
  return 0;
}
