/*
 * core/state/state.h - a folder that remembers records: what a machine without an API server has instead of one.
 *
 * A record is one text (JSON, by agreement) under a kind, a namespace and a name:
 * FOLDER/<kind>/<namespace>/<name>.json. It is replaced as a whole: whoever reads, also after a crash or a loss of
 * power, finds the old one or the new one. One process may write at a time, which a lock enforces that ends with the
 * process; any number may read meanwhile.
 *
 * An open state is used by one thread at a time.
 */
#ifndef BO_STATE_STATE_H
#define BO_STATE_STATE_H

#include <stdbool.h>

#include "core/base/buffer.h"
#include "core/base/error.h"

#define BO_STATE_RECORD_MAX_BYTES ((size_t)4 * 1024 * 1024)
#define BO_STATE_NAME_MAX 243 /* characters: a file name has 255, and a temporary one is longer */

enum bo_state_access { BO_STATE_READ, BO_STATE_WRITE };

struct bo_state;

/* BO_STATE_WRITE makes the folder where it is missing (mode 0700), takes the lock and removes what a crash left half
 * written; BO_CLASS_CONFLICT names the process that has the lock. BO_STATE_READ needs no lock, and a missing folder is
 * an empty one. */
int bo_state_open(const char *folder, enum bo_state_access access, struct bo_state **state, struct bo_error *error);
/* Gives the lock back. NULL is fine. */
void bo_state_close(struct bo_state *state);

/* In what follows `kind` is letters, `namespace_name` and `name` are lower-case letters, digits, '-' and '.', the first
 * a letter or digit (BO_CLASS_CONFIG otherwise); `namespace_name` is "" or NULL where the kind has none. */

/* On BO_OK the record is on the disk. On an error it is the old or the new one. */
int bo_state_save(struct bo_state *state, const char *kind, const char *namespace_name, const char *name,
                  const void *bytes, size_t size, struct bo_error *error);
/* Appends the record. BO_CLASS_NOT_FOUND when there is none. */
int bo_state_load(struct bo_state *state, const char *kind, const char *namespace_name, const char *name,
                  struct bo_buffer *record, struct bo_error *error);
/* BO_CLASS_NOT_FOUND when there is none. On BO_OK it is gone from the disk. */
int bo_state_delete(struct bo_state *state, const char *kind, const char *namespace_name, const char *name,
                    struct bo_error *error);

/* `namespace_name` is "" where there is none. Anything but BO_OK ends the listing and becomes its result. The record
 * may be loaded, saved or deleted from here. */
typedef int bo_state_function(void *context, const char *namespace_name, const char *name, struct bo_error *error);

/* Calls `each` for the records of a kind, ordered by namespace, then name; `namespace_name` NULL: of all namespaces. */
int bo_state_list(struct bo_state *state, const char *kind, const char *namespace_name, bo_state_function *each,
                  void *context, struct bo_error *error);

#endif
