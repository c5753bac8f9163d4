/* Shows the object from the beginning. */
#include "tests/conformance/broken/storage/good.h"

#include <fcntl.h>
#include <unistd.h>

static int put_visibly(void *instance, const char *key, const struct bo_put_options *options, struct bo_token *token,
                       void **put, struct bo_error *error) {
  char file[PATH_MAX];
  int result = good_put_open(instance, key, options, token, put, error);
  if (result != BO_OK || good_object_file(instance, key, file, error) != BO_OK) return result;
  const struct good_put *begun = *put;
  int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd >= 0 && write(fd, &begun->record, sizeof(begun->record)) < 0) (void)unlink(file);
  if (fd >= 0) (void)close(fd);
  return BO_OK;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_open = put_visibly;
}
