/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Addresses, text from strangers, messages: table-driven. */

#include <string.h>

#include "core/limits.h"
#include "core/message.h"

static void
test_address_init (void)
{
  static const struct
  {
    const char *host;
    guint port;
    gboolean ok;
    const char *kept;
  } rows[] = {
    { "10.0.0.5", 8081, TRUE, "10.0.0.5" },
    { "2001:DB8::5", 8081, TRUE, "2001:DB8::5" }, /* the spelling is kept */
    { "0.0.0.0", 8081, TRUE, "" },
    { "::", 8081, TRUE, "" },
    { "", 8081, TRUE, "" },
    { NULL, 8081, TRUE, "" },
    { "10.0.0.5", 0, FALSE, "" },
    { "10.0.0.5", 65536, FALSE, "" },
    { "10.0.0.5", 65535, TRUE, "10.0.0.5" },
    { "10.0.0", 8081, FALSE, "" },
    { "010.0.0.5", 8081, FALSE, "" },
    { "0x0a000005", 8081, FALSE, "" },
    { "167772165", 8081, FALSE, "" },
    { "10.0.0.5 ", 8081, FALSE, "" },
    { "localhost", 8081, FALSE, "" },
    { "example.org", 8081, FALSE, "" },
    { "[::1]", 8081, FALSE, "" },
    { "fe80::1%eth0", 8081, FALSE, "" },
    { "1:2:3:4:5:6:7:8:9", 8081, FALSE, "" },
    { "0000:0000:0000:0000:0000:ffff:255.255.255.255.255.255.255.255", 8081, FALSE, "" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      P2psAddress address;

      memset (&address, 0xee, sizeof address);
      g_assert_cmpint (p2ps_address_init (&address, rows[i].host, rows[i].port), ==, rows[i].ok);
      g_assert_cmpstr (address.host, ==, rows[i].kept);
      g_assert_cmpuint (address.port, ==, rows[i].ok ? rows[i].port : 0);
    }
}

static void
test_address_text (void)
{
  static const struct
  {
    const char *text;
    gboolean ok;
  } rows[] = {
    { "10.0.0.5:8081", TRUE },
    { "[2001:db8::5]:1", TRUE },
    { "10.0.0.5", FALSE },
    { "10.0.0.5:", FALSE },
    { "10.0.0.5:0", FALSE },
    { "10.0.0.5:65536", FALSE },
    { "10.0.0.5:+80", FALSE },
    { "2001:db8::5:1", FALSE },
    { "[10.0.0.5]:80", FALSE },
    { "[2001:db8::5]", FALSE },
    { ":8081", FALSE },
    { "0.0.0.0:8081", FALSE },
    { "[]:8081", FALSE },
    { "[:8081", FALSE },
    { "", FALSE },
    { NULL, FALSE },
    { "host:8081", FALSE },
    { "[::]:8081", FALSE },
  };
  P2psAddress address;

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_assert_cmpint (p2ps_address_parse (&address, rows[i].text), ==, rows[i].ok);
      g_assert_cmpint (p2ps_address_is_set (&address), ==, rows[i].ok);
      if (rows[i].ok)
        {
          g_autofree char *text = p2ps_address_to_string (&address);

          g_assert_cmpstr (text, ==, rows[i].text);
        }
    }
  g_assert_true (p2ps_address_parse (&address, "[::1]:8081"));
  {
    g_autofree char *url = p2ps_address_to_url (&address, "/ping");

    g_assert_cmpstr (url, ==, "http://[::1]:8081/ping");
  }
}

static void
test_address_equal (void)
{
  static const struct
  {
    const char *a, *b;
    gboolean equal;
  } rows[] = {
    { "10.0.0.5", "10.0.0.5", TRUE },
    { "10.0.0.5", "10.0.0.6", FALSE },
    { "::1", "0:0:0:0:0:0:0:1", TRUE },
    { "2001:DB8::5", "2001:db8::5", TRUE },
    { "::ffff:10.0.0.5", "10.0.0.5", TRUE },
    { "::1", "127.0.0.1", FALSE },
    { "", "", TRUE },
    { "", "10.0.0.5", FALSE },
    { "", "::1", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      P2psAddress a, b;

      p2ps_address_init (&a, rows[i].a, 8081);
      p2ps_address_init (&b, rows[i].b, 8081);
      g_assert_cmpint (p2ps_host_equal (rows[i].a, rows[i].b), ==, rows[i].equal);
      g_assert_cmpint (p2ps_address_equal (&a, &b), ==, rows[i].equal);
      if (rows[i].equal)
        g_assert_cmpuint (p2ps_address_hash (&a), ==, p2ps_address_hash (&b));
      b.port = 8082;
      g_assert_false (p2ps_address_equal (&a, &b));
    }
}

static void
test_scope (void)
{
  static const struct
  {
    const char *host;
    P2psScope scope;
  } rows[] = {
    { "", P2PS_SCOPE_INVALID },
    { "example.org", P2PS_SCOPE_INVALID },
    { "0.0.0.0", P2PS_SCOPE_INVALID },
    { "0.1.2.3", P2PS_SCOPE_INVALID },
    { "224.0.0.1", P2PS_SCOPE_INVALID },
    { "239.255.255.250", P2PS_SCOPE_INVALID },
    { "240.0.0.1", P2PS_SCOPE_INVALID },
    { "255.255.255.255", P2PS_SCOPE_INVALID },
    { "127.0.0.1", P2PS_SCOPE_LOOPBACK },
    { "127.255.255.254", P2PS_SCOPE_LOOPBACK },
    { "169.254.1.1", P2PS_SCOPE_LINK_LOCAL },
    { "10.0.0.5", P2PS_SCOPE_PRIVATE },
    { "172.16.0.1", P2PS_SCOPE_PRIVATE },
    { "172.31.0.1", P2PS_SCOPE_PRIVATE },
    { "172.32.0.1", P2PS_SCOPE_PUBLIC },
    { "192.168.1.1", P2PS_SCOPE_PRIVATE },
    { "100.64.0.1", P2PS_SCOPE_PRIVATE },
    { "100.128.0.1", P2PS_SCOPE_PUBLIC },
    { "198.18.0.1", P2PS_SCOPE_PRIVATE },
    { "8.8.8.8", P2PS_SCOPE_PUBLIC },
    { "::", P2PS_SCOPE_INVALID },
    { "::1", P2PS_SCOPE_LOOPBACK },
    { "::127.0.0.1", P2PS_SCOPE_INVALID },
    { "::ffff:127.0.0.1", P2PS_SCOPE_LOOPBACK },
    { "::ffff:10.0.0.5", P2PS_SCOPE_PRIVATE },
    { "64:ff9b::127.0.0.1", P2PS_SCOPE_LOOPBACK },
    { "2002:7f00:1::1", P2PS_SCOPE_LOOPBACK },
    { "2002:0808:0808::1", P2PS_SCOPE_PUBLIC },
    { "fe80::1", P2PS_SCOPE_LINK_LOCAL },
    { "fd00::1", P2PS_SCOPE_PRIVATE },
    { "fec0::1", P2PS_SCOPE_PRIVATE },
    { "ff02::1", P2PS_SCOPE_INVALID },
    { "2606:4700::1", P2PS_SCOPE_PUBLIC },
    { "4000::1", P2PS_SCOPE_INVALID },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpint (p2ps_host_get_scope (rows[i].host), ==, rows[i].scope);
}

static void
test_hash_and_qid (void)
{
  const char *upper = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";
  g_autofree char *lower = g_ascii_strdown (upper, -1);
  g_autofree char *longer = g_strconcat (upper, "0", NULL);
  g_autofree char *wrong = g_strdup (upper);
  char hash[P2PS_HASH_SIZE];

  g_assert_true (p2ps_hash_normalize (hash, upper));
  g_assert_cmpstr (hash, ==, lower);
  wrong[63] = 'g';
  for (const char **text = (const char *[]){ "", "abc", longer, wrong, NULL }; *text; text++)
    {
      strcpy (hash, "x");
      g_assert_false (p2ps_hash_normalize (hash, *text));
      g_assert_cmpstr (hash, ==, "");
    }
  g_assert_false (p2ps_hash_normalize (hash, NULL));

  g_assert_true (p2ps_qid_is_valid ("123e4567-e89b-12d3-a456-426614174000"));
  g_assert_true (p2ps_qid_is_valid ("123E4567-E89B-12D3-A456-426614174000"));
  g_assert_false (p2ps_qid_is_valid ("123e4567-e89b-12d3-a456-42661417400"));
  g_assert_false (p2ps_qid_is_valid ("123e4567-e89b-12d3-a456-4266141740000"));
  g_assert_false (p2ps_qid_is_valid ("123e4567e-89b-12d3-a456-426614174000"));
  g_assert_false (p2ps_qid_is_valid ("123e4567-e89b-12d3-a456-42661417400g"));
  g_assert_false (p2ps_qid_is_valid (NULL));
}

static void
test_names (void)
{
  static const struct
  {
    const char *raw, *display, *disk;
  } rows[] = {
    { "report.pdf", "report.pdf", "report.pdf" },
    { "../../etc/passwd", "etcpasswd", "etcpasswd" },
    { "..", "", "unnamed" },
    { ".hidden", "hidden", "hidden" },
    { "a\nb\x1b[31mc\x7f", "ab[31mc", "ab[31mc" },
    { "C:\\x", "C:x", "C:x" },
    { "photo\xe2\x80\xaegpj.exe", "photogpj.exe", "photogpj.exe" },
    { "\xe2\x81\xa6 .x", "x", "x" },
    { "line\xe2\x80\xa8two", "linetwo", "linetwo" },
    { "caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80",
      "caf\xc3\xa9 \xf0\x9f\x98\x80" },
    { "latin\xe9.txt", "latin\xef\xbf\xbd.txt", "latin\xef\xbf\xbd.txt" },
    { "end  ", "end  ", "end" },
    { "end. . ..", "end. . ..", "end" },
    { "a.b.", "a.b.", "a.b" },
    { "CON", "CON", "_CON" },
    { "nul.txt", "nul.txt", "_nul.txt" },
    { "Aux .tar.gz", "Aux .tar.gz", "_Aux .tar.gz" },
    { " prn. ", "prn. ", "_prn" },
    { "COM1", "COM1", "_COM1" },
    { "lpt9.log", "lpt9.log", "_lpt9.log" },
    { "com\xc2\xb2.x", "com\xc2\xb2.x", "_com\xc2\xb2.x" },
    { "ConOut$", "ConOut$", "_ConOut$" },
    { "COM", "COM", "COM" },
    { "com12.txt", "com12.txt", "com12.txt" },
    { "console.log", "console.log", "console.log" },
    { "my con.txt", "my con.txt", "my con.txt" },
    { "", "", "unnamed" },
    { NULL, "", "unnamed" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *display = p2ps_name_for_display (rows[i].raw);
      g_autofree char *disk = p2ps_name_for_disk (rows[i].raw);

      g_assert_cmpstr (display, ==, rows[i].display);
      g_assert_cmpstr (disk, ==, rows[i].disk);
    }
}

static void
test_long_names (void)
{
  /* Every length around the limit, with two-byte characters: whole characters, suffix kept. */
  for (gsize count = 120; count < 140; count++)
    {
      g_autoptr (GString) raw = g_string_new ("x");
      g_autofree char *disk = NULL;

      for (gsize i = 0; i < count; i++)
        g_string_append (raw, "\xc3\xa9");
      g_string_append (raw, ".tar");
      disk = p2ps_name_for_disk (raw->str);
      g_assert_cmpuint (strlen (disk), <=, P2PS_MAX_FILENAME);
      g_assert_cmpuint (strlen (disk), >=, MIN (raw->len, P2PS_MAX_FILENAME - 1));
      g_assert_true (g_utf8_validate (disk, -1, NULL));
      g_assert_true (g_str_has_suffix (disk, ".tar"));
    }

  /* The mark before a device's name must not make it too long again. */
  for (gsize count = P2PS_MAX_FILENAME - 8; count < P2PS_MAX_FILENAME + 2; count++)
    {
      g_autofree char *tail = g_strnfill (count, 'x');
      g_autofree char *raw = g_strconcat ("nul.", tail, NULL);
      g_autofree char *disk = p2ps_name_for_disk (raw);

      g_assert_cmpuint (strlen (disk), ==, MIN (count + 5, P2PS_MAX_FILENAME));
      g_assert_true (g_str_has_prefix (disk, "_nul.xxx"));
    }
}

static void
test_messages (void)
{
  const char *qid = "123e4567-e89b-12d3-a456-426614174000";
  g_autoptr (P2psQuery) query = p2ps_query_new (qid, "a.txt", NULL);
  g_autoptr (P2psQuery) copy = p2ps_query_copy (query);
  g_autoptr (P2psMessage) message = NULL, hits = NULL, peers = NULL;
  g_autoptr (P2psHit) hit = p2ps_hit_new (qid, NULL, NULL, "nonsense", -1);
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);

  g_assert_cmpint (query->ttl, ==, -1);
  g_assert_cmpint (query->xttl, ==, -1);
  g_assert_cmpint (query->hops, ==, -1);
  g_assert_false (p2ps_address_is_set (&query->via));
  g_assert_cmpstr (copy->filename, ==, "a.txt");
  g_assert_true (copy->filename != query->filename);
  message = p2ps_message_new_query (g_steal_pointer (&copy));
  p2ps_message_unref (p2ps_message_ref (message));
  g_assert_cmpstr (message->query->qid, ==, qid);

  g_assert_cmpstr (hit->filehash, ==, "");
  g_assert_cmpstr (hit->filename, ==, "");
  g_ptr_array_add (list, p2ps_hit_copy (hit));
  hits = p2ps_message_new_hits (list);
  g_assert_cmpint (hits->type, ==, P2PS_MESSAGE_QUERY_HIT);
  peers = p2ps_message_new (P2PS_MESSAGE_PEERS);
  g_assert_cmpuint (peers->peers->len, ==, 0);
  g_assert_cmpint (peers->files, ==, -1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/address/init", test_address_init);
  g_test_add_func ("/address/text", test_address_text);
  g_test_add_func ("/address/equal", test_address_equal);
  g_test_add_func ("/address/scope", test_scope);
  g_test_add_func ("/text/hash-and-qid", test_hash_and_qid);
  g_test_add_func ("/text/names", test_names);
  g_test_add_func ("/text/long-names", test_long_names);
  g_test_add_func ("/message/values", test_messages);

  return g_test_run ();
}
