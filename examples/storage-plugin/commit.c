/*
 * commit.c - the moment in which an object appears.
 *
 * In this order: all bytes are answered for; the file gets a time that no other object of its key and size has; its
 * record moves to where it is looked for; everything is synced; one rename puts the file at the key. What fails before
 * the rename leaves nothing. When the answer to the rename itself is lost, the server is asked, on a new connection, in
 * the one way that leaves no doubt: the file is removed if it is still there.
 */
#include <time.h>

#include "sftp.h"

#define TIME_TRIES 100
#define PLACE_TRIES 20

/* ---- the record ---- */

/* The server must keep what it was given, to the byte and to the second. */
static int check_kept(struct sftp_put *put, struct bo_error *error) {
  struct wire_attributes kept;
  int result = sftp_fstat(put->storage, &put->data, &kept, error);
  if (result != BO_OK) return result;
  if (kept.size_bytes != put->size_bytes)
    return bo_error_set(error, BO_CLASS_CORRUPT, 0, "%llu bytes were written, but the server has %llu",
                        (unsigned long long)put->size_bytes, (unsigned long long)kept.size_bytes);
  if (kept.modified_unix_s != put->attributes.modified_unix_s)
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0,
                        "the server does not keep a file's time as it is set: this storage cannot work with it");
  return BO_OK;
}

/* Moves the record to its place for this second; *taken: another object's is there already. */
static int try_second(struct sftp_put *put, bool *taken, struct bo_error *error) {
  struct sftp_storage *storage = put->storage;
  struct wire_attributes attributes;
  struct bo_error ignored = BO_ERROR_INIT;
  *taken = false;
  int result = sftp_set_modified(storage, &put->data, put->attributes.modified_unix_s, error);
  if (result == BO_OK) result = check_kept(put, error);
  if (result != BO_OK) return result;
  struct sftp_path from = sftp_place_of_put(storage, put->record.id, "put");
  struct sftp_path to = sftp_record_place(storage, put->record.key, &put->attributes);
  put->published = true; /* even if the answer gets lost */
  result = sftp_rename(storage, from.text, to.text, error);
  if (result == BO_OK || storage->session == NULL) return result;
  if (error->error_class == BO_CLASS_NOT_FOUND) { /* the record, or the folder for it */
    if (sftp_lstat(storage, from.text, &attributes, error) != BO_OK) return sftp_put_ended_elsewhere(put, error);
    result = sftp_make_state(storage, error);
    if (result == BO_OK) result = sftp_rename(storage, from.text, to.text, error);
    if (result == BO_OK || storage->session == NULL) return result;
  }
  put->published = false;
  *taken = sftp_lstat(storage, to.text, &attributes, &ignored) == BO_OK;
  return result;
}

/* `old` is what is at the key, if `replaces`. */
static int publish(struct sftp_put *put, bool replaces, const struct wire_attributes *old, struct bo_error *error) {
  uint32_t second = (uint32_t)time(NULL);
  if (replaces && old->modified_unix_s >= second) second = old->modified_unix_s + 1;
  put->attributes.size_bytes = put->size_bytes;
  for (uint32_t i = 0; i < TIME_TRIES; i++) {
    bool taken = false;
    put->attributes.modified_unix_s = second + i;
    int result = try_second(put, &taken, error);
    if (!taken) return result;
  }
  return BO_ERROR;
}

/* ---- the rename ---- */

static int blocked(const struct sftp_put *put, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CONFIG, 0,
                      "the server cannot hold the key " SFTP_KEY_SHOWN
                      ": an object on its way, or a folder of this name, has appeared meanwhile",
                      put->record.key);
}

/* Whether that is why a rename failed. */
static bool stands_in_the_way(struct sftp_put *put) {
  struct sftp_storage *storage = put->storage;
  struct wire_attributes attributes;
  struct bo_error ignored = BO_ERROR_INIT;
  if (sftp_is_blocked(storage, put->record.key)) return true;
  struct sftp_path path = sftp_place(storage, put->record.key);
  return sftp_lstat(storage, path.text, &attributes, &ignored) == BO_OK && sftp_is_folder(&attributes);
}

static int move(struct sftp_put *put, struct bo_error *error) {
  struct sftp_storage *storage = put->storage;
  struct sftp_path from = sftp_place_of_put(storage, put->record.id, "data");
  struct sftp_path to = sftp_place(storage, put->record.key);
  if (storage->extensions & SFTP_HAS_REPLACE) return sftp_replace(storage, from.text, to.text, error);
  int result = sftp_rename(storage, from.text, to.text, error);
  if (result == BO_ERROR && error->error_class == BO_CLASS_IO)
    (void)sftp_prefix(result, error, "the server cannot replace an object (posix-rename@openssh.com), if there is one");
  return result;
}

/* Makes the key's folders, too. Others may be removing the same ones because they are empty: then once more. */
static int place(struct sftp_put *put, struct bo_error *error) {
  struct sftp_storage *storage = put->storage;
  int result = BO_ERROR;
  for (int i = 0; i < PLACE_TRIES; i++) {
    struct wire_attributes attributes;
    result = move(put, error);
    if (result == BO_OK || storage->session == NULL) return result;
    if (stands_in_the_way(put)) return blocked(put, error);
    if (error->error_class != BO_CLASS_NOT_FOUND) return sftp_explain(storage, result, error);
    result = sftp_lstat(storage, sftp_place_of_put(storage, put->record.id, "data").text, &attributes, error);
    if (result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND) return sftp_put_ended_elsewhere(put, error);
    if (result == BO_OK) result = sftp_make_parents(storage, put->record.key, error);
    if (result != BO_OK) return sftp_explain(storage, result, error);
  }
  return result;
}

static int undecided(struct sftp_put *put, const char *why, struct bo_error *error) {
  struct bo_error cause = *error;
  put->published = false; /* the record may be the object's: a sweep decides */
  return bo_error_set(error, BO_CLASS_UNDECIDED, cause.code,
                      "the answer to the commit of " SFTP_KEY_SHOWN " was lost (%.200s), and %s: the object may exist",
                      put->record.key, cause.text, why);
}

/* The connection broke, and with it what became of the rename. */
static int ask_what_became(struct sftp_put *put, int result, struct bo_error *error) {
  struct sftp_storage *storage = put->storage;
  struct bo_error other = BO_ERROR_INIT;
  struct wire_attributes found;
  bool had_data = false;
  bool was_tidying = storage->tidying;
  storage->tidying = true; /* a cancel may be the reason, but the answer is needed all the same */
  int asked = sftp_end_put(storage, put->record.id, &had_data, &other);
  int looked = BO_OK;
  if (asked == BO_OK && !had_data) looked = sftp_find(storage, put->record.key, &found, &other);
  storage->tidying = was_tidying;
  if (asked == BO_OK && had_data) return result; /* it was not renamed, and now never can be */
  if (asked != BO_OK) return undecided(put, "the server could not be asked", error);
  if (looked == BO_OK && sftp_is_same(&found, &put->attributes)) return BO_OK;
  return undecided(put, "it is not at its key now", error);
}

/* ---- all of it ---- */

static int prepare(struct sftp_put *put, bool *replaces, struct wire_attributes *old, struct bo_error *error) {
  struct sftp_storage *storage = put->storage;
  int result = sftp_put_settle(put, 0, error);
  if (result != BO_OK) return result;
  result = sftp_lstat(storage, sftp_place(storage, put->record.key).text, old, error);
  *replaces = result == BO_OK;
  if (result != BO_OK && storage->session == NULL) return result;
  result = publish(put, *replaces, old, error);
  if (result == BO_OK) result = sftp_sync(storage, &put->data, error);
  if (result == BO_OK) result = sftp_close(storage, &put->data, error);
  if (result == BO_OK)
    result = sftp_sync_folder(storage, sftp_place(storage, SFTP_STATE_FOLDER "/metadata").text, error);
  return sftp_explain(storage, result, error);
}

/* What fails here does not undo the commit, but a success would promise more than is known. So it is tried again, on a
 * new connection, and even after a cancel. */
static int make_durable(struct sftp_put *put, struct bo_error *error) {
  struct sftp_storage *storage = put->storage;
  struct sftp_path folder = sftp_parent(storage, put->record.key);
  int result = sftp_sync_folder(storage, folder.text, error);
  if (result != BO_OK) {
    bool was_tidying = storage->tidying;
    storage->tidying = true;
    result = sftp_sync_folder(storage, folder.text, error);
    storage->tidying = was_tidying;
  }
  if (result == BO_OK) return BO_OK;
  (void)sftp_prefix(result, error, SFTP_KEY_SHOWN " is in place, but may not outlast a loss of power", put->record.key);
  error->error_class = BO_CLASS_UNDECIDED;
  return BO_ERROR;
}

int sftp_put_commit(void *instance, struct bo_object *object, struct bo_error *error) {
  struct sftp_put *put = instance;
  struct sftp_storage *storage = put->storage;
  struct wire_attributes old;
  bool replaces = false;
  SFTP_NEED_ERROR(error);
  if (put->finished) return bo_error_set(error, BO_CLASS_INTERNAL, 0, "a commit of a put that has failed or ended");
  put->finished = true;
  int result = prepare(put, &replaces, &old, error);
  if (result != BO_OK) return sftp_prefix(result, error, "committing " SFTP_KEY_SHOWN, put->record.key);
  result = place(put, error);
  if (result != BO_OK && storage->session == NULL) result = ask_what_became(put, result, error);
  if (result != BO_OK) {
    if (error->error_class != BO_CLASS_UNDECIDED) sftp_prune(storage, put->record.key);
    return result;
  }
  put->begun = put->published = false;
  sftp_fill_object(&put->attributes, &put->record, object);
  if (replaces && sftp_is_object(&old)) sftp_record_forget(storage, put->record.key, &old, NULL);
  return make_durable(put, error);
}
