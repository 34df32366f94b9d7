/* SPDX-License-Identifier: GPL-3.0-or-later */

/* link: a magnet link or a Metalink document for one file, with the addresses that are known to
 * have it: this node, when it shares the file and announces an address; who a download here takes
 * it from; and, when a time is given, who answers a search for the hash. get's counterpart. */

#define G_LOG_DOMAIN "p2pshare-cli"

#include "cli/cli.h"

#include <string.h>

#define NOT_SAID (-G_MAXDOUBLE)
#define MAX_SECONDS 3600.0
#define POLL 100
#define PEERS_PAGE 500

typedef struct
{
  P2psCli *cli;
  P2psLink *link;
  GPtrArray *sources; /* of char*, "host:port", this node first */
} Finding;

static void
add_source (Finding *finding, const char *host, gint64 port)
{
  P2psAddress address;
  g_autofree char *text = NULL;

  if (!host || port <= 0 || port > G_MAXUINT16 || p2ps_host_get_scope (host) == P2PS_SCOPE_INVALID
      || !p2ps_address_init (&address, host, (guint)port))
    return;
  text = p2ps_address_to_string (&address);
  if (!g_ptr_array_find_with_equal_func (finding->sources, text, g_str_equal, NULL))
    g_ptr_array_add (finding->sources, g_steal_pointer (&text));
}

static void
add_sources (Finding *finding, JsonNode *node)
{
  JsonArray *sources = p2ps_json_get_list (node, "sources");

  for (guint i = 0; sources && i < json_array_get_length (sources); i++)
    {
      JsonNode *source = json_array_get_element (sources, i);

      add_source (finding, p2ps_json_get_text (source, "host"),
                  p2ps_json_get_number (source, "port"));
    }
}

/* What the first one says about name and size stays. */
static void
describe (Finding *finding, JsonNode *node)
{
  p2ps_link_set_name (finding->link, p2ps_json_get_text (node, "filename"));
  if (finding->link->size < 0)
    finding->link->size = p2ps_json_get_number (node, "size");
}

/* FALSE on an error; that there is no such file or download is none. */
static gboolean
look_up (Finding *finding, const char *format, JsonNode **node, GError **error)
{
  g_autofree char *path = p2ps_cli_path (format, finding->link->filehash);
  GError *local = NULL;

  *node = p2ps_cli_get (finding->cli, path, &local);
  if (*node)
    return TRUE;
  if (!g_error_matches (local, P2PS_ERROR, P2PS_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, local);
      return FALSE;
    }
  g_error_free (local);
  return TRUE;
}

static gboolean
look_here (Finding *finding, GError **error)
{
  g_autoptr (JsonNode) file = NULL;
  g_autoptr (JsonNode) download = NULL;
  g_autoptr (JsonNode) status = NULL;

  if (!look_up (finding, "files/%s", &file, error)
      || !look_up (finding, "downloads/%s", &download, error))
    return FALSE;
  if (file)
    {
      status = p2ps_cli_get (finding->cli, "status", error);
      if (!status)
        return FALSE;
      describe (finding, file);
      add_source (finding, p2ps_json_get_text (status, "host"),
                  p2ps_json_get_number (status, "port"));
    }
  if (download)
    {
      describe (finding, download);
      add_sources (finding, download);
    }
  return TRUE;
}

static void
take_results (Finding *finding, JsonNode *search)
{
  JsonArray *results = p2ps_json_get_list (search, "results");

  for (guint i = 0; results && i < json_array_get_length (results); i++)
    {
      JsonNode *result = json_array_get_element (results, i);

      if (g_strcmp0 (p2ps_json_get_text (result, "filehash"), finding->link->filehash) != 0)
        continue;
      describe (finding, result);
      add_sources (finding, result);
    }
}

/* Everybody who answers within `seconds`; Ctrl-C ends the wait, and what is there counts. */
static gboolean
ask_network (Finding *finding, double seconds, GError **error)
{
  g_autofree char *body = g_strdup_printf ("{\"text\": \"%s\"}", finding->link->filehash);
  gint64 end = g_get_monotonic_time () + (gint64)(seconds * G_USEC_PER_SEC);
  g_autoptr (JsonNode) began = p2ps_cli_post (finding->cli, "searches", body, error);
  g_autoptr (JsonNode) search = NULL;
  g_autoptr (JsonNode) removed = NULL;
  const char *id = p2ps_json_get_text (began, "id");
  g_autofree char *summary = p2ps_cli_path ("searches/%s?results=0", id ? id : "");
  g_autofree char *path = p2ps_cli_path ("searches/%s", id ? id : "");
  g_autofree char *remove = p2ps_cli_path ("searches/%s/remove", id ? id : "");

  if (!began)
    return FALSE;
  while (g_get_monotonic_time () < end && p2ps_cli_sleep (POLL))
    {
      g_autoptr (JsonNode) now = p2ps_cli_get (finding->cli, summary, error);

      if (!now)
        return FALSE;
      if (!p2ps_json_get_flag (now, "active"))
        break;
    }
  search = p2ps_cli_get (finding->cli, path, error);
  if (!search)
    return FALSE;
  take_results (finding, search);
  removed = p2ps_cli_post (finding->cli, remove, NULL, NULL);
  return TRUE;
}

/* Which of the sources are no nodes of this program, as far as this node knows: a set of
 * "host:port". NULL on an error. */
static GHashTable *
list_classic (P2psCli *cli, GError **error)
{
  g_autofree char *path = g_strdup_printf ("peers?limit=%d", PEERS_PAGE);
  g_autoptr (JsonNode) peers = p2ps_cli_get (cli, path, error);
  JsonArray *array;
  GHashTable *classic;

  if (!peers)
    return NULL;
  classic = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  array = JSON_NODE_HOLDS_ARRAY (peers) ? json_node_get_array (peers) : NULL;
  for (guint i = 0; array && i < json_array_get_length (array); i++)
    {
      JsonNode *peer = json_array_get_element (array, i);
      gint64 port = p2ps_json_get_number (peer, "port");
      P2psAddress address;

      if (p2ps_json_get_flag (peer, "classic") && port > 0 && port <= G_MAXUINT16
          && p2ps_json_get_text (peer, "host")
          && p2ps_address_init (&address, p2ps_json_get_text (peer, "host"), (guint)port))
        g_hash_table_add (classic, p2ps_address_to_string (&address));
    }
  return classic;
}

static int
print_metalink (Finding *finding)
{
  g_autoptr (GPtrArray) urls = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) classic = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  if (finding->sources->len == 0)
    {
      p2ps_cli_say (finding->cli, _ ("a Metalink needs an address that has the file: this node "
                                     "announces none, and nobody else is known (--timeout S "
                                     "asks the network)"));
      return P2PS_CLI_FAILED;
    }
  classic = list_classic (finding->cli, &error);
  if (!classic)
    return p2ps_cli_fail (finding->cli, error);
  for (guint i = 0; i < finding->sources->len; i++)
    {
      const char *source = g_ptr_array_index (finding->sources, i);

      g_ptr_array_add (urls, p2ps_link_dup_url (finding->link, source,
                                                !g_hash_table_contains (classic, source)));
    }
  text = p2ps_link_to_metalink (finding->link, urls);
  fputs (text, stdout);
  return P2PS_CLI_DONE;
}

static int
print_magnet (Finding *finding)
{
  g_autofree char *text = NULL;

  for (guint i = 0; i < finding->sources->len; i++)
    p2ps_link_add_source (finding->link, g_ptr_array_index (finding->sources, i));
  text = p2ps_link_to_string (finding->link);
  puts (text);
  return P2PS_CLI_DONE;
}

int
p2ps_cli_link (P2psCli *cli, int argc, char **argv)
{
  gboolean metalink = FALSE;
  double seconds = NOT_SAID;
  const GOptionEntry options[]
      = { { "metalink", 0, 0, G_OPTION_ARG_NONE, &metalink,
            N_ ("print a Metalink document for other programs (RFC 5854)"), NULL },
          { "timeout", 0, 0, G_OPTION_ARG_DOUBLE, &seconds,
            N_ ("ask the network for so many seconds who else has the file"), "S" },
          { NULL } };
  g_autoptr (P2psLink) link = NULL;
  g_autoptr (GPtrArray) sources = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  Finding finding = { cli, NULL, sources };
  int status;

  if (!p2ps_cli_parse (cli, argc, argv, options, 1, 1, &status))
    return status;
  if (seconds != NOT_SAID && !(seconds > 0 && seconds <= MAX_SECONDS))
    return p2ps_cli_usage (cli, _ ("--timeout: more than 0, at most %g seconds"), MAX_SECONDS);
  link = p2ps_link_parse (cli->words[0], &error);
  if (!link)
    return p2ps_cli_usage (cli, "%s: %s", cli->words[0], error->message);
  finding.link = p2ps_link_new (link->filehash, NULL, -1);
  p2ps_cli_catch_interrupt ();
  if (!look_here (&finding, &error)
      || (seconds != NOT_SAID && !ask_network (&finding, seconds, &error)))
    status = p2ps_cli_fail (cli, error);
  else if (!finding.link->filename)
    {
      p2ps_cli_say (cli, _ ("this node does not know such a file"));
      status = P2PS_CLI_FAILED;
    }
  else
    status = metalink ? print_metalink (&finding) : print_magnet (&finding);
  p2ps_link_free (finding.link);
  return status;
}
