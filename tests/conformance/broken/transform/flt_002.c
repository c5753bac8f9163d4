/* Keeps its first block when the second one fails. */
#include "tests/conformance/broken/transform/good.h"

static int open_block(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                      struct bo_error *error) {
  void *block = host->alloc(host->context, 100);
  if (block == NULL) return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory");
  if (good_open(host, direction, config, instance, error) != BO_OK) return BO_ERROR;
  ((struct good *)*instance)->extra = block;
  return BO_OK;
}

static void close_block(void *instance) {
  const struct good *good = instance;
  good->host->free(good->host->context, good->extra);
  good_close(instance);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_block;
  operations->close = close_block;
}
