/* The plugin by itself: what goes in comes out, at every level and cut in every way, in the memory that was stated. */
#include "plugins/compress-gzip/gzip.h"

#include <malloc.h>
#include <sys/mman.h>

#include "plugins/compress-gzip/tests/rig.h"
#include "tests/support/unit.h"

#define LEVEL_FIRST (-2)
#define LEVEL_LAST 9

static void append_nothing(struct bo_buffer *buffer, size_t size) {
  (void)buffer;
  (void)size;
}

/* More than the 32 KiB that deflate looks back, where the pieces allow it in reasonable time. */
static const struct {
  void (*append)(struct bo_buffer *buffer, size_t size);
  size_t size;
} samples[] = {
    {append_nothing, 0},   {append_random, 1},      {append_dump, 5000},
    {append_dump, 200000}, {append_random, 100000}, {append_zeros, 300000},
};
#define SAMPLE_COUNT (sizeof(samples) / sizeof(samples[0]))

static const struct pieces splits[] = {{SIZE_MAX, 1000000}, {65536, 65536}, {1, 5003}, {4099, 5003},
                                       {4099, 1},           {7, 13},        {1, 1}};
#define SPLIT_COUNT (sizeof(splits) / sizeof(splits[0]))
#define SMALL 5000 /* the most that is sent in the smallest pieces */

START_TEST(every_level_gives_back_what_it_got) {
  for (size_t s = 0; s < SAMPLE_COUNT; s++) {
    BO_CLEANUP_BUFFER struct bo_buffer plain = BO_BUFFER_INIT;
    samples[s].append(&plain, samples[s].size);
    BO_CLEANUP_BUFFER struct bo_buffer first = BO_BUFFER_INIT;
    for (size_t i = 0; i < SPLIT_COUNT; i++) {
      struct pieces split = splits[i];
      if ((split.in < 1000 || split.out < 1000) && plain.size > SMALL) continue;
      CLEANUP_OUTCOME struct outcome stored = transform(BO_ENCODE, _i, plain.bytes, plain.size, split);
      ck_assert_int_eq(stored.result, BO_DONE);
      CLEANUP_OUTCOME struct outcome back = decode(stored.bytes.bytes, stored.bytes.size, split);
      assert_bytes(&back, plain.bytes, plain.size);
      /* How it was cut leaves no trace in what is stored (but for stored blocks, which end where the pieces do). */
      if (i == 0) ck_assert(bo_buffer_append(&first, stored.bytes.bytes, stored.bytes.size));
      if (_i != 0) assert_bytes(&stored, first.bytes, first.size);
    }
  }
}
END_TEST

START_TEST(levels_do_what_they_say) {
  BO_CLEANUP_BUFFER struct bo_buffer plain = BO_BUFFER_INIT;
  append_dump(&plain, 200000);
  size_t sizes[LEVEL_LAST - LEVEL_FIRST + 1];
  for (int level = LEVEL_FIRST; level <= LEVEL_LAST; level++) {
    CLEANUP_OUTCOME struct outcome stored = transform(BO_ENCODE, level, plain.bytes, plain.size, whole);
    sizes[level - LEVEL_FIRST] = stored.bytes.size;
  }
  size_t huffman = sizes[0], unset = sizes[1], store = sizes[2], fast = sizes[3], six = sizes[8], best = sizes[11];
  ck_assert_uint_eq(unset, six);
  ck_assert_uint_gt(store, plain.size);
  ck_assert(huffman < store && fast < huffman && six < fast && best < six);
}
END_TEST

START_TEST(a_level_out_of_range_is_refused) {
  static const int levels[] = {-3, 10, 1000};
  for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
    CLEANUP_OUTCOME struct outcome outcome = transform(BO_ENCODE, levels[i], "x", 1, whole);
    ck_assert_int_eq(outcome.result, BO_ERROR);
    ck_assert_int_eq(outcome.error.error_class, BO_CLASS_CONFIG);
    ck_assert_ptr_nonnull(strstr(outcome.error.text, "level"));
  }
}
END_TEST

START_TEST(the_header_tells_nothing_of_time_and_machine) {
  static const unsigned char wanted[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
  CLEANUP_OUTCOME struct outcome stored = encode("x", 1);
  ck_assert(memcmp(stored.bytes.bytes, wanted, sizeof(wanted)) == 0);
}
END_TEST

/* After each flush all that was given so far can be decoded from what came out so far. */
START_TEST(a_flush_brings_everything_out) {
  static const size_t rooms[] = {1, 3, GZIP_FLUSH_ROOM - 1, GZIP_FLUSH_ROOM, GZIP_FLUSH_ROOM + 1, 65536};
  size_t room = rooms[_i];
  BO_CLEANUP_BUFFER struct bo_buffer plain = BO_BUFFER_INIT;
  append_dump(&plain, 3000);
  append_random(&plain, 1000);
  struct fake_host fake;
  const struct bo_host *host = fake_host_open(&fake);
  CLEANUP_OUTCOME struct outcome stored = {.error = BO_ERROR_INIT}, back = {.error = BO_ERROR_INIT};
  void *encoder, *decoder;
  ck_assert_int_eq(gzip_open_level(host, BO_ENCODE, LEVEL_DEFAULT, &encoder, &stored.error), BO_OK);
  ck_assert_int_eq(gzip_open_level(host, BO_DECODE, LEVEL_DEFAULT, &decoder, &back.error), BO_OK);
  size_t decoded = 0;
  for (size_t sent = 0, step = 0; sent < plain.size; sent += step) {
    step = sent % 257 < plain.size - sent ? sent % 257 + 1 : plain.size - sent;
    ck_assert_int_eq(process_piece(encoder, plain.bytes + sent, step, room, BO_FLUSH, &stored), BO_NEED_INPUT);
    size_t size = stored.bytes.size;
    /* A second one has nothing to add. */
    ck_assert_int_eq(process_piece(encoder, NULL, 0, room, BO_FLUSH, &stored), BO_NEED_INPUT);
    ck_assert_uint_eq(stored.bytes.size, size);
    ck_assert_int_eq(process_piece(decoder, stored.bytes.bytes + decoded, size - decoded, 100, BO_FLUSH, &back),
                     BO_NEED_INPUT);
    decoded = size;
    ck_assert_uint_eq(back.bytes.size, sent + step);
  }
  ck_assert_int_eq(process_piece(encoder, NULL, 0, room, BO_END, &stored), BO_DONE);
  back.result = process_piece(decoder, stored.bytes.bytes + decoded, stored.bytes.size - decoded, 1, BO_END, &back);
  assert_bytes(&back, plain.bytes, plain.size);
  gzip_operations()->close(encoder);
  gzip_operations()->close(decoder);
  fake_host_close(&fake);
}
END_TEST

/* ---- sizes beyond 32 bits ---- */

/* Through both directions at once, each call with all that is left as its input: more than zlib can count. */
START_TEST(more_than_4_gib_in_one_piece) {
  size_t size = (UINT64_C(1) << 32) + 123;
  /* Reading untouched pages takes no memory. */
  unsigned char *zeros = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ck_assert_ptr_ne(zeros, MAP_FAILED);
  (void)madvise(zeros, size, MADV_HUGEPAGE); /* fewer page faults */
  struct fake_host fake;
  const struct bo_host *host = fake_host_open(&fake);
  struct bo_error error = BO_ERROR_INIT;
  void *encoder, *decoder;
  ck_assert_int_eq(gzip_open_level(host, BO_ENCODE, 3, &encoder, &error), BO_OK);
  ck_assert_int_eq(gzip_open_level(host, BO_DECODE, 3, &decoder, &error), BO_OK);
  /* Room for all of it, so that only zlib's counters end a call. */
  static unsigned char stored[32 << 20], back[1 << 18];
  struct bo_input in = {zeros, size, 0};
  uint64_t length = 0;
  int encoded = BO_AGAIN, decoded = BO_NEED_INPUT;
  while (encoded == BO_AGAIN) {
    struct bo_output out = {stored, sizeof(stored), 0};
    encoded = gzip_operations()->process(encoder, &in, &out, BO_END, &error);
    struct bo_input again = {stored, out.position, 0};
    do {
      struct bo_output plain = {back, sizeof(back), 0};
      int mode = encoded == BO_DONE ? BO_END : BO_CONTINUE;
      decoded = gzip_operations()->process(decoder, &again, &plain, mode, &error);
      length += plain.position;
    } while (decoded == BO_AGAIN);
    ck_assert_msg(decoded == (encoded == BO_DONE ? BO_DONE : BO_NEED_INPUT), "%s", error.text);
  }
  ck_assert_uint_eq(in.position, size);
  ck_assert_uint_eq(length, size);
  gzip_operations()->close(encoder);
  gzip_operations()->close(decoder);
  fake_host_close(&fake);
  (void)munmap(zeros, size);
}
END_TEST

/* ---- memory ---- */

struct meter {
  struct bo_host host;
  size_t bytes, peak;
};

static void *meter_alloc(void *context, size_t size) {
  struct meter *meter = context;
  void *memory = malloc(size);
  ck_assert_ptr_nonnull(memory);
  meter->bytes += malloc_usable_size(memory);
  if (meter->bytes > meter->peak) meter->peak = meter->bytes;
  return memory;
}

static void meter_free(void *context, void *memory) {
  struct meter *meter = context;
  if (memory != NULL) meter->bytes -= malloc_usable_size(memory);
  free(memory);
}

static void assert_memory_is_as_stated(const struct meter *meter, int direction) {
  struct bo_config config = {.header = BO_HEADER(struct bo_config)};
  uint64_t stated = gzip_operations()->memory_bytes(direction, &config);
  ck_assert_uint_eq(meter->bytes, 0);
  ck_assert_uint_le(meter->peak, stated);
  ck_assert_uint_ge(meter->peak, stated / 2);
}

/* A bomb among them: 64 MiB of zeros, one behind the other, are 64 KiB. */
START_TEST(memory_is_as_stated_at_every_level_and_for_a_bomb) {
  BO_CLEANUP_BUFFER struct bo_buffer plain = BO_BUFFER_INIT;
  append_random(&plain, 100000);
  append_zeros(&plain, _i == LEVEL_LAST ? 64 << 20 : 1 << 20);
  struct meter meter = {.host = {.header = BO_HEADER(struct bo_host), .alloc = meter_alloc, .free = meter_free}};
  meter.host.context = &meter;
  CLEANUP_OUTCOME struct outcome stored = transform_with(&meter.host, BO_ENCODE, _i, plain.bytes, plain.size, whole);
  assert_memory_is_as_stated(&meter, BO_ENCODE);
  meter.peak = 0;
  CLEANUP_OUTCOME struct outcome back =
      transform_with(&meter.host, BO_DECODE, _i, stored.bytes.bytes, stored.bytes.size, (struct pieces){1000, 65536});
  assert_memory_is_as_stated(&meter, BO_DECODE);
  assert_bytes(&back, plain.bytes, plain.size);
}
END_TEST

static void fail_each_allocation(int direction, const void *bytes, size_t size) {
  struct outcome outcome;
  long number = 0;
  do {
    struct fake_host fake;
    const struct bo_host *host = fake_host_open(&fake);
    fake_host_fail_at(&fake, ++number);
    outcome = transform_with(host, direction, LEVEL_DEFAULT, bytes, size, (struct pieces){1000, 1000});
    if (outcome.result != BO_DONE) ck_assert_int_eq(outcome.error.error_class, BO_CLASS_NO_MEMORY);
    ck_assert_int_eq(outcome.result == BO_DONE, atomic_load(&fake.allocations) < number);
    fake_host_close(&fake);
    outcome_free(&outcome);
  } while (outcome.result != BO_DONE);
  ck_assert_int_gt(number, 2); /* at least our own and one of zlib's did fail */
}

START_TEST(each_allocation_may_fail) {
  BO_CLEANUP_BUFFER struct bo_buffer plain = BO_BUFFER_INIT;
  append_dump(&plain, 100000);
  fail_each_allocation(BO_ENCODE, plain.bytes, plain.size);
  CLEANUP_OUTCOME struct outcome stored = encode(plain.bytes, plain.size);
  fail_each_allocation(BO_DECODE, stored.bytes.bytes, stored.bytes.size);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("compress-gzip");
  TCase *tests = tcase_create("gzip");
  tcase_set_timeout(tests, 240);
  tcase_add_loop_test(tests, every_level_gives_back_what_it_got, LEVEL_FIRST, LEVEL_LAST + 1);
  tcase_add_test(tests, levels_do_what_they_say);
  tcase_add_test(tests, a_level_out_of_range_is_refused);
  tcase_add_test(tests, the_header_tells_nothing_of_time_and_machine);
  tcase_add_loop_test(tests, a_flush_brings_everything_out, 0, 6);
  tcase_add_test(tests, more_than_4_gib_in_one_piece);
  tcase_add_loop_test(tests, memory_is_as_stated_at_every_level_and_for_a_bomb, LEVEL_FIRST, LEVEL_LAST + 1);
  tcase_add_test(tests, each_allocation_may_fail);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
