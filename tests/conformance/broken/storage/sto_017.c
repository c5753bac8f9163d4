/* Thinks that a folder that is missing will be made. */
#include "tests/conformance/broken/storage/good.h"

static int probe_hopefully(void *instance, uint32_t what, struct bo_error *error) {
  int result = good_probe(instance, what, error);
  return result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND ? BO_OK : result;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->probe = probe_hopefully;
}
