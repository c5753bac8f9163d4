/* Gives back metadata by stat alone. */
#include "tests/conformance/broken/storage/good.h"

static int get_bare(void *instance, const char *key, uint64_t offset_bytes, const char *if_match,
                    struct bo_object *object, void **get, struct bo_error *error) {
  int result = good_get_open(instance, key, offset_bytes, if_match, object, get, error);
  if (result == BO_OK) object->metadata_count = 0;
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->get_open = get_bare;
}
