/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define P2PS_MAX_QUERY_WORDS 16

/* The words of a name or of a query: letters and digits, without case and accents. */
typedef struct
{
  GString *text; /* all of them, each with its NUL */
  guint n;
  guint offsets[64]; /* more words than these are left out */
} P2psNameWords;

P2psNameWords *p2ps_name_words_new (const char *text);
void p2ps_name_words_free (P2psNameWords *words);
const char *p2ps_name_words_get (const P2psNameWords *words, guint i);
int p2ps_name_words_score (const P2psNameWords *query, const char *name, guint *hits);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psNameWords, p2ps_name_words_free)

G_END_DECLS
