/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/shares.h"
#include "engine/store-files.h"

G_BEGIN_DECLS

/* Compares the shared folders with the index, by stat alone. What it finds is told by functions,
 * all called on the thread that sweeps. */
typedef struct
{
  /* Before a folder is read. FALSE: the sweep is to end now. */
  gboolean (*entered) (const char *folder, gpointer user_data);
  /* A file is new or changed; `root` and `folder` are reference strings. */
  void (*wanted) (const char *root, const char *folder, const char *name, gint64 size,
                  gpointer user_data);
  /* It was written just now: look at it again at `due` (monotonic microseconds). */
  void (*unsettled) (const char *folder, const char *name, gint64 due, gpointer user_data);
  void (*skipped) (const char *folder, const char *name, const char *reason, gpointer user_data);
  /* A shared folder is not there or can't be read. */
  void (*missing) (const char *root, const char *reason, gpointer user_data);
  /* The index was changed. */
  void (*changed) (const P2psIndexChange *change, gpointer user_data);
} P2psSweepFuncs;

typedef struct
{
  P2psStore *store;
  const P2psShares *shares;
  guint settle_ms;
  const P2psSweepFuncs *funcs;
  gpointer user_data;
} P2psSweepSetup;

gboolean p2ps_sweep_all (const P2psSweepSetup *setup, GError **error);
gboolean p2ps_sweep_tree (const P2psSweepSetup *setup, const char *folder, GError **error);
gboolean p2ps_sweep_names (const P2psSweepSetup *setup, const char *folder, GPtrArray *names,
                           GError **error);

G_END_DECLS
