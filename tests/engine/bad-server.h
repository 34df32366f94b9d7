/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/types.h"

G_BEGIN_DECLS

/* A source for download tests, with threads and raw sockets: what it does wrong is its mode. */
typedef enum
{
  SERVE_WELL,       /* ranges, Content-Length */
  SERVE_CLASSIC,    /* no ranges: always 200 and everything */
  SERVE_CHUNKED,    /* no Content-Length */
  SERVE_HTTP10,     /* neither: the end of the connection is the end */
  SERVE_LIES,       /* one byte is wrong */
  SERVE_CUT,        /* Content-Length is right, the connection ends at half */
  SERVE_CUT_ONCE,   /* ... the first time */
  SERVE_CUT_SECOND, /* ... the second time */
  SERVE_SHORT,      /* says and sends ten bytes less */
  SERVE_LONG,       /* says and sends ten bytes more */
  SERVE_EXTRA,      /* Content-Length is right, more bytes follow */
  SERVE_REDIRECT,
  SERVE_ENDLESS,     /* no length, no end */
  SERVE_ENDLESS_1XX, /* 100 Continue, again and again */
  SERVE_HUGE,        /* says 2^60 bytes */
  SERVE_DRIP,        /* a byte at a time */
  SERVE_DRIP_HEADERS,
  SERVE_SILENT,
  SERVE_GARBAGE,     /* not HTTP */
  SERVE_NOISE,       /* 1 MiB without the end of a line */
  SERVE_BIG_HEADERS, /* 1 MiB of them */
  SERVE_GZIP,        /* says it is compressed */
  SERVE_OTHER_RANGE, /* 206 that begins elsewhere */
  SERVE_NO_RANGE,    /* 416 to every range */
  SERVE_BUSY,        /* 503, Retry-After: 1 */
  SERVE_BUSY_ONCE,
  SERVE_QUEUE_ONCE, /* ... with a place in a queue */
  SERVE_NOT_FOUND,
  SERVE_ERROR, /* 500 */
  SERVE_HOLD,  /* well, but the second half only after the mode was changed */
  SERVE_SLOW,  /* well, 64 KiB each 5 ms */
} ServeMode;

typedef struct _BadServer BadServer;

BadServer *bad_server_new (ServeMode mode, const void *data, gsize length);
void bad_server_free (BadServer *server);
void bad_server_set_mode (BadServer *server, ServeMode mode);
void bad_server_set_etag (BadServer *server, const char *etag);
const P2psAddress *bad_server_get_address (BadServer *server);
guint bad_server_get_requests (BadServer *server);
gint64 bad_server_get_sent (BadServer *server);
char *bad_server_dup_last_request (BadServer *server); /* head of the last one */

G_END_DECLS
