/* core/template/regexp.h - regular expressions in RE2's syntax, as Go's package regexp has them, in linear time. */
#ifndef BO_TEMPLATE_REGEXP_H
#define BO_TEMPLATE_REGEXP_H

#include "core/template/internal.h"

struct regexp;

/* NULL when the pattern is none; `*wrong` says why. Unicode classes (\p{L}) are known and not done: that fails. */
struct regexp *regexp_compile(struct render *render, struct text pattern, const char **wrong);

/* 1 + the capturing groups. */
size_t regexp_group_count(const struct regexp *regexp);
/* The number of a group's name, or SIZE_MAX. */
size_t regexp_group(const struct regexp *regexp, struct text name);

/* The leftmost match at or after `from`, of several the one that a backtracking search would find first. `ends` has two
 * entries for each group, where it begins and ends, SIZE_MAX for a group that takes no part. */
bool regexp_find(struct render *render, struct regexp *regexp, struct text text, size_t from, size_t *ends);

#endif
