#include "core/run/tail.h"

#include "core/base/text.h"

void bo_tail_init(struct bo_tail *tail) {
  *tail = (struct bo_tail){.next = 0};
  (void)pthread_mutex_init(&tail->lock, NULL);
}

void bo_tail_destroy(struct bo_tail *tail) {
  (void)pthread_mutex_destroy(&tail->lock);
}

void bo_tail_add(void *context, const void *bytes, size_t size) {
  struct bo_tail *tail = context;
  const char *cursor = bytes;
  (void)pthread_mutex_lock(&tail->lock);
  tail->total_bytes += size;
  if (size > BO_TAIL_BYTES) {
    cursor += size - BO_TAIL_BYTES;
    size = BO_TAIL_BYTES;
  }
  size_t first = size < BO_TAIL_BYTES - tail->next ? size : BO_TAIL_BYTES - tail->next;
  memcpy(tail->bytes + tail->next, cursor, first);
  memcpy(tail->bytes, cursor + first, size - first);
  tail->next = (tail->next + size) % BO_TAIL_BYTES;
  (void)pthread_mutex_unlock(&tail->lock);
}

bool bo_tail_text(struct bo_tail *tail, struct bo_buffer *out) {
  char bytes[BO_TAIL_BYTES];
  (void)pthread_mutex_lock(&tail->lock);
  size_t size = tail->total_bytes < BO_TAIL_BYTES ? (size_t)tail->total_bytes : BO_TAIL_BYTES;
  size_t begin = (tail->next + BO_TAIL_BYTES - size) % BO_TAIL_BYTES;
  for (size_t i = 0; i < size; i++)
    bytes[i] = tail->bytes[(begin + i) % BO_TAIL_BYTES];
  bool cut = tail->total_bytes > size;
  (void)pthread_mutex_unlock(&tail->lock);
  const char *text = bytes;
  if (cut) {
    const char *newline = memchr(bytes, '\n', size);
    if (newline != NULL && newline + 1 < bytes + size) text = newline + 1;
  }
  size -= (size_t)(text - bytes);
  while (size > 0 && text[size - 1] == '\n')
    size--;
  return bo_append_printable(out, text, size);
}
