/* The services behind `struct bo_host`, and the note of the call that is running. */
#include "core/plugin/host.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/base/wait.h"

#define MAX_LOG_BYTES 2000

void bo_log_printf(const struct bo_log *log, int level, const char *source, const char *format, ...) {
  if (log == NULL || level < log->level) return;
  char text[2048];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  log->write(log->context, level, source, text);
}

static void *host_alloc(void *context, size_t size) {
  (void)context;
  return malloc(size);
}

static void *host_realloc(void *context, void *memory, size_t size) {
  (void)context;
  return realloc(memory, size);
}

static void host_free(void *context, void *memory) {
  (void)context;
  free(memory);
}

/* What a plugin says is foreign text: it must not be able to forge a line of its own or to steer a terminal. */
static void host_log(void *context, int level, const char *text) {
  const struct bo_plugin_host *host = context;
  int known = level < BO_LOG_DEBUG || level > BO_LOG_ERROR ? BO_LOG_ERROR : level;
  if (host->log == NULL || known < host->log->level) return;
  BO_CLEANUP_BUFFER struct bo_buffer safe = BO_BUFFER_INIT;
  (void)bo_append_printable(&safe, text, strnlen(text, MAX_LOG_BYTES));
  for (char *newline = safe.bytes; newline != NULL && (newline = strchr(newline, '\n')) != NULL;)
    *newline = ' ';
  bo_log_printf(host->log, known, host->source, "%s", bo_buffer_text(&safe));
}

static int host_cancelled(void *context) {
  return atomic_load(&((struct bo_plugin_host *)context)->cancelled) ? 1 : 0;
}

static int host_sleep_ms(void *context, uint32_t milliseconds) {
  struct bo_plugin_host *host = context;
  struct timespec deadline = bo_wait_until(milliseconds);
  (void)pthread_mutex_lock(&host->lock);
  int code = 0;
  while (!atomic_load(&host->cancelled) && code == 0)
    code = pthread_cond_timedwait(&host->wake, &host->lock, &deadline);
  (void)pthread_mutex_unlock(&host->lock);
  return host_cancelled(context);
}

static uint64_t host_monotonic_ns(void *context) {
  (void)context;
  return bo_monotonic_ns();
}

static int host_random(void *context, void *bytes, size_t size) {
  (void)context;
  unsigned char *cursor = bytes;
  while (size > 0) {
    ssize_t got = getrandom(cursor, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return -1;
    cursor += got;
    size -= (size_t)got;
  }
  return 0;
}

int bo_plugin_host_init(struct bo_plugin_host *host, const struct bo_log *log, const char *source,
                        struct bo_error *error) {
  *host = (struct bo_plugin_host){
      .table =
          {
              .header = BO_HEADER(struct bo_host),
              .features = BO_HOST_FEATURES,
              .context = host,
              .alloc = host_alloc,
              .realloc = host_realloc,
              .free = host_free,
              .log = host_log,
              .cancelled = host_cancelled,
              .sleep_ms = host_sleep_ms,
              .monotonic_ns = host_monotonic_ns,
              .random = host_random,
          },
      .log = log,
  };
  (void)snprintf(host->source, sizeof(host->source), "%s", source);
  int code = bo_wait_init(&host->wake);
  if (code == 0) code = pthread_mutex_init(&host->lock, NULL);
  return code == 0 ? BO_OK : bo_error_errno(error, code, "making a plugin's host");
}

void bo_plugin_host_destroy(struct bo_plugin_host *host) {
  (void)pthread_cond_destroy(&host->wake);
  (void)pthread_mutex_destroy(&host->lock);
}

void bo_plugin_host_cancel(struct bo_plugin_host *host) {
  (void)pthread_mutex_lock(&host->lock);
  atomic_store(&host->cancelled, true);
  (void)pthread_cond_broadcast(&host->wake);
  (void)pthread_mutex_unlock(&host->lock);
}

void bo_plugin_host_enter(struct bo_plugin_host *host, const char *function) {
  atomic_store(&host->call_since, bo_monotonic_ns());
  atomic_store(&host->call, function);
}

void bo_plugin_host_leave(struct bo_plugin_host *host) {
  atomic_store(&host->call, NULL);
}

uint64_t bo_plugin_host_call_ms(struct bo_plugin_host *host, const char **function) {
  *function = atomic_load(&host->call);
  if (*function == NULL) return 0;
  uint64_t since = atomic_load(&host->call_since);
  uint64_t now = bo_monotonic_ns();
  return now > since ? (now - since) / 1000000U : 0;
}
