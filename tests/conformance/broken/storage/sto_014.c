/* Sweeps everybody's puts. */
#include "tests/conformance/broken/storage/good.h"

static int sweep_all(void *instance, const char *prefix, uint64_t older_than_seconds, uint64_t *count,
                     struct bo_error *error) {
  (void)prefix;
  return good_sweep(instance, "", older_than_seconds, count, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->sweep = sweep_all;
}
