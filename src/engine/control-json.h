/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/engine.h"
#include "engine/peer.h"

G_BEGIN_DECLS

/* What the control API says about each thing, in the one shape that docs/control.md describes: each
 * adds one JSON object to the builder. Numbers are numbers, times are Unix seconds, what isn't
 * known is null. */
void p2ps_control_add_status (JsonBuilder *builder, P2psEngine *engine);
void p2ps_control_add_stats (JsonBuilder *builder, P2psEngine *engine);
void p2ps_control_add_peer (JsonBuilder *builder, P2psPeer *peer);
void p2ps_control_add_file (JsonBuilder *builder, const P2psLibraryFile *file);
void p2ps_control_add_query (JsonBuilder *builder, P2psQueryRecord *record);
void p2ps_control_add_search (JsonBuilder *builder, P2psSearch *search, gboolean results);
void p2ps_control_add_download (JsonBuilder *builder, P2psDownload *download);

G_END_DECLS
