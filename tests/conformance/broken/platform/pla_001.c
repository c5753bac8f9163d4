/* Turns a bit of what it reads. */
#include "tests/conformance/broken/platform/good.h"

static int read_and_turn(void *exec, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  int result = good_exec_read(exec, bytes, capacity, size, error);
  if (result == BO_OK && *size > 0) ((unsigned char *)bytes)[*size / 2] ^= 1;
  return result;
}

void spoil(struct bo_plugin *plugin, struct bo_platform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->exec_read = read_and_turn;
}
