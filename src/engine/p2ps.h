/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The only engine header that src/cli and src/gui include. */
#include "core/limits.h"
#include "engine/config.h"
#include "engine/control.h"
#include "engine/downloads.h"
#include "engine/engine.h"
#include "engine/error.h"
#include "engine/keyed-list.h"
#include "engine/library.h"
#include "engine/link.h"
#include "engine/peer.h"
#include "engine/query-log.h"
#include "engine/search.h"
#include "engine/state-dir.h"
#include "engine/stats.h"
