/*
 * Arbitrary bytes as what a runner reads: the document up to the first newline, the owner's lines behind it. No input
 * may crash or hang; what is taken is what a run relies on; what is not has a reason; a commit is granted only by a
 * line that says so; and a result of any run fits where it must.
 */
#include <cjson/cJSON.h>
#include <signal.h>
#include <stdlib.h>

#include "core/run/owner.h"
#include "core/run/result.h"

#define RESULT_LIMIT 4096

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
  if (!holds) abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  bo_spec_use_cleansing_json();
  return 0;
}

static void check_plugin(const struct bo_plugin_spec *plugin) {
  must(plugin->name != NULL || plugin->parameter_count + plugin->secret_count + plugin->signature_count == 0);
  for (size_t i = 0; i < plugin->parameter_count; i++)
    must(plugin->parameters[i].name != NULL && plugin->parameters[i].value != NULL);
  for (size_t i = 0; i < plugin->secret_count; i++)
    must(plugin->secrets[i].name[0] != '\0' && plugin->secrets[i].bytes[plugin->secrets[i].size] == '\0');
  for (size_t i = 0; i < plugin->signature_count; i++)
    must(plugin->signatures[i].size > 0 && plugin->signatures[i].bytes != NULL);
}

static void check_spec(const struct bo_run_spec *spec) {
  enum bo_operation operation = spec->operation;
  must(bo_operation_name(operation) != NULL);
  bool runs_command = operation == BO_OP_BACKUP || operation == BO_OP_RESTORE;
  must(!runs_command || (spec->argv != NULL && spec->argv[0] != NULL && spec->platform.name != NULL));
  must(operation == BO_OP_DECODE || spec->storage.name != NULL);
  must(operation != BO_OP_BACKUP || (spec->key[0] != '\0' && spec->key[0] != '/' && spec->uid[0] != '\0'));
  must(spec->limits.call_ms >= 1000 && spec->limit >= 1 && spec->template_json != NULL);
  check_plugin(&spec->storage);
  check_plugin(&spec->compression);
  check_plugin(&spec->encryption);
  check_plugin(&spec->platform);
  struct bo_run_result result;
  bo_run_result_init(&result, operation);
  (void)bo_error_set(&result.error, BO_CLASS_IO, 0, "%s", spec->key == NULL ? "" : spec->key);
  char *json = bo_run_result_json(&result, spec, RESULT_LIMIT);
  must(json != NULL && strlen(json) < RESULT_LIMIT);
  free(json);
  bo_run_result_free(&result);
}

static void count_cancel(void *context, const struct bo_error *why) {
  must(why->text[0] != '\0' || why->error_class == BO_CLASS_CANCELLED);
  ++*(unsigned *)context;
}

static void speak_as_owner(const uint8_t *bytes, size_t size) {
  struct bo_owner owner;
  struct bo_error error = BO_ERROR_INIT;
  unsigned cancels = 0;
  bo_owner_init(&owner, -1, -1);
  must(bo_owner_start(&owner, (const char *)bytes, size, count_cancel, &cancels, &error) == BO_OK);
  bo_owner_stop(&owner);
  if (owner.commit_granted) must(cancels == 0 && memmem(bytes, size, "granted", 7) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const uint8_t *newline = size == 0 ? NULL : memchr(data, '\n', size);
  size_t spec_size = newline == NULL ? size : (size_t)(newline - data);
  struct bo_run_spec spec;
  struct bo_error error = BO_ERROR_INIT;
  if (bo_run_spec_parse((const char *)data, spec_size, &spec, &error) == BO_OK) {
    check_spec(&spec);
    bo_run_spec_free(&spec);
  } else {
    must(error.error_class == BO_CLASS_CONFIG && error.text[0] != '\0' && spec.json == NULL && spec.memory == NULL);
  }
  if (newline != NULL) speak_as_owner(newline + 1, size - spec_size - 1);
  return 0;
}
