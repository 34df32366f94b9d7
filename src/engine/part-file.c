/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Owns the descriptor, the length and the running SHA-256 of one unfinished download. Runs on
 * download workers only, since all of it waits on the disk. Refuses to put anything under a
 * finished name that is not verified, and to replace a file that is there.
 *
 * The order that makes it safe to be killed at any moment: bytes go to the part file; when the hash
 * is right the part file is synced, then renamed without replacing, then the folder is synced, then
 * the owner records it. Whatever is found under a finished name was verified; after a kill between
 * the rename and the record find_finished() knows the file by its hash. */

#define G_LOG_DOMAIN "p2ps-part-file"

#include "engine/part-file.h"

#include "config-build.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/limits.h"
#include "engine/digest.h"
#include "engine/error.h"

#define READ_SIZE (1024 * 1024)
#define WRITE_BACK_STEP (8 * 1024 * 1024)
#define MAX_NUMBER 1000 /* "name (1000).ext" */

struct _P2psPartFile
{
  char *folder;
  char *path;
  char filehash[P2PS_HASH_SIZE];
  int fd; /* -1 until the first byte is expected */
  gint64 length;
  gint64 written_back; /* how far the disk was told to begin writing */
  P2psDigest *digest;  /* over all of `length`, once the hashing thread has caught up */
  P2psAddress source;  /* that gave every byte; unset: several did, or an earlier process */
  gboolean mixed;
};

/* Sets `error` from errno, in words that say what a person can do. */
static void
set_error_from_errno (GError **error, int code, const char *what, const char *path)
{
  g_autofree char *name = g_filename_display_name (path);
  g_autofree char *folder = g_path_get_dirname (name);

  if (code == ENOSPC || code == EDQUOT || code == EFBIG)
    g_set_error (error, P2PS_ERROR, P2PS_ERROR_NO_SPACE, _ ("The disk of %s is full"), folder);
  else if (code == EWOULDBLOCK)
    g_set_error (error, P2PS_ERROR, P2PS_ERROR_BUSY, _ ("Another program is downloading %s"), name);
  else
    g_set_error (error, P2PS_ERROR, P2PS_ERROR_FOLDER, "%s %s: %s", what, name, g_strerror (code));
}

static char *
get_part_path (const char *folder, const char *filehash)
{
  g_autofree char *name = g_strconcat (".", filehash, P2PS_PART_SUFFIX, NULL);

  return g_build_filename (folder, name, NULL);
}

/* Reads [0, length) of `fd` into `digest`. FALSE: cancelled, or it could not be read to the end. */
static gboolean
hash_descriptor (int fd, gint64 length, P2psDigest *digest, P2psPartProgress progress,
                 gpointer user_data, GCancellable *cancellable)
{
  g_autofree char *buffer = g_malloc (READ_SIZE);
  gint64 offset = 0;

  posix_fadvise (fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  while (offset < length)
    {
      ssize_t n = pread (fd, buffer, MIN (READ_SIZE, length - offset), offset);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0 || g_cancellable_is_cancelled (cancellable))
        return FALSE;
      p2ps_digest_update (digest, buffer, n);
      offset += n;
      if (progress != NULL)
        progress (offset, user_data);
    }
  return TRUE;
}

/* Makes the folder when it isn't there: all of the way below the home folder, else only its last
 * part, so that a disk that is not mounted isn't replaced by a folder of the same name. */
static gboolean
ensure_folder (const char *folder, GError **error)
{
  struct stat info;

  if (stat (folder, &info) == 0 && S_ISDIR (info.st_mode))
    return TRUE;
  if (g_str_has_prefix (folder, g_get_home_dir ()) ? g_mkdir_with_parents (folder, 0755) == 0
                                                   : mkdir (folder, 0755) == 0)
    return TRUE;
  set_error_from_errno (error, errno, _ ("Can't use the folder"), folder);
  return FALSE;
}

/* Takes up an existing part file: opens, locks and hashes it. TRUE also when there is none. */
static gboolean
take_up (P2psPartFile *part, gint64 size, P2psPartProgress progress, gpointer user_data,
         GCancellable *cancellable, GError **error)
{
  struct stat info;

  part->fd = open (part->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (part->fd < 0 && errno == ENOENT)
    return TRUE;
  if (part->fd < 0 || fstat (part->fd, &info) < 0 || flock (part->fd, LOCK_EX | LOCK_NB) < 0)
    {
      set_error_from_errno (error, errno, _ ("Can't open"), part->path);
      return FALSE;
    }
  if (!S_ISREG (info.st_mode))
    {
      set_error_from_errno (error, EEXIST, _ ("Can't open"), part->path);
      return FALSE;
    }
  if (info.st_size == 0 || (size >= 0 && info.st_size > size))
    return p2ps_part_file_restart (part, error);
  part->mixed = TRUE;
  part->length = part->written_back = info.st_size;
  if (hash_descriptor (part->fd, part->length, part->digest, progress, user_data, cancellable))
    return TRUE;
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  return p2ps_part_file_restart (part, error);
}

/**
 * p2ps_part_file_open:
 * @folder: file system encoding; made when it isn't there
 * @size: of the whole file, -1 = unknown; a longer part file is emptied
 *
 * Takes up what an earlier process left, hashing all of it, since the state of a hash can't be
 * stored. Makes no file.
 */
P2psPartFile *
p2ps_part_file_open (const char *folder, const char *filehash, gint64 size,
                     P2psPartProgress progress, gpointer user_data, GCancellable *cancellable,
                     GError **error)
{
  g_autoptr (P2psPartFile) part = g_new0 (P2psPartFile, 1);

  part->fd = -1;
  part->folder = g_strdup (folder);
  part->path = get_part_path (folder, filehash);
  part->digest = p2ps_digest_new ();
  g_strlcpy (part->filehash, filehash, sizeof part->filehash);
  if (!ensure_folder (folder, error)
      || !take_up (part, size, progress, user_data, cancellable, error))
    return NULL;
  return g_steal_pointer (&part);
}

void
p2ps_part_file_free (P2psPartFile *part)
{
  if (part == NULL)
    return;
  if (part->fd >= 0)
    close (part->fd);
  g_clear_pointer (&part->digest, p2ps_digest_free);
  g_free (part->path);
  g_free (part->folder);
  g_free (part);
}

gint64
p2ps_part_file_get_length (P2psPartFile *part)
{
  return part->length;
}

/**
 * p2ps_part_file_reserve:
 * @size: of the whole file, -1 = unknown
 *
 * Makes the file when it isn't there and reserves room for all of it, so that a disk is found to be
 * full before anything is fetched. The length of the file stays what was written.
 */
gboolean
p2ps_part_file_reserve (P2psPartFile *part, gint64 size, GError **error)
{
  if (part->fd < 0)
    {
      part->fd = open (part->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
      if (part->fd < 0 || flock (part->fd, LOCK_EX | LOCK_NB) < 0)
        {
          set_error_from_errno (error, errno, _ ("Can't make"), part->path);
          return FALSE;
        }
    }
  if (size <= part->length)
    return TRUE;
  while (fallocate (part->fd, FALLOC_FL_KEEP_SIZE, 0, size) < 0)
    {
      if (errno == EINTR)
        continue;
      if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
        {
          set_error_from_errno (error, errno, _ ("Can't make"), part->path);
          return FALSE;
        }
      break; /* a file system that can't reserve: writing tells */
    }
  return TRUE;
}

/**
 * p2ps_part_file_write:
 *
 * Appends. What failed halfway is cut off again, so that the length stays what was hashed.
 */
gboolean
p2ps_part_file_write (P2psPartFile *part, const void *data, gsize length, GError **error)
{
  gsize done = 0;

  while (done < length)
    {
      ssize_t n = pwrite (part->fd, (const char *)data + done, length - done, part->length + done);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        {
          set_error_from_errno (error, n < 0 ? errno : ENOSPC, _ ("Can't write"), part->path);
          if (ftruncate (part->fd, part->length) < 0)
            g_debug ("Can't cut %s: %s", part->path, g_strerror (errno));
          return FALSE;
        }
      done += n;
    }
  part->length += length;
  /* Begin to write early: then the fsync at the end has little left to wait for. */
  if (part->length - part->written_back >= WRITE_BACK_STEP)
    {
      sync_file_range (part->fd, part->written_back, part->length - part->written_back,
                       SYNC_FILE_RANGE_WRITE);
      part->written_back = part->length;
    }
  return TRUE;
}

/**
 * p2ps_part_file_hash:
 *
 * Goes on hashing; the same bytes in the same order as p2ps_part_file_write(). May run on another
 * thread than the writing, which is what makes a fast transfer fast.
 */
void
p2ps_part_file_hash (P2psPartFile *part, const void *data, gsize length)
{
  p2ps_digest_update (part->digest, data, length);
}

/**
 * p2ps_part_file_verify:
 *
 * Ends the hash. Returns: whether all bytes together are the file that was asked for. When not,
 * only p2ps_part_file_restart() makes the part usable again.
 */
gboolean
p2ps_part_file_verify (P2psPartFile *part)
{
  char hash[P2PS_HASH_SIZE];

  p2ps_digest_finish (part->digest, hash);
  return strcmp (hash, part->filehash) == 0;
}

/**
 * p2ps_part_file_restart:
 *
 * Forgets all bytes: they were wrong, or not to be trusted together.
 */
gboolean
p2ps_part_file_restart (P2psPartFile *part, GError **error)
{
  g_clear_pointer (&part->digest, p2ps_digest_free);
  part->digest = p2ps_digest_new ();
  part->length = part->written_back = 0;
  part->mixed = FALSE;
  memset (&part->source, 0, sizeof part->source);
  if (part->fd >= 0 && ftruncate (part->fd, 0) < 0)
    {
      set_error_from_errno (error, errno, _ ("Can't empty"), part->path);
      return FALSE;
    }
  return TRUE;
}

/**
 * p2ps_part_file_mark_source:
 *
 * `source` is about to give bytes.
 */
void
p2ps_part_file_mark_source (P2psPartFile *part, const P2psAddress *source)
{
  if (part->length == 0)
    {
      part->source = *source;
      part->mixed = FALSE;
    }
  else if (!p2ps_address_equal (&part->source, source))
    part->mixed = TRUE;
}

gboolean
p2ps_part_file_is_all_from (P2psPartFile *part, const P2psAddress *source)
{
  return !part->mixed && p2ps_address_equal (&part->source, source);
}

/**
 * p2ps_part_file_number_name:
 * @name: safe for the disk
 * @number: 1 = the name itself
 *
 * Returns: "name (2).ext", at most 255 bytes. The number stands before the extension, also before
 * the two of a .tar.gz.
 */
char *
p2ps_part_file_number_name (const char *name, guint number)
{
  const char *dot = strrchr (name, '.');
  gsize stem
      = dot == NULL || dot == name || strlen (dot) > 16 ? strlen (name) : (gsize)(dot - name);
  const char *extension;
  g_autofree char *suffix = NULL;

  if (number < 2)
    return g_strdup (name);
  if (stem > 4 && g_str_has_prefix (name + stem - 4, ".tar"))
    stem -= 4;
  extension = name + stem;
  suffix = g_strdup_printf (" (%u)", number);
  while (stem > 1 && stem + strlen (suffix) + strlen (extension) > P2PS_MAX_FILENAME)
    {
      stem--;
      while (stem > 1 && (name[stem] & 0xc0) == 0x80) /* not within a character */
        stem--;
    }
  return g_strdup_printf ("%.*s%s%s", (int)stem, name, suffix, extension);
}

/* Renames without replacing; where the file system can't, a hard link does the same, and where it
 * has no links either, a new empty file holds the name. Returns 0 or an errno. */
static int
rename_without_replacing (const char *from, const char *to)
{
  int fd;

  if (renameat2 (AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
    return errno;
  if (link (from, to) == 0)
    {
      unlink (from);
      return 0;
    }
  if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
    return errno;
  fd = open (to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd < 0)
    return errno;
  close (fd);
  return rename (from, to) == 0 ? 0 : errno;
}

static gboolean
sync_folder (const char *folder)
{
  int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  gboolean synced;

  if (fd < 0)
    return FALSE;
  synced = fsync (fd) == 0;
  close (fd);
  return synced;
}

/**
 * p2ps_part_file_finish:
 * @name: safe for the disk, without separators
 *
 * To be called once p2ps_part_file_verify() said yes: syncs, and gives the file its name, numbered
 * when that is taken.
 *
 * Returns: (transfer full) (nullable): the path
 */
char *
p2ps_part_file_finish (P2psPartFile *part, const char *name, GCancellable *cancellable,
                       GError **error)
{
  int code = EEXIST;

  while (fsync (part->fd) < 0)
    if (errno != EINTR)
      {
        set_error_from_errno (error, errno, _ ("Can't write"), part->path);
        return NULL;
      }
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return NULL;
  for (guint number = 1; number <= MAX_NUMBER && code == EEXIST; number++)
    {
      g_autofree char *numbered = p2ps_part_file_number_name (name, number);
      g_autofree char *path = g_build_filename (part->folder, numbered, NULL);

      code = rename_without_replacing (part->path, path);
      if (code == 0)
        {
          sync_folder (part->folder);
          return g_steal_pointer (&path);
        }
    }
  set_error_from_errno (error, code, _ ("Can't rename"), part->path);
  return NULL;
}

/**
 * p2ps_part_file_remove:
 *
 * Deletes what an abandoned download left. Only that: nothing under a finished name.
 */
void
p2ps_part_file_remove (const char *folder, const char *filehash)
{
  g_autofree char *path = get_part_path (folder, filehash);

  unlink (path);
}

/* Whether `path` is a file with this content. */
static gboolean
is_file_with_hash (int fd, gint64 length, const char *filehash, GCancellable *cancellable)
{
  g_autoptr (P2psDigest) digest = p2ps_digest_new ();
  char hash[P2PS_HASH_SIZE];

  if (!hash_descriptor (fd, length, digest, NULL, NULL, cancellable))
    return FALSE;
  p2ps_digest_finish (digest, hash);
  return strcmp (hash, filehash) == 0;
}

/**
 * p2ps_part_file_find_finished:
 * @size: (inout): -1 = unknown; then that of the file that was found
 *
 * Looks whether the file is in its folder already, under its name or a numbered one: put there by
 * the user, or by us just before we were killed.
 *
 * Returns: (transfer full) (nullable): its path
 */
char *
p2ps_part_file_find_finished (const char *folder, const char *name, const char *filehash,
                              gint64 *size, GCancellable *cancellable)
{
  for (guint number = 1; number <= MAX_NUMBER; number++)
    {
      g_autofree char *numbered = p2ps_part_file_number_name (name, number);
      g_autofree char *path = g_build_filename (folder, numbered, NULL);
      struct stat info;
      gboolean found;
      int fd;

      if (g_cancellable_is_cancelled (cancellable) || lstat (path, &info) < 0)
        return NULL;
      if (!S_ISREG (info.st_mode) || (*size >= 0 && info.st_size != *size))
        continue;
      fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
      if (fd < 0)
        continue;
      found = is_file_with_hash (fd, info.st_size, filehash, cancellable);
      close (fd);
      if (found)
        {
          *size = info.st_size;
          return g_steal_pointer (&path);
        }
    }
  return NULL;
}

/**
 * p2ps_folder_get_free_bytes:
 *
 * Returns: what may still be written in the file system of `folder`; G_MAXINT64 when it doesn't say
 */
gint64
p2ps_folder_get_free_bytes (const char *folder)
{
  struct statvfs info;

  if (statvfs (folder, &info) < 0)
    return G_MAXINT64;
  if (info.f_frsize != 0 && info.f_bavail > (guint64)G_MAXINT64 / info.f_frsize)
    return G_MAXINT64;
  return (gint64)info.f_bavail * info.f_frsize;
}
