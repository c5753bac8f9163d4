/*
 * plugins/storage-file/storage-file.h - what the files of this plugin share.
 *
 * An object is a plain file beneath the configured folder, named by its key and holding its bytes and nothing else.
 * All that is not an object lies in one folder at the top, which no key can name and no listing shows:
 *
 *   .backup-operator/<id>/object     a put in progress: its key and metadata (see metadata.c)
 *   .backup-operator/<id>/data       its bytes, once they have a name (see put.c)
 *   .backup-operator/metadata/...    the metadata of committed objects
 */
#ifndef BO_STORAGE_FILE_H
#define BO_STORAGE_FILE_H

#include <backup-operator/storage.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

#define FILE_STATE_FOLDER ".backup-operator"
#define FILE_STATE_FOLDER_FOLDED ".BACKUP-OPERATOR"
#define FILE_METADATA_FOLDER FILE_STATE_FOLDER "/metadata"
#define FILE_ID_SIZE 33           /* 128 random bits as hexadecimal, and NUL */
#define FILE_PUT_PATH_SIZE 64     /* "<id>/object" */
#define FILE_KEY_SHOWN "'%.240s'" /* a key in an error's text: the reason after it must keep its room */

struct file_storage {
  const struct bo_host *host;
  char *path;
  atomic_bool cancelled;
  bool named_only;       /* as if the file system had no unnamed files: the tests set it */
  int64_t orphan_age_ms; /* metadata younger than this may belong to a commit that is about to show its object */
  struct file_put *puts;
  struct file_get *gets;
};

/* ---- file.c */
bool file_cancelled(struct file_storage *storage);
/* BO_OK, or BO_CLASS_CANCELLED once somebody asked to stop. */
int file_check_cancelled(struct file_storage *storage, struct bo_error *error);

/* ---- folder.c: descriptors of folders; the caller closes them */
int file_open_root(struct file_storage *storage, int *root, struct bo_error *error);
/* How a call about an object begins: not cancelled, a key that a folder can hold, and the root. */
int file_begin(struct file_storage *storage, const char *key, int *root, struct bo_error *error);
/* The state folder. Without `make` a missing one is BO_OK and *state -1. */
int file_open_state(int root, bool make, int *state, struct bo_error *error);
/* Makes the entries of an open folder durable. */
int file_sync_folder(int folder, struct bo_error *error);
/* Removes the folders above `key` that have become empty. */
void file_prune(int root, const char *key);
/* Held for the moment of a rename onto a key and of a compare-and-remove, so that these exclude each other in all
 * processes. Bounded in time; where the file system has no locks it does nothing. */
int file_lock(struct file_storage *storage, int state, struct bo_error *error);
void file_unlock(int state);

/* ---- key.c */
int file_check_key(const char *key, struct bo_error *error);
/* Refuses what another key could also name on a file system that does not tell all names apart. */
int file_check_folding(int root, const char *key, struct bo_error *error);
bool file_is_reserved(const char *first_component);

enum file_walk {
  FILE_WALK_READ,  /* a missing folder is BO_CLASS_NOT_FOUND; *parent is good for lookups only (O_PATH) */
  FILE_WALK_CHECK, /* the same for a later put: the folders must also lie on one file system */
  FILE_WALK_MAKE   /* missing folders are made; *parent can be synced */
};
/* Opens the folder that holds the key's last component, `*name` (part of `key`), following no link. */
int file_walk(int root, const char *key, enum file_walk purpose, int *parent, const char **name,
              struct bo_error *error);
/* What the object at the key is; BO_CLASS_NOT_FOUND when there is none. */
int file_stat_key(int root, const char *key, struct stat *status, struct bo_error *error);
/* The error for a name that is there but is no regular file. */
int file_not_an_object(const char *key, mode_t mode, struct bo_error *error);

/* ---- metadata.c */
/* Begins a put's record, <id>/object. */
int file_record_write(int state, const char *id, const char *key, const struct bo_put_options *options,
                      struct bo_error *error);
struct file_record {
  char key[BO_KEY_MAX + 1]; /* empty: not known */
  int64_t began_unix_ms;
};
/* What is known of the put `id`; false when there is no such put. */
bool file_record_read(int state, const char *id, struct file_record *record);
/* Moves the put's record to where the metadata of the object `status` are looked for, durably. BO_CLASS_NOT_FOUND when
 * the put was ended from elsewhere. */
int file_metadata_publish(int state, const char *id, const char *key, const struct stat *status,
                          struct bo_error *error);
int file_metadata_read(struct file_storage *storage, int root, const char *key, const struct stat *status,
                       struct bo_object *object, struct bo_error *error);
/* Forgets the metadata of an object that is gone. */
void file_metadata_remove(int state, const char *key, const struct stat *status);
/* Forgets the metadata under `prefix` whose object was removed or replaced by hand. */
int file_metadata_sweep(struct file_storage *storage, int root, int state, const char *prefix,
                        uint64_t older_than_seconds, struct bo_error *error);

/* ---- object.c */
void file_fill_object(const struct stat *status, struct bo_object *object);
void file_etag(const struct stat *status, char etag[BO_ETAG_MAX]);
int file_stat(void *storage, const char *key, struct bo_object *object, struct bo_error *error);
int file_remove(void *storage, const char *key, const char *if_match, struct bo_error *error);

/* ---- put.c */
int file_put_open(void *storage, const char *key, const struct bo_put_options *options, struct bo_token *token,
                  void **put, struct bo_error *error);
int file_put_write(void *put, const void *bytes, size_t size, struct bo_error *error);
int file_put_commit(void *put, struct bo_object *object, struct bo_error *error);
int file_put_close(void *put, struct bo_error *error);
void file_put_close_all(struct file_storage *storage);
void file_put_path(char path[FILE_PUT_PATH_SIZE], const char *id, const char *name);

/* ---- sweep.c */
/* Removes all that the put `id` has in the state folder, and with its `key` (NULL: not known) also the metadata of a
 * commit that died. BO_OK also when there is nothing. */
int file_end_put(int state, const char *id, const char *key, struct bo_error *error);
int file_discard(void *storage, const char *key, const char *token, struct bo_error *error);
int file_sweep(void *storage, const char *prefix, uint64_t older_than_seconds, uint64_t *count, struct bo_error *error);

/* ---- get.c */
int file_get_open(void *storage, const char *key, uint64_t offset_bytes, const char *if_match, struct bo_object *object,
                  void **get, struct bo_error *error);
int file_get_read(void *get, void *bytes, size_t capacity, size_t *size, struct bo_error *error);
void file_get_close(void *get);
void file_get_close_all(struct file_storage *storage);

/* ---- list.c, probe.c */
int file_list(void *storage, const char *prefix, const char *after, uint32_t limit, bo_list_function *each,
              void *context, int *more, struct bo_error *error);
int file_probe(void *storage, uint32_t what, struct bo_error *error);

#endif
