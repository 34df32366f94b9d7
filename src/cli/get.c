/* SPDX-License-Identifier: GPL-3.0-or-later */

/* get: hands a download to the node, shows how it goes, and says where the file is. The node does
 * the work and goes on when this program ends: leaving never cancels. */

#define G_LOG_DOMAIN "p2pshare-cli"

#include "cli/cli.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

/* Nobody may have the file, and a node never gives up: this program does when not one byte came. */
#define NOTHING_MICROSECONDS (30 * G_USEC_PER_SEC)
#define NOT_SAID (-G_MAXDOUBLE)
#define FIRST_POLL 10
#define SLOWEST_POLL 200

typedef struct
{
  char *filehash;
  char *folder;   /* absolute, file system encoding; or NULL: the node's */
  double seconds; /* 0 = as long as it takes */
} Job;

/* --output against the caller's folder: the node runs in another one. */
static int
find_folder (P2psCli *cli, const char *output, char **folder)
{
  *folder = NULL;
  if (!output)
    return P2PS_CLI_DONE;
  *folder = g_canonicalize_filename (output, NULL);
  if (!g_file_test (*folder, G_FILE_TEST_EXISTS))
    p2ps_cli_say (cli, _ ("--output %s: there is no such folder"), output);
  else if (!g_file_test (*folder, G_FILE_TEST_IS_DIR))
    p2ps_cli_say (cli, _ ("--output %s: not a folder"), output);
  else if (access (*folder, W_OK | X_OK) != 0)
    p2ps_cli_say (cli, "--output %s: %s", output, g_strerror (errno));
  else
    return P2PS_CLI_DONE;
  return P2PS_CLI_FAILED;
}

static JsonNode *
post_download (P2psCli *cli, const char *link, const Job *job, gboolean again, GError **error)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *body = NULL;

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "link");
  json_builder_add_string_value (builder, link);
  json_builder_set_member_name (builder, "again");
  json_builder_add_boolean_value (builder, again);
  if (job->folder)
    {
      /* a URI, since JSON can't hold every name */
      g_autofree char *uri = g_filename_to_uri (job->folder, NULL, NULL);

      json_builder_set_member_name (builder, "folder");
      json_builder_add_string_value (builder, uri);
    }
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  body = json_to_string (root, FALSE);
  return p2ps_cli_post (cli, "downloads", body, error);
}

/* Where the finished file is, in file system encoding. Caller owns it. */
static char *
dup_path (JsonNode *download)
{
  const char *uri = p2ps_json_get_text (download, "uri");

  return uri ? g_filename_from_uri (uri, NULL, NULL) : NULL;
}

/* Whether a download that was done before this command began is what it asks for. */
static gboolean
is_still_there (JsonNode *download, const Job *job)
{
  g_autofree char *path = dup_path (download);
  g_autofree char *folder = path ? g_path_get_dirname (path) : NULL;

  return path && g_file_test (path, G_FILE_TEST_IS_REGULAR)
         && (!job->folder || g_str_equal (folder, job->folder));
}

static const char *
describe_state (JsonNode *download)
{
  const char *reason = p2ps_json_get_text (download, "reason");
  const char *state = p2ps_json_get_text (download, "state");

  return reason && *reason ? reason : state ? state : _ ("unknown");
}

static void
draw (P2psProgress *progress, JsonNode *download)
{
  const char *name = p2ps_json_get_text (download, "filename");
  const char *state = p2ps_json_get_text (download, "state");

  if (g_strcmp0 (state, "downloading") == 0 || g_strcmp0 (state, "verifying") == 0)
    p2ps_progress_draw (progress, name && *name ? name : "",
                        p2ps_json_get_number (download, "received"),
                        p2ps_json_get_number (download, "size"),
                        p2ps_json_get_number (download, "bytes_per_second"),
                        p2ps_json_get_number (download, "seconds_left"));
  else
    p2ps_progress_draw (progress, describe_state (download), -1, -1, -1, -1);
}

/* Neither a byte nor a reason to wait for one (its turn in the queue, a pause). */
static gboolean
is_in_vain (JsonNode *download)
{
  const char *state = p2ps_json_get_text (download, "state");

  return p2ps_json_get_number (download, "received") <= 0 && g_strcmp0 (state, "queued") != 0
         && g_strcmp0 (state, "paused") != 0 && g_strcmp0 (state, "downloading") != 0;
}

/* Looks at the download until it is over, the time is up or Ctrl-C came. NULL on an error. */
static JsonNode *
wait_for_end (P2psCli *cli, const Job *job, GError **error)
{
  g_autofree char *path = p2ps_cli_path ("downloads/%s", job->filehash);
  gint64 now = g_get_monotonic_time ();
  gint64 end = job->seconds > 0 ? now + (gint64)(job->seconds * G_USEC_PER_SEC) : G_MAXINT64;
  gint64 nothing_end = now + NOTHING_MICROSECONDS;
  guint poll = FIRST_POLL;
  P2psProgress progress;
  JsonNode *download;

  p2ps_progress_init (&progress, !cli->json);
  while (TRUE)
    {
      download = p2ps_cli_get (cli, path, error);
      now = g_get_monotonic_time ();
      if (!download)
        break;
      draw (&progress, download);
      if (!is_in_vain (download))
        nothing_end = now + NOTHING_MICROSECONDS;
      if (p2ps_json_get_flag (download, "over") || now >= end
          || (job->seconds <= 0 && now >= nothing_end) || !p2ps_cli_sleep (poll))
        break;
      json_node_unref (download);
      poll = MIN (poll * 2, SLOWEST_POLL);
    }
  p2ps_progress_clear (&progress);
  return download;
}

static void
print_json (JsonNode *download)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  JsonArray *sources = p2ps_json_get_list (download, "sources");

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "path");
  json_builder_add_string_value (builder, p2ps_json_get_text (download, "path"));
  json_builder_set_member_name (builder, "filehash");
  json_builder_add_string_value (builder, p2ps_json_get_text (download, "filehash"));
  json_builder_set_member_name (builder, "size");
  json_builder_add_int_value (builder, p2ps_json_get_number (download, "size"));
  json_builder_set_member_name (builder, "bytes_per_second");
  json_builder_add_int_value (builder, p2ps_json_get_number (download, "average_bytes_per_second"));
  json_builder_set_member_name (builder, "sources");
  json_builder_begin_array (builder);
  for (guint i = 0; sources && i < json_array_get_length (sources); i++)
    json_builder_add_value (builder, json_node_copy (json_array_get_element (sources, i)));
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  p2ps_print_json (root);
}

/* Says how it ended, or what the node goes on with. */
static int
report (P2psCli *cli, JsonNode *download)
{
  const char *state = p2ps_json_get_text (download, "state");
  const char *hash = p2ps_json_get_text (download, "filehash");
  g_autofree char *path = dup_path (download);

  if (g_strcmp0 (state, "done") == 0)
    {
      if (cli->json)
        print_json (download);
      else if (path)
        puts (path);
      return P2PS_CLI_DONE;
    }
  if (g_strcmp0 (state, "failed") == 0)
    p2ps_cli_say (cli, _ ("failed: %s"), describe_state (download));
  else if (g_strcmp0 (state, "cancelled") == 0)
    p2ps_cli_say (cli, _ ("the download was cancelled"));
  else
    p2ps_cli_say (
        cli,
        _ ("not finished (%s); the node goes on with it: \"p2pshare-cli downloads\" shows "
           "it, \"p2pshare-cli cancel %s\" ends it"),
        describe_state (download), hash ? hash : "");
  return P2PS_CLI_FAILED;
}

static int
get (P2psCli *cli, const char *link, const Job *job)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) download = post_download (cli, link, job, FALSE, &error);
  g_autoptr (JsonNode) ended = NULL;

  if (download && g_strcmp0 (p2ps_json_get_text (download, "state"), "done") == 0
      && !is_still_there (download, job))
    {
      json_node_unref (download);
      download = post_download (cli, link, job, TRUE, &error);
    }
  if (!download)
    return p2ps_cli_fail (cli, error);
  ended = wait_for_end (cli, job, &error);
  if (!ended)
    return p2ps_cli_fail (cli, error);
  return report (cli, ended);
}

int
p2ps_cli_get_file (P2psCli *cli, int argc, char **argv)
{
  g_autofree char *output = NULL;
  double seconds = NOT_SAID;
  const GOptionEntry options[]
      = { { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output,
            N_ ("put the file into this folder (default: the node's download folder)"), "DIR" },
          { "timeout", 0, 0, G_OPTION_ARG_DOUBLE, &seconds,
            N_ ("wait at most so many seconds (default: until it is over, but 30 for the first "
                "byte)"),
            "S" },
          { NULL } };
  g_autoptr (P2psLink) link = NULL;
  g_autoptr (GError) error = NULL;
  Job job = { NULL };
  int status;

  if (!p2ps_cli_parse (cli, argc, argv, options, 1, 1, &status))
    return status;
  if (seconds != NOT_SAID && !(seconds > 0))
    return p2ps_cli_usage (cli, _ ("--timeout: more than 0 seconds"));
  link = p2ps_link_parse (cli->words[0], &error);
  if (!link)
    return p2ps_cli_usage (cli, "%s: %s", cli->words[0], error->message);
  status = find_folder (cli, output, &job.folder);
  if (status == P2PS_CLI_DONE)
    {
      job.filehash = link->filehash;
      job.seconds = MAX (seconds, 0);
      p2ps_cli_catch_interrupt ();
      status = get (cli, cli->words[0], &job);
    }
  g_free (job.folder);
  return status;
}
