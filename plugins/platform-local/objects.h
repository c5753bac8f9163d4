/* objects.h - the object part of the platform's operations: get, create, delete, patch. Any number of threads. */
#ifndef BO_PLATFORM_LOCAL_OBJECTS_H
#define BO_PLATFORM_LOCAL_OBJECTS_H

#include "store.h"

int object_get(void *platform, const char *kind, const char *namespace_name, const char *name, char **json,
               struct bo_error *error);
int object_create(void *platform, const char *json, char **created_json, struct bo_error *error);
int object_delete(void *platform, const char *kind, const char *namespace_name, const char *name, const char *uid,
                  const char *resource_version, struct bo_error *error);
int object_patch(void *platform, const char *kind, const char *namespace_name, const char *name, int status,
                 const char *patch_json, char **patched_json, struct bo_error *error);

/* One of the three kinds that live here: not Secret. */
int objects_kind(const char *name, enum bo_manifest_kind *kind, struct bo_error *error);

#endif
