/*
 * container.h - what a plain machine can honour of a pod template: each container's name, environment and working
 * folder.
 */
#ifndef BO_PLATFORM_LOCAL_CONTAINER_H
#define BO_PLATFORM_LOCAL_CONTAINER_H

#include "core/base/buffer.h"
#include "core/base/error.h"

struct container {
  char *name;
  char *folder;                 /* workingDir; NULL: the workload's own */
  struct bo_buffer environment; /* NAME=value, each with its NUL */
  uint32_t environment_count;
};

struct containers {
  struct container *items;
  size_t count; /* at least 1: without any in the template there is one without a name */
};

/* Reads {"metadata":{...},"spec":PodSpec}. `ignored` takes the names of fields that mean nothing here, separated by
 * commas, each once. */
int containers_read(const char *template_json, struct containers *containers, struct bo_buffer *ignored,
                    struct bo_error *error);
void containers_free(struct containers *containers);

/* The container of that name, the first for "". */
int containers_find(const struct containers *containers, const char *name, const struct container **container,
                    struct bo_error *error);

/* The whole environment of a command: NAME=value, each with its NUL. A few variables from our own environment (PATH,
 * HOME, USER, LOGNAME, SHELL, LANG, or what the user database says), TMPDIR=`folder`, then the container's, which
 * replace those of the same name. Nothing else passes. */
int container_environment(const struct container *container, const char *folder, struct bo_buffer *environment,
                          uint32_t *count, struct bo_error *error);

#endif
