/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <string.h>

#include "core/limits.h"
#include "core/node.h"

/* A test rig around one node: a clock moved by hand, and peers that are only a manner of answering.
 * Everything that the node sends is kept in a log. */

typedef enum
{
  RIG_SILENT,  /* no answer: a time-out after 4 s */
  RIG_REFUSED, /* nobody listens */
  RIG_OURS,    /* answers as one of our nodes does */
  RIG_CLASSIC, /* answers as a classic peer does */
  RIG_DENIES,  /* HTTP 4xx to all */
  RIG_BABBLES, /* no peer answers so */
} RigManner;

typedef struct
{
  gint64 at;
  P2psAddress to;
  P2psMessage *message;
} RigSent;

typedef struct
{
  P2psNode *node;
  gint64 now;
  GHashTable *manners; /* P2psAddress -> RigManner + 1 */
  GArray *peers_reply; /* of P2psAddress: what peers answer to GET_PEERS */
  gboolean peers_refused;
  char *own_id;       /* what RIG_OURS says its id is, NULL = its address */
  GQueue due;         /* answers on their way */
  GPtrArray *log;     /* of RigSent */
  GPtrArray *replies; /* of P2psEffect: REPLY and REJECT */
  GPtrArray *lookups; /* of P2psEffect */
  GPtrArray *hits;    /* of P2psEffect */
  guint changed;
  guint64 last_request;
} Rig;

Rig *rig_new (gboolean loopback_only);
Rig *rig_new_full (const P2psNodeConfig *config);
void rig_free (Rig *rig);
P2psAddress rig_address (const char *text);
void rig_manner (Rig *rig, const char *address, RigManner manner);
void rig_advance (Rig *rig, gint64 time);
guint64 rig_deliver (Rig *rig, const char *source, P2psMessage *message);
P2psEffect *rig_reply (Rig *rig, guint64 request);
void rig_join (Rig *rig, const char *source, const char *address);
P2psEffect *rig_say (Rig *rig, P2psMessageType type, const char *source, const char *address);
P2psEffect *rig_query (Rig *rig, const char *source, P2psQuery *query);
guint rig_count (Rig *rig, P2psMessageType type, const char *address);
RigSent *rig_last (Rig *rig, P2psMessageType type, const char *address);
void rig_forget (Rig *rig);
void rig_settle (Rig *rig);
P2psPeerState rig_state (Rig *rig, const char *address);
gboolean rig_info (Rig *rig, const char *address, P2psPeerInfo *info);
P2psQuery *rig_make_query (guint number, const char *origin, int ttl, int xttl);
void rig_found (Rig *rig, guint lookup, guint count);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Rig, rig_free)
