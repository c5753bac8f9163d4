/* Goes on with a listing that was told to stop. */
#include "tests/conformance/broken/storage/good.h"

struct listener {
  bo_list_function *each;
  void *context;
};

static int never_stop(void *context, const char *key, const struct bo_object *object) {
  const struct listener *listener = context;
  (void)listener->each(listener->context, key, object);
  return 0;
}

static int list_on(void *instance, const char *prefix, const char *after, uint32_t limit, bo_list_function *each,
                   void *context, int *more, struct bo_error *error) {
  struct listener listener = {each, context};
  return good_list(instance, prefix, after, limit, never_stop, &listener, more, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->list = list_on;
}
