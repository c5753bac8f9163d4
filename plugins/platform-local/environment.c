/*
 * environment.c - reads a container's `env`. A value that cannot be had is an error and never an empty variable: a
 * command that lacks a password or a host name may do something else than it should.
 */
#include "environment.h"

#include <string.h>

static char *find(const struct environment *environment, const char *name, size_t length) {
  const struct bo_buffer *bytes = &environment->bytes;
  for (size_t at = 0; at < bytes->size; at += strlen(bytes->bytes + at) + 1) {
    char *item = bytes->bytes + at;
    if (strncmp(item, name, length) == 0 && item[length] == '=') return item;
  }
  return NULL;
}

const char *environment_get(const struct environment *environment, const char *name) {
  const char *item = find(environment, name, strlen(name));
  return item != NULL ? item + strlen(name) + 1 : NULL;
}

bool environment_set(struct environment *environment, const char *name, const char *value) {
  struct bo_buffer *bytes = &environment->bytes;
  char *old = find(environment, name, strlen(name));
  if (old != NULL) {
    size_t size = strlen(old) + 1;
    memmove(old, old + size, bytes->size - (size_t)(old - bytes->bytes) - size);
    bytes->size -= size;
    environment->count--;
  }
  environment->count++;
  return bo_buffer_printf(bytes, "%s=%s", name, value) && bo_buffer_append(bytes, "", 1);
}

void environment_free(struct environment *environment) {
  bo_buffer_cleanse(&environment->bytes);
  environment->count = 0;
}

/* Appends `value` with its references replaced: Kubernetes API, EnvVar.value. */
static void expand(const struct environment *environment, const char *value, struct bo_buffer *out) {
  while (*value != '\0') {
    size_t plain = strcspn(value, "$");
    (void)bo_buffer_append(out, value, plain);
    value += plain;
    const char *end = value[0] == '$' && value[1] == '(' ? strchr(value, ')') : NULL;
    size_t length = end != NULL ? (size_t)(end - value) - 2 : 0;
    const char *found = end != NULL ? find(environment, value + 2, length) : NULL;
    if (found != NULL) {
      (void)bo_buffer_append_text(out, found + length + 1);
      value = end + 1;
    } else if (*value != '\0') {
      (void)bo_buffer_append(out, "$", 1);
      value += value[1] == '$' ? 2 : 1;
    }
  }
}

/* ---- values from elsewhere ----------------------------------------------------------------------------------- */

/* A variable on its way, and what is said of it. */
struct variable {
  const char *container;
  const char *name;
  const struct environment_source *source;
};

static const char *text_of(const cJSON *object, const char *key) {
  return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static const struct bo_secret *find_secret(const struct environment_source *source, const char *name, const char *key) {
  size_t length = strlen(name);
  for (size_t i = 0; i < source->secret_count; i++) {
    const char *known = source->secrets[i].name;
    if (strncmp(known, name, length) == 0 && known[length] == '/' && strcmp(known + length + 1, key) == 0)
      return &source->secrets[i];
  }
  return NULL;
}

/* *value is NULL when there is none and that is permitted. */
static int read_secret(const struct variable *variable, const cJSON *reference, const char **value,
                       struct bo_error *error) {
  const char *name = text_of(reference, "name"), *key = text_of(reference, "key");
  if (name == NULL || name[0] == '\0' || key == NULL || key[0] == '\0')
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "container \"%s\": the secretKeyRef of env \"%s\" needs a name and a key", variable->container,
                        variable->name);
  const struct bo_secret *secret = find_secret(variable->source, name, key);
  *value = secret != NULL ? (const char *)secret->bytes : NULL;
  if (secret == NULL && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(reference, "optional"))) return BO_OK;
  if (secret == NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "container \"%s\": env \"%s\" takes its value from the key \"%s\" of the secret \"%s\", which "
                        "is not there; add the key to that secret (in the run's namespace), or mark the reference as "
                        "optional",
                        variable->container, variable->name, key, name);
  if (strlen(*value) != secret->size)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "container \"%s\": the key \"%s\" of the secret \"%s\" has a NUL byte in it, which no "
                        "environment variable such as \"%s\" can hold; let the command read a file instead",
                        variable->container, key, name, variable->name);
  return BO_OK;
}

static int read_field(const struct variable *variable, const cJSON *reference, const char **value,
                      struct bo_error *error) {
  const struct environment_source *source = variable->source;
  const struct bo_pair fields[] = {
      {"metadata.name", source->name}, {"metadata.namespace", source->namespace_name}, {"metadata.uid", source->uid}};
  const char *path = text_of(reference, "fieldPath");
  for (size_t i = 0; path != NULL && i < sizeof(fields) / sizeof(fields[0]); i++) {
    if (strcmp(path, fields[i].name) != 0) continue;
    *value = fields[i].value != NULL ? fields[i].value : "";
    return BO_OK;
  }
  return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0,
                      "container \"%s\": env \"%s\" refers to the field \"%.100s\"; the platform local knows "
                      "metadata.name, metadata.namespace and metadata.uid",
                      variable->container, variable->name, path != NULL ? path : "");
}

static int read_value_from(const struct variable *variable, const cJSON *from, const char **value,
                           struct bo_error *error) {
  const cJSON *secret = cJSON_GetObjectItemCaseSensitive(from, "secretKeyRef");
  const cJSON *field = cJSON_GetObjectItemCaseSensitive(from, "fieldRef");
  if (cJSON_IsObject(secret)) return read_secret(variable, secret, value, error);
  if (cJSON_IsObject(field)) return read_field(variable, field, value, error);
  const char *kind = cJSON_IsObject(from) && from->child != NULL ? from->child->string : "nothing";
  return bo_error_set(
      error, BO_CLASS_UNSUPPORTED, 0,
      "container \"%s\": env \"%s\" takes its value from elsewhere (valueFrom: %.60s), which the platform "
      "local cannot do; it knows secretKeyRef and fieldRef: else write the value itself, or let the "
      "command read it from a file",
      variable->container, variable->name, kind);
}

/* ---- the list ------------------------------------------------------------------------------------------------ */

static int read_variable(const cJSON *item, struct variable *variable, struct environment *environment,
                         struct bo_error *error) {
  const char *name = text_of(item, "name");
  if (name == NULL || name[0] == '\0' || strchr(name, '=') != NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "container \"%s\": each env item needs a name without \"=\"",
                        variable->container);
  variable->name = name;
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(item, "value");
  const cJSON *from = cJSON_GetObjectItemCaseSensitive(item, "valueFrom");
  BO_CLEANUP(bo_buffer_cleanse) struct bo_buffer expanded = BO_BUFFER_INIT;
  const char *text = "";
  if (value != NULL && !cJSON_IsString(value))
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "container \"%s\": the value of env \"%s\" is not a string; quote it", variable->container,
                        name);
  if (value != NULL && value->valuestring[0] != '\0' && from != NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "container \"%s\": env \"%s\" has both value and valueFrom; remove one", variable->container,
                        name);
  if (from != NULL) {
    if (read_value_from(variable, from, &text, error) != BO_OK) return BO_ERROR;
    if (text == NULL) return BO_OK;
  } else if (value != NULL) {
    expand(environment, value->valuestring, &expanded);
    text = bo_buffer_text(&expanded);
  }
  return !expanded.failed && environment_set(environment, name, text) ? BO_OK : bo_error_no_memory(error);
}

int environment_read(const cJSON *list, const char *container, const struct environment_source *source,
                     struct environment *environment, struct bo_error *error) {
  struct variable variable = {container, NULL, source};
  const cJSON *item;
  cJSON_ArrayForEach(item, list) {
    if (read_variable(item, &variable, environment, error) != BO_OK) return BO_ERROR;
  }
  return BO_OK;
}
