/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Fuzzing for the ordinary tests, with any compiler: every file of a corpus, then mutations of them
 * from a fixed seed, so that a failure comes again. usage: PROGRAM CORPUS-FOLDER COUNT [SEED] */

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "fuzz.h"

#define MAX_BYTES 70000   /* bytes: more than the largest cap of what is read */
#define MAX_MEMORY 131072 /* KiB that the process may have grown to */

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

static const char *const pieces[] = { "{",
                                      "}",
                                      "[",
                                      "]",
                                      "\"",
                                      ":",
                                      ",",
                                      "\\u0000",
                                      "\\ud800",
                                      "\\udc00",
                                      "\\",
                                      "null",
                                      "true",
                                      "-1",
                                      "0",
                                      "65536",
                                      "1e999",
                                      "99999999999999999999",
                                      "0.0.0.0",
                                      "127.0.0.1",
                                      "::1",
                                      "[::]",
                                      "\xff",
                                      "\xed\xa0\x80",
                                      "\xe2\x80\xae",
                                      "..",
                                      "/",
                                      "%00",
                                      "%",
                                      "&xt=urn:sha256:",
                                      "/*",
                                      "'",
                                      "\"host\":",
                                      "\"port\":",
                                      "\"QID\":",
                                      "\"hits\":[",
                                      "\"filename\":\"",
                                      "\"self\":{" };

static void
mutate (GRand *rand, GByteArray *input, GPtrArray *corpus)
{
  guint at = input->len > 0 ? g_rand_int_range (rand, 0, input->len) : 0;
  guint left = input->len - at;
  guint n = left > 0 ? g_rand_int_range (rand, 1, MIN (left, 64) + 1) : 0;
  const char *piece = pieces[g_rand_int_range (rand, 0, G_N_ELEMENTS (pieces))];
  g_autoptr (GByteArray) tail = g_byte_array_new ();

  switch (g_rand_int_range (rand, 0, 7))
    {
    case 0: /* another byte */
      if (left > 0)
        input->data[at] = g_rand_int_range (rand, 0, 256);
      break;
    case 1: /* another bit */
      if (left > 0)
        input->data[at] ^= 1u << g_rand_int_range (rand, 0, 8);
      break;
    case 2: /* less */
      if (n > 0)
        g_byte_array_remove_range (input, at, n);
      break;
    case 3: /* cut */
      g_byte_array_set_size (input, at);
      break;
    case 4: /* the head of this, the tail of another */
      {
        GBytes *other = corpus->pdata[g_rand_int_range (rand, 0, corpus->len)];
        gsize size = g_bytes_get_size (other);
        gsize from = size > 0 ? (gsize)g_rand_int_range (rand, 0, size) : 0;

        g_byte_array_set_size (input, at);
        if (size > from)
          g_byte_array_append (input, (const guint8 *)g_bytes_get_data (other, NULL) + from,
                               size - from);
      }
      break;
    default: /* a piece or a part of itself goes in, sometimes very often */
      {
        guint times = g_rand_int_range (rand, 0, 50) == 0 ? g_rand_int_range (rand, 1, 5000) : 1;
        g_autofree guint8 *part = n > 0 ? g_memdup2 (input->data + at, n) : NULL;
        gboolean own = part != NULL && g_rand_boolean (rand);

        g_byte_array_append (tail, input->data + at, left);
        g_byte_array_set_size (input, at);
        for (guint i = 0; i < times && input->len < MAX_BYTES; i++)
          g_byte_array_append (input, own ? part : (const guint8 *)piece, own ? n : strlen (piece));
        g_byte_array_append (input, tail->data, tail->len);
      }
    }
  if (input->len > MAX_BYTES)
    g_byte_array_set_size (input, MAX_BYTES);
}

/* An exact copy on the heap, so that a sanitizer sees a read past its end. */
static void
run (const guint8 *data, gsize size)
{
  g_autofree guint8 *copy = size > 0 ? g_memdup2 (data, size) : g_malloc (1);

  LLVMFuzzerTestOneInput (copy, size);
}

static GPtrArray *
load_corpus (const char *folder)
{
  GPtrArray *corpus = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, &error);
  const char *name;

  g_assert_no_error (error);
  while ((name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, (GCompareFunc)(void (*) (void))g_strcmp0);
  g_assert_cmpuint (names->len, >, 0);
  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *path = g_build_filename (folder, names->pdata[i], NULL);
      char *data;
      gsize size;

      g_file_get_contents (path, &data, &size, &error);
      g_assert_no_error (error);
      g_ptr_array_add (corpus, g_bytes_new_take (data, size));
    }
  return corpus;
}

int
main (int argc, char **argv)
{
  g_autoptr (GPtrArray) corpus = NULL;
  g_autoptr (GRand) rand = NULL;
  struct rusage usage;
  int count;

  if (argc < 3)
    return 2;
  corpus = load_corpus (argv[1]);
  count = atoi (argv[2]);
  rand = g_rand_new_with_seed (argc > 3 ? atoi (argv[3]) : 1);
  run (NULL, 0);
  for (guint i = 0; i < corpus->len; i++)
    run (g_bytes_get_data (corpus->pdata[i], NULL), g_bytes_get_size (corpus->pdata[i]));
  for (int i = 0; i < count; i++)
    {
      GBytes *seed = corpus->pdata[g_rand_int_range (rand, 0, corpus->len)];
      g_autoptr (GByteArray) input = g_byte_array_new ();
      int rounds = g_rand_int_range (rand, 1, 6);

      g_byte_array_append (input, g_bytes_get_data (seed, NULL), g_bytes_get_size (seed));
      while (rounds-- > 0)
        mutate (rand, input, corpus);
      run (input->data, input->len);
    }
  getrusage (RUSAGE_SELF, &usage);
  g_print ("%u files, %d mutations, %ld KiB\n", corpus->len, count, usage.ru_maxrss);
#ifndef SANITIZED /* a sanitizer keeps freed memory on purpose */
  g_assert_cmpint (usage.ru_maxrss, <, MAX_MEMORY);
#endif
  return 0;
}
