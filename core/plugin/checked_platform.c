/* Calls of a platform plugin. Above all: an exit status that was not received must never pass for 0. */
#include <assert.h>

#include "core/plugin/checked_internal.h"

#define CALL(platform, function, detail, call) \
  BO_CHECKED_CALL(&(platform)->host, &(platform)->broken, function, detail, call, error)

/* An exec's calls last as long as its command does, and several run at once: they are not noted for the watchdog, and
 * a repeat would not be the same command, so RETRY is an error like others. */
#define EXEC_CALL(platform, function, detail, call)                                                                   \
  __extension__({                                                                                                     \
    *error = (struct bo_error)BO_ERROR_INIT;                                                                          \
    int answer_ = (call);                                                                                             \
    int result_ =                                                                                                     \
        bo_checked_result(&(platform)->host, &(platform)->broken, function, detail, answer_, BO_CALL_RESULTS, error); \
    result_ == BO_OK ? BO_OK : BO_ERROR;                                                                              \
  })

static const struct bo_platform_operations *operations(const struct bo_platform *platform) {
  assert(platform->instance != NULL);
  return platform->plugin->operations.platform;
}

int bo_platform_open(struct bo_platform *platform, const struct bo_loaded_plugin *plugin,
                     const struct bo_config *config, const struct bo_log *log, struct bo_error *error) {
  BO_NEED_ERROR(error);
  *platform = (struct bo_platform){.plugin = plugin};
  char source[48];
  (void)snprintf(source, sizeof(source), "platform-%s", plugin->descriptor.name);
  if (bo_plugin_host_init(&platform->host, log, source, error) != BO_OK) return BO_ERROR;
  int result = CALL(platform, "open", "",
                    plugin->operations.platform->open(&platform->host.table, config, &platform->instance, error));
  if (result == BO_OK && platform->instance == NULL)
    result = bo_checked_broke(&platform->host, &platform->broken, error, "open() gave no instance");
  if (result == BO_OK) return BO_OK;
  platform->instance = NULL;
  bo_plugin_host_destroy(&platform->host);
  return BO_ERROR;
}

void bo_platform_close(struct bo_platform *platform) {
  if (platform->instance == NULL) return;
  bo_plugin_host_enter(&platform->host, "close");
  operations(platform)->close(platform->instance);
  bo_plugin_host_leave(&platform->host);
  platform->instance = NULL;
  bo_plugin_host_destroy(&platform->host);
}

void bo_platform_cancel(struct bo_platform *platform) {
  bo_plugin_host_cancel(&platform->host);
  operations(platform)->cancel(platform->instance);
}

int bo_workload_start(struct bo_workload *workload, struct bo_platform *platform, const struct bo_workload_spec *spec,
                      struct bo_error *error) {
  BO_NEED_ERROR(error);
  *workload = (struct bo_workload){.platform = platform};
  if (platform->broken) return bo_checked_refuse(&platform->host, error);
  int result = CALL(platform, "workload_start", spec->name,
                    operations(platform)->workload_start(platform->instance, spec, &workload->instance, error));
  if (result == BO_OK && workload->instance == NULL)
    result = bo_checked_broke(&platform->host, &platform->broken, error, "workload_start() gave no workload");
  if (result != BO_OK) workload->instance = NULL;
  return result;
}

int bo_workload_state_get(struct bo_workload *workload, struct bo_workload_state *state, struct bo_error *error) {
  BO_NEED_ERROR(error);
  struct bo_platform *platform = workload->platform;
  *state = (struct bo_workload_state){.size = sizeof(*state)};
  int result =
      CALL(platform, "workload_state", "", operations(platform)->workload_state(workload->instance, state, error));
  if (result != BO_OK) return result;
  if (state->phase < BO_WORKLOAD_STARTING || state->phase > BO_WORKLOAD_LOST || !BO_IS_PLAIN(state->name) ||
      !BO_IS_TERMINATED(state->reason))
    return bo_checked_broke(&platform->host, &platform->broken, error, "workload_state() filled in nonsense");
  return BO_OK;
}

int bo_workload_stop(struct bo_workload *workload, uint32_t grace_ms, struct bo_error *error) {
  BO_NEED_ERROR(error);
  struct bo_platform *platform = workload->platform;
  return CALL(platform, "workload_stop", BO_DETAIL("%u", grace_ms),
              operations(platform)->workload_stop(workload->instance, grace_ms, error));
}

void bo_workload_close(struct bo_workload *workload) {
  if (workload->instance == NULL) return;
  struct bo_platform *platform = workload->platform;
  bo_plugin_host_enter(&platform->host, "workload_close");
  operations(platform)->workload_close(workload->instance);
  bo_plugin_host_leave(&platform->host);
  workload->instance = NULL;
}

int bo_exec_open(struct bo_exec *exec, struct bo_workload *workload, const struct bo_exec_spec *spec,
                 struct bo_error *error) {
  BO_NEED_ERROR(error);
  *exec = (struct bo_exec){.workload = workload, .direction = spec->direction};
  struct bo_platform *platform = workload->platform;
  if (platform->broken) return bo_checked_refuse(&platform->host, error);
  int result = CALL(platform, "exec_open", spec->argv[0],
                    operations(platform)->exec_open(workload->instance, spec, &exec->instance, error));
  if (result == BO_OK && exec->instance == NULL)
    result = bo_checked_broke(&platform->host, &platform->broken, error, "exec_open() gave no exec");
  if (result != BO_OK) exec->instance = NULL;
  return result;
}

int bo_exec_read(struct bo_exec *exec, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  assert(exec->instance != NULL && exec->direction == BO_EXEC_BACKUP && !exec->read_ended && capacity > 0);
  BO_NEED_ERROR(error);
  struct bo_platform *platform = exec->workload->platform;
  *size = 0;
  if (platform->broken) return bo_checked_refuse(&platform->host, error);
  int result = EXEC_CALL(platform, "exec_read", BO_DETAIL("%zu of %zu", *size, capacity),
                         operations(platform)->exec_read(exec->instance, bytes, capacity, size, error));
  if (result != BO_OK) *size = 0;
  if (result != BO_OK) return result;
  if (*size > capacity)
    return bo_checked_broke(&platform->host, &platform->broken, error, "exec_read() gave %zu bytes for a buffer of %zu",
                            *size, capacity);
  exec->read_ended = *size == 0;
  return BO_OK;
}

int bo_exec_write(struct bo_exec *exec, const void *bytes, size_t size, struct bo_error *error) {
  assert(exec->instance != NULL && exec->direction == BO_EXEC_RESTORE && !exec->stdin_closed);
  BO_NEED_ERROR(error);
  struct bo_platform *platform = exec->workload->platform;
  if (platform->broken) return bo_checked_refuse(&platform->host, error);
  return EXEC_CALL(platform, "exec_write", BO_DETAIL("%zu", size),
                   operations(platform)->exec_write(exec->instance, bytes, size, error));
}

int bo_exec_close_stdin(struct bo_exec *exec, struct bo_error *error) {
  assert(exec->instance != NULL && exec->direction == BO_EXEC_RESTORE && !exec->stdin_closed);
  BO_NEED_ERROR(error);
  struct bo_platform *platform = exec->workload->platform;
  if (platform->broken) return bo_checked_refuse(&platform->host, error);
  exec->stdin_closed = true;
  return EXEC_CALL(platform, "exec_close_stdin", "", operations(platform)->exec_close_stdin(exec->instance, error));
}

int bo_exec_wait(struct bo_exec *exec, struct bo_exit *exit, struct bo_error *error) {
  assert(exec->instance != NULL);
  BO_NEED_ERROR(error);
  struct bo_platform *platform = exec->workload->platform;
  *exit = (struct bo_exit){.size = sizeof(*exit)};
  int result = EXEC_CALL(platform, "exec_wait", BO_DETAIL("%d, %d", exit->kind, exit->code),
                         operations(platform)->exec_wait(exec->instance, exit, error));
  if (result != BO_OK) return result;
  /* An exit that was not filled in must never pass for status 0. */
  bool good = (exit->kind == BO_EXIT_STATUS && exit->code >= 0 && exit->code <= 255) ||
              (exit->kind == BO_EXIT_SIGNAL && exit->code >= 1 && exit->code <= 64);
  if (good) return BO_OK;
  return bo_checked_broke(&platform->host, &platform->broken, error, "exec_wait() gave no exit status");
}

void bo_exec_cancel(struct bo_exec *exec) {
  operations(exec->workload->platform)->exec_cancel(exec->instance);
}

void bo_exec_close(struct bo_exec *exec) {
  if (exec->instance == NULL) return;
  struct bo_platform *platform = exec->workload->platform;
  bo_plugin_host_enter(&platform->host, "exec_close");
  operations(platform)->exec_close(exec->instance);
  bo_plugin_host_leave(&platform->host);
  exec->instance = NULL;
}
