/* support.h - for tests: the real plugin with its real supervisor, behind a fake host. */
#ifndef BO_PLATFORM_LOCAL_TESTS_SUPPORT_H
#define BO_PLATFORM_LOCAL_TESTS_SUPPORT_H

#include <backup-operator/plugin.h>
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "core/base/io.h"
#include "tests/support/fake_host.h"
#include "tests/support/unit.h"

struct fixture {
  struct fake_host host;
  const struct bo_platform_operations *operations;
  void *platform;
  char folder[64]; /* workDir: whatever is left in it was forgotten */
};

/* Waits (at most 60 s) until the condition holds. */
#define WAIT_FOR(condition)                                       \
  do {                                                            \
    for (int tries_ = 0; tries_ < 6000 && !(condition); tries_++) \
      (void)usleep(10000);                                        \
    ck_assert_msg(condition, "never came true: " #condition);     \
  } while (0)

/* ---- what must not be left ---------------------------------------------------------------------------------- */

static inline int count_entries(const char *path) {
  BO_CLEANUP_DIR DIR *dir = opendir(path);
  int count = 0;
  for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir))
    count += entry->d_name[0] != '.';
  return count;
}

static inline int count_descriptors(void) {
  return count_entries("/proc/self/fd");
}

/* Living processes that a workload of the fixture has started: their TMPDIR is in its folder. */
static inline int count_processes(const struct fixture *fixture) {
  BO_CLEANUP_DIR DIR *proc = opendir("/proc");
  int count = 0;
  for (struct dirent *entry = readdir(proc); entry != NULL; entry = readdir(proc)) {
    char path[300];
    BO_CLEANUP_BUFFER struct bo_buffer environment = BO_BUFFER_INIT;
    (void)snprintf(path, sizeof(path), "/proc/%s/environ", entry->d_name);
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || atol(entry->d_name) == getpid()) continue;
    if (bo_read_file(path, 1 << 20, &environment, NULL) == BO_OK && environment.size > 0 &&
        memmem(environment.bytes, environment.size, fixture->folder, strlen(fixture->folder)) != NULL)
      count++;
  }
  return count;
}

/* ---- open and close ----------------------------------------------------------------------------------------- */

static inline const struct bo_plugin *load_plugin(const struct bo_host *host) {
  char path[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 64);
  ck_assert_int_gt(length, 0);
  path[length] = '\0';
  char *tail = strstr(path, "/tests/plugins/platform-local/");
  ck_assert_ptr_nonnull(tail);
  (void)snprintf(tail, 64, "/plugins/platform-local.so");
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  ck_assert_msg(library != NULL, "%s", dlerror());
  bo_plugin_init_function *init;
  *(void **)&init = dlsym(library, BO_PLUGIN_INIT_SYMBOL);
  ck_assert_ptr_nonnull(*(void **)&init);
  return init(host, NULL);
}

static inline void fixture_open(struct fixture *fixture) {
  memset(fixture, 0, sizeof(*fixture));
  const struct bo_host *host = fake_host_open(&fixture->host);
  (void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/test-local-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(fixture->folder));
  fixture->operations = load_plugin(host)->operations;
  struct bo_value value = {.is_set = 1, .string = fixture->folder};
  struct bo_config config = {.header = BO_HEADER(struct bo_config), .values = &value, .value_count = 1};
  struct bo_error error = BO_ERROR_INIT;
  int result = fixture->operations->open(host, &config, &fixture->platform, &error);
  ck_assert_msg(result == BO_OK, "%s", error.text);
}

/* Checks that no process and no working folder is left, and that the plugin warned of nothing. */
static inline void fixture_close(struct fixture *fixture) {
  if (fixture->platform != NULL) fixture->operations->close(fixture->platform);
  WAIT_FOR(count_processes(fixture) == 0);
  BO_CLEANUP_DIR DIR *dir = opendir(fixture->folder);
  for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
    ck_assert_msg(strncmp(entry->d_name, "backup-operator-", 16) != 0, "left behind: %s", entry->d_name);
    (void)unlinkat(dirfd(dir), entry->d_name, 0);
  }
  ck_assert_int_eq(rmdir(fixture->folder), 0);
  ck_assert_str_eq(fixture->host.log, "");
  fake_host_close(&fixture->host);
}

/* ---- workloads and commands --------------------------------------------------------------------------------- */

static inline void *start_workload(struct fixture *fixture, const char *template_json) {
  struct bo_workload_spec spec = {.header = BO_HEADER(struct bo_workload_spec),
                                  .namespace_name = "",
                                  .name = "test",
                                  .uid = "uid",
                                  .template_json = template_json};
  struct bo_error error = BO_ERROR_INIT;
  void *workload = NULL;
  int result = fixture->operations->workload_start(fixture->platform, &spec, &workload, &error);
  ck_assert_msg(result == BO_OK, "%s", error.text);
  return workload;
}

static inline void count_stderr(void *context, const void *bytes, size_t size) {
  (void)bytes;
  if (context != NULL) (void)atomic_fetch_add((atomic_ullong *)context, size);
}

static inline int try_exec(struct fixture *fixture, void *workload, int direction, const char *const *argv,
                           const char *container, atomic_ullong *errors, void **exec, struct bo_error *error) {
  struct bo_exec_spec spec = {.header = BO_HEADER(struct bo_exec_spec),
                              .container = container,
                              .argv = argv,
                              .direction = direction,
                              .on_stderr = count_stderr,
                              .context = errors};
  return fixture->operations->exec_open(workload, &spec, exec, error);
}

/* Runs `sh -c script`; $0 is the fixture's folder, a place for files. */
static inline void *open_exec(struct fixture *fixture, void *workload, int direction, const char *script,
                              atomic_ullong *errors) {
  const char *argv[] = {"sh", "-c", script, fixture->folder, NULL};
  struct bo_error error = BO_ERROR_INIT;
  void *exec = NULL;
  int result = try_exec(fixture, workload, direction, argv, "", errors, &exec, &error);
  ck_assert_msg(result == BO_OK, "%s", error.text);
  return exec;
}

/* Reads stdout to its clean end; the last byte kept is a NUL. Returns how many bytes there were. */
static inline size_t read_text(struct fixture *fixture, void *exec, char *text, size_t capacity) {
  size_t used = 0, got = 1;
  struct bo_error error = BO_ERROR_INIT;
  while (got > 0) {
    ck_assert_uint_lt(used, capacity - 1);
    int result = fixture->operations->exec_read(exec, text + used, capacity - 1 - used, &got, &error);
    ck_assert_msg(result == BO_OK, "%s", error.text);
    used += got;
  }
  text[used] = '\0';
  return used;
}

static inline uint64_t expect_exit(struct fixture *fixture, void *exec, int kind, int code) {
  struct bo_error error = BO_ERROR_INIT;
  struct bo_exit ended = {.size = sizeof(ended)};
  int result = fixture->operations->exec_wait(exec, &ended, &error);
  ck_assert_msg(result == BO_OK, "%s", error.text);
  ck_assert_int_eq(ended.kind, kind);
  ck_assert_int_eq(ended.code, code);
  return ended.unread_bytes;
}

static inline void expect_error(int result, const struct bo_error *error, int error_class, const char *part) {
  ck_assert_int_eq(result, BO_ERROR);
  ck_assert_msg(error->error_class == error_class, "class %d: %s", error->error_class, error->text);
  ck_assert_msg(strstr(error->text, part) != NULL, "\"%s\" is not in: %s", part, error->text);
}

static inline void stop_workload(struct fixture *fixture, void *workload, uint32_t grace_ms) {
  struct bo_error error = BO_ERROR_INIT;
  int result = fixture->operations->workload_stop(workload, grace_ms, &error);
  ck_assert_msg(result == BO_OK, "%s", error.text);
}

static inline void make_file(const struct fixture *fixture, const char *name) {
  char path[128];
  (void)snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
  ck_assert_int_eq(bo_write_file_atomically(path, "", 0, 0600, NULL), BO_OK);
}

static inline void remove_file(const struct fixture *fixture, const char *name) {
  char path[128];
  (void)snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
  ck_assert_int_eq(unlink(path), 0);
}

static inline bool exists(const struct fixture *fixture, const char *name) {
  char path[128];
  (void)snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
  return access(path, F_OK) == 0;
}

/* A number that a script has written into a file as "N\n"; waits for it. */
static inline long read_number(const struct fixture *fixture, const char *name) {
  char path[128];
  (void)snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
  for (int tries = 0; tries < 6000; tries++) {
    BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
    if (bo_read_file(path, 100, &text, NULL) == BO_OK && text.size > 0 && text.bytes[text.size - 1] == '\n')
      return atol(text.bytes);
    (void)usleep(10000);
  }
  ck_abort_msg("%s was never written", path);
}

#endif
