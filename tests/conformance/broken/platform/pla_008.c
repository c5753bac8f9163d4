/* Only asks a workload to stop. */
#include "tests/conformance/broken/platform/good.h"

#include <signal.h>
#include <unistd.h>

static int stop_politely(void *instance, uint32_t grace_ms, struct bo_error *error) {
  struct good_workload *workload = instance;
  (void)error;
  for (const struct good_exec *exec = workload->execs; exec != NULL; exec = exec->next)
    (void)kill(-exec->pid, SIGTERM);
  (void)usleep(grace_ms * 1000);
  workload->stopped = 1;
  return BO_OK;
}

void spoil(struct bo_plugin *plugin, struct bo_platform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->workload_stop = stop_politely;
}
