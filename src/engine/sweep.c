/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The walk over the shared folders: readdir and stat, nothing is opened but folders, and nothing is
 * written when nothing has changed. Runs on the scanner's thread and holds the names of one folder
 * at a time. Leaves out hidden names and links (unless wanted), part files, and whatever is not a
 * regular file; a folder that it meets twice (nested shares, links, bind mounts) counts once. */

#define G_LOG_DOMAIN "p2ps-library"

#include "engine/sweep.h"
#include "config-build.h"

#include "engine/hasher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_CHANGE 500 /* changes in one transaction */

typedef struct
{
  gint64 size;
  gint64 mtime_ns;
  guint64 inode;
  gsize name; /* offset into names */
} Entry;

/* One folder as it is on the disk. */
typedef struct
{
  GArray *entries; /* of Entry: regular files */
  GByteArray *names;
  guint n_all; /* everything but "." and ".." */
} Listing;

typedef struct
{
  dev_t device;
  ino_t inode;
} FolderId;

typedef struct
{
  const P2psSweepSetup *setup;
  GHashTable *known;   /* path -> P2psKnownFolder */
  GHashTable *visited; /* set of FolderId */
  GQueue folders;      /* of reference strings: to be read */
  GQueue linked;       /* the same, behind symbolic links: after all others */
  P2psIndexChange *change;
  gboolean ended;
} Sweep;

static guint
folder_id_hash (gconstpointer key)
{
  const FolderId *id = key;

  return (guint)(id->inode * 31 + id->device);
}

static gboolean
folder_id_equal (gconstpointer a, gconstpointer b)
{
  const FolderId *x = a;
  const FolderId *y = b;

  return x->device == y->device && x->inode == y->inode;
}

static gint64
mtime_of (const struct stat *info)
{
  return (gint64)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec;
}

/* --- changes --- */

static gboolean
apply (Sweep *self, GError **error)
{
  g_autoptr (P2psIndexChange) change = g_steal_pointer (&self->change);

  self->change = p2ps_index_change_new ();
  if (p2ps_index_change_get_size (change) == 0)
    return TRUE;
  if (!p2ps_store_apply (self->setup->store, change, error))
    return FALSE;
  self->setup->funcs->changed (change, self->setup->user_data);
  return TRUE;
}

static gboolean
apply_if_many (Sweep *self, GError **error)
{
  return p2ps_index_change_get_size (self->change) < MAX_CHANGE || apply (self, error);
}

/* --- one folder --- */

static void
listing_free (Listing *listing)
{
  g_array_unref (listing->entries);
  g_byte_array_unref (listing->names);
  g_free (listing);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Listing, listing_free)

static Listing *
listing_new (void)
{
  Listing *listing = g_new0 (Listing, 1);

  listing->entries = g_array_new (FALSE, FALSE, sizeof (Entry));
  listing->names = g_byte_array_new ();
  return listing;
}

static const char *
entry_name (const Listing *listing, const Entry *entry)
{
  return (const char *)listing->names->data + entry->name;
}

static gint
compare_entries (gconstpointer a, gconstpointer b, gpointer data)
{
  return strcmp ((const char *)data + ((const Entry *)a)->name,
                 (const char *)data + ((const Entry *)b)->name);
}

static void
add_entry (Listing *listing, const char *name, const struct stat *info)
{
  Entry entry = { .size = info->st_size,
                  .mtime_ns = mtime_of (info),
                  .inode = info->st_ino,
                  .name = listing->names->len };

  g_byte_array_append (listing->names, (const guint8 *)name, (guint)strlen (name) + 1);
  g_array_append_val (listing->entries, entry);
}

static void
queue_folder (Sweep *self, GQueue *queue, const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  g_queue_push_tail (queue, g_ref_string_new (path));
}

/* Looks at one name of an open folder. `listing` gets it if it is a file to share. */
static void
look_at (Sweep *self, int fd, const char *folder, const char *name, guchar type, Listing *listing)
{
  const P2psSweepSetup *setup = self->setup;
  gboolean linked = FALSE;
  struct stat info;

  if (!p2ps_shares_takes_name (setup->shares, name) || (type == DT_LNK && !setup->shares->links))
    return;
  if (type == DT_DIR)
    {
      queue_folder (self, &self->folders, folder, name);
      return;
    }
  if (fstatat (fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
    {
      if (errno != ENOENT) /* gone meanwhile */
        setup->funcs->skipped (folder, name, g_strerror (errno), setup->user_data);
      return;
    }
  if (S_ISLNK (info.st_mode))
    {
      if (!setup->shares->links)
        return;
      linked = TRUE;
      if (fstatat (fd, name, &info, 0) != 0)
        {
          setup->funcs->skipped (folder, name, g_strerror (errno), setup->user_data);
          return;
        }
    }
  if (S_ISDIR (info.st_mode))
    queue_folder (self, linked ? &self->linked : &self->folders, folder, name);
  else if (S_ISREG (info.st_mode))
    add_entry (listing, name, &info);
  else
    setup->funcs->skipped (folder, name, _ ("Not a regular file"), setup->user_data);
}

/* Takes `fd`. Returns: (transfer full): or NULL with errno set */
static Listing *
read_folder (Sweep *self, int fd, const char *folder)
{
  g_autoptr (Listing) listing = listing_new ();
  DIR *dir = fdopendir (fd);
  const struct dirent *entry;
  int code;

  if (dir == NULL)
    {
      close (fd);
      return NULL;
    }
  for (errno = 0; (entry = readdir (dir)) != NULL; errno = 0)
    if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
      {
        listing->n_all++;
        look_at (self, dirfd (dir), folder, entry->d_name, entry->d_type, listing);
      }
  code = errno;
  closedir (dir);
  if (code != 0)
    {
      errno = code;
      return NULL;
    }
  g_array_sort_with_data (listing->entries, compare_entries, listing->names->data);
  return g_steal_pointer (&listing);
}

static gboolean
is_same (const Entry *entry, const P2psKnownFile *known)
{
  return entry->size == known->size && entry->mtime_ns == known->mtime_ns
         && entry->inode == known->inode;
}

static void
want (Sweep *self, const char *root, const char *folder, const char *name, const Entry *entry)
{
  const P2psSweepSetup *setup = self->setup;
  gint64 due = p2ps_hasher_settles_at (entry->mtime_ns, setup->settle_ms);

  if (due != 0)
    setup->funcs->unsettled (folder, name, due, setup->user_data);
  else
    setup->funcs->wanted (root, folder, name, entry->size, setup->user_data);
}

/* Both are ordered by name: one pass finds what is new, changed and gone. */
static void
compare (Sweep *self, const char *root, const char *folder, const Listing *listing,
         const P2psKnownFiles *known)
{
  guint i = 0;
  guint j = 0;
  guint n_known = known != NULL ? known->files->len : 0;

  while (i < listing->entries->len || j < n_known)
    {
      const Entry *entry
          = i < listing->entries->len ? &g_array_index (listing->entries, Entry, i) : NULL;
      const P2psKnownFile *file
          = j < n_known ? &g_array_index (known->files, P2psKnownFile, j) : NULL;
      const char *name = entry != NULL ? entry_name (listing, entry) : NULL;
      int order = entry == NULL  ? 1
                  : file == NULL ? -1
                                 : strcmp (name, (const char *)known->names->data + file->name);

      /* A changed file goes from the index at once: its old hash is not offered any more. */
      if (order > 0 || (order == 0 && !is_same (entry, file)))
        g_array_append_val (self->change->removed, file->id);
      if (order < 0 || (order == 0 && !is_same (entry, file)))
        want (self, root, folder, name, entry);
      i += order <= 0;
      j += order >= 0;
    }
}

/* Returns: FALSE when the store failed */
static gboolean
sweep_listing (Sweep *self, const char *root, const char *folder, const Listing *listing,
               GError **error)
{
  P2psKnownFolder *known_folder = g_hash_table_lookup (self->known, folder);
  g_autoptr (P2psKnownFiles) known = NULL;

  if (known_folder == NULL)
    {
      compare (self, root, folder, listing, NULL);
      return TRUE;
    }
  known = p2ps_store_list_files (self->setup->store, known_folder->id, error);
  if (known == NULL)
    return FALSE;
  /* All of it gone at once is what an unmounted disk looks like: nothing is forgotten yet. */
  if (listing->n_all == 0 && known->files->len > 0)
    return TRUE;
  known_folder->seen = TRUE;
  if (known_folder->gone)
    g_array_append_val (self->change->back, known_folder->id);
  known_folder->gone = FALSE;
  compare (self, root, folder, listing, known);
  return apply_if_many (self, error);
}

static void
report_unreadable (Sweep *self, const char *folder, gboolean is_root)
{
  const char *reason = g_strerror (errno);
  g_autofree char *parent = NULL;
  g_autofree char *name = NULL;

  if (is_root)
    self->setup->funcs->missing (folder, reason, self->setup->user_data);
  if (is_root || errno == ENOENT)
    return;
  parent = g_path_get_dirname (folder);
  name = g_path_get_basename (folder);
  self->setup->funcs->skipped (parent, name, reason, self->setup->user_data);
}

/* Whether the folder is met for the first time in this sweep. */
static gboolean
visit (Sweep *self, int fd)
{
  struct stat info;
  FolderId id;

  if (fstat (fd, &info) != 0)
    return FALSE;
  id = (FolderId){ .device = info.st_dev, .inode = info.st_ino };
  return g_hash_table_add (self->visited, g_memdup2 (&id, sizeof id));
}

static gboolean
sweep_folder (Sweep *self, const char *root, const char *folder, GError **error)
{
  gboolean is_root = strcmp (folder, root) == 0;
  int no_follow = is_root || self->setup->shares->links ? 0 : O_NOFOLLOW;
  int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | no_follow);
  g_autoptr (Listing) listing = NULL;

  if (fd < 0)
    {
      report_unreadable (self, folder, is_root);
      return TRUE;
    }
  if (!visit (self, fd))
    {
      close (fd);
      return TRUE;
    }
  if (!self->setup->funcs->entered (folder, self->setup->user_data))
    {
      self->ended = TRUE;
      close (fd);
      return TRUE;
    }
  listing = read_folder (self, fd, folder);
  if (listing == NULL)
    {
      report_unreadable (self, folder, is_root);
      return TRUE;
    }
  return sweep_listing (self, root, folder, listing, error);
}

/* --- all of it --- */

static gboolean
sweep_queue (Sweep *self, const char *root, GError **error)
{
  gboolean ok = TRUE;

  while (ok && !self->ended)
    {
      char *folder = g_queue_pop_head (&self->folders);

      if (folder == NULL)
        folder = g_queue_pop_head (&self->linked);
      if (folder == NULL)
        break;
      ok = sweep_folder (self, root, folder, error);
      g_ref_string_release (folder);
    }
  return ok;
}

static void
sweep_init (Sweep *self, const P2psSweepSetup *setup)
{
  *self = (Sweep){ .setup = setup };
  g_queue_init (&self->folders);
  g_queue_init (&self->linked);
  self->visited = g_hash_table_new_full (folder_id_hash, folder_id_equal, g_free, NULL);
  self->change = p2ps_index_change_new ();
}

static void
sweep_clear (Sweep *self)
{
  g_queue_clear_full (&self->folders, (GDestroyNotify)g_ref_string_release);
  g_queue_clear_full (&self->linked, (GDestroyNotify)g_ref_string_release);
  g_clear_pointer (&self->visited, g_hash_table_unref);
  g_clear_pointer (&self->known, g_hash_table_unref);
  g_clear_pointer (&self->change, p2ps_index_change_free);
}

/* What the sweep did not come by is not offered until it is back. */
static void
mark_gone (Sweep *self)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->known);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      P2psKnownFolder *folder = value;

      if (!folder->seen && !folder->gone)
        g_array_append_val (self->change->gone, folder->id);
    }
}

static gboolean
is_link (const char *path)
{
  struct stat info;

  return lstat (path, &info) == 0 && S_ISLNK (info.st_mode);
}

/* Sweeps every shared folder.
 *
 * Returns: FALSE when the store failed: nothing is lost, the next sweep finds the same */
gboolean
p2ps_sweep_all (const P2psSweepSetup *setup, GError **error)
{
  Sweep self;
  gboolean ok;

  sweep_init (&self, setup);
  self.known = p2ps_store_list_folders (setup->store, error);
  ok = self.known != NULL;
  /* Real folders first: what is also reached through a link keeps its real path. */
  for (int linked = 0; linked < 2; linked++)
    for (guint i = 0; ok && !self.ended && i < setup->shares->roots->len; i++)
      {
        char *root = setup->shares->roots->pdata[i];

        if (is_link (root) != linked)
          continue;
        g_queue_push_tail (&self.folders, g_ref_string_acquire (root));
        ok = sweep_queue (&self, root, error);
      }
  if (ok && !self.ended)
    mark_gone (&self);
  ok = ok && apply (&self, error);
  sweep_clear (&self);
  return ok;
}

/* Sweeps one folder and what is below it, as far as it is shared. */
gboolean
p2ps_sweep_tree (const P2psSweepSetup *setup, const char *folder, GError **error)
{
  const char *root = p2ps_shares_find_root (setup->shares, folder);
  Sweep self;
  gboolean ok;

  if (root == NULL)
    return TRUE;
  sweep_init (&self, setup);
  self.known = p2ps_store_list_folders (setup->store, error);
  g_queue_push_tail (&self.folders, g_ref_string_new (folder));
  ok = self.known != NULL && sweep_queue (&self, root, error) && apply (&self, error);
  sweep_clear (&self);
  return ok;
}

static gboolean
look_at_name (Sweep *self, int fd, const char *root, const char *folder,
              const P2psKnownFolder *known_folder, const char *name, GError **error)
{
  g_autoptr (Listing) listing = listing_new ();
  g_autoptr (P2psKnownFiles) known = NULL;

  look_at (self, fd, folder, name, DT_UNKNOWN, listing);
  if (known_folder->id != 0)
    {
      known = p2ps_store_find_file (self->setup->store, known_folder->id, name, error);
      if (known == NULL)
        return FALSE;
    }
  compare (self, root, folder, listing, known);
  return apply_if_many (self, error);
}

/* Looks at some names of one folder again; a folder among them is swept with all below it. */
gboolean
p2ps_sweep_names (const P2psSweepSetup *setup, const char *folder, GPtrArray *names, GError **error)
{
  const char *root = p2ps_shares_find_root (setup->shares, folder);
  P2psKnownFolder known_folder = { 0 };
  g_autoptr (GRefString) shared_folder = g_ref_string_new (folder);
  Sweep self;
  gboolean ok;
  int fd;

  if (root == NULL)
    return TRUE;
  fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return TRUE; /* the next sweep says what became of it */
  sweep_init (&self, setup);
  ok = p2ps_store_find_folder (setup->store, folder, &known_folder, error);
  for (guint i = 0; ok && i < names->len; i++)
    ok = look_at_name (&self, fd, root, shared_folder, &known_folder, names->pdata[i], error);
  close (fd);
  if (ok && (!g_queue_is_empty (&self.folders) || !g_queue_is_empty (&self.linked)))
    {
      self.known = p2ps_store_list_folders (setup->store, error);
      ok = self.known != NULL && sweep_queue (&self, root, error);
    }
  ok = ok && apply (&self, error);
  sweep_clear (&self);
  return ok;
}
