#include "core/base/text.h"

#include <errno.h>
#include <sys/random.h>

void bo_hex(const void *bytes, size_t size, char *text) {
  static const char digits[] = "0123456789abcdef";
  const unsigned char *cursor = bytes;
  for (size_t i = 0; i < size; i++) {
    *text++ = digits[cursor[i] >> 4];
    *text++ = digits[cursor[i] & 15];
  }
  *text = '\0';
}

void bo_human_size(uint64_t bytes, char text[32]) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = (double)bytes;
  size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
    value /= 1024;
    unit++;
  }
  (void)snprintf(text, 32, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* The length of the UTF-8 sequence at `cursor` (RFC 3629, section 4), 0 when there is none. */
static size_t utf8_length(const unsigned char *cursor, size_t left) {
  unsigned char first = cursor[0];
  if (first < 0x80) return 1;
  size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                  : (first & 0xF0) == 0xE0         ? 3
                  : first >= 0xF0 && first <= 0xF4 ? 4
                                                   : 0;
  if (length == 0 || length > left) return 0;
  for (size_t i = 1; i < length; i++)
    if ((cursor[i] & 0xC0) != 0x80) return 0;
  if (first == 0xE0 && cursor[1] < 0xA0) return 0;
  if (first == 0xED && cursor[1] > 0x9F) return 0;
  if (first == 0xF0 && cursor[1] < 0x90) return 0;
  if (first == 0xF4 && cursor[1] > 0x8F) return 0;
  return length;
}

bool bo_is_utf8(const void *bytes, size_t size) {
  const unsigned char *cursor = bytes;
  while (size > 0) {
    size_t length = utf8_length(cursor, size);
    if (length == 0) return false;
    cursor += length;
    size -= length;
  }
  return true;
}

/* The length of the ANSI escape sequence (ECMA-48 CSI or OSC, or two characters) that begins at `cursor`. */
static size_t escape_length(const unsigned char *cursor, size_t left) {
  if (left < 2) return 1;
  size_t i = 2;
  if (cursor[1] == '[') {
    while (i < left && cursor[i] >= 0x20 && cursor[i] <= 0x3F)
      i++;
    return i < left && cursor[i] >= 0x40 && cursor[i] <= 0x7E ? i + 1 : i;
  }
  if (cursor[1] == ']') {
    while (i < left && cursor[i] != 0x07 && cursor[i] != 0x1B && cursor[i] != '\n')
      i++;
    return i < left && cursor[i] == 0x07 ? i + 1 : i;
  }
  return cursor[1] >= 0x20 && cursor[1] < 0x7F ? 2 : 1;
}

bool bo_append_printable(struct bo_buffer *out, const void *bytes, size_t size) {
  const unsigned char *cursor = bytes;
  while (size > 0) {
    size_t length = utf8_length(cursor, size);
    if (length == 0) {
      (void)bo_buffer_append_text(out, "\xEF\xBF\xBD");
      length = 1;
    } else if (*cursor == 0x1B) {
      length = escape_length(cursor, size);
    } else if ((*cursor >= 0x20 && *cursor != 0x7F && !(*cursor == 0xC2 && cursor[1] < 0xA0)) || *cursor == '\n' ||
               *cursor == '\t') {
      (void)bo_buffer_append(out, cursor, length);
    }
    cursor += length;
    size -= length;
  }
  return !out->failed;
}

unsigned bo_edit_distance(const char *a, const char *b) {
  size_t width = strlen(b);
  unsigned row[65];
  if (width > 64 || strlen(a) > 64) return 64;
  for (size_t i = 0; i <= width; i++)
    row[i] = (unsigned)i;
  for (size_t i = 0; a[i] != '\0'; i++) {
    unsigned diagonal = row[0];
    row[0] = (unsigned)i + 1;
    for (size_t j = 0; j < width; j++) {
      unsigned replaced = diagonal + (a[i] != b[j] ? 1 : 0);
      diagonal = row[j + 1];
      unsigned shorter = row[j] < diagonal ? row[j] + 1 : diagonal + 1;
      row[j + 1] = replaced < shorter ? replaced : shorter;
    }
  }
  return row[width];
}

bool bo_parse_int64(const char *text, int64_t *value) {
  const char *digits = text + (*text == '-' || *text == '+' ? 1 : 0);
  if (*digits < '0' || *digits > '9') return false;
  char *end = NULL;
  errno = 0;
  long long parsed = strtoll(text, &end, 10);
  if (errno != 0 || *end != '\0') return false;
  *value = parsed;
  return true;
}

bool bo_random_uuid(char text[37]) {
  unsigned char bytes[16];
  if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) return false;
  bytes[6] = (unsigned char)((bytes[6] & 0x0F) | 0x40);
  bytes[8] = (unsigned char)((bytes[8] & 0x3F) | 0x80);
  char hex[33];
  bo_hex(bytes, sizeof(bytes), hex);
  (void)snprintf(text, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
  return true;
}
