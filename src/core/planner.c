/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Owns what one download knows of its sources: who failed, how, and when to ask again. Pure: no
 * clock, no entropy, no I/O; equal seeds and events give equal plans. It refuses to name a source
 * that lied, and to grow past MAX_SOURCES. */

#include "core/planner.h"

#include "core/limits.h"

#define MAX_SOURCES 256
#define FIRST_BACKOFF (4 * P2PS_SECOND)
#define LAST_BACKOFF (600 * P2PS_SECOND)
#define MAX_RETRY_AFTER (3600 * P2PS_SECOND)
#define GONE_BACKOFF (1800 * P2PS_SECOND)
#define FIRST_SEARCH_BACKOFF (30 * P2PS_SECOND)

typedef struct
{
  P2psAddress address;
  gint64 next_try;
  gint64 bytes;        /* in all */
  guint failures;      /* in a row, without a byte between them */
  gboolean progressed; /* since the last failure */
  gboolean gone;
  gboolean lied;
} Source;

struct _P2psPlanner
{
  GArray *sources; /* of Source, in the order in which they were named */
  guint64 random;
  guint searches; /* in a row that brought nobody new */
  gint64 next_search;
};

P2psPlanner *
p2ps_planner_new (guint64 seed)
{
  P2psPlanner *planner = g_new0 (P2psPlanner, 1);

  planner->sources = g_array_new (FALSE, TRUE, sizeof (Source));
  planner->random = seed;
  return planner;
}

void
p2ps_planner_free (P2psPlanner *planner)
{
  if (planner == NULL)
    return;
  g_array_unref (planner->sources);
  g_free (planner);
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static guint64
next_random (P2psPlanner *planner)
{
  guint64 z = planner->random += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);

  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* `delay` doubled `times` times, at most LAST_BACKOFF, then a quarter more or less, so that many
 * downloads that lost the same peer don't come back to it at once. */
static gint64
jittered_backoff (P2psPlanner *planner, gint64 delay, guint times)
{
  while (times-- > 0 && delay < LAST_BACKOFF)
    delay *= 2;
  delay = MIN (delay, LAST_BACKOFF);
  return delay * 3 / 4 + (gint64)(next_random (planner) % (guint64)(delay / 2 + 1));
}

static Source *
find_source (P2psPlanner *planner, const P2psAddress *address)
{
  for (guint i = 0; i < planner->sources->len; i++)
    {
      Source *source = &g_array_index (planner->sources, Source, i);
      if (p2ps_address_equal (&source->address, address))
        return source;
    }
  return NULL;
}

/**
 * p2ps_planner_add_source:
 *
 * Somebody says that `source` has the file, perhaps again: then it is asked again soon, unless it
 * lied before.
 */
void
p2ps_planner_add_source (P2psPlanner *planner, gint64 now, const P2psAddress *address)
{
  Source source = { .address = *address, .next_try = now };

  planner->searches = 0;
  if (find_source (planner, address) != NULL)
    p2ps_planner_source_is_back (planner, now, address);
  else if (planner->sources->len < MAX_SOURCES)
    g_array_append_val (planner->sources, source);
}

/**
 * p2ps_planner_source_is_back:
 *
 * A sign of life of `source`: it is asked now rather than at the end of its backoff. The backoff
 * itself is kept: a peer that is alive but fails every time is not asked at every heartbeat, but at
 * most once in FIRST_BACKOFF.
 */
void
p2ps_planner_source_is_back (P2psPlanner *planner, gint64 now, const P2psAddress *address)
{
  Source *source = find_source (planner, address);

  if (source == NULL || source->lied)
    return;
  source->gone = FALSE;
  if (source->failures <= 1)
    source->next_try = MIN (source->next_try, now);
  else
    source->next_try = MIN (source->next_try, now + FIRST_BACKOFF);
}

/**
 * p2ps_planner_retry_all:
 *
 * A person wants it now: every backoff is over, the search too. Liars stay out.
 */
void
p2ps_planner_retry_all (P2psPlanner *planner, gint64 now)
{
  for (guint i = 0; i < planner->sources->len; i++)
    {
      Source *source = &g_array_index (planner->sources, Source, i);
      source->next_try = now;
      source->failures = 0;
      source->gone = FALSE;
    }
  planner->searches = 0;
  planner->next_search = now;
}

/**
 * p2ps_planner_failed:
 * @retry_after: with %P2PS_ATTEMPT_BUSY, how long the source asks to be left alone, microseconds;
 *   0 = it didn't say
 */
void
p2ps_planner_failed (P2psPlanner *planner, gint64 now, const P2psAddress *address,
                     P2psAttempt attempt, gint64 retry_after)
{
  Source *source = find_source (planner, address);
  gint64 delay;

  if (source == NULL)
    return;
  if (source->progressed)
    source->failures = 0;
  source->progressed = FALSE;
  switch (attempt)
    {
    case P2PS_ATTEMPT_LIED:
      source->lied = TRUE;
      source->next_try = P2PS_NEVER;
      return;
    case P2PS_ATTEMPT_GONE:
      source->gone = TRUE;
      source->next_try = now + GONE_BACKOFF;
      return;
    case P2PS_ATTEMPT_BUSY:
      delay = CLAMP (retry_after, P2PS_SECOND, MAX_RETRY_AFTER);
      if (retry_after <= 0)
        delay = jittered_backoff (planner, FIRST_BACKOFF, source->failures++);
      source->next_try = now + delay;
      return;
    case P2PS_ATTEMPT_DEAD:
      break;
    }
  delay = jittered_backoff (planner, FIRST_BACKOFF, source->failures++);
  source->next_try = now + delay;
}

/**
 * p2ps_planner_progress:
 * @bytes: that arrived from `source` since the last call
 */
void
p2ps_planner_progress (P2psPlanner *planner, gint64 now, const P2psAddress *address, gint64 bytes)
{
  Source *source = find_source (planner, address);

  if (source == NULL || bytes <= 0)
    return;
  source->bytes += bytes;
  source->progressed = TRUE;
}

/* Whether `a` is the better one to ask: fewer failures, then more bytes so far. Equal ones keep the
 * order in which they were named. */
static gboolean
is_better (const Source *a, const Source *b)
{
  if (a->failures != b->failures)
    return a->failures < b->failures;
  return a->bytes > b->bytes;
}

/**
 * p2ps_planner_decide:
 * @offset: bytes that are here
 * @plan: (out): what to do now
 */
void
p2ps_planner_decide (P2psPlanner *planner, gint64 now, gint64 offset, P2psPlan *plan)
{
  const Source *best = NULL;
  gint64 soonest = P2PS_NEVER;
  gboolean usable = FALSE;

  for (guint i = 0; i < planner->sources->len; i++)
    {
      const Source *source = &g_array_index (planner->sources, Source, i);
      if (source->lied)
        continue;
      usable = usable || !source->gone;
      soonest = MIN (soonest, source->next_try);
      if (source->next_try <= now && (best == NULL || is_better (source, best)))
        best = source;
    }
  *plan = (P2psPlan){ .offset = offset, .length = -1, .deadline = P2PS_NEVER };
  if (best != NULL)
    {
      plan->action = P2PS_PLAN_FETCH;
      plan->source = best->address;
      return;
    }
  if (usable)
    {
      plan->action = P2PS_PLAN_WAIT;
      plan->deadline = soonest;
      return;
    }
  if (planner->next_search <= now)
    planner->next_search
        = now + jittered_backoff (planner, FIRST_SEARCH_BACKOFF, planner->searches++);
  plan->action = P2PS_PLAN_SEARCH;
  plan->deadline = MIN (planner->next_search, soonest);
}
