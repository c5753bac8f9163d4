/* tests/conformance/broken/storage/good.c - see good.h. */
#include "tests/conformance/broken/storage/good.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int fail(struct bo_error *error, int code, const char *what) {
  int class = code == ENOENT ? BO_CLASS_NOT_FOUND : code == ENOMEM ? BO_CLASS_NO_MEMORY : BO_CLASS_IO;
  return bo_error_set(error, class, code, "%s: %s", what, strerror(code));
}

int good_check(struct good_storage *storage, struct bo_error *error) {
  if (!__atomic_load_n(&storage->cancelled, __ATOMIC_ACQUIRE)) return BO_OK;
  return bo_error_set(error, BO_CLASS_CANCELLED, 0, "the storage was asked to stop");
}

int good_object_file(const struct good_storage *storage, const char *key, char file[PATH_MAX], struct bo_error *error) {
  size_t size = strlen(key);
  if (size > GOOD_KEY_MAX)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "a key of %zu bytes is too long for this storage", size);
  int used = snprintf(file, PATH_MAX, "%s/o-", storage->path);
  for (size_t i = 0; i < size; i++)
    used += snprintf(file + used, PATH_MAX - (size_t)used, "%02x", (unsigned char)key[i]);
  return BO_OK;
}

static int read_record(int fd, struct good_record *record, struct bo_object *object) {
  struct stat status;
  if (pread(fd, record, sizeof(*record), 0) != (ssize_t)sizeof(*record) || fstat(fd, &status) != 0) return -1;
  if (object == NULL) return 0;
  uint32_t size = object->size;
  memset(object, 0, sizeof(*object));
  object->size = size;
  object->size_bytes = (uint64_t)status.st_size - sizeof(*record);
  object->modified_unix_ms = (int64_t)status.st_mtim.tv_sec * 1000;
  memcpy(object->etag, record->etag, sizeof(record->etag));
  object->metadata_count = record->metadata_count;
  memcpy(object->metadata, record->metadata, sizeof(record->metadata));
  return 0;
}

/* ---- the instance ---- */

int good_open(const struct bo_host *host, const struct bo_config *config, void **instance, struct bo_error *error) {
  struct good_storage *storage = host->alloc(host->context, sizeof(*storage));
  if (storage == NULL) return fail(error, ENOMEM, "an instance");
  memset(storage, 0, sizeof(*storage));
  storage->host = host;
  (void)snprintf(storage->path, sizeof(storage->path), "%s", config->values[0].string);
  *instance = storage;
  return BO_OK;
}

void good_close(void *instance) {
  struct good_storage *storage = instance;
  while (storage->puts != NULL)
    (void)good_put_close(storage->puts, NULL);
  while (storage->gets != NULL)
    good_get_close(storage->gets);
  storage->host->free(storage->host->context, storage);
}

void good_cancel(void *instance) {
  __atomic_store_n(&((struct good_storage *)instance)->cancelled, 1, __ATOMIC_RELEASE);
}

int good_probe(void *instance, uint32_t what, struct bo_error *error) {
  struct good_storage *storage = instance;
  if (good_check(storage, error) != BO_OK) return BO_ERROR;
  if (access(storage->path, (what & BO_PROBE_WRITE) != 0 ? R_OK | W_OK : R_OK) == 0) return BO_OK;
  return fail(error, errno, storage->path);
}

/* ---- puts ---- */

static void random_name(const struct bo_host *host, char name[33], int *failed) {
  unsigned char bytes[16];
  *failed = host->random(host->context, bytes, sizeof(bytes));
  for (int i = 0; i < 16 && !*failed; i++)
    (void)snprintf(name + 2 * (size_t)i, 3, "%02x", bytes[i]);
}

static int begin(struct good_put *put, const char *key, const struct bo_put_options *options, struct bo_error *error) {
  char name[33], file[PATH_MAX];
  int failed = 0;
  if (good_object_file(put->storage, key, file, error) != BO_OK) return BO_ERROR;
  random_name(put->storage->host, name, &failed);
  if (failed) return bo_error_set(error, BO_CLASS_INTERNAL, 0, "there is no randomness");
  struct good_record record = {.metadata_count = 0};
  (void)snprintf(record.key, sizeof(record.key), "%s", key);
  (void)snprintf(record.etag, sizeof(record.etag), "%s", name);
  for (uint32_t i = 0; i < options->metadata_count && i < BO_METADATA_MAX; i++) {
    struct bo_metadata *metadata = &record.metadata[record.metadata_count++];
    (void)snprintf(metadata->name, sizeof(metadata->name), "%s", options->metadata[i].name);
    (void)snprintf(metadata->value, sizeof(metadata->value), "%s", options->metadata[i].value);
  }
  (void)snprintf(put->file, sizeof(put->file), "%s/p-%s", put->storage->path, name);
  put->fd = open(put->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (put->fd < 0) {
    int code = errno;
    put->file[0] = '\0';
    return fail(error, code, "beginning a put");
  }
  if (write(put->fd, &record, sizeof(record)) != (ssize_t)sizeof(record)) return fail(error, EIO, "beginning a put");
  put->record = record;
  return BO_OK;
}

int good_put_open(void *instance, const char *key, const struct bo_put_options *options, struct bo_token *token,
                  void **out, struct bo_error *error) {
  struct good_storage *storage = instance;
  if (good_check(storage, error) != BO_OK) return BO_ERROR;
  struct good_put *put = storage->host->alloc(storage->host->context, sizeof(*put));
  if (put == NULL) return fail(error, ENOMEM, "a put");
  memset(put, 0, sizeof(*put));
  put->storage = storage;
  put->fd = -1;
  put->next = storage->puts;
  storage->puts = put;
  if (begin(put, key, options, error) != BO_OK) {
    (void)good_put_close(put, NULL);
    return BO_ERROR;
  }
  (void)snprintf(token->text, sizeof(token->text), "%s", put->record.etag);
  *out = put;
  return BO_OK;
}

int good_put_write(void *instance, const void *bytes, size_t size, struct bo_error *error) {
  struct good_put *put = instance;
  if (good_check(put->storage, error) != BO_OK) return BO_ERROR;
  for (size_t done = 0; done < size;) {
    ssize_t written = write(put->fd, (const char *)bytes + done, size - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(error, errno, "writing");
    done += (size_t)written;
  }
  put->size_bytes += size;
  return BO_OK;
}

int good_put_commit(void *instance, struct bo_object *object, struct bo_error *error) {
  struct good_put *put = instance;
  char file[PATH_MAX];
  if (good_check(put->storage, error) != BO_OK || good_object_file(put->storage, put->record.key, file, error) != BO_OK)
    return BO_ERROR;
  if (fsync(put->fd) != 0 || read_record(put->fd, &put->record, object) != 0) return fail(error, errno, "committing");
  if (object->size_bytes != put->size_bytes) return fail(error, EIO, "committing");
  if (rename(put->file, file) != 0) return fail(error, errno, "committing");
  put->committed = 1;
  return BO_OK;
}

int good_put_close(void *instance, struct bo_error *error) {
  struct good_put *put = instance;
  struct good_storage *storage = put->storage;
  int result = BO_OK;
  struct good_put **link = &storage->puts;
  while (*link != put)
    link = &(*link)->next;
  *link = put->next;
  if (put->fd >= 0) (void)close(put->fd);
  if (!put->committed && put->file[0] != '\0' && unlink(put->file) != 0 && errno != ENOENT)
    result = fail(error, errno, "aborting a put");
  storage->host->free(storage->host->context, put);
  return result;
}

int good_discard(void *instance, const char *key, const char *token, struct bo_error *error) {
  const struct good_storage *storage = instance;
  char file[PATH_MAX];
  (void)key;
  (void)snprintf(file, sizeof(file), "%s/p-%.32s", storage->path, token);
  return unlink(file) == 0 || errno == ENOENT ? BO_OK : fail(error, errno, "discarding a put");
}

/* ---- objects ---- */

static int open_object(struct good_storage *storage, const char *key, struct bo_object *object, int *fd,
                       struct bo_error *error) {
  struct good_record record;
  char file[PATH_MAX];
  if (good_check(storage, error) != BO_OK || good_object_file(storage, key, file, error) != BO_OK) return BO_ERROR;
  *fd = open(file, O_RDONLY | O_CLOEXEC);
  if (*fd < 0) return fail(error, errno, "the object");
  if (read_record(*fd, &record, object) == 0) return BO_OK;
  (void)close(*fd);
  return fail(error, EIO, "the object");
}

static int conflict(const struct bo_object *object, const char *if_match, struct bo_error *error) {
  if (if_match == NULL || strcmp(if_match, object->etag) == 0) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFLICT, 0, "the object has changed");
}

int good_get_open(void *instance, const char *key, uint64_t offset_bytes, const char *if_match,
                  struct bo_object *object, void **out, struct bo_error *error) {
  struct good_storage *storage = instance;
  int fd = -1;
  if (open_object(storage, key, object, &fd, error) != BO_OK) return BO_ERROR;
  int result = conflict(object, if_match, error);
  if (result == BO_OK && offset_bytes > object->size_bytes)
    result = bo_error_set(error, BO_CLASS_CONFIG, 0, "the offset is past the end");
  struct good_get *get = result == BO_OK ? storage->host->alloc(storage->host->context, sizeof(*get)) : NULL;
  if (result == BO_OK && get == NULL) result = fail(error, ENOMEM, "a get");
  if (result != BO_OK) {
    (void)close(fd);
    return result;
  }
  *get = (struct good_get){.storage = storage, .next = storage->gets, .fd = fd};
  storage->gets = get;
  (void)lseek(fd, (off_t)(sizeof(struct good_record) + offset_bytes), SEEK_SET);
  *out = get;
  return BO_OK;
}

int good_get_read(void *instance, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  struct good_get *get = instance;
  if (good_check(get->storage, error) != BO_OK) return BO_ERROR;
  ssize_t got = 0;
  do
    got = read(get->fd, bytes, capacity);
  while (got < 0 && errno == EINTR);
  if (got < 0) return fail(error, errno, "reading");
  *size = (size_t)got;
  return BO_OK;
}

void good_get_close(void *instance) {
  struct good_get *get = instance;
  struct good_get **link = &get->storage->gets;
  while (*link != get)
    link = &(*link)->next;
  *link = get->next;
  (void)close(get->fd);
  get->storage->host->free(get->storage->host->context, get);
}

int good_stat(void *instance, const char *key, struct bo_object *object, struct bo_error *error) {
  int fd = -1;
  if (open_object(instance, key, object, &fd, error) != BO_OK) return BO_ERROR;
  (void)close(fd);
  return BO_OK;
}

int good_remove(void *instance, const char *key, const char *if_match, struct bo_error *error) {
  struct bo_object object = {.size = sizeof(object)};
  char file[PATH_MAX];
  if (good_stat(instance, key, &object, error) != BO_OK || conflict(&object, if_match, error) != BO_OK ||
      good_object_file(instance, key, file, error) != BO_OK)
    return BO_ERROR;
  return unlink(file) == 0 ? BO_OK : fail(error, errno, "removing");
}

/* ---- the folder ---- */

/* The smallest key after `after` that has the prefix, found by looking at all: short, not fast. */
static int next_key(struct good_storage *storage, const char *prefix, const char *after, char key[GOOD_KEY_MAX + 1],
                    struct bo_error *error) {
  DIR *folder = opendir(storage->path);
  if (folder == NULL) return fail(error, errno, storage->path);
  key[0] = '\0';
  for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    char found[GOOD_KEY_MAX + 1];
    size_t size = strlen(entry->d_name) / 2 - 1;
    if (strncmp(entry->d_name, "o-", 2) != 0 || size > GOOD_KEY_MAX) continue;
    for (size_t i = 0; i < size; i++)
      found[i] = (char)strtol((char[]){entry->d_name[2 + 2 * i], entry->d_name[3 + 2 * i], '\0'}, NULL, 16);
    found[size] = '\0';
    if (strncmp(found, prefix, strlen(prefix)) != 0 || strcmp(found, after) <= 0) continue;
    if (key[0] == '\0' || strcmp(found, key) < 0) memcpy(key, found, sizeof(found));
  }
  (void)closedir(folder);
  return BO_OK;
}

int good_list(void *instance, const char *prefix, const char *after, uint32_t limit, bo_list_function *each,
              void *context, int *more, struct bo_error *error) {
  char key[GOOD_KEY_MAX + 1], last[BO_KEY_MAX + 128];
  (void)snprintf(last, sizeof(last), "%s", after == NULL ? "" : after);
  *more = 0;
  for (uint32_t count = 0;; count++) {
    struct bo_object object = {.size = sizeof(object)};
    if (good_check(instance, error) != BO_OK || next_key(instance, prefix, last, key, error) != BO_OK) return BO_ERROR;
    if (key[0] == '\0') return BO_OK;
    if (count == limit) {
      *more = 1;
      return BO_OK;
    }
    if (good_stat(instance, key, &object, error) != BO_OK) return BO_ERROR;
    object.metadata_count = 0;
    if (each(context, key, &object) != 0) return BO_OK;
    (void)snprintf(last, sizeof(last), "%s", key);
  }
}

int good_sweep(void *instance, const char *prefix, uint64_t older_than_seconds, uint64_t *count,
               struct bo_error *error) {
  struct good_storage *storage = instance;
  if (good_check(storage, error) != BO_OK) return BO_ERROR;
  DIR *folder = opendir(storage->path);
  if (folder == NULL) return fail(error, errno, storage->path);
  *count = 0;
  for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    struct good_record record;
    struct stat status;
    int fd = strncmp(entry->d_name, "p-", 2) == 0 ? openat(dirfd(folder), entry->d_name, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) continue;
    int due = fstat(fd, &status) == 0 && time(NULL) - status.st_mtim.tv_sec >= (int64_t)older_than_seconds &&
              read_record(fd, &record, NULL) == 0 && strncmp(record.key, prefix, strlen(prefix)) == 0;
    (void)close(fd);
    if (due && unlinkat(dirfd(folder), entry->d_name, 0) == 0) ++*count;
  }
  (void)closedir(folder);
  return BO_OK;
}

uint64_t good_memory_bytes(const struct bo_config *config, int64_t size_hint_bytes) {
  (void)config, (void)size_hint_bytes;
  return sizeof(struct good_storage) + sizeof(struct good_put) + 65536;
}

/* ---- what it is ---- */

static struct bo_storage_operations operations = {
    .header = BO_HEADER(struct bo_storage_operations),
    .open = good_open,
    .close = good_close,
    .cancel = good_cancel,
    .probe = good_probe,
    .put_open = good_put_open,
    .put_write = good_put_write,
    .put_commit = good_put_commit,
    .put_close = good_put_close,
    .discard = good_discard,
    .get_open = good_get_open,
    .get_read = good_get_read,
    .get_close = good_get_close,
    .stat = good_stat,
    .list = good_list,
    .remove = good_remove,
    .sweep = good_sweep,
    .memory_bytes = good_memory_bytes,
};

static const struct bo_param params[] = {
    {.key = "path", .type = BO_TYPE_STRING, .flags = BO_PARAM_REQUIRED, .maximum = 3000, .description = "A folder."},
};

static struct bo_plugin plugin = {
    .header = BO_HEADER(struct bo_plugin),
    .kind = BO_KIND_STORAGE,
    .name = "good",
    .version = "1",
    .license = "Apache-2.0",
    .origin = "tests",
    .description = "A storage for the tests of plugin-conformance.",
    .threads = 0,
    .param_count = 1,
    .param_size = sizeof(struct bo_param),
    .params = params,
    .operations = &operations,
};

const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error) {
  (void)error;
  spoil(&plugin, &operations, host);
  return &plugin;
}
