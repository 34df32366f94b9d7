/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "engine/p2ps.h"

G_BEGIN_DECLS

/* One download: how far it is and what can be done with it. Property "download" (P2psDownload). */
#define P2PS_TYPE_DOWNLOAD_ROW (p2ps_download_row_get_type ())
G_DECLARE_FINAL_TYPE (P2psDownloadRow, p2ps_download_row, P2PS, DOWNLOAD_ROW, AdwBin)

G_END_DECLS
