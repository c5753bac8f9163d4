/* Ends stdin before it stops a workload. */
#include "tests/conformance/broken/platform/good.h"

#include <sys/socket.h>
#include <unistd.h>

static void end_stdin(const struct good_workload *workload) {
  for (struct good_exec *exec = workload->execs; exec != NULL; exec = exec->next)
    if (exec->spec.direction == BO_EXEC_RESTORE) (void)shutdown(exec->data, SHUT_WR);
  (void)usleep(200000);
}

static int end_and_stop(void *workload, uint32_t grace_ms, struct bo_error *error) {
  end_stdin(workload);
  return good_workload_stop(workload, grace_ms, error);
}

void spoil(struct bo_plugin *plugin, struct bo_platform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->workload_stop = end_and_stop;
}
