/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The downloads page: the engine's queue as rows (download-row.c). Main thread only. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/downloads-page.h"

#include <glib/gi18n.h>

#include "gui/download-row.h"
#include "gui/format.h"
#include "gui/show-file.h"

struct _P2psDownloadsPage
{
  AdwBin parent_instance;

  P2psEngine *engine;

  GtkNoSelection *selection;
};

enum
{
  PROP_ENGINE = 1,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psDownloadsPage, p2ps_downloads_page, ADW_TYPE_BIN)

static char *
choose_view (P2psDownloadsPage *self, guint n_downloads)
{
  return g_strdup (n_downloads > 0 ? "list" : "empty");
}

/* A finished download opens. */
static void
row_activated_cb (P2psDownloadsPage *self, guint position)
{
  g_autoptr (P2psDownload) download
      = g_list_model_get_item (G_LIST_MODEL (self->selection), position);

  if (download != NULL && p2ps_download_get_state (download) == P2PS_DOWNLOAD_DONE)
    p2ps_open_file (p2ps_download_get_path (download), GTK_WIDGET (self));
}

static void
remove_cb (GtkWidget *widget, const char *action_name, GVariant *parameter)
{
  P2psDownloadsPage *self = P2PS_DOWNLOADS_PAGE (widget);
  P2psDownloads *downloads = p2ps_engine_get_downloads (self->engine);
  P2psDownload *download = p2ps_downloads_get (downloads, g_variant_get_string (parameter, NULL));

  if (download != NULL)
    p2ps_downloads_remove (downloads, download);
}

static void
p2ps_downloads_page_dispose (GObject *object)
{
  P2psDownloadsPage *self = P2PS_DOWNLOADS_PAGE (object);

  g_clear_object (&self->engine);
  G_OBJECT_CLASS (p2ps_downloads_page_parent_class)->dispose (object);
}

static void
p2ps_downloads_page_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_ENGINE:
      g_value_set_object (value, P2PS_DOWNLOADS_PAGE (object)->engine);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_downloads_page_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_ENGINE:
      if (g_set_object (&P2PS_DOWNLOADS_PAGE (object)->engine, g_value_get_object (value)))
        g_object_notify_by_pspec (object, pspec);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_downloads_page_class_init (P2psDownloadsPageClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);

  object_class->dispose = p2ps_downloads_page_dispose;
  object_class->get_property = p2ps_downloads_page_get_property;
  object_class->set_property = p2ps_downloads_page_set_property;

  properties[PROP_ENGINE]
      = g_param_spec_object ("engine", NULL, NULL, P2PS_TYPE_ENGINE,
                             G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  gtk_widget_class_install_action (widget_class, "downloads.remove", "s", remove_cb);

  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/com/example/P2PShare/downloads-page.ui");
  gtk_widget_class_bind_template_child (widget_class, P2psDownloadsPage, selection);
  gtk_widget_class_bind_template_callback (widget_class, choose_view);
  gtk_widget_class_bind_template_callback (widget_class, row_activated_cb);
  p2ps_format_bind_template (widget_class);
}

static void
p2ps_downloads_page_init (P2psDownloadsPage *self)
{
  g_type_ensure (P2PS_TYPE_DOWNLOAD_ROW);
  gtk_widget_init_template (GTK_WIDGET (self));
}
