/* object.c - objects that are there: what is told of them, and their removal. */
#include <sys/stat.h>

#include "sftp.h"

#define LOOK_TRIES 5

bool sftp_is_object(const struct wire_attributes *attributes) {
  return S_ISREG(attributes->mode);
}

bool sftp_is_folder(const struct wire_attributes *attributes) {
  return S_ISDIR(attributes->mode);
}

bool sftp_is_same(const struct wire_attributes *a, const struct wire_attributes *b) {
  return a->size_bytes == b->size_bytes && a->modified_unix_s == b->modified_unix_s;
}

int sftp_no_object(const char *key, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_NOT_FOUND, 0, "there is no object " SFTP_KEY_SHOWN, key);
}

int sftp_changed(const char *key, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CONFLICT, 0, "the object " SFTP_KEY_SHOWN " was altered while it was read", key);
}

int sftp_find(struct sftp_storage *storage, const char *key, struct wire_attributes *attributes,
              struct bo_error *error) {
  int result = sftp_lstat(storage, sftp_place(storage, key).text, attributes, error);
  if (result == BO_OK && !sftp_is_object(attributes))
    return bo_error_set(error, BO_CLASS_NOT_FOUND, 0, "there is no object " SFTP_KEY_SHOWN ", but %s", key,
                        sftp_is_folder(attributes) ? "a folder" : "a link or special file");
  if (result == BO_OK) return BO_OK;
  if (error->error_class == BO_CLASS_NOT_FOUND || (error->error_class == BO_CLASS_IO && sftp_is_blocked(storage, key)))
    return sftp_no_object(key, error);
  return sftp_prefix(result, error, "looking for " SFTP_KEY_SHOWN, key);
}

void sftp_fill_object(const struct wire_attributes *attributes, const struct sftp_record *record,
                      struct bo_object *object) {
  uint32_t size = object->size;
  memset(object, 0, sizeof(*object));
  object->size = size;
  object->size_bytes = attributes->size_bytes;
  object->modified_unix_ms = (int64_t)attributes->modified_unix_s * 1000;
  if (record == NULL) { /* put there by hand */
    (void)snprintf(object->etag, sizeof(object->etag), "%llx-%lx", (unsigned long long)attributes->size_bytes,
                   (unsigned long)attributes->modified_unix_s);
    return;
  }
  memcpy(object->etag, record->id, sizeof(record->id));
  object->metadata_count = record->metadata_count;
  memcpy(object->metadata, record->metadata, record->metadata_count * sizeof(record->metadata[0]));
}

/* The object's attributes and its description. A commit may come in between and take the record away: then once more.
 */
static int look(struct sftp_storage *storage, const char *key, struct wire_attributes *attributes,
                struct bo_object *object, struct bo_error *error) {
  for (int i = 0; i < LOOK_TRIES; i++) {
    struct sftp_record record;
    struct wire_attributes now;
    bool found = false;
    int result = sftp_find(storage, key, attributes, error);
    if (result == BO_OK) result = sftp_record_find(storage, key, attributes, &record, &found, error);
    if (result == BO_OK && !found) result = sftp_find(storage, key, &now, error);
    if (result != BO_OK) return result;
    if (!found && !sftp_is_same(&now, attributes)) continue;
    sftp_fill_object(attributes, found ? &record : NULL, object);
    return BO_OK;
  }
  return sftp_changed(key, error);
}

int sftp_stat_object(void *instance, const char *key, struct bo_object *object, struct bo_error *error) {
  struct sftp_storage *storage = instance;
  struct wire_attributes attributes;
  SFTP_NEED_ERROR(error);
  if (sftp_check_cancelled(storage, error) != BO_OK || sftp_check_key(key, error) != BO_OK) return BO_ERROR;
  return look(storage, key, &attributes, object, error);
}

/* ---- removing ---- */

static int has_changed(const char *key, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CONFLICT, 0, "the object " SFTP_KEY_SHOWN " has changed: it was left alone", key);
}

/* Removes the very object with these attributes. The protocol cannot compare and remove in one step, so the file is
 * first taken away from the key, where a commit could replace it, looked at again, and put back if it is another. */
static int remove_exactly(struct sftp_storage *storage, const char *key, const struct wire_attributes *wanted,
                          struct bo_error *error) {
  char id[SFTP_ID_SIZE];
  struct wire_attributes taken;
  struct bo_error ignored = BO_ERROR_INIT;
  int result = sftp_new_id(storage, id, error);
  if (result == BO_OK) result = sftp_make_state(storage, error);
  if (result != BO_OK) return result;
  struct sftp_path from = sftp_place(storage, key);
  struct sftp_path to = sftp_place_of_put(storage, id, "data");
  result = sftp_rename(storage, from.text, to.text, error);
  if (result == BO_OK) result = sftp_lstat(storage, to.text, &taken, error);
  if (result != BO_OK) return result;
  if (sftp_is_same(&taken, wanted)) return sftp_unlink(storage, to.text, error);
  /* When there is a still newer one, that has replaced this one. */
  if (sftp_rename(storage, to.text, from.text, &ignored) != BO_OK) (void)sftp_unlink(storage, to.text, &ignored);
  return has_changed(key, error);
}

/* The answer to a removal was lost with the connection. */
static int undecided(const char *key, struct bo_error *error) {
  struct bo_error cause = *error;
  return bo_error_set(error, BO_CLASS_UNDECIDED, 0,
                      "the answer to the removal of " SFTP_KEY_SHOWN " was lost (%.300s): it may be gone", key,
                      cause.text);
}

int sftp_remove(void *instance, const char *key, const char *if_match, struct bo_error *error) {
  struct sftp_storage *storage = instance;
  struct wire_attributes attributes;
  struct bo_object object = {.size = sizeof(object)};
  SFTP_NEED_ERROR(error);
  if (sftp_check_cancelled(storage, error) != BO_OK || sftp_check_key(key, error) != BO_OK) return BO_ERROR;
  int result = look(storage, key, &attributes, &object, error);
  if (result != BO_OK) return result;
  if (if_match != NULL && strcmp(if_match, object.etag) != 0) return has_changed(key, error);
  if (if_match != NULL)
    result = remove_exactly(storage, key, &attributes, error);
  else
    result = sftp_unlink(storage, sftp_place(storage, key).text, error);
  if (result != BO_OK && storage->session == NULL) return undecided(key, error);
  if (result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND) return sftp_no_object(key, error);
  if (result != BO_OK && error->error_class == BO_CLASS_CONFLICT) return result;
  if (result != BO_OK) return sftp_prefix(result, error, "removing " SFTP_KEY_SHOWN, key);
  result = sftp_sync_folder(storage, sftp_parent(storage, key).text, error);
  if (result != BO_OK) return undecided(key, error);
  sftp_record_forget(storage, key, &attributes, NULL);
  sftp_prune(storage, key);
  return BO_OK;
}
