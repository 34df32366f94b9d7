/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The head of a request, judged byte by byte before libsoup sees it. Owns no state; any thread.
 * libsoup is a friendly parser: it skips lines that it doesn't understand, joins folded ones, takes
 * the last of two lengths. Between two programs that read the same bytes differently lies request
 * smuggling, so here everything that is not plainly well-formed is refused. */

#include "engine/http-guard.h"

#include <gio/gio.h>
#include <string.h>

#include "core/limits.h"

#define MAX_HEADERS 64 /* lines; browsers send about 20, peers 5 */

static const struct
{
  const char *key;
  guint status;
  const char *text;
} refusals[P2PS_N_HTTP_REFUSALS] = {
  [P2PS_HTTP_REFUSAL_NONE] = { "none", 200, "" },
  [P2PS_HTTP_REFUSAL_MALFORMED]
  = { "malformed", 400, "This is not a well-formed HTTP/1.1 request." },
  [P2PS_HTTP_REFUSAL_HEADERS_TOO_LARGE]
  = { "headers-too-large", 400, "The headers of the request are too large." },
  [P2PS_HTTP_REFUSAL_FRAMING]
  = { "framing", 400, "It is not clear where the body of the request ends." },
  [P2PS_HTTP_REFUSAL_HOST]
  = { "host", 400, "The Host header must be there once, as an address or this node's own name." },
  [P2PS_HTTP_REFUSAL_BROWSER] = { "browser", 403, "Web pages may not talk to this node." },
  [P2PS_HTTP_REFUSAL_METHOD] = { "method", 405, "This method is not allowed here." },
  [P2PS_HTTP_REFUSAL_CONTENT_TYPE]
  = { "content-type", 415, "The body must be sent as application/json." },
  [P2PS_HTTP_REFUSAL_BODY_TOO_LARGE]
  = { "body-too-large", 413, "The body of the request is too large." },
  [P2PS_HTTP_REFUSAL_TOO_SLOW] = { "too-slow", 408, "The request did not arrive in time." },
  [P2PS_HTTP_REFUSAL_TOO_MANY_CONNECTIONS]
  = { "too-many-connections", 503, "There are too many connections from your address." },
  [P2PS_HTTP_REFUSAL_RANGE]
  = { "range", 416, "One range of bytes that lies in the file can be asked for." },
};

const char *
p2ps_http_refusal_get_key (P2psHttpRefusal refusal)
{
  return refusals[refusal].key;
}

guint
p2ps_http_refusal_get_status (P2psHttpRefusal refusal)
{
  return refusals[refusal].status;
}

const char *
p2ps_http_refusal_get_text (P2psHttpRefusal refusal)
{
  return refusals[refusal].text;
}

/* Looks for the end of the head in bytes[0..length), of which bytes[0..from) were scanned before.
 * *end is the length of the head with its empty line, or 0 when more is needed. What can't become a
 * head any more is refused at once: NUL, a line feed without carriage return, an empty first line.
 */
P2psHttpRefusal
p2ps_http_head_scan (const char *bytes, gsize length, gsize from, gsize *end)
{
  *end = 0;
  for (gsize i = from; i < length; i++)
    {
      if (bytes[i] == '\0')
        return P2PS_HTTP_REFUSAL_MALFORMED;
      if (bytes[i] != '\n')
        continue;
      if (i < 2 || bytes[i - 1] != '\r')
        return P2PS_HTTP_REFUSAL_MALFORMED;
      if (i >= 3 && bytes[i - 2] == '\n')
        {
          *end = i + 1;
          return P2PS_HTTP_REFUSAL_NONE;
        }
    }
  return P2PS_HTTP_REFUSAL_NONE;
}

/* RFC 9110, 5.6.2 */
static gboolean
is_token (const char *text)
{
  for (const char *c = text; *c != '\0'; c++)
    if (!g_ascii_isalnum (*c) && strchr ("!#$%&'*+-.^_`|~", *c) == NULL)
      return FALSE;
  return *text != '\0';
}

/* Visible ASCII; every % is followed by two hex digits; no fragment. */
static gboolean
is_target (const char *text)
{
  for (const char *c = text; *c != '\0'; c++)
    {
      if (*c <= ' ' || *c >= 0x7f || *c == '#' || *c == '"' || *c == '<' || *c == '>')
        return FALSE;
      if (*c == '%' && !(g_ascii_isxdigit (c[1]) && g_ascii_isxdigit (c[2])))
        return FALSE;
    }
  return *text == '/';
}

static gboolean
parse_request_line (P2psHttpHead *head, char *line)
{
  char *target = strchr (line, ' ');
  char *version = target != NULL ? strchr (target + 1, ' ') : NULL;
  char *query;

  if (version == NULL)
    return FALSE;
  *target++ = '\0';
  *version++ = '\0';
  if (!is_token (line) || !is_target (target))
    return FALSE;
  if (!g_str_equal (version, "HTTP/1.1") && !g_str_equal (version, "HTTP/1.0"))
    return FALSE;

  query = strchr (target, '?');
  if (query != NULL)
    *query++ = '\0';
  head->method = line;
  head->path = target;
  head->query = query;
  head->minor_version = version[7] - '0';
  return TRUE;
}

static gboolean
parse_header (P2psHttpHead *head, char *line)
{
  char *value = strchr (line, ':');
  P2psHttpHeader header;

  /* A blank in the name, or before the colon, or a folded line is not a token: refused. */
  if (value == NULL)
    return FALSE;
  *value++ = '\0';
  if (!is_token (line))
    return FALSE;
  for (const char *c = value; *c != '\0'; c++)
    if ((guchar)*c == 0x7f || ((guchar)*c < ' ' && *c != '\t'))
      return FALSE;
  if (!g_utf8_validate (value, -1, NULL))
    return FALSE;

  header.name = line;
  header.value = g_strstrip (value);
  g_array_append_val (head->headers, header);
  return TRUE;
}

/* The value of the first header of that name (ASCII case ignored) or NULL; count may be NULL. */
const char *
p2ps_http_head_get (const P2psHttpHead *head, const char *name, guint *count)
{
  const char *value = NULL;
  guint n = 0;

  for (guint i = 0; i < head->headers->len; i++)
    {
      const P2psHttpHeader *header = &g_array_index (head->headers, P2psHttpHeader, i);

      if (g_ascii_strcasecmp (header->name, name) != 0)
        continue;
      if (n++ == 0)
        value = header->value;
    }
  if (count != NULL)
    *count = n;
  return value;
}

/* One length of digits only, or one "chunked", never both; RFC 9112, 6.3. */
static gboolean
parse_framing (P2psHttpHead *head)
{
  guint n_lengths, n_codings;
  const char *length = p2ps_http_head_get (head, "Content-Length", &n_lengths);
  const char *coding = p2ps_http_head_get (head, "Transfer-Encoding", &n_codings);

  head->content_length = -1;
  if (n_lengths + n_codings > 1)
    return FALSE;
  if (coding != NULL)
    {
      head->chunked = TRUE;
      return head->minor_version == 1 && g_ascii_strcasecmp (coding, "chunked") == 0;
    }
  if (length != NULL)
    {
      gsize digits = strspn (length, "0123456789");

      if (digits == 0 || digits > 18 || length[digits] != '\0')
        return FALSE;
      head->content_length = g_ascii_strtoll (length, NULL, 10);
    }
  return TRUE;
}

/* Takes a whole head, from the request line to the empty line, apart. *head (caller owns) is set
 * only when nothing is refused. */
P2psHttpRefusal
p2ps_http_head_parse (const char *bytes, gsize length, P2psHttpHead **head)
{
  g_autoptr (P2psHttpHead) parsed = g_new0 (P2psHttpHead, 1);
  gboolean first = TRUE;
  char *line;

  parsed->text = g_strndup (bytes, length);
  parsed->headers = g_array_new (FALSE, FALSE, sizeof (P2psHttpHeader));
  line = parsed->text;
  for (char *end = strstr (line, "\r\n"); end != NULL && end != line; end = strstr (line, "\r\n"))
    {
      *end = '\0';
      if (strchr (line, '\r') != NULL
          || !(first ? parse_request_line (parsed, line) : parse_header (parsed, line)))
        return P2PS_HTTP_REFUSAL_MALFORMED;
      if (parsed->headers->len > MAX_HEADERS)
        return P2PS_HTTP_REFUSAL_HEADERS_TOO_LARGE;
      first = FALSE;
      line = end + 2;
    }
  if (first)
    return P2PS_HTTP_REFUSAL_MALFORMED;
  if (!parse_framing (parsed))
    return P2PS_HTTP_REFUSAL_FRAMING;
  *head = g_steal_pointer (&parsed);
  return P2PS_HTTP_REFUSAL_NONE;
}

void
p2ps_http_head_free (P2psHttpHead *head)
{
  g_clear_pointer (&head->headers, g_array_unref);
  g_free (head->text);
  g_free (head);
}

/* An IPv4 literal, an IPv6 literal in brackets, or a name of this machine; with or without a port.
 * A page on attacker.example whose name resolves to this node (DNS rebinding) fails here. */
gboolean
p2ps_http_host_is_ours (const char *host)
{
  g_autofree char *name = NULL;
  g_autofree char *local = NULL;
  const char *port;

  if (host[0] == '[')
    {
      const char *close = strchr (host, ']');

      if (close == NULL)
        return FALSE;
      name = g_strndup (host + 1, close - host - 1);
      port = close + 1;
      if (strchr (name, ':') == NULL || !g_hostname_is_ip_address (name))
        return FALSE;
    }
  else
    {
      gsize length = strcspn (host, ":");

      name = g_strndup (host, length);
      port = host + length;
    }
  if (*port != '\0' && (*port != ':' || strspn (port + 1, "0123456789") != strlen (port + 1)))
    return FALSE;
  if (g_hostname_is_ip_address (name))
    return TRUE;
  local = g_strconcat (g_get_host_name (), ".local", NULL);
  return g_ascii_strcasecmp (name, "localhost") == 0
         || g_ascii_strcasecmp (name, g_get_host_name ()) == 0
         || g_ascii_strcasecmp (name, local) == 0;
}

static gboolean
is_json (const char *type)
{
  gsize length;

  if (type == NULL)
    return FALSE;
  length = strcspn (type, "; \t");
  return length == strlen ("application/json")
         && g_ascii_strncasecmp (type, "application/json", length) == 0;
}

static gboolean
is_from_web_page (const P2psHttpHead *head)
{
  const char *site = p2ps_http_head_get (head, "Sec-Fetch-Site", NULL);

  return p2ps_http_head_get (head, "Origin", NULL) != NULL
         || (site != NULL && g_ascii_strcasecmp (site, "none") != 0
             && g_ascii_strcasecmp (site, "same-origin") != 0);
}

static gboolean
is_allowed_method (const P2psHttpHead *head, const P2psHttpPolicy *policy)
{
  static const char *const methods[] = { "GET", "HEAD", "POST", NULL };
  static const char *const local[] = { "GET", "HEAD", "POST", "PUT", "DELETE", NULL };

  return g_strv_contains (policy->local ? local : methods, head->method);
}

/* Whether the node wants to hear the request at all. */
P2psHttpRefusal
p2ps_http_head_check (const P2psHttpHead *head, const P2psHttpPolicy *policy)
{
  guint n_hosts;
  const char *host = p2ps_http_head_get (head, "Host", &n_hosts);

  if (n_hosts > 1 || (n_hosts == 0 && head->minor_version == 1))
    return P2PS_HTTP_REFUSAL_HOST;
  if (!policy->local && host != NULL && !p2ps_http_host_is_ours (host))
    return P2PS_HTTP_REFUSAL_HOST;
  if (!policy->local && is_from_web_page (head))
    return P2PS_HTTP_REFUSAL_BROWSER;
  if (!is_allowed_method (head, policy))
    return P2PS_HTTP_REFUSAL_METHOD;
  if (head->content_length > (gint64)policy->max_body)
    return P2PS_HTTP_REFUSAL_BODY_TOO_LARGE;
  if (!policy->local && g_str_equal (head->method, "POST")
      && !is_json (p2ps_http_head_get (head, "Content-Type", NULL)))
    return P2PS_HTTP_REFUSAL_CONTENT_TYPE;
  return P2PS_HTTP_REFUSAL_NONE;
}
