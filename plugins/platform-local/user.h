/* user.h - who a command runs as: `securityContext` of a pod template, as far as a plain machine can honour it. */
#ifndef BO_PLATFORM_LOCAL_USER_H
#define BO_PLATFORM_LOCAL_USER_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "core/base/buffer.h"
#include "core/base/error.h"
#include "message.h"

/* Wishes of the pod, then of the container, which wins. -1: none. */
struct user_wish {
  int64_t user;
  int64_t group;
  bool not_root;
};

#define USER_WISH_INIT \
  { -1, -1, false }

/* Reads runAsUser, runAsGroup and runAsNonRoot over what `wish` holds already; `where` is for messages. */
int user_read(const cJSON *security_context, const char *where, struct user_wish *wish, struct bo_error *error);

/* What it comes to on this machine, with the groups that the user database gives. Without root's rights anything but
 * our own user and group is BO_CLASS_AUTH. */
int user_resolve(const struct user_wish *wish, const char *where, struct bo_local_user *user, struct bo_error *error);

#endif
