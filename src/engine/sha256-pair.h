/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/digest.h"

G_BEGIN_DECLS

#define P2PS_SHA256_BLOCK 64

/* The state of one SHA-256 between two blocks. */
typedef struct
{
  guint32 words[8];
} P2psSha256;

gboolean p2ps_sha256_pair_is_available (void);
void p2ps_sha256_begin (P2psSha256 *state);
void p2ps_sha256_pair_add (P2psSha256 *a, P2psSha256 *b, const guint8 *blocks, gsize n);
void p2ps_sha256_end (P2psSha256 *state, const guint8 *tail, guint64 length,
                      guint8 hash[P2PS_BINARY_HASH_SIZE]);

G_END_DECLS
