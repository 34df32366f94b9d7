/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/planner.h"
#include "engine/downloads.h"
#include "engine/fetch.h"
#include "engine/keyed-list.h"

G_BEGIN_DECLS

/* Inside of downloads only: download.c moves one from state to state, download-row.c is what people
 * see of it, downloads.c is the queue. */

#define P2PS_SPEED_SAMPLES 20 /* ticks of 200 ms: the last four seconds */

struct _P2psDownload
{
  GObject parent_instance;
  P2psDownloads *queue;      /* NULL once it was removed */
  P2psDownloads *left_queue; /* ... and still has to do with the disk: a reference */
  char filehash[P2PS_HASH_SIZE];
  char *filename;
  char *folder;
  char *path;
  char *reason;
  gint64 size;      /* for display: told or what a source said, -1 = unknown */
  gint64 told_size; /* by the search result or the link, -1 = nobody */
  gint64 received;
  gint64 added, finished; /* Unix time, microseconds */
  P2psDownloadState state;
  P2psKeyedList *sources;

  P2psPlanner *planner;
  P2psFetch *fetch;
  P2psDownloadSource *asked; /* by `fetch`, NULL = it looks at the disk only */
  P2psPartFile *part;
  gboolean looked;      /* at what is on the disk */
  gboolean alone;       /* parts of several sources did not fit: all from one */
  gboolean discard;     /* the part file, when the fetch ends */
  gboolean removing;    /* the part file, in a worker */
  gint64 blocked_until; /* by the disk */
  gint64 next_search;

  gint64 network_bytes; /* of `fetch`, as of the last tick */
  struct
  {
    gint64 time, bytes;
  } samples[P2PS_SPEED_SAMPLES];
  guint n_samples;
  double speed;
  gint64 transfer_bytes, transfer_time, transfer_start;
};

/* download-row.c */
gboolean p2ps_download_is_at_work (P2psDownloadState state);
void p2ps_download_set_state (P2psDownload *download, P2psDownloadState state, const char *reason);
void p2ps_download_set_reason (P2psDownload *download, const char *reason);
void p2ps_download_set_size (P2psDownload *download, gint64 size);
void p2ps_download_set_received (P2psDownload *download, gint64 received);
void p2ps_download_set_speed (P2psDownload *download, double speed);
void p2ps_download_set_filename (P2psDownload *download, const char *filename);
void p2ps_download_set_finished (P2psDownload *download, char *path, gint64 time);

P2psDownload *p2ps_download_new (P2psDownloads *queue, const char *filehash);
void p2ps_download_init_new (P2psDownload *download, const char *filename, gint64 size,
                             const char *folder);
void p2ps_download_init_from_record (P2psDownload *download, const P2psDownloadRecord *record);
P2psDownloadRecord *p2ps_download_make_record (P2psDownload *download);

/* download.c

 * Does what can be done now; `may_run`: there is a free place. Returns when to ask again. */
gint64 p2ps_download_poll (P2psDownload *download, gint64 now, gboolean may_run);
gboolean p2ps_download_is_running (P2psDownload *download);
void p2ps_download_tick (P2psDownload *download, gint64 now, gint64 stall_time);
void p2ps_download_peer_is_back (P2psDownload *download, const P2psAddress *peer);
void p2ps_download_look_again (P2psDownload *download);
void p2ps_download_close_part (P2psDownload *download);
void p2ps_download_detach (P2psDownload *download, gboolean remove_part);
void p2ps_download_stop (P2psDownload *download);
void p2ps_download_wait_stopped (P2psDownload *download, gint64 end_time);

/* downloads.c: what a download tells its queue */
void p2ps_downloads_kick (P2psDownloads *downloads);
void p2ps_downloads_save (P2psDownloads *downloads, P2psDownload *download);
void p2ps_downloads_want_sources (P2psDownloads *downloads, P2psDownload *download);
void p2ps_downloads_report_source (P2psDownloads *downloads, const P2psAddress *peer,
                                   const char *reason, gboolean misbehaved);
void
p2ps_downloads_report_finished (P2psDownloads *downloads, P2psDownload *download, gboolean fetched);
void p2ps_downloads_has_left (P2psDownloads *downloads, const char *filehash);
gboolean p2ps_downloads_is_leaving (P2psDownloads *downloads, const char *filehash);
void p2ps_downloads_count_bytes (P2psDownloads *downloads, gint64 bytes);
void p2ps_downloads_keeps_part (P2psDownloads *downloads, P2psDownload *download);
gint64 p2ps_downloads_get_disk_retry_time (P2psDownloads *downloads);
P2psThrottle *p2ps_downloads_get_throttle (P2psDownloads *downloads);
guint64 p2ps_downloads_next_seed (P2psDownloads *downloads);

/* download-source.c */
P2psDownloadSource *p2ps_download_source_new (const P2psHit *hit);
const P2psHit *p2ps_download_source_get_hit (P2psDownloadSource *source);
void p2ps_download_source_set_hit (P2psDownloadSource *source, const P2psHit *hit);
void p2ps_download_source_set_state (P2psDownloadSource *source, const char *state);
void p2ps_download_source_add_bytes (P2psDownloadSource *source, gint64 bytes);
void p2ps_download_source_set_etag_is_hash (P2psDownloadSource *source, gboolean is_hash);
gboolean p2ps_download_source_get_etag_is_hash (P2psDownloadSource *source);
void p2ps_download_source_set_other_size (P2psDownloadSource *source, gboolean other_size);
gboolean p2ps_download_source_get_other_size (P2psDownloadSource *source);

G_END_DECLS
