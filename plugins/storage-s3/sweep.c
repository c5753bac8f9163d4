/*
 * plugins/storage-s3/sweep.c - ending uploads from outside: one by its id (discard), or all that are old (sweep).
 *
 * An upload that was aborted can never be completed, and one that was completed cannot be aborted: the server decides
 * between the two.
 */
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "plugins/storage-s3/storage-s3.h"

#define ABORT_TRIES 3

int s3_abort_upload(struct s3_storage *storage, const char *key, const char *upload_id, struct bo_error *error) {
  struct s3_request request;
  struct bo_error local = BO_ERROR_INIT;
  s3_request_init(&request, storage, "DELETE", key, "aborting the upload of " S3_KEY_SHOWN, key);
  s3_request_query(&request, "uploadId", upload_id);
  request.tries = ABORT_TRIES;
  request.survives_cancel = true;
  int result = s3_request_run(&request, &local);
  s3_request_free(&request);
  if (result == BO_OK || s3_error_is(&local, "NoSuchUpload")) return BO_OK;
  if (error != NULL) *error = local;
  return result;
}

int s3_discard(void *instance, const char *key, const char *token, struct bo_error *error) {
  struct s3_storage *storage = instance;
  if (s3_check_key(storage, key, error) != BO_OK) return BO_ERROR;
  for (const char *at = token; *at != '\0'; at++)
    if (*at <= ' ' || *at > '~' || strlen(token) >= BO_TOKEN_MAX)
      return bo_error_set(error, BO_CLASS_CONFIG, 0, "this is no token of a put into S3");
  if (token[0] == '\0') return bo_error_set(error, BO_CLASS_CONFIG, 0, "the token of the put is empty");
  return s3_abort_upload(storage, key, token, error);
}

/* ---- sweep */

struct upload {
  struct upload *next;
  char *key;
  char *id;
  int64_t began_unix_s; /* 0: not known */
};

struct page {
  struct upload *uploads; /* newest first; the one being read is the first */
  bool encoded;
  bool truncated;
  bool clearing_up; /* asked though the storage was cancelled */
  char *key_marker;
  char *id_marker;
  int64_t server_unix_s;
};

static void free_uploads(struct page *page) {
  while (page->uploads != NULL) {
    struct upload *upload = page->uploads;
    page->uploads = upload->next;
    free(upload->key);
    free(upload->id);
    free(upload);
  }
}

static int keep(char **to, const char *text, struct bo_error *error) {
  free(*to);
  *to = strdup(text);
  return *to == NULL ? bo_error_no_memory(error) : BO_OK;
}

static int take(void *context, const char *path, const char *text, struct bo_error *error) {
  static const char root[] = "ListMultipartUploadsResult/";
  static const char upload[] = "Upload/";
  struct page *page = context;
  if (strncmp(path, root, sizeof(root) - 1) != 0 || text == NULL) return BO_OK;
  const char *name = path + sizeof(root) - 1;
  if (strcmp(name, "IsTruncated") == 0) page->truncated = strcmp(text, "true") == 0;
  if (strcmp(name, "EncodingType") == 0) page->encoded = strcmp(text, "url") == 0;
  if (strcmp(name, "NextKeyMarker") == 0) return keep(&page->key_marker, text, error);
  if (strcmp(name, "NextUploadIdMarker") == 0) return keep(&page->id_marker, text, error);
  if (strncmp(name, upload, sizeof(upload) - 1) != 0) return BO_OK;
  name += sizeof(upload) - 1;
  /* The elements' order is not promised: an upload is complete at the end of its page. */
  struct upload *now = page->uploads;
  bool is_key = strcmp(name, "Key") == 0;
  bool is_id = strcmp(name, "UploadId") == 0;
  bool is_time = strcmp(name, "Initiated") == 0;
  bool begins =
      now == NULL || (is_key && now->key != NULL) || (is_id && now->id != NULL) || (is_time && now->began_unix_s != 0);
  if ((is_key || is_id || is_time) && begins) {
    now = calloc(1, sizeof(*now));
    if (now == NULL) return bo_error_no_memory(error);
    now->next = page->uploads;
    page->uploads = now;
  }
  if (is_key) return keep(&now->key, text, error);
  if (is_id) return keep(&now->id, text, error);
  if (is_time && !bo_time_parse(text, &now->began_unix_s)) now->began_unix_s = 0;
  return BO_OK;
}

static int read_page(struct s3_storage *storage, const char *prefix, struct page *page, struct bo_error *error) {
  struct s3_request request;
  char *key_marker = page->key_marker;
  char *id_marker = page->id_marker;
  page->key_marker = page->id_marker = NULL;
  page->truncated = page->encoded = false;
  if (key_marker != NULL && key_marker[0] == '\0') {
    free(key_marker);
    key_marker = NULL;
  }
  s3_request_init(&request, storage, "GET", NULL, "listing the unfinished uploads of the bucket %.100s",
                  storage->config.bucket);
  s3_request_query(&request, "uploads", "");
  s3_request_query(&request, "encoding-type", "url");
  if (prefix[0] != '\0') s3_request_query(&request, "prefix", prefix);
  if (key_marker != NULL) s3_request_query(&request, "key-marker", key_marker);
  if (key_marker != NULL && id_marker != NULL && id_marker[0] != '\0')
    s3_request_query(&request, "upload-id-marker", id_marker);
  request.survives_cancel = page->clearing_up;
  int result = s3_request_run(&request, error);
  page->server_unix_s = request.date_unix_s;
  if (result == BO_OK) result = s3_xml_parse(request.answer.bytes, request.answer.size, take, page, error);
  if (result == BO_OK && page->encoded && page->key_marker != NULL) (void)s3_uri_decode(page->key_marker);
  if (result == BO_OK && page->truncated &&
      (page->key_marker == NULL ||
       (key_marker != NULL && strcmp(key_marker, page->key_marker) == 0 &&
        strcmp(id_marker == NULL ? "" : id_marker, page->id_marker == NULL ? "" : page->id_marker) == 0)))
    result = bo_error_set(error, BO_CLASS_PROTOCOL, 0, "the server's list of uploads goes on, but not where");
  s3_request_free(&request);
  free(key_marker);
  free(id_marker);
  return result;
}

/* Old, under the prefix, and no put of this very instance. What has no time is left alone. */
static bool is_due(const struct s3_storage *storage, const struct upload *upload, const char *prefix,
                   uint64_t older_than_seconds) {
  if (upload->key == NULL || upload->id == NULL || upload->began_unix_s == 0) return false;
  int64_t age_s = bo_realtime_ms() / 1000 - upload->began_unix_s;
  return age_s >= 0 && (uint64_t)age_s >= older_than_seconds && strncmp(upload->key, prefix, strlen(prefix)) == 0 &&
         !s3_put_is_open(storage, upload->id);
}

static int sweep_page(struct s3_storage *storage, struct page *page, const char *prefix, uint64_t older_than_seconds,
                      uint64_t *count, struct bo_error *error) {
  size_t own = strlen(storage->config.prefix);
  for (struct upload *upload = page->uploads; upload != NULL; upload = upload->next) {
    if (s3_check_cancelled(storage, error) != BO_OK) return BO_ERROR;
    if (page->encoded && upload->key != NULL && !s3_uri_decode(upload->key)) continue;
    if (!is_due(storage, upload, prefix, older_than_seconds)) continue;
    int result = s3_abort_upload(storage, upload->key + own, upload->id, error);
    if (result != BO_OK) return result;
    (*count)++;
  }
  return BO_OK;
}

int s3_sweep(void *instance, const char *prefix, uint64_t older_than_seconds, uint64_t *count, struct bo_error *error) {
  struct s3_storage *storage = instance;
  struct page page = {.uploads = NULL};
  BO_CLEANUP_BUFFER struct bo_buffer full = BO_BUFFER_INIT;
  *count = 0;
  if (s3_check_cancelled(storage, error) != BO_OK) return BO_ERROR;
  if (!bo_buffer_printf(&full, "%s%s", storage->config.prefix, prefix == NULL ? "" : prefix))
    return bo_error_no_memory(error);
  int result = BO_OK;
  do {
    result = read_page(storage, bo_buffer_text(&full), &page, error);
    if (result == BO_OK) result = sweep_page(storage, &page, bo_buffer_text(&full), older_than_seconds, count, error);
    free_uploads(&page);
  } while (result == BO_OK && page.truncated);
  free(page.key_marker);
  free(page.id_marker);
  return result;
}

/* ---- an upload whose id never came */

/* By the server's clock, which wrote the uploads' times: at this very key, and no older than the request. The first
 * page is enough, since a key's uploads come first under that key as prefix. What cannot be found here, a sweep finds.
 */
void s3_abort_unanswered(struct s3_storage *storage, const char *key, uint64_t began_ms) {
  struct page page = {.clearing_up = true};
  BO_CLEANUP_BUFFER struct bo_buffer full = BO_BUFFER_INIT;
  (void)bo_buffer_printf(&full, "%s%s", storage->config.prefix, key);
  if (!full.failed && read_page(storage, bo_buffer_text(&full), &page, NULL) == BO_OK && page.server_unix_s != 0) {
    int64_t since_s = page.server_unix_s - (int64_t)((bo_monotonic_ms() - began_ms) / 1000) - 1;
    for (struct upload *upload = page.uploads; upload != NULL; upload = upload->next) {
      if (upload->key == NULL || upload->id == NULL || (page.encoded && !s3_uri_decode(upload->key))) continue;
      if (strcmp(upload->key, full.bytes) == 0 && upload->began_unix_s >= since_s &&
          !s3_put_is_open(storage, upload->id))
        (void)s3_abort_upload(storage, key, upload->id, NULL);
    }
  }
  free_uploads(&page);
  free(page.key_marker);
  free(page.id_marker);
}
