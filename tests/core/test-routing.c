/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Queries, where they go and how often; hits in both directions. */

#include "rig.h"

#include "core/memory.h"

#define A "10.0.0.2:8081"
#define B "10.0.0.3:8081"
#define C "10.0.0.4:8081"
#define CLASSIC "10.0.0.5:8081"
#define STRANGER "10.0.9.9:8081"

static void
make_peer (Rig *rig, const char *address, RigManner manner)
{
  P2psAddress peer = rig_address (address);

  rig_manner (rig, address, manner);
  p2ps_node_add_peer (rig->node, rig->now, &peer);
  rig_advance (rig, P2PS_SECOND / 10);
}

/* A node with three peers of ours and a classic one. */
static Rig *
make_rig (void)
{
  Rig *rig = rig_new (FALSE);

  make_peer (rig, A, RIG_OURS);
  make_peer (rig, B, RIG_OURS);
  make_peer (rig, C, RIG_OURS);
  make_peer (rig, CLASSIC, RIG_CLASSIC);
  g_assert_cmpuint (p2ps_node_count_active (rig->node), ==, 4);
  rig_forget (rig);

  return rig;
}

/* @number as forwarded by @via for @origin */
static P2psQuery *
relayed (guint number, const char *origin, const char *via, int ttl, int xttl)
{
  P2psQuery *query = rig_make_query (number, origin, ttl, xttl);

  query->via = rig_address (via);
  query->hops = 3;

  return query;
}

static gboolean
was_sent (Rig *rig, const char *address, guint number)
{
  g_autoptr (P2psQuery) query = rig_make_query (number, NULL, 0, 0);
  P2psAddress to = rig_address (address);

  for (guint i = 0; i < rig->log->len; i++)
    {
      const RigSent *sent = g_ptr_array_index (rig->log, i);

      if (sent->message->type == P2PS_MESSAGE_QUERY && p2ps_address_equal (&sent->to, &to)
          && strcmp (sent->message->query->qid, query->qid) == 0)
        return TRUE;
    }

  return FALSE;
}

static void
test_forward (void)
{
  g_autoptr (Rig) rig = make_rig ();
  const P2psNodeCounters *counters = p2ps_node_get_counters (rig->node);
  P2psQuery *sent;
  P2psEffect *reply;

  reply = rig_query (rig, "10.0.0.2", relayed (1, C, A, 5, 10));
  g_assert_true (reply->type == P2PS_EFFECT_REPLY && reply->message->ok);
  g_assert_false (reply->message->duplicate);
  /* Not back, and not to the one who asks. */
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, A), ==, 0);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, C), ==, 0);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, B), ==, 1);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, CLASSIC), ==, 1);
  sent = rig_last (rig, P2PS_MESSAGE_QUERY, B)->message->query;
  g_assert_cmpint (sent->xttl, ==, 9);
  g_assert_cmpint (sent->ttl, ==, 5);
  g_assert_cmpint (sent->hops, ==, 4);
  g_assert_cmpstr (sent->via.host, ==, "10.0.0.1");
  g_assert_cmpstr (sent->origin.host, ==, "10.0.0.4");
  sent = rig_last (rig, P2PS_MESSAGE_QUERY, CLASSIC)->message->query;
  g_assert_cmpint (sent->ttl, ==, 2);
  g_assert_cmpint (sent->xttl, ==, -1);
  g_assert_cmpint (sent->hops, ==, -1);
  g_assert_cmpuint (sent->via.port, ==, 0);

  g_assert_cmpuint (rig->lookups->len, ==, 1);
  /* It is sent on whether we have the file or not. */
  g_assert_cmpuint (counters->received, ==, 1);
  g_assert_cmpuint (counters->forwarded, ==, 2);

  reply = rig_query (rig, "10.0.0.3", relayed (1, C, B, 5, 10));
  g_assert_true (reply->message->ok && reply->message->duplicate);
  g_assert_cmpuint (rig->lookups->len, ==, 1);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, NULL), ==, 2);
  g_assert_cmpuint (counters->duplicates, ==, 1);
}

/* Budgets: what comes in with (ttl, xttl) goes out with which, -2 = not at all. */
static void
test_budgets (void)
{
  static const struct
  {
    int ttl, xttl;
    int ours_ttl, ours_xttl, classic_ttl;
  } rows[] = {
    /* from a classic peer: 2 off, as there */
    { 5, -1, 3, 31, 2 },
    { 4, -1, 2, 31, 2 },
    { 3, -1, 1, 31, 1 },
    { 2, -1, 0, 31, 0 },
    { 1, -1, -2, -2, -2 },
    { 0, -1, -2, -2, -2 },
    { -1, -1, 0, 31, 0 },  /* none named: 2 is meant */
    { 100, -1, 5, 31, 2 }, /* clamped to 7 */
    /* from ours: hops count on their own */
    { 5, 32, 5, 31, 2 },
    { 100, 1000, 7, 31, 2 },
    { 1, 5, 1, 4, 1 },
    { 0, 5, 0, 4, -2 },
    { 5, 1, -2, -2, 2 },
    { 5, 0, -2, -2, 2 },
    { 0, 0, -2, -2, -2 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (Rig) rig = make_rig ();
      RigSent *ours, *classic;

      rig_query (rig, "10.0.9.9", rig_make_query (1, STRANGER, rows[i].ttl, rows[i].xttl));
      ours = rig_last (rig, P2PS_MESSAGE_QUERY, A);
      classic = rig_last (rig, P2PS_MESSAGE_QUERY, CLASSIC);
      g_test_message ("row %zu", i);
      g_assert_cmpint (ours ? ours->message->query->ttl : -2, ==, rows[i].ours_ttl);
      g_assert_cmpint (ours ? ours->message->query->xttl : -2, ==, rows[i].ours_xttl);
      g_assert_cmpint (classic ? classic->message->query->ttl : -2, ==, rows[i].classic_ttl);
      g_assert_cmpuint (rig->lookups->len, ==, 1); /* it is answered in any case */
    }
}

/* A second copy with more left goes on, and is not answered again. */
static void
test_more_budget (void)
{
  static const struct
  {
    int ttl, xttl, then_ttl, then_xttl;
    gboolean again;
  } rows[] = {
    { 5, 3, 5, 10, TRUE },   { 5, 10, 5, 3, FALSE },  { 1, 10, 2, 10, TRUE },
    { 5, 20, 5, 31, FALSE }, /* 20 hops reached all there is */
    { 0, -1, 5, 30, TRUE },  { 5, -1, 5, 30, FALSE }, { 2, -1, 4, -1, TRUE },
    { 4, -1, 2, -1, FALSE }, { 5, 10, 5, 10, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (Rig) rig = make_rig ();
      P2psEffect *reply;

      rig_query (rig, "10.0.9.9", rig_make_query (1, STRANGER, rows[i].ttl, rows[i].xttl));
      g_ptr_array_set_size (rig->log, 0);
      reply = rig_query (rig, "10.0.0.2",
                         relayed (1, STRANGER, A, rows[i].then_ttl, rows[i].then_xttl));
      g_test_message ("row %zu", i);
      g_assert_true (reply->message->duplicate);
      g_assert_cmpint (rig_count (rig, P2PS_MESSAGE_QUERY, B) > 0, ==, rows[i].again);
      g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, A), ==, 0);
      g_assert_cmpuint (rig->lookups->len, ==, 1);
    }
}

/* What makes another query: a stolen QID silences nobody. */
static void
test_memory_key (void)
{
  g_autoptr (Rig) rig = make_rig ();
  P2psQuery *query;

  rig_query (rig, "10.0.0.2", relayed (1, STRANGER, A, 5, 10));
  rig_query (rig, "10.0.0.2", relayed (1, "10.0.9.8:8081", A, 5, 10));
  rig_query (rig, "10.0.0.2", relayed (1, "10.0.9.9:8082", A, 5, 10));
  query = relayed (1, STRANGER, A, 5, 10);
  g_free (query->filename);
  query->filename = g_strdup ("another");
  rig_query (rig, "10.0.0.2", query);
  query = relayed (1, STRANGER, A, 5, 10);
  memset (query->filehash, 'a', 64);
  rig_query (rig, "10.0.0.2", query);
  g_assert_cmpuint (rig->lookups->len, ==, 5);
  rig_query (rig, "10.0.0.2", relayed (1, STRANGER, A, 5, 10));
  g_assert_cmpuint (rig->lookups->len, ==, 5);
  /* 600 s later it is new again. */
  rig_advance (rig, P2PS_QID_MEMORY - 10 * P2PS_SECOND);
  rig_query (rig, "10.0.0.2", relayed (1, STRANGER, A, 5, 10));
  g_assert_cmpuint (rig->lookups->len, ==, 5);
  rig_advance (rig, 11 * P2PS_SECOND);
  rig_query (rig, "10.0.0.2", relayed (1, STRANGER, A, 5, 10));
  g_assert_cmpuint (rig->lookups->len, ==, 6);
}

/* Returns: whether it was known; it is now */
static gboolean
remember (P2psMemory *memory, gint64 now, const P2psQuery *query)
{
  P2psQueryKey key;

  if (p2ps_memory_find (memory, now, query, &key) != NULL)
    return TRUE;
  p2ps_memory_add (memory, now, &key)->ttl = 3;

  return FALSE;
}

static void
test_memory_bounds (void)
{
  P2psMemory *memory = p2ps_memory_new ();
  P2psQueryKey key;
  g_autoptr (P2psQuery) first = rig_make_query (1, A, 5, 5);

  g_assert_false (remember (memory, 0, first));
  g_assert_true (remember (memory, 0, first));
  g_assert_cmpint (p2ps_memory_find (memory, 0, first, &key)->ttl, ==, 3);
  for (guint i = 2; i < P2PS_MAX_QIDS + 2; i++)
    {
      g_autoptr (P2psQuery) query = rig_make_query (i, A, 5, 5);

      g_assert_false (remember (memory, i, query));
    }
  g_assert_cmpuint (p2ps_memory_get_size (memory), ==, P2PS_MAX_QIDS);
  g_assert_false (remember (memory, P2PS_MAX_QIDS + 2, first)); /* the oldest had to go */
  g_assert_false (remember (memory, P2PS_QID_MEMORY * 2, first));
  g_assert_cmpuint (p2ps_memory_get_size (memory), ==, 1);
  p2ps_memory_free (memory);
}

static void
test_refused_queries (void)
{
  static const struct
  {
    const char *source, *origin, *filename;
    guint status;
  } rows[] = {
    { "10.0.9.9", STRANGER, "a", 0 },
    { "10.0.9.9", NULL, "a", 0 }, /* "0.0.0.0": the source */
    { "10.0.9.9", STRANGER, "", 400 },
    { "10.0.9.9", "127.0.0.1:8081", "a", 400 },
    { "10.0.9.9", "10.0.9.9:80", "a", 400 },
    { "8.8.8.8", STRANGER, "a", 400 },
    { "10.0.9.9", "224.0.0.1:8081", "a", 400 },
  };
  g_autofree char *longest = g_strnfill (P2PS_MAX_FILENAME, 'x');
  g_autofree char *longer = g_strnfill (P2PS_MAX_FILENAME + 1, 'x');

  for (gsize i = 0; i < G_N_ELEMENTS (rows) + 2; i++)
    {
      g_autoptr (Rig) rig = make_rig ();
      gboolean named = i < G_N_ELEMENTS (rows);
      guint status = named ? rows[i].status : i > G_N_ELEMENTS (rows) ? 400 : 0;
      P2psQuery *query = rig_make_query (1, named ? rows[i].origin : STRANGER, 5, -1);
      P2psEffect *reply;

      g_free (query->filename);
      query->filename = g_strdup (named ? rows[i].filename : status ? longer : longest);
      reply = rig_query (rig, named ? rows[i].source : "10.0.9.9", query);
      g_test_message ("row %zu", i);
      g_assert_cmpint (reply->type, ==, status ? P2PS_EFFECT_REJECT : P2PS_EFFECT_REPLY);
      g_assert_cmpuint (reply->status, ==, status);
      g_assert_cmpuint (rig->lookups->len, ==, !status);
      g_assert_cmpint (rig_count (rig, P2PS_MESSAGE_QUERY, NULL) > 0, ==, !status);
      if (!status && rows[i % G_N_ELEMENTS (rows)].origin == NULL)
        g_assert_cmpstr (rig_last (rig, P2PS_MESSAGE_QUERY, A)->message->query->origin.host, ==,
                         "10.0.9.9");
    }
}

/* 5 a second and a burst of 20, for each neighbour. A little too much costs nothing more, a flood
 * costs the score; the others are not concerned. */
static void
test_rate_in (void)
{
  g_autoptr (Rig) rig = make_rig ();
  const P2psNodeCounters *counters = p2ps_node_get_counters (rig->node);
  P2psPeerInfo info;
  guint number = 0, ok = 0;

  for (guint i = 0; i < 30; i++)
    ok += rig_query (rig, "10.0.0.2", relayed (++number, STRANGER, A, 5, 10))->type
          == P2PS_EFFECT_REPLY;
  g_assert_cmpuint (ok, ==, P2PS_QUERIES_BURST);
  g_assert_cmpuint (counters->refused[P2PS_REFUSED_RATE], ==, 10);
  g_assert_cmpuint (rig_query (rig, "10.0.0.2", relayed (++number, STRANGER, A, 5, 10))->status, ==,
                    429);
  g_assert_cmpint (rig_query (rig, "10.0.0.3", relayed (++number, STRANGER, B, 5, 10))->type, ==,
                   P2PS_EFFECT_REPLY);
  /* What was refused from one is new when it comes from another. */
  g_assert_false (
      rig_query (rig, "10.0.0.3", relayed (30, STRANGER, B, 5, 10))->message->duplicate);
  g_assert_true (rig_info (rig, A, &info));
  g_assert_cmpint (info.score, ==, 0);
  rig_advance (rig, P2PS_SECOND);
  for (ok = 0; rig_query (rig, "10.0.0.2", relayed (++number, STRANGER, A, 5, 10))->type
               == P2PS_EFFECT_REPLY;
       ok++)
    ;
  /* What was refused counts, too: a second of silence, and it may speak again. */
  g_assert_cmpuint (ok, ==, P2PS_QUERIES_PER_NEIGHBOUR - P2PS_QUERIES_DEBT);
  rig_advance (rig, 2 * P2PS_SECOND);
  for (ok = 0; ok < P2PS_QUERIES_PER_NEIGHBOUR; ok++)
    g_assert_cmpint (rig_query (rig, "10.0.0.2", relayed (++number, STRANGER, A, 5, 10))->type, ==,
                     P2PS_EFFECT_REPLY);
  /* Who goes on is banned. */
  for (guint i = 0; i < 200; i++)
    rig_query (rig, "10.0.0.2", relayed (++number, STRANGER, A, 5, 10));
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_INACTIVE);
}

/* Copies of a known query are no new queries: they have a larger rate. */
static void
test_rate_duplicates (void)
{
  g_autoptr (Rig) rig = make_rig ();
  guint ok = 0;

  for (guint i = 0; i < 300; i++)
    ok += rig_query (rig, "10.0.0.2", relayed (1, STRANGER, A, 5, 10))->type == P2PS_EFFECT_REPLY;
  g_assert_cmpuint (ok, ==, 1 + P2PS_DUPLICATES_BURST);
  g_assert_cmpint (rig_query (rig, "10.0.0.2", relayed (2, STRANGER, A, 5, 10))->type, ==,
                   P2PS_EFFECT_REPLY);
}

/* Strangers have a rate for each host and one for all. */
static void
test_rate_strangers (void)
{
  g_autoptr (Rig) rig = make_rig ();
  guint ok = 0;

  for (guint i = 0; i < 30; i++)
    ok += rig_query (rig, "10.0.9.9", rig_make_query (i, STRANGER, 5, -1))->type
          == P2PS_EFFECT_REPLY;
  g_assert_cmpuint (ok, ==, P2PS_QUERIES_BURST);
  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *host = g_strdup_printf ("10.1.1.%u", i + 1);

      ok += rig_query (rig, host, rig_make_query (100 + i, NULL, 5, -1))->type == P2PS_EFFECT_REPLY;
    }
  g_assert_cmpuint (ok, ==, P2PS_STRANGER_QUERIES_BURST);
  /* All of them are looked up; of what strangers send, less is sent on. */
  g_assert_cmpuint (rig->lookups->len, ==, P2PS_STRANGER_QUERIES_BURST);
  rig_advance (rig, 30 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, A), ==, P2PS_STRANGER_FORWARDS_BURST);
  /* One that floods is refused for a while, and the others are not. */
  for (guint i = 0; i < 300; i++)
    rig_query (rig, "10.0.9.9", rig_make_query (1000 + i, STRANGER, 5, -1));
  rig_advance (rig, 30 * P2PS_SECOND);
  g_assert_cmpuint (rig_query (rig, "10.0.9.9", rig_make_query (2000, STRANGER, 5, -1))->status, ==,
                    403);
  g_assert_cmpint (rig_query (rig, "10.0.9.8", rig_make_query (2001, STRANGER, 5, -1))->type, ==,
                   P2PS_EFFECT_REPLY);
}

/* 20 queries a second are sent on; towards one neighbour a little less than what it takes. */
static void
test_rate_out (void)
{
  g_autoptr (Rig) rig = make_rig ();
  const P2psNodeCounters *counters = p2ps_node_get_counters (rig->node);
  guint number = 0, in_burst;

  for (guint i = 0; i < 20; i++)
    {
      rig_query (rig, "10.0.0.2", relayed (++number, STRANGER, A, 5, 10));
      rig_query (rig, "10.0.0.3", relayed (++number, STRANGER, B, 5, 10));
    }
  in_burst = rig_count (rig, P2PS_MESSAGE_QUERY, C);
  g_assert_cmpuint (in_burst, <, P2PS_QUERIES_BURST);
  rig_advance (rig, 2 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, C), <=, in_burst + 10);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, C), >=, in_burst + 9);
  rig_advance (rig, 10 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, C), ==, 40); /* none was lost */
  g_assert_cmpuint (counters->dropped, ==, 0);
  /* A lasting overload is dropped and counted, and memory stays bounded. */
  for (guint i = 0; i < 60 * 5; i++)
    {
      rig_query (rig, "10.0.0.2", relayed (++number, STRANGER, A, 5, 10));
      rig_query (rig, "10.0.0.3", relayed (++number, STRANGER, B, 5, 10));
      rig_advance (rig, P2PS_SECOND / 5);
    }
  g_assert_cmpuint (counters->dropped, >, 0);
}

/* Who sends a little over the rate for long gets nothing, not the rate. */
static void
test_rate_lasting (void)
{
  g_autoptr (Rig) rig = make_rig ();
  guint ok = 0;

  for (guint i = 0; i < 12 * 6; i++)
    {
      ok += rig_query (rig, "10.0.0.2", relayed (i, STRANGER, A, 5, 10))->type == P2PS_EFFECT_REPLY;
      rig_advance (rig, P2PS_SECOND / 12);
    }
  /* The burst, and what came back while that lasted: 20 / (1 - 5 / 12). */
  g_assert_cmpuint (ok, >=, P2PS_QUERIES_BURST);
  g_assert_cmpuint (ok, <=, 36);
  /* Exactly the rate is fine for ever. */
  for (guint i = 0; i < 300; i++)
    {
      g_assert_cmpint (rig_query (rig, "10.0.0.3", relayed (1000 + i, STRANGER, B, 5, 10))->type,
                       ==, P2PS_EFFECT_REPLY);
      rig_advance (rig, P2PS_SECOND / P2PS_QUERIES_PER_NEIGHBOUR);
    }
}

/* What two neighbours flood with does not stand before what a third one sends. */
static void
test_turns (void)
{
  g_autoptr (Rig) rig = make_rig ();
  guint waiting;

  for (guint i = 0; i < 20; i++)
    {
      rig_query (rig, "10.0.0.2", relayed (i, STRANGER, A, 5, 10));
      rig_query (rig, "10.0.0.5", relayed (100 + i, STRANGER, CLASSIC, 5, 10));
    }
  rig_advance (rig, 2 * P2PS_SECOND);
  waiting = 40 - rig_count (rig, P2PS_MESSAGE_QUERY, C);
  g_assert_cmpuint (waiting, >=, 10);
  rig_query (rig, "10.0.0.3", relayed (200, STRANGER, B, 5, 10));
  /* One turn each: three of five a second. */
  rig_advance (rig, P2PS_SECOND * 4 / 5);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, C), <, 40);
  g_assert_true (was_sent (rig, C, 200));
  rig_advance (rig, 10 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, C), ==, 41);
}

/* A peer that sends a query itself needs no copy of it. */
static void
test_needless_copies (void)
{
  g_autoptr (Rig) rig = make_rig ();

  for (guint i = 0; i < 20; i++)
    rig_query (rig, "10.0.0.2", relayed (i, STRANGER, A, 5, 10));
  g_assert_false (was_sent (rig, C, 19));
  g_assert_false (was_sent (rig, B, 19));
  rig_query (rig, "10.0.0.4", relayed (19, STRANGER, C, 5, 9));
  /* That one has less budget left than the copy that it would get: it gains by it. */
  rig_query (rig, "10.0.0.3", relayed (19, STRANGER, B, 5, 2));
  rig_advance (rig, 5 * P2PS_SECOND);
  g_assert_false (was_sent (rig, C, 19));
  g_assert_true (was_sent (rig, B, 19));
}

/* What the node at @self sends to ask for @number, with B, C and perhaps A as peers. */
static P2psQuery *
ask_from (const char *self, gint64 silence, guint number)
{
  P2psNodeConfig config = { .self = rig_address (self), .seed = 7 };
  g_autoptr (Rig) rig = rig_new_full (&config);
  g_autoptr (P2psQuery) query = rig_make_query (number, NULL, 0, 0);

  make_peer (rig, B, RIG_OURS);
  make_peer (rig, C, RIG_OURS);
  rig_advance (rig, P2PS_SECOND);
  rig_manner (rig, C, RIG_SILENT);
  rig_advance (rig, silence);
  p2ps_node_search (rig->node, rig->now, query);
  rig_advance (rig, 1);

  return p2ps_query_copy (rig_last (rig, P2PS_MESSAGE_QUERY, B)->message->query);
}

/* Whom the origin asks itself is not asked again, if the origin itself says so. */
static void
test_reached (void)
{
  g_autoptr (Rig) rig = make_rig ();
  P2psQuery *query = ask_from (A, 0, 1);

  g_assert_cmpuint (strlen (query->reached), ==, 16);
  rig_query (rig, "10.0.0.2", query);
  g_assert_false (was_sent (rig, B, 1));
  g_assert_false (was_sent (rig, C, 1));
  g_assert_true (was_sent (rig, CLASSIC, 1));
  /* A relay can't say it, and the names are good for one query only. */
  query = ask_from (A, 0, 2);
  query->via = rig_address (B);
  query->hops = 0;
  rig_query (rig, "10.0.0.3", query);
  g_assert_true (was_sent (rig, C, 2));
  g_assert_null (rig_last (rig, P2PS_MESSAGE_QUERY, C)->message->query->reached);
  query = ask_from (A, 0, 3);
  g_strlcpy (query->qid, "0b6e2f0e-6a4d-4e0a-9c39-0c4a5d1f7a11", sizeof query->qid);
  rig_query (rig, "10.0.0.2", query);
  g_assert_cmpstr (rig_last (rig, P2PS_MESSAGE_QUERY, B)->message->query->qid, ==,
                   "0b6e2f0e-6a4d-4e0a-9c39-0c4a5d1f7a11");
  /* One that was silent for 10 s is not named. */
  query = ask_from (A, 16 * P2PS_SECOND, 4);
  g_assert_cmpuint (strlen (query->reached), ==, 8);
  rig_query (rig, "10.0.0.2", query);
  g_assert_false (was_sent (rig, B, 4));
  g_assert_true (was_sent (rig, C, 4));
}

/* An own query that gets no answer is sent twice more: nobody else may send it to that peer. */
static void
test_own_again (void)
{
  g_autoptr (Rig) rig = make_rig ();
  g_autoptr (P2psQuery) query = rig_make_query (1, NULL, 0, 0);

  rig_manner (rig, A, RIG_SILENT);
  rig_manner (rig, C, RIG_DENIES);
  p2ps_node_search (rig->node, rig->now, query);
  rig_advance (rig, 5 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, A), ==, 2);
  rig_advance (rig, 10 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, A), ==, 1 + P2PS_OWN_RETRIES);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, B), ==, 1);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, C), ==, 1);
}

/* The sender of a copy that does not say so: a classic peer, alone on its host. */
static void
test_classic_sender (void)
{
  g_autoptr (Rig) rig = make_rig ();

  rig_query (rig, "10.0.0.5", rig_make_query (1, STRANGER, 3, -1));
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, CLASSIC), ==, 0);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, A), ==, 1);
  /* Two on one host: it can't be told, nobody but the origin is left out. */
  make_peer (rig, "10.0.0.5:8082", RIG_CLASSIC);
  rig_forget (rig);
  rig_query (rig, "10.0.0.5", rig_make_query (2, STRANGER, 3, -1));
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, CLASSIC), ==, 1);
  rig_query (rig, "10.0.0.5", rig_make_query (3, CLASSIC, 5, -1));
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, CLASSIC), ==, 1);
  /* `via` counts only from the host that it names. */
  rig_forget (rig);
  rig_query (rig, "10.0.0.3", relayed (4, STRANGER, A, 5, 10));
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, A), ==, 1);
}

/* Own searches */

static void
search (Rig *rig, guint number)
{
  g_autoptr (P2psQuery) query = rig_make_query (number, NULL, -1, -1);

  p2ps_node_search (rig->node, rig->now, query);
  rig_advance (rig, 10000);
}

static void
test_own_search (void)
{
  g_autoptr (Rig) rig = make_rig ();
  P2psQuery *sent;
  P2psEffect *reply;

  search (rig, 1);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, NULL), ==, 4);
  g_assert_cmpuint (rig->lookups->len, ==, 0); /* own files are no hits */
  sent = rig_last (rig, P2PS_MESSAGE_QUERY, A)->message->query;
  g_assert_cmpstr (sent->origin.host, ==, "10.0.0.1");
  g_assert_cmpint (sent->ttl, ==, P2PS_DEFAULT_TTL);
  g_assert_cmpint (sent->xttl, ==, P2PS_MAX_XTTL);
  g_assert_cmpint (rig_last (rig, P2PS_MESSAGE_QUERY, CLASSIC)->message->query->ttl, ==, 2);
  g_assert_cmpuint (p2ps_node_get_counters (rig->node)->originated, ==, 1);

  /* It comes round: known, not looked up, not sent on. */
  reply = rig_query (rig, "10.0.0.2", relayed (1, "10.0.0.1:8081", A, 5, 20));
  g_assert_true (reply->message->ok && reply->message->duplicate);
  g_assert_cmpuint (rig->lookups->len, ==, 0);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, NULL), ==, 4);

  /* Who comes later is asked too, while hits are wanted. */
  make_peer (rig, "10.0.0.6:8081", RIG_OURS);
  rig_advance (rig, P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, "10.0.0.6:8081"), ==, 1);
  p2ps_node_stop_search (rig->node, rig->now, sent->qid);
  make_peer (rig, "10.0.0.7:8081", RIG_OURS);
  rig_advance (rig, P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY, "10.0.0.7:8081"), ==, 0);
}

/* With no address of its own that it knows: the driver fills it in on sending. */
static void
test_own_search_unset_host (void)
{
  static const char *const own_hosts[] = { "10.0.0.1", NULL };
  P2psNodeConfig config = { .self = { "", 8081 }, .seed = 1, .max_ttl = 3 };
  g_autoptr (Rig) rig = rig_new_full (&config);
  P2psEffect *reply;

  make_peer (rig, A, RIG_OURS);
  search (rig, 1);
  g_assert_cmpstr (rig_last (rig, P2PS_MESSAGE_QUERY, A)->message->query->origin.host, ==, "");
  g_assert_cmpint (rig_last (rig, P2PS_MESSAGE_QUERY, A)->message->query->ttl, ==, 3);
  /* By the QID memory, without knowing the own hosts. */
  reply = rig_query (rig, "10.0.0.2", relayed (1, "10.0.0.1:8081", A, 5, 20));
  g_assert_true (reply->message->duplicate);
  g_assert_cmpuint (rig->lookups->len, ==, 0);
  /* By address: a search from before a restart. */
  p2ps_node_set_own_hosts (rig->node, own_hosts);
  reply = rig_query (rig, "10.0.0.2", relayed (2, "10.0.0.1:8081", A, 5, 20));
  g_assert_true (reply->message->duplicate);
  g_assert_cmpuint (rig->lookups->len, ==, 0);
}

static P2psMessage *
make_hits (guint number, const char *holder, guint count, guint first)
{
  GPtrArray *hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  g_autoptr (P2psQuery) query = rig_make_query (number, NULL, -1, -1);
  P2psAddress address = { "", 8081 };

  if (holder != NULL)
    address = rig_address (holder);
  for (guint i = 0; i < count; i++)
    {
      g_autofree char *hash = g_strdup_printf ("%064u", first + i);

      g_ptr_array_add (hits, p2ps_hit_new (query->qid, &address, "a file.txt", hash, 5));
    }

  return p2ps_message_new_hits (hits);
}

static guint
count_hits (Rig *rig, gboolean verified)
{
  guint count = 0;

  for (guint i = 0; i < rig->hits->len; i++)
    {
      P2psEffect *effect = g_ptr_array_index (rig->hits, i);

      if (effect->verified == verified)
        count += effect->message->hits->len;
    }

  return count;
}

static void
test_hits_in (void)
{
  g_autoptr (Rig) rig = make_rig ();
  const P2psNodeCounters *counters = p2ps_node_get_counters (rig->node);
  P2psEffect *reply, *hits;

  /* For no search of ours. */
  reply = rig_reply (rig, rig_deliver (rig, "10.0.9.9", make_hits (1, STRANGER, 1, 0)));
  g_assert_cmpuint (reply->status, ==, 404);
  g_assert_cmpuint (counters->refused[P2PS_REFUSED_HIT], ==, 1);

  search (rig, 1);
  reply = rig_reply (rig, rig_deliver (rig, "10.0.9.9", make_hits (1, NULL, 3, 0)));
  g_assert_true (reply->type == P2PS_EFFECT_REPLY && reply->message->ok);
  g_assert_cmpuint (count_hits (rig, TRUE), ==, 3);
  hits = g_ptr_array_index (rig->hits, 0);
  g_assert_cmpstr (((P2psHit *)hits->message->hits->pdata[0])->holder.host, ==, "10.0.9.9");
  g_assert_cmpuint (counters->hits_received, ==, 3);

  /* Again the same: fine, and no news. */
  reply = rig_reply (rig, rig_deliver (rig, "10.0.9.9", make_hits (1, STRANGER, 3, 0)));
  g_assert_true (reply->message->ok);
  g_assert_cmpuint (counters->hits_received, ==, 3);
  /* Somebody speaks for another. */
  rig_deliver (rig, "10.0.9.8", make_hits (1, STRANGER, 1, 10));
  g_assert_cmpuint (count_hits (rig, FALSE), ==, 1);
  /* Addresses that can't be, ourselves, another file. */
  reply = rig_reply (rig, rig_deliver (rig, "10.0.9.9", make_hits (1, "127.0.0.1:8081", 1, 20)));
  g_assert_cmpuint (reply->status, ==, 400);
  rig_deliver (rig, "10.0.0.2", make_hits (1, "10.0.0.1:8081", 1, 20));
  {
    P2psMessage *other = make_hits (1, STRANGER, 1, 20);
    P2psHit *hit = g_ptr_array_index (other->hits, 0);

    g_free (hit->filename);
    hit->filename = g_strdup ("something else");
    reply = rig_reply (rig, rig_deliver (rig, "10.0.9.9", other));
    g_assert_cmpuint (reply->status, ==, 400);
  }
  g_assert_cmpuint (counters->hits_received, ==, 4);
}

static void
test_hit_limits (void)
{
  g_autoptr (Rig) rig = make_rig ();
  P2psEffect *reply;

  search (rig, 1);
  /* 20 from one host, whatever holders it names. */
  rig_deliver (rig, "10.0.9.9", make_hits (1, NULL, 15, 0));
  rig_deliver (rig, "10.0.9.9", make_hits (1, "10.0.9.9:9000", 15, 0));
  rig_deliver (rig, "10.0.9.9", make_hits (1, "10.0.9.1:9000", 15, 0));
  g_assert_cmpuint (count_hits (rig, TRUE) + count_hits (rig, FALSE), ==, 20);
  reply = rig_reply (rig, rig_deliver (rig, "10.0.9.9", make_hits (1, NULL, 1, 90)));
  g_assert_cmpint (reply->type, ==, P2PS_EFFECT_REJECT);
  /* 256 in all. */
  for (guint i = 0; i < 30; i++)
    {
      g_autofree char *host = g_strdup_printf ("10.2.0.%u", i + 1);

      rig_deliver (rig, host, make_hits (1, NULL, 20, 0));
    }
  g_assert_cmpuint (count_hits (rig, TRUE) + count_hits (rig, FALSE), ==, P2PS_MAX_HITS_PER_QUERY);

  /* After 60 s, or when stopped: answered politely, and ignored. */
  search (rig, 2);
  rig_forget (rig);
  rig_advance (rig, P2PS_HIT_WINDOW - P2PS_SECOND);
  rig_deliver (rig, "10.0.9.9", make_hits (2, NULL, 1, 0));
  g_assert_cmpuint (count_hits (rig, TRUE), ==, 1);
  rig_advance (rig, P2PS_SECOND);
  reply = rig_reply (rig, rig_deliver (rig, "10.0.9.9", make_hits (2, NULL, 1, 1)));
  g_assert_true (reply->type == P2PS_EFFECT_REPLY && reply->message->ok);
  g_assert_cmpuint (count_hits (rig, TRUE), ==, 1);
  search (rig, 3);
  {
    g_autoptr (P2psQuery) query = rig_make_query (3, NULL, -1, -1);

    p2ps_node_stop_search (rig->node, rig->now, query->qid);
  }
  rig_deliver (rig, "10.0.9.9", make_hits (3, NULL, 1, 1));
  g_assert_cmpuint (count_hits (rig, TRUE), ==, 1);
}

/* On loopback all peers share a host: each has its own share. */
static void
test_hit_limits_loopback (void)
{
  g_autoptr (Rig) rig = rig_new (TRUE);

  search (rig, 1);
  for (guint i = 0; i < 5; i++)
    {
      g_autofree char *holder = g_strdup_printf ("127.0.0.1:%u", 9000 + i);

      rig_deliver (rig, "127.0.0.1", make_hits (1, holder, 20, 0));
    }
  g_assert_cmpuint (count_hits (rig, TRUE), ==, 100);
}

/* Our hits for others */

static void
test_answer_to_peer (gconstpointer data)
{
  gboolean classic = GPOINTER_TO_INT (data);
  g_autoptr (Rig) rig = make_rig ();
  const char *origin = classic ? CLASSIC : B;
  P2psHit *hit;

  rig_query (rig, "10.0.0.2", relayed (1, origin, A, 5, 10));
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY_HIT, NULL), ==, 0);
  rig_found (rig, 0, 25);
  rig_advance (rig, P2PS_SECOND / 2);
  /* At once, without a ping, at most 20; in one message or in one for each. */
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, origin), ==, 0);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY_HIT, origin), ==, classic ? 20 : 1);
  g_assert_cmpuint (rig_last (rig, P2PS_MESSAGE_QUERY_HIT, origin)->message->hits->len, ==,
                    classic ? 1 : 20);
  hit = g_ptr_array_index (rig_last (rig, P2PS_MESSAGE_QUERY_HIT, origin)->message->hits, 0);
  g_assert_cmpstr (hit->holder.host, ==, "10.0.0.1");
  g_assert_cmpuint (p2ps_node_get_counters (rig->node)->answered, ==, 1);
  g_assert_cmpuint (p2ps_node_get_counters (rig->node)->hits_sent, ==, 20);

  rig_query (rig, "10.0.0.2", relayed (2, origin, A, 5, 10));
  rig_found (rig, 1, 0);
  g_assert_cmpuint (p2ps_node_get_counters (rig->node)->answered, ==, 1);
}

/* Names that grow in JSON don't make a message too long. */
static void
test_answer_in_parts (void)
{
  g_autoptr (Rig) rig = make_rig ();
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);
  g_autofree char *name = g_strnfill (255, '\x01');
  P2psEffect *lookup;

  rig_query (rig, "10.0.0.2", relayed (1, B, A, 5, 10));
  for (guint i = 0; i < 20; i++)
    g_ptr_array_add (hits, p2ps_hit_new ("", NULL, name, NULL, 1));
  lookup = g_ptr_array_index (rig->lookups, 0);
  p2ps_node_found (rig->node, rig->now, lookup->token, hits);
  rig_advance (rig, P2PS_SECOND / 2);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY_HIT, B), ==, 4);
}

/* To an origin that is no peer: one ping, then the hits; never without an answer. */
static void
test_answer_to_stranger (void)
{
  static const struct
  {
    const char *source;
    RigManner manner;
    guint messages;
  } rows[] = {
    { "10.0.0.2", RIG_OURS, 1 },    { "10.0.0.2", RIG_CLASSIC, 3 }, { "10.0.0.2", RIG_SILENT, 0 },
    { "10.0.0.2", RIG_REFUSED, 0 }, { "10.0.0.2", RIG_BABBLES, 0 }, { "10.0.9.9", RIG_OURS, 1 },
    { "10.0.9.9", RIG_CLASSIC, 3 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (Rig) rig = make_rig ();
      gboolean direct = strcmp (rows[i].source, "10.0.9.9") == 0;

      rig_manner (rig, STRANGER, rows[i].manner);
      rig_query (rig, rows[i].source,
                 direct ? rig_make_query (1, STRANGER, 5, -1) : relayed (1, STRANGER, A, 5, 10));
      rig_found (rig, 0, 3);
      g_test_message ("row %zu", i);
      g_assert_cmpuint (rig_count (rig, 0, STRANGER), ==, direct);
      rig_advance (rig, direct ? P2PS_SECOND / 10 : P2PS_STRANGER_HIT_DELAY + P2PS_SECOND / 10);
      g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, STRANGER), ==, 1);
      rig_advance (rig, 10 * P2PS_SECOND);
      g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY_HIT, STRANGER), ==, rows[i].messages);

      /* Next time it is known: no ping; or closed: nothing at all. */
      rig_query (rig, "10.0.0.2", relayed (2, STRANGER, A, 5, 10));
      rig_found (rig, 1, 3);
      rig_advance (rig, 10 * P2PS_SECOND);
      g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, STRANGER), ==, 1);
      g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY_HIT, STRANGER), ==,
                        2 * rows[i].messages);
    }
}

/* A forged origin: many queries cost it one ping in 10 minutes and never a hit. */
static void
test_forged_origin (void)
{
  g_autoptr (Rig) rig = make_rig ();

  for (guint i = 0; i < 600; i++)
    {
      rig_query (rig, "10.0.0.2", relayed (i, STRANGER, A, 5, 10));
      if (rig->lookups->len > 0)
        rig_found (rig, rig->lookups->len - 1, 1);
      rig_advance (rig, P2PS_SECOND);
    }
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, STRANGER), ==, 1);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY_HIT, STRANGER), ==, 0);
  /* Then it is tried again, and if somebody is there now it is no longer closed. */
  rig_advance (rig, 30 * P2PS_SECOND);
  rig_manner (rig, STRANGER, RIG_OURS);
  rig_query (rig, "10.0.0.2", relayed (9000, STRANGER, A, 5, 10));
  rig_found (rig, rig->lookups->len - 1, 1);
  rig_advance (rig, 5 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY_HIT, STRANGER), ==, 1);
}

/* One that answers gets 6 answers a minute; the first failed delivery closes it. */
static void
test_stranger_rate (void)
{
  g_autoptr (Rig) rig = make_rig ();
  guint before;

  rig_manner (rig, STRANGER, RIG_OURS);
  for (guint i = 0; i < 30; i++)
    {
      rig_query (rig, "10.0.0.2", relayed (i, STRANGER, A, 5, 10));
      rig_found (rig, i, 1);
      rig_advance (rig, P2PS_SECOND / 4);
    }
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY_HIT, STRANGER), ==,
                    P2PS_STRANGER_HITS_PER_MINUTE);
  rig_advance (rig, 60 * P2PS_SECOND);
  before = rig_count (rig, P2PS_MESSAGE_QUERY_HIT, STRANGER);
  rig_manner (rig, STRANGER, RIG_DENIES);
  for (guint i = 30; i < 34; i++)
    {
      rig_query (rig, "10.0.0.2", relayed (i, STRANGER, A, 5, 10));
      rig_found (rig, i, 1);
      rig_advance (rig, 10 * P2PS_SECOND);
    }
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_QUERY_HIT, STRANGER), ==, before + 1);
}

/* A library that answers too late or never fills no memory. */
static void
test_lookup_cap (void)
{
  g_autoptr (Rig) rig = make_rig ();

  for (guint i = 0; i < P2PS_MAX_LOOKUPS * 2; i++)
    {
      rig_query (rig, "10.0.0.2", relayed (i, STRANGER, A, 5, 10));
      rig_advance (rig, P2PS_SECOND / 4);
    }
  /* One neighbour gets half of them. */
  g_assert_cmpuint (rig->lookups->len, ==, P2PS_MAX_LOOKUPS / 2);
  for (guint i = 0; i < P2PS_MAX_LOOKUPS; i++)
    {
      rig_query (rig, "10.0.0.3", relayed (2000 + i, STRANGER, B, 5, 10));
      rig_query (rig, "10.0.0.4", relayed (4000 + i, STRANGER, C, 5, 10));
      rig_advance (rig, P2PS_SECOND / 4);
    }
  g_assert_cmpuint (rig->lookups->len, ==, P2PS_MAX_LOOKUPS);
  rig_found (rig, 0, 0);
  rig_query (rig, "10.0.0.2", relayed (9999, STRANGER, A, 5, 10));
  g_assert_cmpuint (rig->lookups->len, ==, P2PS_MAX_LOOKUPS + 1);
}

/* The same seed and events: the same run. */
static char *
run_and_digest (guint64 seed)
{
  P2psNodeConfig config = { .self = { "10.0.0.1", 8081 }, .seed = seed };
  g_autoptr (Rig) rig = rig_new_full (&config);
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);

  for (guint i = 0; i < 40; i++)
    {
      g_autofree char *address = g_strdup_printf ("10.0.3.%u:8081", i + 1);

      make_peer (rig, address, i % 3 ? RIG_OURS : RIG_CLASSIC);
      rig_query (rig, "10.0.9.9", rig_make_query (i, STRANGER, 5, -1));
      rig_advance (rig, P2PS_SECOND);
    }
  for (guint i = 0; i < rig->log->len; i++)
    {
      RigSent *sent = g_ptr_array_index (rig->log, i);

      g_checksum_update (checksum, (guchar *)&sent->at, sizeof sent->at);
      g_checksum_update (checksum, (guchar *)sent->to.host, strlen (sent->to.host));
      g_checksum_update (checksum, (guchar *)&sent->message->type, sizeof sent->message->type);
    }

  return g_strdup (g_checksum_get_string (checksum));
}

static void
test_deterministic (void)
{
  g_autofree char *first = run_and_digest (7);
  g_autofree char *second = run_and_digest (7);
  g_autofree char *other = run_and_digest (8);

  g_assert_cmpstr (first, ==, second);
  g_assert_cmpstr (first, !=, other);
}

/* A query costs microseconds. */
static void
test_speed (void)
{
  g_autoptr (Rig) rig = make_rig ();
  gint64 start;
  guint count = 20000;

  start = g_get_monotonic_time ();
  for (guint i = 0; i < count; i++)
    {
      rig->now += P2PS_SECOND / 5;
      rig_query (rig, "10.0.0.2", relayed (i, STRANGER, A, 1, 1));
      g_ptr_array_set_size (rig->replies, 0);
      if (rig->lookups->len > 0)
        rig_found (rig, 0, 0);
      rig_forget (rig);
      rig_settle (rig);
    }
  g_test_message ("%.2f us", (g_get_monotonic_time () - start) / (double)count);
  g_assert_cmpint (g_get_monotonic_time () - start, <, count * G_GINT64_CONSTANT (100));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/routing/forward", test_forward);
  g_test_add_func ("/routing/budgets", test_budgets);
  g_test_add_func ("/routing/more-budget", test_more_budget);
  g_test_add_func ("/routing/memory-key", test_memory_key);
  g_test_add_func ("/routing/memory-bounds", test_memory_bounds);
  g_test_add_func ("/routing/refused", test_refused_queries);
  g_test_add_func ("/routing/rate-in", test_rate_in);
  g_test_add_func ("/routing/rate-duplicates", test_rate_duplicates);
  g_test_add_func ("/routing/rate-strangers", test_rate_strangers);
  g_test_add_func ("/routing/rate-out", test_rate_out);
  g_test_add_func ("/routing/rate-lasting", test_rate_lasting);
  g_test_add_func ("/routing/turns", test_turns);
  g_test_add_func ("/routing/needless-copies", test_needless_copies);
  g_test_add_func ("/routing/reached", test_reached);
  g_test_add_func ("/routing/own-again", test_own_again);
  g_test_add_func ("/routing/classic-sender", test_classic_sender);
  g_test_add_func ("/searches/own", test_own_search);
  g_test_add_func ("/searches/unset-host", test_own_search_unset_host);
  g_test_add_func ("/searches/hits", test_hits_in);
  g_test_add_func ("/searches/hit-limits", test_hit_limits);
  g_test_add_func ("/searches/hit-limits-loopback", test_hit_limits_loopback);
  g_test_add_data_func ("/answers/to-ours", GINT_TO_POINTER (FALSE), test_answer_to_peer);
  g_test_add_data_func ("/answers/to-classic", GINT_TO_POINTER (TRUE), test_answer_to_peer);
  g_test_add_func ("/answers/in-parts", test_answer_in_parts);
  g_test_add_func ("/answers/to-stranger", test_answer_to_stranger);
  g_test_add_func ("/answers/forged-origin", test_forged_origin);
  g_test_add_func ("/answers/stranger-rate", test_stranger_rate);
  g_test_add_func ("/answers/lookup-cap", test_lookup_cap);
  g_test_add_func ("/node/deterministic", test_deterministic);
  g_test_add_func ("/node/speed", test_speed);

  return g_test_run ();
}
