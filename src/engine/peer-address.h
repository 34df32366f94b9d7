/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/types.h"

G_BEGIN_DECLS

/* What a person types as a peer's address: "192.168.1.20:8081", "[fd00::1]:8081" or a host's name,
 * which is looked up. */
void p2ps_peer_address_find_async (const char *text, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data);
gboolean p2ps_peer_address_find_finish (GAsyncResult *result, P2psAddress *address, GError **error);

G_END_DECLS
