/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The verbs that show something or change one thing: tables of what to ask and which columns to
 * show. Lists come from the node in pages and go out as they come, so that a hundred thousand files
 * fit in little memory as JSON. */

#define G_LOG_DOMAIN "p2pshare-cli"

#include "cli/cli.h"

#include <string.h>

#define PAGE 500

typedef enum
{
  TEXT,
  NUMBER,
  SIZE,
  RATE,
  TIME,
  AGO,     /* seconds that have passed */
  LENGTH,  /* of an array */
  ADDRESS, /* host and port */
} Kind;

typedef struct
{
  const char *title;
  const char *member;
  Kind kind;
} Column;

#define MAX_COLUMNS 8

typedef struct
{
  const char *verb;
  const char *empty; /* what a person reads when there is nothing */
  Column columns[MAX_COLUMNS];
} List;

static const List lists[] = {
  { "peers",
    N_ ("no peers yet: \"p2pshare-cli add-peer HOST:PORT\" adds one"),
    { { "ADDRESS", NULL, ADDRESS },
      { "STATUS", "status", TEXT },
      { "LAST SEEN", "last_heartbeat", TIME },
      { "CHANGED", "last_update", AGO },
      { "FILES", "files", NUMBER },
      { "PROGRAM", "agent", TEXT } } },
  { "files",
    N_ ("no files are shared"),
    { { "SHA-256", "filehash", TEXT },
      { "SIZE", "size", SIZE },
      { "PATHS", "paths", LENGTH },
      { "NAME", "filename", TEXT } } },
  { "downloads",
    N_ ("no downloads"),
    { { "SHA-256", "filehash", TEXT },
      { "STATE", "state", TEXT },
      { "RECEIVED", "received", SIZE },
      { "SIZE", "size", SIZE },
      { "SPEED", "bytes_per_second", RATE },
      { "NAME", "filename", TEXT },
      { "REASON", "reason", TEXT } } },
  { "queries",
    N_ ("no queries yet"),
    { { "TIME", "timestamp", TIME },
      { "FROM", "origin", TEXT },
      { "RESPONSES", "responses", LENGTH },
      { "ID", "id", TEXT },
      { "TEXT", "filename", TEXT },
      { "SHA-256", "hash", TEXT } } },
  { "skipped",
    N_ ("nothing was left out"),
    { { "REASON", "reason", TEXT }, { "PATH", "path", TEXT } } },
};

static char *
format_cell (JsonNode *row, const Column *column)
{
  gint64 number = column->member ? p2ps_json_get_number (row, column->member) : -1;
  const char *text = column->member ? p2ps_json_get_text (row, column->member) : NULL;
  g_autofree char *size = NULL;
  JsonArray *list;

  switch (column->kind)
    {
    case TEXT:
      return g_strdup (text ? text : "");
    case NUMBER:
      return number < 0 ? g_strdup ("?") : g_strdup_printf ("%" G_GINT64_FORMAT, number);
    case SIZE:
      return p2ps_format_size (number);
    case RATE:
      size = p2ps_format_size (MAX (number, 0));
      return number > 0 ? g_strconcat (size, "/s", NULL) : g_strdup ("");
    case TIME:
      return p2ps_format_time (number);
    case AGO:
      return number < 0 ? g_strdup (_ ("never")) : g_strdup_printf (_ ("%ld s ago"), (long)number);
    case LENGTH:
      list = p2ps_json_get_list (row, column->member);
      return g_strdup_printf ("%u", list ? json_array_get_length (list) : 0);
    case ADDRESS:
      text = p2ps_json_get_text (row, "host");
      return g_strdup_printf (text && strchr (text, ':') ? "[%s]:%d" : "%s:%d", text ? text : "",
                              (int)p2ps_json_get_number (row, "port"));
    default:
      g_return_val_if_reached (NULL);
    }
}

static P2psTable *
make_table (const List *list)
{
  /* both stay as long as the table, which is the rest of the run */
  static const char *titles[MAX_COLUMNS + 1];
  static char alignment[MAX_COLUMNS + 1];

  for (guint i = 0; i < MAX_COLUMNS && list->columns[i].title; i++)
    {
      Kind kind = list->columns[i].kind;

      titles[i] = list->columns[i].title;
      alignment[i] = kind == NUMBER || kind == SIZE || kind == RATE || kind == LENGTH ? 'r' : 'l';
    }
  return p2ps_table_new (titles, alignment);
}

static void
add_row (P2psTable *table, const List *list, JsonNode *row)
{
  char **cells = g_new0 (char *, MAX_COLUMNS + 1);

  for (guint i = 0; i < MAX_COLUMNS && list->columns[i].title; i++)
    cells[i] = format_cell (row, &list->columns[i]);
  p2ps_table_take (table, cells);
}

static void
print_row_json (JsonNode *row, gboolean first)
{
  g_autofree char *text = json_to_string (row, FALSE);

  printf ("%s  %s", first ? "\n" : ",\n", text);
}

static int
list (P2psCli *cli, const List *list)
{
  g_autoptr (P2psTable) table = make_table (list);
  guint total = 0;
  guint n;

  do
    {
      g_autofree char *path = g_strdup_printf ("%s?offset=%u&limit=%d", list->verb, total, PAGE);
      g_autoptr (GError) error = NULL;
      g_autoptr (JsonNode) page = p2ps_cli_get (cli, path, &error);

      if (!page)
        return p2ps_cli_fail (cli, error);
      n = JSON_NODE_HOLDS_ARRAY (page) ? json_array_get_length (json_node_get_array (page)) : 0;
      if (cli->json && total == 0)
        putchar ('[');
      for (guint i = 0; i < n; i++)
        {
          JsonNode *row = json_array_get_element (json_node_get_array (page), i);

          if (cli->json)
            print_row_json (row, total + i == 0);
          else
            add_row (table, list, row);
        }
      total += n;
    }
  while (n == PAGE && !g_str_equal (list->verb, "skipped"));
  if (cli->json)
    puts (total > 0 ? "\n]" : "]");
  else if (total > 0)
    p2ps_table_print (table);
  else
    fprintf (stderr, "%s\n", _ (list->empty));
  return P2PS_CLI_DONE;
}

int
p2ps_cli_list (P2psCli *cli, int argc, char **argv)
{
  int status;

  if (!p2ps_cli_parse (cli, argc, argv, NULL, 0, 0, &status))
    return status;
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    if (g_str_equal (lists[i].verb, cli->verb->name))
      return list (cli, &lists[i]);
  g_return_val_if_reached (P2PS_CLI_FAILED);
}

static char *
format_value (const char *name, JsonNode *value)
{
  if (JSON_NODE_HOLDS_NULL (value))
    return g_strdup ("-");
  if (JSON_NODE_HOLDS_ARRAY (value))
    {
      GString *text = g_string_new (NULL);
      JsonArray *array = json_node_get_array (value);

      for (guint i = 0; i < json_array_get_length (array); i++)
        g_string_append_printf (text, "%s%s", i ? ", " : "",
                                json_array_get_string_element (array, i));
      return g_string_free (text, FALSE);
    }
  if (json_node_get_value_type (value) == G_TYPE_STRING)
    return json_node_dup_string (value);
  if (json_node_get_value_type (value) == G_TYPE_BOOLEAN)
    return g_strdup (json_node_get_boolean (value) ? _ ("yes") : _ ("no"));
  if (g_str_has_prefix (name, "bytes_"))
    return p2ps_format_size (json_node_get_int (value));
  if (json_node_get_value_type (value) == G_TYPE_DOUBLE)
    return g_strdup_printf ("%.3f", json_node_get_double (value));
  return g_strdup_printf ("%" G_GINT64_FORMAT, json_node_get_int (value));
}

/* An object as lines of name and value; the objects in it one step further in. */
static void
print_object (JsonNode *node, int indent)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return;
  json_object_iter_init_ordered (&iter, json_node_get_object (node));
  while (json_object_iter_next_ordered (&iter, &name, &value))
    {
      g_autofree char *label = g_strdelimit (g_strdup (name), "_", ' ');
      g_autofree char *text = NULL;

      if (JSON_NODE_HOLDS_OBJECT (value))
        {
          printf ("%*s%s\n", indent, "", label);
          print_object (value, indent + 2);
          continue;
        }
      text = format_value (name, value);
      printf ("%*s%-*s  ", indent, "", 18 - indent, label);
      p2ps_print_text (stdout, text);
      putchar ('\n');
    }
}

/* stats, status */
int
p2ps_cli_show (P2psCli *cli, int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node = NULL;
  int status;

  if (!p2ps_cli_parse (cli, argc, argv, NULL, 0, 0, &status))
    return status;
  node = p2ps_cli_get (cli, cli->verb->name, &error);
  if (!node)
    return p2ps_cli_fail (cli, error);
  if (cli->json)
    p2ps_print_json (node);
  else
    print_object (node, 0);
  return P2PS_CLI_DONE;
}

/* The verbs that change one thing and print nothing when it is done. */
typedef enum
{
  NOTHING,
  A_HASH,
  AN_ADDRESS,
} Argument;

static const struct
{
  const char *verb;
  const char *path; /* %s: the argument */
  Argument argument;
} acts[] = {
  { "add-peer", "peers", AN_ADDRESS },
  { "remove-peer", "peers/%s/remove", AN_ADDRESS },
  { "pause", "downloads/%s/pause", A_HASH },
  { "resume", "downloads/%s/resume", A_HASH },
  { "cancel", "downloads/%s/cancel", A_HASH },
  { "clear", "clear-downloads", NOTHING },
  { "rescan", "rescan", NOTHING },
};

static char *
make_address_body (const char *address)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autoptr (JsonObject) object = json_object_new ();

  json_object_set_string_member (object, "address", address);
  json_node_set_object (node, object);
  return json_to_string (node, FALSE);
}

static int
act (P2psCli *cli, const char *format, Argument kind)
{
  const char *argument = kind == NOTHING ? "" : cli->words[0];
  g_autoptr (P2psLink) link = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) done = NULL;
  g_autofree char *path = NULL;
  g_autofree char *body = NULL;

  if (!g_utf8_validate (argument, -1, NULL))
    return p2ps_cli_usage (cli, _ ("the argument is not UTF-8"));
  if (kind == A_HASH)
    {
      link = p2ps_link_parse (argument, &error);
      if (!link)
        return p2ps_cli_usage (cli, "%s: %s", argument, error->message);
      argument = link->filehash;
    }
  path = p2ps_cli_path (format, argument);
  body = kind == AN_ADDRESS ? make_address_body (argument) : NULL;
  done = p2ps_cli_post (cli, path, body, &error);
  return done ? P2PS_CLI_DONE : p2ps_cli_fail (cli, error);
}

int
p2ps_cli_act (P2psCli *cli, int argc, char **argv)
{
  for (guint i = 0; i < G_N_ELEMENTS (acts); i++)
    {
      int wanted = acts[i].argument == NOTHING ? 0 : 1;
      int status;

      if (!g_str_equal (acts[i].verb, cli->verb->name))
        continue;
      if (!p2ps_cli_parse (cli, argc, argv, NULL, wanted, wanted, &status))
        return status;
      return act (cli, acts[i].path, acts[i].argument);
    }
  g_return_val_if_reached (P2PS_CLI_FAILED);
}
