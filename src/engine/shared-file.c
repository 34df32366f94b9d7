/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Opening a shared file safely, on any thread (it can wait on a disk: never on the main loop).
 * Refuses whatever leaves the shared folder ("..", absolute paths, symbolic links unless wanted)
 * and whatever is not a regular file; a FIFO or a device is never waited for. */

#include "engine/shared-file.h"

#include "core/limits.h"
#include "engine/error.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* No empty component, "." or "..". */
static gboolean
relative_is_safe (const char *relative)
{
  const char *part = relative;

  while (part != NULL)
    {
      gsize length = strcspn (part, "/");

      if (length == 0 || (length == 1 && part[0] == '.')
          || (length == 2 && part[0] == '.' && part[1] == '.'))
        return FALSE;
      part = part[length] == '/' ? part + length + 1 : NULL;
    }
  return TRUE;
}

/* Kernels before 5.6 and some sandboxes have no openat2: one component at a time then. */
static int
open_by_components (int folder_fd, const char *relative)
{
  g_auto (GStrv) parts = g_strsplit (relative, "/", -1);
  guint n = g_strv_length (parts);
  int at = folder_fd;
  int fd;

  for (guint i = 0; i + 1 < n; i++)
    {
      fd = openat (at, parts[i], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (at != folder_fd)
        close (at);
      if (fd < 0)
        return -1;
      at = fd;
    }
  fd = openat (at, parts[n - 1], FILE_FLAGS | O_NOFOLLOW);
  if (at != folder_fd)
    {
      int saved = errno;
      close (at);
      errno = saved;
    }
  return fd;
}

static int
open_beneath (int folder_fd, const char *relative)
{
  struct open_how how = {
    .flags = FILE_FLAGS | O_NOFOLLOW,
    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
  };
  static gboolean missing; /* only ever goes from FALSE to TRUE: a race costs one more try */
  int fd = -1;

  if (!g_atomic_int_get (&missing))
    {
      /* EAGAIN: something was renamed meanwhile and the kernel could not be sure. */
      for (int i = 0; i < 8; i++)
        {
          fd = (int)syscall (SYS_openat2, folder_fd, relative, &how, sizeof how);
          if (fd >= 0 || errno != EAGAIN)
            break;
        }
      if (fd >= 0 || (errno != ENOSYS && errno != EPERM && errno != EINVAL))
        return fd;
      g_atomic_int_set (&missing, TRUE);
    }
  return open_by_components (folder_fd, relative);
}

static void
set_error (GError **error, const char *path, int code)
{
  g_autofree char *display = g_filename_display_name (path);

  if (code == ENOENT || code == ENOTDIR || code == ELOOP || code == EXDEV)
    g_set_error (error, P2PS_ERROR, P2PS_ERROR_NOT_FOUND, "%s: %s", display, g_strerror (code));
  else
    g_set_error (error, P2PS_ERROR, P2PS_ERROR_FAILED, "%s: %s", display, g_strerror (code));
}

/* Opens `relative` beneath the open folder `folder_fd`, for many files in a row: without a name to
 * offer. With `follow_links` symbolic links are followed, also out of the folder: the user has
 * asked for just that.
 *
 * Returns: (transfer full): or NULL: NOT_FOUND, FAILED (no permission, not a regular file) */
P2psSharedFile *
p2ps_shared_file_open_at (int folder_fd, const char *relative, gboolean follow_links,
                          GError **error)
{
  g_autoptr (P2psSharedFile) file = NULL;
  struct stat info;

  if (!relative_is_safe (relative))
    {
      set_error (error, relative, ENOENT);
      return NULL;
    }
  file = g_new0 (P2psSharedFile, 1);
  g_atomic_ref_count_init (&file->refs);
  file->fd = follow_links ? openat (folder_fd, relative, FILE_FLAGS)
                          : open_beneath (folder_fd, relative);
  if (file->fd < 0)
    {
      set_error (error, relative, errno);
      return NULL;
    }
  if (fstat (file->fd, &info) != 0 || !S_ISREG (info.st_mode))
    {
      g_autofree char *display = g_filename_display_name (relative);
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_FAILED, "%s: not a regular file", display);
      return NULL;
    }
  file->size = info.st_size;
  file->mtime_ns = (gint64)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
  file->inode = info.st_ino;
  return g_steal_pointer (&file);
}

/* As p2ps_shared_file_open_at(), with a folder's path, and with a name to offer. */
P2psSharedFile *
p2ps_shared_file_open_full (const char *folder, const char *relative, gboolean follow_links,
                            GError **error)
{
  int folder_fd = open (folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  P2psSharedFile *file;

  if (folder_fd < 0)
    {
      set_error (error, folder, errno);
      return NULL;
    }
  file = p2ps_shared_file_open_at (folder_fd, relative, follow_links, error);
  close (folder_fd);
  if (file != NULL)
    {
      const char *slash = strrchr (relative, '/');
      file->name = p2ps_shared_file_name_for_offer (slash != NULL ? slash + 1 : relative);
    }
  return file;
}

/* Opens `relative` beneath `folder` (both in the file system's encoding). No link is followed on
 * the way. filehash is left empty: the caller knows it, or not.
 *
 * Returns: (transfer full): or NULL: NOT_FOUND, FAILED (no permission, not a regular file) */
P2psSharedFile *
p2ps_shared_file_open (const char *folder, const char *relative, GError **error)
{
  return p2ps_shared_file_open_full (folder, relative, FALSE, error);
}

P2psSharedFile *
p2ps_shared_file_ref (P2psSharedFile *file)
{
  g_atomic_ref_count_inc (&file->refs);
  return file;
}

void
p2ps_shared_file_unref (P2psSharedFile *file)
{
  if (!g_atomic_ref_count_dec (&file->refs))
    return;
  if (file->fd >= 0)
    close (file->fd);
  g_free (file->name);
  g_free (file);
}

/* Whether the open file still is what it was when it was opened. One system call on the inode,
 * which is in memory: cheap enough to ask between two chunks. */
gboolean
p2ps_shared_file_is_unchanged (P2psSharedFile *file)
{
  struct stat info;

  return fstat (file->fd, &info) == 0 && info.st_size == file->size
         && (gint64)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec == file->mtime_ns
         && info.st_ino == file->inode;
}

/* What nearly all names are: nothing in them to be changed. */
static gboolean
is_plain (const char *bytes)
{
  const char *p = bytes;

  while (*p > ' ' && *p < 0x7f)
    p++;
  while (*p >= ' ' && *p < 0x7f && *p != '\\' && *p != '/')
    p++;
  return *p == '\0' && p > bytes && p - bytes <= P2PS_MAX_FILENAME && bytes[0] != '.'
         && bytes[0] != ' ';
}

/* A name that peers may see is offered as it is: a classic peer asks for the exact bytes. Others
 * are made readable: a byte that is no UTF-8 becomes "%XX", and what a peer would strip for display
 * (controls, line ends, leading dots, more than 255 bytes) is stripped here already, so that a hit
 * and a download name the same thing. The index settles clashes.
 *
 * Returns: (transfer full): valid UTF-8, one path segment, not "" */
char *
p2ps_shared_file_name_for_offer (const char *bytes)
{
  g_autoptr (GString) escaped = NULL;
  const char *rest = bytes;
  const char *end;
  char *name;

  if (is_plain (bytes))
    return g_strdup (bytes);
  escaped = g_string_new (NULL);
  while (!g_utf8_validate (rest, -1, &end))
    {
      g_string_append_len (escaped, rest, end - rest);
      g_string_append_printf (escaped, "%%%02X", (guint8)*end);
      rest = end + 1;
    }
  g_string_append (escaped, rest);
  name = p2ps_name_for_display (escaped->str);
  if (name[0] == '\0')
    {
      g_free (name);
      name = g_strdup ("unnamed");
    }
  return name;
}
