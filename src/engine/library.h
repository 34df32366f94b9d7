/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/message.h"
#include "engine/shared-file.h"
#include "engine/store.h"

G_BEGIN_DECLS

/* The shared folders: what is in them, known by SHA-256, searched by name. A sweep every 30 s only
 * stats; inotify makes new files show up sooner; workers hash, one per core. Lives on the owner
 * context; never waits on a disk there. */
#define P2PS_TYPE_LIBRARY (p2ps_library_get_type ())
G_DECLARE_FINAL_TYPE (P2psLibrary, p2ps_library, P2PS, LIBRARY, GObject)

/* Properties, all read-only and notified at most a few times a second:
 *   "files" (int64), "bytes" (int64), "scanning" (boolean: a sweep, or files to hash), "scans"
 *   (uint64, finished sweeps), "last-scan-seconds" (double, how long the last sweep took),
 *   "to-hash" (int64, files waiting), "hashed" (uint64, files hashed since the start), "skipped"
 *   (int64), "notice" (string or NULL: what a person should know, e.g. a folder that is missing).
 * Read and write, for tests and slow machines: "sweep-interval" and "settle" (uint, milliseconds:
 *   how long a file must be left alone before it is hashed), "max-watches" (uint, 0 = only sweep).
 *
 * Signal "changed": the index has other files than before. */

P2psLibrary *p2ps_library_new (P2psStore *store);
void p2ps_library_set_folders (P2psLibrary *library, GPtrArray *folders, gboolean hidden,
                               gboolean links);
void p2ps_library_rescan (P2psLibrary *library);
void p2ps_library_set_paused (P2psLibrary *library, gboolean paused);
void p2ps_library_stop (P2psLibrary *library);

gint64 p2ps_library_get_files (P2psLibrary *library);
gint64 p2ps_library_get_bytes (P2psLibrary *library);
gboolean p2ps_library_get_scanning (P2psLibrary *library);
guint64 p2ps_library_get_scans (P2psLibrary *library);
double p2ps_library_get_last_scan_seconds (P2psLibrary *library);

/* One entry: same content twice is one entry with two paths. */
typedef struct
{
  char filehash[P2PS_HASH_SIZE];
  char root[P2PS_HASH_SIZE]; /* of the block tree; "" = not known yet, or no content */
  gint64 size;
  gint64 mtime_ns;
  char *name;       /* of the path that matched, as it is offered */
  GPtrArray *paths; /* of char*: absolute, file system encoding */
} P2psLibraryFile;

void p2ps_library_file_free (P2psLibraryFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psLibraryFile, p2ps_library_file_free)

/* A query as it came over the wire -> GPtrArray of P2psLibraryFile, best match first. */
void p2ps_library_lookup_async (P2psLibrary *library, const P2psQuery *query, guint limit,
                                GCancellable *cancellable, GAsyncReadyCallback callback,
                                gpointer user_data);
GPtrArray *p2ps_library_lookup_finish (P2psLibrary *library, GAsyncResult *result, GError **error);

/* Opens what is offered under `name`, or the content `filehash`: exactly one of them is given. */
void p2ps_library_open_async (P2psLibrary *library, const char *name, const char *filehash,
                              GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data);
P2psSharedFile *
p2ps_library_open_finish (P2psLibrary *library, GAsyncResult *result, GError **error);

/* The chunk layer of the block tree with this root (hex) -> GBytes. */
void p2ps_library_layer_async (P2psLibrary *library, const char *root, GAsyncReadyCallback callback,
                               gpointer user_data);
GBytes *p2ps_library_layer_finish (P2psLibrary *library, GAsyncResult *result, GError **error);

/* Which of these hashes (GStrv) are here: -> GHashTable used as a set of char*. */
void p2ps_library_have_async (P2psLibrary *library, const char *const *hashes,
                              GAsyncReadyCallback callback, gpointer user_data);
GHashTable *p2ps_library_have_finish (P2psLibrary *library, GAsyncResult *result, GError **error);

/* A page of all files ordered by name, from `offset` -> GPtrArray of P2psLibraryFile. */
void p2ps_library_list_async (P2psLibrary *library, guint offset, guint limit,
                              GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *p2ps_library_list_finish (P2psLibrary *library, GAsyncResult *result, GError **error);

/* What was left out and why -> GPtrArray of P2psSkipped, at most `limit`. */
typedef struct
{
  char *path;   /* valid UTF-8, for display */
  char *reason; /* "Permission denied" */
} P2psSkipped;
void p2ps_skipped_free (P2psSkipped *skipped);
void p2ps_library_list_skipped_async (P2psLibrary *library, guint limit,
                                      GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *
p2ps_library_list_skipped_finish (P2psLibrary *library, GAsyncResult *result, GError **error);

G_END_DECLS
