/* store.c - index and records. A change is first on the disk, then in the index, then told. */
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "ledger.h"
#include "manifests.h"
#include "watch.h"

/* ---- an object's JSON ---------------------------------------------------------------------------------------- */

cJSON *object_metadata(const cJSON *object) {
  return cJSON_GetObjectItemCaseSensitive(object, "metadata");
}

const char *object_text(const cJSON *map, const char *key) {
  return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(map, key));
}

bool object_set(cJSON *map, const char *key, cJSON *item) {
  bool ok = item != NULL &&
            (cJSON_GetObjectItemCaseSensitive(map, key) != NULL ? cJSON_ReplaceItemInObjectCaseSensitive(map, key, item)
                                                                : cJSON_AddItemToObject(map, key, item));
  if (!ok) cJSON_Delete(item);
  return ok;
}

bool object_set_text(cJSON *map, const char *key, const char *text) {
  return object_set(map, key, cJSON_CreateString(text));
}

void object_strip(cJSON *object) {
  static const char *const owned[] = {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "generation"};
  for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++)
    cJSON_DeleteItemFromObjectCaseSensitive(object_metadata(object), owned[i]);
  cJSON_DeleteItemFromObjectCaseSensitive(object, "status");
}

int object_begin(cJSON *object, struct bo_error *error) {
  char uid[37], now[BO_TIME_TEXT_MAX];
  cJSON *metadata = object_metadata(object);
  bo_time_format(bo_realtime_ms() / 1000, now);
  if (!bo_random_uuid(uid))
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "the system gives no randomness for a uid");
  bool ok = object_set_text(metadata, "uid", uid) && object_set_text(metadata, "creationTimestamp", now) &&
            object_set(metadata, "generation", cJSON_CreateNumber(1));
  return ok ? BO_OK : bo_error_no_memory(error);
}

bool object_next_generation(cJSON *object) {
  cJSON *metadata = object_metadata(object);
  const cJSON *old = cJSON_GetObjectItemCaseSensitive(metadata, "generation");
  double next = cJSON_IsNumber(old) ? old->valuedouble + 1 : 1;
  return object_set(metadata, "generation", cJSON_CreateNumber(next));
}

bool object_is_terminating(const cJSON *object) {
  return cJSON_GetObjectItemCaseSensitive(object_metadata(object), "deletionTimestamp") != NULL;
}

bool object_has_finalizers(const cJSON *object) {
  return cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(object_metadata(object), "finalizers")) > 0;
}

struct object_key object_key_of(const struct bo_manifest *manifest) {
  const char *namespace_name = manifest->meta->namespace_name;
  if (manifest->kind == BO_MANIFEST_STORAGE)
    namespace_name = "";
  else if (namespace_name == NULL)
    namespace_name = "default";
  return (struct object_key){manifest->kind, namespace_name, manifest->meta->name};
}

int object_from_manifest(const struct bo_manifest *manifest, cJSON **object, struct bo_error *error) {
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  struct object_key key = object_key_of(manifest);
  int result = bo_manifest_to_json(manifest, &text, error);
  if (result != BO_OK) return result;
  *object = cJSON_Parse(bo_buffer_text(&text));
  bool ok = *object != NULL && (key.namespace_name[0] == '\0' ||
                                object_set_text(object_metadata(*object), "namespace", key.namespace_name));
  return ok ? BO_OK : bo_error_no_memory(error);
}

/* ---- index --------------------------------------------------------------------------------------------------- */

int store_compare(const struct object_key *a, const struct object_key *b) {
  if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
  int order = strcmp(a->namespace_name, b->namespace_name);
  return order != 0 ? order : strcmp(a->name, b->name);
}

size_t store_position(const struct store *store, const struct object_key *key) {
  size_t low = 0, high = store->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (store_compare(&store->entries[middle]->key, key) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

struct entry *store_find(const struct store *store, const struct object_key *key) {
  size_t at = store_position(store, key);
  return at < store->count && store_compare(&store->entries[at]->key, key) == 0 ? store->entries[at] : NULL;
}

static void entry_free(struct entry *entry) {
  free((char *)entry->key.namespace_name);
  free((char *)entry->key.name);
  free(entry->source);
  free(entry);
}

struct entry *store_add(struct store *store, const struct object_key *key) {
  if (store->count == store->capacity) {
    size_t capacity = store->capacity > 0 ? store->capacity * 2 : 64;
    struct entry **grown = reallocarray(store->entries, capacity, sizeof(struct entry *));
    if (grown == NULL) return NULL;
    store->entries = grown;
    store->capacity = capacity;
  }
  struct entry *entry = calloc(1, sizeof(*entry));
  if (entry == NULL) return NULL;
  entry->key = (struct object_key){key->kind, strdup(key->namespace_name), strdup(key->name)};
  if (entry->key.namespace_name == NULL || entry->key.name == NULL) {
    entry_free(entry);
    return NULL;
  }
  size_t at = store_position(store, key);
  memmove(&store->entries[at + 1], &store->entries[at], (store->count - at) * sizeof(struct entry *));
  store->entries[at] = entry;
  store->count++;
  return entry;
}

void store_remove(struct store *store, struct entry *entry) {
  size_t at = store_position(store, &entry->key);
  store->count--;
  memmove(&store->entries[at], &store->entries[at + 1], (store->count - at) * sizeof(struct entry *));
  entry_free(entry);
}

/* ---- records ------------------------------------------------------------------------------------------------- */

/* Greater than all before, also than those of objects that are gone: hence the clock. */
static uint64_t next_version(const struct store *store) {
  uint64_t now = (uint64_t)bo_realtime_ms();
  return now > store->version ? now : store->version + 1;
}

/* From the disk's shape to ours; takes `object` over. NULL when out of memory. */
static cJSON *unpack(cJSON *object) {
  cJSON *notes = cJSON_DetachItemFromObjectCaseSensitive(object, STORE_NOTES);
  cJSON *record = cJSON_IsObject(notes) ? notes : cJSON_CreateObject();
  if (record != notes) cJSON_Delete(notes);
  if (record != NULL && object_set(record, "object", object)) return record;
  if (record == NULL) cJSON_Delete(object);
  cJSON_Delete(record);
  return NULL;
}

/* And back, as text; NULL when out of memory. */
static char *pack(cJSON *record) {
  char *json = NULL;
  cJSON *object = cJSON_DetachItemFromObjectCaseSensitive(record, "object");
  if (cJSON_AddItemReferenceToObject(object, STORE_NOTES, record)) json = cJSON_PrintUnformatted(object);
  cJSON_DeleteItemFromObjectCaseSensitive(object, STORE_NOTES);
  return object_set(record, "object", object) ? json : NULL;
}

int store_load(struct store *store, const struct entry *entry, cJSON **record, struct bo_error *error) {
  const struct object_key *key = &entry->key;
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  const char *kind = bo_manifest_kind_name(key->kind);
  int result = bo_state_load(store->state, kind, key->namespace_name, key->name, &text, error);
  if (result != BO_OK) return result;
  cJSON *object = cJSON_Parse(bo_buffer_text(&text));
  if (object_text(object_metadata(object), "uid") != NULL) {
    *record = unpack(object);
    return *record != NULL ? BO_OK : bo_error_no_memory(error);
  }
  cJSON_Delete(object);
  return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                      "%s/%s/%s/%s.json is no record of an object (somebody changed it, or the disk did); put back a "
                      "copy of it, or remove it: the object is then taken for a new one",
                      store->folder, kind, key->namespace_name[0] != '\0' ? key->namespace_name : "_", key->name);
}

static void entry_update(struct entry *entry, const cJSON *record) {
  const cJSON *metadata = object_metadata(cJSON_GetObjectItemCaseSensitive(record, "object"));
  const char *uid = object_text(metadata, "uid"), *version = object_text(metadata, "resourceVersion");
  (void)snprintf(entry->uid, sizeof(entry->uid), "%s", uid != NULL ? uid : "");
  entry->version = version != NULL ? strtoull(version, NULL, 10) : 0;
  entry->deleted = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(record, "deleted"));
}

int store_save(struct store *store, struct entry *entry, cJSON *record, bool changed, struct bo_error *error) {
  const struct object_key *key = &entry->key;
  uint64_t version = changed ? next_version(store) : store->version;
  char text[24];
  (void)snprintf(text, sizeof(text), "%" PRIu64, version);
  cJSON *object = cJSON_GetObjectItemCaseSensitive(record, "object");
  if (changed && object != NULL && !object_set_text(object_metadata(object), "resourceVersion", text))
    return bo_error_no_memory(error);
  char *json = pack(record);
  if (json == NULL) return bo_error_no_memory(error);
  int result = bo_state_save(store->state, bo_manifest_kind_name(key->kind), key->namespace_name, key->name, json,
                             strlen(json), error);
  cJSON_free(json);
  if (result != BO_OK) return result;
  store->version = version;
  entry_update(entry, record);
  if (changed) watches_wake(store);
  return BO_OK;
}

int store_drop(struct store *store, struct entry *entry, cJSON *record, struct bo_error *error) {
  const struct object_key *key = &entry->key;
  if (entry->source != NULL) {
    if (!object_set(record, "deleted", cJSON_CreateTrue())) return bo_error_no_memory(error);
    return store_save(store, entry, record, true, error);
  }
  int result = bo_state_delete(store->state, bo_manifest_kind_name(key->kind), key->namespace_name, key->name, error);
  if (result != BO_OK) return result;
  store_remove(store, entry);
  watches_wake(store);
  return BO_OK;
}

int store_delete(struct store *store, struct entry *entry, cJSON *record, struct bo_error *error) {
  cJSON *object = cJSON_GetObjectItemCaseSensitive(record, "object");
  if (entry->deleted || !object_has_finalizers(object)) return store_drop(store, entry, record, error);
  if (object_is_terminating(object)) return BO_OK;
  char now[BO_TIME_TEXT_MAX];
  bo_time_format(bo_realtime_ms() / 1000, now);
  if (!object_set_text(object_metadata(object), "deletionTimestamp", now)) return bo_error_no_memory(error);
  return store_save(store, entry, record, true, error);
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

struct loading {
  struct store *store;
  enum bo_manifest_kind kind;
};

static int load_entry(void *context, const char *namespace_name, const char *name, struct bo_error *error) {
  const struct loading *loading = context;
  struct store *store = loading->store;
  struct object_key key = {loading->kind, namespace_name, name};
  CLEANUP_JSON cJSON *record = NULL;
  struct entry *entry = store_add(store, &key);
  if (entry == NULL) return bo_error_no_memory(error);
  int result = store_load(store, entry, &record, error);
  if (result != BO_OK) return result;
  entry_update(entry, record);
  if (entry->version > store->version) store->version = entry->version;
  const char *source = object_text(record, "source");
  entry->source = source != NULL ? strdup(source) : NULL;
  return source == NULL || entry->source != NULL ? BO_OK : bo_error_no_memory(error);
}

static void forget_all(struct store *store) {
  for (size_t i = 0; i < store->count; i++)
    entry_free(store->entries[i]);
  free(store->entries);
  store->entries = NULL;
  store->count = store->capacity = 0;
  bo_state_close(store->state);
  store->state = NULL;
}

static int load_all(struct store *store, struct bo_error *error) {
  int result = bo_state_open(store->folder, BO_STATE_WRITE, &store->state, error);
  for (int kind = BO_MANIFEST_STORAGE; result == BO_OK && kind <= BO_MANIFEST_RUN; kind++) {
    struct loading loading = {store, (enum bo_manifest_kind)kind};
    result = bo_state_list(store->state, bo_manifest_kind_name(loading.kind), NULL, load_entry, &loading, error);
  }
  if (result != BO_OK) forget_all(store);
  return result;
}

int store_enter(struct store *store, struct bo_error *error) {
  if (store->folder == NULL)
    return bo_error_set(
        error, BO_CLASS_UNSUPPORTED, 0,
        "the platform local keeps objects only where it is told to: set its parameter state to a folder "
        "for what it must remember, and manifests to the folder with your manifests");
  (void)pthread_mutex_lock(&store->lock);
  int result = store->state == NULL ? load_all(store, error) : BO_OK;
  if (result == BO_OK) result = manifests_scan_when_due(store, error);
  if (result != BO_OK) store_leave(store);
  return result;
}

void store_leave(struct store *store) {
  (void)pthread_mutex_unlock(&store->lock);
}

void store_init(struct store *store) {
  store->notify_fd = -1;
  (void)pthread_mutex_init(&store->lock, NULL);
}

int store_open(struct store *store, const struct bo_host *host, int cancel_fd, const char *manifests,
               const char *folder, struct bo_error *error) {
  store->host = host;
  store->cancel_fd = cancel_fd;
  if (manifests != NULL && folder == NULL)
    return bo_error_set(
        error, BO_CLASS_CONFIG, 0,
        "manifests needs state, too: a folder for what the objects' status is, since your manifests are "
        "never written to");
  store->manifests = manifests != NULL ? strdup(manifests) : NULL;
  store->folder = folder != NULL ? strdup(folder) : NULL;
  bool ok = (manifests == NULL || store->manifests != NULL) && (folder == NULL || store->folder != NULL);
  return ok ? BO_OK : bo_error_no_memory(error);
}

void store_close(struct store *store) {
  (void)pthread_mutex_destroy(&store->lock);
  leases_close(store);
  manifests_close(store);
  forget_all(store);
  free(store->manifests);
  free(store->folder);
}

void store_warn(const struct store *store, const char *format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  store->host->log(store->host->context, BO_LOG_WARNING, text);
}
