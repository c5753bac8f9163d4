/*
 * handle.c - files and folders that are open on the server.
 *
 * A handle belongs to the connection on which it was opened: the server closes it when that ends. So each use of one
 * asks first whether the connection is still the same.
 */
#include "client.h"

/* Whether the connection that the handle belongs to is there. */
static bool is_valid(const struct sftp_storage *storage, const struct sftp_handle *handle) {
  return storage->session != NULL && handle->generation == storage->generation;
}

static int check(struct sftp_storage *storage, const struct sftp_handle *handle, struct bo_error *error) {
  if (sftp_check_cancelled(storage, error) != BO_OK) return BO_ERROR;
  if (is_valid(storage, handle)) return BO_OK;
  (void)bo_error_set(error, BO_CLASS_NETWORK, 0, "the connection to %.200s, on which this was opened, broke",
                     storage->settings.host);
  return BO_RETRY;
}

static struct wire_out begin(struct sftp_storage *storage, uint8_t type, const struct sftp_handle *handle) {
  struct wire_out request = sftp_begin(storage, type);
  wire_bytes(&request, handle->bytes, handle->size);
  return request;
}

static int ask_handle(struct sftp_storage *storage, struct wire_out *request, struct sftp_handle *handle,
                      struct bo_error *error) {
  struct wire_in body;
  handle->generation = 0;
  int result = sftp_ask(storage, request, WIRE_HANDLE, &body, error);
  if (result != BO_OK) return result;
  uint32_t size = 0;
  const unsigned char *bytes = wire_take_bytes(&body, &size);
  if (body.failed || size > sizeof(handle->bytes)) return sftp_protocol_broken(storage, "a handle is cut", error);
  memcpy(handle->bytes, bytes, size);
  handle->size = size;
  handle->generation = storage->generation;
  return BO_OK;
}

static struct wire_out open_request(struct sftp_storage *storage, const char *path, uint32_t flags) {
  struct wire_out request = sftp_begin(storage, WIRE_OPEN);
  wire_text(&request, path);
  wire_u32(&request, flags);
  wire_u32(&request, 0x4); /* attributes: only the mode, rw for the user alone */
  wire_u32(&request, 0600);
  return request;
}

int sftp_open(struct sftp_storage *storage, const char *path, uint32_t flags, struct sftp_handle *handle,
              struct bo_error *error) {
  struct wire_out request = open_request(storage, path, flags);
  return ask_handle(storage, &request, handle, error);
}

int sftp_open_folder(struct sftp_storage *storage, const char *path, struct sftp_handle *handle,
                     struct bo_error *error) {
  struct wire_out request = sftp_begin(storage, WIRE_OPENDIR);
  wire_text(&request, path);
  return ask_handle(storage, &request, handle, error);
}

int sftp_close(struct sftp_storage *storage, struct sftp_handle *handle, struct bo_error *error) {
  bool open = is_valid(storage, handle);
  struct wire_out request = begin(storage, WIRE_CLOSE, handle);
  handle->generation = 0;
  return open ? sftp_ask(storage, &request, WIRE_STATUS, NULL, error) : BO_OK;
}

int sftp_read_folder(struct sftp_storage *storage, const struct sftp_handle *handle, struct wire_in *names,
                     uint32_t *count, struct bo_error *error) {
  *count = 0;
  int result = check(storage, handle, error);
  if (result != BO_OK) return result;
  struct wire_out request = begin(storage, WIRE_READDIR, handle);
  struct sftp_reply reply;
  result = sftp_exchange(storage, &request, &reply, error);
  if (result != BO_OK) return result;
  if (reply.type == WIRE_STATUS) {
    uint32_t status = wire_take_u32(&reply.body);
    return status == WIRE_EOF ? BO_OK : sftp_status_error(status, error);
  }
  *names = reply.body;
  *count = wire_take_u32(names);
  if (reply.type != WIRE_NAME || names->failed || *count == 0)
    return sftp_protocol_broken(storage, "a folder's names are cut", error);
  return BO_OK;
}

int sftp_fstat(struct sftp_storage *storage, const struct sftp_handle *handle, struct wire_attributes *attributes,
               struct bo_error *error) {
  int result = check(storage, handle, error);
  if (result != BO_OK) return result;
  struct wire_out request = begin(storage, WIRE_FSTAT, handle);
  return sftp_ask_attributes(storage, &request, attributes, error);
}

int sftp_set_modified(struct sftp_storage *storage, const struct sftp_handle *handle, uint32_t unix_s,
                      struct bo_error *error) {
  int result = check(storage, handle, error);
  if (result != BO_OK) return result;
  struct wire_out request = begin(storage, WIRE_FSETSTAT, handle);
  wire_u32(&request, 0x8); /* attributes: the times of access and of change */
  wire_u32(&request, unix_s);
  wire_u32(&request, unix_s);
  return sftp_ask(storage, &request, WIRE_STATUS, NULL, error);
}

int sftp_sync(struct sftp_storage *storage, const struct sftp_handle *handle, struct bo_error *error) {
  int result = check(storage, handle, error);
  if (result != BO_OK || !(storage->extensions & SFTP_HAS_SYNC)) return result;
  struct wire_out request = sftp_begin(storage, WIRE_EXTENDED);
  wire_text(&request, "fsync@openssh.com");
  wire_bytes(&request, handle->bytes, handle->size);
  return sftp_ask(storage, &request, WIRE_STATUS, NULL, error);
}

/* OpenSSH opens a folder like a file, for reading, and syncs it. A server that does not has no way to be asked. */
int sftp_sync_folder(struct sftp_storage *storage, const char *path, struct bo_error *error) {
  struct sftp_handle handle = {0};
  if (!(storage->extensions & SFTP_HAS_SYNC)) return BO_OK;
  int result = sftp_open(storage, path, WIRE_OPEN_READ, &handle, error);
  if (result == BO_OK) result = sftp_sync(storage, &handle, error);
  if (result == BO_OK || storage->session != NULL) result = sftp_close(storage, &handle, error);
  return result;
}

/* ---- requests left pending ---- */

int sftp_send_open(struct sftp_storage *storage, const char *path, struct sftp_pending *pending,
                   struct bo_error *error) {
  int result = sftp_connect(storage, error);
  if (result != BO_OK) return result;
  struct wire_out request = open_request(storage, path, WIRE_OPEN_READ);
  pending->capacity = SFTP_HANDLE_MAX;
  return sftp_send_pending(storage, &request, NULL, 0, pending, error);
}

int sftp_opened(struct sftp_storage *storage, const struct sftp_pending *pending, struct sftp_handle *handle,
                struct bo_error *error) {
  *handle = (struct sftp_handle){0};
  if (pending->type == WIRE_STATUS && pending->status == WIRE_NO_SUCH_FILE) return BO_OK;
  if (pending->type == WIRE_STATUS && pending->status != WIRE_OK) return sftp_status_error(pending->status, error);
  if (pending->type != WIRE_HANDLE) return sftp_protocol_broken(storage, "a reply of the wrong kind", error);
  memcpy(handle->bytes, pending->data, pending->size);
  handle->size = pending->size;
  handle->generation = storage->generation;
  return BO_OK;
}

int sftp_send_close(struct sftp_storage *storage, struct sftp_handle *handle, struct sftp_pending *pending,
                    struct bo_error *error) {
  int result = check(storage, handle, error);
  if (result != BO_OK) return result;
  struct wire_out request = begin(storage, WIRE_CLOSE, handle);
  handle->generation = 0;
  return sftp_send_pending(storage, &request, NULL, 0, pending, error);
}

int sftp_send_read(struct sftp_storage *storage, const struct sftp_handle *handle, uint64_t offset_bytes, uint32_t size,
                   struct sftp_pending *pending, struct bo_error *error) {
  int result = check(storage, handle, error);
  if (result != BO_OK) return result;
  struct wire_out request = begin(storage, WIRE_READ, handle);
  wire_u64(&request, offset_bytes);
  wire_u32(&request, size);
  pending->capacity = size;
  return sftp_send_pending(storage, &request, NULL, 0, pending, error);
}

int sftp_send_write(struct sftp_storage *storage, const struct sftp_handle *handle, uint64_t offset_bytes,
                    const void *bytes, uint32_t size, struct sftp_pending *pending, struct bo_error *error) {
  int result = check(storage, handle, error);
  if (result != BO_OK) return result;
  struct wire_out request = begin(storage, WIRE_WRITE, handle);
  wire_u64(&request, offset_bytes);
  wire_u32(&request, size);
  return sftp_send_pending(storage, &request, bytes, size, pending, error);
}
