/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One search of the user, and what came back for it. Lives on the owner context. Hits may come by
 * the thousand: each costs a look-up by hash, and everything that a view hears of is told from one
 * timer, a slice at a time. Refuses more than 16 384 files. */

#define G_LOG_DOMAIN "p2ps-search"

#include "engine/search.h"

#include "core/limits.h"
#include "engine/keyed-list.h"

#define MAX_RESULTS 16384
#define TELL_INTERVAL 150 /* milliseconds */
#define TELL_SLICE 200    /* rows an iteration */
#define HAVE_SLICE 256    /* hashes of one question to the library */

struct _P2psSearch
{
  GObject parent_instance;
  P2psLibrary *library;
  char *qid;
  char *text;
  gint64 started; /* Unix seconds */
  gboolean active;
  guint n_hits;
  guint n_hits_told;
  P2psKeyedList *results;
  GPtrArray *changed; /* of P2psResult, borrowed from results: to be told */
  guint n_asked;      /* results before this position were asked about */
  gboolean asking;
  gboolean again; /* the library changed while it was being asked */
  GSource *teller;
  GSource *end;
};

enum
{
  PROP_TEXT = 1,
  PROP_QID,
  PROP_ACTIVE,
  PROP_STARTED,
  PROP_N_HITS,
  PROP_RESULTS,
  N_PROPS
};

static GParamSpec *props[N_PROPS];
static guint hit_signal;

G_DEFINE_FINAL_TYPE (P2psSearch, p2ps_search, G_TYPE_OBJECT)

static void
drop_source (GSource **source)
{
  if (*source)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static GSource *
start_timer (P2psSearch *search, guint milliseconds, const char *name, GSourceFunc callback)
{
  GSource *source = g_timeout_source_new (milliseconds);

  g_source_set_static_name (source, name);
  g_source_set_callback (source, callback, search, NULL);
  g_source_attach (source, g_main_context_get_thread_default ());
  return source;
}

static void
p2ps_search_finalize (GObject *object)
{
  P2psSearch *search = P2PS_SEARCH (object);

  drop_source (&search->teller);
  drop_source (&search->end);
  g_clear_object (&search->library);
  g_free (search->qid);
  g_free (search->text);
  g_ptr_array_unref (search->changed);
  g_object_unref (search->results);
  G_OBJECT_CLASS (p2ps_search_parent_class)->finalize (object);
}

static void
p2ps_search_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  P2psSearch *search = P2PS_SEARCH (object);

  switch (id)
    {
    case PROP_TEXT:
      g_value_set_string (value, search->text);
      break;
    case PROP_QID:
      g_value_set_string (value, search->qid);
      break;
    case PROP_ACTIVE:
      g_value_set_boolean (value, search->active);
      break;
    case PROP_STARTED:
      g_value_set_int64 (value, search->started);
      break;
    case PROP_N_HITS:
      g_value_set_uint (value, search->n_hits);
      break;
    case PROP_RESULTS:
      g_value_set_object (value, search->results);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_search_class_init (P2psSearchClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->finalize = p2ps_search_finalize;
  object_class->get_property = p2ps_search_get_property;
  props[PROP_TEXT] = g_param_spec_string ("text", NULL, NULL, NULL, flags);
  props[PROP_QID] = g_param_spec_string ("qid", NULL, NULL, NULL, flags);
  props[PROP_ACTIVE] = g_param_spec_boolean ("active", NULL, NULL, FALSE, flags);
  props[PROP_STARTED] = g_param_spec_int64 ("started", NULL, NULL, 0, G_MAXINT64, 0, flags);
  props[PROP_N_HITS] = g_param_spec_uint ("n-hits", NULL, NULL, 0, G_MAXUINT, 0, flags);
  props[PROP_RESULTS] = g_param_spec_object ("results", NULL, NULL, G_TYPE_LIST_MODEL, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
  hit_signal = g_signal_new ("hit", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                             NULL, G_TYPE_NONE, 1, G_TYPE_POINTER);
}

static void
p2ps_search_init (P2psSearch *search)
{
  search->active = TRUE;
  search->started = g_get_real_time () / G_USEC_PER_SEC;
  search->results = p2ps_keyed_list_new (P2PS_TYPE_RESULT, TELL_INTERVAL);
  search->changed = g_ptr_array_new ();
}

static gboolean
end_cb (gpointer data)
{
  p2ps_search_stop (data);
  return G_SOURCE_REMOVE;
}

/* text: what the user sees. Its clock runs from now. Caller owns it. */
P2psSearch *
p2ps_search_new (P2psLibrary *library, const char *qid, const char *text)
{
  P2psSearch *search = g_object_new (P2PS_TYPE_SEARCH, NULL);

  search->library = g_object_ref (library);
  search->qid = g_strdup (qid);
  search->text = g_strdup (text);
  search->end = start_timer (search, P2PS_HIT_WINDOW / 1000, "p2ps-search end", end_cb);
  return search;
}

/* ---- "you have it" ---- */

typedef struct
{
  P2psSearch *search;
  GPtrArray *results; /* of P2psResult: what was asked about */
} Question;

static void ask_library (P2psSearch *search);

static void
have_cb (GObject *source, GAsyncResult *res, gpointer data)
{
  Question *question = data;
  P2psSearch *search = question->search;
  g_autoptr (GHashTable) have = p2ps_library_have_finish (P2PS_LIBRARY (source), res, NULL);

  for (guint i = 0; have && i < question->results->len; i++)
    {
      P2psResult *result = question->results->pdata[i];
      p2ps_result_set_have (result,
                            g_hash_table_contains (have, p2ps_result_get_filehash (result)));
    }
  search->asking = FALSE;
  if (search->again)
    search->n_asked = 0;
  search->again = FALSE;
  ask_library (search);
  g_ptr_array_unref (question->results);
  g_object_unref (question->search);
  g_free (question);
}

/* One question at a time, about the next slice of results. */
static void
ask_library (P2psSearch *search)
{
  guint size = p2ps_keyed_list_get_size (search->results);

  if (search->asking || search->n_asked >= size)
    return;
  guint end = MIN (search->n_asked + HAVE_SLICE, size);
  Question *question = g_new0 (Question, 1);
  question->search = g_object_ref (search);
  question->results = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) hashes = g_ptr_array_new ();
  for (guint i = search->n_asked; i < end; i++)
    {
      P2psResult *result = p2ps_keyed_list_nth (search->results, i);
      g_ptr_array_add (question->results, g_object_ref (result));
      g_ptr_array_add (hashes, (char *)p2ps_result_get_filehash (result));
    }
  g_ptr_array_add (hashes, NULL);
  search->n_asked = end;
  search->asking = TRUE;
  p2ps_library_have_async (search->library, (const char *const *)hashes->pdata, have_cb, question);
}

/* The library changed: asks it about every result again. */
void
p2ps_search_check_have (P2psSearch *search)
{
  if (search->asking)
    {
      search->again = TRUE;
      return;
    }
  search->n_asked = 0;
  ask_library (search);
}

/* ---- hits ---- */

static gboolean
tell_cb (gpointer data)
{
  g_autoptr (P2psSearch) search = g_object_ref (data);

  if (search->n_hits_told != search->n_hits)
    {
      search->n_hits_told = search->n_hits;
      g_object_notify_by_pspec (G_OBJECT (search), props[PROP_N_HITS]);
    }
  for (guint i = 0; i < TELL_SLICE && search->changed->len > 0; i++)
    p2ps_result_tell (g_ptr_array_remove_index_fast (search->changed, search->changed->len - 1));
  ask_library (search);
  drop_source (&search->teller);
  if (search->changed->len > 0)
    search->teller = start_timer (search, 5, "p2ps-search teller", tell_cb);
  return G_SOURCE_REMOVE;
}

/* TRUE when the hit names a holder that was not known for that file. */
static gboolean
add_hit (P2psSearch *search, const P2psHit *hit, gboolean verified)
{
  P2psResult *result = p2ps_keyed_list_get (search->results, hit->filehash);

  if (result)
    {
      if (!p2ps_result_add (result, hit, verified))
        return FALSE;
      g_ptr_array_add (search->changed, result);
      return TRUE;
    }
  if (hit->filehash[0] == '\0' || p2ps_keyed_list_get_size (search->results) >= MAX_RESULTS)
    return FALSE;
  result = p2ps_result_new (hit, verified);
  p2ps_keyed_list_add (search->results, hit->filehash, result);
  g_object_unref (result);
  return TRUE;
}

/* Hits (of P2psHit, copied) that came for this search. */
void
p2ps_search_add_hits (P2psSearch *search, GPtrArray *hits, gboolean verified)
{
  if (!search->active)
    return;
  for (guint i = 0; i < hits->len; i++)
    if (add_hit (search, hits->pdata[i], verified))
      {
        search->n_hits++;
        g_signal_emit (search, hit_signal, 0, hits->pdata[i]);
      }
  if (!search->teller && search->n_hits != search->n_hits_told)
    search->teller = start_timer (search, TELL_INTERVAL, "p2ps-search teller", tell_cb);
}

/* Nothing more comes; what came stays. */
void
p2ps_search_stop (P2psSearch *search)
{
  if (!search->active)
    return;
  search->active = FALSE;
  drop_source (&search->end);
  p2ps_keyed_list_flush (search->results);
  g_object_notify_by_pspec (G_OBJECT (search), props[PROP_ACTIVE]);
}

const char *
p2ps_search_get_text (P2psSearch *search)
{
  return search->text;
}

const char *
p2ps_search_get_qid (P2psSearch *search)
{
  return search->qid;
}

gboolean
p2ps_search_get_active (P2psSearch *search)
{
  return search->active;
}

/* Pairs of a file and a peer that has it. */
guint
p2ps_search_get_n_hits (P2psSearch *search)
{
  return search->n_hits;
}

/* Of P2psResult, borrowed. */
GListModel *
p2ps_search_get_results (P2psSearch *search)
{
  return G_LIST_MODEL (search->results);
}
