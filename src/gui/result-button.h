/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <adwaita.h>

#include "engine/p2ps.h"

G_BEGIN_DECLS

/* What can be done with a search result: fetch it, watch it come, or see that it is here.
 * Properties "engine" (P2psEngine) and "result" (P2psResult). */
#define P2PS_TYPE_RESULT_BUTTON (p2ps_result_button_get_type ())
G_DECLARE_FINAL_TYPE (P2psResultButton, p2ps_result_button, P2PS, RESULT_BUTTON, AdwBin)

void p2ps_result_button_download (P2psEngine *engine, P2psResult *result, GtkWidget *widget);

G_END_DECLS
