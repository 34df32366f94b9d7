/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A rate behind a lock. Upload workers ask when a turn begins and poll until then; download workers
 * wait here. A new rate wakes them all. */

#define G_LOG_DOMAIN "p2ps-throttle"

#include "engine/throttle.h"

#include <stdatomic.h>

struct _P2psThrottle
{
  gatomicrefcount refs;
  GMutex lock;
  GCond changed; /* or somebody who waits was cancelled */
  P2psRate rate;
  guint generation;        /* of the rate: turns of another one are void */
  _Atomic guint64 current; /* as in rate, to be read without the lock */
};

P2psThrottle *
p2ps_throttle_new (guint64 bytes_per_second)
{
  P2psThrottle *self = g_new0 (P2psThrottle, 1);

  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  p2ps_throttle_set_rate (self, bytes_per_second);
  return self;
}

P2psThrottle *
p2ps_throttle_ref (P2psThrottle *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
p2ps_throttle_unref (P2psThrottle *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_free (self);
}

/* P2PS_RATE_NONE: no limit; 0: pause. */
void
p2ps_throttle_set_rate (P2psThrottle *self, guint64 bytes_per_second)
{
  g_mutex_lock (&self->lock);
  p2ps_rate_set (&self->rate, g_get_monotonic_time (), bytes_per_second);
  self->generation++;
  atomic_store_explicit (&self->current, bytes_per_second, memory_order_relaxed);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

guint64
p2ps_throttle_get_rate (P2psThrottle *self)
{
  return atomic_load_explicit (&self->current, memory_order_relaxed);
}

/* As p2ps_rate_get_slice(). */
gsize
p2ps_throttle_get_slice (P2psThrottle *self)
{
  const P2psRate rate = { .bytes_per_second = p2ps_throttle_get_rate (self) };

  return p2ps_rate_get_slice (&rate);
}

/* As p2ps_rate_reserve(). */
gint64
p2ps_throttle_reserve (P2psThrottle *self, gint64 now, gsize bytes)
{
  gint64 turn;

  if (p2ps_throttle_get_rate (self) == P2PS_RATE_NONE)
    return 0;
  g_mutex_lock (&self->lock);
  turn = p2ps_rate_reserve (&self->rate, now, bytes);
  g_mutex_unlock (&self->lock);
  return turn;
}

static void
cancelled_cb (GCancellable *cancellable, gpointer user_data)
{
  P2psThrottle *self = user_data;

  g_mutex_lock (&self->lock);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

/* With the lock. Until the turn, another rate, or cancelled. */
static void
wait_for_turn (P2psThrottle *self, gint64 turn, GCancellable *cancellable)
{
  const guint generation = self->generation;

  while (generation == self->generation && !g_cancellable_is_cancelled (cancellable))
    if (turn == P2PS_NEVER)
      g_cond_wait (&self->changed, &self->lock);
    else if (!g_cond_wait_until (&self->changed, &self->lock, turn))
      return;
}

/* Waits until some bytes may pass. Returns how many, at most `most`; also when it is cancelled. */
gsize
p2ps_throttle_wait (P2psThrottle *self, gsize most, GCancellable *cancellable)
{
  gsize bytes = most;
  gint64 turn = P2PS_NEVER;
  gulong handler;

  if (p2ps_throttle_get_rate (self) == P2PS_RATE_NONE)
    return most;
  handler = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), self, NULL);
  g_mutex_lock (&self->lock);
  while (turn == P2PS_NEVER && !g_cancellable_is_cancelled (cancellable))
    {
      bytes = MIN (most, p2ps_rate_get_slice (&self->rate));
      turn = p2ps_rate_reserve (&self->rate, g_get_monotonic_time (), bytes);
      if (turn != 0)
        wait_for_turn (self, turn, cancellable);
    }
  g_mutex_unlock (&self->lock);
  g_cancellable_disconnect (cancellable, handler);
  return bytes;
}
