/*
 * record.c - what is known of an object besides its bytes: which put stored it, and its metadata.
 *
 * The protocol has no attributes that could hold them, and a header would make the file something else than the object.
 * So a put writes a record, and its commit moves that to .storage-sftp/metadata/<hash of key>-<size>-<time>, before the
 * bytes appear at the key. SFTP tells times in whole seconds, so a commit first finds a second for which no record of
 * this key and size exists (commit.c). Thus key, size and time name one stored object and no other: a record never
 * speaks for a file that is not its own, whoever was killed when. The id in it is the object's etag.
 *
 * Format: id, key, then name and value in turn, each ended by NUL.
 */
#include <errno.h>

#include "sftp.h"

#define RECORD_BYTES_MAX \
  (SFTP_ID_SIZE + BO_KEY_MAX + 1 + BO_METADATA_MAX * (BO_METADATA_NAME_MAX + BO_METADATA_VALUE_MAX))
_Static_assert(RECORD_BYTES_MAX < SFTP_BLOCK_BYTES, "a record is read and written in one request");

/* ---- from and to bytes ---- */

static bool is_metadata(const char *name, const char *value) {
  size_t name_length = strnlen(name, BO_METADATA_NAME_MAX);
  size_t value_length = strnlen(value, BO_METADATA_VALUE_MAX);
  if (name_length == 0 || name_length == BO_METADATA_NAME_MAX || value_length == BO_METADATA_VALUE_MAX) return false;
  if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != name_length) return false;
  for (const char *c = value; *c != '\0'; c++)
    if (*c < ' ' || *c > '~') return false;
  return true;
}

static bool add_metadata(struct sftp_record *record, const char *name, const char *value) {
  if (record->metadata_count == BO_METADATA_MAX || !is_metadata(name, value)) return false;
  struct bo_metadata *pair = &record->metadata[record->metadata_count++];
  memcpy(pair->name, name, strlen(name) + 1);
  memcpy(pair->value, value, strlen(value) + 1);
  return true;
}

int sftp_record_make(const char *id, const char *key, const struct bo_put_options *options, struct sftp_record *record,
                     struct bo_error *error) {
  memcpy(record->id, id, SFTP_ID_SIZE);
  memcpy(record->key, key, strlen(key) + 1);
  record->metadata_count = 0;
  for (uint32_t i = 0; options != NULL && i < options->metadata_count; i++)
    if (!add_metadata(record, options->metadata[i].name, options->metadata[i].value))
      return bo_error_set(
          error, BO_CLASS_CONFIG, EINVAL,
          "an object has up to %d metadata, whose names are 1 to 63 of a-z, 0-9 and -, and whose values "
          "are up to 255 printable ASCII: '%.64s' is too much",
          BO_METADATA_MAX, options->metadata[i].name);
  return BO_OK;
}

static size_t append(char *bytes, size_t position, const char *text) {
  size_t size = strlen(text) + 1;
  memcpy(bytes + position, text, size);
  return position + size;
}

static size_t encode(const struct sftp_record *record, char bytes[RECORD_BYTES_MAX]) {
  size_t size = append(bytes, append(bytes, 0, record->id), record->key);
  for (uint32_t i = 0; i < record->metadata_count; i++)
    size = append(bytes, append(bytes, size, record->metadata[i].name), record->metadata[i].value);
  return size;
}

/* The text at *position, which then moves behind it; NULL at the end or when it is not ended by NUL. */
static const char *next_text(const char *bytes, size_t size, size_t *position) {
  const char *text = bytes + *position;
  size_t length = strnlen(text, size - *position);
  if (length == size - *position) return NULL;
  *position += length + 1;
  return text;
}

static bool decode(const char *bytes, size_t size, struct sftp_record *record) {
  size_t position = 0;
  const char *id = next_text(bytes, size, &position);
  const char *key = id == NULL ? NULL : next_text(bytes, size, &position);
  if (id == NULL || key == NULL || !sftp_is_id(id, strlen(id)) || strlen(key) > BO_KEY_MAX) return false;
  (void)append(record->id, 0, id);
  (void)append(record->key, 0, key);
  record->metadata_count = 0;
  while (position < size) {
    const char *name = next_text(bytes, size, &position);
    const char *value = name == NULL ? NULL : next_text(bytes, size, &position);
    if (value == NULL || !add_metadata(record, name, value)) return false;
  }
  return true;
}

/* ---- on the server ---- */

int sftp_record_write(struct sftp_storage *storage, const char *path, const struct sftp_record *record,
                      struct bo_error *error) {
  char bytes[RECORD_BYTES_MAX];
  size_t size = encode(record, bytes);
  struct sftp_handle handle = {0};
  struct sftp_pending write = {0};
  int result = sftp_open(storage, path, WIRE_OPEN_WRITE | WIRE_OPEN_CREATE | WIRE_OPEN_EXCLUSIVE, &handle, error);
  if (result != BO_OK) return result;
  result = sftp_send_write(storage, &handle, 0, bytes, (uint32_t)size, &write, error);
  if (result == BO_OK) result = sftp_await(storage, &write, error);
  if (result == BO_OK && write.status != WIRE_OK) result = sftp_status_error(write.status, error);
  if (result == BO_OK) result = sftp_sync(storage, &handle, error);
  struct bo_error closing = BO_ERROR_INIT;
  int closed = sftp_close(storage, &handle, &closing);
  if (result != BO_OK || closed == BO_OK) return result;
  *error = closing;
  return closed;
}

int sftp_record_read(struct sftp_storage *storage, const char *path, struct sftp_record *record,
                     struct bo_error *error) {
  char bytes[RECORD_BYTES_MAX + 1];
  struct sftp_handle handle = {0};
  struct sftp_pending read = {.data = (unsigned char *)bytes};
  int result = sftp_open(storage, path, WIRE_OPEN_READ, &handle, error);
  if (result != BO_OK) return result;
  result = sftp_send_read(storage, &handle, 0, sizeof(bytes), &read, error);
  if (result == BO_OK) result = sftp_await(storage, &read, error);
  if (result == BO_OK && read.type == WIRE_STATUS && read.status != WIRE_EOF)
    result = sftp_status_error(read.status, error);
  struct bo_error closing = BO_ERROR_INIT;
  int closed = sftp_close(storage, &handle, &closing);
  if (result == BO_OK && closed != BO_OK) { /* the connection broke, and others have handles on it */
    *error = closing;
    result = closed;
  }
  if (result != BO_OK) return result;
  if (read.type == WIRE_DATA && decode(bytes, read.size, record)) return BO_OK;
  return bo_error_set(error, BO_CLASS_CORRUPT, 0, "the record '%.300s' is damaged", path);
}

/* FNV-1a. Two keys of one hash do not matter: the key is in the record, too. */
static uint64_t hash_of(const char *key) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (const char *c = key; *c != '\0'; c++)
    hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
  return hash;
}

struct sftp_path sftp_record_place(const struct sftp_storage *storage, const char *key,
                                   const struct wire_attributes *attributes) {
  char name[128];
  (void)snprintf(name, sizeof(name), SFTP_STATE_FOLDER "/metadata/%016llx-%llx-%lx", (unsigned long long)hash_of(key),
                 (unsigned long long)attributes->size_bytes, (unsigned long)attributes->modified_unix_s);
  return sftp_place(storage, name);
}

int sftp_record_find(struct sftp_storage *storage, const char *key, const struct wire_attributes *attributes,
                     struct sftp_record *record, bool *found, struct bo_error *error) {
  struct sftp_path path = sftp_record_place(storage, key, attributes);
  int result = sftp_record_read(storage, path.text, record, error);
  *found = result == BO_OK && strcmp(record->key, key) == 0;
  if (result == BO_OK || error->error_class == BO_CLASS_NOT_FOUND) return BO_OK;
  if (error->error_class != BO_CLASS_CORRUPT)
    return sftp_prefix(result, error, "reading the metadata of " SFTP_KEY_SHOWN, key);
  /* The object itself is not in doubt: somebody may need it now. */
  storage->host->log(storage->host->context, BO_LOG_WARNING, error->text);
  return BO_OK;
}

/* ---- many records at once, for a listing ---- */

/* Id and key: a record's beginning. */
#define HEAD_BYTES (SFTP_ID_SIZE + BO_KEY_MAX + 1)

struct looking {
  struct sftp_pending pending[SFTP_LOOKS];
  struct sftp_handle handles[SFTP_LOOKS];
  bool asked[SFTP_LOOKS];
  unsigned char bytes[SFTP_LOOKS][HEAD_BYTES];
};
_Static_assert(HEAD_BYTES >= SFTP_HANDLE_MAX, "a handle is received into the same bytes");

/* Awaits all that was asked; the answers stay in `pending`. */
static int await_all(struct sftp_storage *storage, struct looking *looking, size_t count, struct bo_error *error) {
  int result = BO_OK;
  for (size_t i = 0; result == BO_OK && i < count; i++)
    if (looking->asked[i]) result = sftp_await(storage, &looking->pending[i], error);
  return result;
}

static int open_all(struct sftp_storage *storage, struct looking *looking, const struct sftp_look *looks, size_t count,
                    struct bo_error *error) {
  int result = BO_OK;
  for (size_t i = 0; result == BO_OK && i < count; i++) {
    struct sftp_path path = sftp_record_place(storage, looks[i].key, looks[i].attributes);
    looking->pending[i].data = looking->bytes[i];
    looking->asked[i] = true;
    result = sftp_send_open(storage, path.text, &looking->pending[i], error);
  }
  if (result == BO_OK) result = await_all(storage, looking, count, error);
  for (size_t i = 0; result == BO_OK && i < count; i++)
    result = sftp_opened(storage, &looking->pending[i], &looking->handles[i], error);
  return result;
}

static int read_all(struct sftp_storage *storage, struct looking *looking, struct sftp_look *looks, size_t count,
                    struct bo_error *error) {
  int result = BO_OK;
  for (size_t i = 0; result == BO_OK && i < count; i++) {
    looking->asked[i] = looking->handles[i].generation != 0;
    if (looking->asked[i])
      result = sftp_send_read(storage, &looking->handles[i], 0, HEAD_BYTES, &looking->pending[i], error);
  }
  if (result == BO_OK) result = await_all(storage, looking, count, error);
  for (size_t i = 0; result == BO_OK && i < count; i++) {
    const char *bytes = (const char *)looking->bytes[i];
    size_t position = 0;
    if (!looking->asked[i] || looking->pending[i].type != WIRE_DATA) continue;
    const char *id = next_text(bytes, looking->pending[i].size, &position);
    const char *key = id == NULL ? NULL : next_text(bytes, looking->pending[i].size, &position);
    if (key != NULL && strcmp(key, looks[i].key) == 0 && sftp_is_id(id, strlen(id)))
      memcpy(looks[i].id, id, SFTP_ID_SIZE);
  }
  return result;
}

static int close_all(struct sftp_storage *storage, struct looking *looking, size_t count, struct bo_error *error) {
  int result = BO_OK;
  for (size_t i = 0; result == BO_OK && i < count; i++)
    if (looking->asked[i]) result = sftp_send_close(storage, &looking->handles[i], &looking->pending[i], error);
  return result == BO_OK ? await_all(storage, looking, count, error) : result;
}

int sftp_records_look(struct sftp_storage *storage, struct sftp_look *looks, size_t count, struct bo_error *error) {
  struct looking *looking = sftp_alloc(storage, sizeof(*looking));
  if (looking == NULL) return sftp_no_memory(error);
  int result = open_all(storage, looking, looks, count, error);
  if (result == BO_OK) result = read_all(storage, looking, looks, count, error);
  if (result == BO_OK) result = close_all(storage, looking, count, error);
  if (result != BO_OK) sftp_drop(storage); /* answers to what was asked must not find freed memory */
  sftp_free(storage, looking);
  return result;
}

void sftp_record_forget(struct sftp_storage *storage, const char *key, const struct wire_attributes *attributes,
                        const char *id) {
  struct bo_error error = BO_ERROR_INIT;
  struct sftp_record record;
  bool found = false;
  if (sftp_record_find(storage, key, attributes, &record, &found, &error) != BO_OK || !found) return;
  if (id != NULL && strcmp(id, record.id) != 0) return;
  (void)sftp_unlink(storage, sftp_record_place(storage, key, attributes).text, &error);
}
