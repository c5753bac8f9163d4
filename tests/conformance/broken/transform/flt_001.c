/* Calls a lack of memory an internal error. */
#include "tests/conformance/broken/transform/good.h"

static int open_or_wonder(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                          struct bo_error *error) {
  int result = good_open(host, direction, config, instance, error);
  if (result != BO_OK && error->error_class == BO_CLASS_NO_MEMORY) error->error_class = BO_CLASS_INTERNAL;
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_or_wonder;
}
