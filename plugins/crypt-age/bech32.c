/* crypt-age/bech32.c - decoding of age1... and AGE-SECRET-KEY-1... */
#include "plugins/crypt-age/bech32.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CHECKSUM_SIZE 6

static uint32_t checksum_step(uint32_t sum, unsigned value) {
  static const uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
  uint32_t top = sum >> 25;
  sum = (sum & 0x1ffffff) << 5 ^ value;
  for (unsigned i = 0; i < 5; i++)
    sum ^= generator[i] & (0u - (top >> i & 1));
  return sum;
}

static uint32_t checksum_of_prefix(const char *prefix) {
  uint32_t sum = 1;
  for (const char *c = prefix; *c != '\0'; c++)
    sum = checksum_step(sum, (unsigned char)*c >> 5);
  sum = checksum_step(sum, 0);
  for (const char *c = prefix; *c != '\0'; c++)
    sum = checksum_step(sum, (unsigned char)*c & 31);
  return sum;
}

/* The five bits that a character stands for, or 32. It looks at the whole alphabet, so that its time tells nothing. */
static unsigned value_of(char c) {
  static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  unsigned value = 32;
  for (unsigned i = 0; i < 32; i++)
    value = alphabet[i] == c ? i : value;
  return value;
}

static bool split(const char *text, size_t size, char prefix[AGE_BECH32_PREFIX_MAX], size_t *prefix_size) {
  const char *one = memrchr(text, '1', size);
  if (one == NULL || one == text || one - text >= AGE_BECH32_PREFIX_MAX) return false;
  *prefix_size = (size_t)(one - text);
  for (size_t i = 0; i < *prefix_size; i++) {
    if (text[i] < 33 || text[i] > 126) return false;
    prefix[i] = (char)tolower(text[i]);
  }
  prefix[*prefix_size] = '\0';
  return true;
}

static bool mixes_case(const char *text, size_t size) {
  bool lower = false, upper = false;
  for (size_t i = 0; i < size; i++) {
    lower |= text[i] >= 'a' && text[i] <= 'z';
    upper |= text[i] >= 'A' && text[i] <= 'Z';
  }
  return lower && upper;
}

enum age_bech32 age_bech32_decode(const char *text, size_t size, char prefix[AGE_BECH32_PREFIX_MAX],
                                  unsigned char bytes[AGE_BECH32_BYTES]) {
  size_t at = 0, filled = 0;
  prefix[0] = '\0';
  if (!split(text, size, prefix, &at)) {
    prefix[0] = '\0';
    return AGE_BECH32_NO_PREFIX;
  }
  if (mixes_case(text, size)) return AGE_BECH32_CASE;
  size_t first = ++at;
  uint32_t sum = checksum_of_prefix(prefix), bits = 0;
  unsigned count = 0;
  bool too_long = false;
  for (; at < size; at++) {
    unsigned value = value_of((char)tolower((unsigned char)text[at]));
    if (value == 32) return AGE_BECH32_CHARACTER;
    sum = checksum_step(sum, value);
    if (at + CHECKSUM_SIZE >= size) continue; /* of the checksum itself */
    bits = bits << 5 | value;
    count += 5;
    if (count < 8) continue;
    count -= 8;
    too_long |= filled == AGE_BECH32_BYTES;
    if (!too_long) bytes[filled++] = (unsigned char)(bits >> count);
  }
  if (size - first < CHECKSUM_SIZE || sum != 1) return AGE_BECH32_CHECKSUM;
  if (too_long || filled != AGE_BECH32_BYTES) return AGE_BECH32_LENGTH;
  if (count >= 5 || (bits & ((1u << count) - 1)) != 0) return AGE_BECH32_LENGTH; /* padding must be short and zero */
  return AGE_BECH32_OK;
}

const char *age_bech32_reason(enum age_bech32 result) {
  switch (result) {
    case AGE_BECH32_NO_PREFIX: return "it is not the text of an age key";
    case AGE_BECH32_CASE: return "it mixes upper and lower case";
    case AGE_BECH32_CHARACTER: return "it has a character that no age key has";
    case AGE_BECH32_CHECKSUM: return "its checksum is wrong: it was mistyped or cut";
    case AGE_BECH32_LENGTH: return "it has not the length of an age key";
    default: return "it is well-formed";
  }
}
