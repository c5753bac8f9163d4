/* One command at a time: its output, its input, its surroundings, and all the ways in which its end can mislead. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "core/base/sha256.h"
#include "plugins/platform-local/tests/support.h"

#define MIB ((size_t)1 << 20)

static struct fixture fixture;
static const struct bo_platform_operations *operations;
static void *workload;

static void set_up(void) {
  fixture_open(&fixture);
  operations = fixture.operations;
  workload = start_workload(&fixture, "{}");
}

static void tear_down(void) {
  operations->workload_close(workload);
  fixture_close(&fixture);
}

static void *backup(const char *script) {
  return open_exec(&fixture, workload, BO_EXEC_BACKUP, script, NULL);
}

static void *restore(const char *script) {
  return open_exec(&fixture, workload, BO_EXEC_RESTORE, script, NULL);
}

static void expect_output(const char *script, const char *expected) {
  static char text[64 << 10];
  void *exec = backup(script);
  (void)read_text(&fixture, exec, text, sizeof(text));
  ck_assert_str_eq(text, expected);
  (void)expect_exit(&fixture, exec, BO_EXIT_STATUS, 0);
  operations->exec_close(exec);
}

static void *cancel_soon(void *exec) {
  (void)usleep(200000);
  operations->exec_cancel(exec);
  return NULL;
}

/* ---- backup: output ------------------------------------------------------------------------------------------- */

START_TEST(output_arrives_whole) {
  void *exec = backup("yes 0123456789abcde | head -c 104857600");
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
  ck_assert_uint_eq(total, 100 * MIB);
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
}
END_TEST

START_TEST(stdin_of_a_backup_is_at_its_end) {
  expect_output("cat; echo end", "end\n");
}
END_TEST

START_TEST(exits_are_told_apart) {
  static const struct {
    const char *script;
    int kind, code;
  } cases[] = {
      {"exit 0", BO_EXIT_STATUS, 0},
      {"echo output; exit 1", BO_EXIT_STATUS, 1},
      {"exit 127", BO_EXIT_STATUS, 127},
      {"exit 255", BO_EXIT_STATUS, 255},
      {"echo output; kill -KILL $$", BO_EXIT_SIGNAL, SIGKILL},
      {"kill -TERM $$", BO_EXIT_SIGNAL, SIGTERM},
  };
  char text[64];
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    void *exec = backup(cases[i].script);
    (void)read_text(&fixture, exec, text, sizeof(text));
    (void)expect_exit(&fixture, exec, cases[i].kind, cases[i].code);
    (void)expect_exit(&fixture, exec, cases[i].kind, cases[i].code); /* and again */
    operations->exec_close(exec);
  }
}
END_TEST

START_TEST(stdout_closed_early_is_an_end_but_no_exit) {
  void *exec = backup("echo part; exec >&-; sleep 1000");
  char text[64];
  struct bo_error error = BO_ERROR_INIT;
  struct bo_exit ended = {.size = sizeof(ended)};
  pthread_t thread;
  ck_assert_uint_eq(read_text(&fixture, exec, text, sizeof(text)), 5);
  ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, exec), 0);
  expect_error(operations->exec_wait(exec, &ended, &error), &error, BO_CLASS_CANCELLED, "cancelled");
  ck_assert_int_eq(ended.kind, 0);
  (void)pthread_join(thread, NULL);
  operations->exec_close(exec);
}
END_TEST

START_TEST(a_read_is_cancelled) {
  void *exec = backup("sleep 1000");
  char byte;
  size_t size = 0;
  struct bo_error error = BO_ERROR_INIT;
  pthread_t thread;
  ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, exec), 0);
  expect_error(operations->exec_read(exec, &byte, 1, &size, &error), &error, BO_CLASS_CANCELLED, "cancelled");
  (void)pthread_join(thread, NULL);
  operations->exec_close(exec);
}
END_TEST

START_TEST(much_stderr_blocks_nothing) {
  atomic_ullong errors = 0;
  void *exec = open_exec(&fixture, workload, BO_EXEC_BACKUP, "head -c 67108864 /dev/zero >&2; echo done", &errors);
  char text[64];
  (void)read_text(&fixture, exec, text, sizeof(text));
  ck_assert_str_eq(text, "done\n");
  (void)expect_exit(&fixture, exec, BO_EXIT_STATUS, 0);
  ck_assert_uint_eq(atomic_load(&errors), 64 * MIB); /* all of it is there once the exit is known */
  operations->exec_close(exec);
}
END_TEST

/* ---- backup: processes left behind ---------------------------------------------------------------------------- */

/* All at once, since each takes the time to linger: a daemon that is silent; one that writes for ever, to a reader so
 * slow that there is always something to read; and a slow reader of what a command wrote properly. */
START_TEST(stdout_that_is_held_after_the_exit_is_an_error) {
  static char text[64 << 10];
  struct bo_error error = BO_ERROR_INIT;
  size_t size = 1;
  int result;
  void *proper = backup("head -c 60000 /dev/zero | tr '\\0' x");
  void *endless = backup("yes $0 & exit 0");
  void *silent = backup("echo part; sleep 1000 & exit 0");
  while ((result = operations->exec_read(silent, text, sizeof(text), &size, &error)) == BO_OK)
    ck_assert_uint_gt(size, 0);
  expect_error(result, &error, BO_CLASS_COMMAND, "left behind");
  (void)expect_exit(&fixture, silent, BO_EXIT_STATUS, 0);
  (void)expect_exit(&fixture, endless, BO_EXIT_STATUS, 0);
  (void)expect_exit(&fixture, proper, BO_EXIT_STATUS, 0);
  (void)usleep(500000);
  while ((result = operations->exec_read(endless, text, 4096, &size, &error)) == BO_OK)
    (void)usleep(1000);
  expect_error(result, &error, BO_CLASS_COMMAND, "left behind");
  ck_assert_uint_eq(read_text(&fixture, proper, text, sizeof(text)), 60000);
  operations->exec_close(silent);
  operations->exec_close(endless);
  operations->exec_close(proper);
}
END_TEST

START_TEST(a_daemon_that_does_not_hold_stdout_is_none_of_ours) {
  expect_output("setsid sh -c '(sleep 1000 &)' $0 >/dev/null 2>&1 </dev/null; echo whole", "whole\n");
}
END_TEST

START_TEST(output_soon_after_the_exit_still_counts) {
  expect_output("(sleep 1; echo late) & echo early", "early\nlate\n");
}
END_TEST

/* ---- commands that cannot be started -------------------------------------------------------------------------- */

START_TEST(a_command_that_cannot_be_run_is_explained) {
  static const struct {
    const char *command;
    const char *part;
  } cases[] = {
      {"no-such-command", "cannot run the command \"no-such-command\": No such file or directory; install it"},
      {"/etc/passwd", "Permission denied; it must be an executable file"},
      {"/tmp", "Permission denied"},
      {"", "no command"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    const char *argv[] = {cases[i].command, "argument", NULL};
    for (int direction = BO_EXEC_BACKUP; direction <= BO_EXEC_RESTORE; direction++) {
      struct bo_error error = BO_ERROR_INIT;
      void *exec = NULL;
      int result = try_exec(&fixture, workload, direction, argv, "", NULL, &exec, &error);
      expect_error(result, &error, cases[i].command[0] != '\0' ? BO_CLASS_COMMAND : BO_CLASS_CONFIG, cases[i].part);
      ck_assert_ptr_null(exec);
      ck_assert_int_eq(try_exec(&fixture, workload, direction, argv, "", NULL, &exec, NULL), BO_ERROR);
    }
  }
  expect_output("echo still alive", "still alive\n");
}
END_TEST

START_TEST(an_unknown_container_is_refused) {
  const char *argv[] = {"true", NULL};
  struct bo_error error = BO_ERROR_INIT;
  void *exec = NULL;
  int result = try_exec(&fixture, workload, BO_EXEC_BACKUP, argv, "db", NULL, &exec, &error);
  expect_error(result, &error, BO_CLASS_CONFIG, "no container \"db\"");
}
END_TEST

START_TEST(long_argument_lists_pass) {
  enum { COUNT = 20000 };
  static char word[64] = "an argument of some forty bytes, or even more";
  static const char *argv[COUNT + 5] = {"sh", "-c", "echo $#", "0"};
  for (int i = 0; i < COUNT; i++)
    argv[4 + i] = word;
  char text[64];
  void *exec = NULL;
  ck_assert_int_eq(try_exec(&fixture, workload, BO_EXEC_BACKUP, argv, "", NULL, &exec, NULL), BO_OK);
  (void)read_text(&fixture, exec, text, sizeof(text));
  ck_assert_str_eq(text, "20000\n");
  operations->exec_close(exec);
}
END_TEST

/* ---- surroundings --------------------------------------------------------------------------------------------- */

START_TEST(the_environment_is_clean) {
  ck_assert_int_eq(setenv("CANARY_SECRET", "leaked", 1), 0);
  void *other = start_workload(&fixture,
                               "{\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\",\"env\":["
                               "{\"name\":\"GIVEN\",\"value\":\"a b\"},{\"name\":\"LANG\",\"value\":\"de_DE\"},"
                               "{\"name\":\"EMPTY\"}]}]}}");
  const char *argv[] = {"sh", "-c", "env -0 | cut -z -d= -f1 | sort -z | tr '\\0' ' '; echo; echo $GIVEN $LANG", NULL};
  char text[4096];
  void *exec = NULL;
  ck_assert_int_eq(try_exec(&fixture, other, BO_EXEC_BACKUP, argv, "b", NULL, &exec, NULL), BO_OK);
  (void)read_text(&fixture, exec, text, sizeof(text));
  ck_assert_str_eq(text, "EMPTY GIVEN HOME LANG LOGNAME PATH PWD SHELL TMPDIR USER \na b de_DE\n");
  operations->exec_close(exec);
  operations->workload_close(other);
}
END_TEST

START_TEST(each_workload_has_a_fresh_folder) {
  char first[256], second[256];
  void *other = start_workload(&fixture, "{}");
  const char *script = "test \"$PWD\" = \"$TMPDIR\" && test -z \"$(ls -A)\" && stat -c '%a %n' $PWD";
  void *exec = backup(script);
  (void)read_text(&fixture, exec, first, sizeof(first));
  operations->exec_close(exec);
  exec = open_exec(&fixture, other, BO_EXEC_BACKUP, script, NULL);
  (void)read_text(&fixture, exec, second, sizeof(second));
  operations->exec_close(exec);
  ck_assert_msg(strncmp(first, "700 /tmp/test-local-", 20) == 0, "%s", first);
  ck_assert_str_ne(first, second);
  operations->workload_close(other);
}
END_TEST

START_TEST(working_folders_are_honoured) {
  char text[64];
  void *other = start_workload(&fixture, "{\"spec\":{\"containers\":[{\"name\":\"a\",\"workingDir\":\"/usr\"}]}}");
  void *exec = open_exec(&fixture, other, BO_EXEC_BACKUP, "pwd", NULL);
  (void)read_text(&fixture, exec, text, sizeof(text));
  ck_assert_str_eq(text, "/usr\n");
  operations->exec_close(exec);
  operations->workload_close(other);

  const char *argv[] = {"true", NULL};
  struct bo_error error = BO_ERROR_INIT;
  other = start_workload(&fixture, "{\"spec\":{\"containers\":[{\"name\":\"a\",\"workingDir\":\"/no/such\"}]}}");
  int result = try_exec(&fixture, other, BO_EXEC_BACKUP, argv, "", NULL, &exec, &error);
  expect_error(result, &error, BO_CLASS_NOT_FOUND, "workingDir \"/no/such\"");
  operations->workload_close(other);
}
END_TEST

START_TEST(signals_descriptors_and_limits_are_fresh) {
  struct rlimit limit;
  ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
  limit.rlim_cur = (rlim_t)1 << 50; /* more than any sanitizer needs */
  ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
  (void)signal(SIGPIPE, SIG_IGN);
  sigset_t all;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
  operations->workload_close(workload);
  int inheritable = dup(STDOUT_FILENO);
  workload = start_workload(&fixture, "{}");
  (void)close(inheritable);
  expect_output("exec grep SigBlk /proc/self/status", "SigBlk:\t0000000000000000\n");
  /* posix_spawn of the GNU C library leaves its own two, 32 and 33, ignored. */
  expect_output("grep SigIgn /proc/self/status | tr 18 00", "SigIgn:\t0000000000000000\n");
  expect_output("ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 "); /* 3 is the folder that ls reads */
  expect_output("ulimit -v", "unlimited\n");
}
END_TEST

/* ---- restore --------------------------------------------------------------------------------------------------- */

START_TEST(input_arrives_whole) {
  static char chunk[MIB];
  void *exec = restore("echo dropped; wc -c > $0/count");
  for (int i = 0; i < 100; i++)
    ck_assert_int_eq(operations->exec_write(exec, chunk, sizeof(chunk), NULL), BO_OK);
  ck_assert_int_eq(operations->exec_close_stdin(exec, NULL), BO_OK);
  ck_assert_uint_eq(expect_exit(&fixture, exec, BO_EXIT_STATUS, 0), 0);
  ck_assert_int_eq(read_number(&fixture, "count"), (long)(100 * MIB));
  operations->exec_close(exec);
}
END_TEST

START_TEST(much_stderr_and_stdout_block_no_restore) {
  static char chunk[MIB];
  atomic_ullong errors = 0;
  void *exec = open_exec(&fixture, workload, BO_EXEC_RESTORE,
                         "head -c 67108864 /dev/zero >&2; head -c 67108864 /dev/zero; exec wc -c > $0/count", &errors);
  for (int i = 0; i < 4; i++)
    ck_assert_int_eq(operations->exec_write(exec, chunk, sizeof(chunk), NULL), BO_OK);
  ck_assert_int_eq(operations->exec_close_stdin(exec, NULL), BO_OK);
  ck_assert_uint_eq(expect_exit(&fixture, exec, BO_EXIT_STATUS, 0), 0);
  ck_assert_uint_eq(atomic_load(&errors), 64 * MIB);
  ck_assert_int_eq(read_number(&fixture, "count"), (long)(4 * MIB));
  operations->exec_close(exec);
}
END_TEST

START_TEST(input_that_was_never_read_is_counted) {
  static const struct {
    const char *script;
    uint64_t unread;
  } cases[] = {
      {"cat > /dev/null", 0},
      {"dd bs=1 count=4 of=/dev/null", 6},
      {"until test -e $0/go; do sleep 0.01; done", 10},
      {"until test -e $0/go; do sleep 0.01; done; exec <&-; sleep 0.1", 10},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    void *exec = restore(cases[i].script);
    ck_assert_int_eq(operations->exec_write(exec, "0123456789", 10, NULL), BO_OK);
    ck_assert_int_eq(operations->exec_close_stdin(exec, NULL), BO_OK);
    make_file(&fixture, "go");
    ck_assert_uint_eq(expect_exit(&fixture, exec, BO_EXIT_STATUS, 0), cases[i].unread);
    remove_file(&fixture, "go");
    operations->exec_close(exec);
  }
}
END_TEST

START_TEST(an_exit_before_the_end_of_input_is_noticed) {
  static char chunk[64 * MIB];
  struct bo_error error = BO_ERROR_INIT;
  void *exec = restore("dd bs=1 count=4 of=/dev/null");
  ck_assert_int_eq(operations->exec_write(exec, "0123456789", 10, NULL), BO_OK);
  ck_assert_uint_eq(expect_exit(&fixture, exec, BO_EXIT_STATUS, 0), 6);
  expect_error(operations->exec_write(exec, "x", 1, &error), &error, BO_CLASS_COMMAND, "exit status 0");
  ck_assert_int_eq(operations->exec_close_stdin(exec, NULL), BO_OK);
  ck_assert_uint_eq(expect_exit(&fixture, exec, BO_EXIT_STATUS, 0), 6);
  operations->exec_close(exec);

  exec = restore("head -c 1000 > /dev/null; exit 3");
  expect_error(operations->exec_write(exec, chunk, sizeof(chunk), &error), &error, BO_CLASS_COMMAND, "before it had");
  (void)expect_exit(&fixture, exec, BO_EXIT_STATUS, 3);
  operations->exec_close(exec);
}
END_TEST

START_TEST(stdin_closed_early_ends_a_write) {
  static char chunk[64 * MIB];
  struct bo_error error = BO_ERROR_INIT;
  void *exec = restore("exec <&-; sleep 1000");
  expect_error(operations->exec_write(exec, chunk, sizeof(chunk), &error), &error, BO_CLASS_COMMAND, "closed its");
  sigset_t pending;
  (void)sigpending(&pending);
  ck_assert(!sigismember(&pending, SIGPIPE));
  stop_workload(&fixture, workload, 0);
  operations->exec_close(exec);
}
END_TEST

START_TEST(a_daemon_that_holds_stdin_does_not_hold_a_write) {
  static char chunk[64 * MIB];
  struct bo_error error = BO_ERROR_INIT;
  void *exec = restore("exec 3<&0; (sleep 1000 <&3 & ) ; sleep 0.2; exit 0");
  expect_error(operations->exec_write(exec, chunk, sizeof(chunk), &error), &error, BO_CLASS_COMMAND, "exit status 0");
  ck_assert_uint_gt(expect_exit(&fixture, exec, BO_EXIT_STATUS, 0), 0);
  stop_workload(&fixture, workload, 0);
  operations->exec_close(exec);
}
END_TEST

START_TEST(a_write_is_cancelled_and_stdin_not_ended) {
  static char chunk[64 * MIB];
  struct bo_error error = BO_ERROR_INIT;
  pthread_t thread;
  void *exec = restore("read line; sleep 3; cat > /dev/null && touch $0/ended");
  ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, exec), 0);
  expect_error(operations->exec_write(exec, chunk, sizeof(chunk), &error), &error, BO_CLASS_CANCELLED, "cancelled");
  expect_error(operations->exec_write(exec, "x", 1, &error), &error, BO_CLASS_CANCELLED, "cancelled");
  expect_error(operations->exec_close_stdin(exec, &error), &error, BO_CLASS_CANCELLED, "cancelled");
  (void)pthread_join(thread, NULL);
  stop_workload(&fixture, workload, 0);
  operations->exec_close(exec);
  ck_assert(!exists(&fixture, "ended"));
}
END_TEST

struct waiting {
  void *exec;
  struct bo_exit ended;
  int result;
};

static void *wait_thread(void *context) {
  struct waiting *waiting = context;
  waiting->result = operations->exec_wait(waiting->exec, &waiting->ended, NULL);
  return NULL;
}

START_TEST(one_thread_waits_while_another_writes) {
  static char chunk[MIB];
  struct waiting waiting = {.exec = restore("wc -c > $0/count; exit 7"), .ended = {.size = sizeof(waiting.ended)}};
  pthread_t thread;
  ck_assert_int_eq(pthread_create(&thread, NULL, wait_thread, &waiting), 0);
  for (int i = 0; i < 20; i++)
    ck_assert_int_eq(operations->exec_write(waiting.exec, chunk, sizeof(chunk), NULL), BO_OK);
  ck_assert_int_eq(operations->exec_close_stdin(waiting.exec, NULL), BO_OK);
  (void)pthread_join(thread, NULL);
  ck_assert_int_eq(waiting.result, BO_OK);
  ck_assert_int_eq(waiting.ended.code, 7);
  operations->exec_close(waiting.exec);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("platform-local: exec");
  const TTest *const tests[] = {
      output_arrives_whole,
      stdin_of_a_backup_is_at_its_end,
      exits_are_told_apart,
      stdout_closed_early_is_an_end_but_no_exit,
      a_read_is_cancelled,
      much_stderr_blocks_nothing,
      stdout_that_is_held_after_the_exit_is_an_error,
      a_daemon_that_does_not_hold_stdout_is_none_of_ours,
      output_soon_after_the_exit_still_counts,
      a_command_that_cannot_be_run_is_explained,
      an_unknown_container_is_refused,
      long_argument_lists_pass,
      the_environment_is_clean,
      each_workload_has_a_fresh_folder,
      working_folders_are_honoured,
      signals_descriptors_and_limits_are_fresh,
      input_arrives_whole,
      much_stderr_and_stdout_block_no_restore,
      input_that_was_never_read_is_counted,
      an_exit_before_the_end_of_input_is_noticed,
      stdin_closed_early_ends_a_write,
      a_daemon_that_holds_stdin_does_not_hold_a_write,
      a_write_is_cancelled_and_stdin_not_ended,
      one_thread_waits_while_another_writes,
  };
  TCase *exec = tcase_create("exec");
  tcase_add_checked_fixture(exec, set_up, tear_down);
  tcase_set_timeout(exec, 120);
  for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
    tcase_add_test(exec, tests[i]);
  suite_add_tcase(suite, exec);
  return unit_main(suite);
}
