/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The log of queries: a keyed list read backwards, so that the newest one is the first row and what
 * is over the cap leaves from the cheap end. Lives on the owner context. Refuses a QID twice, and
 * more than 256 responses to one query. */

#include "engine/query-log.h"

#include "core/limits.h"
#include "engine/keyed-list.h"

#define MAX_RECORDS 1000
#define MAX_OWN 200       /* of them */
#define TELL_INTERVAL 250 /* milliseconds */

struct _P2psQueryRecord
{
  GObject parent_instance;
  gint64 time;
  char *text;
  char *origin;
  char qid[P2PS_QID_SIZE];
  char filehash[P2PS_HASH_SIZE];
  gboolean own;
  GPtrArray *responses;
};

enum
{
  PROP_TIME = 1,
  PROP_TEXT,
  PROP_QID,
  PROP_FILEHASH,
  PROP_OWN,
  PROP_ORIGIN,
  PROP_N_RESPONSES,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (P2psQueryRecord, p2ps_query_record, G_TYPE_OBJECT)

static void
response_free (P2psQueryResponse *response)
{
  p2ps_hit_free (response->hit);
  g_free (response);
}

static void
p2ps_query_record_finalize (GObject *object)
{
  P2psQueryRecord *record = P2PS_QUERY_RECORD (object);

  g_free (record->text);
  g_free (record->origin);
  g_ptr_array_unref (record->responses);
  G_OBJECT_CLASS (p2ps_query_record_parent_class)->finalize (object);
}

static void
p2ps_query_record_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  P2psQueryRecord *record = P2PS_QUERY_RECORD (object);

  switch (id)
    {
    case PROP_TIME:
      g_value_set_int64 (value, record->time);
      break;
    case PROP_TEXT:
      g_value_set_string (value, record->text);
      break;
    case PROP_QID:
      g_value_set_string (value, record->qid);
      break;
    case PROP_FILEHASH:
      g_value_set_string (value, record->filehash);
      break;
    case PROP_OWN:
      g_value_set_boolean (value, record->own);
      break;
    case PROP_ORIGIN:
      g_value_set_string (value, record->origin);
      break;
    case PROP_N_RESPONSES:
      g_value_set_uint (value, record->responses->len);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_query_record_class_init (P2psQueryRecordClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->finalize = p2ps_query_record_finalize;
  object_class->get_property = p2ps_query_record_get_property;
  props[PROP_TIME] = g_param_spec_int64 ("time", NULL, NULL, 0, G_MAXINT64, 0, flags);
  props[PROP_TEXT] = g_param_spec_string ("text", NULL, NULL, NULL, flags);
  props[PROP_QID] = g_param_spec_string ("qid", NULL, NULL, NULL, flags);
  props[PROP_FILEHASH] = g_param_spec_string ("filehash", NULL, NULL, NULL, flags);
  props[PROP_OWN] = g_param_spec_boolean ("own", NULL, NULL, FALSE, flags);
  props[PROP_ORIGIN] = g_param_spec_string ("origin", NULL, NULL, NULL, flags);
  props[PROP_N_RESPONSES] = g_param_spec_uint ("n-responses", NULL, NULL, 0, G_MAXUINT, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
p2ps_query_record_init (P2psQueryRecord *record)
{
  record->responses = g_ptr_array_new_with_free_func ((GDestroyNotify)response_free);
}

static P2psQueryRecord *
record_new (const P2psQuery *query, gboolean own)
{
  P2psQueryRecord *record = g_object_new (P2PS_TYPE_QUERY_RECORD, NULL);

  record->time = g_get_real_time () / G_USEC_PER_SEC;
  record->own = own;
  /* An empty name is no name: there is nothing to show but the hash. */
  record->text = query->filename && query->filename[0] ? p2ps_name_for_display (query->filename)
                                                       : g_strdup ("");
  record->origin = own ? g_strdup ("") : p2ps_address_to_string (&query->origin);
  g_strlcpy (record->qid, query->qid, sizeof record->qid);
  g_strlcpy (record->filehash, query->filehash, sizeof record->filehash);
  return record;
}

/* Unix seconds. */
gint64
p2ps_query_record_get_time (P2psQueryRecord *record)
{
  return record->time;
}

const char *
p2ps_query_record_get_text (P2psQueryRecord *record)
{
  return record->text;
}

const char *
p2ps_query_record_get_qid (P2psQueryRecord *record)
{
  return record->qid;
}

const char *
p2ps_query_record_get_filehash (P2psQueryRecord *record)
{
  return record->filehash;
}

gboolean
p2ps_query_record_get_own (P2psQueryRecord *record)
{
  return record->own;
}

/* Borrowed, oldest first. */
GPtrArray *
p2ps_query_record_get_responses (P2psQueryRecord *record)
{
  return record->responses;
}

/* ---- the list ---- */

struct _P2psQueryLog
{
  GObject parent_instance;
  P2psKeyedList *records; /* oldest first */
  guint n_own;
};

static void list_model_init (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (P2psQueryLog, p2ps_query_log, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_init))

static GType
get_item_type (GListModel *model)
{
  return P2PS_TYPE_QUERY_RECORD;
}

static guint
get_n_items (GListModel *model)
{
  return g_list_model_get_n_items (G_LIST_MODEL (P2PS_QUERY_LOG (model)->records));
}

static gpointer
get_item (GListModel *model, guint position)
{
  GListModel *records = G_LIST_MODEL (P2PS_QUERY_LOG (model)->records);
  guint n = g_list_model_get_n_items (records);

  return position < n ? g_list_model_get_item (records, n - 1 - position) : NULL;
}

static void
list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

static void
items_changed_cb (GListModel *records, guint position, guint removed, guint added,
                  P2psQueryLog *log)
{
  guint n = g_list_model_get_n_items (records);

  g_list_model_items_changed (G_LIST_MODEL (log), n - position - added, removed, added);
}

static void
p2ps_query_log_finalize (GObject *object)
{
  g_object_unref (P2PS_QUERY_LOG (object)->records);
  G_OBJECT_CLASS (p2ps_query_log_parent_class)->finalize (object);
}

static void
p2ps_query_log_class_init (P2psQueryLogClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = p2ps_query_log_finalize;
}

static void
p2ps_query_log_init (P2psQueryLog *log)
{
  log->records = p2ps_keyed_list_new (P2PS_TYPE_QUERY_RECORD, TELL_INTERVAL);
  g_signal_connect_object (log->records, "items-changed", G_CALLBACK (items_changed_cb), log, 0);
}

/* Caller owns it. */
P2psQueryLog *
p2ps_query_log_new (void)
{
  return g_object_new (P2PS_TYPE_QUERY_LOG, NULL);
}

/* Others may ask as much as they like: they don't drive the own queries out. */
static void
drop_oldest (P2psQueryLog *log)
{
  P2psQueryRecord *oldest = NULL;

  for (guint i = 0; !oldest; i++)
    {
      P2psQueryRecord *record = p2ps_keyed_list_nth (log->records, i);
      if (record->own == (log->n_own > MAX_OWN))
        oldest = record;
    }
  log->n_own -= oldest->own ? 1 : 0;
  g_autofree char *qid = g_strdup (oldest->qid);
  p2ps_keyed_list_remove (log->records, qid);
}

/* A query that began here (own) or that was handled here for another node, from now. */
void
p2ps_query_log_add (P2psQueryLog *log, const P2psQuery *query, gboolean own)
{
  if (p2ps_keyed_list_get (log->records, query->qid))
    return;
  g_autoptr (P2psQueryRecord) record = record_new (query, own);
  p2ps_keyed_list_add (log->records, query->qid, record);
  log->n_own += own ? 1 : 0;
  if (p2ps_keyed_list_get_size (log->records) > MAX_RECORDS)
    drop_oldest (log);
}

/* A response to the query with the hit's qid; ignored when that is no longer in the log. */
void
p2ps_query_log_add_hit (P2psQueryLog *log, const P2psHit *hit)
{
  P2psQueryRecord *record = p2ps_keyed_list_get (log->records, hit->qid);

  if (!record || record->responses->len >= P2PS_MAX_HITS_PER_QUERY)
    return;
  P2psQueryResponse *response = g_new0 (P2psQueryResponse, 1);
  response->hit = p2ps_hit_copy (hit);
  response->time = g_get_real_time () / G_USEC_PER_SEC;
  g_ptr_array_add (record->responses, response);
  g_object_notify_by_pspec (G_OBJECT (record), props[PROP_N_RESPONSES]);
}

/* Tells at once what is told a few times a second otherwise: for who reads the model only once. */
void
p2ps_query_log_flush (P2psQueryLog *log)
{
  p2ps_keyed_list_flush (log->records);
}

/* Borrowed, or NULL. */
P2psQueryRecord *
p2ps_query_log_get (P2psQueryLog *log, const char *qid)
{
  return p2ps_keyed_list_get (log->records, qid);
}
