/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "engine/p2ps.h"

G_BEGIN_DECLS

/* What this node did since it started, and the queries that it saw. Property "engine". */
#define P2PS_TYPE_STATS_PAGE (p2ps_stats_page_get_type ())
G_DECLARE_FINAL_TYPE (P2psStatsPage, p2ps_stats_page, P2PS, STATS_PAGE, AdwBin)

G_END_DECLS
