#include "core/state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "core/base/io.h"

#define RECORD_SUFFIX ".json"
#define NO_NAMESPACE "_" /* the folder of those without: no namespace can be named so */

struct bo_state {
  char *folder;
  int lock_fd; /* -1 for readers */
};

/* ---- names and paths ---------------------------------------------------------------------------------------- */

/* What may be part of a path: it cannot be "..", hidden, or have a slash. */
static bool is_name(const char *text) {
  size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.");
  return length > 0 && length <= BO_STATE_NAME_MAX && text[length] == '\0' && *text != '.' && *text != '-';
}

static bool is_kind(const char *text) {
  size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
  return length > 0 && length <= 63 && text[length] == '\0';
}

static const char *namespace_folder(const char *namespace_name) {
  return namespace_name == NULL || *namespace_name == '\0' ? NO_NAMESPACE : namespace_name;
}

static int check_names(const char *kind, const char *namespace_name, const char *name, struct bo_error *error) {
  const char *folder = namespace_folder(namespace_name);
  if (!is_kind(kind)) return bo_error_set(error, BO_CLASS_CONFIG, 0, "\"%.64s\" cannot be a record's kind", kind);
  if (strcmp(folder, NO_NAMESPACE) != 0 && !is_name(folder))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "\"%.64s\" cannot be a record's namespace", folder);
  if (!is_name(name))
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "\"%.64s\" cannot be a record's name: up to %d lower-case letters, digits, '-' and '.'", name,
                        BO_STATE_NAME_MAX);
  return BO_OK;
}

static char *path_of(const struct bo_state *state, const char *kind, const char *namespace_name, const char *name) {
  char *path = NULL;
  if (asprintf(&path, "%s/%s/%s/%s" RECORD_SUFFIX, state->folder, kind, namespace_folder(namespace_name), name) < 0)
    return NULL;
  return path;
}

/* ---- folders ------------------------------------------------------------------------------------------------ */

static int sync_folder(const char *path, struct bo_error *error) {
  BO_CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0) return bo_error_errno(error, errno, "%s: syncing it", path);
  return BO_OK;
}

/* Makes `parent`/`name`, so that it is there after a loss of power, too, and gives its path. NULL on an error. */
static char *make_folder(const char *parent, const char *name, struct bo_error *error) {
  char *path = NULL;
  if (asprintf(&path, "%s/%s", parent, name) < 0) {
    (void)bo_error_no_memory(error);
    return NULL;
  }
  int result = BO_OK;
  if (mkdir(path, 0700) == 0) {
    result = sync_folder(parent, error);
  } else if (errno != EEXIST) {
    result = bo_error_errno(error, errno, "mkdir %s", path);
  }
  if (result == BO_OK) return path;
  free(path);
  return NULL;
}

/* The names in a folder in their order; none when it is missing, or a stranger's file. */
static int scan(const char *path, int (*keep)(const struct dirent *), struct dirent ***entries, int *count,
                struct bo_error *error) {
  *entries = NULL;
  *count = scandir(path, entries, keep, alphasort);
  if (*count >= 0) return BO_OK;
  *count = 0;
  if (errno == ENOENT || errno == ENOTDIR) return BO_OK;
  return errno == ENOMEM ? bo_error_no_memory(error) : bo_error_errno(error, errno, "%s", path);
}

static void free_entries(struct dirent **entries, int count) {
  for (int i = 0; i < count; i++)
    free(entries[i]);
  free(entries);
}

static int keep_folders(const struct dirent *entry) {
  return strcmp(entry->d_name, NO_NAMESPACE) == 0 || is_name(entry->d_name);
}

static int keep_kinds(const struct dirent *entry) {
  return is_kind(entry->d_name);
}

static int keep_records(const struct dirent *entry) {
  size_t length = strlen(entry->d_name);
  size_t suffix = strlen(RECORD_SUFFIX);
  return length > suffix && entry->d_name[0] != '.' && strcmp(entry->d_name + length - suffix, RECORD_SUFFIX) == 0;
}

/* bo_write_file_atomically's temporary files: NAME.json.XXXXXX */
static int keep_leftovers(const struct dirent *entry) {
  const char *suffix = strstr(entry->d_name, RECORD_SUFFIX ".");
  return suffix != NULL && strlen(suffix) == strlen(RECORD_SUFFIX ".") + 6;
}

/* ---- opening ------------------------------------------------------------------------------------------------ */

static int take_lock(struct bo_state *state, struct bo_error *error) {
  BO_CLEANUP_FREE char *path = NULL;
  if (asprintf(&path, "%s/.lock", state->folder) < 0) {
    path = NULL;
    return bo_error_no_memory(error);
  }
  char owner[32] = "";
  state->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (state->lock_fd < 0) return bo_error_errno(error, errno, "%s", path);
  if (flock(state->lock_fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return bo_error_errno(error, errno, "%s: locking it", path);
    if (pread(state->lock_fd, owner, sizeof(owner) - 1, 0) < 0) owner[0] = '\0';
    owner[strspn(owner, "0123456789")] = '\0';
    return bo_error_set(error, BO_CLASS_CONFLICT, EWOULDBLOCK,
                        "%s is in use by another process%s%s: only one may write to it at a time", state->folder,
                        *owner == '\0' ? "" : ", number ", owner);
  }
  int length = snprintf(owner, sizeof(owner), "%ld\n", (long)getpid());
  if (ftruncate(state->lock_fd, 0) != 0 || pwrite(state->lock_fd, owner, (size_t)length, 0) != length)
    return bo_error_errno(error, errno, "%s: writing it", path);
  return BO_OK;
}

static int remove_leftovers_of(const char *folder, struct bo_error *error) {
  struct dirent **entries = NULL;
  int count = 0;
  int result = scan(folder, keep_leftovers, &entries, &count, error);
  for (int i = 0; result == BO_OK && i < count; i++) {
    BO_CLEANUP_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0) {
      path = NULL;
      result = bo_error_no_memory(error);
    } else if (unlink(path) != 0 && errno != ENOENT) {
      result = bo_error_errno(error, errno, "unlink %s", path);
    }
  }
  free_entries(entries, count);
  return result;
}

/* Calls `each` for the folders in `parent` that `keep` wants. */
static int for_each_folder(const char *parent, int (*keep)(const struct dirent *),
                           int (*each)(const char *folder, struct bo_error *error), struct bo_error *error) {
  struct dirent **entries = NULL;
  int count = 0;
  int result = scan(parent, keep, &entries, &count, error);
  for (int i = 0; result == BO_OK && i < count; i++) {
    BO_CLEANUP_FREE char *path = NULL;
    if (asprintf(&path, "%s/%s", parent, entries[i]->d_name) < 0) {
      path = NULL;
      result = bo_error_no_memory(error);
    } else {
      result = each(path, error);
    }
  }
  free_entries(entries, count);
  return result;
}

static int remove_leftovers_of_kind(const char *folder, struct bo_error *error) {
  return for_each_folder(folder, keep_folders, remove_leftovers_of, error);
}

static int begin_writing(struct bo_state *state, struct bo_error *error) {
  int result = bo_make_folders(state->folder, 0700, error);
  if (result == BO_OK) result = take_lock(state, error);
  if (result == BO_OK) result = for_each_folder(state->folder, keep_kinds, remove_leftovers_of_kind, error);
  return result;
}

int bo_state_open(const char *folder, enum bo_state_access access, struct bo_state **state, struct bo_error *error) {
  struct bo_state *opened = calloc(1, sizeof(*opened));
  *state = NULL;
  if (opened == NULL) return bo_error_no_memory(error);
  opened->lock_fd = -1;
  opened->folder = strdup(folder);
  int result = BO_OK;
  if (opened->folder == NULL) {
    result = bo_error_no_memory(error);
  } else if (access == BO_STATE_WRITE) {
    result = begin_writing(opened, error);
  }
  if (result == BO_OK) {
    *state = opened;
  } else {
    bo_state_close(opened);
  }
  return result;
}

void bo_state_close(struct bo_state *state) {
  if (state == NULL) return;
  if (state->lock_fd >= 0) (void)close(state->lock_fd);
  free(state->folder);
  free(state);
}

/* ---- records ------------------------------------------------------------------------------------------------ */

static int check_writer(const struct bo_state *state, struct bo_error *error) {
  if (state->lock_fd >= 0) return BO_OK;
  return bo_error_set(error, BO_CLASS_INTERNAL, 0, "%s was opened to read only", state->folder);
}

int bo_state_save(struct bo_state *state, const char *kind, const char *namespace_name, const char *name,
                  const void *bytes, size_t size, struct bo_error *error) {
  int result = check_writer(state, error);
  if (result == BO_OK) result = check_names(kind, namespace_name, name, error);
  if (result == BO_OK && size > BO_STATE_RECORD_MAX_BYTES)
    result = bo_error_set(error, BO_CLASS_CONFIG, EFBIG, "the record %s is larger than 4 MiB", name);
  if (result != BO_OK) return result;
  BO_CLEANUP_FREE char *kind_folder = make_folder(state->folder, kind, error);
  if (kind_folder == NULL) return BO_ERROR;
  BO_CLEANUP_FREE char *folder = make_folder(kind_folder, namespace_folder(namespace_name), error);
  if (folder == NULL) return BO_ERROR;
  BO_CLEANUP_FREE char *path = path_of(state, kind, namespace_name, name);
  return path == NULL ? bo_error_no_memory(error) : bo_write_file_atomically(path, bytes, size, 0600, error);
}

int bo_state_load(struct bo_state *state, const char *kind, const char *namespace_name, const char *name,
                  struct bo_buffer *record, struct bo_error *error) {
  int result = check_names(kind, namespace_name, name, error);
  if (result != BO_OK) return result;
  BO_CLEANUP_FREE char *path = path_of(state, kind, namespace_name, name);
  return path == NULL ? bo_error_no_memory(error) : bo_read_file(path, BO_STATE_RECORD_MAX_BYTES, record, error);
}

int bo_state_delete(struct bo_state *state, const char *kind, const char *namespace_name, const char *name,
                    struct bo_error *error) {
  int result = check_writer(state, error);
  if (result == BO_OK) result = check_names(kind, namespace_name, name, error);
  if (result != BO_OK) return result;
  BO_CLEANUP_FREE char *path = path_of(state, kind, namespace_name, name);
  if (path == NULL) return bo_error_no_memory(error);
  if (unlink(path) != 0) return bo_error_errno(error, errno, "%s", path);
  *strrchr(path, '/') = '\0';
  return sync_folder(path, error);
}

/* ---- listing ------------------------------------------------------------------------------------------------ */

static int list_namespace(const char *kind_folder, const char *folder, bo_state_function *each, void *context,
                          struct bo_error *error) {
  BO_CLEANUP_FREE char *path = NULL;
  struct dirent **entries = NULL;
  int count = 0;
  if (asprintf(&path, "%s/%s", kind_folder, folder) < 0) {
    path = NULL;
    return bo_error_no_memory(error);
  }
  int result = scan(path, keep_records, &entries, &count, error);
  for (int i = 0; result == BO_OK && i < count; i++) {
    char *name = entries[i]->d_name;
    name[strlen(name) - strlen(RECORD_SUFFIX)] = '\0';
    if (is_name(name)) result = each(context, strcmp(folder, NO_NAMESPACE) == 0 ? "" : folder, name, error);
  }
  free_entries(entries, count);
  return result;
}

int bo_state_list(struct bo_state *state, const char *kind, const char *namespace_name, bo_state_function *each,
                  void *context, struct bo_error *error) {
  BO_CLEANUP_FREE char *kind_folder = NULL;
  struct dirent **entries = NULL;
  int count = 0;
  int result = check_names(kind, namespace_name, "any", error);
  if (result != BO_OK) return result;
  if (asprintf(&kind_folder, "%s/%s", state->folder, kind) < 0) {
    kind_folder = NULL;
    return bo_error_no_memory(error);
  }
  if (namespace_name != NULL)
    return list_namespace(kind_folder, namespace_folder(namespace_name), each, context, error);
  result = scan(kind_folder, keep_folders, &entries, &count, error);
  for (int i = 0; result == BO_OK && i < count; i++)
    result = list_namespace(kind_folder, entries[i]->d_name, each, context, error);
  free_entries(entries, count);
  return result;
}
