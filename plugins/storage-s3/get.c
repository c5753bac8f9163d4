/*
 * plugins/storage-s3/get.c - reading an object while it arrives.
 *
 * The thread of http.c fills a ring, the reader empties it; when it is full, TCP holds the server back. A connection
 * that is cut is BO_RETRY: the host opens the rest again with If-Match on the etag, so that two objects never mix.
 */
#include "core/base/error.h"
#include "plugins/storage-s3/storage-s3.h"

#define RING_BYTES ((size_t)4 << 20)

struct s3_get {
  struct s3_storage *storage;
  struct s3_get *next;
  struct s3_request request;
  struct s3_stream stream;
  uint64_t left_bytes;
  bool open; /* the request was submitted */
  char range[40];
  char if_match[BO_ETAG_MAX + 2];
  char key[BO_KEY_MAX + 1];
};

/* The server's word on what it sends: the rest of the object, from the offset asked for. */
static int check_answer(struct s3_get *get, uint64_t offset_bytes, const char *if_match, struct bo_object *object,
                        struct bo_error *error) {
  const struct s3_request *request = &get->request;
  *object = request->object;
  get->left_bytes = object->size_bytes;
  if (offset_bytes > 0) {
    if (request->range_begin != (int64_t)offset_bytes || request->range_total < 0 ||
        (uint64_t)request->range_total != offset_bytes + get->left_bytes)
      return bo_error_set(error, BO_CLASS_PROTOCOL, 0,
                          "%s: asked for the bytes from %llu on, the server sends others: it knows no ranges",
                          request->what, (unsigned long long)offset_bytes);
    object->size_bytes = (uint64_t)request->range_total;
  }
  if (if_match != NULL && strcmp(if_match, object->etag) != 0)
    return bo_error_set(error, BO_CLASS_CONFLICT, 0, "%s: it is not the object asked for: it has changed since",
                        request->what);
  return BO_OK;
}

/* An offset at the very end cannot be asked for as a range: 416. */
static int open_at_end(struct s3_get *get, uint64_t offset_bytes, const char *if_match, struct bo_object *object,
                       struct bo_error *error) {
  int result = s3_head(get->storage, get->key, 1, object, NULL, error);
  if (result != BO_OK) return result;
  if (if_match != NULL && strcmp(if_match, object->etag) != 0)
    return bo_error_set(error, BO_CLASS_CONFLICT, 0, "the object " S3_KEY_SHOWN " has changed since", get->key);
  if (offset_bytes == object->size_bytes) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "the object " S3_KEY_SHOWN " has %llu bytes: there is no offset %llu",
                      get->key, (unsigned long long)object->size_bytes, (unsigned long long)offset_bytes);
}

static int begin(struct s3_get *get, uint64_t offset_bytes, const char *if_match, struct bo_object *object,
                 struct bo_error *error) {
  struct s3_http *http = &get->storage->http;
  struct s3_request *request = &get->request;
  s3_request_init(request, get->storage, "GET", get->key, "reading " S3_KEY_SHOWN, get->key);
  request->stream = &get->stream;
  if (offset_bytes > 0) {
    (void)snprintf(get->range, sizeof(get->range), "bytes=%llu-", (unsigned long long)offset_bytes);
    s3_request_header(request, "range", get->range);
  }
  if (if_match != NULL) {
    (void)snprintf(get->if_match, sizeof(get->if_match), strncmp(if_match, "W/", 2) == 0 ? "%s" : "\"%s\"", if_match);
    s3_request_header(request, "if-match", get->if_match);
  }
  if (s3_http_submit(http, request, error) != BO_OK) return BO_ERROR;
  get->open = true;
  s3_http_wait_begun(http, request);
  /* Only what came before the first byte is an error of the open. */
  (void)pthread_mutex_lock(&http->lock);
  bool failed = !get->stream.begun && request->result != BO_OK;
  (void)pthread_mutex_unlock(&http->lock);
  if (!failed) return check_answer(get, offset_bytes, if_match, object, error);
  if (offset_bytes > 0 && request->status == 416) return open_at_end(get, offset_bytes, if_match, object, error);
  if (request->status == 412)
    return bo_error_set(error, BO_CLASS_CONFLICT, 0, "%s: it is not the object asked for: it has changed since",
                        request->what);
  if (error != NULL) *error = request->error;
  return request->result;
}

int s3_get_open(void *instance, const char *key, uint64_t offset_bytes, const char *if_match, struct bo_object *object,
                void **out, struct bo_error *error) {
  struct s3_storage *storage = instance;
  const struct bo_host *host = storage->host;
  if (s3_check_cancelled(storage, error) != BO_OK || s3_check_key(storage, key, error) != BO_OK) return BO_ERROR;
  struct s3_get *get = host->alloc(host->context, sizeof(*get));
  unsigned char *ring = host->alloc(host->context, RING_BYTES);
  if (get == NULL || ring == NULL) {
    host->free(host->context, get);
    host->free(host->context, ring);
    return bo_error_no_memory(error);
  }
  memset(get, 0, sizeof(*get));
  get->storage = storage;
  get->stream.ring = ring;
  get->stream.size = RING_BYTES;
  (void)snprintf(get->key, sizeof(get->key), "%s", key);
  get->next = storage->gets;
  storage->gets = get;
  int result = begin(get, offset_bytes, if_match, object, error);
  if (result != BO_OK) {
    s3_get_close(get);
    return result;
  }
  *out = get;
  return BO_OK;
}

int s3_get_read(void *instance, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  struct s3_get *get = instance;
  struct s3_request *request = &get->request;
  *size = 0;
  if (s3_check_cancelled(get->storage, error) != BO_OK) return BO_ERROR;
  if (get->left_bytes == 0) return BO_OK;
  *size = s3_http_read(&get->storage->http, request, bytes, capacity);
  if (*size > 0) {
    get->left_bytes -= *size < get->left_bytes ? *size : get->left_bytes;
    return BO_OK;
  }
  if (request->result == BO_OK) {
    (void)bo_error_set(error, BO_CLASS_NETWORK, 0, "%s: the server ended %llu bytes too early", request->what,
                       (unsigned long long)get->left_bytes);
    return BO_RETRY;
  }
  if (error != NULL) *error = request->error;
  return request->result;
}

void s3_get_close(void *instance) {
  struct s3_get *get = instance;
  struct s3_storage *storage = get->storage;
  const struct bo_host *host = storage->host;
  struct s3_get **link = &storage->gets;
  while (*link != get)
    link = &(*link)->next;
  *link = get->next;
  if (get->open) s3_http_abandon(&storage->http, &get->request);
  s3_request_free(&get->request);
  host->free(host->context, get->stream.ring);
  host->free(host->context, get);
}

void s3_get_close_all(struct s3_storage *storage) {
  while (storage->gets != NULL)
    s3_get_close(storage->gets);
}
