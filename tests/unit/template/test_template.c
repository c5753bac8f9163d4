/* Templates: what the reference gives (tests/vectors/template), where errors are, that no template runs away, and which
 * paths may become keys. */
#include "core/template/template.h"

#include <cjson/cJSON.h>
#include <pthread.h>

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/text.h"
#include "tests/support/unit.h"

/* ---- vectors */

/* Cases of the reference that are known to come out otherwise, each with its reason. One that holds is a failure too.
 */
static const char *const unsupported[] = {NULL};

static bool is_unsupported(const char *id) {
  for (size_t i = 0; unsupported[i] != NULL; i++)
    if (strcmp(unsupported[i], id) == 0) return true;
  return false;
}

/* The text of the value of "data" in a line: parsed and printed again, 1.0 would become 1. */
static char *raw_data(const char *line) {
  const char *start = strstr(line, "\"data\":");
  if (start == NULL) return NULL;
  start += strlen("\"data\":");
  int depth = 0;
  bool in_string = false;
  const char *end = start;
  do {
    if (in_string && *end == '\\')
      end++;
    else if (*end == '"')
      in_string = !in_string;
    else if (!in_string && (*end == '{' || *end == '['))
      depth++;
    else if (!in_string && (*end == '}' || *end == ']'))
      depth--;
    end++;
  } while (depth > 0);
  return strndup(start, (size_t)(end - start));
}

static struct timespec parse_now(const char *text) {
  struct timespec now = {0};
  int64_t seconds = 0;
  ck_assert(bo_time_parse(text, &seconds));
  now.tv_sec = seconds;
  const char *point = strchr(text, '.');
  long unit = 100000000;
  for (const char *c = point == NULL ? "" : point + 1; *c >= '0' && *c <= '9'; c++, unit /= 10)
    now.tv_nsec += (*c - '0') * unit;
  return now;
}

/* As the reference's JSON has it: each byte that is no UTF-8 is U+FFFD. */
static void replace_invalid(struct bo_buffer *out, const struct bo_buffer *in) {
  for (size_t i = 0; i < in->size;) {
    size_t length = 4 < in->size - i ? 4 : in->size - i;
    while (length > 1 && (!bo_is_utf8(in->bytes + i, length) || ((unsigned char)in->bytes[i] < 0x80)))
      length--;
    if (bo_is_utf8(in->bytes + i, length))
      (void)bo_buffer_append(out, in->bytes + i, length);
    else
      (void)bo_buffer_append_text(out, "\xEF\xBF\xBD");
    i += length;
  }
}

static const char *string_of(const cJSON *object, const char *key) {
  return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

/* Renders the line's template; true when the answer is `expected`, or an error where that is NULL. */
static bool agrees(const cJSON *vector, const char *line, const char *expected) {
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer valid = BO_BUFFER_INIT;
  BO_CLEANUP_FREE char *data = raw_data(line);
  struct bo_error error = BO_ERROR_INIT;
  const char *template = string_of(vector, "template");
  int result = bo_template_render(template, data, parse_now(string_of(vector, "now")), NULL, &out, &error);
  replace_invalid(&valid, &out);
  bool same = expected == NULL ? result == BO_ERROR && strncmp(error.text, "template:", 9) == 0
                               : result == BO_OK && strcmp(bo_buffer_text(&valid), expected) == 0;
  if (!same)
    printf("# %s: %s\n#   expected %s\n#   got      %s\n", string_of(vector, "id"), template,
           expected == NULL ? "(an error)" : expected, result == BO_OK ? bo_buffer_text(&valid) : error.text);
  return same;
}

struct tally {
  char category[32];
  int count, passed;
};

static struct tally *tally_of(struct tally *tallies, const char *category) {
  struct tally *tally = tallies;
  while (tally->category[0] != '\0' && strcmp(tally->category, category) != 0)
    tally++;
  (void)snprintf(tally->category, sizeof(tally->category), "%s", category);
  return tally;
}

static void run_vectors(const char *path, const char *out_key, int expected_count) {
  BO_CLEANUP_BUFFER struct bo_buffer file = BO_BUFFER_INIT;
  struct tally tallies[64] = {0};
  int wrong = 0, count = 0;
  ck_assert_int_eq(bo_read_file(path, 1 << 20, &file, NULL), BO_OK);
  for (char *line = file.bytes, *end; (end = strchr(line, '\n')) != NULL; line = end + 1, count++) {
    *end = '\0';
    cJSON *vector = cJSON_Parse(line);
    ck_assert_ptr_nonnull(vector);
    const char *category = string_of(vector, "category"), *id = string_of(vector, "id");
    struct tally *tally = tally_of(tallies, category == NULL ? "paths" : category);
    bool same = agrees(vector, line, string_of(vector, out_key));
    if (same && is_unsupported(id)) printf("# %s holds: take it off the list of what is not supported\n", id);
    tally->count++;
    tally->passed += same;
    wrong += same == is_unsupported(id);
    cJSON_Delete(vector);
  }
  for (struct tally *tally = tallies; tally->category[0] != '\0'; tally++)
    printf("# %s: %d of %d\n", tally->category, tally->passed, tally->count);
  fflush(stdout);
  ck_assert_int_eq(wrong, 0);
  ck_assert_int_eq(count, expected_count);
}

START_TEST(test_vectors) {
  run_vectors("tests/vectors/template/templates.jsonl", "out", 780);
}
END_TEST

/* Without data; html/template's escapes are the other operator's quirk. */
START_TEST(test_upstream_paths) {
  run_vectors("tests/vectors/template/upstream-paths.jsonl", "text_out", 36);
}
END_TEST

/* ---- one template at a time */

static const struct timespec some_time = {.tv_sec = 1795507745}; /* 2026-11-24T08:09:05Z */

static int render(const char *template, const char *data, struct bo_buffer *out, struct bo_error *error) {
  bo_buffer_clear(out);
  return bo_template_render(template, data, some_time, NULL, out, error);
}

struct answer {
  const char *template;
  const char *out;
};

static void check_answers(const struct answer *answers, const char *data) {
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
  for (; answers->template != NULL; answers++) {
    struct bo_error error = BO_ERROR_INIT;
    if (render(answers->template, data, &out, &error) != BO_OK) ck_abort_msg("%s: %s", answers->template, error.text);
    ck_assert_str_eq(bo_buffer_text(&out), answers->out);
  }
}

/* Whole numbers are exact to 64 bits; larger ones and those with a fraction are float64. */
START_TEST(test_data_numbers) {
  static const struct answer answers[] = {
      {"{{ .i }} {{ .least }} {{ .f }} {{ .over }} {{ .one }}",
       "9007199254740993 -9223372036854775808 0.1 1.8446744073709552e+19 1"},
      {"{{ kindOf .i }} {{ kindOf .over }} {{ kindOf .one }}", "int64 float64 float64"},
      {"{{ .text }}", "a\"\n\xC3\xA9\xF0\x9F\x98\x80"},
      {NULL, NULL}};
  check_answers(answers,
                "{\"i\":9007199254740993,\"least\":-9223372036854775808,\"f\":0.1,\"over\":18446744073709551616,"
                "\"one\":1.0,\"text\":\"a\\\"\\n\\u00e9\\ud83d\\ude00\"}");
}
END_TEST

/* Documented samples of functions that the vectors have little of. */
START_TEST(test_functions) {
  static const struct answer answers[] = {
      {"{{ snakecase \"FirstName\" }} {{ snakecase \"NoHTTPS\" }} {{ snakecase \"GO_PATH\" }} {{ snakecase \"GO PATH\" "
       "}}",
       "first_name no_https go_path go_path"},
      {"{{ snakecase \"HTTP20xOK\" }} {{ snakecase \"Duration2m3s\" }} {{ snakecase \"Bld4Floor3rd\" }}",
       "http_20x_ok duration_2m3s bld4_floor_3rd"},
      {"{{ camelcase \"_complex__case_\" }}|{{ camelcase \" complex -case \" }}|{{ camelcase \"GOLANG_IS_GREAT\" }}",
       "_Complex_Case_| Complex Case |GolangIsGreat"},
      {"{{ camelcase \"FROM CamelCase to snake/kebab-case\" }}", "FromCamelCaseToSnake/kebabCase"},
      {"{{ snakecase \"_AnotherTES_TCaseP\" }} {{ snakecase \"HTTP-20xStatus\" }} {{ snakecase \"12AB\" }}",
       "_another_tes_t_case_p http_20x_status 12_ab"},
      {"{{ snakecase \"a.b\" }} {{ snakecase \"ABC\xE4\xB8\xAD\" }} {{ kebabcase \"a__b\" }}",
       "a.b abc_\xE4\xB8\xAD a--b"},
      {"{{ swapcase \"aBc\" }} {{ initials \"First Try\" }} {{ untitle \"First Try\" }}", "AbC FT first try"},
      {"{{ addf 0.1 0.2 }} {{ divf 10 3 }} {{ mulf 1.1 1.1 }}", "0.3 3.3333333333333335 1.21"},
      {"{{ durationRound \"400h\" }} {{ durationRound \"-61s\" }} {{ ago 1795507000 }}", "16d 1m 12m25s"},
      {"{{ (now.AddDate 0 1 7).Format \"2006-01-02\" }} {{ (now.Sub (toDate \"2006\" \"2026\")).Hours | int }}",
       "2026-12-31 7856"},
      {"{{ omit (dict \"a\" 1 \"b\" 2) \"a\" }} {{ deepEqual (list 1 nil) (list 1 nil) }}", "map[b:2] true"},
      {"{{ semverCompare \"<1.0 || >=2.1\" \"2.1.5\" }} {{ semverCompare \"!=1.2.x\" \"1.2.3\" }}", "true false"},
      {"{{ sha1sum \"abc\" }}", "a9993e364706816aba3e25717850c26c9cd0d89d"},
      {"{{ now.AddDate 0 0 -1 | htmlDateInZone | print }}", NULL},
      {NULL, NULL}};
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
  for (const struct answer *answer = answers; answer->template != NULL; answer++) {
    struct bo_error error = BO_ERROR_INIT;
    int result = render(answer->template, "{}", &out, &error);
    ck_assert_msg((result == BO_OK) == (answer->out != NULL), "%s: %s", answer->template, error.text);
    if (answer->out != NULL) ck_assert_str_eq(bo_buffer_text(&out), answer->out);
  }
}
END_TEST

/* Summer and winter on both hemispheres, before the first transition, and after the last one a file lists. */
START_TEST(test_zones) {
  static const struct answer answers[] = {
      {"{{ dateInZone \"2006-01-02 15:04 MST\" 1774746000 \"Europe/Berlin\" }}", "2026-03-29 03:00 CEST"},
      {"{{ dateInZone \"2006-01-02 15:04 MST\" 1774745999 \"Europe/Berlin\" }}", "2026-03-29 01:59 CET"},
      {"{{ dateInZone \"2006-01-02 15:04 -0700\" 4102444800 \"America/New_York\" }}", "2099-12-31 19:00 -0500"},
      {"{{ dateInZone \"2006-01-02 15:04 -0700\" 4086892800 \"America/New_York\" }}", "2099-07-04 20:00 -0400"},
      {"{{ dateInZone \"2006-01-02 15:04 -07:00\" 4102444800 \"Australia/Lord_Howe\" }}", "2100-01-01 11:00 +11:00"},
      {"{{ dateInZone \"2006-01-02 15:04 -07:00\" 4118000000 \"Australia/Lord_Howe\" }}", "2100-06-30 11:23 +10:30"},
      {"{{ dateInZone \"2006-01-02 15:04 MST\" -5000000000 \"Europe/Berlin\" }}", "1811-07-23 16:00 LMT"},
      {"{{ dateInZone \"15:04 MST\" 0 \"../../../etc/passwd\" }}", "00:00 UTC"},
      {"{{ dateInZone \"15:04 MST\" 0 \"No/Such\" }}", "00:00 UTC"},
      {NULL, NULL}};
  check_answers(answers, "{}");
}
END_TEST

/* ---- errors: where, and what is said */

static const struct {
  const char *template;
  const char *error; /* how the text begins */
} failures[] = {
    {"{{ .name", "template:1:9: the action does not end"},
    {"a\nb {{ nope }}", "template:2:6: function \"nope\" is not defined"},
    {"\xC3\xA9\xC3\xA9{{ nope }}", "template:1:6: function \"nope\""}, /* columns count characters */
    {"{{ env \"HOME\" }}", "template:1:4: function \"env\" is not available: a template cannot read the environment"},
    {"{{ uuidv4 }}", "template:1:4: function \"uuidv4\" is not available: the same template"},
    {"{{ if .x }}", "template:1:12: the template ends within a block; is an {{end}} missing?"},
    {"x{{ end }}", "template:1:5: unexpected \"end\""},
    {"{{ if .t }}{{ define \"a\" }}{{ end }}{{ end }}", "template:1:15: unexpected \"define\" in a block; it may only"},
    {"{{ (.a }}", "template:1:8: a bracket is not closed"},
    {"{{ \"abc }}", "template:1:4: a string does not end"},
    {"{{ $x }}", "template:1:4: undefined variable $x"},
    {"a {{ fail \"stop\\x1b[31m here\" }}", "template:1:6: stop here"},
    {"{{ upper 3 }}", "template:1:10: upper wants a string here, not int"},
    {"{{ upper }}", "template:1:4: upper wants 1 arguments, not 0"},
    {"{{ now.Format }}", "template:1:4: Format wants 1 arguments, not 0"},
    {"{{ .s.x }}", "template:1:4: a string has no field x"},
    {"{{ index .list 7 }}", "template:1:4: the index 7 is out of range: there are 2 items"},
    {"{{ template \"none\" }}", "template:1:4: template \"none\" is not defined"},
    {"{{ div 1 0 }}", "template:1:4: div: division by zero"},
    {"{{ regexFind \"(\" \"\" }}", "template:1:4: the regular expression is malformed: missing closing )"},
    {"{{ regexMatch \"\\\\p{L}\" \"\" }}", "template:1:4: regular expressions: Unicode classes"},
    {"{{ regexFind \"(a{1000}){1000}\" \"\" }}", "template:1:4: the regular expression is too large"},
    {"{{ printf \"%x\" 2.5 }}", "template:1:4: printf: %x of a floating-point number is not done"},
    {"{{ date \"2006\" 9223372036854775807 }}", "template:1:4: the time is out of range"},
};

START_TEST(test_failure) {
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert(bo_buffer_append_text(&out, "kept"));
  const char *data = "{\"s\":\"text\",\"t\":true,\"list\":[1,2]}";
  ck_assert_int_eq(bo_template_render(failures[_i].template, data, some_time, NULL, &out, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_CONFIG);
  if (strncmp(error.text, failures[_i].error, strlen(failures[_i].error)) != 0)
    ck_assert_str_eq(error.text, failures[_i].error);
  ck_assert_str_eq(bo_buffer_text(&out), "kept");
}
END_TEST

START_TEST(test_bad_data) {
  static const char *const data[] = {"",       "{",       "{\"a\"}",   "{\"a\":1}x", "[1,]",  "{,}",        "nul",
                                     "\"\n\"", "\"\\x\"", "\"\\ud800", "01",         "1.",    "-",          "1e",
                                     "1e999",  "\"a",     "{\"a\":1,", "\"\\u12\"",  "{1:2}", "\"\\u-123\""};
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
  for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++) {
    struct bo_error error = BO_ERROR_INIT;
    ck_assert_msg(render("x", data[i], &out, &error) == BO_ERROR, "%s", data[i]);
    ck_assert_ptr_nonnull(strstr(error.text, "the template's data are not JSON"));
  }
}
END_TEST

/* ---- limits: each of these would run for ever, or use all there is */

static const struct {
  const char *template;
  const char *error; /* part of the text */
} greedy[] = {
    {"{{ repeat 1000000000 \"x\" }}", "bytes of memory"},
    {"{{ repeat 9223372036854775807 \"abc\" }}", "bytes of memory"},
    {"{{ range 1000000000000 }}{{ end }}", "steps"},
    {"{{ until 1000000000 }}", "memory"},
    {"{{ untilStep 0 9223372036854775807 1 }}", "memory"},
    {"{{ seq 1 1000000000 }}", "memory"},
    {"{{ range 5000 }}{{ range 5000 }}{{ end }}{{ end }}", "steps"},
    {"{{ range 200000 }}0123456789{{ end }}", "longer than 1048576 bytes"},
    {"{{ define \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}", "nested deeper"},
    {"{{ define \"a\" }}{{ template \"b\" . }}{{ end }}{{ define \"b\" }}{{ template \"a\" . }}{{ end }}"
     "{{ template \"a\" 1 }}",
     "nested deeper"},
    {"{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ $d }}", "nested deeper"},
    {"{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ toJson $d }}", "nested deeper"},
    {"{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ deepCopy $d }}", "nested deeper"},
    {"{{ $d := dict }}{{ $e := dict }}{{ $_ := set $d \"a\" $d }}{{ $_ := set $e \"a\" $e }}{{ deepEqual $d $e }}",
     "nested deeper"},
    {"{{ $d := dict }}{{ $e := dict }}{{ $_ := set $d \"a\" $d }}{{ $_ := set $e \"a\" $e }}{{ merge $d $e }}",
     "nested deeper"},
    {"{{ $l := list 1 }}{{ range 40 }}{{ $l = list $l $l }}{{ end }}{{ $l }}", "longer than"},
    {"{{ $l := list 1 }}{{ range 40 }}{{ $l = list $l $l }}{{ end }}{{ toJson $l | len }}", "steps"},
    {"{{ $s := \"x\" }}{{ range 64 }}{{ $s = print $s $s }}{{ end }}", "memory"},
    {"{{ $s := repeat 1000000 \"x\" }}{{ range 1000000 }}{{ $_ := contains \"y\" $s }}{{ end }}", "steps"},
    {"{{ $s := repeat 1000000 \"x\" }}{{ range 1000 }}{{ $_ := sha256sum $s }}{{ end }}", "steps"},
    {"{{ regexMatch \"(a*)*(a*)*(a*)*(a*)*b\" (repeat 4000000 \"a\") }}", "steps"},
    {"{{ printf \"%1000000d%1000000d%1000000d\" 1 1 1 }}", "longer than"},
    {"{{ indent 1000000000 \"x\" }}", "memory"},
    {"{{ $l := list }}{{ range 3000 }}{{ $l = append $l (repeat 4000 \"x\") }}{{ end }}", "memory"},
    {"{{ $s := repeat 500000 \"x\" }}{{ $t := print $s \"y\" }}{{ $l := list }}"
     "{{ range 200 }}{{ $l = append $l $s }}{{ $l = append $l $t }}{{ end }}{{ sortAlpha $l }}",
     "steps"},
};

START_TEST(test_greedy) {
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  uint64_t begin = bo_monotonic_ms();
  ck_assert_msg(render(greedy[_i].template, "{}", &out, &error) == BO_ERROR, "%s", greedy[_i].template);
  ck_assert_msg(strstr(error.text, greedy[_i].error) != NULL, "%s: %s", greedy[_i].template, error.text);
  ck_assert_uint_lt(bo_monotonic_ms() - begin, 30000);
}
END_TEST

static char *repeated(const char *before, const char *part, int count, const char *after) {
  struct bo_buffer text = BO_BUFFER_INIT;
  (void)bo_buffer_append_text(&text, before);
  for (int i = 0; i < count; i++)
    (void)bo_buffer_append_text(&text, part);
  (void)bo_buffer_append_text(&text, after);
  return bo_buffer_take(&text);
}

/* What recurses in the parsers is bounded too, whether or not it is closed again. */
START_TEST(test_deep_nesting) {
  static const struct {
    const char *before, *part, *after, *data;
  } cases[] = {{"{{ ", "(", " }}", "{}"},
               {"", "{{ if . }}", "", "{}"},
               {"{{ if . }}", "{{ else if . }}", "{{ end }}", "{}"},
               {"", "{{ block \"a\" . }}", "", "{}"},
               {"{{ regexMatch \"", "(", "\" \"\" }}", "{}"},
               {"{{ fromJson \"", "[", "\" }}", "{}"}};
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    BO_CLEANUP_FREE char *text = repeated(cases[i].before, cases[i].part, 100000, cases[i].after);
    struct bo_error error = BO_ERROR_INIT;
    ck_assert_int_eq(render(text, cases[i].data, &out, &error), BO_ERROR);
    ck_assert_msg(strstr(error.text, "nested deeper") != NULL, "%s", error.text);
  }
  BO_CLEANUP_FREE char *data = repeated("", "{\"a\":", 100000, "");
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(render("x", data, &out, &error), BO_ERROR);
  ck_assert_ptr_nonnull(strstr(error.text, "nested deeper"));
}
END_TEST

START_TEST(test_own_limits) {
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  struct bo_template_limits limits = {.output_bytes = 4};
  ck_assert_int_eq(bo_template_render("12345", NULL, some_time, &limits, &out, &error), BO_ERROR);
  ck_assert_int_eq(bo_template_render("1234", NULL, some_time, &limits, &out, &error), BO_OK);
  limits = (struct bo_template_limits){.steps = 50};
  ck_assert_int_eq(bo_template_render("{{ range 9 }}{{ . }}{{ end }}", NULL, some_time, &limits, &out, &error),
                   BO_ERROR);
  limits = (struct bo_template_limits){.memory_bytes = 64};
  ck_assert_int_eq(bo_template_render("{{ 1 }}", NULL, some_time, &limits, &out, &error), BO_ERROR);
  ck_assert_int_eq(bo_template_render("{{ 1 }}", NULL, some_time, NULL, &out, NULL), BO_OK);
  ck_assert_int_eq(bo_template_render("{{ nope }}", NULL, some_time, NULL, &out, NULL), BO_ERROR);
  ck_assert_str_eq(bo_buffer_text(&out), "12341");
}
END_TEST

/* ---- threads: nothing is shared */

static void *render_often(void *result) {
  BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
  bool *ok = result;
  for (int i = 0; i < 200; i++) {
    const char *template = "{{ dateInZone \"15:04\" now \"Asia/Kathmandu\" }} {{ .a | upper | regexFind \"[A-Z]+\" }}";
    *ok = render(template, "{\"a\":\"text\"}", &out, NULL) == BO_OK && strcmp(bo_buffer_text(&out), "13:54 TEXT") == 0;
    if (!*ok) break;
  }
  return NULL;
}

START_TEST(test_threads) {
  pthread_t threads[4];
  bool ok[4] = {false};
  for (size_t i = 0; i < 4; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, render_often, &ok[i]), 0);
  for (size_t i = 0; i < 4; i++) {
    ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert(ok[i]);
  }
}
END_TEST

/* ---- paths */

static const struct {
  const char *path, *key; /* NULL: refused */
} paths[] = {
    {"/a", "a"},
    {"/a/b.c/d", "a/b.c/d"},
    {" \n/a b/c\t\n", "a b/c"},
    {"/\xC3\xA9/\xE6\x97\xA5", "\xC3\xA9/\xE6\x97\xA5"},
    {"/...", "..."},
    {"/..a/.b", "..a/.b"},
    {"/a\\..\\b", "a\\..\\b"},
    {"/%2e%2e/a", "%2e%2e/a"},
    {"", NULL},
    {" \n", NULL},
    {"/", NULL},
    {"//", NULL},
    {"a", NULL},
    {"a/b", NULL},
    {"/a/", NULL},
    {"//a", NULL},
    {"/a//b", NULL},
    {"/.", NULL},
    {"/..", NULL},
    {"/../a", NULL},
    {"/a/../b", NULL},
    {"/a/./b", NULL},
    {"/a/..", NULL},
    {"/a\nb", NULL},
    {"/a\x1b[0mb", NULL},
    {"/a\x7f", NULL},
    {"/a\xC2\x85-", NULL},
    {"/a\xFF", NULL},
    {"/a\xC3", NULL},
    {"/\xED\xA0\x80", NULL},
    {"/<no value>/a", NULL},
};

START_TEST(test_path) {
  BO_CLEANUP_BUFFER struct bo_buffer key = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  int result = bo_template_path(paths[_i].path, strlen(paths[_i].path), &key, &error);
  ck_assert_int_eq(result, paths[_i].key != NULL ? BO_OK : BO_ERROR);
  ck_assert_str_eq(bo_buffer_text(&key), paths[_i].key != NULL ? paths[_i].key : "");
  if (paths[_i].key == NULL) ck_assert_int_eq(error.error_class, BO_CLASS_CONFIG);
}
END_TEST

START_TEST(test_path_bounds) {
  BO_CLEANUP_BUFFER struct bo_buffer key = BO_BUFFER_INIT;
  BO_CLEANUP_FREE char *longest = repeated("/", "a", BO_TEMPLATE_KEY_MAX, "");
  BO_CLEANUP_FREE char *longer = repeated("/", "a", BO_TEMPLATE_KEY_MAX + 1, "");
  ck_assert_int_eq(bo_template_path(longest, strlen(longest), &key, NULL), BO_OK);
  ck_assert_uint_eq(key.size, BO_TEMPLATE_KEY_MAX);
  ck_assert_int_eq(bo_template_path(longer, strlen(longer), &key, NULL), BO_ERROR);
  ck_assert_int_eq(bo_template_path("/a\0b", 4, &key, NULL), BO_ERROR); /* a NUL is a control character */
}
END_TEST

int main(void) {
  Suite *suite = suite_create("template");
  TCase *vectors = tcase_create("vectors");
  tcase_set_timeout(vectors, 120);
  tcase_add_test(vectors, test_vectors);
  tcase_add_test(vectors, test_upstream_paths);
  tcase_add_test(vectors, test_data_numbers);
  tcase_add_test(vectors, test_functions);
  tcase_add_test(vectors, test_zones);
  tcase_add_test(vectors, test_threads);
  suite_add_tcase(suite, vectors);
  TCase *errors = tcase_create("errors");
  tcase_set_timeout(errors, 60);
  tcase_add_loop_test(errors, test_failure, 0, sizeof(failures) / sizeof(failures[0]));
  tcase_add_test(errors, test_bad_data);
  tcase_add_loop_test(errors, test_greedy, 0, sizeof(greedy) / sizeof(greedy[0]));
  tcase_add_test(errors, test_deep_nesting);
  tcase_add_test(errors, test_own_limits);
  suite_add_tcase(suite, errors);
  TCase *path_case = tcase_create("paths");
  tcase_add_loop_test(path_case, test_path, 0, sizeof(paths) / sizeof(paths[0]));
  tcase_add_test(path_case, test_path_bounds);
  suite_add_tcase(suite, path_case);
  return unit_main(suite);
}
