/* Takes a small buffer for a reason to end. */
#include "tests/conformance/broken/storage/good.h"

static int read_much(void *instance, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  const struct good_get *get = instance;
  *size = 0;
  return capacity < 2 && !get->storage->cancelled ? BO_OK : good_get_read(instance, bytes, capacity, size, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->get_read = read_much;
}
