/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Asking the index: by exact name, by hash, by words, page by page. Runs on the store's reading
 * thread. Whatever a stranger types is only ever words to look for: it never becomes query syntax,
 * and the work for one query is bounded however common its words are. */

#define G_LOG_DOMAIN "p2ps-store"

#include "engine/name-words.h"
#include "engine/store-db.h"
#include "engine/store-files.h"
#include "engine/store-trees.h"

/* Bounds of one search by words. A million matches can't all be ranked in a few milliseconds: the
 * first ones that the index gives are, at least twice as many as are asked for. */
#define MIN_CANDIDATES 40
#define MAX_CANDIDATES 128
#define MAX_PLACES 64 /* of one content that are told */

#define ROW                                                                     \
  "SELECT f.id, d.path, f.name, f.offered, f.hash, f.size, f.mtime_ns, f.inode" \
  " FROM file f JOIN folder d ON d.id = f.folder WHERE d.gone IS NULL AND "

P2psFileQuery *
p2ps_file_query_new (const char *name, const char *filehash, guint limit)
{
  P2psFileQuery *query = g_new0 (P2psFileQuery, 1);

  query->name = g_strdup (name != NULL ? name : "");
  g_strlcpy (query->filehash, filehash != NULL ? filehash : "", sizeof query->filehash);
  query->limit = limit;
  return query;
}

void
p2ps_file_query_free (P2psFileQuery *query)
{
  g_free (query->name);
  g_free (query);
}

void
p2ps_file_row_free (P2psFileRow *row)
{
  if (row == NULL)
    return;
  g_free (row->folder);
  g_free (row->name);
  g_free (row->offered);
  g_free (row);
}

static P2psFileRow *
read_row (sqlite3_stmt *statement)
{
  P2psFileRow *row = g_new0 (P2psFileRow, 1);

  row->id = sqlite3_column_int64 (statement, 0);
  row->folder = p2ps_db_dup_text (statement, 1);
  row->name = p2ps_db_dup_text (statement, 2);
  row->offered = p2ps_db_dup_text (statement, 3);
  if (sqlite3_column_bytes (statement, 4) == P2PS_BINARY_HASH_SIZE)
    p2ps_digest_to_hex (sqlite3_column_blob (statement, 4), row->filehash);
  row->size = sqlite3_column_int64 (statement, 5);
  row->mtime_ns = sqlite3_column_int64 (statement, 6);
  row->inode = (guint64)sqlite3_column_int64 (statement, 7);
  return row;
}

static gboolean
read_rows (P2psDb *db, sqlite3_stmt *statement, GPtrArray *rows, GError **error)
{
  gboolean more = TRUE;

  while (p2ps_db_step (db, statement, &more, error) && more)
    g_ptr_array_add (rows, read_row (statement));
  return !more;
}

static GPtrArray *
new_rows (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_file_row_free);
}

static gboolean
rows_by_bytes (P2psDb *db, const char *sql, const void *bytes, gsize length, GPtrArray *rows,
               GError **error)
{
  sqlite3_stmt *statement = p2ps_db_prepare (db, sql, error);

  if (statement == NULL)
    return FALSE;
  sqlite3_bind_blob (statement, 1, bytes, (int)length, SQLITE_STATIC);
  sqlite3_bind_int (statement, 2, MAX_PLACES);
  return read_rows (db, statement, rows, error);
}

static gboolean
rows_by_hash (P2psDb *db, const guint8 *hash, GPtrArray *rows, GError **error)
{
  return rows_by_bytes (db, ROW "f.hash = ? ORDER BY f.id LIMIT ?", hash, P2PS_BINARY_HASH_SIZE,
                        rows, error);
}

/* Under its own name, under the name that it was given for offering, or as it is on the disk. */
static gboolean
rows_by_name (P2psDb *db, const char *name, GPtrArray *rows, GError **error)
{
  gsize length = strlen (name);

  return rows_by_bytes (db, ROW "f.name = ? AND f.offered IS NULL ORDER BY f.id LIMIT ?", name,
                        length, rows, error)
         && rows_by_bytes (db, ROW "f.offered = ? ORDER BY f.id LIMIT ?", name, length, rows, error)
         && rows_by_bytes (db, ROW "f.name = ? AND f.offered IS NOT NULL ORDER BY f.id LIMIT ?",
                           name, length, rows, error);
}

/* --- contents and their places --- */

typedef struct
{
  P2psDb *db;
  GPtrArray *contents;
  GHashTable *seen; /* of char*: hashes that are in contents */
  guint limit;
} Contents;

static gboolean
row_is_same (gconstpointer row, gconstpointer other)
{
  return ((const P2psFileRow *)row)->id == ((const P2psFileRow *)other)->id;
}

/* Of one content all places have the same root. */
static gboolean
add_root (P2psDb *db, const guint8 *hash, GPtrArray *places, GError **error)
{
  const P2psFileRow *first = places->len > 0 ? places->pdata[0] : NULL;
  guint8 root[P2PS_BINARY_HASH_SIZE];
  gboolean known = FALSE;

  if (first != NULL && !p2ps_db_tree_find_root (db, hash, first->size, root, &known, error))
    return FALSE;
  for (guint i = 0; known && i < places->len; i++)
    p2ps_digest_to_hex (root, ((P2psFileRow *)places->pdata[i])->root);
  return TRUE;
}

/* Adds the content of `row` with all of its places, the given one first, unless it is there. */
static gboolean
add_content (Contents *self, const P2psFileRow *row, GError **error)
{
  guint8 hash[P2PS_BINARY_HASH_SIZE];
  g_autoptr (GPtrArray) places = NULL;
  guint position = 0;

  if (self->contents->len >= self->limit || !p2ps_digest_from_hex (row->filehash, hash)
      || !g_hash_table_add (self->seen, g_strdup (row->filehash)))
    return TRUE;
  places = new_rows ();
  if (!rows_by_hash (self->db, hash, places, error) || !add_root (self->db, hash, places, error))
    return FALSE;
  if (g_ptr_array_find_with_equal_func (places, row, row_is_same, &position) && position > 0)
    {
      gpointer first = g_ptr_array_steal_index (places, position);
      g_ptr_array_insert (places, 0, first);
    }
  if (places->len > 0)
    g_ptr_array_add (self->contents, g_steal_pointer (&places));
  return TRUE;
}

static gboolean
add_contents (Contents *self, GPtrArray *rows, GError **error)
{
  for (guint i = 0; i < rows->len; i++)
    if (!add_content (self, g_ptr_array_index (rows, i), error))
      return FALSE;
  return TRUE;
}

/* --- words --- */

typedef struct
{
  P2psFileRow *row;
  int score;
} Candidate;

static void
candidate_clear (gpointer data)
{
  p2ps_file_row_free (((Candidate *)data)->row);
}

static gint
compare_candidates (gconstpointer a, gconstpointer b)
{
  const Candidate *x = a;
  const Candidate *y = b;
  int order;

  if (x->score != y->score)
    return x->score > y->score ? -1 : 1;
  order = strcmp (x->row->name, y->row->name);
  return order != 0 ? order : (x->row->id > y->row->id) - (x->row->id < y->row->id);
}

/* FTS5 reads the list of one word, or of a prefix that it has an index for, bit by bit; for any
 * other prefix it first merges the lists of all words that begin so, which takes 10 ms when these
 * are in every third name. So merging is kept for prefixes that are rare. */
typedef enum
{
  STAGE_ROUGH, /* the first few characters of each; the rest is checked here */
  STAGE_WORDS, /* every word as it stands: the best matches, when there are very many */
  STAGE_MIXED  /* whole prefixes, but for those that the rough stage has found to be common */
} Stage;

typedef struct
{
  P2psDb *db;
  P2psNameWords *words;
  GArray *found;                    /* of Candidate */
  GHashTable *ids;                  /* set of gint64: of the files in found */
  guint most;                       /* names that one stage looks at */
  guint n_rough;                    /* names that the rough stage has looked at */
  guint hits[P2PS_MAX_QUERY_WORDS]; /* in how many of them each word was */
} WordSearch;

/* The longest prefix that has an index of its own (store-db.c). */
static glong
rough_length (glong length)
{
  return length > 5 ? 5 : length == 4 ? 3 : length;
}

static gboolean
is_rough (const WordSearch *self, Stage stage, guint word)
{
  return stage == STAGE_ROUGH || (stage == STAGE_MIXED && self->hits[word] * 8 > self->n_rough);
}

/* Only letters and digits are left in a word (name-words.c): quoting needs no escape. A single
 * letter is taken as a word of its own: as a beginning it would match nearly everything. */
static char *
match_text (const WordSearch *self, Stage stage)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < self->words->n; i++)
    {
      const char *word = p2ps_name_words_get (self->words, i);
      glong length = g_utf8_strlen (word, -1);
      glong kept = is_rough (self, stage, i) ? rough_length (length) : length;
      gsize n = (gsize)(g_utf8_offset_to_pointer (word, kept) - word);

      g_string_append_printf (text, "\"%.*s\"%s ", (int)n, word,
                              stage == STAGE_WORDS || length < 2 ? "" : "*");
    }
  return g_string_free (text, FALSE);
}

/* Takes the file in if it matches; a rough stage's guesses must score. */
static void
consider (WordSearch *self, Stage stage, sqlite3_stmt *statement)
{
  gint64 id = sqlite3_column_int64 (statement, 0);
  g_autofree char *name = p2ps_db_dup_text (statement, 2);
  Candidate candidate = { 0 };

  candidate.score
      = p2ps_name_words_score (self->words, name, stage == STAGE_ROUGH ? self->hits : NULL);
  if ((stage != STAGE_WORDS && candidate.score <= 0) || g_hash_table_contains (self->ids, &id))
    return;
  candidate.row = read_row (statement);
  g_hash_table_add (self->ids, g_memdup2 (&id, sizeof id));
  g_array_append_val (self->found, candidate);
}

/* `n_seen` is how many names the stage came by: fewer than MAX_CANDIDATES 40are all that there are.
 */
static gboolean
run_stage (WordSearch *self, Stage stage, guint *n_seen, GError **error)
{
  g_autofree char *text = match_text (self, stage);
  g_autoptr (GError) refused = NULL;
  gboolean more = TRUE;
  sqlite3_stmt *statement = p2ps_db_prepare (
      self->db,
      "SELECT f.id, d.path, f.name, f.offered, f.hash, f.size, f.mtime_ns, f.inode"
      " FROM (SELECT rowid AS id FROM names WHERE names MATCH ? LIMIT 8 * ?2) n"
      " CROSS JOIN file f ON f.id = n.id CROSS JOIN folder d ON d.id = f.folder"
      " WHERE d.gone IS NULL LIMIT ?2",
      error);

  *n_seen = 0;
  if (statement == NULL)
    return FALSE;
  sqlite3_bind_text (statement, 1, text, -1, SQLITE_STATIC);
  sqlite3_bind_int (statement, 2, (int)self->most);
  while (p2ps_db_step (self->db, statement, &more, &refused) && more)
    {
      ++*n_seen;
      consider (self, stage, statement);
    }
  /* The tokenizer parts a word where its tables know a letter that GLib's don't, or the other way
   * round, and two parts are a phrase, which detail=none has none of: there is no such name. */
  if (refused != NULL && sqlite3_errcode (self->db->sqlite) == SQLITE_ERROR)
    return TRUE;
  if (refused != NULL)
    g_propagate_error (error, g_steal_pointer (&refused));
  return !more;
}

static gboolean
run_stages (WordSearch *self, guint limit, GError **error)
{
  guint n_seen = 0;

  if (!run_stage (self, STAGE_ROUGH, &self->n_rough, error))
    return FALSE;
  if (self->n_rough < self->most)
    return TRUE; /* that was all */
  if (!run_stage (self, STAGE_WORDS, &n_seen, error))
    return FALSE;
  if (self->found->len >= limit)
    return TRUE;
  return run_stage (self, STAGE_MIXED, &n_seen, error);
}

static gboolean
add_by_words (Contents *self, const char *text, GError **error)
{
  g_autoptr (P2psNameWords) words = p2ps_name_words_new (text);
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (Candidate));
  g_autoptr (GHashTable) ids = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  WordSearch search = { .db = self->db,
                        .words = words,
                        .found = found,
                        .ids = ids,
                        .most = CLAMP (2 * self->limit, MIN_CANDIDATES, MAX_CANDIDATES) };

  if (words->n == 0)
    return TRUE;
  words->n = MIN (words->n, P2PS_MAX_QUERY_WORDS);
  g_array_set_clear_func (found, candidate_clear);
  if (!run_stages (&search, self->limit, error))
    return FALSE;
  g_array_sort (found, compare_candidates);
  for (guint i = 0; i < found->len && self->contents->len < self->limit; i++)
    if (!add_content (self, g_array_index (found, Candidate, i).row, error))
      return FALSE;
  return TRUE;
}

/* --- the questions --- */

static GPtrArray *
new_contents (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify)g_ptr_array_unref);
}

static gboolean
look_up (Contents *self, const P2psFileQuery *query, GError **error)
{
  g_autoptr (GPtrArray) rows = new_rows ();
  guint8 hash[P2PS_BINARY_HASH_SIZE];

  if (p2ps_digest_from_hex (query->filehash, hash) && !rows_by_hash (self->db, hash, rows, error))
    return FALSE;
  if (query->name[0] != '\0' && !query->words && !rows_by_name (self->db, query->name, rows, error))
    return FALSE;
  return add_contents (self, rows, error)
         && (!query->words || add_by_words (self, query->name, error));
}

static gpointer
lookup (P2psDb *db, gpointer data, GError **error)
{
  const P2psFileQuery *query = data;
  g_autoptr (GPtrArray) contents = new_contents ();
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Contents self = { .db = db, .contents = contents, .seen = seen, .limit = query->limit };

  return look_up (&self, query, error) ? g_steal_pointer (&contents) : NULL;
}

/* Takes the task. Name and hash are OR: a content that matches either is in the answer. */
void
p2ps_store_run_lookup (P2psStore *store, GTask *task)
{
  p2ps_store_run (store, P2PS_STORE_READ, task, lookup, (GDestroyNotify)g_ptr_array_unref);
}

/* Of several places of one content the first by name stands for it. */
static gpointer
page (P2psDb *db, gpointer data, GError **error)
{
  const P2psFileQuery *query = data;
  g_autoptr (GPtrArray) rows = new_rows ();
  g_autoptr (GPtrArray) contents = new_contents ();
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Contents self = { .db = db, .contents = contents, .seen = seen, .limit = query->limit };
  sqlite3_stmt *statement = p2ps_db_prepare (
      db,
      ROW "NOT EXISTS (SELECT 1 FROM file g JOIN folder e ON e.id = g.folder"
          " WHERE g.hash = f.hash AND e.gone IS NULL AND (g.name, g.id) < (f.name, f.id))"
          " ORDER BY f.name, f.id LIMIT ?1 OFFSET ?2",
      error);

  if (statement == NULL)
    return NULL;
  sqlite3_bind_int64 (statement, 1, query->limit);
  sqlite3_bind_int64 (statement, 2, query->offset);
  return read_rows (db, statement, rows, error) && add_contents (&self, rows, error)
             ? g_steal_pointer (&contents)
             : NULL;
}

void
p2ps_store_run_page (P2psStore *store, GTask *task)
{
  p2ps_store_run (store, P2PS_STORE_READ, task, page, (GDestroyNotify)g_ptr_array_unref);
}

static gpointer
places (P2psDb *db, gpointer data, GError **error)
{
  const P2psFileQuery *query = data;
  g_autoptr (GPtrArray) rows = new_rows ();
  guint8 hash[P2PS_BINARY_HASH_SIZE];
  gboolean ok;

  if (query->filehash[0] != '\0')
    ok = !p2ps_digest_from_hex (query->filehash, hash) || rows_by_hash (db, hash, rows, error);
  else
    ok = rows_by_name (db, query->name, rows, error);
  return ok ? g_steal_pointer (&rows) : NULL;
}

void
p2ps_store_run_places (P2psStore *store, GTask *task)
{
  p2ps_store_run (store, P2PS_STORE_READ, task, places, (GDestroyNotify)g_ptr_array_unref);
}

static gpointer
have (P2psDb *db, gpointer data, GError **error)
{
  char **hashes = data;
  g_autoptr (GHashTable) set = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; hashes[i] != NULL; i++)
    {
      guint8 hash[P2PS_BINARY_HASH_SIZE];
      gboolean row = FALSE;
      sqlite3_stmt *statement = p2ps_db_prepare (db,
                                                 "SELECT 1 FROM file f JOIN folder d ON"
                                                 " d.id = f.folder WHERE d.gone IS NULL"
                                                 " AND f.hash = ? LIMIT 1",
                                                 error);

      if (statement == NULL)
        return NULL;
      if (!p2ps_digest_from_hex (hashes[i], hash))
        continue;
      sqlite3_bind_blob (statement, 1, hash, sizeof hash, SQLITE_STATIC);
      if (!p2ps_db_step (db, statement, &row, error))
        return NULL;
      if (row)
        g_hash_table_add (set, g_strdup (hashes[i]));
      sqlite3_reset (statement);
    }
  return g_steal_pointer (&set);
}

void
p2ps_store_run_have (P2psStore *store, GTask *task)
{
  p2ps_store_run (store, P2PS_STORE_READ, task, have, (GDestroyNotify)g_hash_table_unref);
}
