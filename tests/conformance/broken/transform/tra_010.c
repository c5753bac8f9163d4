/* Writes to its input. */
#include "tests/conformance/broken/transform/good.h"

static int process_in_place(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                            struct bo_error *error) {
  if (in->position < in->size) {
    volatile unsigned char *byte = (unsigned char *)(uintptr_t)in->bytes + in->position;
    *byte = (unsigned char)(*byte ^ 0x55); /* decodes in place, as it were, and puts it right again */
    *byte = (unsigned char)(*byte ^ 0x55);
  }
  return good_process(instance, in, out, mode, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_in_place;
}
