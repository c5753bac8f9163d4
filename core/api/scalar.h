/* core/api/scalar.h - what a plain YAML scalar means. */
#ifndef BO_API_SCALAR_H
#define BO_API_SCALAR_H

#include "core/api/node.h"

/* Gives `node` the type and value of the unquoted scalar node->text, by YAML 1.1's core types as the Kubernetes tools
 * read them: `yes`, `on` and `y` are truth values, 0755 and 0x1F are numbers, a date is a string. An error when JSON
 * could not hold it (.inf, .nan). */
int bo_scalar_resolve(struct bo_node *node, struct bo_error *error);

#endif
