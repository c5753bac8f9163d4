/*
 * What a dead runner leaves: its workload, to that one's supervisor, which ends it and removes its folder. As their
 * subreaper we are the parent of both then, and see when they are gone. Children that were there before (those of a
 * shell that became this program by exec) are not waited for.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "programs/backupctl/ctl.h"

/* More than a supervisor needs to end its workload by force. */
#define ORPHANS_MS 40000

/* proc(5): the parent is the second field behind the name, which stands in parentheses and may hold anything. */
static bool is_ours(int proc, const char *pid) {
  char path[64];
  char text[512];
  (void)snprintf(path, sizeof(path), "%.32s/stat", pid);
  BO_CLEANUP_FD int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
  if (size <= 0) return false;
  text[size] = '\0';
  const char *rest = strrchr(text, ')');
  return rest != NULL && strlen(rest) > 4 && strtol(rest + 4, NULL, 10) == (long)getpid();
}

static size_t count_children(void) {
  size_t count = 0;
  BO_CLEANUP_DIR DIR *proc = opendir("/proc");
  if (proc == NULL) return 0;
  for (const struct dirent *entry; (entry = readdir(proc)) != NULL;)
    if (isdigit((unsigned char)entry->d_name[0]) && is_ours(dirfd(proc), entry->d_name)) count++;
  return count;
}

/* Takes the dead ones away; false when there is no child at all. */
static bool reap(void) {
  pid_t pid;
  do
    pid = waitpid(-1, NULL, WNOHANG);
  while (pid > 0 || (pid < 0 && errno == EINTR));
  return pid == 0;
}

size_t ctl_orphans_before(void) {
  return reap() ? count_children() : 0;
}

void ctl_orphans_wait(size_t before) {
  uint64_t until_ms = bo_monotonic_ms() + ORPHANS_MS;
  while (reap() && (before == 0 || count_children() > before) && bo_monotonic_ms() < until_ms)
    (void)poll(NULL, 0, before == 0 ? 10 : 50);
}
