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

const char *p2ps_wire_get_path (P2psMessageType request);
const char *p2ps_wire_get_method (P2psMessageType request);
GBytes *p2ps_wire_encode (const P2psMessage *message, P2psMessageType in_reply_to);
P2psMessage *p2ps_wire_decode_request (P2psMessageType type, GBytes *body, GError **error);
P2psMessage *p2ps_wire_decode_reply (P2psMessageType request, GBytes *body, GError **error);
gboolean p2ps_wire_check_json (const char *data, gsize length, GError **error);

G_END_DECLS
