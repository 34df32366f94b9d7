/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Our hits for others. They go straight to the address that a query names as its origin, and that
 * may be forged: so an origin that is no active peer is pinged once (after up to 2 s by chance,
 * unless the query came from it directly) and gets hits only when it answers, a few a minute; the
 * first failure closes it for 10 minutes. Our nodes get all hits in one message, classic peers one
 * message for each. On the owner context. */

#define G_LOG_DOMAIN "p2ps-answers"

#include <string.h>

#include "core/routing.h"

#define HIT_INTERVAL (60 * P2PS_SECOND / P2PS_STRANGER_HITS_PER_MINUTE)
#define PING_INTERVAL (P2PS_SECOND / P2PS_PROBES_PER_SECOND)
#define MAX_JOBS_WAITING 8
#define MAX_MESSAGE 12000 /* bytes of one message of hits, at most */

/* A query that the own library is looking up. */
typedef struct
{
  P2psQuery *query;
  P2psAddress from; /* the peer that sent it, or a host that is none */
  gboolean direct;  /* it came from its origin */
} Lookup;

/* Hits on their way to one origin. */
typedef struct
{
  P2psAddress to;
  GPtrArray *hits;
  guint next; /* the first one not yet sent */
  gboolean classic;
  gboolean stranger;
} Job;

typedef enum
{
  STRANGER_NEW,
  STRANGER_WAITING, /* to be pinged at `at` */
  STRANGER_PINGED,
  STRANGER_PROVEN, /* answered at `at` */
  STRANGER_CLOSED, /* until `at` */
} StrangerState;

typedef struct
{
  P2psAddress address;
  StrangerState state;
  gint64 at;
  gboolean classic;
  GQueue jobs; /* of Job */
} Stranger;

struct _P2psAnswers
{
  GHashTable *lookups;   /* token -> Lookup */
  GHashTable *strangers; /* P2psAddress -> Stranger */
  GQueue order;          /* of Stranger, oldest first */
  P2psBuckets *rates;    /* by host */
  P2psBucket pings;
  guint waiting; /* strangers in state WAITING */
  gint64 wake;
};

static void
lookup_free (Lookup *lookup)
{
  p2ps_query_free (lookup->query);
  g_free (lookup);
}

static void
job_free (Job *job)
{
  g_ptr_array_unref (job->hits);
  g_free (job);
}

static void
stranger_free (Stranger *stranger)
{
  g_queue_clear_full (&stranger->jobs, (GDestroyNotify)job_free);
  g_free (stranger);
}

P2psAnswers *
p2ps_answers_new (void)
{
  P2psAnswers *self = g_new0 (P2psAnswers, 1);

  self->lookups
      = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, (GDestroyNotify)lookup_free);
  self->strangers = g_hash_table_new_full (p2ps_address_hash, p2ps_address_equal, NULL,
                                           (GDestroyNotify)stranger_free);
  g_queue_init (&self->order);
  self->rates = p2ps_buckets_new (P2PS_MAX_STRANGERS);
  self->pings.full = P2PS_LONG_AGO;
  self->wake = P2PS_NEVER;

  return self;
}

void
p2ps_answers_free (P2psAnswers *self)
{
  g_queue_clear (&self->order);
  g_hash_table_unref (self->strangers);
  g_hash_table_unref (self->lookups);
  p2ps_buckets_free (self->rates);
  g_free (self);
}

gint64
p2ps_answers_get_wake (P2psNode *node)
{
  return node->answers->wake;
}

/* Half of the look-ups are for others than @from, however much it asks. */
static gboolean
has_room_for (P2psAnswers *self, const P2psAddress *from)
{
  guint total = g_hash_table_size (self->lookups), count = 0;
  GHashTableIter iter;
  gpointer lookup;

  if (total < P2PS_MAX_LOOKUPS / 2)
    return TRUE;
  g_hash_table_iter_init (&iter, self->lookups);
  while (g_hash_table_iter_next (&iter, NULL, &lookup))
    if (p2ps_address_equal (&((Lookup *)lookup)->from, from))
      count++;

  return total < P2PS_MAX_LOOKUPS && count < P2PS_MAX_LOOKUPS / 2;
}

/* Asks the library. @from: who sent the query; @direct: it is its origin itself. */
void
p2ps_answers_look_up (P2psNode *node, const P2psQuery *query, const P2psAddress *from,
                      gboolean direct)
{
  P2psAnswers *self = node->answers;
  Lookup *lookup;
  guint64 token;

  if (!has_room_for (self, from))
    {
      node->counters.dropped++;
      return;
    }
  lookup = g_new0 (Lookup, 1);
  token = p2ps_node_next_token (node);
  lookup->query = p2ps_query_copy (query);
  lookup->from = *from;
  lookup->direct = direct;
  g_hash_table_insert (self->lookups, g_memdup2 (&token, sizeof token), lookup);
  p2ps_node_push_lookup (node, token, query);
}

/* Sending */

/* How long @name can become in JSON, and the rest of a hit with it. */
static gsize
estimate (const P2psHit *hit)
{
  gsize size = 256;

  for (const char *p = hit->filename; *p != '\0'; p++)
    size += (guchar)*p < 0x20 || *p == 0x7f ? 6 : *p == '"' || *p == '\\' ? 2 : 1;

  return size;
}

/* Sends the next part of @job. @job: (transfer full): done when nothing is left */
static void
send_part (P2psNode *node, Job *job)
{
  GPtrArray *part;
  P2psAddress to = job->to;
  gsize size = 0;

  if (job->next >= job->hits->len)
    {
      job_free (job);
      return;
    }
  part = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  while (job->next < job->hits->len)
    {
      const P2psHit *hit = g_ptr_array_index (job->hits, job->next);

      size += estimate (hit);
      if (part->len > 0 && (job->classic || size > MAX_MESSAGE))
        break;
      g_ptr_array_add (part, p2ps_hit_copy (hit));
      job->next++;
    }
  node->counters.hits_sent += part->len;
  p2ps_node_push_send (node, &to, p2ps_message_new_hits (part), P2PS_FOR_HITS, job,
                       (GDestroyNotify)job_free);
}

/* Strangers */

static void
drop_jobs (Stranger *stranger)
{
  g_queue_clear_full (&stranger->jobs, (GDestroyNotify)job_free);
}

static void
set_state (P2psNode *node, Stranger *stranger, StrangerState state, gint64 at)
{
  P2psAnswers *self = node->answers;

  if (stranger->state == STRANGER_WAITING)
    self->waiting--;
  if (state == STRANGER_WAITING)
    {
      self->waiting++;
      self->wake = MIN (self->wake, at);
    }
  stranger->state = state;
  stranger->at = at;
}

static void
forget (P2psNode *node, Stranger *stranger)
{
  set_state (node, stranger, STRANGER_NEW, 0);
  g_queue_remove (&node->answers->order, stranger);
  g_hash_table_remove (node->answers->strangers, &stranger->address);
}

/* What is known of @address, if it is still true. Returns: (nullable): NULL: too many at once */
static Stranger *
get_stranger (P2psNode *node, const P2psAddress *address)
{
  P2psAnswers *self = node->answers;
  Stranger *stranger = g_hash_table_lookup (self->strangers, address);

  if (stranger != NULL)
    {
      if ((stranger->state == STRANGER_CLOSED && node->now >= stranger->at)
          || (stranger->state == STRANGER_PROVEN && node->now >= stranger->at + P2PS_PROBE_AGAIN))
        set_state (node, stranger, STRANGER_NEW, 0);
      return stranger;
    }
  if (self->order.length >= P2PS_MAX_STRANGERS)
    {
      Stranger *oldest = g_queue_peek_head (&self->order);

      if (oldest->state == STRANGER_WAITING || oldest->state == STRANGER_PINGED)
        return NULL;
      forget (node, oldest);
    }
  stranger = g_new0 (Stranger, 1);
  stranger->address = *address;
  g_queue_init (&stranger->jobs);
  g_hash_table_insert (self->strangers, &stranger->address, stranger);
  g_queue_push_tail (&self->order, stranger);

  return stranger;
}

static gboolean
take_rate (P2psNode *node, const P2psAddress *address)
{
  g_autofree char *name = p2ps_host_get_scope (address->host) == P2PS_SCOPE_LOOPBACK
                              ? p2ps_address_to_string (address)
                              : g_strdup (address->host);

  return p2ps_bucket_take (p2ps_buckets_get (node->answers->rates, name), node->now, HIT_INTERVAL,
                           P2PS_STRANGER_HITS_PER_MINUTE);
}

/* @job: (transfer full) */
static void
answer_stranger (P2psNode *node, Job *job, gboolean direct)
{
  Stranger *stranger = get_stranger (node, &job->to);

  if (stranger == NULL || stranger->state == STRANGER_CLOSED
      || stranger->jobs.length >= MAX_JOBS_WAITING || !take_rate (node, &job->to))
    {
      job_free (job);
      return;
    }
  job->stranger = TRUE;
  if (stranger->state == STRANGER_PROVEN)
    {
      job->classic = stranger->classic;
      send_part (node, job);
      return;
    }
  g_queue_push_tail (&stranger->jobs, job);
  if (stranger->state == STRANGER_NEW || (stranger->state == STRANGER_WAITING && direct))
    set_state (node, stranger, STRANGER_WAITING,
               direct ? node->now
                      : node->now + p2ps_random_below (&node->random, P2PS_STRANGER_HIT_DELAY));
  p2ps_answers_tick (node);
}

/* What the library has for a query. */
void
p2ps_answers_found (P2psNode *node, guint64 token, GPtrArray *hits)
{
  P2psAnswers *self = node->answers;
  Lookup *lookup = g_hash_table_lookup (self->lookups, &token);
  P2psMember *member;
  Job *job;

  if (lookup == NULL)
    return;
  if (hits == NULL || hits->len == 0)
    {
      g_hash_table_remove (self->lookups, &token);
      return;
    }
  node->counters.answered++;
  job = g_new0 (Job, 1);
  job->to = lookup->query->origin;
  job->hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  for (guint i = 0; i < MIN (hits->len, P2PS_MAX_HITS_PER_RESPONDER); i++)
    {
      const P2psHit *hit = g_ptr_array_index (hits, i);
      P2psHit *answer
          = p2ps_hit_new (lookup->query->qid, &node->self, hit->filename, hit->filehash, hit->size);

      p2ps_hash_normalize (answer->root, hit->root);
      g_ptr_array_add (job->hits, answer);
    }

  member = p2ps_membership_find (node, &job->to);
  if (member != NULL && p2ps_member_is_banned (node, member))
    job_free (job);
  else if (member != NULL && member->info.state == P2PS_PEER_ACTIVE)
    {
      job->classic = member->info.classic;
      send_part (node, job);
    }
  else
    answer_stranger (node, job, lookup->direct);
  g_hash_table_remove (self->lookups, &token);
}

static void
close_stranger (P2psNode *node, Stranger *stranger)
{
  drop_jobs (stranger);
  set_state (node, stranger, STRANGER_CLOSED, node->now + P2PS_STRANGER_CLOSED);
}

/* What became of the ping to an origin. */
void
p2ps_answers_pinged (P2psNode *node, const P2psAddress *to, P2psOutcome outcome,
                     const P2psMessage *reply)
{
  Stranger *stranger = g_hash_table_lookup (node->answers->strangers, to);

  if (stranger == NULL || stranger->state != STRANGER_PINGED)
    return;
  if (outcome != P2PS_OUTCOME_REPLY)
    {
      close_stranger (node, stranger);
      return;
    }
  stranger->classic = reply->agent == NULL;
  set_state (node, stranger, STRANGER_PROVEN, node->now);
  while (!g_queue_is_empty (&stranger->jobs))
    {
      Job *job = g_queue_pop_head (&stranger->jobs);

      job->classic = stranger->classic;
      send_part (node, job);
    }
}

/* What became of hits. @data: (transfer full): the Job */
void
p2ps_answers_sent (P2psNode *node, gpointer data, P2psOutcome outcome)
{
  Job *job = data;

  if (outcome == P2PS_OUTCOME_REPLY)
    {
      send_part (node, job);
      return;
    }
  if (job->stranger)
    {
      Stranger *stranger = get_stranger (node, &job->to);

      if (stranger != NULL)
        close_stranger (node, stranger);
    }
  job_free (job);
}

void
p2ps_answers_tick (P2psNode *node)
{
  P2psAnswers *self = node->answers;
  gint64 ready;

  if (node->now < self->wake)
    return;
  self->wake = P2PS_NEVER;
  if (self->waiting == 0)
    return;
  for (GList *l = self->order.head; l != NULL; l = l->next)
    {
      Stranger *stranger = l->data;

      if (stranger->state != STRANGER_WAITING)
        continue;
      if (stranger->at <= node->now
          && p2ps_bucket_take (&self->pings, node->now, PING_INTERVAL, P2PS_PROBES_BURST))
        {
          set_state (node, stranger, STRANGER_PINGED, node->now);
          p2ps_node_push_ping (node, &stranger->address, P2PS_FOR_STRANGER);
        }
      else
        {
          ready = p2ps_bucket_get_ready (&self->pings, PING_INTERVAL, P2PS_PROBES_BURST);
          self->wake = MIN (self->wake, MAX (stranger->at, ready));
        }
    }
}
