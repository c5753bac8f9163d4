/* Loses a byte of every large write. */
#include "tests/conformance/broken/platform/good.h"

static int write_most(void *exec, const void *bytes, size_t size, struct bo_error *error) {
  return good_exec_write(exec, bytes, size > 50000 ? size - 1 : size, error);
}

void spoil(struct bo_plugin *plugin, struct bo_platform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->exec_write = write_most;
}
