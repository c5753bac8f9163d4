/*
 * support.h - for tests: a configuration of the plugin, and a stream sent through it in pieces of any size, with every
 * answer checked against the contract of process().
 */
#ifndef CRYPT_AGE_TESTS_SUPPORT_H
#define CRYPT_AGE_TESTS_SUPPORT_H

#include <backup-operator/plugin.h>
#include <check.h>

#include "core/base/buffer.h"
#include "core/base/io.h"
#include "core/base/sha256.h"
#include "tests/support/fake_host.h"
#include "tests/support/unit.h"

#define VECTORS "tests/vectors/age/"
#define SETUP_MAX 1100

struct setup {
  struct bo_value values[4];
  struct bo_pair repeated[SETUP_MAX];
  struct bo_secret secrets[SETUP_MAX];
  struct bo_config config;
};

static inline struct setup *setup_init(struct setup *setup) {
  memset(setup, 0, sizeof(*setup));
  setup->values[3] = (struct bo_value){.is_set = 1, .integer = 20, .string = "20"};
  setup->config = (struct bo_config){.header = BO_HEADER(struct bo_config),
                                     .values = setup->values,
                                     .value_count = 4,
                                     .secrets = setup->secrets,
                                     .repeated = setup->repeated};
  return setup;
}

static inline void setup_recipient(struct setup *setup, const char *text) {
  ck_assert_uint_lt(setup->config.repeated_count, SETUP_MAX);
  setup->repeated[setup->config.repeated_count++] = (struct bo_pair){"recipients", text};
}

static inline void setup_secret(struct setup *setup, const char *name, const char *text) {
  ck_assert_uint_lt(setup->config.secret_count, SETUP_MAX);
  setup->secrets[setup->config.secret_count++] = (struct bo_secret){name, (const unsigned char *)text, strlen(text)};
}

static inline void setup_identity(struct setup *setup, const char *text) {
  setup_secret(setup, "identity", text);
}

static inline const struct bo_transform_operations *operations_of_age(void) {
  struct bo_error error = BO_ERROR_INIT;
  struct fake_host fake;
  const struct bo_plugin *plugin = bo_plugin_init(fake_host_open(&fake), &error);
  fake_host_close(&fake);
  ck_assert_msg(plugin != NULL, "%s", error.text);
  return plugin->operations;
}

/* What came of a stream. `bytes` holds what was released: the output of calls that did not fail. */
struct outcome {
  int result; /* BO_DONE or BO_ERROR */
  bool opened;
  struct bo_error error;
  struct bo_buffer bytes;
};

static inline void outcome_free(struct outcome *outcome) {
  bo_buffer_free(&outcome->bytes);
}
#define CLEANUP_OUTCOME BO_CLEANUP(outcome_free)

/* How a stream is cut: pieces of up to `in` and `out` bytes, of random sizes if `random` is set. 0: all at once. */
struct pieces {
  size_t in, out;
  unsigned random;
};

static const struct pieces whole = {0, 0, 0};
static const struct pieces single_bytes = {1, 1, 0};

static inline size_t piece_size(size_t limit, size_t left, struct pieces *pieces) {
  size_t size = limit == 0 ? left : limit;
  if (pieces->random != 0 && limit > 0) {
    pieces->random = pieces->random * 1103515245u + 12345u;
    size = 1 + (pieces->random >> 8) % limit;
  }
  return size < left ? size : left;
}

static inline struct outcome transform_with(const struct bo_host *host, int direction, const struct setup *setup,
                                            const void *bytes, size_t size, struct pieces pieces) {
  const struct bo_transform_operations *operations = operations_of_age();
  struct outcome outcome = {.result = BO_ERROR, .error = BO_ERROR_INIT, .bytes = BO_BUFFER_INIT};
  void *instance = NULL;
  if (operations->open(host, direction, &setup->config, &instance, &outcome.error) != BO_OK) return outcome;
  outcome.opened = true;
  /* Buffers of their very size, so that the address sanitizer sees a step too far. */
  size_t capacity = pieces.out == 0 ? size + 2 * 1024 * 1024 : pieces.out;
  unsigned char *out_bytes = malloc(capacity);
  size_t sent = 0;
  int result = BO_NEED_INPUT; /* checked without ck_assert, which writes to a file each time that it holds */
  while (result == BO_NEED_INPUT) {
    size_t in_size = piece_size(pieces.in, size - sent, &pieces);
    unsigned char *in_bytes = malloc(in_size + 1);
    if (in_size > 0) memcpy(in_bytes, (const unsigned char *)bytes + sent, in_size);
    struct bo_input in = {in_bytes, in_size, 0};
    sent += in_size;
    int mode = sent == size ? BO_END : pieces.random % 5 == 1 ? BO_FLUSH : BO_CONTINUE;
    do {
      size_t out_size = piece_size(pieces.out, capacity, &pieces), before = in.position;
      struct bo_output out = {out_bytes, out_size, 0};
      result = operations->process(instance, &in, &out, mode, &outcome.error);
      if (in.position > in.size || out.position > out.size) ck_abort_msg("it went on behind the end");
      if (result != BO_ERROR) bo_buffer_append(&outcome.bytes, out_bytes, out.position);
      if (result == BO_AGAIN && in.position == before && out.position == 0) ck_abort_msg("no progress");
    } while (result == BO_AGAIN);
    if (result == BO_NEED_INPUT && mode == BO_END) ck_abort_msg("BO_NEED_INPUT in answer to BO_END");
    if (result == BO_DONE && mode != BO_END) ck_abort_msg("BO_DONE without BO_END");
    if (result != BO_ERROR && in.position != in.size) ck_abort_msg("input is left");
    free(in_bytes);
  }
  ck_assert(result == BO_DONE || result == BO_ERROR);
  outcome.result = result;
  free(out_bytes);
  operations->close(instance);
  return outcome;
}

/* The same behind a host of its own, which fails the test when memory is not given back. */
static inline struct outcome transform(int direction, const struct setup *setup, const void *bytes, size_t size,
                                       struct pieces pieces) {
  struct fake_host fake;
  const struct bo_host *host = fake_host_open(&fake);
  struct outcome outcome = transform_with(host, direction, setup, bytes, size, pieces);
  fake_host_close(&fake);
  return outcome;
}

static inline void read_whole(const char *path, struct bo_buffer *buffer) {
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_msg(bo_read_file(path, 64 * 1024 * 1024, buffer, &error) == BO_OK, "%s", error.text);
}

static inline void assert_sha256(const struct bo_buffer *buffer, const char *expected, const char *name) {
  struct bo_error error = BO_ERROR_INIT;
  char text[BO_SHA256_TEXT_MAX];
  ck_assert_int_eq(bo_sha256_text(buffer->bytes != NULL ? buffer->bytes : "", buffer->size, text, &error), BO_OK);
  ck_assert_msg(strcmp(text, expected) == 0, "%s: the plaintext differs", name);
}

static inline void assert_bytes(const struct outcome *outcome, const void *bytes, size_t size) {
  ck_assert_msg(outcome->result == BO_DONE, "%s", outcome->error.text);
  ck_assert_uint_eq(outcome->bytes.size, size);
  if (size > 0) ck_assert_int_eq(memcmp(outcome->bytes.bytes, bytes, size), 0);
}

/* Bytes that look random and are the same in each run. */
static inline unsigned char *sample(size_t size) {
  unsigned char *bytes = malloc(size + 1);
  uint64_t state = 88172645463325252u;
  for (size_t i = 0; i < size; i++) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    bytes[i] = (unsigned char)state;
  }
  return bytes;
}

#endif
