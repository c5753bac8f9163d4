#include <cjson/cJSON.h>
#include <elf.h>
#include <fcntl.h>

#include "core/plugin/loader.h"
#include "tests/unit/plugin/rig.h"

/* ---- what does not fit is refused, and the error says which field, what was wanted, and what was found ---- */

static const struct {
  const char *bad;
  const char *said[3];
} bad_plugins[] = {
    {"major", {"descriptor", "built for plugin ABI 1.1", "speaks 0.1"}},
    {"minor", {"descriptor", "built for plugin ABI 0.2", "speaks 0.1"}},
    {"small", {"descriptor", "its size is 88", "had 96"}},
    {"features", {"required_features", "feature bit 41"}},
    {"kind", {"kind", "99"}},
    {"other-kind", {"kind", "is crypt", "says compress"}},
    {"name", {"name", "is another", "says bad-name"}},
    {"name-chars", {"name", "[a-z0-9-]{1,32}"}},
    {"version", {"version", "is missing"}},
    {"origin-utf8", {"origin", "UTF-8"}},
    {"init-null", {"bo_plugin_init failed", "libexample is too old"}},
    {"init-silent", {"bo_plugin_init failed", "does not say why"}},
    {"no-symbol", {"has no symbol bo_plugin_init"}},
    {"param-size", {"param_size", "is 48", "at least 56"}},
    {"param-count", {"param_count", "1000000", "256"}},
    {"param-table", {"params", "NULL"}},
    {"param-key", {"params[1].key", "[A-Za-z]"}},
    {"param-key-chars", {"params[1].key", "[A-Za-z]"}},
    {"param-key-null", {"params[1].key", "[A-Za-z]"}},
    {"param-key-long", {"params[1].key", "[A-Za-z]"}},
    {"param-choices-null", {"second", "choices"}},
    {"param-twice", {"first", "twice"}},
    {"param-type", {"first", "type 99"}},
    {"param-flags", {"first", "0x80"}},
    {"param-bounds", {"first", "minimum, 10, is over", "9"}},
    {"param-description", {"first", "description"}},
    {"param-description-utf8", {"first", "UTF-8"}},
    {"param-default-utf8", {"default of first", "UTF-8"}},
    {"param-default", {"default of first", "whole number"}},
    {"param-default-bounds", {"default of first", "between 1 and 9"}},
    {"param-choices", {"second", "choices"}},
    {"param-secret-default", {"third", "cannot have a default"}},
    {"param-repeated", {"first", "only secrets and strings"}},
    {"no-operations", {"operations", "NULL"}},
    {"operations-small", {"operations", "its size is 32", "had 40"}},
    {"operations-major", {"operations", "built for plugin ABI 1.1"}},
    {"operation-missing", {"operations", "process is missing"}},
};

static int load(const char *path, int kind, const char *name, struct bo_error *error) {
  struct bo_loaded_plugin *plugin = NULL;
  int result = bo_plugin_load(path, kind, name, NULL, &plugin, error);
  if (result == BO_OK)
    bo_plugin_unload(plugin);
  else
    ck_assert_ptr_null(plugin);
  return result;
}

START_TEST(bad_plugin_is_refused) {
  char name[64], file[80], path[PATH_MAX];
  (void)snprintf(name, sizeof(name), "bad-%s", bad_plugins[_i].bad);
  (void)snprintf(file, sizeof(file), "compress-%s.so", name);
  rig_plugin_path(path, file);
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(load(path, BO_KIND_COMPRESS, name, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_CONFIG);
  ck_assert_has(error.text, file);
  for (size_t i = 0; i < LENGTH(bad_plugins[_i].said) && bad_plugins[_i].said[i] != NULL; i++)
    ck_assert_has(error.text, bad_plugins[_i].said[i]);
  ck_assert_lacks(error.text, "hunter2");
}
END_TEST

/* The very same source without its fault, so that the fault alone is what is refused. */
START_TEST(plugin_without_fault_is_taken) {
  struct rig_log log;
  rig_log_open(&log);
  struct bo_loaded_plugin *plugin = rig_load("compress-bad-none.so", BO_KIND_COMPRESS, "bad-none", &log.log);
  ck_assert_int_eq(plugin->descriptor.kind, BO_KIND_COMPRESS);
  ck_assert_str_eq(plugin->descriptor.name, "bad-none");
  ck_assert_str_eq(plugin->params[1].key, "second");
  /* What it logs cannot forge a line or steer a terminal. */
  ck_assert_str_eq(bo_buffer_text(&log.text), "compress-bad-none.so: loading forged: line\n");
  bo_plugin_unload(plugin);
  rig_log_close(&log);
}
END_TEST

START_TEST(kind_and_name_are_only_checked_when_given) {
  struct bo_error error = BO_ERROR_INIT;
  char path[PATH_MAX];
  rig_plugin_path(path, "compress-bad-none.so");
  ck_assert_int_eq(load(path, 0, NULL, &error), BO_OK);
  ck_assert_int_eq(load(path, BO_KIND_STORAGE, NULL, &error), BO_ERROR);
  ck_assert_has(error.text, "is compress, but the file's name says storage");
}
END_TEST

static const struct {
  const char *name;
  const char *said; /* NULL: it is taken */
} platforms[] = {{"example", NULL},
                 {"no-objects", NULL},
                 {"no-lease", "operations: lease_acquire is missing"},
                 {"no-exec-close", "operations: exec_close is missing"}};

START_TEST(platform_has_the_functions_it_promises) {
  char file[64], path[PATH_MAX];
  (void)snprintf(file, sizeof(file), "platform-%s.so", platforms[_i].name);
  rig_plugin_path(path, file);
  struct bo_error error = BO_ERROR_INIT;
  bool is_good = platforms[_i].said == NULL;
  ck_assert_int_eq(load(path, BO_KIND_PLATFORM, platforms[_i].name, &error), is_good ? BO_OK : BO_ERROR);
  if (!is_good) ck_assert_has(error.text, platforms[_i].said);
}
END_TEST

START_TEST(storage_is_taken) {
  bo_plugin_unload(rig_load("storage-faulty.so", BO_KIND_STORAGE, "faulty", NULL));
}
END_TEST

/* ---- files ---- */

START_TEST(text_file_is_no_plugin) {
  struct rig_folder folder;
  rig_folder_open(&folder);
  char path[PATH_MAX];
  (void)snprintf(path, sizeof(path), "%s/compress-text.so", folder.path);
  static const char *const contents[] = {
      "", "E", "#!/bin/sh\necho this is no shared object, though it is long enough\n", "\177ELF"};
  for (size_t i = 0; i < LENGTH(contents); i++) {
    ck_assert_int_eq(bo_write_file_atomically(path, contents[i], strlen(contents[i]), 0644, NULL), BO_OK);
    struct bo_error error = BO_ERROR_INIT;
    ck_assert_int_eq(load(path, 0, NULL, &error), BO_ERROR);
    ck_assert_has(error.text, "is not a shared object");
    ck_assert_has(error.text, path);
  }
  rig_folder_close(&folder);
}
END_TEST

static void overwrite(const char *path, off_t offset, const void *bytes, size_t size) {
  BO_CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
  ck_assert_int_eq(pwrite(fd, bytes, size, offset), (ssize_t)size);
}

START_TEST(object_of_another_machine_is_named_as_such) {
  struct rig_folder folder;
  rig_folder_open(&folder);
  struct bo_error error = BO_ERROR_INIT;
  char path[PATH_MAX];
  rig_copy("compress-rle.so", &folder, "compress-rle.so", path);
  uint16_t machine = EM_S390;
  overwrite(path, offsetof(Elf64_Ehdr, e_machine), &machine, sizeof(machine));
  ck_assert_int_eq(load(path, 0, NULL, &error), BO_ERROR);
  ck_assert_has(error.text, "another machine (ELF machine 22");

  rig_copy("compress-rle.so", &folder, "compress-rle.so", path);
  unsigned char word_size = sizeof(void *) == 8 ? ELFCLASS32 : ELFCLASS64;
  overwrite(path, EI_CLASS, &word_size, 1);
  ck_assert_int_eq(load(path, 0, NULL, &error), BO_ERROR);
  ck_assert_has(error.text, "another word size");
  rig_folder_close(&folder);
}
END_TEST

START_TEST(cut_object_is_an_error) {
  struct rig_folder folder;
  rig_folder_open(&folder);
  struct bo_error error = BO_ERROR_INIT;
  char path[PATH_MAX];
  rig_copy("compress-rle.so", &folder, "compress-rle.so", path);
  ck_assert_int_eq(truncate(path, 200), 0);
  ck_assert_int_eq(load(path, 0, NULL, &error), BO_ERROR);
  ck_assert_has(error.text, "cannot be loaded");
  rig_folder_close(&folder);
}
END_TEST

START_TEST(what_everybody_may_write_is_refused) {
  struct rig_folder folder;
  rig_folder_open(&folder);
  struct bo_error error = BO_ERROR_INIT;
  char path[PATH_MAX];
  rig_copy("compress-rle.so", &folder, "compress-rle.so", path);
  ck_assert_int_eq(load(path, 0, NULL, &error), BO_OK);
  ck_assert_int_eq(chmod(path, 0646), 0);
  ck_assert_int_eq(load(path, 0, NULL, &error), BO_ERROR);
  ck_assert_has(error.text, "everybody may write to it");
  ck_assert_int_eq(chmod(path, 0644), 0);
  ck_assert_int_eq(chmod(folder.path, 01777), 0);
  ck_assert_int_eq(load(path, 0, NULL, &error), BO_ERROR);
  ck_assert_has(error.text, "chmod o-w");
  ck_assert_has(error.text, folder.path);
  rig_folder_close(&folder);
}
END_TEST

START_TEST(no_file_and_no_regular_file_are_errors) {
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(load("/nowhere/compress-x.so", 0, NULL, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_NOT_FOUND);
  ck_assert_has(error.text, "/nowhere/compress-x.so");
  ck_assert_int_eq(load("/tmp", 0, NULL, &error), BO_ERROR);
  ck_assert_has(error.text, "not a regular file");
}
END_TEST

/* A name without a slash is a file of the current folder, not one of the dynamic linker's. */
START_TEST(bare_file_name_is_of_this_folder) {
  struct rig_folder folder;
  rig_folder_open(&folder);
  struct bo_error error = BO_ERROR_INIT;
  char path[PATH_MAX];
  rig_copy("compress-rle.so", &folder, "compress-rle.so", path);
  ck_assert_int_eq(chdir(folder.path), 0);
  ck_assert_msg(load("compress-rle.so", 0, NULL, &error) == BO_OK, "%s", error.text);
  ck_assert_int_eq(load("libc.so.6", 0, NULL, &error), BO_ERROR);
  rig_folder_close(&folder);
}
END_TEST

/* ---- searching ---- */

static int find(int kind, const char *name, struct bo_error *error) {
  char *path = NULL;
  int result = bo_plugin_find(kind, name, &path, error);
  ck_assert_int_eq(result == BO_OK, path != NULL);
  free(path);
  return result;
}

static void search(const char *first, const char *between, const char *second) {
  char folders[256];
  (void)snprintf(folders, sizeof(folders), "%s%s%s", first, between, second);
  ck_assert_int_eq(setenv("BACKUP_PLUGIN_PATH", folders, 1), 0);
}

START_TEST(found_by_name) {
  struct rig_folder first, second;
  rig_folder_open(&first);
  rig_folder_open(&second);
  char path[PATH_MAX], *found = NULL;
  rig_copy("compress-rle.so", &second, "compress-rle.so", path);
  search(first.path, "::", second.path);
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_plugin_find(BO_KIND_COMPRESS, "rle", &found, &error), BO_OK);
  ck_assert_str_eq(found, path);
  free(found);

  ck_assert_int_eq(find(BO_KIND_COMPRESS, "zip", &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_NOT_FOUND);
  ck_assert_has(error.text, "compress-zip.so");
  ck_assert_has(error.text, first.path);
  ck_assert_has(error.text, second.path);
  ck_assert_has(error.text, "there are rle");
  ck_assert_int_eq(find(BO_KIND_CRYPT, "rle", &error), BO_ERROR);
  ck_assert_has(error.text, "none of this kind");
  rig_folder_close(&first);
  rig_folder_close(&second);
}
END_TEST

START_TEST(names_cannot_leave_the_folders) {
  static const char *const names[] = {
      "", "../rle", "a/b", "Rle", "rle.so", "a b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\xC3\xBC"};
  for (size_t i = 0; i < LENGTH(names); i++) {
    struct bo_error error = BO_ERROR_INIT;
    ck_assert_int_eq(find(BO_KIND_COMPRESS, names[i], &error), BO_ERROR);
    ck_assert_int_eq(error.error_class, BO_CLASS_CONFIG);
  }
}
END_TEST

START_TEST(two_plugins_of_one_name_are_refused) {
  struct rig_folder first, second;
  rig_folder_open(&first);
  rig_folder_open(&second);
  char one[PATH_MAX], other[PATH_MAX];
  rig_copy("compress-rle.so", &first, "compress-rle.so", one);
  rig_copy("compress-rle.so", &second, "compress-rle.so", other);
  search(first.path, ":", second.path);
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(find(BO_KIND_COMPRESS, "rle", &error), BO_ERROR);
  ck_assert_has(error.text, "two plugins of one name");
  ck_assert_has(error.text, one);
  ck_assert_has(error.text, other);

  /* One file by two ways is one plugin. */
  ck_assert_int_eq(unlink(other), 0);
  ck_assert_int_eq(symlink(one, other), 0);
  ck_assert_int_eq(find(BO_KIND_COMPRESS, "rle", &error), BO_OK);
  search(first.path, "/:", first.path);
  ck_assert_int_eq(find(BO_KIND_COMPRESS, "rle", &error), BO_OK);
  rig_folder_close(&first);
  rig_folder_close(&second);
}
END_TEST

static void note(void *context, int kind, const char *name, const char *path) {
  ck_assert_ptr_nonnull(strstr(path, ".so"));
  (void)bo_buffer_printf(context, "%s-%s ", bo_kind_name(kind), name);
}

START_TEST(list_is_sorted_and_has_each_file_once) {
  struct rig_folder first, second;
  rig_folder_open(&first);
  rig_folder_open(&second);
  char path[PATH_MAX];
  static const char *const files[] = {"storage-b.so", "compress-z.so", "README",         "crypt-a.so",
                                      "other-x.so",   "compress-.so",  "compress-UP.so", "storage.so"};
  for (size_t i = 0; i < LENGTH(files); i++)
    rig_copy("compress-rle.so", i % 2 == 0 ? &first : &second, files[i], path);
  char again[80];
  (void)snprintf(again, sizeof(again), ":/nowhere:%s:", first.path);
  search(first.path, again, second.path);
  BO_CLEANUP_BUFFER struct bo_buffer names = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_plugin_list(note, &names, &error), BO_OK);
  ck_assert_str_eq(bo_buffer_text(&names), "compress-z crypt-a storage-b ");
  rig_folder_close(&first);
  rig_folder_close(&second);
}
END_TEST

START_TEST(kinds_have_names) {
  static const char *const names[] = {"storage", "compress", "crypt", "platform"};
  for (int i = 0; i < 4; i++) {
    ck_assert_str_eq(bo_kind_name(i + 1), names[i]);
    ck_assert_int_eq(bo_kind_of_name(names[i]), i + 1);
  }
  ck_assert_ptr_null(bo_kind_name(0));
  ck_assert_ptr_null(bo_kind_name(5));
  ck_assert_int_eq(bo_kind_of_name("archive"), 0);
}
END_TEST

/* ---- describe ---- */

static const char *text_of(const cJSON *json, const char *member) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, member));
  ck_assert_msg(text != NULL, "there is no %s", member);
  return text;
}

START_TEST(describe_has_choices_defaults_and_capabilities) {
  struct bo_loaded_plugin *plugin = rig_load("compress-bad-none.so", 0, NULL, NULL);
  plugin->descriptor.kind = BO_KIND_PLATFORM; /* there is no small one to load */
  plugin->descriptor.capabilities = BO_CAN_OBJECTS;
  plugin->params[0].maximum = INT64_MAX;
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  ck_assert_int_eq(bo_plugin_describe(plugin, &text, NULL), BO_OK);
  ck_assert_has(bo_buffer_text(&text), "\"capabilities\":[\"objects\"]");
  ck_assert_has(bo_buffer_text(&text), "\"default\":\"b\",\"choices\":\"a|b|c\"");
  ck_assert_has(bo_buffer_text(&text), "\"minimum\":1,\"maximum\":9223372036854775807");
  bo_plugin_unload(plugin);
}
END_TEST

START_TEST(describe_is_json_without_configuration) {
  struct bo_loaded_plugin *plugin = rig_load("crypt-example.so", BO_KIND_CRYPT, "example", NULL);
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_plugin_describe(plugin, &text, &error), BO_OK);
  ck_assert_lacks(bo_buffer_text(&text), "\n");
  cJSON *json = cJSON_Parse(bo_buffer_text(&text));
  ck_assert_ptr_nonnull(json);
  ck_assert_str_eq(text_of(json, "name"), "example");
  ck_assert_str_eq(text_of(json, "kind"), "crypt");
  ck_assert_str_eq(text_of(json, "abi"), "0.1");
  ck_assert_has(text_of(json, "file"), "/crypt-example.so");
  const cJSON *params = cJSON_GetObjectItemCaseSensitive(json, "parameters");
  ck_assert_int_eq(cJSON_GetArraySize(params), 2);
  const cJSON *key = cJSON_GetArrayItem(params, 0);
  ck_assert_str_eq(text_of(key, "key"), "key");
  ck_assert_str_eq(text_of(key, "type"), "string");
  ck_assert(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(key, "secret")));
  ck_assert(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(key, "required")));
  ck_assert_int_eq(cJSON_GetObjectItemCaseSensitive(key, "maximum")->valueint, 64);
  ck_assert(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(params, 1), "repeated")));
  cJSON_Delete(json);
  bo_plugin_unload(plugin);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("loader");
  TCase *refused = tcase_create("refused");
  tcase_add_loop_test(refused, bad_plugin_is_refused, 0, LENGTH(bad_plugins));
  tcase_add_test(refused, plugin_without_fault_is_taken);
  tcase_add_test(refused, kind_and_name_are_only_checked_when_given);
  tcase_add_loop_test(refused, platform_has_the_functions_it_promises, 0, LENGTH(platforms));
  tcase_add_test(refused, storage_is_taken);
  TCase *files = tcase_create("files");
  tcase_add_test(files, text_file_is_no_plugin);
  tcase_add_test(files, object_of_another_machine_is_named_as_such);
  tcase_add_test(files, cut_object_is_an_error);
  tcase_add_test(files, what_everybody_may_write_is_refused);
  tcase_add_test(files, no_file_and_no_regular_file_are_errors);
  tcase_add_test(files, bare_file_name_is_of_this_folder);
  TCase *searching = tcase_create("searching");
  tcase_add_test(searching, found_by_name);
  tcase_add_test(searching, names_cannot_leave_the_folders);
  tcase_add_test(searching, two_plugins_of_one_name_are_refused);
  tcase_add_test(searching, list_is_sorted_and_has_each_file_once);
  tcase_add_test(searching, kinds_have_names);
  TCase *describe = tcase_create("describe");
  tcase_add_test(describe, describe_has_choices_defaults_and_capabilities);
  tcase_add_test(describe, describe_is_json_without_configuration);
  suite_add_tcase(suite, refused);
  suite_add_tcase(suite, files);
  suite_add_tcase(suite, searching);
  suite_add_tcase(suite, describe);
  return unit_main(suite);
}
