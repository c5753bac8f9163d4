#include "core/base/wait.h"

#include <time.h>

#include "core/base/clock.h"

int bo_wait_init(pthread_cond_t *condition) {
  pthread_condattr_t attributes;
  int code = pthread_condattr_init(&attributes);
  if (code != 0) return code;
  code = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  if (code == 0) code = pthread_cond_init(condition, &attributes);
  (void)pthread_condattr_destroy(&attributes);
  return code;
}

struct timespec bo_wait_until(uint64_t timeout_ms) {
  uint64_t until_ns = bo_monotonic_ns() + timeout_ms * 1000000U;
  return (struct timespec){.tv_sec = (time_t)(until_ns / 1000000000U), .tv_nsec = (long)(until_ns % 1000000000U)};
}
