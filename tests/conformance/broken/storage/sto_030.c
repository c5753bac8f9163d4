/* Removes what is not there, and is content. */
#include "tests/conformance/broken/storage/good.h"

static int remove_quietly(void *instance, const char *key, const char *if_match, struct bo_error *error) {
  int result = good_remove(instance, key, if_match, error);
  return result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND ? BO_OK : result;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->remove = remove_quietly;
}
