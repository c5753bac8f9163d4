/* sprig's functions on strings. Widths and positions count bytes, as there. */
#include "core/template/internal.h"

static struct value text_result(const struct builder *builder) {
  return value_text(build_done(builder));
}

static int64_t integer(struct value value) {
  return value.integer;
}

/* ---- case */

static struct value map_runes(struct render *render, struct text text,
                              uint32_t (*change)(const struct render *render, uint32_t rune)) {
  struct builder builder = BUILDER(render);
  for (size_t at = 0; at < text.size;)
    build_rune(&builder, change(render, rune_next(text, &at)));
  return text_result(&builder);
}

static uint32_t swap(const struct render *render, uint32_t rune) {
  return rune_is_upper(render, rune) ? rune_lower(render, rune) : rune_upper(render, rune);
}

FUNCTION(fn_upper) {
  return map_runes(render, args[0].text, rune_upper);
}

FUNCTION(fn_lower) {
  return map_runes(render, args[0].text, rune_lower);
}

FUNCTION(fn_swapcase) {
  return map_runes(render, args[0].text, swap);
}

/* Letters, digits and the underscore make words; beyond ASCII only white space ends one. */
static bool separates(const struct render *render, uint32_t rune) {
  if (rune == '_' || rune_is_letter(render, rune) || rune_is_digit(render, rune)) return false;
  return rune < 0x80 || rune_is_space(rune);
}

FUNCTION(fn_title) {
  struct builder builder = BUILDER(render);
  uint32_t previous = ' ';
  for (size_t at = 0; at < args[0].text.size;) {
    uint32_t rune = rune_next(args[0].text, &at);
    build_rune(&builder, separates(render, previous) ? rune_title(render, rune) : rune);
    previous = rune;
  }
  return text_result(&builder);
}

FUNCTION(fn_untitle) {
  struct builder builder = BUILDER(render);
  uint32_t previous = ' ';
  for (size_t at = 0; at < args[0].text.size;) {
    uint32_t rune = rune_next(args[0].text, &at);
    build_rune(&builder, rune_is_space(previous) ? rune_lower(render, rune) : rune);
    previous = rune;
  }
  return text_result(&builder);
}

static bool is_connector(uint32_t rune) {
  return rune == '-' || rune == '_' || rune_is_space(rune);
}

/* A letter, but for the Chinese and Japanese ones, which have no words to be told apart by their case. */
static bool is_alphabetic(const struct render *render, uint32_t rune) {
  bool cjk = (rune >= 0x3400 && rune <= 0x9FFF) || (rune >= 0x20000 && rune <= 0x2FFFF);
  return rune_is_letter(render, rune) && !cjk;
}

/* Symbols, such as + and emoji, and what is_alphabetic leaves out: runs of them are words of their own. */
static bool is_other(const struct render *render, uint32_t rune) {
  bool punctuation = rune > ' ' && rune < 0x7F && strchr("!\"#%&'()*,-./:;?@[\\]_{}", (int)rune) != NULL;
  return !punctuation && !is_connector(rune) && !is_alphabetic(render, rune) && !rune_is_digit(render, rune);
}

/* Where no character follows or goes before, a connector stands in. */
static uint32_t rune_after(struct text text, size_t at) {
  return at < text.size ? rune_next(text, &at) : '_';
}

/* The character after the digits at `at`. */
static uint32_t after_digits(const struct render *render, struct text text, size_t at) {
  uint32_t rune = rune_after(text, at);
  while (at < text.size && rune_is_digit(render, rune)) {
    (void)rune_next(text, &at);
    rune = rune_after(text, at);
  }
  return rune;
}

/* Whether a word begins at `rune`: firstName, HTTPServer (the capital that a small letter follows), and digits with
 * small letters behind them, http2xx; digits otherwise belong to the word before, name2, and a word that began with
 * digits goes on over further ones, 2m3s. */
static bool begins_word(const struct render *render, uint32_t previous, uint32_t rune, struct text text, size_t after,
                        bool in_number) {
  bool letter_before = is_alphabetic(render, previous), digit_before = rune_is_digit(render, previous);
  if (is_other(render, rune)) return letter_before || digit_before;
  if (is_other(render, previous)) return is_alphabetic(render, rune);
  if (rune_is_upper(render, rune)) {
    if (rune_is_upper(render, previous)) return rune_is_lower(render, rune_after(text, after));
    return letter_before || digit_before;
  }
  return rune_is_digit(render, rune) && letter_before && !in_number &&
         rune_is_lower(render, after_digits(render, text, after));
}

static struct value join_words(struct render *render, struct text text, char connector) {
  struct builder builder = BUILDER(render);
  uint32_t previous = '_';
  bool in_number = false;
  for (size_t at = 0; at < text.size;) {
    uint32_t rune = rune_next(text, &at);
    bool begins = begins_word(render, previous, rune, text, at, in_number);
    if (begins) build_bytes(&builder, &connector, 1);
    if (begins || is_connector(previous)) in_number = rune_is_digit(render, rune);
    build_rune(&builder, is_connector(rune) ? (unsigned char)connector : rune_lower(render, rune));
    render_charge(render, 1);
    previous = rune;
  }
  return text_result(&builder);
}

FUNCTION(fn_snakecase) {
  return join_words(render, args[0].text, '_');
}

FUNCTION(fn_kebabcase) {
  return join_words(render, args[0].text, '-');
}

/* Of the connectors between two words the last one goes, and the letter after it is raised; at either end they stay. A
 * word's capitals at its start become one, FROM is From; those further on are kept. */
FUNCTION(fn_camelcase) {
  struct text text = args[0].text;
  struct builder builder = BUILDER(render);
  bool first = true, leading = true, lowers = false;
  for (size_t at = 0; at < text.size;) {
    size_t start = at;
    uint32_t rune = rune_next(text, &at);
    bool upper = rune_is_upper(render, rune);
    if (is_connector(rune)) {
      if (leading || is_connector(rune_after(text, at))) build_bytes(&builder, text.bytes + start, at - start);
      first = true;
      continue;
    }
    lowers = upper && (first || lowers);
    build_rune(&builder, first ? rune_upper(render, rune) : lowers ? rune_lower(render, rune) : rune);
    first = leading = false;
  }
  return text_result(&builder);
}

/* ---- trimming and cutting */

FUNCTION(fn_trim) {
  return value_text(text_trim_space(args[0].text));
}

static bool contains_rune(struct text set, uint32_t rune) {
  for (size_t at = 0; at < set.size;)
    if (rune_next(set, &at) == rune) return true;
  return false;
}

FUNCTION(fn_trim_all) {
  struct text set = args[0].text, text = args[1].text;
  size_t start = 0, end = text.size;
  for (size_t at = 0; at < text.size && contains_rune(set, rune_next(text, &at)); start = at)
    render_charge(render, 1 + set.size / 64);
  for (size_t at = end; at > start && contains_rune(set, rune_previous(text, &at)); end = at)
    render_charge(render, 1 + set.size / 64);
  return value_text(text_part(text, start, end));
}

static bool has_prefix(struct text text, struct text prefix) {
  return text.size >= prefix.size && text_equal(text_part(text, 0, prefix.size), prefix);
}

static bool has_suffix(struct text text, struct text suffix) {
  return text.size >= suffix.size && text_equal(text_part(text, text.size - suffix.size, text.size), suffix);
}

FUNCTION(fn_trim_prefix) {
  struct text text = args[1].text;
  return value_text(has_prefix(text, args[0].text) ? text_part(text, args[0].text.size, text.size) : text);
}

FUNCTION(fn_trim_suffix) {
  struct text text = args[1].text;
  return value_text(has_suffix(text, args[0].text) ? text_part(text, 0, text.size - args[0].text.size) : text);
}

FUNCTION(fn_has_prefix) {
  return value_bool(has_prefix(args[1].text, args[0].text));
}

FUNCTION(fn_has_suffix) {
  return value_bool(has_suffix(args[1].text, args[0].text));
}

FUNCTION(fn_contains) {
  return value_bool(text_find(args[1].text, args[0].text, 0) != SIZE_MAX);
}

FUNCTION(fn_trunc) {
  int64_t length = integer(args[0]), size = (int64_t)args[1].text.size;
  if (length < 0 && size + length > 0)
    return value_text(text_part(args[1].text, (size_t)(size + length), (size_t)size));
  if (length >= 0 && size > length) return value_text(text_part(args[1].text, 0, (size_t)length));
  return args[1];
}

FUNCTION(fn_substr) {
  int64_t start = integer(args[0]), end = integer(args[1]), size = (int64_t)args[2].text.size;
  if (start < 0) {
    start = 0;
  } else if (end < 0 || end > size) {
    end = size;
  }
  if (start > end || end > size || end < 0)
    render_fail(render, "substr: from %lld to %lld is not within the string's %lld bytes", (long long)start,
                (long long)end, (long long)size);
  return value_text(text_part(args[2].text, (size_t)start, (size_t)end));
}

/* At most `width` bytes of the text from `offset` on, with "..." where something is left out. */
static void abbreviate(struct builder *builder, struct text text, int64_t offset, int64_t width) {
  int64_t size = (int64_t)text.size, kept = width - 3;
  if (size <= width) {
    build_text(builder, text);
    return;
  }
  if (offset > size) offset = size;
  if (size - offset < kept) offset = size - kept;
  if (offset > 4 && width < 7) return; /* no room: the reference gives nothing */
  if (offset <= 4) {
    build_text(builder, text_part(text, 0, (size_t)kept));
    build_string(builder, "...");
    return;
  }
  build_string(builder, "...");
  if (offset + kept < size)
    abbreviate(builder, text_part(text, (size_t)offset, text.size), 0, kept);
  else
    build_text(builder, text_part(text, (size_t)(size - kept), text.size));
}

FUNCTION(fn_abbrev) {
  if (integer(args[0]) < 4) return args[1];
  struct builder builder = BUILDER(render);
  abbreviate(&builder, args[1].text, 0, integer(args[0]));
  return text_result(&builder);
}

FUNCTION(fn_abbrevboth) {
  int64_t left = integer(args[0]), right = integer(args[1]);
  if (right < 4 || (left > 0 && right < 7)) return args[2];
  struct builder builder = BUILDER(render);
  abbreviate(&builder, args[2].text, left, right);
  return text_result(&builder);
}

FUNCTION(fn_nospace) {
  struct builder builder = BUILDER(render);
  for (size_t at = 0; at < args[0].text.size;) {
    uint32_t rune = rune_next(args[0].text, &at);
    if (!rune_is_space(rune)) build_rune(&builder, rune);
  }
  return text_result(&builder);
}

FUNCTION(fn_initials) {
  struct builder builder = BUILDER(render);
  bool gap = true;
  for (size_t at = 0; at < args[0].text.size;) {
    uint32_t rune = rune_next(args[0].text, &at);
    if (gap && !rune_is_space(rune)) build_rune(&builder, rune);
    gap = rune_is_space(rune);
  }
  return text_result(&builder);
}

/* ---- repeating and replacing */

FUNCTION(fn_repeat) {
  int64_t times = integer(args[0]);
  struct text text = args[1].text;
  if (times < 0) render_fail(render, "repeat: a negative count");
  size_t size = 0;
  if (__builtin_mul_overflow(text.size, (size_t)times, &size)) size = SIZE_MAX;
  char *bytes = render_alloc(render, size, 1);
  for (size_t at = 0; at < size; at += text.size)
    memcpy(bytes + at, text.bytes, text.size);
  return value_text((struct text){bytes, size});
}

static void replace(struct builder *builder, struct text text, struct text old, struct text new) {
  if (old.size == 0) { /* before each character and at the end */
    for (size_t at = 0; at < text.size;) {
      size_t start = at;
      (void)rune_next(text, &at);
      build_text(builder, new);
      build_bytes(builder, text.bytes + start, at - start);
    }
    build_text(builder, new);
    return;
  }
  size_t at = 0;
  for (size_t found; (found = text_find(text, old, at)) != SIZE_MAX; at = found + old.size) {
    build_text(builder, text_part(text, at, found));
    build_text(builder, new);
  }
  build_text(builder, text_part(text, at, text.size));
}

FUNCTION(fn_replace) {
  struct builder builder = BUILDER(render);
  replace(&builder, args[2].text, args[0].text, args[1].text);
  return text_result(&builder);
}

static struct text spaces(struct render *render, int64_t width) {
  if (width < 0) render_fail(render, "indent: a negative width");
  struct builder builder = BUILDER(render);
  build_repeat(&builder, ' ', (size_t)width);
  return build_done(&builder);
}

static void indent(struct builder *builder, int64_t width, struct text text) {
  struct text pad = spaces(builder->render, width);
  struct builder line_start = BUILDER(builder->render);
  build_string(&line_start, "\n");
  build_text(&line_start, pad);
  build_text(builder, pad);
  replace(builder, text, TEXT("\n"), build_done(&line_start));
}

FUNCTION(fn_indent) {
  struct builder builder = BUILDER(render);
  indent(&builder, integer(args[0]), args[1].text);
  return text_result(&builder);
}

FUNCTION(fn_nindent) {
  struct builder builder = BUILDER(render);
  build_string(&builder, "\n");
  indent(&builder, integer(args[0]), args[1].text);
  return text_result(&builder);
}

/* The last space among the bytes from `from` up to `to`, or SIZE_MAX. */
static size_t last_space(struct text text, size_t from, size_t to) {
  while (to > from)
    if (text.bytes[--to] == ' ') return to;
  return SIZE_MAX;
}

/* Lines of `width` bytes, broken at spaces; a longer word is cut, or stands over. */
static struct value wrap(struct render *render, struct text text, int64_t width, struct text newline, bool cut) {
  struct builder builder = BUILDER(render);
  size_t length = width < 1 ? 1 : (size_t)width, at = 0;
  if (newline.size == 0) newline = TEXT("\n");
  while (text.size - at > length) {
    render_charge(render, 1 + length / 64);
    if (text.bytes[at] == ' ') {
      at++;
      continue;
    }
    size_t end = last_space(text, at, at + length + 1), next = end + 1;
    if (end == SIZE_MAX && cut) {
      next = end = at + length;
    } else if (end == SIZE_MAX) {
      end = text_find(text, TEXT(" "), at + length);
      if (end == SIZE_MAX) break;
      next = end + 1;
    }
    build_text(&builder, text_part(text, at, end));
    build_text(&builder, newline);
    at = next;
  }
  build_text(&builder, text_part(text, at, text.size));
  return text_result(&builder);
}

FUNCTION(fn_wrap) {
  return wrap(render, args[1].text, integer(args[0]), TEXT(""), false);
}

FUNCTION(fn_wrap_with) {
  return wrap(render, args[2].text, integer(args[0]), args[1].text, true);
}

/* ---- quoting and joining */

FUNCTION(fn_quote) {
  struct builder builder = BUILDER(render);
  for (size_t i = 0; i < count; i++) {
    if (value_is_nil(args[i])) continue;
    if (builder.size > 0) build_string(&builder, " ");
    print_quoted(&builder, print_text(render, args[i]));
  }
  return text_result(&builder);
}

FUNCTION(fn_squote) {
  struct builder builder = BUILDER(render);
  for (size_t i = 0; i < count; i++) {
    if (value_is_nil(args[i])) continue;
    build_string(&builder, builder.size > 0 ? " '" : "'");
    print_value(&builder, args[i]);
    build_string(&builder, "'");
  }
  return text_result(&builder);
}

FUNCTION(fn_cat) {
  struct builder builder = BUILDER(render);
  bool first = true;
  for (size_t i = 0; i < count; i++) {
    if (value_is_nil(args[i])) continue;
    if (!first) build_string(&builder, " ");
    print_value(&builder, args[i]);
    first = false;
  }
  return text_result(&builder);
}

FUNCTION(fn_plural) {
  return args[integer(args[2]) == 1 ? 0 : 1];
}

FUNCTION(fn_hello) {
  return value_text(TEXT("Hello!"));
}

const struct function functions_string[] = {{"abbrev", "is", fn_abbrev},
                                            {"abbrevboth", "iis", fn_abbrevboth},
                                            {"camelcase", "s", fn_camelcase},
                                            {"cat", "a*", fn_cat},
                                            {"contains", "ss", fn_contains},
                                            {"hasPrefix", "ss", fn_has_prefix},
                                            {"hasSuffix", "ss", fn_has_suffix},
                                            {"hello", "", fn_hello},
                                            {"indent", "is", fn_indent},
                                            {"initials", "s", fn_initials},
                                            {"kebabcase", "s", fn_kebabcase},
                                            {"lower", "s", fn_lower},
                                            {"nindent", "is", fn_nindent},
                                            {"nospace", "s", fn_nospace},
                                            {"plural", "ssi", fn_plural},
                                            {"quote", "a*", fn_quote},
                                            {"repeat", "is", fn_repeat},
                                            {"replace", "sss", fn_replace},
                                            {"snakecase", "s", fn_snakecase},
                                            {"squote", "a*", fn_squote},
                                            {"substr", "iis", fn_substr},
                                            {"swapcase", "s", fn_swapcase},
                                            {"title", "s", fn_title},
                                            {"trim", "s", fn_trim},
                                            {"trimAll", "ss", fn_trim_all},
                                            {"trimPrefix", "ss", fn_trim_prefix},
                                            {"trimSuffix", "ss", fn_trim_suffix},
                                            {"trimall", "ss", fn_trim_all},
                                            {"trunc", "is", fn_trunc},
                                            {"untitle", "s", fn_untitle},
                                            {"upper", "s", fn_upper},
                                            {"wrap", "is", fn_wrap},
                                            {"wrapWith", "iss", fn_wrap_with},
                                            {NULL, NULL, NULL}};
