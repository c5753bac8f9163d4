/*
 * plugins/storage-s3/http.c - moves requests: one thread of the instance drives them all through libcurl's multi
 * interface, so that parts travel and downloads arrive while nobody calls the plugin.
 *
 * A request is submitted (waiting), sent when it is due (running), perhaps sent again after a pause (waiting), and
 * done. Only the thread touches a request in between; the lock guards the list, the states and the streams. Whoever
 * waits does so for `changed`, without a time limit: libcurl's limits and cancelling end every request.
 */
#include <errno.h>
#include <signal.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "plugins/storage-s3/storage-s3.h"

#define POLL_MS 250 /* how late the host's cancelling may be noticed */
#define IDLE_MS 60000
#define ANSWER_BYTES_MAX ((size_t)4 << 20) /* a page of 1,000 keys is at most about 3 MiB */
#define THREAD_STACK_BYTES ((size_t)512 << 10)
#define RECEIVE_BYTES (128L << 10)
#define SEND_BYTES (256L << 10)
#define CLEAR_UP_S 8L
#define GRACE_MS 2000U

static void lock(struct s3_http *http) {
  (void)pthread_mutex_lock(&http->lock);
}

static void unlock(struct s3_http *http) {
  (void)pthread_mutex_unlock(&http->lock);
}

bool s3_http_cancelled(const struct s3_http *http) {
  return atomic_load(&http->cancelled) || http->host->cancelled(http->host->context) != 0;
}

void s3_http_cancel(struct s3_http *http) {
  atomic_store(&http->cancelled, true);
  (void)curl_multi_wakeup(http->multi);
}

/* ---- libcurl's callbacks, in the thread */

static size_t on_send(char *to, size_t size, size_t count, void *context) {
  struct s3_request *request = context;
  size_t left = request->body_size - request->body_position;
  size_t room = size * count;
  if (room > left) room = left;
  memcpy(to, (const char *)request->body + request->body_position, room);
  request->body_position += room;
  return room;
}

static int on_seek(void *context, curl_off_t offset, int origin) {
  struct s3_request *request = context;
  if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > request->body_size) return CURL_SEEKFUNC_FAIL;
  request->body_position = (size_t)offset;
  return CURL_SEEKFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t count, void *context) {
  s3_request_take_header(context, line, size * count);
  return size * count;
}

static size_t fill_ring(struct s3_request *request, const char *bytes, size_t size) {
  struct s3_stream *stream = request->stream;
  struct s3_http *http = &request->storage->http;
  lock(http);
  bool fits = stream->size - stream->filled >= size;
  if (fits) {
    size_t end = (stream->begin + stream->filled) % stream->size;
    size_t first = size < stream->size - end ? size : stream->size - end;
    memcpy(stream->ring + end, bytes, first);
    memcpy(stream->ring, bytes + first, size - first);
    stream->filled += size;
    stream->begun = true;
    (void)pthread_cond_broadcast(&http->changed);
  } else {
    stream->paused = true;
  }
  unlock(http);
  return fits ? size : CURL_WRITEFUNC_PAUSE;
}

static size_t on_receive(char *bytes, size_t size, size_t count, void *context) {
  struct s3_request *request = context;
  size *= count;
  if (request->status == 0) (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &request->status);
  if (request->stream != NULL && request->status / 100 == 2) return fill_ring(request, bytes, size);
  request->answer_too_long = request->answer.size + size > ANSWER_BYTES_MAX;
  if (request->answer_too_long || !bo_buffer_append(&request->answer, bytes, size)) return 0;
  return size;
}

/* ---- the thread */

/* Called with the lock held, as all below that touches a request's state. */
static void finish(struct s3_http *http, struct s3_request *request) {
  struct s3_request **link = &http->requests;
  while (*link != request)
    link = &(*link)->next;
  *link = request->next;
  request->state = S3_DONE;
  (void)pthread_cond_broadcast(&http->changed);
}

static void drop_easy(struct s3_http *http, struct s3_request *request) {
  if (request->easy != NULL) {
    (void)curl_multi_remove_handle(http->multi, request->easy);
    curl_easy_cleanup(request->easy);
  }
  curl_slist_free_all(request->header_list);
  request->easy = NULL;
  request->header_list = NULL;
}

static void set_limits(const struct s3_request *request) {
  const struct s3_config *config = &request->storage->config;
  CURL *easy = request->easy;
  (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, config->connect_timeout_s);
  (void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  (void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, config->request_timeout_s);
  (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  if (request->survives_cancel) (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT, CLEAR_UP_S);
}

static void set_tls(const struct s3_request *request) {
  const struct s3_config *config = &request->storage->config;
  CURL *easy = request->easy;
  (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, config->verify ? 1L : 0L);
  (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, config->verify ? 2L : 0L);
  if (config->ca_bundle == NULL) return;
  struct curl_blob blob = {
      .data = (void *)(uintptr_t)config->ca_bundle, .len = strlen(config->ca_bundle), .flags = CURL_BLOB_NOCOPY};
  (void)curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
}

static void set_body(struct s3_request *request) {
  CURL *easy = request->easy;
  request->body_position = 0;
  if (strcmp(request->method, "HEAD") == 0) {
    (void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (strcmp(request->method, "PUT") == 0) {
    (void)curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BYTES);
    (void)curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_size);
    (void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
    (void)curl_easy_setopt(easy, CURLOPT_READDATA, request);
    (void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    (void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, request);
  } else if (strcmp(request->method, "POST") == 0) {
    (void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body_size == 0 ? "" : request->body);
  } else if (strcmp(request->method, "GET") != 0) {
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
  }
}

static bool begin(struct s3_http *http, struct s3_request *request) {
  request->easy = curl_easy_init();
  if (request->easy == NULL) return bo_error_no_memory(&request->error) == BO_OK;
  CURL *easy = request->easy;
  request->curl_error[0] = '\0';
  (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->curl_error);
  (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
  (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1); /* a connection for each part */
  (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* "a/../b" is a key like any other */
  (void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
  (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
  (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_receive);
  (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
  set_limits(request);
  set_tls(request);
  set_body(request);
  if (s3_request_begin(request, &request->error) != BO_OK) return false;
  request->attempts++;
  request->state = S3_RUNNING;
  if (curl_multi_add_handle(http->multi, easy) == CURLM_OK) return true;
  return bo_error_no_memory(&request->error) == BO_OK;
}

/* A request that was sent whole may be carried out whatever happens to its connection: where that matters, its answer
 * is waited for a moment longer. */
static bool must_end(const struct s3_http *http, struct s3_request *request, uint64_t now_ms) {
  bool cancelled = !request->survives_cancel && s3_http_cancelled(http);
  if (!request->abandoned && !cancelled) return false;
  if (!request->has_grace || request->state != S3_RUNNING || request->body_position < request->body_size) return true;
  if (request->grace_until_ms == 0) request->grace_until_ms = now_ms + GRACE_MS;
  return now_ms >= request->grace_until_ms;
}

/* Begins what is due and ends what must. Returns for how long nothing will be due, in ms. */
static int advance(struct s3_http *http) {
  uint64_t now_ms = bo_monotonic_ms();
  int idle_ms = http->requests == NULL ? IDLE_MS : POLL_MS;
  struct s3_request *next = NULL;
  for (struct s3_request *request = http->requests; request != NULL; request = next) {
    next = request->next;
    if (must_end(http, request, now_ms)) {
      /* What was under way may have been done. */
      request->maybe_done = request->maybe_done || request->state == S3_RUNNING;
      drop_easy(http, request);
      request->result = bo_error_set(&request->error, BO_CLASS_CANCELLED, 0, "%s was cancelled", request->what);
      finish(http, request);
    } else if (request->state == S3_WAITING && request->due_ms <= now_ms) {
      if (begin(http, request)) continue;
      drop_easy(http, request);
      request->result = BO_ERROR;
      finish(http, request);
    } else if (request->state == S3_WAITING && request->due_ms - now_ms < (uint64_t)idle_ms) {
      idle_ms = (int)(request->due_ms - now_ms);
    }
  }
  return idle_ms;
}

/* Without the lock: libcurl gives what it held back in this very call. */
static void resume_streams(struct s3_http *http) {
  for (;;) {
    lock(http);
    struct s3_request *request = http->requests;
    while (request != NULL && (request->stream == NULL || !request->stream->resume || request->state != S3_RUNNING))
      request = request->next;
    if (request != NULL) request->stream->resume = request->stream->paused = false;
    unlock(http);
    if (request == NULL) return;
    (void)curl_easy_pause(request->easy, CURLPAUSE_CONT);
  }
}

static void judge(struct s3_http *http, struct s3_request *request, CURLcode code) {
  (void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &request->status);
  int64_t pause_ms = s3_request_judge(request, code);
  lock(http);
  drop_easy(http, request);
  if (pause_ms < 0) {
    finish(http, request);
  } else {
    request->due_ms = bo_monotonic_ms() + (uint64_t)pause_ms;
    request->state = S3_WAITING;
  }
  unlock(http);
}

static void *run(void *context) {
  struct s3_http *http = context;
  for (;;) {
    lock(http);
    bool stop = http->stopping && http->requests == NULL;
    int idle_ms = advance(http);
    unlock(http);
    if (stop) return NULL;
    resume_streams(http);
    int running = 0;
    (void)curl_multi_perform(http->multi, &running);
    bool any = false;
    int left = 0;
    for (const CURLMsg *message; (message = curl_multi_info_read(http->multi, &left)) != NULL;) {
      struct s3_request *request = NULL;
      CURLcode code = message->data.result;
      (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
      judge(http, request, code);
      any = true;
    }
    if (!any) (void)curl_multi_poll(http->multi, NULL, 0, idle_ms, NULL);
  }
}

/* ---- for the plugin's callers */

int s3_http_init(struct s3_http *http, const struct bo_host *host, struct bo_error *error) {
  http->host = host;
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "libcurl could not be set up");
  http->multi = curl_multi_init();
  if (http->multi == NULL) {
    curl_global_cleanup();
    return bo_error_no_memory(error);
  }
  /* Without the descriptors for it, nobody could wake the thread: each request would wait for the end of its sleep. */
  if (curl_multi_wakeup(http->multi) != CURLM_OK) {
    (void)curl_multi_cleanup(http->multi);
    curl_global_cleanup();
    return bo_error_errno(error, EMFILE, "setting up libcurl");
  }
  /* It does without the descriptors to be woken by when there are none left; this plugin cannot. */
  if (curl_multi_wakeup(http->multi) != CURLM_OK) {
    (void)curl_multi_cleanup(http->multi);
    curl_global_cleanup();
    return bo_error_set(error, BO_CLASS_IO, EMFILE, "the process has no descriptors left for talking to the server");
  }
  (void)pthread_mutex_init(&http->lock, NULL);
  (void)pthread_cond_init(&http->changed, NULL);
  return BO_OK;
}

void s3_http_destroy(struct s3_http *http) {
  lock(http);
  http->stopping = true;
  unlock(http);
  (void)curl_multi_wakeup(http->multi);
  if (http->started) (void)pthread_join(http->thread, NULL);
  (void)curl_multi_cleanup(http->multi);
  (void)pthread_cond_destroy(&http->changed);
  (void)pthread_mutex_destroy(&http->lock);
  curl_global_cleanup();
}

static int start(struct s3_http *http, struct bo_error *error) {
  pthread_attr_t attributes;
  sigset_t all;
  sigset_t before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  int code = pthread_attr_init(&attributes);
  if (code == 0) {
    (void)pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    code = pthread_create(&http->thread, &attributes, run, http);
    (void)pthread_attr_destroy(&attributes);
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (code != 0) return bo_error_errno(error, code, "starting the thread that talks to the server");
  http->started = true;
  return BO_OK;
}

int s3_http_submit(struct s3_http *http, struct s3_request *request, struct bo_error *error) {
  if (!http->started && start(http, error) != BO_OK) return BO_ERROR;
  lock(http);
  request->state = S3_WAITING;
  request->due_ms = 0;
  request->next = http->requests;
  http->requests = request;
  unlock(http);
  (void)curl_multi_wakeup(http->multi);
  return BO_OK;
}

void s3_http_wait(struct s3_http *http, struct s3_request *request) {
  lock(http);
  while (request->state == S3_WAITING || request->state == S3_RUNNING)
    (void)pthread_cond_wait(&http->changed, &http->lock);
  unlock(http);
}

void s3_http_abandon(struct s3_http *http, struct s3_request *request) {
  lock(http);
  request->abandoned = true;
  unlock(http);
  (void)curl_multi_wakeup(http->multi);
  s3_http_wait(http, request);
}

void s3_http_wait_begun(struct s3_http *http, struct s3_request *request) {
  lock(http);
  while (!request->stream->begun && (request->state == S3_WAITING || request->state == S3_RUNNING))
    (void)pthread_cond_wait(&http->changed, &http->lock);
  unlock(http);
}

size_t s3_http_read(struct s3_http *http, struct s3_request *request, void *bytes, size_t capacity) {
  struct s3_stream *stream = request->stream;
  lock(http);
  while (stream->filled == 0 && request->state != S3_DONE)
    (void)pthread_cond_wait(&http->changed, &http->lock);
  size_t size = capacity < stream->filled ? capacity : stream->filled;
  size_t first = size < stream->size - stream->begin ? size : stream->size - stream->begin;
  memcpy(bytes, stream->ring + stream->begin, first);
  memcpy((char *)bytes + first, stream->ring, size - first);
  stream->begin = (stream->begin + size) % stream->size;
  stream->filled -= size;
  bool wake = stream->paused && !stream->resume && stream->filled <= stream->size / 2;
  stream->resume = stream->resume || wake;
  unlock(http);
  if (wake) (void)curl_multi_wakeup(http->multi);
  return size;
}
