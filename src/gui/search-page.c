/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The search page: an entry, the results of the newest search as they come, and what to do next
 * when there are none. The template looks the models up in the engine; here are the entry, the
 * activation of a row and the choice between list and advice. Main thread only. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/search-page.h"

#include <glib/gi18n.h>

#include "gui/format.h"
#include "gui/result-button.h"
#include "gui/result-menu.h"

struct _P2psSearchPage
{
  AdwBin parent_instance;

  P2psEngine *engine;
  P2psSearch *search;
  gboolean searching; /* a binding through "search" would fail while that is NULL */
  GBinding *searching_binding;

  GtkEditable *entry;
  GtkSingleSelection *selection;
  GtkWidget *view;
  P2psResultMenu *menu;
};

enum
{
  PROP_ENGINE = 1,
  PROP_SEARCH,
  PROP_SEARCHING,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psSearchPage, p2ps_search_page, ADW_TYPE_BIN)

/* Only the newest search is on screen: an older one ends when the next begins. */
static void
set_search (P2psSearchPage *self, P2psSearch *search)
{
  g_autoptr (P2psSearch) old = self->search == NULL ? NULL : g_object_ref (self->search);

  if (!g_set_object (&self->search, search))
    return;
  g_clear_pointer (&self->searching_binding, g_binding_unbind);
  if (search != NULL)
    self->searching_binding
        = g_object_bind_property (search, "active", self, "searching", G_BINDING_SYNC_CREATE);
  else
    g_object_set (self, "searching", FALSE, NULL);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SEARCH]);
  if (old != NULL && self->engine != NULL)
    p2ps_engine_remove_search (self->engine, old);
}

static void
start_search_cb (P2psSearchPage *self)
{
  g_autofree char *text = g_strstrip (g_strdup (gtk_editable_get_text (self->entry)));
  g_autoptr (GError) error = NULL;
  P2psSearch *search;

  if (*text == '\0' || self->engine == NULL)
    return;
  search = p2ps_engine_search (self->engine, text, &error);
  if (search == NULL)
    gtk_widget_activate_action (GTK_WIDGET (self), "win.tell", "s", error->message);
  else
    set_search (self, search);
}

static void
stop_search_cb (P2psSearchPage *self)
{
  if (self->search != NULL)
    p2ps_search_stop (self->search);
}

/* From the entry down into the results. */
static void
to_results_cb (GtkWidget *widget, const char *action_name, GVariant *parameter)
{
  P2psSearchPage *self = P2PS_SEARCH_PAGE (widget);

  if (g_list_model_get_n_items (G_LIST_MODEL (self->selection)) == 0)
    return;
  if (gtk_single_selection_get_selected (self->selection) == GTK_INVALID_LIST_POSITION)
    gtk_single_selection_set_selected (self->selection, 0);
  gtk_widget_child_focus (self->view, GTK_DIR_DOWN);
}

static void
menu_cb (GtkWidget *widget, const char *action_name, GVariant *parameter)
{
  p2ps_result_menu_open (P2PS_SEARCH_PAGE (widget)->menu);
}

static void
copy_link_cb (GtkWidget *widget, const char *action_name, GVariant *parameter)
{
  p2ps_result_menu_copy_link (P2PS_SEARCH_PAGE (widget)->menu);
}

static void
copy_hash_cb (GtkWidget *widget, const char *action_name, GVariant *parameter)
{
  p2ps_result_menu_copy_hash (P2PS_SEARCH_PAGE (widget)->menu);
}

static void
row_activated_cb (P2psSearchPage *self, guint position)
{
  g_autoptr (P2psResult) result = g_list_model_get_item (G_LIST_MODEL (self->selection), position);

  if (result != NULL && self->engine != NULL)
    p2ps_result_button_download (self->engine, result, GTK_WIDGET (self));
}

static void
button_setup_cb (P2psSearchPage *self, GtkListItem *item)
{
  GtkWidget *button = g_object_new (P2PS_TYPE_RESULT_BUTTON, NULL);
  GtkExpression *expression = gtk_property_expression_new (GTK_TYPE_LIST_ITEM, NULL, "item");

  g_object_bind_property (self, "engine", button, "engine", G_BINDING_SYNC_CREATE);
  gtk_expression_bind (expression, button, "result", item);
  gtk_list_item_set_child (item, button);
}

/* Below the list: what the selected file is, and who has it. `n_sources` makes it follow. */
static char *
describe_details (P2psSearchPage *self, GObject *result, const char *filehash, guint n_sources)
{
  g_autofree char *lines = p2ps_format_addresses (self, result, n_sources);
  g_autofree char *addresses = g_strdelimit (g_steal_pointer (&lines), "\n", ' ');

  /* Translators: a file's hash, then the addresses of the peers that have it */
  return g_strdup_printf (_ ("SHA-256: %s\nPeers: %s"), filehash, addresses);
}

static gboolean
is_something (P2psSearchPage *self, GObject *object)
{
  return object != NULL;
}

/* The whole name, what other peers call it, and the hash. */
static char *
describe_names (gpointer item, const char *filename, const char *names, const char *filehash)
{
  GString *text = g_string_new (filename);

  if (p2ps_is_set (NULL, names))
    /* Translators: other names of the same file */
    g_string_append_printf (text, _ ("\nAlso: %s"), names);
  if (p2ps_is_set (NULL, filehash))
    g_string_append_printf (text, "\nSHA-256: %s", filehash);
  return g_string_free (text, FALSE);
}

/* Which of the pages of the stack: list, advice, or "it takes a moment". */
static char *
choose_view (P2psSearchPage *self, P2psSearch *search, gboolean searching, guint n_results,
             guint peers_active)
{
  if (n_results > 0)
    return g_strdup ("results");
  if (peers_active == 0)
    return g_strdup ("alone");
  if (search == NULL)
    return g_strdup ("start");
  return g_strdup (searching ? "searching" : "nothing");
}

static char *
describe_results (P2psSearchPage *self, const char *text, guint n_results)
{
  if (text == NULL)
    return g_strdup ("");
  /* Translators: %s is what was searched for */
  return g_strdup_printf (ngettext ("%u file found for “%s”", "%u files found for “%s”", n_results),
                          n_results, text);
}

static gboolean
shares_nothing (P2psSearchPage *self, gint64 files)
{
  return files <= 0;
}

/* On the page before the first search. */
static char *
describe_start (P2psSearchPage *self, guint peers_active, gint64 files)
{
  g_autofree char *peers = g_strdup_printf (
      ngettext ("%u peer is connected.", "%u peers are connected.", peers_active), peers_active);

  if (files <= 0)
    return g_strdup_printf ("%s %s", peers,
                            _ ("You share nothing yet: choose folders in the preferences."));
  return g_strdup_printf ("%s %s", peers, _ ("Type a few words of a file's name, or its SHA-256."));
}

void
p2ps_search_page_focus (P2psSearchPage *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->entry));
}

static gboolean
p2ps_search_page_grab_focus (GtkWidget *widget)
{
  return gtk_widget_grab_focus (GTK_WIDGET (P2PS_SEARCH_PAGE (widget)->entry));
}

static void
p2ps_search_page_dispose (GObject *object)
{
  P2psSearchPage *self = P2PS_SEARCH_PAGE (object);

  g_clear_pointer (&self->menu, p2ps_result_menu_free);
  g_clear_pointer (&self->searching_binding, g_binding_unbind);
  g_clear_object (&self->search);
  g_clear_object (&self->engine);
  G_OBJECT_CLASS (p2ps_search_page_parent_class)->dispose (object);
}

static void
p2ps_search_page_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  P2psSearchPage *self = P2PS_SEARCH_PAGE (object);

  switch (id)
    {
    case PROP_ENGINE:
      g_value_set_object (value, self->engine);
      break;
    case PROP_SEARCH:
      g_value_set_object (value, self->search);
      break;
    case PROP_SEARCHING:
      g_value_set_boolean (value, self->searching);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_search_page_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  P2psSearchPage *self = P2PS_SEARCH_PAGE (object);

  switch (id)
    {
    case PROP_ENGINE:
      if (g_set_object (&self->engine, g_value_get_object (value)))
        g_object_notify_by_pspec (object, pspec);
      break;
    case PROP_SEARCH:
      set_search (self, g_value_get_object (value));
      break;
    case PROP_SEARCHING:
      if (self->searching != g_value_get_boolean (value))
        {
          self->searching = g_value_get_boolean (value);
          g_object_notify_by_pspec (object, pspec);
        }
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_search_page_class_init (P2psSearchPageClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->dispose = p2ps_search_page_dispose;
  object_class->get_property = p2ps_search_page_get_property;
  object_class->set_property = p2ps_search_page_set_property;
  widget_class->grab_focus = p2ps_search_page_grab_focus;

  properties[PROP_ENGINE] = g_param_spec_object ("engine", NULL, NULL, P2PS_TYPE_ENGINE, flags);
  properties[PROP_SEARCH] = g_param_spec_object ("search", NULL, NULL, P2PS_TYPE_SEARCH, flags);
  properties[PROP_SEARCHING] = g_param_spec_boolean ("searching", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/com/example/P2PShare/search-page.ui");
  gtk_widget_class_bind_template_child (widget_class, P2psSearchPage, entry);
  gtk_widget_class_bind_template_child (widget_class, P2psSearchPage, selection);
  gtk_widget_class_bind_template_child (widget_class, P2psSearchPage, view);
  gtk_widget_class_install_action (widget_class, "search.to-results", NULL, to_results_cb);
  gtk_widget_class_install_action (widget_class, "search.menu", NULL, menu_cb);
  gtk_widget_class_install_action (widget_class, "search.copy-link", NULL, copy_link_cb);
  gtk_widget_class_install_action (widget_class, "search.copy-hash", NULL, copy_hash_cb);
  gtk_widget_class_bind_template_callback (widget_class, start_search_cb);
  gtk_widget_class_bind_template_callback (widget_class, stop_search_cb);
  gtk_widget_class_bind_template_callback (widget_class, row_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, button_setup_cb);
  gtk_widget_class_bind_template_callback (widget_class, describe_details);
  gtk_widget_class_bind_template_callback (widget_class, is_something);
  gtk_widget_class_bind_template_callback (widget_class, choose_view);
  gtk_widget_class_bind_template_callback (widget_class, describe_names);
  gtk_widget_class_bind_template_callback (widget_class, describe_results);
  gtk_widget_class_bind_template_callback (widget_class, describe_start);
  gtk_widget_class_bind_template_callback (widget_class, shares_nothing);
  p2ps_format_bind_template (widget_class);
}

static void
p2ps_search_page_init (P2psSearchPage *self)
{
  g_type_ensure (P2PS_TYPE_RESULT_BUTTON);
  gtk_widget_init_template (GTK_WIDGET (self));
  self->menu = p2ps_result_menu_new (GTK_WIDGET (self), self->view, self->selection);
}
