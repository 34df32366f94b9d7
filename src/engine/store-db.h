/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>
#include <sqlite3.h>

#include "engine/store.h"

G_BEGIN_DECLS

/* For store*.c only: one connection to the database, and how work gets onto it. */
typedef struct
{
  sqlite3 *sqlite;
  GHashTable *statements; /* SQL (static text) -> sqlite3_stmt */
  gboolean damaged;       /* an error said so: the file is put aside */
  gboolean durable;       /* the open transaction survives a power cut */
} P2psDb;

P2psDb *p2ps_db_open (const char *path, GError **error);
void p2ps_db_close (P2psDb *db);
gboolean p2ps_db_migrate (P2psDb *db, GError **error);

sqlite3_stmt *p2ps_db_prepare (P2psDb *db, const char *sql, GError **error);
gboolean p2ps_db_step (P2psDb *db, sqlite3_stmt *statement, gboolean *row, GError **error);
gboolean p2ps_db_run (P2psDb *db, sqlite3_stmt *statement, GError **error);
gboolean p2ps_db_exec (P2psDb *db, const char *sql, GError **error);
gboolean p2ps_db_fail (P2psDb *db, GError **error);
gboolean p2ps_db_begin (P2psDb *db, gboolean durable, GError **error);
gboolean p2ps_db_end (P2psDb *db, gboolean ok, GError **error);
char *p2ps_db_dup_text (sqlite3_stmt *statement, int column);

/* Three connections, so that a search waits neither for a batch of writes nor for a sweep. */
typedef enum
{
  P2PS_STORE_WRITE,
  P2PS_STORE_READ,
  P2PS_STORE_SWEEP,
  P2PS_STORE_N_SLOTS
} P2psStoreSlot;

/* A piece of work on a connection. Returns NULL with an error set, else what finish hands out. It
 * can be run again after a damaged database was rebuilt: it must not use up `data`. */
typedef gpointer (*P2psStoreFunc) (P2psDb *db, gpointer data, GError **error);

gpointer p2ps_store_call (P2psStore *store, P2psStoreSlot slot, P2psStoreFunc func, gpointer data,
                          GDestroyNotify free_result, GError **error);
void p2ps_store_run (P2psStore *store, P2psStoreSlot slot, GTask *task, P2psStoreFunc func,
                     GDestroyNotify free_result);

G_END_DECLS
