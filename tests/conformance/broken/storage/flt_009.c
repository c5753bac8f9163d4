/* Does not look how much was written. */
#include "tests/conformance/broken/storage/good.h"

#include <unistd.h>

static int write_some(void *instance, const void *bytes, size_t size, struct bo_error *error) {
  struct good_put *put = instance;
  ssize_t written = size == 0 ? 0 : write(put->fd, bytes, size);
  if (good_check(put->storage, error) != BO_OK) return BO_ERROR;
  if (written > 0) put->size_bytes += (uint64_t)written;
  return BO_OK;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_write = write_some;
}
