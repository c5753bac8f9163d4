/* tests/conformance/broken/platform/good.c - see good.h. */
#include "tests/conformance/broken/platform/good.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINGER_MS 500 /* how long stdout may stay open after the command's end */
#define STEP_MS 20

const char *good_stdin = "/dev/null";
const char *good_stdout = "/dev/null";

static int fail(struct bo_error *error, int code, const char *what) {
  int class = code == ENOMEM ? BO_CLASS_NO_MEMORY : code == ECANCELED ? BO_CLASS_CANCELLED : BO_CLASS_IO;
  return bo_error_set(error, class, code, "%s: %s", what, strerror(code));
}

static void close_fd(int fd) {
  if (fd >= 0) (void)close(fd);
}

/* ---- the platform and its workloads ---- */

int good_open(const struct bo_host *host, const struct bo_config *config, void **instance, struct bo_error *error) {
  struct good_platform *platform = host->alloc(host->context, sizeof(*platform));
  (void)config;
  if (platform == NULL) return fail(error, ENOMEM, "an instance");
  *platform = (struct good_platform){.host = host};
  *instance = platform;
  return BO_OK;
}

void good_close(void *instance) {
  struct good_platform *platform = instance;
  while (platform->workloads != NULL)
    good_workload_close(platform->workloads);
  platform->host->free(platform->host->context, platform);
}

void good_cancel(void *instance) {
  __atomic_store_n(&((struct good_platform *)instance)->cancelled, 1, __ATOMIC_RELEASE);
}

int good_workload_start(void *instance, const struct bo_workload_spec *spec, void **out, struct bo_error *error) {
  struct good_platform *platform = instance;
  size_t size = strlen(spec->template_json);
  if (__atomic_load_n(&platform->cancelled, __ATOMIC_ACQUIRE)) return fail(error, ECANCELED, "starting a workload");
  if (spec->template_json[0] != '{' || spec->template_json[size - 1] != '}')
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the template is no JSON object");
  struct good_workload *workload = platform->host->alloc(platform->host->context, sizeof(*workload));
  if (workload == NULL) return fail(error, ENOMEM, "a workload");
  *workload = (struct good_workload){.platform = platform, .next = platform->workloads};
  platform->workloads = workload;
  *out = workload;
  return BO_OK;
}

static int has_exited(struct good_exec *exec) {
  (void)pthread_mutex_lock(&exec->lock);
  int exited = exec->exited;
  (void)pthread_mutex_unlock(&exec->lock);
  return exited;
}

int good_workload_state(void *instance, struct bo_workload_state *state, struct bo_error *error) {
  struct good_workload *workload = instance;
  (void)error;
  state->phase = workload->stopped ? BO_WORKLOAD_ENDED : BO_WORKLOAD_READY;
  for (struct good_exec *exec = workload->execs; exec != NULL; exec = exec->next)
    if (!has_exited(exec)) state->phase = BO_WORKLOAD_READY;
  (void)snprintf(state->name, sizeof(state->name), "good");
  state->reason[0] = '\0';
  return BO_OK;
}

static int signal_all(struct good_workload *workload, int number) {
  int running = 0;
  for (struct good_exec *exec = workload->execs; exec != NULL; exec = exec->next) {
    if (number != 0) (void)kill(-exec->pid, number);
    running = running || !has_exited(exec);
  }
  return running;
}

int good_workload_stop(void *instance, uint32_t grace_ms, struct bo_error *error) {
  struct good_workload *workload = instance;
  (void)error;
  if (grace_ms > 0) (void)signal_all(workload, SIGTERM);
  for (uint32_t waited_ms = 0; waited_ms < grace_ms && signal_all(workload, 0); waited_ms += STEP_MS)
    (void)usleep(STEP_MS * 1000);
  while (signal_all(workload, SIGKILL))
    (void)usleep(STEP_MS * 1000);
  workload->stopped = 1;
  return BO_OK;
}

void good_workload_close(void *instance) {
  struct good_workload *workload = instance;
  struct good_platform *platform = workload->platform;
  (void)good_workload_stop(workload, 0, NULL);
  while (workload->execs != NULL)
    good_exec_close(workload->execs);
  struct good_workload **link = &platform->workloads;
  while (*link != workload)
    link = &(*link)->next;
  *link = workload->next;
  platform->host->free(platform->host->context, workload);
}

/* ---- a command ---- */

/* stderr, until it ends, and the command's own end. */
static void *attend(void *context) {
  struct good_exec *exec = context;
  struct pollfd fds[] = {{exec->errors, POLLIN, 0}, {exec->ended, POLLIN, 0}, {exec->quit, POLLIN, 0}};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    char bytes[1024];
    if (poll(fds, 3, -1) < 0) continue;
    if (fds[0].revents != 0) {
      ssize_t got = read(exec->errors, bytes, sizeof(bytes));
      if (got > 0 && exec->spec.on_stderr != NULL) exec->spec.on_stderr(exec->spec.context, bytes, (size_t)got);
      if (got <= 0) fds[0].fd = -1;
    }
    if (fds[1].revents != 0) {
      int status = 0;
      (void)waitpid(exec->pid, &status, 0);
      (void)pthread_mutex_lock(&exec->lock);
      exec->exited = 1;
      exec->status = status;
      (void)pthread_mutex_unlock(&exec->lock);
      fds[1].fd = -1;
    }
    if (fds[2].revents != 0 && fds[1].fd < 0) return NULL; /* what it has left may hold stderr for ever */
  }
  return NULL;
}

static int start_thread(struct good_exec *exec) {
  sigset_t all, old;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &old);
  int code = pthread_create(&exec->thread, NULL, attend, exec);
  (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
  exec->has_thread = code == 0;
  return code;
}

static _Noreturn void become(const struct bo_exec_spec *spec, int data, int errors, int failure) {
  int backup = spec->direction == BO_EXEC_BACKUP;
  int other = open(backup ? good_stdin : good_stdout, O_RDWR);
  sigset_t none;
  (void)sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, NULL);
  for (int number = 1; number < 32; number++)
    (void)signal(number, SIG_DFL);
  (void)setpgid(0, 0);
  if (other >= 0 && dup2(backup ? other : data, 0) >= 0 && dup2(backup ? data : other, 1) >= 0 && dup2(errors, 2) >= 0)
    (void)execv(spec->argv[0], (char *const *)(uintptr_t)spec->argv);
  int code = errno;
  if (write(failure, &code, sizeof(code)) < 0) _exit(126);
  _exit(127);
}

/* Forks; an exec that fails comes back over a pipe. Returns 0 or an errno value. */
static int spawn(struct good_exec *exec, const int data[2], const int errors[2]) {
  int backup = exec->spec.direction == BO_EXEC_BACKUP, failure[2], code = 0;
  if (pipe2(failure, O_CLOEXEC) != 0) return errno;
  exec->pid = fork();
  if (exec->pid == 0) become(&exec->spec, data[backup], errors[1], failure[1]);
  code = exec->pid < 0 ? errno : 0;
  (void)close(failure[1]);
  if (exec->pid > 0) (void)setpgid(exec->pid, exec->pid);
  while (exec->pid > 0 && read(failure[0], &code, sizeof(code)) < 0 && errno == EINTR) {
  }
  (void)close(failure[0]);
  if (exec->pid > 0 && code == 0) exec->ended = pidfd_open(exec->pid, 0);
  if (code == 0 && exec->ended < 0) code = errno;
  return code == 0 ? start_thread(exec) : code;
}

static int start(struct good_exec *exec) {
  int data[2] = {-1, -1}, errors[2] = {-1, -1}, code = 0;
  int backup = exec->spec.direction == BO_EXEC_BACKUP;
  exec->cancel = eventfd(0, EFD_CLOEXEC);
  exec->quit = eventfd(0, EFD_CLOEXEC);
  if (exec->cancel < 0 || exec->quit < 0 || pipe2(errors, O_CLOEXEC) != 0 ||
      (backup ? pipe2(data, O_CLOEXEC) : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data)) != 0)
    code = errno;
  exec->data = data[!backup];
  exec->errors = errors[0];
  if (code == 0) code = spawn(exec, data, errors);
  close_fd(data[backup]);
  close_fd(errors[1]);
  return code;
}

int good_exec_open(void *instance, const struct bo_exec_spec *spec, void **out, struct bo_error *error) {
  struct good_workload *workload = instance;
  const struct bo_host *host = workload->platform->host;
  struct good_exec *exec = host->alloc(host->context, sizeof(*exec));
  if (exec == NULL) return fail(error, ENOMEM, "a command");
  *exec = (struct good_exec){
      .workload = workload, .next = workload->execs, .spec = *spec, .data = -1, .errors = -1, .ended = -1, .quit = -1};
  (void)pthread_mutex_init(&exec->lock, NULL);
  workload->execs = exec;
  int code = start(exec);
  if (code == 0) {
    *out = exec;
    return BO_OK;
  }
  good_exec_close(exec);
  return fail(error, code, spec->argv[0]);
}

/* Waits until the data can be moved. Returns 0 or an errno value; ETIME: the command is gone, and nothing comes. */
static int wait_for_data(struct good_exec *exec, short events) {
  for (int gone_ms = 0; gone_ms < LINGER_MS; gone_ms += has_exited(exec) ? STEP_MS : 0) {
    struct pollfd fds[] = {{exec->data, events, 0}, {exec->cancel, POLLIN, 0}};
    if (poll(fds, 2, STEP_MS) < 0) continue;
    if (fds[1].revents != 0) return ECANCELED;
    if (fds[0].revents != 0) return 0;
  }
  return ETIME;
}

int good_exec_read(void *instance, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  struct good_exec *exec = instance;
  int code = wait_for_data(exec, POLLIN);
  if (code == ETIME)
    return bo_error_set(error, BO_CLASS_COMMAND, 0, "the command has ended, but something it left keeps its stdout");
  ssize_t got = 0;
  do
    got = code == 0 ? read(exec->data, bytes, capacity) : -1;
  while (code == 0 && got < 0 && errno == EINTR);
  if (got < 0) return fail(error, code != 0 ? code : errno, "reading stdout");
  *size = (size_t)got;
  return BO_OK;
}

int good_exec_write(void *instance, const void *bytes, size_t size, struct bo_error *error) {
  struct good_exec *exec = instance;
  for (size_t done = 0; done < size;) {
    int code = wait_for_data(exec, POLLOUT);
    if (code != 0) return fail(error, code, "writing to stdin");
    ssize_t sent = send(exec->data, (const char *)bytes + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (sent < 0) return bo_error_set(error, BO_CLASS_COMMAND, errno, "the command no longer reads its stdin");
    done += (size_t)sent;
  }
  return BO_OK;
}

int good_exec_close_stdin(void *instance, struct bo_error *error) {
  const struct good_exec *exec = instance;
  return shutdown(exec->data, SHUT_WR) == 0 ? BO_OK : fail(error, errno, "ending stdin");
}

int good_exec_wait(void *instance, struct bo_exit *status, struct bo_error *error) {
  struct good_exec *exec = instance;
  struct pollfd cancel = {exec->cancel, POLLIN, 0};
  while (!has_exited(exec))
    if (poll(&cancel, 1, STEP_MS) > 0) return fail(error, ECANCELED, "waiting for a command");
  status->kind = WIFEXITED(exec->status) ? BO_EXIT_STATUS : BO_EXIT_SIGNAL;
  status->code = WIFEXITED(exec->status) ? WEXITSTATUS(exec->status) : WTERMSIG(exec->status);
  status->unread_bytes = 0;
  return BO_OK;
}

void good_exec_cancel(void *instance) {
  (void)eventfd_write(((const struct good_exec *)instance)->cancel, 1);
}

void good_exec_close(void *instance) {
  struct good_exec *exec = instance;
  const struct bo_host *host = exec->workload->platform->host;
  if (exec->pid > 0) (void)kill(-exec->pid, SIGKILL); /* before its stdin ends */
  if (exec->has_thread) {
    (void)eventfd_write(exec->quit, 1);
    (void)pthread_join(exec->thread, NULL);
  } else if (exec->pid > 0) {
    (void)waitpid(exec->pid, NULL, 0);
  }
  const int fds[] = {exec->data, exec->errors, exec->ended, exec->cancel, exec->quit};
  for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
    close_fd(fds[i]);
  struct good_exec **link = &exec->workload->execs;
  while (*link != exec)
    link = &(*link)->next;
  *link = exec->next;
  (void)pthread_mutex_destroy(&exec->lock);
  host->free(host->context, exec);
}

/* ---- what it is ---- */

static struct bo_platform_operations operations = {
    .header = BO_HEADER(struct bo_platform_operations),
    .open = good_open,
    .close = good_close,
    .cancel = good_cancel,
    .workload_start = good_workload_start,
    .workload_state = good_workload_state,
    .workload_stop = good_workload_stop,
    .workload_close = good_workload_close,
    .exec_open = good_exec_open,
    .exec_read = good_exec_read,
    .exec_write = good_exec_write,
    .exec_close_stdin = good_exec_close_stdin,
    .exec_wait = good_exec_wait,
    .exec_cancel = good_exec_cancel,
    .exec_close = good_exec_close,
};

static struct bo_plugin plugin = {
    .header = BO_HEADER(struct bo_plugin),
    .kind = BO_KIND_PLATFORM,
    .name = "good",
    .version = "1",
    .license = "Apache-2.0",
    .origin = "tests",
    .description = "A platform for the tests of plugin-conformance.",
    .threads = 1,
    .param_size = sizeof(struct bo_param),
    .operations = &operations,
};

const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error) {
  (void)error;
  spoil(&plugin, &operations, host);
  return &plugin;
}
