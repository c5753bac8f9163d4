/*
 * core/pipeline/ring.h - a bounded ring of fixed buffers between two threads: one writes, one reads.
 *
 * The writer fills a slot in place and publishes it; the reader works on it in place and releases it: nothing is
 * copied and nothing is allocated on the way. Either side can fail the ring; a reader never confuses a failure with
 * the end. Both are woken by it at once.
 */
#ifndef BO_PIPELINE_RING_H
#define BO_PIPELINE_RING_H

#include <pthread.h>
#include <stdbool.h>

#include "core/base/error.h"

/* The one place that sizes a chain's memory: a ring holds SLOTS * SLOT_BYTES, and a chain has a ring less than it has
 * stages, so at most 3 * 512 KiB. */
#define BO_RING_SLOTS 4
#define BO_RING_SLOT_BYTES ((size_t)128 * 1024)

struct bo_ring {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  unsigned char *memory;
  size_t sizes[BO_RING_SLOTS]; /* bytes in each published slot */
  unsigned first;              /* the slot to read next */
  unsigned published;          /* how many are waiting to be read, the one being read included */
  bool ended;
  bool failed;
};

int bo_ring_init(struct bo_ring *ring, struct bo_error *error);
void bo_ring_destroy(struct bo_ring *ring);

/* Writer: waits for a free slot of BO_RING_SLOT_BYTES. False when the ring has failed. Calling it again before
 * bo_ring_publish gives the same slot. */
bool bo_ring_reserve(struct bo_ring *ring, unsigned char **slot);
/* Writer: hands over the first `size` (> 0) bytes of the reserved slot. */
void bo_ring_publish(struct bo_ring *ring, size_t size);
/* Writer: there is no more, and all of it was good. */
void bo_ring_end(struct bo_ring *ring);

/* Reader: waits. BO_OK: bytes; BO_DONE: the clean end; BO_ERROR: the ring has failed. */
int bo_ring_next(struct bo_ring *ring, const unsigned char **bytes, size_t *size);
/* Reader: is done with the bytes that bo_ring_next gave. */
void bo_ring_release(struct bo_ring *ring);

/* Any thread: both sides get a failure from now on, even when the end was reached. */
void bo_ring_fail(struct bo_ring *ring);

#endif
