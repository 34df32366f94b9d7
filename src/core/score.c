/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Who misbehaved: points that come back with time, and a ban when too many are gone. A ban ends by
 * itself, so that a mistake (ours or theirs) heals. On the owner context. */

#define G_LOG_DOMAIN "p2ps-score"

#include "core/membership.h"

#define LONGEST_BAN (86400 * P2PS_SECOND)

/* Returns: 0 or less, at `now` */
int
p2ps_member_get_score (P2psNode *node, P2psMember *member)
{
  gint64 healed = (node->now - member->score_at) / P2PS_SCORE_POINT_TIME;

  return (int)MIN (0, member->info.score + healed);
}

gboolean
p2ps_member_is_banned (P2psNode *node, P2psMember *member)
{
  return member->banned > node->now;
}

void
p2ps_member_blame (P2psNode *node, P2psMember *member, int points)
{
  if (points <= 0 || p2ps_member_is_banned (node, member))
    return;
  member->info.score = p2ps_member_get_score (node, member) - MIN (points, 1000);
  member->score_at = node->now;
  p2ps_node_push_changed (node);
  if (member->info.score > P2PS_SCORE_BAN)
    return;

  member->banned = node->now + MIN (P2PS_BAN_TIME << MIN (member->bans, 8), LONGEST_BAN);
  member->bans++;
  member->info.score = P2PS_SCORE_AFTER_BAN;
  member->score_at = member->banned;
  node->membership->banned = MAX (node->membership->banned, member->banned);
  if (member->info.state == P2PS_PEER_ACTIVE)
    p2ps_member_deactivate (node, member);
  p2ps_member_schedule (node, member, member->banned);
}

/* Whether somebody at @source is banned, for callers that don't say which peer they are. On
 * loopback many peers share a host: there only the banned one itself is refused. */
gboolean
p2ps_source_is_banned (P2psNode *node, const char *source)
{
  P2psMembership *self = node->membership;

  if (self->banned <= node->now || p2ps_host_get_scope (source) == P2PS_SCOPE_LOOPBACK)
    return FALSE;
  for (guint table = 0; table < 2; table++)
    {
      GPtrArray *members = table == 0 ? self->peers : self->candidates;

      for (guint i = 0; i < members->len; i++)
        {
          P2psMember *member = g_ptr_array_index (members, i);

          if (p2ps_member_is_banned (node, member)
              && p2ps_host_equal (member->info.address.host, source))
            return TRUE;
        }
    }

  return FALSE;
}
