/* sprig's functions on regular expressions. A malformed pattern is an error, but for regexMatch, which says false. */
#include "core/template/regexp.h"

static struct regexp *compile(struct render *render, struct text pattern) {
  const char *wrong = NULL;
  struct regexp *regexp = regexp_compile(render, pattern, &wrong);
  if (regexp == NULL) render_fail(render, "the regular expression is malformed: %s", wrong);
  return regexp;
}

static size_t *ends_new(struct render *render, const struct regexp *regexp) {
  return render_alloc(render, 2 * regexp_group_count(regexp), sizeof(size_t));
}

FUNCTION(fn_must_match) {
  struct regexp *regexp = compile(render, args[0].text);
  return value_bool(regexp_find(render, regexp, args[1].text, 0, ends_new(render, regexp)));
}

FUNCTION(fn_match) {
  const char *wrong = NULL;
  if (regexp_compile(render, args[0].text, &wrong) == NULL) return value_bool(false);
  return fn_must_match(render, args, count);
}

FUNCTION(fn_find) {
  struct regexp *regexp = compile(render, args[0].text);
  size_t *ends = ends_new(render, regexp);
  if (!regexp_find(render, regexp, args[1].text, 0, ends)) return value_text(TEXT(""));
  return value_text(text_part(args[1].text, ends[0], ends[1]));
}

/* Goes from match to match. An empty one right behind another does not count. */
struct matches {
  struct render *render;
  struct regexp *regexp;
  struct text text;
  size_t at, previous_end;
  size_t *ends;
};

static struct matches matches_of(struct render *render, struct text pattern, struct text text) {
  struct regexp *regexp = compile(render, pattern);
  return (struct matches){render, regexp, text, 0, SIZE_MAX, ends_new(render, regexp)};
}

static bool next_match(struct matches *matches) {
  while (matches->at <= matches->text.size &&
         regexp_find(matches->render, matches->regexp, matches->text, matches->at, matches->ends)) {
    size_t start = matches->ends[0], end = matches->ends[1];
    bool counts = end != matches->at || start != matches->previous_end;
    if (end == matches->at) {
      if (matches->at < matches->text.size)
        (void)rune_next(matches->text, &matches->at);
      else
        matches->at++;
    } else {
      matches->at = end;
    }
    matches->previous_end = end;
    if (counts) return true;
  }
  matches->at = matches->text.size + 1;
  return false;
}

FUNCTION(fn_find_all) {
  struct list *list = list_new(render, 0);
  struct matches matches = matches_of(render, args[0].text, args[1].text);
  while ((args[2].integer < 0 || (int64_t)list->count < args[2].integer) && next_match(&matches))
    list_add(render, list, value_text(text_part(args[1].text, matches.ends[0], matches.ends[1])));
  return value_list(list, TYPE_STRINGS);
}

FUNCTION(fn_split) {
  struct text text = args[1].text;
  int64_t limit = args[2].integer;
  struct list *list = list_new(render, 0);
  struct matches matches = matches_of(render, args[0].text, text);
  size_t start = 0, end = 0;
  if (limit == 0) return value_list(list, TYPE_STRINGS);
  if (args[0].text.size > 0 && text.size == 0) {
    list_add(render, list, value_text(text));
    return value_list(list, TYPE_STRINGS);
  }
  while ((limit < 0 || (int64_t)list->count < limit - 1) && next_match(&matches)) {
    end = matches.ends[0];
    if (matches.ends[1] != 0) list_add(render, list, value_text(text_part(text, start, end)));
    start = matches.ends[1];
  }
  if (end != text.size) list_add(render, list, value_text(text_part(text, start, text.size)));
  return value_list(list, TYPE_STRINGS);
}

/* ---- replacing */

static bool is_name_byte(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The group's name at `at`, behind a dollar sign; false when there is none. */
static bool reference(struct text text, size_t *at, struct text *name) {
  bool braces = *at < text.size && text.bytes[*at] == '{';
  size_t start = *at + braces, end = start;
  while (end < text.size && is_name_byte(text.bytes[end]))
    end++;
  if (end == start || (braces && (end == text.size || text.bytes[end] != '}'))) return false;
  *name = text_part(text, start, end);
  *at = end + braces;
  return true;
}

static void expand(struct builder *builder, struct text replacement, const struct matches *matches) {
  for (size_t at = 0; at < replacement.size;) {
    size_t dollar = text_find(replacement, TEXT("$"), at);
    size_t end = dollar == SIZE_MAX ? replacement.size : dollar;
    build_text(builder, text_part(replacement, at, end));
    if (dollar == SIZE_MAX) return;
    at = end + 1;
    struct text name;
    if (at < replacement.size && replacement.bytes[at] == '$') {
      build_string(builder, "$");
      at++;
    } else if (!reference(replacement, &at, &name)) {
      build_string(builder, "$");
    } else {
      int64_t number = 0;
      size_t group = number_parse_int(name, 10, &number) ? (size_t)number : regexp_group(matches->regexp, name);
      if (group < regexp_group_count(matches->regexp) && matches->ends[2 * group] != SIZE_MAX)
        build_text(builder, text_part(matches->text, matches->ends[2 * group], matches->ends[2 * group + 1]));
    }
  }
}

static struct value replace_all(struct render *render, const struct value *args, bool literal) {
  struct builder builder = BUILDER(render);
  struct matches matches = matches_of(render, args[0].text, args[1].text);
  size_t done = 0;
  while (next_match(&matches)) {
    build_text(&builder, text_part(args[1].text, done, matches.ends[0]));
    if (literal)
      build_text(&builder, args[2].text);
    else
      expand(&builder, args[2].text, &matches);
    done = matches.ends[1];
  }
  build_text(&builder, text_part(args[1].text, done, args[1].text.size));
  return value_text(build_done(&builder));
}

FUNCTION(fn_replace_all) {
  return replace_all(render, args, false);
}

FUNCTION(fn_replace_all_literal) {
  return replace_all(render, args, true);
}

FUNCTION(fn_quote_meta) {
  struct builder builder = BUILDER(render);
  for (size_t i = 0; i < args[0].text.size; i++) {
    char c = args[0].text.bytes[i];
    if (c != '\0' && strchr("\\.+*?()|[]{}^$", c) != NULL) build_string(&builder, "\\");
    build_bytes(&builder, &c, 1);
  }
  return value_text(build_done(&builder));
}

const struct function functions_regexp[] = {{"mustRegexFind", "ss", fn_find},
                                            {"mustRegexFindAll", "ssi", fn_find_all},
                                            {"mustRegexMatch", "ss", fn_must_match},
                                            {"mustRegexReplaceAll", "sss", fn_replace_all},
                                            {"mustRegexReplaceAllLiteral", "sss", fn_replace_all_literal},
                                            {"mustRegexSplit", "ssi", fn_split},
                                            {"regexFind", "ss", fn_find},
                                            {"regexFindAll", "ssi", fn_find_all},
                                            {"regexMatch", "ss", fn_match},
                                            {"regexQuoteMeta", "s", fn_quote_meta},
                                            {"regexReplaceAll", "sss", fn_replace_all},
                                            {"regexReplaceAllLiteral", "sss", fn_replace_all_literal},
                                            {"regexSplit", "ssi", fn_split},
                                            {NULL, NULL, NULL}};
