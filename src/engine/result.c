/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One file that a search found. Lives on the owner context. What comes from peers is changed first
 * and told later by p2ps_result_tell(), so that a thousand hits of one file cost one notify.
 * Refuses the same holder twice, more than 256 holders and more than 8 other names. */

#include "engine/result.h"

#include "core/limits.h"

#define MAX_OTHER_NAMES 8

struct _P2psResult
{
  GObject parent_instance;
  char *filename; /* for display */
  char filehash[P2PS_HASH_SIZE];
  gint64 size;
  char *content_type;
  GPtrArray *hits;  /* of P2psHit, one for each holder */
  GPtrArray *names; /* of char*: for display, other than `filename` */
  gboolean have;
  gboolean verified;
  guint changed; /* bits: 1 << property */
};

enum
{
  PROP_FILENAME = 1,
  PROP_FILEHASH,
  PROP_SIZE,
  PROP_CONTENT_TYPE,
  PROP_N_SOURCES,
  PROP_HAVE,
  PROP_NAMES,
  PROP_VERIFIED,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psResult, p2ps_result, G_TYPE_OBJECT)

static void
p2ps_result_finalize (GObject *object)
{
  P2psResult *result = P2PS_RESULT (object);

  g_free (result->filename);
  g_free (result->content_type);
  g_ptr_array_unref (result->hits);
  g_clear_pointer (&result->names, g_ptr_array_unref);
  G_OBJECT_CLASS (p2ps_result_parent_class)->finalize (object);
}

/* By the name alone; looked up when somebody asks. */
static const char *
get_content_type (P2psResult *result)
{
  if (!result->content_type)
    result->content_type = g_content_type_guess (result->filename, NULL, 0, NULL);
  return result->content_type;
}

static char *
dup_names (P2psResult *result)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; result->names && i < result->names->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? ", " : "", (char *)result->names->pdata[i]);
  return g_string_free (text, FALSE);
}

static void
p2ps_result_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  P2psResult *result = P2PS_RESULT (object);

  switch (id)
    {
    case PROP_FILENAME:
      g_value_set_string (value, result->filename);
      break;
    case PROP_FILEHASH:
      g_value_set_string (value, result->filehash);
      break;
    case PROP_SIZE:
      g_value_set_int64 (value, result->size);
      break;
    case PROP_CONTENT_TYPE:
      g_value_set_string (value, get_content_type (result));
      break;
    case PROP_N_SOURCES:
      g_value_set_uint (value, result->hits->len);
      break;
    case PROP_HAVE:
      g_value_set_boolean (value, result->have);
      break;
    case PROP_NAMES:
      g_value_take_string (value, dup_names (result));
      break;
    case PROP_VERIFIED:
      g_value_set_boolean (value, result->verified);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_result_class_init (P2psResultClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->finalize = p2ps_result_finalize;
  object_class->get_property = p2ps_result_get_property;
  props[PROP_FILENAME] = g_param_spec_string ("filename", NULL, NULL, NULL, flags);
  props[PROP_FILEHASH] = g_param_spec_string ("filehash", NULL, NULL, NULL, flags);
  props[PROP_SIZE] = g_param_spec_int64 ("size", NULL, NULL, -1, G_MAXINT64, -1, flags);
  props[PROP_CONTENT_TYPE] = g_param_spec_string ("content-type", NULL, NULL, NULL, flags);
  props[PROP_N_SOURCES] = g_param_spec_uint ("n-sources", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_HAVE] = g_param_spec_boolean ("have", NULL, NULL, FALSE, flags);
  props[PROP_NAMES] = g_param_spec_string ("names", NULL, NULL, NULL, flags);
  props[PROP_VERIFIED] = g_param_spec_boolean ("verified", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
p2ps_result_init (P2psResult *result)
{
  result->hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
}

/* A file that was found for the first time: `hit` is copied. Caller owns it. */
P2psResult *
p2ps_result_new (const P2psHit *hit, gboolean verified)
{
  P2psResult *result = g_object_new (P2PS_TYPE_RESULT, NULL);

  result->filename = p2ps_name_for_display (hit->filename);
  g_strlcpy (result->filehash, hit->filehash, sizeof result->filehash);
  result->size = MAX (hit->size, -1);
  result->verified = verified;
  g_ptr_array_add (result->hits, p2ps_hit_copy (hit));
  return result;
}

static gboolean
is_known (P2psResult *result, const P2psAddress *holder)
{
  for (guint i = 0; i < result->hits->len; i++)
    {
      const P2psHit *hit = result->hits->pdata[i];
      if (p2ps_address_equal (&hit->holder, holder))
        return TRUE;
    }
  return FALSE;
}

static void
add_name (P2psResult *result, const char *name)
{
  g_autofree char *shown = p2ps_name_for_display (name);

  if (g_str_equal (shown, result->filename))
    return;
  if (!result->names)
    result->names = g_ptr_array_new_with_free_func (g_free);
  if (result->names->len >= MAX_OTHER_NAMES
      || g_ptr_array_find_with_equal_func (result->names, shown, g_str_equal, NULL))
    return;
  g_ptr_array_add (result->names, g_steal_pointer (&shown));
  result->changed |= 1u << PROP_NAMES;
}

/* One more holder of the same content. FALSE when it brought nothing new. The size is what the
 * first one told who told any; a wrong one shows when the file is fetched. */
gboolean
p2ps_result_add (P2psResult *result, const P2psHit *hit, gboolean verified)
{
  if (result->hits->len >= P2PS_MAX_HITS_PER_QUERY || is_known (result, &hit->holder))
    return FALSE;
  g_ptr_array_add (result->hits, p2ps_hit_copy (hit));
  result->changed |= 1u << PROP_N_SOURCES;
  add_name (result, hit->filename);
  if (result->size < 0 && hit->size >= 0)
    {
      result->size = hit->size;
      result->changed |= 1u << PROP_SIZE;
    }
  if (verified && !result->verified)
    {
      result->verified = TRUE;
      result->changed |= 1u << PROP_VERIFIED;
    }
  return TRUE;
}

void
p2ps_result_set_have (P2psResult *result, gboolean have)
{
  if (result->have == have)
    return;
  result->have = have;
  g_object_notify_by_pspec (G_OBJECT (result), props[PROP_HAVE]);
}

/* Tells what p2ps_result_add() changed since the last time. */
void
p2ps_result_tell (P2psResult *result)
{
  guint changed = result->changed;

  result->changed = 0;
  for (guint id = 1; changed && id < N_PROPS; id++)
    if (changed & (1u << id))
      g_object_notify_by_pspec (G_OBJECT (result), props[id]);
}

/* Safe for display; not what the holder calls it: that is in the hits. */
const char *
p2ps_result_get_filename (P2psResult *result)
{
  return result->filename;
}

const char *
p2ps_result_get_filehash (P2psResult *result)
{
  return result->filehash;
}

/* Bytes, -1 when nobody told. */
gint64
p2ps_result_get_size (P2psResult *result)
{
  return result->size;
}

guint
p2ps_result_get_n_sources (P2psResult *result)
{
  return result->hits->len;
}

gboolean
p2ps_result_get_have (P2psResult *result)
{
  return result->have;
}

GPtrArray *
p2ps_result_get_hits (P2psResult *result)
{
  return result->hits;
}
