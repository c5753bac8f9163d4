/* The fields of a header follow each other in a fixed order; the flags tell which of them are there. */
#include "header.h"

#include <zlib.h>

#define FIXED_SIZE 10

enum { FLAG_CRC = 0x02, FLAG_EXTRA = 0x04, FLAG_NAME = 0x08, FLAG_COMMENT = 0x10, FLAGS_RESERVED = 0xe0 };

static const unsigned char needed_flag[] = {
    [GZIP_FIELD_EXTRA_SIZE] = FLAG_EXTRA, [GZIP_FIELD_EXTRA] = FLAG_EXTRA, [GZIP_FIELD_NAME] = FLAG_NAME,
    [GZIP_FIELD_COMMENT] = FLAG_COMMENT,  [GZIP_FIELD_CRC] = FLAG_CRC,
};

static void next_field(struct gzip_header *header) {
  do {
    header->field++;
  } while (header->field != GZIP_FIELD_END && ((header->flags & needed_flag[header->field]) == 0 ||
                                               (header->field == GZIP_FIELD_EXTRA && header->size == 0)));
  header->position = 0;
}

static enum gzip_header_fault take_fixed(struct gzip_header *header, unsigned char byte) {
  switch (header->position) {
    case 0: return byte == GZIP_MAGIC_1 ? GZIP_HEADER_OK : GZIP_HEADER_MAGIC;
    case 1: return byte == GZIP_MAGIC_2 ? GZIP_HEADER_OK : GZIP_HEADER_MAGIC;
    case 2: return byte == Z_DEFLATED ? GZIP_HEADER_OK : GZIP_HEADER_METHOD;
    case 3: header->flags = byte; return (byte & FLAGS_RESERVED) == 0 ? GZIP_HEADER_OK : GZIP_HEADER_FLAGS;
    default: return GZIP_HEADER_OK; /* time, hints and operating system do not matter for the data */
  }
}

/* Takes the byte into the current field. *last: it is the field's last one. */
static enum gzip_header_fault take(struct gzip_header *header, unsigned char byte, int *last) {
  switch (header->field) {
    case GZIP_FIELD_FIXED: *last = header->position == FIXED_SIZE - 1; return take_fixed(header, byte);
    case GZIP_FIELD_EXTRA_SIZE:
      header->size |= (uint32_t)byte << (8 * header->position);
      *last = header->position == 1;
      return GZIP_HEADER_OK;
    case GZIP_FIELD_EXTRA: *last = header->position == header->size - 1; return GZIP_HEADER_OK;
    case GZIP_FIELD_NAME:
    case GZIP_FIELD_COMMENT: *last = byte == 0; return GZIP_HEADER_OK;
    case GZIP_FIELD_CRC: /* the lower half of the CRC-32 of all before it */
      *last = header->position == 1;
      return byte == ((header->crc >> (8 * header->position)) & 0xff) ? GZIP_HEADER_OK : GZIP_HEADER_CRC;
    case GZIP_FIELD_END: break;
  }
  return GZIP_HEADER_OK;
}

enum gzip_header_fault gzip_header_take(struct gzip_header *header, unsigned char byte) {
  int last = 0;
  enum gzip_header_fault fault = take(header, byte, &last);
  if (fault != GZIP_HEADER_OK) return fault;
  if (header->field != GZIP_FIELD_CRC) header->crc = (uint32_t)crc32(header->crc, &byte, 1);
  header->position++;
  if (last) next_field(header);
  return GZIP_HEADER_OK;
}
