/*
 * plugins/storage-s3/storage-s3.h - what the files of this plugin share.
 *
 * From below: uri.c and sigv4.c make an address and its signature; http.c moves requests with libcurl, in one thread
 * that the instance owns; request.c is what S3 adds to HTTP (signing, judging answers, repeating); errors.c puts a
 * failure into words. On these stand put.c, get.c, object.c, list.c, sweep.c and probe.c, each one group of the
 * storage's operations. config.c and credentials.c read what the user gave, plan.c is the arithmetic of part sizes.
 */
#ifndef BO_STORAGE_S3_H
#define BO_STORAGE_S3_H

#include <backup-operator/storage.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/arena.h"
#include "core/base/buffer.h"

#define S3_PART_MIN                                                                                 \
  (INT64_C(5) << 20) /* of all parts but the last (Amazon S3 User Guide, "multipart upload limits") \
                      */
#define S3_PART_MAX (INT64_C(5) << 30)
#define S3_OBJECT_MAX (INT64_C(5) << 40)
#define S3_CONCURRENCY_MAX 32
#define S3_KEY_SHOWN "'%.240s'" /* a key in an error's text: the reason after it must keep its room */
#define S3_PUT_ID_HEADER "x-amz-meta-backup-operator-put" /* whose object is it: the id of the put that made it */
#define S3_PUT_ID_SIZE 33

/* ---- uri.c */
/* Appends with all but unreserved characters percent-encoded (RFC 3986, 2.3); with `slashes`, "/" stays. */
void s3_uri_encode(struct bo_buffer *out, const char *text, bool slashes);
/* Appends "a=b&c=d": encoded and sorted, as Signature V4 wants it. */
int s3_uri_query(struct bo_buffer *out, const struct bo_pair *pairs, size_t count, struct bo_error *error);
/* Undoes the encoding, in place; "+" is a space. False when it is malformed. */
bool s3_uri_decode(char *text);

/* ---- sigv4.c: AWS Signature Version 4 (IAM User Guide, "Create a signed AWS API request") */
struct s3_signing {
  const char *access_key;
  const char *secret_key;
  const char *region;
  const char *service;
  char time[17]; /* 20150830T123600Z */
  const char *method;
  const char *path;  /* encoded */
  const char *query; /* encoded and sorted */
  const char *payload_sha256;
  const struct bo_pair *headers; /* those to sign: names in lower case, sorted */
  size_t header_count;
};
void s3_signing_time(int64_t unix_seconds, char text[17]);
/* Appends the value of the header Authorization. */
int s3_sign(const struct s3_signing *signing, struct bo_buffer *authorization, struct bo_error *error);

/* ---- plan.c */
/* How a stream of unknown length is cut: a part is at least `first_bytes` long, and at least 1/divisor of all that
 * went before it. */
struct s3_plan {
  int64_t first_bytes;
  int64_t even_bytes;    /* up to here parts do not grow: the expected length */
  int64_t largest_bytes; /* no part is longer than this */
  int64_t divisor;
  int64_t buffer_bytes; /* parts in memory share this, but for a single one that is longer */
  unsigned max_parts;
  unsigned concurrency;
};
/* `size_hint_bytes` -1: unknown. Fails when the hint cannot be stored within the limits. */
int s3_plan_make(struct s3_plan *plan, int64_t part_bytes, unsigned max_parts, unsigned concurrency,
                 int64_t memory_bytes, int64_t size_hint_bytes, struct bo_error *error);
/* The size of the part that comes behind `stored_bytes`. */
int64_t s3_plan_part(const struct s3_plan *plan, int64_t stored_bytes);
/* How many parts of this size may be in memory at once, the one being filled among them. */
unsigned s3_plan_buffers(const struct s3_plan *plan, int64_t part_bytes);
/* The longest stream that fits, at most S3_OBJECT_MAX; and the size of its largest part, where that is wanted. */
int64_t s3_plan_capacity(const struct s3_plan *plan, int64_t *largest_part);

/* ---- xml.c */
/* Called with the text of each element that has no children, at its end, and with NULL at the end of one that has.
 * `path` is "ListBucketResult/Contents/Key". BO_OK to go on. */
typedef int s3_xml_function(void *context, const char *path, const char *text, struct bo_error *error);
/* Reads a whole document; a cut one, one with a DOCTYPE and one nested too deep are errors (BO_CLASS_PROTOCOL). */
int s3_xml_parse(const void *bytes, size_t size, s3_xml_function *each, void *context, struct bo_error *error);
/* Appends text with <, >, & and " replaced. */
void s3_xml_escape(struct bo_buffer *out, const char *text);

/* ---- config.c */
struct s3_credentials;
struct s3_config {
  struct bo_arena memory; /* of every text here */
  const char *bucket;
  const char *origin; /* "https://host:port", the bucket in the host where it belongs there */
  const char *host;   /* of the header Host */
  const char *path;   /* encoded, before the key: "" or "/bucket" */
  const char *region;
  const char *prefix; /* "" or ends with a slash */
  const char *ca_bundle;
  const char *storage_class;
  bool tls;
  bool verify;
  bool if_none_match;
  int64_t part_bytes;
  int64_t memory_bytes;
  unsigned max_parts;
  unsigned concurrency;
  long request_timeout_s;
  long connect_timeout_s;
};
#define S3_PARAM_COUNT 19
extern const struct bo_param s3_params[S3_PARAM_COUNT];
int s3_config_read(struct s3_config *config, const struct bo_config *given, struct bo_error *error);
void s3_config_free(struct s3_config *config);
/* Where the secret is to be found, of what was given. */
int s3_config_credentials(struct s3_credentials *credentials, struct bo_arena *memory, const struct bo_config *given,
                          struct bo_error *error);
int s3_config_plan(const struct s3_config *config, int64_t size_hint_bytes, struct s3_plan *plan,
                   struct bo_error *error);

/* ---- credentials.c */
struct s3_credentials {
  const char *access_key;
  const char *secret_key;
  const char *session_token; /* NULL: none */
};
/* From the secret and, without any there, from the environment. `memory` keeps the texts and cleanses them. */
int s3_credentials_find(struct s3_credentials *credentials, struct bo_arena *memory, const struct bo_config *given,
                        const struct bo_value *access_name, const struct bo_value *secret_name,
                        const struct bo_value *token_name, struct bo_error *error);

/* ---- http.c, request.c: one request and its answer */
struct s3_storage;

#define S3_HEADERS_MAX (BO_METADATA_MAX + 8)
#define S3_QUERY_MAX 8

enum s3_request_state { S3_IDLE, S3_WAITING, S3_RUNNING, S3_DONE };

/* The body of an answer that is read while it arrives. */
struct s3_stream {
  unsigned char *ring;
  size_t size;
  size_t begin;
  size_t filled;
  bool paused; /* the ring was full, so libcurl was told to wait */
  bool resume; /* there is room again */
  bool begun;  /* the answer's headers are there, and good */
};

struct s3_request {
  /* What is asked; nothing of it may change before the request is done. */
  struct s3_storage *storage;
  const char *method;
  const char *key; /* NULL: the bucket */
  struct bo_pair query[S3_QUERY_MAX];
  struct bo_pair headers[S3_HEADERS_MAX]; /* names in lower case */
  unsigned query_count;
  unsigned header_count;
  const void *body;
  size_t body_size;
  const char *body_sha256;  /* hexadecimal; NULL: not to be signed, where that is safe */
  struct s3_stream *stream; /* NULL: the answer's body goes to `answer` */
  unsigned tries;           /* how often it is sent at most */
  bool survives_cancel;     /* clearing up: is sent though the storage was cancelled, with a limit of its own */
  bool has_grace;           /* once it is sent whole, cancelling waits a moment for its answer */
  char what[300];           /* in an error: "storing part 3 of 'k'" */

  /* How it went. */
  enum s3_request_state state;
  int result; /* enum bo_result, once it is done */
  struct bo_error error;
  long status;             /* HTTP; 0: no answer */
  bool maybe_done;         /* an earlier try, or this one, may have been carried out although its answer is missing */
  struct bo_object object; /* what the headers say */
  char put_id[S3_PUT_ID_SIZE];
  char request_id[80];
  char bucket_region[40];
  char location[160];
  int64_t range_begin, range_total; /* Content-Range; -1: none */
  int64_t date_unix_s;              /* the server's clock; 0: not known */
  struct bo_buffer answer;

  /* http.c's own */
  struct s3_request *next;
  CURL *easy;
  struct curl_slist *header_list;
  size_t body_position;
  unsigned attempts;
  uint64_t due_ms;
  uint64_t grace_until_ms; /* 0: not begun */
  bool abandoned;
  bool answer_too_long;
  char curl_error[CURL_ERROR_SIZE];
};

struct s3_http {
  const struct bo_host *host;
  CURLM *multi;
  pthread_t thread;
  bool started;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct s3_request *requests; /* submitted and not done */
  bool stopping;
  atomic_bool cancelled;
};

int s3_http_init(struct s3_http *http, const struct bo_host *host, struct bo_error *error);
/* No request may be left that is not done. */
void s3_http_destroy(struct s3_http *http);
bool s3_http_cancelled(const struct s3_http *http);
void s3_http_cancel(struct s3_http *http);
int s3_http_submit(struct s3_http *http, struct s3_request *request, struct bo_error *error);
/* Returns when it is done. */
void s3_http_wait(struct s3_http *http, struct s3_request *request);
/* Ends it wherever it is, and returns when it is done. */
void s3_http_abandon(struct s3_http *http, struct s3_request *request);
/* The next bytes of a stream; 0 at its end, which is an error unless the request's result is BO_OK. */
size_t s3_http_read(struct s3_http *http, struct s3_request *request, void *bytes, size_t capacity);
/* Returns when the request's answer has begun, or it is done. */
void s3_http_wait_begun(struct s3_http *http, struct s3_request *request);

void s3_request_init(struct s3_request *request, struct s3_storage *storage, const char *method, const char *key,
                     const char *what, ...) BO_PRINTF(5, 6);
void s3_request_query(struct s3_request *request, const char *name, const char *value);
void s3_request_header(struct s3_request *request, const char *name, const char *value);
/* Submits, waits, and copies the error. */
int s3_request_run(struct s3_request *request, struct bo_error *error);
void s3_request_free(struct s3_request *request);
/* Without the quotes around it; empty when it is too long. */
void s3_copy_etag(char etag[BO_ETAG_MAX], const char *text);
/* For http.c, in its thread. `begin` prepares `easy` for one attempt; `header` takes a line of the answer; `judge`
 * decides: the pause before the next attempt in ms, or -1: it is done, `result` and `error` are filled. */
int s3_request_begin(struct s3_request *request, struct bo_error *error);
void s3_request_take_header(struct s3_request *request, const char *line, size_t size);
int64_t s3_request_judge(struct s3_request *request, CURLcode code);

/* ---- errors.c */
/* Fills request->error from how its last attempt went. True when a repeat may help. */
bool s3_error_describe(struct s3_request *request, CURLcode code);
bool s3_error_is(const struct bo_error *error, const char *provider_code);

/* ---- s3.c */
struct s3_put;
struct s3_get;

struct s3_storage {
  const struct bo_host *host;
  struct s3_config config;
  struct bo_arena secrets;
  struct s3_credentials credentials;
  struct s3_http http;
  struct s3_put *puts;
  struct s3_get *gets;
};

int s3_check_cancelled(struct s3_storage *storage, struct bo_error *error);
/* Refuses what is no key, or too long with the prefix. */
int s3_check_key(const struct s3_storage *storage, const char *key, struct bo_error *error);

/* ---- put.c */
int s3_put_open(void *storage, const char *key, const struct bo_put_options *options, struct bo_token *token,
                void **put, struct bo_error *error);
int s3_put_write(void *put, const void *bytes, size_t size, struct bo_error *error);
int s3_put_commit(void *put, struct bo_object *object, struct bo_error *error);
int s3_put_close(void *put, struct bo_error *error);
void s3_put_close_all(struct s3_storage *storage);
/* Whether an upload is one of a put that is open here. */
bool s3_put_is_open(const struct s3_storage *storage, const char *upload_id);

/* ---- get.c */
int s3_get_open(void *storage, const char *key, uint64_t offset_bytes, const char *if_match, struct bo_object *object,
                void **get, struct bo_error *error);
int s3_get_read(void *get, void *bytes, size_t capacity, size_t *size, struct bo_error *error);
void s3_get_close(void *get);
void s3_get_close_all(struct s3_storage *storage);

/* ---- object.c */
int s3_stat(void *storage, const char *key, struct bo_object *object, struct bo_error *error);
/* The same, with the id of the put that made it ("" for none) and in `tries` attempts. */
int s3_head(struct s3_storage *storage, const char *key, unsigned tries, struct bo_object *object,
            char put_id[S3_PUT_ID_SIZE], struct bo_error *error);
int s3_remove(void *storage, const char *key, const char *if_match, struct bo_error *error);

/* ---- list.c, sweep.c, probe.c */
int s3_list(void *storage, const char *prefix, const char *after, uint32_t limit, bo_list_function *each, void *context,
            int *more, struct bo_error *error);
/* Aborts an upload; BO_OK also when there is none. */
int s3_abort_upload(struct s3_storage *storage, const char *key, const char *upload_id, struct bo_error *error);
/* A CreateMultipartUpload that was sent `began_ms` (bo_monotonic_ms) has had no answer: aborts what it may have begun.
 */
void s3_abort_unanswered(struct s3_storage *storage, const char *key, uint64_t began_ms);
int s3_discard(void *storage, const char *key, const char *token, struct bo_error *error);
int s3_sweep(void *storage, const char *prefix, uint64_t older_than_seconds, uint64_t *count, struct bo_error *error);
int s3_probe(void *storage, uint32_t what, struct bo_error *error);

#endif
