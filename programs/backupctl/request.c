/* From a command line to the spec that a runner gets. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/io.h"
#include "core/plugin/config.h"
#include "programs/backupctl/ctl.h"

#define MAX_SECRET_BYTES ((size_t)1024 * 1024)
#define DEFAULT_DEADLINE_SECONDS 86400

/* Splits NAME=VALUE. */
static int split(const char *text, const char *option, char **name, const char **value, struct bo_error *error) {
  const char *equals = strchr(text, '=');
  if (equals == NULL || equals == text)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "--%s %s: must be NAME=%s", option, text,
                        strcmp(option, "param") == 0 ? "VALUE" : "FILE");
  *name = strndup(text, (size_t)(equals - text));
  *value = equals + 1;
  return *name == NULL ? bo_error_no_memory(error) : BO_OK;
}

/* A parameter that is given again becomes an array. */
static void add_parameter(cJSON *parameters, const char *name, const char *value) {
  cJSON *old = cJSON_GetObjectItemCaseSensitive(parameters, name);
  if (old == NULL) {
    (void)cJSON_AddStringToObject(parameters, name, value);
  } else if (cJSON_IsArray(old)) {
    (void)cJSON_AddItemToArray(old, cJSON_CreateString(value));
  } else {
    cJSON *array = cJSON_CreateArray();
    (void)cJSON_AddItemToArray(array, cJSON_CreateString(old->valuestring));
    (void)cJSON_AddItemToArray(array, cJSON_CreateString(value));
    (void)cJSON_ReplaceItemInObjectCaseSensitive(parameters, name, array);
  }
}

/* The content of a file as a secret. A trailing newline is cut where `trim` says so (a passphrase typed by an editor).
 */
static int add_secret_file(cJSON *secrets, const char *name, const char *path, bool trim, struct bo_error *error) {
  BO_CLEANUP(bo_buffer_cleanse) struct bo_buffer text = BO_BUFFER_INIT;
  int result = bo_read_file(path, MAX_SECRET_BYTES, &text, error);
  if (result != BO_OK) return result;
  if (text.size > 0 && memchr(text.bytes, '\0', text.size) != NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s: it holds a NUL byte, so it is no text", path);
  while (trim && text.size > 0 && (text.bytes[text.size - 1] == '\n' || text.bytes[text.size - 1] == '\r'))
    text.bytes[--text.size] = '\0';
  if (text.size == 0) return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s: it is empty", path);
  cJSON *secret = cJSON_CreateObject();
  (void)cJSON_AddStringToObject(secret, "name", name);
  (void)cJSON_AddStringToObject(secret, "value", bo_buffer_text(&text));
  (void)cJSON_AddItemToArray(secrets, secret);
  return BO_OK;
}

static int add_storage(const struct ctl_options *options, cJSON *spec, struct bo_error *error) {
  if (options->storage == NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "--storage NAME is required (`backupctl plugins` lists them)");
  cJSON *storage = cJSON_AddObjectToObject(spec, "storage");
  (void)cJSON_AddStringToObject(storage, "plugin", options->storage);
  cJSON *parameters = cJSON_AddObjectToObject(storage, "parameters");
  cJSON *secrets = cJSON_AddArrayToObject(storage, "secrets");
  for (size_t i = 0; i < options->params.count; i++) {
    BO_CLEANUP_FREE char *name = NULL;
    const char *value = NULL;
    int result = split(options->params.items[i], "param", &name, &value, error);
    if (result != BO_OK) return result;
    add_parameter(parameters, name, value);
  }
  for (size_t i = 0; i < options->secret_files.count; i++) {
    BO_CLEANUP_FREE char *name = NULL;
    const char *path = NULL;
    int result = split(options->secret_files.items[i], "secret-file", &name, &path, error);
    if (result == BO_OK) result = add_secret_file(secrets, name, path, true, error);
    if (result != BO_OK) return result;
  }
  return BO_OK;
}

/* "gzip:6" becomes plugin gzip with level 6; "none" no plugin at all. */
static int add_compression(const char *text, cJSON *spec, bool with_level, struct bo_error *error) {
  if (strcmp(text, "none") == 0) return BO_OK;
  const char *colon = strchr(text, ':');
  BO_CLEANUP_FREE char *name = strndup(text, colon == NULL ? strlen(text) : (size_t)(colon - text));
  if (name == NULL) return bo_error_no_memory(error);
  if (colon != NULL && colon[1] == '\0')
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "--compress %s: there is no level behind the colon", text);
  cJSON *compression = cJSON_AddObjectToObject(spec, "compression");
  (void)cJSON_AddStringToObject(compression, "plugin", name);
  if (colon != NULL && with_level)
    (void)cJSON_AddStringToObject(cJSON_AddObjectToObject(compression, "parameters"), "level", colon + 1);
  return BO_OK;
}

static int add_encryption(const struct ctl_options *options, cJSON *spec, struct bo_error *error) {
  if (options->recipients.count + options->recipient_files.count == 0) return BO_OK;
  cJSON *encryption = cJSON_AddObjectToObject(spec, "encryption");
  (void)cJSON_AddStringToObject(encryption, "plugin", "age");
  cJSON *recipients = cJSON_AddArrayToObject(cJSON_AddObjectToObject(encryption, "parameters"), "recipients");
  for (size_t i = 0; i < options->recipients.count; i++)
    (void)cJSON_AddItemToArray(recipients, cJSON_CreateString(options->recipients.items[i]));
  for (size_t i = 0; i < options->recipient_files.count; i++) {
    BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
    int result = bo_read_file(options->recipient_files.items[i], MAX_SECRET_BYTES, &text, error);
    if (result != BO_OK) return result;
    (void)cJSON_AddItemToArray(recipients, cJSON_CreateString(bo_buffer_text(&text)));
  }
  return BO_OK;
}

static int add_decryption(const struct ctl_options *options, cJSON *spec, const char *plugin, struct bo_error *error) {
  cJSON *encryption = cJSON_AddObjectToObject(spec, "encryption");
  (void)cJSON_AddStringToObject(encryption, "plugin", plugin);
  cJSON *secrets = cJSON_AddArrayToObject(encryption, "secrets");
  for (size_t i = 0; i < options->identity_files.count; i++) {
    int result = add_secret_file(secrets, "identity", options->identity_files.items[i], false, error);
    if (result != BO_OK) return result;
  }
  if (options->passphrase_file == NULL) return BO_OK;
  return add_secret_file(secrets, "passphrase", options->passphrase_file, true, error);
}

void ctl_request_detection(cJSON *spec) {
  static const struct {
    const char *magic;
    const char *refusal;
  } signatures[] = {
      {"1f8b", NULL},
      {"6167652d656e6372797074696f6e2e6f72672f", "it is encrypted with age: give a key with --identity FILE"},
      {"2d2d2d2d2d424547494e20414745", "it is encrypted with age: give a key with --identity FILE"},
  };
  cJSON *compression = cJSON_AddObjectToObject(spec, "compression");
  (void)cJSON_AddStringToObject(compression, "plugin", "gzip");
  cJSON *detect = cJSON_AddArrayToObject(compression, "detect");
  for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
    cJSON *signature = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(signature, "magic", signatures[i].magic);
    if (signatures[i].refusal != NULL) (void)cJSON_AddStringToObject(signature, "refusal", signatures[i].refusal);
    (void)cJSON_AddItemToArray(detect, signature);
  }
}

int ctl_request_decoding(const struct ctl_options *options, cJSON *spec, const char *compression,
                         const char *encryption, struct bo_error *error) {
  bool has_key = options->identity_files.count > 0 || options->passphrase_file != NULL;
  bool encrypted = encryption == NULL ? has_key : strcmp(encryption, "none") != 0;
  if (encrypted && !has_key)
    return bo_error_set(
        error, BO_CLASS_CONFIG, 0,
        "the object is encrypted with %s: give the key with --identity FILE (or --passphrase-file FILE)", encryption);
  if (encrypted) {
    int result = add_decryption(options, spec, encryption == NULL ? "age" : encryption, error);
    if (result != BO_OK) return result;
  }
  if (options->compress != NULL && strcmp(options->compress, "auto") != 0) compression = options->compress;
  if (compression != NULL) return add_compression(compression, spec, false, error);
  ctl_request_detection(spec);
  return BO_OK;
}

static int add_env(const struct ctl_options *options, cJSON *container, struct bo_error *error) {
  cJSON *env = cJSON_AddArrayToObject(container, "env");
  for (size_t i = 0; i < options->env.count; i++) {
    const char *text = options->env.items[i];
    const char *equals = strchr(text, '=');
    BO_CLEANUP_FREE char *name = strndup(text, equals == NULL ? strlen(text) : (size_t)(equals - text));
    if (name == NULL) return bo_error_no_memory(error);
    const char *value = equals != NULL ? equals + 1 : getenv(name);
    if (value == NULL)
      return bo_error_set(error, BO_CLASS_CONFIG, 0, "--env %s: there is no such variable here; give NAME=VALUE", text);
    cJSON *variable = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(variable, "name", name);
    (void)cJSON_AddStringToObject(variable, "value", value);
    (void)cJSON_AddItemToArray(env, variable);
  }
  return BO_OK;
}

static int add_exec(const struct ctl_options *options, cJSON *spec, struct bo_error *error) {
  if (options->argv == NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "a command is required, behind `--`: backupctl %s ... -- COMMAND ARG...", options->command);
  cJSON *platform = cJSON_AddObjectToObject(spec, "platform");
  (void)cJSON_AddStringToObject(platform, "plugin", options->platform == NULL ? "local" : options->platform);
  cJSON *exec = cJSON_AddObjectToObject(spec, "exec");
  cJSON *argv = cJSON_AddArrayToObject(exec, "argv");
  for (char **argument = options->argv; *argument != NULL; argument++)
    (void)cJSON_AddItemToArray(argv, cJSON_CreateString(*argument));
  cJSON *pod = cJSON_AddObjectToObject(cJSON_AddObjectToObject(exec, "template"), "spec");
  cJSON *container = cJSON_CreateObject();
  (void)cJSON_AddItemToArray(cJSON_AddArrayToObject(pod, "containers"), container);
  (void)cJSON_AddStringToObject(container, "name", "main");
  BO_CLEANUP_FREE char *here = options->workdir == NULL ? getcwd(NULL, 0) : realpath(options->workdir, NULL);
  if (here == NULL) return bo_error_errno(error, errno, "%s", options->workdir == NULL ? "." : options->workdir);
  (void)cJSON_AddStringToObject(container, "workingDir", here);
  return add_env(options, container, error);
}

static int add_seconds(cJSON *limits, const char *member, const char *option, const char *text, double fallback,
                       int factor, struct bo_error *error) {
  int64_t seconds = 0;
  if (text != NULL && (!bo_parse_seconds(text, &seconds) || seconds > INT32_MAX))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "--%s %s: must be a time such as 90, 90s, 15m or 2h", option, text);
  if (cJSON_HasObjectItem(limits, member)) cJSON_DeleteItemFromObjectCaseSensitive(limits, member);
  if (text != NULL || fallback > 0)
    (void)cJSON_AddNumberToObject(limits, member, text == NULL ? fallback : (double)seconds * factor);
  return BO_OK;
}

int ctl_request_limits(const struct ctl_options *options, cJSON *spec, struct bo_error *error) {
  cJSON *limits = cJSON_AddObjectToObject(spec, "limits");
  if (add_seconds(limits, "deadlineSeconds", "deadline", options->deadline, DEFAULT_DEADLINE_SECONDS, 1, error) !=
          BO_OK ||
      add_seconds(limits, "callSeconds", "call-timeout", options->call_timeout, 0, 1, error) != BO_OK)
    return BO_ERROR;
  return add_seconds(limits, "graceMilliseconds", "grace", options->grace, 0, 1000, error);
}

static int fill(const struct ctl_options *options, const char *operation, const char *uid, cJSON *spec,
                struct bo_error *error) {
  bool backup = strcmp(operation, "backup") == 0;
  (void)cJSON_AddStringToObject(spec, "operation", operation);
  cJSON *run = cJSON_AddObjectToObject(spec, "run");
  (void)cJSON_AddStringToObject(run, "name", "backupctl");
  if (uid != NULL) (void)cJSON_AddStringToObject(run, "uid", uid);
  if (options->key != NULL) {
    const char *key = options->key;
    while (*key == '/')
      key++;
    (void)cJSON_AddStringToObject(spec, "key", key);
  }
  int result = strcmp(operation, "decode") == 0 ? BO_OK : add_storage(options, spec, error);
  if (result == BO_OK && backup)
    result = add_compression(options->compress == NULL ? "gzip" : options->compress, spec, true, error);
  if (result == BO_OK && backup) result = add_encryption(options, spec, error);
  if (result == BO_OK && (backup || strcmp(operation, "restore") == 0)) result = add_exec(options, spec, error);
  return result == BO_OK ? ctl_request_limits(options, spec, error) : result;
}

cJSON *ctl_request(const struct ctl_options *options, const char *operation, const char *uid, struct bo_error *error) {
  cJSON *spec = cJSON_CreateObject();
  if (fill(options, operation, uid, spec, error) == BO_OK) return spec;
  cJSON_Delete(spec);
  return NULL;
}
