/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The hash of a file and its block tree in one pass, on the thread of the worker that owns it.
 * Content of at most one leaf is hashed once: its root is its hash. Of more, both hashes come from
 * sha256-pair.c where the processor is able to, else one after the other. Refuses nothing. */

#include "engine/content-hash.h"

#include "engine/sha256-pair.h"

#include <string.h>

struct _P2psContentHash
{
  gint64 size;
  gboolean one_leaf;
  P2psDigest *digest;
  P2psBlockTree *tree;

  gboolean paired; /* the rest is used */
  P2psSha256 file;
  P2psSha256 leaf;
  guint64 length;
  guint8 tail[P2PS_SHA256_BLOCK]; /* the bytes since the last whole block */
};

/* Returns: (transfer full): one of the fastest backend that works here */
P2psContentHash *
p2ps_content_hash_new (void)
{
  P2psContentHash *content = p2ps_content_hash_new_for_backend ("paired");

  return content != NULL ? content : p2ps_content_hash_new_for_backend ("plain");
}

/* `backend` is "paired" or "plain"; tests hold both to the same vectors.
 *
 * Returns: (transfer full) (nullable): NULL when this processor doesn't have it */
P2psContentHash *
p2ps_content_hash_new_for_backend (const char *backend)
{
  gboolean paired = g_str_equal (backend, "paired");
  P2psContentHash *content;

  if (paired && !p2ps_sha256_pair_is_available ())
    return NULL;
  content = g_new0 (P2psContentHash, 1);
  content->paired = paired;
  content->digest = p2ps_digest_new ();
  content->tree = p2ps_block_tree_new ();
  p2ps_sha256_begin (&content->file);
  p2ps_sha256_begin (&content->leaf);
  return content;
}

void
p2ps_content_hash_free (P2psContentHash *content)
{
  if (content == NULL)
    return;
  p2ps_digest_free (content->digest);
  p2ps_block_tree_free (content->tree);
  g_free (content);
}

/* Content of `size` bytes comes; when another number does, what p2ps_content_hash_finish() says is
 * of no use. */
void
p2ps_content_hash_begin (P2psContentHash *content, gint64 size)
{
  content->size = size;
  content->one_leaf = size <= P2PS_LEAF_SIZE;
}

static void
end_leaf (P2psContentHash *content, guint64 length)
{
  guint8 hash[P2PS_BINARY_HASH_SIZE];

  p2ps_sha256_end (&content->leaf, content->tail, length, hash);
  p2ps_block_tree_add_leaf (content->tree, hash);
}

/* `n` whole blocks, not beyond the end of the leaf. */
static void
add_blocks (P2psContentHash *content, const guint8 *blocks, gsize n)
{
  p2ps_sha256_pair_add (&content->file, &content->leaf, blocks, n);
  content->length += n * P2PS_SHA256_BLOCK;
  if (content->length % P2PS_LEAF_SIZE == 0)
    end_leaf (content, P2PS_LEAF_SIZE);
}

static void
update_pair (P2psContentHash *content, const guint8 *bytes, gsize length)
{
  while (length > 0)
    {
      gsize filled = content->length % P2PS_SHA256_BLOCK;
      gsize left = P2PS_LEAF_SIZE - content->length % P2PS_LEAF_SIZE;
      gsize n = MIN (length, left);

      if (filled == 0 && n >= P2PS_SHA256_BLOCK)
        {
          n -= n % P2PS_SHA256_BLOCK;
          add_blocks (content, bytes, n / P2PS_SHA256_BLOCK);
        }
      else
        {
          n = MIN (length, P2PS_SHA256_BLOCK - filled);
          memcpy (content->tail + filled, bytes, n);
          content->length += n;
          if (filled + n == P2PS_SHA256_BLOCK)
            {
              content->length -= P2PS_SHA256_BLOCK;
              add_blocks (content, content->tail, 1);
            }
        }
      bytes += n;
      length -= n;
    }
}

/* Adds bytes; they may be cut anywhere. */
void
p2ps_content_hash_update (P2psContentHash *content, const void *data, gsize length)
{
  if (!content->one_leaf && content->paired)
    {
      update_pair (content, data, length);
      return;
    }
  p2ps_digest_update (content->digest, data, length);
  if (!content->one_leaf)
    p2ps_block_tree_update (content->tree, data, length);
}

/* Writes the hash and the root (zeros for no content, which has none); another content may follow.
 *
 * Returns: (transfer full) (nullable): the chunk layer; NULL for content of at most one chunk */
GBytes *
p2ps_content_hash_finish (P2psContentHash *content, guint8 hash[P2PS_BINARY_HASH_SIZE],
                          guint8 root[P2PS_BINARY_HASH_SIZE])
{
  if (!content->one_leaf && content->paired)
    {
      if (content->length % P2PS_LEAF_SIZE != 0)
        end_leaf (content, content->length % P2PS_LEAF_SIZE);
      p2ps_sha256_end (&content->file, content->tail, content->length, hash);
      content->length = 0;
    }
  else
    p2ps_digest_finish_binary (content->digest, hash);
  if (!content->one_leaf)
    return p2ps_block_tree_finish_binary (content->tree, root);
  if (content->size == 0)
    memset (root, 0, P2PS_BINARY_HASH_SIZE);
  else
    memcpy (root, hash, P2PS_BINARY_HASH_SIZE);
  return NULL;
}
