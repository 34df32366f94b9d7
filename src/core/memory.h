/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/message.h"

/* Which queries were seen lately: 65 536 of them, each for 600 s. */
typedef struct _P2psMemory P2psMemory;

/* The largest budgets with which a query was seen. */
typedef struct
{
  int ttl;
  int xttl;
} P2psSeen;

/* What a query is known by: a digest of its QID, origin, filename and filehash. */
typedef struct
{
  guint8 bytes[16];
} P2psQueryKey;

P2psMemory *p2ps_memory_new (void);
void p2ps_memory_free (P2psMemory *memory);
P2psSeen *
p2ps_memory_find (P2psMemory *memory, gint64 now, const P2psQuery *query, P2psQueryKey *key);
P2psSeen *p2ps_memory_add (P2psMemory *memory, gint64 now, const P2psQueryKey *key);
guint p2ps_memory_get_size (P2psMemory *memory);
