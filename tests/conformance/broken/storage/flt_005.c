/* Undoes nothing any more once it was cancelled. */
#include "tests/conformance/broken/storage/good.h"

static int close_unless_cancelled(void *instance, struct bo_error *error) {
  struct good_put *put = instance;
  if (put->storage->cancelled) put->file[0] = '\0';
  return good_put_close(instance, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_close = close_unless_cancelled;
}
