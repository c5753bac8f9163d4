/*
 * crypt-age/ssh_private.c - unencrypted SSH private keys as identities: OpenSSH's own format (PROTOCOL.key in its
 * sources), and PKCS#1 (RFC 8017, A.1.2) and PKCS#8 (RFC 5958) as PEM (RFC 7468).
 *
 * OpenSSL could read the latter two, but its PEM and DER decoders free what they read without overwriting it. So the
 * few fields that are needed are picked out here, in memory that is cleansed.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "core/base/error.h"
#include "plugins/crypt-age/base64.h"
#include "plugins/crypt-age/keys.h"
#include "plugins/crypt-age/wire.h"

static const char malformed[] = "is malformed: it was cut or altered";
static const char encrypted[] =
    "is encrypted with a passphrase, which is not supported: give a copy without one, made "
    "with `ssh-keygen -p -N '' -f COPY`";
static const char unsupported[] = "is of a type that cannot decrypt: only ssh-ed25519 and ssh-rsa can";

/* An Ed25519 key is kept as the seed that RFC 8032 begins with; Curve25519's scalar is the first half of its hash. */
static const char *use_ed25519_seed(struct age_key *key, struct age_slice seed, const unsigned char *expected_public) {
  unsigned char hash[64], public_key[AGE_KEY_SIZE];
  size_t size = sizeof(public_key);
  const unsigned char *bytes = (const unsigned char *)seed.bytes;
  if (seed.size != AGE_KEY_SIZE) return malformed;
  EVP_PKEY *signer = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, bytes, seed.size);
  bool ok = signer != NULL && EVP_PKEY_get_raw_public_key(signer, public_key, &size) == 1 &&
            EVP_Digest(bytes, seed.size, hash, NULL, EVP_sha512(), NULL) == 1;
  EVP_PKEY_free(signer);
  if (ok) memcpy(key->scalar, hash, AGE_KEY_SIZE);
  OPENSSL_cleanse(hash, sizeof(hash));
  if (!ok) return "is refused by OpenSSL";
  if (expected_public != NULL && memcmp(public_key, expected_public, AGE_KEY_SIZE) != 0)
    return "has a public half that is not its own";
  return age_ssh_ed25519_public(key, public_key);
}

/* ---- openssh-key-v1 ---- */

static const char *read_openssh_ed25519(struct age_key *key, struct age_slice *from) {
  struct age_slice public_key, seed;
  if (!age_wire_string(from, &public_key) || public_key.size != AGE_KEY_SIZE || !age_wire_string(from, &seed) ||
      seed.size != 2 * AGE_KEY_SIZE)
    return malformed;
  seed.size = AGE_KEY_SIZE; /* the second half is the public key again */
  return use_ed25519_seed(key, seed, (const unsigned char *)public_key.bytes);
}

static const char *read_openssh_rsa(struct age_key *key, struct age_slice *from) {
  struct age_slice n, e, d, ignored;
  if (!age_wire_string(from, &n) || !age_wire_string(from, &e) || !age_wire_string(from, &d) || d.size == 0)
    return malformed;
  for (int i = 0; i < 3; i++) /* what the primes' speed would need */
    if (!age_wire_string(from, &ignored)) return malformed;
  return age_ssh_rsa(key, e, n, d);
}

/* The part that would be encrypted: two equal numbers, the key, its comment, and the bytes 1, 2, 3... as padding. */
static const char *read_openssh_private(struct age_key *key, struct age_slice from) {
  struct age_slice type, comment;
  uint32_t check[2];
  if (!age_wire_uint32(&from, &check[0]) || !age_wire_uint32(&from, &check[1]) || check[0] != check[1] ||
      !age_wire_string(&from, &type))
    return malformed;
  const char *wrong = unsupported;
  if (age_slice_is(type, "ssh-ed25519")) wrong = read_openssh_ed25519(key, &from);
  if (age_slice_is(type, "ssh-rsa")) wrong = read_openssh_rsa(key, &from);
  if (wrong != NULL) return wrong;
  if (!age_wire_string(&from, &comment)) return malformed;
  for (size_t i = 0; i < from.size; i++)
    if ((unsigned char)from.bytes[i] != (unsigned char)(i + 1)) return malformed;
  return NULL;
}

static const char *read_openssh(struct age_key *key, struct age_slice from) {
  static const char magic[] = "openssh-key-v1"; /* with its NUL */
  struct age_slice bytes, cipher, kdf, options, public_key, private_key;
  uint32_t count;
  if (!age_wire_bytes(&from, sizeof(magic), &bytes) || memcmp(bytes.bytes, magic, sizeof(magic)) != 0 ||
      !age_wire_string(&from, &cipher) || !age_wire_string(&from, &kdf) || !age_wire_string(&from, &options))
    return malformed;
  if (!age_slice_is(cipher, "none") || !age_slice_is(kdf, "none")) return encrypted;
  if (!age_wire_uint32(&from, &count) || count != 1 || !age_wire_string(&from, &public_key) ||
      !age_wire_string(&from, &private_key) || from.size != 0)
    return malformed;
  return read_openssh_private(key, private_key);
}

/* ---- DER ---- */

enum der_tag { DER_INTEGER = 0x02, DER_OCTETS = 0x04, DER_OID = 0x06, DER_SEQUENCE = 0x30 };

/* The content of the next element, which must have this tag (X.690, with lengths of up to two bytes). */
static bool der_next(struct age_slice *from, enum der_tag tag, struct age_slice *content) {
  struct age_slice rest = *from, head, length_bytes;
  if (!age_wire_bytes(&rest, 2, &head) || (unsigned char)head.bytes[0] != tag) return false;
  size_t length = (unsigned char)head.bytes[1];
  if (length >= 0x80) {
    size_t count = length & 0x7f;
    if (count < 1 || count > 2 || !age_wire_bytes(&rest, count, &length_bytes)) return false;
    length = (unsigned char)length_bytes.bytes[0];
    if (count == 2) length = length << 8 | (unsigned char)length_bytes.bytes[1];
  }
  if (!age_wire_bytes(&rest, length, content)) return false;
  *from = rest;
  return true;
}

static const char *read_pkcs1(struct age_key *key, struct age_slice from) {
  struct age_slice sequence, version, n, e, d;
  if (!der_next(&from, DER_SEQUENCE, &sequence) || from.size != 0 || !der_next(&sequence, DER_INTEGER, &version) ||
      !der_next(&sequence, DER_INTEGER, &n) || !der_next(&sequence, DER_INTEGER, &e) ||
      !der_next(&sequence, DER_INTEGER, &d) || d.size == 0)
    return malformed;
  return age_ssh_rsa(key, e, n, d);
}

static const char *read_pkcs8(struct age_key *key, struct age_slice from) {
  static const char rsa_oid[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", ed25519_oid[] = "\x2b\x65\x70";
  struct age_slice sequence, version, algorithm, oid, octets, seed;
  if (!der_next(&from, DER_SEQUENCE, &sequence) || from.size != 0 || !der_next(&sequence, DER_INTEGER, &version) ||
      !der_next(&sequence, DER_SEQUENCE, &algorithm) || !der_next(&algorithm, DER_OID, &oid) ||
      !der_next(&sequence, DER_OCTETS, &octets))
    return malformed;
  if (age_slice_is(oid, rsa_oid)) return read_pkcs1(key, octets);
  if (!age_slice_is(oid, ed25519_oid)) return unsupported;
  if (!der_next(&octets, DER_OCTETS, &seed) || octets.size != 0) return malformed;
  return use_ed25519_seed(key, seed, NULL);
}

/* ---- PEM ---- */

struct format {
  const char *name;
  const char *(*read)(struct age_key *key, struct age_slice from); /* NULL: refused, for this reason: */
  const char *refused;
};

static const struct format formats[] = {
    {"OPENSSH PRIVATE KEY", read_openssh, NULL}, {"RSA PRIVATE KEY", read_pkcs1, NULL},
    {"PRIVATE KEY", read_pkcs8, NULL},           {"ENCRYPTED PRIVATE KEY", NULL, encrypted},
    {"EC PRIVATE KEY", NULL, unsupported},       {"DSA PRIVATE KEY", NULL, unsupported},
};

/* Takes "-----<word> <name>-----" off the front. */
static bool take_boundary(struct age_slice *from, const char *word, const char *name) {
  char boundary[64];
  int size = snprintf(boundary, sizeof(boundary), "-----%s %s-----", word, name);
  struct age_slice bytes;
  return from->size >= (size_t)size && memcmp(from->bytes, boundary, (size_t)size) == 0 &&
         age_wire_bytes(from, (size_t)size, &bytes);
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Decodes the base64 up to the closing boundary into `room`, which is as long as the text. */
static const char *decode_body(struct age_slice *from, char *room, struct age_slice *decoded) {
  static const char encryption[] = "Proc-Type:"; /* the one header line that such files have, in the old format */
  size_t size = 0;
  while (from->size > 0 && from->bytes[0] != '-') {
    if (size == 0 && from->size >= sizeof(encryption) && memcmp(from->bytes, encryption, sizeof(encryption) - 1) == 0)
      return encrypted;
    if (!is_blank(from->bytes[0])) room[size++] = from->bytes[0];
    from->bytes++;
    from->size--;
  }
  while (size > 0 && size % 4 != 2 && room[size - 1] == '=')
    size--;
  *decoded = (struct age_slice){room, 0};
  return age_base64_decode(room, size, room, size, &decoded->size) ? NULL : malformed;
}

static const char *read_pem(struct age_key *key, struct age_slice from, char *room) {
  const struct format *format = NULL;
  for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]) && format == NULL; i++)
    if (take_boundary(&from, "BEGIN", formats[i].name)) format = &formats[i];
  if (format == NULL) return "is not in a format that is known: it must be one of OpenSSH, PKCS#1 or PKCS#8";
  if (format->read == NULL) return format->refused;
  struct age_slice decoded;
  const char *wrong = decode_body(&from, room, &decoded);
  if (wrong != NULL) return wrong;
  if (!take_boundary(&from, "END", format->name)) return malformed;
  for (size_t i = 0; i < from.size; i++)
    if (!is_blank(from.bytes[i])) return "is followed by something else: give each key as an identity of its own";
  return format->read(key, decoded);
}

int age_ssh_private_key(struct age_key *key, const struct bo_host *host, const char *pem, size_t size,
                        struct bo_error *error) {
  char *room = host->alloc(host->context, size + 1);
  if (room == NULL) return bo_error_no_memory(error);
  const char *wrong = read_pem(key, (struct age_slice){pem, size}, room);
  OPENSSL_cleanse(room, size + 1);
  host->free(host->context, room);
  if (wrong == NULL) return BO_OK;
  int class = wrong == unsupported || wrong == encrypted ? BO_CLASS_UNSUPPORTED : BO_CLASS_CONFIG;
  return bo_error_set(error, class, 0, "the SSH private key %s", wrong);
}
