/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The shared folders and the rules of what is left out; plain values, any thread. */

#include "engine/shares.h"

#include "engine/part-file.h"

#include <string.h>

static gint
compare_roots (gconstpointer a, gconstpointer b)
{
  const char *x = *(const char *const *)a;
  const char *y = *(const char *const *)b;
  gsize m = strlen (x);
  gsize n = strlen (y);

  return m != n ? (m > n) - (m < n) : strcmp (x, y);
}

/* `folders` of char*, absolute; written twice or with "." and ".." they still count once.
 *
 * Returns: (transfer full): */
P2psShares *
p2ps_shares_new (GPtrArray *folders, gboolean hidden, gboolean links)
{
  P2psShares *shares = g_new0 (P2psShares, 1);

  g_atomic_ref_count_init (&shares->refs);
  shares->roots = g_ptr_array_new_with_free_func ((GDestroyNotify)g_ref_string_release);
  shares->hidden = hidden;
  shares->links = links;
  for (guint i = 0; folders != NULL && i < folders->len; i++)
    {
      g_autofree char *path = g_canonicalize_filename (g_ptr_array_index (folders, i), "/");

      if (!g_ptr_array_find_with_equal_func (shares->roots, path, g_str_equal, NULL))
        g_ptr_array_add (shares->roots, g_ref_string_new (path));
    }
  g_ptr_array_sort (shares->roots, compare_roots);
  return shares;
}

P2psShares *
p2ps_shares_ref (P2psShares *shares)
{
  g_atomic_ref_count_inc (&shares->refs);
  return shares;
}

void
p2ps_shares_unref (P2psShares *shares)
{
  if (!g_atomic_ref_count_dec (&shares->refs))
    return;
  g_ptr_array_unref (shares->roots);
  g_free (shares);
}

gboolean
p2ps_shares_equal (const P2psShares *a, const P2psShares *b)
{
  if (a->hidden != b->hidden || a->links != b->links || a->roots->len != b->roots->len)
    return FALSE;
  for (guint i = 0; i < a->roots->len; i++)
    if (!g_str_equal (a->roots->pdata[i], b->roots->pdata[i]))
      return FALSE;
  return TRUE;
}

/* Returns: (transfer none) (nullable): the innermost shared folder that `folder` is or is in; a
 *   reference string */
const char *
p2ps_shares_find_root (const P2psShares *shares, const char *folder)
{
  for (guint i = shares->roots->len; i-- > 0;)
    {
      const char *root = shares->roots->pdata[i];
      gsize length = strlen (root);

      if (strncmp (folder, root, length) == 0
          && (folder[length] == '\0' || folder[length] == '/' || root[length - 1] == '/'))
        return root;
    }
  return NULL;
}

/* Whether a file or folder of that name can be shared at all. */
gboolean
p2ps_shares_takes_name (const P2psShares *shares, const char *name)
{
  return (shares->hidden || name[0] != '.') && !g_str_has_suffix (name, P2PS_PART_SUFFIX);
}
