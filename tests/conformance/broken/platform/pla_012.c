/* Has no room for what a restore's command writes. */
#include "tests/conformance/broken/platform/good.h"

void spoil(struct bo_plugin *plugin, struct bo_platform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)operations, (void)host;
  good_stdout = "/dev/full";
}
