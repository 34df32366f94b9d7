/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One whole run: a random connected graph, time to settle, some die, queries are asked, and what
 * became of them. */

#include "sim.h"

#include <string.h>

#define SETTLE (90 * P2PS_SECOND)
#define PER_QUERY (P2PS_SECOND)
#define NOBODY G_MAXUINT

static SimKind
draw_kind (const SimOptions *options, P2psRandom *random, guint index)
{
  double draw = p2ps_random_below (random, 1000000) / 1e6;

  /* The first one is ours, so that there is always somebody to ask. */
  if (index == 0)
    return SIM_OURS;
  if (draw < options->classic)
    return SIM_CLASSIC;

  return draw < options->classic + options->hostile ? SIM_HOSTILE : SIM_OURS;
}

/* A random tree, and then random edges up to the degree. */
static SimKind *
build (Sim *sim, const SimOptions *options, P2psRandom *random)
{
  SimKind *kinds = g_new0 (SimKind, options->nodes);
  guint edges = options->nodes * options->degree / 2;
  /* The tree is of honest ones: what passes nothing on is a leaf. */
  g_autoptr (GArray) honest = g_array_new (FALSE, FALSE, sizeof (guint));

  for (guint i = 0; i < options->nodes; i++)
    {
      kinds[i] = draw_kind (options, random, i);
      sim_add (sim, kinds[i]);
    }
  for (guint i = 0; i < options->nodes; i++)
    {
      if (honest->len > 0)
        sim_connect (sim, i,
                     g_array_index (honest, guint, p2ps_random_below (random, honest->len)));
      if (kinds[i] == SIM_OURS)
        g_array_append_val (honest, i);
    }
  for (guint i = options->nodes - 1; i < edges; i++)
    {
      guint from = p2ps_random_below (random, options->nodes);
      guint to = p2ps_random_below (random, options->nodes);

      if (from != to)
        sim_connect (sim, from, to);
    }

  return kinds;
}

static guint
draw_living (Sim *sim, const SimOptions *options, P2psRandom *random, guint except)
{
  for (guint tries = 0; tries < 1000; tries++)
    {
      guint index = p2ps_random_below (random, options->nodes);

      if (index != except && sim_get_node (sim, index) != NULL)
        return index;
    }

  return NOBODY;
}

static void
kill_some (Sim *sim, const SimOptions *options, P2psRandom *random)
{
  guint count = (guint)(options->kill * options->nodes);

  while (count > 0)
    {
      guint index = draw_living (sim, options, random, 0);

      if (index == NOBODY)
        return;
      sim_kill (sim, index, p2ps_random_below (random, 2) == 0);
      count--;
    }
}

static int
compare_times (gconstpointer a, gconstpointer b)
{
  gint64 first = *(const gint64 *)a, second = *(const gint64 *)b;

  return (first > second) - (first < second);
}

static void
collect (Sim *sim, const SimOptions *options, SimResult *result)
{
  GArray *evictions = sim_get_evictions (sim);
  guint64 requests = 0;
  guint found = 0;
  double sum = 0;

  result->reach = 1;
  for (guint i = 0; i < options->queries; i++)
    {
      SimQueryResult query;
      double reach;

      sim_get_query (sim, i, &query);
      reach = query.living > 0 ? (double)query.reached / query.living : 1;
      result->reach = MIN (result->reach, reach);
      sum += reach;
      requests += query.requests;
      found += query.found;
      result->last_hop = MAX (result->last_hop, query.last_hop);
      result->seconds = MAX (result->seconds, query.last / 1e6);
    }
  if (options->queries > 0)
    {
      result->mean_reach = sum / options->queries;
      result->requests_per_query = (double)requests / options->queries;
      result->found = (double)found / options->queries;
    }
  if (evictions->len > 0)
    {
      g_array_sort (evictions, compare_times);
      result->eviction_seconds_p99
          = g_array_index (evictions, gint64, (evictions->len - 1) * 99 / 100) / 1e6;
    }
  result->false_evictions = sim_get_false_evictions (sim);
  g_strlcpy (result->digest, sim_get_digest (sim), sizeof result->digest);
}

void
sim_run_scenario (const SimOptions *options, SimResult *result)
{
  SimFaults faults = { .seed = options->seed,
                       .loss = options->loss,
                       .duplicate = options->loss / 10,
                       .wanted_peers = options->degree };
  g_autoptr (Sim) sim = sim_new (&faults);
  P2psRandom random = { options->seed ^ 0x5ca1ab1e };
  g_autofree SimKind *kinds = build (sim, options, &random);

  memset (result, 0, sizeof *result);
  sim_run_for (sim, SETTLE);
  kill_some (sim, options, &random);
  for (guint i = 0; i < options->queries; i++)
    {
      guint from = draw_living (sim, options, &random, NOBODY);

      sim_query (sim, from, draw_living (sim, options, &random, from));
      sim_run_for (sim, PER_QUERY);
    }
  sim_run_for (sim, (options->kill > 0 ? 60 : 10) * P2PS_SECOND);
  collect (sim, options, result);
}
