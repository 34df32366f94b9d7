/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The main window. It holds what its pages bind to and remembers its size; what can be done in it
 * is in window-actions.c. Main thread only. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/window.h"

#include <glib/gi18n.h>

#include "gui/downloads-page.h"
#include "gui/format.h"
#include "gui/peers-page.h"
#include "gui/search-page.h"
#include "gui/stats-page.h"
#include "gui/window-actions.h"

struct _P2psWindow
{
  AdwApplicationWindow parent_instance;

  P2psEngine *engine;
  GSettings *settings;
  char *trouble;

  AdwToastOverlay *toasts;
  AdwViewStack *stack;
  P2psSearchPage *search_page;
};

enum
{
  PROP_ENGINE = 1,
  PROP_SETTINGS,
  PROP_TROUBLE,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psWindow, p2ps_window, ADW_TYPE_APPLICATION_WINDOW)

P2psEngine *
p2ps_window_get_engine (P2psWindow *self)
{
  return self->engine;
}

GSettings *
p2ps_window_get_settings (P2psWindow *self)
{
  return self->settings;
}

const char *
p2ps_window_get_trouble (P2psWindow *self)
{
  return self->trouble;
}

/* trouble: for people, says what is wrong and what helps. NULL when nothing is. */
void
p2ps_window_set_trouble (P2psWindow *self, const char *trouble)
{
  if (g_strcmp0 (self->trouble, trouble) == 0)
    return;
  g_free (self->trouble);
  self->trouble = g_strdup (trouble);
  p2ps_window_update_actions (self);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_TROUBLE]);
}

/* One line at the bottom that goes away again. */
void
p2ps_window_tell (P2psWindow *self, const char *text)
{
  g_autofree char *markup = g_markup_escape_text (text, -1);

  adw_toast_overlay_add_toast (self->toasts, adw_toast_new (markup));
}

void
p2ps_window_show_page (P2psWindow *self, const char *name)
{
  GtkWidget *page = adw_view_stack_get_child_by_name (self->stack, name);
  GtkWidget *focus = gtk_window_get_focus (GTK_WINDOW (self));

  if (page == NULL)
    return;
  adw_view_stack_set_visible_child_name (self->stack, name);
  if (gtk_widget_get_mapped (GTK_WIDGET (self))
      && (focus == NULL || !gtk_widget_is_ancestor (focus, page)))
    gtk_widget_child_focus (page, GTK_DIR_TAB_FORWARD);
}

void
p2ps_window_focus_search (P2psWindow *self)
{
  p2ps_window_show_page (self, "search");
  p2ps_search_page_focus (self->search_page);
}

/* At the start: the entry on the search page, whatever comes first on another. */
void
p2ps_window_focus_first (P2psWindow *self)
{
  if (g_strcmp0 (adw_view_stack_get_visible_child_name (self->stack), "search") == 0)
    p2ps_search_page_focus (self->search_page);
}

static gboolean
is_well (P2psWindow *self, const char *trouble)
{
  return !p2ps_is_set (self, trouble);
}

/* The switcher moves to the bottom when the title bar has no room for it. */
static gboolean
shows_bar (P2psWindow *self, const char *trouble, gboolean title_visible)
{
  return title_visible && is_well (self, trouble);
}

static char *
choose_view (P2psWindow *self, const char *trouble)
{
  return g_strdup (p2ps_is_set (self, trouble) ? "trouble" : "pages");
}

/* One of the two, the graver first. */
static char *
choose_notice (P2psWindow *self, const char *of_engine, const char *of_library)
{
  return g_strdup (p2ps_is_set (self, of_engine) ? of_engine : of_library);
}

static char *
escape (P2psWindow *self, const char *text)
{
  return text == NULL ? NULL : g_markup_escape_text (text, -1);
}

static gboolean
is_page (P2psWindow *self, const char *trouble, const char *visible, const char *name)
{
  return !p2ps_is_set (self, trouble) && g_strcmp0 (visible, name) == 0;
}

static void
restore_state (P2psWindow *self)
{
  g_autofree char *page = g_settings_get_string (self->settings, "page");

  gtk_window_set_default_size (GTK_WINDOW (self),
                               g_settings_get_int (self->settings, "window-width"),
                               g_settings_get_int (self->settings, "window-height"));
  if (g_settings_get_boolean (self->settings, "window-maximized"))
    gtk_window_maximize (GTK_WINDOW (self));
  p2ps_window_show_page (self, page);
}

static gboolean
p2ps_window_close_request (GtkWindow *window)
{
  P2psWindow *self = P2PS_WINDOW (window);
  gboolean maximized = gtk_window_is_maximized (window);
  int width, height;

  gtk_window_get_default_size (window, &width, &height);
  g_settings_delay (self->settings);
  g_settings_set_boolean (self->settings, "window-maximized", maximized);
  if (!maximized)
    {
      g_settings_set_int (self->settings, "window-width", CLAMP (width, 300, 16384));
      g_settings_set_int (self->settings, "window-height", CLAMP (height, 200, 16384));
    }
  g_settings_set_string (self->settings, "page",
                         adw_view_stack_get_visible_child_name (self->stack));
  g_settings_apply (self->settings);
  return GTK_WINDOW_CLASS (p2ps_window_parent_class)->close_request (window);
}

static void
p2ps_window_dispose (GObject *object)
{
  P2psWindow *self = P2PS_WINDOW (object);

  g_clear_object (&self->engine);
  g_clear_object (&self->settings);
  g_clear_pointer (&self->trouble, g_free);
  G_OBJECT_CLASS (p2ps_window_parent_class)->dispose (object);
}

static void
p2ps_window_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  P2psWindow *self = P2PS_WINDOW (object);

  switch (id)
    {
    case PROP_ENGINE:
      g_value_set_object (value, self->engine);
      break;
    case PROP_SETTINGS:
      g_value_set_object (value, self->settings);
      break;
    case PROP_TROUBLE:
      g_value_set_string (value, self->trouble);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_window_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  P2psWindow *self = P2PS_WINDOW (object);

  switch (id)
    {
    case PROP_ENGINE:
      self->engine = g_value_dup_object (value);
      break;
    case PROP_SETTINGS:
      self->settings = g_value_dup_object (value);
      break;
    case PROP_TROUBLE:
      p2ps_window_set_trouble (self, g_value_get_string (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_window_constructed (GObject *object)
{
  G_OBJECT_CLASS (p2ps_window_parent_class)->constructed (object);
  restore_state (P2PS_WINDOW (object));
}

static void
p2ps_window_class_init (P2psWindowClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  GParamFlags once = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  object_class->constructed = p2ps_window_constructed;
  object_class->dispose = p2ps_window_dispose;
  object_class->get_property = p2ps_window_get_property;
  object_class->set_property = p2ps_window_set_property;
  GTK_WINDOW_CLASS (class)->close_request = p2ps_window_close_request;

  properties[PROP_ENGINE] = g_param_spec_object ("engine", NULL, NULL, P2PS_TYPE_ENGINE, once);
  properties[PROP_SETTINGS] = g_param_spec_object ("settings", NULL, NULL, G_TYPE_SETTINGS, once);
  properties[PROP_TROUBLE]
      = g_param_spec_string ("trouble", NULL, NULL, NULL,
                             G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  gtk_widget_class_set_template_from_resource (widget_class, "/com/example/P2PShare/window.ui");
  gtk_widget_class_bind_template_child (widget_class, P2psWindow, toasts);
  gtk_widget_class_bind_template_child (widget_class, P2psWindow, stack);
  gtk_widget_class_bind_template_child (widget_class, P2psWindow, search_page);
  gtk_widget_class_bind_template_callback (widget_class, is_well);
  gtk_widget_class_bind_template_callback (widget_class, shows_bar);
  gtk_widget_class_bind_template_callback (widget_class, choose_view);
  gtk_widget_class_bind_template_callback (widget_class, choose_notice);
  gtk_widget_class_bind_template_callback (widget_class, escape);
  gtk_widget_class_bind_template_callback (widget_class, is_page);
  p2ps_format_bind_template (widget_class);
}

/* The templates name these types; newer GTK reads a whole template before any of them was used. */
static void
ensure_model_types (void)
{
  g_type_ensure (P2PS_TYPE_DOWNLOAD);
  g_type_ensure (P2PS_TYPE_ENGINE);
  g_type_ensure (P2PS_TYPE_LIBRARY);
  g_type_ensure (P2PS_TYPE_PEER);
  g_type_ensure (P2PS_TYPE_QUERY_RECORD);
  g_type_ensure (P2PS_TYPE_RESULT);
  g_type_ensure (P2PS_TYPE_SEARCH);
  g_type_ensure (P2PS_TYPE_STATS);
}

static void
p2ps_window_init (P2psWindow *self)
{
  ensure_model_types ();
  g_type_ensure (P2PS_TYPE_SEARCH_PAGE);
  g_type_ensure (P2PS_TYPE_PEERS_PAGE);
  g_type_ensure (P2PS_TYPE_DOWNLOADS_PAGE);
  g_type_ensure (P2PS_TYPE_STATS_PAGE);
  gtk_widget_init_template (GTK_WIDGET (self));
  p2ps_window_install_actions (self);
}

P2psWindow *
p2ps_window_new (GtkApplication *application, P2psEngine *engine, GSettings *settings)
{
  return g_object_new (P2PS_TYPE_WINDOW, "application", application, "engine", engine, "settings",
                       settings, NULL);
}
