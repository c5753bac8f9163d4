/* The chain's promises, with stages made for it: an end is clean only when every stage before has succeeded, the first
 * failure wins, and one stage's failure ends all the others, whatever they wait for. */
#include "core/pipeline/chain.h"

#include "core/base/clock.h"
#include "tests/support/unit.h"

#define PIECE 1000
#define LONG_MS 60000

/* What a stage does. The pieces are counted in its own thread. */
enum behaviour {
  WORK,          /* source: gives `pieces` pieces; others: pass them on, or take them */
  FAIL_AT_ONCE,  /* before it has touched its rings */
  FAIL_AT_END,   /* when everything has passed */
  FAIL_SILENTLY, /* without a text, after the first piece */
  WAIT           /* for its cancellation */
};

struct test_stage {
  struct bo_stage stage;
  enum behaviour behaviour;
  unsigned pieces; /* source: to give; others: seen */
  int end;         /* what the last bo_ring_next answered */
  atomic_bool cancelled;
  atomic_uint cancel_calls;
};

static struct bo_chain chain;
static struct test_stage stages[BO_CHAIN_MAX_STAGES];

static int say(struct bo_error *error, const char *text) {
  return bo_error_set(error, BO_CLASS_IO, 0, "%s", text);
}

static int give(struct test_stage *self) {
  for (unsigned i = 0; i < self->pieces; i++) {
    unsigned char *slot = NULL;
    if (!bo_ring_reserve(self->stage.out, &slot)) return BO_ERROR;
    memset(slot, 'x', PIECE);
    bo_ring_publish(self->stage.out, PIECE);
    if (self->behaviour == FAIL_SILENTLY) return BO_ERROR;
  }
  return BO_OK;
}

static int take(struct test_stage *self) {
  const unsigned char *bytes = NULL;
  size_t size = 0;
  for (; (self->end = bo_ring_next(self->stage.in, &bytes, &size)) == BO_OK; self->pieces++) {
    unsigned char *slot = NULL;
    if (self->stage.out != NULL && !bo_ring_reserve(self->stage.out, &slot)) return BO_ERROR;
    if (slot != NULL) {
      memcpy(slot, bytes, size);
      bo_ring_publish(self->stage.out, size);
    }
    bo_ring_release(self->stage.in);
    if (self->behaviour == FAIL_SILENTLY) return BO_ERROR;
  }
  return self->end == BO_DONE ? BO_OK : BO_ERROR;
}

static int run(struct bo_stage *stage, struct bo_error *error) {
  struct test_stage *self = (struct test_stage *)stage;
  if (self->behaviour == FAIL_AT_ONCE) return say(error, "at once");
  while (self->behaviour == WAIT && !atomic_load(&self->cancelled)) {
    struct timespec pause = {.tv_nsec = 1000000};
    (void)nanosleep(&pause, NULL);
  }
  if (self->behaviour == WAIT) return bo_error_set(error, BO_CLASS_CANCELLED, 0, "cancelled");
  int result = stage->in == NULL ? give(self) : take(self);
  if (result == BO_OK && self->behaviour == FAIL_AT_END) return say(error, "at the end");
  return result;
}

static void cancel(struct bo_stage *stage) {
  struct test_stage *self = (struct test_stage *)stage;
  (void)atomic_fetch_add(&self->cancel_calls, 1);
  atomic_store(&self->cancelled, true);
}

/* A chain of `count` stages, named "0", "1", ..., that work; the source gives `pieces`. */
static void build(unsigned count, unsigned pieces) {
  static const char *const names[] = {"0", "1", "2", "3"};
  bo_chain_init(&chain);
  for (unsigned i = 0; i < count; i++) {
    stages[i] = (struct test_stage){.stage = {.name = names[i], .run = run, .cancel = cancel}, .end = -1};
    bo_chain_add(&chain, &stages[i].stage);
  }
  stages[0].pieces = pieces;
}

static void start(void) {
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_chain_start(&chain, &error), BO_OK);
}

static void wait_for_all(void) {
  while (!bo_chain_wait(&chain, LONG_MS)) {
  }
}

/* It has failed, by `stage`, and said `text`. */
static void check_failure(const char *stage, const char *text) {
  struct bo_error error = BO_ERROR_INIT;
  const char *name = NULL;
  ck_assert(bo_chain_has_failed(&chain, &error, &name));
  ck_assert_str_eq(name, stage);
  ck_assert_ptr_nonnull(strstr(error.text, text));
}

START_TEST(everything_passes_and_ends_cleanly) {
  build((unsigned)_i, 1000);
  start();
  wait_for_all();
  ck_assert(!bo_chain_has_failed(&chain, NULL, NULL));
  for (int i = 1; i < _i; i++) {
    ck_assert_uint_eq(stages[i].pieces, 1000);
    ck_assert_int_eq(stages[i].end, BO_DONE);
    ck_assert_uint_eq(atomic_load(&stages[i].cancel_calls), 0);
  }
  bo_chain_destroy(&chain);
}
END_TEST

START_TEST(nothing_at_all_ends_cleanly) {
  build(3, 0);
  start();
  wait_for_all();
  ck_assert(!bo_chain_has_failed(&chain, NULL, NULL));
  ck_assert_int_eq(stages[2].end, BO_DONE);
  bo_chain_destroy(&chain);
}
END_TEST

/* Also a stage that fails when all of its output is published: the sink must not see an end. */
START_TEST(a_stage_that_fails_lets_nobody_after_it_see_an_end) {
  static const enum behaviour behaviours[] = {FAIL_AT_ONCE, FAIL_AT_END, FAIL_SILENTLY};
  static const char *const texts[] = {"at once", "at the end", "without saying why"};
  unsigned failing = (unsigned)_i / 3;
  build(4, 1000);
  stages[failing].behaviour = behaviours[_i % 3];
  start();
  wait_for_all();
  check_failure(stages[failing].stage.name, texts[_i % 3]);
  for (unsigned i = failing + 1; i < 4; i++)
    ck_assert_int_ne(stages[i].end, BO_DONE);
  for (unsigned i = 0; i < 4; i++)
    ck_assert_uint_eq(atomic_load(&stages[i].cancel_calls), 1);
  bo_chain_destroy(&chain);
}
END_TEST

START_TEST(a_failure_ends_stages_that_wait_for_something_else) {
  build(4, 1000);
  stages[0].behaviour = WAIT;
  stages[2].behaviour = WAIT;
  stages[3].behaviour = FAIL_AT_ONCE;
  start();
  wait_for_all();
  check_failure("3", "at once");
  bo_chain_destroy(&chain);
}
END_TEST

START_TEST(a_failure_from_outside_ends_all_and_keeps_its_words) {
  build(3, UINT32_MAX);
  stages[2].behaviour = WAIT;
  start();
  ck_assert(!bo_chain_wait(&chain, 50));
  ck_assert(!bo_chain_has_failed(&chain, NULL, NULL));
  struct bo_error error = BO_ERROR_INIT;
  (void)bo_error_set(&error, BO_CLASS_TIMEOUT, 0, "the deadline");
  bo_chain_fail(&chain, "clock", &error);
  (void)bo_error_set(&error, BO_CLASS_CANCELLED, 0, "a second one");
  bo_chain_fail(&chain, "owner", &error);
  wait_for_all();
  check_failure("clock", "the deadline");
  for (unsigned i = 0; i < 3; i++)
    ck_assert_uint_eq(atomic_load(&stages[i].cancel_calls), 1);
  bo_chain_destroy(&chain);
}
END_TEST

/* Who watches must hear of a failure at once, to end the command; not only when all have returned. */
static void ignore_cancel(struct bo_stage *stage) {
  (void)stage;
}

START_TEST(a_wait_returns_when_the_chain_fails) {
  build(2, 0);
  stages[0].behaviour = WAIT;
  stages[0].stage.cancel = ignore_cancel;
  stages[1].behaviour = FAIL_AT_ONCE;
  start();
  uint64_t begin_ms = bo_monotonic_ms();
  while (!bo_chain_has_failed(&chain, NULL, NULL))
    ck_assert(!bo_chain_wait(&chain, LONG_MS));
  ck_assert(bo_monotonic_ms() - begin_ms < LONG_MS / 2);
  ck_assert(!bo_chain_wait(&chain, 10)); /* one is still out */
  cancel(&stages[0].stage);
  wait_for_all();
  check_failure("1", "at once");
  bo_chain_destroy(&chain);
}
END_TEST

START_TEST(a_stage_stuck_in_its_plugin_is_named) {
  struct bo_error error = BO_ERROR_INIT;
  struct bo_plugin_host host;
  ck_assert_int_eq(bo_plugin_host_init(&host, NULL, "storage-test", &error), BO_OK);
  build(2, 0);
  stages[1].behaviour = WAIT;
  stages[1].stage.host = &host;
  start();
  const char *function = NULL;
  ck_assert_ptr_null(bo_chain_stuck_stage(&chain, 0, &function)); /* in no call */
  bo_plugin_host_enter(&host, "put_write");
  ck_assert(!bo_chain_wait(&chain, 30));
  ck_assert_ptr_null(bo_chain_stuck_stage(&chain, LONG_MS, &function));
  ck_assert_ptr_eq(bo_chain_stuck_stage(&chain, 10, &function), &stages[1].stage);
  ck_assert_str_eq(function, "put_write");
  cancel(&stages[1].stage);
  wait_for_all();
  ck_assert_ptr_null(bo_chain_stuck_stage(&chain, 10, &function)); /* it has returned */
  bo_plugin_host_leave(&host);
  bo_chain_destroy(&chain);
  bo_plugin_host_destroy(&host);
}
END_TEST

/* Two stages and an outsider fail in the same moment, again and again: one of them wins, whole. */
START_TEST(of_failures_at_the_same_moment_one_wins) {
  for (int round = 0; round < 100; round++) {
    build(3, 5);
    stages[0].behaviour = FAIL_AT_ONCE;
    stages[2].behaviour = FAIL_AT_ONCE;
    start();
    struct bo_error error = BO_ERROR_INIT;
    (void)bo_error_set(&error, BO_CLASS_CANCELLED, 0, "from outside");
    bo_chain_fail(&chain, "owner", &error);
    wait_for_all();
    const char *name = NULL;
    ck_assert(bo_chain_has_failed(&chain, &error, &name));
    ck_assert_str_eq(error.text, strcmp(name, "owner") == 0 ? "from outside" : "at once");
    bo_chain_destroy(&chain);
  }
}
END_TEST

START_TEST(a_meter_counts_and_hashes) {
  struct bo_error error = BO_ERROR_INIT;
  struct bo_meter meter;
  ck_assert_int_eq(bo_meter_open(&meter, true, &error), BO_OK);
  ck_assert_int_eq(bo_meter_add(&meter, "ab", 2, &error), BO_OK);
  ck_assert_str_eq(meter.sha256_text, "");
  ck_assert_int_eq(bo_meter_add(&meter, "c", 1, &error), BO_OK);
  ck_assert_int_eq(bo_meter_finish(&meter, &error), BO_OK);
  ck_assert_uint_eq(atomic_load(&meter.bytes), 3);
  ck_assert_str_eq(meter.sha256_text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  bo_meter_close(&meter);
  ck_assert_int_eq(bo_meter_open(&meter, false, &error), BO_OK);
  ck_assert_int_eq(bo_meter_add(&meter, "abc", 3, &error), BO_OK);
  ck_assert_int_eq(bo_meter_finish(&meter, &error), BO_OK);
  ck_assert_uint_eq(atomic_load(&meter.bytes), 3);
  ck_assert_str_eq(meter.sha256_text, "");
  bo_meter_close(&meter);
}
END_TEST

/* The loop of every sink: what was published before a failure is not the whole, and the meter says no hash. */
static int take_nothing(void *context, const unsigned char *bytes, size_t size, struct bo_error *error) {
  (void)bytes;
  (void)error;
  *(size_t *)context += size;
  return BO_OK;
}

START_TEST(a_drained_ring_that_has_failed_is_no_end) {
  for (int failing = 0; failing <= 1; failing++) {
    struct bo_ring ring;
    struct bo_meter meter;
    struct bo_error error = BO_ERROR_INIT;
    struct bo_stage stage = {.name = "sink", .in = &ring};
    unsigned char *slot = NULL;
    size_t taken = 0;
    ck_assert_int_eq(bo_ring_init(&ring, &error), BO_OK);
    ck_assert_int_eq(bo_meter_open(&meter, true, &error), BO_OK);
    ck_assert(bo_ring_reserve(&ring, &slot));
    memcpy(slot, "abc", 3);
    bo_ring_publish(&ring, 3);
    bo_ring_end(&ring);
    if (failing) bo_ring_fail(&ring);
    ck_assert_int_eq(bo_stage_drain(&stage, &meter, take_nothing, &taken, &error), failing ? BO_ERROR : BO_OK);
    ck_assert_uint_eq(taken, failing ? 0 : 3);
    ck_assert_str_eq(meter.sha256_text,
                     failing ? "" : "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    bo_meter_close(&meter);
    bo_ring_destroy(&ring);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("chain");
  TCase *tests = tcase_create("chain");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, everything_passes_and_ends_cleanly, 2, BO_CHAIN_MAX_STAGES + 1);
  tcase_add_test(tests, a_drained_ring_that_has_failed_is_no_end);
  tcase_add_test(tests, nothing_at_all_ends_cleanly);
  tcase_add_loop_test(tests, a_stage_that_fails_lets_nobody_after_it_see_an_end, 0, 12);
  tcase_add_test(tests, a_failure_ends_stages_that_wait_for_something_else);
  tcase_add_test(tests, a_failure_from_outside_ends_all_and_keeps_its_words);
  tcase_add_test(tests, a_wait_returns_when_the_chain_fails);
  tcase_add_test(tests, a_stage_stuck_in_its_plugin_is_named);
  tcase_add_test(tests, of_failures_at_the_same_moment_one_wins);
  tcase_add_test(tests, a_meter_counts_and_hashes);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
