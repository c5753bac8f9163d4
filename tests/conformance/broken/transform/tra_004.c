/* Answers BO_AGAIN where it needs more input, though it did nothing. */
#include "tests/conformance/broken/transform/good.h"

static int process_again(void *instance, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  int result = good_process(instance, in, out, mode, error);
  return result == BO_NEED_INPUT ? BO_AGAIN : result;
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_again;
}
