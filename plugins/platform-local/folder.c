/* folder.c - removes a folder, descending only through openat2(2) with RESOLVE_NO_XDEV. */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "core/base/cleanup.h"

static int remove_entry(int parent, const char *name);

static int open_folder(int parent, const char *name) {
  struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC};
  /* The working folder's own path may well cross a mount (/tmp); what is below it may not. */
  if (parent != AT_FDCWD) how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
  return (int)syscall(SYS_openat2, parent, name, &how, sizeof(how));
}

static int remove_content(int folder) {
  int failure = 0;
  BO_CLEANUP_DIR DIR *dir = fdopendir(folder);
  if (dir == NULL) {
    failure = errno;
    (void)close(folder);
    return failure;
  }
  for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    int code = remove_entry(dirfd(dir), entry->d_name);
    if (failure == 0) failure = code;
  }
  return failure;
}

static int remove_entry(int parent, const char *name) {
  if (parent != AT_FDCWD && unlinkat(parent, name, 0) == 0) return 0;
  int code = errno;
  struct stat status;
  if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? 0 : errno;
  if (!S_ISDIR(status.st_mode)) return code;
  /* A folder that its owner may not write is no obstacle to its owner. */
  if ((status.st_mode & S_IRWXU) != S_IRWXU && fchmodat(parent, name, S_IRWXU, 0) != 0) return errno;
  int folder = open_folder(parent, name);
  if (folder < 0) return errno;
  int failure = remove_content(folder);
  if (unlinkat(parent, name, AT_REMOVEDIR) != 0 && failure == 0) failure = errno;
  return failure;
}

int bo_local_remove_folder(const char *path) {
  return remove_entry(AT_FDCWD, path);
}
