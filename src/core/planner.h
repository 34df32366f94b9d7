/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/types.h"

G_BEGIN_DECLS

/* Which bytes of one file to ask of whom, and when again: the same shape as a node (events in,
 * one decision out, `now` is an argument, randomness from a seed), one per download. Today it names
 * one source at a time; the door is made for more. */
typedef struct _P2psPlanner P2psPlanner;

typedef enum
{
  P2PS_PLAN_WAIT,   /* until `deadline`: every source failed lately */
  P2PS_PLAN_FETCH,  /* ask `source` for the bytes from `offset` on, `length` of them (-1 = the rest)
                     */
  P2PS_PLAN_SEARCH, /* nobody is known who can have it: ask the network, look again at `deadline` */
} P2psPlanAction;

typedef struct
{
  P2psPlanAction action;
  P2psAddress source;
  gint64 offset;
  gint64 length;
  gint64 deadline; /* of WAIT and SEARCH, P2PS_NEVER when only an event helps */
} P2psPlan;

/* How an attempt at one source ended. */
typedef enum
{
  P2PS_ATTEMPT_DEAD, /* unreachable, broken, too slow: again later */
  P2PS_ATTEMPT_BUSY, /* it said when to come back */
  P2PS_ATTEMPT_GONE, /* it no longer has the file */
  P2PS_ATTEMPT_LIED, /* its bytes were wrong: never again */
} P2psAttempt;

P2psPlanner *p2ps_planner_new (guint64 seed);
void p2ps_planner_free (P2psPlanner *planner);
void p2ps_planner_add_source (P2psPlanner *planner, gint64 now, const P2psAddress *source);
void p2ps_planner_source_is_back (P2psPlanner *planner, gint64 now, const P2psAddress *source);
void p2ps_planner_retry_all (P2psPlanner *planner, gint64 now);
void p2ps_planner_failed (P2psPlanner *planner, gint64 now, const P2psAddress *source,
                          P2psAttempt attempt, gint64 retry_after);
void
p2ps_planner_progress (P2psPlanner *planner, gint64 now, const P2psAddress *source, gint64 bytes);
void p2ps_planner_decide (P2psPlanner *planner, gint64 now, gint64 offset, P2psPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psPlanner, p2ps_planner_free)

G_END_DECLS
