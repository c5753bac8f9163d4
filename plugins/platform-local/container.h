/*
 * container.h - what a plain machine can honour of a pod template: each container's name, environment, working folder
 * and user.
 */
#ifndef BO_PLATFORM_LOCAL_CONTAINER_H
#define BO_PLATFORM_LOCAL_CONTAINER_H

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "environment.h"
#include "message.h"

struct container {
  char *name;
  char *folder; /* workingDir; NULL: the workload's own */
  struct environment environment;
  struct bo_local_user user;
};

struct containers {
  struct container *items;
  size_t count; /* at least 1: without any in the template there is one without a name */
};

/* Reads {"metadata":{...},"spec":PodSpec}, with values that it takes from elsewhere from `source`. `ignored` takes the
 * names of fields that mean nothing here, separated by commas, each once. */
int containers_read(const char *template_json, const struct environment_source *source, struct containers *containers,
                    struct bo_buffer *ignored, struct bo_error *error);
void containers_free(struct containers *containers);

/* The container of that name, the first for "". */
int containers_find(const struct containers *containers, const char *name, const struct container **container,
                    struct bo_error *error);

/* The whole environment of a command: a few variables from our own (PATH, HOME, USER, LOGNAME, SHELL, LANG, or what the
 * user database says), TMPDIR=`folder`, then the container's, which replace those of the same name. Nothing else
 * passes; to another user not even HOME, USER, LOGNAME and SHELL, which are that user's. */
int container_environment(const struct container *container, const char *folder, struct environment *environment,
                          struct bo_error *error);

#endif
