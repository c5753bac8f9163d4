/* crypt-age/base64.c - strict base64 without padding. OpenSSL's decoder skips blanks and takes stray bits, which would
 * let two different headers mean the same. */
#include "plugins/crypt-age/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The value of a character, -1 for none. Comparisons instead of a table: private keys pass through here, and a table
 * indexed by their characters would show in the cache. */
static int value_of(unsigned char c) {
  int value = -1;
  value += (c >= 'A' && c <= 'Z') * (c - 'A' + 1);
  value += (c >= 'a' && c <= 'z') * (c - 'a' + 27);
  value += (c >= '0' && c <= '9') * (c - '0' + 53);
  value += (c == '+') * 63;
  value += (c == '/') * 64;
  return value;
}

bool age_base64_decode(const char *text, size_t size, void *bytes, size_t capacity, size_t *bytes_size) {
  unsigned char *out = bytes;
  uint32_t bits = 0;
  unsigned count = 0;
  *bytes_size = 0;
  if (size % 4 == 1) return false;
  for (size_t i = 0; i < size; i++) {
    int value = value_of((unsigned char)text[i]);
    if (value < 0) return false;
    bits = bits << 6 | (uint32_t)value;
    count += 6;
    if (count < 8) continue;
    if (*bytes_size == capacity) return false;
    count -= 8;
    out[(*bytes_size)++] = (unsigned char)(bits >> count);
  }
  return (bits & ((1u << count) - 1)) == 0; /* the bits behind the last byte */
}

void age_base64_encode(const void *bytes, size_t size, char *text) {
  const unsigned char *in = bytes;
  uint32_t bits = 0;
  unsigned count = 0;
  for (size_t i = 0; i < size; i++) {
    bits = bits << 8 | in[i];
    for (count += 8; count >= 6; count -= 6)
      *text++ = alphabet[bits >> (count - 6) & 63];
  }
  if (count > 0) *text = alphabet[bits << (6 - count) & 63];
}
