/* Opens a file when it is loaded. */
#include "tests/conformance/broken/transform/good.h"

#include <fcntl.h>

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)operations, (void)host;
  if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) plugin->name = NULL;
}
