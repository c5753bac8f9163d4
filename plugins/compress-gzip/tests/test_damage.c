/* Nothing that is cut, altered or followed by anything passes for the whole, and each defect has its own words. */
#include <zlib.h>

#include "plugins/compress-gzip/tests/rig.h"
#include "tests/support/unit.h"

#define HEADER_SIZE 10
#define TRAILER_SIZE 8

static const char plain[] = "A dump of a small database: every byte of it counts, and none of them may be lost.";
#define PLAIN_SIZE (sizeof(plain) - 1)

static const struct pieces splits[] = {{SIZE_MAX, 500}, {1, 1}, {3, 1}, {1, 500}};
#define SPLIT_COUNT (sizeof(splits) / sizeof(splits[0]))

static void assert_refused(const struct outcome *outcome, const char *words) {
  ck_assert_msg(outcome->result == BO_ERROR, "was not refused; expected: %s", words);
  ck_assert_int_eq(outcome->error.error_class, BO_CLASS_CORRUPT);
  ck_assert_msg(strstr(outcome->error.text, words) != NULL, "'%s' does not say '%s'", outcome->error.text, words);
}

/* However it is cut. */
static void assert_decode_refuses(const void *bytes, size_t size, const char *words) {
  for (size_t i = 0; i < SPLIT_COUNT; i++) {
    CLEANUP_OUTCOME struct outcome outcome = decode(bytes, size, splits[i]);
    assert_refused(&outcome, words);
  }
}

START_TEST(each_defect_has_its_own_words) {
  static const struct {
    int from_end; /* where: counted from the beginning, or back from the end */
    size_t position;
    unsigned char byte;
    const char *words;
  } defects[] = {
      {0, 0, 'B', "this is not gzip data"},
      {0, 1, 0x8c, "this is not gzip data"},
      {0, 2, 7, "member 1, at byte 2 of the stored data: unknown compression method"},
      {0, 3, 0x20, "member 1, at byte 3 of the stored data: reserved flags"},
      {0, 3, 0x80, "reserved flags"},
      {0, 3, 0x02, "member 1, at byte 10 of the stored data: the header does not match its own checksum"},
      {0, 10, 0x07, "invalid compressed data (invalid block type)"},
      {1, 8, 'x', "wrong CRC"},
      {1, 5, 'x', "wrong CRC"},
      {1, 4, 'x', "wrong length: the data have 82 bytes and should have 120"},
      {1, 1, 1, "wrong length"},
  };
  CLEANUP_OUTCOME struct outcome stored = encode(plain, PLAIN_SIZE);
  for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++) {
    size_t size = stored.bytes.size;
    BO_CLEANUP_FREE char *bytes = malloc(size);
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, stored.bytes.bytes, size);
    bytes[defects[i].from_end ? size - defects[i].position : defects[i].position] = (char)defects[i].byte;
    assert_decode_refuses(bytes, size, defects[i].words);
  }
}
END_TEST

START_TEST(what_was_never_gzip_is_told_so) {
  static const char *const texts[] = {"B", "-- PostgreSQL database dump\n", "age-encryption.org/v1\n", "\x1f\x9d\x90"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
    assert_decode_refuses(texts[i], strlen(texts[i]), "this is not gzip data");
  assert_decode_refuses("\0\0\0\0", 4, "this is not gzip data");
  assert_decode_refuses("", 0, "empty (0 bytes)");
}
END_TEST

START_TEST(every_truncation_is_noticed) {
  CLEANUP_OUTCOME struct outcome stored = encode(plain, PLAIN_SIZE);
  for (size_t size = 1; size < stored.bytes.size; size++) {
    char words[128];
    const char *where = size < HEADER_SIZE                        ? "header"
                        : size < stored.bytes.size - TRAILER_SIZE ? "compressed data"
                                                                  : "trailer";
    (void)snprintf(words, sizeof(words), "at byte %zu of the stored data: truncated: the stored data end inside the %s",
                   size, where);
    assert_decode_refuses(stored.bytes.bytes, size, words);
  }
}
END_TEST

/* The unused bits behind the last block: RFC 1951 gives them no meaning. */
static unsigned padding_bits(const struct bo_buffer *stored) {
  unsigned char room[PLAIN_SIZE + 1];
  z_stream zlib = {.next_in = (Bytef *)stored->bytes + HEADER_SIZE, .next_out = room};
  zlib.avail_in = (uInt)(stored->size - HEADER_SIZE - TRAILER_SIZE);
  zlib.avail_out = sizeof(room);
  ck_assert_int_eq(inflateInit2(&zlib, -MAX_WBITS), Z_OK);
  ck_assert_int_eq(inflate(&zlib, Z_BLOCK), Z_OK);
  ck_assert_uint_eq(zlib.total_out, PLAIN_SIZE);
  unsigned bits = (unsigned)zlib.data_type & 7;
  (void)inflateEnd(&zlib);
  return bits;
}

/* Exactly the bits that say nothing about the data: FTEXT, time, hints, operating system, padding. */
static bool may_be_altered(size_t byte, unsigned bit, size_t size, unsigned padding) {
  if (byte == 3) return bit == 0;
  if (byte >= 4 && byte < HEADER_SIZE) return true;
  return byte == size - TRAILER_SIZE - 1 && bit >= 8 - padding;
}

START_TEST(every_flipped_bit_is_noticed) {
  CLEANUP_OUTCOME struct outcome stored = encode(plain, PLAIN_SIZE);
  size_t size = stored.bytes.size;
  unsigned padding = padding_bits(&stored.bytes);
  for (size_t flip = 0; flip < size * 8; flip++) {
    size_t byte = flip / 8;
    unsigned bit = flip % 8;
    stored.bytes.bytes[byte] ^= (char)(1 << bit);
    for (size_t i = 0; i < SPLIT_COUNT; i++) {
      CLEANUP_OUTCOME struct outcome back = decode(stored.bytes.bytes, size, splits[i]);
      ck_assert_msg((back.result == BO_DONE) == may_be_altered(byte, bit, size, padding), "byte %zu bit %u: %s", byte,
                    bit, back.result == BO_DONE ? "passed" : back.error.text);
      if (back.result == BO_DONE)
        assert_bytes(&back, plain, PLAIN_SIZE);
      else
        ck_assert_int_eq(back.error.error_class, BO_CLASS_CORRUPT);
    }
    stored.bytes.bytes[byte] ^= (char)(1 << bit);
  }
}
END_TEST

START_TEST(trailing_garbage_is_refused) {
  CLEANUP_OUTCOME struct outcome stored = encode(plain, PLAIN_SIZE);
  size_t size = stored.bytes.size;
  char words[128];
  (void)snprintf(words, sizeof(words), "trailing garbage: what follows gzip member 1, at byte %zu of", size);
  for (int byte = 0; byte < 256; byte++) {
    stored.bytes.size = size;
    ck_assert(bo_buffer_append(&stored.bytes, &(char){(char)byte}, 1));
    assert_decode_refuses(stored.bytes.bytes, size + 1, byte == 0x1f ? "truncated" : words);
  }
  stored.bytes.size = size;
  append_zeros(&stored.bytes, 512 - size % 512);
  assert_decode_refuses(stored.bytes.bytes, stored.bytes.size, words);
  stored.bytes.size = size;
  ck_assert(bo_buffer_append(&stored.bytes, "\x1f\x9d", 2));
  assert_decode_refuses(stored.bytes.bytes, stored.bytes.size, words);
}
END_TEST

/* ---- several members ---- */

START_TEST(members_are_one_stream) {
  CLEANUP_OUTCOME struct outcome one = encode(plain, PLAIN_SIZE), none = encode("", 0), two = encode("second", 6);
  BO_CLEANUP_BUFFER struct bo_buffer stored = BO_BUFFER_INIT, wanted = BO_BUFFER_INIT;
  const struct bo_buffer *members[] = {&none.bytes, &one.bytes, &two.bytes, &none.bytes, &one.bytes};
  for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
    ck_assert(bo_buffer_append(&stored, members[i]->bytes, members[i]->size));
  ck_assert(bo_buffer_printf(&wanted, "%ssecond%s", plain, plain));
  for (size_t i = 0; i < SPLIT_COUNT; i++) {
    CLEANUP_OUTCOME struct outcome back = decode(stored.bytes, stored.size, splits[i]);
    assert_bytes(&back, wanted.bytes, wanted.size);
  }
}
END_TEST

START_TEST(a_defect_in_a_later_member_names_it) {
  CLEANUP_OUTCOME struct outcome one = encode(plain, PLAIN_SIZE), two = encode(plain, PLAIN_SIZE);
  size_t first = one.bytes.size, size = 2 * first;
  ck_assert(bo_buffer_append(&one.bytes, two.bytes.bytes, first));
  ck_assert(bo_buffer_append(&two.bytes, one.bytes.bytes, first));
  char words[96];
  one.bytes.bytes[size - TRAILER_SIZE] ^= 1;
  (void)snprintf(words, sizeof(words), "member 2, at byte %zu of the stored data: wrong CRC", size - TRAILER_SIZE);
  assert_decode_refuses(one.bytes.bytes, size, words);
  one.bytes.bytes[first + 2] = 0;
  (void)snprintf(words, sizeof(words), "member 2, at byte %zu of the stored data: unknown compression", first + 2);
  assert_decode_refuses(one.bytes.bytes, size, words);
  /* A cut inside the second is noticed; one between them leaves a whole file, which only a record of its size tells. */
  for (size_t cut = first + 1; cut < size; cut++)
    assert_decode_refuses(two.bytes.bytes, cut, "member 2");
}
END_TEST

/* ---- headers that others write ---- */

/* A member with every optional field and the header's checksum, made by zlib. */
static size_t make_full_member(unsigned char *bytes, size_t room, unsigned extra_size, size_t *header_size) {
  static unsigned char extra[300], name[] = "dump.sql", comment[] = "made by another program";
  gz_header header = {.text = 1,
                      .time = 1700000000,
                      .os = 3,
                      .extra = extra,
                      .extra_len = extra_size,
                      .name = name,
                      .comment = comment,
                      .hcrc = 1};
  z_stream zlib = {.next_in = (Bytef *)plain, .avail_in = PLAIN_SIZE, .next_out = bytes, .avail_out = (uInt)room};
  ck_assert_int_eq(deflateInit2(&zlib, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  ck_assert_int_eq(deflateSetHeader(&zlib, &header), Z_OK);
  ck_assert_int_eq(deflate(&zlib, Z_FINISH), Z_STREAM_END);
  *header_size = HEADER_SIZE + 2 + extra_size + sizeof(name) + sizeof(comment) + 2;
  size_t size = zlib.total_out;
  (void)deflateEnd(&zlib);
  return size;
}

START_TEST(a_full_header_is_read_and_its_checksum_checked) {
  static const unsigned extra_sizes[] = {0, 1, 300};
  for (size_t e = 0; e < sizeof(extra_sizes) / sizeof(extra_sizes[0]); e++) {
    unsigned char bytes[1024];
    size_t header_size, size = make_full_member(bytes, sizeof(bytes), extra_sizes[e], &header_size);
    for (size_t i = 0; i < SPLIT_COUNT; i++) {
      CLEANUP_OUTCOME struct outcome back = decode(bytes, size, splits[i]);
      assert_bytes(&back, plain, PLAIN_SIZE);
    }
    for (size_t cut = 1; cut < header_size; cut++)
      assert_decode_refuses(bytes, cut, "end inside the header");
    for (size_t flip = 0; flip < header_size * 8; flip++) {
      bytes[flip / 8] ^= (unsigned char)(1 << flip % 8);
      CLEANUP_OUTCOME struct outcome back = decode(bytes, size, splits[flip % SPLIT_COUNT]);
      ck_assert_msg(back.result == BO_ERROR, "bit %zu of the header", flip);
      ck_assert_int_eq(back.error.error_class, BO_CLASS_CORRUPT);
      bytes[flip / 8] ^= (unsigned char)(1 << flip % 8);
    }
  }
}
END_TEST

START_TEST(a_name_without_end_takes_no_memory) {
  BO_CLEANUP_BUFFER struct bo_buffer stored = BO_BUFFER_INIT;
  ck_assert(bo_buffer_append(&stored, "\x1f\x8b\x08\x08\0\0\0\0\0\xff", HEADER_SIZE));
  for (int i = 0; i < 100000; i++)
    ck_assert(bo_buffer_append_text(&stored, "name"));
  CLEANUP_OUTCOME struct outcome outcome = decode(stored.bytes, stored.size, (struct pieces){1000, 1});
  assert_refused(&outcome, "end inside the header");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("compress-gzip damage");
  TCase *tests = tcase_create("damage");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, each_defect_has_its_own_words);
  tcase_add_test(tests, what_was_never_gzip_is_told_so);
  tcase_add_test(tests, every_truncation_is_noticed);
  tcase_add_test(tests, every_flipped_bit_is_noticed);
  tcase_add_test(tests, trailing_garbage_is_refused);
  tcase_add_test(tests, members_are_one_stream);
  tcase_add_test(tests, a_defect_in_a_later_member_names_it);
  tcase_add_test(tests, a_full_header_is_read_and_its_checksum_checked);
  tcase_add_test(tests, a_name_without_end_takes_no_memory);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
