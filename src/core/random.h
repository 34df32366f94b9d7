/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* Seeded randomness (SplitMix64): the core has no entropy of its own. Not for secrets. */
typedef struct
{
  guint64 state;
} P2psRandom;

static inline guint64
p2ps_random_next (P2psRandom *random)
{
  guint64 z = random->state += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);

  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);

  return z ^ (z >> 31);
}

/* From 0 to below @end; 0 when @end is not positive. */
static inline gint64
p2ps_random_below (P2psRandom *random, gint64 end)
{
  return end > 0 ? (gint64)(p2ps_random_next (random) % (guint64)end) : 0;
}

/* @time, give or take a tenth: timers of many nodes must not fall into step. */
static inline gint64
p2ps_random_around (P2psRandom *random, gint64 time)
{
  return time - time / 10 + p2ps_random_below (random, time / 5);
}
