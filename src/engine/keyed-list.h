/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* A GListModel of objects that are found by id, in the order in which they were added. Additions
 * and removals are told at most once per `interval` milliseconds (0 = at once), so that a burst of
 * ten thousand rows costs a view one change. Rows tell their own changes by notify.
 *
 * The functions below see every change at once; the GListModel shows what was told so far. */
#define P2PS_TYPE_KEYED_LIST (p2ps_keyed_list_get_type ())
G_DECLARE_FINAL_TYPE (P2psKeyedList, p2ps_keyed_list, P2PS, KEYED_LIST, GObject)

P2psKeyedList *p2ps_keyed_list_new (GType item_type, guint interval);
gboolean p2ps_keyed_list_add (P2psKeyedList *list, const char *id, gpointer item);
gpointer p2ps_keyed_list_get (P2psKeyedList *list, const char *id);
gboolean p2ps_keyed_list_remove (P2psKeyedList *list, const char *id);
void p2ps_keyed_list_clear (P2psKeyedList *list);
guint p2ps_keyed_list_get_size (P2psKeyedList *list);
gpointer p2ps_keyed_list_nth (P2psKeyedList *list, guint position);
void p2ps_keyed_list_flush (P2psKeyedList *list);

G_END_DECLS
