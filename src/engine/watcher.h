/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Tells at once what changes in many folders, as far as the system's limits allow. */
typedef struct _P2psWatcher P2psWatcher;

typedef enum
{
  P2PS_WATCH_FILE,   /* `name` in `folder` came, went or was written */
  P2PS_WATCH_FOLDER, /* a folder `name` came in `folder` */
  P2PS_WATCH_LOST,   /* folders went, or changes were missed: sweep; folder and name are NULL */
} P2psWatchEvent;

typedef void (*P2psWatchFunc) (P2psWatchEvent event, const char *folder, const char *name,
                               gpointer user_data);

P2psWatcher *p2ps_watcher_new (void);
void p2ps_watcher_free (P2psWatcher *watcher);
int p2ps_watcher_get_fd (P2psWatcher *watcher);
gboolean p2ps_watcher_add (P2psWatcher *watcher, const char *folder);
void p2ps_watcher_begin (P2psWatcher *watcher, guint max_watches);
void p2ps_watcher_end (P2psWatcher *watcher);
gboolean p2ps_watcher_is_limited (P2psWatcher *watcher);
void p2ps_watcher_read (P2psWatcher *watcher, P2psWatchFunc func, gpointer user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psWatcher, p2ps_watcher_free)

G_END_DECLS
