/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/store-files.h"

G_BEGIN_DECLS

/* Hashes files with one worker per core and puts the results into the store. Every function may be
 * called on any thread. */
typedef struct _P2psHasher P2psHasher;

/* Called on a worker. */
typedef struct
{
  void (*indexed) (const P2psIndexChange *change, gpointer user_data);
  /* Hashing it was not possible; `reason` NULL: it was. */
  void (*judged) (const char *folder, const char *name, const char *reason, gpointer user_data);
  /* It was written just now: look at it again at `due` (monotonic microseconds). */
  void (*unsettled) (const char *folder, const char *name, gint64 due, gpointer user_data);
  void (*progressed) (gpointer user_data);
} P2psHasherFuncs;

P2psHasher *p2ps_hasher_new (P2psStore *store, const P2psHasherFuncs *funcs, gpointer user_data);
void p2ps_hasher_free (P2psHasher *hasher);
void p2ps_hasher_cancel (P2psHasher *hasher);
void p2ps_hasher_stop (P2psHasher *hasher);
void p2ps_hasher_set_paused (P2psHasher *hasher, gboolean paused);
void p2ps_hasher_set_settle (P2psHasher *hasher, guint milliseconds);
void p2ps_hasher_clear (P2psHasher *hasher);
gboolean p2ps_hasher_push (P2psHasher *hasher, const char *root, const char *folder,
                           const char *name, gint64 size, gboolean links, gboolean urgent);
void p2ps_hasher_kick (P2psHasher *hasher);
gboolean p2ps_hasher_has_room (P2psHasher *hasher);
guint p2ps_hasher_get_waiting (P2psHasher *hasher);
guint64 p2ps_hasher_get_hashed (P2psHasher *hasher);

/* When a file with this mtime may be hashed: monotonic microseconds, 0 = now. */
gint64 p2ps_hasher_settles_at (gint64 mtime_ns, guint settle_ms);

G_END_DECLS
