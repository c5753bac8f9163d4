/* Commits a put that was discarded, from what it still has open. */
#include "tests/conformance/broken/storage/good.h"

#include <fcntl.h>
#include <unistd.h>

static int commit_anyway(void *instance, struct bo_object *object, struct bo_error *error) {
  const struct good_put *put = instance;
  char bytes[4096];
  if (access(put->file, F_OK) != 0) {
    int fd = open(put->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    off_t position = 0;
    for (ssize_t got; fd >= 0 && (got = pread(put->fd, bytes, sizeof(bytes), position)) > 0; position += got)
      if (write(fd, bytes, (size_t)got) != got) break;
    if (fd >= 0) (void)close(fd);
  }
  return good_put_commit(instance, object, error);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_commit = commit_anyway;
}
