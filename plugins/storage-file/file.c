/*
 * plugins/storage-file/file.c - the storage `file`: a folder, local or mounted, holds the objects as plain files.
 *
 * For one server without an object store, and for a network share. What a user must know is in storage-file.md; how
 * the folder is laid out is in storage-file.h; why nothing partial is ever visible is in put.c.
 */
#include "plugins/storage-file/storage-file.h"

#include "core/base/error.h"

enum { PARAM_PATH, PARAM_COUNT };

#define ORPHAN_AGE_MS 60000

static const struct bo_param params[PARAM_COUNT] = {
    [PARAM_PATH] = {.key = "path",
                    .type = BO_TYPE_STRING,
                    .flags = BO_PARAM_REQUIRED,
                    .minimum = 1,
                    .maximum = 4000,
                    .description = "The folder that holds the objects: an absolute path. It must exist; it is never "
                                   "made, so that a typo or a missing mount does not fill another disk."},
};

bool file_cancelled(struct file_storage *storage) {
  return atomic_load(&storage->cancelled) || storage->host->cancelled(storage->host->context) != 0;
}

int file_check_cancelled(struct file_storage *storage, struct bo_error *error) {
  if (!file_cancelled(storage)) return BO_OK;
  return bo_error_set(error, BO_CLASS_CANCELLED, 0, "the storage was asked to stop");
}

static int file_open(const struct bo_host *host, const struct bo_config *config, void **out, struct bo_error *error) {
  const char *path = config->value_count > PARAM_PATH ? config->values[PARAM_PATH].string : NULL;
  if (path == NULL || path[0] == '\0')
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the parameter `path` is missing: name the folder for the objects");
  if (path[0] != '/')
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the parameter `path` is '%.300s': it must begin with a slash",
                        path);
  struct file_storage *storage = host->alloc(host->context, sizeof(*storage));
  char *copy = host->alloc(host->context, strlen(path) + 1);
  if (storage == NULL || copy == NULL) {
    host->free(host->context, storage);
    host->free(host->context, copy);
    return bo_error_no_memory(error);
  }
  memset(storage, 0, sizeof(*storage));
  memcpy(copy, path, strlen(path) + 1);
  storage->host = host;
  storage->path = copy;
  storage->orphan_age_ms = ORPHAN_AGE_MS;
  *out = storage;
  return BO_OK;
}

static void file_close(void *instance) {
  struct file_storage *storage = instance;
  const struct bo_host *host = storage->host;
  file_put_close_all(storage);
  file_get_close_all(storage);
  host->free(host->context, storage->path);
  host->free(host->context, storage);
}

static void file_cancel(void *instance) {
  struct file_storage *storage = instance;
  atomic_store(&storage->cancelled, true);
}

/* Nothing is buffered: what a put or a get holds is its struct, and OpenSSL's digest while a key is hashed. */
static uint64_t file_memory_bytes(const struct bo_config *config, int64_t size_hint_bytes) {
  (void)config;
  (void)size_hint_bytes;
  return UINT64_C(64) * 1024;
}

static const struct bo_storage_operations operations = {
    .header = BO_HEADER(struct bo_storage_operations),
    .open = file_open,
    .close = file_close,
    .cancel = file_cancel,
    .probe = file_probe,
    .put_open = file_put_open,
    .put_write = file_put_write,
    .put_commit = file_put_commit,
    .put_close = file_put_close,
    .discard = file_discard,
    .get_open = file_get_open,
    .get_read = file_get_read,
    .get_close = file_get_close,
    .stat = file_stat,
    .list = file_list,
    .remove = file_remove,
    .sweep = file_sweep,
    .memory_bytes = file_memory_bytes,
};

static const struct bo_plugin plugin = {
    .header = BO_HEADER(struct bo_plugin),
    .kind = BO_KIND_STORAGE,
    .name = "file",
    .version = BO_VERSION,
    .license = "Apache-2.0",
    .origin = "backup-operator",
    .description = "Keeps objects as plain files in a folder, local or mounted",
    .param_count = PARAM_COUNT,
    .param_size = sizeof(struct bo_param),
    .params = params,
    .operations = &operations,
};

const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error) {
  return bo_host_check(host, error) == BO_OK ? &plugin : NULL;
}
