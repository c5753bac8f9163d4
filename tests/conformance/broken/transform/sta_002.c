/* Takes a function from whatever program loads it. */
#include "tests/conformance/broken/transform/good.h"

extern int function_of_the_host(void);

static int open_with_host(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                          struct bo_error *error) {
  if (function_of_the_host() != 0) return bo_error_set(error, BO_CLASS_INTERNAL, 0, "the host does not want to");
  return good_open(host, direction, config, instance, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_with_host;
}
