/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/types.h"

G_BEGIN_DECLS

#define P2PS_NO_LIMIT G_MAXUINT64

/* What a person sets. Read from a configuration file (classic peers' files are valid ones) by
 * p2pshare-cli, filled from GSettings by the desktop application. Plain data. */
typedef struct
{
  char *host;            /* to listen on and announce; "0.0.0.0" or "::" = every interface */
  guint16 port;          /* 0 only in tests: any free port */
  GArray *peers;         /* of P2psAddress */
  GPtrArray *folders;    /* of char*: absolute paths of the shared folders, file system encoding */
  char *download_folder; /* absolute */
  gboolean share_hidden; /* names with a leading dot, off by default */
  gboolean follow_links; /* symbolic links, off by default */
  guint max_ttl;         /* of own searches */
  guint64 upload_bytes_per_second; /* 0 = paused, P2PS_NO_LIMIT; the limits likewise */
  guint64 upload_bytes_per_second_per_peer;
  guint64 download_bytes_per_second;
  guint64 upload_slots;
  guint64 uploads_per_peer;
  GStrv warnings; /* from the file: one line each that names file and key; NULL = none */
} P2psConfig;

P2psConfig *p2ps_config_new (void);
P2psConfig *p2ps_config_load (const char *path, GError **error);
P2psConfig *
p2ps_config_load_data (const char *path, const char *data, gsize length, GError **error);
P2psConfig *p2ps_config_copy (const P2psConfig *config);
void p2ps_config_free (P2psConfig *config);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psConfig, p2ps_config_free)

G_END_DECLS
