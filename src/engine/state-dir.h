/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define P2PS_CONTROL_SOCKET "control.sock"

/* The state folder: database, identity and control socket of one node. */
char *p2ps_state_dir_default (void);
int p2ps_state_dir_take (const char *state_dir, GError **error);
char *p2ps_state_dir_dup_socket_path (const char *state_dir, int *dir_fd, GError **error);

G_END_DECLS
