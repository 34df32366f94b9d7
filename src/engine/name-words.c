/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Words of names, and how well a name fits a query: pure functions. What counts as a letter is what
 * SQLite's unicode61 tokenizer takes for one, so that both cut names in the same places. */

#include "engine/name-words.h"

#include <string.h>

static gboolean
is_word_char (gunichar c)
{
  return g_unichar_isalnum (c) || g_unichar_ismark (c)
         || g_unichar_type (c) == G_UNICODE_PRIVATE_USE;
}

static void
begin_word (P2psNameWords *words, gboolean *inside)
{
  if (!*inside && words->n < G_N_ELEMENTS (words->offsets))
    words->offsets[words->n++] = (guint)words->text->len;
  *inside = TRUE;
}

static void
end_word (P2psNameWords *words, gboolean *inside)
{
  if (*inside)
    g_string_append_c (words->text, '\0');
  *inside = FALSE;
}

static void
cut_ascii (P2psNameWords *words, const char *text)
{
  gboolean inside = FALSE;

  for (const char *p = text; *p != '\0'; p++)
    if (g_ascii_isalnum (*p))
      {
        begin_word (words, &inside);
        g_string_append_c (words->text, g_ascii_tolower (*p));
      }
    else
      end_word (words, &inside);
  end_word (words, &inside);
}

/* Bytes that are no UTF-8 part words. */
static void
cut_unicode (P2psNameWords *words, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autofree char *apart = g_utf8_normalize (valid, -1, G_NORMALIZE_DEFAULT);
  gboolean inside = FALSE;

  for (const char *p = apart; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (!is_word_char (c))
        end_word (words, &inside);
      else if (!g_unichar_ismark (c))
        {
          begin_word (words, &inside);
          g_string_append_unichar (words->text, g_unichar_tolower (c));
        }
    }
  end_word (words, &inside);
}

/* Returns: (transfer full): the words of `text` in order, any bytes, at most 64 of them */
P2psNameWords *
p2ps_name_words_new (const char *text)
{
  P2psNameWords *words = g_new (P2psNameWords, 1);

  words->n = 0;
  words->text = g_string_sized_new (64);
  if (g_str_is_ascii (text))
    cut_ascii (words, text);
  else
    cut_unicode (words, text);
  return words;
}

void
p2ps_name_words_free (P2psNameWords *words)
{
  if (words == NULL)
    return;
  g_string_free (words->text, TRUE);
  g_free (words);
}

/* Returns: (transfer none): the word at `i`, folded */
const char *
p2ps_name_words_get (const P2psNameWords *words, guint i)
{
  return words->text->str + words->offsets[i];
}

/* How well `name` fits: whole words before beginnings, words side by side and in order before
 * scattered ones, short names before long ones. `hits` (nullable) is an array of a count for each
 * word of the query: it grows where the word is in the name.
 *
 * Returns: more is better; 0 when a word of the query is not in it at all */
int
p2ps_name_words_score (const P2psNameWords *query, const char *name, guint *hits)
{
  g_autoptr (P2psNameWords) words = p2ps_name_words_new (name);
  int score = 1000 - (int)MIN (words->n, 64u);
  gboolean all = TRUE;
  guint expected = 0;

  for (guint i = 0; i < MIN (query->n, P2PS_MAX_QUERY_WORDS); i++)
    {
      const char *wanted = p2ps_name_words_get (query, i);
      int best = 0;
      guint at = 0;

      for (guint j = 0; j < words->n; j++)
        {
          const char *word = p2ps_name_words_get (words, j);
          int fit = g_str_equal (word, wanted) ? 100 : g_str_has_prefix (word, wanted) ? 50 : 0;

          if (fit > 0 && j == expected)
            fit += 20;
          if (fit > best)
            {
              best = fit;
              at = j;
            }
        }
      if (best > 0 && hits != NULL)
        hits[i]++;
      all = all && best > 0;
      if (!all && hits == NULL)
        return 0;
      score += best;
      expected = at + 1;
    }
  return all ? score : 0;
}
