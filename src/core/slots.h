/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/types.h"

G_BEGIN_DECLS

/* Who may upload now: a few places, and a queue for those who have none. Nobody is called from the
 * queue: those in it ask again, and keep their place when they do so in time. Round robin: of the
 * addresses that wait, the ones that have fewer uploads come first, whatever else they ask for. */
typedef struct _P2psSlots P2psSlots;

#define P2PS_SLOTS_UNLIMITED G_MAXUINT64

typedef struct
{
  guint place; /* from 1 on */
  guint of;    /* how many wait */
  gint64 estimate;
  gint64 retry_after; /* microseconds, both; the estimate is -1 when nobody knows */
} P2psSlotsPlace;

P2psSlots *p2ps_slots_new (void);
void p2ps_slots_free (P2psSlots *slots);
void p2ps_slots_set_limits (P2psSlots *slots, guint64 total, guint64 per_source);
gboolean p2ps_slots_take (P2psSlots *slots, gint64 now, const char *source, const char *what,
                          P2psSlotsPlace *place);
void p2ps_slots_release (P2psSlots *slots, gint64 now, const char *source, const char *what,
                         gint64 duration, gboolean goes_on);
guint p2ps_slots_get_waiting (P2psSlots *slots, gint64 now);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psSlots, p2ps_slots_free)

G_END_DECLS
