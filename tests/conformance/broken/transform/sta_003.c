/* Searches for its libraries in a folder of the machine that it was built on: see conformance.mk. */
#include "tests/conformance/broken/transform/good.h"

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)operations, (void)host;
}
