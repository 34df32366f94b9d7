/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/message.h"
#include "core/planner.h"
#include "engine/part-file.h"
#include "engine/throttle.h"

G_BEGIN_DECLS

/* One piece of work of a download on its own thread: look what is on the disk, ask one source for
 * what is missing, verify, give it its name. Made, cancelled and freed on the owner's main context,
 * where it also comes back. */
typedef struct _P2psFetch P2psFetch;

typedef enum
{
  P2PS_FETCH_LOOKING,    /* at what is on the disk */
  P2PS_FETCH_CONNECTING, /* until the reply's headers are here */
  P2PS_FETCH_RECEIVING,
  P2PS_FETCH_VERIFYING,
} P2psFetchPhase;

typedef struct
{
  P2psFetchPhase phase;
  gint64 length;        /* of the part file */
  gint64 network_bytes; /* of this attempt; more than it added when the source ignores ranges */
  gint64 total;         /* of the file as the source says, -1 = not said */
  gboolean waits_for_network;
} P2psFetchProgress;

/* What to do. With `hit` NULL only the disk is looked at, and a complete part file is finished. */
typedef struct
{
  const char *folder;
  const char *disk_name;
  const char *filehash;
  gint64 size;        /* -1 = unknown */
  const P2psHit *hit; /* (nullable): who, and under which name; its size is what it promised */
  gboolean look;      /* for the finished file first */
  gboolean if_range;  /* this source's ETag is the content's hash */
  gboolean alone;     /* don't continue what somebody else began */
  P2psThrottle *throttle;
} P2psFetchRequest;

typedef struct
{
  char *path;    /* of the finished file: done */
  GError *error; /* or why not; NULL with path NULL: looked, nothing is wrong */
  P2psAttempt attempt;
  gint64 retry_after;  /* microseconds */
  gint64 total;        /* as the source said, -1 = not said */
  guint place, of;     /* in the source's queue, 0 = it didn't say */
  gboolean other_size; /* it has a file of another size than we were told, which may be our error */
  gboolean mixed;      /* the hash is wrong, and more than one source gave the bytes */
  gboolean etag_is_hash;
  gboolean got_bytes;
  P2psPartFile *part; /* for the next attempt, or NULL */
} P2psFetchResult;

/* `result` is the callback's to read; it may take `part` by setting it to NULL. */
typedef void (*P2psFetchFunc) (P2psFetch *fetch, P2psFetchResult *result, gpointer user_data);

P2psFetch *p2ps_fetch_start (const P2psFetchRequest *request, P2psPartFile *part,
                             P2psFetchFunc callback, gpointer user_data, GDestroyNotify destroy);
void p2ps_fetch_cancel (P2psFetch *fetch);
gboolean p2ps_fetch_check_stall (P2psFetch *fetch, gint64 now, gint64 stall_time);
void p2ps_fetch_get_progress (P2psFetch *fetch, P2psFetchProgress *progress);
gboolean p2ps_fetch_wait_until (P2psFetch *fetch, gint64 end_time);
void p2ps_fetch_unref (P2psFetch *fetch);

G_END_DECLS
