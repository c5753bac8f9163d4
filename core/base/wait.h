/* core/base/wait.h - condition variables whose time limits no change of the wall clock can stretch. */
#ifndef BO_BASE_WAIT_H
#define BO_BASE_WAIT_H

#include <pthread.h>
#include <stdint.h>

/* A condition variable that counts by CLOCK_MONOTONIC. 0, or an errno value. */
int bo_wait_init(pthread_cond_t *condition);

/* The limit `timeout_ms` from now, for pthread_cond_timedwait on such a one. */
struct timespec bo_wait_until(uint64_t timeout_ms);

#endif
