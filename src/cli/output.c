/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What people see: tables, sizes, times, the progress line. Names come from strangers: control
 * characters never reach a terminal from here. */

#define G_LOG_DOMAIN "p2pshare-cli"

#include "cli/cli.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_WIDTH 24
#define MIN_WIDTH 40
#define REDRAW_MICROSECONDS (G_USEC_PER_SEC / 10)

struct _P2psTable
{
  const char *alignment; /* one letter a column: l or r */
  guint n_columns;
  GPtrArray *rows; /* of char**, the titles first */
};

/* text without what could steer a terminal; valid UTF-8. Caller owns it. */
static char *
make_safe (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  GString *safe = g_string_new (NULL);

  for (const char *p = valid; *p; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);
      GUnicodeType type = g_unichar_type (c);

      /* Cc; Cf holds the bidi overrides, but also the joiners that emoji and scripts need */
      if (type == G_UNICODE_CONTROL || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
        g_string_append_unichar (safe, 0xfffd);
      else
        g_string_append_unichar (safe, c);
    }
  return g_string_free (safe, FALSE);
}

void
p2ps_print_text (FILE *file, const char *text)
{
  g_autofree char *safe = make_safe (text);

  fputs (safe, file);
}

/* Columns that a terminal uses for it. */
static guint
get_width (const char *text)
{
  guint width = 0;

  for (const char *p = text; *p; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (!g_unichar_iszerowidth (c))
        width += g_unichar_iswide (c) ? 2 : 1;
    }
  return width;
}

/* titles: a NULL-terminated array that stays. */
P2psTable *
p2ps_table_new (const char *const *titles, const char *alignment)
{
  P2psTable *table = g_new0 (P2psTable, 1);

  table->alignment = alignment;
  table->n_columns = g_strv_length ((char **)titles);
  table->rows = g_ptr_array_new_with_free_func ((GDestroyNotify)g_strfreev);
  g_ptr_array_add (table->rows, g_strdupv ((char **)titles));
  return table;
}

/* cells: as many as there are titles, NULL-terminated; taken over. */
void
p2ps_table_take (P2psTable *table, char **cells)
{
  for (guint i = 0; cells[i]; i++)
    {
      char *safe = make_safe (cells[i]);

      g_free (cells[i]);
      cells[i] = safe;
    }
  g_ptr_array_add (table->rows, cells);
}

void
p2ps_table_print (P2psTable *table)
{
  g_autofree guint *widths = g_new0 (guint, table->n_columns);

  for (guint r = 0; r < table->rows->len; r++)
    for (guint c = 0; c < table->n_columns; c++)
      widths[c] = MAX (widths[c], get_width (((char **)g_ptr_array_index (table->rows, r))[c]));
  for (guint r = 0; r < table->rows->len; r++)
    {
      char **cells = g_ptr_array_index (table->rows, r);

      for (guint c = 0; c < table->n_columns; c++)
        {
          int pad = (int)(widths[c] - get_width (cells[c]));
          gboolean right = table->alignment[c] == 'r';
          gboolean last = c + 1 == table->n_columns;

          printf ("%*s%s%*s%s", right ? pad : 0, "", cells[c], right || last ? 0 : pad, "",
                  last ? "\n" : "  ");
        }
    }
}

void
p2ps_table_free (P2psTable *table)
{
  g_ptr_array_unref (table->rows);
  g_free (table);
}

/* One JSON document and a line end. */
void
p2ps_print_json (JsonNode *node)
{
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autofree char *text = NULL;

  json_generator_set_root (generator, node);
  json_generator_set_pretty (generator, TRUE);
  text = json_generator_to_data (generator, NULL);
  puts (text);
}

/* "?" for -1. Caller owns it. */
char *
p2ps_format_size (gint64 size)
{
  return size < 0 ? g_strdup ("?") : g_format_size_full ((guint64)size, G_FORMAT_SIZE_IEC_UNITS);
}

/* Local time; "never" for -1. Caller owns it. */
char *
p2ps_format_time (gint64 unix_seconds)
{
  g_autoptr (GDateTime) time = NULL;

  if (unix_seconds > 0)
    time = g_date_time_new_from_unix_local (unix_seconds);
  return time ? g_date_time_format (time, "%Y-%m-%d %H:%M:%S") : g_strdup (_ ("never"));
}

/* A terminal gets a progress line, a pipe does not. stdout_is_free: nothing else goes there before
 * the end, so it may be drawn there when standard error is no terminal. */
void
p2ps_progress_init (P2psProgress *progress, gboolean stdout_is_free)
{
  progress->drawn = 0;
  progress->file = NULL;
  if (isatty (STDERR_FILENO))
    progress->file = stderr;
  else if (stdout_is_free && isatty (STDOUT_FILENO))
    progress->file = stdout;
}

static guint
get_columns (FILE *file)
{
  struct winsize size;

  if (ioctl (fileno (file), TIOCGWINSZ, &size) == 0 && size.ws_col >= MIN_WIDTH)
    return size.ws_col;
  return 80;
}

static char *
draw_bar (gint64 done, gint64 total)
{
  GString *bar = g_string_new ("[");
  int full = total > 0 ? (int)((double)done / (double)total * BAR_WIDTH) : 0;

  for (int i = 0; i < BAR_WIDTH; i++)
    g_string_append_c (bar, i < full ? '#' : '-');
  g_string_append_c (bar, ']');
  if (total > 0)
    g_string_append_printf (bar, " %3d%%", (int)(100.0 * (double)done / (double)total));
  return g_string_free (bar, FALSE);
}

/* total -1 = not known: no bar; done -1: only the label. */
void
p2ps_progress_draw (P2psProgress *progress, const char *label, gint64 done, gint64 total,
                    gint64 speed, gint64 seconds_left)
{
  gint64 now = g_get_monotonic_time ();
  g_autoptr (GString) figures = g_string_new (NULL);
  g_autofree char *safe = NULL;
  guint room;

  if (!progress->file || (progress->drawn && now - progress->drawn < REDRAW_MICROSECONDS))
    return;
  progress->drawn = now;
  if (done >= 0)
    {
      g_autofree char *bar = total > 0 ? draw_bar (MIN (done, total), total) : NULL;
      g_autofree char *received = p2ps_format_size (done);
      g_autofree char *rate = p2ps_format_size (MAX (speed, 0));

      g_string_append_printf (figures, " %s %s, %s/s", bar ? bar : "", received, rate);
      if (seconds_left >= 0)
        g_string_append_printf (figures, ", %" G_GINT64_FORMAT ":%02d", seconds_left / 60,
                                (int)(seconds_left % 60));
    }
  room = get_columns (progress->file) - 1;
  room = room > figures->len ? room - (guint)figures->len : 0;
  safe = make_safe (label);
  while (*safe && get_width (safe) > room)
    *g_utf8_find_prev_char (safe, safe + strlen (safe)) = '\0';
  fprintf (progress->file, "\r%s%s\033[K", safe, figures->str);
  fflush (progress->file);
}

void
p2ps_progress_clear (P2psProgress *progress)
{
  if (!progress->file || !progress->drawn)
    return;
  fputs ("\r\033[K", progress->file);
  fflush (progress->file);
  progress->drawn = 0;
}
