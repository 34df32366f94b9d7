/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A row of the downloads page. Its actions ("download.pause" and so on) are enabled by the state of
 * the download, and a button whose action is off is not shown. Main thread only. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/download-row.h"

#include <glib/gi18n.h>

#include "gui/format.h"
#include "gui/show-file.h"

struct _P2psDownloadRow
{
  AdwBin parent_instance;

  P2psDownload *download;
  GSignalGroup *signals;

  GtkWidget *pause;
  GtkWidget *resume;
  GtkWidget *retry;
  GtkWidget *cancel;
  GtkWidget *open;
  GtkWidget *show_folder;
  GtkWidget *remove;
};

enum
{
  PROP_DOWNLOAD = 1,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psDownloadRow, p2ps_download_row, ADW_TYPE_BIN)

static void
allow (P2psDownloadRow *self, GtkWidget *button, const char *action, gboolean allowed)
{
  gtk_widget_action_set_enabled (GTK_WIDGET (self), action, allowed);
  gtk_widget_set_visible (button, allowed);
}

static void
update_actions (P2psDownloadRow *self)
{
  P2psDownloadState state;
  gboolean over;

  if (self->download == NULL)
    return;
  state = p2ps_download_get_state (self->download);
  over = p2ps_download_is_over (self->download);
  allow (self, self->pause, "download.pause",
         !over && state != P2PS_DOWNLOAD_PAUSED && state != P2PS_DOWNLOAD_VERIFYING);
  allow (self, self->resume, "download.resume", state == P2PS_DOWNLOAD_PAUSED);
  allow (self, self->retry, "download.retry",
         state == P2PS_DOWNLOAD_FAILED || state == P2PS_DOWNLOAD_WAITING);
  allow (self, self->cancel, "download.cancel", !over);
  allow (self, self->open, "download.open", state == P2PS_DOWNLOAD_DONE);
  allow (self, self->show_folder, "download.show-folder", state == P2PS_DOWNLOAD_DONE);
  allow (self, self->remove, "download.remove", over);
}

static void
pause_cb (GtkWidget *widget, const char *action_name, GVariant *parameter)
{
  p2ps_download_pause (P2PS_DOWNLOAD_ROW (widget)->download);
}

/* Both "resume" and "retry". */
static void
resume_cb (GtkWidget *widget, const char *action_name, GVariant *parameter)
{
  p2ps_download_resume (P2PS_DOWNLOAD_ROW (widget)->download);
}

static void
cancel_cb (GtkWidget *widget, const char *action_name, GVariant *parameter)
{
  p2ps_download_cancel (P2PS_DOWNLOAD_ROW (widget)->download);
}

static void
open_cb (GtkWidget *widget, const char *action_name, GVariant *parameter)
{
  p2ps_open_file (p2ps_download_get_path (P2PS_DOWNLOAD_ROW (widget)->download), widget);
}

static void
show_folder_cb (GtkWidget *widget, const char *action_name, GVariant *parameter)
{
  p2ps_show_file (p2ps_download_get_path (P2PS_DOWNLOAD_ROW (widget)->download), widget);
}

/* The list knows how to forget it. */
static void
remove_cb (GtkWidget *widget, const char *action_name, GVariant *parameter)
{
  P2psDownloadRow *self = P2PS_DOWNLOAD_ROW (widget);

  gtk_widget_activate_action (widget, "downloads.remove", "s",
                              p2ps_download_get_filehash (self->download));
}

/* "3.1 MB of 10 MB · 1.2 MB/s · 6 seconds left", or the state and its reason. */
static char *
describe (P2psDownloadRow *self, P2psDownloadState state, const char *reason, gint64 received,
          gint64 size, double speed, gint64 seconds_left)
{
  g_autofree char *words = p2ps_format_download_state (self, state, reason);
  g_autofree char *all = p2ps_format_size (self, size);
  g_autofree char *here = p2ps_format_size (self, received);
  g_autofree char *rate = p2ps_format_speed (self, speed);
  g_autofree char *left = p2ps_format_seconds_left (self, seconds_left);
  g_autofree char *amount = NULL;

  if (state == P2PS_DOWNLOAD_DONE)
    return g_strdup_printf ("%s · %s", all, words);
  /* Translators: an amount of data, "3.1 MB of 10 MB" */
  amount = size >= 0 ? g_strdup_printf (_ ("%s of %s"), here, all) : g_strdup (here);
  if (state != P2PS_DOWNLOAD_DOWNLOADING)
    return g_strdup_printf ("%s · %s", amount, words);
  if (*left == '\0')
    return g_strdup_printf ("%s · %s", amount, rate);
  return g_strdup_printf ("%s · %s · %s", amount, rate, left);
}

static gboolean
shows_progress (P2psDownloadRow *self, P2psDownloadState state)
{
  return state != P2PS_DOWNLOAD_DONE && state != P2PS_DOWNLOAD_FAILED
         && state != P2PS_DOWNLOAD_CANCELLED;
}

static void
p2ps_download_row_dispose (GObject *object)
{
  P2psDownloadRow *self = P2PS_DOWNLOAD_ROW (object);

  g_clear_object (&self->signals);
  g_clear_object (&self->download);
  G_OBJECT_CLASS (p2ps_download_row_parent_class)->dispose (object);
}

static void
p2ps_download_row_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_DOWNLOAD:
      g_value_set_object (value, P2PS_DOWNLOAD_ROW (object)->download);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_download_row_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  P2psDownloadRow *self = P2PS_DOWNLOAD_ROW (object);

  switch (id)
    {
    case PROP_DOWNLOAD:
      if (g_set_object (&self->download, g_value_get_object (value)))
        {
          g_signal_group_set_target (self->signals, self->download);
          update_actions (self);
          g_object_notify_by_pspec (object, pspec);
        }
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_download_row_class_init (P2psDownloadRowClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);

  object_class->dispose = p2ps_download_row_dispose;
  object_class->get_property = p2ps_download_row_get_property;
  object_class->set_property = p2ps_download_row_set_property;

  properties[PROP_DOWNLOAD]
      = g_param_spec_object ("download", NULL, NULL, P2PS_TYPE_DOWNLOAD,
                             G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  gtk_widget_class_install_action (widget_class, "download.pause", NULL, pause_cb);
  gtk_widget_class_install_action (widget_class, "download.resume", NULL, resume_cb);
  gtk_widget_class_install_action (widget_class, "download.retry", NULL, resume_cb);
  gtk_widget_class_install_action (widget_class, "download.cancel", NULL, cancel_cb);
  gtk_widget_class_install_action (widget_class, "download.open", NULL, open_cb);
  gtk_widget_class_install_action (widget_class, "download.show-folder", NULL, show_folder_cb);
  gtk_widget_class_install_action (widget_class, "download.remove", NULL, remove_cb);

  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/com/example/P2PShare/download-row.ui");
  gtk_widget_class_bind_template_child (widget_class, P2psDownloadRow, pause);
  gtk_widget_class_bind_template_child (widget_class, P2psDownloadRow, resume);
  gtk_widget_class_bind_template_child (widget_class, P2psDownloadRow, retry);
  gtk_widget_class_bind_template_child (widget_class, P2psDownloadRow, cancel);
  gtk_widget_class_bind_template_child (widget_class, P2psDownloadRow, open);
  gtk_widget_class_bind_template_child (widget_class, P2psDownloadRow, show_folder);
  gtk_widget_class_bind_template_child (widget_class, P2psDownloadRow, remove);
  gtk_widget_class_bind_template_callback (widget_class, describe);
  gtk_widget_class_bind_template_callback (widget_class, shows_progress);
  p2ps_format_bind_template (widget_class);
}

static void
p2ps_download_row_init (P2psDownloadRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->signals = g_signal_group_new (P2PS_TYPE_DOWNLOAD);
  g_signal_group_connect_swapped (self->signals, "notify::state", G_CALLBACK (update_actions),
                                  self);
}
