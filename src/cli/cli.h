/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib/gi18n.h>
#include <json-glib/json-glib.h>
#include <stdio.h>

#include "engine/p2ps.h"

G_BEGIN_DECLS

/* Exit status, as p2pshare-cli(1) tells it. */
enum
{
  P2PS_CLI_DONE = 0,
  P2PS_CLI_FAILED = 1,
  P2PS_CLI_USAGE = 2,
  P2PS_CLI_NO_NODE = 3,
};

typedef struct _P2psCli P2psCli;
typedef struct _P2psVerb P2psVerb;

/* A verb is one row of the table in main.c. */
struct _P2psVerb
{
  const char *name;
  const char *arguments; /* as the usage line shows them */
  const char *summary;
  int (*run) (P2psCli *cli, int argc, char **argv);
};

/* One run of a verb. */
struct _P2psCli
{
  const P2psVerb *verb;
  char *state_dir;
  gboolean json;
  char **words; /* what is left after the options */
};

/* Options. FALSE: *status is the exit status. A usage error has been printed. */
gboolean p2ps_cli_parse (P2psCli *cli, int argc, char **argv, const GOptionEntry *options,
                         int fewest, int most, int *status);
int p2ps_cli_usage (P2psCli *cli, const char *format, ...) G_GNUC_PRINTF (2, 3);
int p2ps_cli_fail (P2psCli *cli, const GError *error);
void p2ps_cli_say (P2psCli *cli, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Ctrl-C ends a wait, a second one the program. */
void p2ps_cli_catch_interrupt (void);
gboolean p2ps_cli_is_interrupted (void);
gboolean p2ps_cli_sleep (guint milliseconds);

/* The running node (client.c). body: a JSON text or NULL. Errors: P2PS_ERROR_NOT_RUNNING, or what
 * the node says. */
JsonNode *p2ps_cli_get (P2psCli *cli, const char *path, GError **error);
JsonNode *p2ps_cli_post (P2psCli *cli, const char *path, const char *body, GError **error);
char *p2ps_cli_path (const char *format, const char *id);

/* Members of what came (client.c), total: another type or nothing at all gives NULL, -1 or FALSE.
 */
const char *p2ps_json_get_text (JsonNode *node, const char *name);
gint64 p2ps_json_get_number (JsonNode *node, const char *name);
gboolean p2ps_json_get_flag (JsonNode *node, const char *name);
JsonArray *p2ps_json_get_list (JsonNode *node, const char *name);

/* Output (output.c) */
typedef struct _P2psTable P2psTable;
P2psTable *p2ps_table_new (const char *const *titles, const char *alignment);
void p2ps_table_take (P2psTable *table, char **cells);
void p2ps_table_print (P2psTable *table);
void p2ps_table_free (P2psTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psTable, p2ps_table_free)

void p2ps_print_json (JsonNode *node);
void p2ps_print_text (FILE *file, const char *text);
char *p2ps_format_size (gint64 size);
char *p2ps_format_time (gint64 unix_seconds);

typedef struct
{
  FILE *file; /* the terminal, or NULL: nothing is drawn */
  gint64 drawn;
} P2psProgress;
void p2ps_progress_init (P2psProgress *progress, gboolean stdout_is_free);
void p2ps_progress_draw (P2psProgress *progress, const char *label, gint64 done, gint64 total,
                         gint64 speed, gint64 seconds_left);
void p2ps_progress_clear (P2psProgress *progress);

/* The verbs */
int p2ps_cli_serve (P2psCli *cli, int argc, char **argv);
int p2ps_cli_search (P2psCli *cli, int argc, char **argv);
int p2ps_cli_get_file (P2psCli *cli, int argc, char **argv);
int p2ps_cli_list (P2psCli *cli, int argc, char **argv);
int p2ps_cli_show (P2psCli *cli, int argc, char **argv);
int p2ps_cli_act (P2psCli *cli, int argc, char **argv);
int p2ps_cli_link (P2psCli *cli, int argc, char **argv);

G_END_DECLS
