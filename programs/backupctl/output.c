/*
 * -o FILE: data that appear under their name only when all of them are proven.
 *
 * Until then they are in a file without a name (O_TMPFILE) in the same folder, which is gone whatever happens to this
 * process; where the file system has no such files it is FILE.XXXXXX. A file that is there is replaced as a whole and
 * keeps its owner and mode; a link is followed. What is no regular file cannot appear or be replaced, so it is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/io.h"
#include "core/base/text.h"
#include "programs/backupctl/ctl.h"

/* What is at `path` now: *old->st_nlink is 0 when nothing is. */
static int look_at_target(const char *path, struct stat *old, struct bo_error *error) {
  struct stat input;
  *old = (struct stat){.st_nlink = 0};
  if (stat(path, old) != 0) {
    bool dangling = errno == ENOENT && lstat(path, old) == 0;
    *old = (struct stat){.st_nlink = 0};
    if (dangling) return bo_error_set(error, BO_CLASS_CONFIG, ENOENT, "-o %s: it is a link to nowhere", path);
    return errno == ENOENT ? BO_OK : bo_error_errno(error, errno, "-o %s", path);
  }
  if (!S_ISREG(old->st_mode))
    return bo_error_set(error, BO_CLASS_CONFIG, EINVAL,
                        "-o %s: it is no regular file, so it cannot appear when all is proven. Use stdout (> %s)", path,
                        path);
  if (fstat(STDIN_FILENO, &input) == 0 && input.st_dev == old->st_dev && input.st_ino == old->st_ino)
    return bo_error_set(error, BO_CLASS_CONFIG, EINVAL, "-o %s: it is the input, too", path);
  return BO_OK;
}

static int open_nameless(const char *target) {
  BO_CLEANUP_FREE char *copy = strdup(target);
  return copy == NULL ? -1 : open(dirname(copy), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
}

int ctl_output_open(const char *path, struct ctl_output *output, struct bo_error *error) {
  struct stat old;
  *output = (struct ctl_output){.fd = STDOUT_FILENO};
  if (path == NULL) return BO_OK;
  output->fd = -1;
  if (look_at_target(path, &old, error) != BO_OK) return BO_ERROR;
  output->target = old.st_nlink > 0 ? realpath(path, NULL) : strdup(path);
  if (output->target == NULL) return bo_error_errno(error, errno, "-o %s", path);
  output->fd = open_nameless(output->target);
  if (output->fd < 0) {
    if (asprintf(&output->temporary, "%s.XXXXXX", output->target) < 0) output->temporary = NULL;
    output->fd = output->temporary == NULL ? -1 : mkostemp(output->temporary, O_CLOEXEC);
  }
  if (output->fd < 0) {
    (void)bo_error_errno(error, errno, "-o %s", path);
    free(output->temporary);
    output->temporary = NULL; /* nothing of it is there */
    return BO_ERROR;
  }
  if (old.st_nlink == 0) return BO_OK;
  int given = fchown(output->fd, old.st_uid, old.st_gid);
  (void)given; /* it may not be ours to give */
  (void)fchmod(output->fd, old.st_mode & 0777);
  return BO_OK;
}

/* Gives the nameless file a name beside its target. */
static int name(struct ctl_output *output) {
  char uuid[37];
  char nameless[32];
  if (output->temporary != NULL) return 0;
  (void)snprintf(nameless, sizeof(nameless), "/proc/self/fd/%d", output->fd);
  if (!bo_random_uuid(uuid) || asprintf(&output->temporary, "%s.%.8s", output->target, uuid) < 0) {
    output->temporary = NULL;
    errno = ENOMEM;
    return -1;
  }
  return linkat(AT_FDCWD, nameless, AT_FDCWD, output->temporary, AT_SYMLINK_FOLLOW);
}

int ctl_output_close(struct ctl_output *output, bool proven, struct bo_error *error) {
  int result = BO_OK;
  if (output->target == NULL) return BO_OK;
  if (output->fd >= 0 && proven) {
    if (fsync(output->fd) != 0 || name(output) != 0 || rename(output->temporary, output->target) != 0)
      result = bo_error_errno(error, errno, "-o %s", output->target);
    else
      result = bo_sync_folder_of(output->target, error);
  }
  if (output->temporary != NULL && (!proven || result != BO_OK)) (void)unlink(output->temporary);
  if (output->fd >= 0) (void)close(output->fd);
  free(output->temporary);
  free(output->target);
  *output = (struct ctl_output){.fd = -1};
  return result;
}
