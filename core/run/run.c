/*
 * A run's frame: plugins, limits, workload, and the way out. What moves data is in chain_run.c, the single questions
 * are in question.c.
 */
#include "core/run/run.h"

#include <unistd.h>

#include "core/base/clock.h"
#include "core/run/chain_run.h"

/* What the process needs beside what its plugins state: code and libraries, thread stacks, arenas, OpenSSL, rings. A
 * backup through gzip and age into a folder peaked at 150 MiB of address space (VmPeak) and then lived in 86 MiB. */
#define BASE_ADDRESS_SPACE (UINT64_C(192) * 1024 * 1024)

int bo_run_fail(struct bo_run *run, const char *stage) {
  if (run->result->stage == NULL) run->result->stage = stage;
  return BO_ERROR;
}

void bo_run_bound_calls(const struct bo_run *run, uint64_t extra_ms) {
  uint64_t seconds = (run->spec->limits.call_ms + run->spec->limits.grace_ms + extra_ms) / 1000 + 10;
  (void)alarm(seconds < 86400 ? (unsigned)seconds : 86400);
}

/* ---- cancellation, from the owner's thread ---- */

static void cancel(void *context, const struct bo_error *why) {
  struct bo_run *run = context;
  (void)pthread_mutex_lock(&run->lock);
  if (!run->cancelled) {
    run->cancelled = true;
    run->cancel_error = *why;
  }
  bo_run_bound_calls(run, 0);
  if (run->chain_active) bo_chain_fail(&run->chain, "owner", why);
  if (run->platform_active) bo_platform_cancel(&run->platform);
  if (run->storage_active) bo_storage_cancel(&run->storage);
  (void)pthread_mutex_unlock(&run->lock);
}

static bool was_cancelled(struct bo_run *run, struct bo_error *error) {
  (void)pthread_mutex_lock(&run->lock);
  bool cancelled = run->cancelled;
  if (cancelled) *error = run->cancel_error;
  (void)pthread_mutex_unlock(&run->lock);
  return cancelled;
}

static void set_flag(struct bo_run *run, bool *flag, bool value) {
  (void)pthread_mutex_lock(&run->lock);
  *flag = value;
  (void)pthread_mutex_unlock(&run->lock);
}

/* ---- plugins ---- */

static int load(struct bo_run *run, struct bo_run_plugin *loaded, const char *role, int kind,
                const struct bo_plugin_spec *spec, struct bo_error *error) {
  if (spec->name == NULL) return BO_OK;
  char *path = NULL;
  int result = bo_plugin_find(kind, spec->name, &path, error);
  /* What is not found here is a plugin, never an object: whoever asks for one must not take this for the answer. */
  if (result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND) error->error_class = BO_CLASS_CONFIG;
  if (result == BO_OK) result = bo_plugin_load(path, kind, spec->name, run->context->log, &loaded->plugin, error);
  free(path);
  if (result == BO_OK)
    result = bo_config_parse(&loaded->plugin->descriptor, loaded->plugin->params, spec->parameters,
                             spec->parameter_count, spec->secrets, spec->secret_count, &loaded->config, error);
  return result == BO_OK ? BO_OK : bo_run_fail(run, role);
}

static void unload(struct bo_run_plugin *loaded) {
  bo_config_free(&loaded->config);
  if (loaded->plugin != NULL) bo_plugin_unload(loaded->plugin);
  loaded->plugin = NULL;
}

static int load_plugins(struct bo_run *run, struct bo_error *error) {
  const struct bo_run_spec *spec = run->spec;
  if (load(run, &run->compression, "compress", BO_KIND_COMPRESS, &spec->compression, error) != BO_OK ||
      load(run, &run->encryption, "encrypt", BO_KIND_CRYPT, &spec->encryption, error) != BO_OK ||
      load(run, &run->storage_plugin, "storage", BO_KIND_STORAGE, &spec->storage, error) != BO_OK ||
      load(run, &run->platform_plugin, "platform", BO_KIND_PLATFORM, &spec->platform, error) != BO_OK)
    return BO_ERROR;
  return BO_OK;
}

static uint64_t transform_memory(const struct bo_run_plugin *loaded, int direction) {
  if (loaded->plugin == NULL) return 0;
  return loaded->plugin->operations.transform->memory_bytes(direction, &loaded->config.table);
}

/* A plugin that leaks hits the wall that its own statement has set. */
static int limit_memory(struct bo_run *run, struct bo_error *error) {
  if (run->context->limit_memory == NULL) return BO_OK;
  uint64_t bytes = run->spec->limits.memory_bytes;
  if (bytes == 0) {
    int direction = run->spec->operation == BO_OP_BACKUP ? BO_ENCODE : BO_DECODE;
    bytes = BASE_ADDRESS_SPACE + transform_memory(&run->compression, direction) +
            transform_memory(&run->encryption, direction);
    const struct bo_loaded_plugin *storage = run->storage_plugin.plugin;
    if (storage != NULL)
      bytes += storage->operations.storage->memory_bytes(&run->storage_plugin.config.table, run->spec->size_hint_bytes);
  }
  return run->context->limit_memory(bytes, error);
}

/* ---- instances ---- */

static int open_storage(struct bo_run *run, struct bo_error *error) {
  if (run->storage_plugin.plugin == NULL) return BO_OK;
  int result = bo_storage_open(&run->storage, run->storage_plugin.plugin, &run->storage_plugin.config.table,
                               run->context->log, error);
  bo_config_free(&run->storage_plugin.config); /* the secrets go as early as they can */
  return result == BO_OK ? BO_OK : bo_run_fail(run, "storage");
}

static int start_workload(struct bo_run *run, struct bo_error *error) {
  const struct bo_run_spec *spec = run->spec;
  if (spec->operation != BO_OP_BACKUP && spec->operation != BO_OP_RESTORE) return BO_OK;
  bo_run_bound_calls(run, (uint64_t)spec->start_deadline_ms);
  int opened = bo_platform_open(&run->platform, run->platform_plugin.plugin, &run->platform_plugin.config.table,
                                run->context->log, error);
  bo_config_free(&run->platform_plugin.config);
  if (opened != BO_OK) return bo_run_fail(run, "platform");
  struct bo_workload_spec workload = {
      .header = BO_HEADER(struct bo_workload_spec),
      .namespace_name = spec->namespace_name,
      .name = spec->name,
      .uid = spec->uid,
      .template_json = spec->template_json,
      .start_deadline_ms = (uint32_t)spec->start_deadline_ms,
  };
  set_flag(run, &run->platform_active, true);
  int result =
      was_cancelled(run, error) ? BO_ERROR : bo_workload_start(&run->workload, &run->platform, &workload, error);
  set_flag(run, &run->platform_active, false);
  if (result != BO_OK) return bo_run_fail(run, "platform");
  run->workload_active = true;
  struct bo_exec_spec exec = {
      .header = BO_HEADER(struct bo_exec_spec),
      .container = spec->container,
      .argv = spec->argv,
      .direction = spec->operation == BO_OP_BACKUP ? BO_EXEC_BACKUP : BO_EXEC_RESTORE,
      .on_stderr = bo_tail_add,
      .context = &run->tail,
  };
  return bo_exec_open(&run->exec, &run->workload, &exec, error) == BO_OK ? BO_OK : bo_run_fail(run, "command");
}

void bo_run_stop_workload(struct bo_run *run) {
  if (!run->workload_active) return;
  struct bo_error error = BO_ERROR_INIT;
  if (bo_workload_stop(&run->workload, run->spec->limits.grace_ms, &error) != BO_OK)
    bo_log_printf(run->context->log, BO_LOG_WARNING, "runner", "stopping the workload: %s", error.text);
}

/* The workload goes before the exec: what still waits for its stdin must not take our end for its input's. */
static void end_workload(struct bo_run *run) {
  if (run->platform.instance == NULL) return;
  if (run->workload_active) {
    bo_run_stop_workload(run);
    if (run->exec.instance != NULL) bo_exec_close(&run->exec);
    bo_workload_close(&run->workload);
    run->workload_active = false;
  }
  bo_platform_close(&run->platform);
}

static int execute(struct bo_run *run, struct bo_error *error) {
  bo_run_bound_calls(run, 0);
  int loaded = load_plugins(run, error);
  bo_run_spec_forget_secrets(run->spec);
  if (loaded != BO_OK) return BO_ERROR;
  if (limit_memory(run, error) != BO_OK) return bo_run_fail(run, "runner");
  if (open_storage(run, error) != BO_OK) return BO_ERROR;
  switch (run->spec->operation) {
    case BO_OP_LIST:
    case BO_OP_STAT:
    case BO_OP_REMOVE:
    case BO_OP_DISCARD:
    case BO_OP_SWEEP:
    case BO_OP_PROBE:
      set_flag(run, &run->storage_active, true);
      if (was_cancelled(run, error)) return bo_run_fail(run, "owner");
      bo_run_bound_calls(run, 0);
      return bo_run_question(run, error);
    default: break;
  }
  if (run->spec->operation == BO_OP_RESTORE && run->spec->verify_first && bo_run_verify_first(run, error) != BO_OK)
    return BO_ERROR;
  if (start_workload(run, error) != BO_OK) return BO_ERROR;
  return bo_run_chain(run, error);
}

static void fill_tail(struct bo_run *run) {
  bool tail = run->spec->argv != NULL && run->spec->stderr_tail;
  if (tail) (void)bo_tail_text(&run->tail, &run->result->stderr_tail);
}

bool bo_run_execute(const struct bo_run_context *context, struct bo_run_result *result) {
  /* Not on the stack: a thread that never returns may use it until the process is gone. */
  static struct bo_run run_memory;
  struct bo_run *run = &run_memory;
  *run = (struct bo_run){.context = context, .spec = context->spec, .result = result, .expect = context->spec->expect};
  (void)pthread_mutex_init(&run->lock, NULL);
  bo_tail_init(&run->tail);
  bo_run_result_init(result, context->spec->operation);
  struct bo_error error = BO_ERROR_INIT;
  int done = bo_owner_start(context->owner, context->owner_rest, context->owner_rest_size, cancel, run, &error);
  if (done == BO_OK) done = execute(run, &error);
  result->successful = done == BO_OK;
  if (done != BO_OK) {
    struct bo_error why = BO_ERROR_INIT;
    if (error.error_class == BO_CLASS_CANCELLED && was_cancelled(run, &why)) error = why;
    result->error = error;
  }
  bo_run_bound_calls(run, 0);
  if (!run->abandoned) end_workload(run);
  fill_tail(run);
  result->completion_ms = bo_realtime_ms();
  char *json = bo_run_result_json(result, context->spec, 0);
  bo_owner_send(context->owner, json, true);
  free(json);
  if (run->abandoned) return false;
  set_flag(run, &run->storage_active, false);
  bo_owner_stop(context->owner);
  if (run->storage.instance != NULL) bo_storage_close(&run->storage);
  unload(&run->compression);
  unload(&run->encryption);
  unload(&run->storage_plugin);
  unload(&run->platform_plugin);
  bo_tail_destroy(&run->tail);
  (void)pthread_mutex_destroy(&run->lock);
  return true;
}
