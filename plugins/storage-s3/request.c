/*
 * plugins/storage-s3/request.c - what S3 adds to a request over HTTP: its address, its signature, how its answer is
 * to be taken, and whether it is sent again.
 *
 * Each attempt is signed anew, since a signature is good for minutes only. Only what may pass by itself is repeated
 * (5xx, 429, lost connections, time-outs); an answer of 4xx is final.
 */
#include <stdlib.h>
#include <strings.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "plugins/storage-s3/storage-s3.h"

#define FIRST_PAUSE_MS 200
#define LONGEST_PAUSE_MS 8000
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* ---- asking */

void s3_request_init(struct s3_request *request, struct s3_storage *storage, const char *method, const char *key,
                     const char *what, ...) {
  va_list args;
  *request = (struct s3_request){.storage = storage, .method = method, .key = key, .tries = 1};
  request->error.size = sizeof(request->error);
  request->object.size = sizeof(request->object);
  va_start(args, what);
  (void)vsnprintf(request->what, sizeof(request->what), what, args);
  va_end(args);
}

void s3_request_query(struct s3_request *request, const char *name, const char *value) {
  request->query[request->query_count++] = (struct bo_pair){name, value};
}

void s3_request_header(struct s3_request *request, const char *name, const char *value) {
  request->headers[request->header_count++] = (struct bo_pair){name, value};
}

int s3_request_run(struct s3_request *request, struct bo_error *error) {
  struct s3_http *http = &request->storage->http;
  if (s3_http_submit(http, request, error) != BO_OK) return BO_ERROR;
  s3_http_wait(http, request);
  if (request->result != BO_OK && error != NULL) *error = request->error;
  return request->result;
}

void s3_request_free(struct s3_request *request) {
  bo_buffer_free(&request->answer);
}

/* ---- sending */

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct bo_pair *)a)->name, ((const struct bo_pair *)b)->name);
}

/* "Name: value", or "Name;" for an empty value, as libcurl wants it. */
static bool add_header(struct s3_request *request, const char *name, const char *value) {
  BO_CLEANUP(bo_buffer_cleanse) struct bo_buffer line = BO_BUFFER_INIT;
  (void)bo_buffer_printf(&line, value[0] == '\0' ? "%s;" : "%s: %s", name, value);
  struct curl_slist *list = line.failed ? NULL : curl_slist_append(request->header_list, line.bytes);
  if (list == NULL) return false;
  request->header_list = list;
  return true;
}

static void make_path(const struct s3_request *request, struct bo_buffer *path) {
  const struct s3_config *config = &request->storage->config;
  (void)bo_buffer_append_text(path, config->path);
  if (request->key == NULL && config->path[0] != '\0') return;
  (void)bo_buffer_append_text(path, "/");
  if (request->key == NULL) return;
  s3_uri_encode(path, config->prefix, true);
  s3_uri_encode(path, request->key, true);
}

/* Host and all of x-amz-* are signed; what else there is (Range, If-Match) need not be. */
static int sign(struct s3_request *request, const char *path, const char *query, struct bo_error *error) {
  const struct s3_storage *storage = request->storage;
  struct bo_pair headers[S3_HEADERS_MAX + 4];
  struct s3_signing signing = {
      .access_key = storage->credentials.access_key,
      .secret_key = storage->credentials.secret_key,
      .region = storage->config.region,
      .service = "s3",
      .method = request->method,
      .path = path,
      .query = query,
      .headers = headers,
  };
  signing.payload_sha256 = request->body_size == 0        ? EMPTY_SHA256
                           : request->body_sha256 != NULL ? request->body_sha256
                                                          : "UNSIGNED-PAYLOAD";
  s3_signing_time(bo_realtime_ms() / 1000, signing.time);
  size_t count = 0;
  headers[count++] = (struct bo_pair){"host", storage->config.host};
  headers[count++] = (struct bo_pair){"x-amz-content-sha256", signing.payload_sha256};
  headers[count++] = (struct bo_pair){"x-amz-date", signing.time};
  if (storage->credentials.session_token != NULL)
    headers[count++] = (struct bo_pair){"x-amz-security-token", storage->credentials.session_token};
  for (unsigned i = 0; i < request->header_count; i++)
    if (strncmp(request->headers[i].name, "x-amz-", 6) == 0) headers[count++] = request->headers[i];
  qsort(headers, count, sizeof(headers[0]), by_name);
  signing.header_count = count;
  BO_CLEANUP(bo_buffer_cleanse) struct bo_buffer authorization = BO_BUFFER_INIT;
  if (s3_sign(&signing, &authorization, error) != BO_OK) return BO_ERROR;
  bool good = add_header(request, "Authorization", authorization.bytes);
  for (size_t i = 0; i < count; i++)
    if (strcmp(headers[i].name, "host") != 0) good = good && add_header(request, headers[i].name, headers[i].value);
  return good ? BO_OK : bo_error_no_memory(error);
}

static void forget_answer(struct s3_request *request) {
  bo_buffer_clear(&request->answer);
  request->object = (struct bo_object){.size = sizeof(request->object)};
  request->status = 0;
  request->put_id[0] = request->request_id[0] = request->bucket_region[0] = request->location[0] = '\0';
  request->range_begin = request->range_total = -1;
  request->date_unix_s = 0;
  request->answer_too_long = false;
}

int s3_request_begin(struct s3_request *request, struct bo_error *error) {
  BO_CLEANUP_BUFFER struct bo_buffer path = BO_BUFFER_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer query = BO_BUFFER_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer url = BO_BUFFER_INIT;
  forget_answer(request);
  make_path(request, &path);
  if (path.failed) return bo_error_no_memory(error);
  if (s3_uri_query(&query, request->query, request->query_count, error) != BO_OK ||
      sign(request, path.bytes, bo_buffer_text(&query), error) != BO_OK)
    return BO_ERROR;
  bool good = true;
  for (unsigned i = 0; i < request->header_count; i++)
    if (strncmp(request->headers[i].name, "x-amz-", 6) != 0)
      good = good && add_header(request, request->headers[i].name, request->headers[i].value);
  /* libcurl adds these by itself if they are not switched off. */
  good = good && (curl_slist_append(request->header_list, "Expect:") != NULL);
  if (strcmp(request->method, "POST") == 0) good = good && curl_slist_append(request->header_list, "Content-Type:");
  (void)bo_buffer_printf(&url, "%s%s%s%s", request->storage->config.origin, path.bytes, query.size == 0 ? "" : "?",
                         bo_buffer_text(&query));
  good = good && !url.failed && curl_easy_setopt(request->easy, CURLOPT_URL, url.bytes) == CURLE_OK &&
         curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->header_list) == CURLE_OK;
  return good ? BO_OK : bo_error_no_memory(error);
}

/* ---- the answer's headers */

/* The value of `name`, of a line that ends with CR and LF, without outer blanks; false when the line is another. */
static bool header_is(const char *line, size_t size, const char *name, char *value, size_t room) {
  size_t length = strlen(name);
  if (size <= length || line[length] != ':' || strncasecmp(line, name, length) != 0) return false;
  const char *begin = line + length + 1;
  const char *end = line + size;
  while (begin < end && (*begin == ' ' || *begin == '\t'))
    begin++;
  while (end > begin && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r' || end[-1] == '\n'))
    end--;
  size_t width = (size_t)(end - begin);
  value[0] = '\0';
  if (width >= room) return true;
  memcpy(value, begin, width);
  value[width] = '\0';
  for (size_t i = 0; i < width; i++)
    if (value[i] < ' ' || value[i] > '~') value[0] = '\0';
  return true;
}

void s3_copy_etag(char etag[BO_ETAG_MAX], const char *text) {
  size_t length = strlen(text);
  bool quoted = length >= 2 && text[0] == '"' && text[length - 1] == '"';
  if (quoted) length -= 2;
  if (length >= BO_ETAG_MAX) length = 0;
  memcpy(etag, text + (quoted ? 1 : 0), length);
  etag[length] = '\0';
}

static void take_metadata(struct s3_request *request, const char *line, size_t size) {
  static const char prefix[] = "x-amz-meta-";
  const char *name = line + sizeof(prefix) - 1;
  const char *colon = memchr(line, ':', size);
  struct bo_object *object = &request->object;
  if (colon == NULL || colon < name || object->metadata_count == BO_METADATA_MAX) return;
  size_t length = (size_t)(colon - name);
  struct bo_metadata *pair = &object->metadata[object->metadata_count];
  if (length == 0 || length >= sizeof(pair->name)) return;
  for (size_t i = 0; i <= length; i++)
    pair->name[i] = (char)(i == length ? '\0' : name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
  if (strspn(pair->name, "abcdefghijklmnopqrstuvwxyz0123456789-") != length) return;
  char full[sizeof(prefix) + BO_METADATA_NAME_MAX];
  (void)snprintf(full, sizeof(full), "%s%s", prefix, pair->name);
  if (header_is(line, size, full, pair->value, sizeof(pair->value))) object->metadata_count++;
}

/* "bytes 5-9/10" */
static void take_range(struct s3_request *request, const char *value) {
  const char *slash = strchr(value, '/');
  size_t digits = strncmp(value, "bytes ", 6) == 0 ? strspn(value + 6, "0123456789") : 0;
  char begin[24];
  if (digits == 0 || digits >= sizeof(begin) || slash == NULL) return;
  memcpy(begin, value + 6, digits);
  begin[digits] = '\0';
  if (!bo_parse_int64(begin, &request->range_begin) || !bo_parse_int64(slash + 1, &request->range_total))
    request->range_begin = request->range_total = -1;
}

void s3_request_take_header(struct s3_request *request, const char *line, size_t size) {
  char value[512];
  int64_t number = 0;
  struct bo_object *object = &request->object;
  /* A status line: what came before it (100 Continue) does not count. */
  if (size > 5 && strncmp(line, "HTTP/", 5) == 0) forget_answer(request);
  if (header_is(line, size, "etag", value, sizeof(value)))
    s3_copy_etag(object->etag, value);
  else if (header_is(line, size, "content-length", value, sizeof(value)))
    object->size_bytes = bo_parse_int64(value, &number) && number > 0 ? (uint64_t)number : 0;
  else if (header_is(line, size, "last-modified", value, sizeof(value)))
    object->modified_unix_ms = (int64_t)curl_getdate(value, NULL) * 1000;
  else if (header_is(line, size, "date", value, sizeof(value)))
    request->date_unix_s = (int64_t)curl_getdate(value, NULL);
  else if (header_is(line, size, "content-range", value, sizeof(value)))
    take_range(request, value);
  else if (header_is(line, size, "x-amz-request-id", value, sizeof(value)))
    (void)snprintf(request->request_id, sizeof(request->request_id), "%.79s", value);
  else if (header_is(line, size, "x-amz-bucket-region", value, sizeof(value)))
    (void)snprintf(request->bucket_region, sizeof(request->bucket_region), "%.39s", value);
  else if (header_is(line, size, "location", value, sizeof(value)))
    (void)snprintf(request->location, sizeof(request->location), "%.*s", (int)strcspn(value, "?"), value);
  else if (!header_is(line, size, "x-amz-version-id", object->version, sizeof(object->version)) &&
           !header_is(line, size, S3_PUT_ID_HEADER, request->put_id, sizeof(request->put_id)) && size > 11 &&
           strncasecmp(line, "x-amz-meta-", 11) == 0)
    take_metadata(request, line, size);
}

/* ---- judging */

/* Between half and the whole of 0.2, 0.4, 0.8, ... seconds: many runs that failed together do not come together. */
static int64_t pause_ms(const struct s3_request *request) {
  const struct bo_host *host = request->storage->host;
  int64_t longest = FIRST_PAUSE_MS;
  for (unsigned i = 1; i < request->attempts && longest < LONGEST_PAUSE_MS; i++)
    longest *= 2;
  if (longest > LONGEST_PAUSE_MS) longest = LONGEST_PAUSE_MS;
  uint32_t random = 0;
  if (host->random(host->context, &random, sizeof(random)) != 0) return longest;
  return longest / 2 + random % (longest / 2);
}

static bool never_arrived(CURLcode code) {
  return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
         code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION;
}

int64_t s3_request_judge(struct s3_request *request, CURLcode code) {
  static const char error_root[] = "<Error>";
  bool good = code == CURLE_OK && request->status / 100 == 2;
  /* CompleteMultipartUpload and others may fail after they have said 200. */
  if (good && request->stream == NULL && request->answer.size > 0 &&
      memmem(request->answer.bytes, request->answer.size, error_root, sizeof(error_root) - 1) != NULL)
    good = false;
  request->result = BO_OK;
  if (good) return -1;
  bool passing = s3_error_describe(request, code);
  if ((code != CURLE_OK && !never_arrived(code)) || request->status / 100 == 5 || request->status / 100 == 2)
    request->maybe_done = true;
  if (passing && request->attempts < request->tries) return pause_ms(request);
  request->result = passing ? BO_RETRY : BO_ERROR;
  return -1;
}
