/* SPDX-License-Identifier: GPL-3.0-or-later */

/* p2pshare-cli: a table of verbs, the options that all of them know, and how each of them says that
 * something went wrong. One thread; a verb runs once and its result is the exit status. */

#define G_LOG_DOMAIN "p2pshare-cli"

#include "cli/cli.h"

#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "config-build.h"

#define NODE "[--state-dir DIR]"
#define LIST "[--state-dir DIR] [--json]"

static const P2psVerb verbs[] = {
  { "serve", "--config FILE [--state-dir DIR]", N_ ("run a node in the foreground"),
    p2ps_cli_serve },
  { "search", "[--state-dir DIR] [--json] [--timeout S] [--min-hits N] WORDS|SHA256",
    N_ ("ask the network for files by name or hash"), p2ps_cli_search },
  { "get", "[--state-dir DIR] [--json] [--output DIR] [--timeout S] SHA256|LINK",
    N_ ("download a file and verify it"), p2ps_cli_get_file },
  { "peers", LIST, N_ ("show who is known"), p2ps_cli_list },
  { "files", LIST, N_ ("show what is shared"), p2ps_cli_list },
  { "downloads", LIST, N_ ("show the queue of downloads"), p2ps_cli_list },
  { "queries", LIST, N_ ("show the queries that passed through, newest first"), p2ps_cli_list },
  { "stats", LIST, N_ ("show counters since the start"), p2ps_cli_show },
  { "status", LIST, N_ ("show how the node is"), p2ps_cli_show },
  { "skipped", LIST, N_ ("show what was found but is not shared, and why"), p2ps_cli_list },
  { "link", NODE " [--metalink] [--timeout S] SHA256|LINK", N_ ("print a link to a file"),
    p2ps_cli_link },
  { "add-peer", NODE " HOST:PORT", N_ ("get to know a peer"), p2ps_cli_act },
  { "remove-peer", NODE " HOST:PORT", N_ ("forget a peer"), p2ps_cli_act },
  { "pause", NODE " SHA256", N_ ("pause a download"), p2ps_cli_act },
  { "resume", NODE " SHA256", N_ ("go on with a paused download, or try a failed one again"),
    p2ps_cli_act },
  { "cancel", NODE " SHA256", N_ ("end a download and delete its part"), p2ps_cli_act },
  { "clear", NODE, N_ ("take finished downloads off the list"), p2ps_cli_act },
  { "rescan", NODE, N_ ("look through the shared folders now"), p2ps_cli_act },
};

static volatile sig_atomic_t interrupted;

static void
interrupted_cb (int number)
{
  interrupted = 1;
}

void
p2ps_cli_catch_interrupt (void)
{
  /* once only: the second Ctrl-C ends the program as if this weren't here */
  struct sigaction action = { .sa_handler = interrupted_cb, .sa_flags = (int)SA_RESETHAND };

  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
}

gboolean
p2ps_cli_is_interrupted (void)
{
  return interrupted != 0;
}

/* FALSE when Ctrl-C came. */
gboolean
p2ps_cli_sleep (guint milliseconds)
{
  if (!interrupted)
    poll (NULL, 0, (int)milliseconds);
  return !interrupted;
}

static void
say (P2psCli *cli, const char *format, va_list arguments)
{
  g_autofree char *text = g_strdup_vprintf (format, arguments);

  fprintf (stderr, "p2pshare-cli %s: ", cli->verb->name);
  p2ps_print_text (stderr, text);
  fputc ('\n', stderr);
}

/* One line on standard error. */
void
p2ps_cli_say (P2psCli *cli, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  say (cli, format, arguments);
  va_end (arguments);
}

int
p2ps_cli_usage (P2psCli *cli, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  say (cli, format, arguments);
  va_end (arguments);
  fprintf (stderr, _ ("usage: p2pshare-cli %s %s\n"), cli->verb->name, cli->verb->arguments);
  return P2PS_CLI_USAGE;
}

/* Says why and gives the exit status for it. */
int
p2ps_cli_fail (P2psCli *cli, const GError *error)
{
  p2ps_cli_say (cli, "%s", error->message);
  if (g_error_matches (error, P2PS_ERROR, P2PS_ERROR_NOT_RUNNING))
    return P2PS_CLI_NO_NODE;
  return P2PS_CLI_FAILED;
}

gboolean
p2ps_cli_parse (P2psCli *cli, int argc, char **argv, const GOptionEntry *options, int fewest,
                int most, int *status)
{
  gboolean version = FALSE;
  const GOptionEntry common[]
      = { { "state-dir", 0, 0, G_OPTION_ARG_FILENAME, &cli->state_dir,
            N_ ("the node's state folder (default: p2pshare in the user's data folder)"), "DIR" },
          { "json", 0, 0, G_OPTION_ARG_NONE, &cli->json, N_ ("print one JSON document"), NULL },
          { "version", 0, 0, G_OPTION_ARG_NONE, &version, N_ ("print the version"), NULL },
          { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &cli->words, NULL, NULL },
          { NULL } };
  const char *parameters = g_strrstr (cli->verb->arguments, "] ");
  g_autoptr (GOptionContext) context = g_option_context_new (parameters ? parameters + 2 : NULL);
  g_autofree char *name = g_strconcat ("p2pshare-cli ", cli->verb->name, NULL);
  g_autoptr (GError) error = NULL;
  int n;

  g_set_prgname (name);
  g_option_context_set_summary (context, _ (cli->verb->summary));
  g_option_context_add_main_entries (context, common, GETTEXT_PACKAGE);
  if (options)
    g_option_context_add_main_entries (context, options, GETTEXT_PACKAGE);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      *status = p2ps_cli_usage (cli, "%s", error->message);
      return FALSE;
    }
  if (version)
    {
      printf ("p2pshare-cli %s\n", P2PS_VERSION);
      *status = P2PS_CLI_DONE;
      return FALSE;
    }
  n = cli->words ? (int)g_strv_length (cli->words) : 0;
  if (n < fewest || (most >= 0 && n > most))
    {
      *status = n < fewest ? p2ps_cli_usage (cli, _ ("an argument is missing"))
                           : p2ps_cli_usage (cli, _ ("too many arguments"));
      return FALSE;
    }
  if (!cli->state_dir)
    cli->state_dir = p2ps_state_dir_default ();
  return TRUE;
}

static void
print_help (FILE *file)
{
  fputs (_ ("usage: p2pshare-cli VERB [OPTION…] [ARGUMENT…]\n\n"), file);
  for (guint i = 0; i < G_N_ELEMENTS (verbs); i++)
    fprintf (file, "  %-12s %s\n", verbs[i].name, _ (verbs[i].summary));
  fputs (_ ("\np2pshare-cli VERB --help tells a verb's options; p2pshare-cli(1) tells the rest.\n"),
         file);
}

static const P2psVerb *
find_verb (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (verbs); i++)
    if (g_str_equal (verbs[i].name, name))
      return &verbs[i];
  return NULL;
}

static void
set_up_process (void)
{
  /* Nothing here needs GIO's modules (mounts, settings, proxies): without them a node is smaller
   * and starts faster. What the user has set stays. */
  g_setenv ("GIO_USE_VFS", "local", FALSE);
  g_setenv ("GSETTINGS_BACKEND", "memory", FALSE);
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", FALSE);
  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, P2PS_LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  signal (SIGPIPE, SIG_IGN);
  /* A limit on the size of files is a full disk (EFBIG), not the end. */
  signal (SIGXFSZ, SIG_IGN);
}

/* Output that could not be written is a failure: a full disk must not look like success. */
static int
finish_output (int status)
{
  if ((fflush (stdout) != 0 || ferror (stdout)) && status == P2PS_CLI_DONE)
    {
      fprintf (stderr, "p2pshare-cli: %s\n", _ ("standard output can't be written"));
      return P2PS_CLI_FAILED;
    }
  return status;
}

int
main (int argc, char **argv)
{
  P2psCli cli = { NULL };
  int status;

  set_up_process ();
  if (argc < 2)
    {
      print_help (stderr);
      return P2PS_CLI_USAGE;
    }
  if (g_str_equal (argv[1], "--version"))
    {
      printf ("p2pshare-cli %s\n", P2PS_VERSION);
      return finish_output (P2PS_CLI_DONE);
    }
  if (g_str_equal (argv[1], "--help") || g_str_equal (argv[1], "-h")
      || g_str_equal (argv[1], "help"))
    {
      print_help (stdout);
      return finish_output (P2PS_CLI_DONE);
    }
  cli.verb = find_verb (argv[1]);
  if (!cli.verb)
    {
      fprintf (stderr, _ ("p2pshare-cli: no such verb: %s\n"), argv[1]);
      print_help (stderr);
      return P2PS_CLI_USAGE;
    }
  status = cli.verb->run (&cli, argc - 1, argv + 1);
  g_free (cli.state_dir);
  g_strfreev (cli.words);
  return finish_output (status);
}
