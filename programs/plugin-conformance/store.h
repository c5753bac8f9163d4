/*
 * store.h - short ways to use a storage plugin's table, for the rules about storages.
 *
 * What is called conf_must_... breaks the rule when it fails, and its words stand in the report. The others give the
 * result, and store->error.
 */
#ifndef BO_CONFORMANCE_STORE_H
#define BO_CONFORMANCE_STORE_H

#include "programs/plugin-conformance/host.h"
#include "programs/plugin-conformance/rules.h"

struct conf_store {
  const struct conf *conf;
  const struct bo_storage_operations *operations;
  struct conf_host host;
  struct bo_parsed_config config;
  void *instance;
  struct bo_error error;
};

/* The call of a storage's function, with store->error. */
#define CONF_STORE(store, name, ...) \
  CONF_CALL(#name, (store)->operations->name(__VA_ARGS__, &(store)->error), &(store)->error)

/* `wrong` replaces a parameter; NULL: none. */
int conf_store_open(struct conf_store *store, const struct conf *conf, const struct bo_pair *wrong);
void conf_must_open(struct conf_store *store, const struct conf *conf);
void conf_store_close(struct conf_store *store);

/* A key of this rule's own, <prefix><name>. */
struct conf_key {
  char text[BO_KEY_MAX + 128];
};
struct conf_key conf_key(const struct conf *conf, const char *name);

/* Opens a put and writes `size` bytes. */
int conf_put_begin(struct conf_store *store, const char *key, const void *bytes, size_t size, struct bo_token *token,
                   void **put);
void conf_must_begin(struct conf_store *store, const char *key, const void *bytes, size_t size, struct bo_token *token,
                     void **put);
/* A whole object; `object` may be NULL. What was not committed is aborted. */
int conf_put(struct conf_store *store, const char *key, const void *bytes, size_t size, struct bo_object *object);
void conf_must_put(struct conf_store *store, const char *key, const void *bytes, size_t size, struct bo_object *object);

/* Reads from an offset to the end. */
int conf_get(struct conf_store *store, const char *key, uint64_t offset_bytes, const char *if_match, size_t capacity,
             struct bo_buffer *bytes);
/* The object at the key is these bytes. */
void conf_must_be(struct conf_store *store, const char *key, const void *bytes, size_t size, const char *when);
/* Neither stat, nor get, nor a listing knows of it. */
void conf_must_be_absent(struct conf_store *store, const char *key, const char *when);

int conf_stat(struct conf_store *store, const char *key, struct bo_object *object);

/* The keys of a page, each with a newline behind it. */
int conf_list(struct conf_store *store, const char *prefix, const char *after, uint32_t limit, struct bo_buffer *keys,
              bool *more);

/* Runs a function in a process of its own, forked when no instance is open here: it must open its own. */
pid_t conf_fork(void (*function)(struct conf *conf, void *context), struct conf *conf, void *context);
/* Waits for its orderly end. */
void conf_join(pid_t pid);
/* Memory that such processes share. */
void *conf_share(size_t size);

#endif
