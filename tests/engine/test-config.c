/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Configuration files: a classic peer's as it is, our own keys, and one line for every mistake. */

#include <glib/gstdio.h>
#include <string.h>

#include "core/limits.h"
#include "engine/config.h"
#include "engine/error.h"

typedef struct
{
  char *folder;
  char *path;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autofree char *shared = NULL;

  fixture->folder = g_dir_make_tmp ("p2ps-config-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->folder, "config.json", NULL);
  shared = g_build_filename (fixture->folder, "shared", NULL);
  g_assert_cmpint (g_mkdir (shared, 0700), ==, 0);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  const char *const names[] = { "config.json", "shared", "more", "downloads" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (fixture->folder, names[i], NULL);

      g_remove (path);
    }
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_free (fixture->folder);
  g_free (fixture->path);
}

static P2psConfig *
load (Fixture *fixture, const char *json)
{
  g_autoptr (GError) error = NULL;
  P2psConfig *config;

  g_assert_true (g_file_set_contents (fixture->path, json, -1, NULL));
  config = p2ps_config_load (fixture->path, &error);
  g_assert_no_error (error);
  return config;
}

static void
test_classic (Fixture *fixture, gconstpointer data)
{
  g_autoptr (P2psConfig) config
      = load (fixture, "{\"self\": {\"host\": \"0.0.0.0\", \"port\": 8081},"
                       " \"peers\": [{\"host\": \"10.0.0.5\", \"port\": 8081}],"
                       " \"file\": {\"chunk_size\": 4096, \"shared_directory\": \"shared\","
                       " \"save_directory\": \"downloads\"},"
                       " \"network\": {\"max_ttl\": 4}}");
  g_autoptr (P2psConfig) copy = p2ps_config_copy (config);
  g_autofree char *shared = g_build_filename (fixture->folder, "shared", NULL);
  g_autofree char *downloads = g_build_filename (fixture->folder, "downloads", NULL);

  g_assert_null (config->warnings);
  g_clear_pointer (&config, p2ps_config_free);
  g_assert_cmpstr (copy->host, ==, "0.0.0.0");
  g_assert_cmpuint (copy->port, ==, 8081);
  g_assert_cmpuint (copy->peers->len, ==, 1);
  g_assert_cmpstr (g_array_index (copy->peers, P2psAddress, 0).host, ==, "10.0.0.5");
  g_assert_cmpuint (copy->folders->len, ==, 1);
  g_assert_cmpstr (copy->folders->pdata[0], ==, shared);
  g_assert_cmpstr (copy->download_folder, ==, downloads);
  g_assert_true (g_file_test (downloads, G_FILE_TEST_IS_DIR));
  g_assert_false (copy->share_hidden);
  g_assert_false (copy->follow_links);
  g_assert_cmpuint (copy->max_ttl, ==, 4);
  g_assert_true (copy->upload_slots == P2PS_UPLOAD_SLOTS);
}

static void
test_minimal (Fixture *fixture, gconstpointer data)
{
  g_autoptr (P2psConfig) config = load (fixture, "{\"self\": {\"port\": 8081}, \"peers\": null}");

  g_assert_cmpstr (config->host, ==, "0.0.0.0");
  g_assert_cmpuint (config->peers->len, ==, 0);
  g_assert_cmpuint (config->folders->len, ==, 0);
  g_assert_true (g_path_is_absolute (config->download_folder));
  g_assert_cmpuint (config->max_ttl, ==, P2PS_DEFAULT_TTL);
}

static void
test_ours (Fixture *fixture, gconstpointer data)
{
  g_autofree char *more = g_build_filename (fixture->folder, "more", NULL);
  g_autofree char *json = NULL;
  g_autoptr (P2psConfig) config = NULL;

  g_assert_cmpint (g_mkdir (more, 0700), ==, 0);
  json = g_strdup_printf (
      "{\"self\": {\"host\": \"localhost\", \"port\": 8081},"
      " \"peers\": [{\"host\": \"localhost\", \"port\": 9000}, {\"host\": \"::1\", \"port\": 9000},"
      "             {\"host\": \"127.0.0.1\", \"port\": 9000}],"
      " \"file\": {\"shared_directory\": \"shared\", \"shared_directories\": [\"%s\", \"shared/\"],"
      "            \"share_hidden\": true, \"follow_symlinks\": true},"
      " \"limits\": {\"upload_bytes_per_second\": 1000,"
      "              \"upload_bytes_per_second_per_peer\": 500, \"upload_slots\": 0}}",
      more);
  config = load (fixture, json);
  g_assert_null (config->warnings);
  g_assert_cmpstr (config->host, ==, "127.0.0.1");
  g_assert_cmpuint (config->peers->len, ==, 2);
  g_assert_cmpstr (g_array_index (config->peers, P2psAddress, 0).host, ==, "127.0.0.1");
  g_assert_cmpstr (g_array_index (config->peers, P2psAddress, 1).host, ==, "::1");
  g_assert_cmpuint (config->folders->len, ==, 2);
  g_assert_cmpstr (config->folders->pdata[1], ==, more);
  g_assert_true (config->share_hidden);
  g_assert_true (config->follow_links);
  g_assert_cmpuint (config->upload_bytes_per_second, ==, 1000);
  g_assert_cmpuint (config->upload_bytes_per_second_per_peer, ==, 500);
  g_assert_cmpuint (config->upload_slots, ==, 0);
  g_assert_true (config->uploads_per_peer == P2PS_UPLOADS_PER_PEER);
}

static void
test_warnings (Fixture *fixture, gconstpointer data)
{
  g_autoptr (P2psConfig) config
      = load (fixture, "{\"self\": {\"port\": 8081, \"name\": 1}, \"colour\": {\"x\": 1},"
                       " \"peers\": [{\"host\": \"0.0.0.0\", \"port\": 8081, \"nick\": \"x\"}],"
                       " \"network\": {\"max_ttl\": 100}}");
  g_autofree char *all = g_strjoinv ("\n", config->warnings);

  g_assert_cmpuint (g_strv_length (config->warnings), ==, 5);
  g_assert_nonnull (strstr (all, "config.json: colour: unknown key"));
  g_assert_nonnull (strstr (all, "config.json: self.name: unknown key"));
  g_assert_nonnull (strstr (all, "config.json: peers[0].nick: unknown key"));
  g_assert_nonnull (strstr (all, "config.json: peers[0]: \"0.0.0.0\" is no peer's address"));
  g_assert_nonnull (strstr (all, "config.json: network.max_ttl: 100 is more than peers accept"));
  g_assert_cmpuint (config->peers->len, ==, 0);
  g_assert_cmpuint (config->max_ttl, ==, P2PS_MAX_TTL_IN);
}

static void
test_refused (Fixture *fixture, gconstpointer data)
{
  static const struct
  {
    const char *json;
    const char *says; /* after the file's name */
  } rows[] = {
    { "", ": line 1: nothing there" },
    { "[]", ": line 1: not a JSON object" },
    { "{\"self\":\n {\"port\": 8081,}\n}", ": line 2: " },
    { "{\"self\":\n {\"port\": 8081}\n", ": line 3: a bracket is not closed" },
    { "{\n// me\n\"self\": {\"port\": 8081}}", ": line 2: something that is not JSON" },
    { "{}", ": self: missing" },
    { "{\"self\": null}", ": self: missing" },
    { "{\"self\": 8081}", ": self: 8081 is not an object" },
    { "{\"self\": {}}", ": self.port: missing" },
    { "{\"self\": {\"port\": 0}}", ": self.port: 0 is not between 1 and 65535" },
    { "{\"self\": {\"port\": 70000}}", ": self.port: 70000 is not between 1 and 65535" },
    { "{\"self\": {\"port\": -1}}", ": self.port: -1 is not between 1 and 65535" },
    { "{\"self\": {\"port\": \"8081\"}}", ": self.port: \"8081\" is not a whole number" },
    { "{\"self\": {\"port\": 8081.5}}", ": self.port: 8081.5 is not a whole number" },
    { "{\"self\": {\"port\": true}}", ": self.port: true is not a whole number" },
    { "{\"self\": {\"host\": 1, \"port\": 8081}}", ": self.host: 1 is not a string" },
    { "{\"self\": {\"host\": \"\", \"port\": 8081}}", ": self.host: is empty" },
    { "{\"self\": {\"host\": \"me.example\", \"port\": 8081}}",
      ": self.host: \"me.example\" is not an IPv4 or IPv6 address" },
    { "{\"self\": {\"port\": 8081}, \"peers\": {}}", ": peers: {} is not an array" },
    { "{\"self\": {\"port\": 8081}, \"peers\": [\"10.0.0.5:8081\"]}",
      ": peers[0]: \"10.0.0.5:8081\" is not an object" },
    { "{\"self\": {\"port\": 8081}, \"peers\": [{\"host\": \"peer.example\", \"port\": 1}]}",
      ": peers[0].host: \"peer.example\" is not an IPv4 or IPv6 address" },
    { "{\"self\": {\"port\": 8081}, \"peers\": [{\"host\": \"10.0.0.5\"}]}",
      ": peers[0].port: missing" },
    { "{\"self\": {\"port\": 8081}, \"peers\": [{\"port\": 8081}]}", ": peers[0].host: missing" },
    { "{\"self\": {\"port\": 8081}, \"file\": []}", ": file: [] is not an object" },
    { "{\"self\": {\"port\": 8081}, \"file\": {\"chunk_size\": \"4k\"}}",
      ": file.chunk_size: \"4k\" is not a whole number" },
    { "{\"self\": {\"port\": 8081}, \"file\": {\"chunk_size\": 0}}",
      ": file.chunk_size: 0 is less than 1" },
    { "{\"self\": {\"port\": 8081}, \"file\": {\"shared_directory\": [\"a\"]}}",
      ": file.shared_directory: [\"a\"] is not a string" },
    { "{\"self\": {\"port\": 8081}, \"file\": {\"shared_directory\": \"nowhere\"}}",
      "/nowhere does not exist" },
    { "{\"self\": {\"port\": 8081}, \"file\": {\"shared_directories\": [\"shared\", \"no\"]}}",
      ": file.shared_directories[1]: the folder " },
    { "{\"self\": {\"port\": 8081}, \"file\": {\"shared_directory\": \"config.json\"}}",
      "/config.json is not a folder" },
    { "{\"self\": {\"port\": 8081}, \"file\": {\"save_directory\": \"no/downloads\"}}",
      "/no/downloads can't be made: No such file or directory" },
    { "{\"self\": {\"port\": 8081}, \"file\": {\"save_directory\": \"config.json\"}}",
      "/config.json is not a folder" },
    { "{\"self\": {\"port\": 8081}, \"file\": {\"share_hidden\": 1}}",
      ": file.share_hidden: 1 is not true or false" },
    { "{\"self\": {\"port\": 8081}, \"network\": {\"max_ttl\": 0}}",
      ": network.max_ttl: 0 is less than 1" },
    { "{\"self\": {\"port\": 8081}, \"limits\": {\"upload_slots\": -1}}",
      ": limits.upload_slots: -1 is less than 0" },
    { "{\"self\": {\"port\": 8081}, \"limits\": {\"upload_slots\": \"many\"}}",
      ": limits.upload_slots: \"many\" is not a whole number" },
    { "{\"self\": {\"port\": \"a very long text that nobody wants to see whole in one line of an "
      "error message, does one?\"}}",
      "in one lin… is not a whole number" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_true (g_file_set_contents (fixture->path, rows[i].json, -1, NULL));
      g_assert_null (p2ps_config_load (fixture->path, &error));
      g_assert_error (error, P2PS_ERROR, P2PS_ERROR_CONFIG);
      g_assert_true (g_str_has_prefix (error->message, fixture->path));
      if (strstr (error->message, rows[i].says) == NULL || strchr (error->message, '\n') != NULL)
        g_error ("%s: \"%s\", not \"%s\"", rows[i].json, error->message, rows[i].says);
    }
}

static void
test_no_file (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (p2ps_config_load (fixture->path, &error));
  g_assert_error (error, P2PS_ERROR, P2PS_ERROR_CONFIG);
  g_assert_nonnull (strstr (error->message, fixture->path));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add (name, Fixture, NULL, set_up, function, tear_down)
  ADD ("/config/classic", test_classic);
  ADD ("/config/minimal", test_minimal);
  ADD ("/config/ours", test_ours);
  ADD ("/config/warnings", test_warnings);
  ADD ("/config/refused", test_refused);
  ADD ("/config/no-file", test_no_file);
#undef ADD
  return g_test_run ();
}
