/*
 * plugin.c - a storage plugin that keeps backups on any machine with an SSH server.
 *
 * It is complete, and meant to be copied from: built with nothing but the installed headers of backup-operator. This
 * file says what the plugin is; README.md what a user must know; sftp.h where everything is.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sftp.h"

static const struct bo_param params[SFTP_PARAM_COUNT] = {
    [SFTP_HOST] = {.key = "host",
                   .type = BO_TYPE_STRING,
                   .flags = BO_PARAM_REQUIRED,
                   .minimum = 1,
                   .maximum = 255,
                   .description = "The SSH server: a name or an address."},
    [SFTP_PORT] = {.key = "port",
                   .type = BO_TYPE_INTEGER,
                   .default_value = "22",
                   .minimum = 1,
                   .maximum = 65535,
                   .description = "The server's port."},
    [SFTP_USER] = {.key = "user",
                   .type = BO_TYPE_STRING,
                   .flags = BO_PARAM_REQUIRED,
                   .minimum = 1,
                   .maximum = 255,
                   .description = "Who to log in as."},
    [SFTP_PATH] = {.key = "path",
                   .type = BO_TYPE_STRING,
                   .flags = BO_PARAM_REQUIRED,
                   .minimum = 1,
                   .maximum = 900,
                   .description = "The folder for the objects, absolute or from where a login begins. It must exist; "
                                  "it is never made, so that a typo does not fill another disk."},
    [SFTP_HOST_KEY] = {.key = "hostKey",
                       .type = BO_TYPE_STRING,
                       .flags = BO_PARAM_REQUIRED | BO_PARAM_REPEATED,
                       .minimum = 1,
                       .maximum = 4000,
                       .description = "The server's public key, as `ssh-keyscan` and known_hosts have it, or its "
                                      "fingerprint (SHA256:...). Several times: any of them will do."},
    [SFTP_PRIVATE_KEY] = {.key = "privateKey",
                          .type = BO_TYPE_STRING,
                          .flags = BO_PARAM_SECRET,
                          .description = "The private key to log in with, unencrypted: Ed25519 or ECDSA, as "
                                         "`ssh-keygen` writes it."},
    [SFTP_PASSWORD] = {.key = "password",
                       .type = BO_TYPE_STRING,
                       .flags = BO_PARAM_SECRET,
                       .description = "The password to log in with, if there is no private key or it is refused."},
    [SFTP_TIMEOUT] = {.key = "timeout",
                      .type = BO_TYPE_SECONDS,
                      .default_value = "30s",
                      .minimum = 1,
                      .maximum = 3600,
                      .description = "How long the server may be silent, and how long a connection may take."},
};

/* ---- small things that every file needs ---- */

int sftp_prefix(int result, struct bo_error *error, const char *format, ...) {
  char cause[sizeof(error->text)];
  memcpy(cause, error->text, sizeof(cause));
  va_list args;
  va_start(args, format);
  int length = vsnprintf(error->text, sizeof(error->text), format, args);
  va_end(args);
  size_t used = length < 0 ? 0 : strlen(error->text);
  size_t room = sizeof(error->text) - 1 - used;
  size_t added = strnlen(cause, sizeof(cause));
  if (room < 2) return result;
  if (added > room - 2) added = room - 2;
  memcpy(error->text + used, ": ", 2);
  memcpy(error->text + used + 2, cause, added);
  error->text[used + 2 + added] = '\0';
  return result;
}

int sftp_no_memory(struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_NO_MEMORY, ENOMEM, "out of memory");
}

void *sftp_alloc(struct sftp_storage *storage, size_t size) {
  void *memory = storage->host->alloc(storage->host->context, size);
  if (memory != NULL) memset(memory, 0, size);
  return memory;
}

void sftp_free(struct sftp_storage *storage, void *memory) {
  storage->host->free(storage->host->context, memory);
}

bool sftp_cancelled(struct sftp_storage *storage) {
  if (storage->tidying) return false;
  return atomic_load(&storage->cancelled) || storage->host->cancelled(storage->host->context) != 0;
}

int sftp_check_cancelled(struct sftp_storage *storage, struct bo_error *error) {
  if (!sftp_cancelled(storage)) return BO_OK;
  return bo_error_set(error, BO_CLASS_CANCELLED, 0, "the storage was asked to stop");
}

/* ---- life cycle ---- */

static void storage_close(void *instance) {
  struct sftp_storage *storage = instance;
  storage->tidying = true;
  storage->closing = true;
  while (storage->puts != NULL)
    (void)sftp_put_close(storage->puts, NULL);
  while (storage->gets != NULL)
    sftp_get_close(storage->gets);
  sftp_drop(storage);
  sftp_net_close(storage);
  sftp_settings_free(storage);
  if (storage->wake >= 0) (void)close(storage->wake);
  sftp_free(storage, storage->packet);
  sftp_free(storage, storage);
}

static int storage_open(const struct bo_host *host, const struct bo_config *config, void **out,
                        struct bo_error *error) {
  SFTP_NEED_ERROR(error);
  struct sftp_storage *storage = host->alloc(host->context, sizeof(*storage));
  if (storage == NULL) return sftp_no_memory(error);
  *storage = (struct sftp_storage){.host = host, .socket = -1};
  storage->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  storage->packet = sftp_alloc(storage, SFTP_PACKET_MAX);
  int result = BO_OK;
  if (storage->wake < 0)
    result = bo_error_set(error, BO_CLASS_IO, errno, "no event descriptor: %s", strerror(errno));
  else if (storage->packet == NULL)
    result = sftp_no_memory(error);
  else
    result = sftp_settings_copy(storage, config, error);
  if (result == BO_OK)
    *out = storage;
  else
    storage_close(storage);
  return result;
}

/* Any thread, so it does nothing but this. */
static void storage_cancel(void *instance) {
  struct sftp_storage *storage = instance;
  atomic_store(&storage->cancelled, true);
  (void)eventfd_write(storage->wake, 1);
}

/* Our own buffers (a packet, a get's blocks), a listing's names (folder.c) and what libssh2 and its cryptography hold;
 * what arrives and is not read yet is bounded by what was asked for. */
static uint64_t storage_memory_bytes(const struct bo_config *config, int64_t size_hint_bytes) {
  (void)config;
  (void)size_hint_bytes;
  return UINT64_C(16) << 20;
}

static const struct bo_storage_operations operations = {
    .header = BO_HEADER(struct bo_storage_operations),
    .open = storage_open,
    .close = storage_close,
    .cancel = storage_cancel,
    .probe = sftp_probe,
    .put_open = sftp_put_open,
    .put_write = sftp_put_write,
    .put_commit = sftp_put_commit,
    .put_close = sftp_put_close,
    .discard = sftp_discard,
    .get_open = sftp_get_open,
    .get_read = sftp_get_read,
    .get_close = sftp_get_close,
    .stat = sftp_stat_object,
    .list = sftp_list,
    .remove = sftp_remove,
    .sweep = sftp_sweep,
    .memory_bytes = storage_memory_bytes,
};

static const struct bo_plugin plugin = {
    .header = BO_HEADER(struct bo_plugin),
    .kind = BO_KIND_STORAGE,
    .name = "sftp",
    .version = "1.0",
    .license = "Apache-2.0",
    .origin = "an example of backup-operator",
    .description = "Keeps objects as plain files on an SSH server",
    .threads = 1, /* looks up the host's name; net.c */
    .param_count = SFTP_PARAM_COUNT,
    .param_size = sizeof(struct bo_param),
    .params = params,
    .operations = &operations,
};

BO_EXPORT const struct bo_plugin *bo_plugin_init(const struct bo_host *host, struct bo_error *error) {
  (void)host;
  if (libssh2_version(LIBSSH2_VERSION_NUM) != NULL) return &plugin;
  (void)bo_error_set(error, BO_CLASS_UNSUPPORTED, 0,
                     "libssh2 is version %s, but this plugin was built for " LIBSSH2_VERSION, libssh2_version(0));
  return NULL;
}
