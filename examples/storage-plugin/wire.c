/* wire.c - see wire.h. Numbers are big-endian; a string is its length (32 bits) and its bytes. */
#include "wire.h"

#include <string.h>

#define LENGTH_BYTES 4

/* Which attributes follow, section 5. */
#define HAS_SIZE 0x1u
#define HAS_OWNER 0x2u
#define HAS_MODE 0x4u
#define HAS_TIMES 0x8u
#define HAS_EXTENDED 0x80000000u

static void put(struct wire_out *out, const void *bytes, size_t size) {
  if (out->failed || size > sizeof(out->bytes) - out->size) {
    out->failed = true;
    return;
  }
  memcpy(out->bytes + out->size, bytes, size);
  out->size += size;
}

static void store_u32(unsigned char bytes[4], uint32_t number) {
  for (int i = 0; i < 4; i++)
    bytes[i] = (unsigned char)(number >> (24 - 8 * i));
}

void wire_begin(struct wire_out *out, uint8_t type, uint32_t id) {
  out->size = LENGTH_BYTES;
  out->failed = false;
  put(out, &type, 1);
  wire_u32(out, id);
}

void wire_u32(struct wire_out *out, uint32_t number) {
  unsigned char bytes[4];
  store_u32(bytes, number);
  put(out, bytes, sizeof(bytes));
}

void wire_u64(struct wire_out *out, uint64_t number) {
  wire_u32(out, (uint32_t)(number >> 32));
  wire_u32(out, (uint32_t)number);
}

void wire_bytes(struct wire_out *out, const void *bytes, size_t size) {
  wire_u32(out, (uint32_t)size);
  put(out, bytes, size);
}

void wire_text(struct wire_out *out, const char *text) {
  wire_bytes(out, text, strlen(text));
}

void wire_end(struct wire_out *out, size_t following_bytes) {
  store_u32(out->bytes, (uint32_t)(out->size - LENGTH_BYTES + following_bytes));
}

static const unsigned char *take(struct wire_in *in, size_t size) {
  static const unsigned char nothing[8];
  if (in->failed || size > in->size - in->position) {
    in->failed = true;
    return nothing;
  }
  in->position += size;
  return in->bytes + in->position - size;
}

uint8_t wire_take_u8(struct wire_in *in) {
  return take(in, 1)[0];
}

uint32_t wire_take_u32(struct wire_in *in) {
  const unsigned char *bytes = take(in, 4);
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

uint64_t wire_take_u64(struct wire_in *in) {
  uint64_t high = wire_take_u32(in);
  return high << 32 | wire_take_u32(in);
}

const unsigned char *wire_take_bytes(struct wire_in *in, uint32_t *size) {
  *size = wire_take_u32(in);
  const unsigned char *bytes = take(in, *size);
  if (in->failed) *size = 0;
  return bytes;
}

void wire_take_attributes(struct wire_in *in, struct wire_attributes *attributes) {
  *attributes = (struct wire_attributes){0};
  uint32_t flags = wire_take_u32(in);
  if (flags & HAS_SIZE) attributes->size_bytes = wire_take_u64(in);
  if (flags & HAS_OWNER) (void)wire_take_u64(in);
  if (flags & HAS_MODE) attributes->mode = wire_take_u32(in);
  if (flags & HAS_TIMES) {
    (void)wire_take_u32(in);
    attributes->modified_unix_s = wire_take_u32(in);
  }
  if (!(flags & HAS_EXTENDED)) return;
  for (uint32_t pairs = wire_take_u32(in), size; pairs > 0 && !in->failed; pairs--) {
    (void)wire_take_bytes(in, &size);
    (void)wire_take_bytes(in, &size);
  }
}
