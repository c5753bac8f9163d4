/* BackupStorage: where objects go. */
#include "core/api/fields.h"

static const struct bo_field requirement[] = {
    BO_STRING("key", struct bo_selector_requirement, key, .flags = BO_FIELD_REQUIRED, .rule = bo_rule_not_empty,
              .help = "the label that is asked for"),
    BO_STRING("operator", struct bo_selector_requirement, op, .flags = BO_FIELD_REQUIRED,
              .choices = "In|NotIn|Exists|DoesNotExist", .help = "In, NotIn, Exists or DoesNotExist"),
    BO_STRINGS("values", struct bo_selector_requirement, values),
};

static void check_requirement(struct bo_decoder *decoder, const struct bo_node *node, void *value) {
  const struct bo_selector_requirement *wanted = value;
  if (wanted->op == NULL) return;
  bool takes_values = strcmp(wanted->op, "In") == 0 || strcmp(wanted->op, "NotIn") == 0;
  const struct bo_node *values = bo_node_get(node, "values");
  if (takes_values && (values == NULL || values->count == 0))
    bo_decoder_problem(decoder, node, BO_SEVERITY_ERROR, ".values", "must not be empty for the operator %s",
                       wanted->op);
  if (!takes_values && wanted->values.count > 0)
    bo_decoder_problem(decoder, values, BO_SEVERITY_ERROR, ".values", "must be absent for the operator %s", wanted->op);
}

static const struct bo_fields requirement_fields =
    BO_FIELDS(struct bo_selector_requirement, requirement, check_requirement);

static const struct bo_field selector[] = {
    BO_STRING_MAP("matchLabels", struct bo_selector, match_labels),
    BO_STRUCTS("matchExpressions", struct bo_selector, match_expressions, requirement_fields),
};
static const struct bo_fields selector_fields = BO_FIELDS(struct bo_selector, selector, NULL);

static const struct bo_field credentials[] = {
    BO_STRING("name", struct bo_secret_reference, name, .flags = BO_FIELD_REQUIRED, .rule = bo_rule_subdomain,
              .help = "the Secret that holds the credentials"),
    BO_STRING("namespace", struct bo_secret_reference, namespace_name, .flags = BO_FIELD_REQUIRED,
              .rule = bo_rule_label, .help = "the Secret's namespace: a BackupStorage has none of its own"),
};
static const struct bo_fields credentials_fields = BO_FIELDS(struct bo_secret_reference, credentials, NULL);

static const struct bo_field spec[] = {
    BO_STRING("type", struct bo_backup_storage_spec, type, .default_value = "s3", .rule = bo_rule_plugin_name),
    BO_STRING_MAP("parameters", struct bo_backup_storage_spec, parameters),
    BO_OPTIONAL_STRUCT("credentials", struct bo_backup_storage_spec, credentials, credentials_fields),
    BO_OPTIONAL_STRUCT("allowedNamespaces", struct bo_backup_storage_spec, allowed_namespaces, selector_fields),
    BO_BOOL("namespacePrefix", struct bo_backup_storage_spec, namespace_prefix),
};
static const struct bo_fields spec_fields = BO_FIELDS(struct bo_backup_storage_spec, spec, NULL);

static const struct bo_field status[] = {
    BO_STRUCTS("conditions", struct bo_backup_storage_status, conditions, bo_condition_fields),
    BO_INTEGER("observedGeneration", struct bo_backup_storage_status, observed_generation),
    BO_INTEGER("schedules", struct bo_backup_storage_status, schedules),
    BO_INTEGER("runs", struct bo_backup_storage_status, runs),
    BO_INTEGER("sizeInBytes", struct bo_backup_storage_status, size_in_bytes),
    BO_STRING("size", struct bo_backup_storage_status, size),
};
static const struct bo_fields status_fields = BO_FIELDS(struct bo_backup_storage_status, status, NULL);

static void check_storage(struct bo_decoder *decoder, const struct bo_node *node, void *value) {
  const struct bo_backup_storage *storage = value;
  if (storage->meta.namespace_name != NULL)
    bo_decoder_problem(decoder, bo_node_get(bo_node_get(node, "metadata"), "namespace"), BO_SEVERITY_WARNING,
                       ".metadata.namespace", "has no effect: a BackupStorage belongs to the whole cluster");
}

static const struct bo_field storage_list[] = {
    BO_CONSTANT("apiVersion", BO_API_VERSION),
    BO_CONSTANT("kind", "BackupStorage"),
    BO_STRUCT("metadata", struct bo_backup_storage, meta, bo_object_meta_fields, .flags = BO_FIELD_REQUIRED),
    BO_STRUCT("spec", struct bo_backup_storage, spec, spec_fields, .flags = BO_FIELD_REQUIRED),
    BO_STRUCT("status", struct bo_backup_storage, status, status_fields),
};
const struct bo_fields bo_backup_storage_fields = BO_FIELDS(struct bo_backup_storage, storage_list, check_storage);

int bo_backup_storage_to_json(const struct bo_backup_storage *storage, struct bo_buffer *out, struct bo_error *error) {
  return bo_encode(&bo_backup_storage_fields, storage, out, error);
}

int bo_backup_storage_status_to_json(const struct bo_backup_storage_status *object, struct bo_buffer *out,
                                     struct bo_error *error) {
  return bo_encode(&status_fields, object, out, error);
}
