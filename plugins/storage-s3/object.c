/* plugins/storage-s3/object.c - objects that are there: what is told of them, and their removal. */
#include "core/base/error.h"
#include "plugins/storage-s3/storage-s3.h"

int s3_head(struct s3_storage *storage, const char *key, unsigned tries, struct bo_object *object,
            char put_id[S3_PUT_ID_SIZE], struct bo_error *error) {
  struct s3_request request;
  s3_request_init(&request, storage, "HEAD", key, "asking for " S3_KEY_SHOWN, key);
  request.tries = tries;
  int result = s3_request_run(&request, error);
  if (result == BO_OK) {
    uint32_t size = object->size;
    *object = request.object;
    object->size = size;
    if (put_id != NULL) memcpy(put_id, request.put_id, S3_PUT_ID_SIZE);
  } else if (request.status == 404) {
    (void)bo_error_set(error, BO_CLASS_NOT_FOUND, 0, "there is no object " S3_KEY_SHOWN " in the bucket %.100s", key,
                       storage->config.bucket);
  } else if (request.status == 403 && error != NULL) {
    bo_error_prefix(error, "not permitted, or not there (without s3:ListBucket the server does not tell which)");
  }
  s3_request_free(&request);
  return result;
}

int s3_stat(void *instance, const char *key, struct bo_object *object, struct bo_error *error) {
  struct s3_storage *storage = instance;
  if (s3_check_cancelled(storage, error) != BO_OK || s3_check_key(storage, key, error) != BO_OK) return BO_ERROR;
  return s3_head(storage, key, 1, object, NULL, error);
}

/* A DELETE says yes to what is not there, too, and few servers compare an etag at it: the question comes before. */
int s3_remove(void *instance, const char *key, const char *if_match, struct bo_error *error) {
  struct s3_storage *storage = instance;
  struct bo_object object = {.size = sizeof(object)};
  struct bo_error local = BO_ERROR_INIT;
  struct s3_request request;
  if (s3_check_cancelled(storage, error) != BO_OK || s3_check_key(storage, key, error) != BO_OK) return BO_ERROR;
  int result = s3_head(storage, key, 1, &object, NULL, &local);
  if (result != BO_OK && (if_match != NULL || local.error_class != BO_CLASS_AUTH)) {
    if (error != NULL) *error = local;
    return result;
  }
  if (if_match != NULL && strcmp(if_match, object.etag) != 0)
    return bo_error_set(error, BO_CLASS_CONFLICT, 0, "the object " S3_KEY_SHOWN " has changed: it was left alone", key);
  s3_request_init(&request, storage, "DELETE", key, "removing " S3_KEY_SHOWN, key);
  result = s3_request_run(&request, error);
  s3_request_free(&request);
  return result;
}
