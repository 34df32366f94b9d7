/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What must be true of networks of hundreds of real nodes, in virtual time. */

#include "sim.h"

#define NOBODY G_MAXUINT

static Sim *
make (guint64 seed, guint wanted)
{
  SimFaults faults = { .seed = seed, .wanted_peers = wanted, .sparse = wanted == 1 };

  return sim_new (&faults);
}

static gboolean
counts_as_active (Sim *sim, guint observer, guint peer)
{
  g_autoptr (GArray) list = p2ps_node_list_peers (sim_get_node (sim, observer));
  P2psAddress address = sim_get_address (sim, peer);

  for (guint i = 0; i < list->len; i++)
    {
      const P2psPeerInfo *info = &g_array_index (list, P2psPeerInfo, i);

      if (p2ps_address_equal (&info->address, &address))
        return info->state == P2PS_PEER_ACTIVE;
    }

  return FALSE;
}

/* A line: each knows only the next one. The query crosses to the end, the hit comes straight back,
 * and nobody is asked twice. */
static void
test_line (gconstpointer data)
{
  guint length = GPOINTER_TO_UINT (data);
  g_autoptr (Sim) sim = make (1, 1);
  SimQueryResult query;
  guint number;

  for (guint i = 0; i < length; i++)
    sim_add (sim, SIM_OURS);
  for (guint i = 0; i + 1 < length; i++)
    sim_connect (sim, i, i + 1);
  sim_run_for (sim, 20 * P2PS_SECOND);
  for (guint i = 0; i < length; i++)
    g_assert_cmpuint (p2ps_node_count_active (sim_get_node (sim, i)), ==,
                      i == 0 || i == length - 1 ? 1 : 2);
  number = sim_query (sim, 0, length - 1);
  sim_run_for (sim, 10 * P2PS_SECOND);
  sim_get_query (sim, number, &query);
  g_assert_cmpuint (query.reached, ==, length - 1);
  g_assert_cmpuint (query.requests, ==, length - 1);
  g_assert_cmpuint (query.last_hop, ==, length - 1);
  g_assert_true (query.found);
}

/* Ours and classic peers in a line of three, in each order: the end is reached, and answers. */
static void
test_mixed_lines (void)
{
  for (guint kinds = 0; kinds < 8; kinds++)
    {
      g_autoptr (Sim) sim = make (kinds + 1, 1);
      SimQueryResult query;
      guint number;

      for (guint i = 0; i < 3; i++)
        sim_add (sim, kinds >> i & 1 ? SIM_CLASSIC : SIM_OURS);
      sim_connect (sim, 0, 1);
      sim_connect (sim, 2, 1);
      /* A classic peer tries again each 60 s. */
      sim_run_for (sim, 70 * P2PS_SECOND);
      number = sim_query (sim, 0, 2);
      sim_run_for (sim, 10 * P2PS_SECOND);
      sim_get_query (sim, number, &query);
      g_test_message ("kinds %u", kinds);
      g_assert_cmpuint (query.reached, ==, 2);
      g_assert_true (query.found);
    }
}

/* Nodes that know one place to start find each other. */
static void
test_bootstrap_from_one (void)
{
  g_autoptr (Sim) sim = make (3, 0);
  SimQueryResult query;
  guint number;

  for (guint i = 0; i < 40; i++)
    sim_add (sim, SIM_OURS);
  for (guint i = 1; i < 40; i++)
    sim_connect (sim, i, 0);
  sim_run_for (sim, 60 * P2PS_SECOND);
  for (guint i = 0; i < 40; i++)
    g_assert_cmpuint (p2ps_node_count_active (sim_get_node (sim, i)), >=, P2PS_WANTED_PEERS - 1);
  /* The place to start may go: the others hold together. */
  sim_kill (sim, 0, FALSE);
  sim_run_for (sim, 30 * P2PS_SECOND);
  number = sim_query (sim, 1, 2);
  sim_run_for (sim, 10 * P2PS_SECOND);
  sim_get_query (sim, number, &query);
  g_assert_cmpuint (query.reached, ==, query.living);
  g_assert_true (query.found);
}

/* Up to 32 nodes a query is one hop and one request for each, also just after one more came. */
static void
test_mesh (gconstpointer data)
{
  guint count = GPOINTER_TO_UINT (data);
  g_autoptr (Sim) sim = make (count, 0);
  SimQueryResult query;
  guint number;

  for (guint i = 0; i < count; i++)
    sim_add (sim, SIM_OURS);
  for (guint i = 1; i < count; i++)
    sim_connect (sim, i, i / 2);
  sim_run_for (sim, 90 * P2PS_SECOND);
  for (guint i = 0; i < count; i++)
    {
      number = sim_query (sim, i, (i + 1) % count);
      sim_run_for (sim, P2PS_SECOND);
      sim_get_query (sim, number, &query);
      g_assert_cmpuint (query.reached, ==, count - 1);
      g_assert_cmpuint (query.requests, ==, count - 1);
      g_assert_cmpuint (query.last_hop, ==, 1);
      g_assert_true (query.found);
    }
  sim_add (sim, SIM_OURS);
  sim_connect (sim, count, 0);
  sim_run_for (sim, 3 * P2PS_SECOND);
  for (guint i = 0; i < 30; i++)
    {
      number = sim_query (sim, (i * 7 + 1) % (count + 1), i % 2 == 0 ? count : 0);
      sim_run_for (sim, P2PS_SECOND);
      sim_get_query (sim, number, &query);
      g_assert_cmpuint (query.reached, ==, count);
    }
}

/* A dead process is noticed within seconds, a silent host within 20, and one that comes back with
 * no memory is a peer again at once. */
static void
test_death_and_return (gconstpointer data)
{
  gboolean silent = GPOINTER_TO_INT (data);
  g_autoptr (Sim) sim = make (5, 1);

  for (guint i = 0; i < 3; i++)
    sim_add (sim, SIM_OURS);
  sim_connect (sim, 0, 1);
  sim_connect (sim, 2, 1);
  sim_run_for (sim, 60 * P2PS_SECOND);
  g_assert_true (counts_as_active (sim, 1, 0));
  sim_kill (sim, 0, silent);
  sim_run_for (sim, (silent ? 21 : 7) * P2PS_SECOND);
  g_assert_false (counts_as_active (sim, 1, 0));
  g_assert_true (counts_as_active (sim, 1, 2));
  sim_run_for (sim, 60 * P2PS_SECOND);
  sim_restart (sim, 0);
  sim_run_for (sim, 2 * P2PS_SECOND);
  g_assert_true (counts_as_active (sim, 1, 0));
  g_assert_true (counts_as_active (sim, 0, 1));
  g_assert_cmpuint (sim_get_false_evictions (sim), ==, 0);
}

/* Two halves that could not hear each other are one network again soon after they can. */
static void
test_partition_heals (void)
{
  g_autoptr (Sim) sim = make (6, 4);
  SimQueryResult query;
  guint number;

  for (guint i = 0; i < 40; i++)
    sim_add (sim, SIM_OURS);
  for (guint i = 1; i < 40; i++)
    {
      sim_connect (sim, i, i / 2);
      sim_connect (sim, i, (i * 7 + 3) % 40 != i ? (i * 7 + 3) % 40 : 0);
    }
  sim_run_for (sim, 60 * P2PS_SECOND);
  for (guint i = 0; i < 20; i++)
    sim_part (sim, i * 2, 1);
  sim_run_for (sim, 120 * P2PS_SECOND);
  g_assert_false (counts_as_active (sim, 1, 0));
  number = sim_query (sim, 1, 2);
  sim_run_for (sim, 10 * P2PS_SECOND);
  sim_get_query (sim, number, &query);
  g_assert_cmpuint (query.reached, ==, 19);
  g_assert_false (query.found);
  for (guint i = 0; i < 20; i++)
    sim_part (sim, i * 2, 0);
  sim_run_for (sim, 120 * P2PS_SECOND);
  number = sim_query (sim, 1, 2);
  sim_run_for (sim, 10 * P2PS_SECOND);
  sim_get_query (sim, number, &query);
  g_assert_cmpuint (query.reached, ==, query.living);
  g_assert_true (query.found);
}

static void
test_scenarios (void)
{
  static const struct
  {
    SimOptions options;
    double reach, requests_per_host, eviction;
  } rows[] = {
    { { .nodes = 32, .degree = 6, .queries = 5, .seed = 11 }, 1.0, 0.97, 0 },
    { { .nodes = 300, .degree = 6, .queries = 2, .seed = 12 }, 1.0, 12, 0 },
    { { .nodes = 200, .degree = 4, .queries = 3, .seed = 13 }, 1.0, 12, 0 },
    { { .nodes = 200, .degree = 6, .queries = 3, .loss = 0.01, .seed = 14 }, 1.0, 12, 0 },
    { { .nodes = 200, .degree = 6, .queries = 3, .loss = 0.1, .seed = 15 }, 0.99, 12, 0 },
    { { .nodes = 200, .degree = 6, .queries = 3, .kill = 0.3, .seed = 16 }, 0.99, 12, 20 },
    { { .nodes = 100, .degree = 6, .queries = 3, .classic = 0.25, .seed = 17 }, 1.0, 40, 0 },
    { { .nodes = 100, .degree = 6, .queries = 3, .hostile = 0.1, .seed = 18 }, 0.99, 12, 0 },
    { { .nodes = 60, .degree = 6, .queries = 3, .hostile = 0.1, .seed = 19 }, 0.99, 12, 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      SimResult result;

      sim_run_scenario (&rows[i].options, &result);
      g_test_message (
          "row %zu: reach %f, %.1f requests, hop %u, %.3f s, evicted in %.2f s, %u false", i,
          result.reach, result.requests_per_query, result.last_hop, result.seconds,
          result.eviction_seconds_p99, result.false_evictions);
      g_assert_cmpfloat (result.reach, >=, rows[i].reach);
      /* It costs at least one request for each host: fewer would be a wrong count. */
      g_assert_cmpfloat (result.requests_per_query, <=,
                         rows[i].requests_per_host * rows[i].options.nodes);
      if (rows[i].options.kill == 0)
        g_assert_cmpfloat (result.requests_per_query, >=, rows[i].options.nodes - 1);
      g_assert_cmpfloat (result.eviction_seconds_p99, <=, rows[i].eviction);
      g_assert_true (rows[i].eviction == 0 || result.eviction_seconds_p99 > 0);
      if (rows[i].options.loss == 0)
        {
          g_assert_cmpuint (result.false_evictions, ==, 0);
          g_assert_cmpfloat (result.found, ==, rows[i].options.kill == 0 ? 1.0 : result.found);
        }
    }
}

static void
test_same_seed_same_run (void)
{
  SimOptions options = { .nodes = 40,
                         .degree = 6,
                         .queries = 2,
                         .loss = 0.05,
                         .kill = 0.1,
                         .classic = 0.1,
                         .hostile = 0.02,
                         .seed = 21 };
  SimResult first, second, other;

  sim_run_scenario (&options, &first);
  sim_run_scenario (&options, &second);
  options.seed = 22;
  sim_run_scenario (&options, &other);
  g_assert_cmpstr (first.digest, ==, second.digest);
  g_assert_cmpfloat (first.requests_per_query, ==, second.requests_per_query);
  g_assert_cmpstr (first.digest, !=, other.digest);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/sim/line/3", GUINT_TO_POINTER (3), test_line);
  g_test_add_data_func ("/sim/line/30", GUINT_TO_POINTER (30), test_line);
  g_test_add_func ("/sim/mixed-lines", test_mixed_lines);
  g_test_add_data_func ("/sim/mesh/2", GUINT_TO_POINTER (2), test_mesh);
  g_test_add_data_func ("/sim/mesh/17", GUINT_TO_POINTER (17), test_mesh);
  g_test_add_data_func ("/sim/mesh/32", GUINT_TO_POINTER (32), test_mesh);
  g_test_add_func ("/sim/bootstrap-from-one", test_bootstrap_from_one);
  g_test_add_data_func ("/sim/death/refused", GINT_TO_POINTER (FALSE), test_death_and_return);
  g_test_add_data_func ("/sim/death/silent", GINT_TO_POINTER (TRUE), test_death_and_return);
  g_test_add_func ("/sim/partition-heals", test_partition_heals);
  g_test_add_func ("/sim/scenarios", test_scenarios);
  g_test_add_func ("/sim/same-seed", test_same_seed_same_run);

  return g_test_run ();
}
