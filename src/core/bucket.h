/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

#include "core/limits.h"

/* Rates. A bucket allows @burst at once and then one each @interval. It is one number (the time at
 * which it will be full again), so that it can sit in every peer. */
typedef struct
{
  gint64 full;
} P2psBucket;

/* From when on the next one is allowed. */
static inline gint64
p2ps_bucket_get_ready (const P2psBucket *bucket, gint64 interval, guint burst)
{
  return bucket->full - (gint64)(burst - 1) * interval;
}

static inline gboolean
p2ps_bucket_take (P2psBucket *bucket, gint64 now, gint64 interval, guint burst)
{
  if (p2ps_bucket_get_ready (bucket, interval, burst) > now)
    return FALSE;
  bucket->full = MAX (bucket->full, now) + interval;

  return TRUE;
}

/* What was asked for in vain counts as well, up to @debt of it: who goes on above the rate gets
 * nothing, not the rate. */
static inline void
p2ps_bucket_owe (P2psBucket *bucket, gint64 now, gint64 interval, guint burst, guint debt)
{
  bucket->full = MIN (bucket->full + interval, now + (gint64)(burst + debt) * interval);
}

/* One bucket for each of many names that strangers choose (bucket.c). At most @max of them: the
 * oldest goes first. */
typedef struct _P2psBuckets P2psBuckets;

P2psBuckets *p2ps_buckets_new (guint max);
void p2ps_buckets_free (P2psBuckets *buckets);
P2psBucket *p2ps_buckets_get (P2psBuckets *buckets, const char *name);
