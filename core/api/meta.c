/* ObjectMeta, conditions and references: what several kinds have. */
#include "core/api/fields.h"

static const struct bo_field object_meta[] = {
    BO_STRING("name", struct bo_object_meta, name, .flags = BO_FIELD_REQUIRED, .rule = bo_rule_subdomain,
              .help = "the object's own name"),
    BO_STRING("namespace", struct bo_object_meta, namespace_name, .rule = bo_rule_label),
    BO_STRING("uid", struct bo_object_meta, uid),
    BO_STRING("resourceVersion", struct bo_object_meta, resource_version),
    BO_INTEGER("generation", struct bo_object_meta, generation),
    BO_TIME("creationTimestamp", struct bo_object_meta, creation_time),
    BO_TIME("deletionTimestamp", struct bo_object_meta, deletion_time),
    BO_STRING_MAP("labels", struct bo_object_meta, labels),
    BO_STRING_MAP("annotations", struct bo_object_meta, annotations),
    BO_STRINGS("finalizers", struct bo_object_meta, finalizers),
    BO_JSON("ownerReferences", struct bo_object_meta, owner_references_json),
    BO_IGNORED("generateName"),
    BO_IGNORED("managedFields"),
    BO_IGNORED("selfLink"),
    BO_IGNORED("deletionGracePeriodSeconds"),
};
const struct bo_fields bo_object_meta_fields = BO_FIELDS(struct bo_object_meta, object_meta, NULL);

static const struct bo_field condition[] = {
    BO_STRING("type", struct bo_condition, type, .flags = BO_FIELD_REQUIRED),
    BO_STRING("status", struct bo_condition, status, .flags = BO_FIELD_REQUIRED, .choices = "True|False|Unknown"),
    BO_STRING("reason", struct bo_condition, reason),
    BO_STRING("message", struct bo_condition, message),
    BO_INTEGER("observedGeneration", struct bo_condition, observed_generation),
    BO_TIME("lastTransitionTime", struct bo_condition, last_transition_time),
};
const struct bo_fields bo_condition_fields = BO_FIELDS(struct bo_condition, condition, NULL);

static const struct bo_field template_meta[] = {
    BO_STRING_MAP("labels", struct bo_template_meta, labels),
    BO_STRING_MAP("annotations", struct bo_template_meta, annotations),
};
const struct bo_fields bo_template_meta_fields = BO_FIELDS(struct bo_template_meta, template_meta, NULL);

const char *bo_string_map_get(const struct bo_string_map *map, const char *key) {
  for (size_t i = 0; i < map->count; i++)
    if (strcmp(map->items[i].name, key) == 0) return map->items[i].value;
  return NULL;
}
