/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Who is known: a table of peers and a larger one of candidates that were only named, both with
 * caps, and the rules for addresses from the wire (wire.md, part 3). Order is that of arrival,
 * never that of a hash. Refuses what is not a literal, what this node can't or must not reach, and
 * more than its share from one source. On the owner context. */

#define G_LOG_DOMAIN "p2ps-membership"

#include "core/membership.h"

#include <string.h>

static void
member_free (P2psMember *member)
{
  p2ps_fair_clear (&member->outbox, (GDestroyNotify)p2ps_message_unref);
  g_free (member);
}

P2psMembership *
p2ps_membership_new (gint64 now)
{
  P2psMembership *self = g_new0 (P2psMembership, 1);

  self->by_address = g_hash_table_new_full (p2ps_address_hash, p2ps_address_equal, NULL,
                                            (GDestroyNotify)member_free);
  self->peers = g_ptr_array_new ();
  self->candidates = g_ptr_array_new ();
  self->held = g_array_new (FALSE, FALSE, sizeof (P2psHeld));
  self->probes.full = P2PS_LONG_AGO;
  self->upkeep = now + P2PS_HEARTBEAT;
  self->mesh_from = now + P2PS_MESH_AFTER;
  self->wake = P2PS_NEVER;
  self->banned = P2PS_LONG_AGO;

  return self;
}

void
p2ps_membership_free (P2psMembership *self)
{
  g_ptr_array_unref (self->peers);
  g_ptr_array_unref (self->candidates);
  g_array_unref (self->held);
  g_hash_table_unref (self->by_address);
  g_free (self);
}

/* Addresses */

gboolean
p2ps_node_is_own (P2psNode *node, const P2psAddress *address)
{
  for (guint i = 0; i < node->own_addresses->len; i++)
    if (p2ps_address_equal (&g_array_index (node->own_addresses, P2psAddress, i), address))
      return TRUE;
  if (address->port != node->self.port)
    return FALSE;
  if (node->self.host[0] != '\0' && p2ps_host_equal (node->self.host, address->host))
    return TRUE;
  for (guint i = 0; i < node->own_hosts->len; i++)
    if (p2ps_host_equal (g_ptr_array_index (node->own_hosts, i), address->host))
      return TRUE;

  return FALSE;
}

/* Whether @source may name @address. What is in the table already may always be named: the user
 * configured it, or it was let in. */
gboolean
p2ps_node_allows (P2psNode *node, const char *source, const P2psAddress *address)
{
  P2psScope scope = p2ps_host_get_scope (address->host);
  P2psMember *member;

  if (address->port < P2PS_MIN_PORT || p2ps_node_is_own (node, address))
    return FALSE;
  member = p2ps_membership_find (node, address);
  if (member != NULL && member->tabled)
    return TRUE;
  if (node->loopback_only)
    return scope == P2PS_SCOPE_LOOPBACK;
  if (scope == P2PS_SCOPE_PRIVATE)
    return p2ps_host_get_scope (source) != P2PS_SCOPE_PUBLIC;

  return scope == P2PS_SCOPE_PUBLIC;
}

/* All of 127/8 and ::1 is one machine: a caller from there may be any of its addresses. */
gboolean
p2ps_source_is_host (const char *source, const char *host)
{
  if (p2ps_host_equal (source, host))
    return TRUE;

  return p2ps_host_get_scope (source) == P2PS_SCOPE_LOOPBACK
         && p2ps_host_get_scope (host) == P2PS_SCOPE_LOOPBACK;
}

/* The address that a caller means: an unset host is the source of the connection. */
P2psAddress
p2ps_address_resolve (const P2psAddress *address, const char *source)
{
  P2psAddress resolved = *address;

  if (resolved.host[0] == '\0' && resolved.port != 0)
    g_strlcpy (resolved.host, source, sizeof resolved.host);

  return resolved;
}

/* The tables */

P2psMember *
p2ps_membership_find (P2psNode *node, const P2psAddress *address)
{
  return g_hash_table_lookup (node->membership->by_address, address);
}

/* Which peer a copy of a query came from, or NULL. It is @certain when the copy says so itself; a
 * classic one doesn't, and is known by its host when it is the only one there. */
P2psMember *
p2ps_membership_find_sender (P2psNode *node, const char *source, const P2psQuery *query,
                             gboolean *certain)
{
  GPtrArray *peers = node->membership->peers;
  P2psMember *only = NULL;

  *certain = TRUE;
  for (guint i = 0; i < 2; i++)
    {
      P2psAddress named = p2ps_address_resolve (i == 0 ? &query->via : &query->origin, source);
      P2psMember *member;

      if (i == 1 && query->via.port != 0)
        break;
      if (!p2ps_address_is_set (&named) || !p2ps_source_is_host (source, named.host))
        continue;
      member = p2ps_membership_find (node, &named);
      if (member != NULL && member->tabled)
        return member;
    }
  *certain = FALSE;
  if (query->via.port != 0)
    return NULL;

  for (guint i = 0; i < peers->len; i++)
    {
      P2psMember *member = g_ptr_array_index (peers, i);

      if (member->info.state != P2PS_PEER_ACTIVE || !member->info.classic
          || !p2ps_host_equal (member->info.address.host, source))
        continue;
      if (only != NULL)
        return NULL;
      only = member;
    }

  return only;
}

static P2psMember *
add (P2psNode *node, const P2psAddress *address, GPtrArray *table)
{
  P2psMember *member = g_new0 (P2psMember, 1);

  member->info.address = *address;
  member->info.state = P2PS_PEER_CANDIDATE;
  member->info.files = -1;
  member->tabled = table == node->membership->peers;
  member->next = P2PS_NEVER;
  member->pinged = member->joined_at = member->asked = P2PS_LONG_AGO;
  member->banned = member->failed = P2PS_LONG_AGO;
  member->in.full = member->out.full = member->duplicates.full = member->excess.full
      = P2PS_LONG_AGO;
  p2ps_fair_init (&member->outbox);
  g_hash_table_insert (node->membership->by_address, &member->info.address, member);
  g_ptr_array_add (table, member);

  return member;
}

void
p2ps_membership_remove (P2psNode *node, P2psMember *member)
{
  P2psMembership *self = node->membership;

  if (member->info.state == P2PS_PEER_ACTIVE)
    self->active--;
  if (member->contacting && !member->tabled)
    self->probing--;
  g_ptr_array_remove (member->tabled ? self->peers : self->candidates, member);
  g_hash_table_remove (self->by_address, &member->info.address);
}

/* Makes room among the candidates: one that was merely named and not yet tried goes first, then one
 * that did not answer. Those that asked from their own address stay. */
static gboolean
make_room_for_candidate (P2psNode *node)
{
  GPtrArray *candidates = node->membership->candidates;

  if (candidates->len < P2PS_MAX_CANDIDATES)
    return TRUE;
  for (guint i = 0; i < candidates->len; i++)
    {
      P2psMember *member = g_ptr_array_index (candidates, i);

      if (!member->direct && !member->contacting && member->info.score == 0)
        {
          p2ps_membership_remove (node, member);
          return TRUE;
        }
    }

  return FALSE;
}

static guint
count_named_by (P2psNode *node, const char *source)
{
  GPtrArray *candidates = node->membership->candidates;
  guint count = 0;

  for (guint i = 0; i < candidates->len; i++)
    {
      P2psMember *member = g_ptr_array_index (candidates, i);

      if (strcmp (member->named_by, source) == 0)
        count++;
    }

  return count;
}

/**
 * p2ps_membership_consider:
 *
 * @source names an allowed @address. A host may name itself; of others it may name a few.
 *
 * Returns: (nullable) (transfer none): the member, new or known; NULL: there is no room
 */
P2psMember *
p2ps_membership_consider (P2psNode *node, const char *source, const P2psAddress *address)
{
  P2psMember *member = p2ps_membership_find (node, address);
  gboolean direct = p2ps_source_is_host (source, address->host);

  if (member != NULL)
    return member;
  if ((!direct && count_named_by (node, source) >= P2PS_MAX_NAMED_BY_ONE)
      || (direct ? !make_room_for_candidate (node)
                 : node->membership->candidates->len >= P2PS_MAX_CANDIDATES))
    {
      node->counters.refused[P2PS_REFUSED_FULL]++;
      return NULL;
    }
  member = add (node, address, node->membership->candidates);
  if (!direct)
    g_strlcpy (member->named_by, source, sizeof member->named_by);

  return member;
}

/* Moves a candidate into the table of peers. */
static void
table (P2psNode *node, P2psMember *member)
{
  P2psMembership *self = node->membership;

  if (member->tabled)
    return;
  if (member->contacting)
    self->probing--;
  g_ptr_array_remove (self->candidates, member);
  g_ptr_array_add (self->peers, member);
  member->tabled = TRUE;
  member->named_by[0] = '\0';
}

/* The user names a peer: there is always room for it. */
P2psMember *
p2ps_membership_configure (P2psNode *node, const P2psAddress *address)
{
  P2psMember *member = p2ps_membership_find (node, address);

  if (member == NULL)
    member = add (node, address, node->membership->peers);
  table (node, member);
  member->info.configured = TRUE;

  return member;
}

/* Returns: (nullable): the peer that is gone for longest and that nobody configured */
static P2psMember *
find_gone (P2psNode *node)
{
  GPtrArray *peers = node->membership->peers;
  P2psMember *gone = NULL;

  for (guint i = 0; i < peers->len; i++)
    {
      P2psMember *peer = g_ptr_array_index (peers, i);

      if (peer->info.state == P2PS_PEER_INACTIVE && !peer->info.configured
          && !p2ps_member_is_banned (node, peer)
          && (gone == NULL || peer->info.last_heartbeat < gone->info.last_heartbeat))
        gone = peer;
    }

  return gone;
}

/* A candidate answered: it enters the table if there is room, or if a peer that is long gone can
 * leave. Returns: FALSE when the table is full. */
gboolean
p2ps_membership_admit (P2psNode *node, P2psMember *member)
{
  GPtrArray *peers = node->membership->peers;

  if (member->tabled)
    return TRUE;
  while (peers->len >= P2PS_MAX_PEERS)
    {
      P2psMember *gone = find_gone (node);

      if (gone == NULL)
        {
          node->counters.refused[P2PS_REFUSED_FULL]++;
          return FALSE;
        }
      p2ps_membership_remove (node, gone);
    }
  table (node, member);

  return TRUE;
}

/* Whether @caller could use @entry, by the rules that it will apply to our reply. */
static gboolean
is_for (const P2psAddress *entry, P2psScope caller)
{
  P2psScope scope = p2ps_host_get_scope (entry->host);

  if (scope == P2PS_SCOPE_LOOPBACK)
    return caller == P2PS_SCOPE_LOOPBACK;
  if (scope == P2PS_SCOPE_PRIVATE)
    return caller == P2PS_SCOPE_PRIVATE || caller == P2PS_SCOPE_LOOPBACK;

  return scope == P2PS_SCOPE_PUBLIC;
}

/* Returns: (transfer full): a PEERS reply for @caller: active peers, drawn when there are many */
P2psMessage *
p2ps_membership_list_for (P2psNode *node, const P2psAddress *caller)
{
  P2psMessage *reply = p2ps_message_new (P2PS_MESSAGE_PEERS);
  P2psScope scope = p2ps_host_get_scope (caller->host);
  GPtrArray *peers = node->membership->peers;

  reply->ok = TRUE;
  for (guint i = 0; i < peers->len; i++)
    {
      P2psMember *member = g_ptr_array_index (peers, i);

      if (member->info.state == P2PS_PEER_ACTIVE && is_for (&member->info.address, scope)
          && !p2ps_address_equal (&member->info.address, caller))
        g_array_append_val (reply->peers, member->info.address);
    }
  while (reply->peers->len > P2PS_MAX_PEERS_IN_REPLY)
    g_array_remove_index_fast (reply->peers, p2ps_random_below (&node->random, reply->peers->len));

  return reply;
}
