/* crypt-age/x25519.c - age's own recipients (age-encryption.org/v1, "The X25519 recipient type"), and the exchange that
 * ssh-ed25519 shares with them. */
#include <openssl/crypto.h>
#include <string.h>

#include "plugins/crypt-age/base64.h"
#include "plugins/crypt-age/keys.h"

#define SHARE_TEXT_SIZE AGE_BASE64_TEXT_SIZE(AGE_KEY_SIZE)

/* The key that seals the file key: HKDF over the shared secret, salted with the share and the recipient. */
static bool wrapping_key(const struct age_key *key, const unsigned char scalar[AGE_KEY_SIZE],
                         const unsigned char other[AGE_KEY_SIZE], const unsigned char share[AGE_KEY_SIZE],
                         unsigned char result[AGE_KEY_SIZE]) {
  unsigned char secret[AGE_KEY_SIZE], salt[2 * AGE_KEY_SIZE];
  memcpy(salt, share, AGE_KEY_SIZE);
  memcpy(salt + AGE_KEY_SIZE, key->point, AGE_KEY_SIZE);
  bool ok = age_x25519(scalar, other, secret);
  if (ok && key->kind == &age_kind_ssh_ed25519) ok = age_x25519(key->tweak, secret, secret);
  ok = ok && age_hkdf(secret, sizeof(secret), salt, sizeof(salt), key->kind->label, result);
  OPENSSL_cleanse(secret, sizeof(secret));
  return ok;
}

int age_x25519_wrap(const struct age_key *key, const struct bo_host *host,
                    const unsigned char file_key[AGE_FILE_KEY_SIZE], unsigned char share[AGE_KEY_SIZE],
                    unsigned char sealed[AGE_SEALED_FILE_KEY_SIZE], struct bo_error *error) {
  unsigned char scalar[AGE_KEY_SIZE], seal[AGE_KEY_SIZE];
  if (host->random(host->context, scalar, sizeof(scalar)) != 0)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0,
                        "age: the system gives no randomness, so nothing can be encrypted");
  bool ok = age_x25519_public(scalar, share) && wrapping_key(key, scalar, key->point, share, seal) &&
            age_seal_file_key(seal, file_key, sealed);
  OPENSSL_cleanse(scalar, sizeof(scalar));
  OPENSSL_cleanse(seal, sizeof(seal));
  if (ok) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, 0,
                      "age: one of the %s recipients is no usable public key (a point of low order)", key->kind->type);
}

enum age_match age_x25519_unwrap(const struct age_key *key, struct age_slice share_text,
                                 const struct age_stanza *stanza, unsigned char file_key[AGE_FILE_KEY_SIZE],
                                 struct bo_error *error) {
  unsigned char share[AGE_KEY_SIZE], seal[AGE_KEY_SIZE];
  size_t size = 0;
  const char *wrong = NULL;
  if (!age_base64_decode(share_text.bytes, share_text.size, share, sizeof(share), &size) || size != sizeof(share))
    wrong = "has a share that is not 32 bytes in base64";
  else if (stanza->body_size != AGE_SEALED_FILE_KEY_SIZE)
    wrong = "has a body that is not a sealed file key of 32 bytes";
  else if (!wrapping_key(key, key->scalar, share, share, seal))
    wrong = "has a share of low order";
  if (wrong != NULL) {
    (void)age_header_error(error, "a stanza for %s %s", key->kind->type, wrong);
    return AGE_BROKEN;
  }
  bool found = age_open_file_key(seal, stanza->body, file_key);
  OPENSSL_cleanse(seal, sizeof(seal));
  return found ? AGE_MATCH : AGE_NO_MATCH;
}

static int wrap(const struct age_key *key, const struct bo_host *host, const unsigned char file_key[AGE_FILE_KEY_SIZE],
                struct age_text *header, struct bo_error *error) {
  unsigned char share[AGE_KEY_SIZE], sealed[AGE_SEALED_FILE_KEY_SIZE];
  char arguments[sizeof("X25519 ") + SHARE_TEXT_SIZE] = "X25519 ";
  int result = age_x25519_wrap(key, host, file_key, share, sealed, error);
  if (result != BO_OK) return result;
  age_base64_encode(share, sizeof(share), arguments + strlen(arguments));
  return age_header_add_stanza(header, arguments, sealed, sizeof(sealed), error);
}

static enum age_match unwrap(const struct age_key *key, const struct age_stanza *stanza,
                             unsigned char file_key[AGE_FILE_KEY_SIZE], struct bo_error *error) {
  if (stanza->argument_count != 1) {
    (void)age_header_error(error, "a stanza for X25519 has %zu arguments, not one", stanza->argument_count);
    return AGE_BROKEN;
  }
  return age_x25519_unwrap(key, stanza->arguments[0], stanza, file_key, error);
}

const struct age_kind age_kind_x25519 = {
    .type = "X25519", .label = "age-encryption.org/v1/X25519", .wrap = wrap, .unwrap = unwrap};
