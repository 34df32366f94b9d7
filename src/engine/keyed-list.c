/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Two arrays of the same objects: `items` is true now, `shown` is what the model has told. The
 * order of both is that of adding, so the difference is runs that are gone plus a new tail.
 * Lives on the main context that it was made on. Refuses an id twice. */

#include "engine/keyed-list.h"

#define MAX_RUNS 8 /* more gaps than this are told as one change */

struct _P2psKeyedList
{
  GObject parent_instance;
  GType item_type;
  gint64 interval; /* microseconds */
  gint64 told_at;
  GMainContext *context;
  GSource *timer;
  GHashTable *by_id; /* char* -> item, borrowed from items */
  GPtrArray *items;
  GPtrArray *shown;
  gboolean telling;
};

static void list_model_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (P2psKeyedList, p2ps_keyed_list, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_init))

static GType
get_item_type (GListModel *model)
{
  return P2PS_KEYED_LIST (model)->item_type;
}

static guint
get_n_items (GListModel *model)
{
  return P2PS_KEYED_LIST (model)->shown->len;
}

static gpointer
get_item (GListModel *model, guint position)
{
  P2psKeyedList *list = P2PS_KEYED_LIST (model);

  return position < list->shown->len ? g_object_ref (list->shown->pdata[position]) : NULL;
}

static void
list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
stop_timer (P2psKeyedList *list)
{
  if (list->timer)
    g_source_destroy (list->timer);
  g_clear_pointer (&list->timer, g_source_unref);
}

static gboolean
timer_cb (gpointer data)
{
  p2ps_keyed_list_flush (data);
  return G_SOURCE_REMOVE;
}

static void
changed (P2psKeyedList *list)
{
  if (list->interval == 0)
    {
      p2ps_keyed_list_flush (list);
      return;
    }
  if (list->timer)
    return;

  gint64 wait = list->told_at + list->interval - g_get_monotonic_time ();
  list->timer = g_timeout_source_new (CLAMP (wait, 0, list->interval) / 1000);
  g_source_set_static_name (list->timer, "p2ps-keyed-list");
  g_source_set_callback (list->timer, timer_cb, list, NULL);
  g_source_attach (list->timer, list->context);
}

static void
p2ps_keyed_list_finalize (GObject *object)
{
  P2psKeyedList *list = P2PS_KEYED_LIST (object);

  stop_timer (list);
  g_main_context_unref (list->context);
  g_hash_table_unref (list->by_id);
  g_ptr_array_unref (list->items);
  g_ptr_array_unref (list->shown);
  G_OBJECT_CLASS (p2ps_keyed_list_parent_class)->finalize (object);
}

static void
p2ps_keyed_list_class_init (P2psKeyedListClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = p2ps_keyed_list_finalize;
}

static void
p2ps_keyed_list_init (P2psKeyedList *list)
{
  list->item_type = G_TYPE_OBJECT;
  list->context = g_main_context_ref_thread_default ();
  list->by_id = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  list->items = g_ptr_array_new_with_free_func (g_object_unref);
  list->shown = g_ptr_array_new_with_free_func (g_object_unref);
}

/* A new list of `item_type` objects that tells its changes every `interval` milliseconds at most.
 */
P2psKeyedList *
p2ps_keyed_list_new (GType item_type, guint interval)
{
  P2psKeyedList *list = g_object_new (P2PS_TYPE_KEYED_LIST, NULL);

  list->item_type = item_type;
  list->interval = interval * G_GINT64_CONSTANT (1000);
  return list;
}

/* Appends `item` (the list takes a reference of its own); FALSE when `id` is there already. */
gboolean
p2ps_keyed_list_add (P2psKeyedList *list, const char *id, gpointer item)
{
  g_return_val_if_fail (G_TYPE_CHECK_INSTANCE_TYPE (item, list->item_type), FALSE);

  if (g_hash_table_contains (list->by_id, id))
    return FALSE;
  g_hash_table_insert (list->by_id, g_strdup (id), item);
  g_ptr_array_add (list->items, g_object_ref (item));
  changed (list);
  return TRUE;
}

/* The object with that id, borrowed, or NULL. */
gpointer
p2ps_keyed_list_get (P2psKeyedList *list, const char *id)
{
  return g_hash_table_lookup (list->by_id, id);
}

/* FALSE when there is nothing with that id. Cheap for old objects: they are near the front. */
gboolean
p2ps_keyed_list_remove (P2psKeyedList *list, const char *id)
{
  gpointer item = g_hash_table_lookup (list->by_id, id);

  if (!item)
    return FALSE;
  g_hash_table_remove (list->by_id, id);
  g_ptr_array_remove (list->items, item);
  changed (list);
  return TRUE;
}

void
p2ps_keyed_list_clear (P2psKeyedList *list)
{
  if (list->items->len == 0)
    return;
  g_hash_table_remove_all (list->by_id);
  g_ptr_array_set_size (list->items, 0);
  changed (list);
}

guint
p2ps_keyed_list_get_size (P2psKeyedList *list)
{
  return list->items->len;
}

/* The object at `position` in the order of adding, borrowed, or NULL past the end. */
gpointer
p2ps_keyed_list_nth (P2psKeyedList *list, guint position)
{
  return position < list->items->len ? list->items->pdata[position] : NULL;
}

typedef struct
{
  guint start, length; /* in `shown` */
} Run;

/* What of `shown` is no longer in `items`: each run of neighbours, first one first. */
static GArray *
find_gone (P2psKeyedList *list)
{
  GArray *runs = g_array_new (FALSE, FALSE, sizeof (Run));
  guint kept = 0;

  for (guint i = 0; i < list->shown->len; i++)
    {
      if (kept < list->items->len && list->items->pdata[kept] == list->shown->pdata[i])
        {
          kept++;
          continue;
        }
      Run *last = runs->len > 0 ? &g_array_index (runs, Run, runs->len - 1) : NULL;
      if (last && last->start + last->length == i)
        last->length++;
      else
        {
          Run run = { i, 1 };
          g_array_append_val (runs, run);
        }
    }
  return runs;
}

/* Shows the rows from `position` on as they are in `items`: one change. */
static void
replace_from (P2psKeyedList *list, guint position)
{
  guint removed = list->shown->len - position;

  if (removed > 0)
    g_ptr_array_remove_range (list->shown, position, removed);
  for (guint i = position; i < list->items->len; i++)
    g_ptr_array_add (list->shown, g_object_ref (list->items->pdata[i]));
  g_list_model_items_changed (G_LIST_MODEL (list), position, removed, list->shown->len - position);
}

/* FALSE when there is nothing left to tell. */
static gboolean
tell_one_change (P2psKeyedList *list)
{
  g_autoptr (GArray) runs = find_gone (list);

  if (runs->len > MAX_RUNS)
    {
      replace_from (list, g_array_index (runs, Run, 0).start);
      return TRUE;
    }
  if (runs->len > 0)
    {
      Run run = g_array_index (runs, Run, runs->len - 1);
      g_ptr_array_remove_range (list->shown, run.start, run.length);
      g_list_model_items_changed (G_LIST_MODEL (list), run.start, run.length, 0);
      return TRUE;
    }
  if (list->items->len == list->shown->len)
    return FALSE;
  replace_from (list, list->shown->len);
  return TRUE;
}

/* Tells everything that is not told yet, now. Handlers may change the list: that is told too. */
void
p2ps_keyed_list_flush (P2psKeyedList *list)
{
  g_autoptr (P2psKeyedList) keep = NULL;

  if (list->telling)
    return;
  keep = g_object_ref (list); /* a handler may drop the last one */
  stop_timer (list);
  list->told_at = g_get_monotonic_time ();
  list->telling = TRUE;
  while (tell_one_change (list))
    continue;
  list->telling = FALSE;
}
