/* Needs room for two bytes. */
#include "tests/conformance/broken/transform/good.h"

static int process_with_room(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                             struct bo_error *error) {
  if (out->size - out->position < 2) return bo_error_set(error, BO_CLASS_INTERNAL, 0, "there is too little room");
  return good_process(instance, in, out, mode, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_with_room;
}
