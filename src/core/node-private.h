/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/bucket.h"
#include "core/node.h"
#include "core/random.h"

/* What the parts of a node share. Nothing outside src/core includes this. */

typedef struct _P2psMembership P2psMembership;
typedef struct _P2psRouting P2psRouting;
typedef struct _P2psAnswers P2psAnswers;

struct _P2psNode
{
  P2psAddress self;
  gboolean loopback_only;
  char *agent;
  char *id;
  int max_ttl;
  guint wanted_peers;
  gboolean sparse;
  gint64 files;
  GPtrArray *own_hosts;  /* of char *, from the driver */
  GArray *own_addresses; /* of P2psAddress: where our own id answered */

  gint64 now;
  P2psRandom random;
  GQueue effects;          /* of P2psEffect */
  gboolean changed_queued; /* one PEERS_CHANGED in the queue is enough */
  GHashTable *sent;        /* token -> Sent: what was sent and not yet answered */
  guint64 last_token;
  P2psNodeCounters counters;

  P2psMembership *membership;
  P2psRouting *routing;
  P2psAnswers *answers;
};

/* Why a message was sent: who gets to know what became of it. */
typedef enum
{
  P2PS_FOR_CONTACT, /* PING to a candidate or a peer */
  P2PS_FOR_JOIN,
  P2PS_FOR_HEARTBEAT,
  P2PS_FOR_PEERS,
  P2PS_FOR_QUERY,
  P2PS_FOR_STRANGER, /* PING to an origin before it gets hits */
  P2PS_FOR_HITS,
} P2psPurpose;

void p2ps_node_push_send (P2psNode *node, const P2psAddress *to, P2psMessage *message,
                          P2psPurpose purpose, gpointer job, GDestroyNotify free_job);
void p2ps_node_push_ping (P2psNode *node, const P2psAddress *to, P2psPurpose purpose);
void p2ps_node_push_reply (P2psNode *node, guint64 request, P2psMessage *message);
void p2ps_node_push_status (P2psNode *node, guint64 request, gboolean ok, gboolean duplicate);
void p2ps_node_push_reject (P2psNode *node, guint64 request, guint status, const char *text);
void p2ps_node_push_lookup (P2psNode *node, guint64 token, const P2psQuery *query);
void p2ps_node_push_hits (P2psNode *node, GPtrArray *hits, gboolean verified);
void p2ps_node_push_changed (P2psNode *node);
guint64 p2ps_node_next_token (P2psNode *node);

/* Addresses (membership.c) */
gboolean p2ps_node_is_own (P2psNode *node, const P2psAddress *address);
gboolean p2ps_node_allows (P2psNode *node, const char *source, const P2psAddress *address);
gboolean p2ps_source_is_host (const char *source, const char *host);
P2psAddress p2ps_address_resolve (const P2psAddress *address, const char *source);
