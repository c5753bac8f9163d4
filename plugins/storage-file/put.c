/*
 * plugins/storage-file/put.c - storing an object so that nobody ever sees a part of it.
 *
 * The bytes go to a file without a name (O_TMPFILE): whatever happens to this process, the kernel takes them back.
 * A commit syncs them, gives them the name .backup-operator/<id>/data, and renames that onto the key, which replaces
 * an older object in the same instant. Where the file system has no unnamed files (NFS, vfat, ...) the bytes are at
 * .backup-operator/<id>/data from the start, and a sweep takes what a crash leaves.
 *
 * The folder <id> is the put's life: the token names it, and a discard or sweep by any process ends the put by
 * removing it. Linking into a removed folder fails, and so does renaming a removed file; so exactly one of commit and
 * discard wins, without a lock, wherever the two run.
 */
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/io.h"
#include "core/base/text.h"
#include "plugins/storage-file/storage-file.h"

/* So much may wait in the page cache before the kernel is told to write: else a commit would do it all. */
#define WRITEBACK_BYTES (UINT64_C(16) << 20)
/* How often a commit makes the key's folders again. */
#define PLACE_TRIES 100

struct file_put {
  struct file_storage *storage;
  struct file_put *next;
  int root;
  int state;
  int data;
  bool named;  /* the data have a name from the start */
  bool failed; /* only close may follow */
  bool kept;   /* has metadata to keep */
  uint64_t size_bytes;
  uint64_t flushed_bytes;
  char id[FILE_ID_SIZE];
  char key[BO_KEY_MAX + 1];
};

void file_put_path(char path[FILE_PUT_PATH_SIZE], const char *id, const char *name) {
  (void)snprintf(path, FILE_PUT_PATH_SIZE, "%.32s/%.16s", id, name);
}

static int ended_elsewhere(const struct file_put *put, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CANCELLED, 0,
                      "the put of " FILE_KEY_SHOWN
                      " was ended from elsewhere: by a discard, by a sweep, or because "
                      "the storage's folder was removed",
                      put->key);
}

/* ---- open */

/* What a folder cannot hold is said before the first byte. */
static int check_target(int root, const char *key, struct bo_error *error) {
  struct bo_error local = BO_ERROR_INIT;
  struct stat status;
  BO_CLEANUP_FD int parent = -1;
  const char *name = NULL;
  if (file_walk(root, key, FILE_WALK_CHECK, &parent, &name, &local) != BO_OK) {
    if (local.error_class == BO_CLASS_NOT_FOUND) return BO_OK;
    if (error != NULL) *error = local;
    return BO_ERROR;
  }
  if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return BO_OK;
    return bo_error_errno(error, errno, "looking for " FILE_KEY_SHOWN, key);
  }
  if (S_ISREG(status.st_mode)) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, EEXIST,
                      "a folder cannot hold the key " FILE_KEY_SHOWN ": %s of this name is in the way", key,
                      S_ISDIR(status.st_mode)   ? "a folder (with the objects in it)"
                      : S_ISLNK(status.st_mode) ? "a symbolic link"
                                                : "a special file");
}

/* The path that gives an unnamed file a name; it needs /proc. */
static void proc_path(int fd, char path[32]) {
  (void)snprintf(path, 32, "/proc/self/fd/%d", fd);
}

static int open_data(struct file_put *put, struct bo_error *error) {
  char path[FILE_PUT_PATH_SIZE];
  if (!put->storage->named_only) {
    char link_path[32];
    put->data = openat(put->state, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    proc_path(put->data, link_path);
    if (put->data >= 0 && access(link_path, F_OK) == 0) return BO_OK;
    if (put->data >= 0) (void)close(put->data);
  }
  put->named = true;
  file_put_path(path, put->id, "data");
  put->data = openat(put->state, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (put->data < 0) return bo_error_errno(error, errno, "making a file for " FILE_KEY_SHOWN, put->key);
  return BO_OK;
}

static int begin(struct file_put *put, const struct bo_put_options *options, struct bo_error *error) {
  const struct bo_host *host = put->storage->host;
  unsigned char random[(FILE_ID_SIZE - 1) / 2];
  if (file_open_root(put->storage, &put->root, error) != BO_OK || check_target(put->root, put->key, error) != BO_OK ||
      file_open_state(put->root, true, &put->state, error) != BO_OK ||
      file_check_folding(put->root, put->key, error) != BO_OK)
    return BO_ERROR;
  if (host->random(host->context, random, sizeof(random)) != 0)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "there is no randomness for the name of a put");
  bo_hex(random, sizeof(random), put->id);
  if (mkdirat(put->state, put->id, 0700) != 0) {
    int code = errno;
    put->id[0] = '\0';
    return bo_error_errno(error, code, "beginning the put of " FILE_KEY_SHOWN, put->key);
  }
  if (file_record_write(put->state, put->id, put->key, options, error) != BO_OK) return BO_ERROR;
  return open_data(put, error);
}

int file_put_open(void *instance, const char *key, const struct bo_put_options *options, struct bo_token *token,
                  void **out, struct bo_error *error) {
  struct file_storage *storage = instance;
  if (file_check_cancelled(storage, error) != BO_OK || file_check_key(key, error) != BO_OK) return BO_ERROR;
  struct file_put *put = storage->host->alloc(storage->host->context, sizeof(*put));
  if (put == NULL) return bo_error_no_memory(error);
  *put = (struct file_put){.storage = storage, .next = storage->puts, .root = -1, .state = -1, .data = -1};
  put->kept = options != NULL && options->metadata_count > 0;
  memcpy(put->key, key, strlen(key) + 1);
  storage->puts = put;
  if (begin(put, options, error) != BO_OK) {
    (void)file_put_close(put, NULL);
    return BO_ERROR;
  }
  memcpy(token->text, put->id, sizeof(put->id));
  *out = put;
  return BO_OK;
}

/* ---- write */

static bool is_alive(const struct file_put *put) {
  return faccessat(put->state, put->id, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int file_put_write(void *instance, const void *bytes, size_t size, struct bo_error *error) {
  struct file_put *put = instance;
  if (put->failed) return bo_error_set(error, BO_CLASS_INTERNAL, 0, "a write to a put that has failed or ended");
  put->failed = true;
  if (file_check_cancelled(put->storage, error) != BO_OK) return BO_ERROR;
  if (!is_alive(put)) return ended_elsewhere(put, error);
  if (bo_write_all(put->data, bytes, size, error) != BO_OK) {
    bo_error_prefix(error, "writing " FILE_KEY_SHOWN, put->key);
    return BO_ERROR;
  }
  put->size_bytes += size;
  if (put->size_bytes - put->flushed_bytes >= WRITEBACK_BYTES) {
    (void)sync_file_range(put->data, (off_t)put->flushed_bytes, (off_t)(put->size_bytes - put->flushed_bytes),
                          SYNC_FILE_RANGE_WRITE);
    put->flushed_bytes = put->size_bytes;
  }
  put->failed = false;
  return BO_OK;
}

/* ---- commit */

/* Makes the bytes durable and names them, still out of sight. */
static int name_data(struct file_put *put, const char *path, struct stat *status, struct bo_error *error) {
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {0}};
  /* To the nanosecond, finer than the kernel's own: etag and metadata tell files apart by it. */
  (void)clock_gettime(CLOCK_REALTIME, &times[1]);
  if (futimens(put->data, times) != 0 || fsync(put->data) != 0)
    return bo_error_errno(error, errno, "making " FILE_KEY_SHOWN " durable", put->key);
  if (!put->named) {
    char link_path[32];
    proc_path(put->data, link_path);
    if (linkat(AT_FDCWD, link_path, put->state, path, AT_SYMLINK_FOLLOW) != 0) {
      if (errno == ENOENT && !is_alive(put)) return ended_elsewhere(put, error);
      return bo_error_errno(error, errno, "naming " FILE_KEY_SHOWN, put->key);
    }
    /* Again, now that it has a name: not every file system saves an inode's link with its folder. */
    if (fsync(put->data) != 0) return bo_error_errno(error, errno, "making " FILE_KEY_SHOWN " durable", put->key);
  }
  if (fstat(put->data, status) != 0) return bo_error_errno(error, errno, "reading " FILE_KEY_SHOWN, put->key);
  if ((uint64_t)status->st_size != put->size_bytes)
    return bo_error_set(error, BO_CLASS_CORRUPT, 0, "%llu bytes were written to " FILE_KEY_SHOWN ", but it has %llu",
                        (unsigned long long)put->size_bytes, put->key, (unsigned long long)status->st_size);
  return BO_OK;
}

/* After a failed rename: a network file system may have done it and lost the answer. The key tells, if it can be
 * read. */
static int rename_failed(const struct file_put *put, int parent, const char *name, const struct stat *status, int code,
                         struct bo_error *error) {
  struct stat found = {0};
  if (fstatat(parent, name, &found, AT_SYMLINK_NOFOLLOW) == 0) {
    if (found.st_dev == status->st_dev && found.st_ino == status->st_ino) return BO_OK;
  } else if (errno != ENOENT) {
    return bo_error_set(error, BO_CLASS_UNDECIDED, code,
                        "placing " FILE_KEY_SHOWN " failed, and whether it is there cannot be read: it may exist",
                        put->key);
  }
  return bo_error_errno(error, code, "placing " FILE_KEY_SHOWN, put->key);
}

/* Renames the data onto the key. `old` is what that replaced (st_nlink 0: nothing). */
static int replace(struct file_put *put, const char *path, const struct stat *status, int parent, const char *name,
                   struct stat *old, struct bo_error *error) {
  int result = file_lock(put->storage, put->state, error);
  if (result != BO_OK) return result;
  if (fstatat(parent, name, old, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(old->st_mode)) old->st_nlink = 0;
  if (renameat(put->state, path, parent, name) != 0) result = rename_failed(put, parent, name, status, errno, error);
  file_unlock(put->state);
  return result;
}

/* Makes the key's folders, opens the last as *parent, and puts the data there. Others may be removing the same
 * folders because they are empty: then once more. */
static int place(struct file_put *put, const char *path, const struct stat *status, int *parent, struct stat *old,
                 struct bo_error *error) {
  for (int i = 0; i < PLACE_TRIES; i++) {
    const char *name = NULL;
    if (*parent >= 0) (void)close(*parent);
    *parent = -1;
    int result = file_walk(put->root, put->key, FILE_WALK_MAKE, parent, &name, error);
    if (result == BO_OK) result = replace(put, path, status, *parent, name, old, error);
    if (result == BO_OK || error->error_class != BO_CLASS_NOT_FOUND) return result;
    if (faccessat(put->state, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0) return ended_elsewhere(put, error);
  }
  return BO_ERROR;
}

/* `error` is not NULL. */
static int commit(struct file_put *put, struct bo_object *object, struct bo_error *error) {
  char path[FILE_PUT_PATH_SIZE];
  struct stat status = {0};
  struct stat old = {0};
  BO_CLEANUP_FD int parent = -1;
  file_put_path(path, put->id, "data");
  if (file_check_cancelled(put->storage, error) != BO_OK || name_data(put, path, &status, error) != BO_OK)
    return BO_ERROR;
  if (put->kept && file_metadata_publish(put->state, put->id, put->key, &status, error) != BO_OK) {
    /* A discard empties the folder before it removes it. */
    if (error->code == ENOENT) return ended_elsewhere(put, error);
    return BO_ERROR;
  }
  int result = place(put, path, &status, &parent, &old, error);
  if (result != BO_OK) {
    if (error->error_class == BO_CLASS_UNDECIDED) return result;
    file_metadata_remove(put->state, put->key, &status);
    file_prune(put->root, put->key);
    return result;
  }
  file_fill_object(&status, object);
  if (old.st_nlink > 0) file_metadata_remove(put->state, put->key, &old);
  if (file_sync_folder(parent, error) == BO_OK) return BO_OK;
  bo_error_prefix(error, FILE_KEY_SHOWN " is in place, but may not outlast a loss of power", put->key);
  error->error_class = BO_CLASS_UNDECIDED;
  return BO_ERROR;
}

int file_put_commit(void *instance, struct bo_object *object, struct bo_error *error) {
  struct file_put *put = instance;
  if (put->failed) return bo_error_set(error, BO_CLASS_INTERNAL, 0, "a commit of a put that has failed or ended");
  put->failed = true;
  struct bo_error local = BO_ERROR_INIT;
  int result = commit(put, object, &local);
  if (result != BO_OK && error != NULL) *error = local;
  return result;
}

/* ---- close */

int file_put_close(void *instance, struct bo_error *error) {
  struct file_put *put = instance;
  struct file_storage *storage = put->storage;
  int result = BO_OK;
  struct file_put **link = &storage->puts;
  while (*link != put)
    link = &(*link)->next;
  *link = put->next;
  if (put->data >= 0) (void)close(put->data);
  if (put->id[0] != '\0') result = file_end_put(put->state, put->id, put->key, error);
  if (put->state >= 0) (void)close(put->state);
  if (put->root >= 0) (void)close(put->root);
  storage->host->free(storage->host->context, put);
  return result;
}

void file_put_close_all(struct file_storage *storage) {
  while (storage->puts != NULL)
    (void)file_put_close(storage->puts, NULL);
}
