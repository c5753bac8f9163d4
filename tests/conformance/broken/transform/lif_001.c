/* Turns a bit of what it decodes. */
#include "tests/conformance/broken/transform/good.h"

static int process_and_turn(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                            struct bo_error *error) {
  const struct good *good = instance;
  size_t before = out->position;
  int result = good_process(instance, in, out, mode, error);
  if (good->direction == BO_DECODE && out->position > before) out->bytes[before] ^= 1;
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_and_turn;
}
