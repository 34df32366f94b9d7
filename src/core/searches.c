/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Own searches and the hits that come for them. Hits count only for a search that is live, for 60
 * s, 256 of them, 20 from one responder, each once. What comes late is answered politely, so that
 * an honest responder does not take this node for a forged one. On the owner context. */

#define G_LOG_DOMAIN "p2ps-searches"

#include <string.h>

#include "core/routing.h"

#define GREET_WITH 8 /* searches that a new peer is asked */

void
p2ps_search_state_free (P2psSearchState *search)
{
  p2ps_query_free (search->query);
  g_clear_pointer (&search->responders, g_hash_table_unref);
  g_clear_pointer (&search->seen, g_hash_table_unref);
  g_free (search);
}

P2psSearchState *
p2ps_searches_find (P2psNode *node, const char *qid)
{
  return g_hash_table_lookup (node->routing->searches, qid);
}

static gboolean
is_live (P2psNode *node, const P2psSearchState *search)
{
  return search->live && node->now < search->started + P2PS_HIT_WINDOW;
}

/* Whether hits for our search @qid are wanted. */
gboolean
p2ps_searches_is_live (P2psNode *node, const char *qid)
{
  P2psSearchState *search = p2ps_searches_find (node, qid);

  return search != NULL && is_live (node, search);
}

static void
forget_old (P2psNode *node)
{
  P2psRouting *self = node->routing;

  while (!g_queue_is_empty (&self->search_order))
    {
      P2psSearchState *oldest = g_queue_peek_head (&self->search_order);

      if (self->search_order.length < P2PS_MAX_SEARCHES
          && node->now < oldest->started + P2PS_QID_MEMORY)
        break;
      g_queue_pop_head (&self->search_order);
      g_hash_table_remove (self->searches, oldest->query->qid);
    }
}

void
p2ps_searches_start (P2psNode *node, const P2psQuery *query)
{
  P2psRouting *self = node->routing;
  GPtrArray *peers = node->membership->peers;
  P2psSearchState *search;

  forget_old (node);
  if (g_hash_table_contains (self->searches, query->qid))
    return;
  search = g_new0 (P2psSearchState, 1);
  search->query = p2ps_query_copy (query);
  search->query->origin = node->self;
  search->started = node->now;
  search->live = TRUE;
  search->responders = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  search->seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_hash_table_insert (self->searches, search->query->qid, search);
  g_queue_push_tail (&self->search_order, search);
  node->counters.originated++;
  search->query->reached = p2ps_reached_new (node, query->qid);

  for (guint i = 0; i < peers->len; i++)
    {
      P2psMember *member = g_ptr_array_index (peers, i);

      if (member->info.state == P2PS_PEER_ACTIVE)
        p2ps_routing_send_own (node, member, search->query);
    }
}

void
p2ps_searches_stop (P2psNode *node, const char *qid)
{
  P2psSearchState *search = p2ps_searches_find (node, qid);

  if (search == NULL)
    return;
  search->live = FALSE;
  g_clear_pointer (&search->responders, g_hash_table_unref);
  g_clear_pointer (&search->seen, g_hash_table_unref);
}

/* A peer became active: it is asked what is being searched. */
void
p2ps_searches_greet (P2psNode *node, P2psMember *member)
{
  guint count = 0;

  for (GList *l = node->routing->search_order.tail; l != NULL && count < GREET_WITH; l = l->prev)
    {
      P2psSearchState *search = l->data;

      if (!is_live (node, search))
        continue;
      p2ps_routing_send_own (node, member, search->query);
      count++;
    }
}

/* Hits */

/* Whether a file is what was asked for: a keyword search can't be checked here. */
static gboolean
is_match (const P2psQuery *query, const P2psHit *hit)
{
  if (query->words)
    return TRUE;
  if (query->filehash[0] != '\0' && strcmp (query->filehash, hit->filehash) == 0)
    return TRUE;

  return query->filename[0] != '\0' && strcmp (query->filename, hit->filename) == 0;
}

/* Counts a hit from one responder. On loopback many peers share the source. */
static gboolean
is_within_share (P2psSearchState *search, const char *source, const P2psHit *hit)
{
  g_autofree char *name = p2ps_host_get_scope (source) == P2PS_SCOPE_LOOPBACK
                              ? p2ps_address_to_string (&hit->holder)
                              : g_strdup (source);
  guint count = GPOINTER_TO_UINT (g_hash_table_lookup (search->responders, name));

  if (count >= P2PS_MAX_HITS_PER_RESPONDER || search->hits >= P2PS_MAX_HITS_PER_QUERY)
    return FALSE;
  g_hash_table_insert (search->responders, g_steal_pointer (&name), GUINT_TO_POINTER (count + 1));
  search->hits++;

  return TRUE;
}

static char *
describe (const P2psHit *hit)
{
  g_autofree char *holder = p2ps_address_to_string (&hit->holder);

  return g_strconcat (holder, " ", hit->filehash, " ", hit->filename, NULL);
}

static void
blame_source (P2psNode *node, const char *source, const P2psHit *hit, int points)
{
  P2psMember *member = p2ps_membership_find (node, &hit->holder);

  if (member != NULL && p2ps_source_is_host (source, hit->holder.host))
    p2ps_member_blame (node, member, points);
}

/* Takes what is good of @message. Returns: how many hits were bad, not merely known */
static guint
take (P2psNode *node, P2psSearchState *search, const char *source, const P2psMessage *message,
      GPtrArray *verified, GPtrArray *unverified)
{
  guint bad = 0;

  for (guint i = 0; i < message->hits->len; i++)
    {
      g_autoptr (P2psHit) hit = p2ps_hit_copy (g_ptr_array_index (message->hits, i));
      g_autofree char *text = NULL;
      gboolean from_holder;

      hit->holder = p2ps_address_resolve (&hit->holder, source);
      text = describe (hit);
      from_holder = p2ps_source_is_host (source, hit->holder.host);
      if (!p2ps_address_is_set (&hit->holder) || !p2ps_node_allows (node, source, &hit->holder))
        {
          node->counters.refused[P2PS_REFUSED_ADDRESS]++;
          bad++;
        }
      else if (strcmp (hit->qid, search->query->qid) != 0 || !is_match (search->query, hit))
        {
          node->counters.refused[P2PS_REFUSED_HIT]++;
          blame_source (node, source, hit, 2);
          bad++;
        }
      else if (g_hash_table_contains (search->seen, text))
        ;
      else if (!is_within_share (search, source, hit))
        {
          node->counters.refused[P2PS_REFUSED_HIT]++;
          bad++;
        }
      else
        {
          g_hash_table_add (search->seen, g_steal_pointer (&text));
          g_ptr_array_add (from_holder ? verified : unverified, g_steal_pointer (&hit));
        }
    }

  return bad;
}

static void
tell (P2psNode *node, GPtrArray *hits, gboolean verified)
{
  node->counters.hits_received += hits->len;
  if (hits->len > 0)
    p2ps_node_push_hits (node, hits, verified);
  else
    g_ptr_array_unref (hits);
}

/* QUERY_HIT from @source. */
void
p2ps_searches_hits (P2psNode *node, const char *source, const P2psMessage *message, guint64 request)
{
  const P2psHit *first = message->hits->len > 0 ? g_ptr_array_index (message->hits, 0) : NULL;
  P2psSearchState *search = first != NULL ? p2ps_searches_find (node, first->qid) : NULL;
  GPtrArray *verified, *unverified;
  guint bad;

  if (p2ps_source_is_banned (node, source))
    {
      node->counters.refused[P2PS_REFUSED_BANNED]++;
      p2ps_node_push_reject (node, request, 403,
                             "This peer misbehaved and is refused for a while.");
      return;
    }
  if (search == NULL || !is_live (node, search))
    {
      node->counters.refused[P2PS_REFUSED_HIT]++;
      if (search != NULL)
        p2ps_node_push_status (node, request, TRUE, FALSE);
      else
        p2ps_node_push_reject (node, request, 404, "No such search.");
      return;
    }

  verified = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  unverified = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  bad = take (node, search, source, message, verified, unverified);
  if (bad > 0 && bad == message->hits->len)
    p2ps_node_push_reject (node, request, 400, "These hits can't be used.");
  else
    p2ps_node_push_status (node, request, TRUE, FALSE);
  tell (node, verified, TRUE);
  tell (node, unverified, FALSE);
}
