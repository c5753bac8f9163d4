/*
 * core/template/internal.h - what the files of the interpreter share.
 *
 * A rendering is one `struct render`: its memory, limits, clock and place in the text. Two decisions keep the rest
 * small:
 *
 * - All memory comes from the render's arena and is freed in one go at its end. Nothing is freed one by one.
 * - There is one way out on failure, render_fail(): it fills the error and jumps back to bo_template_render (longjmp),
 *   which frees the arena. So every function here returns its result and none an error code. The rule that pays for it:
 *   between a call that can fail and its return nobody holds a descriptor, a lock, or memory from outside of the arena.
 *
 * A render is used by one thread.
 */
#ifndef BO_TEMPLATE_INTERNAL_H
#define BO_TEMPLATE_INTERNAL_H

#include <locale.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/template/template.h"

/* ---- text and values (value.c) ------------------------------------------------------------------------------- */

/* Bytes in the arena, in the template or static; never changed once made. May hold NUL, need not be valid UTF-8. */
struct text {
  const char *bytes;
  size_t size;
};

#define TEXT(literal) ((struct text){"" literal, sizeof(literal) - 1})

enum value_kind {
  VALUE_MISSING, /* no value at all: a key that is not in its map (Go: the invalid reflect.Value) */
  VALUE_NIL,
  VALUE_BOOL,
  VALUE_INT,
  VALUE_FLOAT,
  VALUE_COMPLEX, /* can be written and printed, nothing else */
  VALUE_STRING,
  VALUE_LIST,
  VALUE_MAP,
  VALUE_STRUCT, /* a struct without fields: what `.` is when there are no data */
  VALUE_TIME,
  VALUE_VERSION
};

/* Go's type where its kind has several: equality, printing and `typeOf` tell them apart. */
enum value_type {
  TYPE_PLAIN, /* int, []interface {}, map[string]interface {}, ... */
  TYPE_INT64,
  TYPE_UINT8,
  TYPE_UINT64,
  TYPE_DURATION, /* nanoseconds */
  TYPE_MONTH,
  TYPE_WEEKDAY,
  TYPE_STRINGS, /* []string, map[string]string */
  TYPE_INTS     /* []int */
};

struct moment {
  int64_t seconds; /* since 1970-01-01T00:00:00Z */
  int32_t nanoseconds;
  int32_t offset_seconds; /* east of UTC */
  const char *zone;       /* abbreviation, such as "CEST"; "" when only the offset is known */
};

struct list;
struct map;
struct version;

struct value {
  enum value_kind kind;
  enum value_type type;
  union {
    bool boolean;
    int64_t integer;
    double number;
    const double *complex; /* real and imaginary part */
    struct text text;
    const struct list *list;
    struct map *map;
    const struct moment *time;
    const struct version *version;
  };
};

/* Lists do not change once they are handed out. */
struct list {
  size_t count;
  size_t capacity;
  struct value *items;
};

/* Maps do, by `set` and `unset`. Entries are sorted by key, bytewise. */
struct map {
  size_t count;
  size_t capacity;
  struct entry *entries;
};

struct entry {
  struct text key;
  struct value value;
};

struct render;

struct value value_bool(bool boolean);
struct value value_int(int64_t integer);   /* Go's int */
struct value value_int64(int64_t integer); /* Go's int64 */
struct value value_float(double number);
struct value value_text(struct text text);
struct value value_list(const struct list *list, enum value_type type);
struct value value_map(struct map *map, enum value_type type);
struct value value_time(struct render *render, struct moment moment);
extern const struct value value_nil;
extern const struct value value_missing;

bool text_equal(struct text a, struct text b);
bool text_is(struct text text, const char *string);
int text_compare(struct text a, struct text b);
/* Where `needle` begins in `text` at or after `from`, or SIZE_MAX. An empty needle is everywhere. */
size_t text_find(struct text text, struct text needle, size_t from);
struct text text_part(struct text text, size_t from, size_t to);
struct text text_copy(struct render *render, const char *bytes, size_t size);
/* As a C string, cut at the first NUL. */
const char *text_string(struct render *render, struct text text);

struct list *list_new(struct render *render, size_t capacity);
void list_add(struct render *render, struct list *list, struct value value);
struct map *map_new(struct render *render);
const struct value *map_find(const struct map *map, struct text key); /* NULL when there is none */
void map_set(struct render *render, struct map *map, struct text key, struct value value);
void map_remove(struct map *map, struct text key);

/* Nil or missing. */
bool value_is_nil(struct value value);
/* What `if` makes of it. */
bool value_is_true(struct value value);
/* What `default` makes of it: `if`'s answer reversed, but for a struct. */
bool value_is_empty(struct value value);
/* Go's reflect.DeepEqual: types count. */
bool value_deep_equal(struct render *render, struct value a, struct value b);
struct value value_deep_copy(struct render *render, struct value value);
const char *value_type_name(struct value value); /* "map[string]interface {}" */
const char *value_kind_name(struct value value); /* "map" */

/* ---- the render: memory, limits, failure (render.c) ----------------------------------------------------------- */

struct variable {
  struct text name; /* with its dollar sign */
  struct value value;
};

struct definition {
  struct definition *next;
  struct text name;
  const struct node *body;
};

struct arena_block;

struct render {
  struct bo_template_limits limits;
  struct arena_block *blocks;
  size_t memory_used;
  uint64_t steps_used;
  unsigned depth;
  struct text source;
  size_t position; /* of what is being parsed or executed, in bytes: where an error is */
  jmp_buf failed;
  struct bo_error *error;
  struct moment now;
  locale_t characters; /* for the case and class of characters beyond ASCII */
  struct definition *definitions;
  struct variable *variables; /* a stack, at first of the parser's, then of the executor's */
  size_t variable_count;
  size_t variable_capacity;
  struct builder *out;
};

_Noreturn void render_fail(struct render *render, const char *format, ...) BO_PRINTF(2, 3);
/* Zeroed, aligned for everything. */
void *render_alloc(struct render *render, size_t count, size_t size);
/* Takes `steps` from what may still be done. */
void render_charge(struct render *render, uint64_t steps);
/* Guards every recursion. */
void render_enter(struct render *render);
void render_leave(struct render *render);
void render_push_variable(struct render *render, struct text name, struct value value);
/* The innermost of that name, or NULL. */
struct variable *render_find_variable(struct render *render, struct text name);

/* Text that grows in the arena. */
struct builder {
  struct render *render;
  char *bytes;
  size_t size;
  size_t capacity;
  size_t limit; /* 0: none but the arena's */
};

#define BUILDER(render_) ((struct builder){.render = (render_)})
void build_bytes(struct builder *builder, const char *bytes, size_t size);
void build_text(struct builder *builder, struct text text);
void build_string(struct builder *builder, const char *string);
void build_repeat(struct builder *builder, char byte, size_t count);
void build_rune(struct builder *builder, uint32_t rune);
void build_printf(struct builder *builder, const char *format, ...) BO_PRINTF(2, 3);
struct text build_done(const struct builder *builder);

/* ---- characters (rune.c) -------------------------------------------------------------------------------------- */

#define RUNE_ERROR 0xFFFDu
#define RUNE_MAX 0x10FFFFu

/* The character at `at`, which moves on; RUNE_ERROR and one byte where there is no valid UTF-8. */
uint32_t rune_next(struct text text, size_t *at);
/* The same for the character that ends at `end`, which moves back. */
uint32_t rune_previous(struct text text, size_t *end);
size_t rune_count(struct text text);
/* UTF-8 into `bytes`, its length. Surrogates and what is too large become RUNE_ERROR. */
size_t rune_encode(uint32_t rune, char bytes[4]);
uint32_t rune_upper(const struct render *render, uint32_t rune);
uint32_t rune_lower(const struct render *render, uint32_t rune);
uint32_t rune_title(const struct render *render, uint32_t rune);
bool rune_is_upper(const struct render *render, uint32_t rune);
bool rune_is_lower(const struct render *render, uint32_t rune);
bool rune_is_letter(const struct render *render, uint32_t rune);
bool rune_is_digit(const struct render *render, uint32_t rune);
bool rune_is_space(uint32_t rune);
bool rune_is_print(const struct render *render, uint32_t rune);
struct text text_trim_space(struct text text);
/* A Go literal's escape after its backslash at `at`; `quote` is the literal's own quote. False when it is none.
 * `*is_byte`: the value is a byte, not a character. */
bool rune_unescape(struct text text, size_t *at, char quote, uint32_t *rune, bool *is_byte);

/* ---- numbers (number.c) ---------------------------------------------------------------------------------------- */

/* As strconv.ParseInt(text, base, 64); base 0 goes by the prefix and allows underscores. */
bool number_parse_int(struct text text, int base, int64_t *value);
/* As strconv.ParseFloat(text, 64), without hexadecimal ones. */
bool number_parse_float(struct text text, double *value);
/* The fewest digits that give the number back, as strconv.FormatFloat(value, verb, -1, 64), verb e, f or g. */
#define NUMBER_TEXT_MAX 400
void number_format(double value, char verb, char text[NUMBER_TEXT_MAX]);
/* sprig's conversions: what is no number is 0. */
int64_t number_to_int64(struct value value);
double number_to_double(struct value value);

/* ---- printing as fmt does (print.c) ---------------------------------------------------------------------------- */

void print_value(struct builder *builder, struct value value); /* %v */
struct text print_text(struct render *render, struct value value);
/* strconv.Quote */
void print_quoted(struct builder *builder, struct text text);
struct text print_format(struct render *render, struct text format, const struct value *args, size_t count);
struct text print_operands(struct render *render, const struct value *args, size_t count); /* fmt.Sprint */
/* sprig's strval of a list: each item as text, nil ones left out; what is no list is one item. */
struct list *print_strings(struct render *render, struct value value);

/* ---- JSON (json.c) --------------------------------------------------------------------------------------------- */

/* Sets `*value` and returns NULL, or says what is wrong. `whole_numbers`: those without fraction and exponent are
 * int64, else all are float64. */
const char *json_parse(struct render *render, struct text text, bool whole_numbers, struct value *value);
#define JSON_ESCAPE_HTML 1u
#define JSON_INDENT 2u
void json_print(struct builder *builder, struct value value, unsigned flags);

/* ---- times (layout.c) ------------------------------------------------------------------------------------------ */

extern const struct moment moment_zero; /* Go's zero time: 0001-01-01T00:00:00Z */
extern const char *const month_names[12];
extern const char *const weekday_names[7];

struct civil {
  int64_t year;
  int month, day, year_day, weekday, hour, minute, second;
};

struct civil moment_civil(struct moment moment);
/* time.Time.Format */
void layout_format(struct builder *builder, struct text layout, struct moment moment);
/* time.Parse, in UTC; NULL, or what did not fit. */
const char *layout_parse(struct render *render, struct text layout, struct text text, struct moment *moment);
/* time.Duration.String and time.ParseDuration, in nanoseconds. */
void duration_print(struct builder *builder, int64_t nanoseconds);
bool duration_parse(struct text text, int64_t *nanoseconds);

/* ---- syntax (lex.c, parse.c) ----------------------------------------------------------------------------------- */

enum token_kind {
  TOKEN_END,
  TOKEN_TEXT,
  TOKEN_LEFT, /* {{ */
  TOKEN_RIGHT,
  TOKEN_SPACE,
  TOKEN_WORD, /* a keyword, function, true, false */
  TOKEN_FIELD,
  TOKEN_VARIABLE,
  TOKEN_NUMBER,
  TOKEN_CHARACTER,
  TOKEN_STRING,
  TOKEN_RAW_STRING,
  TOKEN_PUNCTUATION /* one character, or := */
};

struct token {
  enum token_kind kind;
  struct text text;
  size_t position;
};

struct lexer {
  struct render *render;
  size_t at;
  bool in_action;
  bool trim_next; /* the action ended in " -}}" */
  int brackets;
};

struct token lex_next(struct lexer *lexer);

enum node_kind {
  NODE_TEXT,
  NODE_ACTION,
  NODE_IF,
  NODE_WITH,
  NODE_RANGE,
  NODE_TEMPLATE,
  NODE_BREAK,
  NODE_CONTINUE,
  NODE_PIPE,
  NODE_COMMAND,
  NODE_DOT,
  NODE_NIL,
  NODE_LITERAL,
  NODE_FIELD,
  NODE_VARIABLE,
  NODE_FUNCTION,
  NODE_CHAIN
};

/* One shape for every node; the comments name the kinds that use a member. */
struct node {
  enum node_kind kind;
  size_t position;
  size_t end;            /* operands: the source text, for messages */
  struct node *next;     /* among its siblings */
  struct node *pipe;     /* ACTION, IF, WITH, RANGE, TEMPLATE (may be NULL); CHAIN: the operand before the fields */
  struct node *children; /* IF, WITH, RANGE: the body; PIPE: its commands; COMMAND: its words */
  struct node *otherwise;
  struct text text;    /* TEXT; TEMPLATE: its name; VARIABLE: its name */
  struct text *fields; /* FIELD, VARIABLE, CHAIN */
  size_t field_count;
  struct text declared[2]; /* PIPE */
  int declared_count;
  bool assigns;       /* PIPE: = instead of := */
  struct value value; /* LITERAL */
  const struct function *function;
};

/* The whole template; its definitions go into the render. */
const struct node *parse_template(struct render *render);

/* ---- functions ------------------------------------------------------------------------------------------------- */

/*
 * A parameter's letter: s string, i integer, f float, b bool, t time, m map, e semantic version; a anything, where
 * missing becomes nil; v anything as it is. A star after the last one: any number of them, also none.
 */
struct function {
  const char *name;
  const char *parameters;
  struct value (*call)(struct render *render, const struct value *args, size_t count);
};

/* The head of such a function; few make use of all that they are given. */
#define FUNCTION(name)                                                    \
  static struct value name(__attribute__((unused)) struct render *render, \
                           __attribute__((unused)) const struct value *args, __attribute__((unused)) size_t count)

extern const struct function functions_builtin[], functions_convert[], functions_data[], functions_encode[],
    functions_list[], functions_map[], functions_math[], functions_path[], functions_regexp[], functions_string[],
    functions_time[], functions_url[], functions_version[], methods_duration[], methods_name[], methods_time[],
    methods_version[];

/* NULL when there is none; `*why_not` then says why one that sprig has is left out, or is NULL. */
const struct function *function_find(struct text name, const char **why_not);
/* A method of a value's type, its first parameter the value itself; NULL when there is none. */
const struct function *method_find(struct value receiver, struct text name);
/* The and and or of the language, which the executor evaluates itself, so that not every argument is. */
bool function_is_lazy(const struct function *function, bool *stops_at);
void version_print(struct builder *builder, const struct version *version);

void exec_template(struct render *render, const struct node *body, struct value dot);

#endif
