/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Whom a query reaches at its first hop. Its origin names all whom it asks, so that they don't ask
 * each other: among nodes that all know each other a query costs one request for each. A peer is
 * named by 32 bits of a hash of its id and address, with the QID: two networks may have the same
 * private addresses, and nobody can choose an id that stands for another one's. Only those that
 * are surely there are named; what is missing costs requests, never reach. On the owner context. */

#define G_LOG_DOMAIN "p2ps-reached"

#include <string.h>

#include "core/routing.h"

#define DIGITS 8

static void
name (const char *qid, const P2psMember *member, char text[DIGITS + 1])
{
  g_autofree char *all = g_strdup_printf ("%s %s %s %u", qid, member->info.id,
                                          member->info.address.host, member->info.address.port);
  guint64 hash = G_GUINT64_CONSTANT (0xcbf29ce484222325);

  for (const char *p = all; *p != '\0'; p++)
    hash = (hash ^ (guchar)*p) * G_GUINT64_CONSTANT (0x100000001b3);
  g_snprintf (text, DIGITS + 1, "%08x", (guint32)(hash ^ hash >> 32));
}

/** p2ps_reached_new: Returns: (transfer full) (nullable): names those of our active peers that a
 * search with @qid reaches from here; NULL: none, or too many */
char *
p2ps_reached_new (P2psNode *node, const char *qid)
{
  GPtrArray *peers = node->membership->peers;
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < peers->len; i++)
    {
      const P2psMember *member = g_ptr_array_index (peers, i);
      char digits[DIGITS + 1];

      if (member->info.state != P2PS_PEER_ACTIVE || member->info.classic
          || member->info.id[0] == '\0' || member->failures > 1
          || !p2ps_fair_is_empty (&member->outbox)
          || member->info.last_heartbeat + P2PS_REACHED_FRESH < node->now)
        continue;
      name (qid, member, digits);
      g_string_append (text, digits);
    }
  if (text->len > 0 && text->len <= P2PS_MAX_REACHED * DIGITS)
    return g_string_free (text, FALSE);
  g_string_free (text, TRUE);

  return NULL;
}

/** p2ps_reached_has: whether @query's origin asks @member itself */
gboolean
p2ps_reached_has (const P2psQuery *query, const P2psMember *member)
{
  char digits[DIGITS + 1];

  if (query->reached == NULL || member->info.classic || member->info.id[0] == '\0')
    return FALSE;
  name (query->qid, member, digits);
  for (const char *p = query->reached; strlen (p) >= DIGITS; p += DIGITS)
    if (memcmp (p, digits, DIGITS) == 0)
      return TRUE;

  return FALSE;
}
