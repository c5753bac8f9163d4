/*
 * container.c - reads pod templates. What cannot be had here and would change what a command does (a value from a
 * Secret) is an error; what merely describes the Pod (image, volumes, resources) is named, so that it can be said
 * once, and ignored.
 */
#include "container.h"

#include <cjson/cJSON.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>

static void cleanup_json(cJSON **json) {
  cJSON_Delete(*json);
}
#define CLEANUP_JSON BO_CLEANUP(cleanup_json)

/* ---- environments: NAME=value with NULs in a buffer ---------------------------------------------------------- */

static char *environment_find(const struct bo_buffer *environment, const char *name, size_t length) {
  for (size_t at = 0; at < environment->size; at += strlen(environment->bytes + at) + 1) {
    char *item = environment->bytes + at;
    if (strncmp(item, name, length) == 0 && item[length] == '=') return item;
  }
  return NULL;
}

static bool environment_set(struct bo_buffer *environment, uint32_t *count, const char *name, const char *value) {
  char *old = environment_find(environment, name, strlen(name));
  if (old != NULL) {
    size_t size = strlen(old) + 1;
    size_t behind = environment->size - (size_t)(old - environment->bytes) - size;
    memmove(old, old + size, behind);
    environment->size -= size;
    (*count)--;
  }
  (*count)++;
  return bo_buffer_printf(environment, "%s=%s", name, value) && bo_buffer_append(environment, "", 1);
}

/* Appends `value` with $(NAME) replaced where an earlier variable has that name, and $$ by $: Kubernetes API,
 * EnvVar.value. */
static void expand(const struct bo_buffer *environment, const char *value, struct bo_buffer *out) {
  while (*value != '\0') {
    size_t plain = strcspn(value, "$");
    (void)bo_buffer_append(out, value, plain);
    value += plain;
    const char *end = value[0] == '$' && value[1] == '(' ? strchr(value, ')') : NULL;
    size_t length = end != NULL ? (size_t)(end - value) - 2 : 0;
    const char *found = end != NULL ? environment_find(environment, value + 2, length) : NULL;
    if (found != NULL) {
      (void)bo_buffer_append_text(out, found + length + 1);
      value = end + 1;
    } else if (*value != '\0') {
      (void)bo_buffer_append(out, "$", 1);
      value += value[1] == '$' ? 2 : 1;
    }
  }
}

/* ---- the template -------------------------------------------------------------------------------------------- */

static bool is_one_of(const char *name, const char *const *known) {
  for (; *known != NULL; known++)
    if (strcmp(name, *known) == 0) return true;
  return false;
}

static void note_ignored(const cJSON *object, const char *const *known, struct bo_buffer *ignored) {
  for (const cJSON *field = object->child; field != NULL; field = field->next) {
    if (is_one_of(field->string, known)) continue;
    char pattern[128];
    (void)snprintf(pattern, sizeof(pattern), ", %.100s,", field->string);
    BO_CLEANUP_BUFFER struct bo_buffer all = BO_BUFFER_INIT;
    (void)bo_buffer_printf(&all, ", %s,", bo_buffer_text(ignored));
    if (strstr(bo_buffer_text(&all), pattern) != NULL) continue;
    (void)bo_buffer_printf(ignored, "%s%.100s", ignored->size > 0 ? ", " : "", field->string);
  }
}

static int read_variable(const cJSON *item, struct container *container, struct bo_error *error) {
  const char *where = container->name;
  const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "name"));
  if (name == NULL || name[0] == '\0' || strchr(name, '=') != NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "container \"%s\": each env item needs a name without \"=\"", where);
  if (cJSON_GetObjectItemCaseSensitive(item, "valueFrom") != NULL)
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0,
                        "container \"%s\": env \"%s\" takes its value from elsewhere (valueFrom), which the platform "
                        "local cannot do; write the value itself, or let the command read it from a file",
                        where, name);
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(item, "value");
  if (value != NULL && !cJSON_IsString(value))
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "container \"%s\": the value of env \"%s\" is not a string; quote it", where, name);
  BO_CLEANUP_BUFFER struct bo_buffer expanded = BO_BUFFER_INIT;
  expand(&container->environment, value != NULL ? value->valuestring : "", &expanded);
  bool ok = !expanded.failed &&
            environment_set(&container->environment, &container->environment_count, name, bo_buffer_text(&expanded));
  return ok ? BO_OK : bo_error_no_memory(error);
}

static int copy_text(const cJSON *object, const char *key, char **copy, struct bo_error *error) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
  if (text == NULL || text[0] == '\0') return BO_OK;
  *copy = strdup(text);
  return *copy != NULL ? BO_OK : bo_error_no_memory(error);
}

static int read_container(const cJSON *object, struct container *container, struct bo_buffer *ignored,
                          struct bo_error *error) {
  static const char *const known[] = {"name", "env", "workingDir", NULL};
  if (copy_text(object, "name", &container->name, error) != BO_OK) return BO_ERROR;
  if (container->name == NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "each container of the template needs a name");
  if (copy_text(object, "workingDir", &container->folder, error) != BO_OK) return BO_ERROR;
  if (container->folder != NULL && container->folder[0] != '/')
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "container \"%s\": workingDir \"%s\" is not an absolute path",
                        container->name, container->folder);
  if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(object, "envFrom")) > 0)
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0,
                        "container \"%s\": envFrom is nothing that the platform local can do; list the variables "
                        "under env",
                        container->name);
  const cJSON *item;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(object, "env")) {
    if (read_variable(item, container, error) != BO_OK) return BO_ERROR;
  }
  note_ignored(object, known, ignored);
  return BO_OK;
}

static int read_containers(const cJSON *list, struct containers *containers, struct bo_buffer *ignored,
                           struct bo_error *error) {
  size_t count = list != NULL ? (size_t)cJSON_GetArraySize(list) : 0;
  containers->count = count > 0 ? count : 1;
  containers->items = calloc(containers->count, sizeof(*containers->items));
  if (containers->items == NULL) return bo_error_no_memory(error);
  const cJSON *object;
  struct container *next = containers->items;
  cJSON_ArrayForEach(object, list) {
    if (read_container(object, next++, ignored, error) != BO_OK) return BO_ERROR;
  }
  return BO_OK;
}

int containers_read(const char *template_json, struct containers *containers, struct bo_buffer *ignored,
                    struct bo_error *error) {
  static const char *const known[] = {"containers", NULL};
  *containers = (struct containers){NULL, 0};
  CLEANUP_JSON cJSON *template = cJSON_Parse(template_json);
  if (!cJSON_IsObject(template))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the workload's template is not a JSON object");
  const cJSON *spec = cJSON_GetObjectItemCaseSensitive(template, "spec");
  const cJSON *list = cJSON_GetObjectItemCaseSensitive(spec, "containers");
  if ((spec != NULL && !cJSON_IsObject(spec)) || (list != NULL && !cJSON_IsArray(list)))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the template's spec is not a PodSpec: containers must be a list");
  if (read_containers(list, containers, ignored, error) != BO_OK) {
    containers_free(containers);
    return BO_ERROR;
  }
  if (spec != NULL) note_ignored(spec, known, ignored);
  return BO_OK;
}

void containers_free(struct containers *containers) {
  for (size_t i = 0; containers->items != NULL && i < containers->count; i++) {
    free(containers->items[i].name);
    free(containers->items[i].folder);
    bo_buffer_cleanse(&containers->items[i].environment);
  }
  free(containers->items);
  *containers = (struct containers){NULL, 0};
}

int containers_find(const struct containers *containers, const char *name, const struct container **container,
                    struct bo_error *error) {
  *container = &containers->items[0];
  if (name == NULL || name[0] == '\0') return BO_OK;
  for (size_t i = 0; i < containers->count; i++) {
    *container = &containers->items[i];
    if ((*container)->name != NULL && strcmp((*container)->name, name) == 0) return BO_OK;
  }
  return bo_error_set(error, BO_CLASS_CONFIG, 0,
                      "the template has no container \"%s\"; name one that it has, or none for the first", name);
}

/* ---- a command's environment --------------------------------------------------------------------------------- */

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *own_or(const char *name, const char *otherwise) {
  const char *own = getenv(name);
  return own != NULL && own[0] != '\0' ? own : otherwise;
}

int container_environment(const struct container *container, const char *folder, struct bo_buffer *environment,
                          uint32_t *count, struct bo_error *error) {
  struct passwd entry = {0}, *user = NULL;
  char names[4096];
  (void)getpwuid_r(geteuid(), &entry, names, sizeof(names), &user);
  const char *user_name = own_or("USER", user != NULL ? entry.pw_name : "nobody");
  const struct bo_pair own[] = {
      {"TMPDIR", folder},
      {"PATH", own_or("PATH", DEFAULT_PATH)},
      {"HOME", own_or("HOME", user != NULL ? entry.pw_dir : "/")},
      {"USER", user_name},
      {"LOGNAME", own_or("LOGNAME", user_name)},
      {"SHELL", own_or("SHELL", "/bin/sh")},
      {"LANG", own_or("LANG", "C.UTF-8")},
  };
  *count = 0;
  bool ok = true;
  for (size_t i = 0; ok && i < sizeof(own) / sizeof(own[0]); i++) {
    if (environment_find(&container->environment, own[i].name, strlen(own[i].name)) == NULL)
      ok = environment_set(environment, count, own[i].name, own[i].value);
  }
  *count += container->environment_count;
  ok = ok && bo_buffer_append(environment, container->environment.bytes, container->environment.size);
  return ok ? BO_OK : bo_error_no_memory(error);
}
