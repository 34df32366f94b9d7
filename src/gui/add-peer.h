/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "gui/window.h"

G_BEGIN_DECLS

/* Asks for the address of a peer and adds it to the engine and to the known peers. */
void p2ps_add_peer_present (P2psWindow *window);
gboolean p2ps_peer_address_is_valid (const char *text);

G_END_DECLS
