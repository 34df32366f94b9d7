/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Requests to the running node: HTTP over the unix socket in its state folder, one connection each,
 * waiting. It trusts the node (same user, file modes) but not its health: every wait has a bound,
 * an answer has a cap, and one that is cut short or isn't JSON is an error. */

#define G_LOG_DOMAIN "p2pshare-cli"

#include "cli/cli.h"

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_SECONDS 30
#define MAX_ANSWER (64 * 1024 * 1024)

static GSocketConnection *
connect_to (const char *state_dir, GError **error)
{
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *path = NULL;
  gboolean connected;
  int dir_fd;

  path = p2ps_state_dir_dup_socket_path (state_dir, &dir_fd, &local);
  if (!path)
    {
      g_set_error (error, P2PS_ERROR, P2PS_ERROR_NOT_RUNNING, _ ("no node is running (%s)"),
                   local->message);
      return NULL;
    }
  address = g_unix_socket_address_new (path);
  socket
      = g_socket_new (G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, error);
  connected = socket && g_socket_connect (socket, address, NULL, &local);
  if (dir_fd >= 0)
    close (dir_fd);
  if (!socket)
    return NULL;
  if (!connected)
    {
      gboolean denied = g_error_matches (local, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);

      g_set_error (error, P2PS_ERROR, denied ? P2PS_ERROR_FAILED : P2PS_ERROR_NOT_RUNNING,
                   denied ? _ ("the node with the state folder %s belongs to another user")
                          : _ ("no node is running with the state folder %s"),
                   state_dir);
      return NULL;
    }
  g_socket_set_timeout (socket, TIMEOUT_SECONDS);
  return g_socket_connection_factory_create_connection (socket);
}

/* Everything until the other side closes, which "Connection: close" makes it do. */
static GByteArray *
read_all (GInputStream *stream, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  gssize n;

  do
    {
      guint length = bytes->len;

      g_byte_array_set_size (bytes, length + 65536);
      n = g_input_stream_read (stream, bytes->data + length, 65536, NULL, error);
      g_byte_array_set_size (bytes, length + (guint)MAX (n, 0));
      if (n < 0)
        return NULL;
    }
  while (n > 0 && bytes->len < MAX_ANSWER);
  g_byte_array_append (bytes, (const guint8 *)"", 1);
  return g_steal_pointer (&bytes);
}

/* The status and the body of an answer; FALSE when it is cut short. */
static gboolean
split_answer (char *text, gsize size, int *status, char **body, gsize *length)
{
  char *end = strstr (text, "\r\n\r\n");
  const char *line;
  gint64 said = -1;

  if (!end || sscanf (text, "HTTP/1.%*1d %3d", status) != 1)
    return FALSE;
  *end = '\0';
  *body = end + 4;
  *length = size - (gsize)(*body - text);
  for (line = text; line; line = strstr (line, "\r\n"))
    {
      line += line == text ? 0 : 2;
      if (g_ascii_strncasecmp (line, "Content-Length:", 15) == 0)
        said = g_ascii_strtoll (line + 15, NULL, 10);
    }
  return said < 0 || (gsize)said == *length;
}

static JsonNode *
read_answer (GByteArray *bytes, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  char *body = NULL;
  gsize length = 0;
  int status = 0;
  const char *reason;

  /* A node that ends says nothing more: what it began is not an answer. */
  if (!split_answer ((char *)bytes->data, bytes->len - 1, &status, &body, &length)
      || !json_parser_load_from_data (parser, body, (gssize)length, NULL)
      || !json_parser_get_root (parser))
    {
      g_set_error_literal (error, P2PS_ERROR, status ? P2PS_ERROR_FAILED : P2PS_ERROR_NOT_RUNNING,
                           _ ("the node gave no proper answer: it is ending, or of another "
                              "version"));
      return NULL;
    }
  if (status == 200)
    return json_parser_steal_root (parser);
  reason = p2ps_json_get_text (json_parser_get_root (parser), "error");
  g_set_error (error, P2PS_ERROR, status == 404 ? P2PS_ERROR_NOT_FOUND : P2PS_ERROR_FAILED, "%s",
               reason ? reason : _ ("the node refused"));
  return NULL;
}

static JsonNode *
ask (P2psCli *cli, const char *method, const char *path, const char *body, GError **error)
{
  g_autoptr (GSocketConnection) connection = connect_to (cli->state_dir, error);
  g_autoptr (GByteArray) bytes = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *request = NULL;
  GOutputStream *out;

  if (!connection)
    return NULL;
  request = g_strdup_printf ("%s /v1/%s HTTP/1.1\r\n"
                             "Host: 127.0.0.1\r\n"
                             "Connection: close\r\n"
                             "Content-Type: application/json\r\n"
                             "Content-Length: %" G_GSIZE_FORMAT "\r\n\r\n%s",
                             method, path, body ? strlen (body) : (gsize)0, body ? body : "");
  out = g_io_stream_get_output_stream (G_IO_STREAM (connection));
  if (g_output_stream_write_all (out, request, strlen (request), NULL, NULL, &local))
    bytes = read_all (g_io_stream_get_input_stream (G_IO_STREAM (connection)), &local);
  if (!bytes)
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
        g_set_error (error, P2PS_ERROR, P2PS_ERROR_FAILED,
                     _ ("the node has not answered for %d seconds"), TIMEOUT_SECONDS);
      else
        g_set_error (error, P2PS_ERROR, P2PS_ERROR_NOT_RUNNING, _ ("the node has gone: %s"),
                     local->message);
      return NULL;
    }
  return read_answer (bytes, error);
}

JsonNode *
p2ps_cli_get (P2psCli *cli, const char *path, GError **error)
{
  return ask (cli, "GET", path, NULL, error);
}

JsonNode *
p2ps_cli_post (P2psCli *cli, const char *path, const char *body, GError **error)
{
  return ask (cli, "POST", path, body ? body : "{}", error);
}

/* format with at most one %s, for which the percent-encoded id stands. Caller owns it. */
char *
p2ps_cli_path (const char *format, const char *id)
{
  g_auto (GStrv) parts = g_strsplit (format, "%s", 2);
  g_autofree char *encoded = g_uri_escape_string (id, NULL, FALSE);

  return parts[1] ? g_strconcat (parts[0], encoded, parts[1], NULL) : g_strdup (format);
}

static JsonNode *
get_member (JsonNode *node, const char *name)
{
  if (!node || !JSON_NODE_HOLDS_OBJECT (node))
    return NULL;
  return json_object_get_member (json_node_get_object (node), name);
}

const char *
p2ps_json_get_text (JsonNode *node, const char *name)
{
  JsonNode *member = get_member (node, name);

  if (!member || !JSON_NODE_HOLDS_VALUE (member)
      || json_node_get_value_type (member) != G_TYPE_STRING)
    return NULL;
  return json_node_get_string (member);
}

gint64
p2ps_json_get_number (JsonNode *node, const char *name)
{
  JsonNode *member = get_member (node, name);

  if (!member || !JSON_NODE_HOLDS_VALUE (member)
      || json_node_get_value_type (member) == G_TYPE_STRING)
    return -1;
  return json_node_get_int (member);
}

gboolean
p2ps_json_get_flag (JsonNode *node, const char *name)
{
  JsonNode *member = get_member (node, name);

  return member && JSON_NODE_HOLDS_VALUE (member) && json_node_get_boolean (member);
}

JsonArray *
p2ps_json_get_list (JsonNode *node, const char *name)
{
  JsonNode *member = get_member (node, name);

  return member && JSON_NODE_HOLDS_ARRAY (member) ? json_node_get_array (member) : NULL;
}
