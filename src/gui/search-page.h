/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "engine/p2ps.h"

G_BEGIN_DECLS

/* Ask the network and take what it has. Properties "engine" (P2psEngine) and "search" (P2psSearch,
 * the one whose results are shown: the newest). */
#define P2PS_TYPE_SEARCH_PAGE (p2ps_search_page_get_type ())
G_DECLARE_FINAL_TYPE (P2psSearchPage, p2ps_search_page, P2PS, SEARCH_PAGE, AdwBin)

void p2ps_search_page_focus (P2psSearchPage *self);

G_END_DECLS
