/*
 * core/base/buffer.h - bytes that grow. A failed allocation is remembered (`failed`), so that a caller may append
 * many times and ask once. Always followed by a NUL that `size` does not count, so `bytes` can be used as a string
 * (but for an empty buffer that never had memory: use bo_buffer_text).
 */
#ifndef BO_BASE_BUFFER_H
#define BO_BASE_BUFFER_H

#include <backup-operator/abi.h>
#include <stdbool.h>

#include "core/base/cleanup.h"

struct bo_buffer {
  char *bytes;
  size_t size;
  size_t capacity;
  bool failed;
};

#define BO_BUFFER_INIT \
  { NULL, 0, 0, false }
#define BO_CLEANUP_BUFFER BO_CLEANUP(bo_buffer_free)

void bo_buffer_free(struct bo_buffer *buffer);
/* As bo_buffer_free, overwriting the bytes first: for secrets. Growth overwrites what it leaves behind, too. */
void bo_buffer_cleanse(struct bo_buffer *buffer);
/* Empties it and keeps the memory. */
void bo_buffer_clear(struct bo_buffer *buffer);
/* Makes room for `extra` more bytes; false when there is no memory. */
bool bo_buffer_reserve(struct bo_buffer *buffer, size_t extra);
bool bo_buffer_append(struct bo_buffer *buffer, const void *bytes, size_t size);
bool bo_buffer_append_text(struct bo_buffer *buffer, const char *text);
bool bo_buffer_printf(struct bo_buffer *buffer, const char *format, ...) BO_PRINTF(2, 3);
/* The content as a string, "" when empty; valid until the next change. */
const char *bo_buffer_text(const struct bo_buffer *buffer);
/* Hands the string to the caller, who frees it; the buffer is empty afterwards. NULL when out of memory. */
char *bo_buffer_take(struct bo_buffer *buffer);

#endif
