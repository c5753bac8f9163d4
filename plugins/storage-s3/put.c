/*
 * plugins/storage-s3/put.c - storing an object.
 *
 * Every put is a multipart upload, a small one, too: nothing of it is visible before CompleteMultipartUpload, and the
 * upload's id, known before the first byte, is the token by which any process can end it for good. A single PUT would
 * save two requests, but once it is on its way nobody could take it back.
 *
 * The stream is cut into parts as plan.c says. A part is filled in memory, handed to the thread of http.c, and its
 * buffer is free again when the server has answered with its etag; a few may be on their way at once. What the put's
 * object carries as metadata includes a random id of our own, so that after a lost answer a HEAD can tell whose
 * object is at the key.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/base/text.h"
#include "plugins/storage-s3/storage-s3.h"

#define PART_TRIES 8
#define COMPLETE_TRIES 6
#define HEAD_TRIES 4
#define ETAG_BYTES_MAX 255
#define SETTLE_MS 200

enum part_state { PART_FREE, PART_FILLING, PART_FLYING };

struct part {
  enum part_state state;
  unsigned number;
  char number_text[12];
  unsigned char *bytes;
  size_t capacity;
  size_t size;
  struct bo_sha256 sha256;
  char sha256_text[BO_SHA256_TEXT_MAX];
  struct s3_request request;
};

struct s3_put {
  struct s3_storage *storage;
  struct s3_put *next;
  struct s3_plan plan;
  struct part *parts; /* S3_CONCURRENCY_MAX */
  struct part *filling;
  char **etags; /* of each part that is stored, by its number less 1 */
  unsigned part_count;
  uint64_t size_bytes;
  bool failed; /* only close may follow */
  bool ended;  /* completed: there is no upload any more */
  char *upload_id;
  char id[S3_PUT_ID_SIZE];
  char key[BO_KEY_MAX + 1];
};

bool s3_put_is_open(const struct s3_storage *storage, const char *upload_id) {
  for (const struct s3_put *put = storage->puts; put != NULL; put = put->next)
    if (put->upload_id != NULL && strcmp(put->upload_id, upload_id) == 0) return true;
  return false;
}

/* ---- open */

static int take_upload_id(void *context, const char *path, const char *text, struct bo_error *error) {
  struct s3_put *put = context;
  if (text == NULL || strcmp(path, "InitiateMultipartUploadResult/UploadId") != 0) return BO_OK;
  free(put->upload_id);
  put->upload_id = strdup(text);
  return put->upload_id == NULL ? bo_error_no_memory(error) : BO_OK;
}

static int check_upload_id(const struct s3_put *put, struct bo_error *error) {
  const char *id = put->upload_id;
  bool good = id != NULL && id[0] != '\0' && strlen(id) < BO_TOKEN_MAX;
  for (; good && *id != '\0'; id++)
    good = *id > ' ' && *id <= '~';
  if (good) return BO_OK;
  return bo_error_set(error, BO_CLASS_PROTOCOL, 0, "the server began an upload, but its answer has no usable id of it");
}

static int add_metadata(struct s3_request *request, struct bo_arena *names, const struct bo_put_options *options,
                        struct bo_error *error) {
  for (uint32_t i = 0; options != NULL && i < options->metadata_count; i++) {
    const struct bo_pair *pair = &options->metadata[i];
    if (i == BO_METADATA_MAX || strlen(pair->name) >= BO_METADATA_NAME_MAX ||
        strlen(pair->value) >= BO_METADATA_VALUE_MAX)
      return bo_error_set(error, BO_CLASS_CONFIG, 0, "the object has more, or longer, metadata than the limits allow");
    for (const char *at = pair->value; *at != '\0'; at++)
      if (*at < ' ' || *at > '~')
        return bo_error_set(error, BO_CLASS_CONFIG, 0, "the metadata %s is not printable ASCII", pair->name);
    const char *name = bo_arena_printf(names, "x-amz-meta-%s", pair->name);
    if (name == NULL) return bo_error_no_memory(error);
    s3_request_header(request, name, pair->value);
  }
  return BO_OK;
}

static int create_upload(struct s3_put *put, const struct bo_put_options *options, struct bo_error *error) {
  struct s3_storage *storage = put->storage;
  struct s3_request request;
  struct bo_arena names = BO_ARENA_INIT;
  s3_request_init(&request, storage, "POST", put->key, "beginning the upload of " S3_KEY_SHOWN, put->key);
  s3_request_query(&request, "uploads", "");
  s3_request_header(&request, "content-type", "application/octet-stream");
  s3_request_header(&request, S3_PUT_ID_HEADER, put->id);
  if (storage->config.storage_class != NULL && storage->config.storage_class[0] != '\0')
    s3_request_header(&request, "x-amz-storage-class", storage->config.storage_class);
  request.has_grace = true; /* its answer names what is to be undone */
  uint64_t began_ms = bo_monotonic_ms();
  int result = add_metadata(&request, &names, options, error);
  if (result == BO_OK) result = s3_request_run(&request, error);
  if (result != BO_OK && request.maybe_done) s3_abort_unanswered(storage, put->key, began_ms);
  if (result == BO_OK) result = s3_xml_parse(request.answer.bytes, request.answer.size, take_upload_id, put, error);
  if (result == BO_OK) result = check_upload_id(put, error);
  s3_request_free(&request);
  bo_arena_free(&names);
  return result;
}

/* The server compares at the end, but a backup that is bound to fail need not run for hours. */
static int check_vacant(struct s3_put *put, struct bo_error *error) {
  if (!put->storage->config.if_none_match) return BO_OK;
  struct bo_object object = {.size = sizeof(object)};
  struct bo_error local = BO_ERROR_INIT;
  int result = s3_head(put->storage, put->key, 1, &object, NULL, &local);
  if (result != BO_OK) return BO_OK;
  return bo_error_set(error, BO_CLASS_EXISTS, 0,
                      "there is an object " S3_KEY_SHOWN " already, and ifNoneMatch forbids to overwrite it", put->key);
}

int s3_put_open(void *instance, const char *key, const struct bo_put_options *options, struct bo_token *token,
                void **out, struct bo_error *error) {
  struct s3_storage *storage = instance;
  const struct bo_host *host = storage->host;
  struct s3_plan plan;
  unsigned char random[(S3_PUT_ID_SIZE - 1) / 2];
  if (s3_check_cancelled(storage, error) != BO_OK || s3_check_key(storage, key, error) != BO_OK ||
      s3_config_plan(&storage->config, options == NULL ? -1 : options->size_hint_bytes, &plan, error) != BO_OK)
    return BO_ERROR;
  if (strstr(key, "//") != NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "the key " S3_KEY_SHOWN
                        " has an empty part (//): servers that keep objects as files make another "
                        "key of it",
                        key);
  if (host->random(host->context, random, sizeof(random)) != 0)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "there is no randomness for the id of a put");
  struct s3_put *put = host->alloc(host->context, sizeof(*put));
  if (put == NULL) return bo_error_no_memory(error);
  *put = (struct s3_put){.storage = storage, .plan = plan, .next = storage->puts};
  storage->puts = put;
  bo_hex(random, sizeof(random), put->id);
  (void)snprintf(put->key, sizeof(put->key), "%s", key);
  put->parts = host->alloc(host->context, S3_CONCURRENCY_MAX * sizeof(put->parts[0]));
  int result = put->parts == NULL ? bo_error_no_memory(error) : BO_OK;
  if (put->parts != NULL) memset(put->parts, 0, S3_CONCURRENCY_MAX * sizeof(put->parts[0]));
  if (result == BO_OK) result = check_vacant(put, error);
  if (result == BO_OK) result = create_upload(put, options, error);
  if (result == BO_OK) result = s3_check_cancelled(storage, error);
  if (result != BO_OK) {
    (void)s3_put_close(put, NULL);
    return result;
  }
  (void)snprintf(token->text, sizeof(token->text), "%s", put->upload_id);
  *out = put;
  return BO_OK;
}

/* ---- parts */

/* A part has come back: keeps its etag, or says why there is none. */
static int land(struct s3_put *put, struct part *part, struct bo_error *error) {
  int result = part->request.result;
  part->state = PART_FREE;
  if (result != BO_OK) {
    if (error != NULL) *error = part->request.error;
    result = BO_ERROR;
  } else if (part->request.object.etag[0] == '\0' || strlen(part->request.object.etag) > ETAG_BYTES_MAX) {
    result = bo_error_set(error, BO_CLASS_PROTOCOL, 0, "%s: the server's answer has no etag, so it is no S3 server",
                          part->request.what);
  } else {
    put->etags[part->number - 1] = strdup(part->request.object.etag);
    if (put->etags[part->number - 1] == NULL) result = bo_error_no_memory(error);
  }
  s3_request_free(&part->request);
  return result;
}

/* Takes in every part that is done. Waits until no more than `most` are in memory. */
static int wait_for_parts(struct s3_put *put, unsigned most, struct bo_error *error) {
  struct s3_http *http = &put->storage->http;
  int result = BO_OK;
  (void)pthread_mutex_lock(&http->lock);
  for (;;) {
    unsigned busy = 0;
    for (unsigned i = 0; i < S3_CONCURRENCY_MAX && result == BO_OK; i++) {
      struct part *part = &put->parts[i];
      if (part->state == PART_FLYING && part->request.state == S3_DONE) result = land(put, part, error);
      if (part->state != PART_FREE) busy++;
    }
    if (result != BO_OK || busy <= most) break;
    (void)pthread_cond_wait(&http->changed, &http->lock);
  }
  (void)pthread_mutex_unlock(&http->lock);
  return result;
}

static void unmap(struct part *part) {
  if (part->bytes != NULL) (void)munmap(part->bytes, part->capacity);
  part->bytes = NULL;
  part->capacity = 0;
}

/* Room for every part's etag up to this one. */
static int reserve_etag(struct s3_put *put, struct bo_error *error) {
  enum { STEP = 64 };
  if (put->part_count % STEP != 0) return BO_OK;
  const struct bo_host *host = put->storage->host;
  char **etags = host->realloc(host->context, put->etags, (put->part_count + STEP) * sizeof(*etags));
  if (etags == NULL) return bo_error_no_memory(error);
  memset(etags + put->part_count, 0, STEP * sizeof(*etags));
  put->etags = etags;
  return BO_OK;
}

static int begin_part(struct s3_put *put, struct bo_error *error) {
  size_t capacity = (size_t)s3_plan_part(&put->plan, (int64_t)put->size_bytes);
  if (put->part_count == put->plan.max_parts)
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0,
                        "the object " S3_KEY_SHOWN
                        " is longer than %llu bytes, which is what %u parts hold: raise partSize or "
                        "memoryLimit, or tell the expected size",
                        put->key, (unsigned long long)put->size_bytes, put->plan.max_parts);
  if (wait_for_parts(put, s3_plan_buffers(&put->plan, (int64_t)capacity) - 1, error) != BO_OK ||
      reserve_etag(put, error) != BO_OK)
    return BO_ERROR;
  struct part *part = NULL;
  for (unsigned i = 0; i < S3_CONCURRENCY_MAX; i++) {
    struct part *candidate = &put->parts[i];
    if (candidate->state != PART_FREE) continue;
    if (candidate->capacity != capacity) unmap(candidate);
    if (part == NULL || (part->bytes == NULL && candidate->bytes != NULL)) part = candidate;
  }
  if (part->bytes == NULL) {
    void *bytes = mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) return bo_error_no_memory(error);
    part->bytes = bytes;
    part->capacity = capacity;
  }
  if (!put->storage->config.tls && bo_sha256_open(&part->sha256, error) != BO_OK) return BO_ERROR;
  part->state = PART_FILLING;
  part->size = 0;
  part->number = ++put->part_count;
  put->filling = part;
  return BO_OK;
}

static int send_part(struct s3_put *put, struct bo_error *error) {
  struct part *part = put->filling;
  bool tls = put->storage->config.tls;
  int result = tls ? BO_OK : bo_sha256_finish(&part->sha256, part->sha256_text, error);
  bo_sha256_close(&part->sha256);
  if (result != BO_OK) return BO_ERROR;
  struct s3_request *request = &part->request;
  s3_request_init(request, put->storage, "PUT", put->key, "storing part %u of " S3_KEY_SHOWN, part->number, put->key);
  (void)snprintf(part->number_text, sizeof(part->number_text), "%u", part->number);
  s3_request_query(request, "partNumber", part->number_text);
  s3_request_query(request, "uploadId", put->upload_id);
  request->body = part->bytes;
  request->body_size = part->size;
  request->body_sha256 = tls ? NULL : part->sha256_text;
  request->tries = PART_TRIES;
  request->has_grace = true; /* a part that arrives behind the abort brings the upload back, on some servers */
  if (s3_http_submit(&put->storage->http, request, error) != BO_OK) return BO_ERROR;
  part->state = PART_FLYING;
  put->filling = NULL;
  return BO_OK;
}

static int write_bytes(struct s3_put *put, const unsigned char *bytes, size_t size, struct bo_error *error) {
  while (size > 0) {
    if (put->filling == NULL && begin_part(put, error) != BO_OK) return BO_ERROR;
    struct part *part = put->filling;
    size_t room = part->capacity - part->size;
    if (room > size) room = size;
    memcpy(part->bytes + part->size, bytes, room);
    if (!put->storage->config.tls && bo_sha256_update(&part->sha256, bytes, room, error) != BO_OK) return BO_ERROR;
    part->size += room;
    put->size_bytes += room;
    bytes += room;
    size -= room;
    if (part->size == part->capacity && send_part(put, error) != BO_OK) return BO_ERROR;
  }
  /* A part that has failed is told now, not when its buffer is wanted. */
  return wait_for_parts(put, S3_CONCURRENCY_MAX, error);
}

int s3_put_write(void *instance, const void *bytes, size_t size, struct bo_error *error) {
  struct s3_put *put = instance;
  if (put->failed) return bo_error_set(error, BO_CLASS_INTERNAL, 0, "a write to a put that has failed or ended");
  put->failed = true;
  if (s3_check_cancelled(put->storage, error) != BO_OK || write_bytes(put, bytes, size, error) != BO_OK)
    return BO_ERROR;
  put->failed = false;
  return BO_OK;
}

/* ---- commit */

static int make_list(const struct s3_put *put, struct bo_buffer *xml, struct bo_error *error) {
  (void)bo_buffer_append_text(xml, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
  for (unsigned i = 0; i < put->part_count; i++) {
    (void)bo_buffer_printf(xml, "<Part><PartNumber>%u</PartNumber><ETag>&quot;", i + 1);
    s3_xml_escape(xml, put->etags[i]);
    (void)bo_buffer_append_text(xml, "&quot;</ETag></Part>");
  }
  (void)bo_buffer_append_text(xml, "</CompleteMultipartUpload>");
  return xml->failed ? bo_error_no_memory(error) : BO_OK;
}

struct completed {
  bool whole; /* the document is CompleteMultipartUploadResult */
  char etag[BO_ETAG_MAX];
};

static int take_completed(void *context, const char *path, const char *text, struct bo_error *error) {
  struct completed *completed = context;
  (void)error;
  if (strcmp(path, "CompleteMultipartUploadResult") == 0) completed->whole = true;
  if (text == NULL || strcmp(path, "CompleteMultipartUploadResult/ETag") != 0) return BO_OK;
  s3_copy_etag(completed->etag, text);
  return BO_OK;
}

static int undecided(const struct s3_put *put, struct bo_error *error) {
  bo_error_prefix(error, "whether " S3_KEY_SHOWN " was stored cannot be told, it may exist", put->key);
  error->error_class = BO_CLASS_UNDECIDED;
  return BO_ERROR;
}

/* What the server has at the key. BO_OK: it is ours, whole. */
static int look(struct s3_put *put, struct bo_object *object, struct bo_error *error) {
  char put_id[S3_PUT_ID_SIZE];
  int result = s3_head(put->storage, put->key, HEAD_TRIES, object, put_id, error);
  if (result != BO_OK) return result;
  if (strcmp(put_id, put->id) != 0)
    return bo_error_set(error, BO_CLASS_CONFLICT, 0,
                        "the object at " S3_KEY_SHOWN " is not the one that was stored: another writer has replaced it",
                        put->key);
  if (object->size_bytes == put->size_bytes) return BO_OK;
  return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                      "%llu bytes were written to " S3_KEY_SHOWN ", but the server says that it has %llu",
                      (unsigned long long)put->size_bytes, put->key, (unsigned long long)object->size_bytes);
}

static int note_key(void *context, const char *key, const struct bo_object *object) {
  (void)key;
  (void)object;
  *(bool *)context = true;
  return 1;
}

/* Certainly nothing was stored. A server that keeps objects as files may have met a folder at the key, and some say
 * nothing but "internal error" then. */
static int explain_refusal(struct s3_put *put, struct bo_error *error) {
  char folder[BO_KEY_MAX + 2];
  bool any = false;
  int more = 0;
  (void)snprintf(folder, sizeof(folder), "%s/", put->key);
  if (s3_list(put->storage, folder, NULL, 1, note_key, &any, &more, NULL) != BO_OK || !any) return BO_ERROR;
  bo_error_prefix(error,
                  "there are objects below " S3_KEY_SHOWN
                  ", and this server holds no a together with a/b: choose "
                  "another key",
                  put->key);
  error->error_class = BO_CLASS_CONFIG;
  return BO_ERROR;
}

/* CompleteMultipartUpload failed with `error`. If it, or an earlier try of it, may have been carried out, the object at
 * the key tells; if that tells nothing, nobody can. */
static int resolve(struct s3_put *put, bool maybe_done, struct bo_object *object, struct bo_error *error) {
  bool no_upload = s3_error_is(error, "NoSuchUpload");
  if (!maybe_done) {
    if (s3_error_is(error, "PreconditionFailed")) {
      bo_error_prefix(error, "there is an object " S3_KEY_SHOWN " already, and ifNoneMatch forbids to overwrite it",
                      put->key);
      error->error_class = BO_CLASS_EXISTS;
    }
    return BO_ERROR;
  }
  /* The second look comes when the upload is gone, one way or the other: what is not there then never will be. */
  struct bo_error second = BO_ERROR_INIT;
  for (int round = 0; round < 2; round++) {
    if (look(put, object, &second) == BO_OK) return BO_OK;
    if (second.error_class == BO_CLASS_CORRUPT) *error = second;
    if (second.error_class != BO_CLASS_NOT_FOUND) break;
    if (round == 1 || no_upload) return explain_refusal(put, error);
    if (s3_abort_upload(put->storage, put->key, put->upload_id, NULL) != BO_OK) break;
  }
  return undecided(put, error);
}

static int complete(struct s3_put *put, struct bo_object *object, struct bo_error *error) {
  BO_CLEANUP_BUFFER struct bo_buffer xml = BO_BUFFER_INIT;
  char sha256[BO_SHA256_TEXT_MAX];
  struct completed completed = {.whole = false};
  struct s3_request request;
  if (make_list(put, &xml, error) != BO_OK || bo_sha256_text(xml.bytes, xml.size, sha256, error) != BO_OK)
    return BO_ERROR;
  s3_request_init(&request, put->storage, "POST", put->key, "completing the upload of " S3_KEY_SHOWN, put->key);
  s3_request_query(&request, "uploadId", put->upload_id);
  s3_request_header(&request, "content-type", "application/xml");
  if (put->storage->config.if_none_match) s3_request_header(&request, "if-none-match", "*");
  request.body = xml.bytes;
  request.body_size = xml.size;
  request.body_sha256 = sha256;
  request.tries = COMPLETE_TRIES;
  int result = s3_request_run(&request, error);
  bool maybe_done = request.maybe_done;
  if (result == BO_OK) {
    maybe_done = true;
    result = s3_xml_parse(request.answer.bytes, request.answer.size, take_completed, &completed, error);
    if (result == BO_OK && (!completed.whole || completed.etag[0] == '\0'))
      result = bo_error_set(error, BO_CLASS_PROTOCOL, 0,
                            "completing the upload of " S3_KEY_SHOWN ": the server's answer says neither yes nor no",
                            put->key);
  }
  s3_request_free(&request);
  if (result != BO_OK) return resolve(put, maybe_done, object, error);
  memcpy(object->etag, completed.etag, sizeof(object->etag));
  object->size_bytes = put->size_bytes;
  return BO_OK;
}

/* The server's own word about the object. Where it may not be asked, is not to be reached just now, or shows what
 * another writer has committed since, its yes to the commit is what there is. */
static int confirm(struct s3_put *put, struct bo_object *object, struct bo_error *error) {
  struct bo_object seen = {.size = sizeof(seen)};
  struct bo_error local = BO_ERROR_INIT;
  if (look(put, &seen, &local) == BO_OK) {
    *object = seen;
    return BO_OK;
  }
  if (local.error_class != BO_CLASS_CORRUPT) return BO_OK;
  *error = local;
  if (s3_remove(put->storage, put->key, seen.etag, &local) != BO_OK) error->error_class = BO_CLASS_UNDECIDED;
  return BO_ERROR;
}

static int commit(struct s3_put *put, struct bo_object *object, struct bo_error *error) {
  if (s3_check_cancelled(put->storage, error) != BO_OK) return BO_ERROR;
  /* An empty object is one empty part. */
  if (put->part_count == 0 && begin_part(put, error) != BO_OK) return BO_ERROR;
  if (put->filling != NULL && send_part(put, error) != BO_OK) return BO_ERROR;
  if (wait_for_parts(put, 0, error) != BO_OK || complete(put, object, error) != BO_OK) return BO_ERROR;
  put->ended = true;
  return confirm(put, object, error);
}

int s3_put_commit(void *instance, struct bo_object *object, struct bo_error *error) {
  struct s3_put *put = instance;
  if (put->failed) return bo_error_set(error, BO_CLASS_INTERNAL, 0, "a commit of a put that has failed or ended");
  put->failed = true;
  struct bo_error local = BO_ERROR_INIT;
  int result = commit(put, object, &local);
  if (result != BO_OK && error != NULL) *error = local;
  return result;
}

/* ---- close */

/* True when parts were under way, which the server may still be taking in. */
static bool end_parts(struct s3_put *put) {
  bool flying = false;
  for (unsigned i = 0; put->parts != NULL && i < S3_CONCURRENCY_MAX; i++) {
    struct part *part = &put->parts[i];
    if (part->state == PART_FLYING) {
      s3_http_abandon(&put->storage->http, &part->request);
      s3_request_free(&part->request);
      flying = true;
    }
    if (part->state == PART_FILLING) bo_sha256_close(&part->sha256);
    unmap(part);
  }
  return flying;
}

int s3_put_close(void *instance, struct bo_error *error) {
  struct s3_put *put = instance;
  struct s3_storage *storage = put->storage;
  const struct bo_host *host = storage->host;
  struct s3_put **link = &storage->puts;
  while (*link != put)
    link = &(*link)->next;
  *link = put->next;
  bool flying = end_parts(put);
  int result = BO_OK;
  if (put->upload_id != NULL && !put->ended) {
    result = s3_abort_upload(storage, put->key, put->upload_id, error);
    /* S3 keeps a part that arrived during the abort until a second one. */
    if (result == BO_OK && flying) {
      (void)nanosleep(&(struct timespec){.tv_nsec = SETTLE_MS * 1000000L}, NULL);
      result = s3_abort_upload(storage, put->key, put->upload_id, error);
    }
  }
  for (unsigned i = 0; i < put->part_count && put->etags != NULL; i++)
    free(put->etags[i]);
  host->free(host->context, put->etags);
  host->free(host->context, put->parts);
  free(put->upload_id);
  host->free(host->context, put);
  return result == BO_OK ? BO_OK : BO_ERROR;
}

void s3_put_close_all(struct s3_storage *storage) {
  while (storage->puts != NULL)
    (void)s3_put_close(storage->puts, NULL);
}
