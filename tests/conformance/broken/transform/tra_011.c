/* Counts the stream's bytes in 32 bits. */
#include "tests/conformance/broken/transform/good.h"

static int process_counted(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                           struct bo_error *error) {
  const struct good *good = instance;
  if (good->number > 0 && (uint32_t)(good->number * GOOD_CHUNK_SIZE) == 0)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "chunk %llu is not the first", (unsigned long long)good->number);
  return good_process(instance, in, out, mode, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_counted;
}
