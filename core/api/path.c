/* Where a run's object lies: its path template, rendered over the run itself. */
#include "core/api/fields.h"
#include "core/base/clock.h"
#include "core/template/template.h"

/* What a template sees: the run as JSON, with the namespace that an absent one means. */
static int run_as_data(const struct bo_backup_run *run, struct bo_buffer *out, struct bo_error *error) {
  struct bo_backup_run named = *run;
  if (named.meta.namespace_name == NULL) named.meta.namespace_name = "default";
  return bo_backup_run_to_json(&named, out, error);
}

int bo_backup_run_key(const struct bo_backup_run *run, int64_t now_unix_seconds, struct bo_buffer *key,
                      struct bo_error *error) {
  BO_CLEANUP_BUFFER struct bo_buffer data = BO_BUFFER_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer path = BO_BUFFER_INIT;
  struct timespec now = {.tv_sec = (time_t)now_unix_seconds};
  static const struct bo_template_limits limits = {.output_bytes = 65536, .steps = 20000};
  int result = run_as_data(run, &data, error);
  if (result == BO_OK)
    result = bo_template_render(run->spec.storage.path, bo_buffer_text(&data), now, &limits, &path, error);
  if (result == BO_OK) result = bo_template_path(bo_buffer_text(&path), path.size, key, error);
  return result;
}

void bo_check_path(struct bo_decoder *decoder, const struct bo_node *spec, const struct bo_backup_run *run,
                   const char *below) {
  const struct bo_node *path = bo_node_get(bo_node_get(spec, "storage"), "path");
  BO_CLEANUP_BUFFER struct bo_buffer key = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  int64_t now = bo_realtime_ms() / 1000;
  if (!decoder->is_manifest || decoder->failed || path == NULL) return;
  /* What a run gets only when it is created. */
  struct bo_backup_run created = *run;
  if (created.meta.uid == NULL) created.meta.uid = "00000000-0000-4000-8000-000000000000";
  if (!created.meta.creation_time.is_set) created.meta.creation_time = (struct bo_optional){true, now};
  if (bo_backup_run_key(&created, now, &key, &error) != BO_OK)
    bo_decoder_problem(decoder, path, BO_SEVERITY_ERROR, below, "%s", error.text);
}
