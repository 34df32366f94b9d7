/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/message.h"

G_BEGIN_DECLS

/* Bytes <-> messages, total on hostile input: every function returns, with a message or a reason,
 * whatever the bytes are. The classic shapes ([object, number] replies) are read and written. */

/* The caller can only refuse (400) or read it in another way: one code is enough. */
#define P2PS_WIRE_ERROR (p2ps_wire_error_quark ())
typedef enum
{
  P2PS_WIRE_ERROR_INVALID,
} P2psWireError;
GQuark p2ps_wire_error_quark (void);

/* Requests as HTTP: the path of a type ("/join"), "GET" or "POST", and the whole target of one
 * message ("/ping?n=NONCE"), to be freed. Replies have no path: NULL. */
const char *p2ps_wire_get_path (P2psMessageType request);
const char *p2ps_wire_get_method (P2psMessageType request);
char *p2ps_wire_dup_target (const P2psMessage *request);

/* The body of a request (in_reply_to 0; NULL for PING, which has none), or of the reply to a
 * request of type in_reply_to. Always valid JSON, never longer than P2PS_MAX_BODY: of more hits
 * than fit the first ones are sent. */
GBytes *p2ps_wire_encode (const P2psMessage *message, P2psMessageType in_reply_to);

/* P2PS_WIRE_ERROR_INVALID with a reason for the sender. The rules where a sender is vague:
 * - a host that is missing, "", "0.0.0.0" or "::" becomes "": the source of the connection is
 * meant;
 * - a JOIN with no host or no port has a sender with port 0: the classic answer is status false;
 * - a HEARTBEAT or GET_PEERS without them, too: such a caller is unknown;
 * - a hash that no file can have is as good as none, in a query with a name;
 * - unknown keys are ignored. */
P2psMessage *p2ps_wire_decode_request (P2psMessageType type, GBytes *body, GError **error);
P2psMessage *p2ps_wire_decode_reply (P2psMessageType request, GBytes *body, GError **error);

/* A PING is in its target: n is the decoded value of ?n=, or NULL. A nonce that is no plain word of
 * at most 64 bytes is dropped. */
P2psMessage *p2ps_wire_decode_ping (const char *n);

/* The body of a local user's POST /init_query: a query with no qid and no origin yet. */
P2psQuery *p2ps_wire_decode_init_query (GBytes *body, GError **error);

/* What has to hold before a JSON parser may see the bytes (json-guard.c). */
gboolean p2ps_wire_check_json (const char *data, gsize length, GError **error);

G_END_DECLS
