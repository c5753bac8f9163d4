/*
 * compress-gzip. The first two bytes of the input choose the sizes of the pieces, the rest is used twice:
 * as a stored stream, which must be judged as zlib's own reader judges it, however it is cut; and as plain data, which
 * must come back after encoding and decoding.
 */
#include <backup-operator/plugin.h>
#include <zlib.h>

#include "tests/support/fake_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PLAIN_MAX ((size_t)1 << 20) /* what an input may decode to; a longer one is left aside */

struct bytes {
  unsigned char *at;
  size_t size, capacity;
};

static void append(struct bytes *to, const unsigned char *bytes, size_t size) {
  if (to->size + size > to->capacity) {
    to->capacity = (to->size + size) * 2;
    to->at = realloc(to->at, to->capacity);
    if (to->at == NULL) abort();
  }
  if (size != 0) memcpy(to->at + to->size, bytes, size);
  to->size += size;
}

static bool begins_with(const struct bytes *whole, const unsigned char *bytes, size_t size) {
  return size <= whole->size && (size == 0 || memcmp(whole->at, bytes, size) == 0);
}

static int call(void *instance, const struct bo_transform_operations *operations, struct bo_input *in, size_t room,
                int mode, struct bytes *to) {
  unsigned char *bytes = malloc(room); /* of its very size, so that the address sanitizer sees a step too far */
  struct bo_output out = {bytes, room, 0};
  struct bo_error error = BO_ERROR_INIT;
  size_t before = in->position;
  int result = operations->process(instance, in, &out, mode, &error);
  if (in->position < before || in->position > in->size || out.position > out.size) abort();
  if (result == BO_AGAIN && in->position == before && out.position == 0) abort();
  if ((result == BO_NEED_INPUT || result == BO_DONE) && in->position != in->size) abort();
  if ((result == BO_NEED_INPUT && mode == BO_END) || (result == BO_DONE && mode != BO_END)) abort();
  if (result == BO_ERROR && (error.error_class != BO_CLASS_CORRUPT || error.text[0] == '\0')) abort();
  if (result != BO_ERROR) append(to, bytes, out.position);
  free(bytes);
  return result;
}

/* What the last call answered. `mode` is said with every piece but the last. */
static int transform(int direction, int level, const unsigned char *data, size_t size, size_t in_step, size_t out_step,
                     int mode, struct bytes *to) {
  struct fake_host fake;
  const struct bo_host *host = fake_host_open(&fake);
  struct bo_value value = {.is_set = 1, .integer = level};
  struct bo_config config = {.header = BO_HEADER(struct bo_config), .values = &value, .value_count = 1};
  struct bo_error error = BO_ERROR_INIT;
  const struct bo_transform_operations *operations = bo_plugin_init(host, &error)->operations;
  void *instance = NULL;
  if (operations->open(host, direction, &config, &instance, &error) != BO_OK) abort();
  int result = BO_NEED_INPUT;
  for (size_t sent = 0; result == BO_NEED_INPUT;) {
    struct bo_input in = {data + sent, size - sent < in_step ? size - sent : in_step, 0};
    sent += in.size;
    do
      result = call(instance, operations, &in, out_step, sent == size ? BO_END : mode, to);
    while (result == BO_AGAIN && to->size <= PLAIN_MAX);
  }
  operations->close(instance);
  if (atomic_load(&fake.live) != 0) abort();
  return result;
}

/* zlib's own gzip reader over all members at once: whether they are whole, and nothing else is there. */
static bool reference(const unsigned char *data, size_t size, struct bytes *to) {
  z_stream zlib = {.next_in = (z_const Bytef *)data, .avail_in = (uInt)size};
  if (inflateInit2(&zlib, MAX_WBITS + 16) != Z_OK) abort();
  int result;
  do {
    unsigned char room[4096];
    zlib.next_out = room;
    zlib.avail_out = sizeof(room);
    result = inflate(&zlib, Z_NO_FLUSH);
    append(to, room, sizeof(room) - zlib.avail_out);
    if (result == Z_STREAM_END && zlib.avail_in > 0) result = inflateReset(&zlib);
  } while (result == Z_OK && to->size <= PLAIN_MAX);
  inflateEnd(&zlib);
  return result == Z_STREAM_END;
}

static void check_decoding(const unsigned char *data, size_t size, size_t in_step, size_t out_step) {
  struct bytes want = {0}, once = {0}, cut = {0};
  bool whole = reference(data, size, &want);
  if (want.size <= PLAIN_MAX) {
    int result = transform(BO_DECODE, -1, data, size, SIZE_MAX, PLAIN_MAX, BO_CONTINUE, &once);
    int result_cut = transform(BO_DECODE, -1, data, size, in_step, out_step, BO_FLUSH, &cut);
    if (result != (whole ? BO_DONE : BO_ERROR) || result_cut != result) abort();
    if (whole && (once.size != want.size || !begins_with(&want, once.at, once.size))) abort();
    if (whole && cut.size != want.size) abort();
    /* What was released before an error is the beginning of what zlib gave. */
    if (!begins_with(&want, cut.at, cut.size)) abort();
  }
  free(want.at);
  free(once.at);
  free(cut.at);
}

static void check_round_trip(const unsigned char *data, size_t size, size_t in_step, size_t out_step, int level,
                             int mode) {
  struct bytes stored = {0}, plain = {0}, want = {0};
  if (transform(BO_ENCODE, level, data, size, in_step, out_step, mode, &stored) != BO_DONE) abort();
  if (!reference(stored.at, stored.size, &want) || want.size != size || !begins_with(&want, data, size)) abort();
  if (transform(BO_DECODE, -1, stored.at, stored.size, out_step, in_step, BO_CONTINUE, &plain) != BO_DONE) abort();
  if (plain.size != size || !begins_with(&plain, data, size)) abort();
  free(stored.at);
  free(plain.at);
  free(want.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  size_t in_step = (size_t)(data[0] & 0x7f) + 1, out_step = (size_t)(data[1] & 0x0f) * 8 + 1;
  int mode = (data[0] & 0x80) != 0 ? BO_FLUSH : BO_CONTINUE;
  int level = (data[1] >> 4) % 12 - 2;
  /* Copied, so that a read before or behind it is seen. */
  unsigned char *rest = malloc(size - 2);
  if (rest == NULL && size > 2) abort();
  if (size > 2) memcpy(rest, data + 2, size - 2);
  check_decoding(rest, size - 2, in_step, out_step);
  check_round_trip(rest, size - 2, in_step, out_step, level, mode);
  free(rest);
  return 0;
}
