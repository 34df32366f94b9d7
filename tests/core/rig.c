/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "rig.h"

typedef struct
{
  gint64 at;
  guint64 token;
  P2psOutcome outcome;
  P2psMessage *reply;
} Due;

static void
due_free (Due *due)
{
  p2ps_message_unref (due->reply);
  g_free (due);
}

static void
sent_free (RigSent *sent)
{
  p2ps_message_unref (sent->message);
  g_free (sent);
}

static void
effect_free (P2psEffect *effect)
{
  p2ps_effect_clear (effect);
  g_free (effect);
}

Rig *
rig_new_full (const P2psNodeConfig *config)
{
  Rig *rig = g_new0 (Rig, 1);

  rig->now = 1000 * P2PS_SECOND;
  rig->node = p2ps_node_new (config, rig->now);
  rig->manners = g_hash_table_new_full (p2ps_address_hash, p2ps_address_equal, g_free, NULL);
  rig->peers_reply = g_array_new (FALSE, FALSE, sizeof (P2psAddress));
  g_queue_init (&rig->due);
  rig->log = g_ptr_array_new_with_free_func ((GDestroyNotify)sent_free);
  rig->replies = g_ptr_array_new_with_free_func ((GDestroyNotify)effect_free);
  rig->lookups = g_ptr_array_new_with_free_func ((GDestroyNotify)effect_free);
  rig->hits = g_ptr_array_new_with_free_func ((GDestroyNotify)effect_free);

  return rig;
}

/* A node at 10.0.0.1:8081, or at 127.0.0.1:8081. */
Rig *
rig_new (gboolean loopback_only)
{
  P2psNodeConfig config = {
    .loopback_only = loopback_only, .agent = "p2pshare/test", .id = "the-node-itself", .seed = 1
  };

  config.self = rig_address (loopback_only ? "127.0.0.1:8081" : "10.0.0.1:8081");

  return rig_new_full (&config);
}

void
rig_free (Rig *rig)
{
  p2ps_node_free (rig->node);
  g_hash_table_unref (rig->manners);
  g_array_unref (rig->peers_reply);
  g_free (rig->own_id);
  g_queue_clear_full (&rig->due, (GDestroyNotify)due_free);
  g_ptr_array_unref (rig->log);
  g_ptr_array_unref (rig->replies);
  g_ptr_array_unref (rig->lookups);
  g_ptr_array_unref (rig->hits);
  g_free (rig);
}

P2psAddress
rig_address (const char *text)
{
  P2psAddress address;

  g_assert_true (p2ps_address_parse (&address, text));

  return address;
}

void
rig_manner (Rig *rig, const char *text, RigManner manner)
{
  P2psAddress address = rig_address (text);

  g_hash_table_replace (rig->manners, g_memdup2 (&address, sizeof address),
                        GINT_TO_POINTER (manner + 1));
}

static P2psMessage *
make_reply (Rig *rig, const P2psEffect *effect, RigManner manner)
{
  P2psMessage *reply;

  if (effect->message->type == P2PS_MESSAGE_PING)
    {
      reply = p2ps_message_new (P2PS_MESSAGE_PONG);
      reply->ok = TRUE;
      if (manner == RIG_OURS)
        {
          reply->agent = g_strdup ("p2pshare/other");
          reply->id
              = rig->own_id != NULL ? g_strdup (rig->own_id) : p2ps_address_to_string (&effect->to);
          reply->nonce = g_strdup (effect->message->nonce);
          reply->files = 7;
        }
    }
  else if (effect->message->type == P2PS_MESSAGE_GET_PEERS)
    {
      reply = p2ps_message_new (P2PS_MESSAGE_PEERS);
      reply->ok = !rig->peers_refused;
      if (reply->ok)
        g_array_append_vals (reply->peers, rig->peers_reply->data, rig->peers_reply->len);
    }
  else
    reply = p2ps_message_new_status (TRUE);

  return reply;
}

static void
answer (Rig *rig, const P2psEffect *effect)
{
  int manner = GPOINTER_TO_INT (g_hash_table_lookup (rig->manners, &effect->to)) - 1;
  Due *due = g_new0 (Due, 1);

  due->token = effect->token;
  due->at = rig->now + 1000;
  switch (manner)
    {
    case RIG_OURS:
    case RIG_CLASSIC:
      due->outcome = P2PS_OUTCOME_REPLY;
      due->reply = make_reply (rig, effect, manner);
      break;
    case RIG_REFUSED:
      due->outcome = P2PS_OUTCOME_REFUSED;
      break;
    case RIG_DENIES:
      due->outcome = P2PS_OUTCOME_DENIED;
      break;
    case RIG_BABBLES:
      due->outcome = P2PS_OUTCOME_NONSENSE;
      break;
    default:
      due->at = rig->now + 4 * P2PS_SECOND;
      due->outcome = P2PS_OUTCOME_TIMEOUT;
    }
  g_queue_push_tail (&rig->due, due);
}

static void
drain (Rig *rig)
{
  P2psEffect effect;

  while (p2ps_node_pop (rig->node, &effect))
    switch (effect.type)
      {
      case P2PS_EFFECT_SEND:
        {
          RigSent *sent = g_new0 (RigSent, 1);

          answer (rig, &effect);
          sent->at = rig->now;
          sent->to = effect.to;
          sent->message = effect.message;
          g_ptr_array_add (rig->log, sent);
        }
        break;
      case P2PS_EFFECT_REPLY:
      case P2PS_EFFECT_REJECT:
        g_ptr_array_add (rig->replies, g_memdup2 (&effect, sizeof effect));
        break;
      case P2PS_EFFECT_LOOKUP:
        g_ptr_array_add (rig->lookups, g_memdup2 (&effect, sizeof effect));
        break;
      case P2PS_EFFECT_HITS:
        g_ptr_array_add (rig->hits, g_memdup2 (&effect, sizeof effect));
        break;
      case P2PS_EFFECT_PEERS_CHANGED:
        rig->changed++;
        break;
      }
}

static Due *
pop_due (Rig *rig, gint64 until)
{
  GList *first = NULL;

  for (GList *l = rig->due.head; l != NULL; l = l->next)
    if (((Due *)l->data)->at <= until
        && (first == NULL || ((Due *)l->data)->at < ((Due *)first->data)->at))
      first = l;
  if (first != NULL)
    {
      Due *due = first->data;

      g_queue_delete_link (&rig->due, first);
      return due;
    }

  return NULL;
}

/* Moves the clock by @time; answers come and deadlines pass on the way. */
void
rig_advance (Rig *rig, gint64 time)
{
  gint64 end = rig->now + time;

  drain (rig);
  for (guint steps = 0;; steps++)
    {
      gint64 deadline = p2ps_node_get_deadline (rig->node);
      Due *due = pop_due (rig, MIN (deadline, end));

      g_assert_cmpuint (steps, <, 1000000); /* a deadline that does not move is a spinning loop */
      if (due != NULL)
        {
          rig->now = MAX (rig->now, due->at);
          p2ps_node_sent (rig->node, rig->now, due->token, due->outcome, due->reply);
          due_free (due);
        }
      else if (deadline <= end)
        {
          rig->now = MAX (rig->now, deadline);
          p2ps_node_tick (rig->node, rig->now);
        }
      else
        break;
      drain (rig);
    }
  rig->now = end;
}

/* @message: (transfer full). Returns: the request, for rig_reply() */
guint64
rig_deliver (Rig *rig, const char *source, P2psMessage *message)
{
  guint64 request = ++rig->last_request;

  p2ps_node_deliver (rig->node, rig->now, source, message, request);
  p2ps_message_unref (message);
  drain (rig);

  return request;
}

/* Returns: (nullable): what @request was answered */
P2psEffect *
rig_reply (Rig *rig, guint64 request)
{
  for (guint i = 0; i < rig->replies->len; i++)
    {
      P2psEffect *effect = g_ptr_array_index (rig->replies, i);

      if (effect->token == request)
        return effect;
    }

  return NULL;
}

/* JOIN, HEARTBEAT or GET_PEERS of @address (NULL: unset) from @source. */
P2psEffect *
rig_say (Rig *rig, P2psMessageType type, const char *source, const char *address)
{
  P2psAddress sender = { "", 0 };

  if (address != NULL && *address == ':')
    sender.port = (guint16)atoi (address + 1);
  else if (address != NULL)
    sender = rig_address (address);

  return rig_reply (rig, rig_deliver (rig, source, p2ps_message_new_from (type, &sender)));
}

/* A peer joins and is pinged back. */
void
rig_join (Rig *rig, const char *source, const char *address)
{
  P2psEffect *reply = rig_say (rig, P2PS_MESSAGE_JOIN, source, address);

  g_assert_nonnull (reply);
  g_assert_cmpint (reply->type, ==, P2PS_EFFECT_REPLY);
  rig_advance (rig, P2PS_SECOND);
}

/* @query: (transfer full) */
P2psEffect *
rig_query (Rig *rig, const char *source, P2psQuery *query)
{
  return rig_reply (rig, rig_deliver (rig, source, p2ps_message_new_query (query)));
}

/* How many messages of @type (0: any) went to @address (NULL: anybody) */
guint
rig_count (Rig *rig, P2psMessageType type, const char *address)
{
  guint count = 0;

  for (guint i = 0; i < rig->log->len; i++)
    {
      RigSent *sent = g_ptr_array_index (rig->log, i);
      g_autofree char *to = p2ps_address_to_string (&sent->to);

      if ((type == 0 || sent->message->type == type)
          && (address == NULL || strcmp (address, to) == 0))
        count++;
    }

  return count;
}

RigSent *
rig_last (Rig *rig, P2psMessageType type, const char *address)
{
  for (guint i = rig->log->len; i > 0; i--)
    {
      RigSent *sent = g_ptr_array_index (rig->log, i - 1);
      g_autofree char *to = p2ps_address_to_string (&sent->to);

      if (sent->message->type == type && (address == NULL || strcmp (address, to) == 0))
        return sent;
    }

  return NULL;
}

/* Empties the log. */
void
rig_forget (Rig *rig)
{
  g_ptr_array_set_size (rig->log, 0);
  g_ptr_array_set_size (rig->hits, 0);
  g_ptr_array_set_size (rig->lookups, 0);
}

/* Throws away the answers that are on their way. */
void
rig_settle (Rig *rig)
{
  g_queue_clear_full (&rig->due, (GDestroyNotify)due_free);
}

gboolean
rig_info (Rig *rig, const char *text, P2psPeerInfo *info)
{
  g_autoptr (GArray) peers = p2ps_node_list_peers (rig->node);
  P2psAddress address = rig_address (text);

  for (guint i = 0; i < peers->len; i++)
    {
      *info = g_array_index (peers, P2psPeerInfo, i);
      if (p2ps_address_equal (&info->address, &address))
        return TRUE;
    }

  return FALSE;
}

/* CANDIDATE also when it is in no list at all */
P2psPeerState
rig_state (Rig *rig, const char *text)
{
  P2psPeerInfo info;

  return rig_info (rig, text, &info) ? info.state : P2PS_PEER_CANDIDATE;
}

/* @origin: NULL = unset with port 8081 */
P2psQuery *
rig_make_query (guint number, const char *origin, int ttl, int xttl)
{
  g_autofree char *qid = g_strdup_printf ("00000000-0000-4000-8000-%012u", number);
  P2psQuery *query = p2ps_query_new (qid, "a file.txt", NULL);

  if (origin != NULL)
    query->origin = rig_address (origin);
  else
    query->origin.port = 8081;
  query->ttl = ttl;
  query->xttl = xttl;

  return query;
}

/* The library answers a look-up with @count files. */
void
rig_found (Rig *rig, guint lookup, guint count)
{
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  P2psEffect *effect = g_ptr_array_index (rig->lookups, lookup);

  for (guint i = 0; i < count; i++)
    {
      g_autofree char *name = g_strdup_printf ("file %u", i);

      g_ptr_array_add (hits, p2ps_hit_new (effect->message->query->qid, NULL, name, NULL, 10 + i));
    }
  p2ps_node_found (rig->node, rig->now, effect->token, hits);
  drain (rig);
}
