/* Forgets gets that are open when it is closed. */
#include "tests/conformance/broken/storage/good.h"

static void close_but_gets(void *instance) {
  struct good_storage *storage = instance;
  storage->gets = NULL;
  good_close(storage);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->close = close_but_gets;
}
