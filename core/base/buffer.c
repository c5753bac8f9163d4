#include "core/base/buffer.h"

#include <openssl/crypto.h>

void bo_buffer_free(struct bo_buffer *buffer) {
  free(buffer->bytes);
  *buffer = (struct bo_buffer)BO_BUFFER_INIT;
}

void bo_buffer_cleanse(struct bo_buffer *buffer) {
  if (buffer->bytes != NULL) OPENSSL_cleanse(buffer->bytes, buffer->capacity);
  bo_buffer_free(buffer);
}

void bo_buffer_clear(struct bo_buffer *buffer) {
  buffer->size = 0;
  buffer->failed = false;
  if (buffer->bytes != NULL) buffer->bytes[0] = '\0';
}

bool bo_buffer_reserve(struct bo_buffer *buffer, size_t extra) {
  if (buffer->failed) return false;
  if (extra >= SIZE_MAX / 2 - buffer->size) {
    buffer->failed = true;
    return false;
  }
  size_t wanted = buffer->size + extra + 1;
  if (wanted <= buffer->capacity) return true;
  size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
  while (capacity < wanted)
    capacity += capacity / 2;
  /* Not realloc: it would leave a copy of a secret behind. */
  char *bytes = malloc(capacity);
  if (bytes == NULL) {
    buffer->failed = true;
    return false;
  }
  if (buffer->bytes != NULL) {
    memcpy(bytes, buffer->bytes, buffer->size);
    OPENSSL_cleanse(buffer->bytes, buffer->capacity);
    free(buffer->bytes);
  }
  bytes[buffer->size] = '\0';
  buffer->bytes = bytes;
  buffer->capacity = capacity;
  return true;
}

bool bo_buffer_append(struct bo_buffer *buffer, const void *bytes, size_t size) {
  if (!bo_buffer_reserve(buffer, size)) return false;
  if (size > 0) memcpy(buffer->bytes + buffer->size, bytes, size);
  buffer->size += size;
  buffer->bytes[buffer->size] = '\0';
  return true;
}

bool bo_buffer_append_text(struct bo_buffer *buffer, const char *text) {
  return bo_buffer_append(buffer, text, strlen(text));
}

bool bo_buffer_printf(struct bo_buffer *buffer, const char *format, ...) {
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  int needed = vsnprintf(NULL, 0, format, args);
  va_end(args);
  bool ok = needed >= 0 && bo_buffer_reserve(buffer, (size_t)needed);
  if (ok) {
    (void)vsnprintf(buffer->bytes + buffer->size, (size_t)needed + 1, format, again);
    buffer->size += (size_t)needed;
  }
  va_end(again);
  if (!ok) buffer->failed = true;
  return ok;
}

const char *bo_buffer_text(const struct bo_buffer *buffer) {
  return buffer->bytes == NULL ? "" : buffer->bytes;
}

char *bo_buffer_take(struct bo_buffer *buffer) {
  if (!bo_buffer_reserve(buffer, 0)) {
    bo_buffer_free(buffer);
    return NULL;
  }
  char *text = buffer->bytes;
  *buffer = (struct bo_buffer)BO_BUFFER_INIT;
  return text;
}
