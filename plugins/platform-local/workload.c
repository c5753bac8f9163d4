/*
 * workload.c - a workload is its supervisor. Two things travel on its control socket besides requests: STOPPED, which
 * is looked at and never taken out, so that any number of threads may wait for it; and the socket's end, which means
 * that the supervisor was killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "folder.h"
#include "local.h"
#include "message.h"
#include "processes.h"

/* After the supervisor's death: how long to go on looking for what it left. */
#define CLEAN_TIMEOUT_MS 10000

/* ---- start ---------------------------------------------------------------------------------------------------- */

static int spawn(const char *path, int control, pid_t *pid) {
  static char *no_environment[] = {NULL};
  char *argv[] = {(char *)path, NULL};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  (void)sigemptyset(&none);
  (void)sigfillset(&all);
  int code = posix_spawn_file_actions_init(&actions);
  if (code != 0) return code;
  code = posix_spawnattr_init(&attributes);
  if (code == 0) {
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &all);
    code = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    /* The socket first: it may have any number from 0 on. */
    if (code == 0) code = posix_spawn_file_actions_adddup2(&actions, control, BO_LOCAL_CONTROL_FD);
    if (code == 0) code = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (code == 0) code = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (code == 0) code = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (code == 0) code = posix_spawn(pid, path, &actions, &attributes, argv, no_environment);
    (void)posix_spawnattr_destroy(&attributes);
  }
  (void)posix_spawn_file_actions_destroy(&actions);
  return code;
}

static int start_supervisor(struct workload *workload, uint64_t deadline_ms, struct bo_error *error) {
  const struct platform *platform = workload->platform;
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
    return bo_error_errno(error, errno, "cannot make the supervisor's socket");
  workload->control = sockets[0];
  struct timeval patience = {.tv_sec = START_TIMEOUT_MS / 1000};
  (void)setsockopt(workload->control, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  int code = spawn(platform->supervisor_path, sockets[1], &workload->supervisor);
  (void)close(sockets[1]);
  if (code != 0) return bo_error_errno(error, code, "cannot start %s", platform->supervisor_path);

  struct bo_local_message message = {.type = BO_LOCAL_START};
  (void)snprintf(message.text, sizeof(message.text), "%s", platform->work_folder);
  code = bo_local_send(workload->control, &message, NULL, 0, 0);
  if (code != 0) return bo_error_errno(error, code, "cannot talk to the workload's supervisor");
  if (platform_wait(platform, workload->control, deadline_ms, "the workload's supervisor to start", error) != BO_OK)
    return BO_ERROR;
  int got = bo_local_receive(workload->control, &message, NULL, MSG_DONTWAIT);
  if (got == 1 && message.type == BO_LOCAL_FAILED)
    return bo_error_errno(error, message.value, "%s in %s", message.text, platform->work_folder);
  if (got != 1 || message.type != BO_LOCAL_READY)
    return bo_error_set(error, BO_CLASS_INTERNAL, got < 0 ? -got : 0,
                        "the workload's supervisor (%s) ended before it was ready", platform->supervisor_path);
  (void)snprintf(workload->folder, sizeof(workload->folder), "%s", message.text);
  (void)snprintf(workload->name, sizeof(workload->name), "%.200s", strrchr(workload->folder, '/') + 1);
  return BO_OK;
}

static void say_what_is_ignored(const struct platform *platform, const struct bo_buffer *ignored) {
  if (ignored->size == 0) return;
  char text[512];
  (void)snprintf(text, sizeof(text),
                 "the platform local runs commands on this machine as it is and ignores of the "
                 "template: %.300s%s",
                 bo_buffer_text(ignored), ignored->size > 300 ? "..." : "");
  platform->host->log(platform->host->context, BO_LOG_WARNING, text);
}

int workload_start(void *context, const struct bo_workload_spec *spec, void **instance, struct bo_error *error) {
  struct platform *platform = context;
  uint64_t deadline_ms = bo_monotonic_ms() + (spec->start_deadline_ms > 0 ? spec->start_deadline_ms : START_TIMEOUT_MS);
  struct workload *workload = calloc(1, sizeof(*workload));
  if (workload == NULL) return bo_error_no_memory(error);
  workload->platform = platform;
  workload->control = -1;
  (void)pthread_mutex_init(&workload->lock, NULL);
  (void)pthread_mutex_lock(&platform->lock);
  workload->next = platform->workloads;
  platform->workloads = workload;
  (void)pthread_mutex_unlock(&platform->lock);

  BO_CLEANUP_BUFFER struct bo_buffer ignored = BO_BUFFER_INIT;
  const struct environment_source source = {spec->namespace_name, spec->name, spec->uid, platform->secrets,
                                            platform->secret_count};
  int result = containers_read(spec->template_json, &source, &workload->containers, &ignored, error);
  if (result == BO_OK) result = start_supervisor(workload, deadline_ms, error);
  if (result != BO_OK) {
    workload_close(workload);
    return result;
  }
  say_what_is_ignored(platform, &ignored);
  *instance = workload;
  return BO_OK;
}

/* ---- the supervisor's death ------------------------------------------------------------------------------------ */

/* BO_WORKLOAD_READY, _ENDED or _LOST. */
static int phase_of(const struct workload *workload) {
  if (atomic_load(&workload->lost)) return BO_WORKLOAD_LOST;
  struct bo_local_message message;
  int got = bo_local_receive(workload->control, &message, NULL, MSG_PEEK | MSG_DONTWAIT);
  if (got == -EAGAIN) return BO_WORKLOAD_READY;
  return got == 1 && message.type == BO_LOCAL_STOPPED ? BO_WORKLOAD_ENDED : BO_WORKLOAD_LOST;
}

bool workload_has_ended(const struct workload *workload) {
  return phase_of(workload) == BO_WORKLOAD_ENDED;
}

bool workload_is_lost(const struct workload *workload) {
  return phase_of(workload) == BO_WORKLOAD_LOST;
}

/* The commands themselves died with the supervisor (PR_SET_PDEATHSIG). What they had started is known by the
 * supervisor's session, which lasts as long as we have not reaped it, and by the TMPDIR they were given. */
static void kill_orphans(const struct workload *workload) {
  char environment[PATH_MAX + 8];
  (void)snprintf(environment, sizeof(environment), "TMPDIR=%s", workload->folder);
  struct bo_local_match match = {.session = workload->supervisor, .environment = environment};
  uint64_t deadline_ms = bo_monotonic_ms() + CLEAN_TIMEOUT_MS;
  while (bo_local_signal_processes(&match, SIGKILL, 1, NULL) != 0 && bo_monotonic_ms() < deadline_ms)
    (void)poll(NULL, 0, 10);
}

void workload_clean(struct workload *workload) {
  atomic_store(&workload->lost, true);
  (void)pthread_mutex_lock(&workload->lock);
  if (!workload->cleaned) {
    kill_orphans(workload);
    (void)bo_local_remove_folder(workload->folder);
    workload->cleaned = true;
  }
  (void)pthread_mutex_unlock(&workload->lock);
}

static int lost(struct workload *workload, struct bo_error *error) {
  workload_clean(workload);
  return bo_error_set(error, BO_CLASS_UNDECIDED, 0,
                      "the workload's supervisor (pid %d) was killed; the processes that could still be told to be the "
                      "workload's were killed too, but one that had hidden itself may run on; look in the kernel's log "
                      "for the out-of-memory killer",
                      (int)workload->supervisor);
}

/* ---- state, stop, close ---------------------------------------------------------------------------------------- */

int workload_state(void *instance, struct bo_workload_state *state, struct bo_error *error) {
  (void)error;
  const struct workload *workload = instance;
  state->phase = phase_of(workload);
  (void)snprintf(state->name, sizeof(state->name), "%s", workload->name);
  const char *reason = state->phase == BO_WORKLOAD_READY   ? "commands can be executed"
                       : state->phase == BO_WORKLOAD_ENDED ? "stopped; nothing of it runs any more"
                                                           : "its supervisor was killed";
  (void)snprintf(state->reason, sizeof(state->reason), "%s", reason);
  return BO_OK;
}

static int not_ended(const struct workload *workload, struct bo_error *error) {
  struct bo_local_match match = {.root = workload->supervisor};
  pid_t example = 0;
  int count = bo_local_signal_processes(&match, 0, 0, &example);
  return bo_error_set(error, BO_CLASS_TIMEOUT, ETIMEDOUT,
                      "%d processes of the workload, such as pid %d, do not end even after SIGKILL; most likely they "
                      "wait in the kernel for a device or a network file system",
                      count, (int)example);
}

int workload_stop(void *instance, uint32_t grace_ms, struct bo_error *error) {
  struct workload *workload = instance;
  uint64_t deadline_ms = bo_monotonic_ms() + grace_ms + KILL_TIMEOUT_MS;
  struct bo_local_message message = {.type = BO_LOCAL_STOP,
                                     .value = (int32_t)(grace_ms > INT32_MAX ? INT32_MAX : grace_ms)};
  int phase = phase_of(workload);
  if (phase == BO_WORKLOAD_READY) (void)bo_local_send(workload->control, &message, NULL, 0, 0);
  while (phase == BO_WORKLOAD_READY) {
    uint64_t now_ms = bo_monotonic_ms();
    if (now_ms >= deadline_ms) return not_ended(workload, error);
    struct pollfd control = {.fd = workload->control, .events = POLLIN};
    (void)poll(&control, 1, deadline_ms - now_ms > INT_MAX ? INT_MAX : (int)(deadline_ms - now_ms));
    phase = phase_of(workload);
  }
  return phase == BO_WORKLOAD_ENDED ? BO_OK : lost(workload, error);
}

/* Closing the control socket makes the supervisor end everything, remove the folder and exit. */
static void end_supervisor(struct workload *workload) {
  const struct bo_host *host = workload->platform->host;
  (void)close(workload->control);
  workload->control = -1;
  uint64_t deadline_ms = bo_monotonic_ms() + KILL_TIMEOUT_MS;
  int status = 0;
  pid_t reaped;
  while ((reaped = waitpid(workload->supervisor, &status, WNOHANG)) == 0 && bo_monotonic_ms() < deadline_ms)
    (void)poll(NULL, 0, 5);
  bool clean = reaped == workload->supervisor && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
  if (clean || workload->folder[0] == '\0' || workload->cleaned) return;
  char text[PATH_MAX + 256];
  (void)snprintf(text, sizeof(text), "the workload's supervisor (pid %d) %s; look for its processes and for %s",
                 (int)workload->supervisor, reaped == 0 ? "is still ending processes" : "did not end well",
                 workload->folder);
  host->log(host->context, BO_LOG_WARNING, text);
}

void workload_close(void *instance) {
  struct workload *workload = instance;
  struct platform *platform = workload->platform;
  if (workload->supervisor > 0) {
    if (workload->folder[0] != '\0') (void)workload_stop(workload, 0, NULL);
    while (workload->execs != NULL)
      exec_close(workload->execs);
    end_supervisor(workload);
  }
  exec_free_closed(workload);
  if (workload->control >= 0) (void)close(workload->control);
  (void)pthread_mutex_lock(&platform->lock);
  for (struct workload **link = &platform->workloads; *link != NULL; link = &(*link)->next) {
    if (*link != workload) continue;
    *link = workload->next;
    break;
  }
  (void)pthread_mutex_unlock(&platform->lock);
  containers_free(&workload->containers);
  (void)pthread_mutex_destroy(&workload->lock);
  free(workload);
}
