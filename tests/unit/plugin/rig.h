/* tests/unit/plugin/rig.h - where the test plugins lie, a folder of the test's own, and a log that can be asked. */
#ifndef BO_TESTS_PLUGIN_RIG_H
#define BO_TESTS_PLUGIN_RIG_H

#include <backup-operator/plugin.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>

#include "core/base/buffer.h"
#include "core/base/io.h"
#include "core/plugin/checked.h"
#include "tests/support/unit.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define ck_assert_has(text, part) ck_assert_msg(strstr((text), (part)) != NULL, "\"%s\" is not in: %s", (part), (text))
#define ck_assert_lacks(text, part) ck_assert_msg(strstr((text), (part)) == NULL, "\"%s\" is in: %s", (part), (text))

/* <O>/tests/plugins-so/<file>, seen from this program, <O>/tests/unit/plugin/test_x. */
static inline void rig_plugin_path(char path[PATH_MAX], const char *file) {
  char self[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
  ck_assert_int_gt(length, 0);
  self[length] = '\0';
  for (int i = 0; i < 3; i++)
    *strrchr(self, '/') = '\0';
  ck_assert_int_lt(snprintf(path, PATH_MAX, "%s/plugins-so/%s", self, file), PATH_MAX);
}

static inline struct bo_loaded_plugin *rig_load(const char *file, int kind, const char *name,
                                                const struct bo_log *log) {
  char path[PATH_MAX];
  rig_plugin_path(path, file);
  struct bo_loaded_plugin *plugin = NULL;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_msg(bo_plugin_load(path, kind, name, log, &plugin, &error) == BO_OK, "%s", error.text);
  return plugin;
}

/* A folder that is there for one test. */
struct rig_folder {
  char path[64];
};

static inline void rig_folder_open(struct rig_folder *folder) {
  (void)snprintf(folder->path, sizeof(folder->path), "/tmp/bo-test-plugin-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder->path));
}

static inline void rig_folder_close(const struct rig_folder *folder) {
  char command[96];
  (void)snprintf(command, sizeof(command), "rm -rf %s", folder->path);
  ck_assert_int_eq(system(command), 0);
}

/* Copies a test plugin's file to <folder>/<name>, whose whole path it gives. */
static inline void rig_copy(const char *file, const struct rig_folder *folder, const char *name, char path[PATH_MAX]) {
  char from[PATH_MAX];
  rig_plugin_path(from, file);
  BO_CLEANUP_BUFFER struct bo_buffer bytes = BO_BUFFER_INIT;
  ck_assert_int_eq(bo_read_file(from, 64U << 20, &bytes, NULL), BO_OK);
  ck_assert_int_lt(snprintf(path, PATH_MAX, "%s/%s", folder->path, name), PATH_MAX);
  ck_assert_int_eq(bo_write_file_atomically(path, bytes.bytes, bytes.size, 0644, NULL), BO_OK);
}

/* Keeps every line as "source: text\n". */
struct rig_log {
  struct bo_log log;
  pthread_mutex_t lock;
  struct bo_buffer text;
};

static inline void rig_log_write_(void *context, int level, const char *source, const char *text) {
  struct rig_log *log = context;
  (void)level;
  (void)pthread_mutex_lock(&log->lock);
  (void)bo_buffer_printf(&log->text, "%s: %s\n", source, text);
  (void)pthread_mutex_unlock(&log->lock);
}

static inline void rig_log_open(struct rig_log *log) {
  *log = (struct rig_log){.log = {.write = rig_log_write_, .context = log, .level = BO_LOG_DEBUG}};
  (void)pthread_mutex_init(&log->lock, NULL);
}

static inline void rig_log_close(struct rig_log *log) {
  bo_buffer_free(&log->text);
  (void)pthread_mutex_destroy(&log->lock);
}

#endif
