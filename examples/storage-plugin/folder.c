/*
 * folder.c - the names of a folder, in ascending order, a bounded number of them.
 *
 * A server gives names in no order, and there may be millions. So the smallest `capacity` behind a given one are kept:
 * twice as many are collected, sorted, and the upper half thrown away, again and again.
 */
#include <stdlib.h>

#include "sftp.h"

static void drop_entries(struct sftp_storage *storage, struct sftp_folder *folder, size_t from) {
  for (size_t i = from; i < folder->count; i++)
    sftp_free(storage, folder->entries[i]);
  if (folder->count > from) folder->count = from;
}

void sftp_folder_free(struct sftp_storage *storage, struct sftp_folder *folder) {
  drop_entries(storage, folder, 0);
  sftp_free(storage, folder->entries);
  folder->entries = NULL;
}

static int compare(const void *a, const void *b) {
  return strcmp((*(struct sftp_entry *const *)a)->name, (*(struct sftp_entry *const *)b)->name);
}

static void sort_and_cut(struct sftp_storage *storage, struct sftp_folder *folder) {
  qsort(folder->entries, folder->count, sizeof(folder->entries[0]), compare);
  if (folder->count <= folder->capacity) return;
  drop_entries(storage, folder, folder->capacity);
  folder->cut = true;
}

static int add(struct sftp_storage *storage, struct sftp_folder *folder, const char *name,
               const struct wire_attributes *attributes, struct bo_error *error) {
  if (folder->count == 2 * folder->capacity) sort_and_cut(storage, folder);
  size_t size = strlen(name) + 1;
  struct sftp_entry *entry = sftp_alloc(storage, sizeof(*entry) + size);
  if (entry == NULL) return sftp_no_memory(error);
  entry->attributes = *attributes;
  memcpy(entry->name, name, size);
  folder->entries[folder->count++] = entry;
  return BO_OK;
}

/* One name of a reply. False: it is of no use to anybody. */
static bool take_name(struct wire_in *names, char name[SFTP_NAME_MAX], struct wire_attributes *attributes) {
  uint32_t size = 0;
  uint32_t long_size = 0;
  const unsigned char *bytes = wire_take_bytes(names, &size);
  (void)wire_take_bytes(names, &long_size); /* as `ls -l` shows it */
  wire_take_attributes(names, attributes);
  if (names->failed || size == 0 || size > SFTP_NAME_MAX - 2) return false;
  memcpy(name, bytes, size);
  name[size] = '\0';
  if (strlen(name) != size || strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return false;
  if (sftp_is_folder(attributes)) memcpy(name + size, "/", 2);
  return sftp_is_folder(attributes) || sftp_is_object(attributes);
}

int sftp_folder_read(struct sftp_storage *storage, const char *path, const char *after, size_t capacity,
                     sftp_folder_filter *filter, void *context, struct sftp_folder *folder, struct bo_error *error) {
  struct sftp_handle handle = {0};
  struct bo_error ignored = BO_ERROR_INIT;
  *folder = (struct sftp_folder){.capacity = capacity};
  folder->entries = sftp_alloc(storage, 2 * capacity * sizeof(folder->entries[0]));
  if (folder->entries == NULL) return sftp_no_memory(error);
  int result = sftp_open_folder(storage, path, &handle, error);
  for (uint32_t count = 1; result == BO_OK && count > 0;) {
    struct wire_in names = {0};
    result = sftp_read_folder(storage, &handle, &names, &count, error);
    for (uint32_t i = 0; result == BO_OK && i < count && !names.failed; i++) {
      char name[SFTP_NAME_MAX];
      struct wire_attributes attributes;
      if (!take_name(&names, name, &attributes) || (after != NULL && strcmp(name, after) <= 0)) continue;
      if (filter(context, name)) result = add(storage, folder, name, &attributes, error);
    }
  }
  (void)sftp_close(storage, &handle, &ignored);
  if (result == BO_OK)
    sort_and_cut(storage, folder);
  else
    sftp_folder_free(storage, folder);
  return result;
}
