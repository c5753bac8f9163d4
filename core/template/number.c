/* Numbers as Go's strconv reads and writes them, and as sprig converts them. */
#include <errno.h>
#include <math.h>

#include "core/template/internal.h"

/* Takes the prefix of base 0 off the digits; true when underscores may follow. */
static bool detect_base(const char **digits, size_t *size, int *base) {
  const char *d = *digits;
  if (*base != 0) return false;
  *base = 10;
  if (*size < 2 || d[0] != '0') return true;
  char letter = (char)(d[1] | 0x20);
  *base = letter == 'x' ? 16 : letter == 'b' ? 2 : 8;
  size_t prefix = letter == 'x' || letter == 'b' || letter == 'o' ? 2 : 1;
  *digits += prefix;
  *size -= prefix;
  return true;
}

bool number_parse_int(struct text text, int base, int64_t *value) {
  if (text.size == 0 || text.size > 128) return false;
  bool negative = text.bytes[0] == '-';
  size_t sign = negative || text.bytes[0] == '+' ? 1 : 0;
  const char *digits = text.bytes + sign;
  size_t size = text.size - sign;
  const char *first = digits;
  bool underscores = detect_base(&digits, &size, &base);
  if (size == 0) return false;
  uint64_t sum = 0;
  for (size_t i = 0; i < size; i++) {
    char c = digits[i];
    if (c == '_' && underscores && i + 1 < size && digits[i + 1] != '_' && (i > 0 || digits != first)) continue;
    int digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? (c | 0x20) - 'a' + 10 : 99;
    if (digit >= base || __builtin_mul_overflow(sum, (uint64_t)base, &sum) ||
        __builtin_add_overflow(sum, (uint64_t)digit, &sum))
      return false;
  }
  if (sum > (uint64_t)INT64_MAX + (negative ? 1 : 0)) return false;
  *value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
  return true;
}

/* What C's strtod would take and Go does not: white space, hexadecimal, nan(...). */
static bool is_float(const char *bytes, size_t size) {
  size_t i = bytes[0] == '+' || bytes[0] == '-' ? 1 : 0;
  static const char *const words[] = {"inf", "infinity", "nan"};
  for (size_t w = 0; w < 3; w++)
    if (strcasecmp(bytes + i, words[w]) == 0) return w < 2 || i == 0;
  return size > 0 && strspn(bytes, "0123456789+-.eE") == size;
}

bool number_parse_float(struct text text, double *value) {
  char bytes[512];
  if (text.size == 0 || text.size >= sizeof(bytes)) return false;
  memcpy(bytes, text.bytes, text.size);
  bytes[text.size] = '\0';
  if (!is_float(bytes, text.size)) return false;
  char *end = NULL;
  *value = strtod(bytes, &end);
  bool named = strpbrk(bytes, "nN") != NULL;
  return end == bytes + text.size && (named || !isinf(*value));
}

void number_format(double value, char verb, char text[NUMBER_TEXT_MAX]) {
  if (isnan(value) || isinf(value)) {
    (void)snprintf(text, NUMBER_TEXT_MAX, "%s", isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
    return;
  }
  int digits = 0;
  do
    (void)snprintf(text, NUMBER_TEXT_MAX, "%.*e", digits, value);
  while (strtod(text, NULL) != value && ++digits < 17);
  int exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
  bool plain = verb == 'f' || (verb == 'g' && exponent >= -4 && exponent < 6);
  if (plain) (void)snprintf(text, NUMBER_TEXT_MAX, "%.*f", digits > exponent ? digits - exponent : 0, value);
}

/* "12.00" is taken for the integer 12. */
static struct text without_zero_decimals(struct text text) {
  size_t end = text.size;
  while (end > 0 && text.bytes[end - 1] == '0')
    end--;
  bool zeros = end < text.size && end > 0 && text.bytes[end - 1] == '.';
  return zeros ? text_part(text, 0, end - 1) : text;
}

int64_t number_to_int64(struct value value) {
  int64_t integer = 0;
  switch (value.kind) {
    case VALUE_BOOL: return value.boolean ? 1 : 0;
    case VALUE_INT: return value.type == TYPE_DURATION ? 0 : value.integer;
    case VALUE_FLOAT:
      /* Out of range Go's conversion gives the least integer on amd64; in C it would be undefined. */
      return value.number >= -0x1p63 && value.number < 0x1p63 ? (int64_t)value.number : INT64_MIN;
    case VALUE_STRING: return number_parse_int(without_zero_decimals(value.text), 0, &integer) ? integer : 0;
    default: return 0;
  }
}

double number_to_double(struct value value) {
  double number = 0;
  switch (value.kind) {
    case VALUE_BOOL: return value.boolean ? 1 : 0;
    case VALUE_INT: return value.type == TYPE_DURATION ? 0 : (double)value.integer;
    case VALUE_FLOAT: return value.number;
    case VALUE_STRING: return number_parse_float(value.text, &number) ? number : 0;
    default: return 0;
  }
}
