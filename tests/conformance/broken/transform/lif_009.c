/* Greets on stdout. */
#include "tests/conformance/broken/transform/good.h"

static int open_and_greet(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                          struct bo_error *error) {
  (void)puts("good morning");
  return good_open(host, direction, config, instance, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_and_greet;
}
