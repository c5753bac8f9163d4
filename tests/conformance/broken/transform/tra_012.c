/* Keeps more and more memory. */
#include "tests/conformance/broken/transform/good.h"

struct link {
  struct link *next;
  unsigned char bytes[8000];
};

static int process_and_keep(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                            struct bo_error *error) {
  struct good *good = instance;
  struct link *link = good->host->alloc(good->host->context, sizeof(*link));
  if (link == NULL) return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory");
  link->next = good->extra;
  good->extra = link;
  return good_process(instance, in, out, mode, error);
}

static void close_links(void *instance) {
  const struct good *good = instance;
  struct link *next = NULL;
  for (struct link *link = good->extra; link != NULL; link = next) {
    next = link->next;
    good->host->free(good->host->context, link);
  }
  good_close(instance);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->process = process_and_keep;
  operations->close = close_links;
}
