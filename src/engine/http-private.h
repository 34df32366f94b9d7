/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <libsoup/soup.h>

#include "core/slots.h"
#include "engine/http-guard.h"
#include "engine/http-server.h"
#include "engine/upload.h"

G_BEGIN_DECLS

/* What the files of the guarded front share, and what its tests may turn. */
typedef struct
{
  guint connections; /* at one time */
  guint per_host;    /* of them from one source address */
  guint headers_ms;  /* from accept to the end of the headers */
  guint idle_ms;     /* without progress while a reply is sent; for the whole of a body to come */
  guint linger_ms;   /* for a refused client to read why and to stop sending */
  gsize max_headers;
  gsize max_body;
} P2psHttpLimits;

void p2ps_http_server_get_limits (P2psHttpServer *server, P2psHttpLimits *limits);
void p2ps_http_server_set_limits (P2psHttpServer *server, const P2psHttpLimits *limits);

/* One accepted stream with at most one request on it: http-connection.c. */
typedef enum
{
  P2PS_HTTP_READING,   /* libsoup reads the request from it, through http-stream.c */
  P2PS_HTTP_HANDLING,  /* the handler has the request; libsoup is out of the way */
  P2PS_HTTP_WRITING,   /* our answer is on its way */
  P2PS_HTTP_UPLOADING, /* a worker of upload.c sends a file: it has the descriptor */
  P2PS_HTTP_LINGERING, /* answered and half-closed; what still comes is thrown away */
  P2PS_HTTP_CLOSED,
} P2psHttpStage;

typedef struct
{
  grefcount refs;
  P2psHttpServer *server; /* borrowed; NULL once closed */
  GList link;             /* in the server's list */
  int fd;                 /* a non-blocking socket, or -1: then base is used */
  GIOStream *base;        /* NULL for sockets that we accepted */
  GIOStream *stream;      /* what libsoup reads from; kept until the connection is closed */
  SoupServerMessage *msg; /* borrowed; NULL once libsoup has let go */
  char source[P2PS_HOST_SIZE];
  P2psHttpStage stage;
  gint64 deadline;
  GByteArray *head_bytes; /* until they are a head */
  P2psHttpHead *head;
  gsize head_length;
  gboolean early; /* the early handler has seen it */
  gsize received; /* bytes, head and all */
  GByteArray *body;
  GBytes *out;
  gsize written;
  int queued; /* bytes written that the client's side had not taken when we last looked */
  GSource *watch;
  gsize drained;
  gboolean linger;
  char *slot; /* what its upload slot is for, or NULL */
  gint64 slot_since;
  gboolean slot_goes_on;
} P2psHttpConnection;

P2psHttpConnection *
p2ps_http_connection_new (P2psHttpServer *server, int fd, GIOStream *base, const char *source);
P2psHttpConnection *p2ps_http_connection_ref (P2psHttpConnection *connection);
void p2ps_http_connection_unref (P2psHttpConnection *connection);
P2psHttpRefusal
p2ps_http_connection_received (P2psHttpConnection *connection, const void *bytes, gsize length);
void p2ps_http_connection_released (P2psHttpConnection *connection);
void p2ps_http_connection_take (P2psHttpConnection *connection);
void p2ps_http_connection_watch (P2psHttpConnection *connection);
void p2ps_http_connection_refuse (P2psHttpConnection *connection, P2psHttpRefusal refusal);
gssize p2ps_http_connection_write (P2psHttpConnection *connection, const void *bytes, gsize length);
void p2ps_http_connection_send (P2psHttpConnection *connection, GBytes *reply);
void p2ps_http_connection_upload (P2psHttpConnection *connection, GBytes *head,
                                  P2psSharedFile *file, gint64 first, gint64 length);
void p2ps_http_connection_expire (P2psHttpConnection *connection, gint64 now);
void p2ps_http_connection_close (P2psHttpConnection *connection);

/* http-stream.c: what libsoup gets to read from and to write to. */
GIOStream *p2ps_http_stream_new (P2psHttpConnection *connection);

/* http-queue.c */
gboolean
p2ps_http_queue_enter (P2psHttpConnection *connection, const P2psSharedFile *file, gint64 last);
void p2ps_http_queue_leave (P2psHttpConnection *connection, gboolean complete);

/* http-reply.c: the bytes of an answer. */
GString *p2ps_http_reply_begin (guint status);
void p2ps_http_reply_header (GString *reply, const char *name, const char *value);
GBytes *p2ps_http_reply_end (GString *reply, gint64 content_length, GBytes *body);
GBytes *p2ps_http_reply_error_body (const char *reason);

/* http-server.c */
void p2ps_http_server_refused (P2psHttpServer *server, P2psHttpRefusal refusal);
void p2ps_http_server_closed (P2psHttpServer *server, P2psHttpConnection *connection);
GMainContext *p2ps_http_server_get_context (P2psHttpServer *server);
gboolean p2ps_http_server_is_paused (P2psHttpServer *server);
P2psSlots *p2ps_http_server_get_slots (P2psHttpServer *server);
P2psUploader *p2ps_http_server_get_uploader (P2psHttpServer *server);

/* http-request.c */
P2psHttpRequest *p2ps_http_request_new (P2psHttpConnection *connection);

G_END_DECLS
