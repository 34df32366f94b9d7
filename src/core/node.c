/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The door of the core: events go in, effects come out of a queue. It owns the queue, the messages
 * that wait for their outcome, and the parts (membership, routing, answers) that decide. On the
 * owner context; nothing blocks, calls out, or asks for the time. Requests that no peer makes are
 * refused with 400. */

#define G_LOG_DOMAIN "p2ps-node"

#include "core/node.h"

#include <string.h>

#include "core/limits.h"
#include "core/membership.h"
#include "core/routing.h"

/* A message on its way. */
typedef struct
{
  P2psAddress to;
  P2psPurpose purpose;
  gint64 at;
  char nonce[17]; /* of a PING */
  gpointer job;
  GDestroyNotify free_job;
} Sent;

static void
sent_free (Sent *sent)
{
  if (sent->job != NULL && sent->free_job != NULL)
    sent->free_job (sent->job);
  g_free (sent);
}

static void
effect_free (P2psEffect *effect)
{
  p2ps_effect_clear (effect);
  g_free (effect);
}

/**
 * p2ps_node_new:
 * @config: is copied
 * @now: the monotonic time, microseconds
 *
 * Returns: (transfer full)
 */
P2psNode *
p2ps_node_new (const P2psNodeConfig *config, gint64 now)
{
  P2psNode *node = g_new0 (P2psNode, 1);

  node->self = config->self;
  node->loopback_only = config->loopback_only;
  node->agent = g_strdup (config->agent != NULL ? config->agent : "p2pshare");
  node->id = g_strdup (config->id);
  p2ps_node_set_max_ttl (node, config->max_ttl);
  node->wanted_peers = config->wanted_peers != 0 ? config->wanted_peers : P2PS_WANTED_PEERS;
  node->sparse = config->sparse;
  node->files = -1;
  node->own_hosts = g_ptr_array_new_with_free_func (g_free);
  node->own_addresses = g_array_new (FALSE, FALSE, sizeof (P2psAddress));
  node->now = now;
  node->random.state = config->seed;
  g_queue_init (&node->effects);
  node->sent
      = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, (GDestroyNotify)sent_free);
  node->membership = p2ps_membership_new (now);
  node->routing = p2ps_routing_new ();
  node->answers = p2ps_answers_new ();

  return node;
}

void
p2ps_node_free (P2psNode *node)
{
  if (node == NULL)
    return;
  g_queue_clear_full (&node->effects, (GDestroyNotify)effect_free);
  g_hash_table_unref (node->sent);
  p2ps_answers_free (node->answers);
  p2ps_routing_free (node->routing);
  p2ps_membership_free (node->membership);
  g_ptr_array_unref (node->own_hosts);
  g_array_unref (node->own_addresses);
  g_free (node->agent);
  g_free (node->id);
  g_free (node);
}

/* Effects */

static P2psEffect *
push (P2psNode *node, P2psEffectType type)
{
  P2psEffect *effect = g_new0 (P2psEffect, 1);

  effect->type = type;
  g_queue_push_tail (&node->effects, effect);

  return effect;
}

guint64
p2ps_node_next_token (P2psNode *node)
{
  return ++node->last_token;
}

/* @message: (transfer full); @job: (transfer full): comes back to the part that sent */
void
p2ps_node_push_send (P2psNode *node, const P2psAddress *to, P2psMessage *message,
                     P2psPurpose purpose, gpointer job, GDestroyNotify free_job)
{
  P2psEffect *effect = push (node, P2PS_EFFECT_SEND);
  Sent *sent = g_new0 (Sent, 1);

  effect->token = p2ps_node_next_token (node);
  effect->to = *to;
  effect->message = message;
  sent->to = *to;
  sent->purpose = purpose;
  sent->at = node->now;
  sent->job = job;
  sent->free_job = free_job;
  if (message->nonce != NULL)
    g_strlcpy (sent->nonce, message->nonce, sizeof sent->nonce);
  g_hash_table_insert (node->sent, g_memdup2 (&effect->token, sizeof effect->token), sent);
}

void
p2ps_node_push_ping (P2psNode *node, const P2psAddress *to, P2psPurpose purpose)
{
  P2psMessage *ping = p2ps_message_new (P2PS_MESSAGE_PING);

  ping->nonce = g_strdup_printf ("%016" G_GINT64_MODIFIER "x", p2ps_random_next (&node->random));
  p2ps_node_push_send (node, to, ping, purpose, NULL, NULL);
}

/* @message: (transfer full) */
void
p2ps_node_push_reply (P2psNode *node, guint64 request, P2psMessage *message)
{
  P2psEffect *effect = push (node, P2PS_EFFECT_REPLY);

  effect->token = request;
  effect->message = message;
}

void
p2ps_node_push_status (P2psNode *node, guint64 request, gboolean ok, gboolean duplicate)
{
  P2psMessage *status = p2ps_message_new_status (ok);

  status->duplicate = duplicate;
  p2ps_node_push_reply (node, request, status);
}

/* @text: static */
void
p2ps_node_push_reject (P2psNode *node, guint64 request, guint status, const char *text)
{
  P2psEffect *effect = push (node, P2PS_EFFECT_REJECT);

  effect->token = request;
  effect->status = status;
  effect->text = text;
}

void
p2ps_node_push_lookup (P2psNode *node, guint64 token, const P2psQuery *query)
{
  P2psEffect *effect = push (node, P2PS_EFFECT_LOOKUP);

  effect->token = token;
  effect->message = p2ps_message_new_query (p2ps_query_copy (query));
}

/* @hits: (transfer full) */
void
p2ps_node_push_hits (P2psNode *node, GPtrArray *hits, gboolean verified)
{
  P2psEffect *effect = push (node, P2PS_EFFECT_HITS);

  effect->message = p2ps_message_new_hits (hits);
  effect->verified = verified;
}

void
p2ps_node_push_changed (P2psNode *node)
{
  if (node->changed_queued)
    return;
  node->changed_queued = TRUE;
  push (node, P2PS_EFFECT_PEERS_CHANGED);
}

/**
 * p2ps_node_pop:
 * @effect: (out): the oldest effect; release it with p2ps_effect_clear()
 *
 * Returns: FALSE when there is none
 */
gboolean
p2ps_node_pop (P2psNode *node, P2psEffect *effect)
{
  P2psEffect *first = g_queue_pop_head (&node->effects);

  if (first == NULL)
    return FALSE;
  if (first->type == P2PS_EFFECT_PEERS_CHANGED)
    node->changed_queued = FALSE;
  *effect = *first;
  g_free (first);

  return TRUE;
}

void
p2ps_effect_clear (P2psEffect *effect)
{
  g_clear_pointer (&effect->message, p2ps_message_unref);
}

/* Events */

static void
advance (P2psNode *node, gint64 now)
{
  node->now = MAX (node->now, now);
}

/* A socket for both families tells of IPv4 callers as "::ffff:10.0.0.5". */
static const char *
plain_source (const char *source)
{
  if (source == NULL)
    return "";
  if (g_ascii_strncasecmp (source, "::ffff:", 7) == 0 && strchr (source + 7, '.') != NULL)
    return source + 7;

  return source;
}

static void
answer_ping (P2psNode *node, const P2psMessage *message, guint64 request)
{
  P2psMessage *pong = p2ps_message_new (P2PS_MESSAGE_PONG);

  pong->ok = TRUE;
  pong->agent = g_strdup (node->agent);
  pong->id = g_strdup (node->id);
  pong->nonce = g_strdup (message->nonce);
  pong->files = node->files;
  p2ps_node_push_reply (node, request, pong);
}

/**
 * p2ps_node_deliver:
 * @source: the literal of the host that the request came from
 * @message: a request
 * @request: the driver's name for it; exactly one REPLY or REJECT with this token comes out,
 *   nearly always at once and at the latest after a second
 */
void
p2ps_node_deliver (P2psNode *node, gint64 now, const char *source, const P2psMessage *message,
                   guint64 request)
{
  advance (node, now);
  source = plain_source (source);
  switch (message->type)
    {
    case P2PS_MESSAGE_PING:
      answer_ping (node, message, request);
      break;
    case P2PS_MESSAGE_JOIN:
    case P2PS_MESSAGE_HEARTBEAT:
      p2ps_callers_announce (node, source, message, request);
      break;
    case P2PS_MESSAGE_GET_PEERS:
      p2ps_callers_get_peers (node, source, message, request);
      break;
    case P2PS_MESSAGE_QUERY:
      p2ps_routing_query (node, source, message, request);
      break;
    case P2PS_MESSAGE_QUERY_HIT:
      p2ps_searches_hits (node, source, message, request);
      break;
    case P2PS_MESSAGE_PONG:
    case P2PS_MESSAGE_STATUS:
    case P2PS_MESSAGE_PEERS:
    default:
      p2ps_node_push_reject (node, request, 400, "That is not a request.");
      break;
    }
}

/* Whether a reply is one that the request can have. */
static gboolean
reply_fits (const Sent *sent, const P2psMessage *reply)
{
  switch (sent->purpose)
    {
    case P2PS_FOR_CONTACT:
    case P2PS_FOR_STRANGER:
      return reply->type == P2PS_MESSAGE_PONG && reply->ok
             && (reply->nonce == NULL || strcmp (reply->nonce, sent->nonce) == 0);
    case P2PS_FOR_PEERS:
      return reply->type == P2PS_MESSAGE_PEERS;
    case P2PS_FOR_JOIN:
    case P2PS_FOR_HEARTBEAT:
    case P2PS_FOR_QUERY:
    case P2PS_FOR_HITS:
    default:
      return reply->type == P2PS_MESSAGE_STATUS;
    }
}

/**
 * p2ps_node_sent:
 * @token: of a SEND effect
 * @reply: (nullable): the reply when @outcome is REPLY
 *
 * To be called exactly once for each SEND effect.
 */
void
p2ps_node_sent (P2psNode *node, gint64 now, guint64 token, P2psOutcome outcome,
                const P2psMessage *reply)
{
  g_autofree guint64 *key = NULL;
  Sent *sent = NULL;

  advance (node, now);
  if (!g_hash_table_steal_extended (node->sent, &token, (gpointer *)&key, (gpointer *)&sent))
    return;
  if (outcome == P2PS_OUTCOME_REPLY && (reply == NULL || !reply_fits (sent, reply)))
    outcome = P2PS_OUTCOME_NONSENSE;
  if (outcome != P2PS_OUTCOME_REPLY)
    reply = NULL;

  p2ps_liveness_sent (node, &sent->to, sent->purpose, sent->at, outcome, reply);
  if (sent->purpose == P2PS_FOR_STRANGER)
    p2ps_answers_pinged (node, &sent->to, outcome, reply);
  else if (sent->purpose == P2PS_FOR_HITS)
    p2ps_answers_sent (node, g_steal_pointer (&sent->job), outcome);
  else if (sent->purpose == P2PS_FOR_QUERY)
    p2ps_routing_sent (node, &sent->to, g_steal_pointer (&sent->job), outcome);
  sent_free (sent);
}

/**
 * p2ps_node_found:
 * @token: of a LOOKUP effect
 * @hits: (nullable) (element-type P2psHit): what the own library has; qid and holder are filled in
 *   here
 *
 * To be called exactly once for each LOOKUP effect.
 */
void
p2ps_node_found (P2psNode *node, gint64 now, guint64 token, GPtrArray *hits)
{
  advance (node, now);
  p2ps_answers_found (node, token, hits);
}

/** p2ps_node_tick: does what is due at @now. Too early or too late does no harm. */
void
p2ps_node_tick (P2psNode *node, gint64 now)
{
  advance (node, now);
  p2ps_callers_tick (node);
  p2ps_liveness_tick (node);
  p2ps_routing_tick (node);
  p2ps_answers_tick (node);
}

/** p2ps_node_get_deadline: Returns: when the next p2ps_node_tick() is due, or P2PS_NEVER */
gint64
p2ps_node_get_deadline (P2psNode *node)
{
  gint64 deadline = MIN (node->membership->wake, node->membership->upkeep);

  deadline = MIN (deadline, node->routing->wake);
  deadline = MIN (deadline, p2ps_answers_get_wake (node));
  for (guint i = 0; i < node->membership->held->len; i++)
    deadline = MIN (deadline, g_array_index (node->membership->held, P2psHeld, i).until);

  return deadline;
}

/* Commands */

/**
 * p2ps_node_set_own_hosts:
 * @hosts: (array zero-terminated=1): literals of this machine's interfaces
 *
 * With the own port they are own addresses: nobody may name them to this node.
 */
void
p2ps_node_set_own_hosts (P2psNode *node, const char *const *hosts)
{
  g_ptr_array_set_size (node->own_hosts, 0);
  for (; hosts != NULL && *hosts != NULL; hosts++)
    g_ptr_array_add (node->own_hosts, g_strdup (*hosts));
}

/** p2ps_node_set_files: @files: how many files the own library shares, told with each PONG */
void
p2ps_node_set_files (P2psNode *node, gint64 files)
{
  node->files = files;
}

/** p2ps_node_set_max_ttl: of own searches from now on; 0 = P2PS_DEFAULT_TTL */
void
p2ps_node_set_max_ttl (P2psNode *node, guint max_ttl)
{
  node->max_ttl = max_ttl != 0 ? (int)MIN (max_ttl, P2PS_MAX_TTL_IN) : P2PS_DEFAULT_TTL;
}

/** p2ps_node_add_peer: the user names a peer: it is pinged and joined, now and until it answers */
void
p2ps_node_add_peer (P2psNode *node, gint64 now, const P2psAddress *address)
{
  P2psMember *member;

  advance (node, now);
  if (!p2ps_address_is_set (address) || p2ps_node_is_own (node, address))
    return;
  member = p2ps_membership_configure (node, address);
  if (member->info.state != P2PS_PEER_ACTIVE)
    {
      member->retries = 0;
      if (!member->contacting && !p2ps_member_is_banned (node, member))
        {
          member->next = now;
          p2ps_liveness_run (node, member);
        }
    }
  p2ps_node_push_changed (node);
}

/** p2ps_node_hint_peer: a peer that was there before a restart: a candidate like those that peers
 * name to each other, tried when more peers are wanted */
void
p2ps_node_hint_peer (P2psNode *node, gint64 now, const P2psAddress *address)
{
  P2psMember *member;

  advance (node, now);
  if (!p2ps_address_is_set (address) || p2ps_node_is_own (node, address)
      || p2ps_membership_find (node, address) != NULL)
    return;
  member = p2ps_membership_consider (node, address->host, address);
  if (member != NULL)
    p2ps_member_schedule (node, member, now);
}

/** p2ps_node_remove_peer: the user forgets a peer; it may still come back by itself */
void
p2ps_node_remove_peer (P2psNode *node, gint64 now, const P2psAddress *address)
{
  P2psMember *member;

  advance (node, now);
  member = p2ps_membership_find (node, address);
  if (member != NULL)
    {
      p2ps_membership_remove (node, member);
      p2ps_node_push_changed (node);
    }
}

/**
 * p2ps_node_search:
 * @query: qid, filename, filehash and words count; the rest is filled in here
 *
 * Asks every active peer, and those that become active while hits are wanted.
 */
void
p2ps_node_search (P2psNode *node, gint64 now, const P2psQuery *query)
{
  advance (node, now);
  p2ps_searches_start (node, query);
}

/** p2ps_node_stop_search: hits that still come are answered politely and ignored */
void
p2ps_node_stop_search (P2psNode *node, gint64 now, const char *qid)
{
  advance (node, now);
  p2ps_searches_stop (node, qid);
}

/**
 * p2ps_node_blame:
 * @points: 1 (clumsy) to 100 (banned at once); a lie about a file's bytes is worth 50
 */
void
p2ps_node_blame (P2psNode *node, gint64 now, const P2psAddress *address, int points)
{
  P2psMember *member;

  advance (node, now);
  if (!p2ps_address_is_set (address) || p2ps_node_is_own (node, address))
    return;
  member = p2ps_membership_find (node, address);
  if (member == NULL)
    {
      /* Only to remember the score: it is not pinged, and forgotten in time. */
      member = p2ps_membership_consider (node, address->host, address);
      if (member != NULL)
        {
          member->pinged = now;
          p2ps_member_schedule (node, member, now + P2PS_PROBE_AGAIN);
        }
    }
  if (member != NULL)
    p2ps_member_blame (node, member, points);
}

/* State */

/** p2ps_node_list_peers: Returns: (transfer full) (element-type P2psPeerInfo): peers, active or
 * not, and configured ones that have not answered yet; not what others merely named */
GArray *
p2ps_node_list_peers (P2psNode *node)
{
  GPtrArray *peers = node->membership->peers;
  GArray *list = g_array_sized_new (FALSE, FALSE, sizeof (P2psPeerInfo), peers->len);

  for (guint i = 0; i < peers->len; i++)
    {
      P2psMember *member = g_ptr_array_index (peers, i);

      P2psPeerInfo info = member->info;

      info.score = p2ps_member_get_score (node, member);
      g_array_append_val (list, info);
    }

  return list;
}

guint
p2ps_node_count_active (P2psNode *node)
{
  return node->membership->active;
}

const P2psNodeCounters *
p2ps_node_get_counters (P2psNode *node)
{
  return &node->counters;
}

/** p2ps_refusal_to_string: Returns: a key for statistics */
const char *
p2ps_refusal_to_string (P2psRefusal refusal)
{
  static const char *const names[P2PS_N_REFUSALS] = {
    [P2PS_REFUSED_ADDRESS] = "address", [P2PS_REFUSED_UNKNOWN] = "unknown",
    [P2PS_REFUSED_RATE] = "rate",       [P2PS_REFUSED_HIT] = "hit",
    [P2PS_REFUSED_FULL] = "full",       [P2PS_REFUSED_BANNED] = "banned",
  };

  return refusal < P2PS_N_REFUSALS ? names[refusal] : "other";
}
