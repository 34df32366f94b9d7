/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "core/message.h"

/* A bounded queue that takes turns (fair.c): the first item of each source comes before the second
 * of any, so that one who sends much waits for itself only. */
typedef struct
{
  GQueue items;  /* of FairItem, by round, then by age */
  guint64 round; /* of the item that left last */
} P2psFair;

void p2ps_fair_init (P2psFair *fair);
void p2ps_fair_clear (P2psFair *fair, GDestroyNotify free_data);
gboolean p2ps_fair_is_empty (const P2psFair *fair);
gpointer p2ps_fair_push (P2psFair *fair, const P2psAddress *source, gpointer data, guint max);
gpointer p2ps_fair_push_first (P2psFair *fair, gpointer data, guint max);
gpointer p2ps_fair_pop (P2psFair *fair);
gpointer p2ps_fair_take (P2psFair *fair, gpointer user_data,
                         gboolean (*matches) (gconstpointer data, gpointer user_data));
