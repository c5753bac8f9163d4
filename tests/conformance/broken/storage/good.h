/*
 * tests/conformance/broken/storage/good.h - a small storage that keeps every rule, and what a file beside it may
 * change to break one: see transform/good.h.
 *
 * In the folder `path`: an object is the file o-<key in hexadecimal>, a put the file p-<random>. Each begins with a
 * struct good_record. A key that would be too long for a file's name is refused.
 */
#ifndef BO_TESTS_GOOD_STORAGE_H
#define BO_TESTS_GOOD_STORAGE_H

#include <backup-operator/plugin.h>
#include <limits.h>

#define GOOD_KEY_MAX 120

struct good_record {
  char key[GOOD_KEY_MAX + 1];
  char etag[40];
  uint32_t metadata_count;
  struct bo_metadata metadata[BO_METADATA_MAX];
};

struct good_storage {
  const struct bo_host *host;
  char path[PATH_MAX - 300];
  volatile int cancelled; /* read and written with __atomic */
  struct good_put *puts;
  struct good_get *gets;
  void *extra; /* what a plugin that spoils this one keeps */
};

struct good_put {
  struct good_storage *storage;
  struct good_put *next;
  int fd;
  int committed;
  uint64_t size_bytes;
  struct good_record record;
  char file[PATH_MAX];
};

struct good_get {
  struct good_storage *storage;
  struct good_get *next;
  int fd;
  void *extra;
};

int good_open(const struct bo_host *host, const struct bo_config *config, void **storage, struct bo_error *error);
void good_close(void *storage);
void good_cancel(void *storage);
int good_probe(void *storage, uint32_t what, struct bo_error *error);
int good_put_open(void *storage, const char *key, const struct bo_put_options *options, struct bo_token *token,
                  void **put, struct bo_error *error);
int good_put_write(void *put, const void *bytes, size_t size, struct bo_error *error);
int good_put_commit(void *put, struct bo_object *object, struct bo_error *error);
int good_put_close(void *put, struct bo_error *error);
int good_discard(void *storage, const char *key, const char *token, struct bo_error *error);
int good_get_open(void *storage, const char *key, uint64_t offset_bytes, const char *if_match, struct bo_object *object,
                  void **get, struct bo_error *error);
int good_get_read(void *get, void *bytes, size_t capacity, size_t *size, struct bo_error *error);
void good_get_close(void *get);
int good_stat(void *storage, const char *key, struct bo_object *object, struct bo_error *error);
int good_list(void *storage, const char *prefix, const char *after, uint32_t limit, bo_list_function *each,
              void *context, int *more, struct bo_error *error);
int good_remove(void *storage, const char *key, const char *if_match, struct bo_error *error);
int good_sweep(void *storage, const char *prefix, uint64_t older_than_seconds, uint64_t *count, struct bo_error *error);
uint64_t good_memory_bytes(const struct bo_config *config, int64_t size_hint_bytes);

/* The file of a key's object; BO_CLASS_CONFIG when there can be none. */
int good_object_file(const struct good_storage *storage, const char *key, char file[PATH_MAX], struct bo_error *error);
/* BO_CLASS_CANCELLED once it was asked to stop. */
int good_check(struct good_storage *storage, struct bo_error *error);

void spoil(struct bo_plugin *plugin, struct bo_storage_operations *operations, const struct bo_host *host);

#endif
