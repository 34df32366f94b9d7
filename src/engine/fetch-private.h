/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/fetch.h"

G_BEGIN_DECLS

/* Shared by fetch.c (threads, what is on the disk) and fetch-http.c (the conversation with the
 * source). Everything but `lock` and what it guards belongs to the worker while it runs. */
struct _P2psFetch
{
  gatomicrefcount refs;
  GMainContext *owner;
  GThread *thread;
  GCancellable *cancellable;
  P2psFetchFunc callback;
  gpointer user_data;
  GDestroyNotify destroy;

  char *folder;
  char *disk_name;
  char filehash[P2PS_HASH_SIZE];
  gint64 size;
  P2psHit *hit;
  gboolean look;
  gboolean if_range;
  gboolean alone;
  P2psThrottle *throttle;
  P2psPartFile *part;
  gboolean end_is_a_guess; /* the end of the body may have been a broken connection */
  P2psFetchResult result;

  GMutex lock;
  GCond ended_cond;
  gboolean ended;
  gboolean stalled;
  P2psFetchProgress progress;

  /* of the owner only: p2ps_fetch_check_stall() */
  gint64 window_start;
  gint64 window_bytes;
  P2psFetchPhase window_phase;
};

/* Fewer bytes than this in one stall time are as good as none. */
#define P2PS_FETCH_LEAST_BYTES (10 * 1024)

gboolean p2ps_fetch_from_source (P2psFetch *fetch, GError **error);
void p2ps_fetch_set_phase (P2psFetch *fetch, P2psFetchPhase phase);
void p2ps_fetch_report (P2psFetch *fetch, gint64 length, gint64 network_bytes, gint64 total,
                        gboolean waits_for_network);

G_END_DECLS
