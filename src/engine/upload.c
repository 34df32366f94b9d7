/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Sends parts of files to sockets. Owns a few threads, each with its own poll() over the sockets
 * that were given to it: whatever waits for a disk waits here, and a slow reader costs a row in a
 * table, no thread. A file that changes while it is sent is cut short, so that its receiver can
 * tell; a reader that takes nothing for stall_ms is dropped, one that takes a little all the time
 * is not, nor is one that we keep waiting because of a rate: those are not polled for room until
 * their turn comes. */

#include "engine/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/throttle.h"

#define N_THREADS 2
#define SLICE (1024 * 1024)             /* per turn: uploads on one thread take turns */
#define SOURCE_MEMORY (2 * P2PS_SECOND) /* the rate of a source that has gone is kept so long */
#define MANY_SOURCES 32
#define CHECK_EVERY (8 * 1024 * 1024) /* bytes between two looks at whether the file changed */

/* One address that downloads, however many connections it has. On the owner's context, but for the
 * throttle. */
typedef struct
{
  P2psThrottle *throttle;
  guint active;
  gint64 last;
} Source;

typedef struct
{
  int fd;
  Source *source;
  GBytes *head;
  gsize head_sent;
  P2psSharedFile *file;
  off_t offset;
  gint64 left;
  gint64 unchecked;
  gint64 stall_us;
  gint64 deadline;
  gint64 allowed;  /* bytes that may be sent now */
  gint64 reserved; /* ... and from `turn` on */
  gint64 turn;
  guint generation; /* of the rates that those are of */
  int queued;       /* bytes that the reader's side had not taken yet when we last looked */
  gboolean complete;
  P2psUploadDone done;
  gpointer user_data;
} Upload;

typedef struct
{
  P2psUploader *uploader;
  GThread *thread;
  int wake;       /* an eventfd */
  GQueue added;   /* of Upload; under the uploader's lock */
  guint n_active; /* under the lock */
} Worker;

struct _P2psUploader
{
  GMutex lock;
  Worker workers[N_THREADS];
  gboolean stopping; /* under the lock */
  GQueue finished;   /* of Upload; under the lock */
  GSource *source;   /* on the owner's context: hands back what is finished */
  _Atomic guint64 bytes_sent;
  guint64 uploads;
  guint active;
  P2psThrottle *throttle; /* all together */
  GHashTable *sources;    /* host: Source */
  guint64 per_source;     /* bytes per second */
  _Atomic guint generation;
};

/* --- in a worker's thread --- */

typedef enum
{
  STEP_AGAIN,
  STEP_WAIT,
  STEP_HELD, /* by a rate */
  STEP_DONE,
} Step;

static Step
step_result (gssize n)
{
  if (n > 0)
    return STEP_AGAIN;
  return n < 0 && (errno == EAGAIN || errno == EINTR) ? STEP_WAIT : STEP_DONE;
}

static Step
send_head (Upload *upload)
{
  gsize length;
  const char *bytes = g_bytes_get_data (upload->head, &length);
  gssize n = send (upload->fd, bytes + upload->head_sent, length - upload->head_sent,
                   MSG_DONTWAIT | MSG_NOSIGNAL | (upload->left > 0 ? MSG_MORE : 0));

  if (n > 0)
    upload->head_sent += n;
  return step_result (n);
}

/* Whether something may be sent now. */
static gboolean
has_leave (P2psUploader *uploader, Upload *upload)
{
  P2psThrottle *total = uploader->throttle;
  P2psThrottle *own = upload->source->throttle;
  gint64 now;

  if (p2ps_throttle_get_rate (total) == P2PS_RATE_NONE
      && p2ps_throttle_get_rate (own) == P2PS_RATE_NONE)
    upload->allowed = SLICE;
  if (upload->allowed > 0)
    return TRUE;
  now = g_get_monotonic_time ();
  if (upload->reserved == 0)
    {
      gint64 slice = MIN (p2ps_throttle_get_slice (total), p2ps_throttle_get_slice (own));
      gint64 turn;

      slice = MIN (slice, upload->left);
      upload->turn = p2ps_throttle_reserve (own, now, slice);
      if (upload->turn == P2PS_NEVER)
        return FALSE;
      turn = p2ps_throttle_reserve (total, now, slice);
      upload->turn = MAX (upload->turn, turn);
      upload->reserved = turn == P2PS_NEVER ? 0 : slice;
    }
  if (upload->turn > now)
    return FALSE;
  upload->allowed = upload->reserved;
  upload->reserved = 0;
  upload->turn = 0;
  return TRUE;
}

/* Before it is polled: with other rates, or when its turn has come, it is a reader like others. */
static gboolean
is_held (P2psUploader *uploader, Upload *upload, gint64 now)
{
  const guint generation = atomic_load (&uploader->generation);

  if (upload->generation != generation)
    {
      upload->allowed = upload->reserved = 0;
      upload->turn = MIN (upload->turn, now);
      upload->generation = generation;
    }
  if (upload->turn == 0)
    return FALSE;
  if (upload->turn > now)
    return TRUE;
  upload->allowed = upload->reserved;
  upload->reserved = upload->turn = 0;
  upload->deadline = now + upload->stall_us;
  return FALSE;
}

/* The last byte is sent only after a last look at the file: whoever gets all of it got what was
 * hashed. */
static Step
send_body (P2psUploader *uploader, Upload *upload)
{
  gint64 count = MIN (SLICE, upload->left > 1 ? upload->left - 1 : 1);
  gssize n;

  if (!has_leave (uploader, upload))
    return STEP_HELD;
  count = MIN (count, upload->allowed);
  if (upload->left == 1 || upload->unchecked >= CHECK_EVERY)
    {
      if (!p2ps_shared_file_is_unchanged (upload->file))
        return STEP_DONE;
      upload->unchecked = 0;
    }
  n = sendfile (upload->fd, upload->file->fd, &upload->offset, count);
  if (n > 0)
    {
      upload->left -= n;
      upload->allowed -= n;
      upload->unchecked += n;
      atomic_fetch_add_explicit (&uploader->bytes_sent, n, memory_order_relaxed);
    }
  return step_result (n);
}

/* The kernel's buffer holds megabytes: a slow reader may take from it for minutes before there is
 * room for more, and is alive all the time. */
static gboolean
is_moving (Upload *upload)
{
  int queued = 0;
  gboolean moved = ioctl (upload->fd, SIOCOUTQ, &queued) == 0 && queued < upload->queued;

  upload->queued = queued;
  return moved;
}

static gboolean
has_time_left (Upload *upload, gint64 now)
{
  if (now < upload->deadline)
    return TRUE;
  upload->deadline = now + upload->stall_us;
  return is_moving (upload);
}

/* One turn. FALSE: the upload is over. */
static gboolean
pump (P2psUploader *uploader, Upload *upload)
{
  gint64 turn = SLICE;
  Step step = STEP_AGAIN;

  while (step == STEP_AGAIN && turn > 0)
    {
      gint64 left = upload->left;

      if (upload->head_sent < g_bytes_get_size (upload->head))
        step = send_head (upload);
      else if (upload->left > 0)
        step = send_body (uploader, upload);
      else
        {
          upload->complete = TRUE;
          return FALSE;
        }
      turn -= MAX (1, left - upload->left);
      if (step == STEP_AGAIN)
        upload->deadline = g_get_monotonic_time () + upload->stall_us;
    }
  is_moving (upload);
  return step != STEP_DONE;
}

static void
hand_back (Worker *worker, Upload *upload)
{
  P2psUploader *uploader = worker->uploader;

  g_mutex_lock (&uploader->lock);
  worker->n_active--;
  g_queue_push_tail (&uploader->finished, upload);
  g_source_set_ready_time (uploader->source, 0);
  g_mutex_unlock (&uploader->lock);
}

/* Moves what was added to the table. FALSE: time to stop. */
static gboolean
take_added (Worker *worker, GPtrArray *uploads)
{
  Upload *upload;
  gboolean stopping;

  g_mutex_lock (&worker->uploader->lock);
  stopping = worker->uploader->stopping;
  while ((upload = g_queue_pop_head (&worker->added)) != NULL)
    {
      /* The next part is read from the disk while this one is on its way. */
      posix_fadvise (upload->file->fd, upload->offset, upload->left, POSIX_FADV_SEQUENTIAL);
      g_ptr_array_add (uploads, upload);
    }
  g_mutex_unlock (&worker->uploader->lock);
  return !stopping;
}

static int
fill_poll_table (Worker *worker, GPtrArray *uploads, GArray *table)
{
  gint64 now = g_get_monotonic_time ();
  gint64 next = G_MAXINT64;

  g_array_set_size (table, uploads->len + 1);
  g_array_index (table, struct pollfd, 0) = (struct pollfd){ worker->wake, POLLIN, 0 };
  for (guint i = 0; i < uploads->len; i++)
    {
      Upload *upload = g_ptr_array_index (uploads, i);

      gboolean held = is_held (worker->uploader, upload, now);

      g_array_index (table, struct pollfd, i + 1)
          = (struct pollfd){ upload->fd, held ? 0 : POLLOUT, 0 };
      next = MIN (next, held ? upload->turn : upload->deadline);
    }
  return next == G_MAXINT64 ? -1 : (int)CLAMP ((next - now) / 1000 + 1, 0, G_MAXINT);
}

/* Its turn at the socket. FALSE: the upload is over. */
static gboolean
handle (P2psUploader *uploader, Upload *upload, const struct pollfd *row, gint64 now)
{
  /* Held: only that the reader has gone is of interest. */
  if (row->events == 0)
    return row->revents == 0;
  return row->revents != 0 ? pump (uploader, upload) : has_time_left (upload, now);
}

static gpointer
worker_main (gpointer data)
{
  Worker *worker = data;
  g_autoptr (GPtrArray) uploads = g_ptr_array_new ();
  g_autoptr (GArray) table = g_array_new (FALSE, TRUE, sizeof (struct pollfd));
  eventfd_t ignored;

  while (take_added (worker, uploads))
    {
      int timeout = fill_poll_table (worker, uploads, table);
      gint64 now;

      poll (&g_array_index (table, struct pollfd, 0), table->len, timeout);
      if (g_array_index (table, struct pollfd, 0).revents != 0)
        eventfd_read (worker->wake, &ignored);
      now = g_get_monotonic_time ();
      /* Backwards: removing swaps the last row in, which has had its turn. */
      for (guint i = uploads->len; i-- > 0;)
        {
          Upload *upload = g_ptr_array_index (uploads, i);
          const struct pollfd *row = &g_array_index (table, struct pollfd, i + 1);

          if (handle (worker->uploader, upload, row, now))
            continue;
          g_ptr_array_remove_index_fast (uploads, i);
          hand_back (worker, upload);
        }
    }
  for (guint i = 0; i < uploads->len; i++)
    hand_back (worker, g_ptr_array_index (uploads, i));
  return NULL;
}

/* --- on the owner's context --- */

static void
hand_out_finished (P2psUploader *self)
{
  GQueue finished;
  Upload *upload;

  g_mutex_lock (&self->lock);
  finished = self->finished;
  g_queue_init (&self->finished);
  g_mutex_unlock (&self->lock);
  while ((upload = g_queue_pop_head (&finished)) != NULL)
    {
      self->active--;
      upload->source->active--;
      upload->source->last = g_get_monotonic_time ();
      upload->done (upload->complete, upload->user_data);
      g_bytes_unref (upload->head);
      p2ps_shared_file_unref (upload->file);
      g_free (upload);
    }
}

static gboolean
finished_cb (gpointer user_data)
{
  P2psUploader *self = user_data;

  g_source_set_ready_time (self->source, -1);
  hand_out_finished (self);
  return G_SOURCE_CONTINUE;
}

static gboolean
source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  return callback (user_data);
}

static GSourceFuncs source_funcs = { .dispatch = source_dispatch };

static void
source_free (gpointer data)
{
  Source *source = data;

  p2ps_throttle_unref (source->throttle);
  g_free (source);
}

/* done callbacks run on context. The threads start with the first upload. */
P2psUploader *
p2ps_uploader_new (GMainContext *context)
{
  P2psUploader *self = g_new0 (P2psUploader, 1);

  g_mutex_init (&self->lock);
  self->throttle = p2ps_throttle_new (P2PS_RATE_NONE);
  self->per_source = P2PS_RATE_NONE;
  self->sources = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, source_free);
  for (guint i = 0; i < N_THREADS; i++)
    self->workers[i].uploader = self;
  self->source = g_source_new (&source_funcs, sizeof (GSource));
  g_source_set_callback (self->source, finished_cb, self, NULL);
  g_source_attach (self->source, context);
  return self;
}

static gboolean
start_worker (Worker *worker)
{
  if (worker->thread != NULL)
    return TRUE;
  worker->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (worker->wake < 0)
    return FALSE;
  worker->thread = g_thread_try_new ("p2ps-upload", worker_main, worker, NULL);
  if (worker->thread == NULL)
    close (worker->wake);
  return worker->thread != NULL;
}

static gboolean
is_forgotten (gpointer key, gpointer value, gpointer user_data)
{
  const Source *source = value;
  const gint64 *now = user_data;

  return source->active == 0 && *now - source->last > SOURCE_MEMORY;
}

/* A source that comes again at once finds its rate as it left it. */
static Source *
get_source (P2psUploader *self, const char *host)
{
  gint64 now = g_get_monotonic_time ();
  Source *source = g_hash_table_lookup (self->sources, host);

  if (source != NULL)
    return source;
  if (g_hash_table_size (self->sources) >= MANY_SOURCES)
    g_hash_table_foreach_remove (self->sources, is_forgotten, &now);
  source = g_new0 (Source, 1);
  source->throttle = p2ps_throttle_new (self->per_source);
  g_hash_table_insert (self->sources, g_strdup (host), source);
  return source;
}

/* Bytes per second of files, over all uploads and for each address; P2PS_RATE_NONE: no limit, 0:
 * they pause. Uploads that are on their way follow at once. */
void
p2ps_uploader_set_rates (P2psUploader *self, guint64 total, guint64 per_source)
{
  GHashTableIter iter;
  gpointer source;

  if (p2ps_throttle_get_rate (self->throttle) == total && self->per_source == per_source)
    return;
  p2ps_throttle_set_rate (self->throttle, total);
  self->per_source = per_source;
  g_hash_table_iter_init (&iter, self->sources);
  while (g_hash_table_iter_next (&iter, NULL, &source))
    p2ps_throttle_set_rate (((Source *)source)->throttle, per_source);
  atomic_fetch_add (&self->generation, 1);
  for (guint i = 0; i < N_THREADS; i++)
    if (self->workers[i].thread != NULL)
      eventfd_write (self->workers[i].wake, 1);
}

/* Sends head and then length bytes of the file from first on to the non-blocking socket fd, which
 * must stay open until done is called. source: the reader's host. */
void
p2ps_uploader_add (P2psUploader *self, int fd, const char *source, GBytes *head,
                   P2psSharedFile *file, gint64 first, gint64 length, guint stall_ms,
                   P2psUploadDone done, gpointer user_data)
{
  Upload *upload = g_new0 (Upload, 1);
  Worker *worker;

  upload->fd = fd;
  upload->source = get_source (self, source);
  upload->source->active++;
  upload->head = g_bytes_ref (head);
  upload->file = p2ps_shared_file_ref (file);
  upload->offset = first;
  upload->left = length;
  upload->stall_us = stall_ms * G_GINT64_CONSTANT (1000);
  upload->deadline = g_get_monotonic_time () + upload->stall_us;
  upload->done = done;
  upload->user_data = user_data;
  self->active++;
  self->uploads++;

  g_mutex_lock (&self->lock);
  worker = &self->workers[0];
  for (guint i = 1; i < N_THREADS; i++)
    if (self->workers[i].n_active < worker->n_active)
      worker = &self->workers[i];
  /* Without a descriptor or a thread to spare the upload fails at once: the client sees it cut. */
  if (start_worker (worker))
    {
      worker->n_active++;
      g_queue_push_tail (&worker->added, upload);
      eventfd_write (worker->wake, 1);
    }
  else
    {
      g_queue_push_tail (&self->finished, upload);
      g_source_set_ready_time (self->source, 0);
    }
  g_mutex_unlock (&self->lock);
}

void
p2ps_uploader_get_counters (P2psUploader *self, guint64 *bytes_sent, guint64 *uploads,
                            guint *active)
{
  *bytes_sent = atomic_load_explicit (&self->bytes_sent, memory_order_relaxed);
  *uploads = self->uploads;
  *active = self->active;
}

/* Cuts what is still being sent and ends the threads; every done callback is called before this
 * returns. More can be added afterwards. */
void
p2ps_uploader_stop (P2psUploader *self)
{
  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < N_THREADS; i++)
    {
      Worker *worker = &self->workers[i];

      if (worker->thread == NULL)
        continue;
      eventfd_write (worker->wake, 1);
      g_thread_join (g_steal_pointer (&worker->thread));
      close (worker->wake);
    }
  self->stopping = FALSE;
  hand_out_finished (self);
}

void
p2ps_uploader_free (P2psUploader *self)
{
  p2ps_uploader_stop (self);
  g_source_destroy (self->source);
  g_source_unref (self->source);
  g_hash_table_unref (self->sources);
  p2ps_throttle_unref (self->throttle);
  g_mutex_clear (&self->lock);
  g_free (self);
}
