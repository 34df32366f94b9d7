/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/message.h"

G_BEGIN_DECLS

/* One query that passed through or began at this node, for the stats view. Read-only properties:
 * "time" (int64, Unix seconds), "text" (safe for display), "qid", "filehash" (strings), "own"
 * (boolean), "origin" (string, "" = own), "n-responses" (uint). */
#define P2PS_TYPE_QUERY_RECORD (p2ps_query_record_get_type ())
G_DECLARE_FINAL_TYPE (P2psQueryRecord, p2ps_query_record, P2PS, QUERY_RECORD, GObject)

gint64 p2ps_query_record_get_time (P2psQueryRecord *record);
const char *p2ps_query_record_get_text (P2psQueryRecord *record);
const char *p2ps_query_record_get_qid (P2psQueryRecord *record);
const char *p2ps_query_record_get_filehash (P2psQueryRecord *record);
gboolean p2ps_query_record_get_own (P2psQueryRecord *record);
GPtrArray *p2ps_query_record_get_responses (P2psQueryRecord *record); /* of P2psQueryResponse */

typedef struct
{
  P2psHit *hit;
  gint64 time; /* Unix seconds */
} P2psQueryResponse;

/* The newest queries, newest first: a GListModel of P2psQueryRecord with a cap of 1 000, of which
 * the last 200 own ones stay whatever others ask. Responses are what came for an own query, and
 * what this node answered to one from others. */
#define P2PS_TYPE_QUERY_LOG (p2ps_query_log_get_type ())
G_DECLARE_FINAL_TYPE (P2psQueryLog, p2ps_query_log, P2PS, QUERY_LOG, GObject)

P2psQueryLog *p2ps_query_log_new (void);
void p2ps_query_log_add (P2psQueryLog *log, const P2psQuery *query, gboolean own);
void p2ps_query_log_add_hit (P2psQueryLog *log, const P2psHit *hit);
void p2ps_query_log_flush (P2psQueryLog *log);
P2psQueryRecord *p2ps_query_log_get (P2psQueryLog *log, const char *qid);

G_END_DECLS
