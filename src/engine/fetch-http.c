/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One conversation with one source, on the fetch's worker: asks for what is missing, judges the
 * reply, and pumps the body into the part file. Receiving and writing run here, hashing on a second
 * thread, so that a fast transfer costs the slower of the two and not their sum.
 *
 * Refuses redirects, compressed bodies, ranges that were not asked for, another length than the
 * source promised, and bodies without end. */

#define G_LOG_DOMAIN "p2ps-fetch"

#include "engine/fetch-private.h"

#include "config-build.h"

#include <glib/gi18n-lib.h>
#include <libsoup/soup.h>
#include <string.h>

#include "core/limits.h"
#include "engine/error.h"
#include "wire/json.h"

#define BLOCK_SIZE (256 * 1024)
#define N_BLOCKS 8
#define MAX_INFORMATIONAL 8
#define MAX_BUSY_BODY 4096
#define KEEP_FREE (G_GINT64_CONSTANT (256) << 20)        /* of the disk, when no length is known */
#define MAX_WITHOUT_LENGTH (G_GINT64_CONSTANT (4) << 30) /* bytes of such a body */

typedef struct
{
  gsize length; /* 0 = no more */
  char data[BLOCK_SIZE];
} Block;

/* The conversation's state; lives on the worker's stack. */
typedef struct
{
  P2psFetch *fetch;
  SoupSession *session;
  SoupMessage *message;
  GInputStream *body;
  guint informational;
  gint64 total;    /* of the file, -1 = not said */
  gint64 skip;     /* bytes of the body that are here already: it ignores ranges */
  gint64 limit;    /* of the file's length */
  gboolean framed; /* the end of the body can be told from a broken connection */
  gint64 network_bytes;
  gsize allowed; /* bytes that may be read now */
  GAsyncQueue *empty;
  GAsyncQueue *full;
  GThread *hasher;
} Talk;

static gboolean fail (Talk *talk, P2psAttempt attempt, GError **error, const char *format, ...)
    G_GNUC_PRINTF (4, 5);

/* Notes how the attempt ended and why; always FALSE. */
static gboolean
fail (Talk *talk, P2psAttempt attempt, GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error != NULL && *error == NULL)
    *error = g_error_new_valist (P2PS_ERROR,
                                 attempt == P2PS_ATTEMPT_LIED   ? P2PS_ERROR_MISBEHAVED
                                 : attempt == P2PS_ATTEMPT_BUSY ? P2PS_ERROR_BUSY
                                 : attempt == P2PS_ATTEMPT_GONE ? P2PS_ERROR_NOT_FOUND
                                                                : P2PS_ERROR_UNREACHABLE,
                                 format, args);
  va_end (args);
  talk->fetch->result.attempt = attempt;
  return FALSE;
}

/* What GIO and libsoup say about a broken conversation, in our words. Takes `problem`. */
static gboolean
fail_from (Talk *talk, GError *problem, GError **error)
{
  if (g_error_matches (problem, G_IO_ERROR, G_IO_ERROR_CANCELLED)
      && talk->informational <= MAX_INFORMATIONAL)
    {
      g_propagate_error (error, problem);
      return FALSE;
    }
  if (talk->informational > MAX_INFORMATIONAL
      || g_error_matches (problem, SOUP_SESSION_ERROR, SOUP_SESSION_ERROR_PARSING)
      || g_error_matches (problem, SOUP_SESSION_ERROR, SOUP_SESSION_ERROR_ENCODING))
    fail (talk, P2PS_ATTEMPT_LIED, error, _ ("Does not speak HTTP"));
  else if (g_error_matches (problem, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
    fail (talk, P2PS_ATTEMPT_DEAD, error, _ ("Refused the connection"));
  else if (g_error_matches (problem, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    fail (talk, P2PS_ATTEMPT_DEAD, error,
          talk->network_bytes > 0 ? _ ("Stopped sending") : _ ("Did not answer"));
  else
    fail (talk, P2PS_ATTEMPT_DEAD, error, _ ("The connection broke: %s"), problem->message);
  g_error_free (problem);
  return FALSE;
}

static void
informational_cb (SoupMessage *message, gpointer data)
{
  Talk *talk = data;

  if (++talk->informational > MAX_INFORMATIONAL)
    g_cancellable_cancel (talk->fetch->cancellable);
}

static SoupSession *
new_session (void)
{
  g_autoptr (GProxyResolver) direct = g_simple_proxy_resolver_new (NULL, NULL);
  SoupSession *session = soup_session_new_with_options (
      "max-conns", 1, "max-conns-per-host", 1, "timeout", P2PS_SOCKET_TIMEOUT_SECONDS, "user-agent",
      "p2pshare/" P2PS_VERSION, "proxy-resolver", direct, NULL);

  soup_session_remove_feature_by_type (session, SOUP_TYPE_CONTENT_DECODER);
  soup_session_remove_feature_by_type (session, SOUP_TYPE_AUTH_MANAGER);
  soup_session_remove_feature_by_type (session, SOUP_TYPE_COOKIE_JAR);
  return session;
}

static SoupMessage *
new_message (Talk *talk, gint64 offset)
{
  P2psFetch *fetch = talk->fetch;
  const char *name = fetch->hit->filename != NULL ? fetch->hit->filename : "";
  g_autofree char *escaped = g_uri_escape_string (name, NULL, FALSE);
  g_autofree char *path = NULL;
  g_autofree char *url = NULL;
  g_autoptr (GUri) uri = NULL;
  SoupMessage *message;
  SoupMessageHeaders *headers;

  if (*name == '\0')
    return NULL;
  /* "." and ".." are one path segment here, not a way up. */
  path = g_strconcat ("/download/",
                      strcmp (name, ".") == 0    ? "%2E"
                      : strcmp (name, "..") == 0 ? "%2E%2E"
                                                 : escaped,
                      NULL);
  url = p2ps_address_to_url (&fetch->hit->holder, path);
  uri = g_uri_parse (url, SOUP_HTTP_URI_FLAGS, NULL);
  if (uri == NULL)
    return NULL;
  message = soup_message_new_from_uri ("GET", uri);
  soup_message_set_flags (message, SOUP_MESSAGE_NO_REDIRECT);
  headers = soup_message_get_request_headers (message);
  soup_message_headers_replace (headers, "Accept-Encoding", "identity");
  if (offset > 0)
    {
      g_autofree char *etag = g_strdup_printf ("\"%s\"", fetch->filehash);

      soup_message_headers_set_range (headers, offset, -1);
      if (fetch->if_range)
        soup_message_headers_replace (headers, "If-Range", etag);
    }
  g_signal_connect (message, "got-informational", G_CALLBACK (informational_cb), talk);
  return message;
}

static gint64
get_retry_after (SoupMessageHeaders *headers)
{
  const char *text = soup_message_headers_get_one (headers, "Retry-After");
  g_autoptr (GDateTime) date = NULL;
  g_autoptr (GDateTime) now = NULL;
  guint64 seconds;

  if (text == NULL)
    return 0;
  if (g_ascii_string_to_unsigned (text, 10, 0, 86400, &seconds, NULL))
    return seconds * P2PS_SECOND;
  date = soup_date_time_new_from_http_string (text);
  if (date == NULL)
    return 0;
  now = g_date_time_new_now_utc ();
  return MAX (g_date_time_difference (date, now), 0);
}

/* "place" and "of" in the body of a 503. */
static gboolean
read_place (Talk *talk)
{
  P2psFetchResult *result = &talk->fetch->result;
  char body[MAX_BUSY_BODY];
  gsize length = 0;
  gint64 place = 0, of = 0;
  g_autoptr (JsonNode) root = NULL;

  if (g_input_stream_read_all (talk->body, body, sizeof body, &length, talk->fetch->cancellable,
                               NULL)
      && length < sizeof body)
    root = p2ps_json_parse (body, length, NULL);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    return FALSE;
  p2ps_json_get_int (json_node_get_object (root), "place", &place);
  p2ps_json_get_int (json_node_get_object (root), "of", &of);
  if (place < 1 || of < place || of > G_MAXINT)
    return FALSE;
  result->place = place;
  result->of = of;
  return TRUE;
}

/* Statuses that bring no bytes. */
static gboolean
fail_from_status (Talk *talk, guint status, GError **error)
{
  SoupMessageHeaders *headers = soup_message_get_response_headers (talk->message);

  if (SOUP_STATUS_IS_REDIRECTION (status))
    return fail (talk, P2PS_ATTEMPT_LIED, error, _ ("Answered with a redirect"));
  if (status == SOUP_STATUS_SERVICE_UNAVAILABLE || status == 429)
    {
      talk->fetch->result.retry_after = get_retry_after (headers);
      if (read_place (talk))
        return fail (talk, P2PS_ATTEMPT_BUSY, error, _ ("Place %u of %u in its queue"),
                     talk->fetch->result.place, talk->fetch->result.of);
      return fail (talk, P2PS_ATTEMPT_BUSY, error, _ ("Is busy"));
    }
  if (status == SOUP_STATUS_NOT_FOUND || status == SOUP_STATUS_GONE)
    return fail (talk, P2PS_ATTEMPT_GONE, error, _ ("No longer has the file"));
  if (status == SOUP_STATUS_FORBIDDEN || status == SOUP_STATUS_UNAUTHORIZED)
    return fail (talk, P2PS_ATTEMPT_GONE, error, _ ("Does not give us the file"));
  return fail (talk, P2PS_ATTEMPT_DEAD, error, _ ("Answered with HTTP status %u"), status);
}

/* Compares the length that the source tells with what it promised in its hit and with what we were
 * told by others. */
static gboolean
check_total (Talk *talk, GError **error)
{
  P2psFetch *fetch = talk->fetch;
  gint64 promised = fetch->hit->size;

  fetch->result.total = talk->total;
  if (talk->total < 0)
    {
      gint64 room = p2ps_folder_get_free_bytes (fetch->folder) - KEEP_FREE;

      talk->limit = fetch->size >= 0 ? fetch->size : CLAMP (room, 0, MAX_WITHOUT_LENGTH);
      return TRUE;
    }
  talk->limit = talk->total;
  if (promised >= 0 && talk->total != promised)
    return fail (talk, P2PS_ATTEMPT_LIED, error, _ ("Has %lld bytes, not the %lld it promised"),
                 (long long)talk->total, (long long)promised);
  if (fetch->size >= 0 && talk->total != fetch->size)
    {
      fetch->result.other_size = TRUE;
      return fail (talk, P2PS_ATTEMPT_GONE, error, _ ("Has %lld bytes, not the %lld of this file"),
                   (long long)talk->total, (long long)fetch->size);
    }
  if (fetch->size < 0
      && talk->total - p2ps_part_file_get_length (fetch->part)
             > p2ps_folder_get_free_bytes (fetch->folder))
    {
      fetch->result.retry_after = 60 * P2PS_SECOND;
      return fail (talk, P2PS_ATTEMPT_BUSY, error,
                   _ ("Says %lld bytes, for which the disk has no room"), (long long)talk->total);
    }
  return TRUE;
}

/* 206: what is sent must begin where we asked. */
static gboolean
judge_partial (Talk *talk, gint64 offset, GError **error)
{
  SoupMessageHeaders *headers = soup_message_get_response_headers (talk->message);
  goffset start, end, total;

  if (offset == 0 || !soup_message_headers_get_content_range (headers, &start, &end, &total)
      || start != offset || end < start || (total >= 0 && end >= total))
    return fail (talk, P2PS_ATTEMPT_LIED, error, _ ("Sent another range than we asked for"));
  talk->skip = 0;
  talk->total = total;
  talk->framed = TRUE;
  return TRUE;
}

/* 416 when there is something: either all of it is here, or nobody's bytes can be trusted. */
static gboolean
judge_unsatisfiable (Talk *talk, gint64 offset, gboolean *complete, GError **error)
{
  SoupMessageHeaders *headers = soup_message_get_response_headers (talk->message);
  const char *range = soup_message_headers_get_one (headers, "Content-Range");
  guint64 total;

  if (offset == 0)
    return fail (talk, P2PS_ATTEMPT_DEAD, error, _ ("Answered with HTTP status 416"));
  if (range != NULL && g_str_has_prefix (range, "bytes */")
      && g_ascii_string_to_unsigned (range + 8, 10, 0, G_MAXINT64, &total, NULL)
      && (gint64)total == offset)
    {
      *complete = TRUE;
      return TRUE;
    }
  talk->fetch->result.mixed = TRUE;
  if (!p2ps_part_file_restart (talk->fetch->part, error))
    return FALSE;
  return fail (talk, P2PS_ATTEMPT_DEAD, error, _ ("Has fewer bytes than we have: starting over"));
}

/* Judges the reply's headers. TRUE: the body is to be read, or `complete`: nothing is missing. */
static gboolean
judge_reply (Talk *talk, gint64 offset, gboolean *complete, GError **error)
{
  SoupMessageHeaders *headers = soup_message_get_response_headers (talk->message);
  const char *etag = soup_message_headers_get_one (headers, "ETag");
  const char *coding = soup_message_headers_get_one (headers, "Content-Encoding");
  guint status = soup_message_get_status (talk->message);
  SoupEncoding encoding = soup_message_headers_get_encoding (headers);

  talk->fetch->result.etag_is_hash
      = etag != NULL && strlen (etag) == P2PS_HASH_SIZE + 1 && etag[0] == '"'
        && strncmp (etag + 1, talk->fetch->filehash, P2PS_HASH_SIZE - 1) == 0;
  if (status == SOUP_STATUS_REQUESTED_RANGE_NOT_SATISFIABLE)
    return judge_unsatisfiable (talk, offset, complete, error);
  if (status != SOUP_STATUS_OK && status != SOUP_STATUS_PARTIAL_CONTENT)
    return fail_from_status (talk, status, error);
  if (coding != NULL && g_ascii_strcasecmp (coding, "identity") != 0)
    return fail (talk, P2PS_ATTEMPT_GONE, error, _ ("Sends the file only compressed"));
  if (status == SOUP_STATUS_PARTIAL_CONTENT)
    {
      if (!judge_partial (talk, offset, error))
        return FALSE;
    }
  else
    {
      talk->skip = offset;
      talk->total = encoding == SOUP_ENCODING_CONTENT_LENGTH
                        ? soup_message_headers_get_content_length (headers)
                        : -1;
      talk->framed = encoding == SOUP_ENCODING_CONTENT_LENGTH || encoding == SOUP_ENCODING_CHUNKED;
    }
  return check_total (talk, error);
}

static gpointer
hasher_main (gpointer data)
{
  Talk *talk = data;

  for (;;)
    {
      Block *block = g_async_queue_pop (talk->full);
      gsize length = block->length;

      if (length > 0)
        p2ps_part_file_hash (talk->fetch->part, block->data, length);
      g_async_queue_push (talk->empty, block);
      if (length == 0)
        return NULL;
    }
}

/* Waits until the limit lets something pass: that isn't the source's fault. */
static void
wait_for_leave (Talk *talk)
{
  P2psFetch *fetch = talk->fetch;

  if (p2ps_throttle_get_rate (fetch->throttle) == P2PS_RATE_NONE)
    talk->allowed = BLOCK_SIZE;
  if (talk->allowed > 0)
    return;
  p2ps_fetch_report (fetch, p2ps_part_file_get_length (fetch->part), talk->network_bytes,
                     talk->total, FALSE);
  talk->allowed = p2ps_throttle_wait (fetch->throttle, BLOCK_SIZE, fetch->cancellable);
}

/* Reads one block from the source. Returns its length, 0 at the end, -1 on error. */
static gssize
read_block (Talk *talk, Block *block, GError **error)
{
  P2psFetch *fetch = talk->fetch;
  GError *problem = NULL;
  gssize n;

  wait_for_leave (talk);
  p2ps_fetch_report (fetch, p2ps_part_file_get_length (fetch->part), talk->network_bytes,
                     talk->total, TRUE);
  n = g_input_stream_read (talk->body, block->data, talk->allowed, fetch->cancellable, &problem);
  if (n < 0)
    fail_from (talk, problem, error);
  else
    {
      talk->network_bytes += n;
      talk->allowed -= n;
    }
  p2ps_fetch_report (fetch, p2ps_part_file_get_length (fetch->part), talk->network_bytes,
                     talk->total, FALSE);
  return n;
}

/* Moves the body into the part file; the hasher may be behind when it returns. */
static gboolean
pump (Talk *talk, GError **error)
{
  P2psPartFile *part = talk->fetch->part;

  for (;;)
    {
      Block *block = g_async_queue_pop (talk->empty);
      gssize n = read_block (talk, block, error);
      gsize skipped;

      if (n <= 0)
        {
          g_async_queue_push (talk->empty, block);
          return n == 0;
        }
      skipped = MIN (n, talk->skip);
      talk->skip -= skipped;
      n -= skipped;
      if (skipped > 0 && n > 0)
        memmove (block->data, block->data + skipped, n);
      if (n > talk->limit - p2ps_part_file_get_length (part))
        {
          g_async_queue_push (talk->empty, block);
          talk->fetch->result.other_size = talk->fetch->size >= 0 && talk->fetch->hit->size < 0;
          return fail (talk, talk->fetch->hit->size >= 0 ? P2PS_ATTEMPT_LIED : P2PS_ATTEMPT_GONE,
                       error, _ ("Sends more than the file has, without end"));
        }
      if (n > 0 && !p2ps_part_file_write (part, block->data, n, error))
        {
          g_async_queue_push (talk->empty, block);
          return FALSE;
        }
      talk->fetch->result.got_bytes |= n > 0;
      block->length = n;
      if (n == 0)
        g_async_queue_push (talk->empty, block);
      else
        g_async_queue_push (talk->full, block);
    }
}

/* Runs pump() beside the hasher and waits until every written byte is hashed. */
static gboolean
receive (Talk *talk, GError **error)
{
  gboolean received;
  Block *last;

  talk->empty = g_async_queue_new_full (g_free);
  talk->full = g_async_queue_new_full (g_free);
  for (guint i = 0; i < N_BLOCKS; i++)
    g_async_queue_push (talk->empty, g_malloc (sizeof (Block)));
  talk->hasher = g_thread_new ("p2ps-hash", hasher_main, talk);
  received = pump (talk, error);
  last = g_async_queue_pop (talk->empty);
  last->length = 0;
  g_async_queue_push (talk->full, last);
  g_thread_join (talk->hasher);
  g_async_queue_unref (talk->empty);
  g_async_queue_unref (talk->full);
  return received;
}

/* The body ended: is that all? */
static gboolean
check_end (Talk *talk, GError **error)
{
  gint64 length = p2ps_part_file_get_length (talk->fetch->part);
  gint64 expected = talk->total >= 0 ? talk->total : talk->fetch->size;

  if (talk->skip > 0 || (expected >= 0 && length < expected))
    return fail (talk, P2PS_ATTEMPT_DEAD, error, _ ("Ended the connection too early"));
  talk->fetch->end_is_a_guess = expected < 0 && !talk->framed;
  return TRUE;
}

/* One request and its reply. `complete`: there is nothing left to ask for. */
static gboolean
talk_once (Talk *talk, gboolean *complete, GError **error)
{
  P2psFetch *fetch = talk->fetch;
  gint64 offset = p2ps_part_file_get_length (fetch->part);
  GError *problem = NULL;

  p2ps_fetch_set_phase (fetch, P2PS_FETCH_CONNECTING);
  talk->message = new_message (talk, offset);
  if (talk->message == NULL)
    return fail (talk, P2PS_ATTEMPT_GONE, error,
                 _ ("Did not say under which name it has the file"));
  talk->body = soup_session_send (talk->session, talk->message, fetch->cancellable, &problem);
  if (talk->body == NULL)
    return fail_from (talk, problem, error);
  if (!judge_reply (talk, offset, complete, error))
    return FALSE;
  if (*complete)
    return TRUE;
  if (!p2ps_part_file_reserve (fetch->part, talk->total, error))
    return FALSE;
  p2ps_part_file_mark_source (fetch->part, &fetch->hit->holder);
  p2ps_fetch_set_phase (fetch, P2PS_FETCH_RECEIVING);
  if (!receive (talk, error) || !check_end (talk, error))
    {
      /* What came from a source that broke the rules is no beginning for the next one. */
      if (fetch->result.attempt != P2PS_ATTEMPT_DEAD
          && p2ps_part_file_is_all_from (fetch->part, &fetch->hit->holder))
        p2ps_part_file_restart (fetch->part, NULL);
      return FALSE;
    }
  *complete = TRUE;
  return TRUE;
}

/**
 * p2ps_fetch_from_source:
 *
 * Asks the fetch's source for the rest of the file. TRUE: all bytes are in the part file, hashed
 * but not verified. FALSE: fetch->result.attempt says how to take it.
 */
gboolean
p2ps_fetch_from_source (P2psFetch *fetch, GError **error)
{
  Talk talk = { .fetch = fetch, .total = -1 };
  gboolean complete = FALSE;

  if (fetch->alone && p2ps_part_file_get_length (fetch->part) > 0
      && !p2ps_part_file_is_all_from (fetch->part, &fetch->hit->holder)
      && !p2ps_part_file_restart (fetch->part, error))
    return FALSE;
  /* A full disk is found out before anybody is bothered. */
  if (fetch->size > 0 && !p2ps_part_file_reserve (fetch->part, fetch->size, error))
    return FALSE;
  talk.session = new_session ();
  if (!talk_once (&talk, &complete, error))
    complete = FALSE;
  if (talk.message != NULL)
    g_signal_handlers_disconnect_by_data (talk.message, &talk);
  /* Closing without reading the rest. */
  soup_session_abort (talk.session);
  g_clear_object (&talk.body);
  g_clear_object (&talk.message);
  g_object_unref (talk.session);
  return complete;
}
