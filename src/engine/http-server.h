/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "engine/shared-file.h"

G_BEGIN_DECLS

/* The guarded front: a SoupServer behind our own accept loop. Whatever comes over a socket meets
 * the caps, time-outs and checks of docs/protocol.md here; a handler sees only requests that are
 * well-formed HTTP, small and complete. One server listens on a TCP address (IPv4 or IPv6) or on a
 * unix socket; the peer API and the control API are two servers. */
#define P2PS_TYPE_HTTP_SERVER (p2ps_http_server_get_type ())
G_DECLARE_FINAL_TYPE (P2psHttpServer, p2ps_http_server, P2PS, HTTP_SERVER, GObject)

/* One request past the guard. Refcounted; answered exactly once, now or later, by a reply function;
 * the last unref without an answer sends 500. A client that has gone makes replies no-ops. */
typedef struct _P2psHttpRequest P2psHttpRequest;

typedef void (*P2psHttpHandler) (P2psHttpRequest *request, gpointer user_data);

P2psHttpServer *p2ps_http_server_new (void);
gboolean
p2ps_http_server_listen (P2psHttpServer *server, const char *host, guint16 port, GError **error);
gboolean p2ps_http_server_listen_unix (P2psHttpServer *server, const char *path, GError **error);
guint16 p2ps_http_server_get_port (P2psHttpServer *server);
void p2ps_http_server_set_handler (P2psHttpServer *server, P2psHttpHandler handler,
                                   gpointer user_data, GDestroyNotify destroy);
void p2ps_http_server_set_max_body (P2psHttpServer *server, gsize max_body);
void p2ps_http_server_set_rates (P2psHttpServer *server, guint64 total, guint64 per_source);
void p2ps_http_server_set_slots (P2psHttpServer *server, guint64 total, guint64 per_source);
void p2ps_http_server_accept (P2psHttpServer *server, GIOStream *stream, const char *source);
void p2ps_http_server_stop (P2psHttpServer *server);
guint p2ps_http_server_get_connections (P2psHttpServer *server);

/* Counters of refused requests by reason: a{st}. */
GVariant *p2ps_http_server_get_refused (P2psHttpServer *server);

/* What is being uploaded, for the stats: bytes since the start, and transfers. */
typedef struct
{
  guint64 bytes_sent; /* file content only */
  guint64 uploads;    /* begun */
  guint active;
} P2psUploadCounters;
void p2ps_http_server_get_uploads (P2psHttpServer *server, P2psUploadCounters *counters);

P2psHttpRequest *p2ps_http_request_ref (P2psHttpRequest *request);
void p2ps_http_request_unref (P2psHttpRequest *request);
const char *p2ps_http_request_get_method (P2psHttpRequest *request);
const char *p2ps_http_request_get_path (P2psHttpRequest *request); /* still percent-encoded */
const char *p2ps_http_request_get_query (P2psHttpRequest *request, const char *key); /* decoded */
const char *p2ps_http_request_get_header (P2psHttpRequest *request, const char *name);
const char *p2ps_http_request_get_source (P2psHttpRequest *request); /* the peer's host literal */
GBytes *p2ps_http_request_get_body (P2psHttpRequest *request);

void p2ps_http_request_reply (P2psHttpRequest *request, guint status, const char *content_type,
                              GBytes *body);
void p2ps_http_request_reply_error (P2psHttpRequest *request, guint status, const char *reason);
void p2ps_http_request_reply_file (P2psHttpRequest *request, P2psSharedFile *file);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psHttpRequest, p2ps_http_request_unref)

G_END_DECLS
