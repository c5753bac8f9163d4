#include "core/api/yaml.h"

#include "core/api/scalar.h"
#include "core/base/text.h"

#define MAX_ANCHORS 256

struct bo_yaml_anchor {
  struct bo_yaml_anchor *next;
  const char *name;
  const struct bo_node *node; /* NULL while the node is still being read: it would hold itself */
};

/* ---- errors with their place -------------------------------------------------------------------------------- */

static void set_place(struct bo_yaml_reader *reader, const yaml_mark_t *mark) {
  reader->source.line = (unsigned)mark->line + 1;
  reader->source.column = (unsigned)mark->column + 1;
}

static int fail_at(struct bo_yaml_reader *reader, const yaml_event_t *event, struct bo_error *error, const char *format,
                   ...) BO_PRINTF(4, 5);
static int fail_at(struct bo_yaml_reader *reader, const yaml_event_t *event, struct bo_error *error, const char *format,
                   ...) {
  set_place(reader, &event->start_mark);
  va_list args;
  va_start(args, format);
  (void)bo_error_vset(error, BO_CLASS_CONFIG, 0, format, args);
  va_end(args);
  return BO_ERROR;
}

/* Whether a tab indents line `line` (from 1): libyaml's own words do not say so. */
static bool tab_indents(const struct bo_yaml_reader *reader, unsigned line) {
  const char *cursor = reader->bytes;
  const char *end = reader->bytes + reader->size;
  for (unsigned at = 1; at < line && cursor != NULL; at++) {
    cursor = memchr(cursor, '\n', (size_t)(end - cursor));
    if (cursor != NULL) cursor++;
  }
  for (; cursor != NULL && cursor < end && (*cursor == ' ' || *cursor == '\t'); cursor++)
    if (*cursor == '\t') return true;
  return false;
}

static int fail_from_libyaml(struct bo_yaml_reader *reader, struct bo_error *error) {
  const yaml_parser_t *parser = &reader->parser;
  if (parser->error == YAML_MEMORY_ERROR) return bo_error_no_memory(error);
  set_place(reader, &parser->problem_mark);
  if (tab_indents(reader, reader->source.line))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "a tab: YAML is indented with spaces only");
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "this is not valid YAML: %s%s%s",
                      parser->context == NULL ? "" : parser->context, parser->context == NULL ? "" : ": ",
                      parser->problem == NULL ? "unknown problem" : parser->problem);
}

/* ---- events ------------------------------------------------------------------------------------------------- */

/* A scalar may be a secret. */
static void release_event(yaml_event_t *event) {
  if (event->type == YAML_SCALAR_EVENT) explicit_bzero(event->data.scalar.value, event->data.scalar.length);
  yaml_event_delete(event);
}

static int next_event(struct bo_yaml_reader *reader, yaml_event_t *event, struct bo_error *error) {
  memset(event, 0, sizeof(*event));
  return yaml_parser_parse(&reader->parser, event) ? BO_OK : fail_from_libyaml(reader, error);
}

static struct bo_node *new_node(struct bo_yaml_reader *reader, const yaml_event_t *event, enum bo_node_type type,
                                struct bo_error *error) {
  set_place(reader, &event->start_mark);
  struct bo_node *node = bo_node_new(&reader->source, type, error);
  if (node != NULL) {
    node->line = reader->source.line;
    node->column = reader->source.column;
  }
  return node;
}

/* ---- anchors and aliases ------------------------------------------------------------------------------------ */

static int begin_anchor(struct bo_yaml_reader *reader, const yaml_event_t *event, const yaml_char_t *name,
                        struct bo_yaml_anchor **made, struct bo_error *error) {
  *made = NULL;
  if (name == NULL) return BO_OK;
  if (reader->anchor_count++ >= MAX_ANCHORS)
    return fail_at(reader, event, error, "more than %d anchors in one document", MAX_ANCHORS);
  struct bo_yaml_anchor *anchor = bo_arena_alloc(reader->source.arena, sizeof(*anchor));
  const char *copy = bo_arena_copy(reader->source.arena, name, strlen((const char *)name));
  if (anchor == NULL || copy == NULL) return bo_error_no_memory(error);
  anchor->name = copy;
  anchor->next = reader->anchors;
  reader->anchors = anchor;
  *made = anchor;
  return BO_OK;
}

/* The children are copied, the strings are shared. Each copy counts against the document's limit, so that a few lines
 * of aliases to aliases cannot grow without bound. */
static struct bo_node *copy_node(struct bo_yaml_reader *reader, const struct bo_node *node, unsigned depth,
                                 struct bo_error *error) {
  if (depth > BO_NODE_MAX_DEPTH) {
    (void)bo_error_set(error, BO_CLASS_CONFIG, 0, "nested more than %d levels deep by aliases", BO_NODE_MAX_DEPTH);
    return NULL;
  }
  struct bo_node *copy = bo_node_new(&reader->source, node->type, error);
  if (copy == NULL) return NULL;
  *copy = *node;
  copy->first = copy->last = copy->next = NULL;
  copy->count = 0;
  for (const struct bo_node *child = node->first; child != NULL; child = child->next) {
    struct bo_node *twin = copy_node(reader, child, depth + 1, error);
    if (twin == NULL) return NULL;
    bo_node_append(copy, twin);
  }
  return copy;
}

static int read_alias(struct bo_yaml_reader *reader, const yaml_event_t *event, unsigned depth, struct bo_node **made,
                      struct bo_error *error) {
  const char *name = (const char *)event->data.alias.anchor;
  const struct bo_yaml_anchor *anchor = reader->anchors;
  while (anchor != NULL && strcmp(anchor->name, name) != 0)
    anchor = anchor->next;
  if (anchor == NULL) return fail_at(reader, event, error, "the alias *%.64s has no anchor before it", name);
  if (anchor->node == NULL) return fail_at(reader, event, error, "the alias *%.64s stands inside itself", name);
  set_place(reader, &event->start_mark);
  *made = copy_node(reader, anchor->node, depth, error);
  return *made == NULL ? BO_ERROR : BO_OK;
}

/* ---- nodes -------------------------------------------------------------------------------------------------- */

static int read_scalar(struct bo_yaml_reader *reader, const yaml_event_t *event, struct bo_node **made,
                       struct bo_error *error) {
  const char *tag = (const char *)event->data.scalar.tag;
  bool is_string = tag != NULL && (strcmp(tag, YAML_STR_TAG) == 0 || strcmp(tag, "!") == 0);
  if (tag != NULL && !is_string)
    return fail_at(reader, event, error, "the tag %.64s is not supported: write the value without it", tag);
  size_t size = event->data.scalar.length;
  if (memchr(event->data.scalar.value, '\0', size) != NULL)
    return fail_at(reader, event, error, "a NUL character in a string");
  struct bo_node *node = new_node(reader, event, BO_NODE_STRING, error);
  if (node == NULL) return BO_ERROR;
  node->text = bo_arena_copy(reader->source.arena, event->data.scalar.value, size);
  if (node->text == NULL) return bo_error_no_memory(error);
  *made = node;
  bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !is_string;
  return plain ? bo_scalar_resolve(node, error) : BO_OK;
}

static int read_node(struct bo_yaml_reader *reader, yaml_event_t *event, unsigned depth, struct bo_node **made,
                     struct bo_error *error);

static int read_list(struct bo_yaml_reader *reader, unsigned depth, struct bo_node *list, struct bo_error *error) {
  for (;;) {
    yaml_event_t event;
    int result = next_event(reader, &event, error);
    if (result != BO_OK) return result;
    bool ended = event.type == YAML_SEQUENCE_END_EVENT;
    struct bo_node *child = NULL;
    if (!ended) result = read_node(reader, &event, depth + 1, &child, error);
    release_event(&event);
    if (ended || result != BO_OK) return result;
    bo_node_append(list, child);
  }
}

/* Puts the members of `other` behind those of `map`, but for the keys that `map` has already. */
static int merge_map(struct bo_yaml_reader *reader, struct bo_node *map, const struct bo_node *other,
                     struct bo_error *error) {
  struct bo_node *next = NULL;
  if (other->type != BO_NODE_MAP)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the merge key << needs a map, or a list of maps");
  for (struct bo_node *child = other->first; child != NULL; child = next) {
    next = child->next;
    bool known = false;
    for (const struct bo_node *own = map->first; own != NULL && !known; own = own->next)
      known = strcmp(own->key, child->key) == 0;
    if (known) continue;
    int result = bo_node_add_member(&reader->source, map, child, error);
    if (result != BO_OK) return result;
  }
  return BO_OK;
}

static int merge(struct bo_yaml_reader *reader, struct bo_node *map, const struct bo_node *merged,
                 struct bo_error *error) {
  if (merged == NULL) return BO_OK;
  reader->source.line = merged->line;
  reader->source.column = merged->column;
  if (merged->type != BO_NODE_LIST) return merge_map(reader, map, merged, error);
  for (const struct bo_node *item = merged->first; item != NULL; item = item->next) {
    int result = merge_map(reader, map, item, error);
    if (result != BO_OK) return result;
  }
  return BO_OK;
}

/* A key as a string; numbers and truth values become the word that JSON has for them. */
static int key_text(struct bo_yaml_reader *reader, const struct bo_node *key, const char **text,
                    struct bo_error *error) {
  switch (key->type) {
    case BO_NODE_STRING: *text = key->text; break;
    case BO_NODE_BOOL: *text = key->boolean ? "true" : "false"; break;
    case BO_NODE_INTEGER: *text = bo_arena_printf(reader->source.arena, "%lld", (long long)key->integer); break;
    case BO_NODE_FLOAT: *text = key->text; break;
    default:
      reader->source.line = key->line;
      reader->source.column = key->column;
      return bo_error_set(error, BO_CLASS_CONFIG, 0, "a key must be a string, not %s", bo_node_type_name(key));
  }
  return *text == NULL ? bo_error_no_memory(error) : BO_OK;
}

/* One `key: value`, of which `event` has begun the key. The value of a merge key goes to *merged. */
static int read_member(struct bo_yaml_reader *reader, yaml_event_t *event, unsigned depth, struct bo_node *map,
                       const struct bo_node **merged, struct bo_error *error) {
  bool is_merge = event->type == YAML_SCALAR_EVENT && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                  event->data.scalar.tag == NULL && strcmp((const char *)event->data.scalar.value, "<<") == 0;
  struct bo_node *key = NULL;
  const char *text = NULL;
  int result = read_node(reader, event, depth + 1, &key, error);
  if (result == BO_OK) result = key_text(reader, key, &text, error);
  if (result != BO_OK) return result;
  unsigned line = (unsigned)event->start_mark.line + 1;
  unsigned column = (unsigned)event->start_mark.column + 1;

  yaml_event_t value_event;
  struct bo_node *value = NULL;
  result = next_event(reader, &value_event, error);
  if (result == BO_OK) result = read_node(reader, &value_event, depth + 1, &value, error);
  release_event(&value_event);
  if (result != BO_OK) return result;
  value->key = text;
  value->key_line = line;
  value->key_column = column;
  if (!is_merge) return bo_node_add_member(&reader->source, map, value, error);
  if (*merged != NULL) return fail_at(reader, event, error, "the merge key << is here twice: give it a list");
  *merged = value;
  return BO_OK;
}

static int read_map(struct bo_yaml_reader *reader, unsigned depth, struct bo_node *map, struct bo_error *error) {
  const struct bo_node *merged = NULL;
  for (;;) {
    yaml_event_t event;
    int result = next_event(reader, &event, error);
    if (result != BO_OK) return result;
    bool ended = event.type == YAML_MAPPING_END_EVENT;
    if (!ended) result = read_member(reader, &event, depth, map, &merged, error);
    release_event(&event);
    if (result != BO_OK) return result;
    if (ended) return merge(reader, map, merged, error);
  }
}

static int read_container(struct bo_yaml_reader *reader, const yaml_event_t *event, unsigned depth,
                          struct bo_node **made, struct bo_error *error) {
  bool is_map = event->type == YAML_MAPPING_START_EVENT;
  const char *tag = (const char *)(is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag);
  if (tag != NULL)
    return fail_at(reader, event, error, "the tag %.64s is not supported: write the value without it", tag);
  if (depth >= BO_NODE_MAX_DEPTH)
    return fail_at(reader, event, error, "nested more than %d levels deep", BO_NODE_MAX_DEPTH);
  struct bo_node *node = new_node(reader, event, is_map ? BO_NODE_MAP : BO_NODE_LIST, error);
  if (node == NULL) return BO_ERROR;
  *made = node;
  return is_map ? read_map(reader, depth, node, error) : read_list(reader, depth, node, error);
}

static int read_node(struct bo_yaml_reader *reader, yaml_event_t *event, unsigned depth, struct bo_node **made,
                     struct bo_error *error) {
  struct bo_yaml_anchor *anchor = NULL;
  int result = BO_OK;
  switch (event->type) {
    case YAML_ALIAS_EVENT: return read_alias(reader, event, depth, made, error);
    case YAML_SCALAR_EVENT:
      result = begin_anchor(reader, event, event->data.scalar.anchor, &anchor, error);
      if (result == BO_OK) result = read_scalar(reader, event, made, error);
      break;
    case YAML_SEQUENCE_START_EVENT:
      result = begin_anchor(reader, event, event->data.sequence_start.anchor, &anchor, error);
      if (result == BO_OK) result = read_container(reader, event, depth, made, error);
      break;
    case YAML_MAPPING_START_EVENT:
      result = begin_anchor(reader, event, event->data.mapping_start.anchor, &anchor, error);
      if (result == BO_OK) result = read_container(reader, event, depth, made, error);
      break;
    default: return fail_at(reader, event, error, "the YAML parser gave an event out of place");
  }
  if (result == BO_OK && anchor != NULL) anchor->node = *made;
  return result;
}

/* ---- the stream --------------------------------------------------------------------------------------------- */

/* NUL and broken UTF-8 are told by their line: libyaml would name a byte offset. */
static int check_characters(struct bo_yaml_reader *reader, struct bo_error *error) {
  const char *end = reader->bytes + reader->size;
  const char *line = reader->bytes;
  reader->source.line = 0;
  while (line < end) {
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    size_t length = (size_t)((newline == NULL ? end : newline) - line);
    reader->source.line++;
    if (memchr(line, '\0', length) != NULL)
      return bo_error_set(error, BO_CLASS_CONFIG, 0, "a NUL byte: this is no text file (or it is UTF-16: use UTF-8)");
    if (!bo_is_utf8(line, length))
      return bo_error_set(error, BO_CLASS_CONFIG, 0, "bytes that are not UTF-8: save the file as UTF-8");
    line += length + 1;
  }
  reader->source.line = 0;
  return BO_OK;
}

int bo_yaml_open(struct bo_yaml_reader *reader, struct bo_arena *arena, const char *bytes, size_t size,
                 struct bo_error *error) {
  memset(reader, 0, sizeof(*reader));
  reader->source.arena = arena;
  reader->source.nodes_left = BO_NODE_MAX_COUNT;
  if (size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
    bytes += 3;
    size -= 3;
  }
  reader->bytes = bytes;
  reader->size = size;
  int result = check_characters(reader, error);
  if (result != BO_OK) return result;
  if (!yaml_parser_initialize(&reader->parser)) return bo_error_no_memory(error);
  yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&reader->parser, (const unsigned char *)bytes, size);
  return BO_OK;
}

int bo_yaml_next(struct bo_yaml_reader *reader, struct bo_node **root, struct bo_error *error) {
  *root = NULL;
  reader->anchors = NULL;
  reader->anchor_count = 0;
  for (;;) {
    yaml_event_t event;
    int result = next_event(reader, &event, error);
    if (result != BO_OK) return result;
    yaml_event_type_t type = event.type;
    bool is_node = type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                   type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT;
    if (is_node) result = read_node(reader, &event, 0, root, error);
    release_event(&event);
    if (result != BO_OK) return result;
    if (type == YAML_STREAM_END_EVENT) return BO_DONE;
    if (type != YAML_DOCUMENT_END_EVENT) continue;
    if (*root != NULL && (*root)->type == BO_NODE_NULL) *root = NULL;
    return BO_OK;
  }
}

void bo_yaml_close(struct bo_yaml_reader *reader) {
  yaml_parser_t *parser = &reader->parser;
  if (parser->raw_buffer.start != NULL)
    explicit_bzero(parser->raw_buffer.start, (size_t)(parser->raw_buffer.end - parser->raw_buffer.start));
  if (parser->buffer.start != NULL)
    explicit_bzero(parser->buffer.start, (size_t)(parser->buffer.end - parser->buffer.start));
  yaml_parser_delete(parser);
  memset(reader, 0, sizeof(*reader));
}
