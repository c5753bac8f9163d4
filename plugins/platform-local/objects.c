/*
 * objects.c - what an API server does to single objects, as far as a controller can tell: preconditions, uids that are
 * never given twice, a resourceVersion that grows with each change and with nothing else, a generation that grows with
 * the spec, finalizers that hold an object until they are gone, and a status that only a patch of the status touches.
 */
#include "objects.h"

#include <inttypes.h>
#include <stdlib.h>

#include "local.h"
#include "merge.h"
#include "secrets.h"

static struct store *store_of(void *platform) {
  return &((struct platform *)platform)->store;
}

int objects_kind(const char *name, enum bo_manifest_kind *kind, struct bo_error *error) {
  for (int i = BO_MANIFEST_STORAGE; i <= BO_MANIFEST_RUN; i++) {
    *kind = (enum bo_manifest_kind)i;
    if (strcmp(bo_manifest_kind_name(*kind), name) == 0) return BO_OK;
  }
  return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "the platform local cannot do this to objects of the kind %.60s",
                      name);
}

static struct object_key make_key(enum bo_manifest_kind kind, const char *namespace_name, const char *name) {
  if (kind == BO_MANIFEST_STORAGE)
    namespace_name = "";
  else if (namespace_name == NULL || namespace_name[0] == '\0')
    namespace_name = "default";
  return (struct object_key){kind, namespace_name, name};
}

static int find(const struct store *store, const struct object_key *key, struct entry **entry, struct bo_error *error) {
  *entry = store_find(store, key);
  if (*entry != NULL && !(*entry)->deleted) return BO_OK;
  const char *slash = key->namespace_name[0] != '\0' ? "/" : "";
  return bo_error_set(error, BO_CLASS_NOT_FOUND, 0, "there is no %s \"%s%s%s\"", bo_manifest_kind_name(key->kind),
                      key->namespace_name, slash, key->name);
}

/* `json` may be NULL: not wanted. */
static int hand_out(const struct store *store, const cJSON *object, char **json, struct bo_error *error) {
  if (json == NULL) return BO_OK;
  char *text = cJSON_PrintUnformatted(object);
  size_t size = text != NULL ? strlen(text) + 1 : 0;
  *json = text != NULL ? store->host->alloc(store->host->context, size) : NULL;
  if (*json != NULL) memcpy(*json, text, size);
  cJSON_free(text);
  return *json != NULL ? BO_OK : bo_error_no_memory(error);
}

static cJSON *object_in(const cJSON *record) {
  return cJSON_GetObjectItemCaseSensitive(record, "object");
}

/* ---- get ----------------------------------------------------------------------------------------------------- */

static int get(struct store *store, const struct object_key *key, char **json, struct bo_error *error) {
  struct entry *entry = NULL;
  CLEANUP_JSON cJSON *record = NULL;
  int result = find(store, key, &entry, error);
  if (result == BO_OK) result = store_load(store, entry, &record, error);
  return result == BO_OK ? hand_out(store, object_in(record), json, error) : result;
}

int object_get(void *platform, const char *kind, const char *namespace_name, const char *name, char **json,
               struct bo_error *error) {
  struct store *store = store_of(platform);
  struct object_key key = {.kind = BO_MANIFEST_SECRET};
  bool secret = strcmp(kind, "Secret") == 0;
  if (!secret && objects_kind(kind, &key.kind, error) != BO_OK) return BO_ERROR;
  key = make_key(key.kind, namespace_name, name);
  if (store_enter(store, error) != BO_OK) return BO_ERROR;
  int result = secret ? secret_get(store, key.namespace_name, key.name, json, error) : get(store, &key, json, error);
  store_leave(store);
  return result;
}

/* ---- create -------------------------------------------------------------------------------------------------- */

static int put_new(struct store *store, const struct object_key *key, cJSON *record, struct bo_error *error) {
  struct entry *entry = store_find(store, key);
  CLEANUP_JSON cJSON *old = NULL;
  if (entry != NULL && !entry->deleted)
    return bo_error_set(error, BO_CLASS_EXISTS, 0, "there is a %s \"%s\" already", bo_manifest_kind_name(key->kind),
                        key->name);
  if (entry == NULL) {
    entry = store_add(store, key);
    if (entry == NULL) return bo_error_no_memory(error);
    int result = store_save(store, entry, record, true, error);
    if (result != BO_OK) store_remove(store, entry);
    return result;
  }
  /* In the place of one whose manifest is still there: the new one follows that manifest's changes. */
  if (store_load(store, entry, &old, error) != BO_OK) return BO_ERROR;
  cJSON *manifest = cJSON_DetachItemFromObjectCaseSensitive(old, "manifest");
  bool ok = manifest != NULL && cJSON_AddItemToObject(record, "manifest", manifest) && entry->source != NULL &&
            object_set_text(record, "source", entry->source);
  return ok ? store_save(store, entry, record, true, error) : bo_error_no_memory(error);
}

int object_create(void *platform, const char *json, char **created_json, struct bo_error *error) {
  struct store *store = store_of(platform);
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set = {0};
  CLEANUP_JSON cJSON *record = cJSON_CreateObject();
  cJSON *object = NULL;
  if (bo_manifest_from_json(json, strlen(json), "the new object", &set, error) != BO_OK) return BO_ERROR;
  if (set.manifest_count != 1 || set.manifests[0].kind == BO_MANIFEST_SECRET)
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0,
                        "the platform local creates one object at a time, and none but backup-operator's own");
  struct object_key key = object_key_of(&set.manifests[0]);
  int result = object_from_manifest(&set.manifests[0], &object, error);
  if (object != NULL && !cJSON_AddItemToObject(record, "object", object)) {
    cJSON_Delete(object);
    return bo_error_no_memory(error);
  }
  if (result != BO_OK) return result;
  object_strip(object);
  if (object_begin(object, error) != BO_OK || store_enter(store, error) != BO_OK) return BO_ERROR;
  result = put_new(store, &key, record, error);
  if (result == BO_OK) result = hand_out(store, object, created_json, error);
  store_leave(store);
  return result;
}

/* ---- delete -------------------------------------------------------------------------------------------------- */

static int check_preconditions(const struct entry *entry, const char *uid, const char *version,
                               struct bo_error *error) {
  char own[24];
  (void)snprintf(own, sizeof(own), "%" PRIu64, entry->version);
  if (uid != NULL && strcmp(uid, entry->uid) != 0)
    return bo_error_set(error, BO_CLASS_CONFLICT, 0, "the %s \"%s\" is another one meanwhile: its uid is %s, not %.60s",
                        bo_manifest_kind_name(entry->key.kind), entry->key.name, entry->uid, uid);
  if (version != NULL && strcmp(version, own) != 0)
    return bo_error_set(error, BO_CLASS_CONFLICT, 0,
                        "the %s \"%s\" changed meanwhile: its resourceVersion is %s, not %.30s",
                        bo_manifest_kind_name(entry->key.kind), entry->key.name, own, version);
  return BO_OK;
}

int object_delete(void *platform, const char *kind, const char *namespace_name, const char *name, const char *uid,
                  const char *resource_version, struct bo_error *error) {
  struct store *store = store_of(platform);
  struct entry *entry = NULL;
  CLEANUP_JSON cJSON *record = NULL;
  enum bo_manifest_kind number;
  if (objects_kind(kind, &number, error) != BO_OK) return BO_ERROR;
  struct object_key key = make_key(number, namespace_name, name);
  if (store_enter(store, error) != BO_OK) return BO_ERROR;
  int result = find(store, &key, &entry, error);
  if (result == BO_OK) result = check_preconditions(entry, uid, resource_version, error);
  if (result == BO_OK) result = store_load(store, entry, &record, error);
  if (result == BO_OK) result = store_delete(store, entry, record, error);
  store_leave(store);
  return result;
}

/* ---- patch --------------------------------------------------------------------------------------------------- */

/* What a patch of the object cannot change. A missing one stays missing. */
static bool keep_owned(cJSON *object, const cJSON *old) {
  static const char *const owned[] = {
      "name", "namespace", "uid", "generation", "creationTimestamp", "deletionTimestamp", "resourceVersion"};
  cJSON *metadata = object_metadata(object);
  bool ok = cJSON_IsObject(metadata);
  for (size_t i = 0; ok && i < sizeof(owned) / sizeof(owned[0]); i++) {
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object_metadata(old), owned[i]);
    if (value == NULL) cJSON_DeleteItemFromObjectCaseSensitive(metadata, owned[i]);
    ok = value == NULL || object_set(metadata, owned[i], cJSON_Duplicate(value, true));
  }
  static const char *const whole[] = {"apiVersion", "kind", "status"};
  for (size_t i = 0; ok && i < sizeof(whole) / sizeof(whole[0]); i++) {
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(old, whole[i]);
    if (value == NULL) cJSON_DeleteItemFromObjectCaseSensitive(object, whole[i]);
    ok = value == NULL || object_set(object, whole[i], cJSON_Duplicate(value, true));
  }
  return ok;
}

static int check_object(const cJSON *object, struct bo_error *error) {
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set = {0};
  char *text = cJSON_PrintUnformatted(object);
  if (text == NULL) return bo_error_no_memory(error);
  int result = bo_manifest_from_json(text, strlen(text), "the patched object", &set, error);
  cJSON_free(text);
  return result;
}

/* The object after the patch, checked. */
static int make_patched(const cJSON *old, int status, const cJSON *patch, cJSON **patched, struct bo_error *error) {
  cJSON *object = cJSON_Duplicate(old, true);
  if (object == NULL) return bo_error_no_memory(error);
  if (status != 0) {
    cJSON *merged = merge_apply(cJSON_DetachItemFromObjectCaseSensitive(object, "status"), patch);
    *patched = object;
    if (!object_set(object, "status", merged)) return bo_error_no_memory(error);
    return check_object(object, error);
  }
  *patched = object = merge_apply(object, patch);
  if (object == NULL) return bo_error_no_memory(error);
  if (!cJSON_IsObject(object_metadata(object)))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the patch would leave the object without metadata");
  if (!keep_owned(object, old)) return bo_error_no_memory(error);
  bool same_spec = cJSON_Compare(cJSON_GetObjectItemCaseSensitive(old, "spec"),
                                 cJSON_GetObjectItemCaseSensitive(object, "spec"), true);
  if (!same_spec && !object_next_generation(object)) return bo_error_no_memory(error);
  return check_object(object, error);
}

static int patch_entry(struct store *store, struct entry *entry, int status, const cJSON *patch, char **json,
                       struct bo_error *error) {
  CLEANUP_JSON cJSON *record = NULL;
  CLEANUP_JSON cJSON *patched = NULL;
  const cJSON *metadata = status == 0 ? object_metadata(patch) : NULL;
  int result =
      check_preconditions(entry, object_text(metadata, "uid"), object_text(metadata, "resourceVersion"), error);
  if (result == BO_OK) result = store_load(store, entry, &record, error);
  if (result == BO_OK) result = make_patched(object_in(record), status, patch, &patched, error);
  if (result != BO_OK) return result;
  if (cJSON_Compare(object_in(record), patched, true)) return hand_out(store, patched, json, error);
  cJSON *object = patched;
  patched = NULL;
  if (!object_set(record, "object", object)) return bo_error_no_memory(error);
  if (!object_is_terminating(object) || object_has_finalizers(object)) {
    result = store_save(store, entry, record, true, error);
    return result == BO_OK ? hand_out(store, object, json, error) : result;
  }
  /* The last finalizer is gone, and so is the object. */
  if (hand_out(store, object, json, error) != BO_OK) return BO_ERROR;
  result = store_drop(store, entry, record, error);
  if (result == BO_OK || json == NULL) return result;
  store->host->free(store->host->context, *json);
  *json = NULL;
  return result;
}

int object_patch(void *platform, const char *kind, const char *namespace_name, const char *name, int status,
                 const char *patch_json, char **patched_json, struct bo_error *error) {
  struct store *store = store_of(platform);
  struct entry *entry = NULL;
  CLEANUP_JSON cJSON *patch = cJSON_Parse(patch_json);
  enum bo_manifest_kind number;
  if (objects_kind(kind, &number, error) != BO_OK) return BO_ERROR;
  if (!cJSON_IsObject(patch)) return bo_error_set(error, BO_CLASS_CONFIG, 0, "the patch is not a JSON object");
  struct object_key key = make_key(number, namespace_name, name);
  if (store_enter(store, error) != BO_OK) return BO_ERROR;
  int result = find(store, &key, &entry, error);
  if (result == BO_OK) result = patch_entry(store, entry, status, patch, patched_json, error);
  store_leave(store);
  return result;
}
