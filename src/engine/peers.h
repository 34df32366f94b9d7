/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/driver.h"
#include "engine/peer.h"
#include "engine/store.h"

G_BEGIN_DECLS

/* The node's table of peers as rows that stay the same objects, and its memory across restarts.
 * Signals: "changed": counts or rows did; "active" (const P2psAddress*): a peer has become active.
 */
#define P2PS_TYPE_PEERS (p2ps_peers_get_type ())
G_DECLARE_FINAL_TYPE (P2psPeers, p2ps_peers, P2PS, PEERS, GObject)

P2psPeers *p2ps_peers_new (P2psStore *store);
void p2ps_peers_set_driver (P2psPeers *peers, P2psDriver *driver);
GListModel *p2ps_peers_get_model (P2psPeers *peers);
P2psPeer *p2ps_peers_find (P2psPeers *peers, const P2psAddress *address);
guint p2ps_peers_count_active (P2psPeers *peers);
guint p2ps_peers_count_known (P2psPeers *peers);
void p2ps_peers_refresh (P2psPeers *peers);
void p2ps_peers_recall (P2psPeers *peers);
void p2ps_peers_save (P2psPeers *peers);

G_END_DECLS
