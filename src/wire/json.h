/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* Reading JSON that may be anything: the guard first, then json-glib, then one member at a time. */

typedef enum
{
  P2PS_JSON_ABSENT, /* no such member, or null */
  P2PS_JSON_FOUND,
  P2PS_JSON_WRONG, /* another type than asked for */
} P2psJsonFound;

JsonNode *p2ps_json_parse (const char *data, gsize length, GError **error);
P2psJsonFound p2ps_json_get_string (JsonObject *object, const char *key, const char **value);
P2psJsonFound p2ps_json_get_int (JsonObject *object, const char *key, gint64 *value);
P2psJsonFound p2ps_json_get_boolean (JsonObject *object, const char *key, gboolean *value);
P2psJsonFound p2ps_json_get_object (JsonObject *object, const char *key, JsonObject **value);
P2psJsonFound p2ps_json_get_array (JsonObject *object, const char *key, JsonArray **value);
JsonObject *p2ps_json_array_get_object (JsonArray *array, guint i);

G_END_DECLS
