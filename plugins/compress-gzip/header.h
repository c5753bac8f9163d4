/*
 * compress-gzip/header.h - the header of a gzip member (RFC 1952, 2.3), read byte by byte.
 *
 * It is read here and not by zlib so that an error can say what is wrong and where. Nothing of it is kept: the name
 * and the comment may be of any length.
 */
#ifndef COMPRESS_GZIP_HEADER_H
#define COMPRESS_GZIP_HEADER_H

#include <stddef.h>
#include <stdint.h>

#define GZIP_MAGIC_1 0x1f
#define GZIP_MAGIC_2 0x8b

enum gzip_header_field {
  GZIP_FIELD_FIXED, /* the ten bytes that every header has */
  GZIP_FIELD_EXTRA_SIZE,
  GZIP_FIELD_EXTRA,
  GZIP_FIELD_NAME,
  GZIP_FIELD_COMMENT,
  GZIP_FIELD_CRC,
  GZIP_FIELD_END, /* the header is whole */
};

enum gzip_header_fault {
  GZIP_HEADER_OK,
  GZIP_HEADER_MAGIC,  /* it does not begin as a gzip file does */
  GZIP_HEADER_METHOD, /* compressed with something other than deflate */
  GZIP_HEADER_FLAGS,  /* flags are set that the format reserves */
  GZIP_HEADER_CRC,    /* the header's own checksum is wrong */
};

/* All zero for a new header. */
struct gzip_header {
  enum gzip_header_field field; /* that the next byte belongs to */
  uint32_t position;            /* in that field */
  uint32_t size;                /* of GZIP_FIELD_EXTRA */
  uint32_t crc;                 /* of the header up to GZIP_FIELD_CRC */
  unsigned char flags;
};

/* Takes the next byte; never one after GZIP_FIELD_END. */
enum gzip_header_fault gzip_header_take(struct gzip_header *header, unsigned char byte);

#endif
