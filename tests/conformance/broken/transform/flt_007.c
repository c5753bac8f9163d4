/* Has a deadline of its own, a minute after the open. */
#include "tests/conformance/broken/transform/good.h"

static int open_with_deadline(const struct bo_host *host, int direction, const struct bo_config *config,
                              void **instance, struct bo_error *error) {
  uint64_t *began_ns = host->alloc(host->context, sizeof(*began_ns));
  if (began_ns == NULL) return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory");
  if (good_open(host, direction, config, instance, error) != BO_OK) {
    host->free(host->context, began_ns);
    return BO_ERROR;
  }
  *began_ns = host->monotonic_ns(host->context);
  ((struct good *)*instance)->extra = began_ns;
  return BO_OK;
}

static int process_with_deadline(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                                 struct bo_error *error) {
  const struct good *good = instance;
  const uint64_t *began_ns = good->extra;
  if (good->host->monotonic_ns(good->host->context) - *began_ns > UINT64_C(60000000000))
    return bo_error_set(error, BO_CLASS_TIMEOUT, 0, "it takes too long");
  return good_process(instance, in, out, mode, error);
}

static void close_with_deadline(void *instance) {
  const struct good *good = instance;
  good->host->free(good->host->context, good->extra);
  good_close(instance);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_with_deadline;
  operations->process = process_with_deadline;
  operations->close = close_with_deadline;
}
