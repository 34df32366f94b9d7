/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/message.h"

G_BEGIN_DECLS

#define P2PS_MAX_LINK 4096      /* bytes of a link that is read */
#define P2PS_MAX_LINK_SOURCES 8 /* addresses that are taken from one link */

/* A file as a link names it: docs/protocol.md, "Links". Plain data. */
typedef struct
{
  char filehash[P2PS_HASH_SIZE];
  char *filename;     /* safe for display, NULL when the link names none */
  gint64 size;        /* bytes, -1 when the link doesn't say */
  GPtrArray *sources; /* of char*: "host:port", syntactically fine, maybe a host name */
} P2psLink;

P2psLink *p2ps_link_new (const char *filehash, const char *filename, gint64 size);
P2psLink *p2ps_link_parse (const char *text, GError **error);
void p2ps_link_set_name (P2psLink *link, const char *name);
void p2ps_link_add_source (P2psLink *link, const char *address);
void p2ps_link_add_node (P2psLink *link, const char *host, guint port);
char *p2ps_link_to_string (const P2psLink *link);
char *p2ps_link_to_metalink (const P2psLink *link, GPtrArray *urls);
char *p2ps_link_dup_url (const P2psLink *link, const char *source, gboolean by_content);
GPtrArray *p2ps_link_list_hits (const P2psLink *link);
void p2ps_link_free (P2psLink *link);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psLink, p2ps_link_free)

G_END_DECLS
