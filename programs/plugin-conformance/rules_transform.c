/* rules_transform.c - compress and crypt: what goes in comes out again, and nothing that was cut or altered passes. */
#include <stdlib.h>
#include <sys/mman.h>

#include "programs/plugin-conformance/session.h"

#define SMALL_BYTES 300 /* so small that each bit of what is stored can be turned */

static void holds_same(const struct bo_buffer *found, const void *wanted, size_t size, const char *what) {
  CONF_HOLDS(found->size == size && (size == 0 || memcmp(found->bytes, wanted, size) == 0),
             "%s: %zu bytes were encoded; from decoding come %zu, and not the same", what, size, found->size);
}

/* Encodes and decodes in pieces, and compares. */
static void round_trip(const struct conf *conf, const unsigned char *bytes, size_t size, size_t in_step,
                       size_t out_step) {
  struct bo_error error = BO_ERROR_INIT;
  BO_CLEANUP_BUFFER struct bo_buffer stored = BO_BUFFER_INIT, decoded = BO_BUFFER_INIT;
  char what[96];
  (void)snprintf(what, sizeof(what), "%zu bytes, in pieces of %zu, into room for %zu", size, in_step, out_step);
  CONF_HOLDS(conf_transform(conf, BO_ENCODE, bytes, size, in_step, out_step, &stored, &error) == BO_DONE,
             "%s: encoding failed: %s", what, error.text);
  CONF_HOLDS(conf_transform(conf, BO_DECODE, bo_buffer_text(&stored), stored.size, in_step, out_step, &decoded,
                            &error) == BO_DONE,
             "%s: decoding failed: %s", what, error.text);
  holds_same(&decoded, bytes, size, what);
}

/* ---- TRA-001 to TRA-005 ---- */

static void sizes(struct conf *conf) {
  static const size_t some[] = {0, 1, 2, 3, 255, 256, 257, 4095, 4096, 4097, 65535, 65536, 65537, 131072, 1000000};
  unsigned char *bytes = malloc(1000000);
  if (bytes == NULL) conf_skip("out of memory");
  for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
    conf_text(bytes, some[i]);
    round_trip(conf, bytes, some[i], 65536, 65536);
    conf_noise(bytes, some[i], i + 1);
    round_trip(conf, bytes, some[i], 65536, 65536);
    memset(bytes, 0, some[i]);
    round_trip(conf, bytes, some[i], 65536, 65536);
  }
  free(bytes);
}

static void pieces(struct conf *conf) {
  static const size_t steps[][2] = {{1, 65536}, {7, 1000}, {4097, 333}, {65536, 17}, {13, 13}};
  unsigned char bytes[70001];
  conf_text(bytes, sizeof(bytes) / 2);
  conf_noise(bytes + sizeof(bytes) / 2, sizeof(bytes) - sizeof(bytes) / 2, 3);
  for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
    round_trip(conf, bytes, sizeof(bytes), steps[i][0], steps[i][1]);
}

static void one_byte_of_room(struct conf *conf) {
  unsigned char bytes[5000];
  conf_text(bytes, 2500);
  conf_noise(bytes + 2500, 2500, 4);
  round_trip(conf, bytes, sizeof(bytes), 65536, 1);
}

/* Every answer of a whole stream, judged; with a flush in the middle. */
static void judge_stream(const struct conf *conf, int direction, const struct bo_buffer *from, size_t in_step,
                         size_t out_step, size_t flush_at, struct bo_buffer *out) {
  struct conf_host host;
  struct conf_codec codec;
  struct bo_parsed_config config;
  conf_host_open(&host);
  conf_config(conf, NULL, NULL, NULL, &config);
  bo_buffer_clear(out);
  struct conf_stream stream = {.bytes = (const unsigned char *)bo_buffer_text(from),
                               .size = from->size,
                               .in_step = in_step,
                               .out_step = out_step,
                               .flush_at = flush_at,
                               .out = out};
  CONF_HOLDS(conf_codec_open(&codec, conf, &host.table, direction, &config.table) == BO_OK, "open() failed: %s",
             codec.error.text);
  codec.strict = true;
  CONF_HOLDS(conf_codec_pump(&codec, &stream) == BO_DONE, "%s failed: %s",
             direction == BO_ENCODE ? "encoding" : "decoding", codec.error.text);
  conf_codec_close(&codec);
  bo_config_free(&config);
  conf_host_close(&host);
}

static void answers(struct conf *conf) {
  static const size_t steps[][2] = {{65536, 65536}, {100, 65536}, {65536, 100}, {64, 13}};
  unsigned char bytes[6000];
  conf_text(bytes, sizeof(bytes));
  for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
    BO_CLEANUP_BUFFER struct bo_buffer plain = BO_BUFFER_INIT, stored = BO_BUFFER_INIT, decoded = BO_BUFFER_INIT;
    if (!bo_buffer_append(&plain, bytes, sizeof(bytes))) conf_skip("out of memory");
    judge_stream(conf, BO_ENCODE, &plain, steps[i][0], steps[i][1], 0, &stored);
    judge_stream(conf, BO_DECODE, &stored, steps[i][0], steps[i][1], 0, &decoded);
  }
}

static void flushes(struct conf *conf) {
  unsigned char bytes[6000];
  conf_text(bytes, sizeof(bytes));
  BO_CLEANUP_BUFFER struct bo_buffer plain = BO_BUFFER_INIT, stored = BO_BUFFER_INIT, decoded = BO_BUFFER_INIT;
  if (!bo_buffer_append(&plain, bytes, sizeof(bytes))) conf_skip("out of memory");
  for (size_t at = 1; at < sizeof(bytes); at += 1499) {
    struct bo_error error = BO_ERROR_INIT;
    judge_stream(conf, BO_ENCODE, &plain, 100, 64, at, &stored);
    CONF_HOLDS(conf_transform(conf, BO_DECODE, stored.bytes, stored.size, 0, 0, &decoded, &error) == BO_DONE,
               "with a flush at byte %zu, what was encoded cannot be decoded: %s", at, error.text);
    holds_same(&decoded, bytes, sizeof(bytes), "with a flush");
    judge_stream(conf, BO_DECODE, &stored, 100, 64, stored.size / 2, &decoded);
    holds_same(&decoded, bytes, sizeof(bytes), "with a flush in decoding");
  }
}

/* ---- TRA-006 to TRA-009: what must be noticed ---- */

static void small_sample(const struct conf *conf, unsigned char bytes[SMALL_BYTES], struct bo_buffer *stored) {
  conf_text(bytes, SMALL_BYTES);
  conf_encode(conf, bytes, SMALL_BYTES, stored);
}

static void cut(struct conf *conf) {
  unsigned char bytes[SMALL_BYTES];
  BO_CLEANUP_BUFFER struct bo_buffer stored = BO_BUFFER_INIT, decoded = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  small_sample(conf, bytes, &stored);
  for (size_t size = 0; size < stored.size; size++) {
    CONF_HOLDS(conf_transform(conf, BO_DECODE, stored.bytes, size, 0, 0, &decoded, &error) != BO_DONE,
               "of %zu stored bytes only the first %zu were given, and decoding called it whole", stored.size, size);
    CONF_HOLDS(error.error_class == BO_CLASS_CORRUPT, "cut to %zu of %zu bytes, the error's class is %d, not corrupt",
               size, stored.size, error.error_class);
  }
}

static void altered(struct conf *conf) {
  unsigned char bytes[SMALL_BYTES];
  BO_CLEANUP_BUFFER struct bo_buffer stored = BO_BUFFER_INIT, decoded = BO_BUFFER_INIT;
  bool crypt = conf->plugin->descriptor.kind == BO_KIND_CRYPT;
  small_sample(conf, bytes, &stored);
  for (size_t bit = 0; bit < stored.size * 8; bit++) {
    stored.bytes[bit / 8] ^= (char)(1U << (bit % 8));
    if (conf_transform(conf, BO_DECODE, stored.bytes, stored.size, 0, 0, &decoded, NULL) == BO_DONE) {
      CONF_HOLDS(!crypt, "bit %zu of byte %zu was turned, and decoding called it whole", bit % 8, bit / 8);
      CONF_HOLDS(decoded.size == sizeof(bytes) && memcmp(decoded.bytes, bytes, sizeof(bytes)) == 0,
                 "bit %zu of byte %zu was turned, and decoding called other data whole", bit % 8, bit / 8);
    }
    stored.bytes[bit / 8] ^= (char)(1U << (bit % 8));
  }
}

static void extended(struct conf *conf) {
  static const char *const tails[] = {"x", "\n", "garbage",
                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
  unsigned char bytes[SMALL_BYTES];
  BO_CLEANUP_BUFFER struct bo_buffer stored = BO_BUFFER_INIT, decoded = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  small_sample(conf, bytes, &stored);
  size_t size = stored.size;
  for (size_t i = 0; i <= sizeof(tails) / sizeof(tails[0]); i++) {
    stored.size = size;
    bool zeros = i == sizeof(tails) / sizeof(tails[0]);
    if (!(zeros ? bo_buffer_append(&stored, (char[512]){0}, 512) : bo_buffer_append_text(&stored, tails[i])))
      conf_skip("out of memory");
    size_t extra = stored.size - size;
    for (size_t step = 1; step <= 65536; step *= 65536) {
      CONF_HOLDS(conf_transform(conf, BO_DECODE, stored.bytes, stored.size, step, 0, &decoded, &error) != BO_DONE,
                 "%zu bytes that do not belong to it followed the stored data, and decoding called it whole", extra);
      CONF_HOLDS(error.error_class == BO_CLASS_CORRUPT, "followed by %zu bytes, the error's class is %d, not corrupt",
                 extra, error.error_class);
    }
  }
}

static void foreign(struct conf *conf) {
  unsigned char bytes[10000];
  BO_CLEANUP_BUFFER struct bo_buffer decoded = BO_BUFFER_INIT;
  for (int i = 0; i < 3; i++) {
    static const char *const what[] = {"text", "noise", "zeros"};
    memset(bytes, 0, sizeof(bytes));
    if (i == 0) conf_text(bytes, sizeof(bytes));
    if (i == 1) conf_noise(bytes, sizeof(bytes), 5);
    CONF_HOLDS(conf_transform(conf, BO_DECODE, bytes, sizeof(bytes), 0, 0, &decoded, NULL) != BO_DONE,
               "%s was decoded as if it had been encoded", what[i]);
    CONF_HOLDS(decoded.size == 0, "of %s, %zu bytes came out of decoding", what[i], decoded.size);
  }
}

/* ---- TRA-010: the buffers' edges ---- */

struct guarded {
  unsigned char *page; /* the page behind it cannot be touched */
  size_t size;
};

static struct guarded make_guarded(void) {
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  unsigned char *pages = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED || mprotect(pages + size, size, PROT_NONE) != 0) conf_skip("out of memory");
  return (struct guarded){pages, size};
}

/* Input and output each end where memory ends, and the input cannot be written to. */
static void pump_guarded(const struct conf *conf, int direction, const struct bo_buffer *from, struct bo_buffer *out) {
  enum { PIECE = 61, ROOM = 37 };
  struct guarded input = make_guarded(), output = make_guarded();
  struct conf_host host;
  struct conf_codec codec;
  struct bo_parsed_config config;
  conf_host_open(&host);
  conf_config(conf, NULL, NULL, NULL, &config);
  CONF_HOLDS(conf_codec_open(&codec, conf, &host.table, direction, &config.table) == BO_OK, "open() failed: %s",
             codec.error.text);
  int result = BO_NEED_INPUT;
  for (size_t position = 0; result != BO_DONE;) {
    size_t left = from->size - position, size = left < PIECE ? left : PIECE;
    (void)mprotect(input.page, input.size, PROT_READ | PROT_WRITE);
    unsigned char *bytes = input.page + input.size - size, *room = output.page + output.size - ROOM;
    if (size > 0) memcpy(bytes, from->bytes + position, size);
    memset(output.page, 0x5a, output.size);
    (void)mprotect(input.page, input.size, PROT_READ);
    struct bo_input in = {bytes, size, 0};
    struct bo_output to = {room, ROOM, 0};
    result = CONF_CALL(
        "process",
        codec.operations->process(codec.instance, &in, &to, size == left ? BO_END : BO_CONTINUE, &codec.error),
        &codec.error);
    CONF_HOLDS(result != BO_ERROR, "process() failed: %s", codec.error.text);
    CONF_HOLDS(in.bytes == bytes && in.size == size && to.bytes == room && to.size == ROOM,
               "process() changed a buffer's address or size");
    for (const unsigned char *c = output.page; c < room; c++)
      CONF_HOLDS(*c == 0x5a, "process() wrote %td bytes in front of the output", room - c);
    position += in.position;
    if (!bo_buffer_append(out, room, to.position)) conf_skip("out of memory");
  }
  conf_codec_close(&codec);
  bo_config_free(&config);
  conf_host_close(&host);
}

static void stays_inside(struct conf *conf) {
  BO_CLEANUP_BUFFER struct bo_buffer plain = BO_BUFFER_INIT, stored = BO_BUFFER_INIT, decoded = BO_BUFFER_INIT;
  unsigned char bytes[5000];
  conf_text(bytes, 2500);
  conf_noise(bytes + 2500, 2500, 6);
  if (!bo_buffer_append(&plain, bytes, sizeof(bytes))) conf_skip("out of memory");
  pump_guarded(conf, BO_ENCODE, &plain, &stored);
  pump_guarded(conf, BO_DECODE, &stored, &decoded);
}

/* ---- TRA-011, TRA-012: long streams ---- */

/* The stream goes through an encoder and a decoder at once, block after block; only the counts are kept. */
struct loop {
  struct conf_codec encoder, decoder;
  struct conf_host encoder_host, decoder_host;
  struct bo_parsed_config config;
  uint64_t in_bytes, out_bytes;
  size_t most_heap; /* seen, beyond what there was before */
  size_t heap_before;
  bool done;
};

static void measure(struct loop *loop) {
  size_t heap = conf_heap_bytes();
  if (heap > loop->heap_before && heap - loop->heap_before > loop->most_heap)
    loop->most_heap = heap - loop->heap_before;
}

/* What is plain is zeros, so that it can be told without keeping it. */
static void check_plain(struct loop *loop, const unsigned char *bytes, size_t size) {
  if (size > 0)
    CONF_HOLDS(bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0, "near byte %llu, decoding gave other data",
               (unsigned long long)loop->out_bytes);
  loop->out_bytes += size;
}

static void decode_block(struct loop *loop, const unsigned char *bytes, size_t size, int mode) {
  static unsigned char room[1 << 18];
  struct bo_input in = {bytes, size, 0};
  for (int result = BO_AGAIN; result == BO_AGAIN;) {
    struct bo_output out = {room, sizeof(room), 0};
    struct conf_codec *decoder = &loop->decoder;
    result = CONF_CALL("process", decoder->operations->process(decoder->instance, &in, &out, mode, &decoder->error),
                       &decoder->error);
    CONF_HOLDS(result != BO_ERROR, "decoding failed after %llu bytes: %s", (unsigned long long)loop->out_bytes,
               decoder->error.text);
    check_plain(loop, room, out.position);
    loop->done = result == BO_DONE;
    if (out.position == 0 && in.position == in.size && mode != BO_END) break;
  }
}

static void encode_block(struct loop *loop, const unsigned char *bytes, size_t size, int mode) {
  static unsigned char room[1 << 18];
  struct bo_input in = {bytes, size, 0};
  for (int result = BO_AGAIN; result == BO_AGAIN;) {
    struct bo_output out = {room, sizeof(room), 0};
    struct conf_codec *encoder = &loop->encoder;
    result = CONF_CALL("process", encoder->operations->process(encoder->instance, &in, &out, mode, &encoder->error),
                       &encoder->error);
    CONF_HOLDS(result != BO_ERROR, "encoding failed after %llu bytes: %s", (unsigned long long)loop->in_bytes,
               encoder->error.text);
    decode_block(loop, room, out.position, result == BO_DONE ? BO_END : BO_CONTINUE);
    if (out.position == 0 && in.position == in.size && mode != BO_END) break; /* whatever it answered */
  }
  loop->in_bytes += size;
}

static void run_loop(const struct conf *conf, struct loop *loop, uint64_t size) {
  static unsigned char zeros[1 << 18];
  conf_host_open(&loop->encoder_host);
  conf_host_open(&loop->decoder_host);
  conf_config(conf, NULL, NULL, NULL, &loop->config);
  const struct bo_config *config = &loop->config.table;
  loop->heap_before = conf_heap_bytes();
  CONF_HOLDS(conf_codec_open(&loop->encoder, conf, &loop->encoder_host.table, BO_ENCODE, config) == BO_OK,
             "open() failed: %s", loop->encoder.error.text);
  CONF_HOLDS(conf_codec_open(&loop->decoder, conf, &loop->decoder_host.table, BO_DECODE, config) == BO_OK,
             "open() failed: %s", loop->decoder.error.text);
  for (uint64_t left = size; !loop->done;) {
    size_t part = left < sizeof(zeros) ? (size_t)left : sizeof(zeros);
    left -= part;
    encode_block(loop, zeros, part, left == 0 ? BO_END : BO_CONTINUE);
    measure(loop);
  }
  CONF_HOLDS(loop->out_bytes == size, "%llu bytes were encoded; from decoding come %llu", (unsigned long long)size,
             (unsigned long long)loop->out_bytes);
  conf_codec_close(&loop->encoder);
  conf_codec_close(&loop->decoder);
}

static void end_loop(struct loop *loop) {
  bo_config_free(&loop->config);
  conf_host_close(&loop->encoder_host);
  conf_host_close(&loop->decoder_host);
}

static void over_four_gib(struct conf *conf) {
  static struct loop loop;
  run_loop(conf, &loop, (UINT64_C(4) << 30) + 1);
  end_loop(&loop);
}

static void memory_as_stated(struct conf *conf) {
  enum { SLACK_BYTES = 65536 };
  static struct loop loop;
  if (CONF_SANITIZED) conf_skip("memory cannot be measured with sanitizers");
  conf_session_once(conf); /* what libraries take once and for all */
  run_loop(conf, &loop, UINT64_C(48) << 20);
  const struct bo_transform_operations *operations = conf->plugin->operations.transform;
  uint64_t stated =
      operations->memory_bytes(BO_ENCODE, &loop.config.table) + operations->memory_bytes(BO_DECODE, &loop.config.table);
  CONF_HOLDS(loop.most_heap <= stated + SLACK_BYTES,
             "while 48 MiB went through, encoder and decoder used %zu bytes; memory_bytes() says %llu for both",
             loop.most_heap, (unsigned long long)stated);
  end_loop(&loop);
}

/* ---- TRA-013 to TRA-016: encryption ---- */

static void only_proven_bytes(struct conf *conf) {
  enum { BYTES = 200000, TRIES = 400 };
  unsigned char *bytes = malloc(BYTES);
  BO_CLEANUP_BUFFER struct bo_buffer stored = BO_BUFFER_INIT, decoded = BO_BUFFER_INIT;
  if (bytes == NULL) conf_skip("out of memory");
  conf_noise(bytes, BYTES, 7);
  conf_encode(conf, bytes, BYTES, &stored);
  for (size_t i = 0; i < TRIES; i++) {
    size_t at = i * (stored.size / TRIES) + i % 7;
    stored.bytes[at] ^= 4;
    (void)conf_transform(conf, BO_DECODE, stored.bytes, stored.size, 1000, 1000, &decoded, NULL);
    CONF_HOLDS(decoded.size <= BYTES && (decoded.size == 0 || memcmp(decoded.bytes, bytes, decoded.size) == 0),
               "byte %zu of what is stored was altered, and what came out of decoding before the error is altered, too",
               at);
    stored.bytes[at] ^= 4;
  }
  free(bytes);
}

static void never_the_same(struct conf *conf) {
  unsigned char bytes[1000];
  BO_CLEANUP_BUFFER struct bo_buffer first = BO_BUFFER_INIT, second = BO_BUFFER_INIT;
  conf_text(bytes, sizeof(bytes));
  conf_encode(conf, bytes, sizeof(bytes), &first);
  conf_encode(conf, bytes, sizeof(bytes), &second);
  CONF_HOLDS(first.size != second.size || memcmp(first.bytes, second.bytes, first.size) != 0,
             "the same data were encrypted twice, and the results are the same");
}

static void no_plain_text(struct conf *conf) {
  enum { BYTES = 100000, WINDOW = 12 };
  unsigned char *bytes = malloc(BYTES);
  BO_CLEANUP_BUFFER struct bo_buffer stored = BO_BUFFER_INIT;
  if (bytes == NULL) conf_skip("out of memory");
  conf_noise(bytes, BYTES, 8);
  conf_encode(conf, bytes, BYTES, &stored);
  for (size_t i = 0; i + WINDOW <= BYTES; i += WINDOW)
    CONF_HOLDS(memmem(stored.bytes, stored.size, bytes + i, WINDOW) == NULL,
               "bytes %zu to %zu of the plain data stand in what is stored", i, i + WINDOW - 1);
  free(bytes);
}

static void wrong_key(struct conf *conf) {
  const struct conf_settings *settings = conf->settings;
  unsigned char bytes[1000];
  BO_CLEANUP_BUFFER struct bo_buffer stored = BO_BUFFER_INIT, decoded = BO_BUFFER_INIT;
  if (settings->wrong_secret_count == 0) conf_skip("give a key that does not fit with --wrong-secret NAME=FILE");
  conf_text(bytes, sizeof(bytes));
  conf_encode(conf, bytes, sizeof(bytes), &stored);
  for (size_t i = 0; i < settings->wrong_secret_count; i++) {
    struct conf_host host;
    struct conf_codec codec;
    struct bo_parsed_config config;
    conf_host_open(&host);
    conf_config(conf, NULL, &settings->wrong_secrets[i], NULL, &config);
    bo_buffer_clear(&decoded);
    struct conf_stream stream = {.bytes = (const unsigned char *)stored.bytes,
                                 .size = stored.size,
                                 .in_step = 65536,
                                 .out_step = 65536,
                                 .out = &decoded};
    int result = conf_codec_open(&codec, conf, &host.table, BO_DECODE, &config.table);
    if (result == BO_OK) result = conf_codec_pump(&codec, &stream);
    CONF_HOLDS(result != BO_DONE, "with a key that does not fit, decoding succeeded");
    CONF_HOLDS(codec.error.error_class == BO_CLASS_AUTH,
               "with a key that does not fit, the error's class is %d, not "
               "auth: %s",
               codec.error.error_class, codec.error.text);
    conf_codec_close(&codec);
    bo_config_free(&config);
    conf_host_close(&host);
  }
}

const struct conf_rule conf_transform_rules[] = {
    {.id = "TRA-001",
     .kinds = CONF_TRANSFORM,
     .after = "LIF-001",
     .sentence = "Data of any size come back the same: none, one byte, around powers of two, a megabyte; text, noise, "
                 "zeros.",
     .why = "A dump may be empty, and a size that is a multiple of the codec's own block is not rare.",
     .mend = "Look at the ends of your blocks: an empty input still has a header and an end.",
     .run = sizes},
    {.id = "TRA-002",
     .kinds = CONF_TRANSFORM,
     .after = "TRA-001",
     .sentence = "How the input is cut into pieces, and how much room there is, makes no difference.",
     .why = "The host gives what it has. A header or a trailer may arrive in two pieces.",
     .mend = "Keep what was begun in the instance, and go on there in the next call.",
     .run = pieces},
    {.id = "TRA-003",
     .kinds = CONF_TRANSFORM,
     .after = "TRA-001",
     .sentence = "An output buffer with room for one byte is enough.",
     .why = "The contract promises at least one byte of room, not more: what remains of a buffer may be that.",
     .mend = "Give what is ready byte by byte from a buffer of your own, and answer BO_AGAIN.",
     .run = one_byte_of_room},
    {.id = "TRA-004",
     .kinds = CONF_TRANSFORM,
     .after = "TRA-001",
     .sentence = "Each answer of process is one that the contract has for this call.",
     .why = "The host takes a plugin that breaks its contract out of service, and the run fails.",
     .mend = "transform.h lists the answers: BO_AGAIN only after something was done, BO_NEED_INPUT only when all input "
             "is taken and never in answer to BO_END, BO_DONE only in answer to BO_END.",
     .run = answers},
    {.id = "TRA-005",
     .kinds = CONF_TRANSFORM,
     .after = "TRA-004",
     .sentence = "A flush anywhere in the stream is answered, and the stream stays whole.",
     .why = "The host may flush before a pause, so that what was written so far is safe.",
     .mend = "In answer to BO_FLUSH give all that can be given (BO_AGAIN while there is more), then BO_NEED_INPUT.",
     .run = flushes},
    {.id = "TRA-006",
     .kinds = CONF_TRANSFORM,
     .after = "TRA-001",
     .sentence = "Stored data that were cut, at any byte, are an error of the class corrupt.",
     .why = "A part that passes for the whole is a restore that says it succeeded and did not.",
     .mend = "The format needs an end mark. Answer BO_DONE only after it was seen; an empty input is cut, too.",
     .run = cut},
    {.id = "TRA-007",
     .kinds = CONF_TRANSFORM,
     .after = "TRA-001",
     .sentence = "No turned bit in the stored data goes unnoticed: for compress, where it would change what is "
                 "restored; for crypt, anywhere.",
     .why = "Disks and networks do alter bits; and somebody may do it on purpose, which encryption has to notice.",
     .mend = "The format needs a checksum over the plain data (compress) or authentication over everything (crypt).",
     .run = altered},
    {.id = "TRA-008",
     .kinds = CONF_TRANSFORM,
     .after = "TRA-001",
     .sentence = "Whatever follows the end of the stored data is an error of the class corrupt, zeros too.",
     .why = "It may be the rest of another object, or of this one, after two writers met.",
     .mend = "After the end mark, any byte of input is an error; look for it before you answer BO_DONE.",
     .run = extended},
    {.id = "TRA-009",
     .kinds = CONF_TRANSFORM,
     .after = "TRA-001",
     .sentence = "What was never encoded is not decoded: text, noise and zeros are errors, and nothing comes out.",
     .why = "A storage may hold anything at a key. Passing it on as it is would restore it.",
     .mend = "Begin the format with a mark, and check it before anything is given out.",
     .run = foreign},
    {.id = "TRA-010",
     .kinds = CONF_TRANSFORM,
     .after = "LIF-001",
     .sentence = "It touches nothing outside of the buffers, and writes nothing to its input.",
     .why = "The next byte belongs to the host: an error there is a crash, or damaged data.",
     .mend = "Compare position with size before each byte; mind reads of whole words at the end of the input.",
     .run = stays_inside},
    {.id = "TRA-011",
     .kinds = CONF_TRANSFORM,
     .slow = true,
     .after = "LIF-005",
     .sentence = "A stream of 4 GiB and a byte comes back whole.",
     .why = "Counters of 32 bits end there, and dumps do not.",
     .mend = "Count bytes in uint64_t; mind libraries whose counts are 32 bits (zlib's avail_in, uLong elsewhere).",
     .run = over_four_gib},
    {.id = "TRA-012",
     .kinds = CONF_TRANSFORM,
     .after = "LIF-005",
     .sentence = "However long the stream, an instance uses no more memory than memory_bytes says.",
     .why = "The run's address space is limited by that number: beyond it allocations fail.",
     .mend = "Keep no more of the stream than a window; state everything, also what libraries take.",
     .run = memory_as_stated},
    {.id = "TRA-013",
     .kinds = CONF_CRYPT,
     .after = "TRA-007",
     .sentence = "Of altered data, nothing comes out of decryption before the error but what is proven.",
     .why = "What comes out is given to a command at once. Whoever can alter the object would choose what it reads.",
     .mend = "Authenticate each chunk before its first byte is given out.",
     .run = only_proven_bytes},
    {.id = "TRA-014",
     .kinds = CONF_CRYPT,
     .after = "LIF-001",
     .sentence = "The same data encrypted twice are not the same.",
     .why = "Keys and nonces that repeat show which backups are equal, and for most ciphers much more.",
     .mend = "Take a fresh key or nonce from host->random in each open.",
     .run = never_the_same},
    {.id = "TRA-015",
     .kinds = CONF_CRYPT,
     .after = "LIF-001",
     .sentence = "Nothing of the plain data stands in what is stored.",
     .why = "It is what encryption is for; a path that forgets to encrypt (the last block, a flush) is easily missed.",
     .mend = "Let there be one place in which bytes reach the output, after the cipher.",
     .run = no_plain_text},
    {.id = "TRA-016",
     .kinds = CONF_CRYPT,
     .after = "LIF-001",
     .sentence = "With a key that does not fit, decoding fails with the class auth.",
     .why = "Who restores has to know whether the key is wrong or the data are damaged.",
     .mend = "Tell a key that opens nothing (BO_CLASS_AUTH) from data that do not verify (BO_CLASS_CORRUPT).",
     .run = wrong_key},
    {.id = NULL},
};
