/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rates by name, for callers that are in no table: bounded, whatever names they choose.
 * On the owner context. */

#define G_LOG_DOMAIN "p2ps-bucket"

#include "core/bucket.h"

typedef struct
{
  P2psBucket bucket;
  char *name;
} Entry;

struct _P2psBuckets
{
  GHashTable *by_name; /* name -> Entry */
  GQueue order;        /* of Entry, oldest first */
  guint max;
};

static void
entry_free (Entry *entry)
{
  g_free (entry->name);
  g_free (entry);
}

/** p2ps_buckets_new: Returns: (transfer full): room for @max names */
P2psBuckets *
p2ps_buckets_new (guint max)
{
  P2psBuckets *self = g_new0 (P2psBuckets, 1);

  self->by_name = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify)entry_free);
  self->max = max;

  return self;
}

void
p2ps_buckets_free (P2psBuckets *self)
{
  g_queue_clear (&self->order);
  g_hash_table_unref (self->by_name);
  g_free (self);
}

/** p2ps_buckets_get: Returns: (transfer none): the bucket of @name, a full one when it is new;
 * valid until the next call */
P2psBucket *
p2ps_buckets_get (P2psBuckets *self, const char *name)
{
  Entry *entry = g_hash_table_lookup (self->by_name, name);

  if (entry != NULL)
    return &entry->bucket;
  if (self->order.length >= self->max)
    {
      Entry *oldest = g_queue_pop_head (&self->order);

      g_hash_table_remove (self->by_name, oldest->name);
    }
  entry = g_new0 (Entry, 1);
  entry->name = g_strdup (name);
  entry->bucket.full = G_MININT64 / 2;
  g_hash_table_insert (self->by_name, entry->name, entry);
  g_queue_push_tail (&self->order, entry);

  return &entry->bucket;
}
