/* Cannot cancel a command. */
#include "tests/conformance/broken/platform/good.h"

static void cancel_nothing(void *exec) {
  (void)exec;
}

void spoil(struct bo_plugin *plugin, struct bo_platform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->exec_cancel = cancel_nothing;
}
