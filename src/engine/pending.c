/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Names that wait until they have settled; a name that comes again waits again. Bounded: what
 * doesn't fit, or is written all the time, is found by the next sweep. */

#include "engine/pending.h"

#define MAX_NAMES 65536

typedef struct
{
  char *folder;
  gint64 due;        /* of the earliest name */
  GHashTable *names; /* name -> gint64 due, owned */
} Folder;

struct _P2psPending
{
  GHashTable *folders; /* Folder.folder -> Folder */
  guint n_names;
};

static void
folder_free (gpointer data)
{
  Folder *folder = data;

  g_hash_table_unref (folder->names);
  g_free (folder->folder);
  g_free (folder);
}

P2psPending *
p2ps_pending_new (void)
{
  P2psPending *pending = g_new0 (P2psPending, 1);

  pending->folders = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, folder_free);
  return pending;
}

void
p2ps_pending_free (P2psPending *pending)
{
  g_hash_table_unref (pending->folders);
  g_free (pending);
}

static Folder *
get_folder (P2psPending *pending, const char *path)
{
  Folder *folder = g_hash_table_lookup (pending->folders, path);

  if (folder == NULL)
    {
      folder = g_new0 (Folder, 1);
      folder->folder = g_strdup (path);
      folder->due = G_MAXINT64;
      folder->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
      g_hash_table_insert (pending->folders, folder->folder, folder);
    }
  return folder;
}

/* Looks at `name` in `folder` at `due` (monotonic microseconds). One that waits already waits until
 * then instead. */
void
p2ps_pending_add (P2psPending *pending, const char *path, const char *name, gint64 due)
{
  Folder *folder = get_folder (pending, path);
  gint64 *old = g_hash_table_lookup (folder->names, name);

  if (old != NULL)
    *old = due;
  else if (pending->n_names < MAX_NAMES)
    {
      g_hash_table_insert (folder->names, g_strdup (name), g_memdup2 (&due, sizeof due));
      pending->n_names++;
    }
  folder->due = MIN (folder->due, due);
}

/* When something is due next; G_MAXINT64 = nothing waits. */
gint64
p2ps_pending_get_due (P2psPending *pending)
{
  gint64 due = G_MAXINT64;
  GHashTableIter iter;
  gpointer folder;

  g_hash_table_iter_init (&iter, pending->folders);
  while (g_hash_table_iter_next (&iter, NULL, &folder))
    due = MIN (due, ((Folder *)folder)->due);
  return due;
}

static void
take_names (P2psPending *pending, Folder *folder, gint64 now, GPtrArray *names)
{
  GHashTableIter iter;
  gpointer name;
  gpointer due;

  folder->due = G_MAXINT64;
  g_hash_table_iter_init (&iter, folder->names);
  while (g_hash_table_iter_next (&iter, &name, &due))
    if (*(gint64 *)due <= now)
      {
        g_ptr_array_add (names, g_strdup (name));
        g_hash_table_iter_remove (&iter);
        pending->n_names--;
      }
    else
      folder->due = MIN (folder->due, *(gint64 *)due);
}

/* Takes the names of one folder that are due.
 *
 * Returns: (transfer full) (nullable): the folder, with at least one name; NULL: nothing is due */
char *
p2ps_pending_take (P2psPending *pending, gint64 now, GPtrArray **names)
{
  g_autoptr (GPtrArray) taken = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, pending->folders);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Folder *folder = value;
      char *path = NULL;

      if (folder->due > now)
        continue;
      take_names (pending, folder, now, taken);
      if (taken->len > 0)
        path = g_strdup (folder->folder);
      if (g_hash_table_size (folder->names) == 0)
        g_hash_table_iter_remove (&iter);
      if (path != NULL)
        {
          *names = g_steal_pointer (&taken);
          return path;
        }
    }
  return NULL;
}
