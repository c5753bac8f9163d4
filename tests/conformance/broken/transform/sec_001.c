/* Logs its secrets. */
#include "tests/conformance/broken/transform/good.h"

static int open_loudly(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                       struct bo_error *error) {
  for (uint32_t i = 0; i < config->secret_count; i++)
    host->log(host->context, BO_LOG_DEBUG, (const char *)config->secrets[i].bytes);
  return good_open(host, direction, config, instance, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_loudly;
}
