/* Decodes whenever it is not told to encode. */
#include "tests/conformance/broken/transform/good.h"

static int open_either(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                       struct bo_error *error) {
  return good_open(host, direction == BO_ENCODE ? BO_ENCODE : BO_DECODE, config, instance, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_either;
}
