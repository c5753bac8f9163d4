/* Logs through the host that bo_plugin_init got. */
#include "tests/conformance/broken/transform/good.h"

static const struct bo_host *first_host;

static int open_and_log(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                        struct bo_error *error) {
  first_host->log(first_host->context, BO_LOG_INFO, "opening");
  return good_open(host, direction, config, instance, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin;
  first_host = host;
  operations->open = open_and_log;
}
