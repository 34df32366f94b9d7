/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One peer that has the file of one download: the row of a list, and what the download remembers of
 * it. Lives on the owner context. */

#define G_LOG_DOMAIN "p2ps-download"

#include "engine/download-private.h"

struct _P2psDownloadSource
{
  GObject parent_instance;
  P2psHit *hit;
  char *address;
  char *state;
  gint64 bytes;
  gboolean etag_is_hash;
  gboolean other_size;
};

enum
{
  PROP_ADDRESS = 1,
  PROP_STATE,
  PROP_BYTES,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psDownloadSource, p2ps_download_source, G_TYPE_OBJECT)

P2psDownloadSource *
p2ps_download_source_new (const P2psHit *hit)
{
  P2psDownloadSource *source = g_object_new (P2PS_TYPE_DOWNLOAD_SOURCE, NULL);

  source->hit = p2ps_hit_copy (hit);
  source->address = p2ps_address_to_string (&hit->holder);
  source->state = g_strdup ("");
  return source;
}

const P2psAddress *
p2ps_download_source_get_address (P2psDownloadSource *source)
{
  return &source->hit->holder;
}

/* Returns: what it is doing, or why it isn't; for people */
const char *
p2ps_download_source_get_state (P2psDownloadSource *source)
{
  return source->state;
}

/* Returns: what came from it in this session, bytes */
gint64
p2ps_download_source_get_bytes (P2psDownloadSource *source)
{
  return source->bytes;
}

const P2psHit *
p2ps_download_source_get_hit (P2psDownloadSource *source)
{
  return source->hit;
}

/* It said again that it has the file, perhaps under another name. */
void
p2ps_download_source_set_hit (P2psDownloadSource *source, const P2psHit *hit)
{
  P2psHit *copy = p2ps_hit_copy (hit);

  p2ps_hit_free (source->hit);
  source->hit = copy;
}

void
p2ps_download_source_set_state (P2psDownloadSource *source, const char *state)
{
  if (g_strcmp0 (source->state, state) == 0)
    return;
  g_free (source->state);
  source->state = g_strdup (state);
  g_object_notify_by_pspec (G_OBJECT (source), props[PROP_STATE]);
}

void
p2ps_download_source_add_bytes (P2psDownloadSource *source, gint64 bytes)
{
  if (bytes <= 0)
    return;
  source->bytes += bytes;
  g_object_notify_by_pspec (G_OBJECT (source), props[PROP_BYTES]);
}

void
p2ps_download_source_set_etag_is_hash (P2psDownloadSource *source, gboolean is_hash)
{
  source->etag_is_hash = is_hash;
}

gboolean
p2ps_download_source_get_etag_is_hash (P2psDownloadSource *source)
{
  return source->etag_is_hash;
}

void
p2ps_download_source_set_other_size (P2psDownloadSource *source, gboolean other_size)
{
  source->other_size = other_size;
}

gboolean
p2ps_download_source_get_other_size (P2psDownloadSource *source)
{
  return source->other_size;
}

static void
p2ps_download_source_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  P2psDownloadSource *source = P2PS_DOWNLOAD_SOURCE (object);

  switch (id)
    {
    case PROP_ADDRESS:
      g_value_set_string (value, source->address);
      break;
    case PROP_STATE:
      g_value_set_string (value, source->state);
      break;
    case PROP_BYTES:
      g_value_set_int64 (value, source->bytes);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_download_source_finalize (GObject *object)
{
  P2psDownloadSource *source = P2PS_DOWNLOAD_SOURCE (object);

  g_clear_pointer (&source->hit, p2ps_hit_free);
  g_free (source->address);
  g_free (source->state);
  G_OBJECT_CLASS (p2ps_download_source_parent_class)->finalize (object);
}

static void
p2ps_download_source_class_init (P2psDownloadSourceClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = p2ps_download_source_get_property;
  object_class->finalize = p2ps_download_source_finalize;
  props[PROP_ADDRESS] = g_param_spec_string ("address", NULL, NULL, NULL, flags);
  props[PROP_STATE] = g_param_spec_string ("state", NULL, NULL, NULL, flags);
  props[PROP_BYTES] = g_param_spec_int64 ("bytes", NULL, NULL, 0, G_MAXINT64, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
p2ps_download_source_init (P2psDownloadSource *source)
{
}
