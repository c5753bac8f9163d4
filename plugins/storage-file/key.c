/*
 * plugins/storage-file/key.c - from a key to a file, and never out of the folder.
 *
 * A key's components become folders and a file as they are, byte for byte: nothing is escaped, so two keys cannot
 * meet in one file, and what has no such name is refused. The way down goes component by component with O_NOFOLLOW:
 * without "..", links and absolute parts there is no way out, on any kernel and whoever changes the tree meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "plugins/storage-file/storage-file.h"

static int refuse(const char *key, const char *why, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CONFIG, EINVAL, "a folder cannot hold the key " FILE_KEY_SHOWN ": %s", key, why);
}

bool file_is_reserved(const char *component) {
  size_t length = strcspn(component, "/");
  static const char *const names[] = {FILE_STATE_FOLDER, "lost+found"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (strlen(names[i]) == length && memcmp(names[i], component, length) == 0) return true;
  return false;
}

int file_check_key(const char *key, struct bo_error *error) {
  size_t size = strnlen(key, BO_KEY_MAX + 1);
  if (size == 0) return refuse(key, "it is empty", error);
  if (size > BO_KEY_MAX) return refuse(key, "it is longer than 1,024 bytes", error);
  if (!bo_is_utf8(key, size)) return refuse("", "it is not valid UTF-8", error);
  if (file_is_reserved(key)) return refuse(key, "its first part is reserved", error);
  for (const char *part = key;; part++) {
    size_t length = strcspn(part, "/");
    if (length == 0) return refuse(key, "it begins or ends with a slash, or has two in a row", error);
    if ((length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
      return refuse(key, "a part of it is \".\" or \"..\"", error);
    if (length > NAME_MAX) return refuse(key, "a part of it is longer than 255 bytes", error);
    part += length;
    if (*part == '\0') return BO_OK;
  }
}

/* vfat, exFAT, CIFS and ext4's casefold find a name in any case; some drop final dots and spaces. The state folder,
 * which every put makes first, shows it. There a key must be plain: lower case, ASCII, no part with such an end. */
int file_check_folding(int root, const char *key, struct bo_error *error) {
  struct stat state;
  struct stat other;
  if (fstatat(root, FILE_STATE_FOLDER, &state, AT_SYMLINK_NOFOLLOW) != 0 ||
      fstatat(root, FILE_STATE_FOLDER_FOLDED, &other, AT_SYMLINK_NOFOLLOW) != 0 || state.st_ino != other.st_ino)
    return BO_OK;
  for (const char *c = key; *c != '\0'; c++)
    if ((*c >= 'A' && *c <= 'Z') || (unsigned char)*c > 127 ||
        ((*c == '.' || *c == ' ') && (c[1] == '/' || c[1] == '\0')))
      return refuse(key,
                    "its file system does not tell upper from lower case, so a key must be lower-case ASCII, and "
                    "no part may end in a dot or space",
                    error);
  return BO_OK;
}

int file_not_an_object(const char *key, mode_t mode, struct bo_error *error) {
  if (S_ISDIR(mode))
    return bo_error_set(error, BO_CLASS_NOT_FOUND, EISDIR, "there is no object " FILE_KEY_SHOWN ", but a folder", key);
  return bo_error_set(error, BO_CLASS_NOT_FOUND, EINVAL,
                      "there is no object " FILE_KEY_SHOWN ", but %s, which this storage does not use", key,
                      S_ISLNK(mode) ? "a symbolic link" : "a special file");
}

/* Why a component of the way down could not be opened as a folder. An object in its place means to a reader only that
 * there is no such key; a put could never be committed. */
static int step_error(int folder, const char *component, int code, const char *key, enum file_walk purpose,
                      struct bo_error *error) {
  struct stat status = {0};
  if ((code == ENOTDIR || code == ELOOP) && fstatat(folder, component, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISLNK(status.st_mode))
    return bo_error_set(error, BO_CLASS_CONFIG, ELOOP,
                        "the way to " FILE_KEY_SHOWN
                        " leads through the symbolic link '%.200s': links are never "
                        "followed",
                        key, component);
  if (code == ENOENT || (code == ENOTDIR && purpose == FILE_WALK_READ))
    return bo_error_set(error, BO_CLASS_NOT_FOUND, ENOENT, "there is no object " FILE_KEY_SHOWN, key);
  if (code == ENOTDIR)
    return bo_error_set(error, BO_CLASS_CONFIG, ENOTDIR,
                        "a folder cannot hold the key " FILE_KEY_SHOWN " beside the object '%.200s' on its way", key,
                        component);
  return bo_error_errno(error, code, "opening the folder '%.200s' on the way to " FILE_KEY_SHOWN, component, key);
}

static int make_folder(int folder, const char *component, const char *key, struct bo_error *error) {
  if (mkdirat(folder, component, 0700) == 0) return file_sync_folder(folder, error);
  if (errno == EEXIST) return BO_OK;
  return bo_error_errno(error, errno, "making the folder '%.200s' for " FILE_KEY_SHOWN, component, key);
}

/* A rename, which a commit is, does not cross file systems: better said before the first byte than after the last. */
static int check_device(int folder, dev_t device, const char *key, struct bo_error *error) {
  struct stat status;
  if (fstat(folder, &status) != 0) return bo_error_errno(error, errno, "reading a folder of " FILE_KEY_SHOWN, key);
  if (status.st_dev == device) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, EXDEV,
                      "the folder of " FILE_KEY_SHOWN
                      " is on another file system than the storage's folder: make it a "
                      "storage of its own",
                      key);
}

static int take(int *fd) {
  int taken = *fd;
  *fd = -1;
  return taken;
}

int file_walk(int root, const char *key, enum file_walk purpose, int *parent, const char **name,
              struct bo_error *error) {
  struct stat top;
  if (fstat(root, &top) != 0) return bo_error_errno(error, errno, "reading the storage's folder");
  const int flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | (purpose == FILE_WALK_MAKE ? O_RDONLY : O_PATH);
  BO_CLEANUP_FD int folder = openat(root, ".", flags);
  if (folder < 0) return bo_error_errno(error, errno, "opening the storage's folder");
  const char *rest = key;
  for (const char *slash; (slash = strchr(rest, '/')) != NULL; rest = slash + 1) {
    char component[NAME_MAX + 1];
    memcpy(component, rest, (size_t)(slash - rest));
    component[slash - rest] = '\0';
    if (purpose == FILE_WALK_MAKE && make_folder(folder, component, key, error) != BO_OK) return BO_ERROR;
    int next = openat(folder, component, flags);
    if (next < 0) return step_error(folder, component, errno, key, purpose, error);
    (void)close(folder);
    folder = next;
    if (purpose != FILE_WALK_READ && check_device(folder, top.st_dev, key, error) != BO_OK) return BO_ERROR;
  }
  *name = rest;
  *parent = take(&folder);
  return BO_OK;
}

int file_stat_key(int root, const char *key, struct stat *status, struct bo_error *error) {
  BO_CLEANUP_FD int parent = -1;
  const char *name = key;
  int result = file_walk(root, key, FILE_WALK_READ, &parent, &name, error);
  if (result != BO_OK) return result;
  if (fstatat(parent, name, status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT)
      return bo_error_set(error, BO_CLASS_NOT_FOUND, ENOENT, "there is no object " FILE_KEY_SHOWN, key);
    return bo_error_errno(error, errno, "reading " FILE_KEY_SHOWN, key);
  }
  return S_ISREG(status->st_mode) ? BO_OK : file_not_an_object(key, status->st_mode, error);
}
