/* Keeps 4 MiB that it does not speak of. */
#include "tests/conformance/broken/storage/good.h"

static int write_buffered(void *instance, const void *bytes, size_t size, struct bo_error *error) {
  const struct good_put *put = instance;
  struct good_storage *storage = put->storage;
  if (storage->extra == NULL) storage->extra = storage->host->alloc(storage->host->context, 4 << 20);
  if (storage->extra == NULL) return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory");
  return good_put_write(instance, bytes, size, error);
}

static void close_buffer(void *instance) {
  const struct good_storage *storage = instance;
  storage->host->free(storage->host->context, storage->extra);
  good_close(instance);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_write = write_buffered;
  operations->close = close_buffer;
}
