/* Has another etag for stat. */
#include "tests/conformance/broken/storage/good.h"

static int stat_weakly(void *instance, const char *key, struct bo_object *object, struct bo_error *error) {
  int result = good_stat(instance, key, object, error);
  if (result == BO_OK) object->etag[0] = 'W';
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->stat = stat_weakly;
}
