/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

#include "core/limits.h"

/* A token bucket for bytes: what P2psBucket is for messages, with amounts of any size and a rate
 * that can change. Those who wait reserve their turn, one after the other, so that all of them
 * advance: no one is woken in vain, and none is first every time. Plain data. */
#define P2PS_RATE_NONE G_MAXUINT64
#define P2PS_RATE_BURST P2PS_SECOND /* what was not used of it may be made up for */

typedef struct
{
  guint64 bytes_per_second; /* P2PS_RATE_NONE = no limit, 0 = nothing may pass */
  gint64 next;              /* when the next turn begins */
} P2psRate;

void p2ps_rate_set (P2psRate *rate, gint64 now, guint64 bytes_per_second);
gsize p2ps_rate_get_slice (const P2psRate *rate);
gint64 p2ps_rate_reserve (P2psRate *rate, gint64 now, gsize bytes);
