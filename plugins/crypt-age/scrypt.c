/* crypt-age/scrypt.c - files encrypted with a passphrase (age-encryption.org/v1, "The scrypt recipient type"; RFC
 * 7914): they can be read here, not written, since a backup has nobody to ask.
 *
 * The file says how costly its key is: 2^N steps take 2^N KiB of memory. A limit keeps a hostile file from
 * taking all memory. */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#include "plugins/crypt-age/base64.h"
#include "plugins/crypt-age/keys.h"

#define SALT_SIZE 16
#define BLOCK_SIZE 8 /* scrypt's r: 128 * r = 1 KiB for each step */

static bool scrypt(const struct age_key *key, const unsigned char salt[SALT_SIZE], unsigned work_factor,
                   unsigned char result[AGE_KEY_SIZE]) {
  unsigned char labelled[64];
  size_t label_size = strlen(key->kind->label);
  memcpy(labelled, key->kind->label, label_size);
  memcpy(labelled + label_size, salt, SALT_SIZE);
  uint64_t steps = UINT64_C(1) << work_factor, memory = (steps + 16) * 128 * BLOCK_SIZE;
  uint32_t block = BLOCK_SIZE, parallel = 1;
  OSSL_PARAM params[] = {
      OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PASSWORD, key->passphrase, key->passphrase_size),
      OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, labelled, label_size + SALT_SIZE),
      OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_N, &steps),
      OSSL_PARAM_uint32(OSSL_KDF_PARAM_SCRYPT_R, &block),
      OSSL_PARAM_uint32(OSSL_KDF_PARAM_SCRYPT_P, &parallel),
      OSSL_PARAM_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
      OSSL_PARAM_END,
  };
  EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_SCRYPT, NULL);
  EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
  bool ok = context != NULL && EVP_KDF_derive(context, result, AGE_KEY_SIZE, params) == 1;
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  return ok;
}

/* A decimal number without sign, blanks or leading zeros; 0 when it is none. More than 99 is 99. */
static unsigned parse_work_factor(struct age_slice text) {
  unsigned value = 0;
  if (text.size == 0 || text.bytes[0] == '0') return 0;
  for (size_t i = 0; i < text.size; i++) {
    if (text.bytes[i] < '0' || text.bytes[i] > '9') return 0;
    value = value * 10 + (unsigned)(text.bytes[i] - '0');
    if (value > 99) value = 99;
  }
  return value;
}

static enum age_match too_costly(const struct age_key *key, unsigned work_factor, struct bo_error *error) {
  (void)bo_error_set(error, BO_CLASS_UNSUPPORTED, 0,
                     "age header: its passphrase has a scrypt work factor over %u, which needs more than %u KiB of "
                     "memory%s",
                     key->work_factor_max, 1u << key->work_factor_max,
                     work_factor <= AGE_WORK_FACTOR_LIMIT ? "; if you trust the file, raise workFactorMax" : "");
  return AGE_BROKEN;
}

static enum age_match unwrap(const struct age_key *key, const struct age_stanza *stanza,
                             unsigned char file_key[AGE_FILE_KEY_SIZE], struct bo_error *error) {
  unsigned char salt[SALT_SIZE], seal[AGE_KEY_SIZE];
  size_t size = 0;
  if (stanza->argument_count != 2 ||
      !age_base64_decode(stanza->arguments[0].bytes, stanza->arguments[0].size, salt, sizeof(salt), &size) ||
      size != SALT_SIZE || stanza->body_size != AGE_SEALED_FILE_KEY_SIZE) {
    (void)age_header_error(error, "its stanza for a passphrase (scrypt) is malformed");
    return AGE_BROKEN;
  }
  unsigned work_factor = parse_work_factor(stanza->arguments[1]);
  if (work_factor == 0) {
    (void)age_header_error(error, "the work factor of its passphrase (scrypt) is not a number");
    return AGE_BROKEN;
  }
  if (work_factor > key->work_factor_max || work_factor > AGE_WORK_FACTOR_LIMIT)
    return too_costly(key, work_factor, error);
  if (!scrypt(key, salt, work_factor, seal)) {
    (void)bo_error_set(error, BO_CLASS_NO_MEMORY, 0,
                       "age: the key cannot be derived from the passphrase: there are no %u KiB of memory, which its "
                       "scrypt work factor %u needs",
                       1u << work_factor, work_factor);
    return AGE_BROKEN;
  }
  bool found = age_open_file_key(seal, stanza->body, file_key);
  OPENSSL_cleanse(seal, sizeof(seal));
  return found ? AGE_MATCH : AGE_NO_MATCH;
}

const struct age_kind age_kind_scrypt = {
    .type = "scrypt", .label = "age-encryption.org/v1/scrypt", .wrap = NULL, .unwrap = unwrap};
