#include "core/base/sha256.h"

#include <openssl/evp.h>

#include "core/base/text.h"

int bo_sha256_open(struct bo_sha256 *sha256, struct bo_error *error) {
  sha256->context = EVP_MD_CTX_new();
  if (sha256->context == NULL) return bo_error_no_memory(error);
  if (EVP_DigestInit_ex(sha256->context, EVP_sha256(), NULL) != 1) {
    bo_sha256_close(sha256);
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "OpenSSL offers no SHA-256");
  }
  return BO_OK;
}

int bo_sha256_update(struct bo_sha256 *sha256, const void *bytes, size_t size, struct bo_error *error) {
  if (EVP_DigestUpdate(sha256->context, bytes, size) == 1) return BO_OK;
  return bo_error_set(error, BO_CLASS_INTERNAL, 0, "SHA-256 failed");
}

int bo_sha256_finish(struct bo_sha256 *sha256, char text[BO_SHA256_TEXT_MAX], struct bo_error *error) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_DigestFinal_ex(sha256->context, digest, &size) != 1 || size != 32)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "SHA-256 failed");
  bo_hex(digest, size, text);
  return BO_OK;
}

void bo_sha256_close(struct bo_sha256 *sha256) {
  EVP_MD_CTX_free(sha256->context);
  sha256->context = NULL;
}

int bo_sha256_text(const void *bytes, size_t size, char text[BO_SHA256_TEXT_MAX], struct bo_error *error) {
  struct bo_sha256 sha256;
  int result = bo_sha256_open(&sha256, error);
  if (result != BO_OK) return result;
  result = bo_sha256_update(&sha256, bytes, size, error);
  if (result == BO_OK) result = bo_sha256_finish(&sha256, text, error);
  bo_sha256_close(&sha256);
  return result;
}
