/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/types.h"

G_BEGIN_DECLS

#define P2PS_BINARY_HASH_SIZE 32

/* SHA-256 (FIPS 180-4) of content: GnuTLS (CPU instructions) when built in, GChecksum otherwise.
 * Not thread-safe; one per worker. */
typedef struct _P2psDigest P2psDigest;

P2psDigest *p2ps_digest_new (void);
P2psDigest *p2ps_digest_new_for_backend (const char *backend);
void p2ps_digest_update (P2psDigest *digest, const void *data, gsize length);
void p2ps_digest_finish (P2psDigest *digest, char hash[P2PS_HASH_SIZE]);
void p2ps_digest_finish_binary (P2psDigest *digest, guint8 hash[P2PS_BINARY_HASH_SIZE]);
void p2ps_digest_free (P2psDigest *digest);
void p2ps_digest_to_hex (const guint8 binary[P2PS_BINARY_HASH_SIZE], char hash[P2PS_HASH_SIZE]);
gboolean p2ps_digest_from_hex (const char *hash, guint8 binary[P2PS_BINARY_HASH_SIZE]);
const char *p2ps_digest_get_backend (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psDigest, p2ps_digest_free)

G_END_DECLS
