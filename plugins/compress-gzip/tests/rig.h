/*
 * Sends data through the plugin in pieces of chosen sizes and holds it to the contract of transform.h at every call.
 * Pieces and room are allocated in their exact size, so that a sanitizer sees a step beside them.
 */
#ifndef COMPRESS_GZIP_TESTS_RIG_H
#define COMPRESS_GZIP_TESTS_RIG_H

#include <backup-operator/plugin.h>

#include "core/base/buffer.h"
#include "tests/support/fake_host.h"

#define LEVEL_DEFAULT (-1)

struct pieces {
  size_t in, out;
};

static const struct pieces whole = {SIZE_MAX, 65536};

struct outcome {
  int result; /* BO_DONE or BO_ERROR */
  struct bo_error error;
  struct bo_buffer bytes;
};

static inline void outcome_free(struct outcome *outcome) {
  bo_buffer_free(&outcome->bytes);
}
#define CLEANUP_OUTCOME BO_CLEANUP(outcome_free)

static inline const struct bo_transform_operations *gzip_operations(void) {
  struct bo_error error = BO_ERROR_INIT;
  struct fake_host fake;
  const struct bo_plugin *plugin = bo_plugin_init(fake_host_open(&fake), &error);
  fake_host_close(&fake);
  ck_assert_msg(plugin != NULL, "%s", error.text);
  return plugin->operations;
}

static inline int gzip_open_level(const struct bo_host *host, int direction, int level, void **instance,
                                  struct bo_error *error) {
  struct bo_value value = {.is_set = 1, .integer = level};
  struct bo_config config = {.header = BO_HEADER(struct bo_config), .values = &value, .value_count = 1};
  *instance = NULL;
  return gzip_operations()->open(host, direction, &config, instance, error);
}

/* One call, checked. What it gave is appended to `outcome`, unless it failed. */
static inline int process(void *instance, struct bo_input *in, size_t room, int mode, struct outcome *outcome) {
  struct bo_output out = {malloc(room), room, 0};
  size_t before = in->position;
  ck_assert_ptr_nonnull(out.bytes);
  int result = gzip_operations()->process(instance, in, &out, mode, &outcome->error);
  ck_assert(in->position >= before && in->position <= in->size && out.position <= out.size);
  switch (result) {
    case BO_AGAIN: ck_assert_msg(in->position > before || out.position > 0, "no progress"); break;
    case BO_NEED_INPUT: ck_assert(in->position == in->size && mode != BO_END); break;
    case BO_DONE: ck_assert(in->position == in->size && mode == BO_END); break;
    default: ck_assert_int_eq(result, BO_ERROR); ck_assert_str_ne(outcome->error.text, "");
  }
  if (result != BO_ERROR) ck_assert(bo_buffer_append(&outcome->bytes, out.bytes, out.position));
  free(out.bytes);
  return result;
}

/* Calls until it wants more input, is done, or fails. */
static inline int process_piece(void *instance, const void *bytes, size_t size, size_t room, int mode,
                                struct outcome *outcome) {
  BO_CLEANUP_FREE unsigned char *exact = malloc(size);
  ck_assert(exact != NULL || size == 0);
  if (size != 0) memcpy(exact, bytes, size);
  struct bo_input in = {exact, size, 0};
  int result;
  do {
    result = process(instance, &in, room, mode, outcome);
  } while (result == BO_AGAIN);
  return result;
}

static inline struct outcome transform_with(const struct bo_host *host, int direction, int level, const void *bytes,
                                            size_t size, struct pieces pieces) {
  struct outcome outcome = {BO_NEED_INPUT, BO_ERROR_INIT, BO_BUFFER_INIT};
  void *instance;
  outcome.result = gzip_open_level(host, direction, level, &instance, &outcome.error);
  if (outcome.result != BO_OK) return outcome;
  size_t sent = 0;
  do {
    size_t piece = size - sent < pieces.in ? size - sent : pieces.in;
    int mode = sent + piece == size ? BO_END : BO_CONTINUE;
    outcome.result = process_piece(instance, (const char *)bytes + sent, piece, pieces.out, mode, &outcome);
    sent += piece;
  } while (outcome.result == BO_NEED_INPUT);
  gzip_operations()->close(instance);
  return outcome;
}

/* All of it under a host that notices memory which is not given back. */
static inline struct outcome transform(int direction, int level, const void *bytes, size_t size, struct pieces pieces) {
  struct fake_host fake;
  struct outcome outcome = transform_with(fake_host_open(&fake), direction, level, bytes, size, pieces);
  fake_host_close(&fake);
  return outcome;
}

static inline struct outcome encode(const void *bytes, size_t size) {
  struct outcome outcome = transform(BO_ENCODE, LEVEL_DEFAULT, bytes, size, whole);
  ck_assert_int_eq(outcome.result, BO_DONE);
  return outcome;
}

static inline struct outcome decode(const void *bytes, size_t size, struct pieces pieces) {
  return transform(BO_DECODE, LEVEL_DEFAULT, bytes, size, pieces);
}

static inline void assert_bytes(const struct outcome *outcome, const void *bytes, size_t size) {
  ck_assert_msg(outcome->result == BO_DONE, "%s", outcome->error.text);
  ck_assert_uint_eq(outcome->bytes.size, size);
  ck_assert(size == 0 || memcmp(outcome->bytes.bytes, bytes, size) == 0);
}

/* ---- data: the same in every run ---- */

static inline uint32_t next_random(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  return *state ^= *state << 5;
}

static inline void append_random(struct bo_buffer *buffer, size_t size) {
  uint32_t state = 2463534242;
  for (size_t i = 0; i < size; i++) {
    unsigned char byte = (unsigned char)(next_random(&state) >> 11);
    ck_assert(bo_buffer_append(buffer, &byte, 1));
  }
}

static inline void append_zeros(struct bo_buffer *buffer, size_t size) {
  ck_assert(bo_buffer_reserve(buffer, size));
  memset(buffer->bytes + buffer->size, 0, size);
  buffer->size += size;
}

static inline void append_dump(struct bo_buffer *buffer, size_t size) {
  uint32_t state = 88675123;
  size_t begin = buffer->size;
  while (buffer->size - begin < size)
    ck_assert(bo_buffer_printf(buffer, "INSERT INTO account VALUES (%zu, 'user-%u', %u.%02u);\n", buffer->size,
                               next_random(&state) % 5000, next_random(&state) % 90000, next_random(&state) % 100));
  buffer->size = begin + size;
}

#endif
