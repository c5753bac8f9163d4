/*
 * plugins/storage-s3/sigv4.c - AWS Signature Version 4, for a request whose headers are signed.
 *
 * Own code, since libcurl before 8.5 signs the query as it stands, neither encoded nor sorted. Path, query and headers
 * come in their canonical form (for S3 the path is encoded once and never normalised).
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <time.h>

#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/base/text.h"
#include "plugins/storage-s3/storage-s3.h"

#define HASH_BYTES 32

void s3_signing_time(int64_t unix_seconds, char text[17]) {
  time_t seconds = (time_t)unix_seconds;
  struct tm utc;
  if (gmtime_r(&seconds, &utc) == NULL || strftime(text, 17, "%Y%m%dT%H%M%SZ", &utc) == 0) text[0] = '\0';
}

static bool hmac(const void *key, size_t key_size, const char *text, size_t size, unsigned char out[HASH_BYTES]) {
  return HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)text, size, out, NULL) != NULL;
}

/* Outer blanks are dropped and inner runs become one space. */
static void append_value(struct bo_buffer *out, const char *value) {
  bool blank = false;
  bool any = false;
  for (; *value != '\0'; value++) {
    if (*value == ' ' || *value == '\t') {
      blank = true;
      continue;
    }
    if (blank && any) (void)bo_buffer_append(out, " ", 1);
    (void)bo_buffer_append(out, value, 1);
    blank = false;
    any = true;
  }
}

static void append_names(struct bo_buffer *out, const struct s3_signing *signing) {
  for (size_t i = 0; i < signing->header_count; i++)
    (void)bo_buffer_printf(out, "%s%s", i == 0 ? "" : ";", signing->headers[i].name);
}

static int canonical_hash(const struct s3_signing *signing, char text[BO_SHA256_TEXT_MAX], struct bo_error *error) {
  BO_CLEANUP(bo_buffer_cleanse)
  struct bo_buffer request = BO_BUFFER_INIT; /* a session token may be among the headers */
  (void)bo_buffer_printf(&request, "%s\n%s\n%s\n", signing->method, signing->path, signing->query);
  for (size_t i = 0; i < signing->header_count; i++) {
    (void)bo_buffer_printf(&request, "%s:", signing->headers[i].name);
    append_value(&request, signing->headers[i].value);
    (void)bo_buffer_append(&request, "\n", 1);
  }
  (void)bo_buffer_append(&request, "\n", 1);
  append_names(&request, signing);
  (void)bo_buffer_printf(&request, "\n%s", signing->payload_sha256);
  if (request.failed) return bo_error_no_memory(error);
  return bo_sha256_text(request.bytes, request.size, text, error);
}

static bool signing_key(const struct s3_signing *signing, unsigned char key[HASH_BYTES]) {
  BO_CLEANUP(bo_buffer_cleanse) struct bo_buffer first = BO_BUFFER_INIT;
  if (!bo_buffer_printf(&first, "AWS4%s", signing->secret_key)) return false;
  return hmac(first.bytes, first.size, signing->time, 8, key) &&
         hmac(key, HASH_BYTES, signing->region, strlen(signing->region), key) &&
         hmac(key, HASH_BYTES, signing->service, strlen(signing->service), key) &&
         hmac(key, HASH_BYTES, "aws4_request", strlen("aws4_request"), key);
}

int s3_sign(const struct s3_signing *signing, struct bo_buffer *authorization, struct bo_error *error) {
  char hash[BO_SHA256_TEXT_MAX];
  char signature[2 * HASH_BYTES + 1];
  unsigned char key[HASH_BYTES];
  BO_CLEANUP_BUFFER struct bo_buffer scope = BO_BUFFER_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  if (canonical_hash(signing, hash, error) != BO_OK) return BO_ERROR;
  (void)bo_buffer_printf(&scope, "%.8s/%s/%s/aws4_request", signing->time, signing->region, signing->service);
  (void)bo_buffer_printf(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", signing->time, bo_buffer_text(&scope), hash);
  bool good =
      !scope.failed && !text.failed && signing_key(signing, key) && hmac(key, sizeof(key), text.bytes, text.size, key);
  if (good) bo_hex(key, sizeof(key), signature);
  OPENSSL_cleanse(key, sizeof(key));
  if (!good) return bo_error_set(error, BO_CLASS_INTERNAL, 0, "OpenSSL could not sign a request, or memory is short");
  (void)bo_buffer_printf(authorization, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=", signing->access_key,
                         bo_buffer_text(&scope));
  append_names(authorization, signing);
  (void)bo_buffer_printf(authorization, ", Signature=%s", signature);
  return authorization->failed ? bo_error_no_memory(error) : BO_OK;
}
