/* Printing as Go's fmt does it: %v of every value, and printf with its verbs, flags and its ways to say that a verb and
 * a value do not fit. */
#include <math.h>

#include "core/template/internal.h"

struct verb {
  char letter; /* 0: not an ASCII letter, see `rune` */
  uint32_t rune;
  bool plus, minus, sharp, space, zero;
  bool has_width, has_precision;
  int width, precision;
};

static void print_verb(struct builder *builder, const struct verb *verb, struct value value);

static const struct verb plain = {.letter = 'v', .rune = 'v'};

/* Within lists and maps nil is this, whatever the verb. */
static void print_item(struct builder *builder, const struct verb *verb, struct value item) {
  if (value_is_nil(item))
    build_string(builder, verb->letter == 'v' && verb->sharp ? "interface {}(nil)" : "<nil>");
  else
    print_verb(builder, verb, item);
}

/* Pads to the verb's width, in characters. `sign` goes before padding zeros. */
static void pad(struct builder *builder, const struct verb *verb, struct text sign, struct text text, bool zeros) {
  size_t count = rune_count(sign) + rune_count(text);
  size_t missing = verb->has_width && (size_t)verb->width > count ? (size_t)verb->width - count : 0;
  bool left = verb->minus;
  if (!left && !zeros) build_repeat(builder, ' ', missing);
  build_text(builder, sign);
  if (!left && zeros) build_repeat(builder, '0', missing);
  build_text(builder, text);
  if (left) build_repeat(builder, ' ', missing);
}

/* What kind of escape a character needs within Go's quotes. */
static void build_escaped(struct builder *builder, struct text text, size_t *at, char quote, bool ascii) {
  static const char specials[] = "\a\b\f\n\r\t\v\\";
  static const char letters[] = "abfnrtv\\";
  size_t start = *at;
  uint32_t rune = rune_next(text, at);
  const char *special = rune == 0 || rune > 0x7F ? NULL : strchr(specials, (int)rune);
  if (rune == RUNE_ERROR && *at - start == 1)
    build_printf(builder, "\\x%02x", (unsigned char)text.bytes[start]);
  else if (special != NULL)
    build_printf(builder, "\\%c", letters[special - specials]);
  else if (rune == (unsigned char)quote)
    build_printf(builder, "\\%c", quote);
  else if (rune_is_print(builder->render, rune) && (!ascii || rune < 0x80))
    build_bytes(builder, text.bytes + start, *at - start);
  else
    build_printf(builder, rune < 0x80 ? "\\x%02x" : rune < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)rune);
}

static struct text quoted(struct render *render, struct text text, char quote, bool ascii) {
  struct builder builder = BUILDER(render);
  build_bytes(&builder, &quote, 1);
  for (size_t at = 0; at < text.size;)
    build_escaped(&builder, text, &at, quote, ascii);
  build_bytes(&builder, &quote, 1);
  return build_done(&builder);
}

void print_quoted(struct builder *builder, struct text text) {
  build_text(builder, quoted(builder->render, text, '"', false));
}

/* Whether %#q may put it between back quotes. */
static bool can_back_quote(struct text text) {
  for (size_t at = 0; at < text.size;) {
    size_t start = at;
    uint32_t rune = rune_next(text, &at);
    if ((rune < 0x20 && rune != '\t') || rune == '`' || rune == 0x7F || rune == 0xFEFF ||
        (rune == RUNE_ERROR && at - start == 1))
      return false;
  }
  return true;
}

/* The value is printed as with %v, in the width and precision that the verb has. */
static struct text bad_verb(struct render *render, const struct verb *verb, struct value value) {
  struct verb good = *verb;
  good.letter = 'v';
  good.sharp = verb->sharp && value.kind == VALUE_FLOAT;
  const char *type = value_type_name(value);
  if (value.kind == VALUE_INT) value.type = TYPE_PLAIN; /* the bare number, not what its type makes of it */
  struct builder builder = BUILDER(render);
  build_string(&builder, "%!");
  build_rune(&builder, verb->rune);
  build_string(&builder, "(");
  build_string(&builder, type);
  if (!value_is_nil(value)) {
    build_string(&builder, "=");
    print_verb(&builder, &good, value);
  }
  build_string(&builder, ")");
  return build_done(&builder);
}

static void print_hex_text(struct builder *builder, const struct verb *verb, struct text text) {
  struct builder hex = BUILDER(builder->render);
  const char *prefix = !verb->sharp ? "" : verb->letter == 'x' ? "0x" : "0X";
  if (verb->has_precision && (size_t)verb->precision < text.size) text.size = (size_t)verb->precision;
  const char *digits = verb->letter == 'x' ? "0123456789abcdef" : "0123456789ABCDEF";
  for (size_t i = 0; i < text.size; i++) {
    unsigned char byte = (unsigned char)text.bytes[i];
    if (i > 0 && verb->space) build_string(&hex, " ");
    if (i == 0 || verb->space) build_string(&hex, prefix);
    build_bytes(&hex, (char[]){digits[byte >> 4], digits[byte & 15]}, 2);
  }
  pad(builder, verb, TEXT(""), build_done(&hex), verb->zero);
}

static void print_string(struct builder *builder, const struct verb *verb, struct text text, struct value value) {
  if (verb->letter == 'x' || verb->letter == 'X') {
    print_hex_text(builder, verb, text);
    return;
  }
  if (verb->has_precision) {
    size_t end = 0;
    for (int i = 0; i < verb->precision && end < text.size; i++)
      (void)rune_next(text, &end);
    text.size = end;
  }
  if (verb->letter == 'q' && verb->sharp && can_back_quote(text)) {
    struct builder raw = BUILDER(builder->render);
    build_string(&raw, "`");
    build_text(&raw, text);
    build_string(&raw, "`");
    text = build_done(&raw);
  } else if (verb->letter == 'q' || (verb->letter == 'v' && verb->sharp)) {
    text = quoted(builder->render, text, '"', verb->letter == 'q' && verb->plus);
  } else if (verb->letter != 's' && verb->letter != 'v') {
    build_text(builder, bad_verb(builder->render, verb, value));
    return;
  }
  pad(builder, verb, TEXT(""), text, verb->zero);
}

/* %c, %q and %U of an integer. */
static void print_character(struct builder *builder, const struct verb *verb, int64_t integer) {
  uint32_t rune = integer < 0 || integer > (int64_t)RUNE_MAX ? RUNE_ERROR : (uint32_t)integer;
  struct builder text = BUILDER(builder->render);
  char bytes[4];
  size_t size = rune_encode(rune, bytes);
  struct text character = {bytes, size};
  if (verb->letter == 'c') {
    build_text(&text, character);
  } else if (verb->letter == 'q') {
    build_text(&text, quoted(builder->render, character, '\'', verb->plus));
  } else {
    build_printf(&text, "U+%0*llX", verb->has_precision && verb->precision > 4 ? verb->precision : 4,
                 (unsigned long long)integer);
    if (verb->sharp && rune == (uint64_t)integer && rune_is_print(builder->render, rune))
      build_printf(&text, " '%.*s'", (int)size, bytes);
  }
  pad(builder, verb, TEXT(""), build_done(&text), verb->zero && verb->letter != 'U');
}

static unsigned base_of(char letter) {
  switch (letter) {
    case 'v':
    case 'd': return 10;
    case 'b': return 2;
    case 'o':
    case 'O': return 8;
    case 'x':
    case 'X': return 16;
    default: return 0;
  }
}

static void print_integer(struct builder *builder, const struct verb *verb, struct value value) {
  if (verb->letter == 'c' || verb->letter == 'q' || verb->letter == 'U') {
    print_character(builder, verb, value.integer);
    return;
  }
  unsigned base = base_of(verb->letter);
  if (base == 0) {
    build_text(builder, bad_verb(builder->render, verb, value));
    return;
  }
  uint64_t rest = value.integer < 0 ? 0 - (uint64_t)value.integer : (uint64_t)value.integer;
  char reversed[65];
  size_t count = 0;
  for (; rest > 0 || count == 0; rest /= base)
    reversed[count++] = (verb->letter == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[rest % base];
  struct builder sign = BUILDER(builder->render), digits = BUILDER(builder->render);
  build_string(&sign, value.integer < 0 ? "-" : verb->plus ? "+" : verb->space ? " " : "");
  if (verb->letter == 'O') build_string(&sign, "0o");
  if (verb->sharp && base == 2) build_string(&sign, "0b");
  if (verb->sharp && base == 16) build_string(&sign, verb->letter == 'X' ? "0X" : "0x");
  size_t least = verb->has_precision ? (size_t)verb->precision : 0;
  bool zeros = verb->zero && verb->has_width && !verb->has_precision;
  if (zeros) least = (size_t)verb->width - (verb->width > 0 && (value.integer < 0 || verb->plus || verb->space));
  if (least > count) build_repeat(&digits, '0', least - count);
  if (verb->sharp && base == 8 && reversed[count - 1] != '0' && digits.size == 0) build_string(&digits, "0");
  bool nothing = verb->has_precision && verb->precision == 0 && value.integer == 0;
  while (count > 0 && !nothing)
    build_bytes(&digits, &reversed[--count], 1);
  pad(builder, verb, nothing ? TEXT("") : build_done(&sign), build_done(&digits), false);
}

/* %e, %f and %g with so many digits; `sharp` keeps the point and trailing zeros. */
static struct text float_digits(struct render *render, char letter, bool sharp, int precision, double number) {
  size_t size = (size_t)precision + NUMBER_TEXT_MAX;
  char *bytes = render_alloc(render, size, 1);
  if (letter == 'e')
    (void)(sharp ? snprintf(bytes, size, "%#.*e", precision, number)
                 : snprintf(bytes, size, "%.*e", precision, number));
  else if (letter == 'f')
    (void)(sharp ? snprintf(bytes, size, "%#.*f", precision, number)
                 : snprintf(bytes, size, "%.*f", precision, number));
  else
    (void)(sharp ? snprintf(bytes, size, "%#.*g", precision, number)
                 : snprintf(bytes, size, "%.*g", precision, number));
  return (struct text){bytes, strlen(bytes)};
}

/* As the verb says, without its sign and padding. */
static struct text float_text(struct render *render, const struct verb *verb, char letter, double number) {
  char shortest[NUMBER_TEXT_MAX];
  if (!isnan(number) && !isinf(number) && (verb->has_precision || letter != 'g'))
    return float_digits(render, letter, verb->sharp && verb->letter != 'v', verb->has_precision ? verb->precision : 6,
                        number);
  number_format(number, 'g', shortest);
  /* With # the shortest text has six digits at least. */
  size_t end = strcspn(shortest, "e"), digits = 0;
  for (size_t i = 0; i < end; i++)
    digits += shortest[i] >= '0' && shortest[i] <= '9';
  if (verb->sharp && verb->letter != 'v' && digits > 0 && digits <= 6)
    return float_digits(render, 'g', true, 6, number);
  return text_copy(render, shortest, strlen(shortest));
}

static void print_float(struct builder *builder, const struct verb *verb, struct value value) {
  bool capital = verb->letter == 'E' || verb->letter == 'G';
  char letter = verb->letter == 'v' ? 'g' : (char)(verb->letter | 0x20);
  if (verb->letter == 'x' || verb->letter == 'X' || verb->letter == 'b')
    render_fail(builder->render, "printf: %%%c of a floating-point number is not done here", verb->letter);
  if (verb->letter == '\0' || strchr("eEfFgGv", verb->letter) == NULL) {
    build_text(builder, bad_verb(builder->render, verb, value));
    return;
  }
  bool special = isnan(value.number) || isinf(value.number);
  struct text digits = float_text(builder->render, verb, letter, value.number);
  char *exponent = capital ? memchr(digits.bytes, 'e', digits.size) : NULL;
  if (exponent != NULL) *exponent = 'E';
  bool has_sign = digits.bytes[0] == '-' || digits.bytes[0] == '+';
  bool plus = has_sign && digits.bytes[0] == '+' && !verb->plus && verb->space;
  struct text sign = plus          ? TEXT(" ")
                     : has_sign    ? text_part(digits, 0, 1)
                     : verb->plus  ? TEXT("+")
                     : verb->space ? TEXT(" ")
                                   : TEXT("");
  if (has_sign) digits = text_part(digits, 1, digits.size);
  pad(builder, verb, sign, digits, verb->zero && !special);
}

static void print_complex(struct builder *builder, const struct verb *verb, struct value value) {
  struct verb part = *verb;
  build_string(builder, "(");
  print_float(builder, &part, value_float(value.complex[0]));
  part.plus = true;
  print_float(builder, &part, value_float(value.complex[1]));
  build_string(builder, "i)");
}

static void print_list(struct builder *builder, const struct verb *verb, struct value value) {
  bool go = verb->letter == 'v' && verb->sharp;
  if (go) build_string(builder, value_type_name(value));
  build_string(builder, go ? "{" : "[");
  for (size_t i = 0; i < value.list->count; i++) {
    if (i > 0) build_string(builder, go ? ", " : " ");
    print_item(builder, verb, value.list->items[i]);
  }
  build_string(builder, go ? "}" : "]");
}

static void print_map(struct builder *builder, const struct verb *verb, struct value value) {
  bool go = verb->letter == 'v' && verb->sharp;
  build_string(builder, go ? value_type_name(value) : "map");
  build_string(builder, go ? "{" : "[");
  for (size_t i = 0; i < value.map->count; i++) {
    if (i > 0) build_string(builder, go ? ", " : " ");
    print_verb(builder, verb, value_text(value.map->entries[i].key));
    build_string(builder, ":");
    print_item(builder, verb, value.map->entries[i].value);
  }
  build_string(builder, go ? "}" : "]");
}

/* The text of what Go calls a Stringer; false for the rest. */
static bool stringer_text(struct render *render, struct value value, struct text *text) {
  struct builder builder = BUILDER(render);
  bool in_range = value.integer >= 1 && value.integer <= 12;
  if (value.kind == VALUE_TIME)
    layout_format(&builder, TEXT("2006-01-02 15:04:05.999999999 -0700 MST"), *value.time);
  else if (value.kind == VALUE_VERSION)
    version_print(&builder, value.version);
  else if (value.kind == VALUE_INT && value.type == TYPE_DURATION)
    duration_print(&builder, value.integer);
  else if (value.kind == VALUE_INT && value.type == TYPE_MONTH && in_range)
    build_string(&builder, month_names[value.integer - 1]);
  else if (value.kind == VALUE_INT && value.type == TYPE_WEEKDAY && value.integer >= 0 && value.integer < 7)
    build_string(&builder, weekday_names[value.integer]);
  else
    return false;
  *text = build_done(&builder);
  return true;
}

static void print_kind(struct builder *builder, const struct verb *verb, struct value value) {
  struct text text;
  bool for_text = verb->letter != '\0' && strchr("vsqxX", verb->letter) != NULL &&
                  !(verb->letter == 'v' && verb->sharp && value.kind == VALUE_INT);
  if (for_text && stringer_text(builder->render, value, &text)) {
    print_string(builder, verb, text, value);
    return;
  }
  switch (value.kind) {
    case VALUE_MISSING:
    case VALUE_NIL:
      if (verb->letter == 'v' || verb->letter == 'T')
        pad(builder, verb, TEXT(""), TEXT("<nil>"), false);
      else
        build_text(builder, bad_verb(builder->render, verb, value_nil));
      break;
    case VALUE_BOOL:
      if (verb->letter == 'v' || verb->letter == 't')
        pad(builder, verb, TEXT(""), value.boolean ? TEXT("true") : TEXT("false"), verb->zero);
      else
        build_text(builder, bad_verb(builder->render, verb, value));
      break;
    case VALUE_INT: print_integer(builder, verb, value); break;
    case VALUE_FLOAT: print_float(builder, verb, value); break;
    case VALUE_COMPLEX: print_complex(builder, verb, value); break;
    case VALUE_STRING: print_string(builder, verb, value.text, value); break;
    case VALUE_LIST: print_list(builder, verb, value); break;
    case VALUE_MAP: print_map(builder, verb, value); break;
    case VALUE_STRUCT: build_string(builder, "{}"); break;
    case VALUE_TIME:
    case VALUE_VERSION: build_text(builder, bad_verb(builder->render, verb, value)); break;
  }
}

static void print_verb(struct builder *builder, const struct verb *verb, struct value value) {
  render_enter(builder->render);
  if (verb->letter == 'T' && !value_is_nil(value)) {
    const char *name = value_type_name(value);
    struct verb as_text = *verb;
    as_text.letter = 's';
    print_string(builder, &as_text, (struct text){name, strlen(name)}, value);
  } else {
    print_kind(builder, verb, value);
  }
  render_leave(builder->render);
}

void print_value(struct builder *builder, struct value value) {
  print_verb(builder, &plain, value);
}

struct text print_text(struct render *render, struct value value) {
  if (value.kind == VALUE_STRING) return value.text;
  struct builder builder = BUILDER(render);
  print_value(&builder, value);
  return build_done(&builder);
}

struct text print_operands(struct render *render, const struct value *args, size_t count) {
  struct builder builder = BUILDER(render);
  for (size_t i = 0; i < count; i++) {
    bool strings = i > 0 && (args[i].kind == VALUE_STRING || args[i - 1].kind == VALUE_STRING);
    if (i > 0 && !strings) build_string(&builder, " ");
    print_value(&builder, args[i]);
  }
  return build_done(&builder);
}

struct list *print_strings(struct render *render, struct value value) {
  struct list *strings = list_new(render, 0);
  if (value.kind == VALUE_LIST) {
    for (size_t i = 0; i < value.list->count; i++)
      if (!value_is_nil(value.list->items[i]))
        list_add(render, strings, value_text(print_text(render, value.list->items[i])));
  } else if (!value_is_nil(value)) {
    list_add(render, strings, value_text(print_text(render, value)));
  }
  return strings;
}

/* ---- printf */

struct printf_state {
  struct builder builder;
  struct text format;
  size_t at;
  const struct value *args;
  size_t count;
  size_t next;     /* argument */
  bool reordered;  /* an index [n] was used: then arguments left over are no mistake */
  bool good_index; /* of the current verb */
};

static bool more(const struct printf_state *state) {
  return state->at < state->format.size;
}

static char peek(const struct printf_state *state) {
  return more(state) ? state->format.bytes[state->at] : '\0';
}

/* Go gives up on widths of more than a million. */
static bool parse_count(struct printf_state *state, int *number) {
  size_t start = state->at;
  *number = 0;
  while (peek(state) >= '0' && peek(state) <= '9') {
    *number = *number > 1000000 ? *number : *number * 10 + (peek(state) - '0');
    state->at++;
  }
  if (*number <= 1000000) return state->at > start;
  *number = 0;
  return false;
}

static void parse_index(struct printf_state *state) {
  if (peek(state) != '[') return;
  state->reordered = true;
  size_t close = text_find(state->format, TEXT("]"), state->at);
  state->at++;
  int number = 0;
  bool good = close != SIZE_MAX && parse_count(state, &number) && state->at == close && number >= 1 &&
              (size_t)number <= state->count;
  if (close != SIZE_MAX) state->at = close + 1;
  if (good)
    state->next = (size_t)number - 1;
  else
    state->good_index = false;
}

static void parse_flags(struct printf_state *state, struct verb *verb) {
  for (;; state->at++) {
    switch (peek(state)) {
      case '#': verb->sharp = true; break;
      case '0': verb->zero = true; break;
      case '+': verb->plus = true; break;
      case '-': verb->minus = true; break;
      case ' ': verb->space = true; break;
      default: return;
    }
  }
}

/* A width or precision: digits, or a star for an argument. */
static bool parse_size(struct printf_state *state, int *number, const char *bad) {
  parse_index(state);
  if (peek(state) != '*') return parse_count(state, number);
  state->at++;
  bool good = state->next < state->count && state->args[state->next].kind == VALUE_INT &&
              state->args[state->next].integer >= -1000000 && state->args[state->next].integer <= 1000000;
  if (good)
    *number = (int)state->args[state->next].integer;
  else
    build_string(&state->builder, bad);
  if (state->next < state->count) state->next++;
  parse_index(state);
  return good;
}

static void parse_verb(struct printf_state *state, struct verb *verb) {
  state->good_index = true;
  parse_flags(state, verb);
  verb->has_width = parse_size(state, &verb->width, "%!(BADWIDTH)");
  if (verb->has_width && verb->width < 0) {
    verb->width = -verb->width;
    verb->minus = true;
  }
  if (verb->minus) verb->zero = false;
  if (peek(state) == '.') {
    state->at++;
    parse_index(state);
    bool star = peek(state) == '*';
    verb->has_precision = parse_size(state, &verb->precision, "%!(BADPREC)");
    if (verb->has_precision && verb->precision < 0) {
      verb->has_precision = false;
      build_string(&state->builder, "%!(BADPREC)");
    }
    if (!verb->has_precision && !star) {
      verb->has_precision = true; /* a point alone is .0 */
      verb->precision = 0;
    }
  }
  parse_index(state);
}

static void print_argument(struct printf_state *state, struct verb *verb) {
  struct builder *builder = &state->builder;
  const char *problem = !state->good_index ? "(BADINDEX)" : state->next >= state->count ? "(MISSING)" : NULL;
  if (verb->rune == '%') {
    build_string(builder, "%");
  } else if (problem != NULL) {
    build_string(builder, "%!");
    build_rune(builder, verb->rune);
    build_string(builder, problem);
  } else {
    print_verb(builder, verb, state->args[state->next++]);
  }
}

static void print_extra(struct printf_state *state) {
  if (state->reordered || state->next >= state->count) return;
  build_string(&state->builder, "%!(EXTRA ");
  for (size_t i = state->next; i < state->count; i++) {
    if (i > state->next) build_string(&state->builder, ", ");
    build_string(&state->builder, value_type_name(state->args[i]));
    if (value_is_nil(state->args[i])) continue;
    build_string(&state->builder, "=");
    print_value(&state->builder, state->args[i]);
  }
  build_string(&state->builder, ")");
}

struct text print_format(struct render *render, struct text format, const struct value *args, size_t count) {
  struct printf_state state = {.builder = BUILDER(render), .format = format, .args = args, .count = count};
  while (more(&state)) {
    size_t percent = text_find(format, TEXT("%"), state.at);
    size_t end = percent == SIZE_MAX ? format.size : percent;
    build_text(&state.builder, text_part(format, state.at, end));
    state.at = end;
    if (!more(&state)) break;
    state.at++;
    struct verb verb = {0};
    parse_verb(&state, &verb);
    if (!more(&state)) {
      build_string(&state.builder, "%!(NOVERB)");
      break;
    }
    verb.rune = rune_next(format, &state.at);
    verb.letter = verb.rune < 0x80 ? (char)verb.rune : '\0';
    if (verb.letter == 'v') verb.plus = false; /* it is about the fields of structs there */
    print_argument(&state, &verb);
  }
  print_extra(&state);
  return build_done(&state.builder);
}
