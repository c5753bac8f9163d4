/*
 * Arbitrary bytes as a gzip file: no input may crash the decoder, hang it, or make it say that a stream is whole when
 * zlib's own reader does not, or that gives other data when it is cut in other pieces. The same bytes as data: what was
 * encoded, at any level, cut and flushed anyhow, comes back. The first three bytes of the input choose pieces and
 * level.
 */
#include <backup-operator/plugin.h>
#include <zlib.h>

#include "core/base/buffer.h"
#include "tests/support/fake_host.h"

#define PLAIN_MAX (16U << 20) /* what a bomb may give before it is left alone */
#define ROOM_SIZE 65536
#define OPTION_COUNT 3

struct cut {
  size_t in, out;
  unsigned flush_every; /* this many pieces; 0: never */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
  if (!holds) abort();
}

/* Sends it all. Returns BO_DONE or BO_ERROR, or BO_AGAIN when it was left with more than PLAIN_MAX. */
static int transform(const struct bo_host *host, int direction, int level, const void *bytes, size_t size,
                     struct cut cut, struct bo_buffer *result_bytes) {
  static unsigned char room[ROOM_SIZE];
  struct bo_value value = {.is_set = 1, .integer = level};
  struct bo_config config = {.header = BO_HEADER(struct bo_config), .values = &value, .value_count = 1};
  struct bo_error error = BO_ERROR_INIT;
  const struct bo_transform_operations *operations = bo_plugin_init(host, &error)->operations;
  void *instance = NULL;
  must(operations->open(host, direction, &config, &instance, &error) == BO_OK);
  int result = BO_NEED_INPUT;
  unsigned pieces = 0;
  for (size_t sent = 0; result == BO_NEED_INPUT;) {
    struct bo_input in = {(const unsigned char *)bytes + sent, size - sent < cut.in ? size - sent : cut.in, 0};
    sent += in.size;
    bool flush = cut.flush_every != 0 && ++pieces % cut.flush_every == 0;
    int mode = sent == size ? BO_END : flush ? BO_FLUSH : BO_CONTINUE;
    do {
      struct bo_output out = {room, cut.out, 0};
      size_t before = in.position;
      result = operations->process(instance, &in, &out, mode, &error);
      must(in.position <= in.size && out.position <= out.size);
      must(result != BO_AGAIN || in.position != before || out.position != 0);
      must(result != BO_NEED_INPUT || (in.position == in.size && mode != BO_END));
      must(result != BO_DONE || (in.position == in.size && mode == BO_END));
      must(result != BO_ERROR || error.text[0] != '\0');
      if (result != BO_ERROR) must(bo_buffer_append(result_bytes, room, out.position));
    } while (result == BO_AGAIN && result_bytes->size <= PLAIN_MAX);
  }
  operations->close(instance);
  return result;
}

/* zlib's own reader of gzip, member by member. True when every one is whole and nothing follows. */
static bool read_with_zlib(const uint8_t *data, size_t size, struct bo_buffer *plain) {
  static unsigned char room[ROOM_SIZE];
  z_stream zlib = {.next_in = (Bytef *)data, .avail_in = (uInt)size};
  must(inflateInit2(&zlib, MAX_WBITS + 16) == Z_OK);
  int result;
  do {
    zlib.next_out = room;
    zlib.avail_out = ROOM_SIZE;
    result = inflate(&zlib, Z_NO_FLUSH);
    must(bo_buffer_append(plain, room, ROOM_SIZE - zlib.avail_out));
    if (result == Z_STREAM_END && zlib.avail_in != 0) result = inflateReset(&zlib);
  } while (result == Z_OK);
  (void)inflateEnd(&zlib);
  return result == Z_STREAM_END;
}

static bool begins_with(const struct bo_buffer *whole, const struct bo_buffer *part) {
  return part->size <= whole->size && (part->size == 0 || memcmp(whole->bytes, part->bytes, part->size) == 0);
}

static void decode_both_ways(const struct bo_host *host, const uint8_t *data, size_t size, struct cut cut) {
  BO_CLEANUP_BUFFER struct bo_buffer one = BO_BUFFER_INIT, other = BO_BUFFER_INIT, theirs = BO_BUFFER_INIT;
  static const struct cut whole = {SIZE_MAX, ROOM_SIZE, 0};
  int result = transform(host, BO_DECODE, 0, data, size, whole, &one);
  if (result == BO_AGAIN) return;
  must(transform(host, BO_DECODE, 0, data, size, cut, &other) == result);
  must(read_with_zlib(data, size, &theirs) == (result == BO_DONE));
  /* What came out before an error is the beginning of what zlib gives, too. */
  must(begins_with(&theirs, &one) && begins_with(&theirs, &other));
  if (result == BO_DONE) must(one.size == theirs.size && other.size == theirs.size);
}

static void there_and_back(const struct bo_host *host, int level, const uint8_t *data, size_t size, struct cut cut) {
  BO_CLEANUP_BUFFER struct bo_buffer stored = BO_BUFFER_INIT, plain = BO_BUFFER_INIT;
  must(transform(host, BO_ENCODE, level, data, size, cut, &stored) == BO_DONE);
  must(transform(host, BO_DECODE, level, stored.bytes, stored.size, cut, &plain) == BO_DONE);
  must(plain.size == size && (size == 0 || memcmp(plain.bytes, data, size) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const size_t steps[] = {1, 2, 7, 63, 64, 1000, 65536};
  enum { STEP_COUNT = sizeof(steps) / sizeof(steps[0]) };
  if (size < OPTION_COUNT) return 0;
  struct cut cut = {steps[data[0] % STEP_COUNT], steps[data[1] % STEP_COUNT], data[2] / 16};
  int level = data[2] % 12 - 2;
  struct fake_host fake;
  const struct bo_host *host = fake_host_open(&fake);
  decode_both_ways(host, data + OPTION_COUNT, size - OPTION_COUNT, cut);
  there_and_back(host, level, data + OPTION_COUNT, size - OPTION_COUNT, cut);
  must(atomic_load(&fake.live) == 0);
  return 0;
}
