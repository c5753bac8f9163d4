/* Never says that there is more. */
#include "tests/conformance/broken/storage/good.h"

static int list_no_more(void *instance, const char *prefix, const char *after, uint32_t limit, bo_list_function *each,
                        void *context, int *more, struct bo_error *error) {
  int result = good_list(instance, prefix, after, limit, each, context, more, error);
  *more = 0;
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->list = list_no_more;
}
