/*
 * core/api/yaml.h - YAML (and the JSON that is YAML) into nodes, one document at a time, over libyaml.
 *
 * Read as the Kubernetes tools read it: maps, lists and YAML 1.1's core types; aliases are copied, merge keys (<<)
 * followed; keys are strings; a key twice in a map is refused. Tags other than !!str are refused.
 */
#ifndef BO_API_YAML_H
#define BO_API_YAML_H

#include <yaml.h>

#include "core/api/node.h"

struct bo_yaml_anchor;

struct bo_yaml_reader {
  yaml_parser_t parser;
  struct bo_node_source source;
  const char *bytes;
  size_t size;
  struct bo_yaml_anchor *anchors; /* of the current document */
  unsigned anchor_count;
};

/* Begins to read `size` bytes, which must stay where they are. On an error, here and in bo_yaml_next, source.line and
 * source.column say where (0: nowhere in particular). Close it also after a failure. */
int bo_yaml_open(struct bo_yaml_reader *reader, struct bo_arena *arena, const char *bytes, size_t size,
                 struct bo_error *error);
/* BO_OK with the next document in *root, NULL when that one is empty; BO_DONE when there is none; BO_ERROR when the
 * text is no YAML: nothing more can be read then. */
int bo_yaml_next(struct bo_yaml_reader *reader, struct bo_node **root, struct bo_error *error);
/* Overwrites what libyaml still holds of the text, and frees it. */
void bo_yaml_close(struct bo_yaml_reader *reader);

#endif
