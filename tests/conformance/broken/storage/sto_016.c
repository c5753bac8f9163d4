/* Leaves behind what it probed with. */
#include "tests/conformance/broken/storage/good.h"

static int probe_by_writing(void *instance, uint32_t what, struct bo_error *error) {
  struct bo_put_options options = {.header = BO_HEADER(struct bo_put_options), .size_hint_bytes = -1};
  struct bo_object object = {.size = sizeof(object)};
  struct bo_token token;
  void *put = NULL;
  int result = good_probe(instance, what, error);
  if (result != BO_OK || (what & BO_PROBE_WRITE) == 0) return result;
  result = good_put_open(instance, "probe", &options, &token, &put, error);
  if (result != BO_OK) return result;
  result = good_put_commit(put, &object, error);
  (void)good_put_close(put, NULL);
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->probe = probe_by_writing;
}
