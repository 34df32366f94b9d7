/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/fair.h"
#include "core/node-private.h"

/* One address that a node knows of: a candidate that was named to it, or a peer. */
typedef struct
{
  P2psPeerInfo info;
  gboolean tabled;     /* a peer or configured; else one of the candidates */
  gboolean wants_us;   /* it asked to join, so it is pinged even when we have enough peers */
  gboolean direct;     /* it asked from its own address */
  gboolean called;     /* it spoke since the last ping to it */
  gboolean joined;     /* it counts us as a peer */
  gboolean contacting; /* a ping to it is under way */
  char named_by[P2PS_HOST_SIZE];

  gint64 next;      /* when p2ps_liveness_run() has to look at it */
  gint64 heartbeat; /* when the next one is due */
  gint64 pinged;    /* the last ping to it, P2PS_LONG_AGO = never */
  gint64 joined_at; /* the last JOIN to it */
  gint64 asked;     /* the last GET_PEERS to it */
  gint64 failed;    /* when a failure was counted last */
  guint failures;   /* in a row */
  guint refusals;   /* in a row */
  guint retries;    /* while it is inactive */

  gint64 score_at; /* when info.score was true */
  gint64 banned;   /* until */
  guint bans;

  P2psBucket in;         /* new queries from it */
  P2psBucket duplicates; /* known ones */
  P2psBucket excess;     /* refused ones that cost it nothing */
  P2psBucket out;        /* queries to it */
  P2psFair outbox;       /* of P2psMessage: queries that wait for `out` */
} P2psMember;

/* A caller of GET_PEERS that is being pinged: its answer waits for that. */
typedef struct
{
  guint64 request;
  P2psAddress caller;
  gint64 until;
} P2psHeld;

struct _P2psMembership
{
  GHashTable *by_address; /* P2psAddress -> P2psMember, owned */
  GPtrArray *peers;       /* of P2psMember with `tabled`, oldest first */
  GPtrArray *candidates;  /* the others, oldest first */
  guint active;
  guint probing; /* pings to candidates under way */
  P2psBucket probes;
  GArray *held;     /* of P2psHeld */
  gint64 upkeep;    /* when to look for more peers */
  gint64 mesh_from; /* when few known nodes begin to mean that there are few */
  gint64 wake;      /* nothing is due before */
  gint64 banned;    /* nobody is banned from then on */
};

#define P2PS_LONG_AGO (G_MININT64 / 4)

/* membership.c: who is in which table */
P2psMembership *p2ps_membership_new (gint64 now);
void p2ps_membership_free (P2psMembership *membership);
P2psMember *p2ps_membership_find (P2psNode *node, const P2psAddress *address);
P2psMember *p2ps_membership_find_sender (P2psNode *node, const char *source, const P2psQuery *query,
                                         gboolean *certain);
P2psMember *
p2ps_membership_consider (P2psNode *node, const char *source, const P2psAddress *address);
P2psMember *p2ps_membership_configure (P2psNode *node, const P2psAddress *address);
gboolean p2ps_membership_admit (P2psNode *node, P2psMember *member);
void p2ps_membership_remove (P2psNode *node, P2psMember *member);
P2psMessage *p2ps_membership_list_for (P2psNode *node, const P2psAddress *caller);

/* score.c: who misbehaved */
int p2ps_member_get_score (P2psNode *node, P2psMember *member);
void p2ps_member_blame (P2psNode *node, P2psMember *member, int points);
gboolean p2ps_member_is_banned (P2psNode *node, P2psMember *member);
gboolean p2ps_source_is_banned (P2psNode *node, const char *source);

/* liveness.c: who is there */
void p2ps_member_schedule (P2psNode *node, P2psMember *member, gint64 when);
void p2ps_member_activate (P2psNode *node, P2psMember *member);
void p2ps_member_deactivate (P2psNode *node, P2psMember *member);
void p2ps_member_heard (P2psNode *node, P2psMember *member);
gboolean p2ps_liveness_run (P2psNode *node, P2psMember *member);
void p2ps_liveness_sent (P2psNode *node, const P2psAddress *to, P2psPurpose purpose, gint64 sent_at,
                         P2psOutcome outcome, const P2psMessage *reply);
void p2ps_liveness_tick (P2psNode *node);

/* callers.c: JOIN, HEARTBEAT and GET_PEERS of others */
void p2ps_callers_announce (P2psNode *node, const char *source, const P2psMessage *message,
                            guint64 request);
void p2ps_callers_get_peers (P2psNode *node, const char *source, const P2psMessage *message,
                             guint64 request);
void p2ps_callers_release (P2psNode *node, const P2psAddress *caller, gboolean known);
void p2ps_callers_tick (P2psNode *node);
