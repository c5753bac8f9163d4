/* merge.c - RFC 7386, section 2, and its inverse. Both recurse no deeper than cJSON nests. */
#include "merge.h"

#include <stdbool.h>
#include <stddef.h>

/* Adds `value`, which may be NULL for want of memory, and takes it over in any case. */
static bool add(cJSON *object, const char *key, cJSON *value) {
  if (value != NULL && cJSON_AddItemToObject(object, key, value)) return true;
  cJSON_Delete(value);
  return false;
}

cJSON *merge_apply(cJSON *target, const cJSON *patch) {
  if (!cJSON_IsObject(patch) || !cJSON_IsObject(target)) {
    cJSON_Delete(target);
    target = cJSON_IsObject(patch) ? cJSON_CreateObject() : cJSON_Duplicate(patch, true);
  }
  if (!cJSON_IsObject(patch)) return target;
  for (const cJSON *member = patch->child; target != NULL && member != NULL; member = member->next) {
    cJSON *old = cJSON_DetachItemFromObjectCaseSensitive(target, member->string);
    if (cJSON_IsNull(member)) {
      cJSON_Delete(old);
    } else if (!add(target, member->string, merge_apply(old, member))) {
      cJSON_Delete(target);
      target = NULL;
    }
  }
  return target;
}

static bool add_change(cJSON *patch, const cJSON *old, const cJSON *wanted) {
  if (cJSON_IsObject(old) && cJSON_IsObject(wanted)) {
    cJSON *change = merge_difference(old, wanted);
    if (change == NULL || change->child != NULL) return add(patch, wanted->string, change);
    cJSON_Delete(change);
    return true;
  }
  return (old != NULL && cJSON_Compare(old, wanted, true)) || add(patch, wanted->string, cJSON_Duplicate(wanted, true));
}

cJSON *merge_difference(const cJSON *from, const cJSON *to) {
  cJSON *patch = cJSON_CreateObject();
  bool ok = patch != NULL;
  for (const cJSON *member = to->child; ok && member != NULL; member = member->next)
    ok = add_change(patch, cJSON_GetObjectItemCaseSensitive(from, member->string), member);
  for (const cJSON *member = from->child; ok && member != NULL; member = member->next)
    ok = cJSON_GetObjectItemCaseSensitive(to, member->string) != NULL || add(patch, member->string, cJSON_CreateNull());
  if (ok) return patch;
  cJSON_Delete(patch);
  return NULL;
}
