/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/node.h"

G_BEGIN_DECLS

/* One peer as a row. Read-only properties: "address" (string host:port), "host", "port" (uint),
 * "state" (string: "active", "inactive", "new"), "active" (boolean), "classic" (boolean),
 * "last-heartbeat", "last-update" (int64, Unix seconds, 0 = never), "files" (int64, -1 = not told),
 * "round-trip" (int64, microseconds), "agent" (string). */
#define P2PS_TYPE_PEER (p2ps_peer_get_type ())
G_DECLARE_FINAL_TYPE (P2psPeer, p2ps_peer, P2PS, PEER, GObject)

P2psPeer *p2ps_peer_new (const P2psPeerInfo *info, gint64 wall_offset);
void p2ps_peer_update (P2psPeer *peer, const P2psPeerInfo *info, gint64 wall_offset);
const P2psAddress *p2ps_peer_get_address (P2psPeer *peer);
gboolean p2ps_peer_get_active (P2psPeer *peer);
const char *p2ps_peer_get_state (P2psPeer *peer);
gint64 p2ps_peer_get_last_heartbeat (P2psPeer *peer);
gint64 p2ps_peer_get_last_update (P2psPeer *peer);
gint64 p2ps_peer_get_files (P2psPeer *peer);

G_END_DECLS
