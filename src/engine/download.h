/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/message.h"

G_BEGIN_DECLS

typedef enum
{
  P2PS_DOWNLOAD_QUEUED,    /* waits for a free place */
  P2PS_DOWNLOAD_SEARCHING, /* no source is known: the network is being asked */
  P2PS_DOWNLOAD_CONNECTING,
  P2PS_DOWNLOAD_DOWNLOADING,
  P2PS_DOWNLOAD_VERIFYING, /* all bytes are here */
  P2PS_DOWNLOAD_WAITING,   /* every source failed for now, or the disk is full: reason says which */
  P2PS_DOWNLOAD_PAUSED,
  P2PS_DOWNLOAD_DONE,
  P2PS_DOWNLOAD_FAILED, /* it needs a person: reason says why */
  P2PS_DOWNLOAD_CANCELLED
} P2psDownloadState;

#define P2PS_TYPE_DOWNLOAD_STATE (p2ps_download_state_get_type ())
GType p2ps_download_state_get_type (void);
const char *p2ps_download_state_to_nick (P2psDownloadState state);

/* One download, which is also its row in a list. Made by P2psDownloads only.
 * Read-only properties, notified at most a few times a second:
 *   "filehash", "filename" (string), "size" (int64, -1 = unknown), "received" (int64, verified or
 *   not), "speed" (double, bytes a second over the last seconds), "progress" (double 0..1),
 *   "state" (P2psDownloadState), "reason" (string or NULL), "path" (string, file system encoding,
 *   when done), "seconds-left" (int64, -1 = unknown), "sources" (GListModel of P2psDownloadSource),
 *   "added" and "finished" (int64, Unix seconds). */
#define P2PS_TYPE_DOWNLOAD (p2ps_download_get_type ())
G_DECLARE_FINAL_TYPE (P2psDownload, p2ps_download, P2PS, DOWNLOAD, GObject)

const char *p2ps_download_get_filehash (P2psDownload *download);
const char *p2ps_download_get_filename (P2psDownload *download);
gint64 p2ps_download_get_size (P2psDownload *download);
gint64 p2ps_download_get_received (P2psDownload *download);
double p2ps_download_get_speed (P2psDownload *download);
double p2ps_download_get_average_speed (P2psDownload *download);
P2psDownloadState p2ps_download_get_state (P2psDownload *download);
const char *p2ps_download_get_reason (P2psDownload *download);
const char *p2ps_download_get_path (P2psDownload *download);
gint64 p2ps_download_get_added (P2psDownload *download);
gint64 p2ps_download_get_finished (P2psDownload *download);
GListModel *p2ps_download_get_sources (P2psDownload *download);
gboolean p2ps_download_is_over (P2psDownload *download); /* done, failed or cancelled */

void p2ps_download_pause (P2psDownload *download);
void p2ps_download_resume (P2psDownload *download); /* also retries a failed one */
void p2ps_download_cancel (P2psDownload *download); /* removes the part file */
void p2ps_download_add_source (P2psDownload *download, const P2psHit *hit);

/* A peer that has the file. Properties "address" (string), "state" (string), "bytes" (int64). */
#define P2PS_TYPE_DOWNLOAD_SOURCE (p2ps_download_source_get_type ())
G_DECLARE_FINAL_TYPE (P2psDownloadSource, p2ps_download_source, P2PS, DOWNLOAD_SOURCE, GObject)
const P2psAddress *p2ps_download_source_get_address (P2psDownloadSource *source);
const char *p2ps_download_source_get_state (P2psDownloadSource *source);
gint64 p2ps_download_source_get_bytes (P2psDownloadSource *source);

G_END_DECLS
