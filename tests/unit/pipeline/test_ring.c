/* The ring between two threads: order, bounds, and that a failure and an end are never taken for each other. */
#include "core/pipeline/ring.h"

#include <stdatomic.h>

#include "core/base/clock.h"
#include "tests/support/unit.h"

static struct bo_ring ring;

static void setup(void) {
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_ring_init(&ring, &error), BO_OK);
}

static void teardown(void) {
  bo_ring_destroy(&ring);
}

static void publish(unsigned char first, size_t size) {
  unsigned char *slot = NULL;
  ck_assert(bo_ring_reserve(&ring, &slot));
  memset(slot, first, size);
  bo_ring_publish(&ring, size);
}

/* A thread that sits in one blocking call, and what that answered. */
struct caller {
  pthread_t thread;
  atomic_bool returned;
  int result;
};

static void *call_next(void *argument) {
  struct caller *caller = argument;
  const unsigned char *bytes = NULL;
  size_t size = 0;
  caller->result = bo_ring_next(&ring, &bytes, &size);
  atomic_store(&caller->returned, true);
  return NULL;
}

static void *call_reserve(void *argument) {
  struct caller *caller = argument;
  unsigned char *slot = NULL;
  caller->result = bo_ring_reserve(&ring, &slot) ? BO_OK : BO_ERROR;
  atomic_store(&caller->returned, true);
  return NULL;
}

/* Starts it and lets it come to its wait. That it does wait can only be seen by its not returning. */
static void start_blocked(struct caller *caller, void *(*call)(void *)) {
  *caller = (struct caller){.result = -1};
  ck_assert_int_eq(pthread_create(&caller->thread, NULL, call, caller), 0);
  struct timespec pause = {.tv_nsec = 30000000};
  (void)nanosleep(&pause, NULL);
  ck_assert(!atomic_load(&caller->returned));
}

static int join(struct caller *caller) {
  ck_assert_int_eq(pthread_join(caller->thread, NULL), 0);
  return caller->result;
}

START_TEST(an_end_comes_after_all_bytes_and_stays) {
  publish('a', 1);
  publish('b', BO_RING_SLOT_BYTES);
  bo_ring_end(&ring);
  const unsigned char *bytes = NULL;
  size_t size = 0;
  ck_assert_int_eq(bo_ring_next(&ring, &bytes, &size), BO_OK);
  ck_assert_uint_eq(size, 1);
  ck_assert_uint_eq(bytes[0], 'a');
  ck_assert_int_eq(bo_ring_next(&ring, &bytes, &size), BO_OK); /* not released: the same again */
  ck_assert_uint_eq(bytes[0], 'a');
  bo_ring_release(&ring);
  ck_assert_int_eq(bo_ring_next(&ring, &bytes, &size), BO_OK);
  ck_assert_uint_eq(size, BO_RING_SLOT_BYTES);
  ck_assert_uint_eq(bytes[size - 1], 'b');
  bo_ring_release(&ring);
  ck_assert_int_eq(bo_ring_next(&ring, &bytes, &size), BO_DONE);
  ck_assert_int_eq(bo_ring_next(&ring, &bytes, &size), BO_DONE);
}
END_TEST

START_TEST(a_failure_hides_bytes_and_end) {
  publish('a', 1);
  bo_ring_end(&ring);
  bo_ring_fail(&ring);
  const unsigned char *bytes = NULL;
  size_t size = 0;
  ck_assert_int_eq(bo_ring_next(&ring, &bytes, &size), BO_ERROR);
  ck_assert_int_eq(bo_ring_next(&ring, &bytes, &size), BO_ERROR);
}
END_TEST

START_TEST(a_failure_refuses_the_writer) {
  bo_ring_fail(&ring);
  unsigned char *slot = NULL;
  ck_assert(!bo_ring_reserve(&ring, &slot));
}
END_TEST

START_TEST(a_slot_reserved_again_is_the_same) {
  unsigned char *first = NULL, *second = NULL;
  ck_assert(bo_ring_reserve(&ring, &first));
  ck_assert(bo_ring_reserve(&ring, &second));
  ck_assert_ptr_eq(first, second);
  bo_ring_publish(&ring, 1);
  ck_assert(bo_ring_reserve(&ring, &second));
  ck_assert_ptr_ne(first, second);
}
END_TEST

START_TEST(a_waiting_reader_is_woken_by_bytes) {
  struct caller reader;
  start_blocked(&reader, call_next);
  publish('a', 1);
  ck_assert_int_eq(join(&reader), BO_OK);
}
END_TEST

START_TEST(a_waiting_reader_is_woken_by_the_end) {
  struct caller reader;
  start_blocked(&reader, call_next);
  bo_ring_end(&ring);
  ck_assert_int_eq(join(&reader), BO_DONE);
}
END_TEST

START_TEST(a_waiting_reader_is_woken_by_a_failure) {
  struct caller reader;
  start_blocked(&reader, call_next);
  bo_ring_fail(&ring);
  ck_assert_int_eq(join(&reader), BO_ERROR);
}
END_TEST

START_TEST(a_writer_waits_when_all_slots_are_full) {
  for (int i = 0; i < BO_RING_SLOTS; i++)
    publish('a', 1);
  struct caller writer;
  start_blocked(&writer, call_reserve);
  bo_ring_release(&ring);
  ck_assert_int_eq(join(&writer), BO_OK);
}
END_TEST

START_TEST(a_waiting_writer_is_woken_by_a_failure) {
  for (int i = 0; i < BO_RING_SLOTS; i++)
    publish('a', 1);
  struct caller writer;
  start_blocked(&writer, call_reserve);
  bo_ring_fail(&ring);
  ck_assert_int_eq(join(&writer), BO_ERROR);
}
END_TEST

/* ---- many bytes, in pieces of every size ---- */

#define PIECES 3000

static size_t piece_size(unsigned i) {
  return i % 7 == 0 ? BO_RING_SLOT_BYTES : 1 + (size_t)i * 7919 % 997;
}

static void *write_pieces(void *argument) {
  (void)argument;
  for (unsigned i = 0; i < PIECES; i++) {
    unsigned char *slot = NULL;
    if (!bo_ring_reserve(&ring, &slot)) return NULL;
    size_t size = piece_size(i);
    slot[0] = (unsigned char)i;
    slot[size - 1] = (unsigned char)i;
    bo_ring_publish(&ring, size);
  }
  bo_ring_end(&ring);
  return NULL;
}

START_TEST(pieces_come_in_order_and_whole) {
  pthread_t writer;
  ck_assert_int_eq(pthread_create(&writer, NULL, write_pieces, NULL), 0);
  unsigned got = 0;
  const unsigned char *bytes = NULL;
  size_t size = 0;
  for (; bo_ring_next(&ring, &bytes, &size) == BO_OK; got++) {
    ck_assert_uint_eq(size, piece_size(got));
    ck_assert_uint_eq(bytes[0], got % 256);
    ck_assert_uint_eq(bytes[size - 1], got % 256);
    bo_ring_release(&ring);
  }
  ck_assert_uint_eq(got, PIECES);
  ck_assert_int_eq(bo_ring_next(&ring, &bytes, &size), BO_DONE);
  ck_assert_int_eq(pthread_join(writer, NULL), 0);
}
END_TEST

/* A third thread fails the ring at some moment: the reader gets whole pieces, then the failure, never an end. */
START_TEST(a_failure_in_the_middle_is_no_end) {
  pthread_t writer;
  ck_assert_int_eq(pthread_create(&writer, NULL, write_pieces, NULL), 0);
  const unsigned char *bytes = NULL;
  size_t size = 0;
  for (int i = 0; i < _i; i++) {
    ck_assert_int_eq(bo_ring_next(&ring, &bytes, &size), BO_OK);
    bo_ring_release(&ring);
  }
  bo_ring_fail(&ring);
  ck_assert_int_eq(bo_ring_next(&ring, &bytes, &size), BO_ERROR);
  ck_assert_int_eq(pthread_join(writer, NULL), 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("ring");
  TCase *tests = tcase_create("ring");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, an_end_comes_after_all_bytes_and_stays);
  tcase_add_test(tests, a_failure_hides_bytes_and_end);
  tcase_add_test(tests, a_failure_refuses_the_writer);
  tcase_add_test(tests, a_slot_reserved_again_is_the_same);
  tcase_add_test(tests, a_waiting_reader_is_woken_by_bytes);
  tcase_add_test(tests, a_waiting_reader_is_woken_by_the_end);
  tcase_add_test(tests, a_waiting_reader_is_woken_by_a_failure);
  tcase_add_test(tests, a_writer_waits_when_all_slots_are_full);
  tcase_add_test(tests, a_waiting_writer_is_woken_by_a_failure);
  tcase_add_test(tests, pieces_come_in_order_and_whole);
  tcase_add_loop_test(tests, a_failure_in_the_middle_is_no_end, 0, 20);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
