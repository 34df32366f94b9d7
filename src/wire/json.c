/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Reads JSON that may be anything, on any thread: nothing is owned here. The bytes pass the guard
 * before json-glib sees them, and a member of another type than asked for is told apart from one
 * that is absent, so that callers can refuse the one and forgive the other. */

#include "wire/json.h"

#include <string.h>

#include "wire/codec.h"

#define MAX_WHOLE 9007199254740992.0 /* 2^53: above it doubles skip whole numbers */

/* Returns the root (transfer full), or NULL with "line N: reason". */
JsonNode *
p2ps_json_parse (const char *data, gsize length, GError **error)
{
  g_autoptr (JsonParser) parser = NULL;
  g_autoptr (GError) local = NULL;
  JsonNode *root;

  if (!p2ps_wire_check_json (data, length, error))
    return NULL;
  parser = json_parser_new ();
  if (!json_parser_load_from_data (parser, data, length, &local))
    {
      /* "<data>:LINE:COLUMN: Parse error: REASON" */
      const char *colon = strchr (local->message, ':');
      const char *reason = strstr (local->message, "Parse error: ");

      g_set_error (error, P2PS_WIRE_ERROR, P2PS_WIRE_ERROR_INVALID, "line %u: %s",
                   colon != NULL ? (guint)g_ascii_strtoull (colon + 1, NULL, 10) : 1,
                   reason != NULL ? reason + strlen ("Parse error: ") : local->message);
      return NULL;
    }
  root = json_parser_steal_root (parser);
  if (root == NULL)
    g_set_error_literal (error, P2PS_WIRE_ERROR, P2PS_WIRE_ERROR_INVALID, "line 1: nothing there");
  return root;
}

static JsonNode *
get_member (JsonObject *object, const char *key)
{
  JsonNode *node = json_object_get_member (object, key);

  return node == NULL || JSON_NODE_HOLDS_NULL (node) ? NULL : node;
}

static gboolean
holds (JsonNode *node, GType type)
{
  return JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == type;
}

/* *value is borrowed from the object and stays as it was unless FOUND. */
P2psJsonFound
p2ps_json_get_string (JsonObject *object, const char *key, const char **value)
{
  JsonNode *node = get_member (object, key);

  if (node == NULL)
    return P2PS_JSON_ABSENT;
  if (!holds (node, G_TYPE_STRING))
    return P2PS_JSON_WRONG;
  *value = json_node_get_string (node);
  return P2PS_JSON_FOUND;
}

/* A whole number, also as 8081.0 or as a decimal string: some peers send their port as text. */
P2psJsonFound
p2ps_json_get_int (JsonObject *object, const char *key, gint64 *value)
{
  JsonNode *node = get_member (object, key);

  if (node == NULL)
    return P2PS_JSON_ABSENT;
  if (holds (node, G_TYPE_INT64))
    {
      *value = json_node_get_int (node);
      return P2PS_JSON_FOUND;
    }
  if (holds (node, G_TYPE_DOUBLE))
    {
      double number = json_node_get_double (node);

      if (!(number >= -MAX_WHOLE && number <= MAX_WHOLE) || number != (double)(gint64)number)
        return P2PS_JSON_WRONG;
      *value = (gint64)number;
      return P2PS_JSON_FOUND;
    }
  if (holds (node, G_TYPE_STRING))
    {
      const char *text = json_node_get_string (node);
      gsize length = strlen (text);

      if (length == 0 || length > 15 || strspn (text, "0123456789") != length)
        return P2PS_JSON_WRONG;
      *value = g_ascii_strtoll (text, NULL, 10);
      return P2PS_JSON_FOUND;
    }
  return P2PS_JSON_WRONG;
}

P2psJsonFound
p2ps_json_get_boolean (JsonObject *object, const char *key, gboolean *value)
{
  JsonNode *node = get_member (object, key);

  if (node == NULL)
    return P2PS_JSON_ABSENT;
  if (!holds (node, G_TYPE_BOOLEAN))
    return P2PS_JSON_WRONG;
  *value = json_node_get_boolean (node);
  return P2PS_JSON_FOUND;
}

/* *value is borrowed. */
P2psJsonFound
p2ps_json_get_object (JsonObject *object, const char *key, JsonObject **value)
{
  JsonNode *node = get_member (object, key);

  if (node == NULL)
    return P2PS_JSON_ABSENT;
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return P2PS_JSON_WRONG;
  *value = json_node_get_object (node);
  return P2PS_JSON_FOUND;
}

/* *value is borrowed. */
P2psJsonFound
p2ps_json_get_array (JsonObject *object, const char *key, JsonArray **value)
{
  JsonNode *node = get_member (object, key);

  if (node == NULL)
    return P2PS_JSON_ABSENT;
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return P2PS_JSON_WRONG;
  *value = json_node_get_array (node);
  return P2PS_JSON_FOUND;
}

/* The object at i, borrowed, or NULL when something else is there. */
JsonObject *
p2ps_json_array_get_object (JsonArray *array, guint i)
{
  JsonNode *node = i < json_array_get_length (array) ? json_array_get_element (array, i) : NULL;

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}
