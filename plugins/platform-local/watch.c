/*
 * watch.c - a watch remembers what it has told (each object's uid and resourceVersion) and compares that with the
 * index. Nothing is queued, so a slow reader costs no memory: it hears of the newest state, and never of a state twice.
 *
 * The reader is called without the lock, so it may call every other function of the platform.
 */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "local.h"
#include "manifests.h"
#include "objects.h"

/* How often to look at the clock and at the host's wish to stop. */
#define WAIT_MS 1000

struct told {
  struct object_key key;
  char uid[37];
  uint64_t version;
};

struct watch {
  struct watch *next;
  enum bo_manifest_kind kind;
  int wake_fd;
  struct told *told; /* by key */
  size_t count, capacity;
};

struct event {
  int type; /* 0: none */
  char *json;
};

void watches_wake(struct store *store) {
  for (struct watch *watch = store->watches; watch != NULL; watch = watch->next)
    (void)eventfd_write(watch->wake_fd, 1);
}

/* ---- what was told ------------------------------------------------------------------------------------------- */

static void told_free(struct told *told) {
  free((char *)told->key.namespace_name);
  free((char *)told->key.name);
}

static bool told_insert(struct watch *watch, size_t at, const struct entry *entry) {
  if (watch->told == NULL || watch->count == watch->capacity) {
    size_t capacity = watch->capacity > 0 ? watch->capacity * 2 : 64;
    struct told *grown = reallocarray(watch->told, capacity, sizeof(*grown));
    if (grown == NULL) return false;
    watch->told = grown;
    watch->capacity = capacity;
  }
  struct told told = {.key = {entry->key.kind, strdup(entry->key.namespace_name), strdup(entry->key.name)}};
  if (told.key.namespace_name == NULL || told.key.name == NULL) {
    told_free(&told);
    return false;
  }
  memmove(&watch->told[at + 1], &watch->told[at], (watch->count - at) * sizeof(told));
  watch->told[at] = told;
  watch->count++;
  return true;
}

static size_t told_position(const struct watch *watch, const struct object_key *key) {
  size_t low = 0, high = watch->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (store_compare(&watch->told[middle].key, key) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void told_remove(struct watch *watch, size_t at) {
  told_free(&watch->told[at]);
  watch->count--;
  memmove(&watch->told[at], &watch->told[at + 1], (watch->count - at) * sizeof(struct told));
}

/* ---- the next difference ------------------------------------------------------------------------------------- */

static int tell_deleted(struct watch *watch, size_t at, struct event *event, struct bo_error *error) {
  const struct told *told = &watch->told[at];
  BO_CLEANUP_BUFFER struct bo_buffer json = BO_BUFFER_INIT;
  /* Names and uids need no escapes. */
  (void)bo_buffer_printf(&json, "{\"apiVersion\":\"" BO_API_VERSION "\",\"kind\":\"%s\",\"metadata\":{\"name\":\"%s\",",
                         bo_manifest_kind_name(told->key.kind), told->key.name);
  if (told->key.namespace_name[0] != '\0')
    (void)bo_buffer_printf(&json, "\"namespace\":\"%s\",", told->key.namespace_name);
  (void)bo_buffer_printf(&json, "\"uid\":\"%s\"}}", told->uid);
  if (json.failed || (event->json = bo_buffer_take(&json)) == NULL) return bo_error_no_memory(error);
  event->type = BO_WATCH_DELETED;
  told_remove(watch, at);
  return BO_OK;
}

static int tell_object(struct store *store, struct watch *watch, size_t at, const struct entry *entry, int type,
                       struct event *event, struct bo_error *error) {
  CLEANUP_JSON cJSON *record = NULL;
  if (store_load(store, entry, &record, error) != BO_OK) return BO_ERROR;
  *event = (struct event){type, cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(record, "object"))};
  if (event->json == NULL || (type == BO_WATCH_ADDED && !told_insert(watch, at, entry)))
    return bo_error_no_memory(error);
  (void)snprintf(watch->told[at].uid, sizeof(watch->told[at].uid), "%s", entry->uid);
  watch->told[at].version = entry->version;
  return BO_OK;
}

/* A place in both lists: all before it is told. */
struct place {
  size_t entry, told;
};

static int next_event(struct store *store, struct watch *watch, struct place *place, struct event *event,
                      struct bo_error *error) {
  for (;;) {
    const struct entry *entry = place->entry < store->count ? store->entries[place->entry] : NULL;
    const struct told *told = place->told < watch->count ? &watch->told[place->told] : NULL;
    if (entry != NULL && entry->key.kind != watch->kind) entry = NULL;
    if (entry != NULL && entry->deleted && (told == NULL || store_compare(&entry->key, &told->key) != 0)) {
      place->entry++;
      continue;
    }
    if (entry == NULL && told == NULL) return BO_OK;
    int order = entry == NULL ? 1 : told == NULL ? -1 : store_compare(&entry->key, &told->key);
    if (order > 0 || (order == 0 && (entry->deleted || strcmp(entry->uid, told->uid) != 0)))
      return tell_deleted(watch, place->told, event, error);
    place->entry++;
    size_t at = place->told++;
    if (order < 0) return tell_object(store, watch, at, entry, BO_WATCH_ADDED, event, error);
    if (entry->version != told->version) return tell_object(store, watch, at, entry, BO_WATCH_MODIFIED, event, error);
  }
}

static bool is_cancelled(const struct store *store) {
  struct pollfd cancel = {.fd = store->cancel_fd, .events = POLLIN};
  return poll(&cancel, 1, 0) > 0 || store->host->cancelled(store->host->context);
}

static int error_cancelled(struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CANCELLED, ECANCELED, "the watch was cancelled");
}

/* The place behind `last`. An object that changes all the time must not keep the others waiting. */
static struct place place_behind(const struct store *store, const struct watch *watch, const struct object_key *last) {
  struct place place = {store_position(store, last), told_position(watch, last)};
  if (place.entry < store->count && store_compare(&store->entries[place.entry]->key, last) == 0) place.entry++;
  if (place.told < watch->count && store_compare(&watch->told[place.told].key, last) == 0) place.told++;
  return place;
}

/* Tells one difference after another. Between two the index may change, so the place is found anew by the last key. */
static int tell_all(struct store *store, struct watch *watch, bo_watch_function *each, void *context, bool *ended,
                    struct bo_error *error) {
  char namespace_name[256] = "", name[256] = "";
  const struct object_key last = {watch->kind, namespace_name, name};
  for (;;) {
    struct event event = {0, NULL};
    if (is_cancelled(store)) return error_cancelled(error);
    if (store_enter(store, error) != BO_OK) return BO_ERROR;
    struct place place = place_behind(store, watch, &last);
    int result = next_event(store, watch, &place, &event, error);
    if (result == BO_OK && event.type != 0 && event.type != BO_WATCH_DELETED) {
      const struct object_key *key = &watch->told[place.told - 1].key;
      (void)snprintf(namespace_name, sizeof(namespace_name), "%s", key->namespace_name);
      (void)snprintf(name, sizeof(name), "%s", key->name);
    }
    store_leave(store);
    if (result == BO_OK && event.type != 0) *ended = each(context, event.type, event.json) != 0;
    cJSON_free(event.json);
    if (result != BO_OK || event.type == 0 || *ended) return result;
  }
}

/* ---- waiting ------------------------------------------------------------------------------------------------- */

static int wait_for_change(struct store *store, const struct watch *watch, struct bo_error *error) {
  (void)pthread_mutex_lock(&store->lock);
  uint64_t now_ms = bo_monotonic_ms();
  uint64_t left_ms = store->manifests != NULL && store->scan_at_ms > now_ms ? store->scan_at_ms - now_ms : WAIT_MS;
  struct pollfd fds[] = {{.fd = watch->wake_fd, .events = POLLIN},
                         {.fd = store->cancel_fd, .events = POLLIN},
                         {.fd = store->notify_fd, .events = POLLIN}};
  (void)pthread_mutex_unlock(&store->lock);
  (void)poll(fds, 3, (int)(left_ms < WAIT_MS ? left_ms : WAIT_MS));
  if (is_cancelled(store)) return error_cancelled(error);
  eventfd_t ignored;
  if (fds[0].revents != 0) (void)eventfd_read(watch->wake_fd, &ignored);
  if (fds[2].revents == 0) return BO_OK;
  (void)pthread_mutex_lock(&store->lock);
  manifests_notified(store);
  (void)pthread_mutex_unlock(&store->lock);
  return BO_OK;
}

static void register_watch(struct store *store, struct watch *watch) {
  (void)pthread_mutex_lock(&store->lock);
  watch->next = store->watches;
  store->watches = watch;
  (void)pthread_mutex_unlock(&store->lock);
}

static void end_watch(struct store *store, struct watch *watch) {
  (void)pthread_mutex_lock(&store->lock);
  for (struct watch **link = &store->watches; *link != NULL; link = &(*link)->next) {
    if (*link != watch) continue;
    *link = watch->next;
    break;
  }
  (void)pthread_mutex_unlock(&store->lock);
  for (size_t i = 0; i < watch->count; i++)
    told_free(&watch->told[i]);
  free(watch->told);
  (void)close(watch->wake_fd);
}

int object_watch(void *platform, const char *kind, bo_watch_function *each, void *context, struct bo_error *error) {
  struct store *store = &((struct platform *)platform)->store;
  struct watch watch = {.wake_fd = -1};
  bool ended = false;
  if (objects_kind(kind, &watch.kind, error) != BO_OK) return BO_ERROR;
  watch.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (watch.wake_fd < 0) return bo_error_errno(error, errno, "cannot make an eventfd");
  register_watch(store, &watch);
  int result = tell_all(store, &watch, each, context, &ended, error);
  if (result == BO_OK && !ended) ended = each(context, BO_WATCH_SYNCED, NULL) != 0;
  while (result == BO_OK && !ended) {
    result = wait_for_change(store, &watch, error);
    if (result == BO_OK) result = tell_all(store, &watch, each, context, &ended, error);
  }
  end_watch(store, &watch);
  return result;
}
