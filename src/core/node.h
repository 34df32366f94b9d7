/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/node-types.h"

G_BEGIN_DECLS

/* A node of the overlay as a pure function of (state, event, now). It has no socket, no clock and
 * no entropy of its own: events go in through the functions below, effects come out of a queue, and
 * the same seed with the same events gives the same run. `now` is a monotonic time in microseconds
 * that never goes back. Nothing here blocks or calls out. */
typedef struct _P2psNode P2psNode;

P2psNode *p2ps_node_new (const P2psNodeConfig *config, gint64 now);
void p2ps_node_free (P2psNode *node);

/* events */
void p2ps_node_deliver (P2psNode *node, gint64 now, const char *source, const P2psMessage *message,
                        guint64 request);
void p2ps_node_sent (P2psNode *node, gint64 now, guint64 token, P2psOutcome outcome,
                     const P2psMessage *reply);
void p2ps_node_found (P2psNode *node, gint64 now, guint64 token, GPtrArray *hits);
void p2ps_node_tick (P2psNode *node, gint64 now);
gint64 p2ps_node_get_deadline (P2psNode *node);

/* commands */
void p2ps_node_set_own_hosts (P2psNode *node, const char *const *hosts);
void p2ps_node_set_files (P2psNode *node, gint64 files);
void p2ps_node_set_max_ttl (P2psNode *node, guint max_ttl);
void p2ps_node_add_peer (P2psNode *node, gint64 now, const P2psAddress *address);
void p2ps_node_hint_peer (P2psNode *node, gint64 now, const P2psAddress *address);
void p2ps_node_remove_peer (P2psNode *node, gint64 now, const P2psAddress *address);
void p2ps_node_search (P2psNode *node, gint64 now, const P2psQuery *query);
void p2ps_node_stop_search (P2psNode *node, gint64 now, const char *qid);
void p2ps_node_blame (P2psNode *node, gint64 now, const P2psAddress *address, int points);

/* effects and state */
gboolean p2ps_node_pop (P2psNode *node, P2psEffect *effect);
void p2ps_effect_clear (P2psEffect *effect);
GArray *p2ps_node_list_peers (P2psNode *node);
guint p2ps_node_count_active (P2psNode *node);
const P2psNodeCounters *p2ps_node_get_counters (P2psNode *node);
const char *p2ps_refusal_to_string (P2psRefusal refusal);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psNode, p2ps_node_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (P2psEffect, p2ps_effect_clear)

G_END_DECLS
