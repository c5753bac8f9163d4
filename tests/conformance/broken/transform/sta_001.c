/* Exports a helper beside bo_plugin_init. */
#include "tests/conformance/broken/transform/good.h"

BO_EXPORT int convenient_helper(void);

int convenient_helper(void) {
  return 7;
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)operations, (void)host;
}
