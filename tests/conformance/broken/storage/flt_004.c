/* Does not look whether it was cancelled, in stat. */
#include "tests/conformance/broken/storage/good.h"

static int stat_anyway(void *instance, const char *key, struct bo_object *object, struct bo_error *error) {
  struct good_storage *storage = instance;
  int cancelled = storage->cancelled;
  storage->cancelled = 0;
  int result = good_stat(instance, key, object, error);
  storage->cancelled = cancelled;
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->stat = stat_anyway;
}
