/* Templates: what the reference gives (tests/vectors/template), where errors are, that no template runs away, and which
 * paths may become keys. */
#include "core/template/template.h"

#include <cjson/cJSON.h>

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

int main(void) {
  Suite *suite = suite_create("template");
  TCase *vectors = tcase_create("vectors");
  tcase_set_timeout(vectors, 120);
  tcase_add_test(vectors, test_vectors);
  tcase_add_test(vectors, test_upstream_paths);
  suite_add_tcase(suite, vectors);
  return unit_main(suite);
}
