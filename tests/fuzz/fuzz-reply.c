/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A reply's body; the first byte is the digit of the request's P2psMessageType. */

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

  message = p2ps_wire_decode_reply (type, body, &error);
  g_assert_true ((message != NULL) == (error == NULL));
  if (message == NULL)
    return 0;
  bytes = p2ps_wire_encode (message, type);
  again = p2ps_wire_decode_reply (type, bytes, &error);
  g_assert_no_error (error);
  g_assert_cmpint (again->ok, ==, message->ok);
  return 0;
}
