/* core/base/sha256.h - a running SHA-256 (FIPS 180-4), over OpenSSL. */
#ifndef BO_BASE_SHA256_H
#define BO_BASE_SHA256_H

#include "core/base/error.h"

struct bo_sha256 {
  void *context; /* EVP_MD_CTX */
};

#define BO_SHA256_TEXT_MAX 65

int bo_sha256_open(struct bo_sha256 *sha256, struct bo_error *error);
int bo_sha256_update(struct bo_sha256 *sha256, const void *bytes, size_t size, struct bo_error *error);
/* The hash as lower-case hexadecimal; afterwards only close. */
int bo_sha256_finish(struct bo_sha256 *sha256, char text[BO_SHA256_TEXT_MAX], struct bo_error *error);
void bo_sha256_close(struct bo_sha256 *sha256);
/* All at once. */
int bo_sha256_text(const void *bytes, size_t size, char text[BO_SHA256_TEXT_MAX], struct bo_error *error);

#endif
