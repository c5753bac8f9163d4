#include "core/base/arena.h"

#include <stdalign.h>

/* The first block is small, since most arenas hold one small object; later ones double, up to the last size. */
#define FIRST_BLOCK_BYTES ((size_t)1024)
#define LAST_BLOCK_BYTES ((size_t)256 * 1024)

struct bo_arena_block {
  struct bo_arena_block *next;
  size_t used;
  size_t capacity;
  alignas(max_align_t) unsigned char bytes[];
};

static struct bo_arena_block *add_block(struct bo_arena *arena, size_t least) {
  size_t capacity = arena->blocks == NULL ? FIRST_BLOCK_BYTES : arena->blocks->capacity * 2;
  if (capacity > LAST_BLOCK_BYTES) capacity = LAST_BLOCK_BYTES;
  if (capacity < least) capacity = least;
  struct bo_arena_block *block = calloc(1, sizeof(*block) + capacity);
  if (block == NULL) return NULL;
  block->capacity = capacity;
  block->next = arena->blocks;
  arena->blocks = block;
  return block;
}

void *bo_arena_alloc(struct bo_arena *arena, size_t size) {
  struct bo_arena_block *block = arena->blocks;
  size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
  if (rounded < size || rounded > SIZE_MAX / 2) {
    arena->failed = true;
    return NULL;
  }
  if (block == NULL || block->capacity - block->used < rounded) block = add_block(arena, rounded);
  if (block == NULL) {
    arena->failed = true;
    return NULL;
  }
  void *memory = block->bytes + block->used;
  block->used += rounded;
  return memory;
}

char *bo_arena_copy(struct bo_arena *arena, const void *bytes, size_t size) {
  char *copy = size == SIZE_MAX ? NULL : bo_arena_alloc(arena, size + 1);
  if (copy != NULL && size > 0) memcpy(copy, bytes, size);
  return copy;
}

char *bo_arena_printf(struct bo_arena *arena, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int length = vsnprintf(NULL, 0, format, args);
  va_end(args);
  char *text = length < 0 ? NULL : bo_arena_alloc(arena, (size_t)length + 1);
  if (text == NULL) return NULL;
  va_start(args, format);
  (void)vsnprintf(text, (size_t)length + 1, format, args);
  va_end(args);
  return text;
}

void bo_arena_free(struct bo_arena *arena) {
  while (arena->blocks != NULL) {
    struct bo_arena_block *block = arena->blocks;
    arena->blocks = block->next;
    explicit_bzero(block->bytes, block->used);
    free(block);
  }
  arena->failed = false;
}
