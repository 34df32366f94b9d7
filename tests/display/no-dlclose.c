/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Linked into sanitizer builds of the window only: modules that GTK unloads stay, so that
 * LeakSanitizer can still tell whose a block is. */

int dlclose (void *handle);

int
dlclose (void *handle)
{
  return 0;
}
