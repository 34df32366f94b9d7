/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The memory of queries, so that each is handled once whatever way it comes. A query is known by
 * (QID, origin, filename, filehash): a stolen QID can't silence another query. Of that only a
 * digest is kept. Bounded in time and in number; the oldest goes first. On the owner context. */

#define G_LOG_DOMAIN "p2ps-memory"

#include "core/memory.h"

#include <string.h>

#include "core/limits.h"

typedef struct _Entry Entry;
struct _Entry
{
  P2psQueryKey key; /* first: the hash table's key is the entry */
  P2psSeen seen;
  gint64 until;
  Entry *next; /* younger */
};

struct _P2psMemory
{
  GHashTable *entries; /* a set */
  Entry *oldest;
  Entry *youngest;
};

static guint
key_hash (gconstpointer entry)
{
  guint hash;

  memcpy (&hash, entry, sizeof hash);

  return hash;
}

static gboolean
key_equal (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, sizeof (P2psQueryKey)) == 0;
}

static void
make_key (const P2psQuery *query, P2psQueryKey *key)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize length = sizeof digest;

  /* Each text with its NUL, so that no two queries run into each other. */
  g_checksum_update (checksum, (const guchar *)query->qid, strlen (query->qid) + 1);
  g_checksum_update (checksum, (const guchar *)query->origin.host, strlen (query->origin.host) + 1);
  g_checksum_update (checksum, (const guchar *)&query->origin.port, sizeof query->origin.port);
  g_checksum_update (checksum, (const guchar *)query->filename, strlen (query->filename) + 1);
  g_checksum_update (checksum, (const guchar *)query->filehash, strlen (query->filehash) + 1);
  g_checksum_get_digest (checksum, digest, &length);
  memcpy (key->bytes, digest, sizeof key->bytes);
}

P2psMemory *
p2ps_memory_new (void)
{
  P2psMemory *self = g_new0 (P2psMemory, 1);

  self->entries = g_hash_table_new_full (key_hash, key_equal, g_free, NULL);

  return self;
}

void
p2ps_memory_free (P2psMemory *self)
{
  g_hash_table_unref (self->entries);
  g_free (self);
}

static void
drop_oldest (P2psMemory *self)
{
  Entry *entry = self->oldest;

  self->oldest = entry->next;
  if (self->oldest == NULL)
    self->youngest = NULL;
  g_hash_table_remove (self->entries, entry);
}

/**
 * p2ps_memory_find:
 * @key: (out): for p2ps_memory_add()
 *
 * Returns: (nullable) (transfer none): NULL when it was not seen lately; valid until the next call
 */
P2psSeen *
p2ps_memory_find (P2psMemory *self, gint64 now, const P2psQuery *query, P2psQueryKey *key)
{
  Entry *entry;

  while (self->oldest != NULL && self->oldest->until <= now)
    drop_oldest (self);
  make_key (query, key);
  entry = g_hash_table_lookup (self->entries, key);

  return entry != NULL ? &entry->seen : NULL;
}

/** p2ps_memory_add: @key: one that was not found just now. Returns: (transfer none): budgets of -1;
 * valid until the next call */
P2psSeen *
p2ps_memory_add (P2psMemory *self, gint64 now, const P2psQueryKey *key)
{
  Entry *entry = g_new0 (Entry, 1);

  if (g_hash_table_size (self->entries) >= P2PS_MAX_QIDS)
    drop_oldest (self);
  entry->key = *key;
  entry->seen = (P2psSeen){ -1, -1 };
  entry->until = now + P2PS_QID_MEMORY;
  if (self->youngest != NULL)
    self->youngest->next = entry;
  else
    self->oldest = entry;
  self->youngest = entry;
  g_hash_table_add (self->entries, entry);

  return &entry->seen;
}

guint
p2ps_memory_get_size (P2psMemory *self)
{
  return g_hash_table_size (self->entries);
}
