/*
 * sftp.h - what the files of this plugin share. To find the way in, read them in this order:
 *
 *   plugin.c settings.c          what the plugin is, its parameters, its life cycle
 *   put.c commit.c get.c object.c list.c sweep.c probe.c      what a storage does
 *   place.c record.c folder.c    where things lie on the server, and in which form
 *   client.c wire.c              the SFTP protocol
 *   session.c hostkey.c net.c    SSH (libssh2), TCP, and the only place that waits
 *
 * On the server, beneath the configured folder, an object is a plain file named by its key that holds its bytes and
 * nothing else. All the rest lies in one folder that no key can name and no listing shows:
 *
 *   .storage-sftp/<id>.put       a put in progress: its record (record.c)
 *   .storage-sftp/<id>.data      its bytes, until the commit renames them onto the key
 *   .storage-sftp/metadata/...   the records of committed objects
 */
#ifndef STORAGE_SFTP_H
#define STORAGE_SFTP_H

#include <backup-operator/plugin.h>
#include <libssh2.h>
#include <stdatomic.h>

#include "wire.h"

#define SFTP_STATE_FOLDER ".storage-sftp"
#define SFTP_ID_SIZE 33           /* 128 random bits as hexadecimal, and NUL */
#define SFTP_KEY_SHOWN "'%.240s'" /* a key in an error's text: the reason after it must keep its room */

/* ---- plugin.c, settings.c ---- */

enum { /* the rows of the parameter table, and so the positions in bo_config.values */
       SFTP_HOST,
       SFTP_PORT,
       SFTP_USER,
       SFTP_PATH,
       SFTP_HOST_KEY,
       SFTP_PRIVATE_KEY,
       SFTP_PASSWORD,
       SFTP_TIMEOUT,
       SFTP_PARAM_COUNT
};

/* Copies of what the configuration gave, each ended by NUL. */
struct sftp_settings {
  char *host;
  char *user;
  char *path;          /* without a slash at its end */
  char *host_keys;     /* every hostKey, each ended by a newline */
  char *private_key;   /* NULL: none */
  char *password;      /* NULL: none */
  char port[8];        /* in decimal, as getaddrinfo wants it */
  uint64_t timeout_ns; /* how long the server may be silent */
};

struct sftp_storage {
  const struct bo_host *host;
  struct sftp_settings settings;
  int wake; /* an eventfd: cancel writes to it */
  atomic_bool cancelled;
  bool tidying; /* close, put_close and discard go on after a cancel */
  bool closing;
  bool unreachable; /* while closing: the server did not answer, so it is not asked again for every put */

  struct sftp_lookup *lookup; /* of the host's name; net.c */

  /* The connection; all of it is in use or none. */
  int socket;
  LIBSSH2_SESSION *session;
  LIBSSH2_CHANNEL *channel;
  struct sftp_block *blocks; /* libssh2's memory; session.c */
  uint64_t generation;       /* counts the connections: a handle belongs to one */
  uint64_t deadline_ns;
  uint32_t extensions; /* SFTP_HAS_ bits */
  uint32_t next_id;
  struct sftp_pending *pending; /* requests whose answers are awaited */
  unsigned char *packet;        /* SFTP_PACKET_MAX bytes: the reply that is being received, or the last one */
  size_t packet_size;

  struct sftp_put *puts;
  struct sftp_get *gets;
};

/* A caller may pass NULL for an error that it does not want. */
#define SFTP_NEED_ERROR(error)                     \
  struct bo_error unwanted_error_ = BO_ERROR_INIT; \
  if ((error) == NULL) (error) = &unwanted_error_

/* "<prefix>: <text so far>"; returns BO_ERROR or BO_RETRY as `result` was. */
int sftp_prefix(int result, struct bo_error *error, const char *format, ...) BO_PRINTF(3, 4);
int sftp_no_memory(struct bo_error *error);
void *sftp_alloc(struct sftp_storage *storage, size_t size); /* zeroed */
void sftp_free(struct sftp_storage *storage, void *memory);
bool sftp_cancelled(struct sftp_storage *storage);
int sftp_check_cancelled(struct sftp_storage *storage, struct bo_error *error);

int sftp_settings_copy(struct sftp_storage *storage, const struct bo_config *config, struct bo_error *error);
void sftp_settings_free(struct sftp_storage *storage);

/* ---- net.c: nothing else waits, and nothing waits longer than the deadline ---- */

void sftp_arm(struct sftp_storage *storage); /* from now on the server has its whole time again */
/* Waits for `events` (POLLIN, POLLOUT) of `fd`. BO_OK: look again. Else cancelled, or too late. */
int sftp_wait(struct sftp_storage *storage, int fd, short events, struct bo_error *error);
/* A connected TCP socket that does not block. */
int sftp_net_connect(struct sftp_storage *storage, int *fd, struct bo_error *error);
void sftp_net_close(struct sftp_storage *storage);

/* ---- session.c, hostkey.c ---- */

/* There is a connection afterwards: the one that there was, or a new one. */
int sftp_connect(struct sftp_storage *storage, struct bo_error *error);
/* Ends the connection at once. Every handle is void then, and every awaited answer will not come. */
void sftp_drop(struct sftp_storage *storage);
/* After a libssh2 function returned LIBSSH2_ERROR_EAGAIN. On failure the connection is gone. */
int sftp_session_wait(struct sftp_storage *storage, struct bo_error *error);
/* After any other error of libssh2's: fills `error`, drops the connection. */
int sftp_session_failed(struct sftp_storage *storage, int code, const char *doing, struct bo_error *error);
int sftp_hostkey_prefer(struct sftp_storage *storage, struct bo_error *error);
int sftp_hostkey_check(struct sftp_storage *storage, struct bo_error *error);

/* ---- client.c: requests. On failure error->error_class tells the usual cases apart: BO_CLASS_NOT_FOUND, BO_CLASS_AUTH
 * (not permitted), BO_CLASS_IO (the protocol's plain "failure"); BO_RETRY with BO_CLASS_NETWORK or BO_CLASS_TIMEOUT
 * when the connection is gone, and with it the knowledge of whether the request was carried out. ---- */

#define SFTP_PACKET_MAX (256 * 1024 + 64)
#define SFTP_BLOCK_BYTES 32768 /* what every server takes and gives in one request, section 3 */
#define SFTP_HANDLE_MAX 256    /* section 6.2 */

#define SFTP_HAS_REPLACE 0x1u /* posix-rename@openssh.com */
#define SFTP_HAS_SYNC 0x2u    /* fsync@openssh.com */
#define SFTP_HAS_SPACE 0x4u   /* statvfs@openssh.com */

struct sftp_handle {
  uint64_t generation; /* of the connection it was opened on; 0: not open */
  uint32_t size;
  unsigned char bytes[SFTP_HANDLE_MAX];
};

/* A request that was sent and not waited for. It stays where it is until it is done. */
struct sftp_pending {
  uint32_t id;
  bool done;
  uint8_t type;        /* of the reply */
  uint32_t status;     /* with WIRE_STATUS */
  unsigned char *data; /* where the bytes of a WIRE_DATA or WIRE_HANDLE go */
  uint32_t capacity;
  uint32_t size;
  struct sftp_pending *next;
};

int sftp_client_start(struct sftp_storage *storage, struct bo_error *error);
int sftp_stat(struct sftp_storage *storage, const char *path, struct wire_attributes *attributes,
              struct bo_error *error); /* follows links; the others do not */
int sftp_lstat(struct sftp_storage *storage, const char *path, struct wire_attributes *attributes,
               struct bo_error *error);
int sftp_open(struct sftp_storage *storage, const char *path, uint32_t flags, struct sftp_handle *handle,
              struct bo_error *error);
int sftp_open_folder(struct sftp_storage *storage, const char *path, struct sftp_handle *handle,
                     struct bo_error *error);
/* The next names of a folder: `names` holds *count times name, long name and attributes (section 7), and is valid until
 * the next request. *count 0: the end. */
int sftp_read_folder(struct sftp_storage *storage, const struct sftp_handle *handle, struct wire_in *names,
                     uint32_t *count, struct bo_error *error);
/* Idempotent; what is left of a lost connection was closed by the server. */
int sftp_close(struct sftp_storage *storage, struct sftp_handle *handle, struct bo_error *error);
int sftp_fstat(struct sftp_storage *storage, const struct sftp_handle *handle, struct wire_attributes *attributes,
               struct bo_error *error);
int sftp_set_modified(struct sftp_storage *storage, const struct sftp_handle *handle, uint32_t unix_s,
                      struct bo_error *error);
int sftp_sync(struct sftp_storage *storage, const struct sftp_handle *handle, struct bo_error *error);
int sftp_sync_folder(struct sftp_storage *storage, const char *path, struct bo_error *error);
int sftp_unlink(struct sftp_storage *storage, const char *path, struct bo_error *error);
int sftp_make_folder(struct sftp_storage *storage, const char *path, struct bo_error *error);
int sftp_remove_folder(struct sftp_storage *storage, const char *path, struct bo_error *error);
/* Fails when there is something at `to`. */
int sftp_rename(struct sftp_storage *storage, const char *from, const char *to, struct bo_error *error);
/* Replaces what is at `to`, in one instant. */
int sftp_replace(struct sftp_storage *storage, const char *from, const char *to, struct bo_error *error);
/* False also when it cannot be told. */
bool sftp_disk_is_full(struct sftp_storage *storage, const char *path);

/* With `pending->data` for SFTP_HANDLE_MAX bytes. */
int sftp_send_open(struct sftp_storage *storage, const char *path, struct sftp_pending *pending,
                   struct bo_error *error);
/* What an open that is done has come to; no handle when there is no such file. */
int sftp_opened(struct sftp_storage *storage, const struct sftp_pending *pending, struct sftp_handle *handle,
                struct bo_error *error);
int sftp_send_close(struct sftp_storage *storage, struct sftp_handle *handle, struct sftp_pending *pending,
                    struct bo_error *error);
int sftp_send_read(struct sftp_storage *storage, const struct sftp_handle *handle, uint64_t offset_bytes, uint32_t size,
                   struct sftp_pending *pending, struct bo_error *error);
int sftp_send_write(struct sftp_storage *storage, const struct sftp_handle *handle, uint64_t offset_bytes,
                    const void *bytes, uint32_t size, struct sftp_pending *pending, struct bo_error *error);
/* Until it is done. BO_OK whatever the answer says. */
int sftp_await(struct sftp_storage *storage, struct sftp_pending *pending, struct bo_error *error);
/* The error for a reply's status. */
int sftp_status_error(uint32_t status, struct bo_error *error);

/* ---- place.c: keys and paths ---- */

int sftp_check_key(const char *key, struct bo_error *error);
bool sftp_is_utf8(const char *text);
/* Whether the first part of a key, or a name in the storage's own folder, is not for objects. */
bool sftp_is_reserved(const char *name);
/* <path>/<name>; a name of "" is the folder itself. */
struct sftp_path {
  char text[WIRE_PATH_MAX];
};
struct sftp_path sftp_place(const struct sftp_storage *storage, const char *name);
struct sftp_path sftp_place_of_put(const struct sftp_storage *storage, const char *id, const char *kind);
/* Makes SFTP_STATE_FOLDER and what is in it, if need be. */
int sftp_make_state(struct sftp_storage *storage, struct bo_error *error);
/* Whether the way to `key` leads through something that is no folder. The protocol has no word for that. */
bool sftp_is_blocked(struct sftp_storage *storage, const char *key);
/* A plain "failure" may be a full disk: says so then. Returns `result`. */
int sftp_explain(struct sftp_storage *storage, int result, struct bo_error *error);
/* Makes the folders above `key`, durably. */
int sftp_make_parents(struct sftp_storage *storage, const char *key, struct bo_error *error);
/* Removes those that have become empty. */
void sftp_prune(struct sftp_storage *storage, const char *key);
/* The folder that holds the key's last part. */
struct sftp_path sftp_parent(const struct sftp_storage *storage, const char *key);
int sftp_new_id(struct sftp_storage *storage, char id[SFTP_ID_SIZE], struct bo_error *error);
bool sftp_is_id(const char *text, size_t size);

/* ---- record.c ---- */

struct sftp_record {
  char id[SFTP_ID_SIZE];
  char key[BO_KEY_MAX + 1];
  uint32_t metadata_count;
  struct bo_metadata metadata[BO_METADATA_MAX];
};

int sftp_record_make(const char *id, const char *key, const struct bo_put_options *options, struct sftp_record *record,
                     struct bo_error *error);
int sftp_record_write(struct sftp_storage *storage, const char *path, const struct sftp_record *record,
                      struct bo_error *error);
/* BO_CLASS_CORRUPT when it is no record. */
int sftp_record_read(struct sftp_storage *storage, const char *path, struct sftp_record *record,
                     struct bo_error *error);
/* Where the record of the object with this key, size and time is. */
struct sftp_path sftp_record_place(const struct sftp_storage *storage, const char *key,
                                   const struct wire_attributes *attributes);
/* Whether there is a record of this very object; without one it was put there by hand. */
int sftp_record_find(struct sftp_storage *storage, const char *key, const struct wire_attributes *attributes,
                     struct sftp_record *record, bool *found, struct bo_error *error);
/* The etags of `count` (up to SFTP_LOOKS) objects, in as much time as one takes. An empty one: there is no record. */
#define SFTP_LOOKS 16
struct sftp_look {
  const char *key;
  const struct wire_attributes *attributes;
  char id[SFTP_ID_SIZE];
};
int sftp_records_look(struct sftp_storage *storage, struct sftp_look *looks, size_t count, struct bo_error *error);
/* Forgets an object that is gone; with `id`, only that put's. What cannot be removed is left to a sweep. */
void sftp_record_forget(struct sftp_storage *storage, const char *key, const struct wire_attributes *attributes,
                        const char *id);

#define SFTP_NAME_MAX 257 /* a name of 255 bytes, a slash, NUL */

/* ---- folder.c: the names of a folder in order, a bounded number of them ---- */

struct sftp_entry {
  struct wire_attributes attributes;
  char name[]; /* a folder's with a slash at its end: that is how keys are ordered */
};

struct sftp_folder {
  struct sftp_entry **entries; /* ascending */
  size_t count;
  size_t capacity;
  bool cut; /* there are more than `capacity`: read on behind the last one */
};

/* Whether a name is wanted. It makes no requests. */
typedef bool sftp_folder_filter(void *context, const char *name);
/* The first `capacity` names behind `after` (NULL: from the beginning). Links and special files are left out. */
int sftp_folder_read(struct sftp_storage *storage, const char *path, const char *after, size_t capacity,
                     sftp_folder_filter *filter, void *context, struct sftp_folder *folder, struct bo_error *error);
void sftp_folder_free(struct sftp_storage *storage, struct sftp_folder *folder);

/* ---- the operations, as in backup-operator/storage.h ---- */

int sftp_probe(void *instance, uint32_t what, struct bo_error *error);
int sftp_put_open(void *instance, const char *key, const struct bo_put_options *options, struct bo_token *token,
                  void **put, struct bo_error *error);
int sftp_put_write(void *put, const void *bytes, size_t size, struct bo_error *error);
int sftp_put_commit(void *put, struct bo_object *object, struct bo_error *error);
int sftp_put_close(void *put, struct bo_error *error);
int sftp_discard(void *instance, const char *key, const char *token, struct bo_error *error);
int sftp_get_open(void *instance, const char *key, uint64_t offset_bytes, const char *if_match,
                  struct bo_object *object, void **get, struct bo_error *error);
int sftp_get_read(void *get, void *bytes, size_t capacity, size_t *size, struct bo_error *error);
void sftp_get_close(void *get);
int sftp_stat_object(void *instance, const char *key, struct bo_object *object, struct bo_error *error);
int sftp_remove(void *instance, const char *key, const char *if_match, struct bo_error *error);
int sftp_list(void *instance, const char *prefix, const char *after, uint32_t limit, bo_list_function *each,
              void *context, int *more, struct bo_error *error);
int sftp_sweep(void *instance, const char *prefix, uint64_t older_than_seconds, uint64_t *count,
               struct bo_error *error);

/* ---- put.c, for commit.c and sweep.c ---- */

#define SFTP_WRITES 32 /* blocks on their way: so much of a put may be unanswered at once */

struct sftp_put {
  struct sftp_storage *storage;
  struct sftp_put *next;
  struct sftp_record record;
  struct sftp_handle data;
  struct sftp_pending writes[SFTP_WRITES];
  uint64_t blocks;     /* written so far; block i is in writes[i % SFTP_WRITES] */
  uint64_t answered;   /* of these */
  uint64_t size_bytes; /* written so far */
  bool finished;       /* committed, or failed: only close may follow */
  bool begun;          /* there may be something of it on the server that close has to remove */
  bool published;      /* so may its record, as that of the object with these: */
  struct wire_attributes attributes;
};

/* Waits until at most `left` writes are unanswered. Fails when one was refused. */
int sftp_put_settle(struct sftp_put *put, uint64_t left, struct bo_error *error);
int sftp_put_ended_elsewhere(const struct sftp_put *put, struct bo_error *error);
/* Removes what the put `id` has on the server. BO_OK also when there is nothing; *had_data, if wanted: whether this
 * call was the one that removed its bytes. */
int sftp_end_put(struct sftp_storage *storage, const char *id, bool *had_data, struct bo_error *error);

/* ---- object.c, for get.c, list.c and commit.c ---- */

bool sftp_is_object(const struct wire_attributes *attributes); /* a regular file */
bool sftp_is_folder(const struct wire_attributes *attributes);
/* `record` NULL: there is none, and so no metadata; the etag is then made from size and time. */
void sftp_fill_object(const struct wire_attributes *attributes, const struct sftp_record *record,
                      struct bo_object *object);
int sftp_changed(const char *key, struct bo_error *error);
bool sftp_is_same(const struct wire_attributes *a, const struct wire_attributes *b);
/* The attributes of the object at the key. */
int sftp_find(struct sftp_storage *storage, const char *key, struct wire_attributes *attributes,
              struct bo_error *error);
int sftp_no_object(const char *key, struct bo_error *error);

#endif
