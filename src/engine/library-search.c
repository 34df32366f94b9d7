/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Questions to the library: what matches, what is here, open this. Called on the owner's context;
 * the store answers on its thread, files are opened on a pool's. Only what lies in a folder that is
 * shared right now is told, whatever the index still remembers. */

#define G_LOG_DOMAIN "p2ps-library"

#include "config-build.h"
#include "engine/error.h"
#include "engine/library-private.h"
#include "engine/store-trees.h"

#include <glib/gi18n-lib.h>

void
p2ps_library_file_free (P2psLibraryFile *file)
{
  if (file == NULL)
    return;
  g_clear_pointer (&file->paths, g_ptr_array_unref);
  g_free (file->name);
  g_free (file);
}

void
p2ps_skipped_free (P2psSkipped *skipped)
{
  g_free (skipped->path);
  g_free (skipped->reason);
  g_free (skipped);
}

/* Returns: (transfer full) (nullable): NULL when none of its places is shared now */
static P2psLibraryFile *
library_file_new (P2psLibrary *self, GPtrArray *places)
{
  g_autoptr (P2psLibraryFile) file = g_new0 (P2psLibraryFile, 1);

  file->paths = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; self->shares != NULL && i < places->len; i++)
    {
      const P2psFileRow *row = places->pdata[i];

      if (p2ps_shares_find_root (self->shares, row->folder) == NULL)
        continue;
      if (file->paths->len == 0)
        {
          memcpy (file->filehash, row->filehash, sizeof file->filehash);
          memcpy (file->root, row->root, sizeof file->root);
          file->size = row->size;
          file->mtime_ns = row->mtime_ns;
          file->name = g_strdup (row->offered != NULL ? row->offered : row->name);
        }
      g_ptr_array_add (file->paths, g_build_filename (row->folder, row->name, NULL));
    }
  return file->paths->len > 0 ? g_steal_pointer (&file) : NULL;
}

static GPtrArray *
propagate_files (P2psLibrary *self, GAsyncResult *result, GError **error)
{
  g_autoptr (GPtrArray) contents = g_task_propagate_pointer (G_TASK (result), error);
  GPtrArray *files;

  if (contents == NULL)
    return NULL;
  files = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_library_file_free);
  for (guint i = 0; i < contents->len; i++)
    {
      P2psLibraryFile *file = library_file_new (self, contents->pdata[i]);

      if (file != NULL)
        g_ptr_array_add (files, file);
    }
  return files;
}

/* A query as it came over the wire: exact name OR hash, or words. At most `limit` files, best match
 * first. */
void
p2ps_library_lookup_async (P2psLibrary *library, const P2psQuery *query, guint limit,
                           GCancellable *cancellable, GAsyncReadyCallback callback,
                           gpointer user_data)
{
  GTask *task = g_task_new (library, cancellable, callback, user_data);
  P2psFileQuery *wanted = p2ps_file_query_new (query->filename, query->filehash, limit);

  wanted->words = query->words;
  g_task_set_source_tag (task, p2ps_library_lookup_async);
  g_task_set_task_data (task, wanted, (GDestroyNotify)p2ps_file_query_free);
  p2ps_store_run_lookup (library->store, task);
}

/* Returns: (transfer full): of P2psLibraryFile */
GPtrArray *
p2ps_library_lookup_finish (P2psLibrary *library, GAsyncResult *result, GError **error)
{
  return propagate_files (library, result, error);
}

/* A page of all files ordered by name, from `offset`. */
void
p2ps_library_list_async (P2psLibrary *library, guint offset, guint limit,
                         GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (library, NULL, callback, user_data);
  P2psFileQuery *wanted = p2ps_file_query_new (NULL, NULL, limit);

  wanted->offset = offset;
  g_task_set_source_tag (task, p2ps_library_list_async);
  g_task_set_task_data (task, wanted, (GDestroyNotify)p2ps_file_query_free);
  p2ps_store_run_page (library->store, task);
}

/* Returns: (transfer full): of P2psLibraryFile */
GPtrArray *
p2ps_library_list_finish (P2psLibrary *library, GAsyncResult *result, GError **error)
{
  return propagate_files (library, result, error);
}

/* Which of `hashes` (lower-case hex) are here. */
void
p2ps_library_have_async (P2psLibrary *library, const char *const *hashes,
                         GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (library, NULL, callback, user_data);

  g_task_set_source_tag (task, p2ps_library_have_async);
  g_task_set_task_data (task, g_strdupv ((char **)hashes), (GDestroyNotify)g_strfreev);
  p2ps_store_run_have (library->store, task);
}

/* Returns: (transfer full): a set of char* */
GHashTable *
p2ps_library_have_finish (P2psLibrary *library, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* `root` is lower-case hex. */
void
p2ps_library_layer_async (P2psLibrary *library, const char *root, GAsyncReadyCallback callback,
                          gpointer user_data)
{
  GTask *task = g_task_new (library, NULL, callback, user_data);

  g_task_set_source_tag (task, p2ps_library_layer_async);
  g_task_set_task_data (task, g_strdup (root), g_free);
  p2ps_store_run_layer (library->store, task);
}

/* Returns: (transfer full): P2PS_BINARY_HASH_SIZE bytes a chunk; or NULL: NOT_FOUND (also: the file
 *   has but one chunk, or its layer is too long to be served), or the store's errors */
GBytes *
p2ps_library_layer_finish (P2psLibrary *library, GAsyncResult *result, GError **error)
{
  g_autoptr (P2psLayer) found = g_task_propagate_pointer (G_TASK (result), error);

  for (guint i = 0; found != NULL && library->shares != NULL && i < found->folders->len; i++)
    if (p2ps_shares_find_root (library->shares, found->folders->pdata[i]) != NULL)
      return g_steal_pointer (&found->layer);
  if (found != NULL)
    g_set_error (error, P2PS_ERROR, P2PS_ERROR_NOT_FOUND, _ ("No such file is shared"));
  return NULL;
}

/* What was left out and why, at most `limit` of it. */
void
p2ps_library_list_skipped_async (P2psLibrary *library, guint limit, GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (library, NULL, callback, user_data);
  GPtrArray *list = library->scanner != NULL
                        ? p2ps_scanner_list_skipped (library->scanner, limit)
                        : g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_skipped_free);

  g_task_set_source_tag (task, p2ps_library_list_skipped_async);
  g_task_return_pointer (task, list, (GDestroyNotify)g_ptr_array_unref);
}

/* Returns: (transfer full): of P2psSkipped */
GPtrArray *
p2ps_library_list_skipped_finish (P2psLibrary *library, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* --- opening --- */

typedef struct
{
  P2psShares *shares;
  GPtrArray *places;
  GPtrArray *stale; /* of P2psFileRow in places: not what the index says */
} Opening;

static void
opening_free (gpointer data)
{
  Opening *opening = data;

  p2ps_shares_unref (opening->shares);
  g_ptr_array_unref (opening->places);
  g_ptr_array_unref (opening->stale);
  g_free (opening);
}

static P2psSharedFile *
open_place (const P2psShares *shares, const P2psFileRow *row, const char *root, GError **error)
{
  g_autoptr (P2psSharedFile) file = NULL;
  g_autofree char *path = g_build_filename (row->folder, row->name, NULL);
  const char *relative = path + strlen (root);

  while (*relative == '/')
    relative++;
  file = p2ps_shared_file_open_full (root, relative, shares->links, error);
  if (file == NULL)
    return NULL;
  if (file->size != row->size || file->mtime_ns != row->mtime_ns || file->inode != row->inode)
    {
      g_autofree char *display = g_filename_display_name (path);

      g_set_error (error, P2PS_ERROR, P2PS_ERROR_CHANGED, _ ("%s has changed"), display);
      return NULL;
    }
  g_free (file->name);
  file->name = g_strdup (row->offered != NULL ? row->offered : row->name);
  memcpy (file->filehash, row->filehash, sizeof file->filehash);
  return g_steal_pointer (&file);
}

/* On a pool's thread: the first place that still is what the index says. */
static void
open_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Opening *opening = data;
  g_autoptr (GError) error = NULL;
  P2psSharedFile *file = NULL;

  for (guint i = 0; file == NULL && i < opening->places->len; i++)
    {
      P2psFileRow *row = opening->places->pdata[i];
      const char *root = p2ps_shares_find_root (opening->shares, row->folder);

      if (root == NULL)
        continue;
      g_clear_error (&error);
      file = open_place (opening->shares, row, root, &error);
      if (file == NULL)
        g_ptr_array_add (opening->stale, row);
    }
  if (file != NULL)
    g_task_return_pointer (task, file, (GDestroyNotify)p2ps_shared_file_unref);
  else if (error != NULL)
    g_task_return_error (task, g_steal_pointer (&error));
  else
    g_task_return_new_error (task, P2PS_ERROR, P2PS_ERROR_NOT_FOUND, _ ("No such file is shared"));
}

static void
opened_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  P2psLibrary *self = P2PS_LIBRARY (object);
  g_autoptr (GTask) task = user_data;
  Opening *opening = g_task_get_task_data (G_TASK (result));
  g_autoptr (GError) error = NULL;
  P2psSharedFile *file = g_task_propagate_pointer (G_TASK (result), &error);

  for (guint i = 0; self->scanner != NULL && i < opening->stale->len; i++)
    {
      const P2psFileRow *row = opening->stale->pdata[i];

      p2ps_scanner_check (self->scanner, row->folder, row->name);
    }
  if (file != NULL)
    g_task_return_pointer (task, file, (GDestroyNotify)p2ps_shared_file_unref);
  else
    g_task_return_error (task, g_steal_pointer (&error));
}

static void
places_found_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  P2psLibrary *self = P2PS_LIBRARY (object);
  g_autoptr (GTask) task = user_data;
  g_autoptr (GTask) inner = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) places = g_task_propagate_pointer (G_TASK (result), &error);
  Opening *opening;

  if (places == NULL)
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  if (self->shares == NULL)
    {
      g_task_return_new_error (task, P2PS_ERROR, P2PS_ERROR_NOT_FOUND, _ ("Nothing is shared"));
      return;
    }
  opening = g_new0 (Opening, 1);
  opening->shares = p2ps_shares_ref (self->shares);
  opening->places = g_steal_pointer (&places);
  opening->stale = g_ptr_array_new ();
  inner = g_task_new (self, g_task_get_cancellable (task), opened_cb, g_object_ref (task));
  g_task_set_source_tag (inner, places_found_cb);
  g_task_set_task_data (inner, opening, opening_free);
  g_task_run_in_thread (inner, open_thread);
}

/* Opens what is offered under `name`, or the content `filehash`: exactly one of them is given. Of
 * several contents with the same name on the disk, `name` means the one that is offered under it;
 * the others are offered as "name (first digits of the hash).ext". */
void
p2ps_library_open_async (P2psLibrary *library, const char *name, const char *filehash,
                         GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer user_data)
{
  GTask *task = g_task_new (library, cancellable, callback, user_data);
  GTask *places = g_task_new (library, cancellable, places_found_cb, task);

  g_task_set_source_tag (task, p2ps_library_open_async);
  g_task_set_source_tag (places, p2ps_library_open_async);
  g_task_set_task_data (places, p2ps_file_query_new (name, filehash, 0),
                        (GDestroyNotify)p2ps_file_query_free);
  p2ps_store_run_places (library->store, places);
}

/* Returns: (transfer full): or NULL: NOT_FOUND (also: gone from the disk), CHANGED (it is being
 *   looked at again), FAILED (no permission), or the store's errors */
P2psSharedFile *
p2ps_library_open_finish (P2psLibrary *library, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
