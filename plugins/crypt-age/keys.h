/*
 * crypt-age/keys.h - the keys a file is encrypted to (recipients) and decrypted with (identities), of whatever kind.
 *
 * A kind is a table of two functions: wrap writes a recipient's stanza, unwrap tries an identity on a stanza. What
 * else differs between kinds is how their texts are read; keys.c finds the kind of a text.
 */
#ifndef CRYPT_AGE_KEYS_H
#define CRYPT_AGE_KEYS_H

#include <openssl/types.h>

#include "plugins/crypt-age/header.h"

#define AGE_WORK_FACTOR_LIMIT 22 /* of scrypt: 4 GiB; the age command takes no more either */
#define AGE_SSH_TAG_TEXT_SIZE 6  /* base64 of the first four bytes of SHA-256 over the public key */

enum age_match {
  AGE_MATCH,    /* the file key was found */
  AGE_NO_MATCH, /* the stanza is for somebody else */
  AGE_BROKEN    /* the stanza is not what its kind prescribes; the error is filled */
};

struct age_key;

struct age_kind {
  const char *type;  /* the stanza's first argument */
  const char *label; /* for HKDF or OAEP */
  int (*wrap)(const struct age_key *key, const struct bo_host *host, const unsigned char file_key[AGE_FILE_KEY_SIZE],
              struct age_text *header, struct bo_error *error);
  /* Only for stanzas of this type. */
  enum age_match (*unwrap)(const struct age_key *key, const struct age_stanza *stanza,
                           unsigned char file_key[AGE_FILE_KEY_SIZE], struct bo_error *error);
};

extern const struct age_kind age_kind_x25519;
extern const struct age_kind age_kind_ssh_ed25519;
extern const struct age_kind age_kind_ssh_rsa;
extern const struct age_kind age_kind_scrypt; /* for decoding only: wrap is NULL */

/* A recipient or an identity. Which fields count follows from the kind; `scalar` is an identity's only. */
struct age_key {
  struct age_key *next;
  const struct age_kind *kind;
  unsigned char point[AGE_KEY_SIZE];   /* X25519, ssh-ed25519: the public key on Curve25519 */
  unsigned char scalar[AGE_KEY_SIZE];  /* the private one */
  unsigned char tweak[AGE_KEY_SIZE];   /* ssh-ed25519: binds the stanza to the SSH key */
  char ssh_tag[AGE_SSH_TAG_TEXT_SIZE]; /* ssh-*: says whose stanza it is */
  EVP_PKEY *rsa;                       /* ssh-rsa */
  char *passphrase;                    /* scrypt */
  size_t passphrase_size;
  unsigned work_factor_max;
};

/* Keys in order. Zeroed is empty. */
struct age_keys {
  const struct bo_host *host;
  struct age_key *first;
  struct age_key **last;
  size_t count;
};

void age_keys_init(struct age_keys *keys, const struct bo_host *host);
/* Cleanses and frees them; `keys` is empty afterwards. */
void age_keys_free(struct age_keys *keys);

/* Adds what one value of `recipients` holds: a recipient, or lines of them as in a file for age's -R. `number` counts
 * the values from 1, for errors. */
int age_keys_add_recipients(struct age_keys *keys, const char *text, unsigned number, struct bo_error *error);

/* Adds what one `identity` holds: an age key file or an SSH private key. Errors never quote it. */
int age_keys_add_identities(struct age_keys *keys, const char *text, size_t size, unsigned number,
                            struct bo_error *error);

int age_keys_add_passphrase(struct age_keys *keys, const void *bytes, size_t size, unsigned work_factor_max,
                            struct bo_error *error);

/* Tries every identity on every stanza. BO_CLASS_AUTH when none fits, BO_CLASS_CORRUPT for a malformed stanza. */
int age_keys_unwrap(const struct age_keys *keys, const struct age_header *header,
                    unsigned char file_key[AGE_FILE_KEY_SIZE], struct bo_error *error);

/* ---- x25519.c: what X25519 and ssh-ed25519 have in common ---- */

/* Makes an ephemeral share and seals the file key under what it has in common with the key's point. */
int age_x25519_wrap(const struct age_key *key, const struct bo_host *host,
                    const unsigned char file_key[AGE_FILE_KEY_SIZE], unsigned char share[AGE_KEY_SIZE],
                    unsigned char sealed[AGE_SEALED_FILE_KEY_SIZE], struct bo_error *error);
/* The other way: `share` is a stanza's argument in base64, its body the sealed file key. */
enum age_match age_x25519_unwrap(const struct age_key *key, struct age_slice share, const struct age_stanza *stanza,
                                 unsigned char file_key[AGE_FILE_KEY_SIZE], struct bo_error *error);

/* ---- ssh.c and ssh_private.c ---- */

/* A public key as it stands in ~/.ssh/id_ed25519.pub: "ssh-ed25519 AAAA... comment". Fills all but `next`. The error,
 * if it fails, ends a sentence that begins with whose key it is. */
int age_ssh_public_key(struct age_key *key, const char *line, size_t size, struct bo_error *error);

/* Fills `key` from a public key in the wire format of RFC 4253, section 6.6. NULL, or what is wrong with it. */
const char *age_ssh_ed25519_public(struct age_key *key, const unsigned char point[AGE_KEY_SIZE]);
/* As big-endian numbers, e before n; `d` for a private key, else of size 0. */
const char *age_ssh_rsa(struct age_key *key, struct age_slice e, struct age_slice n, struct age_slice d);

/* An unencrypted private key in the format of OpenSSH (openssh-key-v1), PKCS#1 or PKCS#8, as PEM. */
int age_ssh_private_key(struct age_key *key, const struct bo_host *host, const char *pem, size_t size,
                        struct bo_error *error);

#endif
