/* Does not look whether there was randomness. */
#include "tests/conformance/broken/transform/good.h"

#include <sys/random.h>

static int any_random(void *context, void *bytes, size_t size) {
  (void)context;
  return getrandom(bytes, size, 0) == (ssize_t)size ? 0 : -1;
}

static int open_careless(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                         struct bo_error *error) {
  unsigned char bytes[8];
  struct bo_host careless = *host;
  careless.random = any_random;
  (void)host->random(host->context, bytes, sizeof(bytes));
  int result = good_open(&careless, direction, config, instance, error);
  if (result == BO_OK) ((struct good *)*instance)->host = host;
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_careless;
}
