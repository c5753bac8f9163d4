/*
 * tests/support/fake_host.h - a host for the tests of plugins, which counts what it gives and fails when told to.
 *
 *   struct fake_host fake;
 *   const struct bo_host *host = fake_host_open(&fake);
 *   ... open, use and close the plugin's instance ...
 *   fake_host_close(&fake);        fails the test when memory is still out
 *
 * Thread-safe, as a host must be. To fail the N-th allocation from now on: fake_host_fail_at(&fake, N).
 */
#ifndef BO_TESTS_FAKE_HOST_H
#define BO_TESTS_FAKE_HOST_H

#include <backup-operator/abi.h>
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

struct fake_host {
  struct bo_host host;
  atomic_long allocations; /* calls of alloc and realloc that were asked so far */
  atomic_long live;        /* blocks that are out */
  atomic_long fail_at;     /* this allocation, counted by `allocations`, gives NULL; 0: none */
  atomic_bool cancelled;   /* what cancelled() and sleep_ms() answer */
  atomic_bool no_random;   /* random() fails */
  pthread_mutex_t log_lock;
  size_t log_size;
  char log[16384]; /* every logged text, each followed by a newline; the rest is dropped when full */
};

static inline bool fake_host_refuses_(struct fake_host *fake) {
  return atomic_fetch_add(&fake->allocations, 1) + 1 == atomic_load(&fake->fail_at);
}

static inline void *fake_host_alloc_(void *context, size_t size) {
  struct fake_host *fake = context;
  if (fake_host_refuses_(fake)) return NULL;
  void *memory = malloc(size == 0 ? 1 : size);
  if (memory != NULL) atomic_fetch_add(&fake->live, 1);
  return memory;
}

static inline void *fake_host_realloc_(void *context, void *memory, size_t size) {
  struct fake_host *fake = context;
  if (fake_host_refuses_(fake)) return NULL;
  void *moved = realloc(memory, size == 0 ? 1 : size);
  if (moved != NULL && memory == NULL) atomic_fetch_add(&fake->live, 1);
  return moved;
}

static inline void fake_host_free_(void *context, void *memory) {
  struct fake_host *fake = context;
  if (memory == NULL) return;
  atomic_fetch_sub(&fake->live, 1);
  free(memory);
}

static inline void fake_host_log_(void *context, int level, const char *text) {
  struct fake_host *fake = context;
  (void)level;
  pthread_mutex_lock(&fake->log_lock);
  size_t room = sizeof(fake->log) - fake->log_size;
  int length = snprintf(fake->log + fake->log_size, room, "%s\n", text);
  if (length > 0) fake->log_size += (size_t)length < room ? (size_t)length : room - 1;
  pthread_mutex_unlock(&fake->log_lock);
}

static inline int fake_host_cancelled_(void *context) {
  return atomic_load(&((struct fake_host *)context)->cancelled);
}

static inline int fake_host_sleep_ms_(void *context, uint32_t milliseconds) {
  for (uint32_t slept = 0; slept < milliseconds && !fake_host_cancelled_(context); slept++)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  return fake_host_cancelled_(context);
}

static inline uint64_t fake_host_monotonic_ns_(void *context) {
  (void)context;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline int fake_host_random_(void *context, void *bytes, size_t size) {
  if (atomic_load(&((struct fake_host *)context)->no_random)) return 1;
  return getrandom(bytes, size, 0) != (ssize_t)size;
}

/* Makes the table; it lives as long as `fake`. */
static inline const struct bo_host *fake_host_open(struct fake_host *fake) {
  memset(fake, 0, sizeof(*fake));
  pthread_mutex_init(&fake->log_lock, NULL);
  fake->host = (struct bo_host){
      .header = BO_HEADER(struct bo_host),
      .features = BO_HOST_FEATURES,
      .context = fake,
      .alloc = fake_host_alloc_,
      .realloc = fake_host_realloc_,
      .free = fake_host_free_,
      .log = fake_host_log_,
      .cancelled = fake_host_cancelled_,
      .sleep_ms = fake_host_sleep_ms_,
      .monotonic_ns = fake_host_monotonic_ns_,
      .random = fake_host_random_,
  };
  return &fake->host;
}

/* Ends it, and the test with it when a plugin kept memory. */
static inline void fake_host_close(struct fake_host *fake) {
  pthread_mutex_destroy(&fake->log_lock);
  ck_assert_msg(atomic_load(&fake->live) == 0, "%ld blocks of memory were never freed", atomic_load(&fake->live));
}

/* The `number`-th allocation from now on (1: the next) fails, that one only; 0: none does. */
static inline void fake_host_fail_at(struct fake_host *fake, long number) {
  atomic_store(&fake->fail_at, number == 0 ? 0 : atomic_load(&fake->allocations) + number);
}

/* Whether a logged line holds `text`. */
static inline bool fake_host_logged(struct fake_host *fake, const char *text) {
  pthread_mutex_lock(&fake->log_lock);
  bool found = strstr(fake->log, text) != NULL;
  pthread_mutex_unlock(&fake->log_lock);
  return found;
}

#endif
