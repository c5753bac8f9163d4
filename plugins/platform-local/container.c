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

#include "user.h"

static void cleanup_json(cJSON **json) {
  cJSON_Delete(*json);
}
#define CLEANUP_JSON BO_CLEANUP(cleanup_json)

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

static int copy_text(const cJSON *object, const char *key, char **copy, struct bo_error *error) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
  if (text == NULL || text[0] == '\0') return BO_OK;
  *copy = strdup(text);
  return *copy != NULL ? BO_OK : bo_error_no_memory(error);
}

/* What is handed from container to container. */
struct reading {
  const struct environment_source *source;
  struct user_wish user; /* the pod's */
  struct bo_buffer *ignored;
};

static int read_user(const cJSON *object, const char *where, struct user_wish *user, struct bo_buffer *ignored,
                     struct bo_error *error) {
  static const char *const known[] = {"runAsUser", "runAsGroup", "runAsNonRoot", NULL};
  const cJSON *context = cJSON_GetObjectItemCaseSensitive(object, "securityContext");
  if (context == NULL || cJSON_IsNull(context)) return BO_OK;
  if (!cJSON_IsObject(context))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s: securityContext must be a map", where);
  note_ignored(context, known, ignored);
  return user_read(context, where, user, error);
}

static int read_container_user(const cJSON *object, const struct reading *reading, struct container *container,
                               struct bo_error *error) {
  char where[128];
  struct user_wish user = reading->user;
  (void)snprintf(where, sizeof(where), "container \"%.100s\"", container->name);
  int result = read_user(object, where, &user, reading->ignored, error);
  return result == BO_OK ? user_resolve(&user, where, &container->user, error) : result;
}

static int read_container(const cJSON *object, const struct reading *reading, struct container *container,
                          struct bo_error *error) {
  static const char *const known[] = {"name", "env", "workingDir", "securityContext", NULL};
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
  int result = environment_read(cJSON_GetObjectItemCaseSensitive(object, "env"), container->name, reading->source,
                                &container->environment, error);
  if (result == BO_OK) result = read_container_user(object, reading, container, error);
  note_ignored(object, known, reading->ignored);
  return result;
}

static int read_containers(const cJSON *list, const struct reading *reading, struct containers *containers,
                           struct bo_error *error) {
  size_t count = list != NULL ? (size_t)cJSON_GetArraySize(list) : 0;
  containers->count = count > 0 ? count : 1;
  containers->items = calloc(containers->count, sizeof(*containers->items));
  if (containers->items == NULL) return bo_error_no_memory(error);
  if (count == 0) return user_resolve(&reading->user, "the template's pod", &containers->items[0].user, error);
  const cJSON *object;
  struct container *next = containers->items;
  cJSON_ArrayForEach(object, list) {
    if (read_container(object, reading, next++, error) != BO_OK) return BO_ERROR;
  }
  return BO_OK;
}

int containers_read(const char *template_json, const struct environment_source *source, struct containers *containers,
                    struct bo_buffer *ignored, struct bo_error *error) {
  static const char *const known[] = {"containers", "securityContext", NULL};
  struct reading reading = {source, USER_WISH_INIT, ignored};
  *containers = (struct containers){NULL, 0};
  CLEANUP_JSON cJSON *template = cJSON_Parse(template_json);
  if (!cJSON_IsObject(template))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the workload's template is not a JSON object");
  const cJSON *spec = cJSON_GetObjectItemCaseSensitive(template, "spec");
  const cJSON *list = cJSON_GetObjectItemCaseSensitive(spec, "containers");
  if ((spec != NULL && !cJSON_IsObject(spec)) || (list != NULL && !cJSON_IsArray(list)))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the template's spec is not a PodSpec: containers must be a list");
  if (read_user(spec, "the template's pod", &reading.user, ignored, error) != BO_OK ||
      read_containers(list, &reading, containers, error) != BO_OK) {
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
    environment_free(&containers->items[i].environment);
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

int container_environment(const struct container *container, const char *folder, struct environment *environment,
                          struct bo_error *error) {
  struct passwd entry = {0}, *user = NULL;
  char names[4096];
  bool other = container->user.change != 0 && container->user.uid != geteuid();
  (void)getpwuid_r(other ? container->user.uid : geteuid(), &entry, names, sizeof(names), &user);
  const char *home = user != NULL ? entry.pw_dir : "/";
  const char *user_name = user != NULL ? entry.pw_name : "nobody";
  if (!other) user_name = own_or("USER", user_name);
  const struct bo_pair own[] = {
      {"TMPDIR", folder},
      {"PATH", own_or("PATH", DEFAULT_PATH)},
      {"HOME", other ? home : own_or("HOME", home)},
      {"USER", user_name},
      {"LOGNAME", other ? user_name : own_or("LOGNAME", user_name)},
      {"SHELL", other ? "/bin/sh" : own_or("SHELL", "/bin/sh")},
      {"LANG", own_or("LANG", "C.UTF-8")},
  };
  bool ok = true;
  for (size_t i = 0; ok && i < sizeof(own) / sizeof(own[0]); i++) {
    if (environment_get(&container->environment, own[i].name) == NULL)
      ok = environment_set(environment, own[i].name, own[i].value);
  }
  environment->count += container->environment.count;
  ok = ok &&
       bo_buffer_append(&environment->bytes, container->environment.bytes.bytes, container->environment.bytes.size);
  return ok ? BO_OK : bo_error_no_memory(error);
}
