/* SPDX-License-Identifier: GPL-3.0-or-later */

/* p2pshare: see application.c. */

#include <glib/gi18n.h>
#include <locale.h>
#include <signal.h>

#include "config-build.h"
#include "gui/application.h"

int
main (int argc, char **argv)
{
  g_autoptr (P2psApplication) application = NULL;

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, P2PS_LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  /* A limit on the size of files is a full disk (EFBIG), not the end. */
  signal (SIGXFSZ, SIG_IGN);

  application = p2ps_application_new ();
  return g_application_run (G_APPLICATION (application), argc, argv);
}
