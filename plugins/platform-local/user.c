/*
 * user.c - users and groups are numbers in a template, as they are for the kernel. What the user database knows beyond
 * them (the primary group, further groups) is looked up here and not in the supervisor, which has one thread and must
 * not wait for a directory server.
 */
#include "user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

static int read_id(const cJSON *context, const char *key, const char *where, int64_t *id, struct bo_error *error) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(context, key);
  if (item == NULL || cJSON_IsNull(item)) return BO_OK;
  /* The last number of all means "no change" to the kernel. */
  bool is_id = cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < (double)UINT32_MAX &&
               (double)(int64_t)item->valuedouble == item->valuedouble;
  if (!is_id)
    return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s: %s must be the number of a user or group", where, key);
  *id = (int64_t)item->valuedouble;
  return BO_OK;
}

int user_read(const cJSON *security_context, const char *where, struct user_wish *wish, struct bo_error *error) {
  const cJSON *not_root = cJSON_GetObjectItemCaseSensitive(security_context, "runAsNonRoot");
  if (read_id(security_context, "runAsUser", where, &wish->user, error) != BO_OK ||
      read_id(security_context, "runAsGroup", where, &wish->group, error) != BO_OK)
    return BO_ERROR;
  if (cJSON_IsBool(not_root)) wish->not_root = cJSON_IsTrue(not_root);
  return BO_OK;
}

static int may_become(const struct bo_local_user *user, const char *where, struct bo_error *error) {
  if (geteuid() == 0 || (user->uid == geteuid() && user->gid == getegid())) return BO_OK;
  return bo_error_set(error, BO_CLASS_AUTH, EPERM,
                      "%s: it is to run as user %u and group %u, but this program runs as user %u and group %u and may "
                      "not change that; run the program as root, or as that user, or remove runAsUser and runAsGroup",
                      where, user->uid, user->gid, (unsigned)geteuid(), (unsigned)getegid());
}

/* The groups of a user that the database does not know are just the one. */
static int find_groups(const struct passwd *entry, const char *where, struct bo_local_user *user,
                       struct bo_error *error) {
  gid_t groups[BO_LOCAL_GROUPS_MAX] = {user->gid};
  int count = entry != NULL ? BO_LOCAL_GROUPS_MAX : 1;
  if (entry != NULL && getgrouplist(entry->pw_name, user->gid, groups, &count) < 0)
    return bo_error_set(error, BO_CLASS_UNSUPPORTED, 0, "%s: the user %u is in more than %d groups", where, user->uid,
                        BO_LOCAL_GROUPS_MAX);
  user->group_count = (uint32_t)count;
  for (int i = 0; i < count; i++)
    user->groups[i] = groups[i];
  return BO_OK;
}

int user_resolve(const struct user_wish *wish, const char *where, struct bo_local_user *user, struct bo_error *error) {
  struct passwd memory = {0}, *entry = NULL;
  char names[4096];
  *user = (struct bo_local_user){.uid = geteuid(), .gid = getegid()};
  if (wish->user >= 0) user->uid = (uint32_t)wish->user;
  if (wish->not_root && user->uid == 0)
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "%s: runAsNonRoot forbids to run as root; set runAsUser to the number of another user", where);
  if (wish->user < 0 && wish->group < 0) return BO_OK;
  (void)getpwuid_r(user->uid, &memory, names, sizeof(names), &entry);
  if (wish->group < 0 && entry == NULL && user->uid != geteuid())
    return bo_error_set(error, BO_CLASS_CONFIG, 0,
                        "%s: the user database does not know user %u, nor so its group; set runAsGroup", where,
                        user->uid);
  if (wish->group >= 0)
    user->gid = (uint32_t)wish->group;
  else if (entry != NULL && user->uid != geteuid())
    user->gid = entry->pw_gid;
  if (may_become(user, where, error) != BO_OK) return BO_ERROR;
  user->change = user->uid != geteuid() || user->gid != getegid();
  return user->change ? find_groups(entry, where, user, error) : BO_OK;
}
