/* Makes the etag from the size. */
#include "tests/conformance/broken/storage/good.h"

#include <unistd.h>

static int commit_size(void *instance, struct bo_object *object, struct bo_error *error) {
  struct good_put *put = instance;
  memset(put->record.etag, 0, sizeof(put->record.etag));
  (void)snprintf(put->record.etag, sizeof(put->record.etag), "%llu", (unsigned long long)put->size_bytes);
  if (pwrite(put->fd, &put->record, sizeof(put->record), 0) < 0)
    return bo_error_set(error, BO_CLASS_IO, 0, "the etag cannot be written");
  return good_put_commit(instance, object, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_commit = commit_size;
}
