/* SPDX-License-Identifier: GPL-3.0-or-later */

/* sim-run: one scenario from the command line, its figures on standard output. */

#include <stdlib.h>

#include "sim.h"

int
main (int argc, char **argv)
{
  int nodes = 200, degree = 6, queries = 10;
  gint64 seed = 1;
  SimOptions options = { 0 };
  gboolean json = FALSE;
  SimResult result;
  const GOptionEntry entries[] = {
    { "nodes", 0, 0, G_OPTION_ARG_INT, &nodes, "Hosts in the network (200)", "N" },
    { "degree", 0, 0, G_OPTION_ARG_INT, &degree, "Neighbours of each, on average (6)", "D" },
    { "loss", 0, 0, G_OPTION_ARG_DOUBLE, &options.loss, "Share of requests that are lost", "P" },
    { "kill", 0, 0, G_OPTION_ARG_DOUBLE, &options.kill, "Share that dies before the queries", "F" },
    { "classic", 0, 0, G_OPTION_ARG_DOUBLE, &options.classic, "Share of classic peers", "F" },
    { "hostile", 0, 0, G_OPTION_ARG_DOUBLE, &options.hostile, "Share of hostile peers", "F" },
    { "queries", 0, 0, G_OPTION_ARG_INT, &queries, "Queries, one a second (10)", "Q" },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &seed, "What everything is drawn from (1)", "S" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print one JSON object", NULL },
    { NULL }
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("sim-run: %s\n", error->message);
      return 2;
    }
  if (nodes < 2 || nodes > 1000000 || degree < 1 || degree > 255 || queries < 0 || options.loss < 0
      || options.loss > 1 || options.kill < 0 || options.kill > 1 || options.classic < 0
      || options.hostile < 0 || options.classic + options.hostile > 1)
    {
      g_printerr ("sim-run: a value is out of range\n");
      return 2;
    }
  options.nodes = nodes;
  options.degree = degree;
  options.queries = queries;
  options.seed = seed;
  sim_run_scenario (&options, &result);
  g_print (json ? "{\"reach\": %.6f, \"mean_reach\": %.6f, \"requests_per_query\": %.2f, "
                  "\"last_hop\": %u, \"seconds\": %.3f, \"found\": %.4f, "
                  "\"eviction_seconds_p99\": %.2f, \"false_evictions\": %u, "
                  "\"digest\": \"%s\"}\n"
                : "reach %.6f (mean %.6f), %.2f requests a query, last hop %u, %.3f s, found %.4f, "
                  "evicted in %.2f s (p99), %u false evictions, digest %s\n",
           result.reach, result.mean_reach, result.requests_per_query, result.last_hop,
           result.seconds, result.found, result.eviction_seconds_p99, result.false_evictions,
           result.digest);

  return EXIT_SUCCESS;
}
