/*
 * crypt-age/stream.h - age's payload (age-encryption.org/v1, "Payload"): chunks of 64 KiB, each sealed on its own with
 * ChaCha20-Poly1305 under a nonce that counts them and marks the last (the STREAM construction).
 *
 * What is the last chunk is known only when the input ends or goes on behind it, so a whole chunk may wait here. It is
 * sealed or opened straight from the caller's input into the caller's output where these are large enough, and in the
 * stream's one buffer where not.
 */
#ifndef CRYPT_AGE_STREAM_H
#define CRYPT_AGE_STREAM_H

#include <backup-operator/transform.h>
#include <openssl/types.h>
#include <stdbool.h>

#include "plugins/crypt-age/crypto.h"

#define AGE_CHUNK_SIZE (64 * 1024) /* of plaintext */
#define AGE_STREAM_MEMORY (AGE_CHUNK_SIZE + AGE_TAG_SIZE)

/* Zeroed is closed. */
struct age_stream {
  const struct bo_host *host;
  EVP_CIPHER_CTX *cipher; /* holds the payload's key */
  unsigned char *chunk;
  size_t filled; /* bytes of input in `chunk` */
  size_t given;  /* of its output: [given, ready) is still to be handed out */
  size_t ready;
  uint64_t number; /* of the next chunk, from 0 */
  bool sealing;
  bool ended; /* the last chunk was sealed or opened */
};

/* `nonce` are the bytes between header and payload. */
int age_stream_open(struct age_stream *stream, const struct bo_host *host, bool sealing,
                    const unsigned char file_key[AGE_FILE_KEY_SIZE], const void *nonce, size_t nonce_size,
                    struct bo_error *error);

/* As a transform's process. */
int age_stream_process(struct age_stream *stream, struct bo_input *in, struct bo_output *out, int mode,
                       struct bo_error *error);

/* Cleanses and frees. */
void age_stream_close(struct age_stream *stream);

#endif
