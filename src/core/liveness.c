/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Who is there: pings candidates, joins those that answer, sends heartbeats, notices silence, tries
 * again those that are gone, and looks for more peers when there are few. A peer is called inactive
 * only after requests to it failed, never for silence alone: a node that slept evicts nobody. Pings
 * to strangers are few: 2 a second in all, and the same one at most once in 10 minutes. On the
 * owner context. */

#define G_LOG_DOMAIN "p2ps-liveness"

#include <string.h>

#include "core/membership.h"
#include "core/routing.h"

#define PROBE_INTERVAL (P2PS_SECOND / P2PS_PROBES_PER_SECOND)
#define QUICK_RETRY P2PS_SECOND
#define LOOK_AGAIN (10 * P2PS_SECOND)   /* at a candidate that is not needed now */
#define ASK_AGAIN (60 * P2PS_SECOND)    /* the same peer for peers */
#define ASK_URGENTLY (15 * P2PS_SECOND) /* when fewer than 3 are active */
#define PING_AGAIN (30 * P2PS_SECOND)   /* one of ours, to hear how many files it has */
#define JOIN_AGAIN (300 * P2PS_SECOND)  /* a classic peer forgets us when it restarts */
#define REJOIN (30 * P2PS_SECOND)       /* when a peer does not know us */
#define MAX_TRIES 3

void
p2ps_member_schedule (P2psNode *node, P2psMember *member, gint64 when)
{
  member->next = when;
  node->membership->wake = MIN (node->membership->wake, when);
}

/* Whether so few nodes are known that this one could know them all. Nodes that start together know
 * few at first, so that counts only after a while. Among many neighbours a classic peer, which
 * handles every copy again, multiplies: then it is as in larger networks. */
static gboolean
is_mesh (P2psNode *node)
{
  P2psMembership *self = node->membership;
  guint known = self->active;

  if (node->sparse || node->now < self->mesh_from)
    return FALSE;
  for (guint i = 0; i < self->peers->len; i++)
    {
      const P2psMember *member = g_ptr_array_index (self->peers, i);

      if (member->info.state == P2PS_PEER_ACTIVE && member->info.classic)
        return FALSE;
    }
  for (guint i = 0; i < self->candidates->len && known <= P2PS_MESH_PEERS; i++)
    if (((P2psMember *)g_ptr_array_index (self->candidates, i))->failures == 0)
      known++;

  return known <= P2PS_MESH_PEERS;
}

/* Whether @member was not asked since its answer counts. */
static gboolean
is_unasked (P2psNode *node, const P2psMember *member)
{
  return member->info.state == P2PS_PEER_ACTIVE && member->asked < node->membership->mesh_from;
}

/* How many active peers there should be. Where few nodes are known it is all of them: a query then
 * needs no second hop. That there are so few is believed when all peers were asked for theirs. */
static guint
get_wanted (P2psNode *node)
{
  GPtrArray *peers = node->membership->peers;

  if (node->membership->active < node->wanted_peers || !is_mesh (node))
    return node->wanted_peers;
  for (guint i = 0; i < peers->len; i++)
    {
      const P2psMember *member = g_ptr_array_index (peers, i);

      if (is_unasked (node, member) || node->now < member->asked + P2PS_SECOND)
        return node->wanted_peers;
    }

  return MAX (node->wanted_peers, P2PS_MESH_PEERS);
}

/* Whether a peer that has just come should be asked for its peers. */
static gboolean
is_curious (P2psNode *node, const P2psMember *member)
{
  return node->membership->active < node->wanted_peers
         || (is_unasked (node, member) && is_mesh (node));
}

static gint64
get_timeout (const P2psMember *member)
{
  return member->info.classic ? P2PS_CLASSIC_TIMEOUT : P2PS_PEER_TIMEOUT;
}

static void
contact (P2psNode *node, P2psMember *member)
{
  member->contacting = TRUE;
  if (!member->tabled)
    node->membership->probing++;
  member->pinged = node->now;
  p2ps_node_push_ping (node, &member->info.address, P2PS_FOR_CONTACT);
}

static void
say (P2psNode *node, P2psMember *member, P2psMessageType type, P2psPurpose purpose)
{
  p2ps_node_push_send (node, &member->info.address, p2ps_message_new_from (type, &node->self),
                       purpose, NULL, NULL);
}

static void
join (P2psNode *node, P2psMember *member)
{
  member->joined_at = node->now;
  say (node, member, P2PS_MESSAGE_JOIN, P2PS_FOR_JOIN);
}

static void
ask_for_peers (P2psNode *node, P2psMember *member)
{
  member->asked = node->now;
  say (node, member, P2PS_MESSAGE_GET_PEERS, P2PS_FOR_PEERS);
}

static void
schedule_heartbeat (P2psNode *node, P2psMember *member)
{
  gint64 interval = member->info.classic ? P2PS_CLASSIC_HEARTBEAT : P2PS_HEARTBEAT;

  member->heartbeat = node->now + p2ps_random_around (&node->random, interval);
  p2ps_member_schedule (node, member, member->heartbeat);
}

static void
set_state (P2psNode *node, P2psMember *member, P2psPeerState state)
{
  P2psMembership *self = node->membership;

  if (member->info.state == P2PS_PEER_ACTIVE)
    self->active--;
  if (state == P2PS_PEER_ACTIVE)
    self->active++;
  member->info.state = state;
  member->info.last_update = node->now;
  p2ps_node_push_changed (node);
}

/* It answered, or a peer of the table came back: queries go to it from now on. */
void
p2ps_member_activate (P2psNode *node, P2psMember *member)
{
  if (member->info.state == P2PS_PEER_ACTIVE || !p2ps_membership_admit (node, member))
    return;
  set_state (node, member, P2PS_PEER_ACTIVE);
  member->failures = member->refusals = member->retries = 0;
  member->info.last_heartbeat = node->now;
  if (!member->joined)
    join (node, member);
  else if (is_curious (node, member))
    ask_for_peers (node, member);
  schedule_heartbeat (node, member);
  p2ps_searches_greet (node, member);
}

static gint64
get_backoff (P2psNode *node, P2psMember *member)
{
  gint64 longest = member->info.configured ? P2PS_RETRY_MAX_CONFIGURED : P2PS_RETRY_MAX;

  if (member->info.classic)
    return P2PS_RETRY_CLASSIC;

  return p2ps_random_around (&node->random,
                             MIN (QUICK_RETRY << MIN (member->retries, 10), longest));
}

void
p2ps_member_deactivate (P2psNode *node, P2psMember *member)
{
  P2psMembership *self = node->membership;

  set_state (node, member, P2PS_PEER_INACTIVE);
  member->joined = FALSE;
  member->retries = 0;
  p2ps_fair_clear (&member->outbox, (GDestroyNotify)p2ps_message_unref);
  if (!member->contacting)
    p2ps_member_schedule (node, member, node->now + get_backoff (node, member));
  if (self->active < P2PS_MIN_ACTIVE_PEERS)
    self->upkeep = node->now;
}

/* Any sign of life. */
void
p2ps_member_heard (P2psNode *node, P2psMember *member)
{
  member->info.last_heartbeat = node->now;
  member->refusals = 0;
  if (member->failures > 0 && member->info.state == P2PS_PEER_ACTIVE)
    schedule_heartbeat (node, member);
  member->failures = 0;
  p2ps_node_push_changed (node);
}

/* What is due for a member */

static void
run_active (P2psNode *node, P2psMember *member)
{
  gint64 silent_at = member->info.last_heartbeat + get_timeout (member);
  gint64 interval = member->info.classic ? P2PS_CLASSIC_HEARTBEAT : QUICK_RETRY;

  if (member->failures > 0)
    {
      if (member->failures >= 2 && node->now >= silent_at)
        {
          p2ps_member_deactivate (node, member);
          return;
        }
      if (member->refusals > 0)
        interval = QUICK_RETRY;
      if (!member->contacting && node->now >= member->pinged + interval)
        contact (node, member);
      p2ps_member_schedule (node, member,
                            member->contacting ? MAX (silent_at, node->now + QUICK_RETRY)
                                               : member->pinged + interval);
      return;
    }
  if (node->now < member->heartbeat)
    {
      p2ps_member_schedule (node, member, member->heartbeat);
      return;
    }
  if (!member->joined || (member->info.classic && node->now >= member->joined_at + JOIN_AGAIN))
    join (node, member);
  else
    say (node, member, P2PS_MESSAGE_HEARTBEAT, P2PS_FOR_HEARTBEAT);
  if (!member->info.classic && !member->contacting && node->now >= member->pinged + PING_AGAIN)
    contact (node, member);
  schedule_heartbeat (node, member);
}

/* Pings a candidate that nobody configured, within the limits. FALSE: it is forgotten. */
static gboolean
run_candidate (P2psNode *node, P2psMember *member)
{
  P2psMembership *self = node->membership;
  gboolean needed = member->wants_us || self->active + self->probing < get_wanted (node);
  gboolean tried = member->pinged != P2PS_LONG_AGO;

  if (tried && node->now >= member->pinged + P2PS_PROBE_AGAIN)
    return FALSE;
  /* Where nobody listens a ping hurts nobody: a caller that starts its server only after it joined
   * gets another chance. So does one that goes on calling, from its own address, a minute later. */
  if (tried
      && (!member->direct || member->failures > MAX_TRIES
          || (member->refusals == 0
              && (!member->called || node->now < member->pinged + P2PS_PROBE_CALLER_AGAIN))))
    {
      p2ps_callers_release (node, &member->info.address, FALSE);
      p2ps_member_schedule (node, member, member->pinged + P2PS_PROBE_AGAIN);
    }
  else if (!needed)
    p2ps_member_schedule (node, member, node->now + LOOK_AGAIN);
  else if (p2ps_bucket_take (&self->probes, node->now, PROBE_INTERVAL, P2PS_PROBES_BURST))
    {
      member->called = FALSE;
      contact (node, member);
      p2ps_member_schedule (node, member, node->now + P2PS_PROBE_AGAIN);
    }
  else
    p2ps_member_schedule (node, member,
                          p2ps_bucket_get_ready (&self->probes, PROBE_INTERVAL, P2PS_PROBES_BURST));

  return TRUE;
}

/* Does what is due for @member now. Returns: FALSE when it was forgotten. */
gboolean
p2ps_liveness_run (P2psNode *node, P2psMember *member)
{
  if (p2ps_member_is_banned (node, member))
    {
      p2ps_member_schedule (node, member, member->banned);
      return TRUE;
    }
  if (member->info.state == P2PS_PEER_ACTIVE)
    {
      run_active (node, member);
      return TRUE;
    }
  if (member->contacting)
    {
      p2ps_member_schedule (node, member, P2PS_NEVER);
      return TRUE;
    }
  if (!member->tabled)
    {
      if (run_candidate (node, member))
        return TRUE;
    }
  else if (member->info.configured || node->now < member->info.last_heartbeat + P2PS_FORGET_PEER)
    {
      contact (node, member);
      p2ps_member_schedule (node, member, P2PS_NEVER);
      return TRUE;
    }
  p2ps_membership_remove (node, member);
  p2ps_node_push_changed (node);

  return FALSE;
}

/* What became of requests */

/* The address leads to this node itself. */
static void
learn_own_address (P2psNode *node, P2psMember *member)
{
  if (node->own_addresses->len >= 16)
    g_array_remove_index (node->own_addresses, 0);
  g_array_append_val (node->own_addresses, member->info.address);
  p2ps_membership_remove (node, member);
  p2ps_node_push_changed (node);
}

/* Returns: FALSE when @member is gone: it was ourselves */
static gboolean
handle_pong (P2psNode *node, P2psMember *member, const P2psMessage *pong)
{
  if (pong->agent != NULL && pong->id != NULL && g_strcmp0 (pong->id, node->id) == 0)
    {
      p2ps_callers_release (node, &member->info.address, FALSE);
      learn_own_address (node, member);
      return FALSE;
    }
  member->info.classic = pong->agent == NULL;
  member->info.files = pong->files;
  g_strlcpy (member->info.agent, pong->agent != NULL ? pong->agent : "", sizeof member->info.agent);
  g_strlcpy (member->info.id, pong->id != NULL ? pong->id : "", sizeof member->info.id);

  return TRUE;
}

static void
handle_peers (P2psNode *node, P2psMember *member, const P2psMessage *reply)
{
  g_autoptr (GArray) list = NULL;
  guint taken = 0;

  if (!reply->ok)
    {
      /* It does not know us (any more): the next heartbeat is a JOIN. */
      member->joined = FALSE;
      if (node->now >= member->joined_at + REJOIN)
        {
          member->heartbeat = node->now;
          p2ps_member_schedule (node, member, node->now);
        }
      return;
    }
  list = g_array_copy (reply->peers);
  while (list->len > 0 && taken < P2PS_MAX_PEERS_TAKEN)
    {
      guint i = p2ps_random_below (&node->random, list->len);
      P2psAddress address = g_array_index (list, P2psAddress, i);
      P2psMember *named;

      g_array_remove_index_fast (list, i);
      if (!p2ps_address_is_set (&address)
          || !p2ps_node_allows (node, member->info.address.host, &address)
          || p2ps_membership_find (node, &address) != NULL)
        continue;
      named = p2ps_membership_consider (node, member->info.address.host, &address);
      if (named == NULL)
        break;
      taken++;
      p2ps_member_schedule (node, named, node->now);
    }
}

static void
handle_failure (P2psNode *node, P2psMember *member, P2psPurpose purpose, gint64 sent_at,
                P2psOutcome outcome)
{
  /* A refused query says nothing about life: the peer answered. */
  if (outcome == P2PS_OUTCOME_DENIED && (purpose == P2PS_FOR_QUERY || purpose == P2PS_FOR_HITS))
    return;
  /* Requests that were under way together fail together: that is one failure. */
  if (sent_at >= member->failed || member->failures == 0)
    {
      member->failures++;
      member->refusals = outcome == P2PS_OUTCOME_REFUSED ? member->refusals + 1 : 0;
      member->failed = node->now;
    }
  if (outcome == P2PS_OUTCOME_NONSENSE)
    p2ps_member_blame (node, member, 5);
  if (p2ps_member_is_banned (node, member))
    return;

  if (member->info.state == P2PS_PEER_ACTIVE)
    {
      if (member->refusals >= P2PS_REFUSALS_TO_INACTIVE)
        p2ps_member_deactivate (node, member);
      else
        run_active (node, member);
    }
  else if (purpose != P2PS_FOR_CONTACT)
    ;
  else if (member->tabled)
    {
      p2ps_member_schedule (node, member, node->now + get_backoff (node, member));
      member->retries++;
    }
  else if (member->refusals > 0 && member->direct && member->failures <= MAX_TRIES)
    p2ps_member_schedule (node, member, node->now + (QUICK_RETRY << (2 * (member->failures - 1))));
  else
    p2ps_liveness_run (node, member);
}

/* What became of any message to @to; @reply is NULL unless @outcome is REPLY. */
void
p2ps_liveness_sent (P2psNode *node, const P2psAddress *to, P2psPurpose purpose, gint64 sent_at,
                    P2psOutcome outcome, const P2psMessage *reply)
{
  P2psMember *member = p2ps_membership_find (node, to);

  if (member == NULL)
    return;
  if (purpose == P2PS_FOR_CONTACT && member->contacting)
    {
      member->contacting = FALSE;
      if (!member->tabled)
        node->membership->probing--;
    }
  if (outcome != P2PS_OUTCOME_REPLY)
    {
      handle_failure (node, member, purpose, sent_at, outcome);
      return;
    }

  member->info.round_trip = MAX (1, node->now - sent_at);
  if (reply->type == P2PS_MESSAGE_PONG && !handle_pong (node, member, reply))
    return;
  if (!member->tabled && purpose != P2PS_FOR_CONTACT)
    return;
  p2ps_member_heard (node, member);
  if (p2ps_member_is_banned (node, member))
    return;
  if (!member->tabled && member->info.classic && !member->wants_us
      && node->membership->active >= node->wanted_peers)
    {
      /* It was pinged for the mesh, where it has no place. */
      p2ps_member_schedule (node, member, member->pinged + P2PS_PROBE_AGAIN);
      return;
    }
  if (member->info.state != P2PS_PEER_ACTIVE)
    {
      p2ps_member_activate (node, member);
      p2ps_callers_release (node, to, member->info.state == P2PS_PEER_ACTIVE);
    }
  else if (purpose == P2PS_FOR_JOIN && reply->ok)
    {
      member->joined = TRUE;
      if (is_curious (node, member) && node->now >= member->asked + ASK_URGENTLY)
        ask_for_peers (node, member);
    }
  else if (purpose == P2PS_FOR_PEERS)
    handle_peers (node, member, reply);
}

/* Time */

/* Too few peers: ask those that are there, and try those that are gone. */
static void
upkeep (P2psNode *node)
{
  P2psMembership *self = node->membership;
  gboolean urgent = self->active < P2PS_MIN_ACTIVE_PEERS;
  P2psMember *chosen = NULL;
  gint64 count = 0;

  for (guint i = 0; i < self->peers->len; i++)
    {
      P2psMember *member = g_ptr_array_index (self->peers, i);

      if (member->info.state == P2PS_PEER_ACTIVE)
        {
          if (node->now < member->asked + (urgent ? ASK_URGENTLY : ASK_AGAIN))
            continue;
          if (urgent)
            ask_for_peers (node, member);
          else if (p2ps_random_below (&node->random, ++count) == 0)
            chosen = member;
        }
      else if (urgent && !member->contacting && !member->info.classic
               && node->now >= member->pinged + LOOK_AGAIN)
        p2ps_member_schedule (node, member, node->now);
    }
  if (chosen != NULL)
    ask_for_peers (node, chosen);
}

void
p2ps_liveness_tick (P2psNode *node)
{
  P2psMembership *self = node->membership;

  if (node->now >= self->upkeep)
    {
      self->upkeep = node->now + p2ps_random_around (&node->random, P2PS_HEARTBEAT);
      if (is_mesh (node))
        for (guint i = 0; i < self->peers->len; i++)
          if (is_unasked (node, g_ptr_array_index (self->peers, i)))
            ask_for_peers (node, g_ptr_array_index (self->peers, i));
      if (self->active < get_wanted (node))
        upkeep (node);
    }
  if (node->now < self->wake)
    return;

  self->wake = P2PS_NEVER;
  for (guint table = 0; table < 2; table++)
    {
      GPtrArray *members = table == 0 ? self->peers : self->candidates;

      for (guint i = 0; i < members->len;)
        {
          P2psMember *member = g_ptr_array_index (members, i);

          if (member->next > node->now)
            self->wake = MIN (self->wake, member->next);
          else if (!p2ps_liveness_run (node, member))
            continue;
          i++;
        }
    }
}
