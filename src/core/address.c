/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Peer addresses as values: literals only, the announced spelling kept, compared by what they mean
 * ("::1" and "0:0:0:0:0:0:0:1" are one peer, and so are "::ffff:10.0.0.5" and "10.0.0.5").
 * Pure functions for any thread. Host names, zones and brackets inside a host are refused. */

#define G_LOG_DOMAIN "p2ps-address"

#include <arpa/inet.h>
#include <string.h>

#include "core/types.h"

static const guint8 mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* The 16 bytes that a literal means; IPv4 as the mapped IPv6 address. */
static gboolean
host_get_bytes (const char *host, guint8 bytes[16])
{
  if (strchr (host, ':') != NULL)
    return inet_pton (AF_INET6, host, bytes) == 1;

  memcpy (bytes, mapped_prefix, sizeof mapped_prefix);
  return inet_pton (AF_INET, host, bytes + 12) == 1;
}

static gboolean
host_is_unset (const char *host)
{
  return host == NULL || *host == '\0' || strcmp (host, "0.0.0.0") == 0 || strcmp (host, "::") == 0;
}

/**
 * p2ps_address_init:
 * @host: (nullable): an IPv4 or IPv6 literal without brackets; NULL, "", "0.0.0.0" and "::" mean
 *   unset and become ""
 * @port: 1 to 65535
 *
 * Returns: FALSE when it is no address; @address is then all zero.
 */
gboolean
p2ps_address_init (P2psAddress *address, const char *host, guint port)
{
  guint8 bytes[16];

  memset (address, 0, sizeof *address);
  if (port == 0 || port > G_MAXUINT16)
    return FALSE;
  if (!host_is_unset (host))
    {
      if (strlen (host) >= P2PS_HOST_SIZE || !host_get_bytes (host, bytes))
        return FALSE;
      strcpy (address->host, host);
    }
  address->port = (guint16)port;

  return TRUE;
}

/**
 * p2ps_address_parse:
 * @text: "10.0.0.5:8081" or "[2001:db8::5]:8081"
 *
 * Returns: FALSE when @text is not an address that can be dialled (an unset host included).
 */
gboolean
p2ps_address_parse (P2psAddress *address, const char *text)
{
  g_autofree char *host = NULL;
  const char *colon = text != NULL ? strrchr (text, ':') : NULL;
  guint64 port = 0;

  memset (address, 0, sizeof *address);
  if (colon == NULL || !g_ascii_string_to_unsigned (colon + 1, 10, 1, G_MAXUINT16, &port, NULL))
    return FALSE;
  if (*text == '[')
    {
      if (colon < text + 2 || colon[-1] != ']')
        return FALSE;
      host = g_strndup (text + 1, colon - text - 2);
      if (strchr (host, ':') == NULL)
        return FALSE;
    }
  else
    {
      host = g_strndup (text, colon - text);
      if (strchr (host, ':') != NULL)
        return FALSE;
    }

  return !host_is_unset (host) && p2ps_address_init (address, host, (guint)port);
}

/** p2ps_address_is_set: whether it has both a host and a port. */
gboolean
p2ps_address_is_set (const P2psAddress *address)
{
  return address->host[0] != '\0' && address->port != 0;
}

/** p2ps_address_to_string: Returns: (transfer full): "10.0.0.5:8081" or "[::1]:8081" */
char *
p2ps_address_to_string (const P2psAddress *address)
{
  return g_strdup_printf (strchr (address->host, ':') != NULL ? "[%s]:%u" : "%s:%u", address->host,
                          address->port);
}

/**
 * p2ps_address_to_url:
 * @path: starts with "/", percent-encoded already
 *
 * Returns: (transfer full): "http://10.0.0.5:8081/path"
 */
char *
p2ps_address_to_url (const P2psAddress *address, const char *path)
{
  g_autofree char *text = p2ps_address_to_string (address);

  return g_strconcat ("http://", text, path, NULL);
}

/** p2ps_address_hash: for hash tables with p2ps_address_equal(). */
guint
p2ps_address_hash (gconstpointer address)
{
  const P2psAddress *self = address;
  guint8 bytes[16] = { 0 };
  guint hash = 5381 + self->port;

  if (self->host[0] != '\0')
    host_get_bytes (self->host, bytes);
  for (gsize i = 0; i < sizeof bytes; i++)
    hash = hash * 33 + bytes[i];

  return hash;
}

/** p2ps_address_equal: same port and the same host, whatever its spelling. */
gboolean
p2ps_address_equal (gconstpointer a, gconstpointer b)
{
  const P2psAddress *first = a, *second = b;

  return first->port == second->port && p2ps_host_equal (first->host, second->host);
}

/** p2ps_host_equal: whether two literals mean one host; unset equals only unset. */
gboolean
p2ps_host_equal (const char *a, const char *b)
{
  guint8 first[16], second[16];

  if (strcmp (a, b) == 0)
    return TRUE;
  /* Without a colon there is only one spelling of a literal. */
  if (strchr (a, ':') == NULL && strchr (b, ':') == NULL)
    return FALSE;

  return host_get_bytes (a, first) && host_get_bytes (b, second)
         && memcmp (first, second, sizeof first) == 0;
}

static P2psScope
ipv4_get_scope (const guint8 *ip)
{
  if (ip[0] == 0 || ip[0] >= 224 || (ip[0] == 192 && ip[1] == 0 && ip[2] == 0))
    return P2PS_SCOPE_INVALID;
  if (ip[0] == 127)
    return P2PS_SCOPE_LOOPBACK;
  if (ip[0] == 169 && ip[1] == 254)
    return P2PS_SCOPE_LINK_LOCAL;
  if (ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) || (ip[0] == 192 && ip[1] == 168)
      || (ip[0] == 100 && (ip[1] & 0xc0) == 64) || (ip[0] == 198 && (ip[1] & 0xfe) == 18))
    return P2PS_SCOPE_PRIVATE;

  return P2PS_SCOPE_PUBLIC;
}

static P2psScope
ipv6_get_scope (const guint8 *ip)
{
  static const guint8 zero[16] = { 0 };
  static const guint8 nat64[12] = { 0x00, 0x64, 0xff, 0x9b };

  if (memcmp (ip, mapped_prefix, sizeof mapped_prefix) == 0)
    return ipv4_get_scope (ip + 12);
  /* An IPv4 address in another coat reaches what that address reaches. */
  if (memcmp (ip, nat64, sizeof nat64) == 0)
    return ipv4_get_scope (ip + 12);
  if (ip[0] == 0x20 && ip[1] == 0x02)
    return ipv4_get_scope (ip + 2);
  if (memcmp (ip, zero, 15) == 0 && ip[15] == 1)
    return P2PS_SCOPE_LOOPBACK;
  if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80)
    return P2PS_SCOPE_LINK_LOCAL;
  if ((ip[0] & 0xfe) == 0xfc || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0xc0))
    return P2PS_SCOPE_PRIVATE;
  if ((ip[0] & 0xe0) == 0x20)
    return P2PS_SCOPE_PUBLIC;

  return P2PS_SCOPE_INVALID;
}

/**
 * p2ps_host_get_scope:
 *
 * Ranges for documentation count as public: nothing is there to be hurt.
 *
 * Returns: from where @host can be reached (RFC 6890); INVALID when it is no literal of one host.
 */
P2psScope
p2ps_host_get_scope (const char *host)
{
  guint8 bytes[16];

  if (strlen (host) >= P2PS_HOST_SIZE || !host_get_bytes (host, bytes))
    return P2PS_SCOPE_INVALID;

  return ipv6_get_scope (bytes);
}
