/*
 * plugins/storage-file/list.c - listing keys in byte order, page by page, in bounded memory.
 *
 * A folder gives its names in no order, and the order of keys is not that of folders ("a.b" comes before "a/b",
 * which comes before "a0"). So the tree is walked in whatever order it has, keeping the smallest keys after the last
 * one given in a heap of fixed size, largest on top; whole folders that lie outside are passed over. Then the heap is
 * given out in order and the walk begins again after its last key. Memory is that of HEAP_KEYS keys and one open
 * folder a level, however many objects there are; 100,000 objects take a dozen walks.
 */
#include <errno.h>
#include <fcntl.h>

#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "plugins/storage-file/storage-file.h"

#define HEAP_KEYS 8192

struct listing {
  struct file_storage *storage;
  int root;
  const char *prefix;
  char after[BO_KEY_MAX + 1]; /* the last key that was given */
  char **heap;
  size_t count;
  size_t capacity;
};

/* ---- the heap */

static void drop_keys(struct listing *listing) {
  const struct bo_host *host = listing->storage->host;
  for (size_t i = 0; i < listing->count; i++)
    host->free(host->context, listing->heap[i]);
  listing->count = 0;
}

static void free_listing(struct listing *listing) {
  drop_keys(listing);
  listing->storage->host->free(listing->storage->host->context, listing->heap);
}

static void sift_up(char **heap, size_t at) {
  for (size_t parent; at > 0 && strcmp(heap[parent = (at - 1) / 2], heap[at]) < 0; at = parent) {
    char *key = heap[parent];
    heap[parent] = heap[at];
    heap[at] = key;
  }
}

static void sift_down(char **heap, size_t count) {
  for (size_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && strcmp(heap[child + 1], heap[child]) > 0) child++;
    if (strcmp(heap[child], heap[at]) <= 0) return;
    char *key = heap[child];
    heap[child] = heap[at];
    heap[at] = key;
  }
}

static int keep_key(struct listing *listing, const char *key, struct bo_error *error) {
  const struct bo_host *host = listing->storage->host;
  size_t size = strlen(key) + 1;
  bool full = listing->count == listing->capacity;
  if (full && strcmp(key, listing->heap[0]) >= 0) return BO_OK;
  char *copy = host->alloc(host->context, size);
  if (copy == NULL) return bo_error_no_memory(error);
  memcpy(copy, key, size);
  if (full) {
    host->free(host->context, listing->heap[0]);
    listing->heap[0] = copy;
    sift_down(listing->heap, listing->count);
  } else {
    listing->heap[listing->count] = copy;
    sift_up(listing->heap, listing->count++);
  }
  return BO_OK;
}

/* ---- the walk */

/* Whether a key that begins with `path` (a folder's, with its slash) can be wanted. */
static bool may_hold(const struct listing *listing, const char *path) {
  size_t length = strlen(path);
  size_t prefix_length = strlen(listing->prefix);
  if (strncmp(path, listing->prefix, length < prefix_length ? length : prefix_length) != 0) return false;
  if (strncmp(path, listing->after, length) < 0) return false;
  return listing->count < listing->capacity || strcmp(path, listing->heap[0]) < 0;
}

static int walk_folder(struct listing *listing, int folder, char *path, size_t length, struct bo_error *error);

static int enter_folder(struct listing *listing, int parent, const char *name, char *path, size_t length,
                        struct bo_error *error) {
  if (length == BO_KEY_MAX) return BO_OK;
  path[length] = '/';
  path[length + 1] = '\0';
  if (!may_hold(listing, path)) return BO_OK;
  int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder >= 0) return walk_folder(listing, folder, path, length + 1, error);
  if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return BO_OK;
  path[length] = '\0';
  return bo_error_errno(error, errno, "listing the folder " FILE_KEY_SHOWN, path);
}

static int visit(struct listing *listing, int folder, const struct dirent *entry, char *path, size_t length,
                 struct bo_error *error) {
  size_t name_length = strlen(entry->d_name);
  int type = entry->d_type;
  if (length + name_length > BO_KEY_MAX || (length == 0 && file_is_reserved(entry->d_name))) return BO_OK;
  if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) return BO_OK;
  if (type == DT_UNKNOWN) {
    struct stat status;
    if (fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return BO_OK;
    type = IFTODT(status.st_mode);
  }
  if (type != DT_DIR && type != DT_REG) return BO_OK;
  memcpy(path + length, entry->d_name, name_length + 1);
  if (type == DT_DIR) return enter_folder(listing, folder, entry->d_name, path, length + name_length, error);
  if (strncmp(path, listing->prefix, strlen(listing->prefix)) != 0 || strcmp(path, listing->after) <= 0 ||
      !bo_is_utf8(path, length + name_length))
    return BO_OK;
  return keep_key(listing, path, error);
}

/* Takes `folder`. `path` has room for a key and a slash more; `length` bytes of it name the folder. */
static int walk_folder(struct listing *listing, int fd, char *path, size_t length, struct bo_error *error) {
  BO_CLEANUP_DIR DIR *folder = fdopendir(fd);
  if (folder == NULL) {
    (void)close(fd);
    return bo_error_no_memory(error);
  }
  for (;;) {
    if (file_check_cancelled(listing->storage, error) != BO_OK) return BO_ERROR;
    errno = 0;
    const struct dirent *entry = readdir(folder);
    if (entry == NULL) {
      path[length] = '\0';
      return errno == 0 ? BO_OK : bo_error_errno(error, errno, "listing the folder " FILE_KEY_SHOWN, path);
    }
    if (visit(listing, fd, entry, path, length, error) != BO_OK) return BO_ERROR;
  }
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Fills the heap with the smallest keys after `after`, in order. */
static int collect(struct listing *listing, struct bo_error *error) {
  char path[BO_KEY_MAX + 2] = "";
  drop_keys(listing);
  int folder = openat(listing->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return bo_error_errno(error, errno, "listing the storage's folder");
  int result = walk_folder(listing, folder, path, 0, error);
  qsort(listing->heap, listing->count, sizeof(listing->heap[0]), compare_keys);
  return result;
}

/* ---- giving out */

struct page {
  uint32_t left;
  bool stopped;
  bo_list_function *each;
  void *context;
};

/* Gives keys of the heap until the page is full; *given counts those that were passed. */
static int give(struct listing *listing, struct page *page, size_t *given, struct bo_error *error) {
  for (*given = 0; *given < listing->count && page->left > 0 && !page->stopped; (*given)++) {
    const char *key = listing->heap[*given];
    struct bo_object object = {.size = sizeof(object)};
    struct bo_error local = BO_ERROR_INIT;
    struct stat status;
    if (file_check_cancelled(listing->storage, error) != BO_OK) return BO_ERROR;
    memcpy(listing->after, key, strlen(key) + 1);
    if (file_stat_key(listing->root, key, &status, &local) != BO_OK) {
      if (local.error_class == BO_CLASS_NOT_FOUND || local.code == ELOOP) continue;
      if (error != NULL) *error = local;
      return BO_ERROR;
    }
    file_fill_object(&status, &object);
    page->left--;
    page->stopped = page->each(page->context, key, &object) != 0;
  }
  return BO_OK;
}

static int list_pages(struct listing *listing, struct page *page, int *more, struct bo_error *error) {
  for (;;) {
    size_t given = 0;
    if (collect(listing, error) != BO_OK || give(listing, page, &given, error) != BO_OK) return BO_ERROR;
    if (given < listing->count) {
      *more = 1;
      return BO_OK;
    }
    if (listing->count < listing->capacity) return BO_OK;
  }
}

int file_list(void *instance, const char *prefix, const char *after, uint32_t limit, bo_list_function *each,
              void *context, int *more, struct bo_error *error) {
  struct file_storage *storage = instance;
  BO_CLEANUP_FD int root = -1;
  *more = 0;
  if (file_check_cancelled(storage, error) != BO_OK || file_open_root(storage, &root, error) != BO_OK) return BO_ERROR;
  BO_CLEANUP(free_listing)
  struct listing listing = {.storage = storage, .root = root, .prefix = prefix == NULL ? "" : prefix};
  if (after != NULL && strlen(after) > BO_KEY_MAX)
    return bo_error_set(error, BO_CLASS_CONFIG, EINVAL, "the key to list after is longer than 1,024 bytes");
  memcpy(listing.after, after == NULL ? "" : after, after == NULL ? 1 : strlen(after) + 1);
  /* One key more than asked for tells whether there are more. */
  listing.capacity = limit < HEAP_KEYS ? (size_t)limit + 1 : HEAP_KEYS;
  listing.heap = storage->host->alloc(storage->host->context, listing.capacity * sizeof(listing.heap[0]));
  if (listing.heap == NULL) return bo_error_no_memory(error);
  struct page page = {.left = limit, .each = each, .context = context};
  return list_pages(&listing, &page, more, error);
}
