/*
 * sweep.c - what was left behind by processes that were killed: puts that nobody will end, and records whose object is
 * gone. Ages are told by the server's own clock, which need not agree with ours.
 */
#include "sftp.h"

#define NAMES_AT_ONCE 1024
#define RECORD_AGE_S 60 /* a younger record may belong to a commit that is about to show its object */

struct sweep {
  struct sftp_storage *storage;
  const char *prefix;
  uint64_t older_than_s;
  uint32_t now_unix_s; /* the server's */
  uint64_t count;
};

/* The time that the server gives to a new file. */
static int ask_clock(struct sftp_storage *storage, uint32_t *unix_s, struct bo_error *error) {
  char id[SFTP_ID_SIZE];
  struct sftp_handle handle = {0};
  struct wire_attributes attributes = {0};
  struct bo_error ignored = BO_ERROR_INIT;
  int result = sftp_new_id(storage, id, error);
  if (result != BO_OK) return result;
  struct sftp_path path = sftp_place_of_put(storage, id, "data");
  result = sftp_open(storage, path.text, WIRE_OPEN_WRITE | WIRE_OPEN_CREATE | WIRE_OPEN_EXCLUSIVE, &handle, error);
  if (result != BO_OK) return result;
  result = sftp_fstat(storage, &handle, &attributes, error);
  (void)sftp_close(storage, &handle, &ignored);
  (void)sftp_unlink(storage, path.text, &ignored);
  *unix_s = attributes.modified_unix_s;
  return result;
}

static bool is_old(const struct sweep *sweep, const struct wire_attributes *attributes, uint64_t at_least_s) {
  if (attributes->modified_unix_s > sweep->now_unix_s) return false;
  uint64_t age_s = sweep->now_unix_s - attributes->modified_unix_s;
  return age_s >= sweep->older_than_s && age_s >= at_least_s;
}

static bool has_prefix(const struct sweep *sweep, const char *key) {
  return strncmp(key, sweep->prefix, strlen(sweep->prefix)) == 0;
}

/* *exists: whether there is a file at `path`. */
static int look(struct sftp_storage *storage, const char *path, bool *exists, struct wire_attributes *attributes,
                struct bo_error *error) {
  int result = sftp_lstat(storage, path, attributes, error);
  *exists = result == BO_OK;
  return result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND ? BO_OK : result;
}

/* ---- puts ---- */

static bool is_of_a_put(void *context, const char *name) {
  (void)context;
  size_t length = strcspn(name, ".");
  return sftp_is_id(name, length) && (strcmp(name + length, ".put") == 0 || strcmp(name + length, ".data") == 0);
}

/* Whether the put is to be ended. A record tells its age and key. Bytes without one are what a crash left in a commit,
 * or in beginning: their age alone decides. */
static int is_due(struct sweep *sweep, const struct sftp_entry *entry, const char *id, bool *due,
                  struct bo_error *error) {
  struct sftp_storage *storage = sweep->storage;
  struct sftp_path path = sftp_place_of_put(storage, id, "put");
  *due = false;
  if (!is_old(sweep, &entry->attributes, 0)) return BO_OK;
  if (strstr(entry->name, ".data") != NULL) {
    struct wire_attributes attributes;
    bool has_record = false;
    int result = look(storage, path.text, &has_record, &attributes, error);
    *due = !has_record;
    return result;
  }
  struct sftp_record record;
  int result = sftp_record_read(storage, path.text, &record, error);
  *due = result == BO_OK ? has_prefix(sweep, record.key) : error->error_class == BO_CLASS_CORRUPT;
  return result == BO_OK || error->error_class == BO_CLASS_CORRUPT || error->error_class == BO_CLASS_NOT_FOUND ? BO_OK
                                                                                                               : result;
}

static int sweep_put(struct sweep *sweep, const struct sftp_entry *entry, struct bo_error *error) {
  char id[SFTP_ID_SIZE];
  bool due = false;
  (void)snprintf(id, sizeof(id), "%.32s", entry->name);
  int result = is_due(sweep, entry, id, &due, error);
  if (result != BO_OK || !due) return result;
  sweep->count++;
  return sftp_end_put(sweep->storage, id, NULL, error);
}

/* ---- records ---- */

static bool is_any(void *context, const char *name) {
  (void)context;
  return strchr(name, '/') == NULL;
}

static int sweep_record(struct sweep *sweep, const struct sftp_entry *entry, struct bo_error *error) {
  struct sftp_storage *storage = sweep->storage;
  char name[sizeof(SFTP_STATE_FOLDER "/metadata/") + SFTP_NAME_MAX];
  struct sftp_record record;
  struct wire_attributes attributes;
  bool exists = false;
  if (!is_old(sweep, &entry->attributes, RECORD_AGE_S)) return BO_OK;
  (void)snprintf(name, sizeof(name), SFTP_STATE_FOLDER "/metadata/%s", entry->name);
  struct sftp_path path = sftp_place(storage, name);
  if (sftp_record_read(storage, path.text, &record, error) != BO_OK) return storage->session == NULL ? BO_ERROR : BO_OK;
  if (!has_prefix(sweep, record.key)) return BO_OK;
  /* In this order: a commit that is on its way now is seen by its bytes, one that is done by its object. */
  int result = look(storage, sftp_place_of_put(storage, record.id, "data").text, &exists, &attributes, error);
  if (result != BO_OK || exists) return result;
  result = look(storage, sftp_place(storage, record.key).text, &exists, &attributes, error);
  if (result != BO_OK) return storage->session == NULL ? result : BO_OK;
  if (exists && strcmp(sftp_record_place(storage, record.key, &attributes).text, path.text) == 0) return BO_OK;
  (void)sftp_unlink(storage, path.text, error);
  return storage->session == NULL ? BO_ERROR : BO_OK;
}

/* ---- all of it ---- */

typedef int sweep_function(struct sweep *sweep, const struct sftp_entry *entry, struct bo_error *error);

static int sweep_folder(struct sweep *sweep, const char *name, sftp_folder_filter *filter, sweep_function *each,
                        struct bo_error *error) {
  struct sftp_storage *storage = sweep->storage;
  char last[SFTP_NAME_MAX] = "";
  for (bool cut = true; cut;) {
    struct sftp_folder folder;
    int result =
        sftp_folder_read(storage, sftp_place(storage, name).text, last, NAMES_AT_ONCE, filter, NULL, &folder, error);
    if (result != BO_OK) return result;
    for (size_t i = 0; result == BO_OK && i < folder.count; i++)
      result = each(sweep, folder.entries[i], error);
    cut = folder.cut;
    if (folder.count > 0) (void)snprintf(last, sizeof(last), "%s", folder.entries[folder.count - 1]->name);
    sftp_folder_free(storage, &folder);
    if (result != BO_OK) return result;
  }
  return BO_OK;
}

int sftp_sweep(void *instance, const char *prefix, uint64_t older_than_seconds, uint64_t *count,
               struct bo_error *error) {
  struct sftp_storage *storage = instance;
  struct sweep sweep = {.storage = storage, .prefix = prefix == NULL ? "" : prefix, .older_than_s = older_than_seconds};
  SFTP_NEED_ERROR(error);
  *count = 0;
  if (sftp_check_cancelled(storage, error) != BO_OK) return BO_ERROR;
  int result = ask_clock(storage, &sweep.now_unix_s, error);
  if (result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND) return BO_OK; /* there has been no put yet */
  if (result == BO_OK) result = sweep_folder(&sweep, SFTP_STATE_FOLDER, is_of_a_put, sweep_put, error);
  if (result == BO_OK) result = sweep_folder(&sweep, SFTP_STATE_FOLDER "/metadata", is_any, sweep_record, error);
  *count = sweep.count;
  return result == BO_OK ? BO_OK : sftp_prefix(result, error, "sweeping");
}
