/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The virtual network: hosts, a heap of events in virtual time, links that lose, delay and double
 * requests, hosts that die and come back, and a count of what happened. Each exchange is a request
 * and its reply; one that gets no reply in 4 s is a time-out, as in the real client. */

#include "sim.h"

#include <string.h>

#define TIMEOUT (P2PS_CONTROL_TIMEOUT_SECONDS * P2PS_SECOND)
#define NOBODY G_MAXUINT

typedef enum
{
  EVENT_START,
  EVENT_REQUEST,
  EVENT_REPLY,
  EVENT_TIMEOUT,
  EVENT_TICK,
} EventKind;

typedef struct
{
  gint64 at;
  guint64 number; /* first come, first served */
  EventKind kind;
  guint host;
  guint64 exchange;
  P2psOutcome outcome;
  P2psMessage *reply;
} Event;

/* A request under way. */
typedef struct
{
  guint from, to;
  guint generation; /* of `from`: a restarted node gets no old replies */
  guint64 token;
  P2psMessage *message;
  gboolean delivered;
  gboolean done;
} Exchange;

typedef struct
{
  P2psAddress address;
  P2psPeerState state;
} Known;

typedef struct
{
  SimKind kind;
  P2psAddress address;
  P2psNode *node;      /* of ours */
  SimClassic *classic; /* of others */
  GArray *configured;  /* of P2psAddress */
  gboolean alive;
  gboolean silent; /* dead: and nothing says so */
  guint generation;
  guint side; /* of a partition */
  gint64 died;
  gint64 tick_at;
  GArray *known; /* of Known: states as last seen */
} Host;

typedef struct
{
  guint from, holder;
  gint64 started;
  gint64 last;
  guint requests, last_hop;
  gboolean found;
  guint8 *hops; /* by host; 0 = not reached */
} Query;

struct _Sim
{
  SimFaults faults;
  P2psRandom random;
  gint64 now;
  guint64 numbers;
  GArray *heap; /* of Event */
  GPtrArray *hosts;
  GHashTable *by_address; /* P2psAddress -> index + 1 */
  GHashTable *exchanges;  /* id -> Exchange */
  GPtrArray *queries;
  GHashTable *by_qid; /* qid -> index + 1 */
  GArray *evictions;
  guint false_evictions;
  GChecksum *checksum;
};

static void drain (Sim *sim, guint index);
static void reschedule (Sim *sim, guint index);

/* The heap */

static gboolean
is_before (const Event *a, const Event *b)
{
  return a->at < b->at || (a->at == b->at && a->number < b->number);
}

static void
push (Sim *sim, Event event)
{
  guint i = sim->heap->len;
  Event *heap;

  event.number = ++sim->numbers;
  g_array_append_val (sim->heap, event);
  heap = (Event *)sim->heap->data;
  while (i > 0 && is_before (&event, &heap[(i - 1) / 2]))
    {
      heap[i] = heap[(i - 1) / 2];
      i = (i - 1) / 2;
    }
  heap[i] = event;
}

static Event
pop (Sim *sim)
{
  Event *heap = (Event *)sim->heap->data;
  Event first = heap[0], last = heap[sim->heap->len - 1];
  guint i = 0, length;

  g_array_set_size (sim->heap, sim->heap->len - 1);
  length = sim->heap->len;
  while (length > 0)
    {
      guint child = 2 * i + 1;

      if (child + 1 < length && is_before (&heap[child + 1], &heap[child]))
        child++;
      if (child >= length || is_before (&last, &heap[child]))
        break;
      heap[i] = heap[child];
      i = child;
    }
  if (length > 0)
    heap[i] = last;

  return first;
}

/* Hosts */

static Host *
get_host (Sim *sim, guint index)
{
  return g_ptr_array_index (sim->hosts, index);
}

static void
host_stop (Host *host)
{
  g_clear_pointer (&host->node, p2ps_node_free);
  g_clear_pointer (&host->classic, sim_classic_free);
}

static void
host_free (Host *host)
{
  host_stop (host);
  g_array_unref (host->configured);
  g_array_unref (host->known);
  g_free (host);
}

static void
exchange_free (Exchange *exchange)
{
  p2ps_message_unref (exchange->message);
  g_free (exchange);
}

static void
query_free (Query *query)
{
  g_free (query->hops);
  g_free (query);
}

/* Returns: (transfer full) */
Sim *
sim_new (const SimFaults *faults)
{
  Sim *sim = g_new0 (Sim, 1);

  sim->faults = *faults;
  if (sim->faults.latency_max == 0)
    {
      sim->faults.latency_min = 5000;
      sim->faults.latency_max = 80000;
    }
  sim->random.state = faults->seed;
  sim->now = P2PS_SECOND;
  sim->heap = g_array_new (FALSE, FALSE, sizeof (Event));
  sim->hosts = g_ptr_array_new_with_free_func ((GDestroyNotify)host_free);
  sim->by_address = g_hash_table_new (p2ps_address_hash, p2ps_address_equal);
  sim->exchanges
      = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, (GDestroyNotify)exchange_free);
  sim->queries = g_ptr_array_new_with_free_func ((GDestroyNotify)query_free);
  sim->by_qid = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  sim->evictions = g_array_new (FALSE, FALSE, sizeof (gint64));
  sim->checksum = g_checksum_new (G_CHECKSUM_SHA256);

  return sim;
}

void
sim_free (Sim *sim)
{
  for (guint i = 0; i < sim->heap->len; i++)
    p2ps_message_unref (g_array_index (sim->heap, Event, i).reply);
  g_array_unref (sim->heap);
  g_ptr_array_unref (sim->hosts);
  g_hash_table_unref (sim->by_address);
  g_hash_table_unref (sim->exchanges);
  g_ptr_array_unref (sim->queries);
  g_hash_table_unref (sim->by_qid);
  g_array_unref (sim->evictions);
  g_checksum_free (sim->checksum);
  g_free (sim);
}

/* A host that starts within the next two seconds. Returns: its index */
guint
sim_add (Sim *sim, SimKind kind)
{
  Host *host = g_new0 (Host, 1);
  guint index = sim->hosts->len;
  g_autofree char *text
      = g_strdup_printf ("10.%u.%u.%u", 1 + index / 62500, index / 250 % 250, 1 + index % 250);

  host->kind = kind;
  p2ps_address_init (&host->address, text, 8081);
  host->configured = g_array_new (FALSE, FALSE, sizeof (P2psAddress));
  host->known = g_array_new (FALSE, FALSE, sizeof (Known));
  host->tick_at = P2PS_NEVER;
  g_ptr_array_add (sim->hosts, host);
  g_hash_table_insert (sim->by_address, &host->address, GUINT_TO_POINTER (index + 1));
  push (sim, (Event){ .at = sim->now + p2ps_random_below (&sim->random, 2 * P2PS_SECOND),
                      .kind = EVENT_START,
                      .host = index });

  return index;
}

/* @from is configured to know @to. */
void
sim_connect (Sim *sim, guint from, guint to)
{
  Host *host = get_host (sim, from);

  g_array_append_val (host->configured, get_host (sim, to)->address);
  if (host->node != NULL)
    {
      p2ps_node_add_peer (host->node, sim->now, &get_host (sim, to)->address);
      drain (sim, from);
      reschedule (sim, from);
    }
}

static gint64
get_latency (Sim *sim)
{
  return sim->faults.latency_min
         + p2ps_random_below (&sim->random, sim->faults.latency_max - sim->faults.latency_min + 1);
}

static gboolean
chance (Sim *sim, double share)
{
  return share > 0 && p2ps_random_below (&sim->random, 1000000) < share * 1000000;
}

/* Messages */

static void
note_request (Sim *sim, const P2psMessage *message)
{
  gpointer index;

  if (message->type != P2PS_MESSAGE_QUERY)
    return;
  index = g_hash_table_lookup (sim->by_qid, message->query->qid);
  if (index != NULL)
    ((Query *)g_ptr_array_index (sim->queries, GPOINTER_TO_UINT (index) - 1))->requests++;
}

/* @message: (transfer full) */
static void
send_request (Sim *sim, guint from, guint64 token, const P2psAddress *to, P2psMessage *message)
{
  guint target = GPOINTER_TO_UINT (g_hash_table_lookup (sim->by_address, to)) - 1;
  Exchange *exchange = g_new0 (Exchange, 1);
  guint64 id = ++sim->numbers;
  Event event = { .kind = EVENT_REQUEST, .exchange = id, .host = target };

  note_request (sim, message);
  exchange->from = from;
  exchange->to = target;
  exchange->generation = get_host (sim, from)->generation;
  exchange->token = token;
  exchange->message = message;
  g_hash_table_insert (sim->exchanges, g_memdup2 (&id, sizeof id), exchange);
  push (sim, (Event){ .at = sim->now + TIMEOUT, .kind = EVENT_TIMEOUT, .exchange = id });
  if (target == NOBODY || get_host (sim, target)->side != get_host (sim, from)->side
      || chance (sim, sim->faults.loss))
    return;
  event.at = sim->now + get_latency (sim);
  push (sim, event);
  if (chance (sim, sim->faults.duplicate))
    {
      event.at = sim->now + get_latency (sim);
      push (sim, event);
    }
}

/* @reply: (transfer full) (nullable) */
static void
send_outcome (Sim *sim, guint64 id, P2psOutcome outcome, P2psMessage *reply)
{
  if (!g_hash_table_contains (sim->exchanges, &id) || chance (sim, sim->faults.loss))
    p2ps_message_unref (reply);
  else
    push (sim, (Event){ .at = sim->now + get_latency (sim),
                        .kind = EVENT_REPLY,
                        .exchange = id,
                        .outcome = outcome,
                        .reply = reply });
}

static void
door_reply (Sim *sim, guint host, guint64 request, P2psMessage *reply)
{
  send_outcome (sim, request, P2PS_OUTCOME_REPLY, reply);
}

/* A hit came to @index, which takes it for one of its own searches. */
static void
note_hit (Sim *sim, guint index, const P2psMessage *message)
{
  const P2psHit *hit = g_ptr_array_index (message->hits, 0);
  gpointer found = g_hash_table_lookup (sim->by_qid, hit->qid);
  Query *query;

  if (found == NULL)
    return;
  query = g_ptr_array_index (sim->queries, GPOINTER_TO_UINT (found) - 1);
  if (query->from == index)
    query->found = TRUE;
}

/* Counts the hop when a copy arrives: one more than its sender had. */
static void
note_arrival (Sim *sim, const Exchange *exchange)
{
  gpointer found;
  Query *query;

  if (exchange->message->type == P2PS_MESSAGE_QUERY_HIT
      && get_host (sim, exchange->to)->classic != NULL)
    note_hit (sim, exchange->to, exchange->message);
  if (exchange->message->type != P2PS_MESSAGE_QUERY)
    return;
  found = g_hash_table_lookup (sim->by_qid, exchange->message->query->qid);
  if (found == NULL)
    return;
  query = g_ptr_array_index (sim->queries, GPOINTER_TO_UINT (found) - 1);
  if (query->hops[exchange->to] != 0 || exchange->to == query->from)
    return;
  query->hops[exchange->to]
      = exchange->from == query->from ? 1 : MIN (254, query->hops[exchange->from]) + 1;
  if (get_host (sim, exchange->to)->kind != SIM_HOSTILE)
    {
      query->last_hop = MAX (query->last_hop, query->hops[exchange->to]);
      query->last = sim->now - query->started;
    }
}

static const SimDoor door = { send_request, door_reply };

/* What our nodes do */

static Known *
get_known (Host *host, const P2psAddress *address)
{
  Known fresh = { *address, P2PS_PEER_CANDIDATE };

  for (guint i = 0; i < host->known->len; i++)
    if (p2ps_address_equal (&g_array_index (host->known, Known, i).address, address))
      return &g_array_index (host->known, Known, i);
  g_array_append_val (host->known, fresh);

  return &g_array_index (host->known, Known, host->known->len - 1);
}

static void
note_evictions (Sim *sim, Host *host)
{
  g_autoptr (GArray) peers = p2ps_node_list_peers (host->node);

  for (guint i = 0; i < peers->len; i++)
    {
      const P2psPeerInfo *info = &g_array_index (peers, P2psPeerInfo, i);
      Known *known = get_known (host, &info->address);
      gpointer index = g_hash_table_lookup (sim->by_address, &info->address);

      if (known->state == P2PS_PEER_ACTIVE && info->state == P2PS_PEER_INACTIVE && index != NULL)
        {
          Host *peer = get_host (sim, GPOINTER_TO_UINT (index) - 1);
          gint64 after = sim->now - peer->died;

          if (!peer->alive)
            g_array_append_val (sim->evictions, after);
          else if (peer->side == host->side && peer->generation == 0 && peer->kind != SIM_HOSTILE)
            sim->false_evictions++;
        }
      known->state = info->state;
    }
}

static void
look_up (Sim *sim, guint index, P2psEffect *effect)
{
  Host *host = get_host (sim, index);
  const P2psQuery *asked = effect->message->query;
  gpointer found = g_hash_table_lookup (sim->by_qid, asked->qid);
  g_autoptr (GPtrArray) hits = NULL;

  if (found != NULL
      && ((Query *)g_ptr_array_index (sim->queries, GPOINTER_TO_UINT (found) - 1))->holder == index)
    {
      hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
      g_ptr_array_add (hits, p2ps_hit_new (asked->qid, NULL, asked->filename, NULL, 1));
    }
  p2ps_node_found (host->node, sim->now, effect->token, hits);
}

static void
drain (Sim *sim, guint index)
{
  Host *host = get_host (sim, index);
  P2psEffect effect;

  while (host->node != NULL && p2ps_node_pop (host->node, &effect))
    {
      switch (effect.type)
        {
        case P2PS_EFFECT_SEND:
          send_request (sim, index, effect.token, &effect.to, g_steal_pointer (&effect.message));
          break;
        case P2PS_EFFECT_REPLY:
          send_outcome (sim, effect.token, P2PS_OUTCOME_REPLY, g_steal_pointer (&effect.message));
          break;
        case P2PS_EFFECT_REJECT:
          send_outcome (sim, effect.token, P2PS_OUTCOME_DENIED, NULL);
          break;
        case P2PS_EFFECT_LOOKUP:
          look_up (sim, index, &effect);
          break;
        case P2PS_EFFECT_PEERS_CHANGED:
          note_evictions (sim, host);
          break;
        case P2PS_EFFECT_HITS:
          note_hit (sim, index, effect.message);
          break;
        }
      p2ps_effect_clear (&effect);
    }
}

static void
reschedule (Sim *sim, guint index)
{
  Host *host = get_host (sim, index);
  gint64 deadline;

  if (!host->alive)
    return;
  deadline = host->node != NULL ? p2ps_node_get_deadline (host->node)
                                : sim_classic_get_deadline (host->classic);
  deadline = MAX (deadline, sim->now);
  if (deadline == P2PS_NEVER || deadline >= host->tick_at)
    return;
  host->tick_at = deadline;
  push (sim, (Event){ .at = deadline, .kind = EVENT_TICK, .host = index });
}

static void
start (Sim *sim, guint index)
{
  Host *host = get_host (sim, index);
  g_autofree char *id = g_strdup_printf ("node-%u", index);
  guint64 seed = p2ps_random_next (&sim->random);
  P2psNodeConfig config = { .self = host->address,
                            .agent = "p2pshare/sim",
                            .id = id,
                            .wanted_peers = sim->faults.wanted_peers,
                            .sparse = sim->faults.sparse,
                            .seed = seed };

  if (host->alive)
    return;
  host->alive = TRUE;
  host->tick_at = P2PS_NEVER;
  if (host->kind == SIM_OURS)
    {
      host->node = p2ps_node_new (&config, sim->now);
      for (guint i = 0; i < host->configured->len; i++)
        p2ps_node_add_peer (host->node, sim->now,
                            &g_array_index (host->configured, P2psAddress, i));
    }
  else
    {
      host->classic
          = sim_classic_new (sim, index, &host->address, &door, host->kind == SIM_HOSTILE, seed);
      sim_classic_start (host->classic, sim->now, host->configured);
    }
}

/* Events */

static void
handle_request (Sim *sim, const Event *event)
{
  Exchange *exchange = g_hash_table_lookup (sim->exchanges, &event->exchange);
  Host *host = get_host (sim, event->host);
  /* The second copy of a doubled request has a reply that nobody waits for. */
  guint64 request = exchange != NULL && !exchange->delivered ? event->exchange : 0;

  if (exchange == NULL)
    return;
  if (!host->alive)
    {
      if (!host->silent)
        send_outcome (sim, event->exchange, P2PS_OUTCOME_REFUSED, NULL);
      return;
    }
  exchange->delivered = TRUE;
  note_arrival (sim, exchange);
  if (host->node != NULL)
    p2ps_node_deliver (host->node, sim->now, get_host (sim, exchange->from)->address.host,
                       exchange->message, request);
  else
    sim_classic_deliver (host->classic, sim->now, exchange->message, request);
}

/* Returns: the host that has something to do after it, or NOBODY */
static guint
handle_outcome (Sim *sim, const Event *event)
{
  Exchange *exchange = g_hash_table_lookup (sim->exchanges, &event->exchange);
  Host *host;
  guint from;

  if (exchange == NULL)
    return NOBODY;
  from = exchange->from;
  host = get_host (sim, from);
  if (!exchange->done && host->alive && host->generation == exchange->generation)
    {
      exchange->done = TRUE;
      if (host->node != NULL)
        p2ps_node_sent (host->node, sim->now, exchange->token, event->outcome, event->reply);
      else
        sim_classic_sent (host->classic, sim->now, exchange->token, event->outcome, event->reply);
    }
  if (event->kind == EVENT_TIMEOUT)
    g_hash_table_remove (sim->exchanges, &event->exchange);

  return from;
}

static void
handle (Sim *sim, Event *event)
{
  guint index = event->host;
  Host *host;

  switch (event->kind)
    {
    case EVENT_START:
      start (sim, index);
      break;
    case EVENT_REQUEST:
      handle_request (sim, event);
      break;
    case EVENT_TIMEOUT:
      event->outcome = P2PS_OUTCOME_TIMEOUT;
      index = handle_outcome (sim, event);
      break;
    case EVENT_REPLY:
      index = handle_outcome (sim, event);
      break;
    case EVENT_TICK:
      host = get_host (sim, index);
      if (!host->alive || host->tick_at != event->at)
        return;
      host->tick_at = P2PS_NEVER;
      if (host->node != NULL)
        p2ps_node_tick (host->node, sim->now);
      else
        sim_classic_tick (host->classic, sim->now);
      break;
    }
  p2ps_message_unref (event->reply);
  if (index == NOBODY)
    return;
  drain (sim, index);
  reschedule (sim, index);
}

/* Runs all that happens within @time. */
void
sim_run_for (Sim *sim, gint64 time)
{
  gint64 end = sim->now + time;

  while (sim->heap->len > 0 && g_array_index (sim->heap, Event, 0).at <= end)
    {
      Event event = pop (sim);

      sim->now = event.at;
      if (event.kind != EVENT_TIMEOUT)
        {
          gint64 words[3] = { event.at, event.kind, event.host };

          g_checksum_update (sim->checksum, (guchar *)words, sizeof words);
        }
      handle (sim, &event);
    }
  sim->now = end;
}

/* Faults */

/* @silent: requests to it time out; else they are refused */
void
sim_kill (Sim *sim, guint index, gboolean silent)
{
  Host *host = get_host (sim, index);

  host_stop (host);
  host->alive = FALSE;
  host->silent = silent;
  host->died = sim->now;
  host->generation++;
}

/* It comes back with the same address and configuration and without any memory. */
void
sim_restart (Sim *sim, guint index)
{
  start (sim, index);
  drain (sim, index);
  reschedule (sim, index);
}

/* Requests pass only between hosts of one side. */
void
sim_part (Sim *sim, guint index, guint side)
{
  get_host (sim, index)->side = side;
}

void
sim_set_loss (Sim *sim, double loss)
{
  sim->faults.loss = loss;
}

/* Queries */

/* @index asks for a file that only @holder has (NOBODY: nobody). Returns: the query's number */
guint
sim_query (Sim *sim, guint index, guint holder)
{
  Host *host = get_host (sim, index);
  g_autofree char *qid = g_strdup_printf ("00000000-0000-4000-8000-%012u", sim->queries->len);
  g_autofree char *name = g_strdup_printf ("file of query %u", sim->queries->len);
  g_autoptr (P2psQuery) asked = p2ps_query_new (qid, name, NULL);
  Query *query = g_new0 (Query, 1);

  query->from = index;
  query->holder = holder;
  query->started = sim->now;
  query->hops = g_new0 (guint8, sim->hosts->len);
  g_ptr_array_add (sim->queries, query);
  g_hash_table_insert (sim->by_qid, g_strdup (qid), GUINT_TO_POINTER (sim->queries->len));
  if (holder != NOBODY && get_host (sim, holder)->classic != NULL)
    sim_classic_hold (get_host (sim, holder)->classic, name);
  asked->origin = host->address;
  if (host->node != NULL)
    p2ps_node_search (host->node, sim->now, asked);
  else
    sim_classic_search (host->classic, asked);
  drain (sim, index);
  reschedule (sim, index);

  return sim->queries->len - 1;
}

void
sim_get_query (Sim *sim, guint number, SimQueryResult *result)
{
  Query *query = g_ptr_array_index (sim->queries, number);

  memset (result, 0, sizeof *result);
  for (guint i = 0; i < sim->hosts->len; i++)
    {
      Host *host = get_host (sim, i);

      if (i == query->from || !host->alive || host->kind == SIM_HOSTILE)
        continue;
      result->living++;
      if (query->hops[i] != 0)
        result->reached++;
    }
  result->requests = query->requests;
  result->last_hop = query->last_hop;
  result->last = query->last;
  result->found = query->found;
}

gint64
sim_get_now (Sim *sim)
{
  return sim->now;
}

/* Returns: (nullable) (transfer none): NULL when it is dead or not one of ours */
P2psNode *
sim_get_node (Sim *sim, guint index)
{
  return get_host (sim, index)->node;
}

P2psAddress
sim_get_address (Sim *sim, guint index)
{
  return get_host (sim, index)->address;
}

/* Returns: (transfer none): of all events so far; no more can be added to it */
const char *
sim_get_digest (Sim *sim)
{
  return g_checksum_get_string (sim->checksum);
}

/* Returns: (transfer none) (element-type gint64) */
GArray *
sim_get_evictions (Sim *sim)
{
  return sim->evictions;
}

guint
sim_get_false_evictions (Sim *sim)
{
  return sim->false_evictions;
}
