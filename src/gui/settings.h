/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "engine/p2ps.h"

G_BEGIN_DECLS

/* The person's settings as the engine wants them. */
GSettings *p2ps_settings_new (const P2psConfig *base, GError **error);
P2psConfig *p2ps_settings_to_config (GSettings *settings, const P2psConfig *base);

char **p2ps_settings_dup_folders (GSettings *settings);
void p2ps_settings_add_folder (GSettings *settings, const char *path);
void p2ps_settings_remove_folder (GSettings *settings, const char *path);
char *p2ps_settings_dup_download_folder (GSettings *settings);
void p2ps_settings_set_download_folder (GSettings *settings, const char *path);
void p2ps_settings_add_peer (GSettings *settings, const char *address);
void p2ps_settings_remove_peer (GSettings *settings, const char *address);

G_END_DECLS
