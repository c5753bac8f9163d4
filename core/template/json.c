/*
 * JSON (RFC 8259) into values and back. Not cJSON: that keeps every number as a double, and here whole numbers must
 * stay exact to 64 bits.
 */
#include "core/template/internal.h"

struct reader {
  struct render *render;
  struct text text;
  size_t at;
  bool whole_numbers;
  const char *wrong;
};

static struct value read_value(struct reader *reader);

static struct value wrong(struct reader *reader, const char *what) {
  if (reader->wrong == NULL) reader->wrong = what;
  return value_nil;
}

static void skip_space(struct reader *reader) {
  while (reader->at < reader->text.size && reader->text.bytes[reader->at] != '\0' &&
         strchr(" \t\r\n", reader->text.bytes[reader->at]) != NULL)
    reader->at++;
}

/* Takes `c`, after white space, if it comes next. */
static bool take(struct reader *reader, char c) {
  skip_space(reader);
  if (reader->at >= reader->text.size || reader->text.bytes[reader->at] != c) return false;
  reader->at++;
  return true;
}

static bool take_word(struct reader *reader, const char *word) {
  size_t size = strlen(word);
  if (reader->text.size - reader->at < size || memcmp(reader->text.bytes + reader->at, word, size) != 0) return false;
  reader->at += size;
  return true;
}

static size_t count_digits(struct reader *reader) {
  size_t start = reader->at;
  while (reader->at < reader->text.size && reader->text.bytes[reader->at] >= '0' &&
         reader->text.bytes[reader->at] <= '9')
    reader->at++;
  return reader->at - start;
}

static struct value read_number(struct reader *reader) {
  size_t start = reader->at;
  (void)take_word(reader, "-");
  bool zero = reader->at < reader->text.size && reader->text.bytes[reader->at] == '0';
  size_t digits = count_digits(reader);
  if (digits == 0 || (zero && digits > 1)) return wrong(reader, "a value is missing or a number malformed");
  bool whole = true;
  if (take_word(reader, ".")) {
    whole = false;
    if (count_digits(reader) == 0) return wrong(reader, "a number ends in its decimal point");
  }
  if (take_word(reader, "e") || take_word(reader, "E")) {
    whole = false;
    if (!take_word(reader, "+")) (void)take_word(reader, "-");
    if (count_digits(reader) == 0) return wrong(reader, "a number's exponent is missing");
  }
  struct text text = text_part(reader->text, start, reader->at);
  int64_t integer = 0;
  if (whole && reader->whole_numbers && number_parse_int(text, 10, &integer)) return value_int64(integer);
  double number = 0;
  return number_parse_float(text, &number) ? value_float(number) : wrong(reader, "a number is too large");
}

/* The four digits of a \u escape, whose backslash is next. */
static bool read_unit(struct reader *reader, uint32_t *unit) {
  int64_t value = 0;
  size_t start = reader->at + 2;
  if (!take_word(reader, "\\u") || reader->text.size - start < 4) return false;
  struct text digits = text_part(reader->text, start, start + 4);
  if (digits.bytes[0] == '-' || digits.bytes[0] == '+' || !number_parse_int(digits, 16, &value)) return false;
  reader->at += 4;
  *unit = (uint32_t)value;
  return true;
}

static bool read_escape(struct reader *reader, struct builder *builder) {
  static const char letters[] = "\"\\/bfnrt";
  static const char values[] = "\"\\/\b\f\n\r\t";
  uint32_t unit = 0, second = 0;
  if (read_unit(reader, &unit)) {
    size_t after = reader->at;
    if (unit >= 0xD800 && unit < 0xDC00 && read_unit(reader, &second) && second >= 0xDC00 && second < 0xE000)
      unit = 0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00);
    else
      reader->at = after;
    build_rune(builder, unit);
    return true;
  }
  char letter = reader->text.size - reader->at < 2 ? '\0' : reader->text.bytes[reader->at + 1];
  const char *found = letter == '\0' ? NULL : strchr(letters, letter);
  if (found == NULL) return false;
  build_bytes(builder, &values[found - letters], 1);
  reader->at += 2;
  return true;
}

/* After its opening quote. */
static struct value read_string(struct reader *reader) {
  struct builder builder = BUILDER(reader->render);
  while (reader->at < reader->text.size) {
    unsigned char c = (unsigned char)reader->text.bytes[reader->at];
    if (take_word(reader, "\"")) return value_text(build_done(&builder));
    if (c < 0x20) return wrong(reader, "a control character in a string");
    if (c == '\\') {
      if (!read_escape(reader, &builder)) return wrong(reader, "an unknown escape in a string");
    } else {
      build_rune(&builder, rune_next(reader->text, &reader->at));
    }
  }
  return wrong(reader, "a string does not end");
}

static struct value read_list(struct reader *reader) {
  struct list *list = list_new(reader->render, 0);
  if (take(reader, ']')) return value_list(list, TYPE_PLAIN);
  do
    list_add(reader->render, list, read_value(reader));
  while (reader->wrong == NULL && take(reader, ','));
  return take(reader, ']') ? value_list(list, TYPE_PLAIN) : wrong(reader, "a list does not end in ]");
}

static struct value read_map(struct reader *reader) {
  struct map *map = map_new(reader->render);
  if (take(reader, '}')) return value_map(map, TYPE_PLAIN);
  do {
    if (!take(reader, '"')) return wrong(reader, "an object's key is missing");
    struct text key = read_string(reader).text;
    if (reader->wrong != NULL || !take(reader, ':')) return wrong(reader, "an object's key has no colon");
    map_set(reader->render, map, key, read_value(reader));
  } while (reader->wrong == NULL && take(reader, ','));
  return take(reader, '}') ? value_map(map, TYPE_PLAIN) : wrong(reader, "an object does not end in }");
}

static struct value read_value(struct reader *reader) {
  struct value value;
  render_enter(reader->render);
  skip_space(reader);
  if (take_word(reader, "null"))
    value = value_nil;
  else if (take_word(reader, "true"))
    value = value_bool(true);
  else if (take_word(reader, "false"))
    value = value_bool(false);
  else if (take(reader, '"'))
    value = read_string(reader);
  else if (take(reader, '['))
    value = read_list(reader);
  else if (take(reader, '{'))
    value = read_map(reader);
  else
    value = read_number(reader);
  render_leave(reader->render);
  return value;
}

const char *json_parse(struct render *render, struct text text, bool whole_numbers, struct value *value) {
  struct reader reader = {.render = render, .text = text, .whole_numbers = whole_numbers};
  *value = read_value(&reader);
  skip_space(&reader);
  return reader.wrong != NULL ? reader.wrong : reader.at < text.size ? "something follows the value" : NULL;
}

/* ---- printing, as Go's encoding/json does */

struct writer {
  struct builder *builder;
  unsigned flags;
  size_t level;
};

static void write_value(struct writer *writer, struct value value);

static void write_string(struct writer *writer, struct text text) {
  struct builder *builder = writer->builder;
  build_string(builder, "\"");
  for (size_t at = 0; at < text.size;) {
    size_t start = at;
    uint32_t rune = rune_next(text, &at);
    const char *found = rune == 0 || rune > 0x7F ? NULL : strchr("\"\\\b\f\n\r\t", (int)rune);
    bool html = rune == '<' || rune == '>' || rune == '&';
    if (found != NULL)
      build_printf(builder, "\\%c", "\"\\bfnrt"[strlen("\"\\\b\f\n\r\t") - strlen(found)]);
    else if (rune < 0x20 || rune == 0x2028 || rune == 0x2029 || (html && (writer->flags & JSON_ESCAPE_HTML) != 0))
      build_printf(builder, "\\u%04x", (unsigned)rune);
    else if (rune == RUNE_ERROR && at - start == 1)
      build_string(builder, "\\ufffd");
    else
      build_bytes(builder, text.bytes + start, at - start);
  }
  build_string(builder, "\"");
}

static void write_float(struct writer *writer, double number) {
  char text[NUMBER_TEXT_MAX];
  double size = number < 0 ? -number : number;
  bool exponent = size != 0 && (size < 1e-6 || size >= 1e21);
  number_format(number, exponent ? 'e' : 'f', text);
  char *zero = exponent ? strstr(text, "e-0") : NULL; /* e-09 is written e-9 */
  if (zero != NULL) memmove(zero + 2, zero + 3, strlen(zero + 3) + 1);
  if (strpbrk(text, "IN") != NULL) render_fail(writer->builder->render, "JSON has no number for %s", text);
  build_string(writer->builder, text);
}

static void new_line(struct writer *writer) {
  if ((writer->flags & JSON_INDENT) == 0) return;
  build_string(writer->builder, "\n");
  build_repeat(writer->builder, ' ', 2 * writer->level);
}

static void write_list(struct writer *writer, const struct list *list) {
  build_string(writer->builder, "[");
  writer->level++;
  for (size_t i = 0; i < list->count; i++) {
    if (i > 0) build_string(writer->builder, ",");
    new_line(writer);
    write_value(writer, list->items[i]);
  }
  writer->level--;
  if (list->count > 0) new_line(writer);
  build_string(writer->builder, "]");
}

static void write_map(struct writer *writer, const struct map *map) {
  build_string(writer->builder, "{");
  writer->level++;
  for (size_t i = 0; i < map->count; i++) {
    if (i > 0) build_string(writer->builder, ",");
    new_line(writer);
    write_string(writer, map->entries[i].key);
    build_string(writer->builder, (writer->flags & JSON_INDENT) != 0 ? ": " : ":");
    write_value(writer, map->entries[i].value);
  }
  writer->level--;
  if (map->count > 0) new_line(writer);
  build_string(writer->builder, "}");
}

static void write_time(struct writer *writer, const struct moment *moment) {
  struct builder text = BUILDER(writer->builder->render);
  layout_format(&text, TEXT("2006-01-02T15:04:05.999999999Z07:00"), *moment);
  write_string(writer, build_done(&text));
}

static void write_value(struct writer *writer, struct value value) {
  struct render *render = writer->builder->render;
  render_enter(render);
  switch (value.kind) {
    case VALUE_MISSING:
    case VALUE_NIL: build_string(writer->builder, "null"); break;
    case VALUE_BOOL: build_string(writer->builder, value.boolean ? "true" : "false"); break;
    case VALUE_INT: build_printf(writer->builder, "%lld", (long long)value.integer); break;
    case VALUE_FLOAT: write_float(writer, value.number); break;
    case VALUE_COMPLEX: render_fail(render, "JSON has no complex numbers");
    case VALUE_STRING: write_string(writer, value.text); break;
    case VALUE_LIST: write_list(writer, value.list); break;
    case VALUE_MAP: write_map(writer, value.map); break;
    case VALUE_STRUCT: build_string(writer->builder, "{}"); break;
    case VALUE_TIME: write_time(writer, value.time); break;
    case VALUE_VERSION: write_string(writer, print_text(render, value)); break;
  }
  render_leave(render);
}

void json_print(struct builder *builder, struct value value, unsigned flags) {
  struct writer writer = {builder, flags, 0};
  write_value(&writer, value);
}
