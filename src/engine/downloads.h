/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/download.h"
#include "engine/store.h"

G_BEGIN_DECLS

/* The queue of downloads: kept in the store, a few at a time, in order. It is a GListModel of
 * P2psDownload, oldest first.
 *
 * Signals:
 *   "need-sources" (P2psDownload): nobody is known who has it: search for its hash and call
 *       p2ps_download_add_source() with what comes.
 *   "misbehaved" (P2psAddress *peer, const char *reason): a source lied or broke the protocol.
 *   "finished" (P2psDownload). */
#define P2PS_TYPE_DOWNLOADS (p2ps_downloads_get_type ())
G_DECLARE_FINAL_TYPE (P2psDownloads, p2ps_downloads, P2PS, DOWNLOADS, GObject)

typedef struct
{
  guint64 bytes_received;
  guint64 downloads; /* finished and verified */
  guint64 failed;    /* attempts at one source that failed */
  guint active;
} P2psDownloadCounters;

P2psDownloads *p2ps_downloads_new (P2psStore *store);
void p2ps_downloads_set_folder (P2psDownloads *downloads, const char *folder);
void p2ps_downloads_set_max_active (P2psDownloads *downloads, guint max_active);
void p2ps_downloads_set_rate (P2psDownloads *downloads, guint64 bytes_per_second);
void p2ps_downloads_set_stall_time (P2psDownloads *downloads, gint64 microseconds);
void p2ps_downloads_set_disk_retry_time (P2psDownloads *downloads, gint64 microseconds);
void p2ps_downloads_load (P2psDownloads *downloads); /* the queue as it was; then it goes on */
void p2ps_downloads_stop (P2psDownloads *downloads); /* saves and lets workers end */
P2psDownload *
p2ps_downloads_add (P2psDownloads *downloads, const char *filehash, const char *filename,
                    gint64 size, const char *folder, GPtrArray *hits);
P2psDownload *p2ps_downloads_get (P2psDownloads *downloads, const char *filehash);
void p2ps_downloads_remove (P2psDownloads *downloads, P2psDownload *download);
void p2ps_downloads_clear_finished (P2psDownloads *downloads);
void p2ps_downloads_peer_is_back (P2psDownloads *downloads, const P2psAddress *peer);
void p2ps_downloads_flush (P2psDownloads *downloads);
void p2ps_downloads_get_counters (P2psDownloads *downloads, P2psDownloadCounters *counters);

G_END_DECLS
