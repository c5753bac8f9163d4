/* The last 4 KiB of stderr, as text. */
#include "core/run/tail.h"

#include "tests/support/unit.h"

static struct bo_tail tail;

static void setup(void) {
  bo_tail_init(&tail);
}

static void teardown(void) {
  bo_tail_destroy(&tail);
}

static void check_text(const char *wanted) {
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  ck_assert(bo_tail_text(&tail, &text));
  ck_assert_str_eq(bo_buffer_text(&text), wanted);
}

START_TEST(nothing_is_empty) {
  check_text("");
  bo_tail_add(&tail, "", 0);
  check_text("");
}
END_TEST

START_TEST(a_little_is_kept_without_its_last_newlines) {
  bo_tail_add(&tail, "one\ntw", 6);
  bo_tail_add(&tail, "o\n\n", 3);
  check_text("one\ntwo");
}
END_TEST

START_TEST(of_much_the_last_whole_lines_are_kept) {
  for (int i = 0; i < 1000; i++) {
    char line[16];
    bo_tail_add(&tail, line, (size_t)snprintf(line, sizeof(line), "line %04d\n", i));
  }
  BO_CLEANUP_BUFFER struct bo_buffer wanted = BO_BUFFER_INIT;
  for (int i = 1000 - BO_TAIL_BYTES / 10; i < 1000; i++)
    ck_assert(bo_buffer_printf(&wanted, "line %04d%s", i, i == 999 ? "" : "\n"));
  check_text(bo_buffer_text(&wanted));
}
END_TEST

START_TEST(one_piece_larger_than_the_room) {
  static char bytes[3 * BO_TAIL_BYTES];
  memset(bytes, 'x', sizeof(bytes));
  bytes[sizeof(bytes) - 5] = '\n';
  bo_tail_add(&tail, "before\n", 7);
  bo_tail_add(&tail, bytes, sizeof(bytes));
  check_text("xxxx");
}
END_TEST

START_TEST(a_single_long_line_is_cut) {
  static char bytes[BO_TAIL_BYTES + 1];
  memset(bytes, 'x', sizeof(bytes));
  bytes[0] = '1';
  bytes[1] = '2';
  bo_tail_add(&tail, bytes, sizeof(bytes));
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  ck_assert(bo_tail_text(&tail, &text));
  ck_assert_uint_eq(text.size, BO_TAIL_BYTES);
  ck_assert_int_eq(text.bytes[0], '2');
}
END_TEST

START_TEST(foreign_bytes_become_text) {
  bo_tail_add(&tail, "\x1b[31mred\x1b[0m\0\xff", 14);
  check_text("red\xEF\xBF\xBD");
}
END_TEST

static void *add_lines(void *argument) {
  for (int i = 0; i < 2000; i++)
    bo_tail_add(argument, "0123456\n", 8);
  return NULL;
}

START_TEST(it_may_be_read_while_it_is_written) {
  pthread_t thread;
  ck_assert_int_eq(pthread_create(&thread, NULL, add_lines, &tail), 0);
  for (int i = 0; i < 200; i++) {
    BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
    ck_assert(bo_tail_text(&tail, &text));
    ck_assert(text.size == 0 || (text.size + 1) % 8 == 0);
  }
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("tail");
  TCase *tests = tcase_create("tail");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, nothing_is_empty);
  tcase_add_test(tests, a_little_is_kept_without_its_last_newlines);
  tcase_add_test(tests, of_much_the_last_whole_lines_are_kept);
  tcase_add_test(tests, one_piece_larger_than_the_room);
  tcase_add_test(tests, a_single_long_line_is_cut);
  tcase_add_test(tests, foreign_bytes_become_text);
  tcase_add_test(tests, it_may_be_read_while_it_is_written);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
