/* Removes the object, too, when a put is discarded. */
#include "tests/conformance/broken/storage/good.h"

static int discard_all(void *instance, const char *key, const char *token, struct bo_error *error) {
  (void)good_remove(instance, key, NULL, NULL);
  return good_discard(instance, key, token, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->discard = discard_all;
}
