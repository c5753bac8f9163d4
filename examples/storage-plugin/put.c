/*
 * put.c - storing an object so that nobody ever sees a part of it: beginning, writing, ending. commit.c is the rest.
 *
 * The bytes go to .storage-sftp/<id>.data. A commit is one rename of that file onto the key; a discard or a sweep, by
 * whatever process, removes it. Renaming a removed file fails, and so does removing a renamed one: exactly one of the
 * two wins, without a lock. The token is the id.
 *
 * Writes overlap: up to SFTP_WRITES blocks are on their way before the first answer is awaited, so that a distant
 * server is not slower than the line to it.
 */
#include "sftp.h"

int sftp_put_ended_elsewhere(const struct sftp_put *put, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CANCELLED, 0,
                      "the put of " SFTP_KEY_SHOWN " was ended from elsewhere: by a discard or a sweep",
                      put->record.key);
}

/* ---- open ---- */

/* What the server cannot hold is said before the first byte. */
static int check_target(struct sftp_storage *storage, const char *key, struct bo_error *error) {
  struct wire_attributes attributes;
  int result = sftp_lstat(storage, sftp_place(storage, key).text, &attributes, error);
  if (result != BO_OK && storage->session != NULL && sftp_is_blocked(storage, key))
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "the server cannot hold the key " SFTP_KEY_SHOWN ": an object is on its way", key);
  if (result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND) return BO_OK;
  if (result != BO_OK) return sftp_prefix(result, error, "looking for " SFTP_KEY_SHOWN, key);
  if (sftp_is_object(&attributes)) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, 0,
                      "the server cannot hold the key " SFTP_KEY_SHOWN ": %s of this name is in the way", key,
                      sftp_is_folder(&attributes) ? "a folder (with objects in it)" : "a link or special file");
}

static int begin(struct sftp_put *put, struct bo_error *error) {
  struct sftp_storage *storage = put->storage;
  struct sftp_path record = sftp_place_of_put(storage, put->record.id, "put");
  struct sftp_path data = sftp_place_of_put(storage, put->record.id, "data");
  int result = check_target(storage, put->record.key, error);
  if (result != BO_OK) return result;
  put->begun = true;
  result = sftp_record_write(storage, record.text, &put->record, error);
  if (result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND) { /* the first put of all */
    result = sftp_make_state(storage, error);
    if (result == BO_OK) result = sftp_record_write(storage, record.text, &put->record, error);
  }
  if (result == BO_OK)
    result = sftp_open(storage, data.text, WIRE_OPEN_WRITE | WIRE_OPEN_CREATE | WIRE_OPEN_EXCLUSIVE, &put->data, error);
  if (result == BO_OK) return BO_OK;
  return sftp_prefix(sftp_explain(storage, result, error), error, "beginning the put of " SFTP_KEY_SHOWN,
                     put->record.key);
}

int sftp_put_open(void *instance, const char *key, const struct bo_put_options *options, struct bo_token *token,
                  void **out, struct bo_error *error) {
  struct sftp_storage *storage = instance;
  char id[SFTP_ID_SIZE];
  SFTP_NEED_ERROR(error);
  if (sftp_check_cancelled(storage, error) != BO_OK || sftp_check_key(key, error) != BO_OK ||
      sftp_new_id(storage, id, error) != BO_OK)
    return BO_ERROR;
  struct sftp_put *put = sftp_alloc(storage, sizeof(*put));
  if (put == NULL) return sftp_no_memory(error);
  put->storage = storage;
  put->next = storage->puts;
  storage->puts = put;
  int result = sftp_record_make(id, key, options, &put->record, error);
  if (result == BO_OK) result = begin(put, error);
  if (result != BO_OK) {
    (void)sftp_put_close(put, NULL);
    return result;
  }
  memcpy(token->text, id, sizeof(id));
  *out = put;
  return BO_OK;
}

/* ---- write ---- */

int sftp_put_settle(struct sftp_put *put, uint64_t left, struct bo_error *error) {
  for (; put->blocks - put->answered > left; put->answered++) {
    struct sftp_pending *write = &put->writes[put->answered % SFTP_WRITES];
    int result = sftp_await(put->storage, write, error);
    if (result == BO_OK && write->status != WIRE_OK)
      result = sftp_explain(put->storage, sftp_status_error(write->status, error), error);
    if (result != BO_OK) return sftp_prefix(result, error, "writing " SFTP_KEY_SHOWN, put->record.key);
  }
  return BO_OK;
}

int sftp_put_write(void *instance, const void *bytes, size_t size, struct bo_error *error) {
  struct sftp_put *put = instance;
  SFTP_NEED_ERROR(error);
  if (put->finished) return bo_error_set(error, BO_CLASS_INTERNAL, 0, "a write to a put that has failed or ended");
  put->finished = true;
  if (sftp_check_cancelled(put->storage, error) != BO_OK) return BO_ERROR;
  for (size_t done = 0; done < size;) {
    uint32_t count = size - done < SFTP_BLOCK_BYTES ? (uint32_t)(size - done) : SFTP_BLOCK_BYTES;
    int result = sftp_put_settle(put, SFTP_WRITES - 1, error);
    if (result != BO_OK) return result;
    result = sftp_send_write(put->storage, &put->data, put->size_bytes, (const char *)bytes + done, count,
                             &put->writes[put->blocks % SFTP_WRITES], error);
    if (result != BO_OK) return sftp_prefix(result, error, "writing " SFTP_KEY_SHOWN, put->record.key);
    put->blocks++;
    put->size_bytes += count;
    done += count;
  }
  put->finished = false;
  return BO_OK;
}

/* ---- close, and ending a put from elsewhere ---- */

static int remove_file(struct sftp_storage *storage, const char *path, bool *had, struct bo_error *error) {
  int result = sftp_unlink(storage, path, error);
  *had = result == BO_OK;
  if (result == BO_OK || error->error_class == BO_CLASS_NOT_FOUND) return BO_OK;
  return sftp_prefix(result, error, "removing '%.300s', which is left of a put", path);
}

int sftp_end_put(struct sftp_storage *storage, const char *id, bool *had_data, struct bo_error *error) {
  bool had = false;
  int result = remove_file(storage, sftp_place_of_put(storage, id, "data").text, &had, error);
  if (had_data != NULL) *had_data = had;
  if (result == BO_OK) result = remove_file(storage, sftp_place_of_put(storage, id, "put").text, &had, error);
  return result;
}

/* The answers to writes that nobody wants any more: they would be written into memory that is freed. */
static void drain(struct sftp_put *put) {
  struct bo_error ignored = BO_ERROR_INIT;
  for (; put->answered < put->blocks; put->answered++)
    (void)sftp_await(put->storage, &put->writes[put->answered % SFTP_WRITES], &ignored);
}

int sftp_put_close(void *instance, struct bo_error *error) {
  struct sftp_put *put = instance;
  struct sftp_storage *storage = put->storage;
  struct bo_error ignored = BO_ERROR_INIT;
  SFTP_NEED_ERROR(error);
  int result = BO_OK;
  bool was_tidying = storage->tidying;
  storage->tidying = true; /* an abort goes on after a cancel */
  drain(put);
  (void)sftp_close(storage, &put->data, &ignored);
  if (put->begun) result = sftp_end_put(storage, put->record.id, NULL, error);
  if (put->published) sftp_record_forget(storage, put->record.key, &put->attributes, put->record.id);
  storage->tidying = was_tidying;
  struct sftp_put **link = &storage->puts;
  while (*link != put)
    link = &(*link)->next;
  *link = put->next;
  sftp_free(storage, put);
  return result;
}

int sftp_discard(void *instance, const char *key, const char *token, struct bo_error *error) {
  struct sftp_storage *storage = instance;
  SFTP_NEED_ERROR(error);
  (void)key; /* the id says it all */
  if (!sftp_is_id(token, strlen(token)))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "'%.40s' is no token of a put to an SFTP server", token);
  bool was_tidying = storage->tidying;
  storage->tidying = true; /* so does a discard */
  int result = sftp_end_put(storage, token, NULL, error);
  storage->tidying = was_tidying;
  return result;
}
