#include "core/run/result.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/text.h"

#define SHORT_MESSAGE_BYTES 256

void bo_run_result_init(struct bo_run_result *result, enum bo_operation operation) {
  *result = (struct bo_run_result){
      .operation = operation, .error = BO_ERROR_INIT, .object = {.size = sizeof(struct bo_object)}};
  result->start_ms = bo_realtime_ms();
}

void bo_run_result_free(struct bo_run_result *result) {
  bo_buffer_free(&result->stderr_tail);
}

static void add_time(cJSON *json, const char *name, int64_t unix_ms) {
  char text[BO_TIME_TEXT_MAX];
  bo_time_format(unix_ms / 1000, text);
  (void)cJSON_AddStringToObject(json, name, text);
}

static void add_text(cJSON *json, const char *name, const char *text) {
  if (text != NULL && text[0] != '\0') (void)cJSON_AddStringToObject(json, name, text);
}

/* Foreign text (a plugin's words) as valid UTF-8 of at most `limit` bytes. */
static void add_foreign(cJSON *json, const char *name, const char *text, size_t limit) {
  BO_CLEANUP_BUFFER struct bo_buffer clean = BO_BUFFER_INIT;
  size_t length = strlen(text);
  (void)bo_append_printable(&clean, text, length < limit ? length : limit);
  add_text(json, name, bo_buffer_text(&clean));
}

static void add_error(cJSON *json, const struct bo_run_result *result, size_t message_limit) {
  add_text(json, "stage", result->stage);
  add_text(json, "class", bo_error_class_name(result->error.error_class));
  add_foreign(json, "message", result->error.text, message_limit);
  if (result->error.code != 0) (void)cJSON_AddNumberToObject(json, "code", result->error.code);
  add_foreign(json, "providerCode", result->error.provider_code, sizeof(result->error.provider_code));
}

static void add_object(cJSON *json, const struct bo_object *object, bool with_metadata) {
  cJSON *item = cJSON_AddObjectToObject(json, "object");
  (void)cJSON_AddNumberToObject(item, "sizeBytes", (double)object->size_bytes);
  add_foreign(item, "etag", object->etag, sizeof(object->etag));
  add_foreign(item, "version", object->version, sizeof(object->version));
  if (object->modified_unix_ms > 0) add_time(item, "modified", object->modified_unix_ms);
  uint32_t count = with_metadata ? object->metadata_count : 0;
  cJSON *metadata = count > 0 ? cJSON_AddObjectToObject(item, "metadata") : NULL;
  for (uint32_t i = 0; i < count && i < BO_METADATA_MAX; i++)
    add_foreign(metadata, object->metadata[i].name, object->metadata[i].value, BO_METADATA_VALUE_MAX);
}

static void add_exit(cJSON *json, const struct bo_exit *exit) {
  cJSON *item = cJSON_AddObjectToObject(json, "exit");
  (void)cJSON_AddNumberToObject(item, exit->kind == BO_EXIT_SIGNAL ? "signal" : "status", exit->code);
}

/* What is left out where room is short, the most dispensable first. */
enum cut { CUT_NOTHING, CUT_TAIL, CUT_METADATA, CUT_MESSAGE, CUT_KEY };

static char *print(const struct bo_run_result *result, const struct bo_run_spec *spec, enum cut cut) {
  cJSON *json = cJSON_CreateObject();
  add_text(json, "type", "result");
  add_text(json, "operation", bo_operation_name(result->operation));
  add_text(json, "state", result->successful ? "successful" : "failed");
  if (!result->successful)
    add_error(json, result, cut < CUT_MESSAGE ? sizeof(result->error.text) : SHORT_MESSAGE_BYTES);
  add_text(json, "proof", result->proof);
  if (cut < CUT_KEY) add_text(json, "key", spec->key);
  add_text(json, "uid", spec->uid);
  if (result->token_pending) add_text(json, "pendingToken", result->token.text);
  if (result->object.etag[0] != '\0' || result->object.size_bytes > 0 || result->object.modified_unix_ms > 0)
    add_object(json, &result->object, cut < CUT_METADATA);
  (void)cJSON_AddNumberToObject(json, "plainBytes", (double)result->plain_bytes);
  (void)cJSON_AddNumberToObject(json, "storedBytes", (double)result->stored_bytes);
  add_text(json, "sha256Plain", result->sha256_plain);
  add_text(json, "sha256Stored", result->sha256_stored);
  if (result->exit.size > 0) add_exit(json, &result->exit);
  if (result->count > 0) (void)cJSON_AddNumberToObject(json, "count", (double)result->count);
  add_time(json, "startTime", result->start_ms);
  add_time(json, "completionTime", result->completion_ms);
  if (cut < CUT_TAIL) add_text(json, "stderrTail", bo_buffer_text(&result->stderr_tail));
  char *text = cJSON_PrintUnformatted(json);
  cJSON_Delete(json);
  return text;
}

char *bo_run_result_json(const struct bo_run_result *result, const struct bo_run_spec *spec, size_t limit_bytes) {
  for (enum cut cut = CUT_NOTHING;; cut++) {
    char *text = print(result, spec, cut);
    if (text == NULL || limit_bytes == 0 || strlen(text) < limit_bytes || cut == CUT_KEY) return text;
    cJSON_free(text);
  }
}
