/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The value types that every room shares. All of them can be copied by assignment. */

#define P2PS_HOST_SIZE 46 /* INET6_ADDRSTRLEN: the longest literal and its NUL */
#define P2PS_QID_SIZE 37  /* a UUID as text (RFC 4122) and its NUL */
#define P2PS_HASH_SIZE 65 /* SHA-256 as lower-case hex and its NUL */

/* One peer is one (host, port) pair of text and number: the spelling that it announced is kept.
 * host is an IPv4 or IPv6 literal without brackets, or "" when unset. */
typedef struct
{
  char host[P2PS_HOST_SIZE];
  guint16 port;
} P2psAddress;

/* Where an address can be reached from (RFC 6890). */
typedef enum
{
  P2PS_SCOPE_INVALID, /* not a literal, 0/8, broadcast, multicast, unspecified */
  P2PS_SCOPE_LOOPBACK,
  P2PS_SCOPE_LINK_LOCAL,
  P2PS_SCOPE_PRIVATE,
  P2PS_SCOPE_PUBLIC,
} P2psScope;

gboolean p2ps_address_init (P2psAddress *address, const char *host, guint port);
gboolean p2ps_address_parse (P2psAddress *address, const char *text);
gboolean p2ps_address_is_set (const P2psAddress *address);
char *p2ps_address_to_string (const P2psAddress *address);
char *p2ps_address_to_url (const P2psAddress *address, const char *path);
guint p2ps_address_hash (gconstpointer address);
gboolean p2ps_address_equal (gconstpointer a, gconstpointer b);
P2psScope p2ps_host_get_scope (const char *host);
gboolean p2ps_host_equal (const char *a, const char *b);

/* Text that came from a stranger (text.c). */
gboolean p2ps_hash_normalize (char hash[P2PS_HASH_SIZE], const char *text);
gboolean p2ps_qid_is_valid (const char *text);
char *p2ps_name_for_display (const char *name);
char *p2ps_name_for_disk (const char *name);

G_END_DECLS
