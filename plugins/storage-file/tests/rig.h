/*
 * plugins/storage-file/tests/rig.h - a storage in a fresh folder under a fake host, and short words for what tests do
 * with it. Texts that functions return live in the rig, each until the next call of the same function.
 */
#ifndef BO_STORAGE_FILE_RIG_H
#define BO_STORAGE_FILE_RIG_H

#include <fcntl.h>
#include <ftw.h>

#include "core/base/buffer.h"
#include "core/base/cleanup.h"
#include "plugins/storage-file/storage-file.h"
#include "tests/support/fake_host.h"
#include "tests/support/unit.h"

struct rig {
  struct fake_host fake;
  const struct bo_host *host;
  const struct bo_storage_operations *ops;
  void *storage;
  struct bo_error error;
  char folder[64];
  int root; /* the folder, for looking and meddling */
  struct bo_buffer got;
  struct bo_buffer listed;
  struct bo_buffer tree;
};

#define RIG_OK(call)                                           \
  do {                                                         \
    int rig_result_ = (call);                                  \
    ck_assert_msg(rig_result_ == BO_OK, "%s", rig.error.text); \
  } while (0)

#define RIG_FAILS(call, class)                                                                              \
  do {                                                                                                      \
    rig.error = (struct bo_error)BO_ERROR_INIT;                                                             \
    ck_assert_int_ne((call), BO_OK);                                                                        \
    ck_assert_msg(rig.error.error_class == (class), "class %d: %s", rig.error.error_class, rig.error.text); \
    ck_assert_msg(rig.error.text[0] != '\0', "an error without words");                                     \
  } while (0)

static inline int rig_make(struct rig *rig, const char *path, void **storage) {
  struct bo_value value = {.is_set = path != NULL, .string = path};
  struct bo_config config = {.header = BO_HEADER(struct bo_config), .values = &value, .value_count = 1};
  return rig->ops->open(rig->host, &config, storage, &rig->error);
}

/* Without a folder of its own: for storages at a given path. */
static inline void rig_open_at(struct rig *rig, const char *path) {
  memset(rig, 0, sizeof(*rig));
  rig->error = (struct bo_error)BO_ERROR_INIT;
  rig->host = fake_host_open(&rig->fake);
  const struct bo_plugin *plugin = bo_plugin_init(rig->host, &rig->error);
  ck_assert_ptr_nonnull(plugin);
  rig->ops = plugin->operations;
  (void)snprintf(rig->folder, sizeof(rig->folder), "%s", path);
  rig->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ck_assert_int_eq(rig_make(rig, rig->folder, &rig->storage), BO_OK);
}

/* `named`: as on a file system without unnamed files. */
static inline void rig_open(struct rig *rig, int named) {
  char folder[] = "/tmp/storage-file-XXXXXX";
  ck_assert_ptr_nonnull(mkdtemp(folder));
  rig_open_at(rig, folder);
  ((struct file_storage *)rig->storage)->named_only = named != 0;
}

static inline int rig_remove_entry_(const char *path, const struct stat *status, int flag, struct FTW *ftw) {
  (void)status;
  (void)flag;
  (void)ftw;
  return remove(path);
}

static inline void rig_remove_folder(struct rig *rig) {
  (void)nftw(rig->folder, rig_remove_entry_, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void rig_close(struct rig *rig) {
  rig->ops->close(rig->storage);
  rig_remove_folder(rig);
  (void)close(rig->root);
  bo_buffer_free(&rig->got);
  bo_buffer_free(&rig->listed);
  bo_buffer_free(&rig->tree);
  fake_host_close(&rig->fake);
}

/* ---- puts */

static inline void *begin_put(struct rig *rig, const char *key, struct bo_token *token) {
  struct bo_token own;
  void *put = NULL;
  int result = rig->ops->put_open(rig->storage, key, NULL, token == NULL ? &own : token, &put, &rig->error);
  ck_assert_msg(result == BO_OK, "put_open %s: %s", key, rig->error.text);
  return put;
}

/* A whole put; the first result that is not BO_OK. */
static inline int try_put_bytes(struct rig *rig, const char *key, const struct bo_put_options *options,
                                const void *bytes, size_t size, struct bo_object *object) {
  struct bo_token token;
  void *put = NULL;
  struct bo_object own = {.size = sizeof(own)};
  int result = rig->ops->put_open(rig->storage, key, options, &token, &put, &rig->error);
  if (result != BO_OK) return result;
  result = rig->ops->put_write(put, bytes, size, &rig->error);
  if (result == BO_OK) result = rig->ops->put_commit(put, object == NULL ? &own : object, &rig->error);
  int closed = rig->ops->put_close(put, result == BO_OK ? &rig->error : NULL);
  return result == BO_OK ? closed : result;
}

static inline void put_text(struct rig *rig, const char *key, const char *text) {
  int result = try_put_bytes(rig, key, NULL, text, strlen(text), NULL);
  ck_assert_msg(result == BO_OK, "put %s: %s", key, rig->error.text);
}

static inline int put_with(struct rig *rig, const char *key, const struct bo_pair *metadata, uint32_t count,
                           const char *text) {
  struct bo_put_options options = {
      .header = BO_HEADER(struct bo_put_options), .metadata = metadata, .metadata_count = count, .size_hint_bytes = -1};
  return try_put_bytes(rig, key, &options, text, strlen(text), NULL);
}

/* ---- meddling with the folder by hand */

/* In place, as an editor would not but a careless program may. */
static inline void write_absolute(const char *path, const char *text) {
  BO_CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static inline void write_file(struct rig *rig, const char *key, const char *text) {
  BO_CLEANUP_FREE char *path = NULL;
  ck_assert_int_gt(asprintf(&path, "%s/%s", rig->folder, key), 0);
  write_absolute(path, text);
}

/* ---- reading */

static inline struct bo_object stat_object(struct rig *rig, const char *key) {
  struct bo_object object = {.size = sizeof(object)};
  int result = rig->ops->stat(rig->storage, key, &object, &rig->error);
  ck_assert_msg(result == BO_OK, "stat %s: %s", key, rig->error.text);
  return object;
}

/* Reads to the end; the first result that is not BO_OK. */
static inline int try_get(struct rig *rig, const char *key, uint64_t offset_bytes, const char *if_match) {
  struct bo_object object = {.size = sizeof(object)};
  void *get = NULL;
  size_t size = 0;
  bo_buffer_clear(&rig->got);
  int result = rig->ops->get_open(rig->storage, key, offset_bytes, if_match, &object, &get, &rig->error);
  if (result != BO_OK) return result;
  do {
    char bytes[4096];
    result = rig->ops->get_read(get, bytes, sizeof(bytes), &size, &rig->error);
    if (result == BO_OK) (void)bo_buffer_append(&rig->got, bytes, size);
  } while (result == BO_OK && size > 0);
  rig->ops->get_close(get);
  return result;
}

static inline const char *get_text(struct rig *rig, const char *key) {
  int result = try_get(rig, key, 0, NULL);
  ck_assert_msg(result == BO_OK, "get %s: %s", key, rig->error.text);
  return bo_buffer_text(&rig->got);
}

static inline int rig_list_each_(void *context, const char *key, const struct bo_object *object) {
  struct rig *rig = context;
  (void)bo_buffer_printf(&rig->listed, "%s=%llu\n", key, (unsigned long long)object->size_bytes);
  return 0;
}

/* One page: "key=size" lines, and "..." when there are more. */
static inline const char *list_text(struct rig *rig, const char *prefix, const char *after, uint32_t limit) {
  int more = -1;
  bo_buffer_clear(&rig->listed);
  int result = rig->ops->list(rig->storage, prefix, after, limit, rig_list_each_, rig, &more, &rig->error);
  ck_assert_msg(result == BO_OK, "list: %s", rig->error.text);
  if (more) (void)bo_buffer_append_text(&rig->listed, "...");
  return bo_buffer_text(&rig->listed);
}

/* ---- what really lies in the folder: "path\n" for each file and folder but the state folder and metadata. */

static inline int rig_compare_(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static inline void rig_walk_(struct rig *rig, const char *path) {
  struct dirent **entries = NULL;
  int count = scandir(path, &entries, NULL, rig_compare_);
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name;
    BO_CLEANUP_BUFFER struct bo_buffer below = BO_BUFFER_INIT;
    ck_assert(bo_buffer_printf(&below, "%s/%s", path, name));
    const char *shown = below.bytes + strlen(rig->folder) + 1;
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
      if (strcmp(shown, FILE_STATE_FOLDER) != 0 &&
          strncmp(shown, FILE_METADATA_FOLDER, strlen(FILE_METADATA_FOLDER)) != 0)
        (void)bo_buffer_printf(&rig->tree, "%s\n", shown);
      if (entries[i]->d_type == DT_DIR) rig_walk_(rig, below.bytes);
    }
    free(entries[i]);
  }
  free(entries);
}

/* How many metadata files there are, and the path of one. */
static inline unsigned count_metadata_(struct rig *rig, char path[512]) {
  unsigned count = 0;
  int fd = openat(rig->root, FILE_METADATA_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  BO_CLEANUP_DIR DIR *folder = fd < 0 ? NULL : fdopendir(fd);
  for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    (void)snprintf(path, 512, "%s/%s/%s", rig->folder, FILE_METADATA_FOLDER, entry->d_name);
    count++;
  }
  return count;
}

static inline unsigned count_metadata(struct rig *rig) {
  char path[512];
  return count_metadata_(rig, path);
}

static inline void find_metadata(struct rig *rig, char path[512]) {
  ck_assert_uint_eq(count_metadata_(rig, path), 1);
}

static inline const char *tree_text(struct rig *rig) {
  bo_buffer_clear(&rig->tree);
  rig_walk_(rig, rig->folder);
  return bo_buffer_text(&rig->tree);
}

#endif
