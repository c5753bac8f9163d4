/*
 * list.c - listing keys in byte order, page by page, in bounded memory.
 *
 * The folders are walked depth first, each in the order of its names, a folder's with its slash: "a.b" comes before
 * "a/b", which comes before "a0". That is the order of the keys, so each can be handed out when it is met. Folders that
 * lie before the first or outside of the prefix are not read. A folder keeps a bounded number of names at a time, half
 * as many on each level deeper, and is read again for the next ones.
 *
 * Size and time come with the names. Etags do not: they are in the records, which are read SFTP_LOOKS at a time.
 */
#include "sftp.h"

#define NAMES_AT_TOP 4096
#define NAMES_AT_LEAST 16

struct listing {
  struct sftp_storage *storage;
  const char *prefix;
  const char *after;
  uint32_t left;
  bool stopped;
  int *more;
  bo_list_function *each;
  void *context;
  char path[BO_KEY_MAX + 2]; /* of the folder that is being walked, with its slash; "" at the top */
  size_t length;
};

static bool is_folder_name(const char *name) {
  return name[strlen(name) - 1] == '/';
}

/* Whether `name` in the current folder is, or may lead to, an object that is wanted. */
static bool is_wanted(void *context, const char *name) {
  struct listing *listing = context;
  size_t length = strlen(name);
  size_t prefix_length = strlen(listing->prefix);
  if (listing->length + length > BO_KEY_MAX || !sftp_is_utf8(name)) return false;
  if (listing->length == 0 && sftp_is_reserved(name)) return false;
  memcpy(listing->path + listing->length, name, length + 1);
  size_t total = listing->length + length;
  bool wanted = false;
  if (is_folder_name(name))
    wanted = strncmp(listing->path, listing->prefix, total < prefix_length ? total : prefix_length) == 0 &&
             strncmp(listing->path, listing->after, total) >= 0;
  else
    wanted = strncmp(listing->path, listing->prefix, prefix_length) == 0 && strcmp(listing->path, listing->after) > 0;
  listing->path[listing->length] = '\0';
  return wanted;
}

static void give(struct listing *listing, const struct sftp_look *look) {
  struct bo_object object = {.size = sizeof(object)};
  sftp_fill_object(look->attributes, NULL, &object);
  if (look->id[0] != '\0') memcpy(object.etag, look->id, sizeof(look->id));
  listing->left--;
  listing->stopped = listing->each(listing->context, look->key, &object) != 0;
}

/* Gives the files from entry `first` on, as many as can be looked at together; *count: so many. */
static int give_some(struct listing *listing, const struct sftp_folder *folder, size_t first, size_t *count,
                     struct bo_error *error) {
  struct sftp_storage *storage = listing->storage;
  struct sftp_look looks[SFTP_LOOKS];
  char keys[SFTP_LOOKS][BO_KEY_MAX + 1];
  *count = 0;
  while (*count < SFTP_LOOKS && *count < listing->left && first + *count < folder->count) {
    const struct sftp_entry *entry = folder->entries[first + *count];
    if (is_folder_name(entry->name)) break;
    memcpy(keys[*count], listing->path, listing->length); /* together no longer than a key: is_wanted */
    memcpy(keys[*count] + listing->length, entry->name, strlen(entry->name) + 1);
    looks[*count] = (struct sftp_look){.key = keys[*count], .attributes = &entry->attributes};
    (*count)++;
  }
  if (*count == 0) {
    *listing->more = 1;
    listing->stopped = true;
    return BO_OK;
  }
  int result = sftp_records_look(storage, looks, *count, error);
  for (size_t i = 0; result == BO_OK && i < *count && !listing->stopped; i++) {
    give(listing, &looks[i]);
    if (!listing->stopped) result = sftp_check_cancelled(storage, error);
  }
  return result;
}

static int walk(struct listing *listing, size_t capacity, struct bo_error *error);

static int enter(struct listing *listing, const char *name, size_t capacity, struct bo_error *error) {
  const size_t above = listing->length;
  memcpy(listing->path + above, name, strlen(name) + 1);
  listing->length += strlen(name);
  int result = walk(listing, capacity / 2 < NAMES_AT_LEAST ? NAMES_AT_LEAST : capacity / 2, error);
  listing->length = above;
  listing->path[above] = '\0';
  return result;
}

/* Walks the current folder. */
static int walk(struct listing *listing, size_t capacity, struct bo_error *error) {
  struct sftp_storage *storage = listing->storage;
  char last[SFTP_NAME_MAX] = "";
  for (bool cut = true; cut && !listing->stopped;) {
    struct sftp_folder folder;
    struct sftp_path path = sftp_place(storage, listing->path);
    int result = sftp_folder_read(storage, path.text, last, capacity, is_wanted, listing, &folder, error);
    if (result != BO_OK && error->error_class == BO_CLASS_NOT_FOUND && listing->length > 0) return BO_OK;
    if (result != BO_OK) return sftp_prefix(result, error, "listing the folder '%.300s'", path.text);
    for (size_t i = 0, count = 1; result == BO_OK && i < folder.count && !listing->stopped; i += count) {
      count = 1;
      if (is_folder_name(folder.entries[i]->name))
        result = enter(listing, folder.entries[i]->name, capacity, error);
      else
        result = give_some(listing, &folder, i, &count, error);
    }
    cut = folder.cut;
    if (folder.count > 0) (void)snprintf(last, sizeof(last), "%s", folder.entries[folder.count - 1]->name);
    sftp_folder_free(storage, &folder);
    if (result != BO_OK) return result;
  }
  return BO_OK;
}

int sftp_list(void *instance, const char *prefix, const char *after, uint32_t limit, bo_list_function *each,
              void *context, int *more, struct bo_error *error) {
  SFTP_NEED_ERROR(error);
  *more = 0;
  struct listing listing = {.storage = instance,
                            .prefix = prefix == NULL ? "" : prefix,
                            .after = after == NULL ? "" : after,
                            .left = limit,
                            .more = more,
                            .each = each,
                            .context = context};
  if (sftp_check_cancelled(instance, error) != BO_OK) return BO_ERROR;
  return walk(&listing, NAMES_AT_TOP, error);
}
