/*
 * Records: what each backup wrote, kept apart from the storage.
 *
 * A format's own checks tell a cut or altered object, but not one valid object put in the place of another. A record
 * does: it holds the run's UID, sizes and hashes. It is written *before* the commit is granted, under a second name,
 * so that no object can exist without its record, and takes the first name once the commit is known. After a crash in
 * between both are there, and the object's own metadata say which of them is its.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/sha256.h"
#include "programs/backupctl/ctl.h"

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

static char *next_name(const char *path) {
  char *name = NULL;
  return asprintf(&name, "%s.next", path) < 0 ? NULL : name;
}

static void copy_member(cJSON *to, const cJSON *from, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(from, name);
  if (item != NULL) (void)cJSON_AddItemToObject(to, name, cJSON_Duplicate(item, 1));
}

int ctl_record_prepare(const char *path, const cJSON *spec, const cJSON *sums, struct bo_error *error) {
  BO_CLEANUP_FREE char *next = next_name(path);
  BO_CLEANUP_FREE char *folder = strdup(path);
  if (next == NULL || folder == NULL) return bo_error_no_memory(error);
  *strrchr(folder, '/') = '\0';
  int result = bo_make_folders(folder, 0700, error);
  if (result != BO_OK) return result;
  char now[BO_TIME_TEXT_MAX];
  bo_time_format(bo_realtime_ms() / 1000, now);
  cJSON *record = cJSON_CreateObject();
  (void)cJSON_AddStringToObject(record, "uid", ctl_text(cJSON_GetObjectItemCaseSensitive(spec, "run"), "uid"));
  copy_member(record, spec, "key");
  const cJSON *storage = cJSON_GetObjectItemCaseSensitive(spec, "storage");
  cJSON *where = cJSON_AddObjectToObject(record, "storage");
  copy_member(where, storage, "plugin");
  copy_member(where, storage, "parameters");
  (void)cJSON_AddStringToObject(record, "compression", ctl_plugin_or_none(spec, "compression"));
  (void)cJSON_AddStringToObject(record, "encryption", ctl_plugin_or_none(spec, "encryption"));
  copy_member(record, sums, "plainBytes");
  copy_member(record, sums, "storedBytes");
  copy_member(record, sums, "sha256Plain");
  copy_member(record, sums, "sha256Stored");
  (void)cJSON_AddStringToObject(record, "completionTime", now);
  char *text = cJSON_Print(record);
  cJSON_Delete(record);
  if (text == NULL) return bo_error_no_memory(error);
  result = bo_write_file_atomically(next, text, strlen(text), 0600, error);
  cJSON_free(text);
  return result;
}

int ctl_record_accept(const char *path, struct bo_error *error) {
  BO_CLEANUP_FREE char *next = next_name(path);
  if (next == NULL) return bo_error_no_memory(error);
  return rename(next, path) == 0 ? BO_OK : bo_error_errno(error, errno, "%s", path);
}

void ctl_record_drop(const char *path) {
  BO_CLEANUP_FREE char *next = next_name(path);
  if (next != NULL) (void)unlink(next);
}

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
  BO_CLEANUP_FREE char *next = next_name(path);
  if (next == NULL) return bo_error_no_memory(error);
  const char *const names[] = {next, path};
  char other[64] = "";
  *json = NULL;
  for (size_t i = 0; i < 2; i++) {
    int result = load(names[i], json, error);
    if (result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND) continue;
    if (result != BO_OK) return result;
    bool matches = uid == NULL ? i == 1 : strcmp(ctl_text(*json, "uid"), uid) == 0;
    if (matches) return BO_OK;
    if (uid != NULL) (void)snprintf(other, sizeof(other), "%.36s", ctl_text(*json, "uid"));
    cJSON_Delete(*json);
    *json = NULL;
  }
  if (other[0] == '\0') return BO_OK;
  return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                      "the object at the key was written by run %s, but the record is of run %s: it was replaced. "
                      "--no-record goes on without comparing",
                      uid, other);
}
