/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/types.h"

G_BEGIN_DECLS

/* Which addresses this machine has, and which of them a destination would see. Asks the kernel
 * only: no packet is sent, nothing waits. */

char **p2ps_net_list_hosts (void);
gboolean p2ps_net_find_route (const P2psAddress *to, char host[P2PS_HOST_SIZE]);

/* p2ps_net_find_route with a memory of 30 s and at most 512 destinations. */
typedef struct _P2psRoutes P2psRoutes;

P2psRoutes *p2ps_routes_new (void);
const char *p2ps_routes_get (P2psRoutes *routes, const P2psAddress *to);
void p2ps_routes_clear (P2psRoutes *routes);
void p2ps_routes_free (P2psRoutes *routes);

G_END_DECLS
