/* Does not store what is empty. */
#include "tests/conformance/broken/storage/good.h"

static int commit_parts(void *instance, struct bo_object *object, struct bo_error *error) {
  const struct good_put *put = instance;
  if (put->size_bytes == 0) return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "an object needs at least one part");
  return good_put_commit(instance, object, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_commit = commit_parts;
}
