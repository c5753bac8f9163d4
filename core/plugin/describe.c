/* What a plugin is, as JSON: from its descriptor alone, so it needs no configuration and starts nothing. */
#include <backup-operator/plugin.h>
#include <cjson/cJSON.h>

#include "core/plugin/loader.h"

static const char *const type_names[] = {NULL, "string", "bool", "integer", "size", "seconds", "enum"};

/* Exact, which a double would not be over 2^53. */
static void add_integer(cJSON *json, const char *name, int64_t value) {
  char text[24];
  (void)snprintf(text, sizeof(text), "%lld", (long long)value);
  (void)cJSON_AddRawToObject(json, name, text);
}

static cJSON *describe_param(const struct bo_param *param) {
  cJSON *json = cJSON_CreateObject();
  (void)cJSON_AddStringToObject(json, "key", param->key);
  (void)cJSON_AddStringToObject(json, "type", type_names[param->type]);
  (void)cJSON_AddBoolToObject(json, "required", (param->flags & BO_PARAM_REQUIRED) != 0);
  (void)cJSON_AddBoolToObject(json, "secret", (param->flags & BO_PARAM_SECRET) != 0);
  (void)cJSON_AddBoolToObject(json, "repeated", (param->flags & BO_PARAM_REPEATED) != 0);
  if (param->default_value != NULL) (void)cJSON_AddStringToObject(json, "default", param->default_value);
  if (param->minimum != 0 || param->maximum != 0) {
    add_integer(json, "minimum", param->minimum);
    add_integer(json, "maximum", param->maximum);
  }
  if (param->type == BO_TYPE_ENUM) (void)cJSON_AddStringToObject(json, "choices", param->choices);
  (void)cJSON_AddStringToObject(json, "description", param->description);
  return json;
}

int bo_plugin_describe(const struct bo_loaded_plugin *plugin, struct bo_buffer *out, struct bo_error *error) {
  const struct bo_plugin *descriptor = &plugin->descriptor;
  char abi[16];
  (void)snprintf(abi, sizeof(abi), "%u.%u", descriptor->header.abi_major, descriptor->header.abi_minor);
  cJSON *json = cJSON_CreateObject();
  (void)cJSON_AddStringToObject(json, "name", descriptor->name);
  (void)cJSON_AddStringToObject(json, "kind", bo_kind_name(descriptor->kind));
  (void)cJSON_AddStringToObject(json, "abi", abi);
  (void)cJSON_AddStringToObject(json, "version", descriptor->version);
  (void)cJSON_AddStringToObject(json, "license", descriptor->license);
  (void)cJSON_AddStringToObject(json, "origin", descriptor->origin);
  (void)cJSON_AddStringToObject(json, "description", descriptor->description);
  (void)cJSON_AddStringToObject(json, "file", plugin->path);
  (void)cJSON_AddNumberToObject(json, "threads", descriptor->threads);
  cJSON *capabilities = cJSON_AddArrayToObject(json, "capabilities");
  if (descriptor->kind == BO_KIND_PLATFORM && (descriptor->capabilities & BO_CAN_OBJECTS) != 0)
    (void)cJSON_AddItemToArray(capabilities, cJSON_CreateString("objects"));
  cJSON *params = cJSON_AddArrayToObject(json, "parameters");
  for (uint32_t i = 0; i < descriptor->param_count; i++)
    (void)cJSON_AddItemToArray(params, describe_param(&plugin->params[i]));
  char *text = cJSON_PrintUnformatted(json);
  cJSON_Delete(json);
  bool ok = text != NULL && bo_buffer_append_text(out, text);
  cJSON_free(text);
  return ok ? BO_OK : bo_error_no_memory(error);
}
