/*
 * The template's text as tokens. Outside of {{ and }} all is text; inside, spaces count, since `.a .b` and `.a.b`
 * differ. The lexer is a small value without hidden state, so the parser looks ahead by lexing on a copy.
 */
#include "core/template/internal.h"

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool starts_with(const struct lexer *lexer, size_t at, const char *string) {
  struct text source = lexer->render->source;
  size_t size = strlen(string);
  return at <= source.size && source.size - at >= size && memcmp(source.bytes + at, string, size) == 0;
}

static char byte_at(const struct lexer *lexer, size_t at) {
  return at < lexer->render->source.size ? lexer->render->source.bytes[at] : '\0';
}

_Noreturn static void fail_at(const struct lexer *lexer, size_t position, const char *what) {
  lexer->render->position = position;
  render_fail(lexer->render, "%s", what);
}

/* A white space, a minus and the closing braces. */
static bool at_trimmed_end(const struct lexer *lexer, size_t at) {
  return is_space(byte_at(lexer, at)) && starts_with(lexer, at + 1, "-}}");
}

static bool at_end_of_action(const struct lexer *lexer, size_t at) {
  return starts_with(lexer, at, "}}") || at_trimmed_end(lexer, at);
}

static bool is_word_rune(const struct lexer *lexer, uint32_t rune) {
  return rune == '_' || rune_is_letter(lexer->render, rune) || rune_is_digit(lexer->render, rune);
}

static bool word_at(const struct lexer *lexer, size_t at) {
  return at < lexer->render->source.size && is_word_rune(lexer, rune_next(lexer->render->source, &at));
}

static struct token token(const struct lexer *lexer, enum token_kind kind, size_t start) {
  return (struct token){kind, text_part(lexer->render->source, start, lexer->at), start};
}

/* ---- text and comments */

/* A comment whose slash is at `slash`: moves behind its closing braces. */
static void skip_comment(struct lexer *lexer, size_t slash) {
  size_t close = text_find(lexer->render->source, TEXT("*/"), slash + 2);
  if (close == SIZE_MAX) fail_at(lexer, slash, "the comment does not end; close it with */}}");
  size_t at = close + 2;
  lexer->trim_next = at_trimmed_end(lexer, at);
  if (lexer->trim_next)
    at += 2;
  else if (!starts_with(lexer, at, "}}"))
    fail_at(lexer, at, "a comment must fill its braces: }} is to follow */ at once");
  lexer->at = at + 2;
}

/* The text up to the next action, which may be empty. A comment is taken with the text before it. */
static struct token lex_text(struct lexer *lexer) {
  struct text source = lexer->render->source;
  if (lexer->trim_next)
    while (is_space(byte_at(lexer, lexer->at)))
      lexer->at++;
  lexer->trim_next = false;
  size_t start = lexer->at;
  size_t open = text_find(source, TEXT("{{"), start);
  if (open == SIZE_MAX) {
    lexer->at = source.size;
    return token(lexer, start == source.size ? TOKEN_END : TOKEN_TEXT, start);
  }
  bool trims = starts_with(lexer, open + 2, "-") && is_space(byte_at(lexer, open + 3));
  size_t end = open, inside = open + (trims ? 4 : 2);
  while (trims && end > start && is_space(source.bytes[end - 1]))
    end--;
  struct token text = {TOKEN_TEXT, text_part(source, start, end), start};
  if (starts_with(lexer, inside, "/*")) {
    skip_comment(lexer, inside);
    return text;
  }
  if (end > start) {
    lexer->at = open;
    return text;
  }
  lexer->at = inside;
  lexer->in_action = true;
  return (struct token){TOKEN_LEFT, text_part(source, open, inside), open};
}

/* ---- inside an action */

/* What may follow a field, variable or word. */
static void expect_terminator(const struct lexer *lexer) {
  char c = byte_at(lexer, lexer->at);
  if (lexer->at >= lexer->render->source.size || is_space(c) || (c != '\0' && strchr(".,|:()", c) != NULL) ||
      at_end_of_action(lexer, lexer->at))
    return;
  fail_at(lexer, lexer->at, "a character that cannot follow a name");
}

static struct token lex_name(struct lexer *lexer, enum token_kind kind, size_t start) {
  while (word_at(lexer, lexer->at))
    (void)rune_next(lexer->render->source, &lexer->at);
  expect_terminator(lexer);
  return token(lexer, kind, start);
}

static void accept_digits(struct lexer *lexer, const char *digits) {
  while (byte_at(lexer, lexer->at) != '\0' && strchr(digits, byte_at(lexer, lexer->at)) != NULL)
    lexer->at++;
}

static bool accept_one(struct lexer *lexer, const char *characters) {
  char c = byte_at(lexer, lexer->at);
  if (c == '\0' || strchr(characters, c) == NULL) return false;
  lexer->at++;
  return true;
}

/* One real or imaginary number. */
static void scan_number(struct lexer *lexer, size_t start) {
  (void)accept_one(lexer, "+-");
  const char *digits = "0123456789_";
  if (accept_one(lexer, "0")) {
    if (accept_one(lexer, "xX"))
      digits = "0123456789abcdefABCDEF_";
    else if (accept_one(lexer, "oO"))
      digits = "01234567_";
    else if (accept_one(lexer, "bB"))
      digits = "01_";
  }
  accept_digits(lexer, digits);
  if (accept_one(lexer, ".")) accept_digits(lexer, digits);
  if (strlen(digits) == 11 && accept_one(lexer, "eE")) {
    (void)accept_one(lexer, "+-");
    accept_digits(lexer, "0123456789_");
  }
  (void)accept_one(lexer, "i");
  if (word_at(lexer, lexer->at)) fail_at(lexer, start, "a number goes over into a word");
}

static struct token lex_number(struct lexer *lexer, size_t start) {
  lexer->at = start;
  scan_number(lexer, start);
  char sign = byte_at(lexer, lexer->at);
  if (sign == '+' || sign == '-') {
    scan_number(lexer, start);
    if (byte_at(lexer, lexer->at - 1) != 'i') fail_at(lexer, start, "two numbers without a space between them");
  }
  return token(lexer, TOKEN_NUMBER, start);
}

static struct token lex_quoted(struct lexer *lexer, size_t start, char quote) {
  for (;; lexer->at++) {
    char c = byte_at(lexer, lexer->at);
    if (lexer->at >= lexer->render->source.size || c == '\n')
      fail_at(lexer, start,
              quote == '"' ? "a string does not end on its line" : "a character does not end on its line");
    if (c == '\\' && byte_at(lexer, lexer->at + 1) != '\n')
      lexer->at++;
    else if (c == quote)
      break;
  }
  lexer->at++;
  return token(lexer, quote == '"' ? TOKEN_STRING : TOKEN_CHARACTER, start);
}

static struct token lex_raw(struct lexer *lexer, size_t start) {
  size_t close = text_find(lexer->render->source, TEXT("`"), lexer->at);
  if (close == SIZE_MAX) fail_at(lexer, start, "a raw string does not end");
  lexer->at = close + 1;
  return token(lexer, TOKEN_RAW_STRING, start);
}

static struct token lex_spaces(struct lexer *lexer, size_t start) {
  while (is_space(byte_at(lexer, lexer->at)) && !at_trimmed_end(lexer, lexer->at))
    lexer->at++;
  return token(lexer, TOKEN_SPACE, start);
}

static struct token lex_right(struct lexer *lexer, size_t start) {
  if (lexer->brackets > 0) fail_at(lexer, start, "a bracket is not closed: ) is missing");
  lexer->trim_next = at_trimmed_end(lexer, start);
  lexer->at = start + (lexer->trim_next ? 4 : 2);
  lexer->in_action = false;
  return token(lexer, TOKEN_RIGHT, start);
}

static struct token lex_punctuation(struct lexer *lexer, size_t start, char c) {
  if (c == '(') lexer->brackets++;
  if (c == ')' && --lexer->brackets < 0) fail_at(lexer, start, "a closing bracket without an opening one");
  if (c == ':' && !accept_one(lexer, "=")) fail_at(lexer, start, "a colon without = behind it; := was meant?");
  if (c <= ' ' || c > '~') fail_at(lexer, start, "a character that means nothing here");
  return token(lexer, TOKEN_PUNCTUATION, start);
}

static struct token lex_action(struct lexer *lexer) {
  size_t start = lexer->at;
  if (start >= lexer->render->source.size) fail_at(lexer, start, "the action does not end: }} is missing");
  if (at_end_of_action(lexer, start)) return lex_right(lexer, start);
  char c = byte_at(lexer, start);
  char after = byte_at(lexer, start + 1);
  if (word_at(lexer, start) && !(c >= '0' && c <= '9')) return lex_name(lexer, TOKEN_WORD, start);
  lexer->at++;
  if (is_space(c)) return lex_spaces(lexer, start);
  if (c == '.' && !(after >= '0' && after <= '9')) return lex_name(lexer, TOKEN_FIELD, start);
  if (c == '.' || c == '+' || c == '-' || (c >= '0' && c <= '9')) return lex_number(lexer, start);
  if (c == '$') return lex_name(lexer, TOKEN_VARIABLE, start);
  if (c == '"' || c == '\'') return lex_quoted(lexer, start, c);
  if (c == '`') return lex_raw(lexer, start);
  return lex_punctuation(lexer, start, c);
}

struct token lex_next(struct lexer *lexer) {
  struct token next = lexer->in_action ? lex_action(lexer) : lex_text(lexer);
  while (next.kind == TOKEN_TEXT && next.text.size == 0)
    next = lexer->in_action ? lex_action(lexer) : lex_text(lexer);
  return next;
}
