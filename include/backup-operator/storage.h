/*
 * backup-operator/storage.h - the kind `storage`: whole objects under keys.
 *
 * The promise: an object appears at its key complete, at commit, or not at all. Before the commit nobody sees it;
 * after an abort, a discard, a crash or a loss of power nothing of it is visible at the key.
 *
 * A key is 1 to 1,024 bytes of UTF-8 without NUL and without a leading slash. A storage that cannot hold some key
 * (".." in a folder) refuses it with BO_CLASS_CONFIG; it never maps two keys to one object.
 */
#ifndef BACKUP_OPERATOR_STORAGE_H
#define BACKUP_OPERATOR_STORAGE_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BO_KEY_MAX 1024
#define BO_TOKEN_MAX 1024
#define BO_ETAG_MAX 256
#define BO_METADATA_MAX 16        /* pairs of an object */
#define BO_METADATA_NAME_MAX 64   /* [a-z0-9-], lower case, with its NUL */
#define BO_METADATA_VALUE_MAX 256 /* printable ASCII, with its NUL */

/* Identifies one put from its open on, to whoever may have to undo it after a crash. Not secret. NUL-terminated. */
struct bo_token {
  char text[BO_TOKEN_MAX];
};

struct bo_metadata {
  char name[BO_METADATA_NAME_MAX];
  char value[BO_METADATA_VALUE_MAX];
};

/* What is known of a stored object. The caller sets `size`; the callee fills the rest. */
struct bo_object {
  uint32_t size;
  uint32_t metadata_count; /* 0 in a listing */
  uint64_t size_bytes;
  int64_t modified_unix_ms;  /* 0: unknown */
  char etag[BO_ETAG_MAX];    /* changes whenever the content does; empty: unknown */
  char version[BO_ETAG_MAX]; /* the storage's own version id; empty: none */
  struct bo_metadata metadata[BO_METADATA_MAX];
};

/* What a put is told when it opens. */
struct bo_put_options {
  struct bo_header header;
  const struct bo_pair *metadata; /* kept with the object and given back by stat and get */
  uint32_t metadata_count;
  uint32_t reserved;
  int64_t size_hint_bytes; /* the expected length, -1 when unknown; the real one may differ */
};

/* One object of a listing. Returns non-zero to stop. */
typedef int bo_list_function(void *context, const char *key, const struct bo_object *object);

/* What probe tries. */
#define BO_PROBE_READ 0x1u  /* list, stat and get are possible */
#define BO_PROBE_WRITE 0x2u /* put, commit and remove are possible; may write and remove an object of its own */

struct bo_storage_operations {
  struct bo_header header;

  /* Makes an instance. It should not go to the network: a wrong address is found by probe or the first call. */
  int (*open)(const struct bo_host *host, const struct bo_config *config, void **storage, struct bo_error *error);

  /* Frees it, with every put (aborted) and get still open. Never fails. */
  void (*close)(void *storage);

  /* Any thread, any number of times: makes the running call, and all later ones but close, abort and discard, fail
   * soon with BO_CLASS_CANCELLED. Must not wait for the running call. */
  void (*cancel)(void *storage);

  /* Is it reachable, and permitted? `what` is BO_PROBE_ bits. The error says which thing or permission is missing. */
  int (*probe)(void *storage, uint32_t what, struct bo_error *error);

  /* Begins a put and fills `token` before the first byte is stored. An existing object at the key stays as it is
   * until the commit replaces it. */
  int (*put_open)(void *storage, const char *key, const struct bo_put_options *options, struct bo_token *token,
                  void **put, struct bo_error *error);

  /* Takes all `size` bytes or fails; after a failure only put_close may follow. */
  int (*put_write)(void *put, const void *bytes, size_t size, struct bo_error *error);

  /* Makes the object durable and visible, as a whole. Fills `object` (size_bytes and etag at least). On BO_ERROR with
   * BO_CLASS_UNDECIDED the object may exist; on any other failure it does not. Called once. */
  int (*put_commit)(void *put, struct bo_object *object, struct bo_error *error);

  /* Frees the put. Without a successful commit it aborts it: nothing of it remains, or BO_ERROR says what does. */
  int (*put_close)(void *put, struct bo_error *error);

  /* Ends the put that `token` names, from any process, at any time, any number of times: afterwards nothing of it
   * remains and it can never be committed. BO_OK also when there is nothing to undo. A put that was committed is
   * left alone: its object stays. */
  int (*discard)(void *storage, const char *key, const char *token, struct bo_error *error);

  /* Opens the object for reading from `offset_bytes`. `if_match`: an etag, or NULL; if the object's differs, or comes
   * to differ during the read, it is BO_CLASS_CONFLICT. Fills `object` (the whole object's size). An offset past the
   * end is BO_CLASS_CONFIG. */
  int (*get_open)(void *storage, const char *key, uint64_t offset_bytes, const char *if_match, struct bo_object *object,
                  void **get, struct bo_error *error);

  /* Reads up to `capacity` (> 0) bytes. *size 0 means the end of the object, and only that: a connection that was cut
   * is an error. */
  int (*get_read)(void *get, void *bytes, size_t capacity, size_t *size, struct bo_error *error);

  void (*get_close)(void *get);

  /* BO_CLASS_NOT_FOUND when there is none. */
  int (*stat)(void *storage, const char *key, struct bo_object *object, struct bo_error *error);

  /* Calls `each` for up to `limit` objects whose key begins with `prefix`, in ascending byte order of the key, that
   * come after `after` (a key; NULL or "" for the first page). *more is non-zero when there are further ones. */
  int (*list)(void *storage, const char *prefix, const char *after, uint32_t limit, bo_list_function *each,
              void *context, int *more, struct bo_error *error);

  /* BO_CLASS_NOT_FOUND when there is none. `if_match`: remove only the object with this etag; NULL: any. */
  int (*remove)(void *storage, const char *key, const char *if_match, struct bo_error *error);

  /* Ends puts under `prefix` that began more than `older_than_seconds` ago and were never ended. *count: how many. */
  int (*sweep)(void *storage, const char *prefix, uint64_t older_than_seconds, uint64_t *count, struct bo_error *error);

  /* The most memory in bytes that an instance with one put or get uses, for the runner's budget. */
  uint64_t (*memory_bytes)(const struct bo_config *config, int64_t size_hint_bytes);
};

#ifdef __cplusplus
}
#endif
#endif
