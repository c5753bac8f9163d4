/* Calls of a compress or crypt plugin. A wrong position here would be lost or invented data, so each is checked. */
#include <assert.h>

#include "core/plugin/checked_internal.h"

int bo_transform_open(struct bo_transform *transform, const struct bo_loaded_plugin *plugin, int direction,
                      const struct bo_config *config, const struct bo_log *log, struct bo_error *error) {
  BO_NEED_ERROR(error);
  *transform = (struct bo_transform){.plugin = plugin, .direction = direction};
  char source[48];
  (void)snprintf(source, sizeof(source), "%s-%s", bo_kind_name(plugin->descriptor.kind), plugin->descriptor.name);
  if (bo_plugin_host_init(&transform->host, log, source, error) != BO_OK) return BO_ERROR;
  struct bo_plugin_host *host = &transform->host;
  int result = BO_CHECKED_CALL(
      host, &transform->broken, "open", direction == BO_ENCODE ? "encode" : "decode",
      plugin->operations.transform->open(&host->table, direction, config, &transform->instance, error), error);
  if (result == BO_OK && transform->instance == NULL)
    result = bo_checked_broke(host, &transform->broken, error, "open() gave no instance");
  if (result == BO_OK) return BO_OK;
  transform->instance = NULL;
  bo_plugin_host_destroy(host);
  return BO_ERROR;
}

/* The promises of struct bo_transform_operations.process, one by one. */
static int check(struct bo_transform *transform, const struct bo_input *in, const struct bo_input *in_before,
                 const struct bo_output *out, const struct bo_output *out_before, int result, struct bo_error *error) {
  struct bo_plugin_host *host = &transform->host;
  atomic_bool *broken = &transform->broken;
  if (in->bytes != in_before->bytes || in->size != in_before->size || out->bytes != out_before->bytes ||
      out->size != out_before->size)
    return bo_checked_broke(host, broken, error, "process() changed a buffer's address or size");
  if (in->position < in_before->position || in->position > in->size)
    return bo_checked_broke(host, broken, error, "process() left in.position at %zu of %zu", in->position, in->size);
  if (out->position < out_before->position || out->position > out->size)
    return bo_checked_broke(host, broken, error, "process() left out.position at %zu of %zu", out->position, out->size);
  if (result == BO_DONE && !transform->ended)
    return bo_checked_broke(host, broken, error, "process() answered DONE before it was given END");
  if (result == BO_NEED_INPUT && transform->ended)
    return bo_checked_broke(host, broken, error, "process() asked for more input after END");
  if ((result == BO_NEED_INPUT || result == BO_DONE) && in->position != in->size)
    return bo_checked_broke(host, broken, error, "process() answered %s with %zu bytes of input left",
                            result == BO_DONE ? "DONE" : "NEED_INPUT", in->size - in->position);
  if (result == BO_AGAIN && in->position == in_before->position && out->position == out_before->position)
    return bo_checked_broke(host, broken, error, "process() answered AGAIN without having done anything");
  return result;
}

int bo_transform_process(struct bo_transform *transform, struct bo_input *in, struct bo_output *out, int mode,
                         struct bo_error *error) {
  assert(transform->instance != NULL && !transform->broken && !transform->done);
  assert(out->position < out->size && in->position <= in->size && (mode == BO_END || !transform->ended));
  BO_NEED_ERROR(error);
  struct bo_plugin_host *host = &transform->host;
  struct bo_input in_before = *in;
  struct bo_output out_before = *out;
  transform->ended = mode == BO_END;
  *error = (struct bo_error)BO_ERROR_INIT;
  bo_plugin_host_enter(host, "process");
  int result = transform->plugin->operations.transform->process(transform->instance, in, out, mode, error);
  bo_plugin_host_leave(host);
  result =
      bo_checked_result(host, &transform->broken, "process",
                        BO_DETAIL("%zu of %zu in, %zu of %zu out%s", in->position - in_before.position,
                                  in_before.size - in_before.position, out->position - out_before.position,
                                  out_before.size - out_before.position, mode == BO_END ? ", end" : ""),
                        result, (1U << BO_AGAIN) | (1U << BO_NEED_INPUT) | (1U << BO_DONE) | (1U << BO_ERROR), error);
  if (result != BO_ERROR) result = check(transform, in, &in_before, out, &out_before, result, error);
  if (result == BO_ERROR) {
    atomic_store(&transform->broken, true);
    *in = in_before;
    *out = out_before; /* what a failed call wrote is not used */
  }
  transform->done = result == BO_DONE;
  return result;
}

void bo_transform_close(struct bo_transform *transform) {
  if (transform->instance == NULL) return;
  bo_plugin_host_enter(&transform->host, "close");
  transform->plugin->operations.transform->close(transform->instance);
  bo_plugin_host_leave(&transform->host);
  transform->instance = NULL;
  bo_plugin_host_destroy(&transform->host);
}
