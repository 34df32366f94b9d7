/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/message.h"

G_BEGIN_DECLS

/* What goes into a node and what comes out of it, beside messages. */

typedef struct
{
  P2psAddress self;       /* what it announces; host "" = each peer takes the connection's source */
  gboolean loopback_only; /* it listens on loopback only: such addresses are fine */
  const char *agent;      /* "p2pshare/0.1.0" */
  const char *id;         /* stable identity, shown in the reply to a ping */
  guint max_ttl;          /* of its own searches; 0 = P2PS_DEFAULT_TTL */
  guint wanted_peers;     /* it looks for more below so many active; 0 = P2PS_WANTED_PEERS */
  gboolean sparse;        /* not more than those, even where few nodes could all know each other */
  guint64 seed;
} P2psNodeConfig;

/* What became of a message that was sent. */
typedef enum
{
  P2PS_OUTCOME_REPLY,   /* a well-formed reply came: it is handed in beside this */
  P2PS_OUTCOME_REFUSED, /* nobody listens at that address (connection refused) */
  P2PS_OUTCOME_TIMEOUT, /* no answer in time, host unreachable, connection broken */
  P2PS_OUTCOME_DENIED,  /* an HTTP status of 4xx or 5xx */
  P2PS_OUTCOME_NONSENSE /* an answer that no peer gives: not HTTP, not JSON, too long, redirect */
} P2psOutcome;

typedef enum
{
  P2PS_EFFECT_SEND,   /* send `message` to `to`, then call p2ps_node_sent (token) exactly once */
  P2PS_EFFECT_REPLY,  /* answer the request `token` (from p2ps_node_deliver) with `message` */
  P2PS_EFFECT_REJECT, /* answer the request `token` with HTTP `status` and the reason `text` */
  P2PS_EFFECT_LOOKUP, /* look `message`->query up in the own library, then p2ps_node_found (token)
                       */
  P2PS_EFFECT_PEERS_CHANGED, /* p2ps_node_list_peers would now say something else */
  P2PS_EFFECT_HITS,          /* `message`->hits came for the own search with their qid */
} P2psEffectType;

typedef struct
{
  P2psEffectType type;
  guint64 token;
  P2psAddress to;
  P2psMessage *message; /* owned by the effect: p2ps_effect_clear() */
  guint status;
  const char *text;  /* static */
  gboolean verified; /* HITS: the holder is where the message came from */
} P2psEffect;

typedef enum
{
  P2PS_PEER_CANDIDATE, /* heard of, not yet answered */
  P2PS_PEER_ACTIVE,
  P2PS_PEER_INACTIVE, /* was there, is silent; tried again */
} P2psPeerState;

/* A snapshot of one peer. Times are those of `now`, 0 = never. */
typedef struct
{
  P2psAddress address;
  P2psPeerState state;
  gboolean classic;      /* speaks the classic API only */
  gboolean configured;   /* named by the user: never dropped from the table */
  gint64 last_heartbeat; /* last sign of life that we got from it */
  gint64 last_update;    /* last change of `state` */
  gint64 round_trip;     /* of the last answered request, microseconds, 0 = not known */
  gint64 files;          /* that it tells of, -1 = it doesn't */
  int score;             /* 0 is neutral, misbehaviour lowers it */
  char agent[48];
  char id[40];
} P2psPeerInfo;

/* Since the node was made. `refused` counts by P2psRefusal. */
typedef enum
{
  P2PS_REFUSED_ADDRESS, /* an address from the wire that isn't allowed */
  P2PS_REFUSED_UNKNOWN, /* /get_peers by somebody who is no peer */
  P2PS_REFUSED_RATE,    /* more queries than a neighbour may send */
  P2PS_REFUSED_HIT,     /* a hit for no live query of ours, or too many */
  P2PS_REFUSED_FULL,    /* a table is full */
  P2PS_REFUSED_BANNED,  /* score too low */
  P2PS_N_REFUSALS
} P2psRefusal;

typedef struct
{
  guint64 originated;
  guint64 received; /* queries from others, duplicates included */
  guint64 duplicates;
  guint64 forwarded; /* copies sent on */
  guint64 dropped;   /* copies not sent on, for the limits of rate */
  guint64 answered;  /* received queries that we had a file for */
  guint64 hits_received;
  guint64 hits_sent;
  guint64 refused[P2PS_N_REFUSALS];
} P2psNodeCounters;

G_END_DECLS
