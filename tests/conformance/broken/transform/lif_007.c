/* Runs a thread that takes the process's signals. */
#include "tests/conformance/broken/transform/good.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

struct helper {
  pthread_t thread;
  sem_t stop;
};

static void *wait_for_end(void *context) {
  while (sem_wait(&((struct helper *)context)->stop) != 0) {
  }
  return NULL;
}

static int open_with_thread(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                            struct bo_error *error) {
  struct helper *helper = host->alloc(host->context, sizeof(*helper));
  if (helper == NULL) return bo_error_set(error, BO_CLASS_NO_MEMORY, 0, "no memory");
  if (good_open(host, direction, config, instance, error) != BO_OK) {
    host->free(host->context, helper);
    return BO_ERROR;
  }
  (void)sem_init(&helper->stop, 0, 0);
  if (pthread_create(&helper->thread, NULL, wait_for_end, helper) != 0) abort();
  ((struct good *)*instance)->extra = helper;
  return BO_OK;
}

static void close_with_thread(void *instance) {
  struct good *good = instance;
  struct helper *helper = good->extra;
  (void)sem_post(&helper->stop);
  (void)pthread_join(helper->thread, NULL);
  good->host->free(good->host->context, helper);
  good_close(good);
}

void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host) {
  (void)host;
  plugin->threads = 1;
  operations->open = open_with_thread;
  operations->close = close_with_thread;
}
