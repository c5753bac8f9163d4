/* Leaks a little of malloc's memory in each open. */
#include "tests/conformance/broken/transform/good.h"

static int open_and_copy(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                         struct bo_error *error) {
  char *copy =
      strdup("a configuration that is kept, in a copy, for as long as the process lives, and longer than needed");
  if (copy == NULL) return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory");
  __asm__ volatile("" : : "r"(copy) : "memory"); /* the compiler would leave it out */
  return good_open(host, direction, config, instance, error);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->open = open_and_copy;
}
