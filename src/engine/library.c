/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The library as the rest of the engine sees it: a GObject on the owner's context. It holds the
 * settings and the figures; the work is done by the scanner's threads (scanner.c) and the store.
 * Questions about files are in library-search.c. */

#define G_LOG_DOMAIN "p2ps-library"

#include "engine/library-private.h"

#define TELL_INTERVAL_MS 200 /* between two notifications */

enum
{
  PROP_0,
  PROP_FILES,
  PROP_BYTES,
  PROP_SCANNING,
  PROP_SCANS,
  PROP_LAST_SCAN_SECONDS,
  PROP_TO_HASH,
  PROP_HASHED,
  PROP_SKIPPED,
  PROP_NOTICE,
  PROP_SWEEP_INTERVAL,
  PROP_SETTLE,
  PROP_MAX_WATCHES,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];
static guint changed_signal;

G_DEFINE_FINAL_TYPE (P2psLibrary, p2ps_library, G_TYPE_OBJECT)

/* What the scanner's threads hold of a library that may be gone. */
typedef struct
{
  gatomicrefcount refs;
  GWeakRef library;
  GMainContext *context;
  int scheduled; /* atomic: a notification is on its way */
} Link;

static void
link_unref (gpointer data)
{
  Link *link = data;

  if (!g_atomic_ref_count_dec (&link->refs))
    return;
  g_weak_ref_clear (&link->library);
  g_main_context_unref (link->context);
  g_free (link);
}

/* --- telling --- */

static void
notify_if (P2psLibrary *self, gboolean differs, int property)
{
  if (differs)
    g_object_notify_by_pspec (G_OBJECT (self), properties[property]);
}

static void
take_status (P2psLibrary *self)
{
  P2psScannerStatus old = self->status;
  P2psScannerStatus now;

  if (self->scanner == NULL)
    return;
  p2ps_scanner_get_status (self->scanner, &now);
  self->status = now;
  g_object_freeze_notify (G_OBJECT (self));
  notify_if (self, now.files != old.files, PROP_FILES);
  notify_if (self, now.bytes != old.bytes, PROP_BYTES);
  notify_if (self, now.scanning != old.scanning, PROP_SCANNING);
  notify_if (self, now.scans != old.scans, PROP_SCANS);
  notify_if (self, now.last_scan_seconds != old.last_scan_seconds, PROP_LAST_SCAN_SECONDS);
  notify_if (self, now.to_hash != old.to_hash, PROP_TO_HASH);
  notify_if (self, now.hashed != old.hashed, PROP_HASHED);
  notify_if (self, now.skipped != old.skipped, PROP_SKIPPED);
  notify_if (self, g_strcmp0 (now.notice, old.notice) != 0, PROP_NOTICE);
  g_object_thaw_notify (G_OBJECT (self));
  g_free (old.notice);
  if (now.changes != old.changes)
    g_signal_emit (self, changed_signal, 0);
}

static gboolean
told_cb (gpointer user_data)
{
  Link *link = user_data;
  g_autoptr (P2psLibrary) self = g_weak_ref_get (&link->library);

  g_atomic_int_set (&link->scheduled, FALSE);
  if (self != NULL)
    take_status (self);
  return G_SOURCE_REMOVE;
}

/* On any thread. A burst of changes is told together. */
static void
status_changed_cb (gpointer user_data)
{
  Link *link = user_data;
  g_autoptr (GSource) source = NULL;

  if (!g_atomic_int_compare_and_exchange (&link->scheduled, FALSE, TRUE))
    return;
  g_atomic_ref_count_inc (&link->refs);
  source = g_timeout_source_new (TELL_INTERVAL_MS);
  g_source_set_callback (source, told_cb, link, link_unref);
  g_source_attach (source, link->context);
}

static void
store_rebuilt_cb (P2psStore *store, P2psLibrary *self)
{
  p2ps_library_rescan (self);
}

/* --- settings --- */

/* `folders` of char*, absolute, file system encoding; they take the place of the ones before. What
 * is no longer shared is not offered from now on, but remembered for a week. */
void
p2ps_library_set_folders (P2psLibrary *library, GPtrArray *folders, gboolean hidden, gboolean links)
{
  g_autoptr (P2psShares) shares = p2ps_shares_new (folders, hidden, links);

  if (library->scanner == NULL
      || (library->shares != NULL && p2ps_shares_equal (library->shares, shares)))
    return;
  g_clear_pointer (&library->shares, p2ps_shares_unref);
  library->shares = p2ps_shares_ref (shares);
  p2ps_scanner_set_shares (library->scanner, shares);
  take_status (library);
}

/* Sweeps now instead of waiting for the next time. */
void
p2ps_library_rescan (P2psLibrary *library)
{
  if (library->scanner == NULL)
    return;
  p2ps_scanner_sweep (library->scanner);
  take_status (library);
}

/* While paused nothing is hashed; what is known is still offered. */
void
p2ps_library_set_paused (P2psLibrary *library, gboolean paused)
{
  if (library->scanner != NULL)
    p2ps_scanner_set_paused (library->scanner, paused);
}

/* Ends the threads and waits a little for them; after this nothing is found or opened. */
void
p2ps_library_stop (P2psLibrary *library)
{
  g_clear_pointer (&library->scanner, p2ps_scanner_stop);
  g_clear_pointer (&library->shares, p2ps_shares_unref);
}

gint64
p2ps_library_get_files (P2psLibrary *library)
{
  return library->status.files;
}

gint64
p2ps_library_get_bytes (P2psLibrary *library)
{
  return library->status.bytes;
}

gboolean
p2ps_library_get_scanning (P2psLibrary *library)
{
  return library->status.scanning;
}

guint64
p2ps_library_get_scans (P2psLibrary *library)
{
  return library->status.scans;
}

double
p2ps_library_get_last_scan_seconds (P2psLibrary *library)
{
  return library->status.last_scan_seconds;
}

/* --- the object --- */

static void
p2ps_library_dispose (GObject *object)
{
  P2psLibrary *self = P2PS_LIBRARY (object);

  p2ps_library_stop (self);
  g_clear_object (&self->store);
  G_OBJECT_CLASS (p2ps_library_parent_class)->dispose (object);
}

static void
p2ps_library_finalize (GObject *object)
{
  P2psLibrary *self = P2PS_LIBRARY (object);

  g_free (self->status.notice);
  G_OBJECT_CLASS (p2ps_library_parent_class)->finalize (object);
}

static void
p2ps_library_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  P2psLibrary *self = P2PS_LIBRARY (object);

  switch (id)
    {
    case PROP_FILES:
      g_value_set_int64 (value, self->status.files);
      break;
    case PROP_BYTES:
      g_value_set_int64 (value, self->status.bytes);
      break;
    case PROP_SCANNING:
      g_value_set_boolean (value, self->status.scanning);
      break;
    case PROP_SCANS:
      g_value_set_uint64 (value, self->status.scans);
      break;
    case PROP_LAST_SCAN_SECONDS:
      g_value_set_double (value, self->status.last_scan_seconds);
      break;
    case PROP_TO_HASH:
      g_value_set_int64 (value, self->status.to_hash);
      break;
    case PROP_HASHED:
      g_value_set_uint64 (value, self->status.hashed);
      break;
    case PROP_SKIPPED:
      g_value_set_int64 (value, self->status.skipped);
      break;
    case PROP_NOTICE:
      g_value_set_string (value, self->status.notice);
      break;
    case PROP_SWEEP_INTERVAL:
      g_value_set_uint (value, self->timing.sweep_interval_ms);
      break;
    case PROP_SETTLE:
      g_value_set_uint (value, self->timing.settle_ms);
      break;
    case PROP_MAX_WATCHES:
      g_value_set_uint (value, self->timing.max_watches);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
set_timing (P2psLibrary *self, guint *place, guint value, GParamSpec *pspec)
{
  if (*place == value)
    return;
  *place = value;
  if (self->scanner != NULL)
    p2ps_scanner_set_timing (self->scanner, &self->timing);
  g_object_notify_by_pspec (G_OBJECT (self), pspec);
}

static void
p2ps_library_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  P2psLibrary *self = P2PS_LIBRARY (object);

  switch (id)
    {
    case PROP_SWEEP_INTERVAL:
      set_timing (self, &self->timing.sweep_interval_ms, g_value_get_uint (value), pspec);
      break;
    case PROP_SETTLE:
      set_timing (self, &self->timing.settle_ms, g_value_get_uint (value), pspec);
      break;
    case PROP_MAX_WATCHES:
      set_timing (self, &self->timing.max_watches, g_value_get_uint (value), pspec);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
install_figures (void)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  properties[PROP_FILES] = g_param_spec_int64 ("files", NULL, NULL, 0, G_MAXINT64, 0, flags);
  properties[PROP_BYTES] = g_param_spec_int64 ("bytes", NULL, NULL, 0, G_MAXINT64, 0, flags);
  properties[PROP_SCANNING] = g_param_spec_boolean ("scanning", NULL, NULL, FALSE, flags);
  properties[PROP_SCANS] = g_param_spec_uint64 ("scans", NULL, NULL, 0, G_MAXUINT64, 0, flags);
  properties[PROP_LAST_SCAN_SECONDS]
      = g_param_spec_double ("last-scan-seconds", NULL, NULL, 0, G_MAXDOUBLE, 0, flags);
  properties[PROP_TO_HASH] = g_param_spec_int64 ("to-hash", NULL, NULL, 0, G_MAXINT64, 0, flags);
  properties[PROP_HASHED] = g_param_spec_uint64 ("hashed", NULL, NULL, 0, G_MAXUINT64, 0, flags);
  properties[PROP_SKIPPED] = g_param_spec_int64 ("skipped", NULL, NULL, 0, G_MAXINT64, 0, flags);
  properties[PROP_NOTICE] = g_param_spec_string ("notice", NULL, NULL, NULL, flags);
}

static void
install_settings (void)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  properties[PROP_SWEEP_INTERVAL]
      = g_param_spec_uint ("sweep-interval", NULL, NULL, 10, G_MAXINT, 30000, flags);
  properties[PROP_SETTLE] = g_param_spec_uint ("settle", NULL, NULL, 0, 60000, 1000, flags);
  properties[PROP_MAX_WATCHES]
      = g_param_spec_uint ("max-watches", NULL, NULL, 0, G_MAXINT, 65536, flags);
}

static void
p2ps_library_class_init (P2psLibraryClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = p2ps_library_dispose;
  object_class->finalize = p2ps_library_finalize;
  object_class->get_property = p2ps_library_get_property;
  object_class->set_property = p2ps_library_set_property;
  install_figures ();
  install_settings ();
  g_object_class_install_properties (object_class, N_PROPS, properties);
  changed_signal = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                 NULL, NULL, G_TYPE_NONE, 0);
}

static void
p2ps_library_init (P2psLibrary *self)
{
  self->timing
      = (P2psScannerTiming){ .sweep_interval_ms = 30000, .settle_ms = 1000, .max_watches = 65536 };
}

/* Nothing is read before p2ps_library_set_folders().
 *
 * Returns: (transfer full): a library for the calling thread's default context */
P2psLibrary *
p2ps_library_new (P2psStore *store)
{
  P2psLibrary *self = g_object_new (P2PS_TYPE_LIBRARY, NULL);
  Link *link = g_new0 (Link, 1);

  g_atomic_ref_count_init (&link->refs);
  g_weak_ref_init (&link->library, self);
  link->context = g_main_context_ref_thread_default ();
  self->store = g_object_ref (store);
  self->scanner = p2ps_scanner_new (store, &self->timing, status_changed_cb, link, link_unref);
  g_signal_connect_object (store, "rebuilt", G_CALLBACK (store_rebuilt_cb), self, 0);
  return self;
}
