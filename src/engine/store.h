/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/types.h"

G_BEGIN_DECLS

/* The node's database (SQLite): the only place with SQL. Its work is done on threads of its own;
 * calls come back on the caller's main context, in the order in which they were made. The file is
 * opened by the first call, so that making a store costs nothing. A damaged database is kept aside
 * as NAME.damaged-TIME, a new one is made, and "notice" says so.
 *
 * Property "notice" (string or NULL, read-only). Signal "rebuilt": the database was damaged, and
 * the one that is there now is empty but for what could be saved (downloads, values, peers).
 *
 * Files of the library are in store-files.h; here is what the rest of the engine keeps. */
#define P2PS_TYPE_STORE (p2ps_store_get_type ())
G_DECLARE_FINAL_TYPE (P2psStore, p2ps_store, P2PS, STORE, GObject)

P2psStore *p2ps_store_new (const char *path);
const char *p2ps_store_get_notice (P2psStore *store);
void p2ps_store_close (P2psStore *store);

/* One queued or finished download. Plain data; `state` is a P2psDownloadState. */
typedef struct
{
  char filehash[P2PS_HASH_SIZE]; /* the key */
  char *filename;                /* as the hit named it, made safe for display */
  gint64 size;                   /* -1 = not known yet */
  char *folder;                  /* where it goes, file system encoding */
  char *path;                    /* of the finished file, or NULL */
  int state;
  char *reason;       /* why it failed or waits, or NULL */
  gint64 added;       /* Unix time, microseconds */
  gint64 finished;    /* Unix time, microseconds, 0 = not */
  GPtrArray *sources; /* of P2psHit: holder and the name that it serves the file under */
} P2psDownloadRecord;

P2psDownloadRecord *p2ps_download_record_new (const char *filehash);
P2psDownloadRecord *p2ps_download_record_copy (const P2psDownloadRecord *record);
void p2ps_download_record_free (P2psDownloadRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psDownloadRecord, p2ps_download_record_free)

void p2ps_store_save_download_async (P2psStore *store, const P2psDownloadRecord *record,
                                     GAsyncReadyCallback callback, gpointer user_data);
gboolean p2ps_store_save_download_finish (P2psStore *store, GAsyncResult *result, GError **error);
void p2ps_store_remove_download_async (P2psStore *store, const char *filehash,
                                       GAsyncReadyCallback callback, gpointer user_data);
gboolean p2ps_store_remove_download_finish (P2psStore *store, GAsyncResult *result, GError **error);
void p2ps_store_list_downloads_async (P2psStore *store, GAsyncReadyCallback callback,
                                      gpointer user_data);
GPtrArray *
p2ps_store_list_downloads_finish (P2psStore *store, GAsyncResult *result, GError **error);

/* Peers that answered lately, most recent first: where to begin after a restart. */
void p2ps_store_save_peers (P2psStore *store, GArray *addresses);
void p2ps_store_list_peers_async (P2psStore *store, guint limit, GAsyncReadyCallback callback,
                                  gpointer user_data);
GArray *p2ps_store_list_peers_finish (P2psStore *store, GAsyncResult *result, GError **error);

/* Small values by name: the identity ("id") and whatever else is one line. */
void p2ps_store_set_value (P2psStore *store, const char *key, const char *value);
void p2ps_store_get_value_async (P2psStore *store, const char *key, GAsyncReadyCallback callback,
                                 gpointer user_data);
char *p2ps_store_get_value_finish (P2psStore *store, GAsyncResult *result, GError **error);

G_END_DECLS
