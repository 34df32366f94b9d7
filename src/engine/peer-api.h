/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/driver.h"
#include "engine/engine.h"
#include "engine/http-server.h"

G_BEGIN_DECLS

/* The peer API (docs/protocol.md) on a guarded server: paths to messages, files by name, and the
 * three calls for the local user. */
void p2ps_peer_api_serve (P2psHttpServer *server, P2psEngine *engine, P2psDriver *driver);

/* The calls for the local user (local-api.c): FALSE when `path` is none of them. */
gboolean p2ps_local_api_handle (P2psEngine *engine, P2psHttpRequest *request, const char *path);

G_END_DECLS
