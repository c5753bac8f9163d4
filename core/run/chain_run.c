/*
 * Builds the chain of an operation, watches it, and judges what came out.
 *
 *   backup:          command -> compress -> encrypt -> storage
 *   restore:         storage -> decrypt -> decompress -> command
 *   verify, cat:     storage -> decrypt -> decompress -> nothing, a descriptor
 *   decode:          a descriptor -> decrypt -> decompress -> a descriptor
 */
#include "core/run/chain_run.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <unistd.h>

#include "core/base/clock.h"

#define TICK_MS 100
#define PROGRESS_MS 1000
/* After a failure: what every stage is given to come back, beyond the workload's own grace. */
#define RETURN_MS 5000
#define COMMIT_ANSWER_MS 60000
#define TOKEN_WAIT_MS 10000

/* ---- what the object must be ---- */

/* Before the first byte of a restore is read: is this the object that the backup recorded? */
static int check_object(void *context, const struct bo_object *object, struct bo_error *error) {
  const struct bo_expectation *expect = &((struct bo_run *)context)->expect;
  if (expect->stored_bytes >= 0 && object->size_bytes != (uint64_t)expect->stored_bytes)
    return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                        "the object has %" PRIu64 " bytes, but the backup recorded %" PRId64
                        ": it was cut, extended or replaced",
                        object->size_bytes, expect->stored_bytes);
  for (uint32_t i = 0; expect->uid != NULL && i < object->metadata_count; i++)
    if (strcmp(object->metadata[i].name, "run-uid") == 0 && strcmp(object->metadata[i].value, expect->uid) != 0)
      return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                          "the object at the key was written by another run (%s) than the recorded one (%s)",
                          object->metadata[i].value, expect->uid);
  return BO_OK;
}

static const char *stored_sha256(const struct bo_run *run) {
  return run->stored->sha256_text;
}

static const char *plain_sha256(const struct bo_run *run) {
  return run->plain->sha256_text;
}

/* In the sink's thread, when everything has arrived: is it what was backed up? */
static int prove(void *context, struct bo_error *error) {
  struct bo_run *run = context;
  const struct bo_expectation *expect = &run->expect;
  uint64_t plain_bytes = atomic_load(&run->plain->bytes);
  uint64_t stored_bytes = atomic_load(&run->stored->bytes);
  if (expect->stored_bytes >= 0 && stored_bytes != (uint64_t)expect->stored_bytes)
    return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                        "%" PRIu64 " stored bytes were read, but the backup recorded %" PRId64, stored_bytes,
                        expect->stored_bytes);
  if (expect->sha256_stored != NULL && strcmp(expect->sha256_stored, stored_sha256(run)) != 0)
    return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                        "the object's SHA-256 is not the one that the backup recorded: it was altered or replaced");
  if (expect->plain_bytes >= 0 && plain_bytes != (uint64_t)expect->plain_bytes)
    return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                        "%" PRIu64 " plain bytes came out, but the backup recorded %" PRId64, plain_bytes,
                        expect->plain_bytes);
  if (expect->sha256_plain != NULL && strcmp(expect->sha256_plain, plain_sha256(run)) != 0)
    return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                        "the data's SHA-256 is not the one that the backup recorded: the object was replaced");
  return BO_OK;
}

/* ---- talking to the owner from inside the chain ---- */

static int put_opened(void *context, const char *token, struct bo_error *error) {
  struct bo_run *run = context;
  cJSON *json = cJSON_CreateObject();
  (void)cJSON_AddStringToObject(json, "type", "token");
  (void)cJSON_AddStringToObject(json, "key", run->spec->key);
  (void)cJSON_AddStringToObject(json, "token", token);
  char *text = cJSON_PrintUnformatted(json);
  bool delivered = bo_owner_deliver(run->context->owner, text, TOKEN_WAIT_MS);
  cJSON_free(text);
  cJSON_Delete(json);
  if (delivered || run->context->owner->in_fd < 0) return BO_OK;
  return bo_error_set(error, BO_CLASS_CANCELLED, 0,
                      "the run's owner did not take the put's token, without which nobody could undo it after a crash");
}

static char *counts_json(const struct bo_run *run, const char *type, bool with_hashes) {
  cJSON *json = cJSON_CreateObject();
  (void)cJSON_AddStringToObject(json, "type", type);
  (void)cJSON_AddNumberToObject(json, "plainBytes", (double)atomic_load(&run->plain->bytes));
  (void)cJSON_AddNumberToObject(json, "storedBytes", (double)atomic_load(&run->stored->bytes));
  if (with_hashes) {
    (void)cJSON_AddStringToObject(json, "sha256Plain", plain_sha256(run));
    (void)cJSON_AddStringToObject(json, "sha256Stored", stored_sha256(run));
  }
  char *text = cJSON_PrintUnformatted(json);
  cJSON_Delete(json);
  return text;
}

static int permit_commit(void *context, struct bo_error *error) {
  struct bo_run *run = context;
  char *text = counts_json(run, "commit", true);
  if (text == NULL) return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "out of memory");
  int result = bo_owner_ask_commit(run->context->owner, text, COMMIT_ANSWER_MS, error);
  cJSON_free(text);
  return result;
}

/* ---- building ---- */

static int add_transform(struct bo_run *run, const struct bo_run_plugin *loaded, const struct bo_plugin_spec *spec,
                         int direction, const char *name, struct bo_error *error) {
  if (loaded->plugin == NULL) return BO_OK;
  unsigned i = run->transform_count;
  if (bo_transform_open(&run->transforms[i], loaded->plugin, direction, &loaded->config.table, run->context->log,
                        error) != BO_OK)
    return bo_run_fail(run, name);
  bo_transform_stage_init(&run->transform_stages[i], name, &run->transforms[i]);
  if (direction == BO_DECODE) {
    run->transform_stages[i].signatures = spec->signatures;
    run->transform_stages[i].signature_count = spec->signature_count;
  }
  bo_chain_add(&run->chain, &run->transform_stages[i].stage);
  run->transform_count++;
  return BO_OK;
}

static bool has_transforms(const struct bo_run *run) {
  return run->compression.plugin != NULL || run->encryption.plugin != NULL;
}

static int add_source(struct bo_run *run, struct bo_error *error) {
  switch (run->spec->operation) {
    case BO_OP_BACKUP:
      if (bo_exec_source_init(&run->exec_stage, &run->exec, true, error) != BO_OK) return BO_ERROR;
      run->plain = &run->exec_stage.meter;
      bo_chain_add(&run->chain, &run->exec_stage.stage);
      return BO_OK;
    case BO_OP_DECODE:
      if (bo_fd_source_init(&run->input, run->spec->input_fd, true, error) != BO_OK) return BO_ERROR;
      run->stored = &run->input.meter;
      bo_chain_add(&run->chain, &run->input.stage);
      return BO_OK;
    default:
      if (bo_storage_source_init(&run->storage_source, &run->storage, run->spec->key, true, error) != BO_OK)
        return BO_ERROR;
      run->storage_source.check = check_object;
      run->storage_source.context = run;
      if (run->first_etag[0] != '\0') run->storage_source.if_match = run->first_etag;
      run->stored = &run->storage_source.meter;
      bo_chain_add(&run->chain, &run->storage_source.stage);
      return BO_OK;
  }
}

static int add_sink(struct bo_run *run, const struct bo_put_options *options, bool first_pass, struct bo_error *error) {
  bool hashing = has_transforms(run);
  struct bo_stage *stage = NULL;
  if (run->spec->operation == BO_OP_BACKUP) {
    if (bo_storage_sink_init(&run->storage_sink, &run->storage, run->spec->key, options, hashing, error) != BO_OK)
      return BO_ERROR;
    run->storage_sink.opened = put_opened;
    run->storage_sink.permit = permit_commit;
    run->storage_sink.context = run;
    run->stored = hashing ? &run->storage_sink.meter : run->plain;
    stage = &run->storage_sink.stage;
  } else if (run->spec->operation == BO_OP_RESTORE && !first_pass) {
    if (bo_exec_sink_init(&run->exec_stage, &run->exec, hashing, error) != BO_OK) return BO_ERROR;
    run->exec_stage.prove = prove;
    run->exec_stage.context = run;
    run->plain = hashing ? &run->exec_stage.meter : run->stored;
    stage = &run->exec_stage.stage;
  } else {
    bool writes = run->spec->operation == BO_OP_CAT || run->spec->operation == BO_OP_DECODE;
    if (bo_fd_sink_init(&run->output, writes ? run->spec->output_fd : -1, hashing, error) != BO_OK) return BO_ERROR;
    run->output.prove = prove;
    run->output.context = run;
    run->plain = hashing ? &run->output.meter : run->stored;
    stage = &run->output.stage;
  }
  bo_chain_add(&run->chain, stage);
  return BO_OK;
}

static int build(struct bo_run *run, const struct bo_put_options *options, bool first_pass, struct bo_error *error) {
  if (add_source(run, error) != BO_OK) return BO_ERROR;
  if (run->spec->operation == BO_OP_BACKUP) {
    if (add_transform(run, &run->compression, &run->spec->compression, BO_ENCODE, "compress", error) != BO_OK ||
        add_transform(run, &run->encryption, &run->spec->encryption, BO_ENCODE, "encrypt", error) != BO_OK)
      return BO_ERROR;
  } else if (add_transform(run, &run->encryption, &run->spec->encryption, BO_DECODE, "decrypt", error) != BO_OK ||
             add_transform(run, &run->compression, &run->spec->compression, BO_DECODE, "decompress", error) != BO_OK) {
    return BO_ERROR;
  }
  if (!first_pass) { /* nothing is opened any more: the secrets go */
    bo_config_free(&run->encryption.config);
    bo_config_free(&run->compression.config);
  }
  return add_sink(run, options, first_pass, error);
}

static void take_apart(struct bo_run *run) {
  bo_chain_destroy(&run->chain);
  for (unsigned i = 0; i < run->transform_count; i++)
    bo_transform_close(&run->transforms[i]);
  run->transform_count = 0;
  bo_meter_close(&run->exec_stage.meter);
  bo_meter_close(&run->storage_source.meter);
  bo_meter_close(&run->storage_sink.meter);
  if (run->input.stage.run != NULL) bo_fd_stage_close(&run->input);
  if (run->output.stage.run != NULL) bo_fd_stage_close(&run->output);
}

/* ---- watching ---- */

static void fail_chain(struct bo_run *run, const char *stage, const char *format, ...) BO_PRINTF(3, 4);
static void fail_chain(struct bo_run *run, const char *stage, const char *format, ...) {
  struct bo_error error = BO_ERROR_INIT;
  va_list args;
  va_start(args, format);
  (void)bo_error_vset(&error, BO_CLASS_TIMEOUT, 0, format, args);
  va_end(args);
  bo_run_bound_calls(run, 0);
  bo_chain_fail(&run->chain, stage, &error);
}

static void send_progress(struct bo_run *run) {
  char *text = counts_json(run, "progress", false);
  bo_owner_send(run->context->owner, text, false);
  cJSON_free(text);
}

/* Returns when all stages have; or, with run->abandoned set, when one of them will not. */
static void watch(struct bo_run *run) {
  uint64_t begin_ms = bo_monotonic_ms();
  uint64_t next_progress_ms = begin_ms + PROGRESS_MS;
  uint64_t give_up_ms = 0;
  const struct bo_run_limits *limits = &run->spec->limits;
  while (!bo_chain_wait(&run->chain, TICK_MS)) {
    uint64_t now_ms = bo_monotonic_ms();
    const char *function = NULL;
    if (give_up_ms == 0 && bo_chain_has_failed(&run->chain, NULL, NULL)) {
      bo_run_bound_calls(run, 0);
      bo_run_stop_workload(run);
      give_up_ms = bo_monotonic_ms() + RETURN_MS;
      continue;
    }
    if (give_up_ms != 0 && now_ms > give_up_ms) {
      run->abandoned = true;
      return;
    }
    struct bo_stage *stuck = bo_chain_stuck_stage(&run->chain, limits->call_ms, &function);
    if (stuck != NULL)
      fail_chain(run, stuck->name, "its plugin hangs: %s() has not come back for %" PRIu64 " s", function,
                 limits->call_ms / 1000);
    if (limits->deadline_ms > 0 && now_ms - begin_ms > limits->deadline_ms)
      fail_chain(run, "command", "the deadline of %" PRIu64 " s has passed", limits->deadline_ms / 1000);
    if (now_ms >= next_progress_ms) {
      send_progress(run);
      next_progress_ms += PROGRESS_MS;
    }
  }
}

/* ---- judging ---- */

static void note_counts(struct bo_run *run) {
  struct bo_run_result *result = run->result;
  result->plain_bytes = atomic_load(&run->plain->bytes);
  result->stored_bytes = atomic_load(&run->stored->bytes);
  (void)snprintf(result->sha256_plain, sizeof(result->sha256_plain), "%s", plain_sha256(run));
  (void)snprintf(result->sha256_stored, sizeof(result->sha256_stored), "%s", stored_sha256(run));
}

/* A put that may still be somewhere: its stage never came back, or its commit's outcome is unknown. */
static bool token_is_pending(const struct bo_run *run, const struct bo_error *error) {
  if (run->spec->operation != BO_OP_BACKUP || run->storage_sink.token.text[0] == '\0') return false;
  return run->abandoned || error->error_class == BO_CLASS_UNDECIDED;
}

/* Before the chain is taken apart. */
static const char *proof_of_reading(const struct bo_run *run) {
  if (run->spec->expect.sha256_plain != NULL || run->spec->expect.sha256_stored != NULL) return BO_PROVEN_BY_RECORD;
  for (unsigned i = 0; i < run->transform_count; i++)
    if (!run->transform_stages[i].passed_on) return BO_PROVEN_BY_FORMAT;
  return run->spec->operation == BO_OP_DECODE ? BO_PROVEN_BY_NOTHING : BO_PROVEN_BY_LENGTH;
}

static int judge(struct bo_run *run, struct bo_error *error) {
  struct bo_run_result *result = run->result;
  const char *stage = NULL;
  bool failed = bo_chain_has_failed(&run->chain, error, &stage);
  if (run->storage_source.object.size != 0) result->object = run->storage_source.object;
  result->exit = run->exec_stage.exited ? run->exec_stage.exit : (struct bo_exit){.size = 0};
  if (run->spec->operation == BO_OP_BACKUP) {
    result->token = run->storage_sink.token;
    result->object = run->storage_sink.object;
  }
  /* What the last stage has done stands, whatever came in behind it: the object is committed and seen, the command has
   * exited with status 0. */
  if (run->abandoned || !bo_chain_sink_succeeded(&run->chain)) {
    result->token_pending = token_is_pending(run, error);
    return failed ? bo_run_fail(run, stage) : bo_error_set(error, BO_CLASS_INTERNAL, 0, "the chain came to no end");
  }
  if (run->spec->operation == BO_OP_BACKUP) {
    result->proof = run->storage_sink.proof == BO_PROOF_STAT ? BO_PROVEN_BY_STAT : BO_PROVEN_BY_COMMIT;
    return BO_OK;
  }
  result->proof = proof_of_reading(run);
  return BO_OK;
}

/* One pass of the chain. */
static int pass(struct bo_run *run, const struct bo_put_options *options, bool first_pass, struct bo_error *error) {
  bo_run_bound_calls(run, 0);
  bo_chain_init(&run->chain);
  int result = build(run, options, first_pass, error);
  if (result == BO_OK) result = bo_chain_start(&run->chain, error);
  if (result != BO_OK) {
    (void)bo_run_fail(run, "runner");
    take_apart(run);
    return result;
  }
  (void)pthread_mutex_lock(&run->lock);
  (void)alarm(0); /* from here on the chain's own watch */
  run->chain_active = true;
  bool cancelled = run->cancelled;
  struct bo_error why = run->cancel_error;
  (void)pthread_mutex_unlock(&run->lock);
  if (cancelled) bo_chain_fail(&run->chain, "owner", &why);
  watch(run);
  (void)pthread_mutex_lock(&run->lock);
  run->chain_active = false;
  (void)pthread_mutex_unlock(&run->lock);
  note_counts(run);
  result = judge(run, error);
  if (!run->abandoned) {
    if (result != BO_OK) bo_run_stop_workload(run);
    take_apart(run);
  }
  return result;
}

/* Reads and proves the whole object without the command; the second pass must then meet the very same one. */
int bo_run_verify_first(struct bo_run *run, struct bo_error *error) {
  int result = pass(run, NULL, true, error);
  if (result != BO_OK) return result;
  struct bo_run_result *first = run->result;
  memcpy(run->first_etag, first->object.etag, sizeof(run->first_etag));
  memcpy(run->first_sha256_plain, first->sha256_plain, sizeof(run->first_sha256_plain));
  memcpy(run->first_sha256_stored, first->sha256_stored, sizeof(run->first_sha256_stored));
  run->expect.sha256_plain = run->first_sha256_plain;
  run->expect.sha256_stored = run->first_sha256_stored;
  first->proof = NULL; /* nothing is restored yet */
  return BO_OK;
}

int bo_run_chain(struct bo_run *run, struct bo_error *error) {
  const struct bo_run_spec *spec = run->spec;
  char attempt[24];
  char created[BO_TIME_TEXT_MAX];
  (void)snprintf(attempt, sizeof(attempt), "%" PRId64, spec->attempt);
  bo_time_format(run->result->start_ms / 1000, created);
  struct bo_pair metadata[] = {{"run-uid", spec->uid},
                               {"run-attempt", attempt},
                               {"run-created", created},
                               {"run-compression", spec->compression.name == NULL ? "none" : spec->compression.name},
                               {"run-encryption", spec->encryption.name == NULL ? "none" : spec->encryption.name}};
  struct bo_put_options options = {
      .header = BO_HEADER(struct bo_put_options),
      .metadata = metadata,
      .metadata_count = sizeof(metadata) / sizeof(metadata[0]),
      .size_hint_bytes = spec->size_hint_bytes,
  };
  return pass(run, &options, false, error);
}
