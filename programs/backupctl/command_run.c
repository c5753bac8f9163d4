/*
 * The commands with -f: a BackupRun from a manifest, backed up, restored and verified on this machine, with its status
 * kept in the state folder.
 *
 * A run is backed up once. What a crash interrupted is settled before anything else: if the storage has the object
 * that the run was about to commit, the backup has succeeded; if not, its put is discarded.
 */
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "programs/backupctl/ctl.h"

#define FIRST_BACKOFF_MS 2000

struct run {
  const struct ctl_options *options;
  struct ctl_manifests manifests;
  struct ctl_run_state state;
  struct bo_error hook_error; /* why a token or sums could not be kept */
  bool adopted;               /* a backup that was interrupted has succeeded all the same */
};

/* ---- status ---- */

static const char *keep(struct run *run, const char *text) {
  return text == NULL || text[0] == '\0' ? NULL : bo_arena_copy(&run->state.arena, text, strlen(text));
}

static int64_t now_seconds(void) {
  return bo_realtime_ms() / 1000;
}

static bool is_successful(const struct bo_run_outcome *outcome) {
  return outcome != NULL && outcome->reason != NULL && strcmp(outcome->reason, "Succeeded") == 0;
}

static bool is_running(const struct bo_run_outcome *outcome) {
  return outcome != NULL && outcome->start_time.is_set && !outcome->completion_time.is_set;
}

/* Conditions follow from the blocks alone, so they can never contradict them. */
static void set_conditions(struct run *run) {
  struct bo_backup_run *object = &run->state.run;
  const struct bo_run_outcome *backup = object->status.backup;
  const struct bo_run_outcome *restore = object->status.restore;
  const struct bo_run_outcome *verify = object->status.verify;
  bool restore_only = object->spec.backup == NULL;
  bool running = is_running(backup) || is_running(restore) || is_running(verify);
  const struct {
    const char *type;
    bool shown;
    bool status;
  } wanted[] = {
      {"Ready", true, is_successful(backup) || restore_only},
      {"NeverRun", true, backup == NULL && restore == NULL},
      {"InProgress", true, running},
      {"Failed", true, backup != NULL && !is_running(backup) && !is_successful(backup)},
      {"Successful", true, is_successful(backup)},
      {"Restorable", true, is_successful(backup) || restore_only},
      {"Encrypted", true, object->spec.encryption != NULL},
      {"Compressed", true, object->spec.compression != NULL},
      {"Restored", restore != NULL && !is_running(restore), is_successful(restore)},
      {"Verified", verify != NULL && !is_running(verify), is_successful(verify)},
  };
  size_t count = sizeof(wanted) / sizeof(wanted[0]);
  struct bo_condition *items = bo_arena_alloc(&run->state.arena, count * sizeof(*items));
  if (items == NULL) return;
  size_t used = 0;
  for (size_t i = 0; i < count; i++) {
    if (!wanted[i].shown) continue;
    const char *status = wanted[i].status ? "True" : "False";
    struct bo_condition condition = {.type = wanted[i].type,
                                     .status = status,
                                     .reason = wanted[i].type,
                                     .last_transition_time = {true, now_seconds()}};
    for (size_t j = 0; j < object->status.conditions.count; j++) {
      const struct bo_condition *old = &object->status.conditions.items[j];
      if (strcmp(old->type, condition.type) == 0 && strcmp(old->status, status) == 0 &&
          old->last_transition_time.is_set)
        condition.last_transition_time = old->last_transition_time;
    }
    items[used++] = condition;
  }
  object->status.conditions.items = items;
  object->status.conditions.count = used;
}

static int save(struct run *run, const char *state, struct bo_error *error) {
  if (state != NULL) run->state.run.status.state = state;
  set_conditions(run);
  return ctl_run_state_save(&run->state, error);
}

/* What is done is done, whether it can be noted or not. The next command finds it unsettled, and asks the storage. */
static void save_end(struct run *run, const char *state) {
  struct bo_error error = BO_ERROR_INIT;
  if (save(run, state, &error) != BO_OK)
    (void)fprintf(stderr, "backupctl: warning: how it ended could not be kept: %s\n", error.text);
}

static struct bo_run_outcome *begin_outcome(struct run *run) {
  struct bo_run_outcome *outcome = bo_arena_alloc(&run->state.arena, sizeof(*outcome));
  if (outcome != NULL) outcome->start_time = (struct bo_optional){true, now_seconds()};
  return outcome;
}

static void take_sums(struct run *run, struct bo_run_outcome *outcome, const cJSON *sums) {
  outcome->bytes_plain = (struct bo_optional){true, (int64_t)ctl_number(sums, "plainBytes")};
  outcome->bytes_stored = (struct bo_optional){true, (int64_t)ctl_number(sums, "storedBytes")};
  outcome->sha256_plain = keep(run, ctl_text(sums, "sha256Plain"));
  outcome->sha256_stored = keep(run, ctl_text(sums, "sha256Stored"));
}

/* A CamelCase reason from the class of an error, as the Kubernetes API wants reasons. */
static const char *reason_of(const char *error_class) {
  static const char *const reasons[][2] = {
      {"config", "InvalidConfiguration"}, {"auth", "NotPermitted"},          {"not-found", "NotFound"},
      {"corrupt", "CorruptData"},         {"conflict", "Conflict"},          {"no-space", "NoSpace"},
      {"timeout", "DeadlineExceeded"},    {"cancelled", "Cancelled"},        {"undecided", "Undecided"},
      {"command", "CommandFailed"},       {"network", "StorageUnreachable"},
  };
  for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
    if (strcmp(reasons[i][0], error_class) == 0) return reasons[i][1];
  return "Failed";
}

static void end_outcome(struct run *run, struct bo_run_outcome *outcome, const cJSON *result) {
  bool successful = ctl_succeeded(result);
  outcome->completion_time = (struct bo_optional){true, now_seconds()};
  outcome->reason = successful ? "Succeeded" : reason_of(ctl_text(result, "class"));
  outcome->etag = keep(run, ctl_text(cJSON_GetObjectItemCaseSensitive(result, "object"), "etag"));
  if (successful) {
    take_sums(run, outcome, result);
    return;
  }
  BO_CLEANUP_BUFFER struct bo_buffer message = BO_BUFFER_INIT;
  (void)bo_buffer_printf(&message, "%s: %s", ctl_text(result, "stage"), ctl_text(result, "message"));
  if (ctl_text(result, "stderrTail")[0] != '\0')
    (void)bo_buffer_printf(&message, "; stderr: %s", ctl_text(result, "stderrTail"));
  outcome->message = keep(run, bo_buffer_text(&message));
}

/* ---- hooks of the runner ---- */

static bool keep_token(void *context, const char *token) {
  struct run *run = context;
  struct bo_run_attempt *attempt = bo_arena_alloc(&run->state.arena, sizeof(*attempt));
  if (attempt == NULL) return false;
  *attempt = (struct bo_run_attempt){.token = keep(run, token), .started = {true, now_seconds()}};
  run->state.run.status.attempt = attempt;
  return save(run, NULL, &run->hook_error) == BO_OK;
}

/* Kept before the commit is granted: after a crash they tell whether the object is the one. */
static bool keep_sums(void *context, const cJSON *sums) {
  struct run *run = context;
  if (run->state.run.status.backup != NULL) take_sums(run, run->state.run.status.backup, sums);
  return save(run, NULL, &run->hook_error) == BO_OK;
}

/* ---- opening ---- */

/* A field that is not known may be a misspelt one, and `encyption` would store in the clear. */
static int refuse_unknown_fields(const struct ctl_manifests *manifests, struct bo_error *error) {
  for (size_t i = 0; i < manifests->count; i++)
    for (size_t j = 0; j < manifests->sets[i].problem_count; j++) {
      const struct bo_problem *problem = &manifests->sets[i].problems[j];
      if (strncmp(problem->path, ".spec.", 6) == 0)
        return bo_error_set(error, BO_CLASS_CONFIG, 0,
                            "%s:%u: %s: nothing is backed up while a field is not understood (see above)",
                            manifests->sets[i].source, problem->line, problem->path);
    }
  return BO_OK;
}

static int render_path(struct run *run, struct bo_error *error) {
  struct bo_backup_run *object = &run->state.run;
  if (object->status.path != NULL) return BO_OK;
  BO_CLEANUP_BUFFER struct bo_buffer key = BO_BUFFER_INIT;
  int result = bo_backup_run_key(object, object->meta.creation_time.value, &key, error);
  if (result != BO_OK) return result;
  object->status.path = bo_arena_printf(&run->state.arena, "/%s", bo_buffer_text(&key));
  return BO_OK;
}

static int open_run(struct run *run, struct bo_error *error) {
  const struct bo_backup_run *manifest = NULL;
  int result = ctl_manifests_load(run->options, &run->manifests, error);
  if (result != BO_OK) return result;
  if (run->manifests.error_count > 0)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the manifests have %zu error%s (see above)",
                        run->manifests.error_count, run->manifests.error_count == 1 ? "" : "s");
  result = ctl_manifests_run(run->options, &run->manifests, &manifest, error);
  if (result == BO_OK) result = ctl_run_state_open(run->options, manifest, &run->state, error);
  if (result == BO_OK) result = render_path(run, error);
  return result;
}

static void close_run(struct run *run) {
  ctl_run_state_close(&run->state);
  ctl_manifests_free(&run->manifests);
}

/* ---- what was interrupted ---- */

static void note_size(struct run *run) {
  struct bo_backup_run_status *status = &run->state.run.status;
  char size[32];
  bo_human_size((uint64_t)status->backup->bytes_stored.value, size);
  status->size_in_bytes = status->backup->bytes_stored;
  status->size = keep(run, size);
}

/* What has become of the put that was open, if one was. */
static enum ctl_finding find_put(struct run *run, struct bo_error *error) {
  const struct bo_backup_run_status *status = &run->state.run.status;
  cJSON *spec = ctl_run_request(run->options, &run->manifests, &run->state.run, "stat", error);
  if (spec == NULL) return CTL_FOUND_NO_ANSWER;
  bool granted = status->backup->sha256_stored != NULL;
  enum ctl_finding finding = ctl_find_put(run->options, spec, status->attempt == NULL ? NULL : status->attempt->token,
                                          granted ? (double)status->backup->bytes_stored.value : -1, error);
  cJSON_Delete(spec);
  return finding;
}

static int settle_backup(struct run *run, const char **state, struct bo_error *error) {
  struct bo_backup_run_status *status = &run->state.run.status;
  enum ctl_finding finding = find_put(run, error);
  if (finding == CTL_FOUND_NO_ANSWER) {
    bo_error_prefix(error,
                    "the run was interrupted before, and what remains of that could not be found out or removed");
    return BO_ERROR;
  }
  run->adopted = finding == CTL_FOUND_OURS;
  status->backup->reason = run->adopted ? "Succeeded" : "Interrupted";
  status->backup->completion_time = (struct bo_optional){true, now_seconds()};
  status->attempt = NULL;
  if (run->adopted) note_size(run);
  *state = run->adopted ? "BackupSuccessful" : "InterruptedFailed";
  return BO_OK;
}

/* Settles what a process that is gone has left in progress. */
static int settle(struct run *run, struct bo_error *error) {
  struct bo_backup_run_status *status = &run->state.run.status;
  struct bo_run_outcome *blocks[] = {status->restore, status->verify};
  const char *state = NULL;
  for (size_t i = 0; i < 2; i++) {
    if (!is_running(blocks[i])) continue;
    blocks[i]->completion_time = (struct bo_optional){true, now_seconds()};
    blocks[i]->reason = "Interrupted";
    state = i == 0 ? "RestoreFailed" : status->state;
  }
  if (is_running(status->backup) && settle_backup(run, &state, error) != BO_OK) return BO_ERROR;
  return state == NULL ? BO_OK : save(run, state, error);
}

/* ---- backup ---- */

static void note_backup(struct run *run, const cJSON *result) {
  struct bo_backup_run_status *status = &run->state.run.status;
  end_outcome(run, status->backup, result);
  status->attempt = NULL;
  if (is_successful(status->backup)) note_size(run);
}

/* Only what lies outside of the command is tried again: its exit status and its deadline are final. */
static bool is_worth_a_retry(const cJSON *result) {
  return strcmp(ctl_text(result, "class"), "network") == 0 && strcmp(ctl_text(result, "state"), "failed") == 0;
}

static int attempt_backup(struct run *run, struct ctl_runner_result *result, struct bo_error *error) {
  struct bo_backup_run_status *status = &run->state.run.status;
  status->attempts = (struct bo_optional){true, status->attempts.is_set ? status->attempts.value + 1 : 1};
  status->backup = begin_outcome(run);
  if (status->backup == NULL) return bo_error_no_memory(error);
  cJSON *spec = ctl_run_request(run->options, &run->manifests, &run->state.run, "backup", error);
  if (spec == NULL) return BO_ERROR;
  int code = save(run, "Backuping", error);
  const struct ctl_runner_hooks hooks = {.context = run, .commit = keep_sums, .token = keep_token};
  if (code == BO_OK) code = ctl_runner_run(run->options, spec, -1, -1, &hooks, result, error);
  cJSON_Delete(spec);
  if (code != BO_OK) return code;
  note_backup(run, result->result);
  save_end(run, is_successful(status->backup) ? "BackupSuccessful" : "BackupFailed");
  return BO_OK;
}

static void print_recovery(const struct bo_backup_run *object) {
  ctl_print_recovery(object->spec.compression == NULL ? "none" : object->spec.compression->algorithm,
                     object->spec.encryption == NULL ? "none" : "age");
}

/* The backup that a crash had interrupted turned out to be whole: said as any other success. */
static int report_adopted(struct run *run, int *exit_status, struct bo_error *error) {
  const struct bo_run_outcome *backup = run->state.run.status.backup;
  BO_CLEANUP_BUFFER struct bo_buffer key = BO_BUFFER_INIT;
  if (ctl_run_key(&run->manifests, &run->state.run, &key, error) != BO_OK) return BO_ERROR;
  cJSON *json = cJSON_CreateObject();
  (void)cJSON_AddStringToObject(json, "type", "result");
  (void)cJSON_AddStringToObject(json, "operation", "backup");
  (void)cJSON_AddStringToObject(json, "state", "successful");
  (void)cJSON_AddStringToObject(json, "proof", "stat");
  (void)cJSON_AddStringToObject(json, "key", bo_buffer_text(&key));
  (void)cJSON_AddStringToObject(json, "uid", run->state.run.meta.uid);
  (void)cJSON_AddNumberToObject(json, "plainBytes", (double)backup->bytes_plain.value);
  (void)cJSON_AddNumberToObject(json, "storedBytes", (double)backup->bytes_stored.value);
  (void)cJSON_AddStringToObject(json, "sha256Plain", backup->sha256_plain);
  (void)cJSON_AddStringToObject(json, "sha256Stored", backup->sha256_stored);
  struct ctl_runner_result result = {.result = json};
  *exit_status = ctl_report(run->options, &result);
  if (*exit_status == CTL_OK && !run->options->json && !run->options->quiet) print_recovery(&run->state.run);
  ctl_runner_result_free(&result);
  return BO_OK;
}

static int back_up(struct run *run, int *exit_status, struct bo_error *error) {
  struct bo_backup_run *object = &run->state.run;
  if (object->spec.backup == NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the run %s has no .spec.backup: it only restores",
                        object->meta.name);
  if (refuse_unknown_fields(&run->manifests, error) != BO_OK) return BO_ERROR;
  if (settle(run, error) != BO_OK) return BO_ERROR;
  if (run->adopted) return report_adopted(run, exit_status, error);
  if (is_successful(object->status.backup))
    return bo_error_set(error, BO_CLASS_EXISTS, 0,
                        "the run %s was backed up already, to %s: a run is backed up once. Give it another name",
                        object->meta.name, object->status.path);
  int64_t retries = object->spec.backoff_limit.value;
  for (unsigned pause_ms = FIRST_BACKOFF_MS;; pause_ms *= 2) {
    struct ctl_runner_result result = {.result = NULL};
    int code = attempt_backup(run, &result, error);
    bool again = code == BO_OK && !result.interrupted && retries-- > 0 && is_worth_a_retry(result.result);
    if (code == BO_OK && !again) {
      *exit_status = ctl_report(run->options, &result);
      if (*exit_status == CTL_OK && !run->options->json && !run->options->quiet) print_recovery(object);
    } else if (again) {
      (void)fprintf(stderr, "backupctl: %s; trying again in %u s\n", ctl_text(result.result, "message"),
                    pause_ms / 1000);
    }
    ctl_runner_result_free(&result);
    if (!again) return code;
    (void)usleep(pause_ms * 1000);
  }
}

/* ---- restore, verify ---- */

static int read_back(struct run *run, int *exit_status, struct bo_error *error) {
  struct bo_backup_run *object = &run->state.run;
  bool restore = strcmp(run->options->command, "restore") == 0;
  if (settle(run, error) != BO_OK) return BO_ERROR;
  if (object->spec.backup != NULL && !is_successful(object->status.backup))
    return bo_error_set(error, BO_CLASS_NOT_FOUND, 0, "the run %s has no successful backup on record here (state %s)",
                        object->meta.name, object->status.state == NULL ? "never run" : object->status.state);
  cJSON *spec = ctl_run_request(run->options, &run->manifests, object, run->options->command, error);
  if (spec == NULL) return BO_ERROR;
  if (restore && run->options->verify_first && !cJSON_HasObjectItem(spec, "verifyFirst"))
    (void)cJSON_AddTrueToObject(spec, "verifyFirst");
  struct bo_run_outcome *outcome = begin_outcome(run);
  struct ctl_runner_result result = {.result = NULL};
  int code = outcome == NULL ? bo_error_no_memory(error) : BO_OK;
  if (restore)
    object->status.restore = outcome;
  else
    object->status.verify = outcome;
  if (code == BO_OK) code = save(run, restore ? "Restoring" : NULL, error);
  if (code == BO_OK) code = ctl_runner_run(run->options, spec, -1, -1, NULL, &result, error);
  cJSON_Delete(spec);
  if (code == BO_OK) {
    end_outcome(run, outcome, result.result);
    save_end(run, !restore ? NULL : is_successful(outcome) ? "RestoreSuccessful" : "RestoreFailed");
    *exit_status = ctl_report(run->options, &result);
  }
  ctl_runner_result_free(&result);
  return code;
}

static int with_run(const struct ctl_options *options,
                    int (*work)(struct run *run, int *exit_status, struct bo_error *error)) {
  struct run run = {.options = options, .state = {.lock_fd = -1}, .hook_error = BO_ERROR_INIT};
  struct bo_error error = BO_ERROR_INIT;
  int exit_status = CTL_FAILED;
  int code = open_run(&run, &error);
  if (code == BO_OK) code = work(&run, &exit_status, &error);
  if (run.hook_error.text[0] != '\0') (void)fprintf(stderr, "backupctl: %s\n", run.hook_error.text);
  if (code != BO_OK) exit_status = ctl_complain(options, &error);
  close_run(&run);
  return exit_status;
}

int ctl_run_backup(const struct ctl_options *options) {
  return with_run(options, back_up);
}

int ctl_run_restore(const struct ctl_options *options) {
  return with_run(options, read_back);
}
