/*
 * crypt-age/crypto.h - the few primitives that age is made of, each one call over OpenSSL 3. They return false when
 * OpenSSL fails, and age_open_file_key and age_x25519 also when the data are not what they must be.
 */
#ifndef CRYPT_AGE_CRYPTO_H
#define CRYPT_AGE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>

#define AGE_FILE_KEY_SIZE 16
#define AGE_KEY_SIZE 32 /* of ChaCha20-Poly1305, X25519, HMAC-SHA-256 */
#define AGE_TAG_SIZE 16 /* of Poly1305 */
#define AGE_NONCE_SIZE 12
#define AGE_SEALED_FILE_KEY_SIZE (AGE_FILE_KEY_SIZE + AGE_TAG_SIZE)

/* HMAC-SHA-256 (RFC 2104). */
bool age_hmac(const void *key, size_t key_size, const void *data, size_t data_size, unsigned char mac[AGE_KEY_SIZE]);

/* HKDF-SHA-256 (RFC 5869) with 32 bytes of output. */
bool age_hkdf(const void *secret, size_t secret_size, const void *salt, size_t salt_size, const char *info,
              unsigned char key[AGE_KEY_SIZE]);

/* X25519 (RFC 7748). False when the result is all zero: the point has a low order, which age forbids. */
bool age_x25519(const unsigned char scalar[AGE_KEY_SIZE], const unsigned char point[AGE_KEY_SIZE],
                unsigned char result[AGE_KEY_SIZE]);
bool age_x25519_public(const unsigned char scalar[AGE_KEY_SIZE], unsigned char point[AGE_KEY_SIZE]);

/* ChaCha20-Poly1305 (RFC 8439) with a nonce of zeros, as every stanza wraps the file key. */
bool age_seal_file_key(const unsigned char key[AGE_KEY_SIZE], const unsigned char file_key[AGE_FILE_KEY_SIZE],
                       unsigned char sealed[AGE_SEALED_FILE_KEY_SIZE]);
bool age_open_file_key(const unsigned char key[AGE_KEY_SIZE], const unsigned char sealed[AGE_SEALED_FILE_KEY_SIZE],
                       unsigned char file_key[AGE_FILE_KEY_SIZE]);

#endif
