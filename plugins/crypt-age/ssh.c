/*
 * crypt-age/ssh.c - SSH keys as recipients: ssh-ed25519 and ssh-rsa, as filippo.io/age/agessh defines them.
 *
 * ssh-ed25519: the signing key on Edwards25519 is carried over to Curve25519 and used as age's own X25519 is, with the
 * shared secret multiplied by a tweak that is derived from the SSH key. ssh-rsa: RSA-OAEP with SHA-256 (RFC 8017, 7.1).
 * Both stanzas carry four bytes of the public key's hash, so that a reader tries only his own.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <string.h>

#include "plugins/crypt-age/base64.h"
#include "plugins/crypt-age/keys.h"
#include "plugins/crypt-age/wire.h"

#define ED25519 "ssh-ed25519"
#define RSA_TYPE "ssh-rsa"
#define RSA_BITS_MIN 1024
#define RSA_RECIPIENT_BITS_MIN 2048 /* weaker keys may still open old files, but none is written to them */
#define RSA_BITS_MAX 16384
#define RSA_BYTES_MAX (RSA_BITS_MAX / 8)

static void append_string(unsigned char *wire, size_t *size, const void *bytes, size_t bytes_size) {
  for (int shift = 24; shift >= 0; shift -= 8)
    wire[(*size)++] = (unsigned char)(bytes_size >> shift);
  memcpy(wire + *size, bytes, bytes_size);
  *size += bytes_size;
}

static bool set_tag(struct age_key *key, const unsigned char *wire, size_t size) {
  unsigned char hash[32];
  if (EVP_Digest(wire, size, hash, NULL, EVP_sha256(), NULL) != 1) return false;
  age_base64_encode(hash, 4, key->ssh_tag);
  return true;
}

/* ---- ssh-ed25519 ---- */

/*
 * The point with the Edwards coordinate y has u = (1 + y) / (1 - y) on Curve25519 (RFC 7748, section 4.1). What is not
 * on the curve is refused: with d the curve's constant, x^2 = (y^2 - 1) / (d y^2 + 1) must be a square. All of this is
 * public, so it need not run in constant time.
 */
static bool edwards_to_montgomery(const unsigned char edwards[AGE_KEY_SIZE], unsigned char point[AGE_KEY_SIZE]) {
  static const char prime_hex[] = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
  static const char d_hex[] = "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";
  unsigned char plain[AGE_KEY_SIZE];
  memcpy(plain, edwards, sizeof(plain));
  plain[AGE_KEY_SIZE - 1] &= 0x7f; /* the sign of x, which u does not need */

  BIGNUM *prime = NULL, *d = NULL;
  BN_CTX *context = BN_CTX_new();
  if (context != NULL) BN_CTX_start(context);
  BIGNUM *y = context != NULL ? BN_CTX_get(context) : NULL, *above = context != NULL ? BN_CTX_get(context) : NULL;
  BIGNUM *below = context != NULL ? BN_CTX_get(context) : NULL, *u = context != NULL ? BN_CTX_get(context) : NULL;
  bool ok = u != NULL && BN_hex2bn(&prime, prime_hex) != 0 && BN_hex2bn(&d, d_hex) != 0 &&
            BN_lebin2bn(plain, sizeof(plain), y) != NULL;
  /* x^2 = above / below is a square exactly when above * below is one. */
  ok = ok && BN_mod_sqr(u, y, prime, context) == 1 && BN_mod_mul(below, d, u, prime, context) == 1 &&
       BN_mod_add(below, below, BN_value_one(), prime, context) == 1 &&
       BN_mod_sub(above, u, BN_value_one(), prime, context) == 1 && BN_mod_mul(u, above, below, prime, context) == 1;
  int square = ok ? BN_kronecker(u, prime, context) : -1;
  ok = ok && (square == 0 || square == 1);
  ok = ok && BN_mod_add(above, BN_value_one(), y, prime, context) == 1 &&
       BN_mod_sub(below, BN_value_one(), y, prime, context) == 1 &&
       BN_mod_inverse(below, below, prime, context) != NULL && BN_mod_mul(u, above, below, prime, context) == 1 &&
       BN_bn2lebinpad(u, point, AGE_KEY_SIZE) == AGE_KEY_SIZE;
  if (context != NULL) BN_CTX_end(context);
  BN_CTX_free(context);
  BN_free(prime);
  BN_free(d);
  return ok;
}

const char *age_ssh_ed25519_public(struct age_key *key, const unsigned char point[AGE_KEY_SIZE]) {
  unsigned char wire[4 + sizeof(ED25519) - 1 + 4 + AGE_KEY_SIZE];
  size_t size = 0;
  append_string(wire, &size, ED25519, sizeof(ED25519) - 1);
  append_string(wire, &size, point, AGE_KEY_SIZE);
  key->kind = &age_kind_ssh_ed25519;
  if (!edwards_to_montgomery(point, key->point)) return "is no point of the curve";
  if (!set_tag(key, wire, size) || !age_hkdf("", 0, wire, size, key->kind->label, key->tweak))
    return "cannot be hashed by OpenSSL";
  return NULL;
}

static int wrap_ed25519(const struct age_key *key, const struct bo_host *host,
                        const unsigned char file_key[AGE_FILE_KEY_SIZE], struct age_text *header,
                        struct bo_error *error) {
  unsigned char share[AGE_KEY_SIZE], sealed[AGE_SEALED_FILE_KEY_SIZE];
  char share_text[AGE_BASE64_TEXT_SIZE(AGE_KEY_SIZE)], arguments[96];
  int result = age_x25519_wrap(key, host, file_key, share, sealed, error);
  if (result != BO_OK) return result;
  age_base64_encode(share, sizeof(share), share_text);
  (void)snprintf(arguments, sizeof(arguments), "%s %.*s %.*s", ED25519, AGE_SSH_TAG_TEXT_SIZE, key->ssh_tag,
                 (int)sizeof(share_text), share_text);
  return age_header_add_stanza(header, arguments, sealed, sizeof(sealed), error);
}

/* AGE_MATCH when the stanza has `count` arguments, the first of them the key's tag. */
static enum age_match match_tag(const struct age_key *key, const struct age_stanza *stanza, size_t count,
                                struct bo_error *error) {
  if (stanza->argument_count != count) {
    (void)age_header_error(error, "a stanza for %s has %zu arguments, not %zu", key->kind->type, stanza->argument_count,
                           count);
    return AGE_BROKEN;
  }
  struct age_slice tag = stanza->arguments[0];
  bool same = tag.size == AGE_SSH_TAG_TEXT_SIZE && memcmp(tag.bytes, key->ssh_tag, tag.size) == 0;
  return same ? AGE_MATCH : AGE_NO_MATCH;
}

static enum age_match unwrap_ed25519(const struct age_key *key, const struct age_stanza *stanza,
                                     unsigned char file_key[AGE_FILE_KEY_SIZE], struct bo_error *error) {
  enum age_match match = match_tag(key, stanza, 2, error);
  return match == AGE_MATCH ? age_x25519_unwrap(key, stanza->arguments[1], stanza, file_key, error) : match;
}

const struct age_kind age_kind_ssh_ed25519 = {
    .type = ED25519, .label = "age-encryption.org/v1/ssh-ed25519", .wrap = wrap_ed25519, .unwrap = unwrap_ed25519};

/* ---- ssh-rsa ---- */

static struct age_slice without_zeros(struct age_slice number) {
  while (number.size > 0 && number.bytes[0] == 0) {
    number.bytes++;
    number.size--;
  }
  return number;
}

/* The wire form of a number has a zero before a first bit that is set, since it is signed. */
static void append_number(unsigned char *wire, size_t *size, struct age_slice number) {
  unsigned char signed_form[RSA_BYTES_MAX + 1] = {0};
  size_t pad = (unsigned char)number.bytes[0] >= 0x80;
  memcpy(signed_form + pad, number.bytes, number.size);
  append_string(wire, size, signed_form, number.size + pad);
}

/* Big-endian bytes as OSSL_PARAM wants a number: in the machine's order, in `room`, which the caller cleanses. */
static bool number_param(const char *name, struct age_slice number, unsigned char *room, OSSL_PARAM *param) {
  BIGNUM *value = BN_bin2bn((const unsigned char *)number.bytes, (int)number.size, NULL);
  bool ok = value != NULL && BN_bn2nativepad(value, room, (int)number.size) == (int)number.size;
  BN_clear_free(value);
  *param = OSSL_PARAM_construct_BN(name, room, number.size);
  return ok;
}

/* A private key is built from n, e and d alone: one decryption in a run does not need the primes' speed. */
static EVP_PKEY *build_rsa(struct age_slice e, struct age_slice n, struct age_slice d) {
  unsigned char room[3][RSA_BYTES_MAX];
  OSSL_PARAM params[4] = {OSSL_PARAM_END, OSSL_PARAM_END, OSSL_PARAM_END, OSSL_PARAM_END};
  EVP_PKEY *rsa = NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
  bool ok = context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
            number_param(OSSL_PKEY_PARAM_RSA_N, n, room[0], &params[0]) &&
            number_param(OSSL_PKEY_PARAM_RSA_E, e, room[1], &params[1]) &&
            (d.size == 0 || number_param(OSSL_PKEY_PARAM_RSA_D, d, room[2], &params[2]));
  if (ok) ok = EVP_PKEY_fromdata(context, &rsa, d.size > 0 ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) == 1;
  EVP_PKEY_CTX_free(context);
  OPENSSL_cleanse(room, sizeof(room));
  return ok ? rsa : NULL;
}

const char *age_ssh_rsa(struct age_key *key, struct age_slice e, struct age_slice n, struct age_slice d) {
  unsigned char wire[4 + sizeof(RSA_TYPE) - 1 + 2 * (4 + RSA_BYTES_MAX + 1)];
  size_t size = 0;
  bool identity = d.size > 0;
  e = without_zeros(e);
  n = without_zeros(n);
  d = without_zeros(d);
  if (n.size < (identity ? RSA_BITS_MIN : RSA_RECIPIENT_BITS_MIN) / 8)
    return identity ? "has fewer than 1,024 bits" : "has fewer than 2,048 bits, which is too weak";
  if (n.size > RSA_BYTES_MAX) return "has more than 16,384 bits";
  if (e.size == 0 || e.size > 4 || (e.bytes[e.size - 1] & 1) == 0 || (e.size == 1 && e.bytes[0] == 1))
    return "has an unusable exponent";
  if ((identity && d.size == 0) || d.size > n.size) return "has an unusable private exponent";
  key->kind = &age_kind_ssh_rsa;
  append_string(wire, &size, RSA_TYPE, sizeof(RSA_TYPE) - 1);
  append_number(wire, &size, e);
  append_number(wire, &size, n);
  key->rsa = build_rsa(e, n, d);
  if (key->rsa == NULL || !set_tag(key, wire, size)) return "is refused by OpenSSL";
  return NULL;
}

/* A context for RSA-OAEP with age's label; `start` is EVP_PKEY_encrypt_init or EVP_PKEY_decrypt_init. */
static EVP_PKEY_CTX *oaep(const struct age_key *key, int (*start)(EVP_PKEY_CTX *)) {
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key->rsa, NULL);
  size_t label_size = strlen(key->kind->label);
  char *label = OPENSSL_strdup(key->kind->label); /* the context takes and frees it */
  if (context != NULL && label != NULL && start(context) == 1 &&
      EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
      EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 &&
      EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1 &&
      EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, (int)label_size) == 1)
    return context;
  OPENSSL_free(label);
  EVP_PKEY_CTX_free(context);
  return NULL;
}

static int wrap_rsa(const struct age_key *key, const struct bo_host *host,
                    const unsigned char file_key[AGE_FILE_KEY_SIZE], struct age_text *header, struct bo_error *error) {
  unsigned char sealed[RSA_BYTES_MAX];
  char arguments[sizeof(RSA_TYPE) + 1 + AGE_SSH_TAG_TEXT_SIZE];
  size_t size = sizeof(sealed);
  (void)host; /* OAEP's seed is OpenSSL's own randomness: there is no way to give it another */
  EVP_PKEY_CTX *context = oaep(key, EVP_PKEY_encrypt_init);
  bool ok = context != NULL && EVP_PKEY_encrypt(context, sealed, &size, file_key, AGE_FILE_KEY_SIZE) == 1;
  EVP_PKEY_CTX_free(context);
  if (!ok) return bo_error_set(error, BO_CLASS_INTERNAL, 0, "age: OpenSSL cannot encrypt to the ssh-rsa recipient");
  (void)snprintf(arguments, sizeof(arguments), "%s %.*s", RSA_TYPE, AGE_SSH_TAG_TEXT_SIZE, key->ssh_tag);
  return age_header_add_stanza(header, arguments, sealed, size, error);
}

/* A stanza that the key cannot open counts as somebody else's: the tag has only 32 bits. */
static enum age_match unwrap_rsa(const struct age_key *key, const struct age_stanza *stanza,
                                 unsigned char file_key[AGE_FILE_KEY_SIZE], struct bo_error *error) {
  unsigned char opened[RSA_BYTES_MAX];
  size_t size = sizeof(opened);
  enum age_match match = match_tag(key, stanza, 1, error);
  if (match != AGE_MATCH) return match;
  if (stanza->body_size != (size_t)EVP_PKEY_get_size(key->rsa)) return AGE_NO_MATCH;
  EVP_PKEY_CTX *context = oaep(key, EVP_PKEY_decrypt_init);
  bool ok = context != NULL && EVP_PKEY_decrypt(context, opened, &size, stanza->body, stanza->body_size) == 1 &&
            size == AGE_FILE_KEY_SIZE;
  EVP_PKEY_CTX_free(context);
  if (ok) memcpy(file_key, opened, AGE_FILE_KEY_SIZE);
  OPENSSL_cleanse(opened, sizeof(opened));
  return ok ? AGE_MATCH : AGE_NO_MATCH;
}

const struct age_kind age_kind_ssh_rsa = {
    .type = RSA_TYPE, .label = "age-encryption.org/v1/ssh-rsa", .wrap = wrap_rsa, .unwrap = unwrap_rsa};

/* ---- public keys as text ---- */

static const char *read_wire(struct age_key *key, struct age_slice wire, const char *type) {
  static const char *const malformed = "is malformed: it was cut or mistyped";
  struct age_slice name, first, second;
  if (!age_wire_string(&wire, &name) || !age_slice_is(name, type) || !age_wire_string(&wire, &first)) return malformed;
  if (strcmp(type, ED25519) == 0) {
    if (wire.size != 0 || first.size != AGE_KEY_SIZE) return malformed;
    return age_ssh_ed25519_public(key, (const unsigned char *)first.bytes);
  }
  if (!age_wire_string(&wire, &second) || wire.size != 0) return malformed;
  return age_ssh_rsa(key, first, second, (struct age_slice){NULL, 0});
}

int age_ssh_public_key(struct age_key *key, const char *line, size_t size, struct bo_error *error) {
  unsigned char wire[2 * (RSA_BYTES_MAX + 8) + 16];
  const char *end = line + size, *blank = memchr(line, ' ', size);
  struct age_slice type = {line, blank != NULL ? (size_t)(blank - line) : size};
  if (!age_slice_is(type, ED25519) && !age_slice_is(type, RSA_TYPE))
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0,
                        "SSH keys of the type %.*s cannot encrypt: only ssh-ed25519 and ssh-rsa can", (int)type.size,
                        type.bytes);
  const char *text = blank != NULL ? blank : end;
  while (text < end && *text == ' ')
    text++;
  const char *stop = memchr(text, ' ', (size_t)(end - text));
  size_t text_size = (size_t)((stop != NULL ? stop : end) - text), wire_size = 0;
  while (text_size > 0 && text_size % 4 != 2 && text[text_size - 1] == '=')
    text_size--;
  const char *wrong = "is no valid base64: it was cut or mistyped";
  if (age_base64_decode(text, text_size, wire, sizeof(wire), &wire_size))
    wrong = read_wire(key, (struct age_slice){(const char *)wire, wire_size},
                      age_slice_is(type, ED25519) ? ED25519 : RSA_TYPE);
  if (wrong == NULL) return BO_OK;
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "the SSH key %s", wrong);
}
