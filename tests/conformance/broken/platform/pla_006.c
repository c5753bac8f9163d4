/* Ends stdin before it closes. */
#include "tests/conformance/broken/platform/good.h"

#include <sys/socket.h>
#include <unistd.h>

static void end_stdin(const struct good_workload *workload) {
  for (struct good_exec *exec = workload->execs; exec != NULL; exec = exec->next)
    if (exec->spec.direction == BO_EXEC_RESTORE) (void)shutdown(exec->data, SHUT_WR);
  (void)usleep(200000);
}

static void end_and_close(void *instance) {
  const struct good_platform *platform = instance;
  if (platform->workloads != NULL) end_stdin(platform->workloads);
  good_close(instance);
}

void spoil(struct bo_plugin *plugin, struct bo_platform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->close = end_and_close;
}
