/* Cannot read from the end of an object. */
#include "tests/conformance/broken/storage/good.h"

static int get_range(void *instance, const char *key, uint64_t offset_bytes, const char *if_match,
                     struct bo_object *object, void **get, struct bo_error *error) {
  int result = good_get_open(instance, key, offset_bytes, if_match, object, get, error);
  if (result != BO_OK || offset_bytes == 0 || offset_bytes < object->size_bytes) return result;
  good_get_close(*get);
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "the range cannot be satisfied");
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->get_open = get_range;
}
