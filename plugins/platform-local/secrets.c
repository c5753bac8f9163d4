/* secrets.c - finds and reads one Secret. No buffer that held a value is given back without being overwritten. */
#include "secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/io.h"
#include "manifests.h"

#define SECRET_MAX_BYTES ((size_t)1024 * 1024) /* as in Kubernetes */

/* ---- writing ------------------------------------------------------------------------------------------------- */

/* What may be in a path: it cannot be "..", hidden, or have a slash. */
static bool is_name(const char *text) {
  return text[0] != '\0' && text[0] != '.' && strlen(text) < 254 &&
         text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")] == '\0';
}

static void begin(struct bo_buffer *json, const char *namespace_name, const char *name) {
  (void)bo_buffer_printf(
      json,
      "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\"},"
      "\"data\":{",
      name, namespace_name);
}

/* base64 (RFC 4648, section 4). */
static int append_entry(struct bo_buffer *json, const char *key, const void *bytes, size_t size,
                        struct bo_error *error) {
  size_t length = (size + 2) / 3 * 4;
  if (!is_name(key))
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "\"%.64s\" cannot be a key of a secret: letters, digits, '-', '_' and '.'", key);
  if (json->size + length > 2 * SECRET_MAX_BYTES)
    return bo_error_set(error, BO_CLASS_CONFIG, EFBIG, "the secret is larger than 1 MiB");
  (void)bo_buffer_printf(json, "%s\"%s\":\"", json->bytes[json->size - 1] == '{' ? "" : ",", key);
  if (!bo_buffer_reserve(json, length + 1)) return bo_error_no_memory(error);
  (void)EVP_EncodeBlock((unsigned char *)json->bytes + json->size, bytes, (int)size);
  json->size += length;
  return bo_buffer_append_text(json, "\"") ? BO_OK : bo_error_no_memory(error);
}

static int finish(const struct store *store, struct bo_buffer *json, char **text, struct bo_error *error) {
  *text = bo_buffer_append_text(json, "}}") ? store->host->alloc(store->host->context, json->size + 1) : NULL;
  if (*text == NULL) return bo_error_no_memory(error);
  memcpy(*text, json->bytes, json->size + 1);
  return BO_OK;
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

static int check_mode(const struct stat *status, const char *path, struct bo_error *error) {
  if (status->st_uid != geteuid() && status->st_uid != 0)
    return bo_error_set(
        error, BO_CLASS_CONFIG, EPERM,
        "%s holds a secret and belongs to user %u, who is neither root nor who this program runs as; give "
        "it to one of them: chown %u %s",
        path, (unsigned)status->st_uid, (unsigned)geteuid(), path);
  if ((status->st_mode & (S_IRWXG | S_IRWXO)) == 0) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, EPERM,
                      "%s holds a secret, but its mode %04o lets others at it; run: chmod 600 %s", path,
                      (unsigned)status->st_mode & 07777U, path);
}

static int read_key(struct bo_buffer *json, const char *folder, const char *key, struct bo_error *error) {
  char path[PATH_MAX + NAME_MAX + 2];
  struct stat status;
  BO_CLEANUP(bo_buffer_cleanse) struct bo_buffer value = BO_BUFFER_INIT;
  (void)snprintf(path, sizeof(path), "%s/%s", folder, key);
  BO_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 || fstat(fd, &status) != 0) return bo_error_errno(error, errno, "%s", path);
  if (!S_ISREG(status.st_mode)) return BO_OK;
  if (check_mode(&status, path, error) != BO_OK) return BO_ERROR;
  if (bo_read_to_end(fd, SECRET_MAX_BYTES, &value, error) != BO_OK) {
    bo_error_prefix(error, "%s", path);
    return BO_ERROR;
  }
  if (value.size > 0 && value.bytes[value.size - 1] == '\n') value.size--;
  return append_entry(json, key, bo_buffer_text(&value), value.size, error);
}

static int is_key(const struct dirent *entry) {
  return entry->d_name[0] != '.' && entry->d_name[strlen(entry->d_name) - 1] != '~';
}

/* *found false: there is no such folder. */
static int read_folder(const struct store *store, const char *namespace_name, const char *name, struct bo_buffer *json,
                       bool *found, struct bo_error *error) {
  char path[PATH_MAX];
  struct dirent **keys = NULL;
  (void)snprintf(path, sizeof(path), "%s/secrets/%s/%s", store->manifests, namespace_name, name);
  int count = scandir(path, &keys, is_key, alphasort);
  *found = count >= 0 || (errno != ENOENT && errno != ENOTDIR);
  int result = count < 0 && *found ? bo_error_errno(error, errno, "%s", path) : BO_OK;
  for (int i = 0; i < count; i++) {
    if (result == BO_OK) result = read_key(json, path, keys[i]->d_name, error);
    free(keys[i]);
  }
  free(keys);
  return result;
}

static int read_manifest(const struct store *store, const struct manifest_file *file, const char *namespace_name,
                         const char *name, struct bo_buffer *json, bool *found, struct bo_error *error) {
  struct stat status = {0};
  bool broken = false;
  char path[PATH_MAX];
  BO_CLEANUP_MANIFEST_SET struct bo_manifest_set set = {0};
  struct bo_error own = BO_ERROR_INIT;
  if (manifests_read(store, file->name, &status, &set, &broken, &own) != BO_OK) {
    if (error != NULL) *error = own;
    return BO_ERROR;
  }
  const struct bo_manifest *manifest = bo_manifest_find(&set, BO_MANIFEST_SECRET, namespace_name, name);
  if (manifest == NULL) return BO_OK;
  *found = true;
  (void)snprintf(path, sizeof(path), "%s/%s", store->manifests, file->name);
  if (check_mode(&status, path, error) != BO_OK) return BO_ERROR;
  if (!manifest->valid)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the Secret \"%s\" cannot be read: %.800s", name, own.text);
  for (size_t i = 0; i < manifest->secret->count; i++) {
    const struct bo_secret *entry = &manifest->secret->entries[i];
    if (append_entry(json, entry->name, entry->bytes, entry->size, error) != BO_OK) return BO_ERROR;
  }
  return BO_OK;
}

int secret_get(struct store *store, const char *namespace_name, const char *name, char **json, struct bo_error *error) {
  BO_CLEANUP(bo_buffer_cleanse) struct bo_buffer text = BO_BUFFER_INIT;
  bool found = false;
  int result = BO_OK;
  if (!is_name(namespace_name) || !is_name(name))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "\"%.64s/%.64s\" cannot be a secret's namespace and name",
                        namespace_name, name);
  begin(&text, namespace_name, name);
  if (store->manifests != NULL) result = read_folder(store, namespace_name, name, &text, &found, error);
  for (size_t i = 0; result == BO_OK && !found && i < store->file_count; i++)
    if (store->files[i].has_secrets)
      result = read_manifest(store, &store->files[i], namespace_name, name, &text, &found, error);
  if (result != BO_OK) return result;
  if (found) return finish(store, &text, json, error);
  const char *folder = store->manifests != NULL ? store->manifests : "(set the parameter manifests)";
  return bo_error_set(
      error, BO_CLASS_NOT_FOUND, 0,
      "there is no secret \"%s/%s\": neither a folder %s/secrets/%s/%s with a file of mode 0600 for each "
      "key, nor a Secret in a manifest of mode 0600 in %s",
      namespace_name, name, folder, namespace_name, name, folder);
}
