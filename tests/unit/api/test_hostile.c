/* What a manifest may be when nobody means well, or an editor did it: refused in words, at once, in little memory. */
#include "core/api/yaml.h"
#include "core/base/clock.h"
#include "tests/unit/api/support.h"

#define SECRET "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"

/* Generous: what grows without bound takes minutes or all memory. */
#define SOON_MS 20000

static void expect_refusal(const void *bytes, size_t size, const char *words) {
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
  struct bo_error error = BO_ERROR_INIT;
  uint64_t begin = bo_monotonic_ms();
  int result = bo_manifest_parse(bytes, size, "test.yaml", &set, &error);
  ck_assert_uint_lt(bo_monotonic_ms() - begin, SOON_MS);
  ck_assert_int_eq(result, BO_ERROR);
  ck_assert_uint_ge(set.error_count, 1);
  ck_assert_msg(strstr(error.text, words) != NULL, "wanted: %s\nfound: %s", words, error.text);
}

static void expect_text_refused(const char *text, const char *words) {
  expect_refusal(text, strlen(text), words);
}

START_TEST(broken_yaml_is_placed) {
  static const struct {
    const char *text, *words;
  } cases[] = {
      {SECRET "data: [", "test.yaml:5:1: error: this is not valid YAML"},
      {SECRET "data: {a: b\n", "not valid YAML"},
      {SECRET "data:\n\ta: b\n", "test.yaml:5:1: error: a tab: YAML is indented with spaces only"},
      {SECRET "data: \"\\q\"\n", "test.yaml:4:8: error: this is not valid YAML"},
      {SECRET "data: 'x\n", "not valid YAML"},
      {SECRET "a: b: c\n", "test.yaml:4:5: error: this is not valid YAML"},
      {SECRET "data: {x: y}\ndata: {x: z}\n",
       "test.yaml:5:1: error: the key \"data\" is here twice, first in line 4: remove one"},
      {SECRET "data: {x: y, x: z}\n", "test.yaml:4:14: error: the key \"x\" is here twice"},
      {SECRET "stringData: {1: a, '1': b}\n", "the key \"1\" is here twice"},
      {SECRET "stringData: {yes: a, true: b}\n", "the key \"true\" is here twice"},
      {SECRET "data: {~: y}\n", "test.yaml:4:8: error: a key must be a string, not null"},
      {SECRET "data: {[a]: y}\n", "a key must be a string, not a list"},
      {SECRET "data: {? {a: b} : y}\n", "a key must be a string, not a map"},
      {SECRET "data: !!binary x\n", "test.yaml:4:7: error: the tag tag:yaml.org,2002:binary is not supported"},
      {SECRET "data: !!set {x}\n", "is not supported"},
      {SECRET "data: !mine [x]\n", "is not supported"},
      {SECRET "data: .inf\n", "infinity and not-a-number"},
      {SECRET "data: \"a\\0b\"\n", "test.yaml:4:7: error: a NUL character in a string"},
      {SECRET "data: *nowhere\n", "test.yaml:4:7: error: the alias *nowhere has no anchor before it"},
      {SECRET "data: &a {x: *a}\n", "the alias *a stands inside itself"},
      {SECRET "data: &a [*a]\n", "the alias *a stands inside itself"},
      {SECRET "data: {<<: x}\n", "test.yaml:4:12: error: the merge key << needs a map"},
      {SECRET "data: {<<: [x]}\n", "the merge key << needs a map"},
      {SECRET "data: {<<: {}, <<: {}}\n", "the merge key << is here twice"},
      {"a: 1\n--- |\n %YAML 1.1\n---\n%YAML 9.0\n---\n{}\n", "error"},
      {"apiVersion: v1\nkind: &a Stranger\n---\nx: *a\n", "has no anchor before it"},
      {"x", "a manifest is a map, not a string"},
      {"{\"a\": 1,", "not valid YAML"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    expect_text_refused(cases[i].text, cases[i].words);
}
END_TEST

START_TEST(other_encodings_are_told) {
  static const char nul[] = SECRET "data: {a: \0}\n";
  static const char utf16[] = "\xFF\xFEk\0i\0n\0d\0";
  expect_refusal(nul, sizeof(nul) - 1, "test.yaml:4: error: a NUL byte");
  expect_refusal(utf16, sizeof(utf16) - 1, "NUL byte");
  expect_text_refused(SECRET "stringData: {a: \xFF}\n", "test.yaml:4: error: bytes that are not UTF-8");
  expect_text_refused(SECRET "stringData: {a: \xED\xA0\x80}\n", "not UTF-8");
  expect_text_refused(SECRET "stringData: {a: \"\x01\"}\n", "not valid YAML");
}
END_TEST

START_TEST(windows_files_are_read) {
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
  struct bo_error error = BO_ERROR_INIT;
  static const char text[] =
      "\xEF\xBB\xBF"
      "apiVersion: v1\r\nkind: Secret\r\nmetadata:\r\n  name: s\r\nstringData:\r\n  a: |\r\n    one\r\n    two\r\n";
  ck_assert_msg(parse(text, &set, &error) == BO_OK, "%s", error.text);
  ck_assert_str_eq((const char *)bo_secret_object_get(set.manifests[0].secret, "a")->bytes, "one\ntwo\n");
}
END_TEST

START_TEST(nothing_is_no_error) {
  static const char *const texts[] = {"", "\n\n", "# a comment", "---\n...\n---\n", "null", "\xEF\xBB\xBF"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
    struct bo_error error = BO_ERROR_INIT;
    ck_assert_msg(parse(texts[i], &set, &error) == BO_OK, "%zu: %s", i, error.text);
    ck_assert_uint_eq(set.manifest_count, 0);
  }
}
END_TEST

static void repeat(struct bo_buffer *out, const char *text, size_t times) {
  for (size_t i = 0; i < times; i++)
    ck_assert(bo_buffer_append_text(out, text));
}

START_TEST(aliases_cannot_grow) {
  BO_CLEANUP_BUFFER struct bo_buffer laughs = BO_BUFFER_INIT;
  repeat(&laughs, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n", 1);
  for (int i = 1; i < 12; i++)
    ck_assert(bo_buffer_printf(&laughs, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
                               i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1));
  expect_refusal(laughs.bytes, laughs.size, "more than 200000 values, counting what aliases stand for");

  /* Each level holds the one before at its bottom: the depth doubles, if nobody counts. */
  BO_CLEANUP_BUFFER struct bo_buffer deep = BO_BUFFER_INIT;
  repeat(&deep, "- &a0 [[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]\n", 1);
  for (int i = 1; i < 20; i++)
    ck_assert(bo_buffer_printf(&deep, "- &a%d [[[[[[[[[[[[[[[[[[[[*a%d]]]]]]]]]]]]]]]]]]]]\n", i, i - 1));
  expect_refusal(deep.bytes, deep.size, "nested more than 64 levels deep by aliases");

  BO_CLEANUP_BUFFER struct bo_buffer anchors = BO_BUFFER_INIT;
  for (int i = 0; i < 1000; i++)
    ck_assert(bo_buffer_printf(&anchors, "- &a%d x\n", i));
  expect_refusal(anchors.bytes, anchors.size, "more than 256 anchors");

  BO_CLEANUP_BUFFER struct bo_buffer merges = BO_BUFFER_INIT;
  repeat(&merges, "m0: &m0 {a: x, b: x, c: x, d: x, e: x, f: x, g: x, h: x}\n", 1);
  for (int i = 1; i < 200; i++)
    ck_assert(
        bo_buffer_printf(&merges, "m%d: &m%d {<<: [*m%d, *m%d, *m%d], k: *m%d}\n", i, i, i - 1, i - 1, i - 1, i - 1));
  expect_refusal(merges.bytes, merges.size, "");
}
END_TEST

START_TEST(depth_is_bounded) {
  static const char *const openings[] = {"[", "{a: ", "- ", "? "};
  for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
    BO_CLEANUP_BUFFER struct bo_buffer deep = BO_BUFFER_INIT;
    repeat(&deep, openings[i], 100000);
    expect_refusal(deep.bytes, deep.size, "");
  }
  BO_CLEANUP_BUFFER struct bo_buffer closed = BO_BUFFER_INIT;
  repeat(&closed, "[", 65);
  repeat(&closed, "]", 65);
  expect_refusal(closed.bytes, closed.size, "nested more than 64 levels deep");

  BO_CLEANUP_BUFFER struct bo_buffer json = BO_BUFFER_INIT;
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
  struct bo_error error = BO_ERROR_INIT;
  repeat(&json, "[", 200);
  repeat(&json, "]", 200);
  ck_assert_int_eq(bo_manifest_from_json(json.bytes, json.size, "api", &set, &error), BO_ERROR);
  ck_assert_ptr_nonnull(strstr(error.text, "nested more than 64 levels deep"));
}
END_TEST

START_TEST(size_is_bounded) {
  static const size_t huge = (size_t)100 * 1024 * 1024;
  char *scalar = malloc(huge);
  ck_assert_ptr_nonnull(scalar);
  memset(scalar, 'a', huge);
  expect_refusal(scalar, huge, "larger than 4 MiB");
  expect_refusal(scalar, BO_MANIFEST_MAX_BYTES, "a manifest is a map, not a string");
  free(scalar);

  BO_CLEANUP_BUFFER struct bo_buffer items = BO_BUFFER_INIT;
  repeat(&items, "- 1\n", 250000);
  expect_refusal(items.bytes, items.size, "more than 200000 values");

  BO_CLEANUP_BUFFER struct bo_buffer members = BO_BUFFER_INIT;
  for (int i = 0; i < 2000; i++)
    ck_assert(bo_buffer_printf(&members, "k%d: 1\n", i));
  expect_refusal(members.bytes, members.size, "a map with more than 1024 keys");
}
END_TEST

START_TEST(problems_are_bounded) {
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  repeat(&text, "apiVersion: v1\n---\n", 5000);
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_manifest_parse(text.bytes, text.size, "test.yaml", &set, &error), BO_ERROR);
  ck_assert_uint_eq(set.problem_count, BO_MANIFEST_MAX_PROBLEMS);
  ck_assert_uint_eq(set.error_count, 5000);
  ck_assert_ptr_nonnull(strstr(error.text, "(and 4999 more)"));
}
END_TEST

START_TEST(many_objects_are_bounded) {
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  for (int i = 0; i < 5000; i++)
    ck_assert(bo_buffer_printf(&text, "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s%d}\n", i));
  expect_refusal(text.bytes, text.size, "more than 4096 objects");
}
END_TEST

/* A warning comes before the error that follows it, and must not be taken for it. */
START_TEST(an_error_behind_many_warnings_is_told) {
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  repeat(&text, "apiVersion: v1\nkind: Stranger\n---\n", 200);
  repeat(&text, "apiVersion: v1\nkind: Secret\n", 1);
  expect_refusal(text.bytes, text.size, ".metadata: is required");
}
END_TEST

START_TEST(json_from_elsewhere_is_checked) {
  static const char *const texts[] = {
      "",
      "{",
      "{}x",
      "[1,]",
      "{\"a\":1,\"a\":2}",
      "\"\\u0000\"",
      "{\"a\":\"x\\u0000y\"}",
      "{\"a\":1e999}",
      "\xFF",
      "nul",
      "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\"},\"data\":{\"a\":\"\\u0000\"}}"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set;
    struct bo_error error = BO_ERROR_INIT;
    ck_assert_msg(bo_manifest_from_json(texts[i], strlen(texts[i]), "api", &set, &error) == BO_ERROR, "%s", texts[i]);
  }
}
END_TEST

/* ---- scalars ------------------------------------------------------------------------------------------------ */

START_TEST(scalars_are_what_kubernetes_takes_them_for) {
  static const struct {
    const char *text, *json;
  } cases[] = {
      {"", "null"},
      {"~", "null"},
      {"Null", "null"},
      {"true", "true"},
      {"yes", "true"},
      {"On", "true"},
      {"off", "false"},
      {"n", "false"},
      {"yEs", "\"yEs\""},
      {"'true'", "\"true\""},
      {"\"1\"", "\"1\""},
      {"!!str 1", "\"1\""},
      {"! 1", "\"1\""},
      {"0", "0"},
      {"-5", "-5"},
      {"+5", "5"},
      {"0x1F", "31"},
      {"0b101", "5"},
      {"0o17", "15"},
      {"017", "15"},
      {"08", "8"},
      {"1_000", "1000"},
      {"1.5", "1.5"},
      {".5", "0.5"},
      {"1.", "1"},
      {"1e3", "1000"},
      {"1.5E-2", "0.015"},
      {"0.1", "0.1"},
      {"1e999", "\"1e999\""},
      {"1.2.3", "\"1.2.3\""},
      {".", "\".\""},
      {"+", "\"+\""},
      {"0x", "\"0x\""},
      {"0xG", "\"0xG\""},
      {"e5", "\"e5\""},
      {"1e", "\"1e\""},
      {"12:30", "\"12:30\""},
      {"2026-11-24", "\"2026-11-24\""},
      {"9223372036854775807", "9223372036854775807"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"9223372036854775808", "9.2233720368547758e+18"},
      {"a b # c", "\"a b\""},
      {"[a, {b: 1}]", "[\"a\",{\"b\":1}]"},
      {"{1: a, true: b, 1.5: c, x: d}", "{\"1\":\"a\",\"true\":\"b\",\"1.5\":\"c\",\"x\":\"d\"}"},
      {"{<<: {a: 1, b: 2}, a: 3}", "{\"a\":3,\"b\":2}"},
      {"{<<: [{a: 1}, {a: 2, c: 4}], b: 3}", "{\"b\":3,\"a\":1,\"c\":4}"},
      {"[&x {a: &y 1}, *x, *y, {*y : 2}]", "[{\"a\":1},{\"a\":1},1,{\"1\":2}]"},
      {"|-\n  a\n   b\n", "\"a\\n b\""},
      {">\n  a\n  b\n", "\"a b\\n\""},
      {"{'<<': 1}", "{\"<<\":1}"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    BO_CLEANUP_ARENA struct bo_arena arena = BO_ARENA_INIT;
    BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
    struct bo_error error = BO_ERROR_INIT;
    struct bo_yaml_reader reader;
    struct bo_node *root = NULL;
    ck_assert(bo_buffer_printf(&text, "v: %s\n", cases[i].text));
    ck_assert_int_eq(bo_yaml_open(&reader, &arena, text.bytes, text.size, &error), BO_OK);
    ck_assert_msg(bo_yaml_next(&reader, &root, &error) == BO_OK, "%s: %s", cases[i].text, error.text);
    cJSON *json = bo_node_to_cjson(root->first);
    char *printed = cJSON_PrintUnformatted(json);
    ck_assert_str_eq(printed, cases[i].json);
    cJSON_free(printed);
    cJSON_Delete(json);
    ck_assert_int_eq(bo_yaml_next(&reader, &root, &error), BO_DONE);
    bo_yaml_close(&reader);
  }
}
END_TEST

/* ---- memory ------------------------------------------------------------------------------------------------- */

START_TEST(an_arena_keeps_what_it_gave) {
  BO_CLEANUP_ARENA struct bo_arena arena = BO_ARENA_INIT;
  char *pieces[500];
  for (size_t i = 0; i < 500; i++) {
    pieces[i] = bo_arena_alloc(&arena, i * 7 + 1);
    ck_assert_ptr_nonnull(pieces[i]);
    ck_assert_uint_eq((uintptr_t)pieces[i] % sizeof(long double), 0);
    ck_assert(pieces[i][0] == 0 && pieces[i][i * 7] == 0);
    memset(pieces[i], (int)(i % 251), i * 7 + 1);
  }
  for (size_t i = 0; i < 500; i++)
    for (size_t j = 0; j < i * 7 + 1; j++)
      ck_assert_int_eq((unsigned char)pieces[i][j], (int)(i % 251));
  ck_assert_str_eq(bo_arena_printf(&arena, "%d-%s", 5, "x"), "5-x");
  ck_assert_str_eq(bo_arena_copy(&arena, "abc", 2), "ab");
  ck_assert(!arena.failed);
  ck_assert_ptr_null(bo_arena_alloc(&arena, SIZE_MAX - 4));
  ck_assert(arena.failed);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("hostile manifests");
  TCase *tcase = tcase_create("hostile manifests");
  tcase_set_timeout(tcase, 120);
  tcase_add_test(tcase, broken_yaml_is_placed);
  tcase_add_test(tcase, other_encodings_are_told);
  tcase_add_test(tcase, windows_files_are_read);
  tcase_add_test(tcase, nothing_is_no_error);
  tcase_add_test(tcase, aliases_cannot_grow);
  tcase_add_test(tcase, depth_is_bounded);
  tcase_add_test(tcase, size_is_bounded);
  tcase_add_test(tcase, problems_are_bounded);
  tcase_add_test(tcase, many_objects_are_bounded);
  tcase_add_test(tcase, an_error_behind_many_warnings_is_told);
  tcase_add_test(tcase, json_from_elsewhere_is_checked);
  tcase_add_test(tcase, scalars_are_what_kubernetes_takes_them_for);
  tcase_add_test(tcase, an_arena_keeps_what_it_gave);
  suite_add_tcase(suite, tcase);
  return unit_main(suite);
}
