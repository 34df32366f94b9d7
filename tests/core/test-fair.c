/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What makes uploads fair, with a clock that is moved by hand. */

#include "core/rate.h"

#define START (G_GINT64_CONSTANT (1000) * P2PS_SECOND)

/* Bytes that pass in `seconds` when everything that may pass does. */
static guint64
flow (P2psRate *rate, gint64 *now, guint seconds)
{
  const gint64 end = *now + seconds * P2PS_SECOND;
  guint64 sum = 0;

  while (*now < end)
    {
      gsize slice = p2ps_rate_get_slice (rate);
      gint64 turn = p2ps_rate_reserve (rate, *now, slice);

      *now = MAX (*now, turn);
      sum += slice;
    }
  return sum;
}

static void
test_rate (void)
{
  static const guint64 rates[] = { 5000, 100000, 8000000, 3000000000 };

  for (guint i = 0; i < G_N_ELEMENTS (rates); i++)
    {
      P2psRate rate;
      gint64 now = START;
      guint64 sum;

      p2ps_rate_set (&rate, now, rates[i]);
      sum = flow (&rate, &now, 10);
      g_assert_cmpuint (sum, >=, rates[i] * 99 / 10);
      g_assert_cmpuint (sum, <=, rates[i] * 103 / 10);
      /* What was not used for long is made up for, but only a second of it. */
      now += 100 * P2PS_SECOND;
      sum = flow (&rate, &now, 10);
      g_assert_cmpuint (sum, >=, rates[i] * 109 / 10);
      g_assert_cmpuint (sum, <=, rates[i] * 113 / 10);
    }
}

static void
test_rate_changes (void)
{
  P2psRate rate;
  gint64 now = START;

  p2ps_rate_set (&rate, now, P2PS_RATE_NONE);
  for (guint i = 0; i < 1000; i++)
    g_assert_cmpint (p2ps_rate_reserve (&rate, now, 1 << 20), ==, 0);
  p2ps_rate_set (&rate, now, 0);
  g_assert_cmpint (p2ps_rate_reserve (&rate, now, 1), ==, P2PS_NEVER);
  now += 3600 * P2PS_SECOND;
  g_assert_cmpint (p2ps_rate_reserve (&rate, now, 1), ==, P2PS_NEVER);
  /* A slow rate's long turn is void with the next rate, and a pause is no reserve. */
  p2ps_rate_set (&rate, now, 1);
  g_assert_cmpint (p2ps_rate_reserve (&rate, now, 1024), ==, 0);
  g_assert_cmpint (p2ps_rate_reserve (&rate, now, 1024), ==, now + 1024 * P2PS_SECOND);
  p2ps_rate_set (&rate, now, 100000);
  g_assert_cmpuint (flow (&rate, &now, 10), <=, 1030000);
}

/* Two that share a rate each get half, whoever asks first. */
static void
test_rate_turns (void)
{
  P2psRate rate;
  gint64 now = START, turns[2] = { 0 };
  guint count[2] = { 0 };

  p2ps_rate_set (&rate, now, 100000);
  for (; now < START + 10 * P2PS_SECOND; now += 1000)
    for (guint i = 0; i < 2; i++)
      {
        if (turns[i] > now)
          continue;
        count[i]++;
        turns[i] = p2ps_rate_reserve (&rate, now, 5000);
      }
  g_assert_cmpuint (count[0] + count[1], >=, 198);
  g_assert_cmpint (ABS ((int)count[0] - (int)count[1]), <=, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rate/flow", test_rate);
  g_test_add_func ("/rate/changes", test_rate_changes);
  g_test_add_func ("/rate/turns", test_rate_turns);
  return g_test_run ();
}
