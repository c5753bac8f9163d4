#include "core/pipeline/ring.h"

#include <assert.h>
#include <stdlib.h>

int bo_ring_init(struct bo_ring *ring, struct bo_error *error) {
  *ring = (struct bo_ring){.first = 0};
  ring->memory = malloc(BO_RING_SLOTS * BO_RING_SLOT_BYTES);
  if (ring->memory == NULL) return bo_error_no_memory(error);
  (void)pthread_mutex_init(&ring->lock, NULL);
  (void)pthread_cond_init(&ring->changed, NULL);
  return BO_OK;
}

void bo_ring_destroy(struct bo_ring *ring) {
  if (ring->memory == NULL) return;
  free(ring->memory);
  ring->memory = NULL;
  (void)pthread_cond_destroy(&ring->changed);
  (void)pthread_mutex_destroy(&ring->lock);
}

bool bo_ring_reserve(struct bo_ring *ring, unsigned char **slot) {
  (void)pthread_mutex_lock(&ring->lock);
  assert(!ring->ended);
  while (ring->published == BO_RING_SLOTS && !ring->failed)
    (void)pthread_cond_wait(&ring->changed, &ring->lock);
  bool ok = !ring->failed;
  *slot = ring->memory + (ring->first + ring->published) % BO_RING_SLOTS * BO_RING_SLOT_BYTES;
  (void)pthread_mutex_unlock(&ring->lock);
  return ok;
}

void bo_ring_publish(struct bo_ring *ring, size_t size) {
  (void)pthread_mutex_lock(&ring->lock);
  assert(size > 0 && size <= BO_RING_SLOT_BYTES && ring->published < BO_RING_SLOTS);
  ring->sizes[(ring->first + ring->published) % BO_RING_SLOTS] = size;
  ring->published++;
  (void)pthread_cond_broadcast(&ring->changed);
  (void)pthread_mutex_unlock(&ring->lock);
}

void bo_ring_end(struct bo_ring *ring) {
  (void)pthread_mutex_lock(&ring->lock);
  ring->ended = true;
  (void)pthread_cond_broadcast(&ring->changed);
  (void)pthread_mutex_unlock(&ring->lock);
}

int bo_ring_next(struct bo_ring *ring, const unsigned char **bytes, size_t *size) {
  (void)pthread_mutex_lock(&ring->lock);
  while (ring->published == 0 && !ring->ended && !ring->failed)
    (void)pthread_cond_wait(&ring->changed, &ring->lock);
  int result = ring->failed ? BO_ERROR : ring->published > 0 ? BO_OK : BO_DONE;
  if (result == BO_OK) {
    *bytes = ring->memory + ring->first * BO_RING_SLOT_BYTES;
    *size = ring->sizes[ring->first];
  }
  (void)pthread_mutex_unlock(&ring->lock);
  return result;
}

void bo_ring_release(struct bo_ring *ring) {
  (void)pthread_mutex_lock(&ring->lock);
  assert(ring->published > 0);
  ring->first = (ring->first + 1) % BO_RING_SLOTS;
  ring->published--;
  (void)pthread_cond_broadcast(&ring->changed);
  (void)pthread_mutex_unlock(&ring->lock);
}

void bo_ring_fail(struct bo_ring *ring) {
  (void)pthread_mutex_lock(&ring->lock);
  ring->failed = true;
  (void)pthread_cond_broadcast(&ring->changed);
  (void)pthread_mutex_unlock(&ring->lock);
}
