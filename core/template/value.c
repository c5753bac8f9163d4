/* The values that templates work on: text, lists and maps in the render's arena, and what Go says of their truth,
 * equality and types. */
#include "core/template/internal.h"

const struct value value_nil = {.kind = VALUE_NIL};
const struct value value_missing = {.kind = VALUE_MISSING};

struct value value_bool(bool boolean) {
  return (struct value){.kind = VALUE_BOOL, .boolean = boolean};
}

struct value value_int(int64_t integer) {
  return (struct value){.kind = VALUE_INT, .integer = integer};
}

struct value value_int64(int64_t integer) {
  return (struct value){.kind = VALUE_INT, .type = TYPE_INT64, .integer = integer};
}

struct value value_float(double number) {
  return (struct value){.kind = VALUE_FLOAT, .number = number};
}

struct value value_text(struct text text) {
  return (struct value){.kind = VALUE_STRING, .text = text};
}

struct value value_list(const struct list *list, enum value_type type) {
  return (struct value){.kind = VALUE_LIST, .type = type, .list = list};
}

struct value value_map(struct map *map, enum value_type type) {
  return (struct value){.kind = VALUE_MAP, .type = type, .map = map};
}

struct value value_time(struct render *render, struct moment moment) {
  struct moment *copy = render_alloc(render, 1, sizeof(*copy));
  *copy = moment;
  return (struct value){.kind = VALUE_TIME, .time = copy};
}

/* ---- text */

bool text_equal(struct text a, struct text b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

bool text_is(struct text text, const char *string) {
  return text_equal(text, (struct text){string, strlen(string)});
}

int text_compare(struct text a, struct text b) {
  size_t common = a.size < b.size ? a.size : b.size;
  int order = common == 0 ? 0 : memcmp(a.bytes, b.bytes, common);
  return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

size_t text_find(struct text text, struct text needle, size_t from) {
  if (from > text.size) return SIZE_MAX;
  if (needle.size == 0) return from;
  const char *found = memmem(text.bytes + from, text.size - from, needle.bytes, needle.size);
  return found == NULL ? SIZE_MAX : (size_t)(found - text.bytes);
}

struct text text_part(struct text text, size_t from, size_t to) {
  return (struct text){text.bytes + from, to - from};
}

struct text text_copy(struct render *render, const char *bytes, size_t size) {
  char *copy = render_alloc(render, size + 1, 1);
  if (size > 0) memcpy(copy, bytes, size);
  return (struct text){copy, size};
}

const char *text_string(struct render *render, struct text text) {
  return text_copy(render, text.bytes, text.size).bytes;
}

/* ---- lists and maps */

struct list *list_new(struct render *render, size_t capacity) {
  struct list *list = render_alloc(render, 1, sizeof(*list));
  list->items = render_alloc(render, capacity, sizeof(*list->items));
  list->capacity = capacity;
  return list;
}

void list_add(struct render *render, struct list *list, struct value value) {
  if (list->count == list->capacity) {
    size_t capacity = list->capacity * 2 + 4;
    struct value *items = render_alloc(render, capacity, sizeof(*items));
    if (list->count > 0) memcpy(items, list->items, list->count * sizeof(*items));
    list->items = items;
    list->capacity = capacity;
  }
  /* Inside a list Go holds interface values: there is nil, but no missing value. */
  list->items[list->count++] = value.kind == VALUE_MISSING ? value_nil : value;
}

struct map *map_new(struct render *render) {
  return render_alloc(render, 1, sizeof(struct map));
}

/* Where `key` is or belongs. */
static size_t map_position(const struct map *map, struct text key, bool *found) {
  size_t low = 0, high = map->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (text_compare(map->entries[middle].key, key) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  *found = low < map->count && text_equal(map->entries[low].key, key);
  return low;
}

const struct value *map_find(const struct map *map, struct text key) {
  bool found = false;
  size_t position = map_position(map, key, &found);
  return found ? &map->entries[position].value : NULL;
}

void map_set(struct render *render, struct map *map, struct text key, struct value value) {
  if (value.kind == VALUE_MISSING) value = value_nil;
  bool found = false;
  size_t position = map_position(map, key, &found);
  if (found) {
    map->entries[position].value = value;
    return;
  }
  if (map->count == map->capacity) {
    size_t capacity = map->capacity * 2 + 4;
    struct entry *entries = render_alloc(render, capacity, sizeof(*entries));
    if (map->count > 0) memcpy(entries, map->entries, map->count * sizeof(*entries));
    map->entries = entries;
    map->capacity = capacity;
  }
  size_t behind = map->count - position;
  render_charge(render, behind / 64);
  memmove(map->entries + position + 1, map->entries + position, behind * sizeof(*map->entries));
  map->entries[position] = (struct entry){key, value};
  map->count++;
}

void map_remove(struct map *map, struct text key) {
  bool found = false;
  size_t position = map_position(map, key, &found);
  if (!found) return;
  map->count--;
  memmove(map->entries + position, map->entries + position + 1, (map->count - position) * sizeof(*map->entries));
}

/* ---- what Go says of them */

bool value_is_nil(struct value value) {
  return value.kind == VALUE_NIL || value.kind == VALUE_MISSING;
}

bool value_is_true(struct value value) {
  switch (value.kind) {
    case VALUE_MISSING:
    case VALUE_NIL: return false;
    case VALUE_BOOL: return value.boolean;
    case VALUE_INT: return value.integer != 0;
    case VALUE_FLOAT: return value.number != 0;
    case VALUE_COMPLEX: return value.complex[0] != 0 || value.complex[1] != 0;
    case VALUE_STRING: return value.text.size > 0;
    case VALUE_LIST: return value.list->count > 0;
    case VALUE_MAP: return value.map->count > 0;
    case VALUE_STRUCT:
    case VALUE_TIME:
    case VALUE_VERSION: break;
  }
  return true;
}

bool value_is_empty(struct value value) {
  return !value_is_true(value);
}

static bool lists_equal(struct render *render, const struct list *a, const struct list *b) {
  if (a->count != b->count) return false;
  for (size_t i = 0; i < a->count; i++)
    if (!value_deep_equal(render, a->items[i], b->items[i])) return false;
  return true;
}

static bool maps_equal(struct render *render, const struct map *a, const struct map *b) {
  if (a->count != b->count) return false;
  for (size_t i = 0; i < a->count; i++)
    if (!text_equal(a->entries[i].key, b->entries[i].key) ||
        !value_deep_equal(render, a->entries[i].value, b->entries[i].value))
      return false;
  return true;
}

bool value_deep_equal(struct render *render, struct value a, struct value b) {
  if (value_is_nil(a) || value_is_nil(b)) return value_is_nil(a) && value_is_nil(b);
  if (a.kind != b.kind || a.type != b.type) return false;
  render_enter(render);
  bool equal = true;
  switch (a.kind) {
    case VALUE_BOOL: equal = a.boolean == b.boolean; break;
    case VALUE_INT: equal = a.integer == b.integer; break;
    case VALUE_FLOAT: equal = a.number == b.number; break;
    case VALUE_COMPLEX: equal = a.complex[0] == b.complex[0] && a.complex[1] == b.complex[1]; break;
    case VALUE_STRING:
      render_charge(render, a.text.size / 64);
      equal = text_equal(a.text, b.text);
      break;
    case VALUE_LIST: equal = lists_equal(render, a.list, b.list); break;
    case VALUE_MAP: equal = maps_equal(render, a.map, b.map); break;
    case VALUE_TIME:
      equal = a.time->seconds == b.time->seconds && a.time->nanoseconds == b.time->nanoseconds &&
              a.time->offset_seconds == b.time->offset_seconds;
      break;
    case VALUE_VERSION: equal = text_equal(print_text(render, a), print_text(render, b)); break;
    case VALUE_MISSING:
    case VALUE_NIL:
    case VALUE_STRUCT: break;
  }
  render_leave(render);
  return equal;
}

struct value value_deep_copy(struct render *render, struct value value) {
  if (value.kind != VALUE_LIST && value.kind != VALUE_MAP) return value;
  render_enter(render);
  if (value.kind == VALUE_LIST) {
    struct list *list = list_new(render, value.list->count);
    for (size_t i = 0; i < value.list->count; i++)
      list_add(render, list, value_deep_copy(render, value.list->items[i]));
    value.list = list;
  } else {
    struct map *map = map_new(render);
    for (size_t i = 0; i < value.map->count; i++)
      map_set(render, map, value.map->entries[i].key, value_deep_copy(render, value.map->entries[i].value));
    value.map = map;
  }
  render_leave(render);
  return value;
}

static const char *integer_type_name(enum value_type type) {
  switch (type) {
    case TYPE_INT64: return "int64";
    case TYPE_UINT8: return "uint8";
    case TYPE_UINT64: return "uint64";
    case TYPE_DURATION: return "time.Duration";
    case TYPE_MONTH: return "time.Month";
    case TYPE_WEEKDAY: return "time.Weekday";
    default: return "int";
  }
}

const char *value_type_name(struct value value) {
  switch (value.kind) {
    case VALUE_MISSING:
    case VALUE_NIL: break;
    case VALUE_BOOL: return "bool";
    case VALUE_INT: return integer_type_name(value.type);
    case VALUE_FLOAT: return "float64";
    case VALUE_COMPLEX: return "complex128";
    case VALUE_STRING: return "string";
    case VALUE_LIST:
      return value.type == TYPE_STRINGS ? "[]string" : value.type == TYPE_INTS ? "[]int" : "[]interface {}";
    case VALUE_MAP: return value.type == TYPE_STRINGS ? "map[string]string" : "map[string]interface {}";
    case VALUE_STRUCT: return "struct {}";
    case VALUE_TIME: return "time.Time";
    case VALUE_VERSION: return "*semver.Version";
  }
  return "<nil>";
}

const char *value_kind_name(struct value value) {
  switch (value.kind) {
    case VALUE_MISSING:
    case VALUE_NIL: return "invalid";
    case VALUE_INT:
      return value.type == TYPE_DURATION                              ? "int64"
             : value.type == TYPE_MONTH || value.type == TYPE_WEEKDAY ? "int"
                                                                      : integer_type_name(value.type);
    case VALUE_LIST: return "slice";
    case VALUE_MAP: return "map";
    case VALUE_STRUCT:
    case VALUE_TIME: return "struct";
    case VALUE_VERSION: return "ptr";
    default: return value_type_name(value);
  }
}
