#include "core/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

void bo_open_standard_descriptors(void) {
  /* open gives the lowest that is free; in the wrong direction, so that a use is an error as before. */
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0) (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

int bo_write_all(int fd, const void *bytes, size_t size, struct bo_error *error) {
  const char *cursor = bytes;
  while (size > 0) {
    ssize_t written = write(fd, cursor, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      return bo_error_errno(error, errno, "write");
    }
    cursor += written;
    size -= (size_t)written;
  }
  return BO_OK;
}

int bo_read_to_end(int fd, size_t limit, struct bo_buffer *buffer, struct bo_error *error) {
  size_t total = 0;
  for (;;) {
    if (!bo_buffer_reserve(buffer, 16384)) return bo_error_no_memory(error);
    ssize_t got = read(fd, buffer->bytes + buffer->size, 16384);
    if (got < 0) {
      if (errno == EINTR) continue;
      return bo_error_errno(error, errno, "read");
    }
    if (got == 0) {
      buffer->bytes[buffer->size] = '\0';
      return BO_OK;
    }
    buffer->size += (size_t)got;
    total += (size_t)got;
    if (total > limit) return bo_error_set(error, BO_CLASS_CONFIG, EFBIG, "it is larger than %zu bytes", limit);
  }
}

int bo_read_file(const char *path, size_t limit, struct bo_buffer *buffer, struct bo_error *error) {
  BO_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return bo_error_errno(error, errno, "%s", path);
  int result = bo_read_to_end(fd, limit, buffer, error);
  if (result != BO_OK) bo_error_prefix(error, "%s", path);
  return result;
}

int bo_sync_folder_of(const char *path, struct bo_error *error) {
  BO_CLEANUP_FREE char *folder = strdup(path);
  if (folder == NULL) return bo_error_no_memory(error);
  char *slash = strrchr(folder, '/');
  if (slash == folder) slash++;
  if (slash != NULL) *slash = '\0';
  BO_CLEANUP_FD int fd = open(slash == NULL ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0) return bo_error_errno(error, errno, "%s: syncing its folder", path);
  return BO_OK;
}

int bo_write_file_atomically(const char *path, const void *bytes, size_t size, mode_t mode, struct bo_error *error) {
  BO_CLEANUP_FREE char *temporary = NULL;
  if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
    temporary = NULL;
    return bo_error_no_memory(error);
  }
  BO_CLEANUP_FD int fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0) return bo_error_errno(error, errno, "%s: creating it", path);
  int result = bo_write_all(fd, bytes, size, error);
  if (result == BO_OK && (fchmod(fd, mode) != 0 || fsync(fd) != 0)) result = bo_error_errno(error, errno, "fsync");
  if (result == BO_OK && rename(temporary, path) != 0) result = bo_error_errno(error, errno, "rename");
  if (result != BO_OK) {
    bo_error_prefix(error, "%s", path);
    (void)unlink(temporary);
    return result;
  }
  return bo_sync_folder_of(path, error);
}

int bo_make_folders(const char *path, mode_t mode, struct bo_error *error) {
  BO_CLEANUP_FREE char *partial = strdup(path);
  if (partial == NULL) return bo_error_no_memory(error);
  for (char *slash = partial + 1; *partial != '\0'; slash++) {
    if (*slash != '/' && *slash != '\0') continue;
    char end = *slash;
    *slash = '\0';
    if (mkdir(partial, mode) != 0 && errno != EEXIST) return bo_error_errno(error, errno, "mkdir %s", partial);
    *slash = end;
    if (end == '\0') break;
  }
  return BO_OK;
}
