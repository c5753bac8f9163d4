/* Ignores the etag that a remove wants. */
#include "tests/conformance/broken/storage/good.h"

static int remove_any(void *instance, const char *key, const char *if_match, struct bo_error *error) {
  (void)if_match;
  return good_remove(instance, key, NULL, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->remove = remove_any;
}
