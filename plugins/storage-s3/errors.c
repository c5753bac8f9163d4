/*
 * plugins/storage-s3/errors.c - a failed request in words: what was tried, what the server or the network said, and
 * what to do about it where that is known.
 */
#include "core/base/error.h"
#include "core/base/text.h"
#include "plugins/storage-s3/storage-s3.h"

struct answer {
  char code[64];
  char message[256];
  char request_id[80];
  char region[40];
};

struct known {
  const char *code;
  int error_class;
  const char *advice; /* NULL: none */
};

/* Codes of the S3 API Reference, "Error responses". */
static const struct known known[] = {
    {"AccessDenied", BO_CLASS_AUTH, "the credentials lack this permission: extend the policy"},
    {"AllAccessDisabled", BO_CLASS_AUTH, NULL},
    {"AccountProblem", BO_CLASS_AUTH, NULL},
    {"InvalidAccessKeyId", BO_CLASS_AUTH, "the server does not know the access key: check the secret"},
    {"XAdminUserNotFound", BO_CLASS_AUTH, "the server does not know the access key: check the secret"},
    {"SignatureDoesNotMatch", BO_CLASS_AUTH, "the secret key does not belong to the access key: check the secret"},
    {"ExpiredToken", BO_CLASS_AUTH, "the temporary credentials have expired: renew the secret"},
    {"TokenRefreshRequired", BO_CLASS_AUTH, "the temporary credentials have expired: renew the secret"},
    {"InvalidToken", BO_CLASS_AUTH, "the session token is not valid: renew the secret"},
    {"RequestTimeTooSkewed", BO_CLASS_AUTH, "this machine's clock is wrong: set it"},
    {"AuthorizationHeaderMalformed", BO_CLASS_CONFIG, "the region may be wrong: set the parameter region"},
    {"PermanentRedirect", BO_CLASS_CONFIG, "the bucket is elsewhere: set endpoint and region"},
    {"IllegalLocationConstraintException", BO_CLASS_CONFIG, "the bucket is in another region: set region"},
    {"NoSuchBucket", BO_CLASS_NOT_FOUND, "there is no such bucket: create it, or change the parameter bucket"},
    {"InvalidBucketName", BO_CLASS_CONFIG, "change the parameter bucket"},
    {"NoSuchKey", BO_CLASS_NOT_FOUND, NULL},
    {"NoSuchUpload", BO_CLASS_CANCELLED, "the upload was ended from elsewhere"},
    {"PreconditionFailed", BO_CLASS_CONFLICT, NULL},
    {"InvalidRange", BO_CLASS_CONFIG, NULL},
    {"KeyTooLongError", BO_CLASS_CONFIG, "choose a shorter key"},
    {"ObjectParentIsFile", BO_CLASS_CONFIG, "this server holds no a together with a/b: choose another key"},
    {"InvalidURI", BO_CLASS_CONFIG, NULL},
    {"InvalidStorageClass", BO_CLASS_CONFIG, "change the parameter storageClass"},
    {"EntityTooLarge", BO_CLASS_UNSUPPORTED, "the server takes no parts of this size: change the parameter partSize"},
    {"EntityTooSmall", BO_CLASS_UNSUPPORTED, "the server wants larger parts: change the parameter partSize"},
    {"QuotaExceeded", BO_CLASS_NO_SPACE, NULL},
    {"XMinioStorageFull", BO_CLASS_NO_SPACE, NULL},
    {"InsufficientCapacity", BO_CLASS_NO_SPACE, NULL},
    {"BadDigest", BO_CLASS_CORRUPT, "what arrived is not what was sent"},
    {"XAmzContentSHA256Mismatch", BO_CLASS_CORRUPT, "what arrived is not what was sent"},
    {"NotImplemented", BO_CLASS_UNSUPPORTED, NULL},
};

/* 4xx by their status, but passing by their nature. */
static const char *const passing_codes[] = {"RequestTimeout",      "SlowDown",      "Throttling",
                                            "ThrottlingException", "InternalError", "OperationAborted",
                                            "ServiceUnavailable"};

static int class_of_status(long status) {
  switch (status) {
    case 400: return BO_CLASS_CONFIG;
    case 401:
    case 403: return BO_CLASS_AUTH;
    case 404: return BO_CLASS_NOT_FOUND;
    case 408: return BO_CLASS_TIMEOUT;
    case 409:
    case 412: return BO_CLASS_CONFLICT;
    case 413: return BO_CLASS_UNSUPPORTED;
    case 416: return BO_CLASS_CONFIG;
    case 501: return BO_CLASS_UNSUPPORTED;
    case 507: return BO_CLASS_NO_SPACE;
    default: return status / 100 == 5 || status == 429 ? BO_CLASS_NETWORK : BO_CLASS_PROTOCOL;
  }
}

static void keep(char *to, size_t room, const char *text) {
  BO_CLEANUP_BUFFER struct bo_buffer safe = BO_BUFFER_INIT;
  (void)bo_append_printable(&safe, text, strnlen(text, room - 1));
  for (char *at = safe.bytes; at != NULL && *at != '\0'; at++)
    if (*at == '\n' || *at == '\t') *at = ' ';
  (void)snprintf(to, room, "%s", bo_buffer_text(&safe));
}

/* Only these are taken: a refused signature's answer also quotes what was signed. */
static int take(void *context, const char *path, const char *text, struct bo_error *error) {
  struct answer *answer = context;
  (void)error;
  if (text == NULL) return BO_OK;
  if (strcmp(path, "Error/Code") == 0) keep(answer->code, sizeof(answer->code), text);
  if (strcmp(path, "Error/Message") == 0) keep(answer->message, sizeof(answer->message), text);
  if (strcmp(path, "Error/RequestId") == 0) keep(answer->request_id, sizeof(answer->request_id), text);
  if (strcmp(path, "Error/Region") == 0) keep(answer->region, sizeof(answer->region), text);
  return BO_OK;
}

static bool describe_network(struct s3_request *request, CURLcode code) {
  const char *why = request->curl_error[0] != '\0' ? request->curl_error : curl_easy_strerror(code);
  int error_class = BO_CLASS_NETWORK;
  bool passing = true;
  const char *advice = "";
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: error_class = BO_CLASS_TIMEOUT; break;
    case CURLE_OUT_OF_MEMORY:
      error_class = BO_CLASS_NO_MEMORY;
      passing = false;
      break;
    case CURLE_PEER_FAILED_VERIFICATION:
      error_class = BO_CLASS_AUTH;
      passing = false;
      advice =
          ": the server's certificate is not trusted, has expired, or is another host's; a private authority goes "
          "into caBundle";
      break;
    case CURLE_SSL_CACERT_BADFILE:
      error_class = BO_CLASS_CONFIG;
      passing = false;
      advice = ": the certificates to trust cannot be read: check caBundle";
      break;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      error_class = BO_CLASS_CONFIG;
      passing = false;
      break;
    case CURLE_WRITE_ERROR:
      error_class = request->answer_too_long ? BO_CLASS_PROTOCOL : BO_CLASS_NO_MEMORY;
      passing = false;
      if (request->answer_too_long) why = "the server's answer is too long";
      break;
    default: break;
  }
  (void)bo_error_set(&request->error, error_class, 0, "%s: %s (%s)%s", request->what, why,
                     request->storage->config.origin, advice);
  return passing;
}

static void append(struct bo_error *error, const char *format, ...) BO_PRINTF(2, 3);
static void append(struct bo_error *error, const char *format, ...) {
  size_t used = strlen(error->text);
  va_list args;
  va_start(args, format);
  (void)vsnprintf(error->text + used, sizeof(error->text) - used, format, args);
  va_end(args);
}

bool s3_error_describe(struct s3_request *request, CURLcode code) {
  struct answer answer = {{0}, {0}, {0}, {0}};
  struct bo_error *error = &request->error;
  *error = (struct bo_error)BO_ERROR_INIT;
  if (code != CURLE_OK) return describe_network(request, code);
  if (request->answer.size > 0) (void)s3_xml_parse(request->answer.bytes, request->answer.size, take, &answer, NULL);
  const char *id = answer.request_id[0] != '\0' ? answer.request_id : request->request_id;
  const char *region = answer.region[0] != '\0' ? answer.region : request->bucket_region;
  const char *advice = NULL;
  int error_class = class_of_status(request->status);
  bool passing =
      request->status == 429 || (request->status / 100 == 5 && request->status != 501 && request->status != 507);
  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    if (strcmp(known[i].code, answer.code) != 0) continue;
    error_class = known[i].error_class;
    advice = known[i].advice;
    passing = false;
  }
  for (size_t i = 0; i < sizeof(passing_codes) / sizeof(passing_codes[0]); i++)
    if (strcmp(passing_codes[i], answer.code) == 0) passing = true;
  if (passing) error_class = BO_CLASS_NETWORK;
  (void)bo_error_set(error, error_class, 0, "%s: HTTP %ld", request->what, request->status);
  (void)snprintf(error->provider_code, sizeof(error->provider_code), "%s", answer.code);
  if (answer.code[0] != '\0') append(error, " %s", answer.code);
  if (answer.message[0] != '\0') append(error, ": %s", answer.message);
  if (id[0] != '\0') append(error, " (request id %s)", id);
  if (advice != NULL) append(error, "; %s", advice);
  if (region[0] != '\0' && strcmp(region, request->storage->config.region) != 0)
    append(error, "; the bucket is in the region %s: set the parameter region", region);
  if (request->status / 100 == 3 && request->location[0] != '\0')
    append(error, "; the server points to %s: set endpoint and region", request->location);
  return passing;
}

bool s3_error_is(const struct bo_error *error, const char *provider_code) {
  return strcmp(error->provider_code, provider_code) == 0;
}
