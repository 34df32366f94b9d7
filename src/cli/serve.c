/* SPDX-License-Identifier: GPL-3.0-or-later */

/* serve: a node with no display, in the foreground. Starts the engine and
 * the control socket on this thread's main context, says where it listens, and ends on SIGTERM or
 * SIGINT. SIGHUP reads the configuration again. Refuses in one line what it can't start with. */

#define G_LOG_DOMAIN "p2pshare-cli"

#include "cli/cli.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* More than the node's caps add up to; a listener that runs out of descriptors is no listener. */
#define MAX_DESCRIPTORS 4096
/* Saving what is under way may take a moment on a slow disk; then the journal has to do. */
#define STOP_SECONDS 4

typedef struct
{
  P2psCli *cli;
  char *config_path;
  P2psEngine *engine;
  P2psControl *control;
  GMainLoop *loop;
  gboolean stopping;
} Serve;

/* One line a message on standard error: time, who, how bad, what. */
static GLogWriterOutput
write_log (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
  static const char *const names[] = { "error", "critical", "warning", "message", "info", "debug" };
  g_autoptr (GDateTime) now = NULL;
  g_autofree char *time = NULL;
  const char *domain = NULL;
  const char *message = "";
  int name = g_bit_nth_lsf (level & G_LOG_LEVEL_MASK, -1) - 2;

  for (gsize i = 0; i < n_fields; i++)
    {
      if (g_str_equal (fields[i].key, "GLIB_DOMAIN"))
        domain = fields[i].value;
      else if (g_str_equal (fields[i].key, "MESSAGE"))
        message = fields[i].value;
    }
  if (g_log_writer_default_would_drop (level, domain))
    return G_LOG_WRITER_HANDLED;
  if (g_log_writer_is_journald (STDERR_FILENO)
      && g_log_writer_journald (level, fields, n_fields, NULL) == G_LOG_WRITER_HANDLED)
    return G_LOG_WRITER_HANDLED;
  now = g_date_time_new_now_local ();
  time = g_date_time_format (now, "%Y-%m-%dT%H:%M:%S%:z");
  fprintf (stderr, "%s %s %s: ", time ? time : "", domain ? domain : "-",
           names[CLAMP (name, 0, (int)G_N_ELEMENTS (names) - 1)]);
  p2ps_print_text (stderr, message);
  fputc ('\n', stderr);
  return G_LOG_WRITER_HANDLED;
}

static void
set_limits (void)
{
  struct rlimit limit;

  /* An arena a thread, each with its own slack, is most of what an idle node would weigh. */
  mallopt (M_ARENA_MAX, 2);
  mallopt (M_TRIM_THRESHOLD, 256 * 1024);
  mallopt (M_MMAP_THRESHOLD, 128 * 1024);
  if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < MAX_DESCRIPTORS)
    {
      limit.rlim_cur = MIN (limit.rlim_max, MAX_DESCRIPTORS);
      if (setrlimit (RLIMIT_NOFILE, &limit) != 0)
        g_message ("the limit of open files stays as it is: %s", g_strerror (errno));
    }
}

static void
stopped_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Serve *serve = user_data;
  g_autoptr (GError) error = NULL;

  if (!p2ps_engine_stop_finish (P2PS_ENGINE (source), result, &error))
    g_message ("%s", error->message);
  g_main_loop_quit (serve->loop);
}

/* What is on disk is whole at any moment: a worker that hangs in a dead file system is left. */
static gboolean
stop_is_late_cb (gpointer user_data)
{
  g_message ("ended without waiting for everything to be saved");
  fflush (NULL);
  _exit (P2PS_CLI_DONE);
}

static gboolean
terminate_cb (gpointer user_data)
{
  Serve *serve = user_data;

  if (serve->stopping)
    return G_SOURCE_CONTINUE;
  serve->stopping = TRUE;
  g_message ("ending");
  g_timeout_add_seconds_full (G_PRIORITY_HIGH, STOP_SECONDS, stop_is_late_cb, NULL, NULL);
  p2ps_control_stop (serve->control);
  p2ps_engine_stop_async (serve->engine, stopped_cb, serve);
  return G_SOURCE_CONTINUE;
}

/* What is odd in the file but does no harm. Not a g_warning(): those are our own mistakes. */
static void
tell_warnings (const P2psConfig *config)
{
  for (guint i = 0; config->warnings && config->warnings[i]; i++)
    g_message ("%s", config->warnings[i]);
}

static gboolean
reload_cb (gpointer user_data)
{
  Serve *serve = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psConfig) config = NULL;

  if (serve->stopping)
    return G_SOURCE_CONTINUE;
  config = p2ps_config_load (serve->config_path, &error);
  if (config && p2ps_engine_apply (serve->engine, config, &error))
    {
      tell_warnings (config);
      g_message ("read %s again", serve->config_path);
    }
  else
    g_message ("kept the old configuration: %s", error->message);
  return G_SOURCE_CONTINUE;
}

static void
say_listening (Serve *serve)
{
  const char *host = p2ps_engine_get_config (serve->engine)->host;

  printf (strchr (host, ':') ? "p2pshare: listening on http://[%s]:%u\n"
                             : "p2pshare: listening on http://%s:%u\n",
          host, p2ps_engine_get_port (serve->engine));
  fflush (stdout);
}

static int
run (Serve *serve)
{
  guint sources[3];

  serve->loop = g_main_loop_new (NULL, FALSE);
  sources[0] = g_unix_signal_add (SIGTERM, terminate_cb, serve);
  sources[1] = g_unix_signal_add (SIGINT, terminate_cb, serve);
  sources[2] = g_unix_signal_add (SIGHUP, reload_cb, serve);
  say_listening (serve);
  g_main_loop_run (serve->loop);
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    g_source_remove (sources[i]);
  g_main_loop_unref (serve->loop);
  return P2PS_CLI_DONE;
}

static int
start_and_run (Serve *serve)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psConfig) config = p2ps_config_load (serve->config_path, &error);
  int status;

  if (!config)
    return p2ps_cli_fail (serve->cli, error);
  tell_warnings (config);
  serve->engine = p2ps_engine_new (serve->cli->state_dir);
  serve->control = p2ps_control_new (serve->engine);
  if (p2ps_engine_start (serve->engine, config, &error)
      && p2ps_control_start (serve->control, &error))
    status = run (serve);
  else
    status = p2ps_cli_fail (serve->cli, error);
  g_clear_object (&serve->control);
  g_clear_object (&serve->engine);
  return status;
}

int
p2ps_cli_serve (P2psCli *cli, int argc, char **argv)
{
  Serve serve = { cli };
  const GOptionEntry options[] = { { "config", 0, 0, G_OPTION_ARG_FILENAME, &serve.config_path,
                                     N_ ("the configuration file"), "FILE" },
                                   { NULL } };
  int status;

  if (!p2ps_cli_parse (cli, argc, argv, options, 0, 0, &status))
    return status;
  if (!serve.config_path)
    return p2ps_cli_usage (cli, _ ("--config FILE is missing"));
  set_limits ();
  g_log_set_writer_func (write_log, NULL, NULL);
  /* The folder may be named from here; the node never changes its own. */
  if (!g_path_is_absolute (cli->state_dir))
    {
      char *absolute = g_canonicalize_filename (cli->state_dir, NULL);

      g_free (cli->state_dir);
      cli->state_dir = absolute;
    }
  status = start_and_run (&serve);
  g_free (serve.config_path);
  return status;
}
