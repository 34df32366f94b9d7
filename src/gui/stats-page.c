/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The stats page: totals and the query log, all looked up in the engine by the template. Main
 * thread only. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/stats-page.h"

#include <glib/gi18n.h>

#include "gui/format.h"
#include "gui/stat-tile.h"

#define MAX_RESPONSES_SHOWN 12

struct _P2psStatsPage
{
  AdwBin parent_instance;

  P2psEngine *engine;
};

enum
{
  PROP_ENGINE = 1,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psStatsPage, p2ps_stats_page, ADW_TYPE_BIN)

static char *
choose_view (P2psStatsPage *self, guint n_queries)
{
  return g_strdup (n_queries > 0 ? "list" : "empty");
}

static char *
format_origin (gpointer item, gboolean own, const char *origin)
{
  return g_strdup (own ? _ ("This node") : origin);
}

/* Who answered with what; `n_responses` is there so that a binding sees it change. */
static char *
describe_responses (gpointer item, GObject *record, guint n_responses)
{
  GString *text;
  GPtrArray *responses;

  if (!P2PS_IS_QUERY_RECORD (record) || n_responses == 0)
    return g_strdup (_ ("Nobody answered"));
  text = g_string_new (NULL);
  responses = p2ps_query_record_get_responses (P2PS_QUERY_RECORD (record));
  for (guint i = 0; i < responses->len && i < MAX_RESPONSES_SHOWN; i++)
    {
      const P2psQueryResponse *response = g_ptr_array_index (responses, i);
      g_autofree char *address = p2ps_address_to_string (&response->hit->holder);
      g_autofree char *name = p2ps_name_for_display (response->hit->filename);
      g_autofree char *time = p2ps_format_time (NULL, response->time);

      g_string_append_printf (text, "%s%s  %s  %s", i == 0 ? "" : "\n", time, address, name);
    }
  if (responses->len > MAX_RESPONSES_SHOWN)
    g_string_append (text, "\n…");
  return g_string_free (text, FALSE);
}

static void
p2ps_stats_page_dispose (GObject *object)
{
  P2psStatsPage *self = P2PS_STATS_PAGE (object);

  g_clear_object (&self->engine);
  G_OBJECT_CLASS (p2ps_stats_page_parent_class)->dispose (object);
}

static void
p2ps_stats_page_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_ENGINE:
      g_value_set_object (value, P2PS_STATS_PAGE (object)->engine);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_stats_page_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_ENGINE:
      if (g_set_object (&P2PS_STATS_PAGE (object)->engine, g_value_get_object (value)))
        g_object_notify_by_pspec (object, pspec);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_stats_page_class_init (P2psStatsPageClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);

  object_class->dispose = p2ps_stats_page_dispose;
  object_class->get_property = p2ps_stats_page_get_property;
  object_class->set_property = p2ps_stats_page_set_property;

  properties[PROP_ENGINE]
      = g_param_spec_object ("engine", NULL, NULL, P2PS_TYPE_ENGINE,
                             G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  gtk_widget_class_set_template_from_resource (widget_class, "/com/example/P2PShare/stats-page.ui");
  gtk_widget_class_bind_template_callback (widget_class, choose_view);
  gtk_widget_class_bind_template_callback (widget_class, format_origin);
  gtk_widget_class_bind_template_callback (widget_class, describe_responses);
  p2ps_format_bind_template (widget_class);
}

static void
p2ps_stats_page_init (P2psStatsPage *self)
{
  g_type_ensure (P2PS_TYPE_STAT_TILE);
  gtk_widget_init_template (GTK_WIDGET (self));
}
