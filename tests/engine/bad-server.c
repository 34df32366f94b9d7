/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One thread accepts, one serves each connection. Raw sockets, since no HTTP library would do what
 * this one has to. */

#include "bad-server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/limits.h"

struct _BadServer
{
  const char *data;
  gsize length;
  P2psAddress address;
  int listener;
  GThread *thread;
  GMutex lock;
  GCond cond;
  guint connections;
  gboolean ended;
  ServeMode mode;
  char *etag;
  char *last;
  guint requests;
  gint64 sent;
};

typedef struct
{
  BadServer *server;
  int fd;
  ServeMode mode;
  guint number;
  gint64 start; /* of the range asked for, -1 = none */
} Connection;

static gboolean
send_bytes (Connection *connection, const void *data, gsize length)
{
  gsize done = 0;

  while (done < length && !connection->server->ended)
    {
      struct pollfd wait = { connection->fd, POLLOUT, 0 };
      ssize_t n;

      if (poll (&wait, 1, 50) <= 0)
        continue;
      n = send (connection->fd, (const char *)data + done, length - done,
                MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n <= 0)
        return FALSE;
      done += n;
      g_mutex_lock (&connection->server->lock);
      connection->server->sent += n;
      g_mutex_unlock (&connection->server->lock);
    }
  return done == length;
}

static gboolean send_text (Connection *connection, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
send_text (Connection *connection, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  return send_bytes (connection, text, strlen (text));
}

/* A range as it should be, or everything. */
static void
send_head (Connection *connection, gint64 length)
{
  BadServer *server = connection->server;
  g_autofree char *etag
      = server->etag != NULL ? g_strdup_printf ("ETag: %s\r\n", server->etag) : g_strdup ("");

  if (connection->start >= 0)
    send_text (connection,
               "HTTP/1.1 206 Partial Content\r\nContent-Length: %" G_GINT64_FORMAT
               "\r\nContent-Range: bytes %" G_GINT64_FORMAT "-%" G_GINT64_FORMAT
               "/%" G_GINT64_FORMAT "\r\n%sConnection: close\r\n\r\n",
               length - connection->start, connection->start, length - 1, length, etag);
  else
    send_text (connection,
               "HTTP/1.1 200 OK\r\nContent-Length: %" G_GINT64_FORMAT
               "\r\n%sConnection: close\r\n\r\n",
               length, etag);
}

static void
serve_well (Connection *connection)
{
  BadServer *server = connection->server;
  gsize start = MAX (connection->start, 0);

  if (connection->start >= 0 && start >= server->length)
    {
      send_text (connection,
                 "HTTP/1.1 416 X\r\nContent-Range: bytes */%zu\r\nContent-Length: 0\r\n\r\n",
                 server->length);
      return;
    }
  send_head (connection, server->length);
  if (connection->mode != SERVE_SLOW)
    send_bytes (connection, server->data + start, server->length - start);
  for (gsize i = start; connection->mode == SERVE_SLOW && i < server->length; i += 65536)
    {
      if (!send_bytes (connection, server->data + i, MIN (65536, server->length - i)))
        return;
      g_usleep (5000);
    }
}

static void
serve_chunked (Connection *connection)
{
  BadServer *server = connection->server;

  send_text (connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (gsize i = 0; i < server->length; i += 10000)
    {
      gsize n = MIN (10000, server->length - i);
      send_text (connection, "%zx\r\n", n);
      send_bytes (connection, server->data + i, n);
      send_text (connection, "\r\n");
    }
  send_text (connection, "0\r\n\r\n");
}

static void
serve_lie (Connection *connection)
{
  BadServer *server = connection->server;
  gsize start = MAX (connection->start, 0);
  g_autofree char *copy = g_memdup2 (server->data, server->length);

  copy[start + (server->length - start) / 2] ^= 1;
  send_head (connection, server->length);
  send_bytes (connection, copy + start, server->length - start);
}

static void
serve_half (Connection *connection)
{
  gsize start = MAX (connection->start, 0);

  send_head (connection, connection->server->length);
  send_bytes (connection, connection->server->data + start,
              (connection->server->length - start) / 2);
}

static void
serve_with_pause (Connection *connection)
{
  BadServer *server = connection->server;
  gsize start = MAX (connection->start, 0), half = (server->length - start) / 2;
  gboolean held = TRUE;

  send_head (connection, server->length);
  send_bytes (connection, server->data + start, half);
  while (held && !server->ended)
    {
      poll (NULL, 0, 5);
      g_mutex_lock (&server->lock);
      held = server->mode == SERVE_HOLD;
      g_mutex_unlock (&server->lock);
    }
  send_bytes (connection, server->data + start + half, server->length - start - half);
}

static void
serve_padded (Connection *connection, int said, int sent)
{
  BadServer *server = connection->server;

  connection->start = -1;
  send_head (connection, (gint64)server->length + said);
  send_bytes (connection, server->data, server->length + MIN (sent, 0));
  if (sent > 0)
    send_text (connection, "%*s", sent, "x");
}

static void
serve_noise (Connection *connection, const char *before)
{
  g_autofree char *noise = g_strnfill (1024 * 1024, 'x');

  send_text (connection, "%s%s\r\n\r\n{}", before, noise);
}

static void
serve_endless (Connection *connection)
{
  static const char zeros[65536];

  send_text (connection, "HTTP/1.1 200 OK\r\n\r\n");
  while (send_bytes (connection, zeros, sizeof zeros))
    continue;
}

static void
serve_drip (Connection *connection)
{
  while (send_bytes (connection, "x", 1))
    g_usleep (5000);
}

static void
serve (Connection *connection)
{
  switch (connection->mode)
    {
    case SERVE_CLASSIC:
      connection->start = -1;
      serve_well (connection);
      break;
    case SERVE_WELL:
    case SERVE_SLOW:
      serve_well (connection);
      break;
    case SERVE_HOLD:
      serve_with_pause (connection);
      break;
    case SERVE_CHUNKED:
      serve_chunked (connection);
      break;
    case SERVE_HTTP10:
      send_text (connection, "HTTP/1.0 200 OK\r\n\r\n");
      send_bytes (connection, connection->server->data, connection->server->length);
      break;
    case SERVE_LIES:
      serve_lie (connection);
      break;
    case SERVE_CUT_ONCE:
      if (connection->number > 1)
        serve_well (connection);
      else
        serve_half (connection);
      break;
    case SERVE_CUT_SECOND:
      if (connection->number == 2)
        serve_half (connection);
      else
        serve_well (connection);
      break;
    case SERVE_CUT:
      serve_half (connection);
      break;
    case SERVE_SHORT:
      serve_padded (connection, -10, -10);
      break;
    case SERVE_LONG:
      serve_padded (connection, 10, 10);
      break;
    case SERVE_EXTRA:
      serve_padded (connection, 0, 1000);
      break;
    case SERVE_REDIRECT:
      send_text (connection, "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n");
      break;
    case SERVE_ENDLESS:
      serve_endless (connection);
      break;
    case SERVE_ENDLESS_1XX:
      while (send_text (connection, "HTTP/1.1 100 Continue\r\n\r\n"))
        continue;
      break;
    case SERVE_HUGE:
      connection->start = -1;
      send_head (connection, G_GINT64_CONSTANT (1) << 60);
      break;
    case SERVE_DRIP:
      connection->start = -1;
      send_head (connection, connection->server->length);
      serve_drip (connection);
      break;
    case SERVE_DRIP_HEADERS:
      send_text (connection, "HTTP/1.1 200 OK\r\nX: ");
      serve_drip (connection);
      break;
    case SERVE_SILENT:
      while (!connection->server->ended && poll (NULL, 0, 20) == 0)
        continue;
      break;
    case SERVE_GARBAGE:
      send_text (connection, "I am no web server\r\n\r\n");
      break;
    case SERVE_NOISE:
      serve_noise (connection, "");
      break;
    case SERVE_BIG_HEADERS:
      serve_noise (connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Noise: ");
      break;
    case SERVE_GZIP:
      send_text (connection, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                             "Content-Length: 3\r\n\r\nabc");
      break;
    case SERVE_OTHER_RANGE:
      if (connection->start > 0)
        connection->start--;
      serve_well (connection);
      break;
    case SERVE_NO_RANGE:
      if (connection->start >= 0)
        send_text (connection, "HTTP/1.1 416 X\r\nContent-Length: 0\r\n\r\n");
      else
        serve_well (connection);
      break;
    case SERVE_QUEUE_ONCE:
      if (connection->number > 1)
        serve_well (connection);
      else
        send_text (connection, "HTTP/1.1 503 X\r\nRetry-After: 1\r\nContent-Length: 36\r\n\r\n"
                               "{\"error\": \"x\", \"place\": 3, \"of\": 77}");
      break;
    case SERVE_BUSY_ONCE:
      if (connection->number > 1)
        {
          serve_well (connection);
          break;
        }
      G_GNUC_FALLTHROUGH;
    case SERVE_BUSY:
      send_text (connection, "HTTP/1.1 503 X\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
      break;
    case SERVE_NOT_FOUND:
      send_text (connection, "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n");
      break;
    case SERVE_ERROR:
      send_text (connection, "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n");
      break;
    }
}

/* Reads the head of a request; TRUE when one came. */
static gboolean
read_request (Connection *connection)
{
  BadServer *server = connection->server;
  char head[8192];
  gsize length = 0;
  const char *range;

  do
    {
      struct pollfd wait = { connection->fd, POLLIN, 0 };
      ssize_t n;

      if (server->ended || length >= sizeof head - 1)
        return FALSE;
      if (poll (&wait, 1, 50) <= 0)
        continue;
      n = recv (connection->fd, head + length, sizeof head - 1 - length, 0);
      if (n <= 0)
        return FALSE;
      length += n;
      head[length] = '\0';
    }
  while (strstr (head, "\r\n\r\n") == NULL);
  range = strstr (head, "\r\nRange: bytes=");
  connection->start = range != NULL ? atoll (range + 15) : -1;
  g_mutex_lock (&server->lock);
  g_free (server->last);
  server->last = g_strdup (head);
  connection->number = ++server->requests;
  connection->mode = server->mode;
  g_mutex_unlock (&server->lock);
  return TRUE;
}

/* Closing with unread bytes would reset the connection and take back what was sent. */
static void
close_gently (int fd)
{
  struct pollfd wait = { fd, POLLIN, 0 };
  char buffer[256];

  shutdown (fd, SHUT_WR);
  while (poll (&wait, 1, 200) > 0 && recv (fd, buffer, sizeof buffer, 0) > 0)
    continue;
  close (fd);
}

static gpointer
connection_main (gpointer data)
{
  Connection *connection = data;
  BadServer *server = connection->server;

  if (read_request (connection))
    serve (connection);
  close_gently (connection->fd);
  g_mutex_lock (&server->lock);
  server->connections--;
  g_cond_broadcast (&server->cond);
  g_mutex_unlock (&server->lock);
  g_free (connection);
  return NULL;
}

static gpointer
accept_main (gpointer data)
{
  BadServer *server = data;

  while (!server->ended)
    {
      struct pollfd wait = { server->listener, POLLIN, 0 };
      Connection *connection;
      int fd;

      if (poll (&wait, 1, 20) <= 0)
        continue;
      fd = accept (server->listener, NULL, NULL);
      if (fd < 0)
        continue;
      connection = g_new0 (Connection, 1);
      connection->server = server;
      connection->fd = fd;
      g_mutex_lock (&server->lock);
      server->connections++;
      g_mutex_unlock (&server->lock);
      g_thread_unref (g_thread_new ("serve", connection_main, connection));
    }
  return NULL;
}

/* `data` must outlive it. Listens on a free port of 127.0.0.1. */
BadServer *
bad_server_new (ServeMode mode, const void *data, gsize length)
{
  BadServer *server = g_new0 (BadServer, 1);
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t size = sizeof address;

  server->data = data;
  server->length = length;
  server->mode = mode;
  g_mutex_init (&server->lock);
  g_cond_init (&server->cond);
  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  server->listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_no_errno (bind (server->listener, (struct sockaddr *)&address, sizeof address));
  g_assert_no_errno (listen (server->listener, 64));
  getsockname (server->listener, (struct sockaddr *)&address, &size);
  g_assert_true (p2ps_address_init (&server->address, "127.0.0.1", ntohs (address.sin_port)));
  server->thread = g_thread_new ("accept", accept_main, server);
  return server;
}

void
bad_server_free (BadServer *server)
{
  server->ended = TRUE;
  g_thread_join (server->thread);
  g_mutex_lock (&server->lock);
  while (server->connections > 0)
    g_cond_wait (&server->cond, &server->lock);
  g_mutex_unlock (&server->lock);
  close (server->listener);
  g_mutex_clear (&server->lock);
  g_cond_clear (&server->cond);
  g_free (server->etag);
  g_free (server->last);
  g_free (server);
}

void
bad_server_set_mode (BadServer *server, ServeMode mode)
{
  g_mutex_lock (&server->lock);
  server->mode = mode;
  g_mutex_unlock (&server->lock);
}

/* Before anything connects. */
void
bad_server_set_etag (BadServer *server, const char *etag)
{
  g_free (server->etag);
  server->etag = g_strdup (etag);
}

const P2psAddress *
bad_server_get_address (BadServer *server)
{
  return &server->address;
}

guint
bad_server_get_requests (BadServer *server)
{
  guint requests;

  g_mutex_lock (&server->lock);
  requests = server->requests;
  g_mutex_unlock (&server->lock);
  return requests;
}

gint64
bad_server_get_sent (BadServer *server)
{
  gint64 sent;

  g_mutex_lock (&server->lock);
  sent = server->sent;
  g_mutex_unlock (&server->lock);
  return sent;
}

char *
bad_server_dup_last_request (BadServer *server)
{
  char *last;

  g_mutex_lock (&server->lock);
  last = g_strdup (server->last);
  g_mutex_unlock (&server->lock);
  return last;
}
