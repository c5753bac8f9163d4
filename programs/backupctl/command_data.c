/* The commands that move data: backup, restore, cat, verify, decode. */
#include <unistd.h>

#include "core/base/text.h"
#include "programs/backupctl/ctl.h"

/* ---- backup ---- */

struct backup {
  const cJSON *spec;
  struct ctl_record *record; /* NULL: none is kept */
  struct bo_error error;     /* why the commit was refused */
};

static bool prepare_record(void *context, const cJSON *sums) {
  struct backup *backup = context;
  return backup->record == NULL || ctl_record_prepare(backup->record, backup->spec, sums, &backup->error) == BO_OK;
}

static enum ctl_outcome outcome_of(const cJSON *result) {
  if (ctl_succeeded(result)) return CTL_COMMITTED;
  return strcmp(ctl_text(result, "class"), "undecided") == 0 ? CTL_NOT_KNOWN : CTL_NOT_COMMITTED;
}

static int run_backup(const struct ctl_options *options, const cJSON *spec, struct ctl_record *record,
                      struct bo_error *error) {
  struct backup backup = {.spec = spec, .record = record, .error = BO_ERROR_INIT};
  const struct ctl_runner_hooks hooks = {.context = &backup, .commit = prepare_record};
  struct ctl_runner_result result;
  if (ctl_runner_run(options, spec, -1, -1, &hooks, &result, error) != BO_OK) return -1;
  if (backup.error.text[0] != '\0') {
    cJSON_DeleteItemFromObjectCaseSensitive(result.result, "message");
    BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
    (void)bo_buffer_printf(&text, "the record could not be written, so nothing was committed: %s", backup.error.text);
    (void)cJSON_AddStringToObject(result.result, "message", bo_buffer_text(&text));
  }
  struct bo_error record_error = BO_ERROR_INIT;
  if (record != NULL && ctl_record_settle(record, outcome_of(result.result), &record_error) != BO_OK)
    (void)fprintf(stderr, "backupctl: warning: %s\n", record_error.text);
  int code = ctl_report(options, &result);
  if (code == CTL_OK && !options->json && !options->quiet)
    ctl_print_recovery(ctl_plugin_or_none(spec, "compression"), ctl_plugin_or_none(spec, "encryption"));
  ctl_runner_result_free(&result);
  return code;
}

int ctl_backup(const struct ctl_options *options) {
  struct bo_error error = BO_ERROR_INIT;
  if (options->key == NULL) {
    (void)bo_error_set(&error, BO_CLASS_CONFIG, 0, "--key KEY is required: the object's name in the storage");
    return ctl_complain(options, &error);
  }
  char uid[37];
  if (!bo_random_uuid(uid)) {
    (void)bo_error_set(&error, BO_CLASS_INTERNAL, 0, "there is no randomness for the run's UID");
    return ctl_complain(options, &error);
  }
  BO_CLEANUP_BUFFER struct bo_buffer path = BO_BUFFER_INIT;
  cJSON *spec = ctl_request(options, "backup", uid, &error);
  int code = spec == NULL ? BO_ERROR : BO_OK;
  if (code == BO_OK && !options->no_record) code = ctl_record_path(options, spec, &path, &error);
  struct ctl_record record = {.path = bo_buffer_text(&path), .uid = uid, .lock_fd = -1};
  code = code != BO_OK ? -1 : run_backup(options, spec, options->no_record ? NULL : &record, &error);
  if (code == -1) code = ctl_complain(options, &error);
  cJSON_Delete(spec);
  return code;
}

/* ---- restore, cat, verify ---- */

/* What is known of an object before it is read. */
struct known {
  cJSON *stat;   /* the runner's answer, owned */
  cJSON *record; /* NULL: none, owned */
  bool interrupted;
};

static const char *metadata(const struct known *known, const char *name) {
  const cJSON *object = cJSON_GetObjectItemCaseSensitive(known->stat, "object");
  const char *value = ctl_text(cJSON_GetObjectItemCaseSensitive(object, "metadata"), name);
  return value[0] == '\0' ? NULL : value;
}

static int ask(const struct ctl_options *options, struct known *known, struct bo_error *error) {
  cJSON *spec = ctl_request(options, "stat", NULL, error);
  if (spec == NULL) return BO_ERROR;
  struct ctl_runner_result answer;
  int result = ctl_runner_run(options, spec, -1, -1, NULL, &answer, error);
  if (result == BO_OK) {
    known->stat = answer.result;
    known->interrupted = answer.interrupted;
    answer.result = NULL;
    ctl_runner_result_free(&answer);
  }
  BO_CLEANUP_BUFFER struct bo_buffer path = BO_BUFFER_INIT;
  bool found = ctl_succeeded(known->stat);
  if (result == BO_OK && found && !options->no_record) {
    result = ctl_record_path(options, spec, &path, error);
    if (result == BO_OK)
      result = ctl_record_load(bo_buffer_text(&path), metadata(known, "run-uid"), &known->record, error);
  }
  cJSON_Delete(spec);
  return result;
}

static void add_expectation(cJSON *spec, const cJSON *record) {
  static const char *const members[] = {"plainBytes", "storedBytes", "sha256Plain", "sha256Stored", "uid"};
  cJSON *expect = cJSON_AddObjectToObject(spec, "expect");
  for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
    ctl_copy_member(expect, record, members[i]);
}

static const char *member_or_null(const cJSON *json, const char *name) {
  const char *text = ctl_text(json, name);
  return text[0] == '\0' ? NULL : text;
}

static cJSON *reading_spec(const struct ctl_options *options, const struct known *known, int output_fd,
                           struct bo_error *error) {
  cJSON *spec = ctl_request(options, options->command, NULL, error);
  if (spec == NULL) return NULL;
  const char *compression = member_or_null(known->record, "compression");
  const char *encryption = member_or_null(known->record, "encryption");
  if (compression == NULL) compression = metadata(known, "run-compression");
  if (encryption == NULL) encryption = metadata(known, "run-encryption");
  if (ctl_request_decoding(options, spec, compression, encryption, error) != BO_OK) {
    cJSON_Delete(spec);
    return NULL;
  }
  if (known->record != NULL)
    add_expectation(spec, known->record);
  else if (metadata(known, "run-uid") != NULL) /* it may be replaced by one that is read in another way */
    (void)cJSON_AddStringToObject(cJSON_AddObjectToObject(spec, "expect"), "uid", metadata(known, "run-uid"));
  if (options->verify_first) (void)cJSON_AddTrueToObject(spec, "verifyFirst");
  if (output_fd >= 0) (void)cJSON_AddNumberToObject(spec, "outputFd", 4);
  return spec;
}

/* The report comes last: only then is a file where it belongs. */
static int run_reading(const struct ctl_options *options, const cJSON *spec, int input_fd, struct ctl_output *output,
                       struct bo_error *error) {
  struct ctl_runner_result result;
  struct ctl_options shown = *options;
  /* Stdout may be the data's: then a success is silent. */
  if (output->fd == STDOUT_FILENO) {
    shown.quiet = true;
    shown.json = false;
  }
  if (ctl_runner_run(options, spec, input_fd, output->fd, NULL, &result, error) != BO_OK) return -1;
  bool proven = ctl_succeeded(result.result);
  int code = ctl_output_close(output, proven, error) == BO_OK ? ctl_report(&shown, &result) : -1;
  ctl_runner_result_free(&result);
  return code;
}

int ctl_restore(const struct ctl_options *options) {
  struct bo_error error = BO_ERROR_INIT;
  struct known known = {.stat = NULL};
  struct ctl_output output = {.fd = -1};
  bool writes = strcmp(options->command, "cat") == 0;
  cJSON *spec = NULL;
  int code = -1;
  if (options->key == NULL) {
    (void)bo_error_set(&error, BO_CLASS_CONFIG, 0, "--key KEY is required: the object's name in the storage");
  } else if (ask(options, &known, &error) == BO_OK) {
    bool found = ctl_succeeded(known.stat);
    if (!found) {
      struct ctl_runner_result answer = {.result = known.stat, .interrupted = known.interrupted};
      (void)cJSON_ReplaceItemInObjectCaseSensitive(known.stat, "operation", cJSON_CreateString(options->command));
      code = ctl_report(options, &answer);
    } else if ((!writes || ctl_output_open(options->output_file, &output, &error) == BO_OK) &&
               (spec = reading_spec(options, &known, output.fd, &error)) != NULL) {
      code = run_reading(options, spec, -1, &output, &error);
    }
  }
  (void)ctl_output_close(&output, false, NULL);
  if (code == -1) code = ctl_complain(options, &error);
  cJSON_Delete(spec);
  cJSON_Delete(known.stat);
  cJSON_Delete(known.record);
  return code;
}

/* ---- decode ---- */

int ctl_decode(const struct ctl_options *options) {
  struct bo_error error = BO_ERROR_INIT;
  struct ctl_output output = {.fd = -1};
  int code = -1;
  cJSON *spec = ctl_request(options, "decode", NULL, &error);
  if (spec != NULL && ctl_request_decoding(options, spec, NULL, NULL, &error) == BO_OK &&
      ctl_output_open(options->output_file, &output, &error) == BO_OK) {
    (void)cJSON_AddNumberToObject(spec, "inputFd", 3);
    (void)cJSON_AddNumberToObject(spec, "outputFd", 4);
    code = run_reading(options, spec, STDIN_FILENO, &output, &error);
  }
  (void)ctl_output_close(&output, false, NULL);
  if (code == -1) code = ctl_complain(options, &error);
  cJSON_Delete(spec);
  return code;
}
