/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Values as text for people: sizes, speeds, counts and times by locale, states in words. Owns
 * nothing, is called on the main thread. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/format.h"

#include <glib/gi18n.h>

/* What stands where a value is not known. */
#define NOTHING "–"

#define MINUTE 60
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

char *
p2ps_format_size (gpointer self, gint64 size)
{
  return size < 0 ? g_strdup (NOTHING) : g_format_size ((guint64)size);
}

char *
p2ps_format_total_size (gpointer self, guint64 size)
{
  return g_format_size (size);
}

/* Bytes a second. */
char *
p2ps_format_speed (gpointer self, double speed)
{
  g_autofree char *size = g_format_size ((guint64)CLAMP (speed, 0, (double)G_MAXINT64 / 2));

  /* Translators: a speed, %s is a size such as "1.2 MB" */
  return g_strdup_printf (_ ("%s/s"), size);
}

char *
p2ps_format_seconds_left (gpointer self, gint64 seconds)
{
  gulong n;

  if (seconds < 0)
    return g_strdup ("");
  if (seconds < MINUTE)
    {
      n = (gulong)seconds;
      return g_strdup_printf (ngettext ("%lu second left", "%lu seconds left", n), n);
    }
  if (seconds < HOUR)
    {
      n = (gulong)((seconds + MINUTE / 2) / MINUTE);
      return g_strdup_printf (ngettext ("%lu minute left", "%lu minutes left", n), n);
    }
  n = (gulong)MIN ((seconds + HOUR / 2) / HOUR, 1000000);
  return g_strdup_printf (ngettext ("%lu hour left", "%lu hours left", n), n);
}

char *
p2ps_format_count (gpointer self, gint64 count)
{
  return count < 0 ? g_strdup (NOTHING) : g_strdup_printf ("%'" G_GINT64_FORMAT, count);
}

char *
p2ps_format_total (gpointer self, guint64 count)
{
  return g_strdup_printf ("%'" G_GUINT64_FORMAT, count);
}

char *
p2ps_format_number (gpointer self, guint count)
{
  return g_strdup_printf ("%'u", count);
}

/* A moment, Unix seconds: the time alone when it is today. */
char *
p2ps_format_time (gpointer self, gint64 seconds)
{
  g_autoptr (GDateTime) then = seconds > 0 ? g_date_time_new_from_unix_local (seconds) : NULL;
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();

  if (then == NULL)
    return g_strdup (_ ("Never"));
  if (g_date_time_get_year (then) == g_date_time_get_year (now)
      && g_date_time_get_day_of_year (then) == g_date_time_get_day_of_year (now))
    return g_date_time_format (then, "%X");
  return g_date_time_format (then, "%x %X");
}

/* How long ago `then` was, both Unix seconds. *changes_in is after how many seconds the text will
 * be another one. */
char *
p2ps_format_ago (gint64 then, gint64 now, gint64 *changes_in)
{
  gint64 age = MAX (now - then, 0);
  gulong n;

  if (then <= 0)
    {
      *changes_in = DAY;
      return g_strdup (_ ("Never"));
    }
  if (age < 10)
    {
      *changes_in = 10 - age;
      return g_strdup (_ ("Just now"));
    }
  if (age < MINUTE)
    {
      n = (gulong)(age / 10 * 10);
      *changes_in = 10 - age % 10;
      return g_strdup_printf (ngettext ("%lu second ago", "%lu seconds ago", n), n);
    }
  if (age < HOUR)
    {
      n = (gulong)(age / MINUTE);
      *changes_in = MINUTE - age % MINUTE;
      return g_strdup_printf (ngettext ("%lu minute ago", "%lu minutes ago", n), n);
    }
  if (age < DAY)
    {
      n = (gulong)(age / HOUR);
      *changes_in = HOUR - age % HOUR;
      return g_strdup_printf (ngettext ("%lu hour ago", "%lu hours ago", n), n);
    }
  *changes_in = DAY;
  return p2ps_format_time (NULL, then);
}

char *
p2ps_format_peer_state (gpointer self, const char *state)
{
  if (g_strcmp0 (state, "active") == 0)
    return g_strdup (_ ("Active"));
  if (g_strcmp0 (state, "inactive") == 0)
    return g_strdup (_ ("Inactive"));
  return g_strdup (_ ("New"));
}

/* What program a peer runs. */
char *
p2ps_format_peer_kind (gpointer self, gboolean classic, const char *agent)
{
  if (agent != NULL && *agent != '\0')
    return g_strdup (agent);
  return g_strdup (classic ? _ ("Classic peer") : _ ("Not known yet"));
}

char *
p2ps_format_download_state (gpointer self, P2psDownloadState state, const char *reason)
{
  const char *words = "";

  switch (state)
    {
    case P2PS_DOWNLOAD_QUEUED:
      words = _ ("Queued");
      break;
    case P2PS_DOWNLOAD_SEARCHING:
      words = _ ("Looking for peers that have it");
      break;
    case P2PS_DOWNLOAD_CONNECTING:
      words = _ ("Connecting");
      break;
    case P2PS_DOWNLOAD_DOWNLOADING:
      words = _ ("Downloading");
      break;
    case P2PS_DOWNLOAD_VERIFYING:
      words = _ ("Verifying");
      break;
    case P2PS_DOWNLOAD_WAITING:
      words = _ ("Waiting");
      break;
    case P2PS_DOWNLOAD_PAUSED:
      words = _ ("Paused");
      break;
    case P2PS_DOWNLOAD_DONE:
      words = _ ("Done");
      break;
    case P2PS_DOWNLOAD_FAILED:
      words = _ ("Failed");
      break;
    case P2PS_DOWNLOAD_CANCELLED:
      words = _ ("Cancelled");
      break;
    }
  if (reason == NULL || *reason == '\0' || state == P2PS_DOWNLOAD_DONE)
    return g_strdup (words);
  /* Translators: the state of a download and its reason: "Waiting: the disk is full" */
  return g_strdup_printf (_ ("%s: %s"), words, reason);
}

/* The peers that have a P2psResult, one a line. `n_sources` is there so that a binding sees it
 * change. */
char *
p2ps_format_addresses (gpointer self, GObject *result, guint n_sources)
{
  GString *text = g_string_new (NULL);
  GPtrArray *hits = P2PS_IS_RESULT (result) ? p2ps_result_get_hits (P2PS_RESULT (result)) : NULL;

  for (guint i = 0; hits != NULL && i < hits->len; i++)
    {
      const P2psHit *hit = g_ptr_array_index (hits, i);
      g_autofree char *address = p2ps_address_to_string (&hit->holder);

      if (i == 20)
        {
          g_string_append (text, "\n…");
          break;
        }
      g_string_append_printf (text, "%s%s", i == 0 ? "" : "\n", address);
    }
  return g_string_free (text, FALSE);
}

GIcon *
p2ps_icon_for_type (gpointer self, const char *content_type)
{
  GIcon *icon = g_content_type_get_symbolic_icon (
      content_type != NULL && *content_type != '\0' ? content_type : "application/octet-stream");

  /* Themes lack some types. */
  if (G_IS_THEMED_ICON (icon))
    g_themed_icon_append_name (G_THEMED_ICON (icon), "text-x-generic-symbolic");
  return icon;
}

GIcon *
p2ps_icon_for_name (gpointer self, const char *filename)
{
  g_autofree char *type = g_content_type_guess (filename, NULL, 0, NULL);

  return p2ps_icon_for_type (self, type);
}

gboolean
p2ps_is_set (gpointer self, const char *text)
{
  return text != NULL && *text != '\0';
}

/* Makes the functions known to the closures of a template. */
void
p2ps_format_bind_template (GtkWidgetClass *widget_class)
{
  static const struct
  {
    const char *name;
    GCallback function;
  } closures[] = {
    { "format_size", G_CALLBACK (p2ps_format_size) },
    { "format_total_size", G_CALLBACK (p2ps_format_total_size) },
    { "format_speed", G_CALLBACK (p2ps_format_speed) },
    { "format_count", G_CALLBACK (p2ps_format_count) },
    { "format_total", G_CALLBACK (p2ps_format_total) },
    { "format_number", G_CALLBACK (p2ps_format_number) },
    { "format_time", G_CALLBACK (p2ps_format_time) },
    { "format_peer_state", G_CALLBACK (p2ps_format_peer_state) },
    { "format_peer_kind", G_CALLBACK (p2ps_format_peer_kind) },
    { "format_addresses", G_CALLBACK (p2ps_format_addresses) },
    { "icon_for_type", G_CALLBACK (p2ps_icon_for_type) },
    { "icon_for_name", G_CALLBACK (p2ps_icon_for_name) },
    { "is_set", G_CALLBACK (p2ps_is_set) },
  };

  for (guint i = 0; i < G_N_ELEMENTS (closures); i++)
    gtk_widget_class_bind_template_callback_full (widget_class, closures[i].name,
                                                  closures[i].function);
}
