/* crypt-age/crypto.c - HMAC, HKDF, X25519 and the sealing of a file key, over OpenSSL. Whatever is derived on the way
 * is cleansed; OpenSSL cleanses its own contexts when they are freed. */
#include "plugins/crypt-age/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

bool age_hmac(const void *key, size_t key_size, const void *data, size_t data_size, unsigned char mac[AGE_KEY_SIZE]) {
  return HMAC(EVP_sha256(), key, (int)key_size, data, data_size, mac, NULL) != NULL;
}

/* HKDF is written out because OpenSSL's own does not take the empty secret that the tweak of ssh-ed25519 has. */
bool age_hkdf(const void *secret, size_t secret_size, const void *salt, size_t salt_size, const char *info,
              unsigned char key[AGE_KEY_SIZE]) {
  unsigned char extracted[AGE_KEY_SIZE];
  char block[64]; /* ends in the number of the only output block, 1 */
  int block_size = snprintf(block, sizeof(block), "%s\x01", info);
  if (block_size < 0 || (size_t)block_size >= sizeof(block)) return false;
  bool ok = age_hmac(salt, salt_size, secret, secret_size, extracted) &&
            age_hmac(extracted, sizeof(extracted), block, (size_t)block_size, key);
  OPENSSL_cleanse(extracted, sizeof(extracted));
  return ok;
}

bool age_x25519(const unsigned char scalar[AGE_KEY_SIZE], const unsigned char point[AGE_KEY_SIZE],
                unsigned char result[AGE_KEY_SIZE]) {
  size_t size = AGE_KEY_SIZE;
  EVP_PKEY *ours = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, scalar, AGE_KEY_SIZE);
  EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, point, AGE_KEY_SIZE);
  EVP_PKEY_CTX *context = ours != NULL ? EVP_PKEY_CTX_new(ours, NULL) : NULL;
  bool ok = theirs != NULL && context != NULL && EVP_PKEY_derive_init(context) == 1 &&
            EVP_PKEY_derive_set_peer(context, theirs) == 1 && EVP_PKEY_derive(context, result, &size) == 1;
  EVP_PKEY_CTX_free(context);
  EVP_PKEY_free(theirs);
  EVP_PKEY_free(ours);
  return ok && size == AGE_KEY_SIZE;
}

bool age_x25519_public(const unsigned char scalar[AGE_KEY_SIZE], unsigned char point[AGE_KEY_SIZE]) {
  size_t size = AGE_KEY_SIZE;
  EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, scalar, AGE_KEY_SIZE);
  bool ok = key != NULL && EVP_PKEY_get_raw_public_key(key, point, &size) == 1;
  EVP_PKEY_free(key);
  return ok && size == AGE_KEY_SIZE;
}

static const unsigned char zero_nonce[AGE_NONCE_SIZE];

bool age_seal_file_key(const unsigned char key[AGE_KEY_SIZE], const unsigned char file_key[AGE_FILE_KEY_SIZE],
                       unsigned char sealed[AGE_SEALED_FILE_KEY_SIZE]) {
  int size = 0, rest = 0;
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  bool ok = cipher != NULL && EVP_EncryptInit_ex(cipher, EVP_chacha20_poly1305(), NULL, key, zero_nonce) == 1 &&
            EVP_EncryptUpdate(cipher, sealed, &size, file_key, AGE_FILE_KEY_SIZE) == 1 &&
            EVP_EncryptFinal_ex(cipher, sealed + size, &rest) == 1 &&
            EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, AGE_TAG_SIZE, sealed + AGE_FILE_KEY_SIZE) == 1;
  EVP_CIPHER_CTX_free(cipher);
  return ok;
}

bool age_open_file_key(const unsigned char key[AGE_KEY_SIZE], const unsigned char sealed[AGE_SEALED_FILE_KEY_SIZE],
                       unsigned char file_key[AGE_FILE_KEY_SIZE]) {
  int size = 0, rest = 0;
  unsigned char tag[AGE_TAG_SIZE];
  memcpy(tag, sealed + AGE_FILE_KEY_SIZE, sizeof(tag));
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  bool ok = cipher != NULL && EVP_DecryptInit_ex(cipher, EVP_chacha20_poly1305(), NULL, key, zero_nonce) == 1 &&
            EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, AGE_TAG_SIZE, tag) == 1 &&
            EVP_DecryptUpdate(cipher, file_key, &size, sealed, AGE_FILE_KEY_SIZE) == 1 &&
            EVP_DecryptFinal_ex(cipher, file_key + size, &rest) == 1;
  EVP_CIPHER_CTX_free(cipher);
  if (!ok) OPENSSL_cleanse(file_key, AGE_FILE_KEY_SIZE);
  return ok;
}
