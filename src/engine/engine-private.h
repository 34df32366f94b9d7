/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/driver.h"
#include "engine/engine.h"
#include "engine/http-client.h"
#include "engine/http-server.h"
#include "engine/own-searches.h"
#include "engine/peers.h"

G_BEGIN_DECLS

/* The engine's parts, for engine.c (what others call), engine-run.c (start, change, stop) and
 * engine-wiring.c (which part hears of which). */

/* What parts counted that have been replaced since. */
typedef struct
{
  P2psNodeCounters node;
  P2psUploadCounters uploads;
  GHashTable *refused; /* char* -> guint64* */
} P2psRetired;

struct _P2psEngine
{
  GObject parent_instance;
  char *state_dir;
  char *id;
  P2psConfig *config; /* NULL before the start */
  int lock_fd;        /* held while it runs, -1 otherwise */
  gint64 started;     /* monotonic, microseconds */
  gboolean running;
  char *notice;
  guint stats_timer;
  guint wanted_peers; /* 0 = the usual; tests that need a line of nodes want one */
  P2psRetired retired;

  P2psStore *store;
  P2psLibrary *library;
  P2psDownloads *downloads;
  P2psHttpClient *client;
  P2psHttpServer *server; /* NULL unless it runs */
  P2psDriver *driver;     /* NULL unless it runs */
  P2psOwnSearches *searches;
  P2psPeers *peers;
  P2psQueryLog *queries;
  P2psStats *stats;
};

typedef enum
{
  P2PS_ENGINE_PROP_PEERS = 1,
  P2PS_ENGINE_PROP_SEARCHES,
  P2PS_ENGINE_PROP_DOWNLOADS,
  P2PS_ENGINE_PROP_QUERIES,
  P2PS_ENGINE_PROP_STATS,
  P2PS_ENGINE_PROP_LIBRARY,
  P2PS_ENGINE_PROP_HOST,
  P2PS_ENGINE_PROP_PORT,
  P2PS_ENGINE_PROP_ID,
  P2PS_ENGINE_PROP_RUNNING,
  P2PS_ENGINE_PROP_PEERS_ACTIVE,
  P2PS_ENGINE_PROP_PEERS_KNOWN,
  P2PS_ENGINE_PROP_NOTICE,
  P2PS_ENGINE_N_PROPS
} P2psEngineProp;

void p2ps_engine_tell (P2psEngine *engine, P2psEngineProp prop);

/* engine-wiring.c */
void p2ps_engine_wire_parts (P2psEngine *engine);
void p2ps_engine_wire_driver (P2psEngine *engine);
void p2ps_engine_retire_driver (P2psEngine *engine);
void p2ps_engine_retire_server (P2psEngine *engine);
void p2ps_engine_collect_stats (guint64 totals[P2PS_N_STATS], GHashTable *refused, gpointer data);

/* engine-run.c */
void p2ps_engine_end (P2psEngine *engine);

G_END_DECLS
