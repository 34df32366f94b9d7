/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A request's body. The first byte says which: '2' to '6' a P2psMessageType, anything else
 * /init_query. What was taken must survive being written and read again. */

#include "fuzz.h"
#include "wire/codec.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  int type = size > 0 ? data[0] - '0' : 0;
  g_autoptr (GBytes) body = size > 0 ? g_bytes_new (data + 1, size - 1) : NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psMessage) message = NULL, again = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (type < P2PS_MESSAGE_JOIN || type > P2PS_MESSAGE_QUERY_HIT)
    {
      g_autoptr (P2psQuery) query = p2ps_wire_decode_init_query (body, &error);

      g_assert_true ((query != NULL) == (error == NULL));
      return 0;
    }
  message = p2ps_wire_decode_request (type, body, &error);
  g_assert_true ((message != NULL) == (error == NULL));
  if (message == NULL)
    return 0;
  g_assert_cmpint (message->type, ==, type);
  bytes = p2ps_wire_encode (message, 0);
  if (type <= P2PS_MESSAGE_GET_PEERS && message->sender.port == 0)
    return 0;
  again = p2ps_wire_decode_request (type, bytes, &error);
  g_assert_no_error (error);
  return 0;
}
