/* Never frees a block of the host's memory. */
#include "tests/conformance/broken/transform/good.h"

static int open_and_leak(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                         struct bo_error *error) {
  void *block = host->alloc(host->context, 100);
  if (block == NULL) return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory");
  return good_open(host, direction, config, instance, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_and_leak;
}
