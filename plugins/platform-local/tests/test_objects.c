/* The object part: manifests in, objects out, and what survives errors, edits, crashes and second writers. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "plugins/platform-local/ledger.h"
#include "plugins/platform-local/merge.h"
#include "support.h"

#define CANARY "canary-5e0c1b"
#define STORAGE(name, path)                                                        \
  "apiVersion: backup-operator.io/v1\nkind: BackupStorage\nmetadata: {name: " name \
  "}\nspec: {type: file, parameters: {path: " path "}}\n"
#define RUN(name, more)                                                             \
  "apiVersion: backup-operator.io/v1\nkind: BackupRun\nmetadata: {name: " name more \
  "}\nspec: {storage: {name: "                                                      \
  "disk}, backup: {command: [date]}, template: {spec: {containers: [{name: main}]}}}\n"
#define RUN_JSON(name, more)                                                                                  \
  "{\"apiVersion\":\"backup-operator.io/v1\",\"kind\":\"BackupRun\",\"metadata\":{\"name\":\"" name "\"" more \
  "},\"spec\":{\"storage\":{\"name\":\"disk\"},\"backup\":{\"command\":[\"date\"]},\"template\":{\"spec\":{"  \
  "\"containers\":[{\"name\":\"main\"}]}}}}"

struct world {
  struct fixture fixture;
  char root[64], manifests[96], state[96];
};

static void *open_platform(struct world *world, const char *manifests, const char *state) {
  struct bo_value values[3] = {{.is_set = 1, .string = world->root},
                               {.is_set = manifests != NULL, .string = manifests},
                               {.is_set = state != NULL, .string = state}};
  struct bo_config config = {.header = BO_HEADER(struct bo_config), .values = values, .value_count = 3};
  struct bo_error error = BO_ERROR_INIT;
  void *platform = NULL;
  int result = world->fixture.operations->open(&world->fixture.host.host, &config, &platform, &error);
  ck_assert_msg(result == BO_OK, "%s", error.text);
  return platform;
}

static void reopen(struct world *world) {
  world->fixture.operations->close(world->fixture.platform);
  world->fixture.platform = open_platform(world, world->manifests, world->state);
}

static void world_open(struct world *world) {
  memset(world, 0, sizeof(*world));
  const struct bo_host *host = fake_host_open(&world->fixture.host);
  (void)snprintf(world->root, sizeof(world->root), "/tmp/test-objects-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(world->root));
  (void)snprintf(world->manifests, sizeof(world->manifests), "%s/manifests", world->root);
  (void)snprintf(world->state, sizeof(world->state), "%s/state", world->root);
  ck_assert_int_eq(mkdir(world->manifests, 0700), 0);
  world->fixture.operations = load_plugin(host)->operations;
  world->fixture.platform = open_platform(world, world->manifests, world->state);
}

static void world_close(struct world *world) {
  char command[160];
  world->fixture.operations->close(world->fixture.platform);
  (void)snprintf(command, sizeof(command), "rm -rf %s", world->root);
  ck_assert_int_eq(system(command), 0);
  ck_assert(!fake_host_logged(&world->fixture.host, CANARY));
  fake_host_close(&world->fixture.host);
}

static void write_mode(const struct world *world, const char *name, const char *text, mode_t mode) {
  char path[256];
  (void)snprintf(path, sizeof(path), "%s/%s", world->manifests, name);
  ck_assert_int_eq(bo_write_file_atomically(path, text, strlen(text), mode, NULL), BO_OK);
}

static void write_manifest(const struct world *world, const char *name, const char *text) {
  write_mode(world, name, text, 0644);
}

static void remove_manifest(const struct world *world, const char *name) {
  char path[256];
  (void)snprintf(path, sizeof(path), "%s/%s", world->manifests, name);
  ck_assert_int_eq(unlink(path), 0);
}

/* ---- objects -------------------------------------------------------------------------------------------------- */

static int try_get(struct world *world, const char *kind, const char *namespace_name, const char *name, char **json,
                   struct bo_error *error) {
  *json = NULL;
  return world->fixture.operations->object_get(world->fixture.platform, kind, namespace_name, name, json, error);
}

static cJSON *take(struct world *world, char *json) {
  cJSON *parsed = cJSON_Parse(json);
  ck_assert_ptr_nonnull(parsed);
  world->fixture.host.host.free(&world->fixture.host, json);
  return parsed;
}

static cJSON *get(struct world *world, const char *kind, const char *name) {
  char *json;
  struct bo_error error = BO_ERROR_INIT;
  int result = try_get(world, kind, "", name, &json, &error);
  ck_assert_msg(result == BO_OK, "%s", error.text);
  return take(world, json);
}

/* Manifests are looked at again after a second. */
static bool is_there(struct world *world, const char *kind, const char *name) {
  char *json;
  struct bo_error error = BO_ERROR_INIT;
  int result = try_get(world, kind, "", name, &json, &error);
  if (result == BO_OK) world->fixture.host.host.free(&world->fixture.host, json);
  ck_assert_msg(result == BO_OK || error.error_class == BO_CLASS_NOT_FOUND, "%s", error.text);
  return result == BO_OK;
}

static int try_patch(struct world *world, const char *name, int status, const char *patch, char **json,
                     struct bo_error *error) {
  return world->fixture.operations->object_patch(world->fixture.platform, "BackupRun", "", name, status, patch, json,
                                                 error);
}

static cJSON *patch(struct world *world, const char *name, int status, const char *text) {
  char *json = NULL;
  struct bo_error error = BO_ERROR_INIT;
  int result = try_patch(world, name, status, text, &json, &error);
  ck_assert_msg(result == BO_OK, "%s", error.text);
  return take(world, json);
}

static const char *text_at(const cJSON *object, const char *part, const char *key) {
  const char *text =
      cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(object, part), key));
  return text != NULL ? text : "";
}

static uint64_t version_of(const cJSON *object) {
  return strtoull(text_at(object, "metadata", "resourceVersion"), NULL, 10);
}

static double generation_of(const cJSON *object) {
  return cJSON_GetNumberValue(
      cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(object, "metadata"), "generation"));
}

static const char *annotation(const cJSON *object, const char *key) {
  return text_at(cJSON_GetObjectItemCaseSensitive(object, "metadata"), "annotations", key);
}

START_TEST(without_folders_there_are_no_objects) {
  struct world world;
  world_open(&world);
  void *platform = open_platform(&world, NULL, NULL);
  const struct bo_platform_operations *operations = world.fixture.operations;
  struct bo_error error = BO_ERROR_INIT;
  char *json = NULL;
  int held = 7;
  expect_error(operations->object_get(platform, "BackupRun", "", "a", &json, &error), &error, BO_CLASS_UNSUPPORTED,
               "set its parameter state");
  expect_error(operations->object_patch(platform, "BackupRun", "", "a", 0, "{}", &json, &error), &error,
               BO_CLASS_UNSUPPORTED, "set its parameter state");
  expect_error(operations->lease_acquire(platform, "", "a", "me", 1000, &held, &error), &error, BO_CLASS_UNSUPPORTED,
               "set its parameter state");
  expect_error(operations->event_record(platform, "{}", &error), &error, BO_CLASS_UNSUPPORTED, "state");
  ck_assert_int_eq(held, 0);
  operations->close(platform);
  struct bo_value values[2] = {{.is_set = 1, .string = world.root}, {.is_set = 1, .string = world.manifests}};
  struct bo_config config = {.header = BO_HEADER(struct bo_config), .values = values, .value_count = 2};
  expect_error(operations->open(&world.fixture.host.host, &config, &platform, &error), &error, BO_CLASS_CONFIG,
               "manifests needs state");
  world_close(&world);
}
END_TEST

START_TEST(an_object_is_born_once) {
  struct world world;
  world_open(&world);
  write_manifest(
      &world, "all.yaml",
      STORAGE("disk", "/srv") "---\n" RUN("nightly", ", uid: theirs, generation: 9") "status: {state: BackupFailed}\n");
  CLEANUP_JSON cJSON *first = get(&world, "BackupRun", "nightly");
  ck_assert_uint_eq(strlen(text_at(first, "metadata", "uid")), 36);
  ck_assert_str_eq(text_at(first, "metadata", "namespace"), "default");
  ck_assert_uint_eq(strlen(text_at(first, "metadata", "creationTimestamp")), 20);
  ck_assert_double_eq(generation_of(first), 1);
  ck_assert_uint_gt(version_of(first), 0);
  ck_assert_str_eq(text_at(first, "status", "state"), "");
  ck_assert(is_there(&world, "BackupStorage", "disk"));
  ck_assert(!is_there(&world, "BackupRun", "other"));
  reopen(&world);
  CLEANUP_JSON cJSON *second = get(&world, "BackupRun", "nightly");
  ck_assert(cJSON_Compare(first, second, true));
  world_close(&world);
}
END_TEST

START_TEST(patches_change_what_they_may) {
  struct world world;
  world_open(&world);
  write_manifest(&world, "run.yaml", RUN("a", ", annotations: {k: v}"));
  CLEANUP_JSON cJSON *born = get(&world, "BackupRun", "a");
  CLEANUP_JSON cJSON *one = patch(&world, "a", 1, "{\"state\":\"Backuping\",\"path\":\"/x\"}");
  ck_assert_str_eq(text_at(one, "status", "state"), "Backuping");
  ck_assert_uint_gt(version_of(one), version_of(born));
  ck_assert_double_eq(generation_of(one), 1);
  CLEANUP_JSON cJSON *same = patch(&world, "a", 1, "{\"state\":\"Backuping\"}");
  ck_assert_uint_eq(version_of(same), version_of(one));
  CLEANUP_JSON cJSON *two =
      patch(&world, "a", 0,
            "{\"metadata\":{\"annotations\":{\"k\":null,\"n\":\"1\"},\"name\":\"b\",\"creationTimestamp\":null,"
            "\"generation\":77},\"kind\":\"Secret\",\"status\":{\"state\":\"BackupFailed\"},"
            "\"spec\":{\"retainPolicy\":\"Delete\"}}");
  ck_assert_str_eq(annotation(two, "k"), "");
  ck_assert_str_eq(annotation(two, "n"), "1");
  ck_assert_str_eq(text_at(two, "metadata", "name"), "a");
  ck_assert_str_eq(text_at(two, "metadata", "uid"), text_at(born, "metadata", "uid"));
  ck_assert_str_eq(text_at(two, "metadata", "creationTimestamp"), text_at(born, "metadata", "creationTimestamp"));
  ck_assert_str_eq(text_at(two, "status", "state"), "Backuping");
  ck_assert_str_eq(text_at(two, "status", "path"), "/x");
  ck_assert_double_eq(generation_of(two), 2);

  struct bo_error error = BO_ERROR_INIT;
  expect_error(try_patch(&world, "a", 0, "{\"metadata\":{\"resourceVersion\":\"1\"}}", NULL, &error), &error,
               BO_CLASS_CONFLICT, "changed meanwhile");
  expect_error(try_patch(&world, "a", 0, "{\"metadata\":{\"uid\":\"1\"}}", NULL, &error), &error, BO_CLASS_CONFLICT,
               "another one");
  expect_error(try_patch(&world, "a", 0, "{\"spec\":{\"retainPolicy\":\"Maybe\"}}", NULL, &error), &error,
               BO_CLASS_CONFIG, "retainPolicy");
  expect_error(try_patch(&world, "a", 0, "{\"metadata\":null}", NULL, &error), &error, BO_CLASS_CONFIG, "metadata");
  expect_error(try_patch(&world, "a", 0, "[]", NULL, &error), &error, BO_CLASS_CONFIG, "not a JSON object");
  expect_error(try_patch(&world, "b", 0, "{}", NULL, &error), &error, BO_CLASS_NOT_FOUND, "default/b");
  CLEANUP_JSON cJSON *after = get(&world, "BackupRun", "a");
  ck_assert(cJSON_Compare(after, two, true));
  reopen(&world);
  CLEANUP_JSON cJSON *later = get(&world, "BackupRun", "a");
  ck_assert(cJSON_Compare(later, two, true));
  world_close(&world);
}
END_TEST

START_TEST(a_changed_manifest_leaves_what_it_never_said) {
  struct world world;
  world_open(&world);
  write_manifest(&world, "run.yaml", RUN("a", ", annotations: {restore: now, old: x}"));
  CLEANUP_JSON cJSON *born = get(&world, "BackupRun", "a");
  cJSON_Delete(patch(&world, "a", 0, "{\"metadata\":{\"annotations\":{\"restore\":null,\"ours\":\"1\"}}}"));
  cJSON_Delete(patch(&world, "a", 1, "{\"state\":\"Restoring\"}"));
  reopen(&world); /* the manifest still says restore, and has not changed */
  CLEANUP_JSON cJSON *same = get(&world, "BackupRun", "a");
  ck_assert_str_eq(annotation(same, "restore"), "");
  write_manifest(&world, "run.yaml", RUN("a", ", annotations: {restore: now, new: text}"));
  reopen(&world);
  CLEANUP_JSON cJSON *changed = get(&world, "BackupRun", "a");
  ck_assert_str_eq(annotation(changed, "restore"), "");
  ck_assert_str_eq(annotation(changed, "ours"), "1");
  ck_assert_str_eq(annotation(changed, "old"), "");
  ck_assert_str_eq(annotation(changed, "new"), "text");
  ck_assert_str_eq(text_at(changed, "status", "state"), "Restoring");
  ck_assert_str_eq(text_at(changed, "metadata", "uid"), text_at(born, "metadata", "uid"));
  write_manifest(&world, "run.yaml", RUN("a", ", annotations: {restore: again}"));
  reopen(&world);
  CLEANUP_JSON cJSON *again = get(&world, "BackupRun", "a");
  ck_assert_str_eq(annotation(again, "restore"), "again");
  world_close(&world);
}
END_TEST

START_TEST(a_malformed_manifest_hides_no_other) {
  struct world world;
  world_open(&world);
  write_manifest(&world, "1.yaml", "{ this is: [no YAML\n");
  write_manifest(&world, "2.yaml", RUN("good", "") "---\nkind: BackupRun\nspec: 7\n---\n" RUN("better", ""));
  write_manifest(&world, "3.json", RUN_JSON("best", ""));
  write_manifest(&world, "4.txt", RUN("text", ""));
  write_manifest(&world, ".5.yaml", RUN("hidden", ""));
  ck_assert(is_there(&world, "BackupRun", "good"));
  ck_assert(is_there(&world, "BackupRun", "better"));
  ck_assert(is_there(&world, "BackupRun", "best"));
  ck_assert(!is_there(&world, "BackupRun", "text"));
  ck_assert(!is_there(&world, "BackupRun", "hidden"));
  ck_assert(fake_host_logged(&world.fixture.host, "/1.yaml:"));
  ck_assert(fake_host_logged(&world.fixture.host, "/2.yaml:"));
  /* An object whose manifest becomes malformed, or unreadable, stays as it was. */
  CLEANUP_JSON cJSON *before = get(&world, "BackupRun", "best");
  write_manifest(&world, "3.json", "{");
  (void)usleep(4500000); /* longer than what is missing is waited for */
  CLEANUP_JSON cJSON *during = get(&world, "BackupRun", "best");
  (void)usleep(1100000);
  CLEANUP_JSON cJSON *after = get(&world, "BackupRun", "best");
  ck_assert(cJSON_Compare(before, during, true) && cJSON_Compare(before, after, true));
  world_close(&world);
}
END_TEST

START_TEST(the_same_object_in_two_files_is_the_first_ones) {
  struct world world;
  world_open(&world);
  write_manifest(&world, "a.yaml", RUN("x", ", labels: {from: a}"));
  write_manifest(&world, "b.yaml", RUN("x", ", labels: {from: b}"));
  CLEANUP_JSON cJSON *first = get(&world, "BackupRun", "x");
  ck_assert_str_eq(text_at(cJSON_GetObjectItem(first, "metadata"), "labels", "from"), "a");
  ck_assert(fake_host_logged(&world.fixture.host, "is in a.yaml and in b.yaml"));
  remove_manifest(&world, "a.yaml");
  reopen(&world);
  CLEANUP_JSON cJSON *second = get(&world, "BackupRun", "x");
  ck_assert_str_eq(text_at(cJSON_GetObjectItem(second, "metadata"), "labels", "from"), "b");
  ck_assert_str_eq(text_at(second, "metadata", "uid"), text_at(first, "metadata", "uid"));
  world_close(&world);
}
END_TEST

/* ---- create, delete, finalizers ------------------------------------------------------------------------------- */

static int try_create(struct world *world, const char *json, char **created, struct bo_error *error) {
  return world->fixture.operations->object_create(world->fixture.platform, json, created, error);
}

static int try_delete(struct world *world, const char *name, const char *uid, struct bo_error *error) {
  return world->fixture.operations->object_delete(world->fixture.platform, "BackupRun", "", name, uid, NULL, error);
}

START_TEST(objects_are_created_and_deleted) {
  struct world world;
  world_open(&world);
  struct bo_error error = BO_ERROR_INIT;
  char *json = NULL;
  ck_assert_int_eq(try_create(&world, RUN_JSON("a", ",\"uid\":\"mine\""), &json, &error), BO_OK);
  CLEANUP_JSON cJSON *created = take(&world, json);
  ck_assert_uint_eq(strlen(text_at(created, "metadata", "uid")), 36);
  expect_error(try_create(&world, RUN_JSON("a", ""), &json, &error), &error, BO_CLASS_EXISTS, "already");
  expect_error(try_create(&world, "{\"kind\":\"BackupRun\"}", &json, &error), &error, BO_CLASS_CONFIG, "apiVersion");
  expect_error(
      try_create(&world, "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\"}}", &json, &error),
      &error, BO_CLASS_UNSUPPORTED, "own");
  reopen(&world);
  CLEANUP_JSON cJSON *again = get(&world, "BackupRun", "a");
  ck_assert(cJSON_Compare(created, again, true));
  expect_error(try_delete(&world, "a", "other", &error), &error, BO_CLASS_CONFLICT, "another one");
  ck_assert_int_eq(try_delete(&world, "a", text_at(created, "metadata", "uid"), &error), BO_OK);
  ck_assert(!is_there(&world, "BackupRun", "a"));
  expect_error(try_delete(&world, "a", NULL, &error), &error, BO_CLASS_NOT_FOUND, "default/a");
  ck_assert_int_eq(try_create(&world, RUN_JSON("a", ""), &json, &error), BO_OK);
  CLEANUP_JSON cJSON *other = take(&world, json);
  ck_assert_str_ne(text_at(other, "metadata", "uid"), text_at(created, "metadata", "uid"));
  ck_assert_uint_gt(version_of(other), version_of(created));
  world_close(&world);
}
END_TEST

START_TEST(finalizers_hold_an_object) {
  struct world world;
  world_open(&world);
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(try_create(&world, RUN_JSON("a", ",\"finalizers\":[\"x/y\"]"), NULL, &error), BO_OK);
  ck_assert_int_eq(try_delete(&world, "a", NULL, &error), BO_OK);
  CLEANUP_JSON cJSON *going = get(&world, "BackupRun", "a");
  ck_assert_str_ne(text_at(going, "metadata", "deletionTimestamp"), "");
  cJSON_Delete(patch(&world, "a", 1, "{\"state\":\"BackupFailed\"}"));
  cJSON_Delete(patch(&world, "a", 0, "{\"metadata\":{\"finalizers\":null}}"));
  ck_assert(!is_there(&world, "BackupRun", "a"));
  reopen(&world);
  ck_assert(!is_there(&world, "BackupRun", "a"));
  world_close(&world);
}
END_TEST

START_TEST(what_was_deleted_comes_back_only_with_another_manifest) {
  struct world world;
  world_open(&world);
  struct bo_error error = BO_ERROR_INIT;
  write_manifest(&world, "run.yaml", RUN("a", ""));
  CLEANUP_JSON cJSON *born = get(&world, "BackupRun", "a");
  ck_assert_int_eq(try_delete(&world, "a", NULL, &error), BO_OK);
  ck_assert(!is_there(&world, "BackupRun", "a"));
  reopen(&world);
  ck_assert(!is_there(&world, "BackupRun", "a"));
  write_manifest(&world, "run.yaml", RUN("a", ", labels: {again: please}"));
  reopen(&world);
  CLEANUP_JSON cJSON *second = get(&world, "BackupRun", "a");
  ck_assert_str_ne(text_at(second, "metadata", "uid"), text_at(born, "metadata", "uid"));
  world_close(&world);
}
END_TEST

START_TEST(a_manifest_removed_while_nobody_looked_deletes) {
  struct world world;
  world_open(&world);
  write_manifest(&world, "a.yaml", RUN("a", ", finalizers: [x/y]"));
  write_manifest(&world, "b.yaml", RUN("b", ""));
  CLEANUP_JSON cJSON *first = get(&world, "BackupRun", "a");
  world.fixture.operations->close(world.fixture.platform);
  remove_manifest(&world, "a.yaml");
  remove_manifest(&world, "b.yaml");
  world.fixture.platform = open_platform(&world, world.manifests, world.state);
  ck_assert(is_there(&world, "BackupRun", "b")); /* not at once */
  WAIT_FOR(!is_there(&world, "BackupRun", "b"));
  CLEANUP_JSON cJSON *going = get(&world, "BackupRun", "a");
  ck_assert_str_ne(text_at(going, "metadata", "deletionTimestamp"), "");
  /* It comes back while the old one is still going, and has to wait for that. */
  write_manifest(&world, "a.yaml", RUN("a", ""));
  (void)usleep(1200000);
  CLEANUP_JSON cJSON *still = get(&world, "BackupRun", "a");
  ck_assert_str_eq(text_at(still, "metadata", "uid"), text_at(first, "metadata", "uid"));
  cJSON_Delete(patch(&world, "a", 0, "{\"metadata\":{\"finalizers\":[]}}"));
  WAIT_FOR(is_there(&world, "BackupRun", "a"));
  CLEANUP_JSON cJSON *second = get(&world, "BackupRun", "a");
  ck_assert_str_ne(text_at(second, "metadata", "uid"), text_at(first, "metadata", "uid"));
  world_close(&world);
}
END_TEST

START_TEST(a_full_disk_changes_nothing) {
  struct world world;
  struct bo_error error = BO_ERROR_INIT;
  char path[256], *json = NULL;
  world_open(&world);
  write_manifest(&world, "a.yaml", RUN("a", ""));
  CLEANUP_JSON cJSON *before = get(&world, "BackupRun", "a");
  (void)usleep(1100000);
  /* What a full disk does, done by a file in the place of a folder: no record can be made. */
  (void)snprintf(path, sizeof(path), "%s/BackupStorage", world.state);
  ck_assert_int_eq(bo_write_file_atomically(path, "", 0, 0600, NULL), BO_OK);
  write_manifest(&world, "a.yaml", STORAGE("disk", "/srv") "---\n" RUN("a", ""));
  for (int i = 0; i < 5; i++) {
    (void)usleep(1100000); /* longer than what is missing is waited for */
    ck_assert_int_ne(try_get(&world, "BackupRun", "", "a", &json, &error), BO_OK);
  }
  ck_assert_int_eq(unlink(path), 0);
  (void)usleep(1100000);
  CLEANUP_JSON cJSON *after = get(&world, "BackupRun", "a");
  ck_assert(cJSON_Compare(before, after, true));
  ck_assert(is_there(&world, "BackupStorage", "disk"));
  fake_host_fail_at(&world.fixture.host, 1);
  expect_error(try_get(&world, "BackupRun", "", "a", &json, &error), &error, BO_CLASS_NO_MEMORY, "memory");
  world_close(&world);
}
END_TEST

/* ---- watch ---------------------------------------------------------------------------------------------------- */

struct watcher {
  struct world *world;
  pthread_t thread;
  pthread_mutex_t lock;
  char log[8192]; /* "+a *a -a =" */
  int result;
  struct bo_error error;
};

static int note_event(void *context, int event, const char *object_json) {
  struct watcher *watcher = context;
  static const char signs[] = {[BO_WATCH_ADDED] = '+', [BO_WATCH_MODIFIED] = '*', [BO_WATCH_DELETED] = '-'};
  CLEANUP_JSON cJSON *object = object_json != NULL ? cJSON_Parse(object_json) : NULL;
  (void)pthread_mutex_lock(&watcher->lock);
  size_t used = strlen(watcher->log);
  if (event == BO_WATCH_SYNCED)
    (void)snprintf(watcher->log + used, sizeof(watcher->log) - used, "= ");
  else
    (void)snprintf(watcher->log + used, sizeof(watcher->log) - used, "%c%s ", signs[event],
                   text_at(object, "metadata", "name"));
  (void)pthread_mutex_unlock(&watcher->lock);
  return 0;
}

static void *run_watch(void *context) {
  struct watcher *watcher = context;
  const struct fixture *fixture = &watcher->world->fixture;
  watcher->result =
      fixture->operations->object_watch(fixture->platform, "BackupRun", note_event, watcher, &watcher->error);
  return NULL;
}

static bool heard(struct watcher *watcher, const char *text) {
  (void)pthread_mutex_lock(&watcher->lock);
  bool found = strstr(watcher->log, text) != NULL;
  (void)pthread_mutex_unlock(&watcher->lock);
  return found;
}

static void watcher_start(struct watcher *watcher, struct world *world) {
  *watcher = (struct watcher){.world = world, .error = BO_ERROR_INIT};
  (void)pthread_mutex_init(&watcher->lock, NULL);
  ck_assert_int_eq(pthread_create(&watcher->thread, NULL, run_watch, watcher), 0);
}

static void watcher_cancel(struct watcher *watcher) {
  watcher->world->fixture.operations->cancel(watcher->world->fixture.platform);
  ck_assert_int_eq(pthread_join(watcher->thread, NULL), 0);
  expect_error(watcher->result, &watcher->error, BO_CLASS_CANCELLED, "cancelled");
  (void)pthread_mutex_destroy(&watcher->lock);
}

START_TEST(a_watch_tells_every_change) {
  struct world world;
  struct watcher watcher;
  struct bo_error error = BO_ERROR_INIT;
  world_open(&world);
  write_manifest(&world, "a.yaml", RUN("a", ""));
  write_manifest(&world, "b.yaml", RUN("b", "") "---\n" RUN("c", ""));
  watcher_start(&watcher, &world);
  WAIT_FOR(heard(&watcher, "+a +b +c = "));
  cJSON_Delete(patch(&world, "b", 1, "{\"state\":\"Backuping\"}"));
  WAIT_FOR(heard(&watcher, "= *b "));
  write_manifest(&world, "a.yaml", RUN("a", ", labels: {l: m}"));
  WAIT_FOR(heard(&watcher, "*b *a "));
  write_manifest(&world, "b.yaml", "broken: [\n"); /* deletes nothing */
  ck_assert_int_eq(try_create(&world, RUN_JSON("d", ""), NULL, &error), BO_OK);
  WAIT_FOR(heard(&watcher, "*a +d "));
  remove_manifest(&world, "a.yaml");
  WAIT_FOR(heard(&watcher, "+d -a "));
  write_manifest(&world, "b.yaml", RUN("c", "")); /* b is gone from it */
  WAIT_FOR(heard(&watcher, "-a -b "));
  ck_assert_int_eq(try_delete(&world, "d", NULL, &error), BO_OK);
  WAIT_FOR(heard(&watcher, "-b -d "));
  ck_assert_int_eq(try_delete(&world, "c", NULL, &error), BO_OK); /* its manifest is still there */
  WAIT_FOR(heard(&watcher, "-d -c "));
  watcher_cancel(&watcher);
  ck_assert_str_eq(watcher.log, "+a +b +c = *b *a +d -a -b -d -c ");
  world_close(&world);
}
END_TEST

/* Saving by writing anew, as some editors do: for a moment there is no file, or an empty one. */
START_TEST(saving_slowly_deletes_nothing) {
  struct world world;
  struct watcher watcher;
  char path[256];
  world_open(&world);
  write_manifest(&world, "a.yaml", RUN("a", ""));
  watcher_start(&watcher, &world);
  WAIT_FOR(heard(&watcher, "= "));
  remove_manifest(&world, "a.yaml");
  (void)usleep(400000);
  (void)snprintf(path, sizeof(path), "%s/a.yaml", world.manifests);
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  (void)usleep(400000);
  (void)fputs(RUN("a", ", labels: {l: m}"), file);
  ck_assert_int_eq(fclose(file), 0);
  WAIT_FOR(heard(&watcher, "*a "));
  watcher_cancel(&watcher);
  ck_assert_str_eq(watcher.log, "+a = *a ");
  world_close(&world);
}
END_TEST

START_TEST(a_folder_that_is_gone_deletes_nothing) {
  struct world world;
  char away[128];
  world_open(&world);
  write_manifest(&world, "a.yaml", RUN("a", ""));
  ck_assert(is_there(&world, "BackupRun", "a"));
  (void)snprintf(away, sizeof(away), "%s-away", world.manifests);
  ck_assert_int_eq(rename(world.manifests, away), 0);
  for (int i = 0; i < 4; i++) {
    (void)usleep(1100000);
    ck_assert(is_there(&world, "BackupRun", "a"));
  }
  ck_assert(fake_host_logged(&world.fixture.host, "all objects stay as they are"));
  ck_assert_int_eq(rename(away, world.manifests), 0);
  (void)usleep(1100000);
  ck_assert(is_there(&world, "BackupRun", "a"));
  world_close(&world);
}
END_TEST

static int stop_at_once(void *context, int event, const char *object_json) {
  (void)context;
  (void)event;
  (void)object_json;
  return 1;
}

static void *patch_often(void *context) {
  struct world *world = context;
  for (int i = 0; i < 50; i++) {
    char text[64];
    (void)snprintf(text, sizeof(text), "{\"path\":\"/%d\"}", i);
    cJSON_Delete(patch(world, "a", 1, text));
  }
  return NULL;
}

START_TEST(threads_share_a_platform) {
  struct world world;
  struct watcher watchers[2];
  pthread_t patcher;
  struct bo_error error = BO_ERROR_INIT;
  world_open(&world);
  write_manifest(&world, "a.yaml", RUN("a", ""));
  watcher_start(&watchers[0], &world);
  watcher_start(&watchers[1], &world);
  WAIT_FOR(heard(&watchers[0], "= ") && heard(&watchers[1], "= "));
  ck_assert_int_eq(pthread_create(&patcher, NULL, patch_often, &world), 0);
  for (int i = 0; i < 20; i++)
    cJSON_Delete(get(&world, "BackupRun", "a"));
  ck_assert_int_eq(pthread_join(patcher, NULL), 0);
  WAIT_FOR(heard(&watchers[0], "*a ") && heard(&watchers[1], "*a "));
  int result = world.fixture.operations->object_watch(world.fixture.platform, "BackupRun", stop_at_once, NULL, &error);
  ck_assert_int_eq(result, BO_OK);
  watcher_cancel(&watchers[0]);
  watcher_cancel(&watchers[1]);
  world_close(&world);
}
END_TEST

/* ---- writers and crashes -------------------------------------------------------------------------------------- */

START_TEST(a_second_writer_is_refused) {
  struct world world;
  world_open(&world);
  const struct bo_platform_operations *operations = world.fixture.operations;
  struct bo_error error = BO_ERROR_INIT;
  char *json = NULL;
  int held = 0;
  ck_assert(!is_there(&world, "BackupRun", "a"));
  void *second = open_platform(&world, world.manifests, world.state);
  expect_error(operations->object_get(second, "BackupRun", "", "a", &json, &error), &error, BO_CLASS_CONFLICT,
               "in use by another process");
  expect_error(operations->object_watch(second, "BackupRun", stop_at_once, NULL, &error), &error, BO_CLASS_CONFLICT,
               "only one may write");
  /* It may stand by for the lease, and gets it, and the objects, when the first is gone. */
  ck_assert_int_eq(operations->lease_acquire(world.fixture.platform, "", "operator", "one", 1000, &held, &error),
                   BO_OK);
  ck_assert_int_eq(held, 1);
  ck_assert_int_eq(operations->lease_acquire(second, "", "operator", "two", 1000, &held, &error), BO_OK);
  ck_assert_int_eq(held, 0);
  ck_assert_int_eq(operations->lease_acquire(world.fixture.platform, "", "operator", "one", 1000, &held, &error),
                   BO_OK);
  ck_assert_int_eq(held, 1);
  operations->close(world.fixture.platform);
  world.fixture.platform = second;
  ck_assert_int_eq(operations->lease_acquire(second, "", "operator", "two", 1000, &held, &error), BO_OK);
  ck_assert_int_eq(held, 1);
  ck_assert(!is_there(&world, "BackupRun", "a"));
  expect_error(operations->lease_acquire(second, "", "../x", "two", 1000, &held, &error), &error, BO_CLASS_CONFIG,
               "cannot be");
  world_close(&world);
}
END_TEST

/* Patches as fast as it can, telling each version that was acknowledged. */
static _Noreturn void patch_until_killed(struct world *world, int out) {
  world->fixture.platform = open_platform(world, world->manifests, world->state);
  for (int i = 0;; i++) {
    char text[4096], filler[3000];
    memset(filler, 'a' + i % 26, sizeof(filler) - 1);
    filler[sizeof(filler) - 1] = '\0';
    (void)snprintf(text, sizeof(text), "{\"path\":\"/%d\",\"size\":\"%s\"}", i, filler);
    cJSON *patched = patch(world, "a", 1, text);
    uint64_t version = version_of(patched);
    cJSON_Delete(patched);
    if (write(out, &version, sizeof(version)) != (ssize_t)sizeof(version)) _exit(1);
  }
}

START_TEST(a_kill_in_the_middle_of_patches_loses_nothing) {
  struct world world;
  world_open(&world);
  write_manifest(&world, "a.yaml", RUN("a", ""));
  CLEANUP_JSON cJSON *born = get(&world, "BackupRun", "a");
  for (int round = 0; round < 10; round++) {
    int pipes[2];
    uint64_t version = 0, acknowledged = 0;
    world.fixture.operations->close(world.fixture.platform);
    ck_assert_int_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) patch_until_killed(&world, pipes[1]);
    (void)close(pipes[1]);
    for (int i = 0; i <= round; i++)
      ck_assert_int_eq(read(pipes[0], &acknowledged, sizeof(acknowledged)), sizeof(acknowledged));
    (void)usleep((useconds_t)round * 700);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    while (read(pipes[0], &version, sizeof(version)) == (ssize_t)sizeof(version))
      acknowledged = version;
    (void)close(pipes[0]);
    world.fixture.platform = open_platform(&world, world.manifests, world.state);
    CLEANUP_JSON cJSON *object = get(&world, "BackupRun", "a");
    ck_assert_uint_ge(version_of(object), acknowledged);
    ck_assert_str_eq(text_at(object, "metadata", "uid"), text_at(born, "metadata", "uid"));
    ck_assert_uint_eq(strlen(text_at(object, "status", "size")), 2999);
  }
  world_close(&world);
}
END_TEST

START_TEST(a_damaged_record_is_no_new_object) {
  struct world world;
  char path[256], *json;
  struct bo_error error = BO_ERROR_INIT;
  world_open(&world);
  write_manifest(&world, "a.yaml", RUN("a", ""));
  ck_assert(is_there(&world, "BackupRun", "a"));
  (void)snprintf(path, sizeof(path), "%s/BackupRun/default/a.json", world.state);
  ck_assert_int_eq(truncate(path, 100), 0);
  reopen(&world);
  expect_error(try_get(&world, "BackupRun", "", "a", &json, &error), &error, BO_CLASS_CORRUPT,
               "BackupRun/default/a.json");
  world_close(&world);
}
END_TEST

/* As backupctl writes it: the object alone, without a resourceVersion. It is the same run, and has run. */
START_TEST(a_record_of_another_program_is_taken_over) {
  struct world world;
  char path[256];
  world_open(&world);
  (void)snprintf(path, sizeof(path), "%s/BackupRun/default", world.state);
  ck_assert_int_eq(bo_make_folders(path, 0700, NULL), BO_OK);
  (void)snprintf(path, sizeof(path), "%s/BackupRun/default/a.json", world.state);
  const char *json =
      "{\"apiVersion\":\"backup-operator.io/v1\",\"kind\":\"BackupRun\",\"metadata\":{\"name\":\"a\",\"namespace\":"
      "\"default\",\"uid\":\"u-1\"},\"spec\":{\"storage\":{\"name\":\"disk\"}},\"status\":{\"state\":"
      "\"BackupSuccessful\"}}";
  ck_assert_int_eq(bo_write_file_atomically(path, json, strlen(json), 0600, NULL), BO_OK);
  write_manifest(&world, "a.yaml", RUN("a", ""));
  CLEANUP_JSON cJSON *object = get(&world, "BackupRun", "a");
  ck_assert_str_eq(text_at(object, "metadata", "uid"), "u-1");
  ck_assert_str_eq(text_at(object, "status", "state"), "BackupSuccessful");
  ck_assert_ptr_nonnull(cJSON_GetObjectItem(cJSON_GetObjectItem(object, "spec"), "backup"));
  ck_assert_ptr_null(cJSON_GetObjectItem(object, "platformLocal"));
  /* And ours is one that it can read. */
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set = {0};
  ck_assert_int_eq(bo_read_file(path, 1 << 20, &text, NULL), BO_OK);
  ck_assert_int_eq(bo_manifest_from_json(text.bytes, text.size, "record", &set, NULL), BO_OK);
  ck_assert_str_eq(set.manifests[0].run->status.state, "BackupSuccessful");
  world_close(&world);
}
END_TEST

/* ---- secrets -------------------------------------------------------------------------------------------------- */

static int get_secret(struct world *world, const char *name, char **json, struct bo_error *error) {
  *error = (struct bo_error)BO_ERROR_INIT;
  int result = try_get(world, "Secret", "prod", name, json, error);
  ck_assert_ptr_null(strstr(error->text, CANARY));
  return result;
}

static void expect_secret(struct world *world, const char *name, const char *key, const char *base64) {
  char *json;
  struct bo_error error;
  int result = get_secret(world, name, &json, &error);
  ck_assert_msg(result == BO_OK, "%s", error.text);
  CLEANUP_JSON cJSON *secret = take(world, json);
  ck_assert_str_eq(text_at(secret, "metadata", "name"), name);
  ck_assert_str_eq(text_at(secret, "metadata", "namespace"), "prod");
  ck_assert_str_eq(text_at(secret, "data", key), base64);
}

#define SECRET_MANIFEST(name) \
  "apiVersion: v1\nkind: Secret\nmetadata: {name: " name ", namespace: prod}\nstringData: {password: " CANARY "}\n"
#define CANARY_BASE64 "Y2FuYXJ5LTVlMGMxYg=="

START_TEST(secrets_come_from_files_that_are_closed_to_others) {
  struct world world;
  char path[256], *json;
  struct bo_error error;
  world_open(&world);
  (void)snprintf(path, sizeof(path), "%s/secrets/prod/folder", world.manifests);
  ck_assert_int_eq(bo_make_folders(path, 0700, NULL), BO_OK);
  write_mode(&world, "secrets/prod/folder/password", CANARY "\n", 0600);
  write_mode(&world, "secrets/prod/folder/empty", "", 0400);
  write_mode(&world, "s.yaml", SECRET_MANIFEST("manifest"), 0600);
  write_mode(&world, "open.yaml", SECRET_MANIFEST("open") "---\n" RUN("a", ""), 0640);
  expect_secret(&world, "folder", "password", CANARY_BASE64);
  expect_secret(&world, "folder", "empty", "");
  expect_secret(&world, "manifest", "password", CANARY_BASE64);
  ck_assert(is_there(&world, "BackupRun", "a"));
  expect_error(get_secret(&world, "open", &json, &error), &error, BO_CLASS_CONFIG, "open.yaml");
  ck_assert_ptr_nonnull(strstr(error.text, "mode 0640"));
  ck_assert_ptr_nonnull(strstr(error.text, "chmod 600 "));
  write_mode(&world, "secrets/prod/folder/password", CANARY, 0604);
  expect_error(get_secret(&world, "folder", &json, &error), &error, BO_CLASS_CONFIG, "chmod 600 ");
  expect_error(get_secret(&world, "absent", &json, &error), &error, BO_CLASS_NOT_FOUND, "secrets/prod/absent");
  expect_error(get_secret(&world, "../prod/folder", &json, &error), &error, BO_CLASS_CONFIG, "cannot be");
  expect_error(get_secret(&world, "..", &json, &error), &error, BO_CLASS_CONFIG, "cannot be");
  if (geteuid() == 0) {
    write_mode(&world, "secrets/prod/folder/password", CANARY, 0600);
    (void)snprintf(path, sizeof(path), "%s/secrets/prod/folder/password", world.manifests);
    ck_assert_int_eq(chown(path, 12345, 0), 0);
    expect_error(get_secret(&world, "folder", &json, &error), &error, BO_CLASS_CONFIG, "belongs to user 12345");
  }
  /* A broken Secret, whose text must not be quoted. */
  write_mode(&world, "s.yaml",
             "apiVersion: v1\nkind: Secret\nmetadata: {name: manifest, namespace: prod}\ndata: {password: " CANARY
             "}\n",
             0600);
  (void)usleep(1100000);
  expect_error(get_secret(&world, "manifest", &json, &error), &error, BO_CLASS_CONFIG, "base64");
  char command[256];
  (void)snprintf(command, sizeof(command), "! grep -rqE '" CANARY "|" CANARY_BASE64 "' %s", world.state);
  ck_assert_int_eq(system(command), 0);
  world_close(&world);
}
END_TEST

/* ---- events --------------------------------------------------------------------------------------------------- */

START_TEST(events_are_lines_in_a_bounded_file) {
  struct world world;
  char path[256], event[1200];
  struct stat status;
  struct bo_error error = BO_ERROR_INIT;
  world_open(&world);
  const struct bo_platform_operations *operations = world.fixture.operations;
  ck_assert_int_eq(operations->event_record(world.fixture.platform, "{\n \"reason\": \"A\\nB\"\n}", &error), BO_OK);
  (void)snprintf(path, sizeof(path), "%s/events.jsonl", world.state);
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  ck_assert_int_eq(bo_read_file(path, 1000, &text, NULL), BO_OK);
  ck_assert_str_eq(bo_buffer_text(&text), "{\"reason\":\"A\\nB\"}\n");
  ck_assert_int_eq(truncate(path, 5), 0); /* a crash in mid-line */
  ck_assert_int_eq(operations->event_record(world.fixture.platform, "{}", &error), BO_OK);
  bo_buffer_clear(&text);
  ck_assert_int_eq(bo_read_file(path, 1000, &text, NULL), BO_OK);
  ck_assert_str_eq(bo_buffer_text(&text), "{\"rea\n{}\n");
  (void)snprintf(event, sizeof(event), "{\"message\":\"%01100d\"}", 7);
  for (int i = 0; i < 2500; i++)
    ck_assert_int_eq(operations->event_record(world.fixture.platform, event, &error), BO_OK);
  ck_assert_int_eq(stat(path, &status), 0);
  ck_assert_int_le(status.st_size, EVENTS_MAX_BYTES + 2000);
  ck_assert_int_eq(status.st_mode & 07777, 0600);
  expect_error(operations->event_record(world.fixture.platform, "7", &error), &error, BO_CLASS_CONFIG, "not a JSON");
  world_close(&world);
}
END_TEST

/* ---- RFC 7386 ------------------------------------------------------------------------------------------------- */

START_TEST(merge_patches_follow_the_rfc) {
  static const struct {
    const char *target, *patch, *result;
  } cases[] = {
      /* appendix A */
      {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
      {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
      {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
      {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
      {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
      {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
      {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
      {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
      {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
      {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
      {"{\"a\":\"foo\"}", "null", "null"},
      {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
      {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
      {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
      {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    CLEANUP_JSON cJSON *change = cJSON_Parse(cases[i].patch);
    CLEANUP_JSON cJSON *wanted = cJSON_Parse(cases[i].result);
    CLEANUP_JSON cJSON *merged = merge_apply(cJSON_Parse(cases[i].target), change);
    ck_assert_msg(cJSON_Compare(merged, wanted, true), "case %zu", i);
    /* And back: the difference of target and result makes the one of the other, where a patch can. */
    CLEANUP_JSON cJSON *target = cJSON_Parse(cases[i].target);
    if (!cJSON_IsObject(target) || !cJSON_IsObject(wanted) || strstr(cases[i].result, "null") != NULL) continue;
    CLEANUP_JSON cJSON *difference = merge_difference(target, wanted);
    CLEANUP_JSON cJSON *again = merge_apply(cJSON_Duplicate(target, true), difference);
    ck_assert_msg(cJSON_Compare(again, wanted, true), "difference of case %zu", i);
    CLEANUP_JSON cJSON *none = merge_difference(wanted, wanted);
    ck_assert_ptr_null(none->child);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("platform-local: objects");
  TCase *objects = tcase_create("objects");
  tcase_set_timeout(objects, 180);
  tcase_add_test(objects, without_folders_there_are_no_objects);
  tcase_add_test(objects, an_object_is_born_once);
  tcase_add_test(objects, patches_change_what_they_may);
  tcase_add_test(objects, a_changed_manifest_leaves_what_it_never_said);
  tcase_add_test(objects, a_malformed_manifest_hides_no_other);
  tcase_add_test(objects, the_same_object_in_two_files_is_the_first_ones);
  tcase_add_test(objects, objects_are_created_and_deleted);
  tcase_add_test(objects, finalizers_hold_an_object);
  tcase_add_test(objects, what_was_deleted_comes_back_only_with_another_manifest);
  tcase_add_test(objects, a_manifest_removed_while_nobody_looked_deletes);
  tcase_add_test(objects, a_full_disk_changes_nothing);
  tcase_add_test(objects, a_watch_tells_every_change);
  tcase_add_test(objects, saving_slowly_deletes_nothing);
  tcase_add_test(objects, a_folder_that_is_gone_deletes_nothing);
  tcase_add_test(objects, threads_share_a_platform);
  tcase_add_test(objects, a_second_writer_is_refused);
  tcase_add_test(objects, a_kill_in_the_middle_of_patches_loses_nothing);
  tcase_add_test(objects, a_damaged_record_is_no_new_object);
  tcase_add_test(objects, a_record_of_another_program_is_taken_over);
  tcase_add_test(objects, secrets_come_from_files_that_are_closed_to_others);
  tcase_add_test(objects, events_are_lines_in_a_bounded_file);
  tcase_add_test(objects, merge_patches_follow_the_rfc);
  suite_add_tcase(suite, objects);
  return unit_main(suite);
}
