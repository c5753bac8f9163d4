/* Needs the whole header in the first piece. */
#include "tests/conformance/broken/transform/good.h"

static int process_whole_header(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                                struct bo_error *error) {
  const struct good *good = instance;
  if (good->direction == BO_DECODE && !good->began && in->size - in->position < GOOD_HEADER_SIZE)
    return bo_error_set(error, BO_CLASS_CORRUPT, 0, "there is no header");
  return good_process(instance, in, out, mode, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_whole_header;
}
