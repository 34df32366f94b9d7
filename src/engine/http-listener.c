/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The accept loop. Owns the listening socket and, of a unix socket, the file; runs on the context
 * that it was started on. GSocketService logs a warning for each failed accept() and tries again at
 * once, which with no descriptor left means for ever at full speed; SoupServer's own listener stops
 * for good. Here a failed accept() makes a pause, and at the cap of connections nothing is accepted
 * until one ends: what waits, waits in the kernel. */

#include "engine/http-listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gio/gunixsocketaddress.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/error.h"

#define BACKLOG 256
#define ACCEPTS_PER_TURN 16
#define PAUSE_MS 100

struct _P2psHttpListener
{
  GSocket *socket;
  char *path; /* of a unix socket */
  struct stat made;
  GMainContext *context;
  GSource *source; /* the socket, or the pause */
  gboolean held;
  P2psHttpAccepted accepted;
  gpointer user_data;
};

static void wait_for_clients (P2psHttpListener *self);

static P2psHttpListener *
listener_take_socket (GSocket *socket)
{
  P2psHttpListener *self = g_new0 (P2psHttpListener, 1);

  self->socket = socket;
  return self;
}

/* The sentence that a person reads when the port can't be had. */
static void
set_bind_error (GError **error, const GError *cause, const char *host, guint16 port)
{
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE))
    g_set_error (error, P2PS_ERROR, P2PS_ERROR_PORT_TAKEN,
                 "port %u on %s is taken by another program: choose another port or end it", port,
                 host);
  else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED))
    g_set_error (error, P2PS_ERROR, P2PS_ERROR_CONFIG,
                 "port %u on %s is not allowed for you: choose one from 1024 up", port, host);
  else
    g_set_error (error, P2PS_ERROR, P2PS_ERROR_CONFIG, "can't listen on %s port %u: %s", host, port,
                 cause->message);
}

/* host: a literal; "::" takes IPv4 too. port 0: any free one. */
P2psHttpListener *
p2ps_http_listener_new (const char *host, guint16 port, GError **error)
{
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GError) cause = NULL;

  address = g_inet_socket_address_new_from_string (host, port);
  if (address == NULL)
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_CONFIG, "%s is not an IPv4 or IPv6 address", host);
      return NULL;
    }
  socket = g_socket_new (g_socket_address_get_family (address), G_SOCKET_TYPE_STREAM,
                         G_SOCKET_PROTOCOL_TCP, &cause);
  if (socket != NULL)
    {
      if (g_socket_get_family (socket) == G_SOCKET_FAMILY_IPV6)
        g_socket_set_option (socket, IPPROTO_IPV6, IPV6_V6ONLY, FALSE, NULL);
      g_socket_set_listen_backlog (socket, BACKLOG);
      g_socket_set_blocking (socket, FALSE);
      if (g_socket_bind (socket, address, TRUE, &cause) && g_socket_listen (socket, &cause))
        return listener_take_socket (g_steal_pointer (&socket));
    }
  set_bind_error (error, cause, host, port);
  return NULL;
}

/* A socket file that nobody answers on was left by a program that was killed: it is removed. A file
 * of any other kind is not ours to touch. */
static gboolean
clear_stale_socket (const struct sockaddr_un *address, GError **error)
{
  const char *path = address->sun_path;
  struct stat found;
  gboolean answered;
  int fd;

  if (lstat (path, &found) < 0)
    return TRUE;
  if (!S_ISSOCK (found.st_mode))
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_CONFIG,
                   "%s is in the way and is no socket: move it elsewhere", path);
      return FALSE;
    }
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  /* EAGAIN: somebody is there, and busy. */
  answered = fd >= 0
             && (connect (fd, (const struct sockaddr *)address, sizeof *address) == 0
                 || errno != ECONNREFUSED);
  if (fd >= 0)
    close (fd);
  if (answered || fd < 0)
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_PORT_TAKEN,
                   "another program answers on %s: end it or choose another folder", path);
      return FALSE;
    }
  unlink (path);
  return TRUE;
}

/* Only this user can connect: the file gets its mode before anybody could. */
P2psHttpListener *
p2ps_http_listener_new_unix (const char *path, GError **error)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GError) cause = NULL;
  g_autoptr (GSocketAddress) name = NULL;
  P2psHttpListener *self;

  if (g_strlcpy (address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path)
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_CONFIG,
                   "the path %s is too long for a socket: at most %zu bytes", path,
                   sizeof address.sun_path - 1);
      return NULL;
    }
  if (!clear_stale_socket (&address, error))
    return NULL;
  name = g_unix_socket_address_new (path);
  socket = g_socket_new (G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, 0, &cause);
  if (socket == NULL || !g_socket_bind (socket, name, FALSE, &cause)
      || (g_chmod (path, 0600) < 0 && (unlink (path), TRUE)) || !g_socket_listen (socket, &cause))
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_FOLDER, "can't listen on %s: %s", path,
                   cause != NULL ? cause->message : g_strerror (errno));
      return NULL;
    }
  g_socket_set_blocking (socket, FALSE);
  self = listener_take_socket (g_steal_pointer (&socket));
  self->path = g_strdup (path);
  if (lstat (path, &self->made) < 0)
    memset (&self->made, 0, sizeof self->made);
  return self;
}

static void
clear_source (P2psHttpListener *self)
{
  if (self->source == NULL)
    return;
  g_source_destroy (self->source);
  g_clear_pointer (&self->source, g_source_unref);
}

static gboolean
pause_over_cb (gpointer user_data)
{
  wait_for_clients (user_data);
  return G_SOURCE_REMOVE;
}

static void
make_a_pause (P2psHttpListener *self)
{
  clear_source (self);
  self->source = g_timeout_source_new (PAUSE_MS);
  g_source_set_callback (self->source, pause_over_cb, self, NULL);
  g_source_attach (self->source, self->context);
}

static void
hand_over (P2psHttpListener *self, int fd, const struct sockaddr_storage *peer)
{
  char source[INET6_ADDRSTRLEN] = "";

  if (peer->ss_family == AF_INET)
    {
      const struct sockaddr_in *in = (const struct sockaddr_in *)peer;

      inet_ntop (AF_INET, &in->sin_addr, source, sizeof source);
    }
  else if (peer->ss_family == AF_INET6)
    {
      const struct in6_addr *in6 = &((const struct sockaddr_in6 *)peer)->sin6_addr;

      /* One host, one spelling, whichever family the listening socket is of. */
      if (IN6_IS_ADDR_V4MAPPED (in6))
        inet_ntop (AF_INET, &in6->s6_addr[12], source, sizeof source);
      else
        inet_ntop (AF_INET6, in6, source, sizeof source);
    }
  self->accepted (fd, source, self->user_data);
}

static gboolean
client_waits_cb (gint listening, GIOCondition condition, gpointer user_data)
{
  P2psHttpListener *self = user_data;

  for (guint i = 0; i < ACCEPTS_PER_TURN && !self->held; i++)
    {
      struct sockaddr_storage peer = { 0 };
      socklen_t length = sizeof peer;
      int fd = accept4 (listening, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

      if (fd >= 0)
        hand_over (self, fd, &peer);
      else if (errno == EAGAIN)
        break;
      else if (errno != EINTR && errno != ECONNABORTED)
        {
          /* No descriptor or no memory left: others have to end first. */
          make_a_pause (self);
          return G_SOURCE_REMOVE;
        }
    }
  return self->held ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static void
wait_for_clients (P2psHttpListener *self)
{
  clear_source (self);
  self->source = g_unix_fd_source_new (g_socket_get_fd (self->socket), G_IO_IN);
  g_source_set_callback (self->source, G_SOURCE_FUNC (client_waits_cb), self, NULL);
  g_source_attach (self->source, self->context);
}

/* accepted is called on context, for each client. It may hold the listener, not free it. */
void
p2ps_http_listener_start (P2psHttpListener *self, GMainContext *context, P2psHttpAccepted accepted,
                          gpointer user_data)
{
  self->context = g_main_context_ref (context);
  self->accepted = accepted;
  self->user_data = user_data;
  wait_for_clients (self);
}

/* While it is held, clients wait in the kernel's queue. */
void
p2ps_http_listener_hold (P2psHttpListener *self, gboolean hold)
{
  if (self->held == hold)
    return;
  self->held = hold;
  if (hold)
    clear_source (self);
  else
    wait_for_clients (self);
}

/* 0 of a unix socket. */
guint16
p2ps_http_listener_get_port (P2psHttpListener *self)
{
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (self->socket, NULL);

  return G_IS_INET_SOCKET_ADDRESS (address)
             ? g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (address))
             : 0;
}

void
p2ps_http_listener_free (P2psHttpListener *self)
{
  struct stat found;

  clear_source (self);
  g_socket_close (self->socket, NULL);
  g_object_unref (self->socket);
  /* Not a file that another program has put there since. */
  if (self->path != NULL && lstat (self->path, &found) == 0 && found.st_ino == self->made.st_ino
      && found.st_dev == self->made.st_dev)
    unlink (self->path);
  g_free (self->path);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_free (self);
}
