/* Makes nothing at all of an empty stream. */
#include "tests/conformance/broken/transform/good.h"

static int process_some(void *instance, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  const struct good *good = instance;
  if (good->direction == BO_ENCODE && !good->began && mode == BO_END && in->size == 0) return BO_DONE;
  return good_process(instance, in, out, mode, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_some;
}
