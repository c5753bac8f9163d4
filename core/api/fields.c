#include "core/api/fields.h"

#include <inttypes.h>
#include <math.h>

#include "core/base/clock.h"
#include "core/base/text.h"

/* How much of a foreign key or value stands in a message. */
#define QUOTED_BYTES 80

/* What every list in memory begins with. */
struct list {
  void *items;
  size_t count;
};

/* ---- problems and the path to them -------------------------------------------------------------------------- */

static size_t push_key(struct bo_decoder *decoder, const char *key) {
  size_t before = decoder->path.size;
  size_t plain = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
  if (plain > 0 && plain <= QUOTED_BYTES && key[plain] == '\0') {
    (void)bo_buffer_printf(&decoder->path, ".%s", key);
  } else {
    (void)bo_buffer_append_text(&decoder->path, "[\"");
    (void)bo_append_printable(&decoder->path, key, strnlen(key, QUOTED_BYTES));
    (void)bo_buffer_append_text(&decoder->path, "\"]");
  }
  return before;
}

static size_t push_index(struct bo_decoder *decoder, size_t index) {
  size_t before = decoder->path.size;
  (void)bo_buffer_printf(&decoder->path, "[%zu]", index);
  return before;
}

static void pop(struct bo_decoder *decoder, size_t before) {
  if (decoder->path.bytes == NULL) return;
  decoder->path.size = before;
  decoder->path.bytes[before] = '\0';
}

const char *bo_decoder_quote(struct bo_decoder *decoder, const char *text) {
  BO_CLEANUP_BUFFER struct bo_buffer quoted = BO_BUFFER_INIT;
  size_t length = strlen(text);
  (void)bo_buffer_append_text(&quoted, "\"");
  (void)bo_append_printable(&quoted, text, length > QUOTED_BYTES ? QUOTED_BYTES : length);
  (void)bo_buffer_append_text(&quoted, length > QUOTED_BYTES ? "...\"" : "\"");
  const char *copy = bo_arena_copy(&decoder->set->arena, bo_buffer_text(&quoted), quoted.size);
  return copy == NULL ? "" : copy;
}

/* Room for one more. When there is none, an error takes the place of a warning. */
static struct bo_problem *add_problem(struct bo_manifest_set *set, enum bo_severity severity) {
  if (set->problem_count >= BO_MANIFEST_MAX_PROBLEMS) {
    for (size_t i = set->problem_count; severity == BO_SEVERITY_ERROR && i > 0; i--)
      if (set->problems[i - 1].severity == BO_SEVERITY_WARNING) return &set->problems[i - 1];
    return NULL;
  }
  struct bo_problem *grown = reallocarray(set->problems, set->problem_count + 1, sizeof(*grown));
  if (grown == NULL) {
    set->arena.failed = true;
    return NULL;
  }
  set->problems = grown;
  return &grown[set->problem_count++];
}

void bo_decoder_problem(struct bo_decoder *decoder, const struct bo_node *node, enum bo_severity severity,
                        const char *below, const char *format, ...) {
  struct bo_manifest_set *set = decoder->set;
  if (severity == BO_SEVERITY_ERROR) {
    decoder->failed = true;
    set->error_count++;
  }
  struct bo_problem *problem = add_problem(set, severity);
  if (problem == NULL) return;
  char text[512];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  if (node == NULL) node = decoder->document;
  const char *path = bo_arena_printf(&set->arena, "%s%s", bo_buffer_text(&decoder->path), below);
  const char *copy = bo_arena_copy(&set->arena, text, strlen(text));
  *problem = (struct bo_problem){
      .severity = severity,
      .line = node == NULL ? 0 : node->line,
      .column = node == NULL ? 0 : node->column,
      .path = path == NULL ? "" : path,
      .text = copy == NULL ? "" : copy,
  };
}

#define PROBLEM(decoder, node, ...) bo_decoder_problem(decoder, node, BO_SEVERITY_ERROR, "", __VA_ARGS__)

/* A node that stands where the key of `node` does. */
static struct bo_node at_key(const struct bo_node *node) {
  struct bo_node place = {.line = node->key_line, .column = node->key_column};
  if (place.line == 0) place = (struct bo_node){.line = node->line, .column = node->column};
  return place;
}

/* The known name that is most like `name`, NULL when none is near. */
static const char *nearest_name(const struct bo_fields *fields, const char *name) {
  const char *nearest = NULL;
  unsigned least = strlen(name) < 5 ? 2 : 3;
  for (size_t i = 0; i < fields->count; i++) {
    unsigned distance = strcasecmp(fields->list[i].name, name) == 0 ? 0 : bo_edit_distance(fields->list[i].name, name);
    if (distance >= least) continue;
    least = distance;
    nearest = fields->list[i].name;
  }
  return nearest;
}

static const struct bo_field *find_field(const struct bo_fields *fields, const char *name) {
  for (size_t i = 0; i < fields->count; i++)
    if (strcmp(fields->list[i].name, name) == 0) return &fields->list[i];
  return NULL;
}

static void report_unknown(struct bo_decoder *decoder, const struct bo_fields *fields, const struct bo_node *node) {
  if (!decoder->is_manifest) return;
  for (const struct bo_node *member = node->first; member != NULL; member = member->next) {
    if (find_field(fields, member->key) != NULL) continue;
    const char *nearest = nearest_name(fields, member->key);
    struct bo_node place = at_key(member);
    size_t before = push_key(decoder, member->key);
    if (nearest == NULL) {
      bo_decoder_problem(decoder, &place, BO_SEVERITY_WARNING, "", "there is no such field: it has no effect");
    } else {
      bo_decoder_problem(decoder, &place, BO_SEVERITY_WARNING, "",
                         "there is no such field, it has no effect: is \"%s\" meant?", nearest);
    }
    pop(decoder, before);
  }
}

/* ---- decoding ----------------------------------------------------------------------------------------------- */

static bool expect(struct bo_decoder *decoder, const struct bo_node *node, enum bo_node_type type, const char *wanted) {
  if (node->type == type) return true;
  bool quoting_helps = type == BO_NODE_STRING && node->type != BO_NODE_LIST && node->type != BO_NODE_MAP;
  PROBLEM(decoder, node, "must be %s, not %s%s", wanted, bo_node_type_name(node),
          quoting_helps ? ": put it in quotes" : "");
  return false;
}

static bool is_choice(const char *choices, const char *text) {
  size_t length = strlen(text);
  for (const char *cursor = choices; cursor != NULL;) {
    if (strncmp(cursor, text, length) == 0 && (cursor[length] == '|' || cursor[length] == '\0')) return true;
    cursor = strchr(cursor, '|');
    if (cursor != NULL) cursor++;
  }
  return false;
}

static void check_text(struct bo_decoder *decoder, const struct bo_field *field, const struct bo_node *node) {
  const char *wrong = field->rule == NULL ? NULL : field->rule(node->text);
  bool sensitive = (field->flags & BO_FIELD_SENSITIVE) != 0;
  if (wrong != NULL) {
    PROBLEM(decoder, node, "%s%s%s", sensitive ? "" : bo_decoder_quote(decoder, node->text), sensitive ? "" : " ",
            wrong);
  } else if (field->choices != NULL && !is_choice(field->choices, node->text)) {
    PROBLEM(decoder, node, "must be one of %s, not %s", field->choices, bo_decoder_quote(decoder, node->text));
  }
}

static void decode_string(struct bo_decoder *decoder, const struct bo_field *field, const struct bo_node *node,
                          const char **value) {
  if (!expect(decoder, node, BO_NODE_STRING, "a string")) return;
  *value = node->text;
  check_text(decoder, field, node);
}

/* 300.0 and 3e2 are whole numbers too: JSON has just one kind. */
static bool whole_number(const struct bo_node *node, int64_t *value) {
  if (node->type == BO_NODE_INTEGER) {
    *value = node->integer;
    return true;
  }
  if (node->type != BO_NODE_FLOAT || node->number != floor(node->number) || fabs(node->number) >= BO_NODE_EXACT_MAX)
    return false;
  *value = (int64_t)node->number;
  return true;
}

static void decode_integer(struct bo_decoder *decoder, const struct bo_field *field, const struct bo_node *node,
                           struct bo_optional *value) {
  int64_t number = 0;
  bool bounded = field->minimum != 0 || field->maximum != 0;
  if (!whole_number(node, &number)) {
    bool quoted = node->type == BO_NODE_STRING && bo_parse_int64(node->text, &number);
    PROBLEM(decoder, node, "must be a whole number%s, not %s%s",
            node->type == BO_NODE_FLOAT ? " that 64 bits can hold" : "",
            node->type == BO_NODE_FLOAT ? "one with a fraction or beyond" : bo_node_type_name(node),
            quoted ? ": remove the quotes" : "");
  } else if (bounded && (number < field->minimum || number > field->maximum)) {
    PROBLEM(decoder, node, "must be between %" PRId64 " and %" PRId64 ", not %" PRId64, field->minimum, field->maximum,
            number);
  } else {
    *value = (struct bo_optional){true, number};
  }
}

static void decode_time(struct bo_decoder *decoder, const struct bo_node *node, struct bo_optional *value) {
  if (!expect(decoder, node, BO_NODE_STRING, "a time")) return;
  value->is_set = bo_time_parse(node->text, &value->value);
  if (!value->is_set)
    PROBLEM(decoder, node, "%s must be a time like 2026-11-24T18:10:27Z (RFC 3339)",
            bo_decoder_quote(decoder, node->text));
}

static void decode_strings(struct bo_decoder *decoder, const struct bo_field *field, const struct bo_node *node,
                           struct bo_strings *value) {
  if (!expect(decoder, node, BO_NODE_LIST, "a list of strings")) return;
  value->items = bo_arena_alloc(&decoder->set->arena, (node->count + 1) * sizeof(*value->items));
  if (value->items == NULL) return;
  size_t index = 0;
  for (const struct bo_node *item = node->first; item != NULL; item = item->next) {
    size_t before = push_index(decoder, index++);
    if (expect(decoder, item, BO_NODE_STRING, "a string")) {
      value->items[value->count++] = item->text;
      check_text(decoder, field, item);
    }
    pop(decoder, before);
  }
}

static void decode_string_map(struct bo_decoder *decoder, const struct bo_node *node, struct bo_string_map *value) {
  if (!expect(decoder, node, BO_NODE_MAP, "a map of strings")) return;
  value->items = bo_arena_alloc(&decoder->set->arena, (node->count + 1) * sizeof(*value->items));
  if (value->items == NULL) return;
  for (const struct bo_node *member = node->first; member != NULL; member = member->next) {
    size_t before = push_key(decoder, member->key);
    if (expect(decoder, member, BO_NODE_STRING, "a string"))
      value->items[value->count++] = (struct bo_pair){member->key, member->text};
    pop(decoder, before);
  }
}

static void decode_json(struct bo_decoder *decoder, const struct bo_node *node, const char **value) {
  cJSON *json = bo_node_to_cjson(node);
  char *text = json == NULL ? NULL : cJSON_PrintUnformatted(json);
  cJSON_Delete(json);
  if (text == NULL) {
    decoder->set->arena.failed = true;
    return;
  }
  *value = bo_arena_copy(&decoder->set->arena, text, strlen(text));
  cJSON_free(text);
}

static void decode_structs(struct bo_decoder *decoder, const struct bo_field *field, const struct bo_node *node,
                           struct list *value) {
  if (!expect(decoder, node, BO_NODE_LIST, "a list")) return;
  value->items = bo_arena_alloc(&decoder->set->arena, (node->count + 1) * field->fields->size);
  if (value->items == NULL) return;
  for (const struct bo_node *item = node->first; item != NULL; item = item->next) {
    size_t before = push_index(decoder, value->count);
    bo_decode(decoder, field->fields, item, (char *)value->items + value->count * field->fields->size);
    value->count++;
    pop(decoder, before);
  }
}

static void decode_field(struct bo_decoder *decoder, const struct bo_field *field, const struct bo_node *node,
                         void *value) {
  switch (field->type) {
    case BO_FIELD_STRING: decode_string(decoder, field, node, value); break;
    case BO_FIELD_INTEGER: decode_integer(decoder, field, node, value); break;
    case BO_FIELD_TIME: decode_time(decoder, node, value); break;
    case BO_FIELD_BOOL:
      if (expect(decoder, node, BO_NODE_BOOL, "true or false")) *(bool *)value = node->boolean;
      break;
    case BO_FIELD_STRINGS: decode_strings(decoder, field, node, value); break;
    case BO_FIELD_STRING_MAP: decode_string_map(decoder, node, value); break;
    case BO_FIELD_JSON: decode_json(decoder, node, value); break;
    case BO_FIELD_STRUCT: bo_decode(decoder, field->fields, node, value); break;
    case BO_FIELD_OPTIONAL_STRUCT:
      *(void **)value = bo_arena_alloc(&decoder->set->arena, field->fields->size);
      if (*(void **)value != NULL) bo_decode(decoder, field->fields, node, *(void **)value);
      break;
    case BO_FIELD_STRUCTS: decode_structs(decoder, field, node, value); break;
    case BO_FIELD_CONSTANT:
    case BO_FIELD_IGNORED: break;
  }
}

static void set_defaults(const struct bo_fields *fields, void *value) {
  for (size_t i = 0; i < fields->count; i++) {
    const struct bo_field *field = &fields->list[i];
    void *member = (char *)value + field->offset;
    if (field->type == BO_FIELD_STRUCT) set_defaults(field->fields, member);
    if (field->default_value == NULL) continue;
    if (field->type == BO_FIELD_STRING) *(const char **)member = field->default_value;
    if (field->type == BO_FIELD_INTEGER)
      ((struct bo_optional *)member)->is_set =
          bo_parse_int64(field->default_value, &((struct bo_optional *)member)->value);
  }
}

static void report_missing(struct bo_decoder *decoder, const struct bo_field *field, const struct bo_node *node) {
  struct bo_node place = at_key(node);
  size_t before = push_key(decoder, field->name);
  PROBLEM(decoder, &place, "is required%s%s", field->help == NULL ? "" : ": ", field->help == NULL ? "" : field->help);
  pop(decoder, before);
}

void bo_decode(struct bo_decoder *decoder, const struct bo_fields *fields, const struct bo_node *node, void *value) {
  set_defaults(fields, value);
  if (!expect(decoder, node, BO_NODE_MAP, "a map")) return;
  for (size_t i = 0; i < fields->count; i++) {
    const struct bo_field *field = &fields->list[i];
    const struct bo_node *member = bo_node_get(node, field->name);
    if (member == NULL && (field->flags & BO_FIELD_REQUIRED) != 0) report_missing(decoder, field, node);
    if (member == NULL) continue;
    size_t before = push_key(decoder, field->name);
    decode_field(decoder, field, member, (char *)value + field->offset);
    pop(decoder, before);
  }
  report_unknown(decoder, fields, node);
  if (fields->check != NULL) fields->check(decoder, node, value);
}
