/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A classic peer as wire.md describes it: joins with PING and JOIN, heartbeats every 30 s, looks at
 * liveness every 60 s, remembers no QID and sends on what it does not have with 2 off the ttl. And
 * a hostile one, that answers as one of ours does, passes nothing on, names peers that don't exist,
 * and floods its neighbours with forged queries. */

#include "sim.h"

#include <string.h>

#define FLOOD_INTERVAL (P2PS_SECOND / 10)

typedef struct
{
  P2psAddress address;
  gboolean active;
  gint64 seen;
} Peer;

typedef struct
{
  P2psMessageType type;
  P2psAddress to;
} Asked;

struct _SimClassic
{
  Sim *sim;
  guint host;
  P2psAddress self;
  const SimDoor *door;
  gboolean hostile;
  P2psRandom random;
  gint64 now;
  GArray *peers;      /* of Peer */
  GHashTable *asked;  /* token -> Asked */
  GHashTable *shared; /* set of file names */
  guint64 tokens;
  gint64 heartbeat, check, flood;
};

SimClassic *
sim_classic_new (Sim *sim, guint host, const P2psAddress *self, const SimDoor *door,
                 gboolean hostile, guint64 seed)
{
  SimClassic *classic = g_new0 (SimClassic, 1);

  classic->sim = sim;
  classic->host = host;
  classic->self = *self;
  classic->door = door;
  classic->hostile = hostile;
  classic->random.state = seed;
  classic->peers = g_array_new (FALSE, FALSE, sizeof (Peer));
  classic->asked = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  classic->shared = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  return classic;
}

void
sim_classic_free (SimClassic *classic)
{
  g_array_unref (classic->peers);
  g_hash_table_unref (classic->asked);
  g_hash_table_unref (classic->shared);
  g_free (classic);
}

void
sim_classic_hold (SimClassic *classic, const char *filename)
{
  g_hash_table_add (classic->shared, g_strdup (filename));
}

/* @message: (transfer full) */
static void
ask (SimClassic *classic, const P2psAddress *to, P2psMessage *message)
{
  Asked *asked = g_new0 (Asked, 1);
  guint64 token = ++classic->tokens;

  asked->type = message->type;
  asked->to = *to;
  g_hash_table_insert (classic->asked, g_memdup2 (&token, sizeof token), asked);
  classic->door->send (classic->sim, classic->host, token, to, message);
}

static Peer *
find (SimClassic *classic, const P2psAddress *address)
{
  for (guint i = 0; i < classic->peers->len; i++)
    if (p2ps_address_equal (&g_array_index (classic->peers, Peer, i).address, address))
      return &g_array_index (classic->peers, Peer, i);

  return NULL;
}

static void
count_as_peer (SimClassic *classic, const P2psAddress *address)
{
  Peer fresh = { *address, TRUE, classic->now };
  Peer *peer = find (classic, address);

  if (peer == NULL)
    g_array_append_val (classic->peers, fresh);
  else
    *peer = fresh;
}

/* Joins the configured peers. */
void
sim_classic_start (SimClassic *classic, gint64 now, GArray *configured)
{
  classic->now = now;
  classic->heartbeat = now + P2PS_CLASSIC_HEARTBEAT;
  classic->check = now + 60 * P2PS_SECOND;
  classic->flood = classic->hostile ? now + 30 * P2PS_SECOND : P2PS_NEVER;
  for (guint i = 0; i < configured->len; i++)
    {
      Peer peer = { g_array_index (configured, P2psAddress, i), FALSE, now };

      g_array_append_val (classic->peers, peer);
      ask (classic, &peer.address, p2ps_message_new (P2PS_MESSAGE_PING));
    }
}

static void
reply (SimClassic *classic, guint64 request, P2psMessage *message)
{
  classic->door->reply (classic->sim, classic->host, request, message);
}

static P2psMessage *
make_pong (SimClassic *classic, const P2psMessage *ping)
{
  P2psMessage *pong = p2ps_message_new (P2PS_MESSAGE_PONG);

  pong->ok = TRUE;
  if (classic->hostile)
    {
      pong->agent = g_strdup ("p2pshare/hostile");
      pong->id = p2ps_address_to_string (&classic->self);
      pong->nonce = g_strdup (ping->nonce);
    }

  return pong;
}

static P2psMessage *
make_list (SimClassic *classic, const P2psAddress *caller)
{
  P2psMessage *list = p2ps_message_new (P2PS_MESSAGE_PEERS);

  list->ok = classic->hostile || find (classic, caller) != NULL;
  for (guint i = 0; classic->hostile && i < P2PS_MAX_PEERS_IN_REPLY; i++)
    {
      g_autofree char *host
          = g_strdup_printf ("10.200.%u.%u", (guint)p2ps_random_below (&classic->random, 250),
                             (guint)p2ps_random_below (&classic->random, 250));
      P2psAddress lie;

      p2ps_address_init (&lie, host, 8081);
      g_array_append_val (list->peers, lie);
    }
  for (guint i = 0; list->ok && !classic->hostile && i < classic->peers->len; i++)
    if (g_array_index (classic->peers, Peer, i).active)
      g_array_append_val (list->peers, g_array_index (classic->peers, Peer, i).address);

  return list;
}

/* 1 off, the test, 1 off in the message; to every known peer but the originator. */
static void
pass_on (SimClassic *classic, const P2psQuery *query)
{
  int ttl = (query->ttl < 0 ? P2PS_ASSUMED_TTL : query->ttl) - 1;

  for (guint i = 0; ttl > 0 && i < classic->peers->len; i++)
    {
      const Peer *peer = &g_array_index (classic->peers, Peer, i);
      P2psQuery *copy;

      if (!peer->active || p2ps_address_equal (&peer->address, &query->origin))
        continue;
      copy = p2ps_query_new (query->qid, query->filename, query->filehash);
      copy->origin = query->origin;
      copy->ttl = ttl - 1;
      ask (classic, &peer->address, p2ps_message_new_query (copy));
    }
}

static void
answer_query (SimClassic *classic, const P2psQuery *query)
{
  GPtrArray *hits;

  if (classic->hostile)
    return;
  if (!g_hash_table_contains (classic->shared, query->filename))
    {
      pass_on (classic, query);
      return;
    }
  hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  g_ptr_array_add (hits, p2ps_hit_new (query->qid, &classic->self, query->filename, NULL, -1));
  ask (classic, &query->origin, p2ps_message_new_hits (hits));
}

void
sim_classic_deliver (SimClassic *classic, gint64 now, const P2psMessage *message, guint64 request)
{
  Peer *peer;

  classic->now = now;
  switch (message->type)
    {
    case P2PS_MESSAGE_PING:
      reply (classic, request, make_pong (classic, message));
      return;
    case P2PS_MESSAGE_GET_PEERS:
      reply (classic, request, make_list (classic, &message->sender));
      return;
    case P2PS_MESSAGE_JOIN:
      count_as_peer (classic, &message->sender);
      break;
    case P2PS_MESSAGE_HEARTBEAT:
      peer = find (classic, &message->sender);
      if (peer != NULL)
        {
          peer->active = TRUE;
          peer->seen = now;
        }
      break;
    case P2PS_MESSAGE_QUERY:
      reply (classic, request, p2ps_message_new_status (TRUE));
      answer_query (classic, message->query);
      return;
    default:
      break;
    }
  reply (classic, request, p2ps_message_new_status (TRUE));
}

void
sim_classic_sent (SimClassic *classic, gint64 now, guint64 token, P2psOutcome outcome,
                  const P2psMessage *answer)
{
  Asked *asked = g_hash_table_lookup (classic->asked, &token);
  Peer *peer;

  classic->now = now;
  if (asked != NULL && outcome == P2PS_OUTCOME_REPLY)
    {
      peer = find (classic, &asked->to);
      if (peer != NULL)
        peer->seen = now;
      if (asked->type == P2PS_MESSAGE_PING)
        ask (classic, &asked->to, p2ps_message_new_from (P2PS_MESSAGE_JOIN, &classic->self));
      else if (asked->type == P2PS_MESSAGE_JOIN && answer->ok)
        count_as_peer (classic, &asked->to);
      else if (asked->type == P2PS_MESSAGE_GET_PEERS && answer->ok && !classic->hostile)
        for (guint i = 0; i < answer->peers->len; i++)
          {
            P2psAddress *address = &g_array_index (answer->peers, P2psAddress, i);

            if (find (classic, address) == NULL && !p2ps_address_equal (address, &classic->self))
              ask (classic, address, p2ps_message_new (P2PS_MESSAGE_PING));
          }
    }
  g_hash_table_remove (classic->asked, &token);
}

static void
say_to_active (SimClassic *classic, P2psMessageType type)
{
  for (guint i = 0; i < classic->peers->len; i++)
    {
      P2psAddress to = g_array_index (classic->peers, Peer, i).address;

      if (g_array_index (classic->peers, Peer, i).active)
        ask (classic, &to, p2ps_message_new_from (type, &classic->self));
    }
}

static void
look_at_liveness (SimClassic *classic)
{
  guint active = 0;

  for (guint i = 0; i < classic->peers->len; i++)
    {
      Peer *peer = &g_array_index (classic->peers, Peer, i);

      if (classic->now - peer->seen >= P2PS_CLASSIC_TIMEOUT)
        peer->active = FALSE;
      active += peer->active;
    }
  if (active >= P2PS_MIN_ACTIVE_PEERS)
    return;
  say_to_active (classic, P2PS_MESSAGE_GET_PEERS);
  for (guint i = 0; i < classic->peers->len; i++)
    {
      P2psAddress to = g_array_index (classic->peers, Peer, i).address;

      if (!g_array_index (classic->peers, Peer, i).active)
        ask (classic, &to, p2ps_message_new (P2PS_MESSAGE_PING));
    }
}

static void
flood (SimClassic *classic)
{
  g_autofree char *qid = g_strdup_printf ("ffffffff-%04x-4000-8000-%012x", classic->host & 0xffff,
                                          (guint)p2ps_random_next (&classic->random));
  g_autofree char *victim
      = g_strdup_printf ("10.201.0.%u", (guint)p2ps_random_below (&classic->random, 250));

  for (guint i = 0; i < classic->peers->len; i++)
    {
      P2psAddress to = g_array_index (classic->peers, Peer, i).address;
      P2psQuery *query = p2ps_query_new (qid, "anything", NULL);

      p2ps_address_init (&query->origin, victim, 8081);
      query->ttl = P2PS_MAX_TTL_IN;
      query->xttl = P2PS_MAX_XTTL;
      query->via = classic->self;
      ask (classic, &to, p2ps_message_new_query (query));
    }
}

void
sim_classic_tick (SimClassic *classic, gint64 now)
{
  classic->now = now;
  if (now >= classic->heartbeat)
    {
      classic->heartbeat = now + P2PS_CLASSIC_HEARTBEAT;
      say_to_active (classic, P2PS_MESSAGE_HEARTBEAT);
    }
  if (now >= classic->check)
    {
      classic->check = now + 60 * P2PS_SECOND;
      look_at_liveness (classic);
    }
  if (now >= classic->flood)
    {
      classic->flood = now + FLOOD_INTERVAL;
      flood (classic);
    }
}

gint64
sim_classic_get_deadline (SimClassic *classic)
{
  return MIN (classic->flood, MIN (classic->heartbeat, classic->check));
}

/* Its own search starts with a ttl of 5. */
void
sim_classic_search (SimClassic *classic, const P2psQuery *query)
{
  for (guint i = 0; i < classic->peers->len; i++)
    {
      P2psAddress to = g_array_index (classic->peers, Peer, i).address;
      P2psQuery *copy;

      if (!g_array_index (classic->peers, Peer, i).active)
        continue;
      copy = p2ps_query_new (query->qid, query->filename, query->filehash);
      copy->origin = classic->self;
      copy->ttl = P2PS_DEFAULT_TTL;
      ask (classic, &to, p2ps_message_new_query (copy));
    }
}
