/* Opens the object anew for each read. */
#include "tests/conformance/broken/storage/good.h"

#include <fcntl.h>
#include <unistd.h>

static int get_path(void *instance, const char *key, uint64_t offset_bytes, const char *if_match,
                    struct bo_object *object, void **get, struct bo_error *error) {
  struct good_storage *storage = instance;
  int result = good_get_open(instance, key, offset_bytes, if_match, object, get, error);
  if (result != BO_OK) return result;
  struct good_get *opened = *get;
  opened->extra = storage->host->alloc(storage->host->context, PATH_MAX);
  if (opened->extra == NULL) {
    good_get_close(opened);
    return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory");
  }
  return good_object_file(storage, key, opened->extra, error);
}

static int read_path(void *instance, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  struct good_get *get = instance;
  int fd = open(get->extra, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return bo_error_set(error, BO_CLASS_IO, 0, "the object cannot be opened again");
  (void)lseek(fd, lseek(get->fd, 0, SEEK_CUR), SEEK_SET);
  (void)close(get->fd);
  get->fd = fd;
  return good_get_read(instance, bytes, capacity, size, error);
}

static void close_get(void *instance) {
  const struct good_get *get = instance;
  get->storage->host->free(get->storage->host->context, get->extra);
  good_get_close(instance);
}

static void close_gets(void *instance) {
  const struct good_storage *storage = instance;
  while (storage->gets != NULL)
    close_get(storage->gets);
  good_close(instance);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->get_open = get_path;
  operations->get_read = read_path;
  operations->get_close = close_get;
  operations->close = close_gets;
}
