/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/node.h"
#include "engine/http-client.h"
#include "engine/library.h"

G_BEGIN_DECLS

/* Runs a core node on a GMainContext: drains its effects into the HTTP client and the library,
 * hands events back with the clock's now, and keeps its next deadline as a timeout.
 *
 * Signals: "peers-changed"; "hits" (GPtrArray of P2psHit, gboolean verified); "query" (P2psQuery*,
 * gboolean own): a new query was seen; "answers" (GPtrArray of P2psHit): what the own library had
 * for a query from others. */
#define P2PS_TYPE_DRIVER (p2ps_driver_get_type ())
G_DECLARE_FINAL_TYPE (P2psDriver, p2ps_driver, P2PS, DRIVER, GObject)

/* Called once with the reply to a delivered request: either message, or an HTTP status and text. */
typedef void (*P2psReplyFunc) (P2psMessage *reply, guint status, const char *text,
                               gpointer user_data);

P2psDriver *
p2ps_driver_new (const P2psNodeConfig *config, P2psHttpClient *client, P2psLibrary *library);
P2psNode *p2ps_driver_get_node (P2psDriver *driver);
void p2ps_driver_deliver (P2psDriver *driver, const char *source, P2psMessage *message,
                          P2psReplyFunc func, gpointer user_data);
void p2ps_driver_drain (P2psDriver *driver);
gint64 p2ps_driver_get_wall_offset (P2psDriver *driver); /* Unix time minus now, microseconds */
void p2ps_driver_stop (P2psDriver *driver);

/* Commands to the node, with the clock's now, drained. */
void p2ps_driver_search (P2psDriver *driver, const P2psQuery *query);
void p2ps_driver_stop_search (P2psDriver *driver, const char *qid);
void p2ps_driver_add_peer (P2psDriver *driver, const P2psAddress *address);
void p2ps_driver_hint_peer (P2psDriver *driver, const P2psAddress *address);
void p2ps_driver_remove_peer (P2psDriver *driver, const P2psAddress *address);
void p2ps_driver_blame (P2psDriver *driver, const P2psAddress *address, int points);

G_END_DECLS
