/*
 * plugins/storage-file/folder.c - the storage's own folders: opening, syncing, locking and tidying them.
 *
 * The configured folder is opened anew for each call, so that a share that was mounted meanwhile is seen. It may be
 * reached through links (it is the administrator's own path); beneath it no link is ever followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "plugins/storage-file/storage-file.h"

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define LOCK_WAIT_MS 10000
#define LOCK_STEP_MS 5

int file_open_root(struct file_storage *storage, int *root, struct bo_error *error) {
  *root = open(storage->path, FOLDER_FLAGS);
  if (*root >= 0) return BO_OK;
  const char *path = storage->path;
  int code = errno;
  if (code == ENOENT)
    return bo_error_set(error, BO_CLASS_NOT_FOUND, code,
                        "the folder '%.300s' does not exist: make it (mkdir -p), or mount what belongs there", path);
  if (code == ENOTDIR)
    return bo_error_set(error, BO_CLASS_CONFIG, code, "'%.300s' is not a folder, or something above it is not", path);
  if (code == EACCES)
    return bo_error_set(error, BO_CLASS_AUTH, code,
                        "the folder '%.300s' may not be read by user %u: give it read, write and search permission",
                        path, (unsigned)geteuid());
  return bo_error_errno(error, code, "opening the folder '%.300s'", path);
}

int file_begin(struct file_storage *storage, const char *key, int *root, struct bo_error *error) {
  if (file_check_cancelled(storage, error) != BO_OK || file_check_key(key, error) != BO_OK ||
      file_open_root(storage, root, error) != BO_OK)
    return BO_ERROR;
  return file_check_folding(*root, key, error);
}

int file_open_state(int root, bool make, int *state, struct bo_error *error) {
  *state = openat(root, FILE_STATE_FOLDER, FOLDER_FLAGS | O_NOFOLLOW);
  if (*state < 0 && errno == ENOENT) {
    if (!make) return BO_OK;
    if (mkdirat(root, FILE_STATE_FOLDER, 0700) != 0 && errno != EEXIST)
      return bo_error_errno(error, errno, "making the folder " FILE_STATE_FOLDER " in the storage's folder");
    *state = openat(root, FILE_STATE_FOLDER, FOLDER_FLAGS | O_NOFOLLOW);
  }
  if (*state < 0)
    return bo_error_errno(error, errno, "opening the folder " FILE_STATE_FOLDER " in the storage's folder");
  return BO_OK;
}

int file_sync_folder(int folder, struct bo_error *error) {
  if (fsync(folder) == 0) return BO_OK;
  /* What a file system says that does not sync folders: there is nothing more to be had. */
  if (errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS) return BO_OK;
  return bo_error_errno(error, errno, "syncing a folder of the storage");
}

void file_prune(int root, const char *key) {
  char folder[BO_KEY_MAX + 1];
  memcpy(folder, key, strlen(key) + 1);
  for (;;) {
    char *slash = strrchr(folder, '/');
    if (slash == NULL) return;
    *slash = '\0';
    BO_CLEANUP_FD int parent = -1;
    const char *name = NULL;
    if (file_walk(root, folder, FILE_WALK_READ, &parent, &name, NULL) != BO_OK) return;
    if (unlinkat(parent, name, AT_REMOVEDIR) != 0) return;
  }
}

int file_lock(struct file_storage *storage, int state, struct bo_error *error) {
  for (int waited_ms = 0; flock(state, LOCK_EX | LOCK_NB) != 0; waited_ms += LOCK_STEP_MS) {
    if (errno != EWOULDBLOCK && errno != EINTR) return BO_OK;
    if (waited_ms >= LOCK_WAIT_MS) {
      (void)bo_error_set(error, BO_CLASS_TIMEOUT, EWOULDBLOCK,
                         "another process holds the lock of " FILE_STATE_FOLDER " for %d s: is it stopped?",
                         LOCK_WAIT_MS / 1000);
      return BO_RETRY;
    }
    if (storage->host->sleep_ms(storage->host->context, LOCK_STEP_MS) != 0)
      return bo_error_set(error, BO_CLASS_CANCELLED, 0, "the storage was asked to stop");
  }
  return BO_OK;
}

void file_unlock(int state) {
  (void)flock(state, LOCK_UN);
}
