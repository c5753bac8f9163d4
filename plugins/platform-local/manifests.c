/*
 * manifests.c - finds what changed in the folder and takes it over. Whether a file changed is told by stat(2); inotify
 * only says when to look, and where there is none (or it sees nothing, as on a network file system) the time does.
 */
#include "manifests.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/io.h"
#include "merge.h"

#define RESCAN_MS 10000     /* without any sign of a change */
#define RESCAN_SOON_MS 1000 /* nobody waits for signs, or there is something to look at again */
#define SETTLE_MS 100       /* from the last sign of a change: a writer may not be done */
#define MISSING_MS 2000
#define RACY_MS 1000 /* two changes within the clock's resolution look like one */

/* ---- files --------------------------------------------------------------------------------------------------- */

static int is_manifest_name(const struct dirent *entry) {
  const char *suffix = strrchr(entry->d_name, '.');
  if (entry->d_name[0] == '.' || suffix == NULL) return 0;
  return strcmp(suffix, ".yaml") == 0 || strcmp(suffix, ".yml") == 0 || strcmp(suffix, ".json") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static int compare_name(const void *name, const void *file) {
  return strcmp(name, ((const struct manifest_file *)file)->name);
}

static struct manifest_file *find_file(const struct store *store, const char *name) {
  if (store->files == NULL) return NULL;
  return bsearch(name, store->files, store->file_count, sizeof(*store->files), compare_name);
}

static struct manifest_file *file_of(const struct store *store, const struct entry *entry) {
  return entry->source != NULL ? find_file(store, entry->source) : NULL;
}

static bool same_status(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mode == b->st_mode &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
         a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int manifests_read(const struct store *store, const char *name, struct stat *status, struct bo_manifest_set *set,
                   bool *broken, struct bo_error *error) {
  char path[PATH_MAX];
  BO_CLEANUP(bo_buffer_cleanse) struct bo_buffer text = BO_BUFFER_INIT;
  (void)snprintf(path, sizeof(path), "%s/%s", store->manifests, name);
  /* Not to hang on a FIFO. */
  BO_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 || fstat(fd, status) != 0) return bo_error_errno(error, errno, "%s", path);
  if (!S_ISREG(status->st_mode)) return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s is no file", path);
  if (bo_read_to_end(fd, BO_MANIFEST_MAX_BYTES, &text, error) != BO_OK) {
    bo_error_prefix(error, "%s", path);
    return BO_ERROR;
  }
  *broken = bo_manifest_parse(bo_buffer_text(&text), text.size, path, set, error) != BO_OK;
  if (!*broken || error->error_class == BO_CLASS_CONFIG) return BO_OK;
  bo_manifest_set_free(set);
  return BO_ERROR;
}

static void free_files(struct manifest_file *files, size_t count) {
  for (size_t i = 0; i < count; i++)
    free(files[i].name);
  free(files);
}

/* The folder's files, with what is known of them already. */
static int list_files(struct store *store, struct bo_error *error) {
  struct dirent **names = NULL;
  int count = scandir(store->manifests, &names, is_manifest_name, by_name);
  if (count < 0) return bo_error_errno(error, errno, "%s", store->manifests);
  struct manifest_file *files = calloc((size_t)count + 1, sizeof(*files));
  bool ok = files != NULL;
  for (int i = 0; i < count; i++) {
    const struct manifest_file *old = ok ? find_file(store, names[i]->d_name) : NULL;
    if (old != NULL) files[i] = *old;
    if (ok) files[i].name = strdup(names[i]->d_name);
    ok = ok && files[i].name != NULL;
    free(names[i]);
  }
  free(names);
  if (!ok) {
    free_files(files, files != NULL ? (size_t)count : 0);
    return bo_error_no_memory(error);
  }
  free_files(store->files, store->file_count);
  store->files = files;
  store->file_count = (size_t)count;
  return BO_OK;
}

/* Marks the files that are to be read; true when there are any. */
static bool mark_changed(struct store *store) {
  bool any = false;
  for (size_t i = 0; i < store->file_count; i++) {
    struct manifest_file *file = &store->files[i];
    char path[PATH_MAX];
    struct stat status;
    (void)snprintf(path, sizeof(path), "%s/%s", store->manifests, file->name);
    file->changed = !file->known || file->soon || stat(path, &status) != 0 || !same_status(&status, &file->status);
    any = any || file->changed;
  }
  for (size_t i = 0; i < store->file_count; i++) {
    struct manifest_file *file = &store->files[i];
    file->changed = file->changed || (any && file->again);
  }
  return any;
}

/* ---- taking over --------------------------------------------------------------------------------------------- */

/* Notes in the record which manifest the object now follows. */
static bool note_manifest(cJSON *record, const cJSON *manifest, const char *source) {
  return object_set(record, "manifest", cJSON_Duplicate(manifest, true)) && object_set_text(record, "source", source);
}

static int create_object(struct store *store, struct entry *entry, const cJSON *manifest, const char *source,
                         struct bo_error *error) {
  CLEANUP_JSON cJSON *record = cJSON_CreateObject();
  cJSON *object = merge_apply(NULL, manifest);
  if (record == NULL || !object_set(record, "object", object) || !note_manifest(record, manifest, source))
    return bo_error_no_memory(error);
  if (object_begin(object, error) != BO_OK) return BO_ERROR;
  return store_save(store, entry, record, true, error);
}

static int merge_into_object(struct store *store, struct entry *entry, cJSON *record, const cJSON *manifest,
                             struct bo_error *error) {
  static const cJSON nothing = {.type = cJSON_Object};
  const cJSON *last = cJSON_GetObjectItemCaseSensitive(record, "manifest");
  CLEANUP_JSON cJSON *patch = merge_difference(last != NULL ? last : &nothing, manifest);
  const cJSON *old = cJSON_GetObjectItemCaseSensitive(record, "object");
  cJSON *copy = patch != NULL ? cJSON_Duplicate(old, true) : NULL;
  cJSON *object = copy != NULL ? merge_apply(copy, patch) : NULL;
  bool changed = !cJSON_Compare(old, object, true);
  bool new_spec = !cJSON_Compare(cJSON_GetObjectItemCaseSensitive(old, "spec"),
                                 cJSON_GetObjectItemCaseSensitive(object, "spec"), true);
  bool ok = object_set(record, "object", object) && (!new_spec || object_next_generation(object));
  if (!ok || !note_manifest(record, manifest, entry->source)) return bo_error_no_memory(error);
  return store_save(store, entry, record, changed, error);
}

static int update_object(struct store *store, struct entry *entry, struct manifest_file *file, const cJSON *manifest,
                         struct bo_error *error) {
  CLEANUP_JSON cJSON *record = NULL;
  if (store_load(store, entry, &record, error) != BO_OK) return BO_ERROR;
  /* It has to go first. What the manifest says then is a new object. */
  if (!entry->deleted && object_is_terminating(cJSON_GetObjectItemCaseSensitive(record, "object"))) {
    file->again = file->soon = true;
    return BO_OK;
  }
  const char *source = object_text(record, "source");
  bool moved = source == NULL || strcmp(source, file->name) != 0;
  if (moved) {
    free(entry->source);
    entry->source = strdup(file->name);
    if (entry->source == NULL) return bo_error_no_memory(error);
  }
  if (cJSON_Compare(cJSON_GetObjectItemCaseSensitive(record, "manifest"), manifest, true)) {
    if (!moved) return BO_OK;
    if (!object_set_text(record, "source", file->name)) return bo_error_no_memory(error);
    return store_save(store, entry, record, false, error);
  }
  return entry->deleted ? create_object(store, entry, manifest, file->name, error)
                        : merge_into_object(store, entry, record, manifest, error);
}

static int take_over(struct store *store, struct manifest_file *file, const struct bo_manifest *manifest,
                     struct bo_error *error) {
  struct object_key key = object_key_of(manifest);
  struct entry *entry = store_find(store, &key);
  if (entry != NULL && entry->claimed) {
    store_warn(store, "the %s \"%s\" is in %s and in %s: the former counts; remove one",
               bo_manifest_kind_name(key.kind), key.name, entry->source, file->name);
    file->again = true;
    return BO_OK;
  }
  CLEANUP_JSON cJSON *object = NULL;
  if (object_from_manifest(manifest, &object, error) != BO_OK) return BO_ERROR;
  object_strip(object);
  if (entry != NULL) {
    int result = update_object(store, entry, file, object, error);
    entry->claimed = result == BO_OK;
    return result;
  }
  entry = store_add(store, &key);
  if (entry == NULL) return bo_error_no_memory(error);
  entry->source = strdup(file->name);
  int result =
      entry->source != NULL ? create_object(store, entry, object, file->name, error) : bo_error_no_memory(error);
  entry->claimed = result == BO_OK;
  if (result != BO_OK) store_remove(store, entry);
  return result;
}

static void tell_problems(const struct store *store, const struct bo_manifest_set *set) {
  for (size_t i = 0; i < set->problem_count; i++) {
    BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
    if (bo_problem_append(set, &set->problems[i], &text)) store_warn(store, "%s", bo_buffer_text(&text));
  }
}

static int take_over_all(struct store *store, struct manifest_file *file, const struct bo_manifest_set *set,
                         struct bo_error *error) {
  file->has_secrets = false;
  for (size_t i = 0; i < set->manifest_count; i++) {
    const struct bo_manifest *manifest = &set->manifests[i];
    int result = BO_OK;
    if (manifest->kind == BO_MANIFEST_SECRET)
      file->has_secrets = true;
    else if (manifest->valid)
      result = take_over(store, file, manifest, error);
    if (result != BO_OK && error->error_class != BO_CLASS_CONFIG) return result;
    if (result == BO_OK) continue;
    store_warn(store, "%s: %s", file->name, error->text);
    file->broken = true;
  }
  return BO_OK;
}

static int64_t age_ms(const struct stat *status) {
  return bo_realtime_ms() - ((int64_t)status->st_ctim.tv_sec * 1000 + status->st_ctim.tv_nsec / 1000000);
}

/* An error is one of the state folder's: the file counts as unread then. */
static int read_file(struct store *store, struct manifest_file *file, struct bo_error *error) {
  struct stat status = {0};
  struct bo_error own = BO_ERROR_INIT;
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set = {0};
  file->again = file->soon = false;
  if (manifests_read(store, file->name, &status, &set, &file->broken, &own) != BO_OK) {
    if (own.error_class == BO_CLASS_NO_MEMORY) return bo_error_no_memory(error);
    if (!file->broken || !file->known) store_warn(store, "%s", own.text);
    file->known = file->broken = file->soon = true;
    return BO_OK;
  }
  if (!file->known || !same_status(&status, &file->status)) tell_problems(store, &set);
  file->status = status;
  file->soon = age_ms(&status) < RACY_MS;
  int result = take_over_all(store, file, &set, error);
  file->known = result == BO_OK;
  return result;
}

/* ---- what is gone -------------------------------------------------------------------------------------------- */

static int delete_missing(struct store *store, struct entry *entry, struct bo_error *error) {
  CLEANUP_JSON cJSON *record = NULL;
  if (store_load(store, entry, &record, error) != BO_OK) return BO_ERROR;
  free(entry->source);
  entry->source = NULL;
  cJSON_DeleteItemFromObjectCaseSensitive(record, "manifest");
  cJSON_DeleteItemFromObjectCaseSensitive(record, "source");
  const cJSON *object = cJSON_GetObjectItemCaseSensitive(record, "object");
  if (!entry->deleted && object_is_terminating(object) && object_has_finalizers(object))
    return store_save(store, entry, record, false, error); /* it is going already, but may come back then */
  return store_delete(store, entry, record, error);
}

/* Deletes what has been missing long enough; *waiting when something has not. */
static int look_for_missing(struct store *store, bool *waiting, struct bo_error *error) {
  uint64_t now_ms = bo_monotonic_ms();
  for (size_t i = store->count; i-- > 0;) {
    struct entry *entry = store->entries[i];
    const struct manifest_file *file = file_of(store, entry);
    if (entry->source == NULL || entry->claimed || (file != NULL && file->broken)) {
      entry->missing_since_ms = 0;
      continue;
    }
    if (entry->missing_since_ms == 0) entry->missing_since_ms = now_ms;
    if (now_ms - entry->missing_since_ms < MISSING_MS)
      *waiting = true;
    else if (delete_missing(store, entry, error) != BO_OK)
      return BO_ERROR;
  }
  return BO_OK;
}

/* ---- scanning ------------------------------------------------------------------------------------------------ */

static void listen(struct store *store) {
  const uint32_t events = IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVE | IN_DELETE_SELF |
                          IN_MOVE_SELF | IN_ONLYDIR;
  if (store->notify_fd < 0) store->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  /* Each time: the folder of that name may be another one now. */
  if (store->notify_fd >= 0) (void)inotify_add_watch(store->notify_fd, store->manifests, events);
}

void manifests_notified(struct store *store) {
  char events[4096];
  uint64_t now_ms = bo_monotonic_ms();
  bool any = false;
  while (store->notify_fd >= 0 && read(store->notify_fd, events, sizeof(events)) > 0)
    any = true;
  if (!any) return;
  if (store->notified_ms == 0) store->notified_ms = now_ms;
  uint64_t latest_ms = store->notified_ms + RESCAN_SOON_MS;
  store->scan_at_ms = now_ms + SETTLE_MS < latest_ms ? now_ms + SETTLE_MS : latest_ms;
}

/* A folder that cannot be read (it is on a disk that is not there) means that nothing is known, not that all is gone.
 */
static bool can_list(struct store *store) {
  struct bo_error error = BO_ERROR_INIT;
  if (list_files(store, &error) == BO_OK) {
    store->folder_missing = false;
    return true;
  }
  if (!store->folder_missing)
    store_warn(store, "cannot read the manifests, all objects stay as they are: %s", error.text);
  store->folder_missing = true;
  return false;
}

static int scan(struct store *store, bool *soon, struct bo_error *error) {
  int result = BO_OK;
  listen(store);
  if (!can_list(store)) return BO_OK;
  (void)mark_changed(store);
  for (size_t i = 0; i < store->count; i++) {
    const struct manifest_file *file = file_of(store, store->entries[i]);
    if (file == NULL || file->changed) store->entries[i]->claimed = false;
  }
  for (size_t i = 0; result == BO_OK && i < store->file_count; i++) {
    struct manifest_file *file = &store->files[i];
    if (file->changed) result = read_file(store, file, error);
    *soon = *soon || file->soon;
  }
  return result == BO_OK ? look_for_missing(store, soon, error) : result;
}

int manifests_scan_when_due(struct store *store, struct bo_error *error) {
  uint64_t now_ms = bo_monotonic_ms();
  bool unwatched = store->watches == NULL && now_ms - store->scanned_ms >= RESCAN_SOON_MS;
  if (store->manifests == NULL || (store->scanned_ms != 0 && now_ms < store->scan_at_ms && !unwatched)) return BO_OK;
  bool soon = store->notify_fd < 0 && store->scanned_ms != 0;
  int result = scan(store, &soon, error);
  store->scanned_ms = bo_monotonic_ms();
  store->notified_ms = 0;
  store->scan_at_ms = store->scanned_ms + (soon || result != BO_OK ? RESCAN_SOON_MS : RESCAN_MS);
  return result;
}

void manifests_close(struct store *store) {
  if (store->notify_fd >= 0) (void)close(store->notify_fd);
  free_files(store->files, store->file_count);
  store->notify_fd = -1;
  store->files = NULL;
  store->file_count = 0;
}
