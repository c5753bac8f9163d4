/* Keeps in a thread-local variable that it was opened. */
#include "tests/conformance/broken/transform/good.h"

static __thread int opened;

static int open_in_thread(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                          struct bo_error *error) {
  opened = 1;
  return good_open(host, direction, config, instance, error);
}

static int process_in_thread(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                             struct bo_error *error) {
  if (!opened) return bo_error_set(error, BO_CLASS_INTERNAL, 0, "this thread has opened nothing");
  return good_process(instance, in, out, mode, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_in_thread;
  operations->process = process_in_thread;
}
