/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Upload slots and their queue, sans I/O: owns a short list of who waits for what and a count for
 * each address that uploads go to. On the owner context. Refuses more than MAX_WAITING in the queue
 * and MAX_WAITING_OF_ONE of one address: who doesn't get in is told so and may ask again.
 *
 * A loopback address stands for every program of this machine, so it has no limit of its own. */

#define G_LOG_DOMAIN "p2ps-slots"

#include "core/slots.h"

#include <string.h>

#include "core/limits.h"

#define MAX_WAITING 256
#define MAX_WAITING_OF_ONE 16
#define FIRST_AVERAGE (30 * P2PS_SECOND) /* of how long an upload takes, before there was one */
#define LEAST_RETRY (2 * P2PS_SECOND)
#define MOST_RETRY (15 * P2PS_SECOND) /* so long a slot can stay empty because its heir sleeps */
#define GRACE (5 * P2PS_SECOND)
#define GOES_ON (3 * P2PS_SECOND) /* for the next range of the same file */

typedef struct
{
  char *source;
  char *what;
  gint64 expires;
  gboolean kept; /* a slot between two ranges; otherwise it waits for one */
  guint round;   /* scratch: how many of its source come before it */
} Entry;

struct _P2psSlots
{
  GPtrArray *entries;  /* in the order of their first request */
  GHashTable *sources; /* char*: number of its slots */
  guint active;        /* slots taken, those kept included */
  guint64 total;
  guint64 per_source;
  gint64 average; /* microseconds that a slot is held */
};

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  g_free (entry->source);
  g_free (entry->what);
  g_free (entry);
}

/** p2ps_slots_new: Returns: (transfer full): without limits */
P2psSlots *
p2ps_slots_new (void)
{
  P2psSlots *self = g_new0 (P2psSlots, 1);

  self->entries = g_ptr_array_new_with_free_func (entry_free);
  self->sources = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->total = self->per_source = P2PS_SLOTS_UNLIMITED;
  self->average = FIRST_AVERAGE;
  return self;
}

void
p2ps_slots_free (P2psSlots *self)
{
  g_ptr_array_unref (self->entries);
  g_hash_table_unref (self->sources);
  g_free (self);
}

/** p2ps_slots_set_limits: those who have a slot keep it; 0 = nobody gets one */
void
p2ps_slots_set_limits (P2psSlots *self, guint64 total, guint64 per_source)
{
  self->total = total;
  self->per_source = per_source;
}

static guint
count_slots (P2psSlots *self, const char *source)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (self->sources, source));
}

static void
change_slots (P2psSlots *self, const char *source, int change)
{
  guint n = count_slots (self, source) + change;

  self->active += change;
  if (n == 0)
    g_hash_table_remove (self->sources, source);
  else
    g_hash_table_insert (self->sources, g_strdup (source), GUINT_TO_POINTER (n));
}

static void
drop_expired (P2psSlots *self, gint64 now)
{
  for (guint i = self->entries->len; i-- > 0;)
    {
      Entry *entry = g_ptr_array_index (self->entries, i);

      if (entry->expires > now)
        continue;
      if (entry->kept)
        change_slots (self, entry->source, -1);
      g_ptr_array_remove_index (self->entries, i);
    }
}

static gboolean
find (P2psSlots *self, const char *source, const char *what, guint *index)
{
  for (*index = 0; *index < self->entries->len; (*index)++)
    {
      const Entry *entry = g_ptr_array_index (self->entries, *index);

      if (strcmp (entry->source, source) == 0 && strcmp (entry->what, what) == 0)
        return TRUE;
    }
  return FALSE;
}

static guint
count_waiting_of (P2psSlots *self, const char *source)
{
  guint n = 0;

  for (guint i = 0; i < self->entries->len; i++)
    {
      const Entry *entry = g_ptr_array_index (self->entries, i);

      n += !entry->kept && strcmp (entry->source, source) == 0;
    }
  return n;
}

static guint64
get_own_limit (P2psSlots *self, const char *source)
{
  return p2ps_host_get_scope (source) == P2PS_SCOPE_LOOPBACK ? P2PS_SLOTS_UNLIMITED
                                                             : self->per_source;
}

/* The slots that an address has, plus its requests that wait before this one. */
static void
fill_rounds (P2psSlots *self)
{
  g_autoptr (GHashTable) next = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < self->entries->len; i++)
    {
      Entry *entry = g_ptr_array_index (self->entries, i);
      gpointer value = NULL;

      if (entry->kept)
        continue;
      entry->round = g_hash_table_lookup_extended (next, entry->source, NULL, &value)
                         ? GPOINTER_TO_UINT (value)
                         : count_slots (self, entry->source);
      g_hash_table_insert (next, entry->source, GUINT_TO_POINTER (entry->round + 1));
    }
}

/* How many wait, how many of them come before `entries[index]`, and how many of those could use a
 * slot now. */
static void
count_before (P2psSlots *self, guint index, guint *waiting, guint *before, guint *able)
{
  const Entry *mine = g_ptr_array_index (self->entries, index);

  *waiting = *before = *able = 0;
  fill_rounds (self);
  for (guint i = 0; i < self->entries->len; i++)
    {
      const Entry *entry = g_ptr_array_index (self->entries, i);

      if (entry->kept)
        continue;
      ++*waiting;
      if (entry->round > mine->round || (entry->round == mine->round && i >= index))
        continue;
      ++*before;
      *able += entry->round < get_own_limit (self, entry->source);
    }
}

static void
fill_times (P2psSlots *self, P2psSlotsPlace *place)
{
  const guint64 slots = MIN (self->total, MAX_WAITING);

  place->estimate = slots > 0 ? (gint64)((guint64)(self->average * place->place) / slots) : -1;
  place->retry_after
      = slots > 0 ? CLAMP (place->estimate / 2, LEAST_RETRY, MOST_RETRY) : MOST_RETRY;
}

static Entry *
add_entry (P2psSlots *self, const char *source, const char *what)
{
  Entry *entry = g_new0 (Entry, 1);

  entry->source = g_strdup (source);
  entry->what = g_strdup (what);
  g_ptr_array_add (self->entries, entry);
  return entry;
}

/* Before a request enters the queue: does it find room there? */
static gboolean
is_full (P2psSlots *self, const char *source)
{
  return self->entries->len >= MAX_WAITING || count_waiting_of (self, source) >= MAX_WAITING_OF_ONE;
}

/* Whoever had a slot lets the others go first with what else it waits for. */
static void
move_back (P2psSlots *self, const char *source)
{
  guint left = self->entries->len;

  for (guint i = 0; left-- > 0;)
    {
      Entry *entry = g_ptr_array_index (self->entries, i);

      if (strcmp (entry->source, source) == 0)
        g_ptr_array_add (self->entries, g_ptr_array_steal_index (self->entries, i));
      else
        i++;
    }
}

/**
 * p2ps_slots_take:
 * @source: host literal of who asks
 * @what: names the file; a source waits once for each
 * @place: (out): filled when there is no slot
 *
 * Returns: whether a slot was taken, to be given back by p2ps_slots_release()
 */
gboolean
p2ps_slots_take (P2psSlots *self, gint64 now, const char *source, const char *what,
                 P2psSlotsPlace *place)
{
  Entry *entry;
  guint index, able;

  drop_expired (self, now);
  if (!find (self, source, what, &index))
    {
      if (is_full (self, source))
        {
          place->place = place->of = self->entries->len + 1;
          fill_times (self, place);
          return FALSE;
        }
      add_entry (self, source, what);
    }
  entry = g_ptr_array_index (self->entries, index);
  if (entry->kept)
    {
      g_ptr_array_remove_index (self->entries, index);
      return TRUE;
    }
  count_before (self, index, &place->of, &place->place, &able);
  place->place++;
  if (entry->round < get_own_limit (self, source) && self->active + (guint64)able < self->total)
    {
      g_ptr_array_remove_index (self->entries, index);
      change_slots (self, source, 1);
      return TRUE;
    }
  fill_times (self, place);
  entry->expires = now + place->retry_after * 3 / 2 + GRACE;
  return FALSE;
}

/**
 * p2ps_slots_release:
 * @duration: how long it was held, microseconds
 * @goes_on: what was sent was a part of the file and not its end: the slot is kept for a moment,
 *   for the next part, so that whoever asks in parts is no worse off
 */
void
p2ps_slots_release (P2psSlots *self, gint64 now, const char *source, const char *what,
                    gint64 duration, gboolean goes_on)
{
  guint index;

  drop_expired (self, now);
  self->average = MAX (P2PS_SECOND, (3 * self->average + duration) / 4);
  if (goes_on && self->active <= self->total && !find (self, source, what, &index))
    {
      Entry *entry = add_entry (self, source, what);

      entry->kept = TRUE;
      entry->expires = now + GOES_ON;
      return;
    }
  move_back (self, source);
  change_slots (self, source, -1);
}

/** p2ps_slots_get_waiting: Returns: requests in the queue */
guint
p2ps_slots_get_waiting (P2psSlots *self, gint64 now)
{
  guint n = 0;

  drop_expired (self, now);
  for (guint i = 0; i < self->entries->len; i++)
    n += !((const Entry *)g_ptr_array_index (self->entries, i))->kept;
  return n;
}
