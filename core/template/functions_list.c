/* sprig's functions on lists. Lists are never changed: a new one is made. */
#include "core/template/internal.h"

static const struct list *list_of(struct render *render, const char *function, struct value value) {
  if (value.kind != VALUE_LIST)
    render_fail(render, "%s wants a list, not %s", function, value_is_nil(value) ? "nil" : value_type_name(value));
  return value.list;
}

static struct value plain_list(const struct list *list) {
  return value_list(list, TYPE_PLAIN);
}

static void add_all(struct render *render, struct list *list, const struct value *items, size_t count) {
  for (size_t i = 0; i < count; i++)
    list_add(render, list, items[i]);
}

/* The items from `from` up to `to` as a list of their own. */
static struct value part(struct render *render, const struct list *list, size_t from, size_t to) {
  struct list *made = list_new(render, to - from);
  add_all(render, made, list->items + from, to - from);
  return plain_list(made);
}

static bool contains(struct render *render, const struct value *items, size_t count, struct value value) {
  for (size_t i = 0; i < count; i++)
    if (value_deep_equal(render, items[i], value)) return true;
  render_charge(render, count / 16);
  return false;
}

FUNCTION(fn_list) {
  struct list *list = list_new(render, count);
  add_all(render, list, args, count);
  return plain_list(list);
}

FUNCTION(fn_append) {
  const struct list *old = list_of(render, "append", args[0]);
  struct list *list = list_new(render, old->count + 1);
  add_all(render, list, old->items, old->count);
  list_add(render, list, args[1]);
  return plain_list(list);
}

FUNCTION(fn_prepend) {
  const struct list *old = list_of(render, "prepend", args[0]);
  struct list *list = list_new(render, old->count + 1);
  list_add(render, list, args[1]);
  add_all(render, list, old->items, old->count);
  return plain_list(list);
}

FUNCTION(fn_concat) {
  struct list *list = list_new(render, 0);
  for (size_t i = 0; i < count; i++) {
    const struct list *more = list_of(render, "concat", args[i]);
    add_all(render, list, more->items, more->count);
  }
  return plain_list(list);
}

FUNCTION(fn_first) {
  const struct list *list = list_of(render, "first", args[0]);
  return list->count == 0 ? value_nil : list->items[0];
}

FUNCTION(fn_last) {
  const struct list *list = list_of(render, "last", args[0]);
  return list->count == 0 ? value_nil : list->items[list->count - 1];
}

FUNCTION(fn_rest) {
  const struct list *list = list_of(render, "rest", args[0]);
  return part(render, list, list->count == 0 ? 0 : 1, list->count);
}

FUNCTION(fn_initial) {
  const struct list *list = list_of(render, "initial", args[0]);
  return part(render, list, 0, list->count == 0 ? 0 : list->count - 1);
}

FUNCTION(fn_reverse) {
  const struct list *old = list_of(render, "reverse", args[0]);
  struct list *list = list_new(render, old->count);
  for (size_t i = old->count; i > 0; i--)
    list_add(render, list, old->items[i - 1]);
  return plain_list(list);
}

FUNCTION(fn_uniq) {
  const struct list *old = list_of(render, "uniq", args[0]);
  struct list *list = list_new(render, 0);
  for (size_t i = 0; i < old->count; i++)
    if (!contains(render, list->items, list->count, old->items[i])) list_add(render, list, old->items[i]);
  return plain_list(list);
}

FUNCTION(fn_compact) {
  const struct list *old = list_of(render, "compact", args[0]);
  struct list *list = list_new(render, 0);
  for (size_t i = 0; i < old->count; i++)
    if (!value_is_empty(old->items[i])) list_add(render, list, old->items[i]);
  return plain_list(list);
}

FUNCTION(fn_without) {
  const struct list *old = list_of(render, "without", args[0]);
  struct list *list = list_new(render, 0);
  for (size_t i = 0; i < old->count; i++)
    if (!contains(render, args + 1, count - 1, old->items[i])) list_add(render, list, old->items[i]);
  return plain_list(list);
}

FUNCTION(fn_has) {
  if (value_is_nil(args[1])) return value_bool(false);
  const struct list *list = list_of(render, "has", args[1]);
  return value_bool(contains(render, list->items, list->count, args[0]));
}

FUNCTION(fn_slice) {
  const struct list *list = list_of(render, "slice", args[0]);
  if (list->count == 0) return value_nil;
  int64_t from = count > 1 ? number_to_int64(args[1]) : 0;
  int64_t to = count > 2 ? number_to_int64(args[2]) : (int64_t)list->count;
  if (from < 0 || to < from || to > (int64_t)list->count)
    render_fail(render, "slice: from %lld to %lld is not within a list of %zu", (long long)from, (long long)to,
                list->count);
  struct value value = part(render, list, (size_t)from, (size_t)to);
  value.type = args[0].type;
  return value;
}

FUNCTION(fn_chunk) {
  const struct list *old = list_of(render, "chunk", args[1]);
  if (args[0].integer < 1) render_fail(render, "chunk: the size must be at least 1");
  struct list *list = list_new(render, 0);
  size_t size = (uint64_t)args[0].integer > old->count ? old->count : (size_t)args[0].integer;
  for (size_t at = 0; at < old->count; at += size)
    list_add(render, list, part(render, old, at, old->count - at < size ? old->count : at + size));
  return plain_list(list);
}

/* ---- lists of strings */

FUNCTION(fn_join) {
  const struct list *strings = print_strings(render, args[1]);
  struct builder builder = BUILDER(render);
  for (size_t i = 0; i < strings->count; i++) {
    if (i > 0) build_text(&builder, args[0].text);
    build_text(&builder, strings->items[i].text);
  }
  return value_text(build_done(&builder));
}

static int compare_texts(const void *a, const void *b) {
  return text_compare(((const struct value *)a)->text, ((const struct value *)b)->text);
}

FUNCTION(fn_sort_alpha) {
  struct list *strings = print_strings(render, args[0]);
  size_t bytes = 0;
  for (size_t i = 0; i < strings->count; i++)
    bytes += 1 + strings->items[i].text.size / 64;
  render_charge(render, bytes * (64 - (size_t)__builtin_clzll(strings->count | 1)) / 4);
  if (strings->count > 1) qsort(strings->items, strings->count, sizeof(*strings->items), compare_texts);
  return value_list(strings, TYPE_STRINGS);
}

FUNCTION(fn_to_strings) {
  return value_list(print_strings(render, args[0]), TYPE_STRINGS);
}

/* At most `limit` pieces, the last one with all that is left; no limit when negative. An empty separator parts
 * characters. */
static struct list *split(struct render *render, struct text separator, int64_t limit, struct text text) {
  struct list *pieces = list_new(render, 0);
  size_t at = 0;
  while (limit < 0 || (int64_t)pieces->count + 1 < limit) {
    size_t end = at;
    if (separator.size > 0)
      end = text_find(text, separator, at);
    else if (at < text.size)
      (void)rune_next(text, &end);
    if (end == SIZE_MAX || (separator.size == 0 && end >= text.size)) break;
    list_add(render, pieces, value_text(text_part(text, at, end)));
    at = end + separator.size;
  }
  if (limit != 0 && (separator.size > 0 || at < text.size))
    list_add(render, pieces, value_text(text_part(text, at, text.size)));
  return pieces;
}

FUNCTION(fn_split_list) {
  return value_list(split(render, args[0].text, -1, args[1].text), TYPE_STRINGS);
}

/* A map with the keys _0, _1, ... */
static struct value numbered(struct render *render, const struct list *pieces) {
  struct map *map = map_new(render);
  for (size_t i = 0; i < pieces->count; i++) {
    struct builder key = BUILDER(render);
    build_printf(&key, "_%zu", i);
    map_set(render, map, build_done(&key), pieces->items[i]);
  }
  return value_map(map, TYPE_STRINGS);
}

FUNCTION(fn_split) {
  return numbered(render, split(render, args[0].text, -1, args[1].text));
}

FUNCTION(fn_splitn) {
  return numbered(render, split(render, args[0].text, args[1].integer, args[2].text));
}

const struct function functions_list[] = {{"append", "aa", fn_append},      {"chunk", "ia", fn_chunk},
                                          {"compact", "a", fn_compact},     {"concat", "a*", fn_concat},
                                          {"first", "a", fn_first},         {"has", "aa", fn_has},
                                          {"initial", "a", fn_initial},     {"join", "sa", fn_join},
                                          {"last", "a", fn_last},           {"list", "a*", fn_list},
                                          {"mustAppend", "aa", fn_append},  {"mustChunk", "ia", fn_chunk},
                                          {"mustCompact", "a", fn_compact}, {"mustFirst", "a", fn_first},
                                          {"mustHas", "aa", fn_has},        {"mustInitial", "a", fn_initial},
                                          {"mustLast", "a", fn_last},       {"mustPrepend", "aa", fn_prepend},
                                          {"mustPush", "aa", fn_append},    {"mustRest", "a", fn_rest},
                                          {"mustReverse", "a", fn_reverse}, {"mustSlice", "aa*", fn_slice},
                                          {"mustUniq", "a", fn_uniq},       {"mustWithout", "aa*", fn_without},
                                          {"prepend", "aa", fn_prepend},    {"push", "aa", fn_append},
                                          {"rest", "a", fn_rest},           {"reverse", "a", fn_reverse},
                                          {"slice", "aa*", fn_slice},       {"sortAlpha", "a", fn_sort_alpha},
                                          {"split", "ss", fn_split},        {"splitList", "ss", fn_split_list},
                                          {"splitn", "sis", fn_splitn},     {"toStrings", "a", fn_to_strings},
                                          {"tuple", "a*", fn_list},         {"uniq", "a", fn_uniq},
                                          {"without", "aa*", fn_without},   {NULL, NULL, NULL}};
