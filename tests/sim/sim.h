/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/limits.h"
#include "core/node.h"
#include "core/random.h"

/* A network of real nodes in virtual time: one heap of events, faults drawn from one seed. The same
 * seed gives the same run to the bit (sim_get_digest). Links the core and GLib, nothing else. */

typedef enum
{
  SIM_OURS,
  SIM_CLASSIC, /* a model of a classic peer (classic.c) */
  SIM_HOSTILE, /* answers as one of ours, passes nothing on, lies about peers, floods (also
                  classic.c) */
} SimKind;

typedef struct
{
  guint64 seed;
  double loss;      /* of requests, and of replies */
  double duplicate; /* requests that arrive twice */
  gint64 latency_min, latency_max;
  guint wanted_peers; /* of our nodes, 0 = as shipped */
  gboolean sparse;    /* and not more */
} SimFaults;

typedef struct _Sim Sim;
typedef struct _SimClassic SimClassic;

Sim *sim_new (const SimFaults *faults);
void sim_free (Sim *sim);
guint sim_add (Sim *sim, SimKind kind);
void sim_connect (Sim *sim, guint from, guint to);
void sim_run_for (Sim *sim, gint64 time);
void sim_kill (Sim *sim, guint host, gboolean silent);
void sim_restart (Sim *sim, guint host);
void sim_part (Sim *sim, guint host, guint side);
void sim_set_loss (Sim *sim, double loss);
guint sim_query (Sim *sim, guint host, guint holder);
gint64 sim_get_now (Sim *sim);
P2psNode *sim_get_node (Sim *sim, guint host);
P2psAddress sim_get_address (Sim *sim, guint host);
const char *sim_get_digest (Sim *sim);

/* What became of a query. */
typedef struct
{
  guint reached;  /* living hosts that saw it, without the one who asked and hostile ones */
  guint living;   /* that could have */
  guint requests; /* that were sent for it */
  guint last_hop;
  gint64 last;    /* from the start to the last host's first copy, microseconds */
  gboolean found; /* its holder's hit came */
} SimQueryResult;

void sim_get_query (Sim *sim, guint query, SimQueryResult *result);

/* Evictions of the dead (microseconds after death, one for each peer that knew them), and of the
 * living. */
GArray *sim_get_evictions (Sim *sim);
guint sim_get_false_evictions (Sim *sim);

/* A whole scenario (scenario.c). */
typedef struct
{
  guint nodes, degree, queries;
  double loss, kill, classic, hostile;
  guint64 seed;
} SimOptions;

typedef struct
{
  double reach; /* of the worst query */
  double mean_reach;
  double requests_per_query;
  guint last_hop;
  double seconds; /* virtual, of the slowest query */
  double found;   /* share of queries whose holder's hit came */
  double eviction_seconds_p99;
  guint false_evictions;
  char digest[65];
} SimResult;

void sim_run_scenario (const SimOptions *options, SimResult *result);

/* The models of other peers (classic.c): called by the network. */
typedef struct
{
  void (*send) (Sim *sim, guint host, guint64 token, const P2psAddress *to, P2psMessage *message);
  void (*reply) (Sim *sim, guint host, guint64 request, P2psMessage *reply);
} SimDoor;

SimClassic *sim_classic_new (Sim *sim, guint host, const P2psAddress *self, const SimDoor *door,
                             gboolean hostile, guint64 seed);
void sim_classic_free (SimClassic *classic);
void sim_classic_start (SimClassic *classic, gint64 now, GArray *configured);
void
sim_classic_deliver (SimClassic *classic, gint64 now, const P2psMessage *message, guint64 request);
void sim_classic_sent (SimClassic *classic, gint64 now, guint64 token, P2psOutcome outcome,
                       const P2psMessage *reply);
void sim_classic_tick (SimClassic *classic, gint64 now);
gint64 sim_classic_get_deadline (SimClassic *classic);
void sim_classic_search (SimClassic *classic, const P2psQuery *query);
void sim_classic_hold (SimClassic *classic, const char *filename);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Sim, sim_free)
