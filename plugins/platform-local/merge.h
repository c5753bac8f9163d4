/* merge.h - JSON merge patches: RFC 7386. */
#ifndef BO_PLATFORM_LOCAL_MERGE_H
#define BO_PLATFORM_LOCAL_MERGE_H

#include <cjson/cJSON.h>

/* `target` (may be NULL: nothing is there) after `patch`. Takes `target` over. NULL when out of memory. */
cJSON *merge_apply(cJSON *target, const cJSON *patch);

/* The patch that makes `to` of `from`, both objects; {} when they say the same. What no merge patch can tell, a null
 * in `to`, is taken for an absent member. NULL when out of memory. */
cJSON *merge_difference(const cJSON *from, const cJSON *to);

#endif
