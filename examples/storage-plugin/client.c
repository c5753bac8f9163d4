/*
 * client.c - the SFTP protocol, version 3 (draft-ietf-secsh-filexfer-02) and OpenSSH's extensions to it (its file
 * PROTOCOL, section 4), as far as a storage needs them.
 *
 * libssh2 has an SFTP client, too. This one exists because a storage needs what that cannot do in the versions at hand:
 * replace a file in one instant (posix-rename@openssh.com), keep a bounded number of requests on their way in memory
 * that was allocated before, and survive a lost connection with its handles being void instead of dangling.
 *
 * A request is sent, and then either awaited (sftp_exchange) or left pending, for reads and writes that overlap.
 * Replies come in any order; each is given to the request whose id it has.
 */
#include "client.h"

#define LENGTH_BYTES 4

/* ---- packets ---- */

static int send_bytes(struct sftp_storage *storage, const void *bytes, size_t size, struct bo_error *error) {
  for (size_t sent = 0; sent < size;) {
    ssize_t count = libssh2_channel_write(storage->channel, (const char *)bytes + sent, size - sent);
    if (count == LIBSSH2_ERROR_EAGAIN) {
      int result = sftp_session_wait(storage, error);
      if (result != BO_OK) return result;
      continue;
    }
    if (count < 0) return sftp_session_failed(storage, (int)count, "sending a request", error);
    sent += (size_t)count;
    sftp_arm(storage);
  }
  return BO_OK;
}

int sftp_protocol_broken(struct sftp_storage *storage, const char *how, struct bo_error *error) {
  sftp_drop(storage);
  return bo_error_set(error, BO_CLASS_PROTOCOL, 0, "%.200s broke the SFTP protocol: %s", storage->settings.host, how);
}

/* How many bytes of the packet are wanted before anything can be said about it. */
static size_t packet_wanted(const struct sftp_storage *storage) {
  if (storage->packet_size < LENGTH_BYTES) return LENGTH_BYTES;
  struct wire_in length = {.bytes = storage->packet, .size = LENGTH_BYTES};
  return LENGTH_BYTES + (size_t)wire_take_u32(&length);
}

/* Waits for one packet. It is in storage->packet then. */
static int receive(struct sftp_storage *storage, struct bo_error *error) {
  for (;;) {
    size_t wanted = packet_wanted(storage);
    if (wanted > SFTP_PACKET_MAX) return sftp_protocol_broken(storage, "a reply is too long", error);
    if (storage->packet_size > LENGTH_BYTES && storage->packet_size == wanted) return BO_OK;
    ssize_t count = libssh2_channel_read(storage->channel, (char *)storage->packet + storage->packet_size,
                                         wanted - storage->packet_size);
    if (count > 0) {
      storage->packet_size += (size_t)count;
      sftp_arm(storage);
    } else if (count < 0 && count != LIBSSH2_ERROR_EAGAIN) {
      return sftp_session_failed(storage, (int)count, "receiving a reply", error);
    } else if (libssh2_channel_eof(storage->channel) != 0) {
      sftp_drop(storage);
      (void)bo_error_set(error, BO_CLASS_NETWORK, 0, "%.200s ended the connection", storage->settings.host);
      return BO_RETRY;
    } else {
      int result = sftp_session_wait(storage, error);
      if (result != BO_OK) return result;
    }
  }
}

/* Takes the packet out: the next receive begins a new one. */
static struct sftp_reply take_reply(struct sftp_storage *storage) {
  struct sftp_reply reply = {
      .body = {.bytes = storage->packet, .size = storage->packet_size, .position = LENGTH_BYTES}};
  reply.type = wire_take_u8(&reply.body);
  reply.id = wire_take_u32(&reply.body);
  storage->packet_size = 0;
  return reply;
}

/* Gives the reply to the pending request it belongs to. */
static int settle(struct sftp_storage *storage, struct sftp_reply *reply, struct bo_error *error) {
  struct sftp_pending **link = &storage->pending;
  while (*link != NULL && (*link)->id != reply->id)
    link = &(*link)->next;
  struct sftp_pending *pending = *link;
  if (pending == NULL) return sftp_protocol_broken(storage, "a reply to nothing that was asked", error);
  pending->type = reply->type;
  if (reply->type == WIRE_STATUS) {
    pending->status = wire_take_u32(&reply->body);
  } else if (reply->type == WIRE_DATA || reply->type == WIRE_HANDLE) {
    const unsigned char *bytes = wire_take_bytes(&reply->body, &pending->size);
    if (pending->size > pending->capacity)
      return sftp_protocol_broken(storage, "more bytes than were asked for", error);
    memcpy(pending->data, bytes, pending->size);
  } else {
    return sftp_protocol_broken(storage, "a reply of the wrong kind", error);
  }
  if (reply->body.failed) return sftp_protocol_broken(storage, "a reply is cut", error);
  *link = pending->next;
  pending->done = true;
  return BO_OK;
}

/* ---- requests ---- */

struct wire_out sftp_begin(struct sftp_storage *storage, uint8_t type) {
  struct wire_out request;
  wire_begin(&request, type, ++storage->next_id);
  return request;
}

int sftp_send(struct sftp_storage *storage, struct wire_out *request, const void *bytes, size_t size,
              struct bo_error *error) {
  if (request->failed) return bo_error_set(error, BO_CLASS_CONFIG, 0, "a path is too long");
  wire_end(request, size);
  sftp_arm(storage);
  int result = send_bytes(storage, request->bytes, request->size, error);
  if (result == BO_OK && size > 0) result = send_bytes(storage, bytes, size, error);
  return result;
}

/* Sends and awaits the reply. BO_OK whatever the reply says. */
int sftp_exchange(struct sftp_storage *storage, struct wire_out *request, struct sftp_reply *reply,
                  struct bo_error *error) {
  int result = sftp_connect(storage, error);
  if (result != BO_OK) return result;
  const uint32_t id = storage->next_id;
  result = sftp_send(storage, request, NULL, 0, error);
  while (result == BO_OK) {
    result = receive(storage, error);
    if (result != BO_OK) break;
    *reply = take_reply(storage);
    if (reply->id == id) return BO_OK;
    result = settle(storage, reply, error);
  }
  return result;
}

int sftp_status_error(uint32_t status, struct bo_error *error) {
  static const struct {
    uint32_t status;
    int error_class;
    const char *name;
    const char *text;
  } known[] = {
      {WIRE_EOF, BO_CLASS_IO, "SSH_FX_EOF", "there is nothing more"},
      {WIRE_NO_SUCH_FILE, BO_CLASS_NOT_FOUND, "SSH_FX_NO_SUCH_FILE", "no such file or folder"},
      {WIRE_PERMISSION_DENIED, BO_CLASS_AUTH, "SSH_FX_PERMISSION_DENIED", "permission denied"},
      {WIRE_FAILURE, BO_CLASS_IO, "SSH_FX_FAILURE", "the server could not do it (and does not say why)"},
      {WIRE_BAD_MESSAGE, BO_CLASS_CONFIG, "SSH_FX_BAD_MESSAGE", "the server takes no such name or request"},
      {WIRE_CONNECTION_LOST, BO_CLASS_NETWORK, "SSH_FX_CONNECTION_LOST", "the connection broke"},
      {WIRE_UNSUPPORTED, BO_CLASS_UNSUPPORTED, "SSH_FX_OP_UNSUPPORTED", "the server does not offer that"},
  };
  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    if (known[i].status != status) continue;
    (void)bo_error_set(error, known[i].error_class, 0, "%s", known[i].text);
    (void)snprintf(error->provider_code, sizeof(error->provider_code), "%s", known[i].name);
    return status == WIRE_CONNECTION_LOST ? BO_RETRY : BO_ERROR;
  }
  return bo_error_set(error, BO_CLASS_PROTOCOL, 0, "the server answered with the unknown status %u", (unsigned)status);
}

/* An exchange whose reply must be of `type`; a status other than OK is an error. */
int sftp_ask(struct sftp_storage *storage, struct wire_out *request, uint8_t type, struct wire_in *body,
             struct bo_error *error) {
  struct sftp_reply reply;
  int result = sftp_exchange(storage, request, &reply, error);
  if (result != BO_OK) return result;
  if (reply.type == WIRE_STATUS) {
    uint32_t status = wire_take_u32(&reply.body);
    if (status != WIRE_OK) return sftp_status_error(status, error);
  }
  if (reply.type != type || reply.body.failed) return sftp_protocol_broken(storage, "a reply of the wrong kind", error);
  if (body != NULL) *body = reply.body;
  return BO_OK;
}

static int ask_about_path(struct sftp_storage *storage, uint8_t type, const char *path, struct bo_error *error) {
  struct wire_out request = sftp_begin(storage, type);
  wire_text(&request, path);
  if (type == WIRE_MKDIR) { /* attributes: only the mode, rwx for the user alone */
    wire_u32(&request, 0x4);
    wire_u32(&request, 0700);
  }
  return sftp_ask(storage, &request, WIRE_STATUS, NULL, error);
}

int sftp_ask_attributes(struct sftp_storage *storage, struct wire_out *request, struct wire_attributes *attributes,
                        struct bo_error *error) {
  struct wire_in body;
  int result = sftp_ask(storage, request, WIRE_ATTRS, &body, error);
  if (result != BO_OK) return result;
  wire_take_attributes(&body, attributes);
  return body.failed ? sftp_protocol_broken(storage, "attributes are cut", error) : BO_OK;
}

int sftp_stat(struct sftp_storage *storage, const char *path, struct wire_attributes *attributes,
              struct bo_error *error) {
  struct wire_out request = sftp_begin(storage, WIRE_STAT);
  wire_text(&request, path);
  return sftp_ask_attributes(storage, &request, attributes, error);
}

int sftp_lstat(struct sftp_storage *storage, const char *path, struct wire_attributes *attributes,
               struct bo_error *error) {
  struct wire_out request = sftp_begin(storage, WIRE_LSTAT);
  wire_text(&request, path);
  return sftp_ask_attributes(storage, &request, attributes, error);
}

int sftp_unlink(struct sftp_storage *storage, const char *path, struct bo_error *error) {
  return ask_about_path(storage, WIRE_REMOVE, path, error);
}

int sftp_make_folder(struct sftp_storage *storage, const char *path, struct bo_error *error) {
  return ask_about_path(storage, WIRE_MKDIR, path, error);
}

int sftp_remove_folder(struct sftp_storage *storage, const char *path, struct bo_error *error) {
  return ask_about_path(storage, WIRE_RMDIR, path, error);
}

int sftp_rename(struct sftp_storage *storage, const char *from, const char *to, struct bo_error *error) {
  struct wire_out request = sftp_begin(storage, WIRE_RENAME);
  wire_text(&request, from);
  wire_text(&request, to);
  return sftp_ask(storage, &request, WIRE_STATUS, NULL, error);
}

int sftp_replace(struct sftp_storage *storage, const char *from, const char *to, struct bo_error *error) {
  struct wire_out request = sftp_begin(storage, WIRE_EXTENDED);
  wire_text(&request, "posix-rename@openssh.com");
  wire_text(&request, from);
  wire_text(&request, to);
  return sftp_ask(storage, &request, WIRE_STATUS, NULL, error);
}

bool sftp_disk_is_full(struct sftp_storage *storage, const char *path) {
  struct bo_error error = BO_ERROR_INIT;
  struct wire_out request = sftp_begin(storage, WIRE_EXTENDED);
  struct wire_in body;
  wire_text(&request, "statvfs@openssh.com");
  wire_text(&request, path);
  if (!(storage->extensions & SFTP_HAS_SPACE) ||
      sftp_ask(storage, &request, WIRE_EXTENDED_REPLY, &body, &error) != BO_OK)
    return false;
  for (int i = 0; i < 4; i++) /* sizes of blocks and fragments, all blocks, free ones */
    (void)wire_take_u64(&body);
  uint64_t available = wire_take_u64(&body);
  (void)wire_take_u64(&body); /* all inodes */
  uint64_t free_inodes = wire_take_u64(&body);
  return !body.failed && (available == 0 || free_inodes == 0);
}

/* ---- the beginning, and requests left pending ---- */

int sftp_client_start(struct sftp_storage *storage, struct bo_error *error) {
  static const struct {
    const char *name;
    const char *version;
    uint32_t bit;
  } known[] = {
      {"posix-rename@openssh.com", "1", SFTP_HAS_REPLACE},
      {"fsync@openssh.com", "1", SFTP_HAS_SYNC},
      {"statvfs@openssh.com", "2", SFTP_HAS_SPACE},
  };
  struct wire_out request;
  wire_begin(&request, WIRE_INIT, WIRE_VERSION_3); /* the version stands where others have their id */
  int result = sftp_send(storage, &request, NULL, 0, error);
  if (result == BO_OK) result = receive(storage, error);
  if (result != BO_OK) return result;
  struct sftp_reply reply = take_reply(storage);
  if (reply.type != WIRE_VERSION || reply.id < WIRE_VERSION_3 || reply.body.failed)
    return sftp_protocol_broken(storage, "it does not speak version 3", error);
  storage->extensions = 0;
  while (reply.body.position < reply.body.size && !reply.body.failed) {
    uint32_t name_size = 0;
    uint32_t version_size = 0;
    const unsigned char *name = wire_take_bytes(&reply.body, &name_size);
    const unsigned char *version = wire_take_bytes(&reply.body, &version_size);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
      if (name_size == strlen(known[i].name) && memcmp(name, known[i].name, name_size) == 0 &&
          version_size == strlen(known[i].version) && memcmp(version, known[i].version, version_size) == 0)
        storage->extensions |= known[i].bit;
  }
  return BO_OK;
}

int sftp_send_pending(struct sftp_storage *storage, struct wire_out *request, const void *bytes, uint32_t size,
                      struct sftp_pending *pending, struct bo_error *error) {
  pending->id = storage->next_id;
  pending->done = false;
  pending->status = WIRE_OK;
  pending->next = storage->pending;
  storage->pending = pending;
  int result = sftp_send(storage, request, bytes, size, error);
  if (result != BO_OK) sftp_drop(storage); /* half a request may be out; and `pending` is let go */
  return result;
}

int sftp_await(struct sftp_storage *storage, struct sftp_pending *pending, struct bo_error *error) {
  if (!pending->done) sftp_arm(storage);
  while (!pending->done) {
    int result = receive(storage, error);
    if (result != BO_OK) return result;
    struct sftp_reply reply = take_reply(storage);
    result = settle(storage, &reply, error);
    if (result != BO_OK) return result;
  }
  return BO_OK;
}
