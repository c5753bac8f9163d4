#include "core/run/owner.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/wait.h"

#define LINE_MAX_BYTES ((size_t)65536)
#define IMPORTANT_WAIT_MS 10000

static void answer_commit(struct bo_owner *owner, bool granted, bool gone) {
  (void)pthread_mutex_lock(&owner->lock);
  owner->gone = owner->gone || gone;
  owner->commit_granted = granted && !owner->commit_answered;
  owner->commit_answered = true;
  (void)pthread_cond_broadcast(&owner->answered);
  (void)pthread_mutex_unlock(&owner->lock);
}

/* Whoever waits for leave to commit has none then. */
static void cancel_run(struct bo_owner *owner, int error_class, const char *why) {
  answer_commit(owner, false, false);
  struct bo_error error = BO_ERROR_INIT;
  (void)bo_error_set(&error, error_class, 0, "%s", why);
  owner->cancel(owner->context, &error);
}

static void handle_line(struct bo_owner *owner, const char *line, size_t size) {
  cJSON *json = cJSON_ParseWithLength(line, size);
  const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "type"));
  if (type != NULL && strcmp(type, "commit") == 0) {
    answer_commit(owner, cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "granted")), false);
  } else if (type != NULL && strcmp(type, "cancel") == 0) {
    const char *reason = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "reason"));
    cancel_run(owner, BO_CLASS_CANCELLED, reason == NULL ? "cancelled" : reason);
  } else {
    cancel_run(owner, BO_CLASS_PROTOCOL, "the owner sent a line that is neither `commit` nor `cancel`");
  }
  cJSON_Delete(json);
}

/* Handles every whole line that has come in. */
static void handle_input(struct bo_owner *owner) {
  char *newline = NULL;
  while (owner->input.size > 0 && (newline = memchr(owner->input.bytes, '\n', owner->input.size)) != NULL) {
    size_t length = (size_t)(newline - owner->input.bytes);
    if (length > 0) handle_line(owner, owner->input.bytes, length);
    size_t rest = owner->input.size - length - 1;
    memmove(owner->input.bytes, newline + 1, rest + 1);
    owner->input.size = rest;
  }
}

/* False when nothing more will come. */
static bool read_input(struct bo_owner *owner) {
  char bytes[4096];
  ssize_t got = read(owner->in_fd, bytes, sizeof(bytes));
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (got <= 0) return false;
  if (!bo_buffer_append(&owner->input, bytes, (size_t)got) || owner->input.size > LINE_MAX_BYTES) return false;
  handle_input(owner);
  return true;
}

static void *owner_thread(void *argument) {
  struct bo_owner *owner = argument;
  handle_input(owner);
  struct pollfd fds[3] = {{.fd = owner->wake_fd, .events = POLLIN},
                          {.fd = owner->signal_fd, .events = POLLIN},
                          {.fd = owner->in_fd, .events = POLLIN}};
  while (fds[0].revents == 0) {
    if (poll(fds, 3, -1) < 0 && errno != EINTR) break;
    if (fds[1].revents != 0) {
      struct signalfd_siginfo info;
      if (read(owner->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        cancel_run(owner, BO_CLASS_CANCELLED,
                   info.ssi_signo == SIGINT ? "interrupted by SIGINT" : "asked to end by SIGTERM");
    }
    if (fds[2].revents != 0 && !read_input(owner)) {
      fds[2].fd = -1;
      fds[2].revents = 0;
      answer_commit(owner, false, true);
      cancel_run(owner, BO_CLASS_CANCELLED, "the run's owner is gone: its control pipe has ended");
    }
  }
  return NULL;
}

void bo_owner_init(struct bo_owner *owner, int in_fd, int out_fd) {
  *owner = (struct bo_owner){.in_fd = in_fd, .out_fd = out_fd, .signal_fd = -1, .wake_fd = -1};
  (void)pthread_mutex_init(&owner->lock, NULL);
  (void)pthread_mutex_init(&owner->out_lock, NULL);
  (void)bo_wait_init(&owner->answered);
}

int bo_owner_start(struct bo_owner *owner, const char *rest, size_t rest_size,
                   void (*cancel)(void *context, const struct bo_error *why), void *context, struct bo_error *error) {
  owner->cancel = cancel;
  owner->context = context;
  sigset_t signals;
  (void)sigemptyset(&signals);
  (void)sigaddset(&signals, SIGTERM);
  (void)sigaddset(&signals, SIGINT);
  owner->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  owner->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (owner->signal_fd < 0 || owner->wake_fd < 0) return bo_error_errno(error, errno, "signalfd");
  if (rest_size > 0 && !bo_buffer_append(&owner->input, rest, rest_size)) return bo_error_no_memory(error);
  int code = pthread_create(&owner->thread, NULL, owner_thread, owner);
  owner->started = code == 0;
  return code == 0 ? BO_OK : bo_error_errno(error, code, "starting a thread");
}

void bo_owner_stop(struct bo_owner *owner) {
  if (owner->started) {
    uint64_t one = 1;
    (void)bo_write_all(owner->wake_fd, &one, sizeof(one), NULL);
    (void)pthread_join(owner->thread, NULL);
    owner->started = false;
  }
  if (owner->signal_fd >= 0) (void)close(owner->signal_fd);
  if (owner->wake_fd >= 0) (void)close(owner->wake_fd);
  owner->signal_fd = -1;
  owner->wake_fd = -1;
  bo_buffer_free(&owner->input);
}

/* Writes with patience until `until_ms`; 0: only what goes at once. False when it has not gone as a whole: nothing of
 * it, mostly, since lines up to PIPE_BUF do not go in part. */
static bool write_line(struct bo_owner *owner, const char *line, size_t size, uint64_t until_ms) {
  while (size > 0) {
    struct pollfd ready = {.fd = owner->out_fd, .events = POLLOUT};
    uint64_t now_ms = bo_monotonic_ms();
    int timeout_ms = until_ms > now_ms ? (int)(until_ms - now_ms) : 0;
    int polled = poll(&ready, 1, timeout_ms);
    if (polled < 0 && errno == EINTR) continue;
    if (polled <= 0 || (ready.revents & POLLOUT) == 0) return false;
    ssize_t written = write(owner->out_fd, line, size);
    if (written < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (written < 0) {
      if (timeout_ms == 0) return false;
      continue;
    }
    line += written;
    size -= (size_t)written;
    owner->within_line = size > 0;
    if (until_ms == 0 && size > 0) until_ms = now_ms + IMPORTANT_WAIT_MS; /* never leave half a line */
  }
  return true;
}

bool bo_owner_deliver(struct bo_owner *owner, const char *json, uint32_t patience_ms) {
  if (owner->out_fd < 0) return true;
  char *line = NULL;
  if (json == NULL || asprintf(&line, "\n%s\n", json) < 0) return false;
  /* Whoever has no patience must not wait for those who have. */
  int locked = patience_ms == 0 ? pthread_mutex_trylock(&owner->out_lock) : pthread_mutex_lock(&owner->out_lock);
  bool delivered = false;
  if (locked == 0) {
    /* Behind half a line a newline comes first, so that only that one is lost. */
    const char *begin = owner->within_line ? line : line + 1;
    delivered = write_line(owner, begin, strlen(begin), patience_ms == 0 ? 0 : bo_monotonic_ms() + patience_ms);
    (void)pthread_mutex_unlock(&owner->out_lock);
  }
  free(line);
  return delivered;
}

void bo_owner_send(struct bo_owner *owner, const char *json, bool important) {
  (void)bo_owner_deliver(owner, json, important ? IMPORTANT_WAIT_MS : 0);
}

int bo_owner_ask_commit(struct bo_owner *owner, const char *json, uint64_t timeout_ms, struct bo_error *error) {
  bool asked = bo_owner_deliver(owner, json, IMPORTANT_WAIT_MS);
  if (owner->in_fd < 0) return BO_OK;
  if (!asked)
    return bo_error_set(error, BO_CLASS_CANCELLED, 0, "the run's owner does not read: it could not be asked to commit");
  struct timespec deadline = bo_wait_until(timeout_ms);
  (void)pthread_mutex_lock(&owner->lock);
  int code = 0;
  while (!owner->commit_answered && code == 0)
    code = pthread_cond_timedwait(&owner->answered, &owner->lock, &deadline);
  bool answered = owner->commit_answered;
  bool granted = owner->commit_granted;
  bool gone = owner->gone;
  (void)pthread_mutex_unlock(&owner->lock);
  if (granted) return BO_OK;
  if (gone) return bo_error_set(error, BO_CLASS_CANCELLED, 0, "the run's owner is gone: nothing was committed");
  if (!answered)
    return bo_error_set(error, BO_CLASS_TIMEOUT, 0, "the run's owner did not answer the request to commit");
  return bo_error_set(error, BO_CLASS_CANCELLED, 0, "the run's owner did not permit the commit");
}
