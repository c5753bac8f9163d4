#include "core/api/scalar.h"

#include <errno.h>
#include <math.h>

/* Longer ones are strings: no number needs as many digits. */
#define NUMBER_TEXT_MAX 64

static bool is_one_of(const char *text, const char *const *words) {
  for (; *words != NULL; words++)
    if (strcmp(text, *words) == 0) return true;
  return false;
}

static const char *skip_digits(const char *cursor) {
  while (*cursor >= '0' && *cursor <= '9')
    cursor++;
  return cursor;
}

/* [-+]? ( \.[0-9]+ | [0-9]+ (\.[0-9]*)? ) ( [eE] [-+]? [0-9]+ )? */
static bool looks_like_float(const char *text) {
  const char *cursor = text + (*text == '-' || *text == '+');
  const char *whole = cursor;
  cursor = skip_digits(cursor);
  bool has_whole = cursor > whole;
  if (*cursor == '.') {
    const char *fraction = cursor + 1;
    cursor = skip_digits(fraction);
    if (!has_whole && cursor == fraction) return false;
  } else if (!has_whole) {
    return false;
  }
  if (*cursor == 'e' || *cursor == 'E') {
    cursor += cursor[1] == '-' || cursor[1] == '+' ? 2 : 1;
    const char *exponent = cursor;
    cursor = skip_digits(exponent);
    if (cursor == exponent) return false;
  }
  return *cursor == '\0';
}

/* Decimal, 0x, 0b, 0o, and octal with a leading zero. False when it is no such number or does not fit. */
static bool parse_integer(const char *text, int64_t *value) {
  bool negative = *text == '-';
  const char *digits = text + (*text == '-' || *text == '+');
  int base = 10;
  if (digits[0] == '0' && digits[1] != '\0') {
    char mark = (char)(digits[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    digits += mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1;
  }
  uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
  uint64_t sum = 0;
  const char *cursor = digits;
  for (; *cursor != '\0'; cursor++) {
    unsigned lower = (unsigned)(*cursor | 0x20);
    unsigned digit = *cursor >= '0' && *cursor <= '9' ? (unsigned)(*cursor - '0')
                     : lower >= 'a' && lower <= 'f'   ? lower - 'a' + 10
                                                      : 99;
    if (digit >= (unsigned)base || sum > (limit - digit) / (unsigned)base) return false;
    sum = sum * (unsigned)base + digit;
  }
  if (cursor == digits) return false;
  *value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
  return true;
}

/* Numbers may have underscores between their digits: 1_000. */
static bool without_underscores(const char *text, char plain[NUMBER_TEXT_MAX]) {
  size_t length = 0;
  for (; *text != '\0'; text++) {
    if (*text == '_') continue;
    if (length + 1 >= NUMBER_TEXT_MAX) return false;
    plain[length++] = *text;
  }
  plain[length] = '\0';
  return true;
}

static void resolve_number(struct bo_node *node) {
  char plain[NUMBER_TEXT_MAX];
  char first = node->text[0];
  bool may_be = (first >= '0' && first <= '9') || first == '+' || first == '-' || first == '.';
  if (!may_be || !without_underscores(node->text, plain)) return;
  if (parse_integer(plain, &node->integer)) {
    node->type = BO_NODE_INTEGER;
    node->number = (double)node->integer;
    return;
  }
  if (!looks_like_float(plain)) return;
  double number = strtod(plain, NULL);
  if (!isfinite(number)) return;
  node->type = BO_NODE_FLOAT;
  node->number = number;
}

int bo_scalar_resolve(struct bo_node *node, struct bo_error *error) {
  static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
  static const char *const trues[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y", NULL};
  static const char *const falses[] = {"false", "False", "FALSE", "no", "No", "NO",
                                       "off",   "Off",   "OFF",   "n",  "N",  NULL};
  static const char *const unwritable[] = {".nan",  ".NaN",  ".NAN",  ".inf",  ".Inf",  ".INF", "+.inf",
                                           "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", NULL};
  node->type = BO_NODE_STRING;
  if (is_one_of(node->text, nulls)) {
    node->type = BO_NODE_NULL;
  } else if (is_one_of(node->text, trues) || is_one_of(node->text, falses)) {
    node->type = BO_NODE_BOOL;
    node->boolean = is_one_of(node->text, trues);
  } else if (is_one_of(node->text, unwritable)) {
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "infinity and not-a-number cannot be used here: quote a string");
  } else {
    resolve_number(node);
  }
  return BO_OK;
}
