/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/library.h"
#include "engine/scanner.h"
#include "engine/store-files.h"

G_BEGIN_DECLS

/* For library*.c only. */
struct _P2psLibrary
{
  GObject parent_instance;

  P2psStore *store;
  P2psScanner *scanner; /* NULL: stopped */
  P2psShares *shares;   /* NULL: none yet */
  P2psScannerTiming timing;
  P2psScannerStatus status;
};

G_END_DECLS
