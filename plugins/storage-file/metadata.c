/*
 * plugins/storage-file/metadata.c - an object's metadata, in a small file beside it.
 *
 * Not in extended attributes: NFS before 4.2, vfat and others have none, and ext4's 4 KiB do not hold what the ABI
 * allows. So each object with metadata has a file in .backup-operator/metadata/, whose name holds a hash of the key
 * and the object's length and time of change. It is made durable before the object appears, and it counts only for
 * the very file that it was made for: a crash between the two, a replaced object, or one altered by hand never shows
 * metadata that are not its own. What is left behind is swept.
 *
 * Format: key, then name and value in turn, each ended by NUL.
 */
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/io.h"
#include "core/base/sha256.h"
#include "plugins/storage-file/storage-file.h"

#define RECORD_SIZE (BO_KEY_MAX + 1 + BO_METADATA_MAX * (BO_METADATA_NAME_MAX + BO_METADATA_VALUE_MAX))
#define METADATA_PATH_SIZE 128

/* ---- records */

struct record {
  size_t size;
  struct stat status;
  char bytes[RECORD_SIZE];
};

static void append(struct record *record, const char *text) {
  size_t size = strlen(text) + 1;
  memcpy(record->bytes + record->size, text, size);
  record->size += size;
}

/* The text at *position, which then moves behind it; NULL at the end or when it is not ended by NUL. */
static const char *next_text(const struct record *record, size_t *position) {
  const char *text = record->bytes + *position;
  size_t left = record->size - *position;
  size_t length = strnlen(text, left);
  if (length == left) return NULL;
  *position += length + 1;
  return text;
}

/* Reads the record at `path` beneath `folder`; an errno value on failure. */
static int load(int folder, const char *path, struct record *record) {
  BO_CLEANUP_FD int fd = openat(folder, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  record->size = 0;
  record->status = (struct stat){0};
  if (fd < 0 || fstat(fd, &record->status) != 0) return errno;
  if (!S_ISREG(record->status.st_mode)) return EINVAL;
  while (record->size < sizeof(record->bytes)) {
    ssize_t got = read(fd, record->bytes + record->size, sizeof(record->bytes) - record->size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) break;
    record->size += (size_t)got;
  }
  return 0;
}

static int64_t modified_ms(const struct timespec *time) {
  return (int64_t)time->tv_sec * 1000 + time->tv_nsec / 1000000;
}

/* ---- the record of a put in progress */

static bool is_metadata(const struct bo_pair *pair) {
  static const char name_set[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
  size_t name_length = strlen(pair->name);
  size_t value_length = strlen(pair->value);
  if (name_length == 0 || name_length >= BO_METADATA_NAME_MAX || value_length >= BO_METADATA_VALUE_MAX) return false;
  if (strspn(pair->name, name_set) != name_length) return false;
  for (const char *c = pair->value; *c != '\0'; c++)
    if (*c < ' ' || *c > '~') return false;
  return true;
}

int file_record_write(int state, const char *id, const char *key, const struct bo_put_options *options,
                      struct bo_error *error) {
  uint32_t count = options == NULL ? 0 : options->metadata_count;
  if (count > BO_METADATA_MAX)
    return bo_error_set(error, BO_CLASS_CONFIG, E2BIG, "an object has at most %d metadata, not %u", BO_METADATA_MAX,
                        (unsigned)count);
  struct record record = {.size = 0};
  append(&record, key);
  for (uint32_t i = 0; i < count; i++) {
    if (!is_metadata(&options->metadata[i]))
      return bo_error_set(error, BO_CLASS_CONFIG, EINVAL,
                          "a metadata name must be 1 to 63 of a-z, 0-9 and -, its value up to 255 printable ASCII: "
                          "'%.64s' is not",
                          options->metadata[i].name);
    append(&record, options->metadata[i].name);
    append(&record, options->metadata[i].value);
  }
  char path[FILE_PUT_PATH_SIZE];
  file_put_path(path, id, "object");
  BO_CLEANUP_FD int fd = openat(state, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return bo_error_errno(error, errno, "beginning the put of " FILE_KEY_SHOWN, key);
  int result = bo_write_all(fd, record.bytes, record.size, error);
  if (result != BO_OK) bo_error_prefix(error, "beginning the put of " FILE_KEY_SHOWN, key);
  return result;
}

bool file_record_read(int state, const char *id, struct file_record *out) {
  struct record record;
  struct stat status;
  char path[FILE_PUT_PATH_SIZE];
  size_t position = 0;
  out->key[0] = '\0';
  if (fstatat(state, id, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(status.st_mode)) return false;
  out->began_unix_ms = modified_ms(&status.st_mtim);
  file_put_path(path, id, "object");
  if (load(state, path, &record) != 0) return true;
  out->began_unix_ms = modified_ms(&record.status.st_mtim);
  const char *key = next_text(&record, &position);
  if (key != NULL && strlen(key) <= BO_KEY_MAX) memcpy(out->key, key, strlen(key) + 1);
  return true;
}

/* ---- the metadata of objects */

/* Beneath the state folder. */
static int metadata_path(const char *key, const struct stat *status, char path[METADATA_PATH_SIZE],
                         struct bo_error *error) {
  char hash[BO_SHA256_TEXT_MAX];
  if (bo_sha256_text(key, strlen(key), hash, error) != BO_OK) return BO_ERROR;
  (void)snprintf(path, METADATA_PATH_SIZE, "metadata/%s-%llx-%llx%09lx", hash, (unsigned long long)status->st_size,
                 (unsigned long long)status->st_mtim.tv_sec, (unsigned long)status->st_mtim.tv_nsec);
  return BO_OK;
}

int file_metadata_publish(int state, const char *id, const char *key, const struct stat *status,
                          struct bo_error *error) {
  char from[FILE_PUT_PATH_SIZE];
  char to[METADATA_PATH_SIZE];
  file_put_path(from, id, "object");
  if (metadata_path(key, status, to, error) != BO_OK) return BO_ERROR;
  if (mkdirat(state, "metadata", 0700) == 0) {
    if (file_sync_folder(state, error) != BO_OK) return BO_ERROR;
  } else if (errno != EEXIST) {
    return bo_error_errno(error, errno, "making the folder " FILE_METADATA_FOLDER);
  }
  BO_CLEANUP_FD int record = openat(state, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  BO_CLEANUP_FD int folder = openat(state, "metadata", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (record < 0 || folder < 0 || fsync(record) != 0 || renameat(state, from, state, to) != 0)
    return bo_error_errno(error, errno, "storing the metadata of " FILE_KEY_SHOWN, key);
  return file_sync_folder(folder, error);
}

int file_metadata_read(struct file_storage *storage, int root, const char *key, const struct stat *status,
                       struct bo_object *object, struct bo_error *error) {
  struct record record;
  char path[METADATA_PATH_SIZE];
  BO_CLEANUP_FD int state = -1;
  object->metadata_count = 0;
  if (file_open_state(root, false, &state, error) != BO_OK) return BO_ERROR;
  if (state < 0) return BO_OK;
  if (metadata_path(key, status, path, error) != BO_OK) return BO_ERROR;
  int code = load(state, path, &record);
  if (code == ENOENT) return BO_OK;
  if (code != 0) return bo_error_errno(error, code, "reading the metadata of " FILE_KEY_SHOWN, key);
  size_t position = 0;
  const char *recorded_key = next_text(&record, &position);
  bool whole = recorded_key != NULL && strcmp(recorded_key, key) == 0;
  while (whole && position < record.size && object->metadata_count < BO_METADATA_MAX) {
    const char *name = next_text(&record, &position);
    const char *value = name == NULL ? NULL : next_text(&record, &position);
    whole = value != NULL && is_metadata(&(struct bo_pair){name, value});
    if (!whole) break;
    struct bo_metadata *pair = &object->metadata[object->metadata_count++];
    memcpy(pair->name, name, strlen(name) + 1);
    memcpy(pair->value, value, strlen(value) + 1);
  }
  if (!whole || position != record.size) {
    /* The object itself is not in doubt: somebody may need it now. */
    object->metadata_count = 0;
    storage->host->log(storage->host->context, BO_LOG_WARNING, "an object's metadata are damaged: they are ignored");
  }
  return BO_OK;
}

void file_metadata_remove(int state, const char *key, const struct stat *status) {
  char path[METADATA_PATH_SIZE];
  if (metadata_path(key, status, path, NULL) == BO_OK) (void)unlinkat(state, path, 0);
}

/* Whether the record `path` describes the object that is at its key now. */
static bool is_current(int root, const char *key, const char *path) {
  struct stat status;
  char current[METADATA_PATH_SIZE];
  struct bo_error error = BO_ERROR_INIT;
  if (file_stat_key(root, key, &status, &error) != BO_OK) return error.error_class != BO_CLASS_NOT_FOUND;
  return metadata_path(key, &status, current, &error) != BO_OK || strcmp(current, path) == 0;
}

int file_metadata_sweep(struct file_storage *storage, int root, int state, const char *prefix,
                        uint64_t older_than_seconds, struct bo_error *error) {
  int fd = openat(state, "metadata", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  BO_CLEANUP_DIR DIR *folder = fd < 0 ? NULL : fdopendir(fd);
  if (folder == NULL) return fd < 0 && errno == ENOENT ? BO_OK : bo_error_errno(error, errno, "sweeping metadata");
  for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    struct record record;
    char path[METADATA_PATH_SIZE];
    size_t position = 0;
    if (file_check_cancelled(storage, error) != BO_OK) return BO_ERROR;
    int length = snprintf(path, sizeof(path), "metadata/%s", entry->d_name);
    if (length < 0 || (size_t)length >= sizeof(path) || load(state, path, &record) != 0) continue;
    const char *key = next_text(&record, &position);
    int64_t age_ms = bo_realtime_ms() - modified_ms(&record.status.st_ctim);
    if (key == NULL || strncmp(key, prefix, strlen(prefix)) != 0 || age_ms < storage->orphan_age_ms ||
        (uint64_t)age_ms / 1000 < older_than_seconds || is_current(root, key, path))
      continue;
    (void)unlinkat(state, path, 0);
  }
  return BO_OK;
}
