/* Takes data that were cut between two chunks for whole. */
#include "tests/conformance/broken/transform/good.h"

static int process_part(void *instance, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  const struct good *good = instance;
  int result = good_process(instance, in, out, mode, error);
  if (result == BO_ERROR && good->direction == BO_DECODE && good->began && good->taken == 0 && mode == BO_END &&
      in->position == in->size)
    return BO_DONE;
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_part;
}
