/* Changes the umask of the whole process. */
#include "tests/conformance/broken/transform/good.h"

#include <sys/stat.h>

static int open_and_protect(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                            struct bo_error *error) {
  (void)umask(077);
  return good_open(host, direction, config, instance, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_and_protect;
}
