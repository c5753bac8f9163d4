/* The line between a run and its owner: commits are asked for and granted once, and whatever ends the run is told. */
#include "core/run/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/io.h"
#include "tests/support/unit.h"

#define LONG_MS 60000

static struct bo_owner owner;
static int to_runner[2];
static int from_runner[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned cancels;
static struct bo_error first_cancel;

static void note_cancel(void *context, const struct bo_error *why) {
  (void)context;
  (void)pthread_mutex_lock(&lock);
  if (cancels++ == 0) first_cancel = *why;
  (void)pthread_cond_broadcast(&changed);
  (void)pthread_mutex_unlock(&lock);
}

static struct bo_error wait_for_cancel(void) {
  (void)pthread_mutex_lock(&lock);
  while (cancels == 0)
    (void)pthread_cond_wait(&changed, &lock);
  struct bo_error why = first_cancel;
  (void)pthread_mutex_unlock(&lock);
  return why;
}

static void setup(void) {
  sigset_t signals;
  (void)sigemptyset(&signals);
  (void)sigaddset(&signals, SIGTERM);
  (void)sigaddset(&signals, SIGINT);
  ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &signals, NULL), 0);
  (void)signal(SIGPIPE, SIG_IGN);
  ck_assert_int_eq(pipe2(to_runner, O_CLOEXEC), 0);
  ck_assert_int_eq(pipe2(from_runner, O_CLOEXEC), 0);
  ck_assert_int_eq(fcntl(from_runner[1], F_SETFL, O_NONBLOCK), 0);
  cancels = 0;
  first_cancel = (struct bo_error)BO_ERROR_INIT;
  bo_owner_init(&owner, to_runner[0], from_runner[1]);
}

static void teardown(void) {
  bo_owner_stop(&owner);
  for (int i = 0; i < 2; i++) {
    if (to_runner[i] >= 0) (void)close(to_runner[i]);
    if (from_runner[i] >= 0) (void)close(from_runner[i]);
  }
}

static void start(const char *rest) {
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_owner_start(&owner, rest, strlen(rest), note_cancel, NULL, &error), BO_OK);
}

static void say(const char *line) {
  ck_assert_int_eq(bo_write_all(to_runner[1], line, strlen(line), NULL), BO_OK);
}

static int ask(uint64_t timeout_ms, struct bo_error *error) {
  return bo_owner_ask_commit(&owner, "{\"type\":\"commit\"}", timeout_ms, error);
}

static void expect_line(const char *wanted) {
  char got[256];
  size_t length = strlen(wanted);
  ck_assert(length < sizeof(got));
  ck_assert_int_eq(read(from_runner[0], got, length), (ssize_t)length);
  ck_assert_mem_eq(got, wanted, length);
}

START_TEST(a_commit_is_asked_for_and_granted) {
  struct bo_error error = BO_ERROR_INIT;
  start("");
  say("{\"type\":\"commit\",\"granted\":true}\n");
  ck_assert_int_eq(ask(LONG_MS, &error), BO_OK);
  expect_line("{\"type\":\"commit\"}\n");
  ck_assert_uint_eq(cancels, 0);
}
END_TEST

START_TEST(a_commit_is_refused) {
  static const char *const lines[] = {"{\"type\":\"commit\",\"granted\":false}\n", "{\"type\":\"commit\"}\n",
                                      "{\"type\":\"commit\",\"granted\":\"true\"}\n",
                                      "{\"type\":\"commit\",\"granted\":1}\n"};
  struct bo_error error = BO_ERROR_INIT;
  start("");
  say(lines[_i]);
  ck_assert_int_eq(ask(LONG_MS, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_CANCELLED);
  ck_assert_ptr_nonnull(strstr(error.text, "did not permit"));
}
END_TEST

START_TEST(no_answer_is_no_permission) {
  struct bo_error error = BO_ERROR_INIT;
  start("");
  ck_assert_int_eq(ask(50, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_TIMEOUT);
}
END_TEST

START_TEST(an_owner_that_goes_away_cancels_and_permits_nothing) {
  struct bo_error error = BO_ERROR_INIT;
  start("");
  (void)close(to_runner[1]);
  to_runner[1] = -1;
  ck_assert_int_eq(ask(LONG_MS, &error), BO_ERROR);
  ck_assert_ptr_nonnull(strstr(error.text, "owner is gone"));
  error = wait_for_cancel();
  ck_assert_int_eq(error.error_class, BO_CLASS_CANCELLED);
  ck_assert_ptr_nonnull(strstr(error.text, "owner is gone"));
}
END_TEST

START_TEST(a_cancel_has_its_reason_and_permits_nothing) {
  struct bo_error error = BO_ERROR_INIT;
  start("");
  say("{\"type\":\"cancel\",\"reason\":\"replaced\"}\n");
  error = wait_for_cancel();
  ck_assert_int_eq(error.error_class, BO_CLASS_CANCELLED);
  ck_assert_str_eq(error.text, "replaced");
  ck_assert_int_eq(ask(LONG_MS, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_CANCELLED);
  say("{\"type\":\"commit\",\"granted\":true}\n"); /* too late */
  ck_assert_int_eq(ask(LONG_MS, &error), BO_ERROR);
}
END_TEST

START_TEST(a_signal_cancels) {
  start("");
  ck_assert_int_eq(kill(getpid(), _i == 0 ? SIGTERM : SIGINT), 0);
  struct bo_error error = wait_for_cancel();
  ck_assert_int_eq(error.error_class, BO_CLASS_CANCELLED);
  ck_assert_ptr_nonnull(strstr(error.text, _i == 0 ? "SIGTERM" : "SIGINT"));
}
END_TEST

START_TEST(a_line_that_is_neither_ends_the_run) {
  static const char *const lines[] = {"garbage\n", "{}\n", "[]\n", "{\"type\":7}\n", "{\"type\":\"frobnicate\"}\n",
                                      "\1\n"};
  start("");
  say(lines[_i]);
  ck_assert_int_eq(wait_for_cancel().error_class, BO_CLASS_PROTOCOL);
}
END_TEST

START_TEST(a_line_without_end_is_not_kept_for_ever) {
  start("");
  char piece[4096];
  memset(piece, 'x', sizeof(piece));
  (void)fcntl(to_runner[1], F_SETFL, O_NONBLOCK);
  for (;;) {
    (void)pthread_mutex_lock(&lock);
    bool cancelled = cancels > 0;
    (void)pthread_mutex_unlock(&lock);
    if (cancelled) break;
    if (write(to_runner[1], piece, sizeof(piece)) < 0) ck_assert_int_eq(errno, EAGAIN);
  }
}
END_TEST

START_TEST(lines_come_in_pieces_and_several_at_once) {
  struct bo_error error = BO_ERROR_INIT;
  start("\n{\"type\":\"com"); /* what was read behind the document */
  say("mit\",\"gran");
  say("ted\":true}\n\n{\"type\":\"cancel\"}\n{\"type\":\"can");
  error = wait_for_cancel();
  ck_assert_str_eq(error.text, "cancelled");
}
END_TEST

START_TEST(without_an_owner_all_is_granted) {
  struct bo_error error = BO_ERROR_INIT;
  owner.in_fd = -1;
  start("");
  ck_assert_int_eq(ask(LONG_MS, &error), BO_OK);
  ck_assert_int_eq(kill(getpid(), SIGTERM), 0); /* but it can be ended */
  ck_assert_int_eq(wait_for_cancel().error_class, BO_CLASS_CANCELLED);
}
END_TEST

/* Progress that nobody reads must not hold up the data; and no line may be cut, or the next could not be told. */
START_TEST(a_full_pipe_drops_whole_lines) {
  static const char line[] = "{\"type\":\"progress\",\"plainBytes\":1,\"storedBytes\":2}";
  for (int i = 0; i < 5000; i++)
    bo_owner_send(&owner, line, false);
  (void)close(from_runner[1]);
  from_runner[1] = -1;
  BO_CLEANUP_BUFFER struct bo_buffer got = BO_BUFFER_INIT;
  ck_assert_int_eq(bo_read_to_end(from_runner[0], SIZE_MAX / 2, &got, NULL), BO_OK);
  size_t count = got.size / sizeof(line);
  ck_assert(count > 100 && count < 5000);
  ck_assert_uint_eq(got.size, count * sizeof(line));
  for (size_t i = 0; i < count; i++) {
    ck_assert_mem_eq(got.bytes + i * sizeof(line), line, sizeof(line) - 1);
    ck_assert_int_eq(got.bytes[(i + 1) * sizeof(line) - 1], '\n');
  }
}
END_TEST

static void *read_slowly(void *argument) {
  struct bo_buffer *got = argument;
  struct timespec pause = {.tv_nsec = 200000000};
  (void)nanosleep(&pause, NULL);
  (void)bo_read_to_end(from_runner[0], SIZE_MAX / 2, got, NULL);
  return NULL;
}

START_TEST(an_important_line_waits_for_a_slow_reader) {
  static char line[300000];
  memset(line, 'x', sizeof(line) - 1);
  BO_CLEANUP_BUFFER struct bo_buffer got = BO_BUFFER_INIT;
  pthread_t reader;
  ck_assert_int_eq(pthread_create(&reader, NULL, read_slowly, &got), 0);
  bo_owner_send(&owner, line, true);
  (void)close(from_runner[1]);
  from_runner[1] = -1;
  ck_assert_int_eq(pthread_join(reader, NULL), 0);
  ck_assert_uint_eq(got.size, sizeof(line)); /* with its newline */
}
END_TEST

START_TEST(a_reader_that_is_gone_is_no_hindrance) {
  (void)close(from_runner[0]);
  from_runner[0] = -1;
  uint64_t begin_ms = bo_monotonic_ms();
  bo_owner_send(&owner, "{\"type\":\"result\"}", true);
  ck_assert(bo_monotonic_ms() - begin_ms < 5000);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("owner");
  TCase *tests = tcase_create("owner");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, a_commit_is_asked_for_and_granted);
  tcase_add_loop_test(tests, a_commit_is_refused, 0, 4);
  tcase_add_test(tests, no_answer_is_no_permission);
  tcase_add_test(tests, an_owner_that_goes_away_cancels_and_permits_nothing);
  tcase_add_test(tests, a_cancel_has_its_reason_and_permits_nothing);
  tcase_add_loop_test(tests, a_signal_cancels, 0, 2);
  tcase_add_loop_test(tests, a_line_that_is_neither_ends_the_run, 0, 6);
  tcase_add_test(tests, a_line_without_end_is_not_kept_for_ever);
  tcase_add_test(tests, lines_come_in_pieces_and_several_at_once);
  tcase_add_test(tests, without_an_owner_all_is_granted);
  tcase_add_test(tests, a_full_pipe_drops_whole_lines);
  tcase_add_test(tests, an_important_line_waits_for_a_slow_reader);
  tcase_add_test(tests, a_reader_that_is_gone_is_no_hindrance);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
