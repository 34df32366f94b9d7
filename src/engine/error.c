/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "engine/error.h"

G_DEFINE_QUARK (p2ps - error - quark, p2ps_error)
