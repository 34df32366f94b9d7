/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* One target per program: libFuzzer calls it in a fuzzing build, mutate.c in the ordinary tests. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);
