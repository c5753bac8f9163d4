/* Frees its copy of the secrets as it is. */
#include "tests/conformance/broken/transform/good.h"

static void close_carelessly(void *instance) {
  struct good *good = instance;
  good->host->free(good->host->context, good->secrets);
  good->secrets = NULL;
  good_close(instance);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->close = close_carelessly;
}
