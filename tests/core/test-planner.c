/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The planner by hand-moved clock. */

#include "core/limits.h"
#include "core/planner.h"

#define S P2PS_SECOND

static const P2psAddress a = { "127.0.0.1", 2001 };
static const P2psAddress b = { "127.0.0.1", 2002 };

static void
assert_fetch (P2psPlanner *planner, gint64 now, const P2psAddress *from)
{
  P2psPlan plan;

  p2ps_planner_decide (planner, now, 77, &plan);
  g_assert_cmpint (plan.action, ==, P2PS_PLAN_FETCH);
  g_assert_true (p2ps_address_equal (&plan.source, from));
  g_assert_cmpint (plan.offset, ==, 77);
  g_assert_cmpint (plan.length, ==, -1);
}

static gint64
assert_not_fetch (P2psPlanner *planner, gint64 now, P2psPlanAction action)
{
  P2psPlan plan;

  p2ps_planner_decide (planner, now, 0, &plan);
  g_assert_cmpint (plan.action, ==, action);
  g_assert_cmpint (plan.deadline, >, now);
  return plan.deadline;
}

static void
test_search (void)
{
  g_autoptr (P2psPlanner) planner = p2ps_planner_new (1);
  gint64 now = 0, before = 0;

  /* Less and less often, but never given up. */
  for (guint i = 0; i < 12; i++)
    {
      gint64 deadline = assert_not_fetch (planner, now, P2PS_PLAN_SEARCH);

      g_assert_cmpint (assert_not_fetch (planner, now + 1, P2PS_PLAN_SEARCH), ==, deadline);
      g_assert_cmpint (deadline - now, >=, 20 * S);
      g_assert_cmpint (deadline - now, <=, 750 * S);
      if (i == 11)
        g_assert_cmpint (deadline - now, >, 400 * S);
      before = now;
      now = deadline;
    }
  g_assert_cmpint (now, >, before);
  p2ps_planner_add_source (planner, now, &a);
  assert_fetch (planner, now, &a);
}

static void
test_order (void)
{
  g_autoptr (P2psPlanner) planner = p2ps_planner_new (1);

  p2ps_planner_add_source (planner, 0, &a);
  p2ps_planner_add_source (planner, 0, &b);
  assert_fetch (planner, 0, &a);
  p2ps_planner_progress (planner, 0, &b, 10);
  assert_fetch (planner, 0, &b);
  p2ps_planner_failed (planner, 0, &b, P2PS_ATTEMPT_DEAD, 0);
  assert_fetch (planner, 0, &a);
  p2ps_planner_failed (planner, 0, &a, P2PS_ATTEMPT_LIED, 0);
  assert_fetch (planner, assert_not_fetch (planner, 0, P2PS_PLAN_WAIT), &b);
}

static void
test_backoff (void)
{
  g_autoptr (P2psPlanner) planner = p2ps_planner_new (3);
  gint64 now = 0, pause = 0;

  p2ps_planner_add_source (planner, now, &a);
  for (guint i = 0; i < 20; i++)
    {
      gint64 deadline;

      assert_fetch (planner, now, &a);
      p2ps_planner_failed (planner, now, &a, P2PS_ATTEMPT_DEAD, 0);
      deadline = assert_not_fetch (planner, now, P2PS_PLAN_WAIT);
      pause = deadline - now;
      g_assert_cmpint (pause, >=, 3 * S);
      g_assert_cmpint (pause, <=, 750 * S);
      now = deadline;
    }
  g_assert_cmpint (pause, >=, 450 * S);
  /* It gave something: the count begins anew. */
  p2ps_planner_progress (planner, now, &a, 1);
  p2ps_planner_failed (planner, now, &a, P2PS_ATTEMPT_DEAD, 0);
  g_assert_cmpint (assert_not_fetch (planner, now, P2PS_PLAN_WAIT) - now, <=, 5 * S);
}

static void
test_jitter (void)
{
  gint64 first = 0;
  gboolean differs = FALSE;

  for (guint64 seed = 0; seed < 10; seed++)
    {
      gint64 deadline[2];

      for (guint run = 0; run < 2; run++)
        {
          g_autoptr (P2psPlanner) planner = p2ps_planner_new (seed);

          p2ps_planner_add_source (planner, 0, &a);
          p2ps_planner_failed (planner, 0, &a, P2PS_ATTEMPT_DEAD, 0);
          deadline[run] = assert_not_fetch (planner, 0, P2PS_PLAN_WAIT);
        }
      g_assert_cmpint (deadline[0], ==, deadline[1]);
      differs = differs || (seed > 0 && deadline[0] != first);
      first = deadline[0];
    }
  g_assert_true (differs);
}

static void
test_busy (void)
{
  g_autoptr (P2psPlanner) planner = p2ps_planner_new (1);

  p2ps_planner_add_source (planner, 0, &a);
  p2ps_planner_failed (planner, 0, &a, P2PS_ATTEMPT_BUSY, 7 * S);
  g_assert_cmpint (assert_not_fetch (planner, 0, P2PS_PLAN_WAIT), ==, 7 * S);
  /* A year is not believed, and silence is a backoff. */
  p2ps_planner_failed (planner, 0, &a, P2PS_ATTEMPT_BUSY, 365 * 86400 * S);
  g_assert_cmpint (assert_not_fetch (planner, 0, P2PS_PLAN_WAIT), ==, 3600 * S);
  p2ps_planner_failed (planner, 0, &a, P2PS_ATTEMPT_BUSY, 0);
  g_assert_cmpint (assert_not_fetch (planner, 0, P2PS_PLAN_WAIT), <=, 5 * S);
}

static void
test_gone (void)
{
  g_autoptr (P2psPlanner) planner = p2ps_planner_new (1);
  gint64 later;

  p2ps_planner_add_source (planner, 0, &a);
  p2ps_planner_failed (planner, 0, &a, P2PS_ATTEMPT_GONE, 0);
  later = assert_not_fetch (planner, 0, P2PS_PLAN_SEARCH);
  /* It says that it has it again. */
  p2ps_planner_add_source (planner, later, &a);
  assert_fetch (planner, later, &a);
}

static void
test_liar (void)
{
  g_autoptr (P2psPlanner) planner = p2ps_planner_new (1);

  p2ps_planner_add_source (planner, 0, &a);
  p2ps_planner_failed (planner, 0, &a, P2PS_ATTEMPT_LIED, 0);
  p2ps_planner_add_source (planner, 0, &a);
  p2ps_planner_source_is_back (planner, 0, &a);
  p2ps_planner_retry_all (planner, 0);
  assert_not_fetch (planner, 0, P2PS_PLAN_SEARCH);
  assert_not_fetch (planner, P2PS_NEVER - 2000 * S, P2PS_PLAN_SEARCH);
}

static void
test_is_back (void)
{
  g_autoptr (P2psPlanner) planner = p2ps_planner_new (1);
  guint fetches = 0;

  p2ps_planner_source_is_back (planner, 0, &b); /* never heard of */
  p2ps_planner_add_source (planner, 0, &a);
  p2ps_planner_failed (planner, 0, &a, P2PS_ATTEMPT_DEAD, 0);
  assert_not_fetch (planner, 1, P2PS_PLAN_WAIT);
  p2ps_planner_source_is_back (planner, 1, &a);
  assert_fetch (planner, 1, &a);
  /* Alive but failing each time: a heartbeat each second must not make an attempt each second. */
  for (gint64 now = S; now < 101 * S; now += S)
    {
      P2psPlan plan;

      p2ps_planner_source_is_back (planner, now, &a);
      p2ps_planner_decide (planner, now, 0, &plan);
      if (plan.action != P2PS_PLAN_FETCH)
        continue;
      fetches++;
      p2ps_planner_failed (planner, now, &a, P2PS_ATTEMPT_DEAD, 0);
    }
  g_assert_cmpuint (fetches, <=, 26);
  p2ps_planner_retry_all (planner, 200 * S);
  assert_fetch (planner, 200 * S, &a);
}

static void
test_many (void)
{
  g_autoptr (P2psPlanner) planner = p2ps_planner_new (1);
  P2psAddress address = a;

  for (guint port = 1024; port < 9000; port++)
    {
      address.port = port;
      p2ps_planner_add_source (planner, 0, &address);
      p2ps_planner_add_source (planner, 0, &address);
    }
  address.port = 1024;
  assert_fetch (planner, 0, &address);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/planner/search", test_search);
  g_test_add_func ("/planner/order", test_order);
  g_test_add_func ("/planner/backoff", test_backoff);
  g_test_add_func ("/planner/jitter", test_jitter);
  g_test_add_func ("/planner/busy", test_busy);
  g_test_add_func ("/planner/gone", test_gone);
  g_test_add_func ("/planner/liar", test_liar);
  g_test_add_func ("/planner/is-back", test_is_back);
  g_test_add_func ("/planner/many", test_many);
  return g_test_run ();
}
