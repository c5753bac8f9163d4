/* A result as one line of JSON that fits where it must, and never says more than was proven. */
#include "core/run/result.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "core/base/text.h"
#include "tests/support/unit.h"

static struct bo_run_result result;
static struct bo_run_spec spec;

static void setup(void) {
  bo_run_result_init(&result, BO_OP_BACKUP);
  spec = (struct bo_run_spec){.operation = BO_OP_BACKUP, .key = "k", .uid = "u"};
}

static void teardown(void) {
  bo_run_result_free(&result);
}

static cJSON *json_within(size_t limit_bytes) {
  char *text = bo_run_result_json(&result, &spec, limit_bytes);
  ck_assert_ptr_nonnull(text);
  ck_assert(limit_bytes == 0 || strlen(text) < limit_bytes);
  ck_assert_ptr_null(strchr(text, '\n'));
  ck_assert(bo_is_utf8(text, strlen(text)));
  cJSON *json = cJSON_Parse(text);
  ck_assert_ptr_nonnull(json);
  free(text);
  return json;
}

static const char *text_of(const cJSON *json, const char *name) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
  return text == NULL ? "(none)" : text;
}

START_TEST(a_fresh_result_is_a_failure) {
  cJSON *json = json_within(0);
  ck_assert_str_eq(text_of(json, "type"), "result");
  ck_assert_str_eq(text_of(json, "state"), "failed");
  ck_assert_str_eq(text_of(json, "proof"), "(none)");
  ck_assert(!cJSON_HasObjectItem(json, "object"));
  ck_assert(!cJSON_HasObjectItem(json, "exit"));
  cJSON_Delete(json);
}
END_TEST

START_TEST(a_success_has_its_proof_and_no_error) {
  result.successful = true;
  result.proof = BO_PROVEN_BY_STAT;
  result.plain_bytes = UINT64_C(1) << 44;
  result.object.size_bytes = 3;
  (void)snprintf(result.object.etag, sizeof(result.object.etag), "e");
  result.exit = (struct bo_exit){.size = sizeof(result.exit), .kind = BO_EXIT_STATUS, .code = 0};
  result.error.error_class = BO_CLASS_IO;
  cJSON *json = json_within(4096);
  ck_assert_str_eq(text_of(json, "state"), "successful");
  ck_assert_str_eq(text_of(json, "proof"), "stat");
  ck_assert_str_eq(text_of(json, "class"), "(none)");
  ck_assert_str_eq(text_of(json, "pendingToken"), "(none)");
  ck_assert(cJSON_GetObjectItem(json, "plainBytes")->valuedouble == 17592186044416.0);
  ck_assert_str_eq(text_of(cJSON_GetObjectItem(json, "object"), "etag"), "e");
  ck_assert_int_eq(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "exit"), "status")->valueint, 0);
  cJSON_Delete(json);
}
END_TEST

START_TEST(a_failure_says_stage_class_and_words) {
  result.stage = "storage";
  (void)bo_error_set(&result.error, BO_CLASS_NO_SPACE, 28, "full \x1b[31m\xff");
  (void)snprintf(result.error.provider_code, sizeof(result.error.provider_code), "QuotaExceeded");
  result.token_pending = true;
  (void)snprintf(result.token.text, sizeof(result.token.text), "t");
  result.exit = (struct bo_exit){.size = sizeof(result.exit), .kind = BO_EXIT_SIGNAL, .code = 9};
  cJSON *json = json_within(0);
  ck_assert_str_eq(text_of(json, "stage"), "storage");
  ck_assert_str_eq(text_of(json, "class"), "no-space");
  ck_assert_str_eq(text_of(json, "message"), "full \xEF\xBF\xBD");
  ck_assert_str_eq(text_of(json, "providerCode"), "QuotaExceeded");
  ck_assert_str_eq(text_of(json, "pendingToken"), "t");
  ck_assert_int_eq(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "exit"), "signal")->valueint, 9);
  cJSON_Delete(json);
}
END_TEST

/* Everything as long as it can be, and of characters that JSON doubles. */
static void fill_to_the_brim(char *key) {
  memset(key, '"', BO_KEY_MAX);
  key[BO_KEY_MAX] = '\0';
  spec.key = key;
  result.stage = "storage";
  (void)bo_error_set(&result.error, BO_CLASS_IO, 5, "begin ");
  memset(result.error.text + 6, '"', sizeof(result.error.text) - 7);
  for (int i = 0; i < 500; i++)
    ck_assert(bo_buffer_append_text(&result.stderr_tail, "a line\n"));
  result.object.size_bytes = 1;
  memset(result.object.etag, '"', BO_ETAG_MAX - 1);
  memset(result.object.version, '"', BO_ETAG_MAX - 1);
  result.object.metadata_count = BO_METADATA_MAX;
  for (unsigned i = 0; i < BO_METADATA_MAX; i++) {
    (void)snprintf(result.object.metadata[i].name, BO_METADATA_NAME_MAX, "name-%u", i);
    memset(result.object.metadata[i].value, '"', BO_METADATA_VALUE_MAX - 1);
  }
}

START_TEST(without_a_limit_nothing_is_cut) {
  char key[BO_KEY_MAX + 1];
  fill_to_the_brim(key);
  cJSON *json = json_within(0);
  ck_assert_str_eq(text_of(json, "key"), key);
  ck_assert_uint_eq(strlen(text_of(json, "message")), sizeof(result.error.text) - 1);
  ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "object"), "metadata")),
                   BO_METADATA_MAX);
  cJSON_Delete(json);
}
END_TEST

START_TEST(what_must_fit_fits_and_still_says_why) {
  char key[BO_KEY_MAX + 1];
  fill_to_the_brim(key);
  cJSON *json = json_within(4096);
  ck_assert_str_eq(text_of(json, "state"), "failed");
  ck_assert_str_eq(text_of(json, "class"), "io");
  ck_assert_int_eq(strncmp(text_of(json, "message"), "begin ", 6), 0);
  ck_assert_str_eq(text_of(json, "stderrTail"), "(none)");
  cJSON_Delete(json);
}
END_TEST

START_TEST(of_what_must_fit_the_tail_goes_first) {
  (void)bo_error_set(&result.error, BO_CLASS_COMMAND, 0, "the command exited with status 1");
  for (int i = 0; i < 700; i++)
    ck_assert(bo_buffer_append_text(&result.stderr_tail, "a line\n"));
  cJSON *json = json_within(4096);
  ck_assert_str_eq(text_of(json, "message"), "the command exited with status 1");
  ck_assert_str_eq(text_of(json, "key"), "k");
  ck_assert_str_eq(text_of(json, "stderrTail"), "(none)");
  cJSON_Delete(json);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("result");
  TCase *tests = tcase_create("result");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, a_fresh_result_is_a_failure);
  tcase_add_test(tests, a_success_has_its_proof_and_no_error);
  tcase_add_test(tests, a_failure_says_stage_class_and_words);
  tcase_add_test(tests, without_a_limit_nothing_is_cut);
  tcase_add_test(tests, what_must_fit_fits_and_still_says_why);
  tcase_add_test(tests, of_what_must_fit_the_tail_goes_first);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
