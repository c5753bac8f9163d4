/* codec.c - the calls of process, and what transform.h says of their answers. */
#include "programs/plugin-conformance/codec.h"

#define STEP_BYTES 65536
#define IDLE_CALLS_MAX 1000

int conf_codec_open(struct conf_codec *codec, const struct conf *conf, const struct bo_host *host, int direction,
                    const struct bo_config *config) {
  *codec = (struct conf_codec){.operations = conf->plugin->operations.transform, .host = host, .direction = direction};
  int result = CONF_CALL("open", codec->operations->open(host, direction, config, &codec->instance, &codec->error),
                         &codec->error);
  if (result != BO_OK) codec->instance = NULL;
  return result == BO_OK ? BO_OK : BO_ERROR;
}

void conf_codec_close(struct conf_codec *codec) {
  if (codec->instance == NULL) return;
  conf_at("close");
  codec->operations->close(codec->instance);
  conf_at(NULL);
  codec->instance = NULL;
}

static const char *answer_name(int result) {
  static const char *const names[] = {"BO_OK", "BO_RETRY", "BO_ERROR", "BO_AGAIN", "BO_NEED_INPUT", "BO_DONE"};
  return result >= BO_OK && result <= BO_DONE ? names[result] : "a number that is no enum bo_result";
}

/* The promises of `process` in transform.h, one by one. */
static void judge(const struct bo_input *in, const struct bo_output *out, int mode, int result) {
  const char *answer = answer_name(result);
  CONF_HOLDS(result >= BO_ERROR && result <= BO_DONE, "process() answered %s", answer);
  if (result == BO_ERROR) return;
  CONF_HOLDS(result != BO_DONE || mode == BO_END, "process() answered BO_DONE before it was given BO_END");
  CONF_HOLDS(result != BO_NEED_INPUT || mode != BO_END, "process() answered BO_NEED_INPUT to BO_END");
  CONF_HOLDS(result == BO_AGAIN || in->position == in->size, "process() answered %s with %zu of %zu bytes unread",
             answer, in->size - in->position, in->size);
  CONF_HOLDS(result != BO_AGAIN || in->position > 0 || out->position > 0,
             "process() answered BO_AGAIN, but had taken nothing and given nothing");
}

int conf_codec_step(struct conf_codec *codec, struct conf_stream *stream) {
  unsigned char room[STEP_BYTES];
  size_t left = stream->size - stream->position;
  /* After BO_AGAIN the contract wants the rest of the same input, though it be empty. */
  if (stream->position >= stream->piece_end && !(codec->strict && codec->again))
    stream->piece_end = stream->position + (left < stream->in_step ? left : stream->in_step);
  bool flush = stream->flush_at != 0 && stream->piece_end >= stream->flush_at;
  int mode = stream->piece_end == stream->size ? BO_END : flush ? BO_FLUSH : BO_CONTINUE;
  struct bo_input in = {stream->bytes + stream->position, stream->piece_end - stream->position, 0};
  struct bo_output out = {room, stream->out_step < sizeof(room) ? stream->out_step : sizeof(room), 0};
  int result =
      CONF_CALL("process", codec->operations->process(codec->instance, &in, &out, mode, &codec->error), &codec->error);
  CONF_HOLDS(in.position <= in.size && out.position <= out.size,
             "process() left in.position at %zu of %zu and out.position at %zu of %zu", in.position, in.size,
             out.position, out.size);
  if (codec->strict) judge(&in, &out, mode, result);
  if (result != BO_AGAIN && result != BO_NEED_INPUT && result != BO_DONE) return BO_ERROR;
  codec->again = result == BO_AGAIN;
  stream->position += in.position;
  if (flush && result == BO_NEED_INPUT) stream->flush_at = 0;
  if (!bo_buffer_append(stream->out, room, out.position)) conf_skip("out of memory");
  codec->idle = in.position > 0 || out.position > 0 || in.size == 0 ? 0 : codec->idle + 1;
  CONF_HOLDS(codec->idle < IDLE_CALLS_MAX, "process() answers %s for ever, without taking or giving a byte",
             answer_name(result));
  return result == BO_DONE ? BO_DONE : BO_OK;
}

int conf_codec_pump(struct conf_codec *codec, struct conf_stream *stream) {
  for (;;) {
    int result = conf_codec_step(codec, stream);
    if (result != BO_OK) return result;
  }
}

int conf_transform(const struct conf *conf, int direction, const void *bytes, size_t size, size_t in_step,
                   size_t out_step, struct bo_buffer *out, struct bo_error *error) {
  struct conf_host host;
  struct conf_codec codec;
  struct bo_parsed_config config;
  conf_host_open(&host);
  conf_config(conf, NULL, NULL, NULL, &config);
  bo_buffer_clear(out);
  struct conf_stream stream = {.bytes = bytes,
                               .size = size,
                               .in_step = in_step == 0 ? STEP_BYTES : in_step,
                               .out_step = out_step == 0 ? STEP_BYTES : out_step,
                               .out = out};
  int result = conf_codec_open(&codec, conf, &host.table, direction, &config.table);
  if (result == BO_OK) result = conf_codec_pump(&codec, &stream);
  if (error != NULL) *error = codec.error;
  conf_codec_close(&codec);
  bo_config_free(&config);
  conf_host_close(&host);
  return result;
}

void conf_encode(const struct conf *conf, const void *bytes, size_t size, struct bo_buffer *stored) {
  struct bo_error error = BO_ERROR_INIT;
  CONF_HOLDS(conf_transform(conf, BO_ENCODE, bytes, size, 0, 0, stored, &error) == BO_DONE, "encoding failed: %s",
             error.text);
}
