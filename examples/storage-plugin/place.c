/*
 * place.c - from a key to a file on the server, and never out of the folder.
 *
 * A key's parts become folders and a file as they are, byte for byte, so two keys cannot meet in one file; a key that
 * has no such file is refused. (The protocol has no way to refuse links on the way: whoever can make links in the
 * folder is trusted with what is in it.)
 */
#include <errno.h>

#include "sftp.h"

#define NAME_BYTES_MAX 255

static int refuse(const char *key, const char *why, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CONFIG, EINVAL, "the server cannot hold the key " SFTP_KEY_SHOWN ": %s", key,
                      why);
}

/* The length of the character that begins here, 0 when it is none of UTF-8 (RFC 3629, section 4). */
static size_t character_length(const unsigned char *c) {
  if (c[0] < 0x80) return 1;
  size_t length = c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : 2;
  if (c[0] < 0xc2 || c[0] > 0xf4) return 0;
  for (size_t i = 1; i < length; i++)
    if ((c[i] & 0xc0) != 0x80) return 0;
  if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f)) return 0;
  if ((c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f)) return 0;
  return length;
}

bool sftp_is_utf8(const char *text) {
  const unsigned char *c = (const unsigned char *)text;
  while (*c != '\0') {
    size_t length = character_length(c);
    if (length == 0) return false;
    c += length;
  }
  return true;
}

bool sftp_is_reserved(const char *name) {
  size_t length = strcspn(name, "/");
  static const char *const names[] = {SFTP_STATE_FOLDER, "lost+found"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0) return true;
  return false;
}

int sftp_check_key(const char *key, struct bo_error *error) {
  if (key[0] == '\0') return refuse(key, "it is empty", error);
  if (strnlen(key, BO_KEY_MAX + 1) > BO_KEY_MAX) return refuse(key, "it is longer than 1,024 bytes", error);
  if (!sftp_is_utf8(key)) return refuse("", "it is not valid UTF-8", error);
  if (sftp_is_reserved(key)) return refuse(key, "its first part is reserved", error);
  for (const char *part = key;; part++) {
    size_t length = strcspn(part, "/");
    if (length == 0) return refuse(key, "it begins or ends with a slash, or has two in a row", error);
    if (part[0] == '.' && (length == 1 || (length == 2 && part[1] == '.')))
      return refuse(key, "a part of it is \".\" or \"..\"", error);
    if (length > NAME_BYTES_MAX) return refuse(key, "a part of it is longer than 255 bytes", error);
    part += length;
    if (*part == '\0') return BO_OK;
  }
}

/* ---- paths ---- */

struct sftp_path sftp_place(const struct sftp_storage *storage, const char *name) {
  struct sftp_path path;
  const char *root = storage->settings.path;
  const char *slash = name[0] == '\0' || strcmp(root, "/") == 0 ? "" : "/";
  (void)snprintf(path.text, sizeof(path.text), "%s%s%s", root, slash, name);
  return path;
}

struct sftp_path sftp_place_of_put(const struct sftp_storage *storage, const char *id, const char *kind) {
  char name[128];
  (void)snprintf(name, sizeof(name), SFTP_STATE_FOLDER "/%.32s.%s", id, kind);
  return sftp_place(storage, name);
}

/* The part of `key` before the slash at `length`. */
static struct sftp_path place_of_folder(const struct sftp_storage *storage, const char *key, size_t length) {
  char folder[BO_KEY_MAX + 1];
  memcpy(folder, key, length);
  folder[length] = '\0';
  return sftp_place(storage, folder);
}

struct sftp_path sftp_parent(const struct sftp_storage *storage, const char *key) {
  const char *slash = strrchr(key, '/');
  return place_of_folder(storage, key, slash == NULL ? 0 : (size_t)(slash - key));
}

/* ---- folders ---- */

int sftp_make_state(struct sftp_storage *storage, struct bo_error *error) {
  static const char *const names[] = {SFTP_STATE_FOLDER, SFTP_STATE_FOLDER "/metadata"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    struct wire_attributes attributes;
    struct sftp_path path = sftp_place(storage, names[i]);
    int result = sftp_make_folder(storage, path.text, error);
    if (result == BO_OK) result = sftp_sync_folder(storage, sftp_place(storage, i == 0 ? "" : names[0]).text, error);
    if (result == BO_OK) continue;
    if (storage->session == NULL) return result;
    if (error->error_class == BO_CLASS_NOT_FOUND)
      return bo_error_set(error, BO_CLASS_NOT_FOUND, ENOENT,
                          "the folder '%.300s' does not exist on %.200s: make it there, or mount what belongs there",
                          storage->settings.path, storage->settings.host);
    struct bo_error ignored = BO_ERROR_INIT;
    if (sftp_lstat(storage, path.text, &attributes, &ignored) == BO_OK && sftp_is_folder(&attributes)) continue;
    return sftp_prefix(result, error, "making the folder '%.300s'", path.text);
  }
  return BO_OK;
}

bool sftp_is_blocked(struct sftp_storage *storage, const char *key) {
  struct bo_error error = BO_ERROR_INIT;
  struct wire_attributes attributes;
  for (const char *slash = strchr(key, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    struct sftp_path path = place_of_folder(storage, key, (size_t)(slash - key));
    if (sftp_stat(storage, path.text, &attributes, &error) != BO_OK) return false;
    if (!sftp_is_folder(&attributes)) return true;
  }
  return false;
}

int sftp_make_parents(struct sftp_storage *storage, const char *key, struct bo_error *error) {
  size_t above = 0;
  for (const char *slash = strchr(key, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    size_t length = (size_t)(slash - key);
    struct sftp_path path = place_of_folder(storage, key, length);
    int result = sftp_make_folder(storage, path.text, error);
    if (result == BO_OK) result = sftp_sync_folder(storage, place_of_folder(storage, key, above).text, error);
    /* It is there already, most likely; if not, the next one, or the rename after them, fails. */
    if (result != BO_OK && (storage->session == NULL || error->error_class != BO_CLASS_IO)) return result;
    above = length;
  }
  return BO_OK;
}

void sftp_prune(struct sftp_storage *storage, const char *key) {
  struct bo_error error = BO_ERROR_INIT;
  char folder[BO_KEY_MAX + 1];
  memcpy(folder, key, strlen(key) + 1);
  for (char *slash; (slash = strrchr(folder, '/')) != NULL;) {
    *slash = '\0';
    if (sftp_remove_folder(storage, sftp_place(storage, folder).text, &error) != BO_OK) return;
  }
}

int sftp_explain(struct sftp_storage *storage, int result, struct bo_error *error) {
  if (result != BO_ERROR || error->error_class != BO_CLASS_IO || storage->session == NULL) return result;
  if (sftp_disk_is_full(storage, storage->settings.path))
    (void)bo_error_set(error, BO_CLASS_NO_SPACE, ENOSPC, "the disk of '%.300s' on %.200s is full: make room there",
                       storage->settings.path, storage->settings.host);
  return result;
}

/* ---- ids of puts ---- */

int sftp_new_id(struct sftp_storage *storage, char id[SFTP_ID_SIZE], struct bo_error *error) {
  static const char digits[] = "0123456789abcdef";
  unsigned char random[(SFTP_ID_SIZE - 1) / 2];
  if (storage->host->random(storage->host->context, random, sizeof(random)) != 0)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "there is no randomness for the name of a put");
  for (size_t i = 0; i < sizeof(random); i++) {
    id[2 * i] = digits[random[i] >> 4];
    id[2 * i + 1] = digits[random[i] & 15];
  }
  id[SFTP_ID_SIZE - 1] = '\0';
  return BO_OK;
}

bool sftp_is_id(const char *text, size_t size) {
  return size == SFTP_ID_SIZE - 1 && strspn(text, "0123456789abcdef") >= size;
}
