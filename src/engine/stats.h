/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/node.h"

G_BEGIN_DECLS

/* Totals since the start, as properties to bind to; brought up to date by the engine once a second
 * while somebody watches "notify", and whenever a property is read. Read-only uint64 properties:
 * "queries-originated", "queries-received", "queries-duplicates", "queries-forwarded",
 * "queries-answered", "hits-received", "bytes-sent", "bytes-received", "uploads", "downloads",
 * "failed", "refused"; plus "refused-by-reason" (GVariant a{st}). */
#define P2PS_TYPE_STATS (p2ps_stats_get_type ())
G_DECLARE_FINAL_TYPE (P2psStats, p2ps_stats, P2PS, STATS, GObject)

typedef enum
{
  P2PS_STAT_QUERIES_ORIGINATED,
  P2PS_STAT_QUERIES_RECEIVED,
  P2PS_STAT_QUERIES_DUPLICATES,
  P2PS_STAT_QUERIES_FORWARDED,
  P2PS_STAT_QUERIES_ANSWERED,
  P2PS_STAT_HITS_RECEIVED,
  P2PS_STAT_BYTES_SENT,
  P2PS_STAT_BYTES_RECEIVED,
  P2PS_STAT_UPLOADS,
  P2PS_STAT_DOWNLOADS,
  P2PS_STAT_FAILED,
  P2PS_STAT_REFUSED,
  P2PS_N_STATS
} P2psStat;

/* Fills `totals` in (all but REFUSED) and adds to `refused` (char* -> guint64*) with
 * p2ps_stats_add_refused(). */
typedef void (*P2psStatsFunc) (guint64 totals[P2PS_N_STATS], GHashTable *refused, gpointer data);

P2psStats *p2ps_stats_new (P2psStatsFunc collect, gpointer data);
void p2ps_stats_refresh (P2psStats *stats);
gboolean p2ps_stats_is_watched (P2psStats *stats);
void p2ps_stats_disconnect (P2psStats *stats);
void p2ps_stats_count_refused (P2psStats *stats, const char *reason);
void p2ps_stats_add_refused (GHashTable *refused, const char *reason, guint64 count);

G_END_DECLS
