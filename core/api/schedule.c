/* BackupSchedule: runs made by the clock. */
#include "core/api/fields.h"

/* A run is named <schedule>-<unix time>, and the Pods and labels made from that name end at 63 characters. */
#define NAME_MAX_LENGTH 52

static const struct bo_field run_template[] = {
    BO_STRUCT("metadata", struct bo_run_template, meta, bo_template_meta_fields),
    BO_STRUCT("spec", struct bo_run_template, spec, bo_backup_run_spec_fields, .flags = BO_FIELD_REQUIRED,
              .help = "the spec of the runs to be made"),
};
static const struct bo_fields run_template_fields = BO_FIELDS(struct bo_run_template, run_template, NULL);

static const struct bo_field spec[] = {
    BO_STRING("schedule", struct bo_backup_schedule_spec, schedule, .flags = BO_FIELD_REQUIRED,
              .rule = bo_rule_not_empty, .help = "when to run, such as \"0 3 * * *\""),
    BO_STRING("timeZone", struct bo_backup_schedule_spec, time_zone, .rule = bo_rule_not_empty),
    BO_INTEGER("startingDeadlineSeconds", struct bo_backup_schedule_spec, starting_deadline_seconds, .minimum = 0,
               .maximum = INT32_MAX),
    BO_STRING("concurrencyPolicy", struct bo_backup_schedule_spec, concurrency_policy, .default_value = "Replace",
              .choices = "Allow|Forbid|Replace"),
    BO_BOOL("suspend", struct bo_backup_schedule_spec, suspend),
    BO_INTEGER("successfulRunsHistoryLimit", struct bo_backup_schedule_spec, successful_runs_history_limit,
               .default_value = "3", .minimum = 1, .maximum = INT32_MAX),
    BO_INTEGER("failedRunsHistoryLimit", struct bo_backup_schedule_spec, failed_runs_history_limit,
               .default_value = "1", .minimum = 1, .maximum = INT32_MAX),
    BO_STRUCT("template", struct bo_backup_schedule_spec, run_template, run_template_fields, .flags = BO_FIELD_REQUIRED,
              .help = "the runs to be made"),
};
static const struct bo_fields spec_fields = BO_FIELDS(struct bo_backup_schedule_spec, spec, NULL);

static const struct bo_field status[] = {
    BO_STRUCTS("conditions", struct bo_backup_schedule_status, conditions, bo_condition_fields),
    BO_INTEGER("observedGeneration", struct bo_backup_schedule_status, observed_generation),
    BO_INTEGER("total", struct bo_backup_schedule_status, total),
    BO_INTEGER("successful", struct bo_backup_schedule_status, successful),
    BO_INTEGER("failed", struct bo_backup_schedule_status, failed),
    BO_INTEGER("inProgress", struct bo_backup_schedule_status, in_progress),
    BO_STRINGS("active", struct bo_backup_schedule_status, active),
    BO_TIME("lastScheduleTime", struct bo_backup_schedule_status, last_schedule_time),
    BO_TIME("lastSuccessfulTime", struct bo_backup_schedule_status, last_successful_time),
    BO_TIME("nextScheduleTime", struct bo_backup_schedule_status, next_schedule_time),
};
static const struct bo_fields status_fields = BO_FIELDS(struct bo_backup_schedule_status, status, NULL);

static void check_schedule(struct bo_decoder *decoder, const struct bo_node *node, void *value) {
  const struct bo_backup_schedule *object = value;
  bo_check_name(decoder, node, &object->meta, NAME_MAX_LENGTH);
  /* A run as it will be made, for the path template to read. */
  struct bo_backup_run run = {.spec = object->spec.run_template.spec};
  run.meta.name = bo_arena_printf(&decoder->set->arena, "%s-0", object->meta.name == NULL ? "" : object->meta.name);
  run.meta.namespace_name = object->meta.namespace_name;
  run.meta.labels = object->spec.run_template.meta.labels;
  run.meta.annotations = object->spec.run_template.meta.annotations;
  bo_check_path(decoder, bo_node_get(bo_node_get(bo_node_get(node, "spec"), "template"), "spec"), &run,
                ".spec.template.spec.storage.path");
}

static const struct bo_field schedule[] = {
    BO_CONSTANT("apiVersion", BO_API_VERSION),
    BO_CONSTANT("kind", "BackupSchedule"),
    BO_STRUCT("metadata", struct bo_backup_schedule, meta, bo_object_meta_fields, .flags = BO_FIELD_REQUIRED),
    BO_STRUCT("spec", struct bo_backup_schedule, spec, spec_fields, .flags = BO_FIELD_REQUIRED),
    BO_STRUCT("status", struct bo_backup_schedule, status, status_fields),
};
const struct bo_fields bo_backup_schedule_fields = BO_FIELDS(struct bo_backup_schedule, schedule, check_schedule);

int bo_backup_schedule_to_json(const struct bo_backup_schedule *object, struct bo_buffer *out, struct bo_error *error) {
  return bo_encode(&bo_backup_schedule_fields, object, out, error);
}

int bo_backup_schedule_status_to_json(const struct bo_backup_schedule_status *object, struct bo_buffer *out,
                                      struct bo_error *error) {
  return bo_encode(&status_fields, object, out, error);
}
