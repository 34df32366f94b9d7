/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Links to content, as text: pure functions, any thread. Read are 64 hex digits, magnet links with
 * urn:sha256 and RFC 6920's ni links with sha-256; written are magnet links and Metalink documents
 * for other programs. Links come from strangers: one longer than P2PS_MAX_LINK, without exactly one
 * hash, or not UTF-8 is refused; keys that we don't know are ignored; names become safe ones and
 * addresses are only looked at as text.
 */

#define G_LOG_DOMAIN "p2ps-link"

#include "engine/link.h"

#include <string.h>

#include "engine/error.h"

#define SHA256_BYTES 32

/* The first name that is one stays. name may be NULL. */
void
p2ps_link_set_name (P2psLink *link, const char *name)
{
  g_autofree char *safe = p2ps_name_for_display (name);

  if (*safe && !link->filename)
    link->filename = g_steal_pointer (&safe);
}

/* filehash: 64 hex digits; filename NULL or "" when not known; size -1 when not known. */
P2psLink *
p2ps_link_new (const char *filehash, const char *filename, gint64 size)
{
  P2psLink *link = g_new0 (P2psLink, 1);

  if (filehash)
    p2ps_hash_normalize (link->filehash, filehash);
  p2ps_link_set_name (link, filename);
  link->size = size;
  link->sources = g_ptr_array_new_with_free_func (g_free);
  return link;
}

void
p2ps_link_free (P2psLink *link)
{
  if (!link)
    return;
  g_free (link->filename);
  g_ptr_array_unref (link->sources);
  g_free (link);
}

/* One hash per link: a second one that says something else would be a trap. */
static gboolean
set_hash (P2psLink *link, const char *hex)
{
  char hash[P2PS_HASH_SIZE];

  if (!p2ps_hash_normalize (hash, hex))
    return FALSE;
  if (link->filehash[0] && !g_str_equal (link->filehash, hash))
    return FALSE;
  memcpy (link->filehash, hash, sizeof hash);
  return TRUE;
}

static void
set_size (P2psLink *link, const char *text)
{
  guint64 size;

  if (link->size < 0 && g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT64, &size, NULL))
    link->size = (gint64)size;
}

/* "host:port" or "[v6]:port"; anything else is left out. A name is kept as it is: who adds the peer
 * looks it up. */
void
p2ps_link_add_source (P2psLink *link, const char *text)
{
  const char *colon = strrchr (text, ':');
  guint64 port;

  if (link->sources->len >= P2PS_MAX_LINK_SOURCES || !colon || colon == text)
    return;
  if (!g_ascii_string_to_unsigned (colon + 1, 10, 1, G_MAXUINT16, &port, NULL))
    return;
  for (const char *p = text; p < colon; p++)
    if (!g_ascii_isalnum (*p) && !strchr (".-:[]", *p))
      return;
  for (guint i = 0; i < link->sources->len; i++)
    if (g_str_equal (g_ptr_array_index (link->sources, i), text))
      return;
  g_ptr_array_add (link->sources, g_strdup (text));
}

/* A node as a source, when it announces an address that means something to others. */
void
p2ps_link_add_node (P2psLink *link, const char *host, guint port)
{
  g_autofree char *text = NULL;
  P2psAddress address;

  if (!host || p2ps_host_get_scope (host) == P2PS_SCOPE_INVALID
      || !p2ps_address_init (&address, host, port))
    return;
  text = p2ps_address_to_string (&address);
  p2ps_link_add_source (link, text);
}

static gboolean
parse_magnet (P2psLink *link, const char *query)
{
  g_auto (GStrv) fields = g_strsplit (query, "&", 256);

  for (guint i = 0; fields[i]; i++)
    {
      char *equals = strchr (fields[i], '=');
      g_autofree char *value = NULL;

      if (!equals)
        continue;
      *equals = '\0';
      g_strdelimit (equals + 1, "+", ' ');
      value = g_uri_unescape_string (equals + 1, NULL);
      if (!value || !g_utf8_validate (value, -1, NULL))
        continue;
      /* "xt", or "xt.1" and so on where a link names several kinds of hash */
      if ((g_str_equal (fields[i], "xt") || g_str_has_prefix (fields[i], "xt."))
          && g_ascii_strncasecmp (value, "urn:sha256:", 11) == 0)
        {
          if (!set_hash (link, value + 11))
            return FALSE;
        }
      else if (g_str_equal (fields[i], "dn"))
        p2ps_link_set_name (link, value);
      else if (g_str_equal (fields[i], "xl"))
        set_size (link, value);
      else if (g_str_equal (fields[i], "x.pe"))
        p2ps_link_add_source (link, value);
    }
  return link->filehash[0] != '\0';
}

/* base64url without padding (RFC 4648 section 5), exactly 32 bytes -> 64 hex digits. */
static char *
hex_from_base64url (const char *text, gsize length)
{
  g_autofree char *padded = NULL;
  g_autofree guchar *bytes = NULL;
  gsize n = 0;
  GString *hex;

  while (length > 0 && text[length - 1] == '=')
    length--;
  if (length != 43)
    return NULL;
  padded = g_strdup_printf ("%.*s=", (int)length, text);
  for (char *p = padded; *p; p++)
    if (*p == '+' || *p == '/')
      return NULL;
  g_strdelimit (padded, "-", '+');
  g_strdelimit (padded, "_", '/');
  bytes = g_base64_decode (padded, &n);
  if (n != SHA256_BYTES)
    return NULL;
  hex = g_string_sized_new (P2PS_HASH_SIZE);
  for (gsize i = 0; i < n; i++)
    g_string_append_printf (hex, "%02x", bytes[i]);
  return g_string_free (hex, FALSE);
}

/* ni://AUTHORITY/sha-256;VALUE?… : an authority is where it can be had from. */
static gboolean
parse_ni (P2psLink *link, const char *rest)
{
  const char *slash = strchr (rest, '/');
  g_autofree char *hex = NULL;
  const char *value;

  if (!slash || g_ascii_strncasecmp (slash, "/sha-256;", 9) != 0)
    return FALSE;
  if (slash > rest)
    {
      g_autofree char *authority = g_strndup (rest, slash - rest);

      p2ps_link_add_source (link, authority);
    }
  value = slash + 9;
  hex = hex_from_base64url (value, strcspn (value, "?#"));
  return hex && set_hash (link, hex);
}

/* text: 64 hex digits, magnet:?xt=urn:sha256:… or ni:///sha-256;…, white space around it is fine.
 * Errors: P2PS_ERROR_FAILED, with a sentence that says what a link looks like. */
P2psLink *
p2ps_link_parse (const char *text, GError **error)
{
  g_autoptr (P2psLink) link = p2ps_link_new (NULL, NULL, -1);
  g_autofree char *clean = NULL;
  gboolean good = FALSE;

  if (strlen (text) <= P2PS_MAX_LINK && g_utf8_validate (text, -1, NULL))
    {
      clean = g_strstrip (g_strdup (text));
      if (g_ascii_strncasecmp (clean, "magnet:?", 8) == 0)
        good = parse_magnet (link, clean + 8);
      else if (g_ascii_strncasecmp (clean, "ni://", 5) == 0)
        good = parse_ni (link, clean + 5);
      else
        good = set_hash (link, clean);
    }
  if (good)
    return g_steal_pointer (&link);
  g_set_error_literal (error, P2PS_ERROR, P2PS_ERROR_FAILED,
                       "not a SHA-256 (64 hex digits), a magnet:?xt=urn:sha256:… link or a "
                       "ni:///sha-256;… link");
  return NULL;
}

/* The magnet link. Caller owns it. */
char *
p2ps_link_to_string (const P2psLink *link)
{
  GString *text = g_string_new ("magnet:?xt=urn:sha256:");

  g_string_append (text, link->filehash);
  if (link->size >= 0)
    g_string_append_printf (text, "&xl=%" G_GINT64_FORMAT, link->size);
  if (link->filename)
    {
      g_string_append (text, "&dn=");
      g_string_append_uri_escaped (text, link->filename, NULL, FALSE);
    }
  for (guint i = 0; i < link->sources->len; i++)
    {
      g_string_append (text, "&x.pe=");
      g_string_append_uri_escaped (text, g_ptr_array_index (link->sources, i), ":[]", FALSE);
    }
  return g_string_free (text, FALSE);
}

/* Where `source`, "host:port", gives the file: by its content (RFC 6920), which nodes of this
 * program do, or by the name that the link has, which classic peers do. Caller owns it. */
char *
p2ps_link_dup_url (const P2psLink *link, const char *source, gboolean by_content)
{
  guchar bytes[SHA256_BYTES];
  g_autofree char *text = NULL;

  if (!by_content)
    {
      text = g_uri_escape_string (link->filename ? link->filename : "", NULL, FALSE);
      return g_strdup_printf ("http://%s/download/%s", source, text);
    }
  for (guint i = 0; i < SHA256_BYTES; i++)
    bytes[i] = (guchar)(g_ascii_xdigit_value (link->filehash[2 * i]) << 4
                        | g_ascii_xdigit_value (link->filehash[2 * i + 1]));
  text = g_base64_encode (bytes, sizeof bytes);
  g_strdelimit (text, "+", '-');
  g_strdelimit (text, "/", '_');
  text[strcspn (text, "=")] = '\0';
  return g_strdup_printf ("http://%s/.well-known/ni/sha-256/%s", source, text);
}

/* A Metalink 4 document (RFC 5854) about a file that has a hash; urls: of char*, the best first, at
 * least one. Caller owns it. */
char *
p2ps_link_to_metalink (const P2psLink *link, GPtrArray *urls)
{
  GString *text = g_string_new ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                                "<metalink xmlns=\"urn:ietf:params:xml:ns:metalink\">\n");
  g_autofree char *name = p2ps_name_for_disk (link->filename);
  g_autofree char *escaped = g_markup_escape_text (name, -1);

  g_string_append_printf (text, "  <file name=\"%s\">\n", escaped);
  if (link->size >= 0)
    g_string_append_printf (text, "    <size>%" G_GINT64_FORMAT "</size>\n", link->size);
  g_string_append_printf (text, "    <hash type=\"sha-256\">%s</hash>\n", link->filehash);
  for (guint i = 0; i < urls->len; i++)
    {
      g_autofree char *url = g_markup_escape_text (g_ptr_array_index (urls, i), -1);

      g_string_append_printf (text, "    <url priority=\"%u\">%s</url>\n", i + 1, url);
    }
  g_string_append (text, "  </file>\n</metalink>\n");
  return g_string_free (text, FALSE);
}

/* The sources that are literal addresses, as hits to begin a download with: GPtrArray of P2psHit,
 * NULL when there is none. Caller owns it. */
GPtrArray *
p2ps_link_list_hits (const P2psLink *link)
{
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func ((GDestroyNotify)p2ps_hit_free);

  for (guint i = 0; i < link->sources->len; i++)
    {
      P2psAddress address;

      if (p2ps_address_parse (&address, g_ptr_array_index (link->sources, i)))
        g_ptr_array_add (hits, p2ps_hit_new ("", &address, link->filename ? link->filename : "",
                                             link->filehash, link->size));
    }
  return hits->len > 0 ? g_steal_pointer (&hits) : NULL;
}
