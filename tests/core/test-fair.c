/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What makes uploads fair, with a clock that is moved by hand. */

#include "core/rate.h"
#include "core/slots.h"

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

/* ---- slots ---- */

static gboolean
take (P2psSlots *slots, gint64 now, const char *source, const char *what, guint place, guint of)
{
  P2psSlotsPlace got = { 0 };
  gboolean taken = p2ps_slots_take (slots, now, source, what, &got);

  if (!taken)
    {
      g_assert_cmpuint (got.place, ==, place);
      g_assert_cmpuint (got.of, ==, of);
      g_assert_cmpint (got.retry_after, >=, 2 * P2PS_SECOND);
      g_assert_cmpint (got.retry_after, <=, 15 * P2PS_SECOND);
    }
  return taken;
}

static void
release (P2psSlots *slots, gint64 now, const char *source)
{
  p2ps_slots_release (slots, now, source, "done", 10 * P2PS_SECOND, FALSE);
}

static void
test_slots_queue (void)
{
  g_autoptr (P2psSlots) slots = p2ps_slots_new ();
  gint64 now = START;

  p2ps_slots_set_limits (slots, 2, 2);
  g_assert_true (take (slots, now, "10.0.0.1", "f", 0, 0));
  g_assert_true (take (slots, now, "10.0.0.2", "f", 0, 0));
  g_assert_false (take (slots, now, "10.0.0.3", "f", 1, 1));
  g_assert_false (take (slots, now, "10.0.0.4", "f", 2, 2));
  g_assert_false (take (slots, now, "10.0.0.5", "f", 3, 3));
  /* A place is kept, whoever asks first and oftener. */
  for (guint i = 0; i < 20; i++)
    {
      now += P2PS_SECOND;
      g_assert_false (take (slots, now, "10.0.0.5", "f", 3, 3));
      g_assert_false (take (slots, now, "10.0.0.4", "f", 2, 3));
      g_assert_false (take (slots, now, "10.0.0.3", "f", 1, 3));
    }
  release (slots, now, "10.0.0.1");
  g_assert_false (take (slots, now, "10.0.0.9", "f", 4, 4));
  g_assert_false (take (slots, now, "10.0.0.4", "f", 2, 4));
  g_assert_true (take (slots, now, "10.0.0.3", "f", 0, 0));
  release (slots, now, "10.0.0.2");
  release (slots, now, "10.0.0.3");
  /* Two are free: the second in the queue needs not wait for the first. */
  g_assert_true (take (slots, now, "10.0.0.5", "f", 0, 0));
  g_assert_false (take (slots, now, "10.0.0.9", "f", 2, 2));
  /* Who doesn't come back in time is out. */
  now += 60 * P2PS_SECOND;
  g_assert_cmpuint (p2ps_slots_get_waiting (slots, now), ==, 0);
  g_assert_true (take (slots, now, "10.0.0.9", "f", 0, 0));
}

static void
test_slots_per_source (void)
{
  g_autoptr (P2psSlots) slots = p2ps_slots_new ();

  p2ps_slots_set_limits (slots, 8, 2);
  g_assert_true (take (slots, START, "10.0.0.1", "a", 0, 0));
  g_assert_true (take (slots, START, "10.0.0.1", "b", 0, 0));
  g_assert_false (take (slots, START, "10.0.0.1", "c", 1, 1));
  /* That one stands in nobody's way. */
  for (guint i = 0; i < 6; i++)
    {
      g_autofree char *what = g_strdup_printf ("%u", i);

      g_assert_true (take (slots, START, "127.0.0.1", what, 0, 0));
    }
  g_assert_false (take (slots, START, "10.0.0.2", "a", 1, 2));
  release (slots, START, "127.0.0.1");
  g_assert_false (take (slots, START, "10.0.0.1", "c", 2, 2));
  g_assert_true (take (slots, START, "10.0.0.2", "a", 0, 0));
}

/* One asks for eight files at a time, four others for one: each gets as much as the others. */
static void
test_slots_round_robin (void)
{
  g_autoptr (P2psSlots) slots = p2ps_slots_new ();
  guint count[5] = { 0 };
  gint64 now = START;
  int busy = -1;

  p2ps_slots_set_limits (slots, 1, 2);
  for (guint turn = 0; turn < 1000; turn++, now += P2PS_SECOND)
    {
      g_autofree char *holder = g_strdup_printf ("10.0.0.%d", busy + 1);

      if (busy >= 0)
        release (slots, now, holder);
      busy = -1;
      for (int i = 0; i < 12; i++)
        {
          int source = MAX (0, i - 7);
          g_autofree char *host = g_strdup_printf ("10.0.0.%d", source + 1);
          g_autofree char *what = g_strdup_printf ("%u", i);
          P2psSlotsPlace place;

          if (!p2ps_slots_take (slots, now, host, what, &place))
            continue;
          g_assert_cmpint (busy, ==, -1);
          busy = source;
          count[source]++;
        }
    }
  for (guint i = 0; i < 5; i++)
    {
      g_assert_cmpuint (count[i], >=, 150);
      g_assert_cmpuint (count[i], <=, 210);
    }
}

static void
test_slots_bounded (void)
{
  g_autoptr (P2psSlots) slots = p2ps_slots_new ();
  P2psSlotsPlace place;

  p2ps_slots_set_limits (slots, 0, 2);
  for (guint i = 0; i < 20000; i++)
    {
      g_autofree char *host = g_strdup_printf ("10.0.%u.1", i % 200);
      g_autofree char *what = g_strdup_printf ("%u", i);

      g_assert_false (p2ps_slots_take (slots, START, host, what, &place));
      g_assert_cmpint (place.estimate, ==, -1);
    }
  g_assert_cmpuint (p2ps_slots_get_waiting (slots, START), ==, 256);
}

/* A file in parts: the slot stays, unless the next part isn't asked for. */
static void
test_slots_go_on (void)
{
  g_autoptr (P2psSlots) slots = p2ps_slots_new ();
  gint64 now = START;

  p2ps_slots_set_limits (slots, 1, 2);
  g_assert_true (take (slots, now, "10.0.0.1", "f", 0, 0));
  g_assert_false (take (slots, now, "10.0.0.2", "f", 1, 1));
  for (guint i = 0; i < 5; i++)
    {
      p2ps_slots_release (slots, now, "10.0.0.1", "f", P2PS_SECOND, TRUE);
      now += P2PS_SECOND;
      g_assert_false (take (slots, now, "10.0.0.2", "f", 1, 1));
      g_assert_true (take (slots, now, "10.0.0.1", "f", 0, 0));
    }
  p2ps_slots_release (slots, now, "10.0.0.1", "f", P2PS_SECOND, TRUE);
  now += 4 * P2PS_SECOND;
  g_assert_true (take (slots, now, "10.0.0.2", "f", 0, 0));
  g_assert_false (take (slots, now, "10.0.0.1", "f", 1, 1));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rate/flow", test_rate);
  g_test_add_func ("/rate/changes", test_rate_changes);
  g_test_add_func ("/rate/turns", test_rate_turns);
  g_test_add_func ("/slots/queue", test_slots_queue);
  g_test_add_func ("/slots/per-source", test_slots_per_source);
  g_test_add_func ("/slots/round-robin", test_slots_round_robin);
  g_test_add_func ("/slots/bounded", test_slots_bounded);
  g_test_add_func ("/slots/go-on", test_slots_go_on);
  return g_test_run ();
}
