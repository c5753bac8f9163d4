/* plugins/storage-file/object.c - objects that are there: what is told of them, and their removal. */
#include <errno.h>
#include <fcntl.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "plugins/storage-file/storage-file.h"

static int64_t nanoseconds(const struct timespec *time) {
  return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

/* Inode, length and time of change. A replaced object has another inode; one altered in place has another time, since
 * a commit sets it to the nanosecond and the kernel's own, coarser times do not hit the same one again. */
void file_etag(const struct stat *status, char etag[BO_ETAG_MAX]) {
  (void)snprintf(etag, BO_ETAG_MAX, "%llx-%llx-%llx", (unsigned long long)status->st_ino,
                 (unsigned long long)status->st_size, (unsigned long long)nanoseconds(&status->st_mtim));
}

void file_fill_object(const struct stat *status, struct bo_object *object) {
  uint32_t size = object->size;
  memset(object, 0, sizeof(*object));
  object->size = size;
  object->size_bytes = (uint64_t)status->st_size;
  object->modified_unix_ms = nanoseconds(&status->st_mtim) / 1000000;
  file_etag(status, object->etag);
}

int file_stat(void *instance, const char *key, struct bo_object *object, struct bo_error *error) {
  struct file_storage *storage = instance;
  struct stat status;
  BO_CLEANUP_FD int root = -1;
  if (file_begin(storage, key, &root, error) != BO_OK || file_stat_key(root, key, &status, error) != BO_OK)
    return BO_ERROR;
  file_fill_object(&status, object);
  return file_metadata_read(storage, root, key, &status, object, error);
}

static int unlink_matching(int parent, const char *name, const char *key, const char *if_match, struct stat *status,
                           struct bo_error *error) {
  char etag[BO_ETAG_MAX];
  if (fstatat(parent, name, status, AT_SYMLINK_NOFOLLOW) != 0)
    return bo_error_errno(error, errno, "removing " FILE_KEY_SHOWN, key);
  file_etag(status, etag);
  if (if_match != NULL && strcmp(if_match, etag) != 0)
    return bo_error_set(error, BO_CLASS_CONFLICT, 0, "the object " FILE_KEY_SHOWN " has changed: it was left alone",
                        key);
  if (unlinkat(parent, name, 0) != 0) return bo_error_errno(error, errno, "removing " FILE_KEY_SHOWN, key);
  return BO_OK;
}

int file_remove(void *instance, const char *key, const char *if_match, struct bo_error *error) {
  struct file_storage *storage = instance;
  struct stat status;
  const char *name = NULL;
  BO_CLEANUP_FD int root = -1;
  BO_CLEANUP_FD int state = -1;
  BO_CLEANUP_FD int parent = -1;
  if (file_begin(storage, key, &root, error) != BO_OK || file_stat_key(root, key, &status, error) != BO_OK ||
      file_walk(root, key, FILE_WALK_READ, &parent, &name, error) != BO_OK ||
      file_open_state(root, if_match != NULL, &state, error) != BO_OK)
    return BO_ERROR;
  int result = if_match == NULL ? BO_OK : file_lock(storage, state, error);
  if (result == BO_OK) result = unlink_matching(parent, name, key, if_match, &status, error);
  if (if_match != NULL) file_unlock(state);
  if (result != BO_OK) return result;
  BO_CLEANUP_FD int synced = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  result = synced < 0 ? BO_OK : file_sync_folder(synced, error);
  if (result != BO_OK && error != NULL) error->error_class = BO_CLASS_UNDECIDED;
  if (state >= 0) file_metadata_remove(state, key, &status);
  file_prune(root, key);
  return result;
}
