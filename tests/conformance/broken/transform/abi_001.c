/* Wants the host's table to have exactly the size that it knows. */
#include "tests/conformance/broken/transform/good.h"

static int open_exact(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                      struct bo_error *error) {
  if (host->header.size != sizeof(struct bo_host))
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "this host is another one");
  return good_open(host, direction, config, instance, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_exact;
}
