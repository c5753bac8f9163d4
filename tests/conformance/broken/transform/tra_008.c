/* Ignores whatever follows the end. */
#include "tests/conformance/broken/transform/good.h"

static int process_to_end(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                          struct bo_error *error) {
  const struct good *good = instance;
  int result = good_process(instance, in, out, mode, error);
  if (result != BO_ERROR || good->direction != BO_DECODE || !good->last || in->position == in->size) return result;
  in->position = in->size;
  return mode == BO_END ? BO_DONE : BO_NEED_INPUT;
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_to_end;
}
