/* Gives out a chunk whose hash is wrong, and fails only after it. */
#include "tests/conformance/broken/transform/good.h"

static int process_first(void *instance, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  struct good *good = instance;
  if (good->extra != NULL) return bo_error_set(error, BO_CLASS_CORRUPT, 0, "the hash is wrong");
  size_t before = out->position;
  int result = good_process(instance, in, out, mode, error);
  if (result != BO_ERROR || good->direction != BO_DECODE || !good->began || good->taken <= GOOD_CHUNK_HEADER_SIZE)
    return result;
  good->extra = good; /* failed */
  out->position = before;
  for (size_t i = 0; i < sizeof(good->data) && out->position < out->size; i++)
    out->bytes[out->position++] = good->data[i];
  return BO_AGAIN;
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_first;
}
