/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/shared-file.h"

G_BEGIN_DECLS

/* Sends parts of files to sockets from threads of its own, with sendfile(): the main loop never
 * waits for a disk or a slow reader, and a slow reader costs no thread. */
typedef struct _P2psUploader P2psUploader;

/* On the main context of the uploader. The socket is the caller's again; complete: everything was
 * handed to the kernel. */
typedef void (*P2psUploadDone) (gboolean complete, gpointer user_data);

P2psUploader *p2ps_uploader_new (GMainContext *context);
void p2ps_uploader_set_rates (P2psUploader *uploader, guint64 total, guint64 per_source);
void p2ps_uploader_add (P2psUploader *uploader, int fd, const char *source, GBytes *head,
                        P2psSharedFile *file, gint64 first, gint64 length, guint stall_ms,
                        P2psUploadDone done, gpointer user_data);
void p2ps_uploader_get_counters (P2psUploader *uploader, guint64 *bytes_sent, guint64 *uploads,
                                 guint *active);
void p2ps_uploader_stop (P2psUploader *uploader);
void p2ps_uploader_free (P2psUploader *uploader);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psUploader, p2ps_uploader_free)

G_END_DECLS
