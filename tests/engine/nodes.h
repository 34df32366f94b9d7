/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib/gstdio.h>
#include <string.h>

#include "disk.h"
#include "engine/engine-private.h"
#include "engine/p2ps.h"
#include "loop.h"

/* Whole nodes in one process, on loopback, each with folders of its own. */
typedef struct
{
  P2psEngine *engine;
  P2psConfig *config;
  char *folder; /* of everything below */
  char *state;
  char *shared;
  char *downloads;
} Node;

static inline void
node_write (Node *node, const char *name, const void *data, gssize length)
{
  g_autofree char *path = g_build_filename (node->shared, name, NULL);
  g_autoptr (GError) error = NULL;

  g_file_set_contents (path, data, length, &error);
  g_assert_no_error (error);
}

/* A node with a shared folder and a download folder, both empty, that is not started. */
static inline Node *
node_new (void)
{
  Node *node = g_new0 (Node, 1);

  node->folder = g_dir_make_tmp ("p2ps-node-XXXXXX", NULL);
  node->state = g_build_filename (node->folder, "state", NULL);
  node->shared = g_build_filename (node->folder, "shared", NULL);
  node->downloads = g_build_filename (node->folder, "downloads", NULL);
  g_assert_cmpint (g_mkdir (node->shared, 0700), ==, 0);
  g_assert_cmpint (g_mkdir (node->downloads, 0700), ==, 0);
  node->config = p2ps_config_new ();
  g_free (node->config->host);
  node->config->host = g_strdup ("127.0.0.1");
  node->config->port = 0;
  g_free (node->config->download_folder);
  node->config->download_folder = g_strdup (node->downloads);
  g_ptr_array_add (node->config->folders, g_strdup (node->shared));
  node->engine = p2ps_engine_new (node->state);
  return node;
}

static inline void
node_know (Node *node, Node *other)
{
  P2psAddress address;

  p2ps_address_init (&address, "127.0.0.1", p2ps_engine_get_port (other->engine));
  g_array_append_val (node->config->peers, address);
}

static inline void
node_start (Node *node)
{
  g_autoptr (GError) error = NULL;

  p2ps_engine_start (node->engine, node->config, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (p2ps_engine_get_port (node->engine), >, 0);
}

static inline void
node_stopped_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;

  p2ps_engine_stop_finish (P2PS_ENGINE (source), result, &error);
  g_assert_no_error (error);
  *(gboolean *)data = TRUE;
}

static inline void
node_stop (Node *node)
{
  gboolean stopped = FALSE;

  p2ps_engine_stop_async (node->engine, node_stopped_cb, &stopped);
  LOOP_WAIT_FOR (stopped);
}

/* Nothing holds the engine any more; a worker that just ended may need a moment to let go. */
static inline void
node_drop (Node *node)
{
  for (guint i = 0; i < 5000 && G_OBJECT (node->engine)->ref_count > 1; i++)
    {
      loop_empty ();
      g_usleep (1000);
    }
  g_assert_cmpuint (G_OBJECT (node->engine)->ref_count, ==, 1);
  g_clear_object (&node->engine);
}

/* The same node after a restart of the program; not started. */
static inline void
node_renew (Node *node)
{
  node_stop (node);
  node_drop (node);
  node->engine = p2ps_engine_new (node->state);
}

static inline void
node_free (Node *node)
{
  if (node->engine)
    {
      node_stop (node);
      node_drop (node);
    }
  loop_empty ();
  remove_tree (node->folder);
  p2ps_config_free (node->config);
  g_free (node->folder);
  g_free (node->state);
  g_free (node->shared);
  g_free (node->downloads);
  g_free (node);
}

/* Waits until it offers that many files. */
static inline void
node_wait_for_files (Node *node, gint64 files)
{
  LOOP_WAIT_FOR (p2ps_library_get_files (p2ps_engine_get_library (node->engine)) == files
                 && !p2ps_library_get_scanning (p2ps_engine_get_library (node->engine)));
}

static inline guint64
node_get_stat (Node *node, const char *name)
{
  guint64 value = 0;

  g_object_get (p2ps_engine_get_stats (node->engine), name, &value, NULL);
  return value;
}
