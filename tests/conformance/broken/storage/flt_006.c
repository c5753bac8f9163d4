/* Holds a lock in list that cancel waits for. */
#include "tests/conformance/broken/storage/good.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int list_alone(void *instance, const char *prefix, const char *after, uint32_t limit, bo_list_function *each,
                      void *context, int *more, struct bo_error *error) {
  (void)pthread_mutex_lock(&lock);
  int result = good_list(instance, prefix, after, limit, each, context, more, error);
  (void)pthread_mutex_unlock(&lock);
  return result;
}

static void cancel_in_turn(void *instance) {
  (void)pthread_mutex_lock(&lock);
  good_cancel(instance);
  (void)pthread_mutex_unlock(&lock);
}

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host) {
  (void)plugin, (void)host;
  operations->list = list_alone;
  operations->cancel = cancel_in_turn;
}
