/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A configuration file; the disk is left alone. */

#include "engine/config.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (P2psConfig) config
      = p2ps_config_load_data ("/nowhere/config.json", (const char *)data, size, &error);

  g_assert_true ((config != NULL) == (error == NULL));
  g_assert_true (config == NULL || config->port > 0);
  return 0;
}
