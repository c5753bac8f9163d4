/*
 * plugins/storage-s3/credentials.c - who signs: the user's secret first, then the environment.
 *
 * A name that the user gave must be in the secret: falling back to other credentials would store the backup as
 * somebody else.
 */
#include <stdlib.h>

#include "core/base/error.h"
#include "plugins/storage-s3/storage-s3.h"

/* Half of a pair would mean to mix two sources. */
static int check_pair(const struct s3_credentials *credentials, const char *where, const char *access_name,
                      const char *secret_name, struct bo_error *error) {
  bool access = credentials->access_key != NULL;
  if (access == (credentials->secret_key != NULL)) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s has %.100s, but not %.100s: give both", where,
                      access ? access_name : secret_name, access ? secret_name : access_name);
}

/* A secret's entry without the newline that files end with. */
static int find_secret(const char **out, struct bo_arena *memory, const struct bo_config *given,
                       const struct bo_value *name, const char *usual_name, const char *parameter,
                       struct bo_error *error) {
  const char *wanted = name->string == NULL ? usual_name : name->string;
  for (uint32_t i = 0; i < given->secret_count; i++) {
    const struct bo_secret *secret = &given->secrets[i];
    if (strcmp(secret->name, wanted) != 0) continue;
    size_t size = secret->size;
    while (size > 0 && (secret->bytes[size - 1] == '\n' || secret->bytes[size - 1] == '\r'))
      size--;
    for (size_t at = 0; at < size; at++)
      if (secret->bytes[at] <= ' ' || secret->bytes[at] > '~') size = 0;
    if (size == 0)
      return bo_error_set(error, BO_CLASS_CONFIG, 0,
                          "the secret's entry %.100s is empty, or holds what no credential has (blanks, line breaks, "
                          "characters beyond ASCII)",
                          wanted);
    *out = bo_arena_copy(memory, secret->bytes, size);
    return *out == NULL ? bo_error_no_memory(error) : BO_OK;
  }
  if (name->string == NULL) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, 0,
                      "the secret has no entry %.100s, which the parameter %s names: add it, or change the parameter",
                      wanted, parameter);
}

static int find_environment(const char **out, struct bo_arena *memory, const char *name, struct bo_error *error) {
  const char *value = getenv(name);
  if (value == NULL || value[0] == '\0') return BO_OK;
  *out = bo_arena_copy(memory, value, strlen(value));
  return *out == NULL ? bo_error_no_memory(error) : BO_OK;
}

int s3_credentials_find(struct s3_credentials *credentials, struct bo_arena *memory, const struct bo_config *given,
                        const struct bo_value *access_name, const struct bo_value *secret_name,
                        const struct bo_value *token_name, struct bo_error *error) {
  static const char access[] = "AWS_ACCESS_KEY_ID";
  static const char secret[] = "AWS_SECRET_ACCESS_KEY";
  static const char token[] = "AWS_SESSION_TOKEN";
  *credentials = (struct s3_credentials){NULL, NULL, NULL};
  if (find_secret(&credentials->access_key, memory, given, access_name, access, "accessKey", error) != BO_OK ||
      find_secret(&credentials->secret_key, memory, given, secret_name, secret, "secretKey", error) != BO_OK ||
      find_secret(&credentials->session_token, memory, given, token_name, token, "sessionToken", error) != BO_OK ||
      check_pair(credentials, "the secret", access_name->string == NULL ? access : access_name->string,
                 secret_name->string == NULL ? secret : secret_name->string, error) != BO_OK)
    return BO_ERROR;
  if (credentials->access_key != NULL) return BO_OK;
  credentials->session_token = NULL;
  if (find_environment(&credentials->access_key, memory, access, error) != BO_OK ||
      find_environment(&credentials->secret_key, memory, secret, error) != BO_OK ||
      find_environment(&credentials->session_token, memory, token, error) != BO_OK ||
      check_pair(credentials, "the environment", access, secret, error) != BO_OK)
    return BO_ERROR;
  if (credentials->access_key != NULL) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, 0,
                      "there are no credentials: give a secret with the entries %s and %s (or name others with "
                      "accessKey and secretKey), or set them in the environment",
                      access, secret);
}
