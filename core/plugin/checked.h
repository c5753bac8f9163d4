/*
 * core/plugin/checked.h - the only way in which the core calls a plugin.
 *
 * Each wrapper checks state and arguments before, results after, notes the running call for the watchdog
 * (core/plugin/host.h) and writes a trace line. A plugin that breaks its contract (claims more bytes than there was
 * room for, answers with no enum value, does not advance, ...) becomes an error of BO_CLASS_INTERNAL that names the
 * plugin and what it did; such an instance is never called again but for close.
 *
 * A wrapper's misuse by the core itself is an assertion. The structs below hold what the plugin was given the address
 * of: they stay where they are between open and close. `object` arguments need not be initialised.
 */
#ifndef BO_PLUGIN_CHECKED_H
#define BO_PLUGIN_CHECKED_H

#include <backup-operator/plugin.h>

#include "core/plugin/config.h"
#include "core/plugin/loader.h"

/* ---- transforms ---- */

struct bo_transform {
  const struct bo_loaded_plugin *plugin;
  struct bo_plugin_host host;
  void *instance;
  int direction;
  bool ended; /* BO_END was given */
  bool done;  /* BO_DONE was answered */
  atomic_bool broken;
};

int bo_transform_open(struct bo_transform *transform, const struct bo_loaded_plugin *plugin, int direction,
                      const struct bo_config *config, const struct bo_log *log, struct bo_error *error);
int bo_transform_process(struct bo_transform *transform, struct bo_input *in, struct bo_output *out, int mode,
                         struct bo_error *error);
/* Idempotent; also after a failed open. */
void bo_transform_close(struct bo_transform *transform);

/* ---- storage ---- */

struct bo_storage {
  const struct bo_loaded_plugin *plugin;
  struct bo_plugin_host host;
  void *instance;
  atomic_bool broken;
};

struct bo_put {
  struct bo_storage *storage;
  void *instance;
  uint64_t written_bytes;
  bool failed;
  bool committed;
};

struct bo_get {
  struct bo_storage *storage;
  void *instance;
  uint64_t offset_bytes; /* of the next byte */
  uint64_t object_bytes; /* announced at open */
  bool ended;
  bool failed;
};

int bo_storage_open(struct bo_storage *storage, const struct bo_loaded_plugin *plugin, const struct bo_config *config,
                    const struct bo_log *log, struct bo_error *error);
void bo_storage_close(struct bo_storage *storage);
/* Any thread. */
void bo_storage_cancel(struct bo_storage *storage);
int bo_storage_probe(struct bo_storage *storage, uint32_t what, struct bo_error *error);
int bo_storage_discard(struct bo_storage *storage, const char *key, const char *token, struct bo_error *error);
int bo_storage_stat(struct bo_storage *storage, const char *key, struct bo_object *object, struct bo_error *error);
int bo_storage_list(struct bo_storage *storage, const char *prefix, const char *after, uint32_t limit,
                    bo_list_function *each, void *context, bool *more, struct bo_error *error);
int bo_storage_remove(struct bo_storage *storage, const char *key, const char *if_match, struct bo_error *error);
int bo_storage_sweep(struct bo_storage *storage, const char *prefix, uint64_t older_than_seconds, uint64_t *count,
                     struct bo_error *error);

int bo_put_open(struct bo_put *put, struct bo_storage *storage, const char *key, const struct bo_put_options *options,
                struct bo_token *token, struct bo_error *error);
int bo_put_write(struct bo_put *put, const void *bytes, size_t size, struct bo_error *error);
/* A commit whose object has another size than was written is an error. */
int bo_put_commit(struct bo_put *put, struct bo_object *object, struct bo_error *error);
/* Idempotent. Aborts what was not committed. */
int bo_put_close(struct bo_put *put, struct bo_error *error);

int bo_get_open(struct bo_get *get, struct bo_storage *storage, const char *key, uint64_t offset_bytes,
                const char *if_match, struct bo_object *object, struct bo_error *error);
/* An end before or after the size announced at open is BO_CLASS_CORRUPT. */
int bo_get_read(struct bo_get *get, void *bytes, size_t capacity, size_t *size, struct bo_error *error);
void bo_get_close(struct bo_get *get);

/* ---- platform: the workload part ---- */

struct bo_platform {
  const struct bo_loaded_plugin *plugin;
  struct bo_plugin_host host;
  void *instance;
  atomic_bool broken;
};

struct bo_workload {
  struct bo_platform *platform;
  void *instance;
};

struct bo_exec {
  struct bo_workload *workload;
  void *instance;
  int direction;
  bool read_ended;
  bool stdin_closed;
};

int bo_platform_open(struct bo_platform *platform, const struct bo_loaded_plugin *plugin,
                     const struct bo_config *config, const struct bo_log *log, struct bo_error *error);
void bo_platform_close(struct bo_platform *platform);
/* Any thread. */
void bo_platform_cancel(struct bo_platform *platform);
int bo_workload_start(struct bo_workload *workload, struct bo_platform *platform, const struct bo_workload_spec *spec,
                      struct bo_error *error);
int bo_workload_state_get(struct bo_workload *workload, struct bo_workload_state *state, struct bo_error *error);
/* Any thread, also while an exec runs. */
int bo_workload_stop(struct bo_workload *workload, uint32_t grace_ms, struct bo_error *error);
void bo_workload_close(struct bo_workload *workload);
/* As the ABI says: one thread in read or write and close_stdin, another in wait, any in cancel. The watchdog's note
 * of running calls leaves exec's out: they last as long as the command does. */
int bo_exec_open(struct bo_exec *exec, struct bo_workload *workload, const struct bo_exec_spec *spec,
                 struct bo_error *error);
int bo_exec_read(struct bo_exec *exec, void *bytes, size_t capacity, size_t *size, struct bo_error *error);
int bo_exec_write(struct bo_exec *exec, const void *bytes, size_t size, struct bo_error *error);
int bo_exec_close_stdin(struct bo_exec *exec, struct bo_error *error);
int bo_exec_wait(struct bo_exec *exec, struct bo_exit *exit, struct bo_error *error);
void bo_exec_cancel(struct bo_exec *exec);
void bo_exec_close(struct bo_exec *exec);

#endif
