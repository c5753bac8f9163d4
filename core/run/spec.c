#include "core/run/spec.h"

#include <cjson/cJSON.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "core/base/text.h"

#define DEFAULT_CALL_MS (UINT64_C(300) * 1000)
#define DEFAULT_GRACE_MS 1000
#define MAX_LIST 1000

static const char *const operation_names[] = {
    [BO_OP_BACKUP] = "backup",   [BO_OP_RESTORE] = "restore", [BO_OP_VERIFY] = "verify", [BO_OP_CAT] = "cat",
    [BO_OP_DECODE] = "decode",   [BO_OP_LIST] = "list",       [BO_OP_STAT] = "stat",     [BO_OP_REMOVE] = "remove",
    [BO_OP_DISCARD] = "discard", [BO_OP_SWEEP] = "sweep",     [BO_OP_PROBE] = "probe",
};

const char *bo_operation_name(enum bo_operation operation) {
  return operation_names[operation];
}

static void cleansing_free(void *memory) {
  if (memory == NULL) return;
  OPENSSL_cleanse(memory, malloc_usable_size(memory));
  free(memory);
}

void bo_spec_use_cleansing_json(void) {
  cJSON_Hooks hooks = {.malloc_fn = malloc, .free_fn = cleansing_free};
  cJSON_InitHooks(&hooks);
}

/* ---- memory that lives as long as the spec: a list of blocks ---- */

struct block {
  struct block *next;
  max_align_t bytes[];
};

static void *spec_alloc(struct bo_run_spec *spec, size_t count, size_t size) {
  struct block *block = calloc(1, sizeof(*block) + (count + 1) * size);
  if (block == NULL) return NULL;
  block->next = spec->memory;
  spec->memory = block;
  return block->bytes;
}

void bo_run_spec_free(struct bo_run_spec *spec) {
  cJSON_Delete(spec->json);
  for (struct block *block = spec->memory; block != NULL;) {
    struct block *next = block->next;
    cleansing_free(block);
    block = next;
  }
  *spec = (struct bo_run_spec){.operation = 0};
}

static void forget(struct bo_plugin_spec *plugin) {
  for (size_t i = 0; i < plugin->secret_count; i++)
    OPENSSL_cleanse((void *)plugin->secrets[i].bytes, plugin->secrets[i].size);
  plugin->secret_count = 0;
}

/* The base64 that a secret came as lies in the document. */
static void forget_texts(cJSON *item) {
  for (; item != NULL; item = item->next) {
    bool is_secret =
        item->string != NULL && (strcmp(item->string, "value") == 0 || strcmp(item->string, "base64") == 0);
    if (is_secret && cJSON_IsString(item)) OPENSSL_cleanse(item->valuestring, strlen(item->valuestring));
    forget_texts(item->child);
  }
}

void bo_run_spec_forget_secrets(struct bo_run_spec *spec) {
  static const char *const members[] = {"storage", "compression", "encryption", "platform"};
  for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
    const cJSON *plugin = cJSON_GetObjectItemCaseSensitive(spec->json, members[i]);
    cJSON *secrets = cJSON_GetObjectItemCaseSensitive(plugin, "secrets");
    if (secrets != NULL) forget_texts(secrets->child);
  }
  forget(&spec->storage);
  forget(&spec->compression);
  forget(&spec->encryption);
  forget(&spec->platform);
}

/* ---- reading members ---- */

/* An object that is being read: knows its own path for messages. */
struct reader {
  const cJSON *object;
  const char *path;
  struct bo_error *error;
  bool failed;
};

static void fail(struct reader *reader, const char *member, const char *wanted) {
  if (reader->failed) return;
  reader->failed = true;
  (void)bo_error_set(reader->error, BO_CLASS_CONFIG, 0, "spec: %s%s%s: %s", reader->path,
                     reader->path[0] == '\0' ? "" : ".", member, wanted);
}

/* Refuses members that are not in `known` (space-separated). */
static void check_members(struct reader *reader, const char *known) {
  const cJSON *item = NULL;
  cJSON_ArrayForEach(item, reader->object) {
    size_t length = strlen(item->string);
    bool found = false;
    for (const char *at = known; length > 0 && !found && (at = strstr(at, item->string)) != NULL; at += length)
      found = (at == known || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0');
    if (!found) fail(reader, item->string, "there is no such member");
  }
}

static struct reader member_object(struct reader *parent, const char *member, const char *path) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(parent->object, member);
  if (item != NULL && !cJSON_IsObject(item)) fail(parent, member, "must be an object");
  return (struct reader){
      .object = cJSON_IsObject(item) ? item : NULL, .path = path, .error = parent->error, .failed = parent->failed};
}

static const char *text(struct reader *reader, const char *member, const char *fallback) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(reader->object, member);
  if (item == NULL || cJSON_IsNull(item)) return fallback;
  if (!cJSON_IsString(item)) {
    fail(reader, member, "must be a string");
    return fallback;
  }
  return item->valuestring;
}

static int64_t number(struct reader *reader, const char *member, int64_t fallback, int64_t minimum, int64_t maximum) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(reader->object, member);
  if (item == NULL || cJSON_IsNull(item)) return fallback;
  double value = cJSON_IsNumber(item) ? item->valuedouble : 0.5;
  if (!(value >= (double)minimum && value <= (double)maximum) || (double)(int64_t)value != value) {
    fail(reader, member, "must be a whole number within its bounds");
    return fallback;
  }
  return (int64_t)value;
}

static bool boolean(struct reader *reader, const char *member, bool fallback) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(reader->object, member);
  if (item == NULL || cJSON_IsNull(item)) return fallback;
  if (!cJSON_IsBool(item)) fail(reader, member, "must be true or false");
  return cJSON_IsTrue(item);
}

/* ---- plugins ---- */

static bool read_secret(struct bo_run_spec *spec, struct reader *reader, const cJSON *item, struct bo_secret *secret) {
  struct reader one = {.object = item, .path = reader->path, .error = reader->error};
  check_members(&one, "name value base64");
  secret->name = text(&one, "name", "");
  const char *value = text(&one, "value", NULL);
  const char *base64 = text(&one, "base64", NULL);
  if (secret->name[0] == '\0' || (value == NULL) == (base64 == NULL))
    fail(&one, "secrets", "each has a name, and either value or base64");
  if (!one.failed && value != NULL) {
    secret->bytes = (const unsigned char *)value;
    secret->size = strlen(value);
  } else if (!one.failed) {
    size_t length = strlen(base64);
    unsigned char *bytes = spec_alloc(spec, length / 4 * 3 + 4, 1);
    int size = bytes == NULL || length % 4 != 0 || length > INT32_MAX
                   ? -1
                   : EVP_DecodeBlock(bytes, (const unsigned char *)base64, (int)length);
    if (size < 0) fail(&one, "secrets", "base64 is not valid");
    for (size_t i = length; size > 0 && i > 0 && base64[i - 1] == '='; i--)
      size--;
    if (size >= 0) bytes[size] = '\0';
    secret->bytes = bytes;
    secret->size = size < 0 ? 0 : (size_t)size;
  }
  reader->failed = reader->failed || one.failed;
  return !one.failed;
}

/* A parameter is a string, or an array of strings for one that may be repeated. */
static void read_parameters(struct bo_run_spec *spec, struct reader *reader, struct bo_plugin_spec *plugin) {
  struct reader parameters = member_object(reader, "parameters", reader->path);
  size_t count = 0;
  const cJSON *item = NULL;
  cJSON_ArrayForEach(item, parameters.object) count += cJSON_IsArray(item) ? (size_t)cJSON_GetArraySize(item) : 1;
  plugin->parameters = spec_alloc(spec, count, sizeof(*plugin->parameters));
  if (plugin->parameters == NULL) {
    fail(reader, "parameters", "out of memory");
    return;
  }
  cJSON_ArrayForEach(item, parameters.object) {
    const cJSON *value = cJSON_IsArray(item) ? item->child : item;
    for (; value != NULL; value = cJSON_IsArray(item) ? value->next : NULL) {
      if (!cJSON_IsString(value)) {
        fail(reader, item->string, "a parameter is a string");
        return;
      }
      plugin->parameters[plugin->parameter_count++] = (struct bo_pair){item->string, value->valuestring};
    }
  }
}

static int hex_digit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "detect": [{"magic": hexadecimal, "refusal": text or absent}, ...] */
static void read_signatures(struct bo_run_spec *spec, struct reader *reader, struct bo_plugin_spec *plugin) {
  const cJSON *detect = cJSON_GetObjectItemCaseSensitive(reader->object, "detect");
  if (detect == NULL) return;
  size_t count = cJSON_IsArray(detect) ? (size_t)cJSON_GetArraySize(detect) : 0;
  plugin->signatures = spec_alloc(spec, count, sizeof(*plugin->signatures));
  if (plugin->signatures == NULL || count == 0) {
    fail(reader, "detect", "must be an array of at least one signature");
    return;
  }
  const cJSON *item = NULL;
  cJSON_ArrayForEach(item, detect) {
    struct reader one = {.object = cJSON_IsObject(item) ? item : NULL, .path = "detect", .error = reader->error};
    check_members(&one, "magic refusal");
    const char *magic = text(&one, "magic", "");
    size_t size = strlen(magic) / 2;
    unsigned char *bytes = spec_alloc(spec, size, 1);
    bool good = bytes != NULL && size > 0 && strlen(magic) % 2 == 0;
    for (size_t i = 0; good && i < size; i++) {
      int high = hex_digit(magic[2 * i]);
      int low = hex_digit(magic[2 * i + 1]);
      good = high >= 0 && low >= 0;
      bytes[i] = (unsigned char)(high * 16 + low);
    }
    if (!good) fail(&one, "magic", "must be lower-case hexadecimal bytes");
    const char *refusal = text(&one, "refusal", NULL);
    reader->failed = reader->failed || one.failed;
    if (reader->failed) return;
    plugin->signatures[plugin->signature_count++] = (struct bo_signature){bytes, size, refusal};
  }
}

static void read_plugin(struct bo_run_spec *spec, struct reader *parent, const char *member,
                        struct bo_plugin_spec *plugin) {
  struct reader reader = member_object(parent, member, member);
  if (reader.object != NULL) {
    check_members(&reader, "plugin parameters secrets detect");
    plugin->name = text(&reader, "plugin", NULL);
    if (plugin->name == NULL) fail(&reader, "plugin", "is required");
    read_parameters(spec, &reader, plugin);
    read_signatures(spec, &reader, plugin);
    const cJSON *secrets = cJSON_GetObjectItemCaseSensitive(reader.object, "secrets");
    if (secrets != NULL && !cJSON_IsArray(secrets)) fail(&reader, "secrets", "must be an array");
    size_t count = cJSON_IsArray(secrets) ? (size_t)cJSON_GetArraySize(secrets) : 0;
    plugin->secrets = spec_alloc(spec, count, sizeof(*plugin->secrets));
    const cJSON *item = NULL;
    if (plugin->secrets == NULL)
      fail(&reader, "secrets", "out of memory");
    else if (count > 0)
      cJSON_ArrayForEach(item, secrets) {
        if (!read_secret(spec, &reader, item, &plugin->secrets[plugin->secret_count])) break;
        plugin->secret_count++;
      }
  }
  parent->failed = parent->failed || reader.failed;
}

/* ---- the rest ---- */

static void read_exec(struct bo_run_spec *spec, struct reader *parent) {
  struct reader reader = member_object(parent, "exec", "exec");
  if (reader.object != NULL) {
    check_members(&reader, "container argv template startDeadlineSeconds stderrTail");
    spec->container = text(&reader, "container", "");
    spec->stderr_tail = boolean(&reader, "stderrTail", true);
    spec->start_deadline_ms = number(&reader, "startDeadlineSeconds", 600, 1, 86400) * 1000;
    const cJSON *argv = cJSON_GetObjectItemCaseSensitive(reader.object, "argv");
    size_t count = cJSON_IsArray(argv) ? (size_t)cJSON_GetArraySize(argv) : 0;
    spec->argv = spec_alloc(spec, count + 1, sizeof(*spec->argv));
    if (count == 0 || spec->argv == NULL) fail(&reader, "argv", "must be an array of at least one string");
    const cJSON *item = NULL;
    size_t i = 0;
    if (!reader.failed) cJSON_ArrayForEach(item, argv) {
        if (!cJSON_IsString(item)) fail(&reader, "argv", "must hold strings only");
        spec->argv[i++] = cJSON_IsString(item) ? item->valuestring : "";
      }
    const cJSON *template = cJSON_GetObjectItemCaseSensitive(reader.object, "template");
    if (template != NULL && !cJSON_IsObject(template)) fail(&reader, "template", "must be an object");
    if (cJSON_IsObject(template)) {
      char *printed = cJSON_PrintUnformatted(template);
      char *copy = printed == NULL ? NULL : spec_alloc(spec, strlen(printed) + 1, 1);
      if (copy == NULL)
        fail(&reader, "template", "out of memory");
      else
        memcpy(copy, printed, strlen(printed) + 1);
      cJSON_free(printed);
      spec->template_json = copy;
    }
  }
  parent->failed = parent->failed || reader.failed;
}

static bool is_sha256(const char *value) {
  return value == NULL || (strlen(value) == 64 && strspn(value, "0123456789abcdef") == 64);
}

static void read_expectation(struct reader *parent, struct bo_expectation *expect) {
  struct reader reader = member_object(parent, "expect", "expect");
  check_members(&reader, "plainBytes storedBytes sha256Plain sha256Stored uid");
  expect->plain_bytes = number(&reader, "plainBytes", -1, 0, INT64_C(1) << 53);
  expect->stored_bytes = number(&reader, "storedBytes", -1, 0, INT64_C(1) << 53);
  expect->sha256_plain = text(&reader, "sha256Plain", NULL);
  expect->sha256_stored = text(&reader, "sha256Stored", NULL);
  expect->uid = text(&reader, "uid", NULL);
  if (!is_sha256(expect->sha256_plain) || !is_sha256(expect->sha256_stored))
    fail(&reader, "sha256Plain", "a SHA-256 is 64 lower-case hexadecimal digits");
  parent->failed = parent->failed || reader.failed;
}

static void read_limits(struct reader *parent, struct bo_run_limits *limits) {
  struct reader reader = member_object(parent, "limits", "limits");
  check_members(&reader, "deadlineSeconds callSeconds graceMilliseconds memoryBytes");
  limits->deadline_ms = (uint64_t)number(&reader, "deadlineSeconds", 0, 0, INT32_MAX) * 1000;
  limits->call_ms = (uint64_t)number(&reader, "callSeconds", DEFAULT_CALL_MS / 1000, 1, INT32_MAX) * 1000;
  limits->grace_ms = (uint32_t)number(&reader, "graceMilliseconds", DEFAULT_GRACE_MS, 0, 3600000);
  limits->memory_bytes = (uint64_t)number(&reader, "memoryBytes", 0, 0, INT64_C(1) << 53);
  parent->failed = parent->failed || reader.failed;
}

static void read_run(struct reader *parent, struct bo_run_spec *spec) {
  struct reader reader = member_object(parent, "run", "run");
  check_members(&reader, "namespace name uid attempt");
  spec->namespace_name = text(&reader, "namespace", "");
  spec->name = text(&reader, "name", "run");
  spec->uid = text(&reader, "uid", "");
  spec->attempt = number(&reader, "attempt", 1, 1, INT32_MAX);
  parent->failed = parent->failed || reader.failed;
}

static enum bo_operation operation_of(const char *name) {
  for (size_t i = 1; i < sizeof(operation_names) / sizeof(operation_names[0]); i++)
    if (strcmp(operation_names[i], name) == 0) return (enum bo_operation)i;
  return 0;
}

/* What an operation cannot do without. */
static void check_operation(struct reader *reader, const struct bo_run_spec *spec) {
  enum bo_operation op = spec->operation;
  if (op == 0) {
    fail(reader, "operation",
         "must be backup, restore, verify, cat, decode, list, stat, remove, discard, sweep or probe");
    return;
  }
  bool runs_command = op == BO_OP_BACKUP || op == BO_OP_RESTORE;
  bool has_key = op != BO_OP_DECODE && op != BO_OP_LIST && op != BO_OP_SWEEP && op != BO_OP_PROBE;
  if (runs_command && spec->argv == NULL) fail(reader, "exec", "is required");
  if (runs_command && spec->platform.name == NULL) fail(reader, "platform", "is required");
  if (op != BO_OP_DECODE && spec->storage.name == NULL) fail(reader, "storage", "is required");
  if (has_key && (spec->key == NULL || spec->key[0] == '\0')) fail(reader, "key", "is required");
  if (spec->key != NULL && spec->key[0] == '/') fail(reader, "key", "must not begin with a slash");
  if (spec->key != NULL && strlen(spec->key) > BO_KEY_MAX) fail(reader, "key", "must have at most 1,024 bytes");
  if (op == BO_OP_BACKUP && spec->uid[0] == '\0') fail(reader, "run.uid", "is required");
  if (strlen(spec->uid) >= BO_METADATA_VALUE_MAX) fail(reader, "run.uid", "is too long");
  if (op == BO_OP_DISCARD && spec->token == NULL) fail(reader, "token", "is required");
  if ((op == BO_OP_CAT || op == BO_OP_DECODE) && spec->output_fd < 0) fail(reader, "outputFd", "is required");
  if (op == BO_OP_DECODE && spec->input_fd < 0) fail(reader, "inputFd", "is required");
}

static bool is_blank(const char *begin, const char *end) {
  while (begin < end && strchr(" \t\r\n", *begin) != NULL && *begin != '\0')
    begin++;
  return begin == end;
}

/* cJSON's strings end at an escaped NUL: what comes behind would be lost without a word. */
static bool has_nul(const char *json, size_t size) {
  static const char escape[] = "\\u0000";
  const char *end = json + size;
  while ((json = memchr(json, '\\', (size_t)(end - json))) != NULL && end - json >= 2) {
    if ((size_t)(end - json) >= sizeof(escape) - 1 && memcmp(json, escape, sizeof(escape) - 1) == 0) return true;
    json += 2;
  }
  return false;
}

int bo_run_spec_parse(const char *json, size_t size, struct bo_run_spec *spec, struct bo_error *error) {
  *spec = (struct bo_run_spec){.operation = 0, .template_json = "{}", .container = ""};
  const char *end = NULL;
  spec->json = cJSON_ParseWithLengthOpts(json, size, &end, 0);
  if (!cJSON_IsObject((cJSON *)spec->json) || !is_blank(end, json + size) || has_nul(json, size)) {
    bo_run_spec_free(spec);
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "spec: it is not one JSON object, or has a NUL in a string");
  }
  struct reader reader = {.object = spec->json, .path = "", .error = error};
  check_members(&reader,
                "operation run storage compression encryption platform key token prefix after limit olderThanSeconds "
                "exec sizeHintBytes verifyFirst inputFd outputFd expect limits");
  spec->operation = operation_of(text(&reader, "operation", ""));
  spec->key = text(&reader, "key", NULL);
  spec->token = text(&reader, "token", NULL);
  spec->prefix = text(&reader, "prefix", "");
  spec->after = text(&reader, "after", "");
  spec->limit = number(&reader, "limit", MAX_LIST, 1, MAX_LIST);
  spec->older_than_seconds = number(&reader, "olderThanSeconds", 86400, 0, INT32_MAX);
  spec->size_hint_bytes = number(&reader, "sizeHintBytes", -1, 0, INT64_C(1) << 53);
  spec->verify_first = boolean(&reader, "verifyFirst", false);
  spec->input_fd = (int)number(&reader, "inputFd", -1, 0, 1023);
  spec->output_fd = (int)number(&reader, "outputFd", -1, 0, 1023);
  read_run(&reader, spec);
  read_plugin(spec, &reader, "storage", &spec->storage);
  read_plugin(spec, &reader, "compression", &spec->compression);
  read_plugin(spec, &reader, "encryption", &spec->encryption);
  read_plugin(spec, &reader, "platform", &spec->platform);
  read_exec(spec, &reader);
  read_expectation(&reader, &spec->expect);
  read_limits(&reader, &spec->limits);
  if (!reader.failed) check_operation(&reader, spec);
  if (!reader.failed) return BO_OK;
  bo_run_spec_free(spec);
  return BO_ERROR;
}
