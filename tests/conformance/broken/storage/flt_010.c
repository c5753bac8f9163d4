/* Keeps a descriptor when the next one is not to be had. */
#include "tests/conformance/broken/storage/good.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int put_locked(void *instance, const char *key, const struct bo_put_options *options, struct bo_token *token,
                      void **put, struct bo_error *error) {
  int lock = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int result = good_put_open(instance, key, options, token, put, error);
  if (lock >= 0 && !(result != BO_OK && error->code == EMFILE)) (void)close(lock);
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_open = put_locked;
}
