/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What a stranger's request has to look like before anything acts on it. Pure: bytes in, verdict
 * out. Every reason for a refusal is one row: its key in the statistics, status and text. */
typedef enum
{
  P2PS_HTTP_REFUSAL_NONE,
  P2PS_HTTP_REFUSAL_MALFORMED,
  P2PS_HTTP_REFUSAL_HEADERS_TOO_LARGE,
  P2PS_HTTP_REFUSAL_FRAMING,
  P2PS_HTTP_REFUSAL_HOST,
  P2PS_HTTP_REFUSAL_BROWSER,
  P2PS_HTTP_REFUSAL_METHOD,
  P2PS_HTTP_REFUSAL_CONTENT_TYPE,
  P2PS_HTTP_REFUSAL_BODY_TOO_LARGE,
  P2PS_HTTP_REFUSAL_TOO_SLOW,
  P2PS_HTTP_REFUSAL_TOO_MANY_CONNECTIONS,
  P2PS_HTTP_REFUSAL_RANGE,
  P2PS_N_HTTP_REFUSALS
} P2psHttpRefusal;

const char *p2ps_http_refusal_get_key (P2psHttpRefusal refusal);
guint p2ps_http_refusal_get_status (P2psHttpRefusal refusal);
const char *p2ps_http_refusal_get_text (P2psHttpRefusal refusal);

/* A request's head, taken apart. The strings belong to it. */
typedef struct
{
  char *text; /* the storage of all the others */
  const char *method;
  const char *path;  /* begins with '/', still percent-encoded */
  const char *query; /* after the '?', still encoded, or NULL */
  guint minor_version;
  gint64 content_length; /* -1: none given */
  gboolean chunked;
  GArray *headers; /* of P2psHttpHeader, in the order they came */
} P2psHttpHead;

typedef struct
{
  const char *name;
  const char *value; /* without surrounding blanks; valid UTF-8 */
} P2psHttpHeader;

typedef struct
{
  gsize max_body;
  gboolean local; /* a unix socket: file modes are the login, no browser can reach it */
} P2psHttpPolicy;

P2psHttpRefusal p2ps_http_head_scan (const char *bytes, gsize length, gsize from, gsize *end);
P2psHttpRefusal p2ps_http_head_parse (const char *bytes, gsize length, P2psHttpHead **head);
P2psHttpRefusal p2ps_http_head_check (const P2psHttpHead *head, const P2psHttpPolicy *policy);
const char *p2ps_http_head_get (const P2psHttpHead *head, const char *name, guint *count);
void p2ps_http_head_free (P2psHttpHead *head);
gboolean p2ps_http_host_is_ours (const char *host);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psHttpHead, p2ps_http_head_free)

G_END_DECLS
