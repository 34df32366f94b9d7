/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Totals since the start, as properties to bind to; brought up to date by the engine a few times a
 * second while somebody watches "notify". Read-only uint64 properties: "queries-originated",
 * "queries-received", "queries-duplicates", "queries-forwarded", "queries-answered",
 * "hits-received", "bytes-sent", "bytes-received", "uploads", "downloads", "failed", "refused";
 * plus "refused-by-reason" (GVariant a{st}). */
#define P2PS_TYPE_STATS (p2ps_stats_get_type ())
G_DECLARE_FINAL_TYPE (P2psStats, p2ps_stats, P2PS, STATS, GObject)

G_END_DECLS
