/* Characters: UTF-8, and their case and class by the C library's tables for C.UTF-8. */
#include <wctype.h>

#include "core/template/internal.h"

uint32_t rune_next(struct text text, size_t *at) {
  const unsigned char *bytes = (const unsigned char *)text.bytes + *at;
  size_t left = text.size - *at;
  unsigned char first = bytes[0];
  *at += 1;
  if (first < 0x80) return first;
  size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                  : (first & 0xF0) == 0xE0         ? 3
                  : first >= 0xF0 && first <= 0xF4 ? 4
                                                   : 0;
  if (length == 0 || length > left) return RUNE_ERROR;
  uint32_t rune = first & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; i++) {
    if ((bytes[i] & 0xC0) != 0x80) return RUNE_ERROR;
    rune = rune << 6 | (bytes[i] & 0x3Fu);
  }
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (rune < least[length] || rune > RUNE_MAX || (rune >= 0xD800 && rune <= 0xDFFF)) return RUNE_ERROR;
  *at += length - 1;
  return rune;
}

uint32_t rune_previous(struct text text, size_t *end) {
  size_t start = *end - 1;
  while (start > 0 && *end - start < 4 && ((unsigned char)text.bytes[start] & 0xC0) == 0x80)
    start--;
  size_t at = start;
  uint32_t rune = rune_next(text_part(text, 0, *end), &at);
  if (at != *end) {
    rune = RUNE_ERROR;
    start = *end - 1;
  }
  *end = start;
  return rune;
}

size_t rune_count(struct text text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size; count++)
    (void)rune_next(text, &at);
  return count;
}

size_t rune_encode(uint32_t rune, char bytes[4]) {
  if (rune > RUNE_MAX || (rune >= 0xD800 && rune <= 0xDFFF)) rune = RUNE_ERROR;
  if (rune < 0x80) {
    bytes[0] = (char)rune;
    return 1;
  }
  size_t length = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
  for (size_t i = length; i > 1; i--) {
    bytes[i - 1] = (char)(0x80 | (rune & 0x3F));
    rune >>= 6;
  }
  bytes[0] = (char)((0xF00u >> length) | rune);
  return length;
}

uint32_t rune_upper(const struct render *render, uint32_t rune) {
  return (uint32_t)towupper_l((wint_t)rune, render->characters);
}

uint32_t rune_lower(const struct render *render, uint32_t rune) {
  return (uint32_t)towlower_l((wint_t)rune, render->characters);
}

uint32_t rune_title(const struct render *render, uint32_t rune) {
  wctrans_t title = wctrans_l("totitle", render->characters);
  return title == (wctrans_t)0 ? rune_upper(render, rune)
                               : (uint32_t)towctrans_l((wint_t)rune, title, render->characters);
}

bool rune_is_upper(const struct render *render, uint32_t rune) {
  return iswupper_l((wint_t)rune, render->characters) != 0;
}

bool rune_is_lower(const struct render *render, uint32_t rune) {
  return iswlower_l((wint_t)rune, render->characters) != 0;
}

bool rune_is_letter(const struct render *render, uint32_t rune) {
  return iswalpha_l((wint_t)rune, render->characters) != 0 && !rune_is_digit(render, rune);
}

bool rune_is_digit(const struct render *render, uint32_t rune) {
  return iswdigit_l((wint_t)rune, render->characters) != 0;
}

bool rune_is_space(uint32_t rune) {
  return rune == ' ' || (rune >= '\t' && rune <= '\r') || rune == 0x85 || rune == 0xA0 || rune == 0x1680 ||
         (rune >= 0x2000 && rune <= 0x200A) || rune == 0x2028 || rune == 0x2029 || rune == 0x202F || rune == 0x205F ||
         rune == 0x3000;
}

/* Format characters and those for private use, which C's tables take for printable and Go's do not. */
static bool is_unseen(uint32_t rune) {
  static const uint32_t ranges[][2] = {{0xAD, 0xAD},       {0x600, 0x605},     {0x61C, 0x61C},     {0x6DD, 0x6DD},
                                       {0x70F, 0x70F},     {0x890, 0x891},     {0x8E2, 0x8E2},     {0x180E, 0x180E},
                                       {0x200B, 0x200F},   {0x2028, 0x202E},   {0x2060, 0x206F},   {0xE000, 0xF8FF},
                                       {0xFEFF, 0xFEFF},   {0xFFF9, 0xFFFB},   {0x110BD, 0x110BD}, {0x110CD, 0x110CD},
                                       {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
                                       {0xF0000, 0x10FFFF}};
  for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
    if (rune >= ranges[i][0] && rune <= ranges[i][1]) return !(rune >= 0xE0100 && rune <= 0xE01EF);
  return false;
}

bool rune_is_print(const struct render *render, uint32_t rune) {
  if (rune < 0x80) return rune >= 0x20 && rune < 0x7F;
  return !rune_is_space(rune) && !is_unseen(rune) && iswprint_l((wint_t)rune, render->characters) != 0;
}

struct text text_trim_space(struct text text) {
  size_t start = 0, end = text.size;
  for (size_t at = 0; at < text.size && rune_is_space(rune_next(text, &at));)
    start = at;
  for (size_t at = end; at > start && rune_is_space(rune_previous(text, &at));)
    end = at;
  return text_part(text, start, end);
}

static int digit_value(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : 99;
}

/* `count` digits at `at`. */
static bool digits(struct text text, size_t *at, int count, int base, uint32_t *value) {
  *value = 0;
  for (int i = 0; i < count; i++, ++*at) {
    if (*at >= text.size || digit_value(text.bytes[*at]) >= base) return false;
    *value = *value * (uint32_t)base + (uint32_t)digit_value(text.bytes[*at]);
  }
  return true;
}

bool rune_unescape(struct text text, size_t *at, char quote, uint32_t *rune, bool *is_byte) {
  static const char letters[] = "abfnrtv\\";
  static const char values[] = "\a\b\f\n\r\t\v\\";
  if (*at >= text.size) return false;
  char c = text.bytes[*at];
  const char *letter = c == '\0' ? NULL : strchr(letters, c);
  *is_byte = false;
  if (c == quote || letter != NULL) {
    *rune = (unsigned char)(letter != NULL ? values[letter - letters] : c);
    ++*at;
    return true;
  }
  int count = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (count > 0) {
    ++*at;
    *is_byte = c == 'x';
    return digits(text, at, count, 16, rune) && (*is_byte || (*rune <= RUNE_MAX && (*rune < 0xD800 || *rune > 0xDFFF)));
  }
  *is_byte = true;
  return c >= '0' && c <= '7' && digits(text, at, 3, 8, rune) && *rune <= 255;
}
