/* Removes the older object when a put begins. */
#include "tests/conformance/broken/storage/good.h"

static int put_instead(void *instance, const char *key, const struct bo_put_options *options, struct bo_token *token,
                       void **put, struct bo_error *error) {
  int result = good_put_open(instance, key, options, token, put, error);
  if (result == BO_OK) (void)good_remove(instance, key, NULL, NULL);
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_open = put_instead;
}
