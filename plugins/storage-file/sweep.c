/*
 * plugins/storage-file/sweep.c - ending puts from outside: one by its token (discard), or all that are old (sweep).
 *
 * Removing a put's folder in .backup-operator is all there is to it; put.c tells why that ends a put for good.
 */
#include <errno.h>
#include <fcntl.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "plugins/storage-file/storage-file.h"

static bool is_id(const char *text) {
  return strspn(text, "0123456789abcdef") == FILE_ID_SIZE - 1 && text[FILE_ID_SIZE - 1] == '\0';
}

int file_end_put(int state, const char *id, const char *key, struct bo_error *error) {
  static const char *const names[] = {"data", "object"};
  /* A commit can put a file into the folder while it is being emptied, but only once. */
  for (int i = 0; i < 3; i++) {
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
      char path[FILE_PUT_PATH_SIZE];
      file_put_path(path, id, names[n]);
      struct stat status;
      bool is_data = n == 0 && fstatat(state, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
      if (unlinkat(state, path, 0) != 0) {
        if (errno == ENOENT) continue;
        return bo_error_errno(error, errno, "removing " FILE_STATE_FOLDER "/%s, which is left of a put", path);
      }
      /* These data will never be at the key: nor need a commit that died have left metadata for them. */
      if (is_data && key != NULL) file_metadata_remove(state, key, &status);
    }
    if (unlinkat(state, id, AT_REMOVEDIR) == 0 || errno == ENOENT) return BO_OK;
    if (errno != ENOTEMPTY && errno != EEXIST) break;
  }
  return bo_error_errno(error, errno, "removing " FILE_STATE_FOLDER "/%s, which is left of a put", id);
}

int file_discard(void *instance, const char *key, const char *token, struct bo_error *error) {
  struct file_storage *storage = instance;
  BO_CLEANUP_FD int root = -1;
  BO_CLEANUP_FD int state = -1;
  if (!is_id(token))
    return bo_error_set(error, BO_CLASS_CONFIG, EINVAL, "'%.40s' is no token of a put into a folder", token);
  if (file_open_root(storage, &root, error) != BO_OK || file_open_state(root, false, &state, error) != BO_OK)
    return BO_ERROR;
  return state < 0 ? BO_OK : file_end_put(state, token, key, error);
}

/* Whether the put is to be ended. One without a known key never handed out its token, or is being committed, or is
 * what a crash left then: its age alone decides. */
static bool is_due(int state, const char *id, const char *prefix, uint64_t older_than_seconds) {
  struct file_record record;
  if (!file_record_read(state, id, &record)) return false;
  int64_t age_ms = bo_realtime_ms() - record.began_unix_ms;
  if (age_ms < 0 || (uint64_t)age_ms / 1000 < older_than_seconds) return false;
  return record.key[0] == '\0' || strncmp(record.key, prefix, strlen(prefix)) == 0;
}

int file_sweep(void *instance, const char *prefix, uint64_t older_than_seconds, uint64_t *count,
               struct bo_error *error) {
  struct file_storage *storage = instance;
  BO_CLEANUP_FD int root = -1;
  BO_CLEANUP_FD int state = -1;
  *count = 0;
  if (prefix == NULL) prefix = "";
  if (file_check_cancelled(storage, error) != BO_OK || file_open_root(storage, &root, error) != BO_OK ||
      file_open_state(root, false, &state, error) != BO_OK)
    return BO_ERROR;
  if (state < 0) return BO_OK;
  int fd = openat(state, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  BO_CLEANUP_DIR DIR *folder = fd < 0 ? NULL : fdopendir(fd);
  if (folder == NULL) return bo_error_errno(error, errno, "reading the folder " FILE_STATE_FOLDER);
  for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (file_check_cancelled(storage, error) != BO_OK) return BO_ERROR;
    if (!is_id(entry->d_name) || !is_due(state, entry->d_name, prefix, older_than_seconds)) continue;
    if (file_end_put(state, entry->d_name, NULL, error) != BO_OK) return BO_ERROR;
    (*count)++;
  }
  return file_metadata_sweep(storage, root, state, prefix, older_than_seconds, error);
}
