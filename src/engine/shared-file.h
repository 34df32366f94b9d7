/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/types.h"

G_BEGIN_DECLS

/* One file of the library, opened for reading and known to be what the index says: size, mtime and
 * inode were compared on the open descriptor. Counted atomically: upload workers hold it too. */
typedef struct
{
  gatomicrefcount refs;
  int fd;     /* O_RDONLY | O_CLOEXEC; read with pread() or sendfile() and an offset only */
  char *name; /* as it is offered: valid UTF-8, one path segment */
  char filehash[P2PS_HASH_SIZE];
  gint64 size;
  gint64 mtime_ns;
  guint64 inode;
} P2psSharedFile;

P2psSharedFile *p2ps_shared_file_open (const char *folder, const char *relative, GError **error);
P2psSharedFile *p2ps_shared_file_open_full (const char *folder, const char *relative,
                                            gboolean follow_links, GError **error);
P2psSharedFile *p2ps_shared_file_open_at (int folder_fd, const char *relative,
                                          gboolean follow_links, GError **error);
P2psSharedFile *p2ps_shared_file_ref (P2psSharedFile *file);
void p2ps_shared_file_unref (P2psSharedFile *file);
gboolean p2ps_shared_file_is_unchanged (P2psSharedFile *file);

/* The name that bytes on a disk are offered under: see the .c. */
char *p2ps_shared_file_name_for_offer (const char *bytes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psSharedFile, p2ps_shared_file_unref)

G_END_DECLS
