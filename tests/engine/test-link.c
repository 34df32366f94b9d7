/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Links: what is read, what is refused, and that writing and reading agree. */

#include <string.h>

#include "engine/error.h"
#include "engine/link.h"

/* RFC 6920, section 8.1: the SHA-256 of "Hello World!" in both spellings. */
#define HEX "7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069"
#define BASE64URL "f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk"

static void
test_hash (void)
{
  g_autoptr (P2psLink) link = p2ps_link_parse (" " HEX "\n", NULL);
  g_autofree char *upper = g_ascii_strup (HEX, -1);
  g_autoptr (P2psLink) loud = p2ps_link_parse (upper, NULL);

  g_assert_nonnull (link);
  g_assert_cmpstr (link->filehash, ==, HEX);
  g_assert_null (link->filename);
  g_assert_cmpint (link->size, ==, -1);
  g_assert_cmpuint (link->sources->len, ==, 0);
  g_assert_null (p2ps_link_list_hits (link));
  g_assert_nonnull (loud);
  g_assert_cmpstr (loud->filehash, ==, HEX);
}

static void
test_magnet (void)
{
  g_autoptr (P2psLink) link
      = p2ps_link_parse ("MAGNET:?dn=a%20b+%C3%A9.txt&tr=udp%3A%2F%2Fx&xt=urn:sha256:" HEX
                         "&xl=12&x.pe=127.0.0.1:8081&x.pe=[::1]:8082&x.pe=host.example:9000"
                         "&x.pe=127.0.0.1:8081&x.pe=nonsense&x.pe=a:0&x.pe=a:70000&x.pe=a%20b:80",
                         NULL);
  g_autoptr (GPtrArray) hits = NULL;
  P2psHit *hit;

  g_assert_nonnull (link);
  g_assert_cmpstr (link->filehash, ==, HEX);
  g_assert_cmpstr (link->filename, ==, "a b é.txt");
  g_assert_cmpint (link->size, ==, 12);
  g_assert_cmpuint (link->sources->len, ==, 3);
  g_assert_cmpstr (g_ptr_array_index (link->sources, 2), ==, "host.example:9000");

  hits = p2ps_link_list_hits (link);
  g_assert_nonnull (hits);
  g_assert_cmpuint (hits->len, ==, 2);
  hit = g_ptr_array_index (hits, 1);
  g_assert_cmpstr (hit->holder.host, ==, "::1");
  g_assert_cmpuint (hit->holder.port, ==, 8082);
  g_assert_cmpstr (hit->filehash, ==, HEX);
  g_assert_cmpint (hit->size, ==, 12);
}

static void
test_ni (void)
{
  g_autoptr (P2psLink) link = p2ps_link_parse ("ni:///sha-256;" BASE64URL "?ct=text/plain", NULL);
  g_autoptr (P2psLink) there = p2ps_link_parse ("ni://10.0.0.5:8081/sha-256;" BASE64URL, NULL);

  g_assert_nonnull (link);
  g_assert_cmpstr (link->filehash, ==, HEX);
  g_assert_nonnull (there);
  g_assert_cmpuint (there->sources->len, ==, 1);
  g_assert_cmpstr (g_ptr_array_index (there->sources, 0), ==, "10.0.0.5:8081");
}

static void
test_refused (void)
{
  const char *const bad[] = {
    "",
    "hello",
    "magnet:?",
    "magnet:?xt=urn:sha256:123",
    "magnet:?xt=urn:btih:c12fe1c06bba254a9dc9f519b335aa7c1367a88a",
    "magnet:?dn=only-a-name",
    "magnet:?xt=urn:sha256:" HEX "&xt=urn:sha256:"
    "0000000000000000000000000000000000000000000000000000000000000000",
    HEX "0",
    "ni:///sha-256;" BASE64URL "A",
    "ni:///sha-256;f4OxZX/x/FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk",
    "ni:///sha-256;f4OxZX x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk",
    "ni:///sha-512;" BASE64URL,
    "ni://",
    "http://example.com/" HEX,
    "\xff\xfe" HEX,
  };
  g_autofree char *huge = g_strnfill (P2PS_MAX_LINK, 'a');
  g_autofree char *huge_magnet = g_strconcat ("magnet:?xt=urn:sha256:" HEX "&dn=", huge, NULL);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (P2psLink) link = p2ps_link_parse (bad[i], &error);

      g_assert_null (link);
      g_assert_error (error, P2PS_ERROR, P2PS_ERROR_FAILED);
      g_clear_error (&error);
    }
  g_assert_null (p2ps_link_parse (huge_magnet, NULL));
}

/* A link is text from a stranger: its name must not name a place, its sources have a cap. */
static void
test_hostile (void)
{
  GString *text = g_string_new ("magnet:?xt=urn:sha256:" HEX "&dn=..%2F..%2Fetc%2Fpasswd&xl=-5");
  g_autoptr (P2psLink) link = NULL;

  for (int i = 0; i < 50; i++)
    g_string_append_printf (text, "&x.pe=10.0.0.%d:8081", i + 1);
  link = p2ps_link_parse (text->str, NULL);
  g_string_free (text, TRUE);
  g_assert_nonnull (link);
  g_assert_null (strchr (link->filename, '/'));
  g_assert_cmpint (link->filename[0], !=, '.');
  g_assert_cmpint (link->size, ==, -1);
  g_assert_cmpuint (link->sources->len, ==, P2PS_MAX_LINK_SOURCES);
}

static void
test_round_trip (void)
{
  g_autoptr (P2psLink) link = p2ps_link_new (HEX, "50% & more = é?.txt", 0);
  g_autoptr (P2psLink) again = NULL;
  g_autofree char *text = NULL;

  p2ps_link_add_node (link, "0.0.0.0", 8081); /* means nothing to others: left out */
  p2ps_link_add_node (link, "10.0.0.5", 8081);
  p2ps_link_add_node (link, "fd00::1", 8081);
  text = p2ps_link_to_string (link);
  again = p2ps_link_parse (text, NULL);
  g_assert_nonnull (again);
  g_assert_cmpstr (again->filehash, ==, HEX);
  g_assert_cmpstr (again->filename, ==, link->filename);
  g_assert_cmpint (again->size, ==, 0);
  g_assert_cmpuint (again->sources->len, ==, 2);
  g_assert_cmpstr (g_ptr_array_index (again->sources, 0), ==, "10.0.0.5:8081");
  g_assert_cmpstr (g_ptr_array_index (again->sources, 1), ==, "[fd00::1]:8081");
}

static void
test_urls (void)
{
  g_autoptr (P2psLink) link = p2ps_link_new (HEX, "50% & \"é\"?.txt", 12);
  g_autofree char *content = p2ps_link_dup_url (link, "[::1]:8081", TRUE);
  g_autofree char *name = p2ps_link_dup_url (link, "10.0.0.5:8081", FALSE);

  g_assert_cmpstr (content, ==, "http://[::1]:8081/.well-known/ni/sha-256/" BASE64URL);
  g_assert_cmpstr (name, ==, "http://10.0.0.5:8081/download/50%25%20%26%20%22%C3%A9%22%3F.txt");
}

/* A name is text from a stranger here too. */
static void
test_metalink (void)
{
  g_autoptr (P2psLink) link = p2ps_link_new (HEX, "<a> & \"é\".txt", 12);
  g_autoptr (P2psLink) bare = p2ps_link_new (HEX, NULL, -1);
  g_autoptr (GPtrArray) urls = g_ptr_array_new ();
  g_autofree char *full = NULL;
  g_autofree char *least = NULL;

  g_ptr_array_add (urls, (gpointer) "http://10.0.0.5:8081/a");
  g_ptr_array_add (urls, (gpointer) "http://10.0.0.6:8081/b&c");
  full = p2ps_link_to_metalink (link, urls);
  g_assert_cmpstr (full, ==,
                   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                   "<metalink xmlns=\"urn:ietf:params:xml:ns:metalink\">\n"
                   "  <file name=\"&lt;a&gt; &amp; &quot;é&quot;.txt\">\n"
                   "    <size>12</size>\n"
                   "    <hash type=\"sha-256\">" HEX "</hash>\n"
                   "    <url priority=\"1\">http://10.0.0.5:8081/a</url>\n"
                   "    <url priority=\"2\">http://10.0.0.6:8081/b&amp;c</url>\n"
                   "  </file>\n"
                   "</metalink>\n");
  least = p2ps_link_to_metalink (bare, urls);
  g_assert_nonnull (strstr (least, "<file name=\"unnamed\">"));
  g_assert_null (strstr (least, "<size>"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/hash", test_hash);
  g_test_add_func ("/link/magnet", test_magnet);
  g_test_add_func ("/link/ni", test_ni);
  g_test_add_func ("/link/refused", test_refused);
  g_test_add_func ("/link/hostile", test_hostile);
  g_test_add_func ("/link/round-trip", test_round_trip);
  g_test_add_func ("/link/urls", test_urls);
  g_test_add_func ("/link/metalink", test_metalink);
  return g_test_run ();
}
