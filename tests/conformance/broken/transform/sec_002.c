/* Quotes a key that it does not like. */
#include "tests/conformance/broken/transform/good.h"

static int open_and_quote(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                          struct bo_error *error) {
  for (uint32_t i = 0; i < config->secret_count; i++)
    if (strcmp(config->secrets[i].name, "key") == 0 && config->secrets[i].size == 40)
      return bo_error_set(error, BO_CLASS_CONFIG, 0, "the key \"%s\" is malformed", config->secrets[i].bytes);
  return good_open(host, direction, config, instance, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_and_quote;
}
