/* Says nothing of where it comes from. */
#include "tests/conformance/broken/transform/good.h"

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)operations, (void)host;
  plugin->origin = NULL;
}
