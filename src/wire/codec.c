/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which HTTP request carries which message. Bytes are made in encode.c and read in decode.c; both
 * own nothing and run on any thread. */

#include "wire/codec.h"

static const struct
{
  P2psMessageType type;
  const char *method;
  const char *path;
} requests[] = {
  { P2PS_MESSAGE_PING, "GET", "/ping" },
  { P2PS_MESSAGE_JOIN, "POST", "/join" },
  { P2PS_MESSAGE_HEARTBEAT, "POST", "/heartbeat" },
  { P2PS_MESSAGE_GET_PEERS, "POST", "/get_peers" },
  { P2PS_MESSAGE_QUERY, "POST", "/query" },
  { P2PS_MESSAGE_QUERY_HIT, "POST", "/query_hit" },
};

const char *
p2ps_wire_get_path (P2psMessageType request)
{
  for (guint i = 0; i < G_N_ELEMENTS (requests); i++)
    if (requests[i].type == request)
      return requests[i].path;
  return NULL;
}

const char *
p2ps_wire_get_method (P2psMessageType request)
{
  for (guint i = 0; i < G_N_ELEMENTS (requests); i++)
    if (requests[i].type == request)
      return requests[i].method;
  return NULL;
}

char *
p2ps_wire_dup_target (const P2psMessage *request)
{
  const char *path = p2ps_wire_get_path (request->type);

  if (request->type == P2PS_MESSAGE_PING && request->nonce != NULL)
    {
      g_autofree char *nonce = g_uri_escape_string (request->nonce, NULL, FALSE);

      return g_strconcat (path, "?n=", nonce, NULL);
    }
  return g_strdup (path);
}
