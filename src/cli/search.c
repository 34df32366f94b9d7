/* SPDX-License-Identifier: GPL-3.0-or-later */

/* search: starts a search in the node, waits for hits, prints them, takes the search away again. */

#define G_LOG_DOMAIN "p2pshare-cli"

#include "cli/cli.h"

#define DEFAULT_SECONDS 5.0
/* Peers that don't know us wait up to 2 s before they answer: quiet is a bit more than that. */
#define QUIET_MICROSECONDS (2.5 * G_USEC_PER_SEC)
#define MAX_SECONDS 3600.0
#define NOT_SAID (-G_MAXDOUBLE)
#define FIRST_POLL 20
#define SLOWEST_POLL 100

typedef struct
{
  double seconds; /* 0 = not said */
  int min_hits;   /* 0 = not said */
} Limits;

static char *
make_body (const char *text)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "text");
  json_builder_add_string_value (builder, text);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  return json_to_string (root, FALSE);
}

static void
draw (P2psProgress *progress, gint64 hits)
{
  g_autofree char *label = g_strdup_printf (
      ngettext ("searching: %lu hit so far", "searching: %lu hits so far", (gulong)hits),
      (gulong)hits);

  p2ps_progress_draw (progress, label, -1, -1, -1, -1);
}

/* Until there are enough hits, the time is up, or (when the user set neither) hits have come and no
 * more follow. FALSE on an error. */
static gboolean
wait_for_hits (P2psCli *cli, const char *id, const Limits *limits, GError **error)
{
  g_autofree char *path = p2ps_cli_path ("searches/%s?results=0", id);
  gint64 start = g_get_monotonic_time ();
  double seconds = limits->seconds > 0 ? limits->seconds : DEFAULT_SECONDS;
  gint64 end = start + (gint64)(seconds * G_USEC_PER_SEC);
  gint64 changed = start;
  gint64 hits = 0;
  guint poll = FIRST_POLL;
  P2psProgress progress;

  p2ps_progress_init (&progress, !cli->json);
  while (TRUE)
    {
      g_autoptr (JsonNode) search = p2ps_cli_get (cli, path, error);
      gint64 now = g_get_monotonic_time ();

      if (!search)
        {
          p2ps_progress_clear (&progress);
          return FALSE;
        }
      if (p2ps_json_get_number (search, "hits") != hits)
        changed = now;
      hits = p2ps_json_get_number (search, "hits");
      draw (&progress, hits);
      if (now >= end || !p2ps_json_get_flag (search, "active")
          || (limits->min_hits > 0 && hits >= limits->min_hits)
          || (limits->min_hits == 0 && limits->seconds == 0 && hits > 0
              && now - changed > QUIET_MICROSECONDS))
        break;
      if (!p2ps_cli_sleep ((guint)MIN (poll, (end - now) / 1000 + 1)))
        break;
      poll = MIN (poll * 2, SLOWEST_POLL);
    }
  p2ps_progress_clear (&progress);
  return TRUE;
}

static void
print_results (JsonArray *results)
{
  static const char *const titles[] = { "SHA-256", "SIZE", "PEERS", "NAME", NULL };
  g_autoptr (P2psTable) table = p2ps_table_new (titles, "lrrl");

  for (guint i = 0; i < json_array_get_length (results); i++)
    {
      JsonNode *result = json_array_get_element (results, i);
      JsonArray *sources = p2ps_json_get_list (result, "sources");
      const char *name = p2ps_json_get_text (result, "filename");
      const char *hash = p2ps_json_get_text (result, "filehash");
      char **cells = g_new0 (char *, 5);

      cells[0] = g_strdup (hash ? hash : "");
      cells[1] = p2ps_format_size (p2ps_json_get_number (result, "size"));
      cells[2] = g_strdup_printf ("%u", sources ? json_array_get_length (sources) : 0);
      cells[3] = g_strconcat (
          name ? name : "", p2ps_json_get_flag (result, "have") ? _ (" (you have it)") : "", NULL);
      p2ps_table_take (table, cells);
    }
  p2ps_table_print (table);
}

/* What is there now, even after Ctrl-C. */
static int
print_search (P2psCli *cli, const char *id)
{
  g_autofree char *path = p2ps_cli_path ("searches/%s", id);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) search = p2ps_cli_get (cli, path, &error);
  JsonArray *results = p2ps_json_get_list (search, "results");

  if (!search)
    return p2ps_cli_fail (cli, error);
  if (cli->json && results)
    {
      g_autoptr (JsonNode) node = json_node_init_array (json_node_alloc (), results);

      p2ps_print_json (node);
    }
  else if (results && json_array_get_length (results) > 0)
    print_results (results);
  if (results && json_array_get_length (results) > 0)
    return P2PS_CLI_DONE;
  p2ps_cli_say (cli, _ ("nothing found"));
  return P2PS_CLI_FAILED;
}

static int
search (P2psCli *cli, const char *text, const Limits *limits)
{
  g_autofree char *body = make_body (text);
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) started = p2ps_cli_post (cli, "searches", body, &error);
  g_autofree char *remove = NULL;
  g_autoptr (JsonNode) removed = NULL;
  const char *id = p2ps_json_get_text (started, "id");
  int status;

  if (!id)
    return started ? P2PS_CLI_FAILED : p2ps_cli_fail (cli, error);
  if (wait_for_hits (cli, id, limits, &error))
    status = print_search (cli, id);
  else
    status = p2ps_cli_fail (cli, error);
  remove = p2ps_cli_path ("searches/%s/remove", id);
  removed = p2ps_cli_post (cli, remove, NULL, NULL);
  return status;
}

int
p2ps_cli_search (P2psCli *cli, int argc, char **argv)
{
  double seconds = NOT_SAID;
  int min_hits = G_MININT;
  const GOptionEntry options[]
      = { { "timeout", 0, 0, G_OPTION_ARG_DOUBLE, &seconds,
            N_ ("wait so many seconds for hits (default: 5, or until they stop coming)"), "S" },
          { "min-hits", 0, 0, G_OPTION_ARG_INT, &min_hits, N_ ("stop when so many hits came"),
            "N" },
          { NULL } };
  g_autofree char *text = NULL;
  Limits limits;
  int status;

  if (!p2ps_cli_parse (cli, argc, argv, options, 1, -1, &status))
    return status;
  if (seconds != NOT_SAID && !(seconds > 0 && seconds <= MAX_SECONDS))
    return p2ps_cli_usage (cli, _ ("--timeout: more than 0, at most %g seconds"), MAX_SECONDS);
  if (min_hits != G_MININT && min_hits < 1)
    return p2ps_cli_usage (cli, _ ("--min-hits: 1 or more"));
  text = g_strjoinv (" ", cli->words);
  g_strstrip (text);
  if (*text == '\0')
    return p2ps_cli_usage (cli, _ ("nothing to search for"));
  if (!g_utf8_validate (text, -1, NULL))
    return p2ps_cli_usage (cli, _ ("the words are not UTF-8"));
  limits.seconds = MAX (seconds, 0);
  limits.min_hits = MAX (min_hits, 0);
  p2ps_cli_catch_interrupt ();
  return search (cli, text, &limits);
}
