/*
 * How workloads end: asked to, by force, and when the process that owns them or their supervisor is killed. In every
 * case nothing of them is left, and a restore's command has not taken it for the end of its data.
 *
 * Such a command is `cat > /dev/null && touch $0/ended`: the file appears only after a clean end of stdin.
 */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "plugins/platform-local/tests/support.h"

static struct fixture fixture;
static const struct bo_platform_operations *operations;

static void set_up(void) {
  fixture_open(&fixture);
  operations = fixture.operations;
}

static void tear_down(void) {
  fixture_close(&fixture);
}

static int phase_of(void *workload) {
  struct bo_workload_state state = {.size = sizeof(state)};
  ck_assert_int_eq(operations->workload_state(workload, &state, NULL), BO_OK);
  ck_assert_str_ne(state.name, "");
  ck_assert_str_ne(state.reason, "");
  return state.phase;
}

/* ---- stop ----------------------------------------------------------------------------------------------------- */

START_TEST(stop_asks_first) {
  void *workload = start_workload(&fixture, "{}");
  ck_assert_int_eq(phase_of(workload), BO_WORKLOAD_READY);
  void *exec =
      open_exec(&fixture, workload, BO_EXEC_BACKUP,
                "trap 'echo asked > $0/asked; exit 9' TERM; echo 1 > $0/ready; while :; do sleep 0.05; done", NULL);
  (void)read_number(&fixture, "ready");
  stop_workload(&fixture, workload, 60000);
  ck_assert_int_eq(phase_of(workload), BO_WORKLOAD_ENDED);
  (void)expect_exit(&fixture, exec, BO_EXIT_STATUS, 9);
  ck_assert(exists(&fixture, "asked"));
  stop_workload(&fixture, workload, 0); /* again */

  const char *argv[] = {"true", NULL};
  struct bo_error error = BO_ERROR_INIT;
  void *late = NULL;
  int result = try_exec(&fixture, workload, BO_EXEC_BACKUP, argv, "", NULL, &late, &error);
  expect_error(result, &error, BO_CLASS_CANCELLED, "the workload was stopped");
  operations->exec_close(exec);
  operations->workload_close(workload);
}
END_TEST

START_TEST(stop_reaches_everything) {
  static const char *const scripts[] = {
      "echo 1 > $0/ready; sleep 1000",
      "trap '' TERM; echo 1 > $0/ready; while :; do sleep 1; done",
      "sleep 1000 & sleep 1000 & echo 1 > $0/ready; wait",
      ("setsid sh -c '(trap \"\" TERM; setsid sh -c \"(sleep 1000 &) ; sleep 1000\" &) ; echo 1 > $0/ready' $0; sleep "
       "1000"),
      "env -i setsid sh -c '(env -i setsid sleep 1000 &)'; echo 1 > $0/ready",
      "echo 1 > $0/ready; kill -STOP $$",
  };
  for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
    void *workload = start_workload(&fixture, "{}");
    void *exec = open_exec(&fixture, workload, BO_EXEC_BACKUP, scripts[i], NULL);
    (void)read_number(&fixture, "ready");
    stop_workload(&fixture, workload, 300);
    ck_assert_int_eq(count_processes(&fixture), 0);
    remove_file(&fixture, "ready");
    operations->exec_close(exec);
    operations->workload_close(workload);
  }
}
END_TEST

/* Processes that each start one and end, faster than anybody can read /proc, and some that multiply slowly. */
START_TEST(a_fork_storm_is_ended) {
  void *workload = start_workload(&fixture, "{}");
  void *exec =
      open_exec(&fixture, workload, BO_EXEC_BACKUP,
                "trap '' TERM; hop() { hop & }; hop; hop; hop;"
                "for i in 1 2 3 4 5; do setsid sh -c 'trap \"\" TERM; while :; do setsid sleep 0.2 & sleep 0.02;"
                " done' & done; sleep 0.5; echo 1 > $0/ready; wait",
                NULL);
  (void)read_number(&fixture, "ready");
  stop_workload(&fixture, workload, 100);
  ck_assert_int_eq(count_processes(&fixture), 0);
  operations->exec_close(exec);
  operations->workload_close(workload);
}
END_TEST

struct stopping {
  void *workload;
  int result;
};

static void *stop_thread(void *context) {
  struct stopping *stopping = context;
  (void)usleep(200000);
  stopping->result = operations->workload_stop(stopping->workload, 100, NULL);
  return NULL;
}

START_TEST(stops_of_other_threads_end_a_write) {
  static char chunk[16 << 20];
  void *workload = start_workload(&fixture, "{}");
  struct stopping stopping[2] = {{.workload = workload}, {.workload = workload}};
  struct bo_error error = BO_ERROR_INIT;
  pthread_t threads[2];
  void *exec =
      open_exec(&fixture, workload, BO_EXEC_RESTORE, "read line; sleep 1000; cat > /dev/null && touch $0/ended", NULL);
  for (int i = 0; i < 2; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, stop_thread, &stopping[i]), 0);
  expect_error(operations->exec_write(exec, chunk, sizeof(chunk), &error), &error, BO_CLASS_COMMAND, "");
  for (int i = 0; i < 2; i++) {
    (void)pthread_join(threads[i], NULL);
    ck_assert_int_eq(stopping[i].result, BO_OK);
  }
  (void)expect_exit(&fixture, exec, BO_EXIT_SIGNAL, SIGTERM);
  operations->exec_close(exec);
  operations->workload_close(workload);
  ck_assert(!exists(&fixture, "ended"));
}
END_TEST

START_TEST(a_second_stop_may_be_less_patient) {
  struct stopping stopping = {.workload = start_workload(&fixture, "{}")};
  pthread_t thread;
  void *exec = open_exec(&fixture, stopping.workload, BO_EXEC_BACKUP,
                         "trap '' TERM; echo 1 > $0/ready; while :; do sleep 1; done", NULL);
  (void)read_number(&fixture, "ready");
  ck_assert_int_eq(pthread_create(&thread, NULL, stop_thread, &stopping), 0); /* the less patient one */
  stop_workload(&fixture, stopping.workload, 3600000);
  (void)pthread_join(thread, NULL);
  ck_assert_int_eq(stopping.result, BO_OK);
  operations->exec_close(exec);
  operations->workload_close(stopping.workload);
}
END_TEST

/* ---- close ---------------------------------------------------------------------------------------------------- */

START_TEST(closing_an_exec_does_not_end_stdin) {
  void *workload = start_workload(&fixture, "{}");
  void *exec =
      open_exec(&fixture, workload, BO_EXEC_RESTORE, "echo 1 > $0/ready; cat > /dev/null && touch $0/ended", NULL);
  ck_assert_int_eq(operations->exec_write(exec, "half", 4, NULL), BO_OK);
  (void)read_number(&fixture, "ready");
  operations->exec_close(exec);
  (void)usleep(300000);
  ck_assert(!exists(&fixture, "ended"));
  operations->workload_close(workload);
  ck_assert(!exists(&fixture, "ended"));
}
END_TEST

START_TEST(closing_the_platform_ends_all_that_is_open) {
  int before = count_descriptors();
  void *first = start_workload(&fixture, "{}");
  void *second = start_workload(&fixture, "{}");
  (void)open_exec(&fixture, first, BO_EXEC_RESTORE, "cat > /dev/null && touch $0/ended", NULL);
  (void)open_exec(&fixture, first, BO_EXEC_BACKUP, "sleep 1000", NULL);
  (void)open_exec(&fixture, second, BO_EXEC_BACKUP, "(setsid sleep 1000 &); echo 1 > $0/ready; sleep 1000", NULL);
  (void)read_number(&fixture, "ready");
  operations->close(fixture.platform);
  ck_assert_int_eq(count_descriptors(), before - 1); /* the platform's own */
  ck_assert_int_eq(count_processes(&fixture), 0);
  ck_assert(!exists(&fixture, "ended"));
  fixture.platform = NULL;
}
END_TEST

START_TEST(no_descriptor_is_leaked) {
  char text[64];
  int before = count_descriptors();
  void *workload = start_workload(&fixture, "{}");
  int with_workload = count_descriptors();
  for (int i = 0; i < 3; i++) {
    void *exec = open_exec(&fixture, workload, BO_EXEC_BACKUP, "echo $0", NULL);
    (void)read_text(&fixture, exec, text, sizeof(text));
    (void)expect_exit(&fixture, exec, BO_EXIT_STATUS, 0);
    operations->exec_close(exec);
    exec = open_exec(&fixture, workload, BO_EXEC_RESTORE, "cat", NULL);
    ck_assert_int_eq(operations->exec_close_stdin(exec, NULL), BO_OK);
    (void)expect_exit(&fixture, exec, BO_EXIT_STATUS, 0);
    operations->exec_close(exec);
    const char *argv[] = {"/no/such/command", NULL};
    ck_assert_int_eq(try_exec(&fixture, workload, BO_EXEC_RESTORE, argv, "", NULL, &exec, NULL), BO_ERROR);
    ck_assert_int_eq(count_descriptors(), with_workload);
  }
  operations->workload_close(workload);
  ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

START_TEST(the_folder_goes_with_all_that_is_in_it) {
  void *workload = start_workload(&fixture, "{}");
  void *exec = open_exec(&fixture, workload, BO_EXEC_BACKUP,
                         "mkdir -p a/b/c; touch a/b/c/file a/.hidden; ln -s / root; ln -s $0/kept a/kept; mkfifo p;"
                         "touch $0/kept; chmod 0 a/b; chmod 500 a; exec sh -c 'exit 0'",
                         NULL);
  (void)expect_exit(&fixture, exec, BO_EXIT_STATUS, 0);
  operations->exec_close(exec);
  operations->workload_close(workload);
  ck_assert(exists(&fixture, "kept"));
  ck_assert_int_eq(count_entries(fixture.folder), 1);
}
END_TEST

static void *use_workload(void *context) {
  (void)context;
  char text[64], expected[64];
  for (int i = 0; i < 5; i++) {
    void *workload = start_workload(&fixture, "{}");
    void *restore = open_exec(&fixture, workload, BO_EXEC_RESTORE, "cat > data", NULL);
    (void)snprintf(expected, sizeof(expected), "%d of %p", i, (void *)&text);
    ck_assert_int_eq(operations->exec_write(restore, expected, strlen(expected), NULL), BO_OK);
    ck_assert_int_eq(operations->exec_close_stdin(restore, NULL), BO_OK);
    (void)expect_exit(&fixture, restore, BO_EXIT_STATUS, 0);
    operations->exec_close(restore);
    void *backup = open_exec(&fixture, workload, BO_EXEC_BACKUP, "cat data", NULL);
    (void)read_text(&fixture, backup, text, sizeof(text));
    ck_assert_str_eq(text, expected);
    operations->exec_close(backup);
    operations->workload_close(workload);
  }
  return NULL;
}

START_TEST(workloads_may_be_used_at_once) {
  pthread_t threads[3];
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, use_workload, NULL), 0);
  for (int i = 0; i < 3; i++)
    (void)pthread_join(threads[i], NULL);
}
END_TEST

/* ---- killed --------------------------------------------------------------------------------------------------- */

/* Restores that are half-way: what they do with stdin they do in the command itself, below it, and in a daemon. */
static const char *const half_restores[] = {
    "echo 1 > $0/ready; exec sh -c 'cat > /dev/null && touch $0/ended' $0",
    "exec 3<&0; (cat <&3 > /dev/null && touch $0/ended) & echo 1 > $0/ready; wait",
    ("trap '' TERM HUP; exec 3<&0; (setsid sh -c 'trap \"\" TERM; cat <&3 > /dev/null && touch $0/ended' $0 &);"
     "echo 1 > $0/ready; sleep 1000"),
    "exec 3<&0; dd bs=1 count=1 of=/dev/null; (cat <&3 > /dev/null && touch $0/ended) & echo 1 > $0/ready; exit 0",
};

static _Noreturn void restore_by_halves(const char *script) {
  void *workload = start_workload(&fixture, "{}");
  void *exec = open_exec(&fixture, workload, BO_EXEC_RESTORE, script, NULL);
  ck_assert_int_eq(operations->exec_write(exec, "half", 4, NULL), BO_OK);
  (void)read_number(&fixture, "ready");
  make_file(&fixture, "running");
  for (;;)
    (void)pause();
}

START_TEST(our_own_death_is_no_end_of_the_data) {
  for (size_t i = 0; i < sizeof(half_restores) / sizeof(half_restores[0]); i++) {
    pid_t child = fork();
    if (child == 0) restore_by_halves(half_restores[i]);
    WAIT_FOR(exists(&fixture, "running"));
    ck_assert_int_gt(count_processes(&fixture), 0);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    remove_file(&fixture, "running");
    remove_file(&fixture, "ready");
    WAIT_FOR(count_processes(&fixture) == 0);
    WAIT_FOR(count_entries(fixture.folder) == 0); /* no working folder, and no file "ended" */
  }
}
END_TEST

/* The child of ours that is a supervisor. */
static pid_t find_supervisor(void) {
  BO_CLEANUP_DIR DIR *proc = opendir("/proc");
  for (struct dirent *entry = readdir(proc); entry != NULL; entry = readdir(proc)) {
    char path[300];
    int pid, parent;
    (void)snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
    BO_CLEANUP_FILE FILE *file = fopen(path, "re");
    if (file != NULL && fscanf(file, "%d (platform-local-) %*c %d", &pid, &parent) == 2 && parent == getpid())
      return pid;
  }
  ck_abort_msg("there is no supervisor");
}

START_TEST(the_supervisors_death_is_no_end_of_the_data) {
  for (size_t i = 0; i < sizeof(half_restores) / sizeof(half_restores[0]); i++) {
    struct bo_error error = BO_ERROR_INIT;
    struct bo_exit ended = {.size = sizeof(ended)};
    int before = count_descriptors();
    void *workload = start_workload(&fixture, "{}");
    void *exec = open_exec(&fixture, workload, BO_EXEC_RESTORE, half_restores[i], NULL);
    ck_assert_int_eq(operations->exec_write(exec, "half", 4, NULL), BO_OK);
    (void)read_number(&fixture, "ready");
    bool may_have_exited = strstr(half_restores[i], "exit 0") != NULL;
    if (may_have_exited) (void)expect_exit(&fixture, exec, BO_EXIT_STATUS, 0);
    ck_assert_int_eq(kill(find_supervisor(), SIGKILL), 0);
    if (!may_have_exited) {
      expect_error(operations->exec_wait(exec, &ended, &error), &error, BO_CLASS_COMMAND, "supervises");
      expect_error(operations->exec_write(exec, "x", 1, &error), &error, BO_CLASS_COMMAND, "supervises");
      expect_error(operations->exec_close_stdin(exec, &error), &error, BO_CLASS_COMMAND, "supervises");
    }
    operations->exec_close(exec);
    WAIT_FOR(phase_of(workload) == BO_WORKLOAD_LOST);
    expect_error(operations->workload_stop(workload, 0, &error), &error, BO_CLASS_UNDECIDED, "was killed");
    ck_assert_int_eq(count_processes(&fixture), 0);
    operations->workload_close(workload);
    ck_assert_int_eq(count_descriptors(), before);
    remove_file(&fixture, "ready");
    ck_assert_int_eq(count_entries(fixture.folder), 0);
  }
}
END_TEST

START_TEST(the_supervisors_death_is_no_end_of_a_backup) {
  char bytes[64];
  size_t size;
  struct bo_error error = BO_ERROR_INIT;
  struct bo_exit ended = {.size = sizeof(ended)};
  void *workload = start_workload(&fixture, "{}");
  void *exec = open_exec(&fixture, workload, BO_EXEC_BACKUP, "echo part; sleep 1000", NULL);
  ck_assert_int_eq(operations->exec_read(exec, bytes, sizeof(bytes), &size, NULL), BO_OK);
  ck_assert_int_eq(kill(find_supervisor(), SIGKILL), 0);
  expect_error(operations->exec_read(exec, bytes, sizeof(bytes), &size, &error), &error, BO_CLASS_COMMAND,
               "supervises");
  expect_error(operations->exec_wait(exec, &ended, &error), &error, BO_CLASS_COMMAND, "supervises");
  operations->workload_close(workload);
}
END_TEST

/* ---- start ---------------------------------------------------------------------------------------------------- */

static int try_start(const char *template_json, struct bo_error *error) {
  struct bo_workload_spec spec = {.header = BO_HEADER(struct bo_workload_spec),
                                  .namespace_name = "",
                                  .name = "test",
                                  .uid = "uid",
                                  .template_json = template_json};
  void *workload = NULL;
  return operations->workload_start(fixture.platform, &spec, &workload, error);
}

START_TEST(a_workload_that_cannot_start_says_why) {
  struct bo_error error = BO_ERROR_INIT;
  int before = count_descriptors();
  expect_error(try_start("nonsense", &error), &error, BO_CLASS_CONFIG, "not a JSON object");
  ck_assert_int_eq(rmdir(fixture.folder), 0);
  expect_error(try_start("{}", &error), &error, BO_CLASS_NOT_FOUND,
               "cannot make the working folder in /tmp/test-local");
  ck_assert_int_eq(mkdir(fixture.folder, 0700), 0);
  operations->cancel(fixture.platform);
  ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

/* With ever more room for descriptors everything fails cleanly, until everything works. */
START_TEST(too_few_descriptors_are_survived) {
  int before = count_descriptors();
  struct rlimit old;
  ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
  bool worked = false;
  for (int room = 0; room < 40 && !worked; room++) {
    struct rlimit few = {.rlim_cur = (rlim_t)(before + room), .rlim_max = old.rlim_max};
    struct bo_error error = BO_ERROR_INIT;
    void *workload = NULL, *exec = NULL;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct bo_workload_spec spec = {.header = BO_HEADER(struct bo_workload_spec), .template_json = "{}"};
    const char *argv[] = {"sh", "-c", "cat > /dev/null && touch $0/ended", fixture.folder, NULL};
    int result = operations->workload_start(fixture.platform, &spec, &workload, &error);
    if (result == BO_OK) result = try_exec(&fixture, workload, BO_EXEC_RESTORE, argv, "", NULL, &exec, &error);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    worked = result == BO_OK;
    ck_assert_msg(worked || error.text[0] != '\0', "no reason was given");
    if (workload != NULL) operations->workload_close(workload);
    ck_assert(!exists(&fixture, "ended"));
    ck_assert_int_eq(count_descriptors(), before);
  }
  ck_assert(worked);
}
END_TEST

START_TEST(a_supervisor_without_room_starts_nothing) {
  bool worked = false;
  for (rlim_t room = 0; room < 20 && !worked; room++) {
    struct rlimit few = {.rlim_cur = 3 + room, .rlim_max = 1024};
    struct bo_error error = BO_ERROR_INIT;
    const char *argv[] = {"sh", "-c", "cat > /dev/null && touch $0/ended", fixture.folder, NULL};
    void *exec, *workload = start_workload(&fixture, "{}");
    ck_assert_int_eq(prlimit(find_supervisor(), RLIMIT_NOFILE, &few, NULL), 0);
    worked = try_exec(&fixture, workload, BO_EXEC_RESTORE, argv, "", NULL, &exec, &error) == BO_OK;
    ck_assert_msg(worked || strstr(error.text, "open files") != NULL, "%s", error.text);
    (void)usleep(200000); /* for what must not happen */
    few.rlim_cur = few.rlim_max;
    ck_assert_int_eq(prlimit(find_supervisor(), RLIMIT_NOFILE, &few, NULL), 0);
    operations->workload_close(workload);
    ck_assert(!exists(&fixture, "ended"));
  }
  ck_assert(worked);
}
END_TEST

START_TEST(what_is_ignored_is_said_once) {
  void *workload = start_workload(&fixture,
                                  "{\"spec\":{\"volumes\":[],\"containers\":["
                                  "{\"name\":\"a\",\"image\":\"x\"},{\"name\":\"b\",\"image\":\"y\"}]}}");
  ck_assert(fake_host_logged(&fixture.host, "ignores of the template: image, volumes\n"));
  fixture.host.log[0] = '\0';
  operations->workload_close(workload);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("platform-local: ending");
  const TTest *const tests[] = {
      stop_asks_first,
      stop_reaches_everything,
      a_fork_storm_is_ended,
      stops_of_other_threads_end_a_write,
      a_second_stop_may_be_less_patient,
      closing_an_exec_does_not_end_stdin,
      closing_the_platform_ends_all_that_is_open,
      no_descriptor_is_leaked,
      the_folder_goes_with_all_that_is_in_it,
      workloads_may_be_used_at_once,
      our_own_death_is_no_end_of_the_data,
      the_supervisors_death_is_no_end_of_the_data,
      the_supervisors_death_is_no_end_of_a_backup,
      a_workload_that_cannot_start_says_why,
      too_few_descriptors_are_survived,
      a_supervisor_without_room_starts_nothing,
      what_is_ignored_is_said_once,
  };
  TCase *ending = tcase_create("ending");
  tcase_add_checked_fixture(ending, set_up, tear_down);
  tcase_set_timeout(ending, 120);
  for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
    tcase_add_test(ending, tests[i]);
  suite_add_tcase(suite, ending);
  return unit_main(suite);
}
