#include "core/base/buffer.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/io.h"
#include "core/base/sha256.h"
#include "core/base/text.h"
#include "tests/support/unit.h"

START_TEST(buffer_grows_and_ends_in_nul) {
  BO_CLEANUP_BUFFER struct bo_buffer buffer = BO_BUFFER_INIT;
  ck_assert_str_eq(bo_buffer_text(&buffer), "");
  for (int i = 0; i < 1000; i++)
    ck_assert(bo_buffer_printf(&buffer, "%d,", i % 10));
  ck_assert_uint_eq(buffer.size, 2000);
  ck_assert_uint_eq(strlen(bo_buffer_text(&buffer)), 2000);
  ck_assert(!bo_buffer_reserve(&buffer, SIZE_MAX - 1));
  ck_assert(buffer.failed);
}
END_TEST

START_TEST(printable_keeps_text_and_drops_control) {
  static const struct {
    const char *in, *out;
  } cases[] = {
      {"plain\ttext\n", "plain\ttext\n"},
      {"\x1b[31mred\x1b[0m", "red"},
      {"a\rb\x07"
       "c\x7f",
       "abc"},
      {"gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F"},
      {"\xff\xfe", "\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\x1b]0;title\x07rest", "rest"},
      {"c1\xC2\x9B"
       "31m",
       "c131m"},
      {"cut\xE2\x82", "cut\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\x1b", ""},
      {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    BO_CLEANUP_BUFFER struct bo_buffer out = BO_BUFFER_INIT;
    ck_assert(bo_append_printable(&out, cases[i].in, strlen(cases[i].in)));
    ck_assert_str_eq(bo_buffer_text(&out), cases[i].out);
  }
}
END_TEST

START_TEST(times_round_trip) {
  static const struct {
    const char *text;
    int64_t seconds;
  } cases[] = {
      {"1970-01-01T00:00:00Z", 0},  {"2026-11-24T18:10:27Z", 1795543827},   {"2000-02-29T23:59:59Z", 951868799},
      {"1969-12-31T23:59:59Z", -1}, {"9999-12-31T23:59:59Z", 253402300799},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    int64_t seconds = 0;
    char text[BO_TIME_TEXT_MAX];
    ck_assert(bo_time_parse(cases[i].text, &seconds));
    ck_assert_int_eq(seconds, cases[i].seconds);
    bo_time_format(seconds, text);
    ck_assert_str_eq(text, cases[i].text);
  }
  int64_t seconds = 0;
  ck_assert(bo_time_parse("2026-11-24T20:10:27.123456+02:00", &seconds));
  ck_assert_int_eq(seconds, 1795543827);
  static const char *const bad[] = {"",
                                    "2026-11-24",
                                    "2026-02-29T00:00:00Z",
                                    "2026-13-01T00:00:00Z",
                                    "2026-11-24T18:10:27",
                                    "2026-11-24T18:10:27Zx",
                                    "2026-11-24T24:00:00Z"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    ck_assert(!bo_time_parse(bad[i], &seconds));
}
END_TEST

START_TEST(human_sizes) {
  static const struct {
    uint64_t bytes;
    const char *text;
  } cases[] = {{0, "0 B"},
               {1023, "1023 B"},
               {1024, "1.0 KiB"},
               {1536, "1.5 KiB"},
               {1048575, "1.0 MiB"},
               {21474836480ULL, "20.0 GiB"},
               {UINT64_MAX, "16.0 EiB"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char text[32];
    bo_human_size(cases[i].bytes, text);
    ck_assert_str_eq(text, cases[i].text);
  }
}
END_TEST

START_TEST(edit_distances) {
  ck_assert_uint_eq(bo_edit_distance("bucket", "bucket"), 0);
  ck_assert_uint_eq(bo_edit_distance("buket", "bucket"), 1);
  ck_assert_uint_eq(bo_edit_distance("", "abc"), 3);
  ck_assert_uint_eq(bo_edit_distance("kitten", "sitting"), 3);
}
END_TEST

START_TEST(error_texts) {
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_error_errno(&error, 28, "writing %s", "x"), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_NO_SPACE);
  bo_error_prefix(&error, "storage");
  ck_assert_str_eq(error.text, "storage: writing x: No space left on device");
  ck_assert_str_eq(bo_error_class_name(BO_CLASS_CORRUPT), "corrupt");
  ck_assert_str_eq(bo_error_class_name(99), "unknown");
}
END_TEST

START_TEST(files_are_replaced_as_a_whole) {
  char folder[] = "/tmp/bo-base-XXXXXX";
  ck_assert_ptr_nonnull(mkdtemp(folder));
  char path[64];
  (void)snprintf(path, sizeof(path), "%s/file", folder);
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_write_file_atomically(path, "one", 3, 0600, &error), BO_OK);
  ck_assert_int_eq(bo_write_file_atomically(path, "two", 3, 0600, &error), BO_OK);
  BO_CLEANUP_BUFFER struct bo_buffer buffer = BO_BUFFER_INIT;
  ck_assert_int_eq(bo_read_file(path, 10, &buffer, &error), BO_OK);
  ck_assert_str_eq(bo_buffer_text(&buffer), "two");
  ck_assert_int_eq(bo_read_file(path, 2, &buffer, &error), BO_ERROR);
  ck_assert_int_eq(unlink(path), 0);
  ck_assert_int_eq(rmdir(folder), 0); /* no temporary file is left */
}
END_TEST

START_TEST(sha256_of_abc) {
  char text[BO_SHA256_TEXT_MAX];
  ck_assert_int_eq(bo_sha256_text("abc", 3, text, NULL), BO_OK);
  ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("base");
  TCase *base = tcase_create("base");
  suite_add_tcase(suite, base);
  tcase_add_test(base, buffer_grows_and_ends_in_nul);
  tcase_add_test(base, printable_keeps_text_and_drops_control);
  tcase_add_test(base, times_round_trip);
  tcase_add_test(base, human_sizes);
  tcase_add_test(base, edit_distances);
  tcase_add_test(base, error_texts);
  tcase_add_test(base, files_are_replaced_as_a_whole);
  tcase_add_test(base, sha256_of_abc);
  return unit_main(suite);
}
