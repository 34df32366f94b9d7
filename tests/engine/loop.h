/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>
#include <time.h>

/* The main loop as tests see it: waiting with a bound, and how long its iterations keep it busy.
 * Two clocks: the wall's, without the time that an iteration waits in poll(), which is what a user
 * feels; and the thread's own CPU time, which other programs on the machine don't change. */

static gint64 loop_polling;
static GArray *loop_wall; /* of gint64, microseconds of each iteration */
static GArray *loop_cpu;

static inline int
loop_poll (GPollFD *fds, guint n, int timeout)
{
  gint64 start = g_get_monotonic_time ();
  int result = g_poll (fds, n, timeout);

  loop_polling += g_get_monotonic_time () - start;
  return result;
}

static inline gint64
loop_get_cpu_time (void)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
}

/* One iteration of the default context, measured. */
static inline void
loop_iterate (gboolean may_block)
{
  gint64 wall = g_get_monotonic_time (), cpu = loop_get_cpu_time ();

  loop_polling = 0;
  g_main_context_iteration (NULL, may_block);
  cpu = loop_get_cpu_time () - cpu;
  wall = g_get_monotonic_time () - wall - loop_polling;
  g_array_append_val (loop_cpu, cpu);
  g_array_append_val (loop_wall, wall);
}

static inline void
loop_start_measuring (void)
{
  if (!loop_wall)
    {
      loop_wall = g_array_new (FALSE, FALSE, sizeof (gint64));
      loop_cpu = g_array_new (FALSE, FALSE, sizeof (gint64));
      g_main_context_set_poll_func (NULL, loop_poll);
    }
  g_array_set_size (loop_wall, 0);
  g_array_set_size (loop_cpu, 0);
}

static inline int
loop_compare (gconstpointer a, gconstpointer b)
{
  gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;

  return (x > y) - (x < y);
}

/* Microseconds that `percent` of the iterations since loop_start_measuring() did not exceed;
 * `times` is loop_wall or loop_cpu. */
static inline gint64
loop_get_percentile (GArray *times, double percent)
{
  g_array_sort (times, loop_compare);
  guint i = (guint)(times->len * percent / 100);

  return times->len ? g_array_index (times, gint64, MIN (i, times->len - 1)) : 0;
}

static inline gboolean
loop_timeout_cb (gpointer data)
{
  g_error ("waited too long for: %s", (const char *)data);
  return G_SOURCE_REMOVE;
}

/* Runs the loop until the condition holds; a test that waits for 20 s has failed. */
#define LOOP_WAIT_FOR(condition)                                                       \
  G_STMT_START                                                                         \
  {                                                                                    \
    guint guard_ = g_timeout_add_seconds (20, loop_timeout_cb, (gpointer) #condition); \
    while (!(condition))                                                               \
      loop_iterate (TRUE);                                                             \
    g_source_remove (guard_);                                                          \
  }                                                                                    \
  G_STMT_END

static inline void
loop_empty (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    continue;
}
