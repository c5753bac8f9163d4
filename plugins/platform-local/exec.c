/*
 * exec.c - one command in a workload. The caller's thread reads stdout or writes stdin directly; one thread of ours
 * drains stderr and hears of the command's exit, so that neither waits for the other.
 *
 * A caller's thread sleeps in poll on its pipe and on two eventfds that, once readable, stay so: `ended_fd` when the
 * exit was received or can no longer be, `cancel_fd` when the caller wants out.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "exec.h"
#include "message.h"

/* How long after the command's exit its stdout may stay open, held by processes that it left behind. */
#define LINGER_MS 5000
/* How long a write into a pipe that nobody reads waits for the command's exit, which explains it. */
#define EXIT_WAIT_MS 1000
#define STDERR_CHUNK (16 << 10)
#define THREAD_STACK (512 << 10)

/* What a caller's thread must know to go on. */
struct progress {
  bool exited, lost;
  int kind, code;
  uint64_t exited_ms;
};

static struct progress progress_of(struct exec *exec) {
  (void)pthread_mutex_lock(&exec->lock);
  struct progress progress = {exec->exited, exec->lost, exec->kind, exec->code, exec->exited_ms};
  (void)pthread_mutex_unlock(&exec->lock);
  return progress;
}

/* ---- the thread ------------------------------------------------------------------------------------------------ */

/* Passes on what stderr holds, but at most `limit` bytes; false at its end. */
static bool drain_errors(const struct exec *exec, size_t limit) {
  char bytes[STDERR_CHUNK];
  for (size_t done = 0; done < limit;) {
    ssize_t got = read(exec->errors, bytes, sizeof(bytes));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 && errno == EAGAIN;
    if (exec->on_stderr != NULL) exec->on_stderr(exec->context, bytes, (size_t)got);
    done += (size_t)got;
  }
  return true;
}

/* Takes the supervisor's word on the exit, or notices that there will be none. True when either has happened. */
static bool receive_exit(struct exec *exec) {
  struct bo_local_message message;
  int got = bo_local_receive(exec->socket, &message, NULL, MSG_DONTWAIT);
  if (got == -EAGAIN) return false;
  bool exited = got == 1 && message.type == BO_LOCAL_EXITED;
  if (exited)
    (void)drain_errors(exec, PIPE_SIZE); /* so that the tail of stderr is known before the exit is */
  else
    workload_clean(exec->workload);
  (void)pthread_mutex_lock(&exec->lock);
  exec->exited = exited;
  exec->lost = !exited;
  exec->exited_ms = bo_monotonic_ms();
  if (exited) {
    exec->kind = message.value;
    exec->code = message.detail;
  }
  (void)pthread_mutex_unlock(&exec->lock);
  (void)eventfd_write(exec->ended_fd, 1);
  return true;
}

static void *run_thread(void *context) {
  struct exec *exec = context;
  struct pollfd fds[] = {{.fd = exec->quit_fd, .events = POLLIN},
                         {.fd = exec->socket, .events = POLLIN},
                         {.fd = exec->errors, .events = POLLIN}};
  for (;;) {
    if (poll(fds, 3, -1) < 0) continue;
    if (fds[0].revents != 0) return NULL;
    if (fds[2].revents != 0 && !drain_errors(exec, STDERR_CHUNK)) fds[2].fd = -1;
    if (fds[1].revents != 0 && receive_exit(exec)) fds[1].fd = -1;
  }
}

int exec_start_thread(struct exec *exec) {
  pthread_attr_t attributes;
  sigset_t all, old;
  int code = pthread_attr_init(&attributes);
  if (code != 0) return code;
  (void)pthread_attr_setstacksize(&attributes, THREAD_STACK);
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &old);
  code = pthread_create(&exec->thread, &attributes, run_thread, exec);
  (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
  (void)pthread_attr_destroy(&attributes);
  exec->has_thread = code == 0;
  return code;
}

/* ---- the caller's side ----------------------------------------------------------------------------------------- */

static int error_cancelled(struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CANCELLED, ECANCELED, "the command was given up: cancelled");
}

static int error_lost(struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_COMMAND, 0,
                      "the process that supervises the command was killed, so how the command ends cannot be known; it "
                      "was killed too; look in the kernel's log for the out-of-memory killer");
}

static const char *describe_exit(const struct progress *progress, char text[64]) {
  (void)snprintf(text, 64, progress->kind == BO_EXIT_STATUS ? "exit status %d" : "killed by signal %d", progress->code);
  return text;
}

/* Sleeps until `fd` is ready, the exit is received (unless it was) or the exec is cancelled; -1 for no timeout. */
static void sleep_until_ready(const struct exec *exec, int fd, short events, bool exited, int timeout_ms) {
  struct pollfd fds[] = {{.fd = fd, .events = events},
                         {.fd = exec->cancel_fd, .events = POLLIN},
                         {.fd = exited ? -1 : exec->ended_fd, .events = POLLIN}};
  (void)poll(fds, 3, timeout_ms);
}

static int error_left_behind(const struct progress *progress, struct bo_error *error) {
  char text[64];
  return bo_error_set(error, BO_CLASS_COMMAND, 0,
                      "the command has ended (%s), but a process that it left behind still holds its standard output "
                      "after %d s, so nobody can tell whether the output is complete; let the command wait for what it "
                      "starts, or give that another output (>/dev/null 2>&1)",
                      describe_exit(progress, text), LINGER_MS / 1000);
}

/* A slow reader finds after the time to linger what was written before the exit: as much as a pipe holds. What comes
 * on top of that was written later. */
static bool is_too_late(struct exec *exec, const struct progress *progress, size_t got) {
  if (!progress->exited || bo_monotonic_ms() < progress->exited_ms + LINGER_MS) return false;
  exec->late_bytes += got;
  return exec->late_bytes > (size_t)fcntl(exec->data, F_GETPIPE_SZ);
}

int exec_read(void *instance, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  struct exec *exec = instance;
  if (exec->direction != BO_EXEC_BACKUP)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "exec_read belongs to a backup");
  for (;;) {
    if (atomic_load(&exec->cancelled)) return error_cancelled(error);
    struct progress progress = progress_of(exec);
    if (progress.lost) return error_lost(error);
    ssize_t got = read(exec->data, bytes, capacity);
    if (got >= 0) {
      /* With the supervisor the command dies, too, which is no clean end of its output. */
      if (got == 0 && !progress.exited && workload_is_lost(exec->workload)) return error_lost(error);
      if (is_too_late(exec, &progress, (size_t)got)) return error_left_behind(&progress, error);
      *size = (size_t)got;
      return BO_OK;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return bo_error_errno(error, errno, "cannot read the command's standard output");
    uint64_t now_ms = bo_monotonic_ms(), end_ms = progress.exited_ms + LINGER_MS;
    if (progress.exited && now_ms >= end_ms) return error_left_behind(&progress, error);
    sleep_until_ready(exec, exec->data, POLLIN, progress.exited, progress.exited ? (int)(end_ms - now_ms) : -1);
  }
}

/* write(2), but a reader that is gone is only EPIPE: the SIGPIPE is taken back before anybody sees it. */
static ssize_t write_without_signal(int fd, const void *bytes, size_t size) {
  sigset_t broken_pipe, pending, old;
  (void)sigemptyset(&broken_pipe);
  (void)sigaddset(&broken_pipe, SIGPIPE);
  (void)sigpending(&pending);
  if (sigismember(&pending, SIGPIPE)) return write(fd, bytes, size);
  (void)pthread_sigmask(SIG_BLOCK, &broken_pipe, &old);
  ssize_t written = write(fd, bytes, size);
  int code = errno;
  static const struct timespec at_once = {0, 0};
  if (written < 0 && code == EPIPE)
    while (sigtimedwait(&broken_pipe, NULL, &at_once) < 0 && errno == EINTR) {
    }
  (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
  errno = code;
  return written;
}

/* Nobody reads any more. Most often the command has just ended: its exit and its last words, which come in a moment,
 * say more than a broken pipe does. */
static int error_unread(struct exec *exec, struct bo_error *error) {
  char text[64];
  sleep_until_ready(exec, -1, 0, false, EXIT_WAIT_MS);
  struct progress progress = progress_of(exec);
  if (progress.lost) return error_lost(error);
  if (progress.exited)
    return bo_error_set(error, BO_CLASS_COMMAND, EPIPE, "the command ended (%s) before it had been given all data",
                        describe_exit(&progress, text));
  return bo_error_set(error, BO_CLASS_COMMAND, EPIPE,
                      "the command closed its standard input before it had been given all data");
}

int exec_write(void *instance, const void *bytes, size_t size, struct bo_error *error) {
  struct exec *exec = instance;
  if (exec->direction != BO_EXEC_RESTORE || exec->data < 0)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "exec_write belongs to a restore whose stdin is open");
  for (const char *at = bytes; size > 0;) {
    if (atomic_load(&exec->cancelled)) return error_cancelled(error);
    struct progress progress = progress_of(exec);
    if (progress.lost) return error_lost(error);
    if (progress.exited) return error_unread(exec, error);
    ssize_t written = write_without_signal(exec->data, at, size);
    if (written > 0) {
      at += written;
      size -= (size_t)written;
    } else if (errno == EPIPE) {
      return error_unread(exec, error);
    } else if (errno == EAGAIN) {
      sleep_until_ready(exec, exec->data, POLLOUT, false, -1);
    } else if (errno != EINTR) {
      return bo_error_errno(error, errno, "cannot write to the command's standard input");
    }
  }
  return BO_OK;
}

/* Before the last write end goes we open a read end, which keeps the pipe: so it can be asked after the command's exit
 * how much was never read. Before this moment there must be none, or a write would not notice that the command is
 * gone. */
int exec_close_stdin(void *instance, struct bo_error *error) {
  struct exec *exec = instance;
  if (exec->direction != BO_EXEC_RESTORE || exec->data < 0)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "exec_close_stdin belongs to a restore whose stdin is open");
  if (atomic_load(&exec->cancelled)) return error_cancelled(error);
  if (progress_of(exec).lost || workload_is_lost(exec->workload)) return error_lost(error);
  char path[64];
  (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", exec->data);
  int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (reader < 0) return bo_error_errno(error, errno, "cannot watch the command's standard input");
  struct bo_local_message message = {.type = BO_LOCAL_CLOSE_STDIN};
  int code = bo_local_send(exec->socket, &message, NULL, 0, MSG_DONTWAIT);
  if (code != 0) {
    (void)close(reader);
    return code == EPIPE ? error_lost(error) : bo_error_errno(error, code, "cannot end the command's standard input");
  }
  (void)pthread_mutex_lock(&exec->lock);
  exec->stdin_reader = reader;
  (void)close(exec->data);
  exec->data = -1;
  (void)pthread_mutex_unlock(&exec->lock);
  return BO_OK;
}

static uint64_t count_unread(struct exec *exec) {
  int unread = 0;
  (void)pthread_mutex_lock(&exec->lock);
  (void)ioctl(exec->data >= 0 ? exec->data : exec->stdin_reader, FIONREAD, &unread);
  (void)pthread_mutex_unlock(&exec->lock);
  return (uint64_t)unread;
}

int exec_wait(void *instance, struct bo_exit *exit, struct bo_error *error) {
  struct exec *exec = instance;
  for (;;) {
    struct progress progress = progress_of(exec);
    if (progress.lost) return error_lost(error);
    if (progress.exited) {
      exit->kind = progress.kind;
      exit->code = progress.code;
      exit->unread_bytes = exec->direction == BO_EXEC_RESTORE ? count_unread(exec) : 0;
      return BO_OK;
    }
    if (atomic_load(&exec->cancelled)) return error_cancelled(error);
    sleep_until_ready(exec, -1, 0, false, -1);
  }
}

void exec_cancel(void *instance) {
  struct exec *exec = instance;
  atomic_store(&exec->cancelled, true);
  (void)eventfd_write(exec->cancel_fd, 1);
}

static void exec_free(struct exec *exec) {
  if (exec->data >= 0) (void)close(exec->data);
  (void)pthread_mutex_destroy(&exec->lock);
  free(exec);
}

static void unlink_exec(struct exec *exec) {
  for (struct exec **link = &exec->workload->execs; *link != NULL; link = &(*link)->next) {
    if (*link != exec) continue;
    *link = exec->next;
    return;
  }
}

void exec_close(void *instance) {
  struct exec *exec = instance;
  struct workload *workload = exec->workload;
  if (exec->has_thread) {
    (void)eventfd_write(exec->quit_fd, 1);
    (void)pthread_join(exec->thread, NULL);
  }
  const int all[] = {exec->socket, exec->errors, exec->cancel_fd, exec->ended_fd, exec->quit_fd, exec->stdin_reader};
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
    if (all[i] >= 0) (void)close(all[i]);
  /* The supervisor holds stdin, too, but it can be killed, and then our end is the last. */
  bool keep = exec->direction == BO_EXEC_RESTORE && exec->data >= 0 && exec->started && !workload_has_ended(workload);
  (void)pthread_mutex_lock(&workload->lock);
  unlink_exec(exec);
  if (keep) {
    exec->next = workload->closed;
    workload->closed = exec;
  }
  (void)pthread_mutex_unlock(&workload->lock);
  if (!keep) exec_free(exec);
}

void exec_free_closed(struct workload *workload) {
  while (workload->closed != NULL) {
    struct exec *exec = workload->closed;
    workload->closed = exec->next;
    exec_free(exec);
  }
}
