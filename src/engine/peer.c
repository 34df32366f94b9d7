/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One peer as a row: a copy of the core's snapshot with times as people know them. Lives on the
 * owner context; brought up to date in place, so that a selected row stays the same row. */

#include "engine/peer.h"

struct _P2psPeer
{
  GObject parent_instance;
  P2psPeerInfo info;
  char *text;            /* host:port */
  gint64 last_heartbeat; /* Unix seconds, 0 = never */
  gint64 last_update;
};

enum
{
  PROP_ADDRESS = 1,
  PROP_HOST,
  PROP_PORT,
  PROP_STATE,
  PROP_ACTIVE,
  PROP_CLASSIC,
  PROP_LAST_HEARTBEAT,
  PROP_LAST_UPDATE,
  PROP_FILES,
  PROP_ROUND_TRIP,
  PROP_AGENT,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psPeer, p2ps_peer, G_TYPE_OBJECT)

static void
p2ps_peer_finalize (GObject *object)
{
  g_free (P2PS_PEER (object)->text);
  G_OBJECT_CLASS (p2ps_peer_parent_class)->finalize (object);
}

static void
p2ps_peer_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  P2psPeer *peer = P2PS_PEER (object);

  switch (id)
    {
    case PROP_ADDRESS:
      g_value_set_string (value, peer->text);
      break;
    case PROP_HOST:
      g_value_set_string (value, peer->info.address.host);
      break;
    case PROP_PORT:
      g_value_set_uint (value, peer->info.address.port);
      break;
    case PROP_STATE:
      g_value_set_static_string (value, p2ps_peer_get_state (peer));
      break;
    case PROP_ACTIVE:
      g_value_set_boolean (value, p2ps_peer_get_active (peer));
      break;
    case PROP_CLASSIC:
      g_value_set_boolean (value, peer->info.classic);
      break;
    case PROP_LAST_HEARTBEAT:
      g_value_set_int64 (value, peer->last_heartbeat);
      break;
    case PROP_LAST_UPDATE:
      g_value_set_int64 (value, peer->last_update);
      break;
    case PROP_FILES:
      g_value_set_int64 (value, peer->info.files);
      break;
    case PROP_ROUND_TRIP:
      g_value_set_int64 (value, peer->info.round_trip);
      break;
    case PROP_AGENT:
      g_value_set_string (value, peer->info.agent);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_peer_class_init (P2psPeerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->finalize = p2ps_peer_finalize;
  object_class->get_property = p2ps_peer_get_property;
  props[PROP_ADDRESS] = g_param_spec_string ("address", NULL, NULL, NULL, flags);
  props[PROP_HOST] = g_param_spec_string ("host", NULL, NULL, NULL, flags);
  props[PROP_PORT] = g_param_spec_uint ("port", NULL, NULL, 0, G_MAXUINT16, 0, flags);
  props[PROP_STATE] = g_param_spec_string ("state", NULL, NULL, NULL, flags);
  props[PROP_ACTIVE] = g_param_spec_boolean ("active", NULL, NULL, FALSE, flags);
  props[PROP_CLASSIC] = g_param_spec_boolean ("classic", NULL, NULL, FALSE, flags);
  props[PROP_LAST_HEARTBEAT]
      = g_param_spec_int64 ("last-heartbeat", NULL, NULL, 0, G_MAXINT64, 0, flags);
  props[PROP_LAST_UPDATE] = g_param_spec_int64 ("last-update", NULL, NULL, 0, G_MAXINT64, 0, flags);
  props[PROP_FILES] = g_param_spec_int64 ("files", NULL, NULL, -1, G_MAXINT64, -1, flags);
  props[PROP_ROUND_TRIP] = g_param_spec_int64 ("round-trip", NULL, NULL, 0, G_MAXINT64, 0, flags);
  props[PROP_AGENT] = g_param_spec_string ("agent", NULL, NULL, NULL, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
p2ps_peer_init (P2psPeer *peer)
{
}

static gint64
to_unix (gint64 time, gint64 wall_offset)
{
  return time > 0 ? MAX ((time + wall_offset) / G_USEC_PER_SEC, 0) : 0;
}

/* wall_offset: Unix time minus the core's time, microseconds. Caller owns the row. */
P2psPeer *
p2ps_peer_new (const P2psPeerInfo *info, gint64 wall_offset)
{
  P2psPeer *peer = g_object_new (P2PS_TYPE_PEER, NULL);

  peer->info = *info;
  peer->text = p2ps_address_to_string (&info->address);
  peer->last_heartbeat = to_unix (info->last_heartbeat, wall_offset);
  peer->last_update = to_unix (info->last_update, wall_offset);
  return peer;
}

/* Takes a newer snapshot of the same peer over; tells only what changed. A second's difference
 * that comes from rounding alone is no change. */
void
p2ps_peer_update (P2psPeer *peer, const P2psPeerInfo *info, gint64 wall_offset)
{
  GObject *object = G_OBJECT (peer);
  const P2psPeerInfo old = peer->info;

  g_object_freeze_notify (object);
  peer->info = *info;
  if (old.state != info->state)
    g_object_notify_by_pspec (object, props[PROP_STATE]);
  if ((old.state == P2PS_PEER_ACTIVE) != (info->state == P2PS_PEER_ACTIVE))
    g_object_notify_by_pspec (object, props[PROP_ACTIVE]);
  if (old.classic != info->classic)
    g_object_notify_by_pspec (object, props[PROP_CLASSIC]);
  if (old.last_heartbeat != info->last_heartbeat)
    {
      peer->last_heartbeat = to_unix (info->last_heartbeat, wall_offset);
      g_object_notify_by_pspec (object, props[PROP_LAST_HEARTBEAT]);
    }
  if (old.last_update != info->last_update)
    {
      peer->last_update = to_unix (info->last_update, wall_offset);
      g_object_notify_by_pspec (object, props[PROP_LAST_UPDATE]);
    }
  if (old.files != info->files)
    g_object_notify_by_pspec (object, props[PROP_FILES]);
  if (old.round_trip != info->round_trip)
    g_object_notify_by_pspec (object, props[PROP_ROUND_TRIP]);
  if (g_strcmp0 (old.agent, info->agent) != 0)
    g_object_notify_by_pspec (object, props[PROP_AGENT]);
  g_object_thaw_notify (object);
}

const P2psAddress *
p2ps_peer_get_address (P2psPeer *peer)
{
  return &peer->info.address;
}

gboolean
p2ps_peer_get_active (P2psPeer *peer)
{
  return peer->info.state == P2PS_PEER_ACTIVE;
}

/* "active", "inactive" or "new" (heard of, not yet answered). */
const char *
p2ps_peer_get_state (P2psPeer *peer)
{
  switch (peer->info.state)
    {
    case P2PS_PEER_ACTIVE:
      return "active";
    case P2PS_PEER_INACTIVE:
      return "inactive";
    case P2PS_PEER_CANDIDATE:
    default:
      return "new";
    }
}

/* Unix seconds, 0 = never. */
gint64
p2ps_peer_get_last_heartbeat (P2psPeer *peer)
{
  return peer->last_heartbeat;
}

/* When the state changed: Unix seconds, 0 = never. */
gint64
p2ps_peer_get_last_update (P2psPeer *peer)
{
  return peer->last_update;
}

/* That it says it shares, -1 = it doesn't say. */
gint64
p2ps_peer_get_files (P2psPeer *peer)
{
  return peer->info.files;
}
