/* Ignores the etag that a get wants. */
#include "tests/conformance/broken/storage/good.h"

static int get_any(void *instance, const char *key, uint64_t offset_bytes, const char *if_match,
                   struct bo_object *object, void **get, struct bo_error *error) {
  (void)if_match;
  return good_get_open(instance, key, offset_bytes, NULL, object, get, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->get_open = get_any;
}
