/* sprig's functions on maps ("dicts"). set, unset and the merges change the map they are given, as there. */
#include "core/template/internal.h"

FUNCTION(fn_dict) {
  struct map *map = map_new(render);
  for (size_t i = 0; i < count; i += 2)
    map_set(render, map, print_text(render, args[i]), i + 1 < count ? args[i + 1] : value_text(TEXT("")));
  return value_map(map, TYPE_PLAIN);
}

FUNCTION(fn_get) {
  const struct value *found = map_find(args[0].map, args[1].text);
  return found != NULL ? *found : value_text(TEXT(""));
}

FUNCTION(fn_set) {
  map_set(render, args[0].map, args[1].text, args[2]);
  return args[0];
}

FUNCTION(fn_unset) {
  map_remove(args[0].map, args[1].text);
  return args[0];
}

FUNCTION(fn_has_key) {
  return value_bool(map_find(args[0].map, args[1].text) != NULL);
}

FUNCTION(fn_pluck) {
  struct list *list = list_new(render, 0);
  for (size_t i = 1; i < count; i++) {
    const struct value *found = map_find(args[i].map, args[0].text);
    if (found != NULL) list_add(render, list, *found);
  }
  return value_list(list, TYPE_PLAIN);
}

/* Go gives keys in no order; here it is always theirs, since a path must not change from one rendering to the next. */
FUNCTION(fn_keys) {
  struct list *list = list_new(render, 0);
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < args[i].map->count; j++)
      list_add(render, list, value_text(args[i].map->entries[j].key));
  return value_list(list, TYPE_STRINGS);
}

FUNCTION(fn_values) {
  struct list *list = list_new(render, args[0].map->count);
  for (size_t i = 0; i < args[0].map->count; i++)
    list_add(render, list, args[0].map->entries[i].value);
  return value_list(list, TYPE_PLAIN);
}

FUNCTION(fn_pick) {
  struct map *map = map_new(render);
  for (size_t i = 1; i < count; i++) {
    const struct value *found = map_find(args[0].map, args[i].text);
    if (found != NULL) map_set(render, map, args[i].text, *found);
  }
  return value_map(map, TYPE_PLAIN);
}

FUNCTION(fn_omit) {
  struct map *map = map_new(render);
  for (size_t i = 0; i < args[0].map->count; i++)
    map_set(render, map, args[0].map->entries[i].key, args[0].map->entries[i].value);
  for (size_t i = 1; i < count; i++)
    map_remove(map, args[i].text);
  return value_map(map, TYPE_PLAIN);
}

/* Into `target` what it lacks (or holds empty), or with `overwrite` all that is not empty; maps in both are merged. */
static void merge(struct render *render, struct map *target, const struct map *source, bool overwrite) {
  render_enter(render);
  for (size_t i = 0; i < source->count; i++) {
    const struct entry *entry = &source->entries[i];
    const struct value *there = map_find(target, entry->key);
    bool maps = there != NULL && there->kind == VALUE_MAP && entry->value.kind == VALUE_MAP;
    if (maps)
      merge(render, there->map, entry->value.map, overwrite);
    else if (there == NULL || value_is_empty(*there) || (overwrite && !value_is_empty(entry->value)))
      map_set(render, target, entry->key, entry->value);
    render_charge(render, 1);
  }
  render_leave(render);
}

FUNCTION(fn_merge) {
  for (size_t i = 1; i < count; i++)
    merge(render, args[0].map, args[i].map, false);
  return args[0];
}

FUNCTION(fn_merge_overwrite) {
  for (size_t i = 1; i < count; i++)
    merge(render, args[0].map, args[i].map, true);
  return args[0];
}

/* dig KEY... DEFAULT MAP */
FUNCTION(fn_dig) {
  if (count < 3) render_fail(render, "dig wants at least 3 arguments: keys, a default and a map");
  struct value value = args[count - 1];
  for (size_t i = 0; i + 2 < count; i++) {
    if (value.kind != VALUE_MAP)
      render_fail(render, "dig: on the way there is a %s, not a map", value_type_name(value));
    if (args[i].kind != VALUE_STRING) render_fail(render, "dig: a key must be a string");
    const struct value *found = map_find(value.map, args[i].text);
    if (found == NULL) return args[count - 2];
    value = *found;
  }
  return value;
}

const struct function functions_map[] = {{"dict", "a*", fn_dict},
                                         {"dig", "a*", fn_dig},
                                         {"get", "ms", fn_get},
                                         {"hasKey", "ms", fn_has_key},
                                         {"keys", "m*", fn_keys},
                                         {"merge", "mm*", fn_merge},
                                         {"mergeOverwrite", "mm*", fn_merge_overwrite},
                                         {"mustMerge", "mm*", fn_merge},
                                         {"mustMergeOverwrite", "mm*", fn_merge_overwrite},
                                         {"omit", "ms*", fn_omit},
                                         {"pick", "ms*", fn_pick},
                                         {"pluck", "sm*", fn_pluck},
                                         {"set", "msa", fn_set},
                                         {"unset", "ms", fn_unset},
                                         {"values", "m", fn_values},
                                         {NULL, NULL, NULL}};
