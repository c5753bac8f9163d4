/*
 * tests/conformance/broken/transform/good.h - a small crypt plugin that keeps every rule, and what a file beside it may
 * change to break one.
 *
 * Each of the other files is one plugin: it defines spoil(), which is called once, before the host sees the tables, and
 * replaces a function by one that is wrong in a single way, mostly by calling the good one and spoiling its work.
 *
 * The format: a magic number, a nonce of 8 bytes, 8 that prove the key, then chunks (2 bytes of length, the top bit set
 * in the last one; 8 bytes of hash over nonce, number, length and data; data, masked by a stream made from nonce and
 * key). It only has the shape of encryption.
 */
#ifndef BO_TESTS_GOOD_TRANSFORM_H
#define BO_TESTS_GOOD_TRANSFORM_H

#include <backup-operator/plugin.h>

#define GOOD_MAGIC "GOODCRYP"
#define GOOD_MAGIC_SIZE 8
#define GOOD_HEADER_SIZE (GOOD_MAGIC_SIZE + 16)
#define GOOD_CHUNK_HEADER_SIZE 10
#define GOOD_CHUNK_SIZE 4096
#define GOOD_LAST 0x8000u

struct good {
  const struct bo_host *host;
  int direction;
  uint64_t nonce;
  uint64_t key;           /* a hash of the secret `key`; 0 without one */
  uint64_t number;        /* of the chunk */
  int began;              /* the header was made, or read */
  int last;               /* the last chunk was made, or opened */
  unsigned char *secrets; /* a copy of them, as plugins have that need them later */
  size_t secrets_size;
  size_t taken;        /* encode: bytes of plain in `data`; decode: stored bytes in `stored` */
  size_t ready, given; /* bytes of `stored` (encode) or `data` (decode) to be given out */
  unsigned char stored[GOOD_CHUNK_HEADER_SIZE + GOOD_CHUNK_SIZE + GOOD_HEADER_SIZE];
  unsigned char data[GOOD_CHUNK_SIZE];
  void *extra; /* what a plugin that spoils this one keeps */
};

/* Masks and unmasks a chunk's data. */
extern void (*good_mask)(const struct good *good, unsigned char *bytes, size_t size);

int good_open(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
              struct bo_error *error);
int good_process(void *instance, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error);
void good_close(void *instance);
uint64_t good_memory_bytes(int direction, const struct bo_config *config);

/* Called by bo_plugin_init. */
void spoil(struct bo_plugin *plugin, struct bo_transform_operations *operations, const struct bo_host *host);

#endif
