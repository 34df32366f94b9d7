/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/membership.h"

/* Where queries go (routing.c), own searches and their hits (searches.c), and our hits for others
 * (answers.c). */

/* A search of our own. */
typedef struct
{
  P2psQuery *query;
  gint64 started;
  gboolean live; /* hits are wanted */
  guint hits;
  GHashTable *responders; /* name -> how many hits */
  GHashTable *seen;       /* set of text: the same hit twice is one */
} P2psSearchState;

struct _P2psRouting
{
  struct _P2psMemory *memory;
  P2psBuckets *strangers; /* queries by source, of callers that are no peers */
  P2psBucket all_strangers;
  P2psBuckets *excess; /* refused queries of strangers, by source */
  P2psBucket stranger_forwards;
  P2psBucket forwards;
  P2psFair waiting; /* of Forward, for `forwards` */
  gint64 wake;
  GHashTable *searches; /* qid -> P2psSearchState */
  GQueue search_order;  /* of P2psSearchState, oldest first */
};

P2psRouting *p2ps_routing_new (void);
void p2ps_routing_free (P2psRouting *routing);
void p2ps_routing_query (P2psNode *node, const char *source, const P2psMessage *message,
                         guint64 request);
void p2ps_routing_send_own (P2psNode *node, P2psMember *member, const P2psQuery *query);
void p2ps_routing_sent (P2psNode *node, const P2psAddress *to, gpointer job, P2psOutcome outcome);
void p2ps_routing_tick (P2psNode *node);

/* reached.c: whom a query's origin asks itself */
char *p2ps_reached_new (P2psNode *node, const char *qid);
gboolean p2ps_reached_has (const P2psQuery *query, const P2psMember *member);

P2psSearchState *p2ps_searches_find (P2psNode *node, const char *qid);
gboolean p2ps_searches_is_live (P2psNode *node, const char *qid);
void p2ps_searches_start (P2psNode *node, const P2psQuery *query);
void p2ps_searches_stop (P2psNode *node, const char *qid);
void p2ps_searches_greet (P2psNode *node, P2psMember *member);
void p2ps_searches_hits (P2psNode *node, const char *source, const P2psMessage *message,
                         guint64 request);
void p2ps_search_state_free (P2psSearchState *search);

P2psAnswers *p2ps_answers_new (void);
void p2ps_answers_free (P2psAnswers *answers);
void p2ps_answers_look_up (P2psNode *node, const P2psQuery *query, const P2psAddress *from,
                           gboolean direct);
void p2ps_answers_found (P2psNode *node, guint64 token, GPtrArray *hits);
void p2ps_answers_pinged (P2psNode *node, const P2psAddress *to, P2psOutcome outcome,
                          const P2psMessage *reply);
void p2ps_answers_sent (P2psNode *node, gpointer job, P2psOutcome outcome);
void p2ps_answers_tick (P2psNode *node);
gint64 p2ps_answers_get_wake (P2psNode *node);
