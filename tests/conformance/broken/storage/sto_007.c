/* Commits the puts that are open when it is closed. */
#include "tests/conformance/broken/storage/good.h"

static void close_and_commit(void *instance) {
  const struct good_storage *storage = instance;
  struct bo_object object = {.size = sizeof(object)};
  for (struct good_put *put = storage->puts; put != NULL; put = put->next)
    (void)good_put_commit(put, &object, NULL);
  good_close(instance);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->close = close_and_commit;
}
