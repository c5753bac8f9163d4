/*
 * A rendering from outside: its memory, its limits, and the one way out on failure. The arena is a list of blocks that
 * are only ever added to; what is asked for is counted before it is given, so that a template's greed is an error with
 * a position, not the machine's.
 */
#include <pthread.h>

#include "core/base/text.h"
#include "core/template/internal.h"

#define BLOCK_BYTES ((size_t)16 * 1024)
#define ALIGNMENT ((size_t)16)
#define DEPTH_MAX 1000 /* what a thread's stack of 1 MiB bears */

struct arena_block {
  struct arena_block *next;
  size_t used;
  size_t size;
  _Alignas(16) char bytes[];
};

/* Line and column, from 1, of a byte in the source. */
static void place(const struct render *render, size_t *line, size_t *column) {
  *line = 1;
  *column = 1;
  for (size_t i = 0; i < render->position && i < render->source.size; i++) {
    unsigned char byte = (unsigned char)render->source.bytes[i];
    if (byte == '\n') {
      ++*line;
      *column = 1;
    } else if ((byte & 0xC0) != 0x80) {
      ++*column;
    }
  }
}

void render_fail(struct render *render, const char *format, ...) {
  char message[sizeof(render->error->text)];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  BO_CLEANUP_BUFFER struct bo_buffer printable = BO_BUFFER_INIT;
  (void)bo_append_printable(&printable, message, strlen(message));
  size_t line = 0, column = 0;
  place(render, &line, &column);
  (void)bo_error_set(render->error, BO_CLASS_CONFIG, 0, "template:%zu:%zu: %s", line, column,
                     bo_buffer_text(&printable));
  bo_buffer_free(&printable); /* the jump below passes by the cleanup */
  longjmp(render->failed, 1);
}

void *render_alloc(struct render *render, size_t count, size_t size) {
  size_t limit = render->limits.memory_bytes;
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes) || bytes > limit || render->memory_used + bytes > limit)
    render_fail(render, "the template needs more than its %zu bytes of memory; make it do less", limit);
  bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  render->memory_used += bytes;
  struct arena_block *block = render->blocks;
  if (block == NULL || block->size - block->used < bytes) {
    size_t block_size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    block = calloc(1, sizeof(*block) + block_size);
    if (block == NULL) {
      (void)bo_error_no_memory(render->error);
      longjmp(render->failed, 1);
    }
    block->size = block_size;
    block->next = render->blocks;
    render->blocks = block;
  }
  void *memory = block->bytes + block->used;
  block->used += bytes;
  return memory;
}

void render_charge(struct render *render, uint64_t steps) {
  if (steps > render->limits.steps - render->steps_used)
    render_fail(render, "the template takes more than %llu steps; make it loop less",
                (unsigned long long)render->limits.steps);
  render->steps_used += steps;
}

void render_enter(struct render *render) {
  if (render->depth >= render->limits.depth)
    render_fail(render, "nested deeper than %u levels (does a template call itself, or a value hold itself?)",
                render->limits.depth);
  render->depth++;
  render_charge(render, 1);
}

void render_leave(struct render *render) {
  render->depth--;
}

void render_push_variable(struct render *render, struct text name, struct value value) {
  if (render->variable_count == render->variable_capacity) {
    size_t capacity = render->variable_capacity * 2 + 8;
    struct variable *variables = render_alloc(render, capacity, sizeof(*variables));
    if (render->variable_count > 0) memcpy(variables, render->variables, render->variable_count * sizeof(*variables));
    render->variables = variables;
    render->variable_capacity = capacity;
  }
  render->variables[render->variable_count++] = (struct variable){name, value};
}

struct variable *render_find_variable(struct render *render, struct text name) {
  render_charge(render, render->variable_count / 16);
  for (size_t i = render->variable_count; i > 0; i--)
    if (text_equal(render->variables[i - 1].name, name)) return &render->variables[i - 1];
  return NULL;
}

/* ---- builder */

static void build_reserve(struct builder *builder, size_t extra) {
  size_t wanted = 0;
  bool overflow = __builtin_add_overflow(builder->size, extra, &wanted);
  if (builder->limit > 0 && (overflow || wanted > builder->limit))
    render_fail(builder->render, "the text is longer than %zu bytes", builder->limit);
  if (!overflow && wanted <= builder->capacity) return;
  size_t capacity = overflow || wanted > SIZE_MAX / 2 ? SIZE_MAX : wanted < 32 ? 64 : wanted + wanted / 2;
  char *bytes = render_alloc(builder->render, capacity, 1);
  if (builder->size > 0) memcpy(bytes, builder->bytes, builder->size);
  builder->bytes = bytes;
  builder->capacity = capacity;
}

void build_bytes(struct builder *builder, const char *bytes, size_t size) {
  if (size == 0) return;
  build_reserve(builder, size);
  memcpy(builder->bytes + builder->size, bytes, size);
  builder->size += size;
}

void build_text(struct builder *builder, struct text text) {
  build_bytes(builder, text.bytes, text.size);
}

void build_string(struct builder *builder, const char *string) {
  build_bytes(builder, string, strlen(string));
}

void build_repeat(struct builder *builder, char byte, size_t count) {
  if (count == 0) return;
  build_reserve(builder, count);
  memset(builder->bytes + builder->size, byte, count);
  builder->size += count;
}

void build_rune(struct builder *builder, uint32_t rune) {
  char bytes[4];
  build_bytes(builder, bytes, rune_encode(rune, bytes));
}

void build_printf(struct builder *builder, const char *format, ...) {
  char bytes[NUMBER_TEXT_MAX];
  va_list args;
  va_start(args, format);
  int size = vsnprintf(bytes, sizeof(bytes), format, args);
  va_end(args);
  if (size > 0) build_bytes(builder, bytes, (size_t)size < sizeof(bytes) ? (size_t)size : sizeof(bytes) - 1);
}

struct text build_done(const struct builder *builder) {
  return (struct text){builder->size == 0 ? "" : builder->bytes, builder->size};
}

/* ---- the way in */

static void run(struct render *render, const char *data_json, struct builder *out) {
  struct value dot = {.kind = VALUE_STRUCT};
  if (data_json != NULL) {
    const char *wrong = json_parse(render, (struct text){data_json, strlen(data_json)}, true, &dot);
    if (wrong != NULL) render_fail(render, "the template's data are not JSON: %s", wrong);
  }
  const struct node *body = parse_template(render);
  render->variable_count = 0;
  render->out = out;
  exec_template(render, body, dot);
}

static struct bo_template_limits effective(const struct bo_template_limits *limits) {
  struct bo_template_limits result = limits == NULL ? (struct bo_template_limits){0} : *limits;
  if (result.memory_bytes == 0) result.memory_bytes = (size_t)16 * 1024 * 1024;
  if (result.output_bytes == 0) result.output_bytes = (size_t)1024 * 1024;
  if (result.steps == 0) result.steps = 1000000;
  if (result.depth == 0) result.depth = 200;
  if (result.depth > DEPTH_MAX) result.depth = DEPTH_MAX;
  return result;
}

static void render_close(struct render *render) {
  while (render->blocks != NULL) {
    struct arena_block *block = render->blocks;
    render->blocks = block->next;
    free(block);
  }
}

/* The tables of characters, loaded at the first rendering and kept: they are constant. */
static pthread_once_t characters_once = PTHREAD_ONCE_INIT;
static locale_t characters;

static void load_characters(void) {
  characters = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

int bo_template_render(const char *text, const char *data_json, struct timespec now,
                       const struct bo_template_limits *limits, struct bo_buffer *out, struct bo_error *error) {
  struct bo_error unwanted = BO_ERROR_INIT;
  (void)pthread_once(&characters_once, load_characters);
  struct render render = {
      .limits = effective(limits),
      .source = {text, strlen(text)},
      .error = error != NULL ? error : &unwanted,
      .now = {.seconds = now.tv_sec, .nanoseconds = (int32_t)now.tv_nsec, .zone = "UTC"},
      .characters = characters,
  };
  if (render.characters == (locale_t)0)
    return bo_error_set(error, BO_CLASS_INTERNAL, 0, "the locale C.UTF-8 is missing; install the C library's data");
  struct builder builder = {.render = &render, .limit = render.limits.output_bytes};
  int result = BO_ERROR;
  if (setjmp(render.failed) == 0) {
    run(&render, data_json, &builder);
    result = bo_buffer_append(out, builder.bytes, builder.size) ? BO_OK : bo_error_no_memory(error);
  }
  render_close(&render);
  return result;
}
