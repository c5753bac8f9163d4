/* crypt-age/stream.c - sealing and opening of the payload, chunk by chunk. No byte of a chunk is handed out before its
 * tag was verified, and none of the last before the input has ended. */
#include "plugins/crypt-age/stream.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "core/base/error.h"

#define SEALED_CHUNK_SIZE (AGE_CHUNK_SIZE + AGE_TAG_SIZE)

int age_stream_open(struct age_stream *stream, const struct bo_host *host, bool sealing,
                    const unsigned char file_key[AGE_FILE_KEY_SIZE], const void *nonce, size_t nonce_size,
                    struct bo_error *error) {
  unsigned char key[AGE_KEY_SIZE];
  *stream = (struct age_stream){.host = host, .sealing = sealing};
  stream->chunk = host->alloc(host->context, AGE_STREAM_MEMORY);
  if (stream->chunk == NULL) return bo_error_no_memory(error);
  stream->cipher = EVP_CIPHER_CTX_new();
  bool ok = stream->cipher != NULL && age_hkdf(file_key, AGE_FILE_KEY_SIZE, nonce, nonce_size, "payload", key) &&
            EVP_CipherInit_ex(stream->cipher, EVP_chacha20_poly1305(), NULL, key, NULL, sealing) == 1;
  OPENSSL_cleanse(key, sizeof(key));
  return ok ? BO_OK : bo_error_set(error, BO_CLASS_INTERNAL, 0, "age: OpenSSL cannot set up ChaCha20-Poly1305");
}

void age_stream_close(struct age_stream *stream) {
  EVP_CIPHER_CTX_free(stream->cipher);
  if (stream->chunk != NULL) {
    OPENSSL_cleanse(stream->chunk, AGE_STREAM_MEMORY);
    stream->host->free(stream->host->context, stream->chunk);
  }
  *stream = (struct age_stream){0};
}

/* The chunk's number in eleven bytes, big-endian, and one byte that marks the last. */
static void make_nonce(uint64_t number, bool last, unsigned char nonce[AGE_NONCE_SIZE]) {
  memset(nonce, 0, AGE_NONCE_SIZE);
  for (int i = 0; i < 8; i++)
    nonce[10 - i] = (unsigned char)(number >> (8 * i));
  nonce[11] = last;
}

static bool crypt_bytes(EVP_CIPHER_CTX *cipher, const unsigned char *from, size_t size, unsigned char *to) {
  int done = 0, rest = 0;
  return (size == 0 || EVP_CipherUpdate(cipher, to, &done, from, (int)size) == 1) &&
         EVP_CipherFinal_ex(cipher, to + done, &rest) == 1;
}

/* Seals or opens one chunk; `to` may be `from`. */
static bool crypt_chunk(struct age_stream *stream, const unsigned char *from, size_t size, bool last,
                        unsigned char *to) {
  unsigned char nonce[AGE_NONCE_SIZE], tag[AGE_TAG_SIZE];
  make_nonce(stream->number, last, nonce);
  if (EVP_CipherInit_ex(stream->cipher, NULL, NULL, NULL, nonce, -1) != 1) return false;
  if (stream->sealing)
    return crypt_bytes(stream->cipher, from, size, to) &&
           EVP_CIPHER_CTX_ctrl(stream->cipher, EVP_CTRL_AEAD_GET_TAG, AGE_TAG_SIZE, to + size) == 1;
  size -= AGE_TAG_SIZE;
  memcpy(tag, from + size, sizeof(tag));
  return EVP_CIPHER_CTX_ctrl(stream->cipher, EVP_CTRL_AEAD_SET_TAG, AGE_TAG_SIZE, tag) == 1 &&
         crypt_bytes(stream->cipher, from, size, to);
}

static int chunk_error(const struct age_stream *stream, const char *wrong, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CORRUPT, 0, "age payload: chunk %llu, at byte %llu behind the header, %s",
                      (unsigned long long)stream->number + 1, (unsigned long long)stream->number * SEALED_CHUNK_SIZE,
                      wrong);
}

/* What can be told of a chunk to be opened before it is. */
static int check_size(const struct age_stream *stream, size_t size, struct bo_error *error) {
  if (size == 0 && stream->number > 0) return chunk_error(stream, "is missing: the file was cut before it", error);
  if (size < AGE_TAG_SIZE) return chunk_error(stream, "is too short: the file was cut", error);
  if (size == AGE_TAG_SIZE && stream->number > 0)
    return chunk_error(stream, "is the last and empty, which the format allows only in an empty file", error);
  return BO_OK;
}

/* Seals or opens the `size` bytes at `from`, into `out` if there is room for them, else into the buffer. */
static int process_chunk(struct age_stream *stream, const unsigned char *from, size_t size, bool last,
                         struct bo_output *out, struct bo_error *error) {
  if (!stream->sealing) {
    int result = check_size(stream, size, error);
    if (result != BO_OK) return result;
  }
  size_t produced = stream->sealing ? size + AGE_TAG_SIZE : size - AGE_TAG_SIZE;
  bool direct = out->size - out->position >= produced;
  unsigned char *to = direct ? out->bytes + out->position : stream->chunk;
  if (!crypt_chunk(stream, from, size, last, to)) {
    OPENSSL_cleanse(to, produced); /* what was decrypted without being authentic */
    if (stream->sealing) return bo_error_set(error, BO_CLASS_INTERNAL, 0, "age: OpenSSL cannot encrypt");
    return chunk_error(stream,
                       last ? "is not authentic: the file was altered, or cut behind this chunk"
                            : "is not authentic: the file was altered, or something was appended to it",
                       error);
  }
  if (direct)
    out->position += produced;
  else
    stream->ready = produced;
  stream->number++;
  stream->ended = last;
  return BO_OK;
}

/* Hands out what waits; true when nothing does any more. */
static bool drain(struct age_stream *stream, struct bo_output *out) {
  size_t size = stream->ready - stream->given, room = out->size - out->position;
  if (size > room) size = room;
  memcpy(out->bytes + out->position, stream->chunk + stream->given, size);
  out->position += size;
  stream->given += size;
  if (stream->given < stream->ready) return false;
  stream->given = stream->ready = 0;
  return true;
}

/* Finds the next whole chunk, in the input itself or collected in the buffer. False when there is none yet. */
static bool next_chunk(struct age_stream *stream, struct bo_input *in, int mode, const unsigned char **from,
                       size_t *size, bool *last) {
  size_t unit = stream->sealing ? AGE_CHUNK_SIZE : SEALED_CHUNK_SIZE, left = in->size - in->position;
  *last = mode == BO_END && stream->filled + left <= unit;
  if (stream->filled == 0 && (left > unit || *last)) {
    *from = in->bytes + in->position;
    *size = left > unit ? unit : left;
    in->position += *size;
    return true;
  }
  size_t copied = left < unit - stream->filled ? left : unit - stream->filled;
  if (copied > 0) memcpy(stream->chunk + stream->filled, in->bytes + in->position, copied); /* at the end: NULL, 0 */
  in->position += copied;
  stream->filled += copied;
  if (!*last && (stream->filled < unit || copied == left)) return false;
  *from = stream->chunk;
  *size = stream->filled;
  stream->filled = 0;
  return true;
}

int age_stream_process(struct age_stream *stream, struct bo_input *in, struct bo_output *out, int mode,
                       struct bo_error *error) {
  const unsigned char *from;
  size_t size;
  bool last;
  for (;;) {
    if (!drain(stream, out)) return BO_AGAIN;
    if (stream->ended) return BO_DONE; /* only BO_END marks a last chunk, and it takes all of the input */
    if (!next_chunk(stream, in, mode, &from, &size, &last)) return BO_NEED_INPUT;
    int result = process_chunk(stream, from, size, last, out, error);
    if (result != BO_OK) return result;
  }
}
