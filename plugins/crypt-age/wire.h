/* crypt-age/wire.h - the fields of SSH's wire format (RFC 4251, section 5), read one after the other. */
#ifndef CRYPT_AGE_WIRE_H
#define CRYPT_AGE_WIRE_H

#include <stdint.h>
#include <string.h>

#include "plugins/crypt-age/header.h"

/* Takes `size` bytes off the front. Each of these is false, and takes nothing, when there is too little. */
static inline bool age_wire_bytes(struct age_slice *from, size_t size, struct age_slice *bytes) {
  if (from->size < size) return false;
  *bytes = (struct age_slice){from->bytes, size};
  from->bytes += size;
  from->size -= size;
  return true;
}

static inline bool age_wire_uint32(struct age_slice *from, uint32_t *value) {
  struct age_slice bytes;
  if (!age_wire_bytes(from, 4, &bytes)) return false;
  *value = 0;
  for (int i = 0; i < 4; i++)
    *value = *value << 8 | (unsigned char)bytes.bytes[i];
  return true;
}

/* A string, or a number that is kept as one: both begin with their length. */
static inline bool age_wire_string(struct age_slice *from, struct age_slice *string) {
  struct age_slice rest = *from;
  uint32_t size;
  if (!age_wire_uint32(&rest, &size) || !age_wire_bytes(&rest, size, string)) return false;
  *from = rest;
  return true;
}

#endif
