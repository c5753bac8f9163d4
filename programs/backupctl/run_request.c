/* From a BackupRun, its storage and secrets to the spec that a runner gets. */
#include "programs/backupctl/ctl.h"

static int find_storage(const struct ctl_manifests *manifests, const struct bo_backup_run *run,
                        const struct bo_backup_storage **storage, struct bo_error *error) {
  const struct bo_manifest *found = ctl_manifests_find(manifests, BO_MANIFEST_STORAGE, NULL, run->spec.storage.name);
  if (found == NULL || found->storage == NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "there is no BackupStorage %s, which the run %s names: give its manifest with another -f",
                        run->spec.storage.name, run->meta.name);
  *storage = found->storage;
  return BO_OK;
}

static int find_secret(const struct ctl_manifests *manifests, const char *namespace_name, const char *name,
                       const char *wanted_by, const struct bo_secret_object **secret, struct bo_error *error) {
  const struct bo_manifest *found = ctl_manifests_find(manifests, BO_MANIFEST_SECRET, namespace_name, name);
  if (found == NULL || found->secret == NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "there is no Secret %s in namespace %s, which %s names: give its manifest with another -f",
                        name, namespace_name, wanted_by);
  *secret = found->secret;
  return BO_OK;
}

/* A secret's bytes as text; base64 where they are none. */
static int add_secret(cJSON *secrets, const char *name, const struct bo_secret *entry, struct bo_error *error) {
  if (memchr(entry->bytes, '\0', entry->size) != NULL)
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "the secret's entry %s holds a NUL byte", entry->name);
  cJSON *secret = cJSON_CreateObject();
  (void)cJSON_AddStringToObject(secret, "name", name);
  (void)cJSON_AddStringToObject(secret, "value", (const char *)entry->bytes);
  (void)cJSON_AddItemToArray(secrets, secret);
  return BO_OK;
}

static int add_storage(const struct ctl_manifests *manifests, const struct bo_backup_storage *storage, cJSON *spec,
                       struct bo_error *error) {
  cJSON *json = cJSON_AddObjectToObject(spec, "storage");
  (void)cJSON_AddStringToObject(json, "plugin", storage->spec.type);
  cJSON *parameters = cJSON_AddObjectToObject(json, "parameters");
  for (size_t i = 0; i < storage->spec.parameters.count; i++)
    (void)cJSON_AddStringToObject(parameters, storage->spec.parameters.items[i].name,
                                  storage->spec.parameters.items[i].value);
  const struct bo_secret_reference *credentials = storage->spec.credentials;
  if (credentials == NULL) return BO_OK;
  const struct bo_secret_object *secret = NULL;
  char wanted_by[300];
  (void)snprintf(wanted_by, sizeof(wanted_by), "BackupStorage %s", storage->meta.name);
  int result = find_secret(manifests, credentials->namespace_name == NULL ? "default" : credentials->namespace_name,
                           credentials->name, wanted_by, &secret, error);
  cJSON *secrets = cJSON_AddArrayToObject(json, "secrets");
  for (size_t i = 0; result == BO_OK && i < secret->count; i++)
    result = add_secret(secrets, secret->entries[i].name, &secret->entries[i], error);
  return result;
}

static void add_compression(const struct bo_run_compression *compression, bool encode, cJSON *spec) {
  if (compression == NULL) return;
  cJSON *json = cJSON_AddObjectToObject(spec, "compression");
  (void)cJSON_AddStringToObject(json, "plugin", compression->algorithm);
  if (!compression->level.is_set || !encode) return;
  char level[24];
  (void)snprintf(level, sizeof(level), "%lld", (long long)compression->level.value);
  (void)cJSON_AddStringToObject(cJSON_AddObjectToObject(json, "parameters"), "level", level);
}

static int add_key(const struct ctl_manifests *manifests, const struct bo_backup_run *run, cJSON *json,
                   struct bo_error *error) {
  const struct bo_key_reference *reference = run->spec.encryption->decryption_key;
  const char *own = ctl_namespace(&run->meta);
  if (reference == NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "the object is encrypted, and .spec.encryption.decryptionKey says no key to read it with");
  if (reference->namespace_name != NULL && strcmp(reference->namespace_name, own) != 0)
    return bo_error_set(error, BO_CLASS_AUTH, 0,
                        ".spec.encryption.decryptionKey.namespace: %s is not the run's own namespace (%s)",
                        reference->namespace_name, own);
  const struct bo_secret_object *secret = NULL;
  int result = find_secret(manifests, own, reference->name, ".spec.encryption.decryptionKey", &secret, error);
  if (result != BO_OK) return result;
  const struct bo_secret *entry = bo_secret_object_get(secret, reference->key);
  if (entry == NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "the Secret %s has no entry %s, which .spec.encryption.decryptionKey names", reference->name,
                        reference->key);
  return add_secret(cJSON_AddArrayToObject(json, "secrets"), "identity", entry, error);
}

static int add_encryption(const struct ctl_manifests *manifests, const struct bo_backup_run *run, bool encode,
                          cJSON *spec, struct bo_error *error) {
  if (run->spec.encryption == NULL) return BO_OK;
  cJSON *json = cJSON_AddObjectToObject(spec, "encryption");
  (void)cJSON_AddStringToObject(json, "plugin", "age");
  if (!encode) return add_key(manifests, run, json, error);
  cJSON *recipients = cJSON_AddArrayToObject(cJSON_AddObjectToObject(json, "parameters"), "recipients");
  for (size_t i = 0; i < run->spec.encryption->recipients.count; i++)
    (void)cJSON_AddItemToArray(recipients, cJSON_CreateString(run->spec.encryption->recipients.items[i]));
  return BO_OK;
}

static const cJSON *member(const cJSON *object, const char *name) {
  return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* Does a container's env take a value from this entry of this Secret? */
static bool is_referenced(const cJSON *pod, const char *secret, const char *entry) {
  const cJSON *container = NULL;
  const cJSON *variable = NULL;
  cJSON_ArrayForEach(container, member(pod, "containers")) {
    cJSON_ArrayForEach(variable, member(container, "env")) {
      const cJSON *reference = member(member(variable, "valueFrom"), "secretKeyRef");
      if (strcmp(ctl_text(reference, "name"), secret) == 0 && strcmp(ctl_text(reference, "key"), entry) == 0)
        return true;
    }
  }
  return false;
}

static int add_referenced(const struct bo_secret_object *secret, const cJSON *pod, cJSON *secrets,
                          struct bo_error *error) {
  for (size_t i = 0; i < secret->count; i++) {
    if (!is_referenced(pod, secret->meta.name, secret->entries[i].name)) continue;
    BO_CLEANUP_BUFFER struct bo_buffer name = BO_BUFFER_INIT;
    if (!bo_buffer_printf(&name, "%s/%s", secret->meta.name, secret->entries[i].name)) return bo_error_no_memory(error);
    if (add_secret(secrets, bo_buffer_text(&name), &secret->entries[i], error) != BO_OK) return BO_ERROR;
  }
  return BO_OK;
}

/* The platform gets the secrets that the template's env names, each as "<secret>/<key>", and no others: the private key
 * to restore with is likely to be among them, and it is none of a command's business. */
static int add_platform(const struct ctl_options *options, const struct ctl_manifests *manifests,
                        const struct bo_backup_run *run, cJSON *spec, struct bo_error *error) {
  cJSON *platform = cJSON_AddObjectToObject(spec, "platform");
  (void)cJSON_AddStringToObject(platform, "plugin", options->platform == NULL ? "local" : options->platform);
  if (run->spec.pod_template == NULL) return BO_OK;
  cJSON *secrets = cJSON_AddArrayToObject(platform, "secrets");
  cJSON *pod = cJSON_Parse(run->spec.pod_template->spec_json);
  int result = pod == NULL ? bo_error_no_memory(error) : BO_OK;
  for (size_t i = 0; i < manifests->count; i++) {
    for (size_t j = 0; result == BO_OK && j < manifests->sets[i].manifest_count; j++) {
      const struct bo_secret_object *secret = manifests->sets[i].manifests[j].secret;
      if (secret == NULL || strcmp(ctl_namespace(&secret->meta), ctl_namespace(&run->meta)) != 0) continue;
      result = add_referenced(secret, pod, secrets, error);
    }
  }
  cJSON_Delete(pod);
  return result;
}

static void add_strings(cJSON *array, const struct bo_strings *strings) {
  for (size_t i = 0; i < strings->count; i++)
    (void)cJSON_AddItemToArray(array, cJSON_CreateString(strings->items[i]));
}

static int add_exec(const struct bo_backup_run *run, const char *operation, const struct bo_run_command *command,
                    cJSON *spec, struct bo_error *error) {
  if (command == NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the run %s has no .spec.%s: there is nothing to execute",
                        run->meta.name, operation);
  cJSON *exec = cJSON_AddObjectToObject(spec, "exec");
  cJSON *argv = cJSON_AddArrayToObject(exec, "argv");
  add_strings(argv, &command->command);
  add_strings(argv, &command->args);
  if (command->container != NULL) (void)cJSON_AddStringToObject(exec, "container", command->container);
  (void)cJSON_AddNumberToObject(exec, "startDeadlineSeconds", (double)run->spec.pod_start_deadline_seconds.value);
  BO_CLEANUP_BUFFER struct bo_buffer template = BO_BUFFER_INIT;
  int result = bo_pod_template_to_json(run->spec.pod_template, &template, error);
  if (result != BO_OK) return result;
  (void)cJSON_AddItemToObject(exec, "template", cJSON_Parse(bo_buffer_text(&template)));
  if (command->verify_first) (void)cJSON_AddTrueToObject(spec, "verifyFirst");
  cJSON *limits = cJSON_GetObjectItemCaseSensitive(spec, "limits");
  if (command->deadline_seconds.is_set) {
    cJSON_DeleteItemFromObjectCaseSensitive(limits, "deadlineSeconds");
    (void)cJSON_AddNumberToObject(limits, "deadlineSeconds", (double)command->deadline_seconds.value);
  }
  return BO_OK;
}

static void add_expectation(const struct bo_backup_run *run, cJSON *spec) {
  const struct bo_run_outcome *backup = run->status.backup;
  if (backup == NULL || backup->sha256_plain == NULL) return;
  cJSON *expect = cJSON_AddObjectToObject(spec, "expect");
  (void)cJSON_AddNumberToObject(expect, "plainBytes", (double)backup->bytes_plain.value);
  (void)cJSON_AddNumberToObject(expect, "storedBytes", (double)backup->bytes_stored.value);
  (void)cJSON_AddStringToObject(expect, "sha256Plain", backup->sha256_plain);
  (void)cJSON_AddStringToObject(expect, "sha256Stored", backup->sha256_stored);
  (void)cJSON_AddStringToObject(expect, "uid", run->meta.uid);
}

int ctl_run_key(const struct ctl_manifests *manifests, const struct bo_backup_run *run, struct bo_buffer *key,
                struct bo_error *error) {
  const struct bo_backup_storage *storage = NULL;
  int result = find_storage(manifests, run, &storage, error);
  if (result != BO_OK) return result;
  if (storage->spec.namespace_prefix) (void)bo_buffer_printf(key, "%s/", ctl_namespace(&run->meta));
  const char *path = run->status.path;
  return bo_buffer_append_text(key, path[0] == '/' ? path + 1 : path) ? BO_OK : bo_error_no_memory(error);
}

static int fill(const struct ctl_options *options, const struct ctl_manifests *manifests,
                const struct bo_backup_run *run, const char *operation, cJSON *spec, struct bo_error *error) {
  const struct bo_backup_storage *storage = NULL;
  BO_CLEANUP_BUFFER struct bo_buffer key = BO_BUFFER_INIT;
  bool backup = strcmp(operation, "backup") == 0;
  bool restore = strcmp(operation, "restore") == 0;
  bool question = !backup && !restore && strcmp(operation, "verify") != 0;
  if (find_storage(manifests, run, &storage, error) != BO_OK) return BO_ERROR;
  if (ctl_run_key(manifests, run, &key, error) != BO_OK) return BO_ERROR;
  (void)cJSON_AddStringToObject(spec, "operation", operation);
  cJSON *identity = cJSON_AddObjectToObject(spec, "run");
  (void)cJSON_AddStringToObject(identity, "namespace", ctl_namespace(&run->meta));
  (void)cJSON_AddStringToObject(identity, "name", run->meta.name);
  (void)cJSON_AddStringToObject(identity, "uid", run->meta.uid);
  if (run->status.attempts.is_set && run->status.attempts.value > 0)
    (void)cJSON_AddNumberToObject(identity, "attempt", (double)run->status.attempts.value);
  (void)cJSON_AddStringToObject(spec, "key", bo_buffer_text(&key));
  if (ctl_request_limits(options, spec, error) != BO_OK) return BO_ERROR;
  if (add_storage(manifests, storage, spec, error) != BO_OK) return BO_ERROR;
  if (question) return BO_OK;
  add_compression(run->spec.compression, backup, spec);
  if (add_encryption(manifests, run, backup, spec, error) != BO_OK) return BO_ERROR;
  if (!backup) add_expectation(run, spec);
  if (!backup && !restore) return BO_OK;
  if (add_platform(options, manifests, run, spec, error) != BO_OK) return BO_ERROR;
  return add_exec(run, operation, backup ? run->spec.backup : run->spec.restore, spec, error);
}

cJSON *ctl_run_request(const struct ctl_options *options, const struct ctl_manifests *manifests,
                       const struct bo_backup_run *run, const char *operation, struct bo_error *error) {
  cJSON *spec = cJSON_CreateObject();
  if (fill(options, manifests, run, operation, spec, error) == BO_OK) return spec;
  cJSON_Delete(spec);
  return NULL;
}
