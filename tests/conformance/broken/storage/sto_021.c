/* Stores under a key without its spaces. */
#include "tests/conformance/broken/storage/good.h"

static int put_changed(void *instance, const char *key, const struct bo_put_options *options, struct bo_token *token,
                       void **put, struct bo_error *error) {
  char changed[BO_KEY_MAX + 128];
  (void)snprintf(changed, sizeof(changed), "%s", key);
  for (char *c = changed; *c != '\0'; c++)
    if (*c == ' ') *c = '+';
  return good_put_open(instance, changed, options, token, put, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_open = put_changed;
}
