/*
 * codec.h - driving a compress or crypt plugin: one stream through one instance, in pieces of any size.
 *
 * The driver is lenient: an answer that is wrong but does no harm is not judged unless `strict` is set, so that a
 * plugin breaks the rule about answers and not every rule there is.
 */
#ifndef BO_CONFORMANCE_CODEC_H
#define BO_CONFORMANCE_CODEC_H

#include "programs/plugin-conformance/host.h"
#include "programs/plugin-conformance/rules.h"

struct conf_codec {
  const struct bo_transform_operations *operations;
  const struct bo_host *host;
  int direction;
  bool strict; /* every answer is held to transform.h; a wrong one breaks the rule */
  void *instance;
  bool again;    /* the last answer was BO_AGAIN */
  unsigned idle; /* calls in a row that did nothing */
  struct bo_error error;
};

/* What goes in, in which pieces, and what has come out. */
struct conf_stream {
  const unsigned char *bytes;
  size_t size, position;
  size_t in_step, out_step; /* the most that is given, and the room that is offered, in one call */
  size_t flush_at;          /* a flush is asked for at this position; 0: none */
  size_t piece_end;
  struct bo_buffer *out;
};

int conf_codec_open(struct conf_codec *codec, const struct conf *conf, const struct bo_host *host, int direction,
                    const struct bo_config *config);
/* Idempotent. */
void conf_codec_close(struct conf_codec *codec);
/* One call of process. BO_OK: go on; BO_DONE; BO_ERROR with codec->error. */
int conf_codec_step(struct conf_codec *codec, struct conf_stream *stream);
/* All of the stream: BO_DONE or BO_ERROR. */
int conf_codec_pump(struct conf_codec *codec, struct conf_stream *stream);

/* A whole stream through a fresh instance with the user's configuration: BO_DONE or BO_ERROR with `error`. `out` is
 * emptied first. A step of 0 is 64 KiB. */
int conf_transform(const struct conf *conf, int direction, const void *bytes, size_t size, size_t in_step,
                   size_t out_step, struct bo_buffer *out, struct bo_error *error);
/* Encodes, which must succeed. */
void conf_encode(const struct conf *conf, const void *bytes, size_t size, struct bo_buffer *stored);

#endif
