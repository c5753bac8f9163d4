/* Takes an empty template for one that it cannot read. */
#include "tests/conformance/broken/platform/good.h"

static int start_anyhow(void *platform, const struct bo_workload_spec *spec, void **workload, struct bo_error *error) {
  int result = good_workload_start(platform, spec, workload, error);
  if (result == BO_OK || error->error_class != BO_CLASS_CONFIG) return result;
  struct bo_workload_spec empty = *spec;
  empty.template_json = "{}";
  return good_workload_start(platform, &empty, workload, error);
}

void spoil(struct bo_plugin *plugin, struct bo_platform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->workload_start = start_anyhow;
}
