/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A typed address becomes one that the core takes: literals at once, names by the resolver's
 * threads. On the caller's context. Refuses what has no port, and names that nobody has. */

#define G_LOG_DOMAIN "p2ps-peer-address"

#include "engine/peer-address.h"

#include "config-build.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "core/limits.h"
#include "engine/error.h"

static void
refuse (GTask *task, const char *text)
{
  g_task_return_new_error (task, P2PS_ERROR, P2PS_ERROR_FAILED,
                           _ ("\"%s\" is not an address: write HOST:PORT with a port from %d to "
                              "65535, for example 192.168.1.20:8081."),
                           text, P2PS_MIN_PORT);
  g_object_unref (task);
}

static void
resolved_cb (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  P2psAddress *wanted = g_task_get_task_data (task);
  GError *error = NULL;
  GList *found = g_resolver_lookup_by_name_finish (G_RESOLVER (source), result, &error);

  if (!found)
    {
      g_task_return_new_error (task, P2PS_ERROR, P2PS_ERROR_NOT_FOUND,
                               _ ("The host could not be found: %s"), error->message);
      g_error_free (error);
      return;
    }
  g_autofree char *host = g_inet_address_to_string (found->data);
  g_resolver_free_addresses (found);
  if (p2ps_address_init (wanted, host, wanted->port))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_new_error (task, P2PS_ERROR, P2PS_ERROR_NOT_FOUND,
                             _ ("The host's address %s can't be used."), host);
}

/* The callback may be NULL. */
void
p2ps_peer_address_find_async (const char *text, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);
  P2psAddress *address = g_new0 (P2psAddress, 1);
  g_autofree char *trimmed = g_strstrip (g_strdup (text));
  char *colon = strrchr (trimmed, ':');
  guint64 port = 0;

  g_task_set_task_data (task, address, g_free);
  if (p2ps_address_parse (address, trimmed))
    {
      if (address->port >= P2PS_MIN_PORT)
        {
          g_task_return_boolean (task, TRUE);
          g_object_unref (task);
        }
      else
        refuse (task, text);
      return;
    }
  if (!colon || colon == trimmed || strchr (trimmed, ':') != colon
      || !g_ascii_string_to_unsigned (colon + 1, 10, P2PS_MIN_PORT, G_MAXUINT16, &port, NULL))
    {
      refuse (task, text);
      return;
    }
  *colon = '\0';
  address->port = (guint16)port;
  g_autoptr (GResolver) resolver = g_resolver_get_default ();
  g_resolver_lookup_by_name_async (resolver, trimmed, cancellable, resolved_cb, task);
}

gboolean
p2ps_peer_address_find_finish (GAsyncResult *result, P2psAddress *address, GError **error)
{
  if (!g_task_propagate_boolean (G_TASK (result), error))
    return FALSE;
  *address = *(P2psAddress *)g_task_get_task_data (G_TASK (result));
  return TRUE;
}
