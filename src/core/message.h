/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/types.h"

G_BEGIN_DECLS

/* What peers say to each other, typed: no bytes here (src/wire/codec.h turns these into JSON and
 * back). A message is built once, then only read; references are counted, not atomically: a
 * message stays on the owner context. */

typedef enum
{
  /* requests */
  P2PS_MESSAGE_PING = 1,  /* nonce */
  P2PS_MESSAGE_JOIN,      /* sender */
  P2PS_MESSAGE_HEARTBEAT, /* sender */
  P2PS_MESSAGE_GET_PEERS, /* sender */
  P2PS_MESSAGE_QUERY,     /* query */
  P2PS_MESSAGE_QUERY_HIT, /* hits, all with the same qid */
  /* replies */
  P2PS_MESSAGE_PONG,   /* ok, agent, id, nonce, files: the answer to PING */
  P2PS_MESSAGE_STATUS, /* ok, duplicate: the answer to JOIN, HEARTBEAT, QUERY and QUERY_HIT */
  P2PS_MESSAGE_PEERS,  /* ok, peers: the answer to GET_PEERS; not ok: "Unauthorized request." */
} P2psMessageType;

/* A search as it travels. */
typedef struct
{
  char qid[P2PS_QID_SIZE];
  P2psAddress origin;            /* who asks; host "" = the source of the connection */
  char *filename;                /* "" when only the hash is asked for */
  char filehash[P2PS_HASH_SIZE]; /* "" when only the name is asked for */
  int ttl;                       /* -1 when the sender named none */
  gboolean words;                /* "match": "words": a keyword search, not the exact name */
  int xttl;                      /* hop budget between our nodes, -1 when absent */
  int hops;                      /* so far, -1 when absent */
  P2psAddress via;               /* who sent this copy, unset when absent */
  char *reached; /* whom its origin asks: 8 hexadecimal digits each (reached.c); NULL when absent */
} P2psQuery;

/* One file of one holder. */
typedef struct
{
  char qid[P2PS_QID_SIZE];
  P2psAddress holder; /* who has the file; host "" = the source of the connection */
  char *filename;
  char filehash[P2PS_HASH_SIZE];
  gint64 size;               /* bytes, -1 when the holder doesn't say (classic peers) */
  char root[P2PS_HASH_SIZE]; /* of its block tree, as the holder claims; "" when it doesn't say */
} P2psHit;

typedef struct
{
  guint refs;
  P2psMessageType type;
  P2psAddress sender; /* of JOIN, HEARTBEAT, GET_PEERS: what the caller calls itself */
  P2psQuery *query;
  GPtrArray *hits; /* of P2psHit */
  gboolean ok;
  gboolean duplicate;
  GArray *peers; /* of P2psAddress */
  char *agent;   /* NULL: a classic peer */
  char *id;
  char *nonce;
  gint64 files; /* shared files that the peer tells of, -1 when it doesn't */
} P2psMessage;

P2psQuery *p2ps_query_new (const char *qid, const char *filename, const char *filehash);
P2psQuery *p2ps_query_copy (const P2psQuery *query);
void p2ps_query_free (P2psQuery *query);
P2psHit *p2ps_hit_new (const char *qid, const P2psAddress *holder, const char *filename,
                       const char *filehash, gint64 size);
P2psHit *p2ps_hit_copy (const P2psHit *hit);
void p2ps_hit_free (P2psHit *hit);

P2psMessage *p2ps_message_new (P2psMessageType type);
P2psMessage *p2ps_message_new_from (P2psMessageType type, const P2psAddress *sender);
P2psMessage *p2ps_message_new_query (P2psQuery *query);
P2psMessage *p2ps_message_new_hits (GPtrArray *hits);
P2psMessage *p2ps_message_new_status (gboolean ok);
P2psMessage *p2ps_message_ref (P2psMessage *message);
void p2ps_message_unref (P2psMessage *message);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psQuery, p2ps_query_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psHit, p2ps_hit_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psMessage, p2ps_message_unref)

G_END_DECLS
