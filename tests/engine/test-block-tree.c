/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Merkle trees against a second implementation (tests/fixtures/block-tree-vectors.py), however the
 * content is cut; layers and chunks that lie are refused. */

#include <string.h>

#include "engine/block-tree.h"
#include "engine/content-hash.h"

static const struct
{
  gsize size;
  const char *root;
  const char *layer; /* SHA-256 of the chunk layer, "-" when there is none */
} vectors[] = {
  { 1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", "-" },
  { 16383, "095da957d179a83905896a0e30dc0ef31ecb8c3e796d899ab647fe6eb42bc5ea", "-" },
  { 16384, "127c52d4afc9d4e335b94d914f75fbf75b5dc62e6dbd31c6d71c868fc23e5fe5", "-" },
  { 16385, "ed50aa6f263172ac5097e54684d484dd9036bae3d7c729b4ede1bd2a125514fe", "-" },
  { 100000, "481b2f79e294e8a8dfc5ac98970fc1a340754237b198afdb52e76967f0de7ce4", "-" },
  { 1048575, "51639527ae49233e0d7f4cf2d09bd0f86db9ee24baf4d9055b97a09733577ef1", "-" },
  { 1048576, "a230229072266de38df388e6a1e33f4d59fc4687a8b7e6e2b5ab87cc60e5c611", "-" },
  { 1048577, "778914ca01e2fdbda82cf62c66f6bdbf3ce6d4205ff355e4e3069928cb6ca36a",
    "778914ca01e2fdbda82cf62c66f6bdbf3ce6d4205ff355e4e3069928cb6ca36a" },
  { 2097152, "bd3ea350719d353b7aea96260a2b8a7f532b7efa2bdbed4609b1499484d06120",
    "bd3ea350719d353b7aea96260a2b8a7f532b7efa2bdbed4609b1499484d06120" },
  { 3145733, "3a9cce6777307ac01b4cbc49fc23bbfa4ed9627d072a230e71e55546c14b0077",
    "c95a4b77373348e9d2fb08eb7c6fd7f4ac11998ef4ee82379ee3de155a33725c" },
  { 5259264, "3008488110c9423998297fb9594458d744212a7f465fd5a617c81accb22fa294",
    "12fafd29c1ef493cdce863f1dfd66edabe22c0b7e01faa5a6f66c3536ba010c7" },
};

static guint8 *
make_content (gsize size)
{
  guint8 *data = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    data[i] = i * 7 + (i >> 8) * 13 + (i >> 16) * 31;

  return data;
}

static GBytes *
build (const guint8 *data, gsize size, gsize piece, char root[P2PS_HASH_SIZE])
{
  g_autoptr (P2psBlockTree) tree = p2ps_block_tree_new ();

  for (gsize at = 0; at < size; at += piece)
    p2ps_block_tree_update (tree, data + at, MIN (piece, size - at));

  return p2ps_block_tree_finish (tree, root);
}

static void
assert_hex (const guint8 *binary, const char *expected)
{
  g_autoptr (GString) hex = g_string_new (NULL);

  for (int i = 0; i < P2PS_BINARY_HASH_SIZE; i++)
    g_string_append_printf (hex, "%02x", binary[i]);
  g_assert_cmpstr (hex->str, ==, expected);
}

static void
test_vectors (void)
{
  static const gsize pieces[] = { G_MAXSSIZE, 65536, 10007 };

  for (gsize v = 0; v < G_N_ELEMENTS (vectors); v++)
    for (gsize p = 0; p < G_N_ELEMENTS (pieces); p++)
      {
        g_autofree guint8 *data = make_content (vectors[v].size);
        char root[P2PS_HASH_SIZE];
        g_autoptr (GBytes) layer = build (data, vectors[v].size, pieces[p], root);
        g_autofree char *hash = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, layer);

        g_assert_cmpstr (root, ==, vectors[v].root);
        g_assert_cmpstr (g_bytes_get_size (layer) > 0 ? hash : "-", ==, vectors[v].layer);
        g_assert_true (p2ps_block_tree_check_layer (layer, vectors[v].size, root));
      }
}

/* The hash of the whole and the tree in one pass, by one object after another. */
static void
test_one_pass (gconstpointer backend)
{
  static const gsize pieces[] = { 1 << 30, 65536, 10007, 63 };
  g_autoptr (P2psContentHash) content = p2ps_content_hash_new_for_backend (backend);

  if (content == NULL) /* this processor has no such instructions */
    return;
  for (gsize v = 0; v < G_N_ELEMENTS (vectors); v++)
    for (gsize p = 0; p < G_N_ELEMENTS (pieces); p++)
      {
        gsize size = vectors[v].size;
        g_autofree guint8 *data = make_content (size);
        g_autofree char *whole = g_compute_checksum_for_data (G_CHECKSUM_SHA256, data, size);
        g_autoptr (GBytes) layer = NULL;
        guint8 hash[P2PS_BINARY_HASH_SIZE];
        guint8 root[P2PS_BINARY_HASH_SIZE];

        p2ps_content_hash_begin (content, (gint64)size);
        for (gsize at = 0; at < size; at += pieces[p])
          p2ps_content_hash_update (content, data + at, MIN (pieces[p], size - at));
        layer = p2ps_content_hash_finish (content, hash, root);
        assert_hex (hash, whole);
        assert_hex (root, vectors[v].root);
        g_assert_true ((layer == NULL) == (size <= P2PS_CHUNK_SIZE));
        if (layer != NULL)
          g_assert_true (p2ps_block_tree_check_layer (layer, (gint64)size, vectors[v].root));
      }
}

/* Around the borders of blocks and leaves, where padding is made. */
static void
test_borders (void)
{
  static const int around[] = { 64, 128, 16384, 32768, 65536 };
  g_autoptr (P2psContentHash) content = p2ps_content_hash_new ();
  g_autofree guint8 *data = make_content (70000);

  for (gsize i = 0; i < G_N_ELEMENTS (around); i++)
    for (int size = around[i] - 10; size <= around[i] + 10; size++)
      {
        g_autofree char *whole = g_compute_checksum_for_data (G_CHECKSUM_SHA256, data, size);
        char expected[P2PS_HASH_SIZE];
        g_autoptr (GBytes) layer = build (data, size, size, expected);
        guint8 hash[P2PS_BINARY_HASH_SIZE];
        guint8 root[P2PS_BINARY_HASH_SIZE];

        p2ps_content_hash_begin (content, G_MAXINT64); /* whoever says more than comes */
        p2ps_content_hash_update (content, data, size);
        g_assert_null (p2ps_content_hash_finish (content, hash, root));
        assert_hex (hash, whole);
        assert_hex (root, expected);
        p2ps_content_hash_begin (content, size);
        p2ps_content_hash_update (content, data, size);
        g_assert_null (p2ps_content_hash_finish (content, hash, root));
        assert_hex (hash, whole);
        assert_hex (root, expected);
      }
}

static void
test_nothing (void)
{
  char root[P2PS_HASH_SIZE];
  g_autoptr (GBytes) layer = build (NULL, 0, 1, root);

  g_assert_cmpstr (root, ==, "");
  g_assert_cmpuint (g_bytes_get_size (layer), ==, 0);
  g_assert_cmpuint (p2ps_block_tree_count_chunks (0), ==, 0);
  g_assert_cmpuint (p2ps_block_tree_count_chunks (P2PS_CHUNK_SIZE + 1), ==, 2);
}

static void
test_layer_that_lies (void)
{
  const gsize size = 3 * P2PS_CHUNK_SIZE + 5;
  g_autofree guint8 *data = make_content (size);
  char root[P2PS_HASH_SIZE];
  g_autoptr (GBytes) layer = build (data, size, size, root);
  gsize length;
  const guint8 *nodes = g_bytes_get_data (layer, &length);

  for (gsize i = 0; i < length; i += 31)
    {
      g_autofree guint8 *changed = g_memdup2 (nodes, length);
      g_autoptr (GBytes) lie = NULL;

      changed[i] ^= 1;
      lie = g_bytes_new (changed, length);
      g_assert_false (p2ps_block_tree_check_layer (lie, size, root));
    }
  g_assert_false (p2ps_block_tree_check_layer (layer, size + P2PS_CHUNK_SIZE, root));
  g_assert_false (p2ps_block_tree_check_layer (layer, -1, root));
}

static void
test_chunks (void)
{
  const gsize size = 3 * P2PS_CHUNK_SIZE + 5;
  g_autofree guint8 *data = make_content (size);
  char root[P2PS_HASH_SIZE];
  g_autoptr (GBytes) layer = build (data, size, size, root);

  for (guint64 i = 0; i < 4; i++)
    {
      guint8 *chunk = data + i * P2PS_CHUNK_SIZE;
      gsize length = i < 3 ? P2PS_CHUNK_SIZE : 5;

      g_assert_true (p2ps_block_tree_check_chunk (layer, size, i, chunk, length));
      g_assert_false (p2ps_block_tree_check_chunk (layer, size, (i + 1) % 4, chunk, length));
      g_assert_false (p2ps_block_tree_check_chunk (layer, size, i, chunk, length - 1));
      chunk[length - 1] ^= 0x80;
      g_assert_false (p2ps_block_tree_check_chunk (layer, size, i, chunk, length));
    }
  g_assert_false (p2ps_block_tree_check_chunk (layer, size, G_MAXUINT64, data, 5));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/block-tree/vectors", test_vectors);
  g_test_add_data_func ("/block-tree/one-pass/paired", "paired", test_one_pass);
  g_test_add_data_func ("/block-tree/one-pass/plain", "plain", test_one_pass);
  g_test_add_func ("/block-tree/borders", test_borders);
  g_test_add_func ("/block-tree/nothing", test_nothing);
  g_test_add_func ("/block-tree/layer-that-lies", test_layer_that_lies);
  g_test_add_func ("/block-tree/chunks", test_chunks);

  return g_test_run ();
}
