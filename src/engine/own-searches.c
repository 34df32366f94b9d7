/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Owns every own search. Lives on the owner context. Refuses a text that no file name can match,
 * and more than 32 unseen searches at a time: a download asks again later. */

#define G_LOG_DOMAIN "p2ps-search"

#include "engine/own-searches.h"

#include "config-build.h"

#include <glib/gi18n-lib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "core/limits.h"
#include "engine/error.h"
#include "engine/keyed-list.h"

#define MAX_KEPT 50
#define MAX_UNSEEN 32
#define HAVE_INTERVAL 2000 /* milliseconds between two looks at a library that keeps changing */

struct _P2psOwnSearches
{
  GObject parent_instance;
  P2psLibrary *library;
  P2psDriver *driver;
  P2psKeyedList *kept;   /* by qid: what the user sees */
  GHashTable *active;    /* char* -> P2psSearch, by qid: kept ones and unseen ones */
  GHashTable *by_wanted; /* char* -> P2psSearch: unseen ones by the hash they look for */
  GSource *checker;
};

G_DEFINE_FINAL_TYPE (P2psOwnSearches, p2ps_own_searches, G_TYPE_OBJECT)

static void
p2ps_own_searches_dispose (GObject *object)
{
  P2psOwnSearches *searches = P2PS_OWN_SEARCHES (object);

  if (searches->checker)
    g_source_destroy (searches->checker);
  g_clear_pointer (&searches->checker, g_source_unref);
  g_clear_object (&searches->library);
  g_clear_object (&searches->driver);
  g_hash_table_remove_all (searches->active);
  g_hash_table_remove_all (searches->by_wanted);
  G_OBJECT_CLASS (p2ps_own_searches_parent_class)->dispose (object);
}

static void
p2ps_own_searches_finalize (GObject *object)
{
  P2psOwnSearches *searches = P2PS_OWN_SEARCHES (object);

  g_object_unref (searches->kept);
  g_hash_table_unref (searches->active);
  g_hash_table_unref (searches->by_wanted);
  G_OBJECT_CLASS (p2ps_own_searches_parent_class)->finalize (object);
}

static void
p2ps_own_searches_class_init (P2psOwnSearchesClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = p2ps_own_searches_dispose;
  G_OBJECT_CLASS (klass)->finalize = p2ps_own_searches_finalize;
}

static void
p2ps_own_searches_init (P2psOwnSearches *searches)
{
  searches->kept = p2ps_keyed_list_new (P2PS_TYPE_SEARCH, 0);
  searches->active = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_object_unref);
  searches->by_wanted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_object_unref);
}

static gboolean
check_have_cb (gpointer data)
{
  P2psOwnSearches *searches = data;

  g_clear_pointer (&searches->checker, g_source_unref);
  for (guint i = 0; i < p2ps_keyed_list_get_size (searches->kept); i++)
    p2ps_search_check_have (p2ps_keyed_list_nth (searches->kept, i));
  return G_SOURCE_REMOVE;
}

static void
library_changed_cb (P2psOwnSearches *searches)
{
  if (searches->checker || p2ps_keyed_list_get_size (searches->kept) == 0)
    return;
  searches->checker = g_timeout_source_new (HAVE_INTERVAL);
  g_source_set_static_name (searches->checker, "p2ps-searches checker");
  g_source_set_callback (searches->checker, check_have_cb, searches, NULL);
  g_source_attach (searches->checker, g_main_context_get_thread_default ());
}

/* Caller owns it. Nothing can be searched before p2ps_own_searches_set_driver(). */
P2psOwnSearches *
p2ps_own_searches_new (P2psLibrary *library)
{
  P2psOwnSearches *searches = g_object_new (P2PS_TYPE_OWN_SEARCHES, NULL);

  searches->library = g_object_ref (library);
  g_signal_connect_object (library, "changed", G_CALLBACK (library_changed_cb), searches,
                           G_CONNECT_SWAPPED);
  return searches;
}

static void
hits_cb (P2psDriver *driver, GPtrArray *hits, gboolean verified, P2psOwnSearches *searches)
{
  const P2psHit *first = hits->len > 0 ? hits->pdata[0] : NULL;
  P2psSearch *search = first ? g_hash_table_lookup (searches->active, first->qid) : NULL;

  if (!search)
    return;
  g_object_ref (search); /* a handler of a hit may stop it */
  p2ps_search_add_hits (search, hits, verified);
  g_object_unref (search);
}

static void
stop_all (P2psOwnSearches *searches)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_object_unref);
  GHashTableIter iter;
  gpointer search;

  g_hash_table_iter_init (&iter, searches->active);
  while (g_hash_table_iter_next (&iter, NULL, &search))
    g_ptr_array_add (all, g_object_ref (search));
  for (guint i = 0; i < all->len; i++)
    p2ps_search_stop (all->pdata[i]);
}

/* The node that searches go to from now on; NULL stops them all. */
void
p2ps_own_searches_set_driver (P2psOwnSearches *searches, P2psDriver *driver)
{
  if (searches->driver)
    {
      stop_all (searches);
      g_signal_handlers_disconnect_by_data (searches->driver, searches);
    }
  g_set_object (&searches->driver, driver);
  if (driver)
    g_signal_connect_object (driver, "hits", G_CALLBACK (hits_cb), searches, 0);
}

GListModel *
p2ps_own_searches_get_model (P2psOwnSearches *searches)
{
  return G_LIST_MODEL (searches->kept);
}

static void
active_cb (P2psSearch *search, GParamSpec *pspec, P2psOwnSearches *searches)
{
  const char *qid = p2ps_search_get_qid (search);

  if (p2ps_search_get_active (search))
    return;
  g_object_ref (search);
  if (searches->driver)
    p2ps_driver_stop_search (searches->driver, qid);
  if (g_hash_table_lookup (searches->by_wanted, p2ps_search_get_text (search)) == search)
    g_hash_table_remove (searches->by_wanted, p2ps_search_get_text (search));
  g_hash_table_remove (searches->active, qid);
  g_object_unref (search);
}

/* Registers a search for `query` and asks the network. Borrowed while it is active. */
static P2psSearch *
launch (P2psOwnSearches *searches, P2psQuery *query, const char *text, gboolean keep)
{
  P2psSearch *search = p2ps_search_new (searches->library, query->qid, text);

  g_hash_table_insert (searches->active, g_strdup (query->qid), search);
  g_signal_connect_object (search, "notify::active", G_CALLBACK (active_cb), searches, 0);
  if (keep)
    p2ps_keyed_list_add (searches->kept, query->qid, search);
  p2ps_driver_search (searches->driver, query);
  return search;
}

static P2psQuery *
new_query (const char *filename, const char *filehash)
{
  uuid_t uuid;
  char qid[P2PS_QID_SIZE];

  uuid_generate_random (uuid);
  uuid_unparse_lower (uuid, qid);
  return p2ps_query_new (qid, filename, filehash);
}

static gboolean
is_idle (P2psSearch *search)
{
  return !p2ps_search_get_active (search);
}

/* Room for one more: the oldest that has ended goes, or the oldest. */
static void
make_room (P2psOwnSearches *searches)
{
  if (p2ps_keyed_list_get_size (searches->kept) < MAX_KEPT)
    return;
  P2psSearch *victim = NULL;
  for (guint i = 0; i < MAX_KEPT && !victim; i++)
    if (is_idle (p2ps_keyed_list_nth (searches->kept, i)))
      victim = p2ps_keyed_list_nth (searches->kept, i);
  if (!victim)
    victim = p2ps_keyed_list_nth (searches->kept, 0);
  p2ps_own_searches_remove (searches, victim);
}

static gboolean
has_word (const char *text)
{
  for (const char *at = text; *at; at = g_utf8_next_char (at))
    if (g_unichar_isalnum (g_utf8_get_char (at)))
      return TRUE;
  return FALSE;
}

static gboolean
check (P2psOwnSearches *searches, const char *text, gboolean words, GError **error)
{
  const char *problem = NULL;

  if (!searches->driver)
    problem = _ ("The node is not running: start it first.");
  else if (!g_utf8_validate (text, -1, NULL))
    problem = _ ("The search text is not valid UTF-8.");
  else if (strlen (text) > P2PS_MAX_FILENAME)
    problem = _ ("The search text is too long: use at most 255 bytes.");
  else if (words && !has_word (text))
    problem = _ ("Type at least one letter or digit of the name, or the SHA-256 of the file.");
  if (problem)
    g_set_error_literal (error, P2PS_ERROR, P2PS_ERROR_FAILED, problem);
  return problem == NULL;
}

/* Words of a name, or the 64 hex digits of a hash. Borrowed: the list keeps it. */
P2psSearch *
p2ps_own_searches_start (P2psOwnSearches *searches, const char *text, GError **error)
{
  g_autofree char *words = g_strstrip (g_strdup (text));
  char hash[P2PS_HASH_SIZE];
  g_autoptr (P2psQuery) query = NULL;

  if (!check (searches, words, TRUE, error))
    return NULL;
  if (p2ps_hash_normalize (hash, words))
    query = new_query ("", hash);
  else
    {
      query = new_query (words, "");
      query->words = TRUE;
    }
  make_room (searches);
  return launch (searches, query, words, TRUE);
}

/* Exactly that name, or that content, as classic peers ask. Borrowed: the list keeps it. */
P2psSearch *
p2ps_own_searches_start_exact (P2psOwnSearches *searches, const char *filename,
                               const char *filehash, GError **error)
{
  const char *name = filename ? filename : "";
  char hash[P2PS_HASH_SIZE] = "";

  if (!check (searches, name, FALSE, error))
    return NULL;
  if (filehash && filehash[0] && !p2ps_hash_normalize (hash, filehash) && !name[0])
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_FAILED,
                   _ ("\"%s\" is no SHA-256: 64 hex digits are."), filehash);
      return NULL;
    }
  if (!name[0] && !hash[0])
    {
      g_set_error_literal (error, P2PS_ERROR, P2PS_ERROR_FAILED,
                           _ ("Name a file or give its SHA-256."));
      return NULL;
    }
  g_autoptr (P2psQuery) query = new_query (name, hash);
  make_room (searches);
  return launch (searches, query, name[0] ? name : hash, TRUE);
}

/* Stops it and forgets it. */
void
p2ps_own_searches_remove (P2psOwnSearches *searches, P2psSearch *search)
{
  g_autoptr (P2psSearch) keep = g_object_ref (search);

  p2ps_search_stop (search);
  p2ps_keyed_list_remove (searches->kept, p2ps_search_get_qid (search));
}

static void
source_found_cb (P2psSearch *search, const P2psHit *hit, P2psDownload *download)
{
  if (!p2ps_download_is_over (download)
      && g_str_equal (hit->filehash, p2ps_download_get_filehash (download)))
    p2ps_download_add_source (download, hit);
}

/* Asks the network who has the content of `download`; each answer goes to it at once. */
void
p2ps_own_searches_find_sources (P2psOwnSearches *searches, P2psDownload *download)
{
  const char *hash = p2ps_download_get_filehash (download);
  P2psSearch *old = g_hash_table_lookup (searches->by_wanted, hash);

  if (!searches->driver)
    return;
  /* Asked again means that the last one brought too little: a peer may be there that wasn't. */
  if (old)
    p2ps_search_stop (old);
  if (g_hash_table_size (searches->by_wanted) >= MAX_UNSEEN)
    return;
  g_autoptr (P2psQuery) query = new_query ("", hash);
  P2psSearch *search = launch (searches, query, hash, FALSE);
  g_signal_connect_object (search, "hit", G_CALLBACK (source_found_cb), download, 0);
  g_hash_table_insert (searches->by_wanted, g_strdup (hash), g_object_ref (search));
}
