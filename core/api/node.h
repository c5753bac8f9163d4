/*
 * core/api/node.h - a document as a tree: what YAML and JSON have in common, with the place where each value stood.
 * One decoder (fields.h) then serves both. All nodes and strings lie in one arena.
 */
#ifndef BO_API_NODE_H
#define BO_API_NODE_H

#include <cjson/cJSON.h>

#include "core/base/arena.h"
#include "core/base/error.h"

/* Limits on foreign documents. What stays under them takes at most about 30 MiB. */
#define BO_NODE_MAX_DEPTH 64
#define BO_NODE_MAX_COUNT 200000u /* aliases count as what they stand for */
#define BO_NODE_MAX_MEMBERS 1024u /* of one map */

/* From here on a double, and so JSON as cJSON reads it, does not tell neighbouring whole numbers apart. */
#define BO_NODE_EXACT_MAX 9007199254740992.0

enum bo_node_type {
  BO_NODE_NULL,
  BO_NODE_BOOL,
  BO_NODE_INTEGER,
  BO_NODE_FLOAT, /* also whole numbers that int64_t cannot hold */
  BO_NODE_STRING,
  BO_NODE_LIST,
  BO_NODE_MAP
};

struct bo_node {
  enum bo_node_type type;
  unsigned line; /* from 1; 0 when the place is unknown */
  unsigned column;
  bool boolean;
  int64_t integer;
  double number;
  const char *text; /* STRING: UTF-8 without NUL */
  const char *key;  /* of a map's member, else NULL */
  unsigned key_line;
  unsigned key_column;
  unsigned count; /* LIST, MAP: how many children */
  struct bo_node *first;
  struct bo_node *last;
  struct bo_node *next;
};

/* Where a reader takes its nodes from, and the place of its first error. */
struct bo_node_source {
  struct bo_arena *arena;
  unsigned nodes_left;
  unsigned line;
  unsigned column;
};

struct bo_node *bo_node_new(struct bo_node_source *source, enum bo_node_type type, struct bo_error *error);
/* Appends to a list. */
void bo_node_append(struct bo_node *list, struct bo_node *child);
/* Appends to a map under child->key; a key that is there already, and one member too many, are errors. */
int bo_node_add_member(struct bo_node_source *source, struct bo_node *map, struct bo_node *child,
                       struct bo_error *error);
/* The member of a map, NULL when there is none, it is null, or `map` is no map (or NULL). */
const struct bo_node *bo_node_get(const struct bo_node *map, const char *key);
/* "a map", "a list", ...: for messages. */
const char *bo_node_type_name(const struct bo_node *node);

/* A copy of `json` as nodes without places. */
int bo_node_from_cjson(struct bo_node_source *source, const cJSON *json, struct bo_node **root, struct bo_error *error);
/* The node as JSON; the caller deletes it. NULL when out of memory. */
cJSON *bo_node_to_cjson(const struct bo_node *node);

#endif
