/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* One error domain; a code says what the caller can do about it. Messages are for people: they name
 * the thing (file, key, peer) and say what to do where that is known. */
#define P2PS_ERROR (p2ps_error_quark ())
typedef enum
{
  P2PS_ERROR_FAILED,      /* nothing better is known: show it */
  P2PS_ERROR_CONFIG,      /* the user's configuration is wrong: it names file, key and value */
  P2PS_ERROR_PORT_TAKEN,  /* choose another port or end the other program */
  P2PS_ERROR_NOT_FOUND,   /* no such file, peer, search or download */
  P2PS_ERROR_UNREACHABLE, /* try another source, or later */
  P2PS_ERROR_BUSY,        /* the peer has no free slot: later */
  P2PS_ERROR_MISBEHAVED,  /* the peer lied or broke the protocol: blame it, try another source */
  P2PS_ERROR_CHANGED,     /* the file is not what it was: look it up again */
  P2PS_ERROR_NO_SPACE,    /* the disk is full: wait until there is room */
  P2PS_ERROR_FOLDER,      /* a folder is missing, unmounted, unreadable or read-only */
  P2PS_ERROR_DATABASE,    /* the store can't be read or written */
  P2PS_ERROR_NOT_RUNNING, /* no node answers on the control socket */
} P2psError;
GQuark p2ps_error_quark (void);

G_END_DECLS
