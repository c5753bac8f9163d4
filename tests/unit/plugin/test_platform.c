/* The checked calls of platforms, with a scripted plugin: above all, what may pass for a command's exit. */
#include "core/base/clock.h"
#include "tests/unit/plugin/rig.h"

static int an_instance;

/* What the next call does. */
static struct {
  int result;
  bool no_instance;
  size_t read_size;
  struct bo_workload_state state;
  struct bo_exit exit;
  atomic_bool block_stop;
  int closes, workload_closes, exec_closes, cancels, exec_cancels;
} script;

static int answer(struct bo_error *error) {
  if (script.result != BO_OK) (void)bo_error_set(error, BO_CLASS_NETWORK, 0, "as the script says");
  return script.result;
}

static int scripted_open(const struct bo_host *host, const struct bo_config *config, void **platform,
                         struct bo_error *error) {
  (void)host, (void)config;
  *platform = script.no_instance ? NULL : &an_instance;
  return answer(error);
}

static void scripted_close(void *platform) {
  (void)platform;
  script.closes++;
}

static void scripted_cancel(void *platform) {
  (void)platform;
  script.cancels++;
}

static int scripted_workload_start(void *platform, const struct bo_workload_spec *spec, void **workload,
                                   struct bo_error *error) {
  (void)platform, (void)spec;
  *workload = script.no_instance ? NULL : &an_instance;
  return answer(error);
}

static int scripted_workload_state(void *workload, struct bo_workload_state *state, struct bo_error *error) {
  (void)workload;
  *state = script.state;
  return answer(error);
}

static int scripted_workload_stop(void *workload, uint32_t grace_ms, struct bo_error *error) {
  (void)workload, (void)grace_ms;
  while (atomic_load(&script.block_stop))
    (void)usleep(1000);
  return answer(error);
}

static void scripted_workload_close(void *workload) {
  (void)workload;
  script.workload_closes++;
}

static int scripted_exec_open(void *workload, const struct bo_exec_spec *spec, void **exec, struct bo_error *error) {
  (void)workload, (void)spec;
  *exec = script.no_instance ? NULL : &an_instance;
  return answer(error);
}

static int scripted_exec_read(void *exec, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  (void)exec, (void)bytes, (void)capacity;
  *size = script.read_size;
  return answer(error);
}

static int scripted_exec_write(void *exec, const void *bytes, size_t size, struct bo_error *error) {
  (void)exec, (void)bytes, (void)size;
  return answer(error);
}

static int scripted_exec_close_stdin(void *exec, struct bo_error *error) {
  (void)exec;
  return answer(error);
}

static int scripted_exec_wait(void *exec, struct bo_exit *exit, struct bo_error *error) {
  (void)exec;
  ck_assert_int_eq(exit->kind, 0);
  *exit = script.exit;
  return answer(error);
}

static void scripted_exec_cancel(void *exec) {
  (void)exec;
  script.exec_cancels++;
}

static void scripted_exec_close(void *exec) {
  (void)exec;
  script.exec_closes++;
}

static struct bo_platform_operations operations = {.open = scripted_open,
                                                   .close = scripted_close,
                                                   .cancel = scripted_cancel,
                                                   .workload_start = scripted_workload_start,
                                                   .workload_state = scripted_workload_state,
                                                   .workload_stop = scripted_workload_stop,
                                                   .workload_close = scripted_workload_close,
                                                   .exec_open = scripted_exec_open,
                                                   .exec_read = scripted_exec_read,
                                                   .exec_write = scripted_exec_write,
                                                   .exec_close_stdin = scripted_exec_close_stdin,
                                                   .exec_wait = scripted_exec_wait,
                                                   .exec_cancel = scripted_exec_cancel,
                                                   .exec_close = scripted_exec_close};
static const struct bo_loaded_plugin scripted = {.descriptor = {.kind = BO_KIND_PLATFORM, .name = "scripted"},
                                                 .operations.platform = &operations};
static const struct bo_config no_config = {.header = BO_HEADER(struct bo_config)};
static const struct bo_workload_spec workload_spec = {.header = BO_HEADER(struct bo_workload_spec),
                                                      .namespace_name = "",
                                                      .name = "run",
                                                      .uid = "u",
                                                      .template_json = "{}"};
static const char *const argv[] = {"true", NULL};

static struct bo_platform platform;
static struct bo_workload workload;
static struct bo_exec exec;
static struct bo_error error;

static void setup(void) {
  memset(&script, 0, sizeof(script));
  script.state.phase = BO_WORKLOAD_READY;
  error = (struct bo_error)BO_ERROR_INIT;
  ck_assert_int_eq(bo_platform_open(&platform, &scripted, &no_config, NULL, &error), BO_OK);
  ck_assert_int_eq(bo_workload_start(&workload, &platform, &workload_spec, &error), BO_OK);
}

static void open_exec(int direction) {
  struct bo_exec_spec spec = {
      .header = BO_HEADER(struct bo_exec_spec), .container = "", .argv = argv, .direction = direction};
  ck_assert_int_eq(bo_exec_open(&exec, &workload, &spec, &error), BO_OK);
}

static void teardown(void) {
  script.result = BO_OK;
  bo_exec_close(&exec);
  bo_workload_close(&workload);
  bo_workload_close(&workload);
  bo_platform_close(&platform);
  bo_platform_close(&platform);
  ck_assert_int_eq(script.closes, 1);
  ck_assert_int_eq(script.workload_closes, 1);
}

static void assert_broke(int result, const char *said) {
  ck_assert_int_eq(result, BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_INTERNAL);
  ck_assert_has(error.text, "the plugin platform-scripted broke its contract: ");
  ck_assert_has(error.text, said);
  ck_assert(platform.broken);
}

static const struct {
  int kind, code;
  bool good;
} exits[] = {{BO_EXIT_STATUS, 0, true},
             {BO_EXIT_STATUS, 1, true},
             {BO_EXIT_STATUS, 255, true},
             {BO_EXIT_SIGNAL, 9, true},
             {BO_EXIT_SIGNAL, 64, true},
             {0, 0, false},
             {3, 0, false},
             {-1, 0, false},
             {BO_EXIT_STATUS, 256, false},
             {BO_EXIT_STATUS, -1, false},
             {BO_EXIT_SIGNAL, 0, false},
             {BO_EXIT_SIGNAL, 65, false}};

START_TEST(only_a_real_exit_passes) {
  open_exec(BO_EXEC_BACKUP);
  struct bo_exit exit = {.kind = BO_EXIT_STATUS};
  script.exit = (struct bo_exit){.size = sizeof(exit), .kind = exits[_i].kind, .code = exits[_i].code};
  int result = bo_exec_wait(&exec, &exit, &error);
  if (exits[_i].good)
    ck_assert_int_eq(result, BO_OK);
  else
    assert_broke(result, "exec_wait() gave no exit status");
}
END_TEST

START_TEST(failed_wait_is_no_exit) {
  open_exec(BO_EXEC_BACKUP);
  struct bo_exit exit = {.kind = BO_EXIT_STATUS};
  script.exit = (struct bo_exit){.size = sizeof(exit), .kind = BO_EXIT_STATUS, .code = 0};
  static const int results[] = {BO_RETRY, BO_ERROR};
  for (size_t i = 0; i < LENGTH(results); i++) {
    script.result = results[i];
    ck_assert_int_eq(bo_exec_wait(&exec, &exit, &error), BO_ERROR);
    ck_assert_str_eq(error.text, "as the script says");
  }
  script.result = BO_DONE;
  assert_broke(bo_exec_wait(&exec, &exit, &error), "exec_wait() answered 5");
}
END_TEST

START_TEST(read_to_its_end) {
  open_exec(BO_EXEC_BACKUP);
  unsigned char bytes[8];
  size_t size = 99;
  script.read_size = 8;
  ck_assert_int_eq(bo_exec_read(&exec, bytes, sizeof(bytes), &size, &error), BO_OK);
  ck_assert_uint_eq(size, 8);
  ck_assert(!exec.read_ended);
  script.result = BO_ERROR;
  ck_assert_int_eq(bo_exec_read(&exec, bytes, sizeof(bytes), &size, &error), BO_ERROR);
  ck_assert_uint_eq(size, 0);
  ck_assert(!exec.read_ended);
  script.result = BO_OK;
  script.read_size = 0;
  ck_assert_int_eq(bo_exec_read(&exec, bytes, sizeof(bytes), &size, &error), BO_OK);
  ck_assert(exec.read_ended);
}
END_TEST

START_TEST(read_past_the_buffer) {
  open_exec(BO_EXEC_BACKUP);
  unsigned char bytes[8];
  size_t size = 0;
  script.read_size = 9;
  assert_broke(bo_exec_read(&exec, bytes, sizeof(bytes), &size, &error), "9 bytes for a buffer of 8");
}
END_TEST

START_TEST(restore_writes_and_ends_stdin) {
  open_exec(BO_EXEC_RESTORE);
  ck_assert_int_eq(bo_exec_write(&exec, "x", 1, &error), BO_OK);
  script.result = BO_RETRY;
  ck_assert_int_eq(bo_exec_write(&exec, "x", 1, &error), BO_ERROR);
  script.result = BO_OK;
  ck_assert_int_eq(bo_exec_close_stdin(&exec, &error), BO_OK);
  ck_assert(exec.stdin_closed);
  bo_exec_cancel(&exec);
  ck_assert_int_eq(script.exec_cancels, 1);
}
END_TEST

START_TEST(state_is_checked) {
  struct bo_workload_state state;
  ck_assert_int_eq(bo_workload_state_get(&workload, &state, &error), BO_OK);
  script.state.phase = 0;
  assert_broke(bo_workload_state_get(&workload, &state, &error), "workload_state()");
  script.state.phase = BO_WORKLOAD_ENDED;
  memset(script.state.reason, 'x', sizeof(script.state.reason));
  assert_broke(bo_workload_state_get(&workload, &state, &error), "workload_state()");
}
END_TEST

START_TEST(nothing_new_begins_on_a_broken_platform) {
  struct bo_workload second;
  script.no_instance = true;
  assert_broke(bo_workload_start(&second, &platform, &workload_spec, &error), "no workload");
  ck_assert_ptr_null(second.instance);
  ck_assert_int_eq(bo_workload_start(&second, &platform, &workload_spec, &error), BO_ERROR);
  ck_assert_has(error.text, "not called again");
  struct bo_exec_spec spec = {.header = BO_HEADER(struct bo_exec_spec), .argv = argv, .direction = BO_EXEC_BACKUP};
  ck_assert_int_eq(bo_exec_open(&exec, &workload, &spec, &error), BO_ERROR);
  ck_assert_has(error.text, "not called again");
  /* What runs must still be stopped. */
  ck_assert_int_eq(bo_workload_stop(&workload, 10, &error), BO_OK);
}
END_TEST

START_TEST(failure_or_no_instance_opens_nothing) {
  struct bo_platform other;
  struct bo_workload second;
  struct bo_workload_state state;
  struct bo_exec_spec spec = {.header = BO_HEADER(struct bo_exec_spec), .argv = argv, .direction = BO_EXEC_BACKUP};
  script.result = BO_RETRY;
  ck_assert_int_eq(bo_platform_open(&other, &scripted, &no_config, NULL, &error), BO_ERROR);
  bo_platform_close(&other);
  ck_assert_int_eq(bo_workload_start(&second, &platform, &workload_spec, &error), BO_RETRY);
  bo_workload_close(&second);
  script.state.phase = 99; /* of no interest after a failure */
  ck_assert_int_eq(bo_workload_state_get(&workload, &state, &error), BO_RETRY);
  ck_assert_int_eq(bo_exec_open(&exec, &workload, &spec, &error), BO_RETRY);
  bo_exec_close(&exec);
  ck_assert_int_eq(script.closes + script.workload_closes + script.exec_closes, 0);

  script.result = BO_OK;
  script.no_instance = true;
  ck_assert_int_eq(bo_platform_open(&other, &scripted, &no_config, NULL, &error), BO_ERROR);
  ck_assert_has(error.text, "gave no instance");
  assert_broke(bo_exec_open(&exec, &workload, &spec, &error), "gave no exec");
}
END_TEST

START_TEST(cancel_reaches_plugin_and_host) {
  bo_platform_cancel(&platform);
  ck_assert_int_eq(script.cancels, 1);
  ck_assert_int_ne(platform.host.table.cancelled(platform.host.table.context), 0);
}
END_TEST

static void *stop(void *context) {
  (void)context;
  return bo_workload_stop(&workload, 10, NULL) == BO_OK ? &workload : NULL;
}

/* A stop that hangs is seen by the watchdog, whatever an exec does meanwhile. */
START_TEST(exec_does_not_hide_another_call) {
  open_exec(BO_EXEC_BACKUP);
  atomic_store(&script.block_stop, true);
  pthread_t thread;
  ck_assert_int_eq(pthread_create(&thread, NULL, stop, NULL), 0);
  const char *function = NULL;
  while (bo_plugin_host_call_ms(&platform.host, &function) == 0)
    (void)usleep(1000);
  unsigned char bytes[8];
  size_t size = 0;
  ck_assert_int_eq(bo_exec_read(&exec, bytes, sizeof(bytes), &size, NULL), BO_OK);
  ck_assert_uint_gt(bo_plugin_host_call_ms(&platform.host, &function), 0);
  ck_assert_str_eq(function, "workload_stop");
  atomic_store(&script.block_stop, false);
  void *stopped = NULL;
  ck_assert_int_eq(pthread_join(thread, &stopped), 0);
  ck_assert_ptr_nonnull(stopped);
  ck_assert_uint_eq(bo_plugin_host_call_ms(&platform.host, &function), 0);
  ck_assert_ptr_null(function);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("platform");
  TCase *calls = tcase_create("calls");
  tcase_add_checked_fixture(calls, setup, teardown);
  tcase_add_loop_test(calls, only_a_real_exit_passes, 0, LENGTH(exits));
  tcase_add_test(calls, failed_wait_is_no_exit);
  tcase_add_test(calls, read_to_its_end);
  tcase_add_test(calls, read_past_the_buffer);
  tcase_add_test(calls, restore_writes_and_ends_stdin);
  tcase_add_test(calls, state_is_checked);
  tcase_add_test(calls, nothing_new_begins_on_a_broken_platform);
  tcase_add_test(calls, failure_or_no_instance_opens_nothing);
  tcase_add_test(calls, cancel_reaches_plugin_and_host);
  tcase_add_test(calls, exec_does_not_hide_another_call);
  suite_add_tcase(suite, calls);
  return unit_main(suite);
}
