/* SPDX-License-Identifier: GPL-3.0-or-later */

/* download-one HOST:PORT NAME SHA256 FOLDER: one download by the engine alone, from the start of
 * the process until the file is verified and synced under its name. Prints the seconds that the
 * transfer took and how late the main loop was, p99 and most, in milliseconds: a timer of 1 ms is
 * due there all the time. */

#include <stdio.h>
#include <stdlib.h>

#include "engine/downloads.h"

static gint64 due;
static GArray *lateness;

static gboolean
tick_cb (gpointer data)
{
  gint64 now = g_get_monotonic_time ();
  gint64 late = MAX (now - due, 0);

  g_array_append_val (lateness, late);
  due = now + 1000;
  return G_SOURCE_CONTINUE;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;

  return x < y ? -1 : x > y;
}

int
main (int argc, char **argv)
{
  g_autoptr (P2psDownloads) downloads = p2ps_downloads_new (NULL);
  g_autoptr (P2psHit) hit = NULL;
  P2psDownload *download;
  P2psAddress address;
  gint64 begin;

  if (argc != 5 || !p2ps_address_parse (&address, argv[1]))
    return 2;
  hit = p2ps_hit_new ("", &address, argv[2], argv[3], -1);
  lateness = g_array_new (FALSE, FALSE, sizeof (gint64));
  begin = g_get_monotonic_time ();
  due = begin + 1000;
  g_timeout_add (1, tick_cb, NULL);
  download = p2ps_downloads_add (downloads, argv[3], argv[2], -1, argv[4], NULL);
  p2ps_download_add_source (download, hit);
  while (p2ps_download_get_state (download) != P2PS_DOWNLOAD_DONE
         && p2ps_download_get_state (download) != P2PS_DOWNLOAD_WAITING)
    g_main_context_iteration (NULL, TRUE);
  if (p2ps_download_get_state (download) != P2PS_DOWNLOAD_DONE)
    {
      fprintf (stderr, "%s\n", p2ps_download_get_reason (download));
      return 1;
    }
  g_array_sort (lateness, compare);
  printf ("%.3f %.2f %.2f\n", (g_get_monotonic_time () - begin) / 1e6,
          g_array_index (lateness, gint64, lateness->len * 99 / 100) / 1e3,
          g_array_index (lateness, gint64, lateness->len - 1) / 1e3);
  g_array_unref (lateness);
  return 0;
}
