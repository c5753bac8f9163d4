/* Takes an interrupted wait for a failure. */
#include "tests/conformance/broken/transform/good.h"

#include <errno.h>
#include <time.h>

static int process_and_wait(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                            struct bo_error *error) {
  if (in->size > 1000 && nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL) != 0)
    return bo_error_set(error, BO_CLASS_IO, errno, "waiting failed");
  return good_process(instance, in, out, mode, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_and_wait;
}
