/* Wants an executable stack: see conformance.mk. */
#include "tests/conformance/broken/transform/good.h"

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)operations, (void)host;
}
