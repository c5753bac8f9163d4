/* BackupRun: one backup, and its restores. */
#include "core/api/fields.h"

/* Seconds that as milliseconds, and added to a time, stay far from any overflow. */
#define MAX_SECONDS INT32_MAX

/* ---- rules for single values -------------------------------------------------------------------------------- */

/* Never quoted: who mistakes the one for the other has written a private key here. */
static const char *rule_recipient(const char *text) {
  if (strncmp(text, "AGE-SECRET-KEY-", 15) == 0 || strstr(text, "PRIVATE KEY") != NULL)
    return "is a private key. Here stands the public one (age1...); change the key, it is no longer secret";
  if (strncmp(text, "age1", 4) == 0 || strncmp(text, "ssh-ed25519 ", 12) == 0 || strncmp(text, "ssh-rsa ", 8) == 0)
    return NULL;
  return "must be an age recipient: age1..., \"ssh-ed25519 ...\" or \"ssh-rsa ...\"";
}

/* ---- spec --------------------------------------------------------------------------------------------------- */

static const struct bo_field storage[] = {
    BO_STRING("name", struct bo_run_storage, name, .flags = BO_FIELD_REQUIRED, .rule = bo_rule_subdomain,
              .help = "the BackupStorage that holds the object"),
    BO_STRING("path", struct bo_run_storage, path, .default_value = BO_DEFAULT_PATH, .rule = bo_rule_not_empty),
};
static const struct bo_fields storage_fields = BO_FIELDS(struct bo_run_storage, storage, NULL);

static const struct bo_field compression[] = {
    BO_STRING("algorithm", struct bo_run_compression, algorithm, .default_value = "gzip", .rule = bo_rule_plugin_name),
    BO_INTEGER("level", struct bo_run_compression, level, .minimum = INT32_MIN, .maximum = INT32_MAX),
};

static void check_compression(struct bo_decoder *decoder, const struct bo_node *node, void *value) {
  const struct bo_run_compression *chosen = value;
  bool is_gzip = chosen->algorithm != NULL && strcmp(chosen->algorithm, "gzip") == 0;
  if (is_gzip && chosen->level.is_set && (chosen->level.value < -2 || chosen->level.value > 9))
    bo_decoder_problem(decoder, bo_node_get(node, "level"), BO_SEVERITY_ERROR, ".level",
                       "must be between -2 and 9 for gzip (-2: Huffman only, -1: the default, 0: store), not %lld",
                       (long long)chosen->level.value);
}

static const struct bo_fields compression_fields = BO_FIELDS(struct bo_run_compression, compression, check_compression);

static const struct bo_field decryption_key[] = {
    BO_STRING("name", struct bo_key_reference, name, .flags = BO_FIELD_REQUIRED, .rule = bo_rule_subdomain,
              .help = "the Secret that holds the private key"),
    BO_STRING("key", struct bo_key_reference, key, .flags = BO_FIELD_REQUIRED, .rule = bo_rule_not_empty,
              .help = "which entry of the Secret is the private key"),
    BO_STRING("namespace", struct bo_key_reference, namespace_name, .rule = bo_rule_label),
};
static const struct bo_fields decryption_key_fields = BO_FIELDS(struct bo_key_reference, decryption_key, NULL);

static const struct bo_field encryption[] = {
    BO_STRINGS("recipients", struct bo_run_encryption, recipients, .flags = BO_FIELD_SENSITIVE, .rule = rule_recipient),
    BO_OPTIONAL_STRUCT("decryptionKey", struct bo_run_encryption, decryption_key, decryption_key_fields),
};
static const struct bo_fields encryption_fields = BO_FIELDS(struct bo_run_encryption, encryption, NULL);

static void check_command(struct bo_decoder *decoder, const struct bo_node *node, void *value) {
  const struct bo_node *command = bo_node_get(node, "command");
  const struct bo_node *args = bo_node_get(node, "args");
  (void)value;
  if ((command == NULL || command->count == 0) && (args == NULL || args->count == 0))
    bo_decoder_problem(decoder, node, BO_SEVERITY_ERROR, ".command",
                       "is required: what to execute, such as [\"/bin/sh\", \"-c\"] with the script in args");
}

#define COMMAND_FIELDS                                                                                        \
  BO_STRING("container", struct bo_run_command, container, .rule = bo_rule_label),                            \
      BO_STRINGS("command", struct bo_run_command, command), BO_STRINGS("args", struct bo_run_command, args), \
      BO_INTEGER("deadlineSeconds", struct bo_run_command, deadline_seconds, .minimum = 1, .maximum = MAX_SECONDS)

static const struct bo_field backup[] = {COMMAND_FIELDS};
static const struct bo_fields backup_fields = BO_FIELDS(struct bo_run_command, backup, check_command);

static const struct bo_field restore[] = {COMMAND_FIELDS, BO_BOOL("verifyFirst", struct bo_run_command, verify_first)};
static const struct bo_fields restore_fields = BO_FIELDS(struct bo_run_command, restore, check_command);

static const struct bo_field pod_template[] = {
    BO_STRUCT("metadata", struct bo_pod_template, meta, bo_template_meta_fields),
    BO_JSON("spec", struct bo_pod_template, spec_json, .flags = BO_FIELD_REQUIRED, .help = "a PodSpec"),
};

/* The PodSpec is the platform's to judge, but for what the run refers to: its containers' names. */
static void check_pod_template(struct bo_decoder *decoder, const struct bo_node *node, void *value) {
  const struct bo_node *pod = bo_node_get(node, "spec");
  const struct bo_node *containers = bo_node_get(pod, "containers");
  (void)value;
  if (pod == NULL) return;
  if (pod->type != BO_NODE_MAP) {
    bo_decoder_problem(decoder, pod, BO_SEVERITY_ERROR, ".spec", "must be a map, not %s", bo_node_type_name(pod));
  } else if (containers == NULL || containers->type != BO_NODE_LIST || containers->count == 0) {
    bo_decoder_problem(decoder, containers == NULL ? pod : containers, BO_SEVERITY_ERROR, ".spec.containers",
                       "must be a list with at least one container");
  }
}

static const struct bo_fields pod_template_fields = BO_FIELDS(struct bo_pod_template, pod_template, check_pod_template);

static const struct bo_field spec[] = {
    BO_STRUCT("storage", struct bo_backup_run_spec, storage, storage_fields, .flags = BO_FIELD_REQUIRED,
              .help = "where the object is"),
    BO_OPTIONAL_STRUCT("compression", struct bo_backup_run_spec, compression, compression_fields),
    BO_OPTIONAL_STRUCT("encryption", struct bo_backup_run_spec, encryption, encryption_fields),
    BO_OPTIONAL_STRUCT("backup", struct bo_backup_run_spec, backup, backup_fields),
    BO_OPTIONAL_STRUCT("restore", struct bo_backup_run_spec, restore, restore_fields),
    BO_OPTIONAL_STRUCT("template", struct bo_backup_run_spec, pod_template, pod_template_fields),
    BO_STRING("retainPolicy", struct bo_backup_run_spec, retain_policy, .default_value = "Retain",
              .choices = "Delete|Retain"),
    BO_INTEGER("backoffLimit", struct bo_backup_run_spec, backoff_limit, .default_value = "2", .minimum = 0,
               .maximum = INT32_MAX),
    BO_INTEGER("podStartDeadlineSeconds", struct bo_backup_run_spec, pod_start_deadline_seconds, .default_value = "600",
               .minimum = 1, .maximum = MAX_SECONDS),
};

static bool has_container(const struct bo_node *containers, const char *name) {
  for (const struct bo_node *item = containers->first; item != NULL; item = item->next) {
    const struct bo_node *own = bo_node_get(item, "name");
    if (own != NULL && own->type == BO_NODE_STRING && strcmp(own->text, name) == 0) return true;
  }
  return false;
}

static void check_container(struct bo_decoder *decoder, const struct bo_node *node, const char *block) {
  const struct bo_node *container = bo_node_get(bo_node_get(node, block), "container");
  const struct bo_node *containers = bo_node_get(bo_node_get(bo_node_get(node, "template"), "spec"), "containers");
  if (container == NULL || container->type != BO_NODE_STRING) return;
  if (containers != NULL && (containers->type != BO_NODE_LIST || has_container(containers, container->text))) return;
  char below[32];
  (void)snprintf(below, sizeof(below), ".%s.container", block);
  bo_decoder_problem(decoder, container, BO_SEVERITY_ERROR, below, "there is no container %s in %s",
                     bo_decoder_quote(decoder, container->text),
                     containers == NULL ? "this run: .spec.template is missing" : ".spec.template.spec.containers");
}

static void check_encryption(struct bo_decoder *decoder, const struct bo_node *node) {
  const struct bo_node *block = bo_node_get(node, "encryption");
  const struct bo_node *recipients = bo_node_get(block, "recipients");
  bool has_backup = bo_node_get(node, "backup") != NULL;
  if (block == NULL || (recipients != NULL && recipients->count > 0)) return;
  if (has_backup)
    bo_decoder_problem(decoder, block, BO_SEVERITY_ERROR, ".encryption.recipients",
                       "is required: nobody could read a backup that is encrypted to no recipient");
  else if (bo_node_get(block, "decryptionKey") == NULL)
    bo_decoder_problem(decoder, block, BO_SEVERITY_ERROR, ".encryption",
                       "needs recipients (to back up) or decryptionKey (to restore)");
}

static void check_spec(struct bo_decoder *decoder, const struct bo_node *node, void *value) {
  const struct bo_node *path = bo_node_get(bo_node_get(node, "storage"), "path");
  bool has_backup = bo_node_get(node, "backup") != NULL;
  (void)value;
  check_container(decoder, node, "backup");
  check_container(decoder, node, "restore");
  check_encryption(decoder, node);
  if (!has_backup && path == NULL)
    bo_decoder_problem(decoder, bo_node_get(node, "storage"), BO_SEVERITY_ERROR, ".storage.path",
                       "is required without backup: it says which object to restore");
  if (!has_backup && bo_node_get(node, "restore") == NULL)
    bo_decoder_problem(decoder, NULL, BO_SEVERITY_WARNING, "",
                       "has neither backup nor restore: the object can be verified only");
}

const struct bo_fields bo_backup_run_spec_fields = BO_FIELDS(struct bo_backup_run_spec, spec, check_spec);

/* ---- status ------------------------------------------------------------------------------------------------- */

static const struct bo_field attempt[] = {
    BO_STRING("token", struct bo_run_attempt, token),
    BO_TIME("started", struct bo_run_attempt, started),
};
static const struct bo_fields attempt_fields = BO_FIELDS(struct bo_run_attempt, attempt, NULL);

static const struct bo_field outcome[] = {
    BO_TIME("startTime", struct bo_run_outcome, start_time),
    BO_TIME("completionTime", struct bo_run_outcome, completion_time),
    BO_STRING("reason", struct bo_run_outcome, reason),
    BO_STRING("message", struct bo_run_outcome, message),
    BO_INTEGER("bytesPlain", struct bo_run_outcome, bytes_plain),
    BO_INTEGER("bytesStored", struct bo_run_outcome, bytes_stored),
    BO_STRING("sha256Plain", struct bo_run_outcome, sha256_plain),
    BO_STRING("sha256Stored", struct bo_run_outcome, sha256_stored),
    BO_STRING("etag", struct bo_run_outcome, etag),
};
static const struct bo_fields outcome_fields = BO_FIELDS(struct bo_run_outcome, outcome, NULL);

static const struct bo_field status[] = {
    BO_STRING("state", struct bo_backup_run_status, state),
    BO_STRUCTS("conditions", struct bo_backup_run_status, conditions, bo_condition_fields),
    BO_INTEGER("observedGeneration", struct bo_backup_run_status, observed_generation),
    BO_STRING("path", struct bo_backup_run_status, path),
    BO_STRING("podName", struct bo_backup_run_status, pod_name),
    BO_INTEGER("sizeInBytes", struct bo_backup_run_status, size_in_bytes),
    BO_STRING("size", struct bo_backup_run_status, size),
    BO_INTEGER("attempts", struct bo_backup_run_status, attempts),
    BO_OPTIONAL_STRUCT("attempt", struct bo_backup_run_status, attempt, attempt_fields),
    BO_OPTIONAL_STRUCT("backup", struct bo_backup_run_status, backup, outcome_fields),
    BO_OPTIONAL_STRUCT("restore", struct bo_backup_run_status, restore, outcome_fields),
    BO_OPTIONAL_STRUCT("verify", struct bo_backup_run_status, verify, outcome_fields),
};
static const struct bo_fields status_fields = BO_FIELDS(struct bo_backup_run_status, status, NULL);

/* ---- the object --------------------------------------------------------------------------------------------- */

static void check_run(struct bo_decoder *decoder, const struct bo_node *node, void *value) {
  bo_check_path(decoder, bo_node_get(node, "spec"), value, ".spec.storage.path");
}

static const struct bo_field run[] = {
    BO_CONSTANT("apiVersion", BO_API_VERSION),
    BO_CONSTANT("kind", "BackupRun"),
    BO_STRUCT("metadata", struct bo_backup_run, meta, bo_object_meta_fields, .flags = BO_FIELD_REQUIRED),
    BO_STRUCT("spec", struct bo_backup_run, spec, bo_backup_run_spec_fields, .flags = BO_FIELD_REQUIRED),
    BO_STRUCT("status", struct bo_backup_run, status, status_fields),
};
const struct bo_fields bo_backup_run_fields = BO_FIELDS(struct bo_backup_run, run, check_run);

int bo_backup_run_to_json(const struct bo_backup_run *object, struct bo_buffer *out, struct bo_error *error) {
  return bo_encode(&bo_backup_run_fields, object, out, error);
}

int bo_backup_run_status_to_json(const struct bo_backup_run_status *object, struct bo_buffer *out,
                                 struct bo_error *error) {
  return bo_encode(&status_fields, object, out, error);
}

int bo_pod_template_to_json(const struct bo_pod_template *object, struct bo_buffer *out, struct bo_error *error) {
  if (object != NULL) return bo_encode(&pod_template_fields, object, out, error);
  return bo_buffer_append_text(out, "{}") ? BO_OK : bo_error_no_memory(error);
}
