/* Works on the instance that was opened last, whichever it is called for. */
#include "tests/conformance/broken/transform/good.h"

static struct good *current;

static int open_current(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                        struct bo_error *error) {
  int result = good_open(host, direction, config, instance, error);
  if (result == BO_OK) current = *instance;
  return result;
}

static int process_current(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                           struct bo_error *error) {
  (void)instance;
  return good_process(current, in, out, mode, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_current;
  operations->process = process_current;
}
