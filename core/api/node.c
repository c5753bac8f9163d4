#include "core/api/node.h"

#include <inttypes.h>
#include <math.h>

struct bo_node *bo_node_new(struct bo_node_source *source, enum bo_node_type type, struct bo_error *error) {
  if (source->nodes_left == 0) {
    (void)bo_error_set(error, BO_CLASS_CONFIG, 0,
                       "more than %u values, counting what aliases stand for: split the file, or write it out plainly",
                       BO_NODE_MAX_COUNT);
    return NULL;
  }
  source->nodes_left--;
  struct bo_node *node = bo_arena_alloc(source->arena, sizeof(*node));
  if (node == NULL) {
    (void)bo_error_no_memory(error);
    return NULL;
  }
  node->type = type;
  return node;
}

void bo_node_append(struct bo_node *list, struct bo_node *child) {
  child->next = NULL;
  if (list->last == NULL) {
    list->first = child;
  } else {
    list->last->next = child;
  }
  list->last = child;
  list->count++;
}

static struct bo_node *find_member(const struct bo_node *map, const char *key) {
  for (struct bo_node *child = map->first; child != NULL; child = child->next)
    if (strcmp(child->key, key) == 0) return child;
  return NULL;
}

int bo_node_add_member(struct bo_node_source *source, struct bo_node *map, struct bo_node *child,
                       struct bo_error *error) {
  const struct bo_node *twin = find_member(map, child->key);
  source->line = child->key_line;
  source->column = child->key_column;
  if (twin != NULL && twin->key_line != 0)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "the key \"%.64s\" is here twice, first in line %u: remove one",
                        child->key, twin->key_line);
  if (twin != NULL) return bo_error_set(error, BO_CLASS_CONFIG, 0, "the key \"%.64s\" is here twice", child->key);
  if (map->count >= BO_NODE_MAX_MEMBERS)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "a map with more than %u keys", BO_NODE_MAX_MEMBERS);
  bo_node_append(map, child);
  return BO_OK;
}

const struct bo_node *bo_node_get(const struct bo_node *map, const char *key) {
  if (map == NULL || map->type != BO_NODE_MAP) return NULL;
  const struct bo_node *child = find_member(map, key);
  return child == NULL || child->type == BO_NODE_NULL ? NULL : child;
}

const char *bo_node_type_name(const struct bo_node *node) {
  switch (node->type) {
    case BO_NODE_NULL: return "null";
    case BO_NODE_BOOL: return "a truth value (as are yes, no, on, off, y, n)";
    case BO_NODE_INTEGER: return "a whole number";
    case BO_NODE_FLOAT: return "a number";
    case BO_NODE_STRING: return "a string";
    case BO_NODE_LIST: return "a list";
    case BO_NODE_MAP: return "a map";
  }
  return "unknown";
}

static int fill_from_cjson(struct bo_node_source *source, const cJSON *json, unsigned depth, struct bo_node **made,
                           struct bo_error *error);

static int fill_children(struct bo_node_source *source, const cJSON *json, unsigned depth, struct bo_node *parent,
                         struct bo_error *error) {
  if (depth >= BO_NODE_MAX_DEPTH)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "nested more than %d levels deep", BO_NODE_MAX_DEPTH);
  for (const cJSON *item = json->child; item != NULL; item = item->next) {
    struct bo_node *child = NULL;
    int result = fill_from_cjson(source, item, depth + 1, &child, error);
    if (result != BO_OK) return result;
    if (parent->type == BO_NODE_LIST) {
      bo_node_append(parent, child);
      continue;
    }
    child->key = bo_arena_copy(source->arena, item->string, strlen(item->string));
    if (child->key == NULL) return bo_error_no_memory(error);
    result = bo_node_add_member(source, parent, child, error);
    if (result != BO_OK) return result;
  }
  return BO_OK;
}

static void fill_number(struct bo_node *node, double number) {
  node->number = number;
  if (number == floor(number) && fabs(number) < BO_NODE_EXACT_MAX) {
    node->type = BO_NODE_INTEGER;
    node->integer = (int64_t)number;
  }
}

static int fill_from_cjson(struct bo_node_source *source, const cJSON *json, unsigned depth, struct bo_node **made,
                           struct bo_error *error) {
  enum bo_node_type type = cJSON_IsObject(json)   ? BO_NODE_MAP
                           : cJSON_IsArray(json)  ? BO_NODE_LIST
                           : cJSON_IsString(json) ? BO_NODE_STRING
                           : cJSON_IsNumber(json) ? BO_NODE_FLOAT
                           : cJSON_IsBool(json)   ? BO_NODE_BOOL
                                                  : BO_NODE_NULL;
  struct bo_node *node = bo_node_new(source, type, error);
  if (node == NULL) return BO_ERROR;
  *made = node;
  node->boolean = cJSON_IsTrue(json);
  if (type == BO_NODE_FLOAT && !isfinite(json->valuedouble))
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "a number too large to be held");
  if (type == BO_NODE_FLOAT) fill_number(node, json->valuedouble);
  if (type == BO_NODE_STRING) {
    node->text = bo_arena_copy(source->arena, json->valuestring, strlen(json->valuestring));
    if (node->text == NULL) return bo_error_no_memory(error);
  }
  return type == BO_NODE_MAP || type == BO_NODE_LIST ? fill_children(source, json, depth, node, error) : BO_OK;
}

int bo_node_from_cjson(struct bo_node_source *source, const cJSON *json, struct bo_node **root,
                       struct bo_error *error) {
  return fill_from_cjson(source, json, 0, root, error);
}

static cJSON *number_to_cjson(const struct bo_node *node) {
  char text[32];
  if (node->type == BO_NODE_INTEGER) {
    (void)snprintf(text, sizeof(text), "%" PRId64, node->integer);
  } else {
    (void)snprintf(text, sizeof(text), "%.15g", node->number); /* the short form, where it is exact */
    if (strtod(text, NULL) != node->number) (void)snprintf(text, sizeof(text), "%.17g", node->number);
  }
  return cJSON_CreateRaw(text); /* cJSON's own numbers are doubles: an int64_t would lose digits */
}

static cJSON *container_to_cjson(const struct bo_node *node) {
  cJSON *json = node->type == BO_NODE_MAP ? cJSON_CreateObject() : cJSON_CreateArray();
  for (const struct bo_node *child = node->first; json != NULL && child != NULL; child = child->next) {
    cJSON *item = bo_node_to_cjson(child);
    bool added = item != NULL && (node->type == BO_NODE_MAP ? cJSON_AddItemToObject(json, child->key, item)
                                                            : cJSON_AddItemToArray(json, item));
    if (added) continue;
    cJSON_Delete(item);
    cJSON_Delete(json);
    return NULL;
  }
  return json;
}

cJSON *bo_node_to_cjson(const struct bo_node *node) {
  switch (node->type) {
    case BO_NODE_NULL: return cJSON_CreateNull();
    case BO_NODE_BOOL: return cJSON_CreateBool(node->boolean);
    case BO_NODE_INTEGER:
    case BO_NODE_FLOAT: return number_to_cjson(node);
    case BO_NODE_STRING: return cJSON_CreateString(node->text);
    case BO_NODE_LIST:
    case BO_NODE_MAP: return container_to_cjson(node);
  }
  return NULL;
}
