/*
 * sprig's functions on semantic versions (semver.org 2.0.0), read as leniently as there: "v1.2" is 1.2.0. A constraint
 * is a list of comparisons, all of which must hold ("," or a space between them), or several such lists with ||
 * between.
 */
#include "core/template/internal.h"

struct version {
  uint64_t part[3];
  int given; /* how many of them were written */
  struct text prerelease, metadata, original;
};

static bool is_identifier(struct text text) {
  for (size_t i = 0; i < text.size; i++) {
    char c = text.bytes[i];
    bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    bool dot = c == '.' && i > 0 && i + 1 < text.size && text.bytes[i - 1] != '.';
    if (!word && !dot) return false;
  }
  return text.size > 0;
}

static bool is_wildcard(char c) {
  return c == '*' || c == 'x' || c == 'X';
}

/* `wildcards`: in a constraint, "1.x" is as good as "1". */
static bool parse(struct text text, bool wildcards, struct version *version) {
  *version = (struct version){.original = text};
  size_t at = text.size > 0 && text.bytes[0] == 'v' ? 1 : 0;
  bool wild = false;
  for (int i = 0; i < 3; i++) {
    if (i > 0 && (at >= text.size || text.bytes[at] != '.')) break;
    at += i > 0;
    size_t start = at;
    int64_t number = 0;
    if (wildcards && at < text.size && is_wildcard(text.bytes[at])) {
      wild = true;
      at++;
      continue;
    }
    while (at < text.size && text.bytes[at] >= '0' && text.bytes[at] <= '9')
      at++;
    if (!number_parse_int(text_part(text, start, at), 10, &number)) return false;
    version->part[i] = wild ? 0 : (uint64_t)number;
    if (!wild) version->given = i + 1;
  }
  size_t plus = text_find(text, TEXT("+"), at), end = plus == SIZE_MAX ? text.size : plus;
  if (plus != SIZE_MAX) {
    version->metadata = text_part(text, plus + 1, text.size);
    if (!is_identifier(version->metadata)) return false;
  }
  if (at < end && text.bytes[at] == '-') {
    version->prerelease = text_part(text, at + 1, end);
    at = is_identifier(version->prerelease) ? end : at;
  }
  return at == end;
}

/* Up to the next dot. */
static struct text next_field(struct text text, size_t *at) {
  size_t start = *at, end = text_find(text, TEXT("."), start);
  if (end == SIZE_MAX) end = text.size;
  *at = end + 1;
  return text_part(text, start, end);
}

static int compare_fields(struct text a, struct text b) {
  int64_t left = 0, right = 0;
  bool a_number = number_parse_int(a, 10, &left), b_number = number_parse_int(b, 10, &right);
  if (a_number && b_number) return (left > right) - (left < right);
  if (a_number != b_number) return a_number ? -1 : 1;
  return text_compare(a, b);
}

/* Section 11 of the standard: a version is above its own prereleases. */
static int compare_prereleases(struct text a, struct text b) {
  if (a.size == 0 || b.size == 0) return (a.size == 0) - (b.size == 0);
  size_t i = 0, j = 0;
  while (i < a.size && j < b.size) {
    int order = compare_fields(next_field(a, &i), next_field(b, &j));
    if (order != 0) return order < 0 ? -1 : 1;
  }
  return (i < a.size) - (j < b.size);
}

static int compare(const struct version *a, const struct version *b) {
  for (int i = 0; i < 3; i++)
    if (a->part[i] != b->part[i]) return a->part[i] < b->part[i] ? -1 : 1;
  return compare_prereleases(a->prerelease, b->prerelease);
}

void version_print(struct builder *builder, const struct version *version) {
  build_printf(builder, "%llu.%llu.%llu", (unsigned long long)version->part[0], (unsigned long long)version->part[1],
               (unsigned long long)version->part[2]);
  if (version->prerelease.size > 0) build_string(builder, "-");
  build_text(builder, version->prerelease);
  if (version->metadata.size > 0) build_string(builder, "+");
  build_text(builder, version->metadata);
}

FUNCTION(fn_semver) {
  struct version *version = render_alloc(render, 1, sizeof(*version));
  if (!parse(args[0].text, false, version)) render_fail(render, "semver: not a semantic version such as 1.2.3");
  return (struct value){.kind = VALUE_VERSION, .version = version};
}

/* ---- constraints */

/* The least version above all that share the bound's first `parts` parts. */
static struct version ceiling(const struct version *bound, int parts) {
  struct version above = {0};
  for (int i = 0; i < parts; i++)
    above.part[i] = bound->part[i];
  above.part[parts - 1]++;
  return above;
}

static bool between(const struct version *version, const struct version *low, const struct version *above) {
  return compare(version, low) >= 0 && compare(version, above) < 0;
}

/* ^1.2.3: below 2; ^0.2.3: below 0.3; ^0.0.3: below 0.0.4. */
static bool caret(const struct version *version, const struct version *bound) {
  int parts = bound->part[0] > 0 || bound->given == 1 ? 1 : bound->part[1] > 0 || bound->given == 2 ? 2 : 3;
  struct version above = ceiling(bound, parts);
  return between(version, bound, &above);
}

static bool within_given(const struct version *version, const struct version *bound) {
  struct version above = ceiling(bound, bound->given);
  return between(version, bound, &above);
}

static bool holds(struct text operator, const struct version * bound, const struct version *version) {
  bool any = bound->given == 0, partial = bound->given < 3;
  int order = compare(version, bound);
  /* A prerelease is only for who asks for one. */
  if (version->prerelease.size > 0 && bound->prerelease.size == 0) return false;
  if (text_is(operator, "!=")) return any ? false : partial ? !within_given(version, bound) : order != 0;
  if (any) return !text_is(operator, "<") && !text_is(operator, ">");
  struct version above = ceiling(bound, bound->given);
  if (text_is(operator, ">")) return partial ? compare(version, &above) >= 0 : order > 0;
  if (text_is(operator, "<")) return order < 0;
  if (text_is(operator, ">=") || text_is(operator, "=>")) return order >= 0;
  if (text_is(operator, "<=") || text_is(operator, "=<")) return partial ? compare(version, &above) < 0 : order <= 0;
  if (text_is(operator, "^")) return caret(version, bound);
  if (text_is(operator, "~") || text_is(operator, "~>")) {
    struct version tilde = ceiling(bound, bound->given > 1 ? 2 : 1);
    return between(version, bound, &tilde);
  }
  return partial ? within_given(version, bound) : order == 0;
}

struct constraint {
  struct render *render;
  struct text text;
  size_t at;
};

static void skip(struct constraint *constraint, const char *characters) {
  while (constraint->at < constraint->text.size && constraint->text.bytes[constraint->at] != '\0' &&
         strchr(characters, constraint->text.bytes[constraint->at]) != NULL)
    constraint->at++;
}

static struct version take_version(struct constraint *constraint) {
  size_t start = constraint->at;
  struct version version;
  while (constraint->at < constraint->text.size && constraint->text.bytes[constraint->at] != '\0' &&
         strchr(" ,|", constraint->text.bytes[constraint->at]) == NULL)
    constraint->at++;
  if (!parse(text_part(constraint->text, start, constraint->at), true, &version))
    render_fail(constraint->render, "semverCompare: the constraint is malformed; it should look like \">=1.2, <2\"");
  return version;
}

/* One comparison, or a range "1.2 - 1.4" with both ends in it. */
static bool take_comparison(struct constraint *constraint, const struct version *version) {
  size_t start = constraint->at;
  skip(constraint, "=!<>~^");
  struct text operator= text_part(constraint->text, start, constraint->at);
  skip(constraint, " ");
  struct version bound = take_version(constraint);
  bool range = operator.size == 0 && text_find(constraint->text, TEXT(" - "), constraint->at) == constraint->at;
  if (!range) return holds(operator, & bound, version);
  constraint->at += 3;
  skip(constraint, " ");
  struct version last = take_version(constraint);
  return holds(TEXT(">="), &bound, version) && holds(TEXT("<="), &last, version);
}

FUNCTION(fn_semver_compare) {
  struct constraint constraint = {render, args[0].text, 0};
  struct version version;
  bool any = false, all = true;
  if (!parse(args[1].text, false, &version)) render_fail(render, "semverCompare: not a semantic version such as 1.2.3");
  skip(&constraint, " ");
  do {
    all = take_comparison(&constraint, &version) && all;
    skip(&constraint, " ,");
    bool or_else = text_find(constraint.text, TEXT("||"), constraint.at) == constraint.at;
    if (or_else) {
      constraint.at += 2;
      skip(&constraint, " ");
      any = any || all;
      all = true;
    }
  } while (constraint.at < constraint.text.size);
  return value_bool(any || all);
}

const struct function functions_version[] = {
    {"semver", "s", fn_semver}, {"semverCompare", "ss", fn_semver_compare}, {NULL, NULL, NULL}};

/* ---- methods */

static struct value part(const struct value *args, int index) {
  return (struct value){.kind = VALUE_INT, .type = TYPE_UINT64, .integer = (int64_t)args[0].version->part[index]};
}

FUNCTION(of_major) {
  return part(args, 0);
}

FUNCTION(of_minor) {
  return part(args, 1);
}

FUNCTION(of_patch) {
  return part(args, 2);
}

FUNCTION(of_prerelease) {
  return value_text(args[0].version->prerelease);
}

FUNCTION(of_metadata) {
  return value_text(args[0].version->metadata);
}

FUNCTION(of_original) {
  return value_text(args[0].version->original);
}

FUNCTION(of_string) {
  return value_text(print_text(render, args[0]));
}

FUNCTION(of_compare) {
  return value_int(compare(args[0].version, args[1].version));
}

FUNCTION(of_equal) {
  return value_bool(compare(args[0].version, args[1].version) == 0);
}

FUNCTION(of_less) {
  return value_bool(compare(args[0].version, args[1].version) < 0);
}

FUNCTION(of_greater) {
  return value_bool(compare(args[0].version, args[1].version) > 0);
}

const struct function methods_version[] = {
    {"Compare", "ee", of_compare},      {"Equal", "ee", of_equal},      {"GreaterThan", "ee", of_greater},
    {"LessThan", "ee", of_less},        {"Major", "e", of_major},       {"Metadata", "e", of_metadata},
    {"Minor", "e", of_minor},           {"Original", "e", of_original}, {"Patch", "e", of_patch},
    {"Prerelease", "e", of_prerelease}, {"String", "e", of_string},     {NULL, NULL, NULL}};
