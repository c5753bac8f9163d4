/* Finds what another process has begun. */
#include "tests/conformance/broken/storage/good.h"

#include <dirent.h>

static int begun_here;

static int put_noted(void *instance, const char *key, const struct bo_put_options *options, struct bo_token *token,
                     void **put, struct bo_error *error) {
  begun_here = 1;
  return good_put_open(instance, key, options, token, put, error);
}

static int stat_begun(void *instance, const char *key, struct bo_object *object, struct bo_error *error) {
  const struct good_storage *storage = instance;
  int result = good_stat(instance, key, object, error);
  if (result == BO_OK || begun_here) return result;
  DIR *folder = opendir(storage->path);
  for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
    if (strncmp(entry->d_name, "p-", 2) == 0) result = BO_OK;
  if (folder != NULL) (void)closedir(folder);
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->put_open = put_noted;
  operations->stat = stat_begun;
}
