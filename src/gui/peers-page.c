/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The peers page: the engine's table of peers, and a way to drop one (peers are added through
 * add-peer.c). Main thread only. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/peers-page.h"

#include <glib/gi18n.h>

#include "gui/format.h"
#include "gui/time-label.h"

struct _P2psPeersPage
{
  AdwBin parent_instance;

  P2psEngine *engine;

  GtkSingleSelection *selection;
};

enum
{
  PROP_ENGINE = 1,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psPeersPage, p2ps_peers_page, ADW_TYPE_BIN)

static void
remove_peer (P2psPeersPage *self, P2psPeer *peer)
{
  g_autofree char *address = NULL;

  if (peer == NULL)
    return;
  address = p2ps_address_to_string (p2ps_peer_get_address (peer));
  gtk_widget_activate_action (GTK_WIDGET (self), "win.remove-peer", "s", address);
}

/* The Delete key. */
static void
remove_selected_cb (GtkWidget *widget, const char *action_name, GVariant *parameter)
{
  P2psPeersPage *self = P2PS_PEERS_PAGE (widget);

  remove_peer (self, gtk_single_selection_get_selected_item (self->selection));
}

static void
remove_clicked_cb (GtkButton *button, GtkListItem *item)
{
  P2psPeersPage *self
      = P2PS_PEERS_PAGE (gtk_widget_get_ancestor (GTK_WIDGET (button), P2PS_TYPE_PEERS_PAGE));

  remove_peer (self, gtk_list_item_get_item (item));
}

static char *
name_remove_button (gpointer self, const char *address)
{
  /* Translators: %s is the address of a peer */
  return g_strdup_printf (_ ("Remove %s"), address == NULL ? "" : address);
}

static void
remove_setup_cb (P2psPeersPage *self, GtkListItem *item)
{
  GtkWidget *button = gtk_button_new_from_icon_name ("user-trash-symbolic");
  GtkExpression *name = gtk_property_expression_new (
      P2PS_TYPE_PEER, gtk_property_expression_new (GTK_TYPE_LIST_ITEM, NULL, "item"), "address");

  name = gtk_cclosure_expression_new (G_TYPE_STRING, NULL, 1, &name,
                                      G_CALLBACK (name_remove_button), NULL, NULL);
  gtk_expression_bind (name, button, "tooltip-text", item);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_focusable (button, FALSE); /* the row has the focus, and the Delete key */
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  g_signal_connect_object (button, "clicked", G_CALLBACK (remove_clicked_cb), item, 0);
  gtk_list_item_set_child (item, button);
}

static char *
choose_view (P2psPeersPage *self, guint n_peers)
{
  return g_strdup (n_peers > 0 ? "list" : "empty");
}

static char *
describe_self (P2psPeersPage *self, const char *host, guint port)
{
  gboolean v6 = host != NULL && strchr (host, ':') != NULL;

  if (host == NULL || port == 0)
    return g_strdup ("");
  if (strcmp (host, "0.0.0.0") == 0 || strcmp (host, "::") == 0)
    return g_strdup_printf (_ ("This node listens on port %u of every interface"), port);
  return g_strdup_printf (_ ("This node listens on %s%s%s:%u"), v6 ? "[" : "", host, v6 ? "]" : "",
                          port);
}

static char *
state_icon (gpointer item, gboolean active)
{
  return g_strdup (active ? "network-transmit-receive-symbolic" : "network-offline-symbolic");
}

static void
p2ps_peers_page_dispose (GObject *object)
{
  P2psPeersPage *self = P2PS_PEERS_PAGE (object);

  g_clear_object (&self->engine);
  G_OBJECT_CLASS (p2ps_peers_page_parent_class)->dispose (object);
}

static void
p2ps_peers_page_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_ENGINE:
      g_value_set_object (value, P2PS_PEERS_PAGE (object)->engine);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_peers_page_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_ENGINE:
      if (g_set_object (&P2PS_PEERS_PAGE (object)->engine, g_value_get_object (value)))
        g_object_notify_by_pspec (object, pspec);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_peers_page_class_init (P2psPeersPageClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);

  object_class->dispose = p2ps_peers_page_dispose;
  object_class->get_property = p2ps_peers_page_get_property;
  object_class->set_property = p2ps_peers_page_set_property;

  properties[PROP_ENGINE]
      = g_param_spec_object ("engine", NULL, NULL, P2PS_TYPE_ENGINE,
                             G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  gtk_widget_class_install_action (widget_class, "peers.remove", NULL, remove_selected_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Delete, 0, "peers.remove", NULL);

  gtk_widget_class_set_template_from_resource (widget_class, "/com/example/P2PShare/peers-page.ui");
  gtk_widget_class_bind_template_child (widget_class, P2psPeersPage, selection);
  gtk_widget_class_bind_template_callback (widget_class, remove_setup_cb);
  gtk_widget_class_bind_template_callback (widget_class, choose_view);
  gtk_widget_class_bind_template_callback (widget_class, describe_self);
  gtk_widget_class_bind_template_callback (widget_class, state_icon);
  p2ps_format_bind_template (widget_class);
}

static void
p2ps_peers_page_init (P2psPeersPage *self)
{
  g_type_ensure (P2PS_TYPE_TIME_LABEL);
  gtk_widget_init_template (GTK_WIDGET (self));
}
