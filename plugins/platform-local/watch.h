/* watch.h - object_watch: the objects of a kind, then every change. */
#ifndef BO_PLATFORM_LOCAL_WATCH_H
#define BO_PLATFORM_LOCAL_WATCH_H

#include "store.h"

int object_watch(void *platform, const char *kind, bo_watch_function *each, void *context, struct bo_error *error);

/* Something changed. With store->lock held. */
void watches_wake(struct store *store);

#endif
