/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "engine/p2ps.h"

G_BEGIN_DECLS

/* The queue of downloads, newest first. Property "engine" (P2psEngine). */
#define P2PS_TYPE_DOWNLOADS_PAGE (p2ps_downloads_page_get_type ())
G_DECLARE_FINAL_TYPE (P2psDownloadsPage, p2ps_downloads_page, P2PS, DOWNLOADS_PAGE, AdwBin)

G_END_DECLS
