/* Does not look at the first byte. */
#include "tests/conformance/broken/transform/good.h"

static int process_but_first(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                             struct bo_error *error) {
  struct good *good = instance;
  if (good->direction == BO_DECODE && !good->began && good->taken == 0 && in->position < in->size) {
    good->stored[good->taken++] = GOOD_MAGIC[0];
    in->position++;
  }
  return good_process(instance, in, out, mode, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_but_first;
}
