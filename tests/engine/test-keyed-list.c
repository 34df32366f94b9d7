/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The list as a view sees it: a mirror follows "items-changed" and must always be what the model
 * says, while rows come and go. */

#include "engine/keyed-list.h"

typedef struct
{
  GPtrArray *rows;
  guint changes;
} Mirror;

static GObject *
new_row (guint number)
{
  GObject *row = g_object_new (G_TYPE_OBJECT, NULL);

  g_object_set_data (row, "number", GUINT_TO_POINTER (number));
  return row;
}

static void
items_changed_cb (GListModel *model, guint position, guint removed, guint added, Mirror *mirror)
{
  mirror->changes++;
  g_assert_cmpuint (position + removed, <=, mirror->rows->len);
  if (removed > 0)
    g_ptr_array_remove_range (mirror->rows, position, removed);
  for (guint i = 0; i < added; i++)
    g_ptr_array_insert (mirror->rows, position + i, g_list_model_get_item (model, position + i));
  g_assert_cmpuint (mirror->rows->len, ==, g_list_model_get_n_items (model));
  for (guint i = 0; i < mirror->rows->len; i++)
    {
      g_autoptr (GObject) row = g_list_model_get_item (model, i);
      g_assert_true (row == mirror->rows->pdata[i]);
    }
}

static Mirror *
mirror_new (P2psKeyedList *list)
{
  Mirror *mirror = g_new0 (Mirror, 1);

  mirror->rows = g_ptr_array_new_with_free_func (g_object_unref);
  g_signal_connect (list, "items-changed", G_CALLBACK (items_changed_cb), mirror);
  return mirror;
}

static void
mirror_free (Mirror *mirror)
{
  g_ptr_array_unref (mirror->rows);
  g_free (mirror);
}

static void
assert_same (P2psKeyedList *list, Mirror *mirror)
{
  g_assert_cmpuint (p2ps_keyed_list_get_size (list), ==, mirror->rows->len);
  for (guint i = 0; i < mirror->rows->len; i++)
    g_assert_true (p2ps_keyed_list_nth (list, i) == mirror->rows->pdata[i]);
  g_assert_null (p2ps_keyed_list_nth (list, mirror->rows->len));
}

static void
add_number (P2psKeyedList *list, guint number)
{
  g_autoptr (GObject) row = new_row (number);
  g_autofree char *id = g_strdup_printf ("%u", number);

  g_assert_true (p2ps_keyed_list_add (list, id, row));
}

static gboolean
timeout_cb (gpointer data)
{
  g_error ("waited too long");
  return G_SOURCE_REMOVE;
}

static void
wait_for_changes (Mirror *mirror, guint changes)
{
  guint guard = g_timeout_add_seconds (10, timeout_cb, NULL);

  while (mirror->changes < changes)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (guard);
}

static void
test_by_id (void)
{
  g_autoptr (P2psKeyedList) list = p2ps_keyed_list_new (G_TYPE_OBJECT, 0);
  g_autoptr (GObject) again = new_row (9);
  Mirror *mirror = mirror_new (list);

  for (guint i = 0; i < 4; i++)
    add_number (list, i);
  g_assert_cmpuint (mirror->changes, ==, 4);
  g_assert_false (p2ps_keyed_list_add (list, "2", again));
  g_assert_cmpuint (mirror->changes, ==, 4);
  g_assert_true (p2ps_keyed_list_get (list, "2") == mirror->rows->pdata[2]);
  g_assert_null (p2ps_keyed_list_get (list, "7"));
  g_assert_true (p2ps_keyed_list_remove (list, "1"));
  g_assert_false (p2ps_keyed_list_remove (list, "1"));
  g_assert_null (p2ps_keyed_list_get (list, "1"));
  assert_same (list, mirror);
  g_assert_true (p2ps_keyed_list_add (list, "1", again));
  assert_same (list, mirror);
  p2ps_keyed_list_clear (list);
  g_assert_cmpuint (mirror->rows->len, ==, 0);
  g_assert_true (g_list_model_get_item_type (G_LIST_MODEL (list)) == G_TYPE_OBJECT);
  mirror_free (mirror);
}

static void
test_coalesces (void)
{
  g_autoptr (P2psKeyedList) slow = p2ps_keyed_list_new (G_TYPE_OBJECT, 60000);
  g_autoptr (P2psKeyedList) quick = p2ps_keyed_list_new (G_TYPE_OBJECT, 20);
  Mirror *mirror = mirror_new (slow), *other = mirror_new (quick);

  /* After a quiet time the first change is told soon, and all that came with it. */
  for (guint i = 0; i < 10000; i++)
    add_number (slow, i);
  g_assert_cmpuint (p2ps_keyed_list_get_size (slow), ==, 10000);
  g_assert_nonnull (p2ps_keyed_list_get (slow, "9999"));
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (slow)), ==, 0);
  wait_for_changes (mirror, 1);
  g_assert_cmpuint (mirror->changes, ==, 1);
  assert_same (slow, mirror);

  /* What comes next waits for its time: here a minute. */
  add_number (slow, 10000);
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  g_assert_cmpuint (mirror->changes, ==, 1);
  p2ps_keyed_list_flush (slow);
  g_assert_cmpuint (mirror->changes, ==, 2);

  /* Came and went between two changes: nobody hears of it. */
  add_number (slow, 10001);
  p2ps_keyed_list_remove (slow, "10001");
  p2ps_keyed_list_flush (slow);
  g_assert_cmpuint (mirror->changes, ==, 2);

  for (guint i = 0; i < 3; i++)
    {
      add_number (quick, i);
      wait_for_changes (other, i + 1);
    }
  assert_same (quick, other);
  mirror_free (mirror);
  mirror_free (other);
}

static void
test_gaps (void)
{
  g_autoptr (P2psKeyedList) list = p2ps_keyed_list_new (G_TYPE_OBJECT, 60000);
  Mirror *mirror = mirror_new (list);

  for (guint i = 0; i < 100; i++)
    add_number (list, i);
  p2ps_keyed_list_flush (list);
  for (guint i = 0; i < 3; i++)
    {
      g_autofree char *id = g_strdup_printf ("%u", 10 + 30 * i);
      p2ps_keyed_list_remove (list, id);
    }
  add_number (list, 100);
  p2ps_keyed_list_flush (list);
  g_assert_cmpuint (mirror->changes, ==, 1 + 3 + 1);
  assert_same (list, mirror);

  for (guint i = 1; i < 100; i += 2)
    {
      g_autofree char *id = g_strdup_printf ("%u", i);
      p2ps_keyed_list_remove (list, id);
    }
  p2ps_keyed_list_flush (list);
  g_assert_cmpuint (mirror->changes, ==, 6);
  assert_same (list, mirror);
  mirror_free (mirror);
}

static void
test_random (void)
{
  g_autoptr (P2psKeyedList) list = p2ps_keyed_list_new (G_TYPE_OBJECT, 60000);
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  Mirror *mirror = mirror_new (list);
  GObject *rows[40];

  for (guint i = 0; i < 40; i++)
    rows[i] = new_row (i);
  for (guint step = 0; step < 5000; step++)
    {
      guint number = g_rand_int_range (rand, 0, 40);
      g_autofree char *id = g_strdup_printf ("%u", number);
      if (!p2ps_keyed_list_remove (list, id))
        p2ps_keyed_list_add (list, id, rows[number]);
      if (g_rand_int_range (rand, 0, 10) == 0)
        {
          p2ps_keyed_list_flush (list);
          assert_same (list, mirror);
        }
    }
  mirror_free (mirror);
  g_clear_object (&list);
  for (guint i = 0; i < 40; i++)
    {
      g_assert_cmpuint (rows[i]->ref_count, ==, 1);
      g_clear_object (&rows[i]);
    }
}

static void
drop_first_cb (P2psKeyedList *list, guint position, guint removed, guint added, guint *left)
{
  g_autofree char *id = g_strdup_printf ("%u", *left);

  if (*left > 0)
    {
      (*left)--;
      p2ps_keyed_list_remove (list, id);
    }
}

/* A handler that changes the list, as a cap does. */
static void
test_reentrant (void)
{
  P2psKeyedList *list = p2ps_keyed_list_new (G_TYPE_OBJECT, 0);
  Mirror *mirror = mirror_new (list);
  guint left = 3;

  for (guint i = 0; i < 5; i++)
    add_number (list, i);
  g_signal_connect (list, "items-changed", G_CALLBACK (drop_first_cb), &left);
  add_number (list, 5);
  g_assert_cmpuint (mirror->rows->len, ==, 3);
  assert_same (list, mirror);

  /* A pending timer doesn't outlive the list. */
  g_object_unref (list);
  list = p2ps_keyed_list_new (G_TYPE_OBJECT, 1);
  add_number (list, 1);
  g_object_unref (list);
  g_assert_false (g_main_context_pending (NULL));
  mirror_free (mirror);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/keyed-list/by-id", test_by_id);
  g_test_add_func ("/keyed-list/coalesces", test_coalesces);
  g_test_add_func ("/keyed-list/gaps", test_gaps);
  g_test_add_func ("/keyed-list/random", test_random);
  g_test_add_func ("/keyed-list/reentrant", test_reentrant);
  return g_test_run ();
}
