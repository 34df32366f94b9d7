/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Queues that take turns by source. Each item belongs to a round: the first one that a source has
 * waiting to the round that is next, its second to the one after that, and so on. Rounds leave in
 * order. When the queue is full the last round loses its youngest item: that of the source that has
 * most. The queues are short, so they are searched from end to end. On the owner context. */

#define G_LOG_DOMAIN "p2ps-fair"

#include "core/fair.h"

#include <string.h>

typedef struct
{
  gpointer data;
  P2psAddress source; /* unset: all those that are no peers */
  guint64 round;      /* 0: before all others */
} FairItem;

void
p2ps_fair_init (P2psFair *fair)
{
  g_queue_init (&fair->items);
  fair->round = 1;
}

void
p2ps_fair_clear (P2psFair *fair, GDestroyNotify free_data)
{
  gpointer data;

  while ((data = p2ps_fair_pop (fair)) != NULL)
    free_data (data);
}

gboolean
p2ps_fair_is_empty (const P2psFair *fair)
{
  return fair->items.length == 0;
}

static gpointer
unlink_item (P2psFair *fair, GList *link)
{
  FairItem *item = link->data;
  gpointer data = item->data;

  g_queue_delete_link (&fair->items, link);
  g_free (item);

  return data;
}

/* One peer is always spelled in one way here. */
static gboolean
is_from (const FairItem *item, const P2psAddress *source)
{
  return item->source.port == source->port && strcmp (item->source.host, source->host) == 0;
}

static gpointer
add (P2psFair *fair, FairItem *item, guint max)
{
  GList *l = fair->items.tail;

  while (l != NULL && ((FairItem *)l->data)->round > item->round)
    l = l->prev;
  g_queue_insert_after (&fair->items, l, item);

  return fair->items.length > max ? unlink_item (fair, fair->items.tail) : NULL;
}

/**
 * p2ps_fair_push:
 * @source: unset: one that shares its turns with all others that are not known
 * @data: (transfer full)
 * @max: how many may wait
 *
 * Returns: (transfer full) (nullable): what found no room, @data itself perhaps
 */
gpointer
p2ps_fair_push (P2psFair *fair, const P2psAddress *source, gpointer data, guint max)
{
  FairItem *item = g_new0 (FairItem, 1);

  item->data = data;
  item->source = *source;
  item->round = fair->round + 1;
  for (GList *l = fair->items.head; l != NULL; l = l->next)
    {
      const FairItem *other = l->data;

      if (other->round >= item->round && is_from (other, source))
        item->round = other->round + 1;
    }

  return add (fair, item, max);
}

/** p2ps_fair_push_first: what waits for nobody; the youngest comes first. Returns: as
 * p2ps_fair_push() */
gpointer
p2ps_fair_push_first (P2psFair *fair, gpointer data, guint max)
{
  FairItem *item = g_new0 (FairItem, 1);

  item->data = data;
  g_queue_push_head (&fair->items, item);

  return fair->items.length > max ? unlink_item (fair, fair->items.tail) : NULL;
}

/** p2ps_fair_pop: Returns: (transfer full) (nullable): whose turn it is */
gpointer
p2ps_fair_pop (P2psFair *fair)
{
  GList *first = fair->items.head;

  if (first == NULL)
    return NULL;
  fair->round = MAX (fair->round, ((FairItem *)first->data)->round);

  return unlink_item (fair, first);
}

/** p2ps_fair_take: Returns: (transfer full) (nullable): the first one that @matches */
gpointer
p2ps_fair_take (P2psFair *fair, gpointer user_data,
                gboolean (*matches) (gconstpointer data, gpointer user_data))
{
  for (GList *l = fair->items.head; l != NULL; l = l->next)
    if (matches (((FairItem *)l->data)->data, user_data))
      return unlink_item (fair, l);

  return NULL;
}
