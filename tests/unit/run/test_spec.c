/* The runner's document: every member that is wrong is an error that names it, and nothing is silently ignored. */
#include "core/run/spec.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "core/base/buffer.h"
#include "tests/support/unit.h"

/* A good document of a backup, taken apart where the cases put something in its place. */
#define RUN "\"run\":{\"uid\":\"u\"}"
#define STORAGE "\"storage\":{\"plugin\":\"file\"}"
#define PLATFORM "\"platform\":{\"plugin\":\"local\"}"
#define EXEC "\"exec\":{\"argv\":[\"true\"]}"
#define REST "\"key\":\"k\"," RUN "," STORAGE "," PLATFORM "," EXEC
#define BACKUP "\"operation\":\"backup\"," REST
#define VERIFY "\"operation\":\"verify\",\"key\":\"k\"," STORAGE

static int parse(const char *json, struct bo_run_spec *spec, struct bo_error *error) {
  return bo_run_spec_parse(json, strlen(json), spec, error);
}

START_TEST(a_full_document_is_read) {
  static const char json[] =
      "{\"operation\":\"restore\",\"run\":{\"namespace\":\"ns\",\"name\":\"n\",\"uid\":\"u\",\"attempt\":3},"
      "\"storage\":{\"plugin\":\"s3\",\"parameters\":{\"bucket\":\"b\",\"many\":[\"1\",\"2\"]},"
      "\"secrets\":[{\"name\":\"a\",\"value\":\"plain\"},{\"name\":\"b\",\"base64\":\"AAECAw==\"},"
      "{\"name\":\"c\",\"base64\":\"\"}]},"
      "\"compression\":{\"plugin\":\"gzip\",\"detect\":[{\"magic\":\"1f8b\"},{\"magic\":\"ff\",\"refusal\":\"no\"}]},"
      "\"encryption\":{\"plugin\":\"age\"},\"platform\":{\"plugin\":\"local\"},\"key\":\"a/b\","
      "\"exec\":{\"container\":\"c\",\"argv\":[\"psql\",\"-1\"],\"template\":{\"spec\":{}},\"startDeadlineSeconds\":5,"
      "\"stderrTail\":false},"
      "\"expect\":{\"plainBytes\":9007199254740992,\"storedBytes\":0,\"uid\":\"u\",\"sha256Plain\":"
      "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"},"
      "\"limits\":{\"deadlineSeconds\":10,\"callSeconds\":20,\"graceMilliseconds\":30,\"memoryBytes\":40},"
      "\"verifyFirst\":true,\"sizeHintBytes\":7}\n";
  struct bo_run_spec spec;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_msg(parse(json, &spec, &error) == BO_OK, "%s", error.text);
  ck_assert_int_eq(spec.operation, BO_OP_RESTORE);
  ck_assert_str_eq(spec.namespace_name, "ns");
  ck_assert_int_eq(spec.attempt, 3);
  ck_assert_uint_eq(spec.storage.parameter_count, 3);
  ck_assert_str_eq(spec.storage.parameters[2].name, "many");
  ck_assert_str_eq(spec.storage.parameters[2].value, "2");
  ck_assert_uint_eq(spec.storage.secret_count, 3);
  ck_assert_str_eq((const char *)spec.storage.secrets[0].bytes, "plain");
  ck_assert_uint_eq(spec.storage.secrets[1].size, 4);
  ck_assert_mem_eq(spec.storage.secrets[1].bytes, "\0\1\2\3", 5);
  ck_assert_uint_eq(spec.storage.secrets[2].size, 0);
  ck_assert_uint_eq(spec.compression.signature_count, 2);
  ck_assert_mem_eq(spec.compression.signatures[0].bytes, "\x1f\x8b", 2);
  ck_assert_str_eq(spec.compression.signatures[1].refusal, "no");
  ck_assert_str_eq(spec.argv[1], "-1");
  ck_assert_ptr_null(spec.argv[2]);
  ck_assert_str_eq(spec.template_json, "{\"spec\":{}}");
  ck_assert_int_eq(spec.start_deadline_ms, 5000);
  ck_assert(!spec.stderr_tail);
  ck_assert_int_eq(spec.expect.plain_bytes, INT64_C(1) << 53);
  ck_assert_int_eq(spec.expect.stored_bytes, 0);
  ck_assert_ptr_null(spec.expect.sha256_stored);
  ck_assert_uint_eq(spec.limits.deadline_ms, 10000);
  ck_assert_uint_eq(spec.limits.call_ms, 20000);
  ck_assert_uint_eq(spec.limits.grace_ms, 30);
  ck_assert_uint_eq(spec.limits.memory_bytes, 40);
  ck_assert(spec.verify_first);
  ck_assert_int_eq(spec.size_hint_bytes, 7);
  bo_run_spec_free(&spec);
  bo_run_spec_free(&spec);
}
END_TEST

START_TEST(what_is_left_out_has_a_default) {
  struct bo_run_spec spec;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_msg(parse("{" BACKUP "}", &spec, &error) == BO_OK, "%s", error.text);
  ck_assert_ptr_null(spec.compression.name);
  ck_assert_int_eq(spec.attempt, 1);
  ck_assert_int_eq(spec.size_hint_bytes, -1);
  ck_assert_int_eq(spec.expect.plain_bytes, -1);
  ck_assert_int_eq(spec.input_fd, -1);
  ck_assert_uint_eq(spec.limits.deadline_ms, 0);
  ck_assert_uint_eq(spec.limits.call_ms, 300000);
  ck_assert(spec.stderr_tail);
  ck_assert_str_eq(spec.template_json, "{}");
  bo_run_spec_free(&spec);
}
END_TEST

/* Each is wrong in one way; the message has the member's name in it. */
static const struct {
  const char *json, *named;
} wrong[] = {
    {"", "not one JSON object"},
    {"x", "not one JSON object"},
    {"[]", "not one JSON object"},
    {"{" BACKUP, "not one JSON object"},
    {"{" BACKUP "} {}", "not one JSON object"},
    {"{" BACKUP ",\"prefix\":\"a\\u0000b\"}", "NUL"},
    {"{" BACKUP ",\"frobnicate\":1}", "frobnicate"},
    {"{" BACKUP ",\"\":1}", "no such member"},
    {"{" BACKUP ",\"Key\":\"k\"}", "Key"},
    {"{" BACKUP ",\"deadlineSeconds\":1}", "deadlineSeconds"},
    {"{\"operation\":\"frobnicate\"," REST "}", "operation"},
    {"{\"operation\":\"\"," REST "}", "operation"},
    {"{\"operation\":1," REST "}", "operation"},
    {"{" REST "}", "operation"},
    {"{\"operation\":\"backup\"," RUN "," STORAGE "," PLATFORM "," EXEC "}", "key"},
    {"{\"operation\":\"backup\",\"key\":\"\"," RUN "," STORAGE "," PLATFORM "," EXEC "}", "key"},
    {"{\"operation\":\"backup\",\"key\":\"/k\"," RUN "," STORAGE "," PLATFORM "," EXEC "}", "key"},
    {"{\"operation\":\"backup\",\"key\":7," RUN "," STORAGE "," PLATFORM "," EXEC "}", "key"},
    {"{\"operation\":\"backup\",\"key\":\"k\"," STORAGE "," PLATFORM "," EXEC "}", "run.uid"},
    {"{\"operation\":\"backup\",\"key\":\"k\"," RUN "," PLATFORM "," EXEC "}", "storage"},
    {"{\"operation\":\"backup\",\"key\":\"k\"," RUN "," STORAGE "," EXEC "}", "platform"},
    {"{\"operation\":\"backup\",\"key\":\"k\"," RUN "," STORAGE "," PLATFORM "}", "exec"},
    {"{\"operation\":\"discard\",\"key\":\"k\"," STORAGE "}", "token"},
    {"{\"operation\":\"cat\",\"key\":\"k\"," STORAGE "}", "outputFd"},
    {"{\"operation\":\"decode\",\"outputFd\":1}", "inputFd"},
    {"{" VERIFY ",\"outputFd\":1024}", "outputFd"},
    {"{" VERIFY ",\"outputFd\":-1}", "outputFd"},
    {"{" VERIFY ",\"outputFd\":1.5}", "outputFd"},
    {"{" VERIFY ",\"outputFd\":\"1\"}", "outputFd"},
    {"{" VERIFY ",\"limit\":0}", "limit"},
    {"{" VERIFY ",\"limit\":1001}", "limit"},
    {"{" VERIFY ",\"sizeHintBytes\":1e300}", "sizeHintBytes"},
    {"{" VERIFY ",\"sizeHintBytes\":-1}", "sizeHintBytes"},
    {"{" VERIFY ",\"verifyFirst\":1}", "verifyFirst"},
    {"{" VERIFY ",\"run\":7}", "run"},
    {"{" VERIFY ",\"run\":{\"uidd\":\"u\"}}", "run.uidd"},
    {"{" VERIFY ",\"run\":{\"attempt\":0}}", "run.attempt"},
    {"{" VERIFY ",\"compression\":\"gzip\"}", "compression"},
    {"{" VERIFY ",\"compression\":{}}", "compression.plugin"},
    {"{" VERIFY ",\"compression\":{\"plugin\":7}}", "compression.plugin"},
    {"{" VERIFY ",\"compression\":{\"plugin\":\"gzip\",\"level\":\"6\"}}", "compression.level"},
    {"{" VERIFY ",\"compression\":{\"plugin\":\"gzip\",\"parameters\":{\"level\":6}}}", "level"},
    {"{" VERIFY ",\"compression\":{\"plugin\":\"gzip\",\"parameters\":{\"level\":[\"6\",6]}}}", "level"},
    {"{" VERIFY ",\"compression\":{\"plugin\":\"gzip\",\"parameters\":[]}}", "parameters"},
    {"{" VERIFY ",\"compression\":{\"plugin\":\"gzip\",\"detect\":[]}}", "detect"},
    {"{" VERIFY ",\"compression\":{\"plugin\":\"gzip\",\"detect\":{}}}", "detect"},
    {"{" VERIFY ",\"compression\":{\"plugin\":\"gzip\",\"detect\":[\"1f\"]}}", "detect"},
    {"{" VERIFY ",\"compression\":{\"plugin\":\"gzip\",\"detect\":[{\"magic\":\"\"}]}}", "magic"},
    {"{" VERIFY ",\"compression\":{\"plugin\":\"gzip\",\"detect\":[{\"magic\":\"1f8\"}]}}", "magic"},
    {"{" VERIFY ",\"compression\":{\"plugin\":\"gzip\",\"detect\":[{\"magic\":\"1F\"}]}}", "magic"},
    {"{" VERIFY ",\"compression\":{\"plugin\":\"gzip\",\"detect\":[{\"magic\":\"1f\",\"refusal\":7}]}}", "refusal"},
    {"{" VERIFY ",\"compression\":{\"plugin\":\"gzip\",\"detect\":[{\"magic\":\"1f\",\"refuse\":\"\"}]}}", "refuse"},
    {"{" VERIFY ",\"encryption\":{\"plugin\":\"age\",\"secrets\":{}}}", "secrets"},
    {"{" VERIFY ",\"encryption\":{\"plugin\":\"age\",\"secrets\":[{}]}}", "secrets"},
    {"{" VERIFY ",\"encryption\":{\"plugin\":\"age\",\"secrets\":[\"x\"]}}", "secrets"},
    {"{" VERIFY ",\"encryption\":{\"plugin\":\"age\",\"secrets\":[{\"name\":\"a\"}]}}", "secrets"},
    {"{" VERIFY ",\"encryption\":{\"plugin\":\"age\",\"secrets\":[{\"value\":\"a\"}]}}", "secrets"},
    {"{" VERIFY ",\"encryption\":{\"plugin\":\"age\",\"secrets\":[{\"name\":\"a\",\"value\":\"\",\"base64\":\"\"}]}}",
     "secrets"},
    {"{" VERIFY ",\"encryption\":{\"plugin\":\"age\",\"secrets\":[{\"name\":\"a\",\"base64\":\"AAA\"}]}}", "base64"},
    {"{" VERIFY ",\"encryption\":{\"plugin\":\"age\",\"secrets\":[{\"name\":\"a\",\"base64\":\"A*AA\"}]}}", "base64"},
    {"{" BACKUP ",\"exec\":7}", NULL}, /* the second of two members of one name does not count */
    {"{\"operation\":\"backup\",\"key\":\"k\"," RUN "," STORAGE "," PLATFORM ",\"exec\":7}", "exec"},
    {"{\"operation\":\"backup\",\"key\":\"k\"," RUN "," STORAGE "," PLATFORM ",\"exec\":{}}", "exec.argv"},
    {"{\"operation\":\"backup\",\"key\":\"k\"," RUN "," STORAGE "," PLATFORM ",\"exec\":{\"argv\":[]}}", "exec.argv"},
    {"{\"operation\":\"backup\",\"key\":\"k\"," RUN "," STORAGE "," PLATFORM ",\"exec\":{\"argv\":[\"a\",1]}}",
     "exec.argv"},
    {"{\"operation\":\"backup\",\"key\":\"k\"," RUN "," STORAGE "," PLATFORM
     ",\"exec\":{\"argv\":[\"a\"],\"template\":\"\"}}",
     "exec.template"},
    {"{\"operation\":\"backup\",\"key\":\"k\"," RUN "," STORAGE "," PLATFORM
     ",\"exec\":{\"argv\":[\"a\"],\"startDeadlineSeconds\":0}}",
     "exec.startDeadlineSeconds"},
    {"{" VERIFY ",\"expect\":{\"sha256Plain\":\"00\"}}", "expect.sha256"},
    {"{" VERIFY ",\"expect\":{\"sha256Stored\":\"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD\"}}",
     "expect.sha256"},
    {"{" VERIFY ",\"expect\":{\"plainBytes\":-1}}", "expect.plainBytes"},
    {"{" VERIFY ",\"expect\":{\"plainbytes\":1}}", "expect.plainbytes"},
    {"{" VERIFY ",\"limits\":{\"callSeconds\":0}}", "limits.callSeconds"},
    {"{" VERIFY ",\"limits\":{\"deadlineSeconds\":-1}}", "limits.deadlineSeconds"},
    {"{" VERIFY ",\"limits\":{\"graceMilliseconds\":3600001}}", "limits.graceMilliseconds"},
    {"{" VERIFY ",\"limits\":{\"memory\":1}}", "limits.memory"},
};

START_TEST(each_wrong_member_is_named) {
  struct bo_run_spec spec;
  struct bo_error error = BO_ERROR_INIT;
  int result = parse(wrong[_i].json, &spec, &error);
  if (wrong[_i].named == NULL) {
    ck_assert_msg(result == BO_OK, "%s: %s", wrong[_i].json, error.text);
    bo_run_spec_free(&spec);
    return;
  }
  ck_assert_msg(result == BO_ERROR, "%s was taken", wrong[_i].json);
  ck_assert_int_eq(error.error_class, BO_CLASS_CONFIG);
  ck_assert_msg(strstr(error.text, wrong[_i].named) != NULL, "%s: %s", wrong[_i].json, error.text);
  ck_assert_ptr_null(spec.json);
  ck_assert_ptr_null(spec.memory);
}
END_TEST

START_TEST(a_key_and_a_uid_have_their_longest) {
  char key[BO_KEY_MAX + 2];
  struct bo_run_spec spec;
  struct bo_error error = BO_ERROR_INIT;
  for (size_t length = BO_KEY_MAX; length <= BO_KEY_MAX + 1; length++) {
    BO_CLEANUP_BUFFER struct bo_buffer json = BO_BUFFER_INIT;
    memset(key, 'k', length);
    key[length] = '\0';
    ck_assert(bo_buffer_printf(&json, "{\"operation\":\"stat\",\"key\":\"%s\"," STORAGE "}", key));
    ck_assert_int_eq(parse(bo_buffer_text(&json), &spec, &error), length == BO_KEY_MAX ? BO_OK : BO_ERROR);
    bo_run_spec_free(&spec);
  }
  BO_CLEANUP_BUFFER struct bo_buffer json = BO_BUFFER_INIT;
  ck_assert(bo_buffer_printf(&json, "{" VERIFY ",\"run\":{\"uid\":\"%.300s\"}}", key));
  ck_assert_int_eq(parse(bo_buffer_text(&json), &spec, &error), BO_ERROR);
}
END_TEST

START_TEST(no_error_quotes_a_secret) {
  static const char *const documents[] = {
      "{" VERIFY ",\"encryption\":{\"plugin\":\"age\",\"secrets\":[{\"name\":\"a\",\"value\":\"hunter2\",\"x\":1}]}}",
      "{" VERIFY ",\"encryption\":{\"plugin\":\"age\",\"secrets\":[{\"name\":\"a\",\"base64\":\"hunter2\"}]}}",
      "{" VERIFY ",\"encryption\":{\"plugin\":\"age\",\"secrets\":[\"hunter2\"]}}",
      "{" VERIFY ",\"encryption\":{\"plugin\":\"age\",\"secrets\":\"hunter2\"}}",
  };
  for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
    struct bo_run_spec spec;
    struct bo_error error = BO_ERROR_INIT;
    ck_assert_int_eq(parse(documents[i], &spec, &error), BO_ERROR);
    ck_assert_ptr_null(strstr(error.text, "hunter2"));
  }
}
END_TEST

/* Every beginning of a good document, each in memory of its own, so that a sanitizer sees a read past its end. */
START_TEST(a_cut_document_is_refused) {
  static const char json[] = "{" BACKUP ",\"prefix\":\"\\u00e9\\\\u0000\",\"limits\":{\"callSeconds\":1}}";
  struct bo_run_spec spec;
  struct bo_error error = BO_ERROR_INIT;
  for (size_t size = 0; size <= sizeof(json) - 1; size++) {
    char *copy = malloc(size + 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, json, size);
    int result = bo_run_spec_parse(copy, size, &spec, &error);
    ck_assert_int_eq(result, size == sizeof(json) - 1 ? BO_OK : BO_ERROR);
    bo_run_spec_free(&spec);
    free(copy);
  }
}
END_TEST

int main(void) {
  bo_spec_use_cleansing_json();
  Suite *suite = suite_create("spec");
  TCase *tests = tcase_create("spec");
  tcase_add_test(tests, a_full_document_is_read);
  tcase_add_test(tests, what_is_left_out_has_a_default);
  tcase_add_loop_test(tests, each_wrong_member_is_named, 0, sizeof(wrong) / sizeof(wrong[0]));
  tcase_add_test(tests, a_key_and_a_uid_have_their_longest);
  tcase_add_test(tests, no_error_quotes_a_secret);
  tcase_add_test(tests, a_cut_document_is_refused);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
