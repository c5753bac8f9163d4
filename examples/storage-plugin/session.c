/*
 * session.c - one SSH connection, with one channel on which the server's subsystem "sftp" listens (RFC 4254, 6.5).
 *
 * libssh2 never blocks here: a call that has to wait returns LIBSSH2_ERROR_EAGAIN and is made again when the socket is
 * ready. One that was given up half-way leaves the session in a state that only a repetition could end, so whatever
 * fails, is cancelled or comes too late ends the connection; the next operation makes a new one. That costs a moment,
 * and leaves one rule instead of many.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sftp.h"

#define TEARDOWN_TRIES 100

/* ---- memory for libssh2 ----
 *
 * It comes from the C library, as that of the cryptography beneath it does: libssh2 1.10 does not survive everywhere
 * that a host refuses some. It is overwritten when it comes back, because keys and passwords were in it, and kept in a
 * list, because libssh2 forgets some at each renewal of the session's keys: that is freed with the session.
 */

struct sftp_block {
  struct sftp_block *next;
  struct sftp_block **link; /* what points to this one */
  size_t size;
  _Alignas(max_align_t) unsigned char bytes[];
};

static LIBSSH2_ALLOC_FUNC(block_alloc) {
  struct sftp_storage *storage = *abstract;
  struct sftp_block *block = malloc(sizeof(*block) + count);
  if (block == NULL) return NULL;
  *block = (struct sftp_block){.next = storage->blocks, .link = &storage->blocks, .size = count};
  if (block->next != NULL) block->next->link = &block->next;
  storage->blocks = block;
  return block->bytes;
}

static void free_block(struct sftp_block *block) {
  *block->link = block->next;
  if (block->next != NULL) block->next->link = block->link;
  explicit_bzero(block->bytes, block->size);
  free(block);
}

static struct sftp_block *block_of(void *memory) {
  return (struct sftp_block *)((unsigned char *)memory - offsetof(struct sftp_block, bytes));
}

static LIBSSH2_FREE_FUNC(block_free) {
  (void)abstract;
  if (ptr != NULL) free_block(block_of(ptr));
}

static LIBSSH2_REALLOC_FUNC(block_realloc) {
  void *moved = block_alloc(count, abstract);
  if (ptr == NULL || moved == NULL) return moved;
  struct sftp_block *block = block_of(ptr);
  memcpy(moved, block->bytes, block->size < count ? block->size : count);
  block_free(ptr, abstract);
  return moved;
}

/* libssh2 prepares its cryptography once for the process, and does not guard that against two threads. */
static void prepare_library(void) {
  (void)libssh2_init(0);
}

/* ---- waiting and failing ---- */

int sftp_session_wait(struct sftp_storage *storage, struct bo_error *error) {
  int directions = libssh2_session_block_directions(storage->session);
  short events = (short)((directions & LIBSSH2_SESSION_BLOCK_OUTBOUND ? POLLOUT : 0) |
                         (directions & LIBSSH2_SESSION_BLOCK_INBOUND ? POLLIN : 0));
  int result = sftp_wait(storage, storage->socket, events != 0 ? events : POLLIN, error);
  if (result != BO_OK) sftp_drop(storage);
  return result;
}

/* Makes `call` until it need not wait. On failure to wait leaves the function. */
#define WHILE_WAITING(code, call)                     \
  while (((code) = (call)) == LIBSSH2_ERROR_EAGAIN) { \
    int waited_ = sftp_session_wait(storage, error);  \
    if (waited_ != BO_OK) return waited_;             \
  }

int sftp_session_failed(struct sftp_storage *storage, int code, const char *doing, struct bo_error *error) {
  char *text = NULL;
  const char *host = storage->settings.host;
  (void)libssh2_session_last_error(storage->session, &text, NULL, 0);
  int result = BO_ERROR;
  if (code == LIBSSH2_ERROR_ALLOC) {
    (void)sftp_no_memory(error);
  } else if (code == LIBSSH2_ERROR_KEX_FAILURE || code == LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE ||
             code == LIBSSH2_ERROR_METHOD_NOT_SUPPORTED || code == LIBSSH2_ERROR_PROTO) {
    (void)bo_error_set(error, BO_CLASS_PROTOCOL, 0, "%s: %.200s: %.200s: the two may have no method in common", doing,
                       host, text);
  } else {
    (void)bo_error_set(error, BO_CLASS_NETWORK, 0, "%s: the connection to %.200s broke (%.200s)", doing, host, text);
    result = BO_RETRY;
  }
  if (error != NULL) (void)snprintf(error->provider_code, sizeof(error->provider_code), "LIBSSH2_ERROR %d", code);
  sftp_drop(storage);
  return result;
}

/* ---- logging in ---- */

/* The one failure that is nobody's fault but the configuration's; all others are the connection's. */
static bool was_refused(int code) {
  return code == LIBSSH2_ERROR_AUTHENTICATION_FAILED || code == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED ||
         code == LIBSSH2_ERROR_PUBLICKEY_UNRECOGNIZED;
}

static int refused(struct sftp_storage *storage, const char *what, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_AUTH, 0,
                      "%.200s does not let %.100s in with this %s: is it the right one, is it entered there "
                      "(authorized_keys), and does the server allow it? An RSA key needs libssh2 1.11",
                      storage->settings.host, storage->settings.user, what);
}

static int log_in(struct sftp_storage *storage, struct bo_error *error) {
  const struct sftp_settings *settings = &storage->settings;
  const unsigned user_length = (unsigned)strlen(settings->user);
  int code = 0;
  if (settings->private_key != NULL) {
    WHILE_WAITING(code,
                  libssh2_userauth_publickey_frommemory(storage->session, settings->user, user_length, NULL, 0,
                                                        settings->private_key, strlen(settings->private_key), NULL));
    if (code == 0) return BO_OK;
    if (code == LIBSSH2_ERROR_FILE || code == LIBSSH2_ERROR_PROTO)
      return bo_error_set(error, BO_CLASS_CONFIG, 0,
                          "the secret `privateKey` cannot be read: is it whole, and without a passphrase?");
    if (!was_refused(code)) return sftp_session_failed(storage, code, "logging in", error);
    if (settings->password == NULL) return refused(storage, "private key", error);
  }
  WHILE_WAITING(code, libssh2_userauth_password_ex(storage->session, settings->user, user_length, settings->password,
                                                   (unsigned)strlen(settings->password), NULL));
  if (code == 0) return BO_OK;
  return was_refused(code) ? refused(storage, "password", error)
                           : sftp_session_failed(storage, code, "logging in", error);
}

/* ---- connecting ---- */

static int open_channel(struct sftp_storage *storage, struct bo_error *error) {
  int code = 0;
  for (;;) {
    storage->channel = libssh2_channel_open_session(storage->session);
    if (storage->channel != NULL) break;
    code = libssh2_session_last_errno(storage->session);
    if (code != LIBSSH2_ERROR_EAGAIN) return sftp_session_failed(storage, code, "opening a channel", error);
    int waited = sftp_session_wait(storage, error);
    if (waited != BO_OK) return waited;
  }
  WHILE_WAITING(code, libssh2_channel_subsystem(storage->channel, "sftp"));
  if (code == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED)
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "%.200s offers no SFTP to %.100s (sshd_config: Subsystem sftp)",
                        storage->settings.host, storage->settings.user);
  return code == 0 ? BO_OK : sftp_session_failed(storage, code, "starting SFTP", error);
}

static int start_session(struct sftp_storage *storage, struct bo_error *error) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, prepare_library);
  storage->session = libssh2_session_init_ex(block_alloc, block_free, block_realloc, storage);
  if (storage->session == NULL) return sftp_no_memory(error);
  libssh2_session_set_blocking(storage->session, 0);
  int result = sftp_hostkey_prefer(storage, error);
  if (result != BO_OK) return result;
  int code = 0;
  WHILE_WAITING(code, libssh2_session_handshake(storage->session, storage->socket));
  if (code != 0) return sftp_session_failed(storage, code, "beginning an SSH session", error);
  result = sftp_hostkey_check(storage, error);
  if (result == BO_OK) result = log_in(storage, error);
  if (result == BO_OK) result = open_channel(storage, error);
  if (result == BO_OK) result = sftp_client_start(storage, error);
  return result;
}

int sftp_connect(struct sftp_storage *storage, struct bo_error *error) {
  if (sftp_check_cancelled(storage, error) != BO_OK) return BO_ERROR;
  if (storage->session != NULL) return BO_OK;
  if (storage->unreachable) {
    (void)bo_error_set(error, BO_CLASS_NETWORK, 0, "%.200s cannot be reached any more", storage->settings.host);
    return BO_RETRY;
  }
  sftp_arm(storage); /* one deadline for all of it */
  int result = sftp_net_connect(storage, &storage->socket, error);
  if (result == BO_OK) {
    storage->generation++;
    result = start_session(storage, error);
  }
  if (result != BO_OK) {
    sftp_drop(storage);
    storage->unreachable = storage->closing;
  }
  return result;
}

void sftp_drop(struct sftp_storage *storage) {
  for (struct sftp_pending *pending = storage->pending; pending != NULL; pending = pending->next) {
    pending->done = true;
    pending->type = WIRE_STATUS;
    pending->status = WIRE_CONNECTION_LOST;
  }
  storage->pending = NULL;
  storage->packet_size = 0;
  storage->channel = NULL; /* freed with its session */
  if (storage->session != NULL) {
    /* From here on nothing can block, so that libssh2 sends and awaits no farewells. */
    (void)shutdown(storage->socket, SHUT_RDWR);
    for (int i = 0; i < TEARDOWN_TRIES; i++)
      if (libssh2_session_free(storage->session) != LIBSSH2_ERROR_EAGAIN) break;
    storage->session = NULL;
    while (storage->blocks != NULL)
      free_block(storage->blocks);
  }
  if (storage->socket >= 0) (void)close(storage->socket);
  storage->socket = -1;
}
