/*
 * core/run/run.h - one run, start to end, in a process of its own: what backup-runner does.
 *
 * Loads the plugins, starts the workload, builds the chain, watches it, and fills a result. It can be ended at any
 * time by its owner, a signal, a deadline or a plugin that does not return; whatever happens, the result is a failure
 * unless every promise of the operation was kept.
 */
#ifndef BO_RUN_RUN_H
#define BO_RUN_RUN_H

#include "core/plugin/host.h"
#include "core/run/owner.h"
#include "core/run/result.h"
#include "core/run/spec.h"

struct bo_run_context {
  struct bo_run_spec *spec; /* its secrets are overwritten as soon as the plugins have them */
  const struct bo_log *log;
  struct bo_owner *owner; /* initialised; started and stopped by the run */
  const char *owner_rest; /* bytes that were read behind the spec */
  size_t owner_rest_size;
  /* Applies the address space's limit once the plugins have stated their needs; NULL for none. */
  int (*limit_memory)(uint64_t bytes, struct bo_error *error);
};

/*
 * Runs. Returns true when everything was put away. False: a plugin's call never came back, so the process still holds
 * a thread inside it; the result is complete and was sent, and the caller must leave by _exit without touching the
 * plugins. Result lines are sent to the owner by this function.
 */
bool bo_run_execute(const struct bo_run_context *context, struct bo_run_result *result);

#endif
