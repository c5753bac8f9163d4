/*
 * Any number of gzip members (RFC 1952), one after another and nothing else, to the plain data of all.
 *
 * Header and trailer are read here, the deflate stream between them by zlib, so that each thing that can be wrong with
 * the stored data has its own words, the member's number, and the byte where it was found.
 */
#include <inttypes.h>

#include "gzip.h"

#define RAW_DEFLATE (-MAX_WBITS)

#define ADVICE "fetch it again, or restore another backup"

int gzip_decode_open(struct gzip *gzip, struct bo_error *error) {
  int result = inflateInit2(&gzip->zlib, RAW_DEFLATE);
  return result == Z_OK ? BO_OK : gzip_unexpected(result, error);
}

static int corrupt(const struct gzip *gzip, uint64_t offset, struct bo_error *error, const char *format, ...)
    BO_PRINTF(4, 5);
static int corrupt(const struct gzip *gzip, uint64_t offset, struct bo_error *error, const char *format, ...) {
  char what[512];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(what, sizeof(what), format, args);
  va_end(args);
  return bo_error_set(error, BO_CLASS_CORRUPT, 0, "gzip member %" PRIu64 ", at byte %" PRIu64 " of the stored data: %s",
                      gzip->member, offset, what);
}

static int trailing(uint64_t whole_members, uint64_t offset, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                      "trailing garbage: what follows gzip member %" PRIu64 ", at byte %" PRIu64
                      " of the stored data, is no gzip member (zeros as padding are refused, too); "
                      "the object is not what was written: " ADVICE,
                      whole_members, offset);
}

static int header_fault(const struct gzip *gzip, enum gzip_header_fault fault, struct bo_error *error) {
  switch (fault) {
    case GZIP_HEADER_MAGIC:
      if (gzip->member > 1) return trailing(gzip->member - 1, gzip->member_offset, error);
      return bo_error_set(error, BO_CLASS_CORRUPT, 0,
                          "this is not gzip data: it does not begin with the bytes 1f 8b. Was it stored with another "
                          "compression or without, or is it still encrypted?");
    case GZIP_HEADER_METHOD:
      return corrupt(gzip, gzip->offset, error, "unknown compression method, only deflate (8) is known; " ADVICE);
    case GZIP_HEADER_FLAGS: return corrupt(gzip, gzip->offset, error, "reserved flags are set in the header; " ADVICE);
    case GZIP_HEADER_CRC:
      return corrupt(gzip, gzip->offset, error, "the header does not match its own checksum; " ADVICE);
    case GZIP_HEADER_OK: break;
  }
  return BO_OK;
}

static int take_header(struct gzip *gzip, unsigned char byte, struct bo_error *error) {
  enum gzip_header_fault fault = gzip_header_take(&gzip->header, byte);
  if (fault != GZIP_HEADER_OK) return header_fault(gzip, fault, error);
  gzip->offset++;
  if (gzip->header.field == GZIP_FIELD_END) gzip->step = GZIP_DATA;
  return BO_OK;
}

static int take_start(struct gzip *gzip, unsigned char byte, struct bo_error *error) {
  gzip->member++;
  gzip->member_offset = gzip->offset;
  gzip->header = (struct gzip_header){0};
  gzip->trailer_size = 0;
  gzip->length_bytes = 0;
  gzip->crc = 0;
  gzip->step = GZIP_HEADER;
  return take_header(gzip, byte, error);
}

static uint32_t little_endian(const unsigned char *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static int take_trailer(struct gzip *gzip, unsigned char byte, struct bo_error *error) {
  gzip->trailer[gzip->trailer_size++] = byte;
  gzip->offset++;
  if (gzip->trailer_size < GZIP_TRAILER_SIZE) return BO_OK;
  uint64_t begin = gzip->offset - GZIP_TRAILER_SIZE;
  if (little_endian(gzip->trailer) != gzip->crc)
    return corrupt(gzip, begin, error, "wrong CRC: the data are not what was compressed; " ADVICE);
  uint32_t stored = little_endian(gzip->trailer + 4), length = (uint32_t)gzip->length_bytes;
  if (stored != length)
    return corrupt(gzip, begin + 4, error,
                   "wrong length: the data have %" PRIu32 " bytes and should have %" PRIu32 " (modulo 2^32); " ADVICE,
                   length, stored);
  int result = inflateReset(&gzip->zlib);
  if (result != Z_OK) return gzip_unexpected(result, error);
  gzip->step = GZIP_START;
  return BO_OK;
}

/* All that lies outside the deflate stream. BO_OK: the deflate stream begins. */
static int take_frame(struct gzip *gzip, struct bo_input *in, struct bo_error *error) {
  while (in->position < in->size) {
    unsigned char byte = in->bytes[in->position++];
    int result = BO_OK;
    switch (gzip->step) {
      case GZIP_START: result = take_start(gzip, byte, error); break;
      case GZIP_HEADER: result = take_header(gzip, byte, error); break;
      case GZIP_TRAILER: result = take_trailer(gzip, byte, error); break;
      case GZIP_DATA: break;
    }
    if (result != BO_OK || gzip->step == GZIP_DATA) return result;
  }
  return BO_NEED_INPUT;
}

/* BO_OK: the deflate stream ended. */
static int take_data(struct gzip *gzip, struct bo_input *in, struct bo_output *out, struct bo_error *error) {
  int result = Z_OK;
  while (result == Z_OK && out->position < out->size) {
    size_t read = in->position, written = out->position;
    gzip_lend(gzip, in, out);
    result = inflate(&gzip->zlib, Z_NO_FLUSH);
    gzip_take_back(gzip, in, out);
    gzip->offset += in->position - read;
    gzip->length_bytes += out->position - written;
    gzip->crc = (uint32_t)crc32_z(gzip->crc, out->bytes + written, out->position - written);
    if (result == Z_BUF_ERROR || (result == Z_OK && in->position == in->size && out->position < out->size))
      return BO_NEED_INPUT;
  }
  if (result == Z_OK) return BO_AGAIN;
  if (result == Z_DATA_ERROR)
    return corrupt(gzip, gzip->offset, error, "invalid compressed data (%s); " ADVICE,
                   gzip->zlib.msg != NULL ? gzip->zlib.msg : "no detail");
  if (result != Z_STREAM_END) return gzip_unexpected(result, error);
  gzip->step = GZIP_TRAILER;
  return BO_OK;
}

/* The answer to BO_END when all is read: only after a whole member is the stream whole. */
static int ended(const struct gzip *gzip, struct bo_error *error) {
  const char *where = "compressed data";
  switch (gzip->step) {
    case GZIP_START:
      if (gzip->member != 0) return BO_DONE;
      return bo_error_set(
          error, BO_CLASS_CORRUPT, 0,
          "the stored data are empty (0 bytes), which no gzip file is: even of nothing it has 20 bytes. "
          "The object was cut or never written: " ADVICE);
    case GZIP_HEADER: where = "header"; break;
    case GZIP_DATA: break;
    case GZIP_TRAILER: where = "trailer"; break;
  }
  return corrupt(gzip, gzip->offset, error, "truncated: the stored data end inside the %s; " ADVICE, where);
}

int gzip_decode(struct gzip *gzip, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  int result = BO_OK;
  while (result == BO_OK)
    result = gzip->step == GZIP_DATA ? take_data(gzip, in, out, error) : take_frame(gzip, in, error);
  return result == BO_NEED_INPUT && mode == BO_END ? ended(gzip, error) : result;
}
