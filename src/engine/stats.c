/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Totals of the node, the transfers and what was refused, gathered from the parts that count them.
 * Lives on the owner context. Counts by itself only what has no other counter: refusals of the peer
 * API, under a handful of fixed reasons. */

#include "engine/stats.h"

#define MAX_AGE (50 * 1000) /* microseconds: reading twelve properties gathers once */

struct _P2psStats
{
  GObject parent_instance;
  P2psStatsFunc collect;
  gpointer data;
  guint64 totals[P2PS_N_STATS];
  GVariant *refused;   /* a{st} */
  GHashTable *counted; /* by p2ps_stats_count_refused() */
  gint64 collected;
};

enum
{
  PROP_0,
  /* P2psStat + 1 */
  PROP_REFUSED_BY_REASON = P2PS_N_STATS + 1,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

static const char *const names[P2PS_N_STATS] = {
  [P2PS_STAT_QUERIES_ORIGINATED] = "queries-originated",
  [P2PS_STAT_QUERIES_RECEIVED] = "queries-received",
  [P2PS_STAT_QUERIES_DUPLICATES] = "queries-duplicates",
  [P2PS_STAT_QUERIES_FORWARDED] = "queries-forwarded",
  [P2PS_STAT_QUERIES_ANSWERED] = "queries-answered",
  [P2PS_STAT_HITS_RECEIVED] = "hits-received",
  [P2PS_STAT_BYTES_SENT] = "bytes-sent",
  [P2PS_STAT_BYTES_RECEIVED] = "bytes-received",
  [P2PS_STAT_UPLOADS] = "uploads",
  [P2PS_STAT_DOWNLOADS] = "downloads",
  [P2PS_STAT_FAILED] = "failed",
  [P2PS_STAT_REFUSED] = "refused",
};

G_DEFINE_FINAL_TYPE (P2psStats, p2ps_stats, G_TYPE_OBJECT)

static void
p2ps_stats_finalize (GObject *object)
{
  P2psStats *stats = P2PS_STATS (object);

  g_variant_unref (stats->refused);
  g_hash_table_unref (stats->counted);
  G_OBJECT_CLASS (p2ps_stats_parent_class)->finalize (object);
}

static void
p2ps_stats_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  P2psStats *stats = P2PS_STATS (object);

  if (g_get_monotonic_time () - stats->collected > MAX_AGE)
    p2ps_stats_refresh (stats);
  if (id == PROP_REFUSED_BY_REASON)
    g_value_set_variant (value, stats->refused);
  else if (id > PROP_0 && id <= P2PS_N_STATS)
    g_value_set_uint64 (value, stats->totals[id - 1]);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
p2ps_stats_class_init (P2psStatsClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->finalize = p2ps_stats_finalize;
  object_class->get_property = p2ps_stats_get_property;
  for (guint i = 0; i < P2PS_N_STATS; i++)
    props[i + 1] = g_param_spec_uint64 (names[i], NULL, NULL, 0, G_MAXUINT64, 0, flags);
  props[PROP_REFUSED_BY_REASON] = g_param_spec_variant ("refused-by-reason", NULL, NULL,
                                                        G_VARIANT_TYPE ("a{st}"), NULL, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
p2ps_stats_init (P2psStats *stats)
{
  stats->refused = g_variant_ref_sink (g_variant_new ("a{st}", NULL));
  stats->counted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

/* Caller owns it. */
P2psStats *
p2ps_stats_new (P2psStatsFunc collect, gpointer data)
{
  P2psStats *stats = g_object_new (P2PS_TYPE_STATS, NULL);

  stats->collect = collect;
  stats->data = data;
  return stats;
}

/* Adds to a reason's count. */
void
p2ps_stats_add_refused (GHashTable *refused, const char *reason, guint64 count)
{
  guint64 *old = g_hash_table_lookup (refused, reason);

  if (count == 0)
    return;
  if (old)
    *old += count;
  else
    g_hash_table_insert (refused, g_strdup (reason), g_memdup2 (&count, sizeof count));
}

/* One more refusal that nobody else counts. */
void
p2ps_stats_count_refused (P2psStats *stats, const char *reason)
{
  p2ps_stats_add_refused (stats->counted, reason, 1);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

/* In the order of the names, so that the same counts are the same value. */
static GVariant *
pack (GHashTable *refused, guint64 *sum)
{
  GVariantBuilder builder;
  guint n = 0;
  g_autofree gpointer *keys = g_hash_table_get_keys_as_array (refused, &n);

  *sum = 0;
  qsort (keys, n, sizeof *keys, compare_names);
  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{st}"));
  for (guint i = 0; i < n; i++)
    {
      const guint64 *count = g_hash_table_lookup (refused, keys[i]);
      g_variant_builder_add (&builder, "{st}", keys[i], *count);
      *sum += *count;
    }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

/* Gathers, and tells what changed. */
void
p2ps_stats_refresh (P2psStats *stats)
{
  guint64 totals[P2PS_N_STATS] = { 0 };
  g_autoptr (GHashTable) refused = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  GHashTableIter iter;
  gpointer reason, count;

  if (!stats->collect)
    return;
  stats->collected = g_get_monotonic_time ();
  stats->collect (totals, refused, stats->data);
  g_hash_table_iter_init (&iter, stats->counted);
  while (g_hash_table_iter_next (&iter, &reason, &count))
    p2ps_stats_add_refused (refused, reason, *(guint64 *)count);
  g_autoptr (GVariant) packed = pack (refused, &totals[P2PS_STAT_REFUSED]);

  g_object_freeze_notify (G_OBJECT (stats));
  for (guint i = 0; i < P2PS_N_STATS; i++)
    if (stats->totals[i] != totals[i])
      {
        stats->totals[i] = totals[i];
        g_object_notify_by_pspec (G_OBJECT (stats), props[i + 1]);
      }
  if (!g_variant_equal (stats->refused, packed))
    {
      g_variant_unref (stats->refused);
      stats->refused = g_steal_pointer (&packed);
      g_object_notify_by_pspec (G_OBJECT (stats), props[PROP_REFUSED_BY_REASON]);
    }
  g_object_thaw_notify (G_OBJECT (stats));
}

/* Whether somebody would hear of a change. */
gboolean
p2ps_stats_is_watched (P2psStats *stats)
{
  guint notify = g_signal_lookup ("notify", G_TYPE_OBJECT);

  return g_signal_handler_find (stats, G_SIGNAL_MATCH_ID, notify, 0, NULL, NULL, NULL) != 0;
}

/* For the end of what `collect` reads: the totals stay as they are. */
void
p2ps_stats_disconnect (P2psStats *stats)
{
  stats->collect = NULL;
}
