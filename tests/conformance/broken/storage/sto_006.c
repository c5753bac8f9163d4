/* Commits what is there when a put is closed. */
#include "tests/conformance/broken/storage/good.h"

static int close_and_keep(void *instance, struct bo_error *error) {
  const struct good_put *put = instance;
  struct bo_object object = {.size = sizeof(object)};
  if (!put->committed) (void)good_put_commit(instance, &object, NULL);
  return good_put_close(instance, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_close = close_and_keep;
}
