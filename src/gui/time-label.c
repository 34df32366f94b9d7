/* SPDX-License-Identifier: GPL-3.0-or-later */

/* "3 minutes ago", which stays right: while it can be seen it wakes up exactly when its text
 * becomes another one, never to look whether it did. Owns one timeout, on the main thread. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/time-label.h"

#include "gui/format.h"

struct _P2psTimeLabel
{
  GtkWidget parent_instance;

  GtkWidget *label;
  gint64 time;
  guint timeout;
};

enum
{
  PROP_TIME = 1,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psTimeLabel, p2ps_time_label, GTK_TYPE_WIDGET)

static void update (P2psTimeLabel *self);

static gboolean
text_is_old_cb (gpointer user_data)
{
  P2psTimeLabel *self = user_data;

  self->timeout = 0;
  update (self);
  return G_SOURCE_REMOVE;
}

static void
update (P2psTimeLabel *self)
{
  gint64 changes_in;
  g_autofree char *text
      = p2ps_format_ago (self->time, g_get_real_time () / G_USEC_PER_SEC, &changes_in);
  g_autofree char *tooltip = p2ps_format_time (NULL, self->time);

  gtk_label_set_text (GTK_LABEL (self->label), text);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self), self->time > 0 ? tooltip : NULL);
  g_clear_handle_id (&self->timeout, g_source_remove);
  if (gtk_widget_get_mapped (GTK_WIDGET (self)) && self->time > 0)
    self->timeout = g_timeout_add_seconds ((guint)changes_in, text_is_old_cb, self);
}

static void
p2ps_time_label_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (p2ps_time_label_parent_class)->map (widget);
  update (P2PS_TIME_LABEL (widget));
}

static void
p2ps_time_label_unmap (GtkWidget *widget)
{
  g_clear_handle_id (&P2PS_TIME_LABEL (widget)->timeout, g_source_remove);
  GTK_WIDGET_CLASS (p2ps_time_label_parent_class)->unmap (widget);
}

static void
p2ps_time_label_dispose (GObject *object)
{
  P2psTimeLabel *self = P2PS_TIME_LABEL (object);

  g_clear_handle_id (&self->timeout, g_source_remove);
  g_clear_pointer (&self->label, gtk_widget_unparent);
  G_OBJECT_CLASS (p2ps_time_label_parent_class)->dispose (object);
}

static void
p2ps_time_label_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_TIME:
      g_value_set_int64 (value, P2PS_TIME_LABEL (object)->time);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_time_label_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  P2psTimeLabel *self = P2PS_TIME_LABEL (object);

  switch (id)
    {
    case PROP_TIME:
      if (self->time != g_value_get_int64 (value))
        {
          self->time = g_value_get_int64 (value);
          update (self);
          g_object_notify_by_pspec (object, pspec);
        }
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_time_label_class_init (P2psTimeLabelClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);

  object_class->dispose = p2ps_time_label_dispose;
  object_class->get_property = p2ps_time_label_get_property;
  object_class->set_property = p2ps_time_label_set_property;
  widget_class->map = p2ps_time_label_map;
  widget_class->unmap = p2ps_time_label_unmap;

  properties[PROP_TIME]
      = g_param_spec_int64 ("time", NULL, NULL, 0, G_MAXINT64, 0,
                            G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
}

static void
p2ps_time_label_init (P2psTimeLabel *self)
{
  self->label = gtk_label_new (NULL);
  gtk_label_set_xalign (GTK_LABEL (self->label), 0);
  gtk_widget_set_parent (self->label, GTK_WIDGET (self));
  update (self);
}
