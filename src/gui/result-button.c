/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The last cell of a search result. It follows the result ("you have it"), the queue (is there a
 * download of this hash?) and that download (how far is it?). Owns references only; main thread. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/result-button.h"

#include <glib/gi18n.h>

struct _P2psResultButton
{
  AdwBin parent_instance;

  P2psEngine *engine;
  P2psResult *result;
  P2psDownload *download;
  GSignalGroup *result_signals;
  GSignalGroup *downloads_signals;
  GSignalGroup *download_signals;

  GtkStack *stack;
  GtkButton *button;
  GtkProgressBar *progress;
};

enum
{
  PROP_ENGINE = 1,
  PROP_RESULT,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psResultButton, p2ps_result_button, ADW_TYPE_BIN)

/* Starts or goes on with the download of `result`; an error is told in the window of `widget`. */
void
p2ps_result_button_download (P2psEngine *engine, P2psResult *result, GtkWidget *widget)
{
  P2psDownload *download
      = p2ps_downloads_get (p2ps_engine_get_downloads (engine), p2ps_result_get_filehash (result));
  g_autoptr (GError) error = NULL;

  if (download != NULL && p2ps_download_get_state (download) == P2PS_DOWNLOAD_FAILED)
    {
      p2ps_download_resume (download);
      return;
    }
  if (p2ps_result_get_have (result)
      || (download != NULL && p2ps_download_get_state (download) != P2PS_DOWNLOAD_CANCELLED))
    return;
  if (p2ps_engine_download (engine, p2ps_result_get_filehash (result),
                            p2ps_result_get_filename (result), p2ps_result_get_size (result),
                            p2ps_result_get_hits (result), NULL, &error)
      == NULL)
    gtk_widget_activate_action (widget, "win.tell", "s", error->message);
}

static const char *
choose_view (P2psResultButton *self)
{
  if (self->result == NULL)
    return "get";
  if (self->download != NULL)
    switch (p2ps_download_get_state (self->download))
      {
      case P2PS_DOWNLOAD_DONE:
        return "have";
      case P2PS_DOWNLOAD_FAILED:
      case P2PS_DOWNLOAD_CANCELLED:
        break;
      default:
        return "progress";
      }
  return p2ps_result_get_have (self->result) ? "have" : "get";
}

static void
name_button (P2psResultButton *self)
{
  g_autofree char *name = NULL;

  if (self->result == NULL)
    return;
  /* Translators: %s is a file name */
  name = g_strdup_printf (_ ("Download %s"), p2ps_result_get_filename (self->result));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->button), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  name, -1);
}

static void
update (P2psResultButton *self)
{
  double fraction = 0;

  if (self->download != NULL)
    g_object_get (self->download, "progress", &fraction, NULL);
  gtk_progress_bar_set_fraction (self->progress, CLAMP (fraction, 0, 1));
  gtk_stack_set_visible_child_name (self->stack, choose_view (self));
}

/* The queue may have got or lost a download of our hash. */
static void
find_download (P2psResultButton *self)
{
  P2psDownload *download = NULL;

  if (self->engine != NULL && self->result != NULL)
    download = p2ps_downloads_get (p2ps_engine_get_downloads (self->engine),
                                   p2ps_result_get_filehash (self->result));
  if (g_set_object (&self->download, download))
    g_signal_group_set_target (self->download_signals, download);
  update (self);
}

static void
button_clicked_cb (P2psResultButton *self)
{
  if (self->engine != NULL && self->result != NULL)
    p2ps_result_button_download (self->engine, self->result, GTK_WIDGET (self));
}

static void
p2ps_result_button_dispose (GObject *object)
{
  P2psResultButton *self = P2PS_RESULT_BUTTON (object);

  g_clear_object (&self->result_signals);
  g_clear_object (&self->downloads_signals);
  g_clear_object (&self->download_signals);
  g_clear_object (&self->engine);
  g_clear_object (&self->result);
  g_clear_object (&self->download);
  G_OBJECT_CLASS (p2ps_result_button_parent_class)->dispose (object);
}

static void
p2ps_result_button_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  P2psResultButton *self = P2PS_RESULT_BUTTON (object);

  switch (id)
    {
    case PROP_ENGINE:
      g_value_set_object (value, self->engine);
      break;
    case PROP_RESULT:
      g_value_set_object (value, self->result);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_result_button_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  P2psResultButton *self = P2PS_RESULT_BUTTON (object);

  switch (id)
    {
    case PROP_ENGINE:
      if (g_set_object (&self->engine, g_value_get_object (value)))
        {
          g_signal_group_set_target (
              self->downloads_signals,
              self->engine == NULL ? NULL : p2ps_engine_get_downloads (self->engine));
          find_download (self);
          g_object_notify_by_pspec (object, pspec);
        }
      break;
    case PROP_RESULT:
      if (g_set_object (&self->result, g_value_get_object (value)))
        {
          g_signal_group_set_target (self->result_signals, self->result);
          find_download (self);
          name_button (self);
          g_object_notify_by_pspec (object, pspec);
        }
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_result_button_class_init (P2psResultButtonClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->dispose = p2ps_result_button_dispose;
  object_class->get_property = p2ps_result_button_get_property;
  object_class->set_property = p2ps_result_button_set_property;

  properties[PROP_ENGINE] = g_param_spec_object ("engine", NULL, NULL, P2PS_TYPE_ENGINE, flags);
  properties[PROP_RESULT] = g_param_spec_object ("result", NULL, NULL, P2PS_TYPE_RESULT, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/com/example/P2PShare/result-button.ui");
  gtk_widget_class_bind_template_child (widget_class, P2psResultButton, stack);
  gtk_widget_class_bind_template_child (widget_class, P2psResultButton, button);
  gtk_widget_class_bind_template_child (widget_class, P2psResultButton, progress);
  gtk_widget_class_bind_template_callback (widget_class, button_clicked_cb);
}

static void
p2ps_result_button_init (P2psResultButton *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));

  self->result_signals = g_signal_group_new (P2PS_TYPE_RESULT);
  g_signal_group_connect_swapped (self->result_signals, "notify::have", G_CALLBACK (update), self);
  self->downloads_signals = g_signal_group_new (P2PS_TYPE_DOWNLOADS);
  g_signal_group_connect_swapped (self->downloads_signals, "items-changed",
                                  G_CALLBACK (find_download), self);
  self->download_signals = g_signal_group_new (P2PS_TYPE_DOWNLOAD);
  g_signal_group_connect_swapped (self->download_signals, "notify::state", G_CALLBACK (update),
                                  self);
  g_signal_group_connect_swapped (self->download_signals, "notify::progress", G_CALLBACK (update),
                                  self);
}
