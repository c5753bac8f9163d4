/*
 * environment.h - the variables of a command: NAME=value, each with its NUL, in one buffer, in order and each name
 * once. They may hold secrets: the buffer is cleansed when it goes.
 */
#ifndef BO_PLATFORM_LOCAL_ENVIRONMENT_H
#define BO_PLATFORM_LOCAL_ENVIRONMENT_H

#include <cjson/cJSON.h>

#include "core/base/buffer.h"
#include "core/base/error.h"

struct environment {
  struct bo_buffer bytes;
  uint32_t count;
};

#define ENVIRONMENT_INIT \
  { BO_BUFFER_INIT, 0 }
#define CLEANUP_ENVIRONMENT BO_CLEANUP(environment_free)

/* What `valueFrom` can refer to. Secrets are named "<secret>/<key>". */
struct environment_source {
  const char *namespace_name;
  const char *name;
  const char *uid;
  const struct bo_secret *secrets;
  size_t secret_count;
};

/* The value of a variable, NULL when there is none; valid until the next change. */
const char *environment_get(const struct environment *environment, const char *name);
/* A variable of that name that is there goes. False when there is no memory. */
bool environment_set(struct environment *environment, const char *name, const char *value);
void environment_free(struct environment *environment);

/* Adds a container's list `env` (EnvVar of the Kubernetes API): values, with $(NAME) replaced where an earlier variable
 * has that name and $$ by $; valueFrom.secretKeyRef; valueFrom.fieldRef of metadata.name, .namespace and .uid, which
 * are the run's. Errors name the container and the variable, and no value. */
int environment_read(const cJSON *list, const char *container, const struct environment_source *source,
                     struct environment *environment, struct bo_error *error);

#endif
