/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Limits of whole nodes: set in the configuration, changed while files are on their way. */

#include "engine/digest.h"
#include "nodes.h"

#define LENGTH (2 * 1024 * 1024)
#define RATE (1024 * 1024)

typedef struct
{
  Node *from, *to;
  char *data;
  char hash[P2PS_HASH_SIZE];
} Fixture;

static void
set_up (Fixture *f, gconstpointer unused)
{
  g_autoptr (P2psDigest) digest = p2ps_digest_new ();
  g_autoptr (GRand) random = g_rand_new_with_seed (5);

  f->data = g_malloc (LENGTH);
  for (gsize i = 0; i < LENGTH; i++)
    f->data[i] = g_rand_int (random);
  p2ps_digest_update (digest, f->data, LENGTH);
  p2ps_digest_finish (digest, f->hash);
  f->from = node_new ();
  f->to = node_new ();
  node_write (f->from, "file", f->data, LENGTH);
}

static void
begin (Fixture *f)
{
  node_start (f->from);
  node_start (f->to);
  node_wait_for_files (f->from, 1);
}

static void
tear_down (Fixture *f, gconstpointer unused)
{
  node_free (f->from);
  node_free (f->to);
  g_free (f->data);
}

static P2psDownload *
get (Fixture *f)
{
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  g_autoptr (GError) error = NULL;
  P2psDownload *download;
  P2psAddress holder;

  p2ps_address_init (&holder, "127.0.0.1", p2ps_engine_get_port (f->from->engine));
  g_ptr_array_add (hits, p2ps_hit_new ("", &holder, "file", f->hash, LENGTH));
  download = p2ps_engine_download (f->to->engine, f->hash, "file", LENGTH, hits, NULL, &error);
  g_assert_no_error (error);
  return download;
}

static void
apply (Node *node)
{
  g_autoptr (GError) error = NULL;

  p2ps_engine_apply (node->engine, node->config, &error);
  g_assert_no_error (error);
}

static gboolean
is_done (P2psDownload *download)
{
  return p2ps_download_get_state (download) == P2PS_DOWNLOAD_DONE;
}

static gint64
get_received (P2psDownload *download)
{
  gint64 received = 0;

  g_object_get (download, "received", &received, NULL);
  return received;
}

/* Both directions: two seconds' worth takes two seconds. */
static void
test_rate (Fixture *f, gconstpointer upload)
{
  gint64 began, took;
  P2psDownload *download;

  if (upload)
    f->from->config->upload_bytes_per_second = RATE;
  else
    f->to->config->download_bytes_per_second = RATE;
  begin (f);
  began = g_get_monotonic_time ();
  download = get (f);
  LOOP_WAIT_FOR (is_done (download));
  took = g_get_monotonic_time () - began;
  g_test_message ("%.2f s", took / 1e6);
  /* Downloads have had a pause before, of which they may make up for a second. */
  g_assert_cmpint (took, >, upload ? 1500 * 1000 : 800 * 1000);
}

/* A pause in the middle, and then no limit. */
static void
test_pause (Fixture *f, gconstpointer upload)
{
  Node *node = upload ? f->from : f->to;
  guint64 *rate
      = upload ? &node->config->upload_bytes_per_second : &node->config->download_bytes_per_second;
  gint64 received, until;
  P2psDownload *download;

  *rate = RATE / 2;
  begin (f);
  download = get (f);
  LOOP_WAIT_FOR (get_received (download) > 100000);
  *rate = 0;
  apply (node);
  /* What is in the sockets still arrives, then nothing. */
  until = g_get_monotonic_time () + 400 * 1000;
  LOOP_WAIT_FOR (g_get_monotonic_time () > until);
  received = get_received (download);
  until = g_get_monotonic_time () + 500 * 1000;
  LOOP_WAIT_FOR (g_get_monotonic_time () > until);
  g_assert_cmpint (get_received (download), ==, received);
  g_assert_cmpint (received, <, LENGTH);
  if (!upload)
    {
      g_autofree char *reason = NULL;

      g_object_get (download, "reason", &reason, NULL);
      g_assert_cmpstr (reason, ==, "The limit for downloads is 0");
    }
  *rate = P2PS_NO_LIMIT;
  apply (node);
  LOOP_WAIT_FOR (is_done (download));
}

/* With a limit of 0 nobody is asked. */
static void
test_held (Fixture *f, gconstpointer unused)
{
  P2psDownload *download;

  f->to->config->download_bytes_per_second = 0;
  begin (f);
  download = get (f);
  LOOP_WAIT_FOR (g_strcmp0 (p2ps_download_get_reason (download), "The limit for downloads is 0")
                 == 0);
  g_assert_cmpint (p2ps_download_get_state (download), ==, P2PS_DOWNLOAD_QUEUED);
  g_assert_cmpuint (node_get_stat (f->from, "uploads"), ==, 0);
  f->to->config->download_bytes_per_second = P2PS_NO_LIMIT;
  apply (f->to);
  LOOP_WAIT_FOR (is_done (download));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  loop_start_measuring ();
  g_test_add ("/limits/rate/upload", Fixture, "", set_up, test_rate, tear_down);
  g_test_add ("/limits/rate/download", Fixture, NULL, set_up, test_rate, tear_down);
  g_test_add ("/limits/pause/upload", Fixture, "", set_up, test_pause, tear_down);
  g_test_add ("/limits/pause/download", Fixture, NULL, set_up, test_pause, tear_down);
  g_test_add ("/limits/held", Fixture, NULL, set_up, test_held, tear_down);
  return g_test_run ();
}
