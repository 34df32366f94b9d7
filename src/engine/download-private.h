/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/downloads.h"
#include "engine/keyed-list.h"

G_BEGIN_DECLS

/* Between a download and its queue. */

P2psDownload *p2ps_download_new (P2psDownloads *queue, const char *filehash);
void p2ps_download_init_new (P2psDownload *download, const char *filename, gint64 size,
                             const char *folder);
void p2ps_download_init_from_record (P2psDownload *download, const P2psDownloadRecord *record);
P2psDownloadRecord *p2ps_download_make_record (P2psDownload *download);

/* Does what can be done now; `may_run`: there is a free place. Returns when to ask again. */
gint64 p2ps_download_poll (P2psDownload *download, gint64 now, gboolean may_run);
gboolean p2ps_download_is_running (P2psDownload *download);
void p2ps_download_tick (P2psDownload *download, gint64 now, gint64 stall_time);
void p2ps_download_peer_is_back (P2psDownload *download, const P2psAddress *peer);
void p2ps_download_look_again (P2psDownload *download);
void p2ps_download_close_part (P2psDownload *download);
void p2ps_download_detach (P2psDownload *download, gboolean remove_part);
void p2ps_download_stop (P2psDownload *download);
void p2ps_download_wait_stopped (P2psDownload *download, gint64 end_time);

/* What a download tells its queue. */
void p2ps_downloads_kick (P2psDownloads *downloads);
void p2ps_downloads_save (P2psDownloads *downloads, P2psDownload *download);
void p2ps_downloads_want_sources (P2psDownloads *downloads, P2psDownload *download);
void p2ps_downloads_report_source (P2psDownloads *downloads, const P2psAddress *peer,
                                   const char *reason, gboolean misbehaved);
void
p2ps_downloads_report_finished (P2psDownloads *downloads, P2psDownload *download, gboolean fetched);
void p2ps_downloads_count_bytes (P2psDownloads *downloads, gint64 bytes);
void p2ps_downloads_keeps_part (P2psDownloads *downloads, P2psDownload *download);
guint64 p2ps_downloads_next_seed (P2psDownloads *downloads);

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
