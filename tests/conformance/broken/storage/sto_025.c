/* Ends a listing when the object is gone after which it was to go on. */
#include "tests/conformance/broken/storage/good.h"

static int list_from_marker(void *instance, const char *prefix, const char *after, uint32_t limit,
                            bo_list_function *each, void *context, int *more, struct bo_error *error) {
  struct bo_object object = {.size = sizeof(object)};
  *more = 0;
  if (after != NULL && after[0] != '\0' && good_stat(instance, after, &object, error) != BO_OK &&
      error->error_class == BO_CLASS_NOT_FOUND)
    return BO_OK;
  return good_list(instance, prefix, after, limit, each, context, more, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->list = list_from_marker;
}
