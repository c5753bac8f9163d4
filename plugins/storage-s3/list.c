/* plugins/storage-s3/list.c - listing keys, a page of at most 1,000 at a time (ListObjectsV2). */
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "plugins/storage-s3/storage-s3.h"

#define PAGE_KEYS 1000

struct listing {
  struct s3_storage *storage;
  const char *prefix; /* the caller's, without the storage's own */
  const char *after;
  bo_list_function *each;
  void *context;
  uint32_t left;
  bool stopped; /* the caller has had enough, or as many as it wants */
  bool any;     /* an object was given that another page may follow */
  /* of the page */
  bool encoded;
  bool truncated;
  char *next; /* ContinuationToken */
  /* of the object being read */
  char *key;
  struct bo_object object;
};

static int give(struct listing *listing, struct bo_error *error) {
  if (s3_check_cancelled(listing->storage, error) != BO_OK) return BO_ERROR;
  size_t own = strlen(listing->storage->config.prefix);
  if (listing->key == NULL || (listing->encoded && !s3_uri_decode(listing->key)) ||
      strncmp(listing->key, listing->storage->config.prefix, own) != 0)
    return bo_error_set(error, BO_CLASS_PROTOCOL, 0, "the server's listing has a key that was not asked for, or none");
  const char *key = listing->key + own;
  /* The folder itself, as consoles make it, is no object of ours; nor is what begins with a slash. */
  if (key[0] == '\0' || key[0] == '/' || strlen(key) > BO_KEY_MAX) return BO_OK;
  if (listing->after != NULL && strcmp(key, listing->after) <= 0) return BO_OK;
  if (listing->left == 0) {
    listing->truncated = listing->stopped = true;
    return BO_OK;
  }
  listing->left--;
  if (listing->each(listing->context, key, &listing->object) != 0) listing->stopped = true;
  return BO_OK;
}

static int take_object(struct listing *listing, const char *name, const char *text, struct bo_error *error) {
  struct bo_object *object = &listing->object;
  int64_t number = 0;
  if (strcmp(name, "Key") == 0) {
    free(listing->key);
    listing->key = strdup(text);
    if (listing->key == NULL) return bo_error_no_memory(error);
  } else if (strcmp(name, "Size") == 0 && bo_parse_int64(text, &number) && number >= 0) {
    object->size_bytes = (uint64_t)number;
  } else if (strcmp(name, "LastModified") == 0 && bo_time_parse(text, &number)) {
    object->modified_unix_ms = number * 1000;
  } else if (strcmp(name, "ETag") == 0) {
    s3_copy_etag(object->etag, text);
  }
  return BO_OK;
}

static int take(void *context, const char *path, const char *text, struct bo_error *error) {
  static const char contents[] = "ListBucketResult/Contents";
  struct listing *listing = context;
  if (listing->stopped) return BO_OK;
  if (strcmp(path, contents) == 0) {
    int result = s3_check_cancelled(listing->storage, error);
    if (result == BO_OK) result = give(listing, error);
    listing->object = (struct bo_object){.size = sizeof(listing->object)};
    return result;
  }
  if (text == NULL) return BO_OK;
  if (strncmp(path, contents, sizeof(contents) - 1) == 0 && path[sizeof(contents) - 1] == '/')
    return take_object(listing, path + sizeof(contents), text, error);
  return BO_OK;
}

/* What stands anywhere in the document, but is needed before its objects, or must not be passed over with them. */
static int take_page(void *context, const char *path, const char *text, struct bo_error *error) {
  struct listing *listing = context;
  if (text == NULL) return BO_OK;
  if (strcmp(path, "ListBucketResult/EncodingType") == 0) listing->encoded = strcmp(text, "url") == 0;
  if (strcmp(path, "ListBucketResult/IsTruncated") == 0) listing->truncated = strcmp(text, "true") == 0;
  if (strcmp(path, "ListBucketResult/NextContinuationToken") == 0) {
    free(listing->next);
    listing->next = strdup(text);
    if (listing->next == NULL) return bo_error_no_memory(error);
  }
  return BO_OK;
}

static int read_page(struct listing *listing, const char *prefix, const char *start_after, struct bo_error *error) {
  struct s3_request request;
  char count[16];
  char *token = listing->next;
  listing->next = NULL;
  listing->truncated = listing->encoded = false;
  (void)snprintf(count, sizeof(count), "%u", listing->left < PAGE_KEYS ? listing->left + 1 : PAGE_KEYS);
  s3_request_init(&request, listing->storage, "GET", NULL, "listing the bucket %.100s",
                  listing->storage->config.bucket);
  s3_request_query(&request, "list-type", "2");
  s3_request_query(&request, "encoding-type", "url");
  s3_request_query(&request, "max-keys", count);
  if (prefix[0] != '\0') s3_request_query(&request, "prefix", prefix);
  if (token != NULL)
    s3_request_query(&request, "continuation-token", token);
  else if (start_after != NULL)
    s3_request_query(&request, "start-after", start_after);
  int result = s3_request_run(&request, error);
  if (result == BO_OK) result = s3_xml_parse(request.answer.bytes, request.answer.size, take_page, listing, error);
  if (result == BO_OK) result = s3_xml_parse(request.answer.bytes, request.answer.size, take, listing, error);
  if (result == BO_OK && listing->truncated && !listing->stopped &&
      (listing->next == NULL || (token != NULL && strcmp(token, listing->next) == 0)))
    result = bo_error_set(error, BO_CLASS_PROTOCOL, 0,
                          "the server's listing goes on, but it does not say where: no complete answer can be had");
  s3_request_free(&request);
  free(token);
  return result;
}

int s3_list(void *instance, const char *prefix, const char *after, uint32_t limit, bo_list_function *each,
            void *context, int *more, struct bo_error *error) {
  struct s3_storage *storage = instance;
  struct listing listing = {.storage = storage, .each = each, .context = context, .left = limit};
  struct bo_arena texts = BO_ARENA_INIT;
  *more = 0;
  if (s3_check_cancelled(storage, error) != BO_OK) return BO_ERROR;
  listing.object.size = sizeof(listing.object);
  listing.prefix = prefix == NULL ? "" : prefix;
  listing.after = after == NULL || after[0] == '\0' ? NULL : after;
  const char *full = bo_arena_printf(&texts, "%s%s", storage->config.prefix, listing.prefix);
  const char *start =
      listing.after == NULL ? NULL : bo_arena_printf(&texts, "%s%s", storage->config.prefix, listing.after);
  int result = texts.failed ? bo_error_no_memory(error) : BO_OK;
  do {
    if (result == BO_OK) result = read_page(&listing, full, start, error);
  } while (result == BO_OK && listing.truncated && !listing.stopped);
  if (result == BO_OK) *more = listing.truncated;
  free(listing.next);
  free(listing.key);
  bo_arena_free(&texts);
  return result;
}
