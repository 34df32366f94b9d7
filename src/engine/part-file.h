/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/types.h"

G_BEGIN_DECLS

/* Names that end so are never shared: they are downloads that are not verified. */
#define P2PS_PART_SUFFIX ".p2ps-part"

/* The file beside: where a download grows until its hash is right, named .HASH.p2ps-part in the
 * folder that the file is for. It is always a prefix of the file (as far as the sources told the
 * truth): its length is how much is here. Used by one thread at a time; every call may wait on the
 * disk. Errors: P2PS_ERROR_NO_SPACE, P2PS_ERROR_FOLDER, P2PS_ERROR_BUSY (another process has it).
 */
typedef struct _P2psPartFile P2psPartFile;

/* Called with the bytes that were read again so far. */
typedef void (*P2psPartProgress) (gint64 bytes, gpointer user_data);

P2psPartFile *p2ps_part_file_open (const char *folder, const char *filehash, gint64 size,
                                   P2psPartProgress progress, gpointer user_data,
                                   GCancellable *cancellable, GError **error);
void p2ps_part_file_free (P2psPartFile *part);
gint64 p2ps_part_file_get_length (P2psPartFile *part);
gboolean p2ps_part_file_reserve (P2psPartFile *part, gint64 size, GError **error);
gboolean p2ps_part_file_write (P2psPartFile *part, const void *data, gsize length, GError **error);
void p2ps_part_file_hash (P2psPartFile *part, const void *data, gsize length);
gboolean p2ps_part_file_verify (P2psPartFile *part);
char *p2ps_part_file_finish (P2psPartFile *part, const char *name, GCancellable *cancellable,
                             GError **error);
gboolean p2ps_part_file_restart (P2psPartFile *part, GError **error);

/* Who gave the bytes since the beginning: one source, or more than one (or an earlier process). */
void p2ps_part_file_mark_source (P2psPartFile *part, const P2psAddress *source);
gboolean p2ps_part_file_is_all_from (P2psPartFile *part, const P2psAddress *source);

void p2ps_part_file_remove (const char *folder, const char *filehash);
char *p2ps_part_file_find_finished (const char *folder, const char *name, const char *filehash,
                                    gint64 *size, GCancellable *cancellable);
char *p2ps_part_file_number_name (const char *name, guint number);
gint64 p2ps_folder_get_free_bytes (const char *folder);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psPartFile, p2ps_part_file_free)

G_END_DECLS
