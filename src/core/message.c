/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The messages of peers as values. Built once, then only read; on the owner context. */

#define G_LOG_DOMAIN "p2ps-message"

#include "core/message.h"

/**
 * p2ps_query_new:
 * @qid: a UUID as text
 * @filename: (nullable): NULL is ""
 * @filehash: (nullable): 64 hexadecimal digits; anything else is ""
 *
 * Returns: (transfer full): a query with origin and via unset and no hop budgets (-1)
 */
P2psQuery *
p2ps_query_new (const char *qid, const char *filename, const char *filehash)
{
  P2psQuery *query = g_new0 (P2psQuery, 1);

  g_strlcpy (query->qid, qid, sizeof query->qid);
  query->filename = g_strdup (filename != NULL ? filename : "");
  p2ps_hash_normalize (query->filehash, filehash);
  query->ttl = -1;
  query->xttl = -1;
  query->hops = -1;

  return query;
}

/** p2ps_query_copy: Returns: (transfer full) */
P2psQuery *
p2ps_query_copy (const P2psQuery *query)
{
  P2psQuery *copy = g_memdup2 (query, sizeof *query);

  copy->filename = g_strdup (query->filename);
  copy->reached = g_strdup (query->reached);

  return copy;
}

/** p2ps_query_free: @query may be NULL */
void
p2ps_query_free (P2psQuery *query)
{
  if (query == NULL)
    return;
  g_free (query->filename);
  g_free (query->reached);
  g_free (query);
}

/**
 * p2ps_hit_new:
 * @holder: (nullable): who has the file; NULL = the source of the connection
 * @filename: (nullable): NULL is ""
 * @filehash: (nullable): 64 hexadecimal digits; anything else is ""
 * @size: bytes, -1 when not known
 *
 * Returns: (transfer full): with no root
 */
P2psHit *
p2ps_hit_new (const char *qid, const P2psAddress *holder, const char *filename,
              const char *filehash, gint64 size)
{
  P2psHit *hit = g_new0 (P2psHit, 1);

  g_strlcpy (hit->qid, qid, sizeof hit->qid);
  if (holder != NULL)
    hit->holder = *holder;
  hit->filename = g_strdup (filename != NULL ? filename : "");
  p2ps_hash_normalize (hit->filehash, filehash);
  hit->size = size;

  return hit;
}

/** p2ps_hit_copy: Returns: (transfer full) */
P2psHit *
p2ps_hit_copy (const P2psHit *hit)
{
  P2psHit *copy = g_memdup2 (hit, sizeof *hit);

  copy->filename = g_strdup (hit->filename);

  return copy;
}

/** p2ps_hit_free: @hit may be NULL */
void
p2ps_hit_free (P2psHit *hit)
{
  if (hit == NULL)
    return;
  g_free (hit->filename);
  g_free (hit);
}

/**
 * p2ps_message_new:
 *
 * PEERS starts with an empty array of peers, QUERY_HIT with an empty array of hits.
 *
 * Returns: (transfer full): a message with one reference; `files` is -1
 */
P2psMessage *
p2ps_message_new (P2psMessageType type)
{
  P2psMessage *message = g_new0 (P2psMessage, 1);

  message->refs = 1;
  message->type = type;
  message->files = -1;
  if (type == P2PS_MESSAGE_PEERS)
    message->peers = g_array_new (FALSE, FALSE, sizeof (P2psAddress));
  if (type == P2PS_MESSAGE_QUERY_HIT)
    message->hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);

  return message;
}

/** p2ps_message_new_from: JOIN, HEARTBEAT or GET_PEERS. Returns: (transfer full) */
P2psMessage *
p2ps_message_new_from (P2psMessageType type, const P2psAddress *sender)
{
  P2psMessage *message = p2ps_message_new (type);

  message->sender = *sender;

  return message;
}

/** p2ps_message_new_query: @query: (transfer full). Returns: (transfer full) */
P2psMessage *
p2ps_message_new_query (P2psQuery *query)
{
  P2psMessage *message = p2ps_message_new (P2PS_MESSAGE_QUERY);

  message->query = query;

  return message;
}

/** p2ps_message_new_hits: @hits: (transfer full): of P2psHit, freeing its elements.
 * Returns: (transfer full) */
P2psMessage *
p2ps_message_new_hits (GPtrArray *hits)
{
  P2psMessage *message = p2ps_message_new (P2PS_MESSAGE_QUERY_HIT);

  g_ptr_array_unref (message->hits);
  message->hits = hits;

  return message;
}

/** p2ps_message_new_status: Returns: (transfer full) */
P2psMessage *
p2ps_message_new_status (gboolean ok)
{
  P2psMessage *message = p2ps_message_new (P2PS_MESSAGE_STATUS);

  message->ok = ok;

  return message;
}

/** p2ps_message_ref: Returns: (transfer full): @message */
P2psMessage *
p2ps_message_ref (P2psMessage *message)
{
  message->refs++;

  return message;
}

/** p2ps_message_unref: @message may be NULL */
void
p2ps_message_unref (P2psMessage *message)
{
  if (message == NULL || --message->refs > 0)
    return;
  p2ps_query_free (message->query);
  g_clear_pointer (&message->hits, g_ptr_array_unref);
  g_clear_pointer (&message->peers, g_array_unref);
  g_free (message->agent);
  g_free (message->id);
  g_free (message->nonce);
  g_free (message);
}
