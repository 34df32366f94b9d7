/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Merkle trees over content (BEP 52, "pieces root" and "piece layers"), for any thread: a tree is
 * built by one worker, a layer is only read. Refuses layers that don't add up to their root. */

#define G_LOG_DOMAIN "p2ps-block-tree"

#include "engine/block-tree.h"

#include <string.h>

#define LEAVES_PER_CHUNK (P2PS_CHUNK_SIZE / P2PS_LEAF_SIZE)

typedef guint8 Node[P2PS_BINARY_HASH_SIZE];

struct _P2psBlockTree
{
  P2psDigest *leaf; /* of the leaf that is being filled */
  gsize filled;     /* bytes in it */
  P2psDigest *pair; /* of two nodes */
  Node leaves[LEAVES_PER_CHUNK];
  guint n_leaves;    /* of the chunk that is being filled */
  GByteArray *layer; /* nodes of the chunks before it */
};

/* Turns the first `n` of `nodes`, padded with `pad` to a power of two of at least `width`, into
 * their root at nodes[0]; `pad` becomes the padding of the root's own layer. */
static void
reduce (P2psDigest *pair, Node *nodes, guint64 n, guint64 width, Node pad)
{
  while (width > 1 || n > 1)
    {
      for (guint64 i = 0; i < n; i += 2)
        {
          p2ps_digest_update (pair, nodes[i], sizeof (Node));
          p2ps_digest_update (pair, i + 1 < n ? nodes[i + 1] : pad, sizeof (Node));
          p2ps_digest_finish_binary (pair, nodes[i / 2]);
        }
      n = (n + 1) / 2;
      width = (width + 1) / 2;
      p2ps_digest_update (pair, pad, sizeof (Node));
      p2ps_digest_update (pair, pad, sizeof (Node));
      p2ps_digest_finish_binary (pair, pad);
    }
}

/* The node that a whole chunk of padding would have. */
static void
get_chunk_padding (P2psDigest *pair, Node pad)
{
  Node nothing;

  memset (pad, 0, sizeof (Node));
  memset (nothing, 0, sizeof nothing);
  reduce (pair, &nothing, 0, LEAVES_PER_CHUNK, pad);
}

/* The root above a chunk layer of `n` nodes, which are overwritten. */
static void
reduce_layer (P2psDigest *pair, Node *nodes, guint64 n)
{
  Node pad;

  get_chunk_padding (pair, pad);
  reduce (pair, nodes, n, 1, pad);
}

/* Returns: (transfer full): a tree of no content yet */
P2psBlockTree *
p2ps_block_tree_new (void)
{
  P2psBlockTree *tree = g_new0 (P2psBlockTree, 1);

  tree->leaf = p2ps_digest_new ();
  tree->pair = p2ps_digest_new ();
  tree->layer = g_byte_array_new ();

  return tree;
}

void
p2ps_block_tree_free (P2psBlockTree *tree)
{
  if (tree == NULL)
    return;
  p2ps_digest_free (tree->leaf);
  p2ps_digest_free (tree->pair);
  g_byte_array_unref (tree->layer);
  g_free (tree);
}

static void
end_chunk (P2psBlockTree *tree)
{
  Node pad = { 0 };

  reduce (tree->pair, tree->leaves, tree->n_leaves, LEAVES_PER_CHUNK, pad);
  g_byte_array_append (tree->layer, tree->leaves[0], sizeof (Node));
  tree->n_leaves = 0;
}

/* Adds the SHA-256 of the next leaf, for who hashes the leaves himself: all are P2PS_LEAF_SIZE
 * bytes long but the last one. */
void
p2ps_block_tree_add_leaf (P2psBlockTree *tree, const guint8 hash[P2PS_BINARY_HASH_SIZE])
{
  if (tree->n_leaves == LEAVES_PER_CHUNK) /* only now is it known that more than this chunk comes */
    end_chunk (tree);
  memcpy (tree->leaves[tree->n_leaves++], hash, sizeof (Node));
}

static void
end_leaf (P2psBlockTree *tree)
{
  Node hash;

  p2ps_digest_finish_binary (tree->leaf, hash);
  p2ps_block_tree_add_leaf (tree, hash);
  tree->filled = 0;
}

/* Adds `length` bytes of content; they may be cut anywhere. */
void
p2ps_block_tree_update (P2psBlockTree *tree, const void *data, gsize length)
{
  const guint8 *bytes = data;

  while (length > 0)
    {
      gsize n = MIN (length, P2PS_LEAF_SIZE - tree->filled);

      p2ps_digest_update (tree->leaf, bytes, n);
      tree->filled += n;
      bytes += n;
      length -= n;
      if (tree->filled == P2PS_LEAF_SIZE)
        end_leaf (tree);
    }
}

/* Ends the content; the tree then begins anew. `root` is zeros for no content, which has no root
 * (BEP 52).
 *
 * Returns: (transfer full) (nullable): the chunk layer, P2PS_BINARY_HASH_SIZE bytes a chunk; NULL
 *   for content of at most one chunk */
GBytes *
p2ps_block_tree_finish_binary (P2psBlockTree *tree, guint8 root[P2PS_BINARY_HASH_SIZE])
{
  g_autoptr (GByteArray) layer = NULL;
  g_autofree Node *nodes = NULL;
  Node pad = { 0 };

  if (tree->filled > 0)
    end_leaf (tree);
  if (tree->layer->len == 0)
    {
      memset (root, 0, sizeof (Node));
      if (tree->n_leaves > 0)
        {
          reduce (tree->pair, tree->leaves, tree->n_leaves, 1, pad);
          memcpy (root, tree->leaves[0], sizeof (Node));
        }
      tree->n_leaves = 0;
      return NULL;
    }
  end_chunk (tree);
  layer = g_steal_pointer (&tree->layer);
  tree->layer = g_byte_array_new ();
  nodes = g_memdup2 (layer->data, layer->len);
  reduce_layer (tree->pair, nodes, layer->len / sizeof (Node));
  memcpy (root, nodes[0], sizeof (Node));
  return g_byte_array_free_to_bytes (g_steal_pointer (&layer));
}

/* As p2ps_block_tree_finish_binary(), with `root` as hex, "" for none, and an empty layer for none.
 */
GBytes *
p2ps_block_tree_finish (P2psBlockTree *tree, char root[P2PS_HASH_SIZE])
{
  static const Node none = { 0 };
  Node binary;
  GBytes *layer = p2ps_block_tree_finish_binary (tree, binary);

  root[0] = '\0';
  if (memcmp (binary, none, sizeof binary) != 0)
    p2ps_digest_to_hex (binary, root);
  return layer != NULL ? layer : g_bytes_new (NULL, 0);
}

/* Returns: how many chunks a file of `size` bytes has */
guint64
p2ps_block_tree_count_chunks (gint64 size)
{
  return ((guint64)MAX (size, 0) + P2PS_CHUNK_SIZE - 1) / P2PS_CHUNK_SIZE;
}

/* Returns: whether `layer`, from a stranger, is the chunk layer of a file of `size` bytes with
 *   `root` (lower-case hex) */
gboolean
p2ps_block_tree_check_layer (GBytes *layer, gint64 size, const char *root)
{
  g_autoptr (P2psDigest) pair = NULL;
  g_autofree Node *nodes = NULL;
  char hex[P2PS_HASH_SIZE];
  guint64 n = p2ps_block_tree_count_chunks (size);

  if (n < 2)
    return g_bytes_get_size (layer) == 0;
  if (g_bytes_get_size (layer) != n * sizeof (Node))
    return FALSE;
  pair = p2ps_digest_new ();
  nodes = g_memdup2 (g_bytes_get_data (layer, NULL), n * sizeof (Node));
  reduce_layer (pair, nodes, n);
  p2ps_digest_to_hex (nodes[0], hex);

  return g_str_equal (hex, root);
}

/* Returns: whether `data` is chunk `index` (from 0) of a file of `size` bytes (more than one chunk)
 *   whose chunk layer is `layer`, checked before against its root */
gboolean
p2ps_block_tree_check_chunk (GBytes *layer, gint64 size, guint64 index, const void *data,
                             gsize length)
{
  g_autoptr (P2psBlockTree) tree = NULL;
  guint64 n = p2ps_block_tree_count_chunks (size);
  const Node *nodes = g_bytes_get_data (layer, NULL);
  Node pad = { 0 };

  if (index >= n || g_bytes_get_size (layer) != n * sizeof (Node)
      || length != MIN ((guint64)P2PS_CHUNK_SIZE, (guint64)size - index * P2PS_CHUNK_SIZE))
    return FALSE;
  tree = p2ps_block_tree_new ();
  p2ps_block_tree_update (tree, data, length);
  if (tree->filled > 0)
    end_leaf (tree);
  reduce (tree->pair, tree->leaves, tree->n_leaves, LEAVES_PER_CHUNK, pad);

  return memcmp (tree->leaves[0], nodes[index], sizeof (Node)) == 0;
}
