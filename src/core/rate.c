/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Bytes per second. Owns nothing; whoever owns the rate sees to the threads. In any 10 seconds at
 * most what the rate allows in 11 of them passes. */

#define G_LOG_DOMAIN "p2ps-rate"

#include "core/rate.h"

#define SLICES_PER_SECOND 20
#define LEAST_SLICE 1024
#define MOST_SLICE (1024 * 1024)

/** p2ps_rate_set: @bytes_per_second: from @now on; turns that were reserved before are void */
void
p2ps_rate_set (P2psRate *rate, gint64 now, guint64 bytes_per_second)
{
  rate->bytes_per_second = bytes_per_second;
  rate->next = now;
}

/** p2ps_rate_get_slice: Returns: bytes, how much to reserve at a time: little enough for an even
 * flow and fair turns, enough for few wake-ups */
gsize
p2ps_rate_get_slice (const P2psRate *rate)
{
  return CLAMP (rate->bytes_per_second / SLICES_PER_SECOND, LEAST_SLICE, MOST_SLICE);
}

/**
 * p2ps_rate_reserve:
 * @bytes: at most a few MiB
 *
 * Takes the next turn, which must be used: later is fine, too.
 *
 * Returns: from when on the bytes may pass: 0 = at once, %P2PS_NEVER = not before the rate changes
 *   (then nothing is reserved)
 */
gint64
p2ps_rate_reserve (P2psRate *rate, gint64 now, gsize bytes)
{
  gint64 turn = MAX (rate->next, now - P2PS_RATE_BURST);

  if (rate->bytes_per_second == P2PS_RATE_NONE)
    return 0;
  if (rate->bytes_per_second == 0)
    return P2PS_NEVER;
  rate->next = turn + (gint64)(bytes * (guint64)P2PS_SECOND / rate->bytes_per_second);
  return turn <= now ? 0 : turn;
}
