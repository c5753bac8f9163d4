/* plugins/storage-file/probe.c - whether the folder can serve, found by doing what a put does, out of sight. */
#include <errno.h>
#include <fcntl.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "plugins/storage-file/storage-file.h"

/* In the configured folder itself objects and folders must be made: the put below never gets there. */
static int check_writable(const struct file_storage *storage, int root, struct bo_error *error) {
  if (faccessat(root, ".", W_OK | X_OK, AT_EACCESS) == 0) return BO_OK;
  if (errno == EROFS)
    return bo_error_set(error, BO_CLASS_AUTH, EROFS, "the folder '%.300s' is on a file system mounted read-only",
                        storage->path);
  return bo_error_errno(error, errno, "user %u may not write to the folder '%.300s'", (unsigned)geteuid(),
                        storage->path);
}

static int try_put(struct file_storage *storage, struct bo_error *error) {
  static const char block[4096] = "probe";
  struct bo_token token;
  void *put = NULL;
  if (file_put_open(storage, "probe", NULL, &token, &put, error) != BO_OK) return BO_ERROR;
  int result = file_put_write(put, block, sizeof(block), error);
  int closed = file_put_close(put, result == BO_OK ? error : NULL);
  return result == BO_OK ? closed : result;
}

int file_probe(void *instance, uint32_t what, struct bo_error *error) {
  struct file_storage *storage = instance;
  BO_CLEANUP_FD int root = -1;
  if (file_check_cancelled(storage, error) != BO_OK || file_open_root(storage, &root, error) != BO_OK) return BO_ERROR;
  if ((what & BO_PROBE_WRITE) == 0) return BO_OK;
  if (check_writable(storage, root, error) != BO_OK || try_put(storage, error) != BO_OK) return BO_ERROR;
  return file_sync_folder(root, error);
}
