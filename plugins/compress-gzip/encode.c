/* One gzip member, whose header says nothing that depends on the machine or the time: equal data give equal bytes, but
 * at level 0, where zlib ends blocks as the room for its output does. */
#include <stdbool.h>

#include "gzip.h"

#define OS_UNKNOWN 255 /* RFC 1952, 2.3.1 */
#define GZIP_WRAPPER 16
#define MEMORY_LEVEL 8 /* zlib's default */

#define HUFFMAN_ONLY (-2) /* a level here, but a strategy for zlib */

int gzip_encode_open(struct gzip *gzip, int level, struct bo_error *error) {
  int strategy = level == HUFFMAN_ONLY ? Z_HUFFMAN_ONLY : Z_DEFAULT_STRATEGY;
  int result = deflateInit2(&gzip->zlib, level == HUFFMAN_ONLY ? Z_DEFAULT_COMPRESSION : level, Z_DEFLATED,
                            MAX_WBITS + GZIP_WRAPPER, MEMORY_LEVEL, strategy);
  if (result != Z_OK) return gzip_unexpected(result, error);
  gzip->written_header.os = OS_UNKNOWN;
  result = deflateSetHeader(&gzip->zlib, &gzip->written_header);
  return result == Z_OK ? BO_OK : gzip_unexpected(result, error);
}

/* Gives out what a flush left in `flushed`; true when that is all. */
static bool drain(struct gzip *gzip, struct bo_output *out) {
  size_t size = gzip->flushed_size - gzip->flushed_position, room = out->size - out->position;
  if (size > room) size = room;
  if (size != 0) memcpy(out->bytes + out->position, gzip->flushed + gzip->flushed_position, size);
  gzip->flushed_position += size;
  out->position += size;
  return gzip->flushed_position == gzip->flushed_size;
}

/* A call of deflate whose output goes to `flushed` first. */
static int deflate_aside(struct gzip *gzip, struct bo_input *in, int flush) {
  struct bo_output aside = {gzip->flushed, sizeof(gzip->flushed), 0};
  gzip_lend(gzip, in, &aside);
  int result = deflate(&gzip->zlib, flush);
  gzip_take_back(gzip, in, &aside);
  gzip->flushed_size = aside.position;
  gzip->flushed_position = 0;
  return result;
}

static int deflate_directly(struct gzip *gzip, struct bo_input *in, struct bo_output *out, int flush) {
  gzip_lend(gzip, in, out);
  int result = deflate(&gzip->zlib, flush);
  gzip_take_back(gzip, in, out);
  return result;
}

int gzip_encode(struct gzip *gzip, struct bo_input *in, struct bo_output *out, int mode, struct bo_error *error) {
  static const int flush_of[] = {[BO_CONTINUE] = Z_NO_FLUSH, [BO_FLUSH] = Z_SYNC_FLUSH, [BO_END] = Z_FINISH};
  while (drain(gzip, out) && out->position < out->size) {
    bool rest_fits = in->size - in->position <= UINT_MAX;
    int flush = rest_fits ? flush_of[mode] : Z_NO_FLUSH;
    /* A flush is only known to have ended when zlib leaves room, so it never gets too little of it. */
    bool aside = flush == Z_SYNC_FLUSH && out->size - out->position < GZIP_FLUSH_ROOM;
    int result = aside ? deflate_aside(gzip, in, flush) : deflate_directly(gzip, in, out, flush);
    if (result == Z_STREAM_END) return BO_DONE;
    if (result != Z_OK && result != Z_BUF_ERROR) return gzip_unexpected(result, error);
    bool consumed = in->position == in->size;
    if (mode == BO_CONTINUE && consumed) return BO_NEED_INPUT;
    if (mode == BO_FLUSH && consumed && gzip->zlib.avail_out != 0 && drain(gzip, out)) return BO_NEED_INPUT;
  }
  return BO_AGAIN;
}
