/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What others ask about membership: JOIN, HEARTBEAT and GET_PEERS. A caller enters no table by
 * asking: it is pinged back first, at the address that it announces. A known peer that speaks from
 * its own address is live at once. A caller that is just being pinged waits up to a second for its
 * list of peers, so that a classic peer can join and ask in one breath. On the owner context. */

#define G_LOG_DOMAIN "p2ps-callers"

#include "core/membership.h"

#define HOLD P2PS_SECOND
#define MAX_HELD 64

static void
refuse (P2psNode *node, const P2psMessage *message, guint64 request, P2psRefusal refusal)
{
  node->counters.refused[refusal]++;
  if (refusal == P2PS_REFUSED_BANNED)
    p2ps_node_push_reject (node, request, 403, "This peer misbehaved and is refused for a while.");
  else if (message->type == P2PS_MESSAGE_JOIN)
    p2ps_node_push_status (node, request, FALSE, FALSE);
  else if (message->type == P2PS_MESSAGE_GET_PEERS)
    p2ps_node_push_reply (node, request, p2ps_message_new (P2PS_MESSAGE_PEERS));
  else
    p2ps_node_push_reject (node, request, 400, "This address can't be used.");
}

/* A peer of the table speaks from its own address. */
static void
welcome_back (P2psNode *node, P2psMember *member)
{
  member->joined = TRUE;
  p2ps_member_heard (node, member);
  if (member->info.state == P2PS_PEER_ACTIVE)
    return;
  /* It may speak another dialect since, so it is pinged; one that never answered has to. */
  if (member->info.state == P2PS_PEER_INACTIVE)
    p2ps_member_activate (node, member);
  if (!member->contacting && node->now >= member->pinged + P2PS_SECOND)
    {
      member->contacting = TRUE;
      member->pinged = node->now;
      p2ps_node_push_ping (node, &member->info.address, P2PS_FOR_CONTACT);
    }
}

/* JOIN and HEARTBEAT. */
void
p2ps_callers_announce (P2psNode *node, const char *source, const P2psMessage *message,
                       guint64 request)
{
  P2psAddress who = p2ps_address_resolve (&message->sender, source);
  gboolean direct = p2ps_source_is_host (source, who.host);
  P2psMember *member = NULL;

  if (!p2ps_address_is_set (&who) || !p2ps_node_allows (node, source, &who))
    {
      refuse (node, message, request, P2PS_REFUSED_ADDRESS);
      return;
    }
  member = p2ps_membership_find (node, &who);
  if ((member != NULL && p2ps_member_is_banned (node, member))
      || p2ps_source_is_banned (node, source))
    {
      refuse (node, message, request, P2PS_REFUSED_BANNED);
      return;
    }

  member = p2ps_membership_consider (node, source, &who);
  p2ps_node_push_status (node, request, member != NULL || message->type != P2PS_MESSAGE_JOIN,
                         FALSE);
  if (member == NULL)
    return;
  if (member->tabled)
    {
      if (direct)
        welcome_back (node, member);
      return;
    }
  member->wants_us = TRUE;
  if (direct)
    member->direct = member->joined = member->called = TRUE;
  if (!member->contacting
      && (member->pinged == P2PS_LONG_AGO
          || (direct && node->now >= member->pinged + P2PS_PROBE_CALLER_AGAIN)))
    p2ps_liveness_run (node, member);
}

void
p2ps_callers_get_peers (P2psNode *node, const char *source, const P2psMessage *message,
                        guint64 request)
{
  P2psMembership *self = node->membership;
  P2psAddress who = p2ps_address_resolve (&message->sender, source);
  P2psMember *member = NULL;
  P2psHeld held = { request, who, node->now + HOLD };

  if (p2ps_address_is_set (&who) && p2ps_source_is_host (source, who.host))
    member = p2ps_membership_find (node, &who);
  if (member == NULL)
    refuse (node, message, request, P2PS_REFUSED_UNKNOWN);
  else if (p2ps_member_is_banned (node, member))
    refuse (node, message, request, P2PS_REFUSED_BANNED);
  else if (member->tabled && member->info.state != P2PS_PEER_CANDIDATE)
    {
      welcome_back (node, member);
      p2ps_node_push_reply (node, request, p2ps_membership_list_for (node, &who));
    }
  else if (self->held->len < MAX_HELD
           && (member->contacting || (member->wants_us && member->pinged == P2PS_LONG_AGO)))
    g_array_append_val (self->held, held);
  else
    refuse (node, message, request, P2PS_REFUSED_UNKNOWN);
}

static void
answer_held (P2psNode *node, const P2psHeld *held, gboolean known)
{
  if (!known)
    node->counters.refused[P2PS_REFUSED_UNKNOWN]++;
  p2ps_node_push_reply (node, held->request,
                        known ? p2ps_membership_list_for (node, &held->caller)
                              : p2ps_message_new (P2PS_MESSAGE_PEERS));
}

/* The ping to @caller has an outcome. */
void
p2ps_callers_release (P2psNode *node, const P2psAddress *caller, gboolean known)
{
  GArray *waiting = node->membership->held;

  for (guint i = 0; i < waiting->len;)
    {
      P2psHeld held = g_array_index (waiting, P2psHeld, i);

      if (p2ps_address_equal (&held.caller, caller))
        {
          g_array_remove_index (waiting, i);
          answer_held (node, &held, known);
        }
      else
        i++;
    }
}

void
p2ps_callers_tick (P2psNode *node)
{
  GArray *waiting = node->membership->held;

  /* Oldest first, all held equally long. */
  while (waiting->len > 0 && g_array_index (waiting, P2psHeld, 0).until <= node->now)
    {
      P2psHeld held = g_array_index (waiting, P2psHeld, 0);

      g_array_remove_index (waiting, 0);
      answer_held (node, &held, FALSE);
    }
}
