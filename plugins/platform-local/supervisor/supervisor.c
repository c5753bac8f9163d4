/*
 * supervisor.c - the program platform-local-supervisor: one process for each workload, started by the plugin.
 *
 * It exists for two promises. Nothing of a workload outlives it: as a subreaper it is the ancestor of all that a
 * command starts, daemons included. And a restore's command never takes our death for the end of its data: the
 * supervisor holds a duplicate of stdin's write end, and when the plugin's process is gone it ends the workload first
 * and lets go afterwards.
 *
 * Its life: START, READY, any number of EXEC, at most one STOP that counts, then the control socket's end. It prints
 * nothing; with every signal blocked only SIGKILL ends it early.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <backup-operator/plugin.h>

#include "command.h"
#include "core/base/clock.h"
#include "plugins/platform-local/folder.h"
#include "plugins/platform-local/message.h"
#include "plugins/platform-local/processes.h"

/* How often the tree is looked through again while it is being ended. */
#define SCAN_INTERVAL_MS 20
#define SCAN_INTERVAL_MAX_MS 200

/* One command. It stays in the list until it is reaped, nobody listens any more, and stdin was ended. */
struct exec {
  struct exec *next;
  pid_t pid;  /* 0: reaped */
  int socket; /* -1: the plugin has closed it */
  int hold;   /* stdin's write end, -1: none */
};

enum phase { RUNNING, STOPPING, STOPPED };

struct supervisor {
  int signals; /* a signalfd for SIGCHLD */
  char folder[PATH_MAX];
  struct exec *execs;
  size_t exec_count;
  enum phase phase;
  uint64_t kill_at_ms;
};

static void close_descriptor(int *fd) {
  if (*fd >= 0) (void)close(*fd);
  *fd = -1;
}

static void reply(int socket, int32_t type, int32_t value, int32_t detail, const char *text) {
  struct bo_local_message message = {.type = type, .value = value, .detail = detail};
  (void)snprintf(message.text, sizeof(message.text), "%s", text);
  (void)bo_local_send(socket, &message, NULL, 0, MSG_DONTWAIT);
}

/* ---- the workload's processes ------------------------------------------------------------------------------- */

static void signal_all(int signal) {
  struct bo_local_match match = {.root = getpid()};
  (void)bo_local_signal_processes(&match, signal, 0, NULL);
}

static void report_exit(struct supervisor *supervisor, pid_t pid, int status) {
  for (struct exec *exec = supervisor->execs; exec != NULL; exec = exec->next) {
    if (exec->pid != pid) continue;
    exec->pid = 0;
    if (exec->socket < 0) return;
    if (WIFEXITED(status))
      reply(exec->socket, BO_LOCAL_EXITED, BO_EXIT_STATUS, WEXITSTATUS(status), "");
    else
      reply(exec->socket, BO_LOCAL_EXITED, BO_EXIT_SIGNAL, WTERMSIG(status), "");
  }
}

/* Reaps what is dead. True when there is no child left: then there is no descendant either, since the orphans among
 * them would be children of ours. */
static bool reap(struct supervisor *supervisor) {
  for (;;) {
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid < 0) return errno == ECHILD;
    if (pid == 0) return false;
    report_exit(supervisor, pid, status);
  }
}

/* The plugin's process is gone, or done with the workload. There is nobody to tell of a delay, and letting go of
 * stdin too early could commit half a restore: so this has no other end than the last process's. */
static void end_all(struct supervisor *supervisor) {
  for (int pause_ms = SCAN_INTERVAL_MS; !reap(supervisor); pause_ms += pause_ms < SCAN_INTERVAL_MAX_MS ? 10 : 0) {
    signal_all(SIGKILL);
    struct pollfd child = {.fd = supervisor->signals, .events = POLLIN};
    (void)poll(&child, 1, pause_ms);
    struct signalfd_siginfo ignored;
    while (read(supervisor->signals, &ignored, sizeof(ignored)) > 0) {
    }
  }
}

/* ---- what the plugin asks for ------------------------------------------------------------------------------- */

static void begin_stop(struct supervisor *supervisor, uint32_t grace_ms) {
  uint64_t kill_at_ms = bo_monotonic_ms() + grace_ms;
  if (supervisor->phase == RUNNING) {
    supervisor->phase = STOPPING;
    supervisor->kill_at_ms = kill_at_ms;
    signal_all(SIGTERM);
    signal_all(SIGCONT); /* one that is stopped could not act on it */
  } else if (kill_at_ms < supervisor->kill_at_ms) {
    supervisor->kill_at_ms = kill_at_ms;
  }
}

/* All descriptors of an EXEC came: none was lost for want of room in our table. */
static bool is_complete(const int *descriptors, bool restore) {
  for (int i = 0; i < (restore ? BO_LOCAL_FD_MAX : BO_LOCAL_FD_HOLD); i++)
    if (descriptors[i] < 0) return false;
  return true;
}

static void start_exec(struct supervisor *supervisor, bool restore, int *descriptors) {
  int status = descriptors[BO_LOCAL_FD_STATUS];
  if (!is_complete(descriptors, restore)) return;
  command_report(status, BO_LOCAL_STEP_ACCEPTED, 0);
  if (supervisor->phase != RUNNING) {
    command_report(status, BO_LOCAL_STEP_ENDED, 0);
    return;
  }
  struct exec *exec = calloc(1, sizeof(*exec));
  if (exec == NULL) {
    command_report(status, BO_LOCAL_STEP_FORK, ENOMEM);
    return;
  }
  exec->pid = command_start(descriptors, restore, supervisor->folder);
  if (exec->pid < 0) {
    free(exec);
    return;
  }
  exec->socket = descriptors[BO_LOCAL_FD_SOCKET];
  exec->hold = descriptors[BO_LOCAL_FD_HOLD];
  descriptors[BO_LOCAL_FD_SOCKET] = descriptors[BO_LOCAL_FD_HOLD] = -1;
  exec->next = supervisor->execs;
  supervisor->execs = exec;
  supervisor->exec_count++;
}

/* Handles one message; false when the plugin is gone. */
static bool serve_control(struct supervisor *supervisor) {
  struct bo_local_message message;
  int descriptors[BO_LOCAL_FD_MAX];
  int got = bo_local_receive(BO_LOCAL_CONTROL_FD, &message, descriptors, MSG_DONTWAIT);
  if (got == -EAGAIN) return true;
  if (got != 1) return false;
  if (message.type == BO_LOCAL_EXEC) start_exec(supervisor, message.value == BO_EXEC_RESTORE, descriptors);
  if (message.type == BO_LOCAL_STOP) begin_stop(supervisor, (uint32_t)message.value);
  for (int i = 0; i < BO_LOCAL_FD_MAX; i++)
    close_descriptor(&descriptors[i]);
  return true;
}

static void serve_exec(struct exec *exec) {
  struct bo_local_message message;
  int got = bo_local_receive(exec->socket, &message, NULL, MSG_DONTWAIT);
  if (got == -EAGAIN) return;
  if (got != 1)
    close_descriptor(&exec->socket);
  else if (message.type == BO_LOCAL_CLOSE_STDIN)
    close_descriptor(&exec->hold);
}

static void forget_finished(struct supervisor *supervisor) {
  for (struct exec **link = &supervisor->execs; *link != NULL;) {
    struct exec *exec = *link;
    if (exec->pid != 0 || exec->socket >= 0 || exec->hold >= 0) {
      link = &exec->next;
      continue;
    }
    *link = exec->next;
    free(exec);
    supervisor->exec_count--;
  }
}

static void go_on_stopping(struct supervisor *supervisor) {
  if (reap(supervisor)) {
    supervisor->phase = STOPPED;
    reply(BO_LOCAL_CONTROL_FD, BO_LOCAL_STOPPED, 0, 0, "");
  } else if (bo_monotonic_ms() >= supervisor->kill_at_ms) {
    signal_all(SIGKILL);
  }
}

/* Waits for something to do and does it; false when the plugin is gone. The control socket comes first: after its end
 * no other message counts. */
static bool serve(struct supervisor *supervisor) {
  size_t count = 2 + supervisor->exec_count, used = 2;
  struct pollfd *fds = calloc(count, sizeof(*fds));
  if (fds == NULL) return false;
  fds[0] = (struct pollfd){.fd = BO_LOCAL_CONTROL_FD, .events = POLLIN};
  fds[1] = (struct pollfd){.fd = supervisor->signals, .events = POLLIN};
  for (struct exec *exec = supervisor->execs; exec != NULL; exec = exec->next)
    fds[used++] = (struct pollfd){.fd = exec->socket, .events = POLLIN};
  (void)poll(fds, used, supervisor->phase == STOPPING ? SCAN_INTERVAL_MS : -1);
  struct exec *known = supervisor->execs;
  bool alive = fds[0].revents == 0 || serve_control(supervisor);
  struct signalfd_siginfo ignored;
  if (alive && fds[1].revents != 0 && read(supervisor->signals, &ignored, sizeof(ignored)) > 0) (void)reap(supervisor);
  for (size_t i = 2; alive && i < used; i++, known = known->next)
    if (fds[i].revents != 0) serve_exec(known);
  free(fds);
  if (!alive) return false;
  if (supervisor->phase == STOPPING) go_on_stopping(supervisor);
  forget_finished(supervisor);
  return true;
}

/* ---- start and end ------------------------------------------------------------------------------------------ */

/* The plugin's host may have set limits for itself, which are not meant for the user's commands. */
static void lift_limit(int resource) {
  struct rlimit limit;
  if (getrlimit((__rlimit_resource_t)resource, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit((__rlimit_resource_t)resource, &limit);
}

static int become_supervisor(struct supervisor *supervisor) {
  sigset_t all, child;
  (void)sigfillset(&all);
  (void)sigprocmask(SIG_SETMASK, &all, NULL);
  if (fcntl(BO_LOCAL_CONTROL_FD, F_SETFD, FD_CLOEXEC) != 0) return errno;
  (void)close_range(BO_LOCAL_CONTROL_FD + 1, ~0U, 0);
  (void)prctl(PR_SET_DUMPABLE, 0);
  lift_limit(RLIMIT_AS);
  lift_limit(RLIMIT_DATA);
  if (chdir("/") != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return errno;
  (void)sigemptyset(&child);
  (void)sigaddset(&child, SIGCHLD);
  supervisor->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  return supervisor->signals < 0 ? errno : 0;
}

/* Makes the working folder; true when the workload is ready. */
static bool start(struct supervisor *supervisor) {
  struct bo_local_message message;
  if (bo_local_receive(BO_LOCAL_CONTROL_FD, &message, NULL, 0) != 1 || message.type != BO_LOCAL_START) return false;
  int code = become_supervisor(supervisor);
  if (code != 0) {
    reply(BO_LOCAL_CONTROL_FD, BO_LOCAL_FAILED, code, 0, "cannot set up the supervisor process");
    return false;
  }
  size_t size = sizeof(supervisor->folder);
  int length = snprintf(supervisor->folder, size, "%s/backup-operator-XXXXXX", message.text);
  if (length < 0 || (size_t)length >= size || mkdtemp(supervisor->folder) == NULL) {
    int failure = (size_t)length >= size ? ENAMETOOLONG : errno;
    supervisor->folder[0] = '\0';
    reply(BO_LOCAL_CONTROL_FD, BO_LOCAL_FAILED, failure, 0, "cannot make the working folder");
    return false;
  }
  reply(BO_LOCAL_CONTROL_FD, BO_LOCAL_READY, 0, 0, supervisor->folder);
  return true;
}

int main(void) {
  static struct supervisor supervisor;
  if (!start(&supervisor)) return EXIT_FAILURE;
  while (serve(&supervisor)) {
  }
  end_all(&supervisor);
  for (struct exec *exec = supervisor.execs, *next; exec != NULL; exec = next) {
    next = exec->next;
    close_descriptor(&exec->socket);
    close_descriptor(&exec->hold);
    free(exec);
  }
  return bo_local_remove_folder(supervisor.folder) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
