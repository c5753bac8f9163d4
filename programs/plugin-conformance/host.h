/*
 * host.h - the host that a plugin meets here. It does what a host must, keeps account of it, and fails when told to:
 * the N-th allocation, the randomness; it cancels, and its clock leaps.
 *
 * Any thread may use it, as the ABI says. Every instance gets one of its own.
 */
#ifndef BO_CONFORMANCE_HOST_H
#define BO_CONFORMANCE_HOST_H

#include <backup-operator/abi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/buffer.h"

struct conf_block;

struct conf_host {
  struct bo_host table;
  uint64_t newer[8];    /* right behind the table: services of a host of tomorrow, which point nowhere */
  pthread_mutex_t lock; /* guards what follows up to the atomics */
  struct conf_block *blocks;
  size_t live_blocks, live_bytes;
  long allocations; /* asked so far */
  long fail_at;     /* this one gives NULL; 0: none */
  bool failed;      /* an allocation was made to fail */
  struct bo_buffer log;
  atomic_bool cancelled;
  atomic_bool no_random;
  atomic_uint random_refused;
  atomic_uint_fast64_t leap_ns; /* how far the clock is ahead */
};

void conf_host_open(struct conf_host *host);
/* Frees what the plugin left, too: whether that is a defect, the caller asks before. */
void conf_host_close(struct conf_host *host);
/* The `number`-th allocation from now on (1: the next) fails, that one only; 0: none does. */
void conf_host_fail_at(struct conf_host *host, long number);

#endif
