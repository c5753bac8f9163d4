/* Knows only what this very process has stored. */
#include "tests/conformance/broken/storage/good.h"

static int committed;

static int commit_here(void *instance, struct bo_object *object, struct bo_error *error) {
  committed = 1;
  return good_put_commit(instance, object, error);
}

static int get_here(void *instance, const char *key, uint64_t offset_bytes, const char *if_match,
                    struct bo_object *object, void **get, struct bo_error *error) {
  if (!committed) return bo_error_set(error, BO_CLASS_NOT_FOUND, 0, "there is no object");
  return good_get_open(instance, key, offset_bytes, if_match, object, get, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_commit = commit_here;
  operations->get_open = get_here;
}
