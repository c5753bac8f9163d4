/*
 * exec_open.c - from an exec's specification to a running command: its environment and arguments go to the supervisor
 * in a memfd, its ends of the pipes beside it, and a pipe tells whether it could be started.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/io.h"
#include "exec.h"
#include "message.h"

/* Our side's and the command's ends of all that an exec needs. */
struct ends {
  int request, status, status_writer, command_socket, command_errors, command_data;
};

static void ends_close(const struct ends *ends) {
  const int all[] = {ends->request,        ends->status,         ends->status_writer,
                     ends->command_socket, ends->command_errors, ends->command_data};
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
    if (all[i] >= 0) (void)close(all[i]);
}

static bool make_pipe(int *reader, int *writer, const int *ours) {
  int pipes[2];
  if (pipe2(pipes, O_CLOEXEC) != 0) return false;
  *reader = pipes[0];
  *writer = pipes[1];
  (void)fcntl(*reader, F_SETPIPE_SZ, PIPE_SIZE); /* or what the machine allows */
  return fcntl(*ours, F_SETFL, O_NONBLOCK) == 0;
}

static bool make_descriptors(struct exec *exec, struct ends *ends) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return false;
  exec->socket = sockets[0];
  ends->command_socket = sockets[1];
  exec->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  exec->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  exec->quit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (exec->cancel_fd < 0 || exec->ended_fd < 0 || exec->quit_fd < 0) return false;
  bool data = exec->direction == BO_EXEC_BACKUP ? make_pipe(&exec->data, &ends->command_data, &exec->data)
                                                : make_pipe(&ends->command_data, &exec->data, &exec->data);
  return data && make_pipe(&exec->errors, &ends->command_errors, &exec->errors) &&
         make_pipe(&ends->status, &ends->status_writer, &ends->status);
}

/* Writes struct bo_local_request and its strings into a memfd. */
static int make_request(const struct exec *exec, const struct bo_exec_spec *spec, int *fd, struct bo_error *error) {
  const struct container *container;
  if (containers_find(&exec->workload->containers, spec->container, &container, error) != BO_OK) return BO_ERROR;
  CLEANUP_ENVIRONMENT struct environment environment = ENVIRONMENT_INIT;
  BO_CLEANUP(bo_buffer_cleanse) struct bo_buffer request = BO_BUFFER_INIT;
  if (container_environment(container, exec->workload->folder, &environment, error) != BO_OK) return BO_ERROR;
  struct bo_local_request header = {.envc = environment.count, .user = container->user};
  while (spec->argv[header.argc] != NULL)
    header.argc++;
  const char *folder = container->folder != NULL ? container->folder : "";
  bool ok =
      bo_buffer_append(&request, &header, sizeof(header)) && bo_buffer_append(&request, folder, strlen(folder) + 1);
  for (uint32_t i = 0; ok && i < header.argc; i++)
    ok = bo_buffer_append(&request, spec->argv[i], strlen(spec->argv[i]) + 1);
  ok = ok && bo_buffer_append(&request, environment.bytes.bytes, environment.bytes.size);
  if (!ok) return bo_error_no_memory(error);
  *fd = memfd_create("backup-operator-exec", MFD_CLOEXEC);
  if (*fd < 0) return bo_error_errno(error, errno, "cannot make a memfd for the command");
  return bo_write_all(*fd, request.bytes, request.size, error);
}

static int send_request(const struct exec *exec, const struct ends *ends, struct bo_error *error) {
  const int descriptors[BO_LOCAL_FD_MAX] = {
      [BO_LOCAL_FD_REQUEST] = ends->request,       [BO_LOCAL_FD_STATUS] = ends->status_writer,
      [BO_LOCAL_FD_SOCKET] = ends->command_socket, [BO_LOCAL_FD_STDERR] = ends->command_errors,
      [BO_LOCAL_FD_DATA] = ends->command_data,     [BO_LOCAL_FD_HOLD] = exec->data,
  };
  size_t count = exec->direction == BO_EXEC_RESTORE ? BO_LOCAL_FD_MAX : BO_LOCAL_FD_HOLD;
  struct bo_local_message message = {.type = BO_LOCAL_EXEC, .value = exec->direction};
  int code = bo_local_send(exec->workload->control, &message, descriptors, count, 0);
  return code == 0 ? BO_OK : bo_error_errno(error, code, "cannot ask the workload's supervisor to start a command");
}

static int explain(const struct bo_local_status *failure, const char *command, const struct container *container,
                   struct bo_error *error) {
  switch (failure->step) {
    case BO_LOCAL_STEP_ENDED:
      return bo_error_set(error, BO_CLASS_CANCELLED, 0, "cannot start \"%.200s\": the workload was stopped", command);
    case BO_LOCAL_STEP_FOLDER:
      if (container->folder != NULL)
        return bo_error_errno(error, failure->code, "cannot start \"%.200s\" in the container's workingDir \"%.200s\"",
                              command, container->folder);
      return bo_error_errno(error, failure->code,
                            "cannot start \"%.200s\" in the workload's folder; can user %u reach workDir?", command,
                            container->user.uid);
    case BO_LOCAL_STEP_USER:
      return bo_error_errno(error, failure->code, "cannot become user %u and group %u for \"%.200s\"",
                            container->user.uid, container->user.gid, command);
    case BO_LOCAL_STEP_FORK:
      return bo_error_errno(error, failure->code, "cannot start a process for \"%.200s\"", command);
    default: break;
  }
  const char *remedy = failure->code == ENOENT   ? "install it, or give its full path"
                       : failure->code == EACCES ? "it must be an executable file that this user may run"
                       : failure->code == E2BIG  ? "shorten its arguments and environment"
                                                 : "is it a program for this machine?";
  (void)bo_error_errno(error, failure->code, "cannot run the command \"%.200s\"", command);
  struct bo_error reason = *error;
  return bo_error_set(error, BO_CLASS_COMMAND, failure->code, "%.700s; %s", reason.text, remedy);
}

/* Reads the status pipe to its end: the last of its records is in *status, step 0 when there was none. */
static int read_status(const struct exec *exec, int fd, struct bo_local_status *status, struct bo_error *error) {
  uint64_t deadline_ms = bo_monotonic_ms() + START_TIMEOUT_MS;
  *status = (struct bo_local_status){0, 0};
  for (;;) {
    int result = platform_wait(exec->workload->platform, fd, deadline_ms, "the command to start", error);
    if (result != BO_OK) return result;
    struct bo_local_status next;
    ssize_t got = read(fd, &next, sizeof(next));
    if (got == 0) return BO_OK;
    if (got == (ssize_t)sizeof(next))
      *status = next;
    else if (errno != EINTR && errno != EAGAIN)
      return bo_error_errno(error, errno, "cannot hear of the command's start");
  }
}

static int await_start(struct exec *exec, const struct bo_exec_spec *spec, const struct ends *ends,
                       struct bo_error *error) {
  struct bo_local_status status;
  int result = read_status(exec, ends->status, &status, error);
  if (result != BO_OK || status.step == BO_LOCAL_STEP_ACCEPTED) return result;
  exec->started = false;
  if (status.step == 0)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0,
                        "the workload's supervisor could not take the command \"%.200s\": it was killed, or has too "
                        "many open files; look at the kernel's log and at ulimit -n",
                        spec->argv[0]);
  const struct container *container = NULL;
  (void)containers_find(&exec->workload->containers, spec->container, &container, NULL);
  struct bo_error local = BO_ERROR_INIT;
  return explain(&status, spec->argv[0], container, error != NULL ? error : &local);
}

static int open_steps(struct exec *exec, const struct bo_exec_spec *spec, struct bo_error *error) {
  struct ends ends = {-1, -1, -1, -1, -1, -1};
  int result = make_request(exec, spec, &ends.request, error);
  if (result == BO_OK && !make_descriptors(exec, &ends))
    result = bo_error_errno(error, errno, "cannot make the pipes for a command");
  if (result == BO_OK) result = send_request(exec, &ends, error);
  if (result == BO_OK) {
    exec->started = true;
    /* From here on only the command's side may hold these. */
    int *const given[] = {&ends.status_writer, &ends.command_socket, &ends.command_errors, &ends.command_data};
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
      (void)close(*given[i]);
      *given[i] = -1;
    }
    result = await_start(exec, spec, &ends, error);
  }
  ends_close(&ends);
  int code = result == BO_OK ? exec_start_thread(exec) : 0;
  return code == 0 ? result : bo_error_errno(error, code, "cannot start a thread for the command");
}

int exec_open(void *instance, const struct bo_exec_spec *spec, void **opened, struct bo_error *error) {
  struct workload *workload = instance;
  if (spec->argv == NULL || spec->argv[0] == NULL || spec->argv[0][0] == '\0')
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "there is no command to run");
  struct exec *exec = calloc(1, sizeof(*exec));
  if (exec == NULL) return bo_error_no_memory(error);
  exec->workload = workload;
  exec->direction = spec->direction;
  exec->on_stderr = spec->on_stderr;
  exec->context = spec->context;
  exec->socket = exec->errors = exec->cancel_fd = exec->ended_fd = exec->quit_fd = exec->data = exec->stdin_reader = -1;
  atomic_init(&exec->cancelled, false);
  (void)pthread_mutex_init(&exec->lock, NULL);
  (void)pthread_mutex_lock(&workload->lock);
  exec->next = workload->execs;
  workload->execs = exec;
  (void)pthread_mutex_unlock(&workload->lock);
  int result = open_steps(exec, spec, error);
  if (result == BO_OK)
    *opened = exec;
  else
    exec_close(exec);
  return result;
}
