/* Calls it a failed read when there is no object. */
#include "tests/conformance/broken/storage/good.h"

static int stat_or_fail(void *instance, const char *key, struct bo_object *object, struct bo_error *error) {
  int result = good_stat(instance, key, object, error);
  if (result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND) error->error_class = BO_CLASS_IO;
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->stat = stat_or_fail;
}
