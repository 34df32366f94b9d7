/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "core/rate.h"

G_BEGIN_DECLS

/* One rate that many threads share and that can change while they wait. Refcounted, every function
 * from any thread. Without a limit it costs one atomic read. */
typedef struct _P2psThrottle P2psThrottle;

P2psThrottle *p2ps_throttle_new (guint64 bytes_per_second);
P2psThrottle *p2ps_throttle_ref (P2psThrottle *throttle);
void p2ps_throttle_unref (P2psThrottle *throttle);
void p2ps_throttle_set_rate (P2psThrottle *throttle, guint64 bytes_per_second);
guint64 p2ps_throttle_get_rate (P2psThrottle *throttle);
gsize p2ps_throttle_get_slice (P2psThrottle *throttle);
gint64 p2ps_throttle_reserve (P2psThrottle *throttle, gint64 now, gsize bytes);
gsize p2ps_throttle_wait (P2psThrottle *throttle, gsize most, GCancellable *cancellable);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psThrottle, p2ps_throttle_unref)

G_END_DECLS
