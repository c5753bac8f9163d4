/* Takes the end of the command for the end of its output. */
#include "tests/conformance/broken/platform/good.h"

static int read_to_exit(void *exec, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  int result = good_exec_read(exec, bytes, capacity, size, error);
  if (result == BO_OK || error->error_class != BO_CLASS_COMMAND) return result;
  *size = 0;
  return BO_OK;
}

void spoil(struct bo_plugin *plugin, struct bo_platform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->exec_read = read_to_exit;
}
