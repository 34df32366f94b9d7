/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The stream between a connection and libsoup. Every byte passes the guard before libsoup reads it;
 * when the guard refuses, or the peer has gone, libsoup gets an error and lets go. What libsoup
 * writes is dropped, but for "100 Continue": answers are the connection's. Each half owns a
 * reference on the connection; on the server's main context. */

#include "engine/http-private.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>

#define P2PS_TYPE_HTTP_INPUT (p2ps_http_input_get_type ())
G_DECLARE_FINAL_TYPE (P2psHttpInput, p2ps_http_input, P2PS, HTTP_INPUT, GInputStream)

struct _P2psHttpInput
{
  GInputStream parent_instance;
  P2psHttpConnection *connection;
};

static void p2ps_http_input_pollable_init (GPollableInputStreamInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (P2psHttpInput, p2ps_http_input, G_TYPE_INPUT_STREAM,
                               G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_INPUT_STREAM,
                                                      p2ps_http_input_pollable_init))

static GPollableInputStream *
get_base (P2psHttpInput *self)
{
  return G_POLLABLE_INPUT_STREAM (g_io_stream_get_input_stream (self->connection->base));
}

static gssize
read_some (P2psHttpInput *self, void *buffer, gsize count, GError **error)
{
  gssize n;

  if (self->connection->fd < 0)
    return g_pollable_input_stream_read_nonblocking (get_base (self), buffer, count, NULL, error);
  n = recv (self->connection->fd, buffer, count, MSG_DONTWAIT);
  if (n < 0)
    {
      int code = errno;

      g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (code), g_strerror (code));
    }
  return n;
}

static gssize
p2ps_http_input_read_nonblocking (GPollableInputStream *stream, void *buffer, gsize count,
                                  GError **error)
{
  P2psHttpInput *self = P2PS_HTTP_INPUT (stream);
  gssize n;

  if (self->connection->stage != P2PS_HTTP_READING)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "the request is over");
      return -1;
    }
  n = read_some (self, buffer, count, error);
  if (n > 0
      && p2ps_http_connection_received (self->connection, buffer, n) != P2PS_HTTP_REFUSAL_NONE)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "the request is refused");
      return -1;
    }
  return n;
}

static gboolean
p2ps_http_input_is_readable (GPollableInputStream *stream)
{
  P2psHttpInput *self = P2PS_HTTP_INPUT (stream);
  GPollFD poll_fd = { self->connection->fd, G_IO_IN, 0 };

  if (self->connection->fd < 0)
    return g_pollable_input_stream_is_readable (get_base (self));
  return g_poll (&poll_fd, 1, 0) > 0;
}

static GSource *
p2ps_http_input_create_source (GPollableInputStream *stream, GCancellable *cancellable)
{
  P2psHttpInput *self = P2PS_HTTP_INPUT (stream);
  g_autoptr (GSource) child = NULL;

  if (self->connection->fd < 0)
    child = g_pollable_input_stream_create_source (get_base (self), NULL);
  else
    child = g_unix_fd_source_new (self->connection->fd, G_IO_IN);
  return g_pollable_source_new_full (stream, child, cancellable);
}

/* libsoup reads without blocking only. */
static gssize
p2ps_http_input_read (GInputStream *stream, void *buffer, gsize count, GCancellable *cancellable,
                      GError **error)
{
  return p2ps_http_input_read_nonblocking (G_POLLABLE_INPUT_STREAM (stream), buffer, count, error);
}

static gboolean
p2ps_http_input_close (GInputStream *stream, GCancellable *cancellable, GError **error)
{
  p2ps_http_connection_released (P2PS_HTTP_INPUT (stream)->connection);
  return TRUE;
}

static void
p2ps_http_input_finalize (GObject *object)
{
  g_clear_pointer (&P2PS_HTTP_INPUT (object)->connection, p2ps_http_connection_unref);
  G_OBJECT_CLASS (p2ps_http_input_parent_class)->finalize (object);
}

static void
p2ps_http_input_pollable_init (GPollableInputStreamInterface *iface)
{
  iface->is_readable = p2ps_http_input_is_readable;
  iface->create_source = p2ps_http_input_create_source;
  iface->read_nonblocking = p2ps_http_input_read_nonblocking;
}

static void
p2ps_http_input_class_init (P2psHttpInputClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = p2ps_http_input_finalize;
  G_INPUT_STREAM_CLASS (klass)->read_fn = p2ps_http_input_read;
  G_INPUT_STREAM_CLASS (klass)->close_fn = p2ps_http_input_close;
}

static void
p2ps_http_input_init (P2psHttpInput *self)
{
}

/* --- what libsoup writes to --- */

#define P2PS_TYPE_HTTP_OUTPUT (p2ps_http_output_get_type ())
G_DECLARE_FINAL_TYPE (P2psHttpOutput, p2ps_http_output, P2PS, HTTP_OUTPUT, GOutputStream)

struct _P2psHttpOutput
{
  GOutputStream parent_instance;
  P2psHttpConnection *connection;
};

static void p2ps_http_output_pollable_init (GPollableOutputStreamInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (P2psHttpOutput, p2ps_http_output, G_TYPE_OUTPUT_STREAM,
                               G_IMPLEMENT_INTERFACE (G_TYPE_POLLABLE_OUTPUT_STREAM,
                                                      p2ps_http_output_pollable_init))

static gssize
p2ps_http_output_write_nonblocking (GPollableOutputStream *stream, const void *buffer, gsize count,
                                    GError **error)
{
  static const char go_on[] = "HTTP/1.1 100 ";
  P2psHttpOutput *self = P2PS_HTTP_OUTPUT (stream);

  if (count > strlen (go_on) && memcmp (buffer, go_on, strlen (go_on)) == 0)
    p2ps_http_connection_write (self->connection, buffer, count);
  return count;
}

static gboolean
p2ps_http_output_is_writable (GPollableOutputStream *stream)
{
  return TRUE;
}

static GSource *
p2ps_http_output_create_source (GPollableOutputStream *stream, GCancellable *cancellable)
{
  g_autoptr (GSource) child = g_timeout_source_new (0);

  return g_pollable_source_new_full (stream, child, cancellable);
}

static gssize
p2ps_http_output_write (GOutputStream *stream, const void *buffer, gsize count,
                        GCancellable *cancellable, GError **error)
{
  return p2ps_http_output_write_nonblocking (G_POLLABLE_OUTPUT_STREAM (stream), buffer, count,
                                             error);
}

static void
p2ps_http_output_finalize (GObject *object)
{
  g_clear_pointer (&P2PS_HTTP_OUTPUT (object)->connection, p2ps_http_connection_unref);
  G_OBJECT_CLASS (p2ps_http_output_parent_class)->finalize (object);
}

static void
p2ps_http_output_pollable_init (GPollableOutputStreamInterface *iface)
{
  iface->is_writable = p2ps_http_output_is_writable;
  iface->create_source = p2ps_http_output_create_source;
  iface->write_nonblocking = p2ps_http_output_write_nonblocking;
}

static void
p2ps_http_output_class_init (P2psHttpOutputClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = p2ps_http_output_finalize;
  G_OUTPUT_STREAM_CLASS (klass)->write_fn = p2ps_http_output_write;
}

static void
p2ps_http_output_init (P2psHttpOutput *self)
{
}

/* The stream for soup_server_accept_iostream(); it and the connection hold each other until the
 * connection is closed. */
GIOStream *
p2ps_http_stream_new (P2psHttpConnection *connection)
{
  g_autoptr (P2psHttpInput) input = g_object_new (P2PS_TYPE_HTTP_INPUT, NULL);
  g_autoptr (P2psHttpOutput) output = g_object_new (P2PS_TYPE_HTTP_OUTPUT, NULL);

  input->connection = p2ps_http_connection_ref (connection);
  output->connection = p2ps_http_connection_ref (connection);
  return g_simple_io_stream_new (G_INPUT_STREAM (input), G_OUTPUT_STREAM (output));
}
