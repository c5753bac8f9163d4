/* Always uses the same nonce. */
#include "tests/conformance/broken/transform/good.h"

static int open_fixed(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                      struct bo_error *error) {
  int result = good_open(host, direction, config, instance, error);
  if (result == BO_OK && direction == BO_ENCODE) ((struct good *)*instance)->nonce = 4;
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_fixed;
}
