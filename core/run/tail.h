/* core/run/tail.h - the last 4 KiB of a command's stderr, for the reason of a failure. */
#ifndef BO_RUN_TAIL_H
#define BO_RUN_TAIL_H

#include <pthread.h>

#include "core/base/buffer.h"

#define BO_TAIL_BYTES 4096

struct bo_tail {
  pthread_mutex_t lock;
  size_t next; /* where the next byte goes */
  uint64_t total_bytes;
  char bytes[BO_TAIL_BYTES];
};

void bo_tail_init(struct bo_tail *tail);
void bo_tail_destroy(struct bo_tail *tail);
/* Any thread; the ABI's bo_stderr_function, with a struct bo_tail as context. */
void bo_tail_add(void *tail, const void *bytes, size_t size);
/* Appends it as printable text (valid UTF-8, no control characters), beginning with a whole line where one was cut. */
bool bo_tail_text(struct bo_tail *tail, struct bo_buffer *out);

#endif
