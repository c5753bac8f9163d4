/* One command at a time: its output, its input, its end, and all the ways in which they can disagree. */
#include <errno.h>
#include <signal.h>

#include "core/base/sha256.h"
#include "plugins/platform-local/tests/support.h"

static struct fixture fixture;

static void set_up(void) {
  fixture_open(&fixture);
}

static void tear_down(void) {
  fixture_close(&fixture);
}

#define MIB (1 << 20)

/* ---- backups ------------------------------------------------------------------------------------------------- */

START_TEST(output_arrives_whole) {
  const struct bo_platform_operations *operations = fixture.operations;
  void *workload = start_workload(&fixture, "{}");
  void *exec = open_exec(&fixture, workload, BO_EXEC_BACKUP, "yes 0123456789abcde | head -c 104857600", NULL);
  static char chunk[256 << 10];
  struct bo_sha256 got, expected;
  char got_text[BO_SHA256_TEXT_MAX], expected_text[BO_SHA256_TEXT_MAX];
  ck_assert_int_eq(bo_sha256_open(&got, NULL), BO_OK);
  ck_assert_int_eq(bo_sha256_open(&expected, NULL), BO_OK);
  size_t size = 1, total = 0;
  while (size > 0) {
    ck_assert_int_eq(operations->exec_read(exec, chunk, sizeof(chunk), &size, NULL), BO_OK);
    ck_assert_int_eq(bo_sha256_update(&got, chunk, size, NULL), BO_OK);
    total += size;
  }
  ck_assert_uint_eq(total, 104857600);
  for (size_t i = 0; i < sizeof(chunk); i += 16)
    memcpy(chunk + i, "0123456789abcde\n", 16);
  for (size_t i = 0; i < total; i += sizeof(chunk))
    ck_assert_int_eq(bo_sha256_update(&expected, chunk, sizeof(chunk), NULL), BO_OK);
  ck_assert_int_eq(bo_sha256_finish(&got, got_text, NULL), BO_OK);
  ck_assert_int_eq(bo_sha256_finish(&expected, expected_text, NULL), BO_OK);
  ck_assert_str_eq(got_text, expected_text);
  bo_sha256_close(&got);
  bo_sha256_close(&expected);
  (void)expect_exit(&fixture, exec, BO_EXIT_STATUS, 0);
  operations->exec_close(exec);
  operations->workload_close(workload);
}
END_TEST

START_TEST(input_arrives_whole) {
  const struct bo_platform_operations *operations = fixture.operations;
  void *workload = start_workload(&fixture, "{}");
  void *exec = open_exec(&fixture, workload, BO_EXEC_RESTORE, "wc -c > $0/count; echo dropped", NULL);
  static char chunk[MIB];
  for (int i = 0; i < 100; i++)
    ck_assert_int_eq(operations->exec_write(exec, chunk, sizeof(chunk), NULL), BO_OK);
  ck_assert_int_eq(operations->exec_close_stdin(exec, NULL), BO_OK);
  ck_assert_uint_eq(expect_exit(&fixture, exec, BO_EXIT_STATUS, 0), 0);
  ck_assert_int_eq(read_number(&fixture, "count"), 100 * MIB);
  operations->exec_close(exec);
  operations->workload_close(workload);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("platform-local: exec");
  TCase *backup = tcase_create("backup");
  tcase_add_checked_fixture(backup, set_up, tear_down);
  tcase_set_timeout(backup, 120);
  tcase_add_test(backup, output_arrives_whole);
  tcase_add_test(backup, input_arrives_whole);
  suite_add_tcase(suite, backup);
  return unit_main(suite);
}
