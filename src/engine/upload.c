/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Sends parts of files to sockets. Owns a few threads, each with its own poll() over the sockets
 * that were given to it: whatever waits for a disk waits here, and a slow reader costs a row in a
 * table, no thread. A file that changes while it is sent is cut short, so that its receiver can
 * tell; a reader that takes nothing for stall_ms is dropped, one that takes a little all the time
 * is not. */

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

#define N_THREADS 2
#define SLICE (1024 * 1024)           /* per turn: uploads on one thread take turns */
#define CHECK_EVERY (8 * 1024 * 1024) /* bytes between two looks at whether the file changed */

typedef struct
{
  int fd;
  GBytes *head;
  gsize head_sent;
  P2psSharedFile *file;
  off_t offset;
  gint64 left;
  gint64 unchecked;
  gint64 stall_us;
  gint64 deadline;
  int queued; /* bytes that the reader's side had not taken yet when we last looked */
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
};

/* --- in a worker's thread --- */

typedef enum
{
  STEP_AGAIN,
  STEP_WAIT,
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

/* The last byte is sent only after a last look at the file: whoever gets all of it got what was
 * hashed. */
static Step
send_body (P2psUploader *uploader, Upload *upload)
{
  gint64 count = MIN (SLICE, upload->left > 1 ? upload->left - 1 : 1);
  gssize n;

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

      g_array_index (table, struct pollfd, i + 1) = (struct pollfd){ upload->fd, POLLOUT, 0 };
      next = MIN (next, upload->deadline);
    }
  return next == G_MAXINT64 ? -1 : (int)CLAMP ((next - now) / 1000 + 1, 0, G_MAXINT);
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
          gboolean ready = g_array_index (table, struct pollfd, i + 1).revents != 0;

          if (ready ? pump (worker->uploader, upload) : has_time_left (upload, now))
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

/* done callbacks run on context. The threads start with the first upload. */
P2psUploader *
p2ps_uploader_new (GMainContext *context)
{
  P2psUploader *self = g_new0 (P2psUploader, 1);

  g_mutex_init (&self->lock);
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

/* Sends head and then length bytes of the file from first on to the non-blocking socket fd, which
 * must stay open until done is called. */
void
p2ps_uploader_add (P2psUploader *self, int fd, GBytes *head, P2psSharedFile *file, gint64 first,
                   gint64 length, guint stall_ms, P2psUploadDone done, gpointer user_data)
{
  Upload *upload = g_new0 (Upload, 1);
  Worker *worker;

  upload->fd = fd;
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
  g_mutex_clear (&self->lock);
  g_free (self);
}
