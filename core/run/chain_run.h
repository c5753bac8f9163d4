/*
 * core/run/chain_run.h - the parts of a run that move data, shared inside core/run.
 */
#ifndef BO_RUN_CHAIN_RUN_H
#define BO_RUN_CHAIN_RUN_H

#include "core/pipeline/stages.h"
#include "core/run/run.h"
#include "core/run/tail.h"

/* A plugin that the run has loaded and configured. */
struct bo_run_plugin {
  struct bo_loaded_plugin *plugin;
  struct bo_parsed_config config;
};

struct bo_run {
  const struct bo_run_context *context;
  struct bo_run_spec *spec;
  struct bo_run_result *result;

  struct bo_run_plugin compression;
  struct bo_run_plugin encryption;
  struct bo_run_plugin storage_plugin;
  struct bo_run_plugin platform_plugin;
  struct bo_storage storage;
  struct bo_platform platform;
  struct bo_workload workload;
  struct bo_exec exec;
  struct bo_tail tail;

  struct bo_chain chain;
  struct bo_transform transforms[2]; /* in the order of the chain */
  struct bo_transform_stage transform_stages[2];
  unsigned transform_count;
  struct bo_exec_stage exec_stage;
  struct bo_storage_source storage_source;
  struct bo_storage_sink storage_sink;
  struct bo_fd_stage input;
  struct bo_fd_stage output;
  struct bo_meter *plain;  /* of the stage that sees the plain bytes */
  struct bo_meter *stored; /* of the stage that sees the stored bytes; the same where nothing lies between */

  /* What the object must be: the spec's, and after a first pass what that has proven. */
  struct bo_expectation expect;
  char first_etag[BO_ETAG_MAX];
  char first_sha256_plain[BO_SHA256_TEXT_MAX];
  char first_sha256_stored[BO_SHA256_TEXT_MAX];

  bool listing_lost; /* an object of a listing did not reach the owner */

  /* Guards what a cancellation from the owner's thread needs. */
  pthread_mutex_t lock;
  bool cancelled;
  struct bo_error cancel_error;
  bool chain_active;
  bool platform_active;
  bool storage_active; /* a single question is being asked */
  bool workload_active;
  bool abandoned; /* a thread never came back: nothing of it may be freed */
};

/* Builds, runs and judges the chain. */
int bo_run_chain(struct bo_run *run, struct bo_error *error);

/* For a restore, before its command is started: reads and proves the whole object without it. The chain that follows
 * must then meet the very same object. */
int bo_run_verify_first(struct bo_run *run, struct bo_error *error);

/* The single questions: list, stat, remove, discard, sweep, probe. */
int bo_run_question(struct bo_run *run, struct bo_error *error);

/* For calls of plugins that nothing watches: those outside of the chain, and those that end it. Unless the run comes to
 * its next step within the time for a call and `extra_ms`, SIGALRM ends the process, and the owner is told of that by
 * the end of the pipe. Any thread. */
void bo_run_bound_calls(const struct bo_run *run, uint64_t extra_ms);

/* Ends what runs in the workload, so that a command that blocks or goes on writing is gone, and with it whoever waits
 * for it. On a restore this must come before anything could end the command's stdin. */
void bo_run_stop_workload(struct bo_run *run);

/* Notes the stage of a failure, unless one is noted. Returns BO_ERROR. */
int bo_run_fail(struct bo_run *run, const char *stage);

#endif
