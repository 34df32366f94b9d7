/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/types.h"

G_BEGIN_DECLS

/* Requests to peers, who are strangers: no redirects, proxy, cookies or decoders, every reply has a
 * cap and a time limit. Two sessions, so that dead peers and long transfers don't wait for each
 * other: control (64 connections, 2 per host) here, transfers in download.c. */
#define P2PS_TYPE_HTTP_CLIENT (p2ps_http_client_get_type ())
G_DECLARE_FINAL_TYPE (P2psHttpClient, p2ps_http_client, P2PS, HTTP_CLIENT, GObject)

P2psHttpClient *p2ps_http_client_new (void);

/* path_and_query is percent-encoded. json may be NULL. idempotent: may be sent again on a broken
 * kept-alive connection. Errors: P2PS_ERROR_UNREACHABLE (G_IO_ERROR_CONNECTION_REFUSED keeps its
 * own domain), P2PS_ERROR_MISBEHAVED (longer than reply_cap, not HTTP, redirect). */
void p2ps_http_client_send_async (P2psHttpClient *client, const P2psAddress *to, const char *method,
                                  const char *path_and_query, GBytes *json, gboolean idempotent,
                                  gsize reply_cap, GCancellable *cancellable,
                                  GAsyncReadyCallback callback, gpointer user_data);
GBytes *p2ps_http_client_send_finish (P2psHttpClient *client, GAsyncResult *result, guint *status,
                                      GError **error);
void p2ps_http_client_abort (P2psHttpClient *client);

G_END_DECLS
