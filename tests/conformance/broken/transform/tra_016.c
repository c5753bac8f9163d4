/* Calls data damaged when it is the key that does not fit. */
#include "tests/conformance/broken/transform/good.h"

static int process_keys(void *instance, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  int result = good_process(instance, in, out, mode, error);
  if (result == BO_ERROR && error->error_class == BO_CLASS_AUTH) error->error_class = BO_CLASS_CORRUPT;
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_keys;
}
