/* A state folder: what was saved is there, whole, whatever happened to the process that saved it. */
#include "core/state/state.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "core/base/io.h"
#include "tests/support/unit.h"

static char folder[64];

static void set_up(void) {
  (void)snprintf(folder, sizeof(folder), "/tmp/bo-test-state-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void tear_down(void) {
  char command[128];
  (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
  ck_assert_int_eq(system(command), 0);
}

static struct bo_state *open_state(enum bo_state_access access) {
  struct bo_state *state = NULL;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_msg(bo_state_open(folder, access, &state, &error) == BO_OK, "%s", error.text);
  return state;
}

static void save(struct bo_state *state, const char *namespace_name, const char *name, const char *text) {
  struct bo_error error = BO_ERROR_INIT;
  int result = bo_state_save(state, "BackupRun", namespace_name, name, text, strlen(text), &error);
  ck_assert_msg(result == BO_OK, "%s", error.text);
}

static void expect_record(struct bo_state *state, const char *namespace_name, const char *name, const char *text) {
  BO_CLEANUP_BUFFER struct bo_buffer record = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  int result = bo_state_load(state, "BackupRun", namespace_name, name, &record, &error);
  if (text == NULL) {
    ck_assert_int_eq(result, BO_ERROR);
    ck_assert_int_eq(error.error_class, BO_CLASS_NOT_FOUND);
  } else {
    ck_assert_msg(result == BO_OK, "%s", error.text);
    ck_assert_str_eq(bo_buffer_text(&record), text);
  }
}

static int add_name(void *context, const char *namespace_name, const char *name, struct bo_error *error) {
  (void)error;
  return bo_buffer_printf(context, "%s/%s ", namespace_name, name) ? BO_OK : BO_ERROR;
}

static void expect_list(struct bo_state *state, const char *namespace_name, const char *names) {
  BO_CLEANUP_BUFFER struct bo_buffer found = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_state_list(state, "BackupRun", namespace_name, add_name, &found, &error), BO_OK);
  ck_assert_str_eq(bo_buffer_text(&found), names);
}

START_TEST(records_are_kept) {
  struct bo_state *state = open_state(BO_STATE_WRITE);
  struct bo_error error = BO_ERROR_INIT;
  expect_list(state, NULL, "");
  expect_record(state, "ns", "one", NULL);
  save(state, "ns", "one", "{\"a\":1}");
  save(state, "ns", "one", "{\"a\":2}");
  save(state, "a", "z.two-2", "");
  save(state, NULL, "cluster", "{}");
  save(state, "", "b", "{}");
  expect_list(state, NULL, "/b /cluster a/z.two-2 ns/one ");
  expect_list(state, "ns", "ns/one ");
  expect_list(state, "", "/b /cluster ");
  expect_list(state, "nobody", "");
  ck_assert_int_eq(bo_state_delete(state, "BackupRun", "", "b", &error), BO_OK);
  ck_assert_int_eq(bo_state_delete(state, "BackupRun", "", "b", &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_NOT_FOUND);
  bo_state_close(state);

  state = open_state(BO_STATE_WRITE);
  expect_record(state, "ns", "one", "{\"a\":2}");
  expect_record(state, "a", "z.two-2", "");
  expect_record(state, NULL, "b", NULL);
  bo_state_close(state);
}
END_TEST

START_TEST(only_the_owner_can_read_the_files) {
  struct bo_state *state = open_state(BO_STATE_WRITE);
  char path[128];
  struct stat status;
  save(state, "ns", "one", "{}");
  (void)snprintf(path, sizeof(path), "%s/BackupRun/ns/one.json", folder);
  ck_assert_int_eq(stat(path, &status), 0);
  ck_assert_uint_eq(status.st_mode & 0777, 0600);
  (void)snprintf(path, sizeof(path), "%s/BackupRun/ns", folder);
  ck_assert_int_eq(stat(path, &status), 0);
  ck_assert_uint_eq(status.st_mode & 0777, 0700);
  bo_state_close(state);
}
END_TEST

START_TEST(names_cannot_leave_the_folder) {
  static const char *const names[] = {"", ".", "..", "a/b", "../x", "A", "-a", ".hidden", "a b", "a\n", "a_b"};
  struct bo_state *state = open_state(BO_STATE_WRITE);
  struct bo_error error = BO_ERROR_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer record = BO_BUFFER_INIT;
  char longest[BO_STATE_NAME_MAX + 2];
  memset(longest, 'a', sizeof(longest));
  longest[BO_STATE_NAME_MAX] = '\0';
  save(state, "ns", longest, "{}");
  longest[BO_STATE_NAME_MAX] = 'a';
  longest[BO_STATE_NAME_MAX + 1] = '\0';
  ck_assert_int_eq(bo_state_save(state, "BackupRun", "ns", longest, "", 0, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_CONFIG);
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    ck_assert_int_eq(bo_state_save(state, "BackupRun", "ns", names[i], "", 0, &error), BO_ERROR);
    ck_assert_int_eq(error.error_class, BO_CLASS_CONFIG);
    ck_assert_int_eq(bo_state_load(state, "BackupRun", "ns", names[i], &record, &error), BO_ERROR);
    ck_assert_int_eq(bo_state_delete(state, "BackupRun", "ns", names[i], &error), BO_ERROR);
    ck_assert_int_eq(bo_state_load(state, names[i], "ns", "x", &record, &error), BO_ERROR);
    if (*names[i] != '\0')
      ck_assert_int_eq(bo_state_load(state, "BackupRun", names[i], "x", &record, &error), BO_ERROR);
  }
  bo_state_close(state);
}
END_TEST

START_TEST(one_writer_many_readers) {
  struct bo_state *writer = open_state(BO_STATE_WRITE);
  struct bo_state *second = NULL;
  struct bo_error error = BO_ERROR_INIT;
  char pid[32];
  (void)snprintf(pid, sizeof(pid), "number %ld", (long)getpid());
  ck_assert_int_eq(bo_state_open(folder, BO_STATE_WRITE, &second, &error), BO_ERROR);
  ck_assert_ptr_null(second);
  ck_assert_int_eq(error.error_class, BO_CLASS_CONFLICT);
  ck_assert_msg(strstr(error.text, pid) != NULL, "%s", error.text);

  struct bo_state *reader = open_state(BO_STATE_READ);
  save(writer, "ns", "one", "{}");
  expect_record(reader, "ns", "one", "{}");
  ck_assert_int_eq(bo_state_save(reader, "BackupRun", "ns", "x", "", 0, &error), BO_ERROR);
  ck_assert_int_eq(bo_state_delete(reader, "BackupRun", "ns", "one", &error), BO_ERROR);
  bo_state_close(writer);
  bo_state_close(open_state(BO_STATE_WRITE));
  bo_state_close(reader);
}
END_TEST

START_TEST(a_reader_takes_a_missing_folder_for_an_empty_one) {
  tear_down();
  struct bo_state *reader = open_state(BO_STATE_READ);
  expect_list(reader, NULL, "");
  expect_record(reader, "ns", "one", NULL);
  bo_state_close(reader);
  ck_assert_int_eq(access(folder, F_OK), -1);
  struct bo_state *writer = open_state(BO_STATE_WRITE);
  save(writer, "ns", "one", "{}");
  bo_state_close(writer);
}
END_TEST

START_TEST(strange_files_are_left_alone) {
  struct bo_state *state = open_state(BO_STATE_WRITE);
  struct bo_error error = BO_ERROR_INIT;
  char path[128];
  static const char *const strangers[] = {"README", "UPPER.json", ".hidden.json", "one.json.bak"};
  save(state, "ns", "one", "{}");
  for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
    (void)snprintf(path, sizeof(path), "%s/BackupRun/ns/%s", folder, strangers[i]);
    ck_assert_int_eq(bo_write_file_atomically(path, "x", 1, 0600, &error), BO_OK);
  }
  (void)snprintf(path, sizeof(path), "%s/README", folder);
  ck_assert_int_eq(bo_write_file_atomically(path, "x", 1, 0600, &error), BO_OK);
  (void)snprintf(path, sizeof(path), "%s/BackupRun/ns/one.json.Ab3dEf", folder);
  ck_assert_int_eq(bo_write_file_atomically(path, "half", 4, 0600, &error), BO_OK);
  bo_state_close(state);
  state = open_state(BO_STATE_WRITE);
  ck_assert_int_eq(access(path, F_OK), -1); /* what a crash left */
  expect_list(state, NULL, "ns/one ");
  for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
    (void)snprintf(path, sizeof(path), "%s/BackupRun/ns/%s", folder, strangers[i]);
    ck_assert_int_eq(access(path, F_OK), 0);
  }
  bo_state_close(state);
}
END_TEST

START_TEST(a_full_disk_is_an_error_and_keeps_the_old_record) {
  struct bo_state *state = open_state(BO_STATE_WRITE);
  struct bo_error error = BO_ERROR_INIT;
  BO_CLEANUP_FREE char *big = calloc(1, BO_STATE_RECORD_MAX_BYTES + 1);
  ck_assert_ptr_nonnull(big);
  save(state, "ns", "one", "{}");
  ck_assert_int_eq(bo_state_save(state, "BackupRun", "ns", "one", big, BO_STATE_RECORD_MAX_BYTES + 1, &error),
                   BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_CONFIG);

  pid_t child = fork(); /* a limit on the size of files stands in for the disk: it cannot be taken back */
  if (child == 0) {
    struct bo_error own = BO_ERROR_INIT;
    (void)signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {1000, 1000};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
    _exit(bo_state_save(state, "BackupRun", "ns", "one", big, 100000, &own) == BO_ERROR ? 0 : 1);
  }
  int status = 0;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
  expect_record(state, "ns", "one", "{}");
  bo_state_close(state);
}
END_TEST

/* ---- killed in the middle ----------------------------------------------------------------------------------- */

#define RECORDS 5
#define KILLS 40

/* One letter, many times, between two marks: a mixture of two records would show. */
static size_t make_record(char *text, unsigned generation) {
  size_t size = 100 + (generation * 7919) % 60000;
  memset(text, 'a' + (int)(generation % 26), size);
  text[0] = '{';
  text[size - 1] = '}';
  text[size] = '\0';
  return size;
}

static void write_until_killed(unsigned first) {
  static char text[65536];
  struct bo_state *state = NULL;
  struct bo_error error = BO_ERROR_INIT;
  if (bo_state_open(folder, BO_STATE_WRITE, &state, &error) != BO_OK) _exit(1);
  for (unsigned i = first;; i++) {
    char name[16];
    (void)snprintf(name, sizeof(name), "run-%u", i % RECORDS);
    size_t size = make_record(text, i);
    if (bo_state_save(state, "BackupRun", "ns", name, text, size, &error) != BO_OK) _exit(1);
    if (i % 17 == 0 && bo_state_delete(state, "BackupRun", "ns", name, &error) != BO_OK) _exit(1);
  }
}

static int check_whole(void *context, const char *namespace_name, const char *name, struct bo_error *error) {
  struct bo_state *state = context;
  BO_CLEANUP_BUFFER struct bo_buffer record = BO_BUFFER_INIT;
  int result = bo_state_load(state, "BackupRun", namespace_name, name, &record, error);
  if (result != BO_OK) return error->error_class == BO_CLASS_NOT_FOUND ? BO_OK : result; /* deleted meanwhile */
  ck_assert_uint_ge(record.size, 100);
  ck_assert(record.bytes[0] == '{' && record.bytes[record.size - 1] == '}');
  for (size_t i = 1; i + 1 < record.size; i++)
    ck_assert_int_eq(record.bytes[i], record.bytes[1]);
  return BO_OK;
}

static void check_all(enum bo_state_access access) {
  struct bo_state *state = open_state(access);
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_msg(bo_state_list(state, "BackupRun", NULL, check_whole, state, &error) == BO_OK, "%s", error.text);
  bo_state_close(state);
}

static bool has_leftover(void) {
  char command[160];
  (void)snprintf(command, sizeof(command), "find %s -name '*.json.*' | grep -q .", folder);
  return system(command) == 0;
}

START_TEST(a_killed_writer_leaves_whole_records) {
  for (unsigned i = 0; i < KILLS; i++) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) write_until_killed(i * 1000);
    struct timespec pause = {0, (long)(1 + (i * 37) % 29) * 1000000};
    (void)nanosleep(&pause, NULL);
    check_all(BO_STATE_READ); /* while it writes */
    int status = 0;
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    check_all(BO_STATE_WRITE); /* the lock ended with it */
    ck_assert(!has_leftover());
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("state");
  TCase *tcase = tcase_create("state");
  tcase_add_checked_fixture(tcase, set_up, tear_down);
  tcase_set_timeout(tcase, 120);
  tcase_add_test(tcase, records_are_kept);
  tcase_add_test(tcase, only_the_owner_can_read_the_files);
  tcase_add_test(tcase, names_cannot_leave_the_folder);
  tcase_add_test(tcase, one_writer_many_readers);
  tcase_add_test(tcase, a_reader_takes_a_missing_folder_for_an_empty_one);
  tcase_add_test(tcase, strange_files_are_left_alone);
  tcase_add_test(tcase, a_full_disk_is_an_error_and_keeps_the_old_record);
  tcase_add_test(tcase, a_killed_writer_leaves_whole_records);
  suite_add_tcase(suite, tcase);
  return unit_main(suite);
}
