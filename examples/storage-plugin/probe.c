/* probe.c - whether the server can serve, found by doing what a put does, out of sight. */
#include "sftp.h"

static int check_folder(struct sftp_storage *storage, struct bo_error *error) {
  const char *path = storage->settings.path;
  const char *host = storage->settings.host;
  struct wire_attributes attributes;
  struct sftp_handle handle = {0};
  int result = sftp_stat(storage, path, &attributes, error);
  if (result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND)
    return bo_error_set(error, BO_CLASS_NOT_FOUND, 0,
                        "the folder '%.300s' does not exist on %.200s: make it there, or mount what belongs there",
                        path, host);
  if (result == BO_OK && !sftp_is_folder(&attributes))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "'%.300s' on %.200s is not a folder", path, host);
  if (result == BO_OK) result = sftp_open_folder(storage, path, &handle, error);
  if (result == BO_OK) result = sftp_close(storage, &handle, error);
  if (result != BO_OK && error->error_class == BO_CLASS_AUTH && storage->session != NULL)
    return bo_error_set(error, BO_CLASS_AUTH, 0, "%.100s may not read the folder '%.300s' on %.200s",
                        storage->settings.user, path, host);
  return result;
}

/* Objects and folders are made in the folder itself: a folder is what nobody who lists will see. */
static int check_writable(struct sftp_storage *storage, struct bo_error *error) {
  char id[SFTP_ID_SIZE];
  char name[sizeof(".probe-") + SFTP_ID_SIZE];
  int result = sftp_new_id(storage, id, error);
  if (result != BO_OK) return result;
  (void)snprintf(name, sizeof(name), ".probe-%s", id);
  struct sftp_path path = sftp_place(storage, name);
  result = sftp_make_folder(storage, path.text, error);
  if (result == BO_OK) return sftp_remove_folder(storage, path.text, error);
  if (error->error_class != BO_CLASS_AUTH || storage->session == NULL) return sftp_explain(storage, result, error);
  return bo_error_set(error, BO_CLASS_AUTH, 0, "%.100s may not write to the folder '%.300s' on %.200s",
                      storage->settings.user, storage->settings.path, storage->settings.host);
}

static int try_put(struct sftp_storage *storage, struct bo_error *error) {
  static const char block[4096] = "probe";
  struct bo_token token;
  void *put = NULL;
  int result = sftp_put_open(storage, "probe", NULL, &token, &put, error);
  if (result != BO_OK) return result;
  result = sftp_put_write(put, block, sizeof(block), error);
  if (result == BO_OK) result = sftp_put_settle(put, 0, error);
  int closed = sftp_put_close(put, result == BO_OK ? error : NULL);
  return result == BO_OK ? closed : result;
}

static void warn(struct sftp_storage *storage) {
  if (!(storage->extensions & SFTP_HAS_REPLACE))
    storage->host->log(storage->host->context, BO_LOG_WARNING,
                       "the server cannot replace a file in one instant (posix-rename@openssh.com): a key can be "
                       "stored to only once");
  if (!(storage->extensions & SFTP_HAS_SYNC))
    storage->host->log(storage->host->context, BO_LOG_WARNING,
                       "the server cannot be asked to sync (fsync@openssh.com): an object may not outlast a loss of "
                       "power right after its commit");
}

int sftp_probe(void *instance, uint32_t what, struct bo_error *error) {
  struct sftp_storage *storage = instance;
  SFTP_NEED_ERROR(error);
  if (sftp_check_cancelled(storage, error) != BO_OK) return BO_ERROR;
  int result = check_folder(storage, error);
  if (result != BO_OK || (what & BO_PROBE_WRITE) == 0) return result;
  result = check_writable(storage, error);
  if (result == BO_OK) result = try_put(storage, error);
  if (result == BO_OK) warn(storage);
  return result;
}
