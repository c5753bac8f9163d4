/* Structs to JSON, by the tables that decode them. */
#include <inttypes.h>

#include "core/api/fields.h"
#include "core/base/clock.h"

static cJSON *encode_struct(const struct bo_fields *fields, const void *value);

static cJSON *encode_integer(const struct bo_optional *value) {
  char text[32];
  (void)snprintf(text, sizeof(text), "%" PRId64, value->value);
  return cJSON_CreateRaw(text); /* cJSON's own numbers are doubles: an int64_t would lose digits */
}

static cJSON *encode_time(const struct bo_optional *value) {
  char text[BO_TIME_TEXT_MAX];
  bo_time_format(value->value, text);
  return cJSON_CreateString(text);
}

static cJSON *encode_string_map(const struct bo_string_map *map) {
  cJSON *json = cJSON_CreateObject();
  for (size_t i = 0; json != NULL && i < map->count; i++) {
    if (cJSON_AddStringToObject(json, map->items[i].name, map->items[i].value) != NULL) continue;
    cJSON_Delete(json);
    return NULL;
  }
  return json;
}

static cJSON *encode_structs(const struct bo_fields *fields, const char *items, size_t count) {
  cJSON *json = cJSON_CreateArray();
  for (size_t i = 0; json != NULL && i < count; i++) {
    cJSON *item = encode_struct(fields, items + i * fields->size);
    if (item != NULL && cJSON_AddItemToArray(json, item)) continue;
    cJSON_Delete(item);
    cJSON_Delete(json);
    return NULL;
  }
  return json;
}

/* Whether there is anything to write. */
static bool is_present(const struct bo_field *field, const void *member) {
  switch (field->type) {
    case BO_FIELD_STRING:
    case BO_FIELD_JSON:
    case BO_FIELD_OPTIONAL_STRUCT: return *(void *const *)member != NULL;
    case BO_FIELD_INTEGER:
    case BO_FIELD_TIME: return ((const struct bo_optional *)member)->is_set;
    case BO_FIELD_BOOL: return *(const bool *)member;
    case BO_FIELD_STRINGS: return ((const struct bo_strings *)member)->count > 0;
    case BO_FIELD_STRING_MAP: return ((const struct bo_string_map *)member)->count > 0;
    case BO_FIELD_STRUCTS: return ((const struct bo_conditions *)member)->count > 0;
    case BO_FIELD_STRUCT:
    case BO_FIELD_CONSTANT: return true;
    case BO_FIELD_IGNORED: return false;
  }
  return false;
}

static cJSON *encode_field(const struct bo_field *field, const void *member) {
  switch (field->type) {
    case BO_FIELD_STRING: return cJSON_CreateString(*(const char *const *)member);
    case BO_FIELD_JSON: return cJSON_CreateRaw(*(const char *const *)member);
    case BO_FIELD_INTEGER: return encode_integer(member);
    case BO_FIELD_TIME: return encode_time(member);
    case BO_FIELD_BOOL: return cJSON_CreateTrue();
    case BO_FIELD_STRINGS: {
      const struct bo_strings *strings = member;
      return cJSON_CreateStringArray(strings->items, (int)strings->count);
    }
    case BO_FIELD_STRING_MAP: return encode_string_map(member);
    case BO_FIELD_STRUCT: return encode_struct(field->fields, member);
    case BO_FIELD_OPTIONAL_STRUCT: return encode_struct(field->fields, *(void *const *)member);
    case BO_FIELD_STRUCTS: {
      const struct bo_conditions *list = member; /* all lists begin alike */
      return encode_structs(field->fields, (const char *)list->items, list->count);
    }
    case BO_FIELD_CONSTANT: return cJSON_CreateString(field->default_value);
    case BO_FIELD_IGNORED: break;
  }
  return NULL;
}

static cJSON *encode_struct(const struct bo_fields *fields, const void *value) {
  cJSON *json = cJSON_CreateObject();
  for (size_t i = 0; json != NULL && i < fields->count; i++) {
    const struct bo_field *field = &fields->list[i];
    const void *member = (const char *)value + field->offset;
    if (!is_present(field, member)) continue;
    cJSON *item = encode_field(field, member);
    bool empty = item != NULL && field->type == BO_FIELD_STRUCT && item->child == NULL;
    if (empty) cJSON_Delete(item);
    if (empty || (item != NULL && cJSON_AddItemToObject(json, field->name, item))) continue;
    cJSON_Delete(item);
    cJSON_Delete(json);
    return NULL;
  }
  return json;
}

int bo_manifest_to_json(const struct bo_manifest *manifest, struct bo_buffer *out, struct bo_error *error) {
  switch (manifest->kind) {
    case BO_MANIFEST_STORAGE: return bo_backup_storage_to_json(manifest->storage, out, error);
    case BO_MANIFEST_SCHEDULE: return bo_backup_schedule_to_json(manifest->schedule, out, error);
    case BO_MANIFEST_RUN: return bo_backup_run_to_json(manifest->run, out, error);
    case BO_MANIFEST_SECRET: break;
  }
  return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "a Secret is not written out");
}

int bo_encode(const struct bo_fields *fields, const void *value, struct bo_buffer *out, struct bo_error *error) {
  cJSON *json = encode_struct(fields, value);
  char *text = json == NULL ? NULL : cJSON_PrintUnformatted(json);
  cJSON_Delete(json);
  bool appended = text != NULL && bo_buffer_append_text(out, text);
  cJSON_free(text);
  return appended ? BO_OK : bo_error_no_memory(error);
}
