/*
 * command.c - from a request to a running command. The supervisor has one thread, so it may fork; the child gives
 * itself the clean environment that the plugin has made and tells of a failed step through the status pipe, which a
 * successful exec closes.
 */
#include "command.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "plugins/platform-local/message.h"

/* A request, unpacked: every pointer leads into `bytes`. */
struct request {
  char *bytes;
  size_t size;
  struct bo_local_user user;
  char **pointers; /* argv, NULL, environment, NULL */
  const char *folder;
  char **argv;
  char **environment;
};

static void request_free(struct request *request) {
  if (request->bytes != NULL) explicit_bzero(request->bytes, request->size); /* passwords, in the environment */
  free(request->bytes);
  free(request->pointers);
}

static int read_bytes(int fd, struct request *request) {
  struct stat status;
  if (fstat(fd, &status) != 0) return errno;
  request->size = (size_t)status.st_size;
  request->bytes = malloc(request->size + 1);
  if (request->bytes == NULL) return ENOMEM;
  for (size_t done = 0; done < request->size;) {
    ssize_t got = pread(fd, request->bytes + done, request->size - done, (off_t)done);
    if (got <= 0) return got < 0 ? errno : EPROTO;
    done += (size_t)got;
  }
  request->bytes[request->size] = '\0';
  return 0;
}

static int request_read(int fd, struct request *request) {
  int code = read_bytes(fd, request);
  size_t size = request->size;
  if (code != 0) return code;
  struct bo_local_request header;
  if (size < sizeof(header)) return EPROTO;
  memcpy(&header, request->bytes, sizeof(header));
  /* Each string has at least its NUL, so the counts are bounded by the size before anything is multiplied. */
  if (header.argc == 0 || header.argc > size || header.envc > size) return EPROTO;
  if (header.user.group_count > BO_LOCAL_GROUPS_MAX) return EPROTO;
  request->user = header.user;
  request->pointers = calloc((size_t)header.argc + header.envc + 2, sizeof(char *));
  if (request->pointers == NULL) return ENOMEM;
  request->argv = request->pointers;
  request->environment = request->pointers + header.argc + 1;
  char *at = request->bytes + sizeof(header), *end = request->bytes + size;
  request->folder = at;
  for (uint32_t i = 0; i < header.argc + header.envc; i++) {
    at += strlen(at) + 1;
    if (at >= end) return EPROTO;
    if (i < header.argc)
      request->argv[i] = at;
    else
      request->environment[i - header.argc] = at;
  }
  return request->argv[0] != NULL ? 0 : EPROTO;
}

void command_report(int status, int32_t step, int code) {
  struct bo_local_status record = {.step = step, .code = code};
  ssize_t ignored = write(status, &record, sizeof(record));
  (void)ignored; /* the plugin no longer listens */
}

/* The working folder and the pipes go to the new user along with the process: a pipe that it does not own cannot be
 * opened once more as /dev/stdout. For good: real, effective and saved. */
static int become(const struct bo_local_user *user, const int *descriptors, const char *folder) {
  if (user->change == 0) return 0;
  gid_t groups[BO_LOCAL_GROUPS_MAX];
  for (uint32_t i = 0; i < user->group_count; i++)
    groups[i] = user->groups[i];
  if (chown(folder, user->uid, user->gid) != 0) return errno;
  if (fchown(descriptors[BO_LOCAL_FD_DATA], user->uid, user->gid) != 0) return errno;
  if (fchown(descriptors[BO_LOCAL_FD_STDERR], user->uid, user->gid) != 0) return errno;
  if (setgroups(user->group_count, groups) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
      setresuid(user->uid, user->uid, user->uid) != 0)
    return errno;
  return 0;
}

static _Noreturn void run(const int *descriptors, bool restore, const struct request *request, const char *folder,
                          pid_t supervisor) {
  int status = descriptors[BO_LOCAL_FD_STATUS];
  (void)setpgid(0, 0);
  int code = become(&request->user, descriptors, folder);
  if (code != 0) {
    command_report(status, BO_LOCAL_STEP_USER, code);
    _exit(EXIT_FAILURE);
  }
  /* Should the supervisor be killed, so is the command: nobody would be left to end it. A change of user takes that
   * wish back, so it comes after. */
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != supervisor) _exit(EXIT_FAILURE);
  sigset_t none;
  (void)sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, NULL);
  (void)dup2(descriptors[BO_LOCAL_FD_DATA], restore ? STDIN_FILENO : STDOUT_FILENO);
  (void)dup2(descriptors[BO_LOCAL_FD_STDERR], STDERR_FILENO);
  if (chdir(request->folder[0] != '\0' ? request->folder : folder) != 0) {
    command_report(status, BO_LOCAL_STEP_FOLDER, errno);
    _exit(EXIT_FAILURE);
  }
  environ = request->environment;
  (void)execvp(request->argv[0], request->argv);
  command_report(status, BO_LOCAL_STEP_EXEC, errno);
  _exit(EXIT_FAILURE);
}

pid_t command_start(const int *descriptors, int restore, const char *folder) {
  BO_CLEANUP(request_free) struct request request = {0};
  int code = request_read(descriptors[BO_LOCAL_FD_REQUEST], &request);
  pid_t supervisor = getpid();
  pid_t pid = code == 0 ? fork() : -1;
  if (pid == 0) run(descriptors, restore != 0, &request, folder, supervisor);
  if (pid < 0) command_report(descriptors[BO_LOCAL_FD_STATUS], BO_LOCAL_STEP_FORK, code != 0 ? code : errno);
  return pid;
}
