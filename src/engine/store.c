/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The store: which thread works on which connection, and what happens when the database is damaged.
 * A P2psStore lives on the context that made it; its threads and the library's workers share only
 * the Shared block. Refuses work once it is closed. The SQL is in the other store-*.c. */

#define G_LOG_DOMAIN "p2ps-store"

#include "engine/store-db.h"

#include "config-build.h"
#include "engine/error.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

typedef struct
{
  GMutex mutex; /* held while somebody works on the connection */
  P2psDb *db;   /* NULL until the first use */
} Slot;

typedef struct
{
  gatomicrefcount refs;
  char *path;
  GRWLock lock; /* for reading while working; for writing while the file is being replaced */
  Slot slots[P2PS_STORE_N_SLOTS];
  GMutex open_mutex;
  guint generation; /* how many times the file was replaced */
  gboolean closed;
  GWeakRef store;
  GMainContext *context;
  GMutex trouble_mutex;
  char *trouble; /* what went wrong last, NULL = nothing since the last success */
} Shared;

typedef struct
{
  GTask *task;
  P2psStoreFunc func; /* NULL: the thread ends */
  GDestroyNotify free_result;
} Job;

typedef struct
{
  Shared *shared;
  P2psStoreSlot slot;
  GAsyncQueue *queue;
  GThread *thread;
} Worker;

struct _P2psStore
{
  GObject parent_instance;

  Shared *shared;
  Worker *workers[2]; /* for P2PS_STORE_WRITE and P2PS_STORE_READ; NULL until the first use */
  GMutex workers_mutex;
  gboolean closing;
  char *damage;  /* what to say about a damaged database */
  char *trouble; /* what to say about the last error */
};

enum
{
  PROP_0,
  PROP_NOTICE,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];
static guint rebuilt_signal;

G_DEFINE_FINAL_TYPE (P2psStore, p2ps_store, G_TYPE_OBJECT)

static Shared *
shared_ref (Shared *shared)
{
  g_atomic_ref_count_inc (&shared->refs);
  return shared;
}

static void
shared_unref (Shared *shared)
{
  if (!g_atomic_ref_count_dec (&shared->refs))
    return;
  for (int i = 0; i < P2PS_STORE_N_SLOTS; i++)
    {
      p2ps_db_close (shared->slots[i].db);
      g_mutex_clear (&shared->slots[i].mutex);
    }
  g_rw_lock_clear (&shared->lock);
  g_mutex_clear (&shared->open_mutex);
  g_mutex_clear (&shared->trouble_mutex);
  g_weak_ref_clear (&shared->store);
  g_main_context_unref (shared->context);
  g_free (shared->trouble);
  g_free (shared->path);
  g_free (shared);
}

/* --- what a person should know, told on the owner's context --- */

typedef struct
{
  Shared *shared;
  gboolean rebuilt;
  char *text;
} Telling;

static gboolean
told_cb (gpointer user_data)
{
  Telling *telling = user_data;
  g_autoptr (P2psStore) self = g_weak_ref_get (&telling->shared->store);
  char **slot;

  if (self == NULL)
    return G_SOURCE_REMOVE;
  slot = telling->rebuilt ? &self->damage : &self->trouble;
  if (g_strcmp0 (*slot, telling->text) != 0)
    {
      g_free (*slot);
      *slot = g_steal_pointer (&telling->text);
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_NOTICE]);
    }
  if (telling->rebuilt)
    g_signal_emit (self, rebuilt_signal, 0);
  return G_SOURCE_REMOVE;
}

static void
telling_free (gpointer data)
{
  Telling *telling = data;

  shared_unref (telling->shared);
  g_free (telling->text);
  g_free (telling);
}

static void
tell (Shared *shared, gboolean rebuilt, const char *text)
{
  g_autoptr (GSource) source = g_idle_source_new ();
  Telling *telling = g_new0 (Telling, 1);

  telling->shared = shared_ref (shared);
  telling->rebuilt = rebuilt;
  telling->text = g_strdup (text);
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, told_cb, telling, telling_free);
  g_source_attach (source, shared->context);
}

static void
note_outcome (Shared *shared, P2psStoreSlot slot, const GError *error)
{
  const char *text = NULL;

  if (error != NULL
      && (g_error_matches (error, P2PS_ERROR, P2PS_ERROR_DATABASE)
          || g_error_matches (error, P2PS_ERROR, P2PS_ERROR_NO_SPACE)))
    text = error->message;
  else if (slot != P2PS_STORE_WRITE)
    return; /* that something can be read does not mean that it can be written again */
  g_mutex_lock (&shared->trouble_mutex);
  if (g_strcmp0 (shared->trouble, text) != 0)
    {
      g_free (shared->trouble);
      shared->trouble = g_strdup (text);
      tell (shared, FALSE, text);
    }
  g_mutex_unlock (&shared->trouble_mutex);
}

/* --- connections --- */

static P2psDb *
open_connection (Shared *shared, gboolean *damaged, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (shared->path);
  P2psDb *db;

  if (g_mkdir_with_parents (folder, 0700) != 0)
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_DATABASE, "%s: %s", folder, g_strerror (errno));
      return NULL;
    }
  g_mutex_lock (&shared->open_mutex);
  db = p2ps_db_open (shared->path, error);
  if (db != NULL && !p2ps_db_migrate (db, error))
    {
      *damaged = db->damaged;
      g_clear_pointer (&db, p2ps_db_close);
    }
  g_mutex_unlock (&shared->open_mutex);
  return db;
}

/* What the old file still tells; errors only mean that less is saved. */
static void
salvage (P2psDb *db, const char *aside)
{
  static const char *const copies[] = {
    "INSERT OR IGNORE INTO main.value SELECT key, value FROM old.value",
    "INSERT OR IGNORE INTO main.peer SELECT position, host, port FROM old.peer",
    "INSERT OR IGNORE INTO main.download SELECT filehash, filename, size, folder, path, state,"
    " reason, added, finished FROM old.download",
    "INSERT OR IGNORE INTO main.source SELECT filehash, host, port, filename, size FROM old.source"
    " WHERE filehash IN (SELECT filehash FROM main.download)",
  };
  char *attach = sqlite3_mprintf ("ATTACH DATABASE %Q AS old", aside);

  if (sqlite3_exec (db->sqlite, attach, NULL, NULL, NULL) == SQLITE_OK)
    {
      for (gsize i = 0; i < G_N_ELEMENTS (copies); i++)
        sqlite3_exec (db->sqlite, copies[i], NULL, NULL, NULL);
      sqlite3_exec (db->sqlite, "DETACH DATABASE old", NULL, NULL, NULL);
    }
  sqlite3_free (attach);
}

static char *
rename_aside (const char *path)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *stamp = g_date_time_format (now, "%Y%m%d-%H%M%S");
  g_autofree char *aside = g_strdup_printf ("%s.damaged-%s", path, stamp);
  static const char *const suffixes[] = { "-wal", "-shm" };

  for (int i = 2; g_file_test (aside, G_FILE_TEST_EXISTS); i++)
    {
      g_free (aside);
      aside = g_strdup_printf ("%s.damaged-%s-%d", path, stamp, i);
    }
  if (g_rename (path, aside) != 0)
    return NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (suffixes); i++)
    {
      g_autofree char *from = g_strconcat (path, suffixes[i], NULL);
      g_autofree char *to = g_strconcat (aside, suffixes[i], NULL);

      g_rename (from, to);
    }
  return g_steal_pointer (&aside);
}

/* Nobody works on any connection while this runs. The old file is kept for whoever wants to look.
 */
static void
put_aside (Shared *shared, guint generation)
{
  g_autofree char *aside = NULL;
  gboolean damaged = FALSE;
  P2psDb *db;

  g_rw_lock_writer_lock (&shared->lock);
  if (shared->generation == generation && !shared->closed)
    {
      for (int i = 0; i < P2PS_STORE_N_SLOTS; i++)
        g_clear_pointer (&shared->slots[i].db, p2ps_db_close);
      aside = rename_aside (shared->path);
      if (aside != NULL)
        {
          g_autofree char *text = NULL;
          g_autofree char *display = g_filename_display_name (aside);

          shared->generation++;
          db = open_connection (shared, &damaged, NULL);
          if (db != NULL)
            salvage (db, aside);
          shared->slots[P2PS_STORE_WRITE].db = db;
          g_message ("the database was damaged and is kept as %s", display);
          text = g_strdup_printf (_ ("The database was damaged. It is kept as %s, and the shared "
                                     "folders are indexed anew."),
                                  display);
          tell (shared, TRUE, text);
        }
    }
  g_rw_lock_writer_unlock (&shared->lock);
}

/* One try. `damaged` tells whether the file must be put aside. */
static gpointer
try_call (Shared *shared, P2psStoreSlot which, P2psStoreFunc func, gpointer data, gboolean *damaged,
          guint *generation, GError **error)
{
  Slot *slot = &shared->slots[which];
  gpointer result = NULL;

  *damaged = FALSE;
  g_rw_lock_reader_lock (&shared->lock);
  g_mutex_lock (&slot->mutex);
  *generation = shared->generation;
  if (shared->closed)
    g_set_error (error, P2PS_ERROR, P2PS_ERROR_FAILED, "the store is closed");
  else if (slot->db != NULL || (slot->db = open_connection (shared, damaged, error)) != NULL)
    {
      result = func (slot->db, data, error);
      *damaged = slot->db->damaged;
    }
  g_mutex_unlock (&slot->mutex);
  g_rw_lock_reader_unlock (&shared->lock);
  return result;
}

static gpointer
call (Shared *shared, P2psStoreSlot slot, P2psStoreFunc func, gpointer data,
      GDestroyNotify free_result, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gboolean damaged;
  guint generation;
  gpointer result;

  result = try_call (shared, slot, func, data, &damaged, &generation, &local_error);
  if (damaged)
    {
      if (result != NULL && free_result != NULL)
        free_result (result);
      g_clear_error (&local_error);
      put_aside (shared, generation);
      result = try_call (shared, slot, func, data, &damaged, &generation, &local_error);
    }
  note_outcome (shared, slot, local_error);
  if (local_error != NULL)
    g_propagate_error (error, g_steal_pointer (&local_error));
  return result;
}

/* Runs `func` on a connection and on the calling thread, which must be a worker: it waits for the
 * disk. `free_result` is for a result that is given up because the database was damaged.
 *
 * Returns: what `func` returned; NULL with an error */
gpointer
p2ps_store_call (P2psStore *store, P2psStoreSlot slot, P2psStoreFunc func, gpointer data,
                 GDestroyNotify free_result, GError **error)
{
  return call (store->shared, slot, func, data, free_result, error);
}

/* --- threads --- */

static gpointer
worker_thread (gpointer data)
{
  Worker *worker = data;
  gboolean running = TRUE;

  while (running)
    {
      g_autofree Job *job = g_async_queue_pop (worker->queue);
      g_autoptr (GError) error = NULL;
      gpointer result;

      running = job->func != NULL;
      if (!running)
        continue;
      if (g_task_return_error_if_cancelled (job->task))
        {
          g_object_unref (job->task);
          continue;
        }
      result = call (worker->shared, worker->slot, job->func, g_task_get_task_data (job->task),
                     job->free_result, &error);
      if (error != NULL)
        g_task_return_error (job->task, g_steal_pointer (&error));
      else
        g_task_return_pointer (job->task, result, job->free_result);
      g_object_unref (job->task);
    }
  g_async_queue_unref (worker->queue);
  shared_unref (worker->shared);
  g_free (worker);
  return NULL;
}

static void
push_job (Worker *worker, GTask *task, P2psStoreFunc func, GDestroyNotify free_result)
{
  Job *job = g_new0 (Job, 1);

  job->task = task;
  job->func = func;
  job->free_result = free_result;
  g_async_queue_push (worker->queue, job);
}

static Worker *
get_worker (P2psStore *self, P2psStoreSlot slot)
{
  Worker *worker = self->workers[slot];

  if (worker == NULL)
    {
      worker = g_new0 (Worker, 1);
      worker->shared = shared_ref (self->shared);
      worker->slot = slot;
      worker->queue = g_async_queue_new ();
      worker->thread = g_thread_new (slot == P2PS_STORE_WRITE ? "store-write" : "store-read",
                                     worker_thread, worker);
      self->workers[slot] = worker;
    }
  return worker;
}

/* Takes the task and runs `func` with its task data on the thread of `slot` (not SWEEP, which has
 * none), then returns what it gave to the task's own context. Jobs of one slot keep their order. */
void
p2ps_store_run (P2psStore *store, P2psStoreSlot slot, GTask *task, P2psStoreFunc func,
                GDestroyNotify free_result)
{
  g_mutex_lock (&store->workers_mutex);
  if (!store->closing)
    push_job (get_worker (store, slot), g_steal_pointer (&task), func, free_result);
  g_mutex_unlock (&store->workers_mutex);
  if (task != NULL)
    {
      g_task_return_new_error (task, P2PS_ERROR, P2PS_ERROR_FAILED, "the store is closed");
      g_object_unref (task);
    }
}

/* --- the object --- */

static void
close_connections (Shared *shared)
{
  g_rw_lock_writer_lock (&shared->lock);
  shared->closed = TRUE;
  for (int i = 0; i < P2PS_STORE_N_SLOTS; i++)
    g_clear_pointer (&shared->slots[i].db, p2ps_db_close);
  g_rw_lock_writer_unlock (&shared->lock);
}

/* Ends the threads once all that was asked for is done, then closes the file. It waits for the disk
 * and may be called on any thread; a second call does nothing. */
void
p2ps_store_close (P2psStore *store)
{
  GThread *threads[G_N_ELEMENTS (store->workers)] = { NULL };

  g_mutex_lock (&store->workers_mutex);
  store->closing = TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (store->workers); i++)
    if (store->workers[i] != NULL)
      {
        threads[i] = store->workers[i]->thread;
        push_job (store->workers[i], NULL, NULL, NULL);
        store->workers[i] = NULL; /* the thread frees it */
      }
  g_mutex_unlock (&store->workers_mutex);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    if (threads[i] != NULL && threads[i] != g_thread_self ())
      g_thread_join (threads[i]);
    else if (threads[i] != NULL) /* the last reference was dropped by a job that is ending */
      g_thread_unref (threads[i]);
  close_connections (store->shared);
}

/* What a person should know about the database; it lasts until the next change of "notice".
 *
 * Returns: (nullable): */
const char *
p2ps_store_get_notice (P2psStore *store)
{
  return store->trouble != NULL ? store->trouble : store->damage;
}

static void
p2ps_store_finalize (GObject *object)
{
  P2psStore *self = P2PS_STORE (object);

  p2ps_store_close (self);
  g_clear_pointer (&self->shared, shared_unref);
  g_mutex_clear (&self->workers_mutex);
  g_free (self->damage);
  g_free (self->trouble);
  G_OBJECT_CLASS (p2ps_store_parent_class)->finalize (object);
}

static void
p2ps_store_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  switch (id)
    {
    case PROP_NOTICE:
      g_value_set_string (value, p2ps_store_get_notice (P2PS_STORE (object)));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
p2ps_store_class_init (P2psStoreClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->finalize = p2ps_store_finalize;
  object_class->get_property = p2ps_store_get_property;
  properties[PROP_NOTICE]
      = g_param_spec_string ("notice", NULL, NULL, NULL, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  rebuilt_signal = g_signal_new ("rebuilt", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                 NULL, NULL, G_TYPE_NONE, 0);
}

static void
p2ps_store_init (P2psStore *self)
{
  g_mutex_init (&self->workers_mutex);
}

/* `path` is of the database file; its folder is made when it is first used (mode 0700).
 *
 * Returns: (transfer full): a store for the calling thread's default context */
P2psStore *
p2ps_store_new (const char *path)
{
  P2psStore *self = g_object_new (P2PS_TYPE_STORE, NULL);
  Shared *shared = g_new0 (Shared, 1);

  g_atomic_ref_count_init (&shared->refs);
  shared->path = g_strdup (path);
  shared->context = g_main_context_ref_thread_default ();
  g_rw_lock_init (&shared->lock);
  g_mutex_init (&shared->open_mutex);
  g_mutex_init (&shared->trouble_mutex);
  for (int i = 0; i < P2PS_STORE_N_SLOTS; i++)
    g_mutex_init (&shared->slots[i].mutex);
  g_weak_ref_init (&shared->store, self);
  self->shared = shared;
  return self;
}
