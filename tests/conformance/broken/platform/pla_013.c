/* Starts workloads after it was cancelled. */
#include "tests/conformance/broken/platform/good.h"

static void cancel_nothing(void *platform) {
  (void)platform;
}

void spoil(struct bo_plugin *plugin, struct bo_platform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->cancel = cancel_nothing;
}
