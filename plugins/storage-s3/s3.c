/*
 * plugins/storage-s3/s3.c - the storage `s3`: a bucket of any server that speaks the S3 protocol.
 *
 * What a user must know is in storage-s3.md; how the files of this folder stand on each other is in storage-s3.h.
 */
#include "core/base/error.h"
#include "core/base/text.h"
#include "plugins/storage-s3/storage-s3.h"

/* What an instance takes beside its parts, much of it address space only: the stacks of its thread and of libcurl's
 * resolver, connections with their buffers and TLS, an answer, the ring of a get, the etags of 10,000 parts. */
#define OWN_BYTES (UINT64_C(64) << 20)

int s3_check_cancelled(struct s3_storage *storage, struct bo_error *error) {
  if (!s3_http_cancelled(&storage->http)) return BO_OK;
  return bo_error_set(error, BO_CLASS_CANCELLED, 0, "the storage was asked to stop");
}

/* "." and ".." between slashes: proxies and servers on their way make another key of it. */
static bool has_dots(const char *key) {
  for (const char *part = key; part != NULL; part = strchr(part, '/')) {
    if (*part == '/') part++;
    size_t length = strcspn(part, "/");
    if ((length == 1 || length == 2) && strncmp(part, "..", length) == 0) return true;
  }
  return false;
}

int s3_check_key(const struct s3_storage *storage, const char *key, struct bo_error *error) {
  size_t length = strlen(key);
  if (length == 0 || key[0] == '/')
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the key " S3_KEY_SHOWN " is empty or begins with a slash", key);
  if (has_dots(key))
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "the key " S3_KEY_SHOWN " has a part that is . or .., which servers make another key of", key);
  if (length + strlen(storage->config.prefix) > BO_KEY_MAX)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "the key " S3_KEY_SHOWN " is, with the prefix, longer than the %d bytes that S3 allows", key,
                        BO_KEY_MAX);
  if (!bo_is_utf8(key, length)) return bo_error_set(error, BO_CLASS_CONFIG, 0, "the key is not valid UTF-8");
  return BO_OK;
}

static int s3_open(const struct bo_host *host, const struct bo_config *config, void **out, struct bo_error *error) {
  struct s3_storage *storage = host->alloc(host->context, sizeof(*storage));
  if (storage == NULL) return bo_error_no_memory(error);
  memset(storage, 0, sizeof(*storage));
  storage->host = host;
  if (s3_config_read(&storage->config, config, error) == BO_OK &&
      s3_config_credentials(&storage->credentials, &storage->secrets, config, error) == BO_OK &&
      s3_http_init(&storage->http, host, error) == BO_OK) {
    *out = storage;
    return BO_OK;
  }
  s3_config_free(&storage->config);
  bo_arena_free(&storage->secrets);
  host->free(host->context, storage);
  return BO_ERROR;
}

static void s3_close(void *instance) {
  struct s3_storage *storage = instance;
  const struct bo_host *host = storage->host;
  s3_put_close_all(storage);
  s3_get_close_all(storage);
  s3_http_destroy(&storage->http);
  s3_config_free(&storage->config);
  bo_arena_free(&storage->secrets);
  host->free(host->context, storage);
}

static void s3_cancel(void *instance) {
  struct s3_storage *storage = instance;
  s3_http_cancel(&storage->http);
}

static uint64_t s3_memory_bytes(const struct bo_config *given, int64_t size_hint_bytes) {
  struct s3_config config;
  struct s3_plan plan;
  int64_t largest = 0;
  uint64_t parts = 0;
  if (s3_config_read(&config, given, NULL) == BO_OK && s3_config_plan(&config, size_hint_bytes, &plan, NULL) == BO_OK) {
    (void)s3_plan_capacity(&plan, &largest);
    parts = (uint64_t)(largest > plan.buffer_bytes ? largest : plan.buffer_bytes);
  }
  s3_config_free(&config);
  return OWN_BYTES + parts;
}

static const struct bo_storage_operations operations = {
    .header = BO_HEADER(struct bo_storage_operations),
    .open = s3_open,
    .close = s3_close,
    .cancel = s3_cancel,
    .probe = s3_probe,
    .put_open = s3_put_open,
    .put_write = s3_put_write,
    .put_commit = s3_put_commit,
    .put_close = s3_put_close,
    .discard = s3_discard,
    .get_open = s3_get_open,
    .get_read = s3_get_read,
    .get_close = s3_get_close,
    .stat = s3_stat,
    .list = s3_list,
    .remove = s3_remove,
    .sweep = s3_sweep,
    .memory_bytes = s3_memory_bytes,
};

static const struct bo_plugin plugin = {
    .header = BO_HEADER(struct bo_plugin),
    .kind = BO_KIND_STORAGE,
    .name = "s3",
    .version = BO_VERSION,
    .license = "Apache-2.0",
    .origin = "backup-operator",
    .description = "Keeps objects in a bucket of Amazon S3, or of any server that speaks its protocol",
    .threads = 2, /* its own, and one of libcurl's that resolves names */
    .param_count = S3_PARAM_COUNT,
    .param_size = sizeof(struct bo_param),
    .params = s3_params,
    .operations = &operations,
};

const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error) {
  return bo_host_check(host, error) == BO_OK ? &plugin : NULL;
}
