/*
 * plugins/storage-s3/probe.c - whether the bucket can serve, and if not, which permission is missing.
 *
 * Asks only under the storage's prefix, so that a policy may be limited to it, and leaves nothing: writing is tried
 * with an upload that is aborted, which needs no permission that a backup does not.
 */
#include "core/base/error.h"
#include "plugins/storage-s3/storage-s3.h"

#define PROBE_KEY ".backup-operator-probe"

/* Names the permission, where it is that. */
static int explain(const struct s3_storage *storage, const char *permission, const char *below, int result,
                   struct bo_error *error) {
  if (result != BO_OK && error != NULL && error->error_class == BO_CLASS_AUTH &&
      (error->provider_code[0] == '\0' || s3_error_is(error, "AccessDenied")))
    bo_error_prefix(error, "the permission %s on the bucket %.100s%s%.200s is missing", permission,
                    storage->config.bucket, below, storage->config.prefix);
  return result;
}

static int probe_read(struct s3_storage *storage, struct bo_error *error) {
  struct s3_request request;
  s3_request_init(&request, storage, "GET", NULL, "listing the bucket %.100s", storage->config.bucket);
  s3_request_query(&request, "list-type", "2");
  s3_request_query(&request, "max-keys", "1");
  if (storage->config.prefix[0] != '\0') s3_request_query(&request, "prefix", storage->config.prefix);
  int result = s3_request_run(&request, error);
  s3_request_free(&request);
  if (result != BO_OK) return explain(storage, "s3:ListBucket", " under ", result, error);
  struct bo_object object = {.size = sizeof(object)};
  result = s3_head(storage, PROBE_KEY, 1, &object, NULL, error);
  if (result == BO_OK || (error != NULL && error->error_class == BO_CLASS_NOT_FOUND)) return BO_OK;
  return explain(storage, "s3:GetObject", " under ", result, error);
}

static int probe_write(struct s3_storage *storage, struct bo_error *error) {
  static const char block[] = "probe";
  struct bo_token token;
  void *put = NULL;
  int result = s3_put_open(storage, PROBE_KEY, NULL, &token, &put, error);
  if (result != BO_OK) return explain(storage, "s3:PutObject", " under ", result, error);
  struct bo_error closing = BO_ERROR_INIT;
  result = s3_put_write(put, block, sizeof(block), error);
  int closed = s3_put_close(put, &closing);
  if (result != BO_OK) return result;
  if (closed != BO_OK && error != NULL) *error = closing;
  return explain(storage, "s3:AbortMultipartUpload", " under ", closed, error);
}

int s3_probe(void *instance, uint32_t what, struct bo_error *error) {
  struct s3_storage *storage = instance;
  struct bo_error local = BO_ERROR_INIT;
  if (s3_check_cancelled(storage, error) != BO_OK) return BO_ERROR;
  int result = BO_OK;
  if ((what & BO_PROBE_READ) != 0) result = probe_read(storage, &local);
  if (result == BO_OK && (what & BO_PROBE_WRITE) != 0) result = probe_write(storage, &local);
  if (result != BO_OK && error != NULL) *error = local;
  return result;
}
