/* Says of every command that exits that it succeeded. */
#include "tests/conformance/broken/platform/good.h"

static int wait_kindly(void *exec, struct bo_exit *status, struct bo_error *error) {
  int result = good_exec_wait(exec, status, error);
  if (result == BO_OK && status->kind == BO_EXIT_STATUS) status->code = 0;
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_platform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->exec_wait = wait_kindly;
}
