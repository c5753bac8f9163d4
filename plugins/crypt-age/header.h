/*
 * crypt-age/header.h - the text that begins an age file (age-encryption.org/v1, "Header"): a first line, one stanza for
 * each recipient, and a MAC under the file key.
 *
 * A header is read in two steps: it is collected until its last line has come, and then read in place, stanza by
 * stanza; nothing is allocated for a stanza. It is never longer than AGE_HEADER_MAX.
 */
#ifndef CRYPT_AGE_HEADER_H
#define CRYPT_AGE_HEADER_H

#include <backup-operator/transform.h>
#include <stdbool.h>

#include "plugins/crypt-age/crypto.h"

#define AGE_HEADER_MAX (1024 * 1024) /* bytes: some 1,300 recipients with RSA keys of 4,096 bits, 9,000 with X25519 */
#define AGE_STANZA_BODY_MAX 2048     /* bytes that are kept of a body: what an RSA key of 16,384 bits makes */
#define AGE_PAYLOAD_NONCE_SIZE 16    /* between the header and the payload */

/* Bytes from the host's memory that grow up to AGE_HEADER_MAX. */
struct age_text {
  const struct bo_host *host;
  int too_long_class; /* of the error then: BO_CLASS_CONFIG for what is written, BO_CLASS_CORRUPT for what is read */
  char *bytes;
  size_t size;
  size_t capacity;
};

int age_text_append(struct age_text *text, const void *bytes, size_t size, struct bo_error *error);
void age_text_free(struct age_text *text);

/* Part of a text that somebody else keeps. */
struct age_slice {
  const char *bytes;
  size_t size;
};

bool age_slice_is(struct age_slice slice, const char *text);

/* ---- writing ---- */

int age_header_begin(struct age_text *text, struct bo_error *error);
/* `arguments`: the type and what follows it, without a newline. */
int age_header_add_stanza(struct age_text *text, const char *arguments, const void *body, size_t body_size,
                          struct bo_error *error);
int age_header_end(struct age_text *text, const unsigned char file_key[AGE_FILE_KEY_SIZE], struct bo_error *error);

/* ---- reading ---- */

/* A stanza as it stands in the header; the slices point into it. */
struct age_stanza {
  struct age_slice type;
  struct age_slice arguments[2]; /* the first two */
  size_t argument_count;         /* all of them */
  unsigned char body[AGE_STANZA_BODY_MAX];
  size_t body_size; /* when more than AGE_STANZA_BODY_MAX, the body was not kept */
};

struct age_header {
  const char *text; /* the whole header, which the caller keeps */
  size_t size;
  size_t mac_at; /* where "---" begins */
  unsigned char mac[AGE_KEY_SIZE];
  size_t stanza_count;
  size_t scrypt_count;
};

/* Moves input into `text` until the header's last line is whole. BO_OK then, else BO_NEED_INPUT with all input taken.
 */
int age_header_collect(struct age_text *text, struct bo_input *in, struct bo_error *error);

/* Checks the form of all of it. The MAC is checked by age_header_verify, which needs the file key. */
int age_header_parse(const char *text, size_t size, struct age_header *header, struct bo_error *error);

/* The stanza at *position (0 for the first), moving it on; false at the end. Only after age_header_parse. */
bool age_header_next(const struct age_header *header, size_t *position, struct age_stanza *stanza);

int age_header_verify(const struct age_header *header, const unsigned char file_key[AGE_FILE_KEY_SIZE],
                      struct bo_error *error);

/* BO_CLASS_CORRUPT: "age header: ...". */
int age_header_error(struct bo_error *error, const char *format, ...) BO_PRINTF(2, 3);

#endif
