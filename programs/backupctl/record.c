/*
 * Records: what each backup wrote, kept apart from the storage.
 *
 * A format's own checks tell a cut or altered object, but not one valid object put in the place of another. A record
 * does: it holds the run's UID, sizes and hashes. HASH.json is the key's record. A new one is written *before* the
 * commit is granted, as HASH.json.UID, so that no object can exist without its record, and becomes HASH.json once the
 * commit is known. After a crash in between both are there, and the object's own metadata say which of them is its.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/sha256.h"
#include "programs/backupctl/ctl.h"

/* Another backup to the same key is between its grant and its end: so long it is waited for. */
#define LOCK_WAIT_MS 10000
#define LOCK_PAUSE_MS 20

#define MAX_RECORD_BYTES ((size_t)65536)

int ctl_state_folder(const struct ctl_options *options, struct bo_buffer *folder, struct bo_error *error) {
  const char *state_home = getenv("XDG_STATE_HOME");
  const char *home = getenv("HOME");
  if (options->state_dir != NULL)
    (void)bo_buffer_append_text(folder, options->state_dir);
  else if (geteuid() == 0)
    (void)bo_buffer_append_text(folder, "/var/lib/backup-operator");
  else if (state_home != NULL && state_home[0] == '/')
    (void)bo_buffer_printf(folder, "%s/backup-operator", state_home);
  else if (home != NULL && home[0] == '/')
    (void)bo_buffer_printf(folder, "%s/.local/state/backup-operator", home);
  else
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "there is no place for records: set HOME, or give --state DIR or --no-record");
  return folder->failed ? bo_error_no_memory(error) : BO_OK;
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(cJSON *const *)a)->string, (*(cJSON *const *)b)->string);
}

/* A name for (storage, key) that does not depend on the order in which parameters were given. */
static int identity(const cJSON *spec, struct bo_buffer *text) {
  const cJSON *storage = cJSON_GetObjectItemCaseSensitive(spec, "storage");
  const cJSON *parameters = cJSON_GetObjectItemCaseSensitive(storage, "parameters");
  const cJSON *sorted[CTL_MAX_LIST];
  size_t count = 0;
  const cJSON *item = NULL;
  cJSON_ArrayForEach(item, parameters) if (count < CTL_MAX_LIST) sorted[count++] = item;
  if (count > 1) qsort(sorted, count, sizeof(const cJSON *), by_name);
  (void)bo_buffer_printf(text, "%s\n", ctl_text(storage, "plugin"));
  for (size_t i = 0; i < count; i++) {
    char *value = cJSON_PrintUnformatted(sorted[i]);
    (void)bo_buffer_printf(text, "%s=%s\n", sorted[i]->string, value == NULL ? "" : value);
    cJSON_free(value);
  }
  return bo_buffer_printf(text, "%s", ctl_text(spec, "key")) ? BO_OK : BO_ERROR;
}

int ctl_record_path(const struct ctl_options *options, const cJSON *spec, struct bo_buffer *path,
                    struct bo_error *error) {
  int result = ctl_state_folder(options, path, error);
  if (result != BO_OK) return result;
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  char hash[BO_SHA256_TEXT_MAX];
  if (identity(spec, &text) != BO_OK) return bo_error_no_memory(error);
  result = bo_sha256_text(text.bytes, text.size, hash, error);
  if (result != BO_OK) return result;
  return bo_buffer_printf(path, "/records/%.40s.json", hash) ? BO_OK : bo_error_no_memory(error);
}

/* The name of a record that waits for its commit. NULL: no memory, or a UID that cannot be part of one: it may come
 * from a storage. */
static char *waiting_name(const char *path, const char *uid) {
  char *name = NULL;
  size_t length = strspn(uid, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
  if (length == 0 || length > 64 || uid[length] != '\0') return NULL;
  return asprintf(&name, "%s.%s", path, uid) < 0 ? NULL : name;
}

/* ---- the lock ---- */

static char *lock_name(const char *path) {
  char *name = NULL;
  return asprintf(&name, "%.*s.lock", (int)(strlen(path) - strlen(".json")), path) < 0 ? NULL : name;
}

/* One try. The file may have been removed by its last owner meanwhile; then the lock is of no use. */
static bool try_lock(const char *name, int *fd) {
  struct stat held;
  struct stat named;
  *fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (*fd < 0) return false;
  if (flock(*fd, LOCK_EX | LOCK_NB) == 0 && fstat(*fd, &held) == 0 && stat(name, &named) == 0 &&
      held.st_ino == named.st_ino && held.st_dev == named.st_dev)
    return true;
  (void)close(*fd);
  *fd = -1;
  errno = EWOULDBLOCK;
  return false;
}

static int lock(struct ctl_record *record, struct bo_error *error) {
  BO_CLEANUP_FREE char *name = lock_name(record->path);
  uint64_t until_ms = bo_monotonic_ms() + LOCK_WAIT_MS;
  if (name == NULL) return bo_error_no_memory(error);
  while (!try_lock(name, &record->lock_fd)) {
    if (errno != EWOULDBLOCK) return bo_error_errno(error, errno, "%s", name);
    if (bo_monotonic_ms() > until_ms)
      return bo_error_set(error, BO_CLASS_CONFLICT, EWOULDBLOCK, "another backup is being committed to the same key");
    (void)usleep(LOCK_PAUSE_MS * 1000);
  }
  return BO_OK;
}

static void unlock(struct ctl_record *record) {
  BO_CLEANUP_FREE char *name = lock_name(record->path);
  if (name != NULL) (void)unlink(name);
  (void)close(record->lock_fd);
  record->lock_fd = -1;
}

/* ---- writing ---- */

static char *to_text(const cJSON *spec, const cJSON *sums) {
  char now[BO_TIME_TEXT_MAX];
  bo_time_format(bo_realtime_ms() / 1000, now);
  cJSON *record = cJSON_CreateObject();
  (void)cJSON_AddStringToObject(record, "uid", ctl_text(cJSON_GetObjectItemCaseSensitive(spec, "run"), "uid"));
  ctl_copy_member(record, spec, "key");
  const cJSON *storage = cJSON_GetObjectItemCaseSensitive(spec, "storage");
  cJSON *where = cJSON_AddObjectToObject(record, "storage");
  ctl_copy_member(where, storage, "plugin");
  ctl_copy_member(where, storage, "parameters");
  (void)cJSON_AddStringToObject(record, "compression", ctl_plugin_or_none(spec, "compression"));
  (void)cJSON_AddStringToObject(record, "encryption", ctl_plugin_or_none(spec, "encryption"));
  ctl_copy_member(record, sums, "plainBytes");
  ctl_copy_member(record, sums, "storedBytes");
  ctl_copy_member(record, sums, "sha256Plain");
  ctl_copy_member(record, sums, "sha256Stored");
  (void)cJSON_AddStringToObject(record, "completionTime", now);
  char *text = cJSON_Print(record);
  cJSON_Delete(record);
  return text;
}

int ctl_record_prepare(struct ctl_record *record, const cJSON *spec, const cJSON *sums, struct bo_error *error) {
  BO_CLEANUP_FREE char *waiting = waiting_name(record->path, record->uid);
  BO_CLEANUP_FREE char *folder = strdup(record->path);
  if (waiting == NULL || folder == NULL) return bo_error_no_memory(error);
  *strrchr(folder, '/') = '\0';
  int result = bo_make_folders(folder, 0700, error);
  if (result == BO_OK) result = lock(record, error);
  if (result != BO_OK) return result;
  char *text = to_text(spec, sums);
  result =
      text == NULL ? bo_error_no_memory(error) : bo_write_file_atomically(waiting, text, strlen(text), 0600, error);
  cJSON_free(text);
  if (result != BO_OK) unlock(record);
  return result;
}

/* What other runs, or crashed writes of such, have left beside the key's record: it is of no object any more. */
static void remove_waiting(const char *path) {
  BO_CLEANUP_FREE char *folder = strdup(path);
  if (folder == NULL) return;
  char *base = strrchr(folder, '/');
  *base++ = '\0';
  BO_CLEANUP_DIR DIR *dir = opendir(folder);
  if (dir == NULL) return;
  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
    if (strncmp(entry->d_name, base, strlen(base)) == 0 && entry->d_name[strlen(base)] == '.')
      (void)unlinkat(dirfd(dir), entry->d_name, 0);
}

int ctl_record_settle(struct ctl_record *record, enum ctl_outcome outcome, struct bo_error *error) {
  BO_CLEANUP_FREE char *waiting = waiting_name(record->path, record->uid);
  int result = BO_OK;
  if (record->lock_fd < 0) return BO_OK;
  if (waiting == NULL) {
    result = bo_error_no_memory(error);
  } else if (outcome == CTL_NOT_COMMITTED) {
    (void)unlink(waiting);
  } else if (outcome == CTL_COMMITTED) {
    result = rename(waiting, record->path) == 0 ? bo_sync_folder_of(record->path, error)
                                                : bo_error_errno(error, errno, "%s", record->path);
    if (result == BO_OK) remove_waiting(record->path);
  }
  unlock(record);
  return result;
}

/* ---- reading ---- */

static int load(const char *path, cJSON **json, struct bo_error *error) {
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  int result = bo_read_file(path, MAX_RECORD_BYTES, &text, error);
  if (result != BO_OK) return result;
  *json = cJSON_Parse(bo_buffer_text(&text));
  if (cJSON_IsObject(*json)) return BO_OK;
  cJSON_Delete(*json);
  *json = NULL;
  return bo_error_set(error, BO_CLASS_CORRUPT, 0, "%s: the record is damaged; --no-record goes on without it", path);
}

int ctl_record_load(const char *path, const char *uid, cJSON **json, struct bo_error *error) {
  BO_CLEANUP_FREE char *waiting = uid == NULL ? NULL : waiting_name(path, uid);
  const char *const names[] = {waiting, path};
  char other[64] = "";
  *json = NULL;
  for (size_t i = 0; i < 2; i++) {
    if (names[i] == NULL) continue;
    int result = load(names[i], json, error);
    if (result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND) continue;
    if (result != BO_OK) return result;
    if (uid == NULL || strcmp(ctl_text(*json, "uid"), uid) == 0) return BO_OK;
    (void)snprintf(other, sizeof(other), "%.36s", ctl_text(*json, "uid"));
    cJSON_Delete(*json);
    *json = NULL;
  }
  if (other[0] == '\0') return BO_OK;
  return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                      "the object at the key was written by run %s, but the record is of run %s: it was replaced. "
                      "--no-record goes on without comparing",
                      uid, other);
}
