/*
 * ledger.c - events are for people: they are appended and not synced, and a crash may cost the last one, but never
 * makes two lines of one. A lease needs no lock but its own, so that a second operator may stand by.
 */
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/io.h"
#include "local.h"

/* ---- events -------------------------------------------------------------------------------------------------- */

/* Opens the file so that what is written begins a line. */
static int open_events(const char *path, int *fd, struct bo_error *error) {
  char last = '\n';
  struct stat status;
  *fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (*fd < 0 || fstat(*fd, &status) != 0) return bo_error_errno(error, errno, "%s", path);
  if (status.st_size == 0 || pread(*fd, &last, 1, status.st_size - 1) != 1 || last == '\n') return BO_OK;
  return bo_write_all(*fd, "\n", 1, error);
}

static int make_room(const char *path, struct bo_error *error) {
  char old[PATH_MAX + 2];
  struct stat status;
  (void)snprintf(old, sizeof(old), "%s.1", path);
  if (stat(path, &status) != 0 || status.st_size < EVENTS_MAX_BYTES || rename(path, old) == 0) return BO_OK;
  return bo_error_errno(error, errno, "%s: renaming it", path);
}

static int append(const struct store *store, const char *line, struct bo_error *error) {
  char path[PATH_MAX];
  BO_CLEANUP_FD int fd = -1;
  (void)snprintf(path, sizeof(path), "%s/events.jsonl", store->folder);
  int result = make_room(path, error);
  if (result == BO_OK) result = open_events(path, &fd, error);
  return result == BO_OK ? bo_write_all(fd, line, strlen(line), error) : result;
}

int event_record(void *platform, const char *event_json, struct bo_error *error) {
  struct store *store = &((struct platform *)platform)->store;
  BO_CLEANUP_BUFFER struct bo_buffer line = BO_BUFFER_INIT;
  CLEANUP_JSON cJSON *event = cJSON_Parse(event_json);
  if (!cJSON_IsObject(event)) return bo_error_set(error, BO_CLASS_CONFIG, 0, "the event is not a JSON object");
  char *text = cJSON_PrintUnformatted(event);
  if (text != NULL) (void)bo_buffer_printf(&line, "%s\n", text);
  cJSON_free(text);
  if (text == NULL || line.failed) return bo_error_no_memory(error);
  if (store_enter(store, error) != BO_OK) return BO_ERROR;
  int result = append(store, bo_buffer_text(&line), error);
  store_leave(store);
  return result;
}

/* ---- leases -------------------------------------------------------------------------------------------------- */

struct lease {
  struct lease *next;
  char *path;
  int fd;
};

static void lease_free(struct lease *lease) {
  if (lease->fd >= 0) (void)close(lease->fd);
  free(lease->path);
  free(lease);
}

void leases_close(struct store *store) {
  for (struct lease *lease = store->leases, *next; lease != NULL; lease = next) {
    next = lease->next;
    lease_free(lease);
  }
  store->leases = NULL;
}

/* Somebody may have removed the file, and another process locked a new one of that name. */
static bool is_still(const struct lease *lease) {
  struct stat ours, there;
  return fstat(lease->fd, &ours) == 0 && stat(lease->path, &there) == 0 && ours.st_ino == there.st_ino &&
         ours.st_dev == there.st_dev;
}

/* True when it is ours already; a lease that was lost is dropped. */
static bool renew(struct store *store, const char *path) {
  for (struct lease **link = &store->leases; *link != NULL; link = &(*link)->next) {
    struct lease *lease = *link;
    if (strcmp(lease->path, path) != 0) continue;
    if (is_still(lease)) return true;
    *link = lease->next;
    lease_free(lease);
    return false;
  }
  return false;
}

/* *locked false, without an error: somebody else has it. */
static int lock_lease(struct lease *lease, const char *holder, bool *locked, struct bo_error *error) {
  *locked = false;
  lease->fd = open(lease->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lease->fd < 0) return bo_error_errno(error, errno, "%s", lease->path);
  if (flock(lease->fd, LOCK_EX | LOCK_NB) != 0)
    return errno == EWOULDBLOCK ? BO_OK : bo_error_errno(error, errno, "%s: locking it", lease->path);
  if (!is_still(lease)) return BO_OK;
  *locked = true;
  if (ftruncate(lease->fd, 0) != 0) return bo_error_errno(error, errno, "%s: writing it", lease->path);
  return bo_write_all(lease->fd, holder, strlen(holder), error);
}

static int take(struct store *store, const char *path, const char *holder, int *held, struct bo_error *error) {
  struct lease *lease = calloc(1, sizeof(*lease));
  bool locked = false;
  if (lease == NULL) return bo_error_no_memory(error);
  lease->fd = -1;
  lease->path = strdup(path);
  int result = lease->path != NULL ? lock_lease(lease, holder, &locked, error) : bo_error_no_memory(error);
  if (result != BO_OK || !locked) {
    lease_free(lease);
    return result;
  }
  lease->next = store->leases;
  store->leases = lease;
  *held = 1;
  return BO_OK;
}

static bool is_name(const char *text) {
  size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.");
  return length > 0 && length < 100 && text[length] == '\0';
}

int lease_acquire(void *platform, const char *namespace_name, const char *name, const char *holder,
                  uint32_t duration_ms, int *held, struct bo_error *error) {
  struct store *store = &((struct platform *)platform)->store;
  char path[PATH_MAX];
  (void)duration_ms;
  *held = 0;
  if (store->folder == NULL)
    return bo_error_set(
        error, BO_CLASS_UNSUPPORTED, 0,
        "the platform local keeps leases only where it is told to: set its parameter state to a folder");
  if (namespace_name == NULL || namespace_name[0] == '\0') namespace_name = "default";
  if (!is_name(namespace_name) || !is_name(name))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "\"%.64s/%.64s\" cannot be a lease's namespace and name",
                        namespace_name, name);
  (void)snprintf(path, sizeof(path), "%s/.lease.%s.%s", store->folder, namespace_name, name);
  (void)pthread_mutex_lock(&store->lock);
  int result = bo_make_folders(store->folder, 0700, error);
  if (result == BO_OK && renew(store, path))
    *held = 1;
  else if (result == BO_OK)
    result = take(store, path, holder, held, error);
  store_leave(store);
  return result;
}
