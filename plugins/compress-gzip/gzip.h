/*
 * compress-gzip/gzip.h - what the files of this plugin share.
 *
 *   gzip.c     the plugin: its parameters, its instance, the memory for zlib
 *   encode.c   plain -> one gzip member
 *   decode.c   one or more gzip members -> plain, and every word about what is wrong with them
 *   header.c   a member's header, byte by byte
 */
#ifndef COMPRESS_GZIP_H
#define COMPRESS_GZIP_H

#include <backup-operator/plugin.h>
#include <limits.h>
#include <zlib.h>

#include "header.h"

enum gzip_step {
  GZIP_START,   /* before a member: at the beginning, or after a whole one */
  GZIP_HEADER,  /* at least one byte of a header was seen */
  GZIP_DATA,    /* in the deflate stream */
  GZIP_TRAILER, /* in the eight bytes of CRC and length */
};

#define GZIP_TRAILER_SIZE 8
/* Room for what a flush writes: zlib repeats the mark that ends it when there are less than seven bytes. */
#define GZIP_FLUSH_ROOM 64

struct gzip {
  const struct bo_host *host;
  int direction; /* enum bo_direction */
  z_stream zlib;

  /* encode */
  gz_header written_header; /* zlib reads it with the first call of deflate */
  unsigned char flushed[GZIP_FLUSH_ROOM];
  size_t flushed_size;
  size_t flushed_position; /* flushed[flushed_position..flushed_size) has yet to come out */

  /* decode */
  enum gzip_step step;
  struct gzip_header header;
  unsigned char trailer[GZIP_TRAILER_SIZE];
  size_t trailer_size;
  uint64_t member;        /* the number of the current or last one, from 1; 0 before the first */
  uint64_t member_offset; /* where it begins in the stored stream */
  uint64_t offset;        /* in the stored stream, of the next byte to read */
  uint64_t length_bytes;  /* of this member's plain data so far */
  uint32_t crc;           /* of them */
};

int gzip_encode_open(struct gzip *gzip, int level, struct bo_error *error);
int gzip_encode(struct gzip *gzip, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error);

int gzip_decode_open(struct gzip *gzip, struct bo_error *error);
int gzip_decode(struct gzip *gzip, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error);

/* Lends zlib as much of `in` and `out` as its 32 bits can count, and takes back what it left. */
void gzip_lend(struct gzip *gzip, const struct bo_input *in, const struct bo_output *out);
void gzip_take_back(struct gzip *gzip, struct bo_input *in, struct bo_output *out);

/* An answer of zlib that is none of the expected, as an error. Returns BO_ERROR. */
int gzip_unexpected(int zlib_result, struct bo_error *error);

#endif
