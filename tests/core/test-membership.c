/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Joining, being joined, liveness, lists of peers, addresses from strangers, scores. */

#include "rig.h"

#define A "10.0.0.2:8081"
#define B "10.0.0.3:8081"

static void
add_peer (Rig *rig, const char *address)
{
  P2psAddress peer = rig_address (address);

  p2ps_node_add_peer (rig->node, rig->now, &peer);
}

/* An active peer of this node's own choosing. */
static void
make_peer (Rig *rig, const char *address, RigManner manner)
{
  rig_manner (rig, address, manner);
  add_peer (rig, address);
  rig_advance (rig, P2PS_SECOND);
  g_assert_cmpint (rig_state (rig, address), ==, P2PS_PEER_ACTIVE);
}

static gboolean
lists (P2psEffect *reply, const char *text)
{
  P2psAddress address = rig_address (text);

  for (guint i = 0; i < reply->message->peers->len; i++)
    if (p2ps_address_equal (&g_array_index (reply->message->peers, P2psAddress, i), &address))
      return TRUE;

  return FALSE;
}

/* Bootstrapping: PING first, then JOIN; the reply to the ping says what kind of peer it is. */
static void
test_bootstrap (gconstpointer data)
{
  gboolean classic = GPOINTER_TO_INT (data);
  g_autoptr (Rig) rig = rig_new (FALSE);
  P2psPeerInfo info;

  rig_manner (rig, A, classic ? RIG_CLASSIC : RIG_OURS);
  add_peer (rig, A);
  g_assert_true (rig_info (rig, A, &info));
  g_assert_cmpint (info.state, ==, P2PS_PEER_CANDIDATE);
  rig_advance (rig, 500);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, A), ==, 1);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_JOIN, A), ==, 0);
  rig_advance (rig, P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_JOIN, A), ==, 1);
  g_assert_cmpstr (rig_last (rig, P2PS_MESSAGE_JOIN, A)->message->sender.host, ==, "10.0.0.1");
  g_assert_true (rig_info (rig, A, &info));
  g_assert_cmpint (info.state, ==, P2PS_PEER_ACTIVE);
  g_assert_true (info.configured);
  g_assert_cmpint (info.classic, ==, classic);
  g_assert_cmpint (info.files, ==, classic ? -1 : 7);
  g_assert_cmpint (info.round_trip, ==, 1000);
  g_assert_cmpstr (info.agent, ==, classic ? "" : "p2pshare/other");
  g_assert_cmpint (info.last_heartbeat, >, 1000 * P2PS_SECOND);
  g_assert_cmpuint (p2ps_node_count_active (rig->node), ==, 1);
  g_assert_cmpuint (rig->changed, >, 0);
}

static void
test_heartbeat_rhythm (gconstpointer data)
{
  gboolean classic = GPOINTER_TO_INT (data);
  g_autoptr (Rig) rig = rig_new (FALSE);
  guint beats;

  make_peer (rig, A, classic ? RIG_CLASSIC : RIG_OURS);
  rig_forget (rig);
  rig_advance (rig, 300 * P2PS_SECOND);
  beats = rig_count (rig, P2PS_MESSAGE_HEARTBEAT, A) + rig_count (rig, P2PS_MESSAGE_JOIN, A);
  g_assert_cmpuint (beats, >=, classic ? 9 : 54);
  g_assert_cmpuint (beats, <=, classic ? 12 : 67);
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_ACTIVE);
}

/* How long a peer that fails in some way is still called active. */
static void
test_liveness (void)
{
  static const struct
  {
    RigManner was, becomes;
    gint64 after, before; /* seconds */
  } rows[] = {
    { RIG_OURS, RIG_SILENT, 10, 21 },      { RIG_OURS, RIG_REFUSED, 0, 7 },
    { RIG_OURS, RIG_BABBLES, 10, 26 },     { RIG_OURS, RIG_DENIES, 10, 26 },
    { RIG_CLASSIC, RIG_SILENT, 270, 335 }, { RIG_CLASSIC, RIG_REFUSED, 0, 36 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (Rig) rig = rig_new (FALSE);
      gint64 start, gone;

      make_peer (rig, A, rows[i].was);
      rig_advance (rig, 60 * P2PS_SECOND);
      rig_manner (rig, A, rows[i].becomes);
      start = rig->now;
      while (rig_state (rig, A) == P2PS_PEER_ACTIVE && rig->now < start + 1000 * P2PS_SECOND)
        rig_advance (rig, P2PS_SECOND / 4);
      gone = rig->now - start;
      g_test_message ("row %zu: %.2f s", i, gone / 1e6);
      g_assert_cmpint (gone, >=, rows[i].after * P2PS_SECOND);
      g_assert_cmpint (gone, <=, rows[i].before * P2PS_SECOND);
      g_assert_cmpuint (p2ps_node_count_active (rig->node), ==, 0);
    }
}

/* One lost packet is no death, and any sign of life clears the suspicion. */
static void
test_suspicion_clears (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);
  P2psPeerInfo info;

  make_peer (rig, A, RIG_OURS);
  for (int i = 0; i < 20; i++)
    {
      rig_manner (rig, A, RIG_SILENT);
      rig_advance (rig, 11 * P2PS_SECOND);
      rig_manner (rig, A, RIG_OURS);
      rig_advance (rig, 9 * P2PS_SECOND);
      g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_ACTIVE);
    }
  /* Requests to it fail, but it speaks. */
  rig_manner (rig, A, RIG_SILENT);
  for (int i = 0; i < 20; i++)
    {
      rig_say (rig, P2PS_MESSAGE_HEARTBEAT, "10.0.0.2", A);
      rig_advance (rig, 5 * P2PS_SECOND);
    }
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_ACTIVE);
  g_assert_true (rig_info (rig, A, &info));
  g_assert_cmpint (info.last_heartbeat, >=, rig->now - 6 * P2PS_SECOND);
}

/* After a sleep of an hour nobody is evicted who answers. */
static void
test_sleep_evicts_nobody (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);

  make_peer (rig, A, RIG_OURS);
  make_peer (rig, B, RIG_CLASSIC);
  rig->now += 3600 * P2PS_SECOND;
  rig_advance (rig, 30 * P2PS_SECOND);
  g_assert_cmpuint (p2ps_node_count_active (rig->node), ==, 2);
  /* Not even when the first request after it is lost. */
  rig->now += 3600 * P2PS_SECOND;
  rig_manner (rig, A, RIG_SILENT);
  rig_advance (rig, P2PS_SECOND);
  rig_manner (rig, A, RIG_OURS);
  rig_forget (rig);
  for (int i = 0; i < 40; i++)
    {
      rig_advance (rig, P2PS_SECOND / 4);
      g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_ACTIVE);
    }
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, A), >=, 1);
}

static void
test_inactive_is_tried_again (gconstpointer data)
{
  gboolean classic = GPOINTER_TO_INT (data);
  g_autoptr (Rig) rig = rig_new (FALSE);
  guint tries;

  rig_manner (rig, A, classic ? RIG_CLASSIC : RIG_OURS);
  rig_join (rig, "10.0.0.2", A);
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_ACTIVE);
  rig_manner (rig, A, RIG_REFUSED);
  rig_advance (rig, 60 * P2PS_SECOND);
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_INACTIVE);
  rig_forget (rig);
  rig_advance (rig, 600 * P2PS_SECOND);
  tries = rig_count (rig, P2PS_MESSAGE_PING, A);
  g_assert_cmpuint (tries, >=, classic ? 9 : 2);
  g_assert_cmpuint (tries, <=, classic ? 11 : 80);
  rig_manner (rig, A, classic ? RIG_CLASSIC : RIG_OURS);
  rig_forget (rig);
  rig_advance (rig, classic ? 61 * P2PS_SECOND : P2PS_RETRY_MAX * 2);
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_ACTIVE);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_JOIN, A), >=, 1);
}

/* A configured peer that starts later than we do is found soon after it starts. */
static void
test_configured_starts_late (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);

  rig_manner (rig, A, RIG_REFUSED);
  add_peer (rig, A);
  rig_advance (rig, 10 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, A), >=, 3);
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_CANDIDATE);
  rig_manner (rig, A, RIG_OURS);
  rig_advance (rig, 12 * P2PS_SECOND);
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_ACTIVE);
}

/* A peer of the table that restarts is live at once, whatever was pinged lately. */
static void
test_restart_is_live_at_once (gconstpointer data)
{
  P2psMessageType says = GPOINTER_TO_INT (data);
  g_autoptr (Rig) rig = rig_new (FALSE);

  rig_manner (rig, A, RIG_OURS);
  rig_join (rig, "10.0.0.2", A);
  rig_manner (rig, A, RIG_REFUSED);
  rig_advance (rig, 30 * P2PS_SECOND);
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_INACTIVE);
  rig_manner (rig, A, RIG_CLASSIC);
  /* Somebody else can't speak for it. */
  rig_say (rig, says, "10.0.0.9", A);
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_INACTIVE);
  rig_say (rig, says, "10.0.0.2", A);
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_ACTIVE);
}

/* Being joined: one ping back, then it is a peer; no ping without an answer makes one. */
static void
test_joined_by (void)
{
  static const struct
  {
    const char *source, *address;
    RigManner manner;
    P2psPeerState state;
  } rows[] = {
    { "10.0.0.2", A, RIG_OURS, P2PS_PEER_ACTIVE },
    { "10.0.0.2", A, RIG_CLASSIC, P2PS_PEER_ACTIVE },
    { "10.0.0.2", ":8081", RIG_CLASSIC, P2PS_PEER_ACTIVE }, /* "0.0.0.0" */
    { "::ffff:10.0.0.2", ":8081", RIG_CLASSIC, P2PS_PEER_ACTIVE },
    { "10.0.0.2", A, RIG_SILENT, P2PS_PEER_CANDIDATE },
    { "10.0.0.2", A, RIG_REFUSED, P2PS_PEER_CANDIDATE },
    { "10.0.0.2", A, RIG_BABBLES, P2PS_PEER_CANDIDATE },
    { "10.0.0.2", A, RIG_DENIES, P2PS_PEER_CANDIDATE },
    { "10.0.0.9", A, RIG_OURS, P2PS_PEER_ACTIVE }, /* from elsewhere: pinged where it says */
    { "10.0.0.9", A, RIG_SILENT, P2PS_PEER_CANDIDATE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (Rig) rig = rig_new (FALSE);
      P2psEffect *reply;

      rig_manner (rig, A, rows[i].manner);
      reply = rig_say (rig, P2PS_MESSAGE_JOIN, rows[i].source, rows[i].address);
      g_assert_true (reply->type == P2PS_EFFECT_REPLY && reply->message->ok);
      g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, A), ==, 1);
      g_assert_cmpuint (p2ps_node_count_active (rig->node), ==, 0);
      rig_advance (rig, 5 * P2PS_SECOND);
      g_assert_cmpint (rig_state (rig, A), ==, rows[i].state);
      g_assert_cmpuint (p2ps_node_count_active (rig->node), ==, rows[i].state == P2PS_PEER_ACTIVE);
    }
}

/* It counts us as a peer: it is not joined in return. From elsewhere it may be a lie: it is. */
static void
test_join_in_return (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);

  rig_manner (rig, A, RIG_OURS);
  rig_manner (rig, B, RIG_OURS);
  rig_join (rig, "10.0.0.2", A);
  rig_join (rig, "10.0.0.9", B);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_JOIN, A), ==, 0);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_JOIN, B), ==, 1);
}

static void
test_probe_limits (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);

  /* Somebody names the same one, over and over, that does not answer: once in 10 minutes. */
  for (int i = 0; i < 590; i++)
    {
      rig_say (rig, i % 2 ? P2PS_MESSAGE_JOIN : P2PS_MESSAGE_HEARTBEAT, "10.0.0.9", A);
      rig_advance (rig, P2PS_SECOND);
    }
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, A), ==, 1);
  rig_advance (rig, 20 * P2PS_SECOND);
  rig_say (rig, P2PS_MESSAGE_JOIN, "10.0.0.9", A);
  rig_advance (rig, P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, A), ==, 2);

  /* From its own address: once a minute, four times in 10 minutes. */
  for (int i = 0; i < 590; i++)
    {
      rig_say (rig, i % 2 ? P2PS_MESSAGE_JOIN : P2PS_MESSAGE_HEARTBEAT, "10.0.0.3", B);
      rig_advance (rig, P2PS_SECOND);
      if (i == 58)
        g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, B), ==, 1);
    }
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, B), ==, 4);

  /* Many that one host names: 2 a second, and only some of them at all. */
  rig_forget (rig);
  rig_advance (rig, 60 * P2PS_SECOND);
  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *address = g_strdup_printf ("10.0.1.%u:8081", i);

      rig_say (rig, P2PS_MESSAGE_JOIN, "10.0.0.9", address);
    }
  rig_advance (rig, 2 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, NULL), <=, P2PS_PROBES_BURST + 4);
  rig_advance (rig, 200 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, NULL), ==, P2PS_MAX_NAMED_BY_ONE);
  g_assert_cmpuint (p2ps_node_get_counters (rig->node)->refused[P2PS_REFUSED_FULL], ==,
                    100 - P2PS_MAX_NAMED_BY_ONE);
}

/* A peer that joins before its own server runs is found a little later. */
static void
test_join_before_listening (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);

  rig_manner (rig, A, RIG_REFUSED);
  rig_join (rig, "10.0.0.2", A);
  rig_manner (rig, A, RIG_CLASSIC);
  rig_advance (rig, 5 * P2PS_SECOND);
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_ACTIVE);
}

static void
test_addresses (void)
{
  static const struct
  {
    gboolean loopback_only;
    const char *source, *address;
    gboolean ok;
  } rows[] = {
    { FALSE, "10.0.0.2", "10.0.0.2:8081", TRUE },
    { FALSE, "10.0.0.2", "10.0.0.2:1024", TRUE },
    { FALSE, "10.0.0.2", "10.0.0.2:1023", FALSE },
    { FALSE, "10.0.0.2", "10.0.0.2:22", FALSE },
    { FALSE, "10.0.0.2", "127.0.0.1:8081", FALSE },
    { FALSE, "127.0.0.1", "127.0.0.1:8082", FALSE },
    { FALSE, "10.0.0.2", "[::1]:8081", FALSE },
    { FALSE, "10.0.0.2", "169.254.1.1:8081", FALSE },
    { FALSE, "10.0.0.2", "[fe80::1]:8081", FALSE },
    { FALSE, "10.0.0.2", "224.0.0.1:8081", FALSE },
    { FALSE, "10.0.0.2", "0.1.2.3:8081", FALSE },
    { FALSE, "10.0.0.2", "255.255.255.255:8081", FALSE },
    { FALSE, "10.0.0.2", "10.0.0.1:8081", FALSE },          /* ourselves */
    { FALSE, "10.0.0.2", "[::ffff:10.0.0.1]:8081", FALSE }, /* in another coat */
    { FALSE, "10.0.0.2", "192.168.7.7:8081", FALSE },       /* ourselves, another interface */
    { FALSE, "10.0.0.2", "10.0.0.1:8082", TRUE },           /* another node of this machine */
    { FALSE, "8.8.8.8", "10.0.0.2:8081", FALSE },
    { FALSE, "8.8.8.8", "8.8.4.4:8081", TRUE },
    { FALSE, "10.0.0.2", "8.8.4.4:8081", TRUE },
    { FALSE, "10.0.0.2", NULL, FALSE }, /* no port at all */
    { TRUE, "127.0.0.1", "127.0.0.1:8082", TRUE },
    { TRUE, "127.0.0.1", "127.0.0.5:8081", TRUE },
    { TRUE, "::1", "[::1]:8081", TRUE },
    { TRUE, "127.0.0.1", "127.0.0.1:8081", FALSE },
    { TRUE, "127.0.0.1", "8.8.8.8:8081", FALSE },
  };
  static const char *const own_hosts[] = { "192.168.7.7", NULL };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    for (int join = 0; join < 2; join++)
      {
        g_autoptr (Rig) rig = rig_new (rows[i].loopback_only);
        P2psEffect *reply;

        p2ps_node_set_own_hosts (rig->node, own_hosts);
        reply = rig_say (rig, join ? P2PS_MESSAGE_JOIN : P2PS_MESSAGE_HEARTBEAT, rows[i].source,
                         rows[i].address);
        rig_advance (rig, P2PS_SECOND);
        g_test_message ("row %zu", i);
        g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, NULL), ==, rows[i].ok);
        g_assert_cmpint (reply->type, ==,
                         rows[i].ok || join ? P2PS_EFFECT_REPLY : P2PS_EFFECT_REJECT);
        if (reply->type == P2PS_EFFECT_REPLY)
          g_assert_cmpint (reply->message->ok, ==, rows[i].ok);
        else
          g_assert_cmpuint (reply->status, ==, 400);
        g_assert_cmpuint (p2ps_node_get_counters (rig->node)->refused[P2PS_REFUSED_ADDRESS], ==,
                          !rows[i].ok);
      }
}

/* What the user names is allowed, and may speak. */
static void
test_configured_loopback (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);
  P2psEffect *reply;

  make_peer (rig, "127.0.0.1:8082", RIG_CLASSIC);
  reply = rig_say (rig, P2PS_MESSAGE_HEARTBEAT, "127.0.0.1", "127.0.0.1:8082");
  g_assert_cmpint (reply->type, ==, P2PS_EFFECT_REPLY);
  reply = rig_say (rig, P2PS_MESSAGE_HEARTBEAT, "127.0.0.1", "127.0.0.1:8083");
  g_assert_cmpint (reply->type, ==, P2PS_EFFECT_REJECT);
}

/* An address that leads to ourselves is recognised by our id, and left. */
static void
test_meets_itself (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);

  rig->own_id = g_strdup ("the-node-itself");
  rig_manner (rig, "8.8.8.8:8081", RIG_OURS);
  add_peer (rig, "8.8.8.8:8081");
  rig_advance (rig, 100 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, 0, "8.8.8.8:8081"), ==, 1);
  g_assert_cmpuint (p2ps_node_count_active (rig->node), ==, 0);
  rig_say (rig, P2PS_MESSAGE_JOIN, "10.0.0.2", "8.8.8.8:8081");
  g_assert_cmpuint (rig_count (rig, 0, "8.8.8.8:8081"), ==, 1);
}

static void
test_get_peers (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);
  P2psEffect *reply;
  guint64 request;
  P2psAddress b = rig_address (B);

  /* A stranger, and one who speaks for somebody else. */
  make_peer (rig, A, RIG_OURS);
  reply = rig_say (rig, P2PS_MESSAGE_GET_PEERS, "10.0.0.3", B);
  g_assert_true (reply->message->type == P2PS_MESSAGE_PEERS && !reply->message->ok);
  reply = rig_say (rig, P2PS_MESSAGE_GET_PEERS, "10.0.0.3", A);
  g_assert_false (reply->message->ok);
  g_assert_cmpuint (p2ps_node_get_counters (rig->node)->refused[P2PS_REFUSED_UNKNOWN], ==, 2);

  /* Joins and asks in one breath: the answer comes when the ping is answered. */
  rig_manner (rig, B, RIG_CLASSIC);
  rig_say (rig, P2PS_MESSAGE_JOIN, "10.0.0.3", B);
  request = rig_deliver (rig, "10.0.0.3", p2ps_message_new_from (P2PS_MESSAGE_GET_PEERS, &b));
  g_assert_null (rig_reply (rig, request));
  rig_advance (rig, 10000);
  reply = rig_reply (rig, request);
  g_assert_nonnull (reply);
  g_assert_true (reply->message->ok);
  g_assert_cmpuint (reply->message->peers->len, ==, 1); /* not itself */
  g_assert_true (lists (reply, A));
  reply = rig_say (rig, P2PS_MESSAGE_GET_PEERS, "10.0.0.2", A);
  g_assert_true (lists (reply, B) && !lists (reply, A));

  /* One that never answers its ping is refused after a second. */
  rig_say (rig, P2PS_MESSAGE_JOIN, "10.0.0.4", "10.0.0.4:8081");
  b = rig_address ("10.0.0.4:8081");
  request = rig_deliver (rig, "10.0.0.4", p2ps_message_new_from (P2PS_MESSAGE_GET_PEERS, &b));
  rig_advance (rig, P2PS_SECOND);
  g_assert_nonnull (rig_reply (rig, request));
  g_assert_false (rig_reply (rig, request)->message->ok);

  /* Inactive ones are not named. */
  rig_manner (rig, B, RIG_REFUSED);
  rig_advance (rig, 60 * P2PS_SECOND);
  reply = rig_say (rig, P2PS_MESSAGE_GET_PEERS, "10.0.0.2", A);
  g_assert_false (lists (reply, B));
}

/* Scopes: a private address means nothing to a public caller. And at most 32. */
static void
test_get_peers_scope_and_cap (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);
  P2psEffect *reply;

  make_peer (rig, A, RIG_OURS);
  make_peer (rig, "8.8.8.8:8081", RIG_OURS);
  make_peer (rig, "8.8.4.4:8081", RIG_OURS);
  make_peer (rig, "127.0.0.1:8082", RIG_OURS);
  reply = rig_say (rig, P2PS_MESSAGE_GET_PEERS, "8.8.8.8", "8.8.8.8:8081");
  g_assert_cmpuint (reply->message->peers->len, ==, 1);
  g_assert_true (lists (reply, "8.8.4.4:8081"));
  reply = rig_say (rig, P2PS_MESSAGE_GET_PEERS, "10.0.0.2", A);
  g_assert_cmpuint (reply->message->peers->len, ==, 2);

  for (guint i = 0; i < 60; i++)
    {
      g_autofree char *address = g_strdup_printf ("8.8.9.%u:8081", i);

      make_peer (rig, address, RIG_OURS);
    }
  reply = rig_say (rig, P2PS_MESSAGE_GET_PEERS, "10.0.0.2", A);
  g_assert_cmpuint (reply->message->peers->len, ==, P2PS_MAX_PEERS_IN_REPLY);
}

/* A node asks its peers for peers, takes at most 8 of a list, pings them, and joins those: all of
 * them where there are few, else as many as it wants. */
static void
test_discovery (gconstpointer data)
{
  guint others = GPOINTER_TO_UINT (data);
  guint wanted = others < P2PS_MESH_PEERS ? others + 1 : P2PS_WANTED_PEERS;
  g_autoptr (Rig) rig = rig_new (FALSE);
  P2psAddress address;
  static const char *const bad[]
      = { "127.0.0.1:8081", "10.0.0.1:8081", "10.0.3.1:80", "224.0.0.1:8081" };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      address = rig_address (bad[i]);
      rig_manner (rig, bad[i], RIG_OURS);
      g_array_append_val (rig->peers_reply, address);
    }
  for (guint i = 0; i < others; i++)
    {
      g_autofree char *text = g_strdup_printf ("10.0.2.%u:8081", i + 1);

      address = rig_address (text);
      g_array_append_val (rig->peers_reply, address);
      rig_manner (rig, text, RIG_OURS);
    }
  make_peer (rig, A, RIG_OURS);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_GET_PEERS, A), ==, 1);
  rig_advance (rig, 3 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, NULL), <=, 1 + P2PS_MAX_PEERS_TAKEN);
  rig_advance (rig, 16 * P2PS_SECOND);
  g_assert_cmpuint (p2ps_node_count_active (rig->node), ==, P2PS_WANTED_PEERS);
  rig_advance (rig, 100 * P2PS_SECOND);
  /* Enough is enough. */
  g_assert_cmpuint (p2ps_node_count_active (rig->node), ==, wanted);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_JOIN, NULL), ==, wanted);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_cmpuint (rig_count (rig, 0, bad[i]), ==, 0);
}

/* Classic peers have no place in a mesh beyond the peers that are wanted. */
static void
test_no_classic_mesh (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);

  for (guint i = 0; i < 20; i++)
    {
      g_autofree char *text = g_strdup_printf ("10.0.2.%u:8081", i + 1);
      P2psAddress address = rig_address (text);

      rig_manner (rig, text, RIG_CLASSIC);
      if (i >= P2PS_WANTED_PEERS)
        g_array_append_val (rig->peers_reply, address);
      else
        make_peer (rig, text, RIG_OURS);
    }
  rig_advance (rig, 120 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, "10.0.2.20:8081"), ==, 1);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_JOIN, "10.0.2.20:8081"), ==, 0);
  g_assert_cmpuint (p2ps_node_count_active (rig->node), ==, P2PS_WANTED_PEERS);
}

/* Of one list at most 8 are taken, however many are wanted. */
static void
test_taken_of_one_list (void)
{
  P2psNodeConfig config = { .self = { "10.0.0.1", 8081 }, .wanted_peers = 100, .seed = 1 };
  g_autoptr (Rig) rig = rig_new_full (&config);

  for (guint i = 0; i < 30; i++)
    {
      g_autofree char *text = g_strdup_printf ("10.0.2.%u:8081", i + 1);
      P2psAddress address = rig_address (text);

      g_array_append_val (rig->peers_reply, address);
    }
  make_peer (rig, A, RIG_OURS);
  rig_advance (rig, 13 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_GET_PEERS, A), ==, 1);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_PING, NULL)
                        - rig_count (rig, P2PS_MESSAGE_PING, A),
                    ==, P2PS_MAX_PEERS_TAKEN);
}

/* With fewer than 3 active the known ones are asked more often, and the inactive tried at once. */
static void
test_few_active (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);

  make_peer (rig, A, RIG_OURS);
  rig_forget (rig);
  rig_advance (rig, 60 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_GET_PEERS, A), >=, 2);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_GET_PEERS, A), <=, 5);
}

/* A peer that says it does not know us is joined again, and not in a tight loop. */
static void
test_unknown_to_a_peer (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);

  make_peer (rig, A, RIG_OURS);
  rig_advance (rig, 60 * P2PS_SECOND);
  rig_forget (rig);
  rig->peers_refused = TRUE;
  rig_advance (rig, 60 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_JOIN, A), >=, 1);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_JOIN, A), <=, 4);
}

static void
test_caps (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);

  for (guint i = 0; i < 300; i++)
    {
      g_autofree char *host = g_strdup_printf ("8.8.%u.%u", i / 200, 1 + i % 200);
      g_autofree char *address = g_strdup_printf ("%s:8081", host);

      rig_manner (rig, address, RIG_OURS);
      rig_say (rig, P2PS_MESSAGE_JOIN, host, address);
      rig_advance (rig, P2PS_SECOND);
    }
  g_assert_cmpuint (p2ps_node_count_active (rig->node), ==, P2PS_MAX_PEERS);
  g_assert_cmpuint (p2ps_node_get_counters (rig->node)->refused[P2PS_REFUSED_FULL], ==,
                    300 - P2PS_MAX_PEERS);
  /* A peer that the user names has room; and one that is gone makes room. */
  make_peer (rig, A, RIG_OURS);
  rig_manner (rig, "8.8.0.1:8081", RIG_REFUSED);
  rig_manner (rig, "8.8.0.2:8081", RIG_REFUSED);
  rig_advance (rig, 20 * P2PS_SECOND);
  rig_manner (rig, B, RIG_OURS);
  rig_join (rig, "10.0.0.3", B);
  g_assert_cmpint (rig_state (rig, B), ==, P2PS_PEER_ACTIVE);
}

/* A flood of candidates stays in bounds, and one who asks for itself still gets in. */
static void
test_candidate_flood (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);

  for (guint i = 0; i < 3000; i++)
    {
      g_autofree char *source = g_strdup_printf ("8.9.%u.%u", i / 200, 1 + i % 200);
      g_autofree char *address = g_strdup_printf ("8.10.%u.%u:8081", i / 200, 1 + i % 200);

      rig_say (rig, P2PS_MESSAGE_JOIN, source, address);
    }
  g_assert_cmpuint (p2ps_node_get_counters (rig->node)->refused[P2PS_REFUSED_FULL], ==,
                    3000 - P2PS_MAX_CANDIDATES);
  rig_manner (rig, A, RIG_OURS);
  rig_join (rig, "10.0.0.2", A);
  rig_advance (rig, 700 * P2PS_SECOND);
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_ACTIVE);
}

static void
test_blame (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);
  P2psAddress a;
  P2psPeerInfo info;
  P2psEffect *reply;

  make_peer (rig, A, RIG_OURS);
  a = rig_address (A);
  p2ps_node_blame (rig->node, rig->now, &a, 50);
  g_assert_true (rig_info (rig, A, &info));
  g_assert_cmpint (info.score, ==, -50);
  rig_advance (rig, 106 * P2PS_SECOND);
  g_assert_true (rig_info (rig, A, &info));
  g_assert_cmpint (info.score, ==, -40); /* it heals */
  g_assert_cmpint (info.state, ==, P2PS_PEER_ACTIVE);

  p2ps_node_blame (rig->node, rig->now, &a, 60);
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_INACTIVE);
  rig_forget (rig);
  for (guint i = 0; i < 3; i++)
    {
      P2psMessageType types[]
          = { P2PS_MESSAGE_JOIN, P2PS_MESSAGE_HEARTBEAT, P2PS_MESSAGE_GET_PEERS };

      reply = rig_say (rig, types[i], "10.0.0.2", A);
      g_assert_cmpint (reply->type, ==, P2PS_EFFECT_REJECT);
      g_assert_cmpuint (reply->status, ==, 403);
    }
  reply = rig_query (rig, "10.0.0.2", rig_make_query (1, A, 5, -1));
  g_assert_cmpuint (reply->status, ==, 403);
  g_assert_cmpuint (p2ps_node_get_counters (rig->node)->refused[P2PS_REFUSED_BANNED], ==, 4);
  rig_advance (rig, P2PS_BAN_TIME - 2 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, 0, A), ==, 0);
  rig_advance (rig, 5 * P2PS_SECOND);
  g_assert_cmpint (rig_state (rig, A), ==, P2PS_PEER_ACTIVE);

  /* One that is no peer: remembered, not pinged. */
  a = rig_address (B);
  rig_manner (rig, B, RIG_OURS);
  p2ps_node_blame (rig->node, rig->now, &a, 100);
  reply = rig_say (rig, P2PS_MESSAGE_JOIN, "10.0.0.3", B);
  g_assert_cmpint (reply->type, ==, P2PS_EFFECT_REJECT);
  rig_advance (rig, 100 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, 0, B), ==, 0);
}

/* Peers from before a restart: tried once, no more than are wanted (all when they are few, but not
 * at once), and never oneself. */
static void
test_hints (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);
  P2psAddress address = rig_address ("10.0.0.1:8081");

  p2ps_node_hint_peer (rig->node, rig->now, &address);
  for (guint i = 0; i < 20; i++)
    {
      g_autofree char *text = g_strdup_printf ("10.0.2.%u:8081", i + 1);

      address = rig_address (text);
      rig_manner (rig, text, RIG_OURS);
      p2ps_node_hint_peer (rig->node, rig->now, &address);
    }
  rig_advance (rig, P2PS_MESH_AFTER - P2PS_SECOND);
  g_assert_cmpuint (p2ps_node_count_active (rig->node), ==, P2PS_WANTED_PEERS);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_JOIN, NULL), ==, P2PS_WANTED_PEERS);
  rig_advance (rig, 60 * P2PS_SECOND);
  g_assert_cmpuint (p2ps_node_count_active (rig->node), ==, 20);
  g_assert_cmpuint (rig_count (rig, 0, "10.0.0.1:8081"), ==, 0);
  g_assert_cmpuint (rig_count (rig, P2PS_MESSAGE_JOIN, NULL), ==, 20);
}

static void
test_remove (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);
  P2psAddress a = rig_address (A);
  P2psPeerInfo info;

  make_peer (rig, A, RIG_OURS);
  p2ps_node_remove_peer (rig->node, rig->now, &a);
  g_assert_false (rig_info (rig, A, &info));
  g_assert_cmpuint (p2ps_node_count_active (rig->node), ==, 0);
  rig_forget (rig);
  rig_advance (rig, 100 * P2PS_SECOND);
  g_assert_cmpuint (rig_count (rig, 0, A), ==, 0);
}

static void
test_ping (void)
{
  g_autoptr (Rig) rig = rig_new (FALSE);
  P2psMessage *ping = p2ps_message_new (P2PS_MESSAGE_PING);
  P2psEffect *reply;

  ping->nonce = g_strdup ("abc");
  p2ps_node_set_files (rig->node, 12);
  reply = rig_reply (rig, rig_deliver (rig, "8.8.8.8", ping));
  g_assert_true (reply->message->ok);
  g_assert_cmpstr (reply->message->agent, ==, "p2pshare/test");
  g_assert_cmpstr (reply->message->id, ==, "the-node-itself");
  g_assert_cmpstr (reply->message->nonce, ==, "abc");
  g_assert_cmpint (reply->message->files, ==, 12);
  reply = rig_reply (rig, rig_deliver (rig, "8.8.8.8", p2ps_message_new_status (TRUE)));
  g_assert_cmpuint (reply->status, ==, 400);
}

int
main (int argc, char **argv)
{
  gconstpointer ours = GINT_TO_POINTER (FALSE), classic = GINT_TO_POINTER (TRUE);

  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/membership/bootstrap/ours", ours, test_bootstrap);
  g_test_add_data_func ("/membership/bootstrap/classic", classic, test_bootstrap);
  g_test_add_data_func ("/membership/heartbeat/ours", ours, test_heartbeat_rhythm);
  g_test_add_data_func ("/membership/heartbeat/classic", classic, test_heartbeat_rhythm);
  g_test_add_func ("/membership/liveness", test_liveness);
  g_test_add_func ("/membership/suspicion-clears", test_suspicion_clears);
  g_test_add_func ("/membership/sleep", test_sleep_evicts_nobody);
  g_test_add_data_func ("/membership/again/ours", ours, test_inactive_is_tried_again);
  g_test_add_data_func ("/membership/again/classic", classic, test_inactive_is_tried_again);
  g_test_add_func ("/membership/configured-late", test_configured_starts_late);
  g_test_add_data_func ("/membership/restart/join", GINT_TO_POINTER (P2PS_MESSAGE_JOIN),
                        test_restart_is_live_at_once);
  g_test_add_data_func ("/membership/restart/heartbeat", GINT_TO_POINTER (P2PS_MESSAGE_HEARTBEAT),
                        test_restart_is_live_at_once);
  g_test_add_func ("/membership/joined-by", test_joined_by);
  g_test_add_func ("/membership/join-in-return", test_join_in_return);
  g_test_add_func ("/membership/probe-limits", test_probe_limits);
  g_test_add_func ("/membership/join-before-listening", test_join_before_listening);
  g_test_add_func ("/membership/addresses", test_addresses);
  g_test_add_func ("/membership/configured-loopback", test_configured_loopback);
  g_test_add_func ("/membership/meets-itself", test_meets_itself);
  g_test_add_func ("/membership/get-peers", test_get_peers);
  g_test_add_func ("/membership/get-peers-scope-and-cap", test_get_peers_scope_and_cap);
  g_test_add_func ("/membership/discovery/classic", test_no_classic_mesh);
  g_test_add_data_func ("/membership/discovery/few", GUINT_TO_POINTER (30), test_discovery);
  g_test_add_data_func ("/membership/discovery/many", GUINT_TO_POINTER (80), test_discovery);
  g_test_add_func ("/membership/taken-of-one-list", test_taken_of_one_list);
  g_test_add_func ("/membership/few-active", test_few_active);
  g_test_add_func ("/membership/unknown-to-a-peer", test_unknown_to_a_peer);
  g_test_add_func ("/membership/caps", test_caps);
  g_test_add_func ("/membership/candidate-flood", test_candidate_flood);
  g_test_add_func ("/membership/blame", test_blame);
  g_test_add_func ("/membership/hints", test_hints);
  g_test_add_func ("/membership/remove", test_remove);
  g_test_add_func ("/membership/ping", test_ping);

  return g_test_run ();
}
