/* Logs when it is loaded, whatever host loads it. */
#include "tests/conformance/broken/transform/good.h"

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)operations;
  host->log(host->context, BO_LOG_DEBUG, "loaded");
}
