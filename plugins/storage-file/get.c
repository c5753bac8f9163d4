/*
 * plugins/storage-file/get.c - reading an object.
 *
 * The file stays open, so a commit that replaces the object (a rename) does not touch this read. What can touch it is
 * somebody who alters the file in place: every read looks whether length or time of change are still those of the
 * beginning, so that a mixture is never passed on as an object, nor a shortened file's end as the end.
 */
#include <errno.h>
#include <fcntl.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "plugins/storage-file/storage-file.h"

struct file_get {
  struct file_storage *storage;
  struct file_get *next;
  int fd;
  uint64_t position_bytes;
  struct stat status; /* at open */
  char key[BO_KEY_MAX + 1];
};

static int open_object(int root, const char *key, int *fd, struct stat *status, struct bo_error *error) {
  BO_CLEANUP_FD int parent = -1;
  const char *name = NULL;
  if (file_walk(root, key, FILE_WALK_READ, &parent, &name, error) != BO_OK) return BO_ERROR;
  /* O_NONBLOCK: a FIFO at this name must not make the open wait for a writer. */
  *fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (*fd < 0) {
    if (errno == ENOENT)
      return bo_error_set(error, BO_CLASS_NOT_FOUND, ENOENT, "there is no object " FILE_KEY_SHOWN, key);
    if (errno == ELOOP) return file_not_an_object(key, S_IFLNK, error);
    return bo_error_errno(error, errno, "opening " FILE_KEY_SHOWN, key);
  }
  if (fstat(*fd, status) != 0) return bo_error_errno(error, errno, "reading " FILE_KEY_SHOWN, key);
  return S_ISREG(status->st_mode) ? BO_OK : file_not_an_object(key, status->st_mode, error);
}

static int changed(const char *key, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CONFLICT, 0, "the object " FILE_KEY_SHOWN " was altered while it was read", key);
}

int file_get_open(void *instance, const char *key, uint64_t offset_bytes, const char *if_match,
                  struct bo_object *object, void **out, struct bo_error *error) {
  struct file_storage *storage = instance;
  const struct bo_host *host = storage->host;
  struct stat status;
  BO_CLEANUP_FD int root = -1;
  BO_CLEANUP_FD int fd = -1;
  if (file_begin(storage, key, &root, error) != BO_OK || open_object(root, key, &fd, &status, error) != BO_OK)
    return BO_ERROR;
  file_fill_object(&status, object);
  if (if_match != NULL && strcmp(if_match, object->etag) != 0)
    return bo_error_set(error, BO_CLASS_CONFLICT, 0,
                        "the object " FILE_KEY_SHOWN
                        " is not the one asked for: it has "
                        "changed since",
                        key);
  if (offset_bytes > object->size_bytes)
    return bo_error_set(error, BO_CLASS_CONFIG, EINVAL,
                        "the object " FILE_KEY_SHOWN " has %llu bytes: there is no offset %llu", key,
                        (unsigned long long)object->size_bytes, (unsigned long long)offset_bytes);
  if (file_metadata_read(storage, root, key, &status, object, error) != BO_OK) return BO_ERROR;
  struct file_get *get = host->alloc(host->context, sizeof(*get));
  if (get == NULL) return bo_error_no_memory(error);
  *get = (struct file_get){.storage = storage, .fd = fd, .position_bytes = offset_bytes, .status = status};
  fd = -1;
  memcpy(get->key, key, strlen(key) + 1);
  get->next = storage->gets;
  storage->gets = get;
  (void)posix_fadvise(get->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  *out = get;
  return BO_OK;
}

int file_get_read(void *instance, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  struct file_get *get = instance;
  const uint64_t left_bytes = (uint64_t)get->status.st_size - get->position_bytes;
  *size = 0;
  if (file_check_cancelled(get->storage, error) != BO_OK) return BO_ERROR;
  if (capacity > left_bytes) capacity = left_bytes;
  ssize_t got = 0;
  if (capacity > 0) {
    do
      got = pread(get->fd, bytes, capacity, (off_t)get->position_bytes);
    while (got < 0 && errno == EINTR);
    if (got < 0) return bo_error_errno(error, errno, "reading " FILE_KEY_SHOWN, get->key);
  }
  struct stat now;
  if (fstat(get->fd, &now) != 0) return bo_error_errno(error, errno, "reading " FILE_KEY_SHOWN, get->key);
  if (now.st_size != get->status.st_size || now.st_mtim.tv_sec != get->status.st_mtim.tv_sec ||
      now.st_mtim.tv_nsec != get->status.st_mtim.tv_nsec || (got == 0 && capacity > 0))
    return changed(get->key, error);
  get->position_bytes += (uint64_t)got;
  *size = (size_t)got;
  return BO_OK;
}

void file_get_close(void *instance) {
  struct file_get *get = instance;
  struct file_storage *storage = get->storage;
  struct file_get **link = &storage->gets;
  while (*link != get)
    link = &(*link)->next;
  *link = get->next;
  (void)close(get->fd);
  storage->host->free(storage->host->context, get);
}

void file_get_close_all(struct file_storage *storage) {
  while (storage->gets != NULL)
    file_get_close(storage->gets);
}
