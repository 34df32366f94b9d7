/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A figure of the stats page: a large value above its title. To assistive technology it is one
 * label, "Sent: 1.2 GB". Main thread only. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/stat-tile.h"

struct _P2psStatTile
{
  GtkWidget parent_instance;

  GtkWidget *value;
  GtkWidget *title;
};

enum
{
  PROP_TITLE = 1,
  PROP_VALUE,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psStatTile, p2ps_stat_tile, GTK_TYPE_WIDGET)

static void
set_text (P2psStatTile *self, GtkWidget *label, const GValue *value, GParamSpec *pspec)
{
  const char *text = g_value_get_string (value);
  g_autofree char *name = NULL;

  if (g_strcmp0 (gtk_label_get_text (GTK_LABEL (label)), text) == 0)
    return;
  gtk_label_set_text (GTK_LABEL (label), text == NULL ? "" : text);
  name = g_strdup_printf ("%s: %s", gtk_label_get_text (GTK_LABEL (self->title)),
                          gtk_label_get_text (GTK_LABEL (self->value)));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  g_object_notify_by_pspec (G_OBJECT (self), pspec);
}

static void
p2ps_stat_tile_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  P2psStatTile *self = P2PS_STAT_TILE (object);

  switch (id)
    {
    case PROP_TITLE:
      g_value_set_string (value, gtk_label_get_text (GTK_LABEL (self->title)));
      break;
    case PROP_VALUE:
      g_value_set_string (value, gtk_label_get_text (GTK_LABEL (self->value)));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_stat_tile_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  P2psStatTile *self = P2PS_STAT_TILE (object);

  switch (id)
    {
    case PROP_TITLE:
      set_text (self, self->title, value, pspec);
      break;
    case PROP_VALUE:
      set_text (self, self->value, value, pspec);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_stat_tile_dispose (GObject *object)
{
  P2psStatTile *self = P2PS_STAT_TILE (object);

  g_clear_pointer (&self->value, gtk_widget_unparent);
  g_clear_pointer (&self->title, gtk_widget_unparent);
  G_OBJECT_CLASS (p2ps_stat_tile_parent_class)->dispose (object);
}

static void
p2ps_stat_tile_class_init (P2psStatTileClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->dispose = p2ps_stat_tile_dispose;
  object_class->get_property = p2ps_stat_tile_get_property;
  object_class->set_property = p2ps_stat_tile_set_property;

  properties[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, NULL, flags);
  properties[PROP_VALUE] = g_param_spec_string ("value", NULL, NULL, NULL, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BOX_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "stattile");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_GROUP);
}

static GtkWidget *
add_label (P2psStatTile *self, const char *css_class)
{
  GtkWidget *label = gtk_label_new (NULL);

  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  gtk_widget_add_css_class (label, css_class);
  gtk_widget_set_parent (label, GTK_WIDGET (self));
  return label;
}

static void
p2ps_stat_tile_init (P2psStatTile *self)
{
  GtkLayoutManager *layout = gtk_widget_get_layout_manager (GTK_WIDGET (self));

  gtk_orientable_set_orientation (GTK_ORIENTABLE (layout), GTK_ORIENTATION_VERTICAL);
  gtk_widget_add_css_class (GTK_WIDGET (self), "card");
  self->value = add_label (self, "title-3");
  gtk_widget_add_css_class (self->value, "numeric");
  self->title = add_label (self, "caption");
  gtk_widget_add_css_class (self->title, "dim-label");
}
