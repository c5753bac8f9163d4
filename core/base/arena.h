/*
 * core/base/arena.h - many small pieces of memory with one end. Pieces are taken one by one and given back all at
 * once; what they held is overwritten then, since it may have been secret. A failed allocation is remembered
 * (`failed`), so that a caller may take many pieces and ask once. Not for several threads at a time.
 */
#ifndef BO_BASE_ARENA_H
#define BO_BASE_ARENA_H

#include <backup-operator/abi.h>
#include <stdbool.h>

#include "core/base/cleanup.h"

struct bo_arena_block;

struct bo_arena {
  struct bo_arena_block *blocks; /* newest first */
  bool failed;
};

#define BO_ARENA_INIT \
  { NULL, false }
#define BO_CLEANUP_ARENA BO_CLEANUP(bo_arena_free)

/* Zeroed memory, aligned for any type. NULL when there is none. */
void *bo_arena_alloc(struct bo_arena *arena, size_t size);
/* `size` bytes and a NUL behind them. */
char *bo_arena_copy(struct bo_arena *arena, const void *bytes, size_t size);
char *bo_arena_printf(struct bo_arena *arena, const char *format, ...) BO_PRINTF(2, 3);
/* Overwrites and frees every piece. The arena can be used again. */
void bo_arena_free(struct bo_arena *arena);

#endif
