/* Writes over the object in place, in two steps. */
#include "tests/conformance/broken/storage/good.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int commit_in_place(void *instance, struct bo_object *object, struct bo_error *error) {
  struct good_put *put = instance;
  char file[PATH_MAX];
  struct stat status;
  (void)good_object_file(put->storage, put->record.key, file, NULL);
  int old = open(file, O_WRONLY | O_CLOEXEC);
  if (old < 0) return good_put_commit(instance, object, error);
  (void)fstat(put->fd, &status);
  char *bytes = malloc((size_t)status.st_size);
  if (bytes == NULL || pread(put->fd, bytes, (size_t)status.st_size, 0) != status.st_size) abort();
  size_t half = (size_t)status.st_size / 2;
  if (ftruncate(old, 0) != 0 || write(old, bytes, half) < 0) abort();
  (void)usleep(3000);
  if (write(old, bytes + half, (size_t)status.st_size - half) < 0) abort();
  (void)close(old);
  free(bytes);
  (void)unlink(put->file);
  put->committed = 1;
  int result = good_stat(put->storage, put->record.key, object, error);
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_commit = commit_in_place;
}
