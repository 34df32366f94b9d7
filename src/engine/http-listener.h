/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* A listening socket that survives everything: no descriptors left, floods, clients that are gone
 * before they are accepted. */
typedef struct _P2psHttpListener P2psHttpListener;

/* fd: non-blocking, close-on-exec, the callee's. source: the peer's host literal, "" on a unix
 * socket. */
typedef void (*P2psHttpAccepted) (int fd, const char *source, gpointer user_data);

P2psHttpListener *p2ps_http_listener_new (const char *host, guint16 port, GError **error);
P2psHttpListener *p2ps_http_listener_new_unix (const char *path, GError **error);
void p2ps_http_listener_start (P2psHttpListener *listener, GMainContext *context,
                               P2psHttpAccepted accepted, gpointer user_data);
void p2ps_http_listener_hold (P2psHttpListener *listener, gboolean hold);
guint16 p2ps_http_listener_get_port (P2psHttpListener *listener);
void p2ps_http_listener_free (P2psHttpListener *listener);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psHttpListener, p2ps_http_listener_free)

G_END_DECLS
