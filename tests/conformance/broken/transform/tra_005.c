/* Does not know how to flush. */
#include "tests/conformance/broken/transform/good.h"

static int process_without_flush(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                                 struct bo_error *error) {
  if (mode == BO_FLUSH) return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "there is no flush");
  return good_process(instance, in, out, mode, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_without_flush;
}
