/*
 * settings.c - copies of the configuration, which is the host's and ends with `open`. The host has checked it against
 * the table in plugin.c; here is what a table cannot say. Copies of secrets are overwritten when the storage is closed.
 */
#include "sftp.h"

static int copy_text(struct sftp_storage *storage, const char *text, char **copy, struct bo_error *error) {
  size_t size = strlen(text) + 1;
  *copy = sftp_alloc(storage, size);
  if (*copy == NULL) return sftp_no_memory(error);
  memcpy(*copy, text, size);
  return BO_OK;
}

static int copy_value(struct sftp_storage *storage, const struct bo_config *config, unsigned row, char **copy,
                      struct bo_error *error) {
  const char *text = config->values[row].string;
  if (text == NULL || text[0] == '\0') return BO_OK;
  return copy_text(storage, text, copy, error);
}

static bool is_host_key(const struct bo_pair *pair) {
  return strcmp(pair->name, "hostKey") == 0;
}

static int copy_host_keys(struct sftp_storage *storage, const struct bo_config *config, struct bo_error *error) {
  size_t size = 1;
  for (uint32_t i = 0; i < config->repeated_count; i++)
    if (is_host_key(&config->repeated[i])) size += strlen(config->repeated[i].value) + 1;
  char *keys = sftp_alloc(storage, size);
  if (keys == NULL) return sftp_no_memory(error);
  storage->settings.host_keys = keys;
  for (uint32_t i = 0; i < config->repeated_count; i++) {
    if (!is_host_key(&config->repeated[i])) continue;
    size_t length = strlen(config->repeated[i].value);
    memcpy(keys, config->repeated[i].value, length);
    keys[length] = '\n';
    keys += length + 1;
  }
  return BO_OK;
}

/* A table cannot say "one of these two", nor that a private key has a certain look. */
static int check(const struct sftp_settings *settings, struct bo_error *error) {
  if (settings->host == NULL || settings->user == NULL || settings->path == NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the parameters `host`, `user` and `path` are needed");
  if (settings->host_keys[0] == '\0')
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "the parameter `hostKey` is missing: without it anybody could take the backups. "
                        "`ssh-keyscan HOST` prints it; compare it with what the server's administrator says");
  if (settings->private_key == NULL && settings->password == NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "there is nothing to log in with: give the secret `privateKey`, or `password`");
  if (settings->private_key != NULL && strstr(settings->private_key, "PRIVATE KEY-----") == NULL)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "the secret `privateKey` is no private key: it must be the whole file that ssh-keygen wrote, "
                        "from -----BEGIN to the last line");
  return BO_OK;
}

int sftp_settings_copy(struct sftp_storage *storage, const struct bo_config *config, struct bo_error *error) {
  struct sftp_settings *settings = &storage->settings;
  int result = BO_OK;
  if (config->value_count < SFTP_PARAM_COUNT)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "the host gave %u parameters instead of %d",
                        (unsigned)config->value_count, SFTP_PARAM_COUNT);
  const struct {
    unsigned row;
    char **copy;
  } texts[] = {
      {SFTP_HOST, &settings->host},         {SFTP_USER, &settings->user},
      {SFTP_PATH, &settings->path},         {SFTP_PRIVATE_KEY, &settings->private_key},
      {SFTP_PASSWORD, &settings->password},
  };
  for (size_t i = 0; result == BO_OK && i < sizeof(texts) / sizeof(texts[0]); i++)
    result = copy_value(storage, config, texts[i].row, texts[i].copy, error);
  if (result == BO_OK) result = copy_host_keys(storage, config, error);
  if (result == BO_OK) result = check(settings, error);
  if (result != BO_OK) return result;
  for (size_t length = strlen(settings->path); length > 1 && settings->path[length - 1] == '/'; length--)
    settings->path[length - 1] = '\0';
  (void)snprintf(settings->port, sizeof(settings->port), "%u", (unsigned)config->values[SFTP_PORT].integer & 0xffffu);
  settings->timeout_ns = (uint64_t)config->values[SFTP_TIMEOUT].integer * UINT64_C(1000000000);
  return BO_OK;
}

static void free_secret(struct sftp_storage *storage, char *secret) {
  if (secret != NULL) explicit_bzero(secret, strlen(secret));
  sftp_free(storage, secret);
}

void sftp_settings_free(struct sftp_storage *storage) {
  struct sftp_settings *settings = &storage->settings;
  sftp_free(storage, settings->host);
  sftp_free(storage, settings->user);
  sftp_free(storage, settings->path);
  sftp_free(storage, settings->host_keys);
  free_secret(storage, settings->private_key);
  free_secret(storage, settings->password);
}
