/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Where queries go. One that is new is looked up here and sent on to all active peers but the one
 * it came from and the one who asks; a known one is answered "duplicate", and sent on again only
 * when it has more budget left. Two budgets: `ttl` is what classic peers know (they take 2 off, so
 * does this node when it gets a query from one, and they are sent at most 2); `xttl` counts the
 * hops between our nodes, which leave the ttl alone. What waits to be sent on takes turns by the
 * neighbour that it came from: a flood waits for itself. Refuses queries beyond their rate and from
 * addresses that can't be. On the owner context. */

#define G_LOG_DOMAIN "p2ps-routing"

#include "core/routing.h"

#include <string.h>

#include "core/memory.h"

#define MAX_STRANGER_HOSTS 1024
#define IN_INTERVAL (P2PS_SECOND / P2PS_QUERIES_PER_NEIGHBOUR)
#define OUT_BURST (P2PS_QUERIES_BURST - 2) /* a little less than what a neighbour takes */
#define FORWARD_INTERVAL (P2PS_SECOND / P2PS_FORWARDS_PER_SECOND)
#define STRANGER_INTERVAL (P2PS_SECOND / P2PS_STRANGER_QUERIES_PER_SECOND)

/* A query to be sent on. */
typedef struct
{
  P2psQuery *query;    /* origin resolved; via, ttl and xttl are set for each receiver */
  P2psAddress from;    /* the peer that sent this copy, unset when it is none */
  int ttl_for_classic; /* -1: not to classic peers */
  int ttl;             /* to our nodes */
  int xttl;            /* 0: not to our nodes */
} Forward;

static void
forward_free (Forward *forward)
{
  p2ps_query_free (forward->query);
  g_free (forward);
}

P2psRouting *
p2ps_routing_new (void)
{
  P2psRouting *self = g_new0 (P2psRouting, 1);

  self->memory = p2ps_memory_new ();
  self->strangers = p2ps_buckets_new (MAX_STRANGER_HOSTS);
  self->excess = p2ps_buckets_new (MAX_STRANGER_HOSTS);
  self->all_strangers.full = self->stranger_forwards.full = self->forwards.full = P2PS_LONG_AGO;
  p2ps_fair_init (&self->waiting);
  self->wake = P2PS_NEVER;
  self->searches = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                          (GDestroyNotify)p2ps_search_state_free);
  g_queue_init (&self->search_order);

  return self;
}

void
p2ps_routing_free (P2psRouting *self)
{
  p2ps_fair_clear (&self->waiting, (GDestroyNotify)forward_free);
  g_queue_clear (&self->search_order);
  g_hash_table_unref (self->searches);
  p2ps_buckets_free (self->strangers);
  p2ps_buckets_free (self->excess);
  p2ps_memory_free (self->memory);
  g_free (self);
}

/* Out */

static void
wake_at (P2psNode *node, gint64 when)
{
  node->routing->wake = MIN (node->routing->wake, when);
}

/* An own query under way: what got no answer in time is sent again. */
typedef struct
{
  P2psMessage *message;
  guint tries;
} Own;

static void
own_free (Own *own)
{
  p2ps_message_unref (own->message);
  g_free (own);
}

/* @message: (transfer full) */
static void
send (P2psNode *node, const P2psAddress *to, P2psMessage *message, guint tries)
{
  Own *own = NULL;

  /* Only our own have come no hop yet. */
  if (message->query->hops == 0)
    {
      own = g_new0 (Own, 1);
      own->message = p2ps_message_ref (message);
      own->tries = tries;
    }
  p2ps_node_push_send (node, to, message, P2PS_FOR_QUERY, own, (GDestroyNotify)own_free);
}

/* What became of a query. @job: (transfer full) (nullable) */
void
p2ps_routing_sent (P2psNode *node, const P2psAddress *to, gpointer job, P2psOutcome outcome)
{
  P2psMember *member = p2ps_membership_find (node, to);
  Own *own = job;

  if (own == NULL)
    return;
  /* The others were told that it is asked from here. */
  if (outcome == P2PS_OUTCOME_TIMEOUT && own->tries < P2PS_OWN_RETRIES && member != NULL
      && member->info.state == P2PS_PEER_ACTIVE
      && p2ps_searches_is_live (node, own->message->query->qid))
    send (node, to, p2ps_message_ref (own->message), own->tries + 1);
  own_free (own);
}

/* Sends what the rate towards @member allows. */
static void
drain (P2psNode *node, P2psMember *member)
{
  while (!p2ps_fair_is_empty (&member->outbox)
         && p2ps_bucket_take (&member->out, node->now, IN_INTERVAL, OUT_BURST))
    send (node, &member->info.address, p2ps_fair_pop (&member->outbox), 0);
  if (!p2ps_fair_is_empty (&member->outbox))
    wake_at (node, p2ps_bucket_get_ready (&member->out, IN_INTERVAL, OUT_BURST));
}

/* @message: (transfer full); @from: (nullable): whose query it is, NULL: our own, which comes first
 */
static void
post (P2psNode *node, P2psMember *member, P2psMessage *message, const P2psAddress *from)
{
  P2psMessage *dropped = from == NULL
                             ? p2ps_fair_push_first (&member->outbox, message, P2PS_MAX_OUTBOX)
                             : p2ps_fair_push (&member->outbox, from, message, P2PS_MAX_OUTBOX);

  if (from != NULL && dropped != message)
    node->counters.forwarded++;
  if (dropped != NULL)
    node->counters.dropped++;
  p2ps_message_unref (dropped);
  drain (node, member);
}

/* A copy as classic peers know it: nothing but the six keys, and the kind of match. */
static P2psMessage *
copy_for_classic (const P2psQuery *query, int ttl)
{
  P2psQuery *copy = p2ps_query_copy (query);

  memset (&copy->via, 0, sizeof copy->via);
  g_clear_pointer (&copy->reached, g_free);
  copy->ttl = ttl;
  copy->xttl = copy->hops = -1;

  return p2ps_message_new_query (copy);
}

static P2psMessage *
copy_for_ours (P2psNode *node, const P2psQuery *query, int ttl, int xttl, int hops)
{
  P2psQuery *copy = p2ps_query_copy (query);

  copy->via = node->self;
  copy->ttl = ttl;
  copy->xttl = xttl;
  copy->hops = hops;
  if (hops > 0)
    g_clear_pointer (&copy->reached, g_free);

  return p2ps_message_new_query (copy);
}

/* Asks one peer for a search of our own. */
void
p2ps_routing_send_own (P2psNode *node, P2psMember *member, const P2psQuery *query)
{
  int ttl = node->max_ttl;

  post (node, member,
        member->info.classic ? copy_for_classic (query, MIN (ttl, P2PS_MAX_TTL_TO_CLASSIC))
                             : copy_for_ours (node, query, ttl, P2PS_MAX_XTTL, 0),
        NULL);
}

static gboolean
is_needless (gconstpointer data, gpointer user_data)
{
  const P2psQuery *copy = ((const P2psMessage *)data)->query, *theirs = user_data;

  return strcmp (copy->qid, theirs->qid) == 0 && p2ps_address_equal (&copy->origin, &theirs->origin)
         && strcmp (copy->filename, theirs->filename) == 0
         && strcmp (copy->filehash, theirs->filehash) == 0 && copy->ttl <= theirs->ttl
         && (copy->xttl <= theirs->xttl || theirs->xttl >= P2PS_ENOUGH_XTTL);
}

/* One of ours sent @query, so a copy that waits for it tells it nothing. */
static void
cancel (P2psMember *member, P2psQuery *query)
{
  if (!member->info.classic)
    p2ps_message_unref (p2ps_fair_take (&member->outbox, query, is_needless));
}

static void
send_on (P2psNode *node, const Forward *forward)
{
  GPtrArray *peers = node->membership->peers;
  g_autoptr (P2psMessage) classic = NULL, ours = NULL;

  if (forward->ttl_for_classic >= 0)
    classic = copy_for_classic (forward->query, forward->ttl_for_classic);
  if (forward->xttl > 0)
    ours = copy_for_ours (node, forward->query, forward->ttl, forward->xttl,
                          MAX (0, forward->query->hops) + 1);
  for (guint i = 0; i < peers->len; i++)
    {
      P2psMember *member = g_ptr_array_index (peers, i);
      P2psMessage *message = member->info.classic ? classic : ours;

      if (message == NULL || member->info.state != P2PS_PEER_ACTIVE
          || p2ps_address_equal (&member->info.address, &forward->from)
          || p2ps_address_equal (&member->info.address, &forward->query->origin)
          || p2ps_reached_has (forward->query, member))
        continue;
      post (node, member, p2ps_message_ref (message), &forward->from);
    }
}

static void
send_waiting (P2psNode *node)
{
  P2psRouting *self = node->routing;

  while (
      !p2ps_fair_is_empty (&self->waiting)
      && p2ps_bucket_take (&self->forwards, node->now, FORWARD_INTERVAL, P2PS_FORWARDS_PER_SECOND))
    {
      Forward *forward = p2ps_fair_pop (&self->waiting);

      send_on (node, forward);
      forward_free (forward);
    }
  if (!p2ps_fair_is_empty (&self->waiting))
    wake_at (node,
             p2ps_bucket_get_ready (&self->forwards, FORWARD_INTERVAL, P2PS_FORWARDS_PER_SECOND));
}

void
p2ps_routing_tick (P2psNode *node)
{
  GPtrArray *peers = node->membership->peers;

  if (node->now < node->routing->wake)
    return;
  node->routing->wake = P2PS_NEVER;
  for (guint i = 0; i < peers->len; i++)
    drain (node, g_ptr_array_index (peers, i));
  send_waiting (node);
}

/* In */

/* The budgets with which a query came, in bounds. */
typedef struct
{
  int ttl;
  int xttl; /* -1: from a classic peer */
} Budget;

static Budget
get_budget (const P2psQuery *query)
{
  Budget budget;

  budget.ttl = query->ttl < 0 ? P2PS_ASSUMED_TTL : MIN (query->ttl, P2PS_MAX_TTL_IN);
  budget.xttl = query->xttl < 0 ? -1 : MIN (query->xttl, P2PS_MAX_XTTL);

  return budget;
}

static void
forward (P2psNode *node, const P2psQuery *query, Budget budget, P2psMember *sender)
{
  P2psRouting *self = node->routing;
  Forward *item;
  int left;

  if (budget.xttl < 0)
    {
      /* As classic peers do: 1 off, the test, 1 off in the message. Between our nodes another
       * budget starts here. */
      if (budget.ttl - 1 <= 0)
        return;
      left = budget.ttl - 2;
      budget.xttl = P2PS_MAX_XTTL;
    }
  else
    left = budget.ttl;
  if (sender == NULL
      && !p2ps_bucket_take (&self->stranger_forwards, node->now,
                            P2PS_SECOND / P2PS_STRANGER_FORWARDS_PER_SECOND,
                            P2PS_STRANGER_FORWARDS_BURST))
    {
      node->counters.dropped++;
      return;
    }

  item = g_new0 (Forward, 1);
  item->query = p2ps_query_copy (query);
  if (sender != NULL)
    item->from = sender->info.address;
  item->ttl = left;
  item->xttl = budget.xttl - 1;
  /* From one of ours a ttl of 0 means that classic peers had their share. */
  item->ttl_for_classic = left > 0 || query->xttl < 0 ? MIN (left, P2PS_MAX_TTL_TO_CLASSIC) : -1;
  item = p2ps_fair_push (&self->waiting, &item->from, item, P2PS_MAX_FORWARDS_WAITING);
  if (item != NULL)
    {
      node->counters.dropped++;
      forward_free (item);
    }
  send_waiting (node);
}

/* Each neighbour has its rate, each other host too, and all others together. */
static gboolean
is_within_rate (P2psNode *node, P2psMember *sender, const char *source, gboolean known)
{
  P2psRouting *self = node->routing;

  if (sender != NULL && known)
    return p2ps_bucket_take (&sender->duplicates, node->now,
                             P2PS_SECOND / P2PS_DUPLICATES_PER_NEIGHBOUR, P2PS_DUPLICATES_BURST);
  if (sender != NULL)
    return p2ps_bucket_take (&sender->in, node->now, IN_INTERVAL, P2PS_QUERIES_BURST);

  return p2ps_bucket_take (p2ps_buckets_get (self->strangers, source), node->now, IN_INTERVAL,
                           P2PS_QUERIES_BURST)
         && p2ps_bucket_take (&self->all_strangers, node->now, STRANGER_INTERVAL,
                              P2PS_STRANGER_QUERIES_BURST);
}

/* Returns: TRUE when the request was refused, and answered */
static gboolean
refuse (P2psNode *node, const char *source, const P2psQuery *query, P2psMember *sender,
        guint64 request)
{
  gboolean valid = p2ps_address_is_set (&query->origin)
                   && (query->filename[0] != '\0' || query->filehash[0] != '\0')
                   && strlen (query->filename) <= P2PS_MAX_FILENAME;

  if (sender != NULL ? p2ps_member_is_banned (node, sender) : p2ps_source_is_banned (node, source))
    {
      node->counters.refused[P2PS_REFUSED_BANNED]++;
      p2ps_node_push_reject (node, request, 403,
                             "This peer misbehaved and is refused for a while.");
    }
  else if (!valid)
    p2ps_node_push_reject (node, request, 400, "A query needs a name or a hash, and an origin.");
  else if (!p2ps_node_is_own (node, &query->origin)
           && !p2ps_node_allows (node, source, &query->origin))
    {
      node->counters.refused[P2PS_REFUSED_ADDRESS]++;
      if (sender != NULL)
        p2ps_member_blame (node, sender, 1);
      p2ps_node_push_reject (node, request, 400, "The origin's address can't be used.");
    }
  else
    return FALSE;

  return TRUE;
}

/* A little too much costs nothing more; a lasting flood costs the score, of a peer or of a caller
 * that is none. */
static void
refuse_for_rate (P2psNode *node, const char *source, const P2psQuery *query, P2psMember *sender,
                 gboolean known, guint64 request)
{
  P2psBucket *excess
      = sender != NULL ? &sender->excess : p2ps_buckets_get (node->routing->excess, source);
  P2psAddress caller = { "", query->via.port != 0 ? query->via.port : query->origin.port };

  node->counters.refused[P2PS_REFUSED_RATE]++;
  if (sender != NULL && !known)
    p2ps_bucket_owe (&sender->in, node->now, IN_INTERVAL, P2PS_QUERIES_BURST, P2PS_QUERIES_DEBT);
  if (!p2ps_bucket_take (excess, node->now, P2PS_SECOND / P2PS_EXCESS_PER_NEIGHBOUR,
                         P2PS_EXCESS_BURST))
    {
      g_strlcpy (caller.host, source, sizeof caller.host);
      p2ps_node_blame (node, node->now, sender != NULL ? &sender->info.address : &caller,
                       known ? 1 : P2PS_EXCESS_POINTS);
    }
  p2ps_node_push_reject (node, request, 429, "Too many queries.");
}

/* Whether this copy reaches somebody whom the earlier ones did not. */
static gboolean
has_more (const P2psSeen *seen, Budget budget)
{
  /* Our nodes give a query from a classic peer a whole budget, if it may go on at all. */
  int xttl = budget.xttl >= 0 ? budget.xttl : budget.ttl > 1 ? P2PS_MAX_XTTL : 0;

  return budget.ttl > seen->ttl || (xttl > seen->xttl && seen->xttl < P2PS_ENOUGH_XTTL);
}

static void
remember (P2psSeen *seen, Budget budget)
{
  int xttl = budget.xttl >= 0 ? budget.xttl : budget.ttl > 1 ? P2PS_MAX_XTTL : 0;

  seen->ttl = MAX (seen->ttl, budget.ttl);
  seen->xttl = MAX (seen->xttl, xttl);
}

/* Our own search came round, or one from before a restart. */
static gboolean
is_own (P2psNode *node, const P2psQuery *query)
{
  return p2ps_node_is_own (node, &query->origin)
         || (node->self.port == query->origin.port
             && p2ps_searches_find (node, query->qid) != NULL);
}

static void
look_up (P2psNode *node, const P2psQuery *query, const char *source, const P2psMember *sender)
{
  P2psAddress from = { "", 0 };

  if (sender != NULL)
    from = sender->info.address;
  else
    g_strlcpy (from.host, source, sizeof from.host);
  p2ps_answers_look_up (node, query, &from, p2ps_source_is_host (source, query->origin.host));
}

/* A query from @source. The reply comes first, the work after it. */
void
p2ps_routing_query (P2psNode *node, const char *source, const P2psMessage *message, guint64 request)
{
  g_autoptr (P2psQuery) query = p2ps_query_copy (message->query);
  Budget budget = get_budget (query);
  P2psMember *sender;
  P2psQueryKey key;
  P2psSeen *seen = NULL;
  gboolean certain, own, known, again;

  node->counters.received++;
  query->origin = p2ps_address_resolve (&query->origin, source);
  sender = p2ps_membership_find_sender (node, source, query, &certain);
  if (refuse (node, source, query, sender, request))
    return;
  own = is_own (node, query);
  if (!own)
    seen = p2ps_memory_find (node->routing->memory, node->now, query, &key);
  known = own || seen != NULL;
  if (!is_within_rate (node, sender, source, known))
    {
      refuse_for_rate (node, source, query, sender, known, request);
      return;
    }
  if (sender != NULL && certain && sender->info.state == P2PS_PEER_ACTIVE)
    p2ps_member_heard (node, sender);
  /* Only the origin itself may say whom it asks. */
  if (sender == NULL || !certain || !p2ps_address_equal (&sender->info.address, &query->origin))
    g_clear_pointer (&query->reached, g_free);

  p2ps_node_push_status (node, request, TRUE, known);
  if (known)
    {
      node->counters.duplicates++;
      if (sender != NULL && certain)
        cancel (sender, query);
    }
  else
    {
      seen = p2ps_memory_add (node->routing->memory, node->now, &key);
      look_up (node, query, source, sender);
    }
  if (own)
    return;
  again = !known || has_more (seen, budget);
  remember (seen, budget);
  if (again)
    forward (node, query, budget, sender);
}
