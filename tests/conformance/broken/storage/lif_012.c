/* Fails without words when there is no object. */
#include "tests/conformance/broken/storage/good.h"

static int stat_silently(void *instance, const char *key, struct bo_object *object, struct bo_error *error) {
  int result = good_stat(instance, key, object, error);
  if (result != BO_OK) error->text[0] = '\0';
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->stat = stat_silently;
}
