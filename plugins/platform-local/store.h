/*
 * store.h - the objects that this machine has: an index in memory, and a record for each in the state folder.
 *
 * On the disk a record is the object's JSON, as other programs read and write it there, with one member more,
 * STORE_NOTES:
 * {"manifest": the user's manifest as it was last taken over, "source": its file's name, "deleted": true}. In memory it
 * is {"object": without notes, "manifest", "source", "deleted"}. "manifest" and "source" are missing where an object
 * was created through object_create. "deleted" means that the object is gone and its manifest is not: it must not come
 * back, so the record stays as it last was until the manifest changes or goes.
 *
 * Everything here is called with store->lock held, but for open and close.
 */
#ifndef BO_PLATFORM_LOCAL_STORE_H
#define BO_PLATFORM_LOCAL_STORE_H

#include <backup-operator/platform.h>
#include <cjson/cJSON.h>
#include <pthread.h>

#include "core/api/api.h"
#include "core/state/state.h"

struct manifest_file;
struct watch;
struct lease;

struct object_key {
  enum bo_manifest_kind kind;
  const char *namespace_name; /* "" for kinds without */
  const char *name;
};

struct entry {
  struct object_key key;
  char *source; /* the manifest's file, NULL for none */
  char uid[37];
  uint64_t version;          /* resourceVersion */
  uint64_t missing_since_ms; /* its manifest was not found; 0: it is there */
  bool claimed;              /* its file had it when last read */
  bool deleted;              /* see above */
};

struct store {
  const struct bo_host *host;
  int cancel_fd;
  char *manifests; /* folders; NULL: none */
  char *folder;
  pthread_mutex_t lock;   /* guards what follows */
  struct bo_state *state; /* NULL before the first use: only then is the writers' lock taken */
  struct entry **entries; /* by kind, namespace, name */
  size_t count, capacity;
  uint64_t version; /* the highest resourceVersion given so far */

  struct manifest_file *files; /* by name */
  size_t file_count;
  int notify_fd; /* inotify; -1: none, and only the time tells when to look */
  uint64_t scanned_ms, scan_at_ms;
  uint64_t notified_ms; /* the first sign of a change since then; 0: none */
  bool folder_missing;  /* that was said */

  struct watch *watches;
  struct lease *leases;
};

#define STORE_NOTES "platformLocal"

#define CLEANUP_JSON BO_CLEANUP(store_cleanup_json_)
static inline void store_cleanup_json_(cJSON **json) {
  cJSON_Delete(*json);
}

/* Of a zeroed one; afterwards it may be closed. */
void store_init(struct store *store);
/* `manifests` and `folder` may be NULL. Opens no file. */
int store_open(struct store *store, const struct bo_host *host, int cancel_fd, const char *manifests,
               const char *folder, struct bo_error *error);
void store_close(struct store *store);

/* Takes the lock, with the first call also the state folder's, and looks at the manifests when it is time to. On an
 * error the lock is not held. */
int store_enter(struct store *store, struct bo_error *error);
void store_leave(struct store *store);

void store_warn(const struct store *store, const char *format, ...) BO_PRINTF(2, 3);

int store_compare(const struct object_key *a, const struct object_key *b);
/* Where `key` is, or belongs. */
size_t store_position(const struct store *store, const struct object_key *key);
/* NULL when there is none; may be a deleted one. */
struct entry *store_find(const struct store *store, const struct object_key *key);
/* A new entry, without a record so far. NULL when out of memory. */
struct entry *store_add(struct store *store, const struct object_key *key);
void store_remove(struct store *store, struct entry *entry);

/* The record; the caller deletes it. */
int store_load(struct store *store, const struct entry *entry, cJSON **record, struct bo_error *error);
/* Writes the record. `changed`: the object did, so it gets a new resourceVersion and the watches hear of it. */
int store_save(struct store *store, struct entry *entry, cJSON *record, bool changed, struct bo_error *error);
/* The object is gone: removes its record, or keeps what must not come back. Frees the entry in the first case. */
int store_drop(struct store *store, struct entry *entry, cJSON *record, struct bo_error *error);

/* Deletes the object, or, while it has finalizers, marks it as going. */
int store_delete(struct store *store, struct entry *entry, cJSON *record, struct bo_error *error);

/* ---- an object's JSON ---- */

cJSON *object_metadata(const cJSON *object);
/* NULL when there is no text of that name. */
const char *object_text(const cJSON *map, const char *key);
/* In place of what is there. Takes `item` over in any case; false when there is no memory (`item` NULL means that). */
bool object_set(cJSON *map, const char *key, cJSON *item);
bool object_set_text(cJSON *map, const char *key, const char *text);
/* Removes what only this side may say: uid, resourceVersion, times, generation, status. */
void object_strip(cJSON *object);
/* Gives uid, creationTimestamp and generation 1. */
int object_begin(cJSON *object, struct bo_error *error);
/* Adds 1 to the generation. */
bool object_next_generation(cJSON *object);
bool object_is_terminating(const cJSON *object);
bool object_has_finalizers(const cJSON *object);
/* The struct's JSON as a tree, of a namespaced kind with its namespace. */
int object_from_manifest(const struct bo_manifest *manifest, cJSON **object, struct bo_error *error);
/* The key of a manifest; points into it. */
struct object_key object_key_of(const struct bo_manifest *manifest);

#endif
