/*
 * get.c - reading an object.
 *
 * The file stays open on the server, so a commit that replaces the object (a rename) does not touch this read. Whoever
 * shortens or alters the file in place is noticed at the end at the latest: a mixture is never passed on as an object,
 * nor a shortened file's end as the end.
 *
 * Reads overlap like a put's writes, in blocks that are allocated once.
 */
#include "client.h"

#define READS 16
#define OPEN_TRIES 5

struct sftp_get {
  struct sftp_storage *storage;
  struct sftp_get *next;
  struct sftp_handle data;
  struct wire_attributes attributes; /* at open */
  uint64_t asked_bytes;              /* up to here the object was asked for */
  uint64_t given_bytes;              /* up to here it was handed out */
  uint64_t first, end;               /* blocks on their way: block i is in slot i % READS */
  uint32_t used_bytes;               /* of the first block */
  struct sftp_pending reads[READS];
  char key[BO_KEY_MAX + 1];
  unsigned char blocks[READS][SFTP_BLOCK_BYTES];
};

/* ---- open ---- */

/* Opens the file and finds its record. A commit may come in between and take the record away: then once more. */
static int open_object(struct sftp_get *get, struct sftp_record *record, bool *found, struct bo_error *error) {
  struct sftp_storage *storage = get->storage;
  struct sftp_path path = sftp_place(storage, get->key);
  int result = BO_OK;
  for (int i = 0; i < OPEN_TRIES; i++) {
    struct wire_attributes now;
    result = sftp_find(storage, get->key, &now, error); /* a link, or a FIFO, is not even opened */
    if (result == BO_OK) result = sftp_open(storage, path.text, WIRE_OPEN_READ, &get->data, error);
    if (result == BO_OK) result = sftp_fstat(storage, &get->data, &get->attributes, error);
    if (result == BO_OK) result = sftp_record_find(storage, get->key, &get->attributes, record, found, error);
    if (result != BO_OK || *found) return result;
    result = sftp_find(storage, get->key, &now, error);
    if (result != BO_OK || sftp_is_same(&now, &get->attributes)) return result;
    result = sftp_close(storage, &get->data, error);
    if (result != BO_OK) return result;
  }
  return sftp_changed(get->key, error);
}

static int check_request(const struct sftp_get *get, const struct bo_object *object, uint64_t offset_bytes,
                         const char *if_match, struct bo_error *error) {
  if (if_match != NULL && strcmp(if_match, object->etag) != 0)
    return bo_error_set(error, BO_CLASS_CONFLICT, 0,
                        "the object " SFTP_KEY_SHOWN " is not the one asked for: it has changed since", get->key);
  if (offset_bytes > object->size_bytes)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "the object " SFTP_KEY_SHOWN " has %llu bytes: there is no offset %llu", get->key,
                        (unsigned long long)object->size_bytes, (unsigned long long)offset_bytes);
  return BO_OK;
}

int sftp_get_open(void *instance, const char *key, uint64_t offset_bytes, const char *if_match,
                  struct bo_object *object, void **out, struct bo_error *error) {
  struct sftp_storage *storage = instance;
  struct sftp_record record;
  bool found = false;
  SFTP_NEED_ERROR(error);
  if (sftp_check_cancelled(storage, error) != BO_OK || sftp_check_key(key, error) != BO_OK) return BO_ERROR;
  struct sftp_get *get = sftp_alloc(storage, sizeof(*get));
  if (get == NULL) return sftp_no_memory(error);
  get->storage = storage;
  get->next = storage->gets;
  storage->gets = get;
  get->asked_bytes = get->given_bytes = offset_bytes;
  memcpy(get->key, key, strlen(key) + 1);
  for (size_t i = 0; i < READS; i++)
    get->reads[i] = (struct sftp_pending){.data = get->blocks[i], .done = true};
  int result = open_object(get, &record, &found, error);
  if (result == BO_OK) {
    sftp_fill_object(&get->attributes, found ? &record : NULL, object);
    result = check_request(get, object, offset_bytes, if_match, error);
  }
  if (result == BO_OK)
    *out = get;
  else
    sftp_get_close(get);
  return result;
}

/* ---- read ---- */

/* Keeps READS blocks on their way. */
static int ask_ahead(struct sftp_get *get, struct bo_error *error) {
  while (get->end - get->first < READS && get->asked_bytes < get->attributes.size_bytes) {
    uint64_t left = get->attributes.size_bytes - get->asked_bytes;
    uint32_t count = left < SFTP_BLOCK_BYTES ? (uint32_t)left : SFTP_BLOCK_BYTES;
    int result =
        sftp_send_read(get->storage, &get->data, get->asked_bytes, count, &get->reads[get->end % READS], error);
    if (result != BO_OK) return result;
    get->end++;
    get->asked_bytes += count;
  }
  return BO_OK;
}

/* Lets go of what is on its way. */
static int drain(struct sftp_get *get, struct bo_error *error) {
  for (; get->first < get->end; get->first++) {
    int result = sftp_await(get->storage, &get->reads[get->first % READS], error);
    if (result != BO_OK) return result;
  }
  get->used_bytes = 0;
  return BO_OK;
}

/* The next block, with something in it. */
static int await_block(struct sftp_get *get, struct sftp_pending **block, struct bo_error *error) {
  int result = ask_ahead(get, error);
  *block = &get->reads[get->first % READS];
  if (result == BO_OK) result = sftp_await(get->storage, *block, error);
  if (result != BO_OK) return result;
  if ((*block)->type == WIRE_STATUS)
    return (*block)->status == WIRE_EOF ? sftp_changed(get->key, error) : sftp_status_error((*block)->status, error);
  if ((*block)->size == 0) return sftp_protocol_broken(get->storage, "a reply without data", error);
  return BO_OK;
}

/* The end: is the file still what it was? */
static int check_end(struct sftp_get *get, struct bo_error *error) {
  struct wire_attributes now;
  int result = sftp_fstat(get->storage, &get->data, &now, error);
  if (result != BO_OK) return result;
  return sftp_is_same(&now, &get->attributes) ? BO_OK : sftp_changed(get->key, error);
}

static int read_some(struct sftp_get *get, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  struct sftp_pending *block = NULL;
  if (get->given_bytes == get->attributes.size_bytes) return check_end(get, error);
  int result = await_block(get, &block, error);
  if (result != BO_OK) return result;
  size_t left = block->size - get->used_bytes;
  *size = left < capacity ? left : capacity;
  memcpy(bytes, block->data + get->used_bytes, *size);
  get->used_bytes += (uint32_t)*size;
  get->given_bytes += *size;
  if (get->used_bytes < block->size) return BO_OK;
  get->first++;
  get->used_bytes = 0;
  if (block->size == block->capacity) return BO_OK;
  /* A server may give less than it was asked for: the blocks behind it do not fit on to it. */
  result = drain(get, error);
  get->asked_bytes = get->given_bytes;
  return result;
}

int sftp_get_read(void *instance, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  struct sftp_get *get = instance;
  SFTP_NEED_ERROR(error);
  *size = 0;
  int result = sftp_check_cancelled(get->storage, error);
  if (result == BO_OK) result = read_some(get, bytes, capacity, size, error);
  if (result == BO_OK || error->error_class == BO_CLASS_CONFLICT) return result;
  *size = 0;
  return sftp_prefix(result, error, "reading " SFTP_KEY_SHOWN, get->key);
}

void sftp_get_close(void *instance) {
  struct sftp_get *get = instance;
  struct sftp_storage *storage = get->storage;
  struct bo_error ignored = BO_ERROR_INIT;
  /* Nobody waits for the rest of an object that is not wanted any more. */
  if (sftp_cancelled(storage) || storage->tidying) sftp_drop(storage);
  if (drain(get, &ignored) == BO_OK) (void)sftp_close(storage, &get->data, &ignored);
  struct sftp_get **link = &storage->gets;
  while (*link != get)
    link = &(*link)->next;
  *link = get->next;
  sftp_free(storage, get);
}
