/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What people see of a download: its properties, and the record that the store keeps. Lives on the
 * owner context; download.c moves it from state to state. Refuses to notify what didn't change. */

#define G_LOG_DOMAIN "p2ps-download"

#include "engine/download.h"

#include "engine/download-private.h"

enum
{
  PROP_FILEHASH = 1,
  PROP_FILENAME,
  PROP_SIZE,
  PROP_RECEIVED,
  PROP_SPEED,
  PROP_PROGRESS,
  PROP_STATE,
  PROP_REASON,
  PROP_PATH,
  PROP_SECONDS_LEFT,
  PROP_SOURCES,
  PROP_ADDED,
  PROP_FINISHED,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psDownload, p2ps_download, G_TYPE_OBJECT)

GType
p2ps_download_state_get_type (void)
{
  static const GEnumValue values[] = {
    { P2PS_DOWNLOAD_QUEUED, "P2PS_DOWNLOAD_QUEUED", "queued" },
    { P2PS_DOWNLOAD_SEARCHING, "P2PS_DOWNLOAD_SEARCHING", "searching" },
    { P2PS_DOWNLOAD_CONNECTING, "P2PS_DOWNLOAD_CONNECTING", "connecting" },
    { P2PS_DOWNLOAD_DOWNLOADING, "P2PS_DOWNLOAD_DOWNLOADING", "downloading" },
    { P2PS_DOWNLOAD_VERIFYING, "P2PS_DOWNLOAD_VERIFYING", "verifying" },
    { P2PS_DOWNLOAD_WAITING, "P2PS_DOWNLOAD_WAITING", "waiting" },
    { P2PS_DOWNLOAD_PAUSED, "P2PS_DOWNLOAD_PAUSED", "paused" },
    { P2PS_DOWNLOAD_DONE, "P2PS_DOWNLOAD_DONE", "done" },
    { P2PS_DOWNLOAD_FAILED, "P2PS_DOWNLOAD_FAILED", "failed" },
    { P2PS_DOWNLOAD_CANCELLED, "P2PS_DOWNLOAD_CANCELLED", "cancelled" },
    { 0, NULL, NULL },
  };
  static gsize type = 0;

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("P2psDownloadState", values));
  return type;
}

const char *
p2ps_download_state_to_nick (P2psDownloadState state)
{
  g_autoptr (GEnumClass) klass = g_type_class_ref (P2PS_TYPE_DOWNLOAD_STATE);
  GEnumValue *value = g_enum_get_value (klass, state);

  return value != NULL ? value->value_nick : "unknown";
}

static void
notify (P2psDownload *download, int prop)
{
  g_object_notify_by_pspec (G_OBJECT (download), props[prop]);
}

void
p2ps_download_set_reason (P2psDownload *download, const char *reason)
{
  g_autofree char *old = download->reason;

  if (g_strcmp0 (old, reason) == 0)
    {
      g_steal_pointer (&old);
      return;
    }
  download->reason = g_strdup (reason);
  notify (download, PROP_REASON);
}

gboolean
p2ps_download_is_at_work (P2psDownloadState state)
{
  return state == P2PS_DOWNLOAD_CONNECTING || state == P2PS_DOWNLOAD_DOWNLOADING
         || state == P2PS_DOWNLOAD_VERIFYING;
}

void
p2ps_download_set_state (P2psDownload *download, P2psDownloadState state, const char *reason)
{
  P2psDownloadState old = download->state;

  p2ps_download_set_reason (download, reason);
  if (old == state)
    return;
  download->state = state;
  notify (download, PROP_STATE);
  if (!p2ps_download_is_at_work (state))
    p2ps_download_set_speed (download, 0);
}

void
p2ps_download_set_size (P2psDownload *download, gint64 size)
{
  if (download->size == size)
    return;
  download->size = size;
  notify (download, PROP_SIZE);
  notify (download, PROP_PROGRESS);
}

void
p2ps_download_set_received (P2psDownload *download, gint64 received)
{
  if (download->received == received)
    return;
  download->received = received;
  notify (download, PROP_RECEIVED);
  notify (download, PROP_PROGRESS);
}

void
p2ps_download_set_filename (P2psDownload *download, const char *filename)
{
  g_autofree char *clean = p2ps_name_for_display (filename);

  if (g_strcmp0 (download->filename, clean) == 0)
    return;
  g_free (download->filename);
  download->filename = g_steal_pointer (&clean);
  notify (download, PROP_FILENAME);
}

void
p2ps_download_set_speed (P2psDownload *download, double speed)
{
  if (speed == download->speed)
    return;
  download->speed = speed;
  notify (download, PROP_SPEED);
  notify (download, PROP_SECONDS_LEFT);
}

/* Takes `path`; NULL and 0: it is not finished. */
void
p2ps_download_set_finished (P2psDownload *download, char *path, gint64 time)
{
  g_free (download->path);
  download->path = path;
  download->finished = time;
  notify (download, PROP_PATH);
  notify (download, PROP_FINISHED);
}

/* ---- making one ---- */

P2psDownload *
p2ps_download_new (P2psDownloads *queue, const char *filehash)
{
  P2psDownload *download = g_object_new (P2PS_TYPE_DOWNLOAD, NULL);

  download->queue = queue;
  g_strlcpy (download->filehash, filehash, sizeof download->filehash);
  download->planner = p2ps_planner_new (p2ps_downloads_next_seed (queue));
  return download;
}

void
p2ps_download_init_new (P2psDownload *download, const char *filename, gint64 size,
                        const char *folder)
{
  p2ps_download_set_filename (download, filename);
  download->folder = g_strdup (folder);
  download->size = download->told_size = size >= 0 ? size : -1;
  download->added = g_get_real_time ();
}

void
p2ps_download_init_from_record (P2psDownload *download, const P2psDownloadRecord *record)
{
  p2ps_download_set_filename (download, record->filename);
  download->folder = g_strdup (record->folder);
  download->path = g_strdup (record->path);
  download->reason = g_strdup (record->reason);
  download->size = download->told_size = record->size >= 0 ? record->size : -1;
  download->added = record->added;
  download->finished = record->finished;
  download->state = record->state;
  for (guint i = 0; record->sources != NULL && i < record->sources->len; i++)
    p2ps_download_add_source (download, record->sources->pdata[i]);
  if (!p2ps_download_is_over (download) && download->state != P2PS_DOWNLOAD_PAUSED)
    download->state = P2PS_DOWNLOAD_QUEUED;
  if (download->state == P2PS_DOWNLOAD_DONE)
    download->received = MAX (download->size, 0);
}

/* Returns: (transfer full): what the store keeps. What a source said about the size is not kept:
 * only what it promised in its hit is. */
P2psDownloadRecord *
p2ps_download_make_record (P2psDownload *download)
{
  P2psDownloadRecord *record = p2ps_download_record_new (download->filehash);
  gboolean over = p2ps_download_is_over (download);

  record->filename = g_strdup (download->filename);
  record->folder = g_strdup (download->folder);
  record->path = g_strdup (download->path);
  record->reason = over ? g_strdup (download->reason) : NULL;
  record->size = download->state == P2PS_DOWNLOAD_DONE ? download->size : download->told_size;
  record->added = download->added;
  record->finished = download->finished;
  record->state
      = over || download->state == P2PS_DOWNLOAD_PAUSED ? download->state : P2PS_DOWNLOAD_QUEUED;
  for (guint i = 0; i < p2ps_keyed_list_get_size (download->sources); i++)
    {
      P2psDownloadSource *source = p2ps_keyed_list_nth (download->sources, i);
      g_ptr_array_add (record->sources, p2ps_hit_copy (p2ps_download_source_get_hit (source)));
    }
  return record;
}

/* ---- the row ---- */

const char *
p2ps_download_get_filehash (P2psDownload *download)
{
  return download->filehash;
}

const char *
p2ps_download_get_filename (P2psDownload *download)
{
  return download->filename;
}

gint64
p2ps_download_get_size (P2psDownload *download)
{
  return download->size;
}

gint64
p2ps_download_get_received (P2psDownload *download)
{
  return download->received;
}

/* Returns: bytes a second over the last four seconds, 0 when nothing runs */
double
p2ps_download_get_speed (P2psDownload *download)
{
  return download->speed;
}

/* Returns: bytes a second over all attempts of this session, verifying included */
double
p2ps_download_get_average_speed (P2psDownload *download)
{
  gint64 time = download->transfer_time;

  if (download->asked != NULL)
    time += g_get_monotonic_time () - download->transfer_start;
  return time > 0 ? (double)download->transfer_bytes * 1e6 / time : 0;
}

P2psDownloadState
p2ps_download_get_state (P2psDownload *download)
{
  return download->state;
}

const char *
p2ps_download_get_reason (P2psDownload *download)
{
  return download->reason;
}

const char *
p2ps_download_get_path (P2psDownload *download)
{
  return download->path;
}

/* Returns: Unix seconds */
gint64
p2ps_download_get_added (P2psDownload *download)
{
  return download->added / G_USEC_PER_SEC;
}

/* Returns: Unix seconds, 0 = not finished */
gint64
p2ps_download_get_finished (P2psDownload *download)
{
  return download->finished / G_USEC_PER_SEC;
}

GListModel *
p2ps_download_get_sources (P2psDownload *download)
{
  return G_LIST_MODEL (download->sources);
}

gboolean
p2ps_download_is_over (P2psDownload *download)
{
  return download->state == P2PS_DOWNLOAD_DONE || download->state == P2PS_DOWNLOAD_FAILED
         || download->state == P2PS_DOWNLOAD_CANCELLED;
}

static double
get_progress (P2psDownload *download)
{
  if (download->state == P2PS_DOWNLOAD_DONE)
    return 1;
  return download->size > 0 ? CLAMP ((double)download->received / download->size, 0, 1) : 0;
}

static gint64
get_seconds_left (P2psDownload *download)
{
  if (download->size < 0 || download->speed < 1)
    return -1;
  return (gint64)((download->size - download->received) / download->speed);
}

static void
p2ps_download_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  P2psDownload *download = P2PS_DOWNLOAD (object);

  switch (id)
    {
    case PROP_FILEHASH:
      g_value_set_string (value, download->filehash);
      break;
    case PROP_FILENAME:
      g_value_set_string (value, download->filename);
      break;
    case PROP_SIZE:
      g_value_set_int64 (value, download->size);
      break;
    case PROP_RECEIVED:
      g_value_set_int64 (value, download->received);
      break;
    case PROP_SPEED:
      g_value_set_double (value, download->speed);
      break;
    case PROP_PROGRESS:
      g_value_set_double (value, get_progress (download));
      break;
    case PROP_STATE:
      g_value_set_enum (value, download->state);
      break;
    case PROP_REASON:
      g_value_set_string (value, download->reason);
      break;
    case PROP_PATH:
      g_value_set_string (value, download->path);
      break;
    case PROP_SECONDS_LEFT:
      g_value_set_int64 (value, get_seconds_left (download));
      break;
    case PROP_SOURCES:
      g_value_set_object (value, download->sources);
      break;
    case PROP_ADDED:
      g_value_set_int64 (value, p2ps_download_get_added (download));
      break;
    case PROP_FINISHED:
      g_value_set_int64 (value, p2ps_download_get_finished (download));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_download_finalize (GObject *object)
{
  P2psDownload *download = P2PS_DOWNLOAD (object);

  p2ps_download_close_part (download);
  g_clear_pointer (&download->fetch, p2ps_fetch_unref);
  g_clear_pointer (&download->planner, p2ps_planner_free);
  g_clear_object (&download->asked);
  g_clear_object (&download->left_queue);
  g_clear_object (&download->sources);
  g_free (download->filename);
  g_free (download->folder);
  g_free (download->path);
  g_free (download->reason);
  G_OBJECT_CLASS (p2ps_download_parent_class)->finalize (object);
}

static void
p2ps_download_class_init (P2psDownloadClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = p2ps_download_get_property;
  object_class->finalize = p2ps_download_finalize;
  props[PROP_FILEHASH] = g_param_spec_string ("filehash", NULL, NULL, NULL, flags);
  props[PROP_FILENAME] = g_param_spec_string ("filename", NULL, NULL, NULL, flags);
  props[PROP_SIZE] = g_param_spec_int64 ("size", NULL, NULL, -1, G_MAXINT64, -1, flags);
  props[PROP_RECEIVED] = g_param_spec_int64 ("received", NULL, NULL, 0, G_MAXINT64, 0, flags);
  props[PROP_SPEED] = g_param_spec_double ("speed", NULL, NULL, 0, G_MAXDOUBLE, 0, flags);
  props[PROP_PROGRESS] = g_param_spec_double ("progress", NULL, NULL, 0, 1, 0, flags);
  props[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, P2PS_TYPE_DOWNLOAD_STATE,
                                         P2PS_DOWNLOAD_QUEUED, flags);
  props[PROP_REASON] = g_param_spec_string ("reason", NULL, NULL, NULL, flags);
  props[PROP_PATH] = g_param_spec_string ("path", NULL, NULL, NULL, flags);
  props[PROP_SECONDS_LEFT]
      = g_param_spec_int64 ("seconds-left", NULL, NULL, -1, G_MAXINT64, -1, flags);
  props[PROP_SOURCES] = g_param_spec_object ("sources", NULL, NULL, G_TYPE_LIST_MODEL, flags);
  props[PROP_ADDED] = g_param_spec_int64 ("added", NULL, NULL, 0, G_MAXINT64, 0, flags);
  props[PROP_FINISHED] = g_param_spec_int64 ("finished", NULL, NULL, 0, G_MAXINT64, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
p2ps_download_init (P2psDownload *download)
{
  download->size = download->told_size = -1;
  download->sources = p2ps_keyed_list_new (P2PS_TYPE_DOWNLOAD_SOURCE, 250);
}
