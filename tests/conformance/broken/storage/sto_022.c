/* Puts into an object whose key differs in case alone. */
#include "tests/conformance/broken/storage/good.h"

static int put_folded(void *instance, const char *key, const struct bo_put_options *options, struct bo_token *token,
                      void **put, struct bo_error *error) {
  struct bo_object object = {.size = sizeof(object)};
  char other[BO_KEY_MAX + 128];
  (void)snprintf(other, sizeof(other), "%s", key);
  char *last = other + strlen(other) - 1;
  if (*last >= 'a' && *last <= 'z') *last = (char)(*last - 'a' + 'A');
  if (good_stat(instance, other, &object, NULL) == BO_OK) key = other;
  return good_put_open(instance, key, options, token, put, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_open = put_folded;
}
