/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The own addresses. Only system calls that answer from the kernel's tables; on any thread, a
 * P2psRoutes on one. */

#define G_LOG_DOMAIN "p2ps-net"

#include "engine/net-address.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_ROUTES 512
#define ROUTE_AGE (30 * G_USEC_PER_SEC)

struct _P2psRoutes
{
  GHashTable *by_host; /* char* -> Route */
};

typedef struct
{
  char host[P2PS_HOST_SIZE]; /* "" = no route */
  gint64 until;
} Route;

/* NULL for families other than IP. Caller owns it. */
static char *
sockaddr_to_host (const struct sockaddr *address)
{
  g_autoptr (GInetAddress) inet = NULL;

  if (!address)
    return NULL;
  if (address->sa_family == AF_INET)
    inet = g_inet_address_new_from_bytes (
        (const guint8 *)&((const struct sockaddr_in *)address)->sin_addr, G_SOCKET_FAMILY_IPV4);
  else if (address->sa_family == AF_INET6)
    inet = g_inet_address_new_from_bytes (
        (const guint8 *)&((const struct sockaddr_in6 *)address)->sin6_addr, G_SOCKET_FAMILY_IPV6);
  return inet ? g_inet_address_to_string (inet) : NULL;
}

/* Every address of every interface that is up, as literals without scope ids. Caller owns it. */
char **
p2ps_net_list_hosts (void)
{
  g_autoptr (GStrvBuilder) hosts = g_strv_builder_new ();
  struct ifaddrs *all = NULL;

  if (getifaddrs (&all) != 0)
    return g_strv_builder_end (hosts);
  for (struct ifaddrs *one = all; one; one = one->ifa_next)
    {
      g_autofree char *host = one->ifa_flags & IFF_UP ? sockaddr_to_host (one->ifa_addr) : NULL;
      if (host)
        g_strv_builder_add (hosts, host);
    }
  freeifaddrs (all);
  return g_strv_builder_end (hosts);
}

/* The local address that packets to `to` would come from. FALSE when there is no route. A datagram
 * socket's connect() looks the route up and sends nothing. */
gboolean
p2ps_net_find_route (const P2psAddress *to, char host[P2PS_HOST_SIZE])
{
  g_autoptr (GSocketAddress) target = g_inet_socket_address_new_from_string (to->host, to->port);
  struct sockaddr_storage native, local;
  socklen_t size = sizeof local;
  g_autofree char *text = NULL;

  host[0] = '\0';
  if (!target || !g_socket_address_to_native (target, &native, sizeof native, NULL))
    return FALSE;
  int fd = socket (native.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return FALSE;
  if (connect (fd, (struct sockaddr *)&native, g_socket_address_get_native_size (target)) == 0
      && getsockname (fd, (struct sockaddr *)&local, &size) == 0)
    text = sockaddr_to_host ((struct sockaddr *)&local);
  close (fd);
  if (!text)
    return FALSE;
  g_strlcpy (host, text, P2PS_HOST_SIZE);
  return TRUE;
}

P2psRoutes *
p2ps_routes_new (void)
{
  P2psRoutes *routes = g_new0 (P2psRoutes, 1);

  routes->by_host = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return routes;
}

/* Borrowed until the next call; NULL when there is no route. */
const char *
p2ps_routes_get (P2psRoutes *routes, const P2psAddress *to)
{
  gint64 now = g_get_monotonic_time ();
  Route *route = g_hash_table_lookup (routes->by_host, to->host);

  if (!route || route->until < now)
    {
      if (g_hash_table_size (routes->by_host) >= MAX_ROUTES)
        g_hash_table_remove_all (routes->by_host);
      route = g_new0 (Route, 1);
      p2ps_net_find_route (to, route->host);
      route->until = now + ROUTE_AGE;
      g_hash_table_replace (routes->by_host, g_strdup (to->host), route);
    }
  return route->host[0] ? route->host : NULL;
}

/* For when the network changed. */
void
p2ps_routes_clear (P2psRoutes *routes)
{
  g_hash_table_remove_all (routes->by_host);
}

void
p2ps_routes_free (P2psRoutes *routes)
{
  g_hash_table_unref (routes->by_host);
  g_free (routes);
}
