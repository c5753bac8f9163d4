/* Does not mind when nobody reads. */
#include "tests/conformance/broken/platform/good.h"

static int write_anyway(void *exec, const void *bytes, size_t size, struct bo_error *error) {
  int result = good_exec_write(exec, bytes, size, error);
  return result != BO_OK && error->error_class == BO_CLASS_COMMAND ? BO_OK : result;
}

void spoil(struct bo_plugin *plugin, struct bo_platform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->exec_write = write_anyway;
}
