/* tests/test_faults.c - a server that breaks off, stalls and refuses (faulty_server.c); cancelling; memory. */
#include "rig.h"

/* ---- a server that goes wrong ---- */

/* Types of requests (wire.h): 5 is a read, 6 a write, 200 an extension: a sync, or the rename of a commit. */

static void a_lost_answer_to_the_commit_is_resolved(void) {
  void *storage = open_storage();
  struct bo_object object;
  /* The requests of type EXTENDED in a commit: syncs of record, data and folder, and then the rename. */
  for (int number = 1; number <= 6; number++) {
    char lines[64];
    OK(store_text(storage, "k", "old"));
    rig.ops->close(storage);
    (void)snprintf(lines, sizeof(lines), "lose-answer 200 %d\n", number);
    set_faults(lines);
    storage = open_storage();
    int result = store_bytes(storage, "k", "new!", 4, &object);
    set_faults("");
    rig.ops->close(storage);
    storage = open_storage();
    if (result == BO_OK || rig.error.error_class == BO_CLASS_UNDECIDED)
      CHECK(reads_as(storage, "k", "new!"));
    else
      CHECK(reads_as(storage, "k", "old") && rig.error.error_class == BO_CLASS_NETWORK);
    OK(stat_object(storage, "k", &object));
    CHECK(object.metadata_count == 2 && left_of_puts() == 0);
  }
  close_storage(storage);
}

static void a_lost_commit_leaves_nothing(void) {
  void *storage = NULL;
  struct bo_object object;
  bool saw_the_rename = false;
  for (int number = 1; number <= 6; number++) {
    char lines[64];
    (void)snprintf(lines, sizeof(lines), "lose-request 200 %d\n", number);
    set_faults(lines);
    storage = open_storage();
    int result = store_bytes(storage, "deep/k", "new!", 4, &object);
    set_faults("");
    if (result == BO_OK || rig.error.error_class == BO_CLASS_UNDECIDED) {
      CHECK(reads_as(storage, "deep/k", "new!"));
      OK(rig.ops->remove(storage, "deep/k", NULL, &rig.error));
    } else {
      CHECK(result == BO_RETRY && rig.error.error_class == BO_CLASS_NETWORK);
      FAILS(stat_object(storage, "deep/k", &object), BO_CLASS_NOT_FOUND);
      saw_the_rename = true;
    }
    CHECK(left_of_puts() == 0 && records() == 0);
    close_storage(storage);
  }
  CHECK(saw_the_rename);
}

static void a_commit_that_nobody_can_tell_of_is_undecided(void) {
  struct bo_object object;
  bool undecided = false;
  void *storage = open_storage();
  OK(store_text(storage, "first", "text"));
  rig.ops->close(storage);
  /* The requests of type EXTENDED: syncs of record, data and folder, the rename, and a sync again. */
  for (int number = 1; number <= 5; number++) {
    char lines[64];
    (void)snprintf(lines, sizeof(lines), "lose-answer 200 %d\nrefuse\nrefuse\nrefuse\nrefuse\n", number);
    set_faults(lines);
    storage = open_storage();
    int result = store_bytes(storage, "k", "new!", 4, &object);
    CHECK(result != BO_OK);
    bool exists = is_on_disk("k");
    CHECK(!exists || rig.error.error_class == BO_CLASS_UNDECIDED);
    undecided |= exists && says("may exist");
    set_faults("");
    rig.ops->close(storage);
    (void)unlink(on_disk("k"));
  }
  CHECK(undecided);
}

static void a_connection_that_breaks_in_mid_put_is_an_error(void) {
  unsigned char block[65536] = {1};
  struct bo_token token;
  void *put = NULL;
  set_faults("lose-request 6 20\n");
  void *storage = open_storage();
  OK(put_open(storage, "k", &token, &put));
  int result = BO_OK;
  for (int i = 0; i < 100 && result == BO_OK; i++)
    result = rig.ops->put_write(put, block, sizeof(block), &rig.error);
  CHECK(result == BO_RETRY && rig.error.error_class == BO_CLASS_NETWORK);
  FAILS(rig.ops->put_write(put, block, 1, &rig.error), BO_CLASS_INTERNAL);
  OK(rig.ops->put_close(put, &rig.error)); /* over a new connection */
  CHECK(left_of_puts() == 0);
  OK(store_text(storage, "k", "again"));
  close_storage(storage);
}

static void a_refused_write_is_an_error(void) {
  struct bo_object object;
  set_faults("fail 6 3\n"); /* the first is the record's */
  void *storage = open_storage();
  unsigned char *bytes = calloc(1, 1 << 20);
  FAILS(store_bytes(storage, "k", bytes, 1 << 20, &object), BO_CLASS_IO);
  free(bytes);
  FAILS(stat_object(storage, "k", &object), BO_CLASS_NOT_FOUND);
  CHECK(left_of_puts() == 0 && records() == 0);
  close_storage(storage);
}

static void a_connection_that_breaks_is_never_an_end(void) {
  unsigned char *bytes = calloc(1, 4 << 20);
  struct bo_object object;
  size_t size = 0;
  void *storage = open_storage();
  OK(store_bytes(storage, "k", bytes, 2 << 20, &object));
  rig.ops->close(storage);
  for (int number = 2; number < 60; number += 13) {
    char lines[64];
    (void)snprintf(lines, sizeof(lines), "lose-answer 5 %d\n", number);
    set_faults(lines);
    storage = open_storage();
    CHECK(read_bytes(storage, "k", 0, NULL, bytes, 4 << 20, &size) == BO_RETRY);
    CHECK(rig.error.error_class == BO_CLASS_NETWORK && size < 2 << 20);
    rig.ops->close(storage);
  }
  free(bytes);
}

static void answers_may_be_short_and_out_of_order(void) {
  enum { SIZE = 1 << 20 };
  static const char *const faults[] = {"short 5 2\n", "short 5 9\n", "swap 5 3\n", "swap 6 5\n"};
  unsigned char *bytes = malloc(SIZE);
  unsigned char *copy = malloc(SIZE + 1);
  for (uint32_t i = 0, x = 7; i < SIZE; i++)
    bytes[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
  for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
    struct bo_object object;
    size_t size = 0;
    set_faults(faults[i]);
    void *storage = open_storage();
    OK(store_bytes(storage, "k", bytes, SIZE, &object));
    OK(read_bytes(storage, "k", 0, NULL, copy, SIZE + 1, &size));
    CHECK(size == SIZE && memcmp(bytes, copy, SIZE) == 0);
    rig.ops->close(storage);
  }
  free(bytes);
  free(copy);
}

static void a_server_without_extensions_stores_but_does_not_replace(void) {
  set_faults("plain\n");
  void *storage = open_storage();
  struct bo_object object;
  OK(rig.ops->probe(storage, BO_PROBE_READ | BO_PROBE_WRITE, &rig.error));
  OK(store_text(storage, "k", "one"));
  CHECK(store_bytes(storage, "k", "two", 3, &object) == BO_ERROR && says("posix-rename"));
  CHECK(reads_as(storage, "k", "one") && left_of_puts() == 0 && records() == 1);
  close_storage(storage);
}

/* ---- time, cancelling, memory ---- */

static uint64_t now_ms(void) {
  return host_monotonic_ns(NULL) / 1000000;
}

static void a_silent_server_is_a_timeout(void) {
  struct bo_object object;
  set_faults("stall 6 2\n");
  void *storage = NULL;
  const struct setting changed[] = {{"timeout", "1"}, {NULL, NULL}};
  OK(try_open(&storage, changed));
  uint64_t begin = now_ms();
  CHECK(store_bytes(storage, "k", "new", 3, &object) == BO_RETRY);
  CHECK(rig.error.error_class == BO_CLASS_TIMEOUT && now_ms() - begin < 20000);
  CHECK(left_of_puts() == 0); /* removed over a new connection */
  close_storage(storage);
}

static void *cancel_soon(void *storage) {
  (void)usleep(300000);
  if (storage != NULL)
    rig.ops->cancel(storage);
  else
    atomic_store(&rig.cancelled, true); /* the host's flag alone */
  return NULL;
}

static void cancelling_ends_a_wait(bool by_flag) {
  struct bo_object object;
  pthread_t thread;
  set_faults("stall 6 2\n");
  void *storage = open_storage();
  CHECK(pthread_create(&thread, NULL, cancel_soon, by_flag ? NULL : storage) == 0);
  uint64_t begin = now_ms();
  FAILS(store_bytes(storage, "k", "new", 3, &object), BO_CLASS_CANCELLED);
  CHECK(now_ms() - begin < 10000); /* the timeout is 30 s */
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(left_of_puts() == 0);
  FAILS(stat_object(storage, "k", &object), BO_CLASS_CANCELLED);
  OK(rig.ops->discard(storage, "k", "0123456789abcdef0123456789abcdef", &rig.error));
  close_storage(storage);
}

static void cancel_ends_a_wait(void) {
  cancelling_ends_a_wait(false);
}

static void the_hosts_flag_ends_a_wait(void) {
  cancelling_ends_a_wait(true);
}

static void every_refused_allocation_is_an_error(void) {
  long total = 0;
  for (long at = 1; at < 1000; at++) {
    struct bo_object object;
    struct bo_object found;
    unsigned char bytes[64];
    size_t size = 0;
    void *storage = NULL;
    atomic_store(&rig.allocations, 0);
    atomic_store(&rig.fail_at, at);
    int result = try_open(&storage, NULL);
    if (result == BO_OK) {
      result = store_bytes(storage, "k", "text", 4, &object);
      if (result == BO_OK) result = read_bytes(storage, "k", 0, NULL, bytes, sizeof(bytes), &size);
      atomic_store(&rig.fail_at, 0);
      (void)stat_object(storage, "k", &found);
      rig.ops->close(storage);
    }
    CHECK(atomic_load(&rig.live) == 0);
    CHECK(left_of_puts() == 0);
    CHECK(result == BO_OK || rig.error.text[0] != '\0');
    total = atomic_load(&rig.allocations);
    if (at > total) break;
  }
  CHECK(total > 10);
}

/* ---- all of them ---- */

static const struct test_case cases[] = {
    CASE(a_lost_answer_to_the_commit_is_resolved),
    CASE(a_lost_commit_leaves_nothing),
    CASE(a_commit_that_nobody_can_tell_of_is_undecided),
    CASE(a_connection_that_breaks_in_mid_put_is_an_error),
    CASE(a_refused_write_is_an_error),
    CASE(a_connection_that_breaks_is_never_an_end),
    CASE(answers_may_be_short_and_out_of_order),
    CASE(a_server_without_extensions_stores_but_does_not_replace),
    CASE(a_silent_server_is_a_timeout),
    CASE(cancel_ends_a_wait),
    CASE(the_hosts_flag_ends_a_wait),
    CASE(every_refused_allocation_is_an_error),
};

int main(int argc, char **argv) {
  return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
