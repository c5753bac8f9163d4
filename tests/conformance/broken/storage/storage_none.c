/* The good storage itself, with nothing spoiled. */
#include "tests/conformance/broken/storage/good.h"

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)operations, (void)host;
}
