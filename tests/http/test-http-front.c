/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The guarded front in one process: the pure parts on hostile bytes, the server over memory streams
 * and socket pairs, and what is left when it is stopped at a bad moment. */

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/error.h"
#include "engine/http-private.h"
#include "engine/http-range.h"

/* --- pure parts --- */

static P2psHttpRefusal
judge (const char *bytes, gsize length, P2psHttpHead **head)
{
  const P2psHttpPolicy policy = { 100, FALSE };
  P2psHttpRefusal refusal;
  gsize end;

  refusal = p2ps_http_head_scan (bytes, length, 0, &end);
  if (refusal == P2PS_HTTP_REFUSAL_NONE && end == 0)
    return P2PS_HTTP_REFUSAL_HEADERS_TOO_LARGE;
  if (refusal == P2PS_HTTP_REFUSAL_NONE)
    refusal = p2ps_http_head_parse (bytes, end, head);
  return refusal == P2PS_HTTP_REFUSAL_NONE ? p2ps_http_head_check (*head, &policy) : refusal;
}

static void
test_head (void)
{
  static const char text[] = "POST /a%20b?c=d&e HTTP/1.1\r\nHost: [::1]:8081\r\nX:\r\n"
                             "content-TYPE: application/json\r\nContent-Length: 0100\r\n"
                             "x: \t second \t\r\n\r\nbody";
  g_autoptr (P2psHttpHead) head = NULL;
  guint n;

  g_assert_cmpint (judge (text, sizeof text - 1, &head), ==, P2PS_HTTP_REFUSAL_NONE);
  g_assert_cmpstr (head->method, ==, "POST");
  g_assert_cmpstr (head->path, ==, "/a%20b");
  g_assert_cmpstr (head->query, ==, "c=d&e");
  g_assert_cmpint (head->minor_version, ==, 1);
  g_assert_cmpint (head->content_length, ==, 100);
  g_assert_false (head->chunked);
  g_assert_cmpstr (p2ps_http_head_get (head, "X", &n), ==, "");
  g_assert_cmpuint (n, ==, 2);
  g_assert_null (p2ps_http_head_get (head, "Y", &n));
  g_assert_cmpuint (n, ==, 0);
}

/* However the bytes are cut, the end of the head is found at the same place. */
static void
test_scan_in_pieces (void)
{
  static const char text[] = "GET / HTTP/1.1\r\nHost: 1.2.3.4\r\nA: b\r\n\r\nrest";

  for (gsize first = 0; first < sizeof text - 1; first++)
    {
      gsize end;

      g_assert_cmpint (p2ps_http_head_scan (text, first, 0, &end), ==, P2PS_HTTP_REFUSAL_NONE);
      if (end == 0)
        g_assert_cmpint (p2ps_http_head_scan (text, sizeof text - 1, first, &end), ==,
                         P2PS_HTTP_REFUSAL_NONE);
      g_assert_cmpuint (end, ==, strstr (text, "rest") - text);
    }
}

/* Changed, cut and doubled requests: whatever passes has one meaning only. */
static void
test_mutated_heads (void)
{
  static const char *const seeds[] = {
    "GET /ping?n=1 HTTP/1.1\r\nHost: 127.0.0.1:8081\r\nUser-Agent: x\r\n\r\n",
    "POST /query HTTP/1.1\r\nHost: [::1]\r\nContent-Type: application/json\r\n"
    "Content-Length: 12\r\n\r\n",
    "POST /query HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nOrigin: b\r\n\r\n",
    "HEAD /download/a%20b HTTP/1.0\r\nRange: bytes=1-2\r\nIf-Range: \"a\"\r\n\r\n",
  };
  static const char spice[] = "\r\n \t:\0,%?/[]0a-\x80\xff\"#";
  guint n_passed = 0;

  for (guint i = 0; i < 200000; i++)
    {
      g_autoptr (P2psHttpHead) head = NULL;
      g_autoptr (GString) text = g_string_new (seeds[i % G_N_ELEMENTS (seeds)]);

      for (gint n = g_test_rand_int_range (0, 4); n > 0; n--)
        {
          gsize at = g_test_rand_int_range (0, text->len);

          if (g_test_rand_bit ())
            text->str[at] = spice[g_test_rand_int_range (0, sizeof spice)];
          else if (g_test_rand_bit ())
            g_string_insert_len (text, at, spice + g_test_rand_int_range (0, sizeof spice - 4), 3);
          else
            g_string_erase (text, at, MIN (text->len - at, 5));
          if (text->len == 0)
            break;
        }
      if (judge (text->str, text->len, &head) != P2PS_HTTP_REFUSAL_NONE)
        continue;
      n_passed++;
      g_assert_true (head->path[0] == '/');
      g_assert_false (head->chunked && head->content_length >= 0);
      g_assert_cmpint (head->content_length, <=, 100);
      g_assert_null (p2ps_http_head_get (head, "Origin", NULL));
    }
  g_assert_cmpuint (n_passed, >, 1000);
}

static void
test_ranges_at_random (void)
{
  static const char letters[] = "0123456789-,= b";

  for (guint i = 0; i < 200000; i++)
    {
      char text[24] = "bytes=";
      gint64 size = g_test_rand_int_range (0, 300);
      gint64 first, last;
      gsize n = g_test_rand_int_range (0, 8);
      P2psRangeKind kind;

      for (gsize j = 0; j < n; j++)
        text[6 + j] = letters[g_test_rand_int_range (0, g_test_rand_bit () ? 11 : 15)];
      kind = p2ps_http_range_parse (text, size, &first, &last);
      g_assert_cmpint (kind, !=, P2PS_RANGE_WHOLE);
      if (kind != P2PS_RANGE_PART)
        continue;
      g_assert_cmpint (first, >=, 0);
      g_assert_cmpint (first, <=, last);
      g_assert_cmpint (last, <, size);
      g_assert_null (strchr (text, ','));
    }
}

/* --- the server --- */

typedef struct
{
  P2psHttpServer *server;
  P2psHttpRequest *kept;
  char *folder;
  guint n_handled;
  gboolean stop_in_handler;
} Fixture;

static void
handler (P2psHttpRequest *request, gpointer user_data)
{
  Fixture *fixture = user_data;
  const char *path = p2ps_http_request_get_path (request);
  g_autoptr (GBytes) body = g_bytes_new_static ("hello", 5);

  fixture->n_handled++;
  if (fixture->stop_in_handler)
    p2ps_http_server_stop (fixture->server);
  if (g_str_equal (path, "/keep"))
    fixture->kept = p2ps_http_request_ref (request);
  else if (g_str_equal (path, "/file"))
    {
      g_autoptr (P2psSharedFile) file = p2ps_shared_file_open (fixture->folder, "file", NULL);

      p2ps_http_request_reply_file (request, file);
    }
  else
    p2ps_http_request_reply (request, 200, "text/plain", body);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = NULL;
  g_autofree char *content = g_strnfill (8 << 20, 'x');

  fixture->server = p2ps_http_server_new ();
  p2ps_http_server_set_handler (fixture->server, handler, fixture, NULL);
  fixture->folder = g_dir_make_tmp ("p2ps-XXXXXX", NULL);
  path = g_build_filename (fixture->folder, "file", NULL);
  g_assert_true (g_file_set_contents (path, content, 8 << 20, NULL));
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->folder, "file", NULL);

  g_unlink (path);
  g_rmdir (fixture->folder);
  g_free (fixture->folder);
  if (fixture->server != NULL)
    g_assert_finalize_object (fixture->server);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static gboolean
give_up_cb (gpointer user_data)
{
  g_error ("this took too long");
  return G_SOURCE_REMOVE;
}

static void
run_until_quiet (P2psHttpServer *server)
{
  guint guard = g_timeout_add_seconds (20, give_up_cb, NULL);

  while (p2ps_http_server_get_connections (server) > 0)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (guard);
}

static GOutputStream *
accept_memory (P2psHttpServer *server, const char *request)
{
  g_autoptr (GInputStream) input
      = g_memory_input_stream_new_from_data (request, strlen (request), NULL);
  GOutputStream *output = g_memory_output_stream_new_resizable ();
  g_autoptr (GIOStream) stream = g_simple_io_stream_new (input, output);

  p2ps_http_server_accept (server, stream, "192.0.2.7");
  return output;
}

static char *
take_answer (GOutputStream *output)
{
  GMemoryOutputStream *memory = G_MEMORY_OUTPUT_STREAM (output);
  gsize length = g_memory_output_stream_get_data_size (memory);
  char *text = g_strndup (length > 0 ? g_memory_output_stream_get_data (memory) : "", length);

  g_object_unref (output);
  return text;
}

static void
check_answer (P2psHttpServer *server, const char *request, const char *begin, const char *end)
{
  g_autofree char *answer = NULL;
  GOutputStream *output = accept_memory (server, request);

  run_until_quiet (server);
  answer = take_answer (output);
  g_assert_true (g_str_has_prefix (answer, begin));
  g_assert_true (g_str_has_suffix (answer, end));
}

static void
test_memory_streams (Fixture *fixture, gconstpointer data)
{
  P2psHttpServer *server = fixture->server;

  check_answer (server, "GET / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n", "HTTP/1.1 200 OK\r\n", "hello");
  check_answer (server, "HEAD / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n", "HTTP/1.1 200 OK\r\n",
                "Content-Length: 5\r\n\r\n");
  check_answer (server, "nonsense\r\n\r\n", "HTTP/1.1 400 ", "\"}");
  check_answer (server, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 400 ", "\"}");
  check_answer (server, "GET /file HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n", "HTTP/1.1 501 ", "\"}");
  /* Ends in the middle: there is nobody to answer to. */
  check_answer (server, "GET / HTTP/1.1\r\nHo", "", "");
  check_answer (server,
                "POST / HTTP/1.1\r\nHost: 1.2.3.4\r\nContent-Type: application/json\r\n"
                "Content-Length: 9\r\n\r\nabc",
                "", "");
  p2ps_http_server_set_handler (server, NULL, NULL, NULL);
  check_answer (server, "GET / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n", "HTTP/1.1 404 ", "\"}");
  g_assert_cmpuint (fixture->n_handled, ==, 3);
}

static void
test_reply_after_the_end (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GOutputStream) output
      = accept_memory (fixture->server, "GET /keep?a=b HTTP/1.1\r\nHost: 1.2.3.4\r\nX: y\r\n\r\n");

  while (fixture->kept == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (p2ps_http_server_get_connections (fixture->server), ==, 1);
  g_assert_finalize_object (g_steal_pointer (&fixture->server));
  /* All that was asked can still be read; an answer goes nowhere. */
  g_assert_cmpstr (p2ps_http_request_get_path (fixture->kept), ==, "/keep");
  g_assert_cmpstr (p2ps_http_request_get_query (fixture->kept, "a"), ==, "b");
  g_assert_cmpstr (p2ps_http_request_get_header (fixture->kept, "x"), ==, "y");
  g_assert_cmpstr (p2ps_http_request_get_source (fixture->kept), ==, "192.0.2.7");
  p2ps_http_request_reply_error (fixture->kept, 404, "late");
  p2ps_http_request_unref (fixture->kept);
  g_assert_cmpuint (g_memory_output_stream_get_data_size (G_MEMORY_OUTPUT_STREAM (output)), ==, 0);
}

static void
test_stop_in_handler (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GOutputStream) other = accept_memory (fixture->server, "GET / HTTP/1.1\r\n");
  g_autoptr (GOutputStream) output = NULL;

  fixture->stop_in_handler = TRUE;
  output = accept_memory (fixture->server, "GET / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n");
  run_until_quiet (fixture->server);
  g_assert_cmpuint (fixture->n_handled, ==, 1);
  g_assert_cmpuint (g_memory_output_stream_get_data_size (G_MEMORY_OUTPUT_STREAM (output)), ==, 0);
}

/* A client on the other end of a socket pair, which asks for the file. */
static int
ask_for_file (P2psHttpServer *server)
{
  static const char request[] = "GET /file HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n";
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GSocketConnection) stream = NULL;
  int ends[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  g_assert_cmpint (write (ends[1], request, sizeof request - 1), ==, sizeof request - 1);
  socket = g_socket_new_from_fd (ends[0], NULL);
  stream = g_socket_connection_factory_create_connection (socket);
  p2ps_http_server_accept (server, G_IO_STREAM (stream), "192.0.2.7");
  return ends[1];
}

static gpointer
read_to_end (gpointer fd)
{
  char buffer[65536];
  gsize total = 0;
  gssize n;

  while ((n = read (GPOINTER_TO_INT (fd), buffer, sizeof buffer)) > 0)
    total += n;
  close (GPOINTER_TO_INT (fd));
  return GSIZE_TO_POINTER (total);
}

static void
test_files_over_socket_pairs (Fixture *fixture, gconstpointer data)
{
  GThread *readers[8];
  P2psUploadCounters counters;

  for (guint i = 0; i < G_N_ELEMENTS (readers); i++)
    readers[i]
        = g_thread_new ("reader", read_to_end, GINT_TO_POINTER (ask_for_file (fixture->server)));
  run_until_quiet (fixture->server);
  for (guint i = 0; i < G_N_ELEMENTS (readers); i++)
    g_assert_cmpuint (GPOINTER_TO_SIZE (g_thread_join (readers[i])), >, 8 << 20);
  p2ps_http_server_get_uploads (fixture->server, &counters);
  g_assert_cmpuint (counters.uploads, ==, 8);
  g_assert_cmpuint (counters.bytes_sent, ==, 8 * (8 << 20));
  g_assert_cmpuint (counters.active, ==, 0);
}

/* At any moment, with uploads in every state; and again. */
static void
test_stop_while_uploading (Fixture *fixture, gconstpointer data)
{
  for (guint round = 0; round < 50; round++)
    {
      int clients[6];
      char byte;

      for (guint i = 0; i < G_N_ELEMENTS (clients); i++)
        clients[i] = ask_for_file (fixture->server);
      for (guint i = 0; i < round % 10; i++)
        g_main_context_iteration (NULL, FALSE);
      if (round % 3 == 0)
        {
          while (recv (clients[0], &byte, 1, MSG_DONTWAIT) < 0)
            g_main_context_iteration (NULL, FALSE);
          shutdown (clients[1], SHUT_RDWR);
        }
      p2ps_http_server_stop (fixture->server);
      g_assert_cmpuint (p2ps_http_server_get_connections (fixture->server), ==, 0);
      for (guint i = 0; i < G_N_ELEMENTS (clients); i++)
        close (clients[i]);
    }
}

static void
test_two_servers (Fixture *fixture, gconstpointer data)
{
  g_autoptr (P2psHttpServer) other = p2ps_http_server_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *expected = NULL;

  g_assert_true (p2ps_http_server_listen (fixture->server, "127.0.0.1", 0, NULL));
  g_assert_cmpuint (p2ps_http_server_get_port (fixture->server), >, 0);
  g_assert_false (p2ps_http_server_listen (other, "127.0.0.1",
                                           p2ps_http_server_get_port (fixture->server), &error));
  g_assert_error (error, P2PS_ERROR, P2PS_ERROR_PORT_TAKEN);
  expected = g_strdup_printf ("port %u on 127.0.0.1 is taken by another program: "
                              "choose another port or end it",
                              p2ps_http_server_get_port (fixture->server));
  g_assert_cmpstr (error->message, ==, expected);
  /* A failed start can be tried again. */
  g_assert_true (p2ps_http_server_listen (other, "::1", 0, NULL));
  p2ps_http_server_stop (other);
  g_assert_cmpuint (p2ps_http_server_get_port (other), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http/head", test_head);
  g_test_add_func ("/http/scan-in-pieces", test_scan_in_pieces);
  g_test_add_func ("/http/mutated-heads", test_mutated_heads);
  g_test_add_func ("/http/ranges-at-random", test_ranges_at_random);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/http/memory-streams", test_memory_streams);
  ADD ("/http/reply-after-the-end", test_reply_after_the_end);
  ADD ("/http/stop-in-handler", test_stop_in_handler);
  ADD ("/http/files-over-socket-pairs", test_files_over_socket_pairs);
  ADD ("/http/stop-while-uploading", test_stop_while_uploading);
  ADD ("/http/two-servers", test_two_servers);
  return g_test_run ();
}
