/* Takes zeros for an encoded nothing. */
#include "tests/conformance/broken/transform/good.h"

static int process_zeros(void *instance, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  const struct good *good = instance;
  if (good->direction == BO_DECODE && !good->began && good->taken == 0 && in->size > 0 && in->bytes[0] == 0) {
    in->position = in->size;
    return mode == BO_END ? BO_DONE : BO_NEED_INPUT;
  }
  return good_process(instance, in, out, mode, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_zeros;
}
