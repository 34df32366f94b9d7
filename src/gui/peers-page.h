/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "engine/p2ps.h"

G_BEGIN_DECLS

/* Who is known and how they are. Property "engine" (P2psEngine). */
#define P2PS_TYPE_PEERS_PAGE (p2ps_peers_page_get_type ())
G_DECLARE_FINAL_TYPE (P2psPeersPage, p2ps_peers_page, P2PS, PEERS_PAGE, AdwBin)

G_END_DECLS
