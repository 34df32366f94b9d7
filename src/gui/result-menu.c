/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The menu that the secondary button or the Menu key opens on a result, and copying its link or its
 * hash. Owns the popover, whose parent is the page: the page frees it before it goes. Main thread
 * only. */

#define G_LOG_DOMAIN "p2ps-gui"

#include "gui/result-menu.h"

#include <glib/gi18n.h>

#include "gui/result-button.h"

struct _P2psResultMenu
{
  GtkWidget *page;
  GtkWidget *view;
  GtkSingleSelection *selection;
  GtkWidget *popover; /* made when it is first needed */
};

static void
copy (P2psResultMenu *menu, const char *text, const char *message)
{
  gdk_clipboard_set_text (gtk_widget_get_clipboard (menu->page), text);
  gtk_widget_activate_action (menu->page, "win.tell", "s", message);
}

/* As docs/protocol.md has it, with the peers that have the file. */
void
p2ps_result_menu_copy_link (P2psResultMenu *menu)
{
  P2psResult *result = gtk_single_selection_get_selected_item (menu->selection);
  g_autoptr (P2psLink) link = NULL;
  g_autofree char *text = NULL;
  GPtrArray *hits;

  if (result == NULL)
    return;
  link = p2ps_link_new (p2ps_result_get_filehash (result), p2ps_result_get_filename (result),
                        p2ps_result_get_size (result));
  hits = p2ps_result_get_hits (result);
  for (guint i = 0; i < hits->len; i++)
    {
      const P2psHit *hit = g_ptr_array_index (hits, i);

      p2ps_link_add_node (link, hit->holder.host, hit->holder.port);
    }
  text = p2ps_link_to_string (link);
  copy (menu, text, _ ("Link copied"));
}

void
p2ps_result_menu_copy_hash (P2psResultMenu *menu)
{
  P2psResult *result = gtk_single_selection_get_selected_item (menu->selection);

  if (result != NULL)
    copy (menu, p2ps_result_get_filehash (result), _ ("Hash copied"));
}

/* At a point of the page. */
static void
popup (P2psResultMenu *menu, double x, double y)
{
  const GdkRectangle point = { (int)x, (int)y, 1, 1 };

  if (menu->popover == NULL)
    {
      g_autoptr (GMenu) model = g_menu_new ();

      g_menu_append (model, _ ("Copy _Link"), "search.copy-link");
      g_menu_append (model, _ ("Copy _Hash"), "search.copy-hash");
      menu->popover = gtk_popover_menu_new_from_model (G_MENU_MODEL (model));
      gtk_popover_set_has_arrow (GTK_POPOVER (menu->popover), FALSE);
      gtk_widget_set_halign (menu->popover, GTK_ALIGN_START);
      gtk_widget_set_parent (menu->popover, menu->page);
    }
  gtk_popover_set_pointing_to (GTK_POPOVER (menu->popover), &point);
  gtk_popover_popup (GTK_POPOVER (menu->popover));
}

/* For the selected row, below where the focus is. */
void
p2ps_result_menu_open (P2psResultMenu *menu)
{
  GtkWidget *focus = gtk_root_get_focus (gtk_widget_get_root (menu->page));
  graphene_rect_t bounds;

  if (gtk_single_selection_get_selected_item (menu->selection) == NULL)
    return;
  if (focus == NULL || !gtk_widget_is_ancestor (focus, menu->view))
    focus = menu->view;
  if (gtk_widget_compute_bounds (focus, menu->page, &bounds))
    popup (menu, bounds.origin.x, bounds.origin.y + bounds.size.height);
}

static P2psResult *
find_result (GtkWidget *widget)
{
  P2psResult *result = NULL;

  if (P2PS_IS_RESULT_BUTTON (widget))
    {
      g_object_get (widget, "result", &result, NULL);
      if (result != NULL)
        g_object_unref (result); /* the button holds it */
    }
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL && result == NULL;
       child = gtk_widget_get_next_sibling (child))
    result = find_result (child);
  return result;
}

/* GTK 4.8 does not say which row is where: the button in a row knows its result. */
static P2psResult *
find_result_at (P2psResultMenu *menu, double x, double y)
{
  GtkWidget *widget = gtk_widget_pick (menu->view, x, y, GTK_PICK_DEFAULT);

  for (; widget != NULL && widget != menu->view; widget = gtk_widget_get_parent (widget))
    if (g_str_equal (gtk_widget_get_css_name (widget), "row"))
      return find_result (widget);
  return NULL;
}

static void
pressed_cb (GtkGesture *gesture, int n_press, double x, double y, P2psResultMenu *menu)
{
  P2psResult *result = find_result_at (menu, x, y);
  GListModel *model = G_LIST_MODEL (menu->selection);
  double page_x, page_y;

  for (guint i = 0; result != NULL && i < g_list_model_get_n_items (model); i++)
    {
      g_autoptr (P2psResult) item = g_list_model_get_item (model, i);

      if (item != result)
        continue;
      gtk_gesture_set_state (gesture, GTK_EVENT_SEQUENCE_CLAIMED);
      gtk_single_selection_set_selected (menu->selection, i);
      if (gtk_widget_translate_coordinates (menu->view, menu->page, x, y, &page_x, &page_y))
        popup (menu, page_x, page_y);
      return;
    }
}

/* The page has the actions search.copy-link and search.copy-hash. */
P2psResultMenu *
p2ps_result_menu_new (GtkWidget *page, GtkWidget *view, GtkSingleSelection *selection)
{
  P2psResultMenu *menu = g_new0 (P2psResultMenu, 1);
  GtkGesture *gesture = gtk_gesture_click_new ();

  menu->page = page;
  menu->view = view;
  menu->selection = selection;
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (gesture), GDK_BUTTON_SECONDARY);
  g_signal_connect (gesture, "pressed", G_CALLBACK (pressed_cb), menu);
  gtk_widget_add_controller (view, GTK_EVENT_CONTROLLER (gesture));
  return menu;
}

void
p2ps_result_menu_free (P2psResultMenu *menu)
{
  g_clear_pointer (&menu->popover, gtk_widget_unparent);
  g_free (menu);
}
