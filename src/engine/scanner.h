/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/shares.h"
#include "engine/store.h"

G_BEGIN_DECLS

/* The thread that keeps the index true: sweeps, watches, and hands files to the hasher. */
typedef struct _P2psScanner P2psScanner;

/* What is known right now. */
typedef struct
{
  gint64 files;
  gint64 bytes;
  gint64 to_hash;
  gint64 skipped;
  guint64 scans;
  guint64 hashed;  /* files hashed since the start */
  guint64 changes; /* grows whenever the index has other files than before */
  double last_scan_seconds;
  gboolean scanning; /* a sweep is due or under way, or files are being hashed */
  char *notice;      /* (transfer full) (nullable) */
} P2psScannerStatus;

typedef struct
{
  guint sweep_interval_ms;
  guint settle_ms;
  guint max_watches;
} P2psScannerTiming;

/* `changed` is called on any thread whenever the status is another one. */
P2psScanner *p2ps_scanner_new (P2psStore *store, const P2psScannerTiming *timing,
                               void (*changed) (gpointer user_data), gpointer user_data,
                               GDestroyNotify free_user_data);
void p2ps_scanner_set_shares (P2psScanner *scanner, P2psShares *shares);
void p2ps_scanner_set_timing (P2psScanner *scanner, const P2psScannerTiming *timing);
void p2ps_scanner_sweep (P2psScanner *scanner);
void p2ps_scanner_check (P2psScanner *scanner, const char *folder, const char *name);
void p2ps_scanner_set_paused (P2psScanner *scanner, gboolean paused);
void p2ps_scanner_get_status (P2psScanner *scanner, P2psScannerStatus *status);
GPtrArray *p2ps_scanner_list_skipped (P2psScanner *scanner, guint limit);
void p2ps_scanner_stop (P2psScanner *scanner);

G_END_DECLS
