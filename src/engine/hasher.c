/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Owns the queue of files to hash and its workers. A file counts as hashed only if it was the same
 * before and after, and had not been written a moment before: within one tick of the file system's
 * clock a change can't be seen. Results go to the store in batches; when that can't take them (full
 * disk) they are kept and the workers wait. Workers run at idle priority for the disk. */

#define G_LOG_DOMAIN "p2ps-library"

#include "engine/hasher.h"

#include "engine/content-hash.h"
#include "engine/error.h"
#include "engine/shared-file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_WAITING 32768
#define MAX_BATCH 4096
#define BATCH_TIME (500 * G_TIME_SPAN_MILLISECOND)
#define RETRY_TIME (5 * G_TIME_SPAN_SECOND)
#define CHUNK (256 * 1024)
#define CHECK_EVERY                                                                       \
  (64 * 1024 * 1024)            /* bytes between two looks at a file that may be changing \
                                 */
#define LARGE (4 * 1024 * 1024) /* a file for which finished results don't wait */

#define SMALL (256 * 1024) /* bytes of small files that a worker takes at once */
#define AT_ONCE 32         /* and how many of them */

#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE (3 << 13)

typedef struct
{
  char *root; /* reference strings */
  char *folder;
  gint64 size;
  gboolean links;
  char name[];
} Item;

struct _P2psHasher
{
  P2psStore *store;
  P2psHasherFuncs funcs;
  gpointer user_data;

  GMutex mutex;
  GCond cond;
  GPtrArray *threads;
  GQueue queue;       /* of Item */
  GHashTable *items;  /* set of Item: queued, being hashed, or waiting for the store */
  GPtrArray *batch;   /* of P2psNewFile: hashed, not yet in the store */
  GPtrArray *batched; /* of Item: the same files */
  gint64 batch_begun;
  gint64 stalled_until;
  guint64 hashed;
  guint idle; /* workers that wait */
  gboolean paused;
  gboolean stopped;
  guint settle_ms;
};

static guint
item_hash (gconstpointer key)
{
  const Item *item = key;

  return g_str_hash (item->folder) * 33 + g_str_hash (item->name);
}

static gboolean
item_equal (gconstpointer a, gconstpointer b)
{
  const Item *x = a;
  const Item *y = b;

  return strcmp (x->name, y->name) == 0 && strcmp (x->folder, y->folder) == 0;
}

static void
item_free (gpointer data)
{
  Item *item = data;

  g_ref_string_release (item->root);
  g_ref_string_release (item->folder);
  g_free (item);
}

/* A folder whose clock counts whole seconds (an old or foreign file system) needs two of them. */
gint64
p2ps_hasher_settles_at (gint64 mtime_ns, guint settle_ms)
{
  gint64 wait_us = (gint64)settle_ms * 1000;
  gint64 age_us;

  if (mtime_ns % 1000000000 == 0 && settle_ms > 0)
    wait_us = MAX (wait_us, 2100 * G_TIME_SPAN_MILLISECOND);
  age_us = g_get_real_time () - mtime_ns / 1000;
  /* A time in the future says nothing: such a file is taken as it is. */
  return age_us < 0 || age_us >= wait_us ? 0 : g_get_monotonic_time () + wait_us - age_us;
}

/* --- one file --- */

/* What one worker has. The shared folder is open only while a handful of its files is hashed: an
 * open folder could not be unmounted. */
typedef struct
{
  P2psContentHash *content;
  guint8 *buffer;
  char *root; /* reference string; NULL: none is open */
  int root_fd;
} Tools;

static void
drop_root (Tools *tools)
{
  if (tools->root == NULL)
    return;
  if (tools->root_fd >= 0)
    close (tools->root_fd);
  g_clear_pointer (&tools->root, g_ref_string_release);
}

static int
get_root (Tools *tools, const char *root)
{
  if (tools->root == NULL || strcmp (tools->root, root) != 0)
    {
      drop_root (tools);
      tools->root = g_ref_string_acquire ((char *)root);
      tools->root_fd = open (root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
  return tools->root_fd;
}

typedef enum
{
  HASH_DONE,
  HASH_UNSETTLED,
  HASH_DROPPED
} HashOutcome;

static HashOutcome
read_content (P2psHasher *self, Tools *tools, P2psSharedFile *file, P2psNewFile *result)
{
  gint64 offset = 0;
  gint64 next_check = CHECK_EVERY;
  HashOutcome outcome = HASH_DONE;
  gssize n = 1;

  p2ps_content_hash_begin (tools->content, file->size);
  while (n > 0 && outcome == HASH_DONE)
    {
      n = pread (file->fd, tools->buffer, CHUNK, offset);
      if (n > 0)
        {
          p2ps_content_hash_update (tools->content, tools->buffer, (gsize)n);
          offset += n;
        }
      if (offset == file->size && n >= 0)
        n = 0; /* the size is checked again below: no need to read the end */
      if (offset >= next_check)
        {
          next_check += CHECK_EVERY;
          if (!p2ps_shared_file_is_unchanged (file))
            outcome = HASH_UNSETTLED;
        }
      if (g_atomic_int_get (&self->stopped))
        outcome = HASH_DROPPED;
    }
  result->layer = p2ps_content_hash_finish (tools->content, result->hash, result->root);
  if (outcome == HASH_DONE && n < 0)
    return HASH_DROPPED;
  if (outcome == HASH_DONE && (offset != file->size || !p2ps_shared_file_is_unchanged (file)))
    return HASH_UNSETTLED;
  return outcome;
}

static char *
item_relative (const Item *item)
{
  const char *rest = item->folder + strlen (item->root);

  while (*rest == '/')
    rest++;
  return rest[0] == '\0' ? g_strdup (item->name) : g_strconcat (rest, "/", item->name, NULL);
}

static P2psNewFile *
new_file (const Item *item, const P2psSharedFile *file)
{
  P2psNewFile *result = g_new0 (P2psNewFile, 1);

  result->folder = g_ref_string_acquire (item->folder);
  result->name = g_strdup (item->name);
  result->size = file->size;
  result->mtime_ns = file->mtime_ns;
  result->inode = file->inode;
  return result;
}

static void
judge_unopened (P2psHasher *self, const Item *item, const GError *error)
{
  gboolean vanished = g_error_matches (error, P2PS_ERROR, P2PS_ERROR_NOT_FOUND);
  const char *reason = strrchr (error->message, ':');

  self->funcs.judged (item->folder, item->name,
                      vanished         ? NULL
                      : reason != NULL ? reason + 2
                                       : error->message,
                      self->user_data);
}

/* Returns: (transfer full) (nullable): NULL: it is not to be indexed now */
static P2psNewFile *
hash_item (P2psHasher *self, Tools *tools, const Item *item)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *relative = item_relative (item);
  g_autoptr (P2psSharedFile) file = NULL;
  g_autoptr (P2psNewFile) result = NULL;
  HashOutcome outcome;
  gint64 due;

  file = p2ps_shared_file_open_at (get_root (tools, item->root), relative, item->links, &error);
  if (file == NULL)
    {
      judge_unopened (self, item, error);
      return NULL;
    }
  due = p2ps_hasher_settles_at (file->mtime_ns, g_atomic_int_get (&self->settle_ms));
  result = new_file (item, file);
  errno = 0;
  outcome = due == 0 ? read_content (self, tools, file, result) : HASH_UNSETTLED;
  if (outcome == HASH_UNSETTLED)
    self->funcs.unsettled (item->folder, item->name,
                           due != 0 ? due : g_get_monotonic_time () + G_TIME_SPAN_SECOND,
                           self->user_data);
  else if (!g_atomic_int_get (&self->stopped))
    self->funcs.judged (item->folder, item->name, outcome == HASH_DONE ? NULL : g_strerror (errno),
                        self->user_data);
  return outcome == HASH_DONE ? g_steal_pointer (&result) : NULL;
}

/* --- results --- */

/* Called without the mutex. */
static void
store_batch (P2psHasher *self)
{
  g_autoptr (P2psIndexChange) change = p2ps_index_change_new ();
  g_autoptr (GPtrArray) items = NULL;
  g_autoptr (GError) error = NULL;

  g_mutex_lock (&self->mutex);
  g_ptr_array_unref (change->added);
  change->added = g_steal_pointer (&self->batch);
  self->batch = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_new_file_free);
  items = g_steal_pointer (&self->batched);
  self->batched = g_ptr_array_new ();
  g_mutex_unlock (&self->mutex);
  if (change->added->len == 0)
    return;
  if (p2ps_store_apply (self->store, change, &error))
    self->funcs.indexed (change, self->user_data);
  g_mutex_lock (&self->mutex);
  if (g_error_matches (error, P2PS_ERROR, P2PS_ERROR_NO_SPACE)
      || g_error_matches (error, P2PS_ERROR, P2PS_ERROR_DATABASE))
    {
      /* What was hashed is not thrown away: hashing it again could take days. */
      self->stalled_until = g_get_monotonic_time () + RETRY_TIME;
      g_ptr_array_extend_and_steal (self->batch, g_steal_pointer (&change->added));
      g_ptr_array_extend_and_steal (self->batched, g_steal_pointer (&items));
      change->added = g_ptr_array_new ();
    }
  for (guint i = 0; items != NULL && i < items->len; i++)
    g_hash_table_remove (self->items, items->pdata[i]);
  g_mutex_unlock (&self->mutex);
  self->funcs.progressed (self->user_data);
}

/* With the mutex held: whether finished results should go to the store before `next` is begun. */
static gboolean
batch_is_due (P2psHasher *self, const Item *next)
{
  if (self->batch->len == 0 || g_get_monotonic_time () < self->stalled_until)
    return FALSE;
  return self->batch->len >= MAX_BATCH || next == NULL || next->size >= LARGE
         || g_get_monotonic_time () - self->batch_begun > BATCH_TIME;
}

/* --- workers --- */

/* Takes one large file, or some small ones. With the mutex held. */
static guint
take_items (P2psHasher *self, Item **items)
{
  gint64 bytes = 0;
  guint n = 0;

  while (n < AT_ONCE && !g_queue_is_empty (&self->queue))
    {
      Item *item = g_queue_peek_head (&self->queue);

      bytes += item->size;
      if (n > 0 && bytes > SMALL)
        break;
      items[n++] = g_queue_pop_head (&self->queue);
    }
  return n;
}

/* Waits for something to do. `flush`: store the batch first.
 *
 * Returns: how many files are in `items`; 0 with `flush` FALSE: the end */
static guint
next_items (P2psHasher *self, Item **items, gboolean *flush)
{
  guint n = 0;

  *flush = FALSE;
  g_mutex_lock (&self->mutex);
  while (!self->stopped)
    {
      gboolean stalled = g_get_monotonic_time () < self->stalled_until;
      const Item *head = self->paused || stalled ? NULL : g_queue_peek_head (&self->queue);

      *flush = batch_is_due (self, head);
      if (!*flush && head != NULL)
        n = take_items (self, items);
      if (*flush || n > 0)
        break;
      self->idle++;
      if (stalled)
        g_cond_wait_until (&self->cond, &self->mutex, self->stalled_until);
      else
        g_cond_wait (&self->cond, &self->mutex);
      self->idle--;
    }
  g_mutex_unlock (&self->mutex);
  return n;
}

static void
finish_items (P2psHasher *self, Item **items, P2psNewFile **results, guint n)
{
  g_mutex_lock (&self->mutex);
  for (guint i = 0; i < n; i++)
    if (results[i] == NULL)
      g_hash_table_remove (self->items, items[i]);
    else
      {
        if (self->batch->len == 0)
          self->batch_begun = g_get_monotonic_time ();
        g_ptr_array_add (self->batch, results[i]);
        g_ptr_array_add (self->batched, items[i]);
        self->hashed++;
      }
  g_mutex_unlock (&self->mutex);
}

static void
hash_items (P2psHasher *self, Tools *tools, Item **items, guint n)
{
  P2psNewFile *results[AT_ONCE];

  for (guint i = 0; i < n; i++)
    results[i] = hash_item (self, tools, items[i]);
  drop_root (tools);
  finish_items (self, items, results, n);
}

static gpointer
hash_thread (gpointer data)
{
  P2psHasher *self = data;
  Tools tools = { .content = p2ps_content_hash_new (), .buffer = g_malloc (CHUNK) };
  Item *items[AT_ONCE];
  gboolean flush;
  guint n;

  /* A wish: a system that refuses it only reads with more zeal. */
  syscall (SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
  while ((n = next_items (self, items, &flush)) > 0 || flush)
    if (flush)
      store_batch (self);
    else
      hash_items (self, &tools, items, n);
  g_free (tools.buffer);
  p2ps_content_hash_free (tools.content);
  return NULL;
}

static void
start_threads (P2psHasher *self)
{
  guint n = MAX (1, g_get_num_processors ());

  for (guint i = 0; i < n; i++)
    g_ptr_array_add (self->threads, g_thread_new ("hasher", hash_thread, self));
}

/* --- the door --- */

/* `user_data` must live until p2ps_hasher_stop() has returned.
 *
 * Returns: (transfer full): with no thread yet */
P2psHasher *
p2ps_hasher_new (P2psStore *store, const P2psHasherFuncs *funcs, gpointer user_data)
{
  P2psHasher *self = g_new0 (P2psHasher, 1);

  self->store = g_object_ref (store);
  self->funcs = *funcs;
  self->user_data = user_data;
  g_mutex_init (&self->mutex);
  g_cond_init (&self->cond);
  g_queue_init (&self->queue);
  self->threads = g_ptr_array_new ();
  self->items = g_hash_table_new_full (item_hash, item_equal, item_free, NULL);
  self->batch = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_new_file_free);
  self->batched = g_ptr_array_new ();
  return self;
}

/* Lets the workers end; doesn't wait for them. */
void
p2ps_hasher_cancel (P2psHasher *self)
{
  g_mutex_lock (&self->mutex);
  g_atomic_int_set (&self->stopped, TRUE);
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->mutex);
}

/* Ends the workers, which takes as long as one chunk or one batch; what is hashed is stored. */
void
p2ps_hasher_stop (P2psHasher *self)
{
  p2ps_hasher_cancel (self);
  for (guint i = 0; i < self->threads->len; i++)
    g_thread_join (self->threads->pdata[i]);
  if (self->threads->len > 0)
    store_batch (self);
  g_ptr_array_set_size (self->threads, 0);
}

/* After p2ps_hasher_stop(). */
void
p2ps_hasher_free (P2psHasher *self)
{
  g_queue_clear (&self->queue);
  g_ptr_array_unref (self->batch);
  g_ptr_array_unref (self->batched);
  g_hash_table_unref (self->items);
  g_ptr_array_unref (self->threads);
  g_object_unref (self->store);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->cond);
  g_free (self);
}

void
p2ps_hasher_set_paused (P2psHasher *self, gboolean paused)
{
  g_mutex_lock (&self->mutex);
  self->paused = paused;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->mutex);
}

void
p2ps_hasher_set_settle (P2psHasher *self, guint milliseconds)
{
  g_atomic_int_set (&self->settle_ms, milliseconds);
}

/* Forgets what waits; what is being hashed goes on. */
void
p2ps_hasher_clear (P2psHasher *self)
{
  Item *item;

  g_mutex_lock (&self->mutex);
  while ((item = g_queue_pop_head (&self->queue)) != NULL)
    g_hash_table_remove (self->items, item);
  g_mutex_unlock (&self->mutex);
}

/* `root` and `folder` are reference strings; call p2ps_hasher_kick() after the last. An urgent one
 * is next.
 *
 * Returns: FALSE when it is under way already */
gboolean
p2ps_hasher_push (P2psHasher *self, const char *root, const char *folder, const char *name,
                  gint64 size, gboolean links, gboolean urgent)
{
  gsize length = strlen (name) + 1;
  Item *item = g_malloc (sizeof *item + length);
  gboolean is_new;

  item->root = g_ref_string_acquire ((char *)root);
  item->folder = g_ref_string_acquire ((char *)folder);
  item->size = size;
  item->links = links;
  memcpy (item->name, name, length);
  g_mutex_lock (&self->mutex);
  is_new = !self->stopped && !g_hash_table_contains (self->items, item);
  if (is_new)
    {
      g_hash_table_add (self->items, item);
      if (urgent)
        g_queue_push_head (&self->queue, item);
      else
        g_queue_push_tail (&self->queue, item);
      if (self->threads->len == 0)
        start_threads (self);
      /* Waking somebody for each file would cost more than hashing it: see p2ps_hasher_kick(). */
      if (self->idle > 0 && (urgent || size > SMALL || self->queue.length % AT_ONCE == 0))
        g_cond_signal (&self->cond);
    }
  g_mutex_unlock (&self->mutex);
  if (!is_new)
    item_free (item);
  return is_new;
}

/* Nothing more is pushed for now: begin, even if it is little. */
void
p2ps_hasher_kick (P2psHasher *self)
{
  g_mutex_lock (&self->mutex);
  if (self->idle > 0 && !g_queue_is_empty (&self->queue))
    g_cond_signal (&self->cond);
  g_mutex_unlock (&self->mutex);
}

/* Whether a sweep may go on to push: what waits must not fill the memory. */
gboolean
p2ps_hasher_has_room (P2psHasher *self)
{
  gboolean room;

  g_mutex_lock (&self->mutex);
  room = g_queue_get_length (&self->queue) < MAX_WAITING;
  g_mutex_unlock (&self->mutex);
  return room;
}

/* How many files are queued, being hashed or on their way to the store. */
guint
p2ps_hasher_get_waiting (P2psHasher *self)
{
  guint n;

  g_mutex_lock (&self->mutex);
  n = g_hash_table_size (self->items);
  g_mutex_unlock (&self->mutex);
  return n;
}

/* How many files were hashed since the start. */
guint64
p2ps_hasher_get_hashed (P2psHasher *self)
{
  guint64 n;

  g_mutex_lock (&self->mutex);
  n = self->hashed;
  g_mutex_unlock (&self->mutex);
  return n;
}
