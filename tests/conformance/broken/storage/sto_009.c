/* Fails to discard what is gone. */
#include "tests/conformance/broken/storage/good.h"

#include <unistd.h>

static int discard_once(void *instance, const char *key, const char *token, struct bo_error *error) {
  const struct good_storage *storage = instance;
  char file[PATH_MAX];
  (void)snprintf(file, sizeof(file), "%s/p-%.32s", storage->path, token);
  if (access(file, F_OK) != 0) return bo_error_set(error, BO_CLASS_NOT_FOUND, 0, "there is no such put");
  return good_discard(instance, key, token, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->discard = discard_once;
}
