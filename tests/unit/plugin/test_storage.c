/* The checked calls of storages, with a scripted plugin: what it claims must agree with what was asked and written. */
#include "tests/unit/plugin/rig.h"

static int an_instance;

/* What the next call does. */
static struct {
  int result;
  const char *token;
  bool no_token_end;
  bool no_instance;
  struct bo_object object;
  size_t read_size;
  const char *keys[6];
  bool list_to_the_end; /* goes on after it was told to stop */
  int more;
  int closes, put_closes, get_closes, discards, cancels;
} script;

static int answer(struct bo_error *error) {
  if (script.result != BO_OK) (void)bo_error_set(error, BO_CLASS_NETWORK, 0, "as the script says");
  return script.result;
}

static int scripted_open(const struct bo_host *host, const struct bo_config *config, void **storage,
                         struct bo_error *error) {
  (void)host, (void)config;
  *storage = script.no_instance ? NULL : &an_instance;
  return answer(error);
}

static void scripted_close(void *storage) {
  (void)storage;
  script.closes++;
}

static void scripted_cancel(void *storage) {
  (void)storage;
  script.cancels++;
}

static int scripted_probe(void *storage, uint32_t what, struct bo_error *error) {
  (void)storage, (void)what;
  return answer(error);
}

static int scripted_put_open(void *storage, const char *key, const struct bo_put_options *options,
                             struct bo_token *token, void **put, struct bo_error *error) {
  (void)storage, (void)key, (void)options;
  if (script.no_token_end)
    memset(token->text, 'x', sizeof(token->text));
  else
    (void)snprintf(token->text, sizeof(token->text), "%s", script.token);
  *put = script.no_instance ? NULL : &an_instance;
  return answer(error);
}

static int scripted_put_write(void *put, const void *bytes, size_t size, struct bo_error *error) {
  (void)put, (void)bytes, (void)size;
  return answer(error);
}

static int scripted_put_commit(void *put, struct bo_object *object, struct bo_error *error) {
  (void)put;
  ck_assert_uint_eq(object->size, sizeof(*object));
  *object = script.object;
  return answer(error);
}

static int scripted_put_close(void *put, struct bo_error *error) {
  (void)put;
  script.put_closes++;
  return answer(error);
}

static int scripted_discard(void *storage, const char *key, const char *token, struct bo_error *error) {
  (void)storage, (void)key, (void)token;
  script.discards++;
  return answer(error);
}

static int scripted_get_open(void *storage, const char *key, uint64_t offset_bytes, const char *if_match,
                             struct bo_object *object, void **get, struct bo_error *error) {
  (void)storage, (void)key, (void)offset_bytes, (void)if_match;
  *object = script.object;
  *get = script.no_instance ? NULL : &an_instance;
  return answer(error);
}

static int scripted_get_read(void *get, void *bytes, size_t capacity, size_t *size, struct bo_error *error) {
  (void)get, (void)bytes, (void)capacity;
  *size = script.read_size;
  return answer(error);
}

static void scripted_get_close(void *get) {
  (void)get;
  script.get_closes++;
}

static int scripted_stat(void *storage, const char *key, struct bo_object *object, struct bo_error *error) {
  (void)storage, (void)key;
  *object = script.object;
  return answer(error);
}

static int scripted_list(void *storage, const char *prefix, const char *after, uint32_t limit, bo_list_function *each,
                         void *context, int *more, struct bo_error *error) {
  (void)storage, (void)prefix, (void)after, (void)limit;
  for (size_t i = 0; i < LENGTH(script.keys) && script.keys[i] != NULL; i++)
    if (each(context, script.keys[i], &script.object) != 0 && !script.list_to_the_end) break;
  *more = script.more;
  return answer(error);
}

static int scripted_remove(void *storage, const char *key, const char *if_match, struct bo_error *error) {
  (void)storage, (void)key, (void)if_match;
  return answer(error);
}

static int scripted_sweep(void *storage, const char *prefix, uint64_t older_than_seconds, uint64_t *count,
                          struct bo_error *error) {
  (void)storage, (void)prefix, (void)older_than_seconds;
  *count = 3;
  return answer(error);
}

static struct bo_storage_operations operations = {.open = scripted_open,
                                                  .close = scripted_close,
                                                  .cancel = scripted_cancel,
                                                  .probe = scripted_probe,
                                                  .put_open = scripted_put_open,
                                                  .put_write = scripted_put_write,
                                                  .put_commit = scripted_put_commit,
                                                  .put_close = scripted_put_close,
                                                  .discard = scripted_discard,
                                                  .get_open = scripted_get_open,
                                                  .get_read = scripted_get_read,
                                                  .get_close = scripted_get_close,
                                                  .stat = scripted_stat,
                                                  .list = scripted_list,
                                                  .remove = scripted_remove,
                                                  .sweep = scripted_sweep};
static const struct bo_loaded_plugin scripted = {.descriptor = {.kind = BO_KIND_STORAGE, .name = "scripted"},
                                                 .operations.storage = &operations};
static const struct bo_config no_config = {.header = BO_HEADER(struct bo_config)};
static const struct bo_put_options no_options = {.header = BO_HEADER(struct bo_put_options), .size_hint_bytes = -1};

static struct bo_storage storage;
static struct bo_put put;
static struct bo_get get;
static struct bo_token token;
static struct bo_object object;
static struct bo_error error;

static void setup(void) {
  memset(&script, 0, sizeof(script));
  script.token = "a token";
  script.object = (struct bo_object){.size = sizeof(struct bo_object), .size_bytes = 100, .etag = "e1"};
  error = (struct bo_error)BO_ERROR_INIT;
  ck_assert_int_eq(bo_storage_open(&storage, &scripted, &no_config, NULL, &error), BO_OK);
}

static void teardown(void) {
  script.result = BO_OK;
  (void)bo_put_close(&put, NULL);
  bo_get_close(&get);
  bo_storage_close(&storage);
  bo_storage_close(&storage);
  ck_assert_int_eq(script.closes, 1);
}

static void open_put(void) {
  ck_assert_int_eq(bo_put_open(&put, &storage, "key", &no_options, &token, &error), BO_OK);
}

static void assert_broke(int result, const char *said) {
  ck_assert_int_eq(result, BO_ERROR);
  ck_assert_has(error.text, "the plugin storage-scripted broke its contract: ");
  ck_assert_has(error.text, said);
  ck_assert(storage.broken);
}

/* ---- put ---- */

START_TEST(put_that_keeps_the_contract) {
  open_put();
  ck_assert_str_eq(token.text, "a token");
  ck_assert_int_eq(bo_put_write(&put, "x", 60, &error), BO_OK);
  ck_assert_int_eq(bo_put_write(&put, "x", 40, &error), BO_OK);
  ck_assert_int_eq(bo_put_commit(&put, &object, &error), BO_OK);
  ck_assert_uint_eq(object.size_bytes, 100);
  ck_assert_int_eq(bo_put_close(&put, &error), BO_OK);
  ck_assert_int_eq(bo_put_close(&put, &error), BO_OK);
  ck_assert_int_eq(script.put_closes, 1);
}
END_TEST

/* Something may be there: whoever asked must not take it for a plain failure. */
static void assert_commit_undecided(const char *said) {
  open_put();
  ck_assert_int_eq(bo_put_write(&put, "x", 100, &error), BO_OK);
  int result = bo_put_commit(&put, &object, &error);
  ck_assert_int_eq(error.error_class, BO_CLASS_UNDECIDED);
  ck_assert_has(error.text, "may exist");
  assert_broke(result, said);
}

START_TEST(commit_of_another_size) {
  script.object.size_bytes = 99;
  assert_commit_undecided("says 99 bytes, but 100 were written");
}
END_TEST

START_TEST(commit_without_etag) {
  script.object.etag[0] = '\0';
  assert_commit_undecided("no etag");
}
END_TEST

START_TEST(commit_with_endless_etag) {
  memset(script.object.etag, 'e', sizeof(script.object.etag));
  assert_commit_undecided("texts that do not end");
}
END_TEST

START_TEST(commit_with_too_many_metadata) {
  script.object.metadata_count = BO_METADATA_MAX + 1;
  assert_commit_undecided("the object");
}
END_TEST

START_TEST(commit_that_answers_nonsense) {
  open_put();
  ck_assert_int_eq(bo_put_write(&put, "x", 100, &error), BO_OK);
  script.result = 77;
  int result = bo_put_commit(&put, &object, &error);
  ck_assert_int_eq(error.error_class, BO_CLASS_UNDECIDED);
  assert_broke(result, "put_commit() answered 77");
}
END_TEST

START_TEST(commit_that_fails_is_the_plugins_own_word) {
  open_put();
  script.result = BO_ERROR;
  ck_assert_int_eq(bo_put_commit(&put, &object, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_NETWORK);
  ck_assert_str_eq(error.text, "as the script says");
  ck_assert(put.failed && !put.committed && !storage.broken);
}
END_TEST

START_TEST(put_without_token) {
  script.token = "";
  assert_broke(bo_put_open(&put, &storage, "key", &no_options, &token, &error), "no token");
  /* The put that nobody could undo is ended at once. */
  ck_assert_int_eq(script.put_closes, 1);
}
END_TEST

START_TEST(put_with_endless_token) {
  script.no_token_end = true;
  assert_broke(bo_put_open(&put, &storage, "key", &no_options, &token, &error), "no token");
  ck_assert_str_eq(token.text, "");
}
END_TEST

START_TEST(put_without_instance) {
  script.no_instance = true;
  assert_broke(bo_put_open(&put, &storage, "key", &no_options, &token, &error), "no put");
}
END_TEST

START_TEST(put_open_may_be_repeated_and_write_not) {
  script.result = BO_RETRY;
  ck_assert_int_eq(bo_put_open(&put, &storage, "key", &no_options, &token, &error), BO_RETRY);
  ck_assert_str_eq(token.text, "");
  script.result = BO_OK;
  open_put();
  script.result = BO_RETRY;
  ck_assert_int_eq(bo_put_write(&put, "x", 1, &error), BO_ERROR);
  ck_assert_uint_eq(put.written_bytes, 0);
  ck_assert(put.failed);
}
END_TEST

START_TEST(broken_storage_is_only_put_away) {
  open_put();
  script.result = 42;
  assert_broke(bo_put_write(&put, "x", 1, &error), "put_write() answered 42");
  script.result = BO_OK;
  ck_assert_int_eq(bo_storage_stat(&storage, "key", &object, &error), BO_ERROR);
  ck_assert_has(error.text, "is not called again");
  ck_assert_int_eq(bo_storage_probe(&storage, BO_PROBE_READ, &error), BO_ERROR);
  ck_assert_int_eq(bo_put_close(&put, &error), BO_OK);
  ck_assert_int_eq(bo_storage_discard(&storage, "key", "token", &error), BO_OK);
  ck_assert_int_eq(script.discards, 1);
}
END_TEST

START_TEST(nothing_else_of_a_broken_storage_is_called) {
  struct bo_put second;
  struct bo_get another;
  unsigned char bytes[8];
  size_t size = 0;
  uint64_t count = 0;
  bool more = false;
  open_put();
  ck_assert_int_eq(bo_get_open(&get, &storage, "key", 0, NULL, &object, &error), BO_OK);
  atomic_store(&storage.broken, true);
  operations.put_open = NULL; /* calling it would be the end */
  operations.put_write = NULL;
  operations.put_commit = NULL;
  operations.get_open = NULL;
  operations.get_read = NULL;
  operations.list = NULL;
  operations.remove = NULL;
  operations.sweep = NULL;
  ck_assert_int_eq(bo_put_open(&second, &storage, "key", &no_options, &token, &error), BO_ERROR);
  ck_assert_int_eq(bo_put_write(&put, "x", 1, &error), BO_ERROR);
  ck_assert_int_eq(bo_put_commit(&put, &object, &error), BO_ERROR);
  ck_assert_int_eq(bo_get_open(&another, &storage, "key", 0, NULL, &object, &error), BO_ERROR);
  ck_assert_int_eq(bo_get_read(&get, bytes, sizeof(bytes), &size, &error), BO_ERROR);
  ck_assert_int_eq(bo_storage_list(&storage, "", NULL, 1, NULL, NULL, &more, &error), BO_ERROR);
  ck_assert_int_eq(bo_storage_remove(&storage, "key", NULL, &error), BO_ERROR);
  ck_assert_int_eq(bo_storage_sweep(&storage, "", 1, &count, &error), BO_ERROR);
  ck_assert_has(error.text, "is not called again");
}
END_TEST

/* ---- get ---- */

static void open_get(uint64_t offset_bytes) {
  ck_assert_int_eq(bo_get_open(&get, &storage, "key", offset_bytes, NULL, &object, &error), BO_OK);
}

static int read_some(size_t claimed) {
  static unsigned char bytes[64];
  size_t size = 12345;
  script.read_size = claimed;
  int result = bo_get_read(&get, bytes, sizeof(bytes), &size, &error);
  ck_assert_uint_eq(size, result == BO_OK ? claimed : 0);
  return result;
}

START_TEST(get_to_its_end) {
  open_get(10);
  ck_assert_int_eq(read_some(64), BO_OK);
  ck_assert_int_eq(read_some(26), BO_OK);
  ck_assert_int_eq(read_some(0), BO_OK);
  ck_assert(get.ended);
}
END_TEST

START_TEST(get_that_ends_early) {
  open_get(0);
  ck_assert_int_eq(read_some(64), BO_OK);
  ck_assert_int_eq(read_some(0), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_CORRUPT);
  ck_assert_has(error.text, "announced with 100 bytes, but ends after 64");
  ck_assert(get.failed);
}
END_TEST

START_TEST(get_that_does_not_end) {
  open_get(0);
  ck_assert_int_eq(read_some(64), BO_OK);
  ck_assert_int_eq(read_some(37), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_CORRUPT);
  ck_assert_has(error.text, "more after");
}
END_TEST

START_TEST(get_read_past_the_buffer) {
  open_get(0);
  assert_broke(read_some(65), "65 bytes for a buffer of 64");
  ck_assert(get.failed);
}
END_TEST

START_TEST(get_read_that_fails_gives_nothing) {
  open_get(0);
  script.result = BO_RETRY;
  ck_assert_int_eq(read_some(10), BO_RETRY);
  ck_assert_uint_eq(get.offset_bytes, 0);
}
END_TEST

START_TEST(get_past_the_end) {
  assert_broke(bo_get_open(&get, &storage, "key", 101, NULL, &object, &error), "100 bytes at 101");
  ck_assert_int_eq(script.get_closes, 1);
}
END_TEST

START_TEST(get_that_is_not_there) {
  script.result = BO_ERROR;
  ck_assert_int_eq(bo_get_open(&get, &storage, "key", 0, NULL, &object, &error), BO_ERROR);
  ck_assert_str_eq(error.text, "as the script says");
  bo_get_close(&get);
  ck_assert_int_eq(script.get_closes, 0);
}
END_TEST

START_TEST(get_without_instance) {
  script.no_instance = true;
  assert_broke(bo_get_open(&get, &storage, "key", 0, NULL, &object, &error), "no get");
}
END_TEST

/* ---- questions ---- */

START_TEST(stat_with_endless_metadata) {
  script.object.metadata_count = 1;
  memset(script.object.metadata[0].value, 'v', BO_METADATA_VALUE_MAX);
  assert_broke(bo_storage_stat(&storage, "key", &object, &error), "texts that do not end");
}
END_TEST

static char long_key[BO_KEY_MAX + 2];
static unsigned listed_keys;

static int stop_after(void *context, const char *key, const struct bo_object *listed) {
  ck_assert_int_eq(strncmp(key, "a/", 2), 0);
  ck_assert_uint_le(strlen(key), BO_KEY_MAX);
  listed_keys++;
  ck_assert_uint_eq(listed->size_bytes, 100);
  return --*(int *)context == 0;
}

static int list(const char *prefix, const char *after, uint32_t limit, int count) {
  bool more = false;
  int result = bo_storage_list(&storage, prefix, after, limit, stop_after, &count, &more, &error);
  ck_assert_int_eq(more, script.more);
  return result;
}

START_TEST(list_in_order) {
  script.keys[0] = "a/1";
  script.keys[1] = "a/2";
  script.more = 1;
  ck_assert_int_eq(list("a/", NULL, 2, 10), BO_OK);
  ck_assert_int_eq(list("a/", "a/0", 2, 10), BO_OK);
  ck_assert_int_eq(list("a/", "", 2, 1), BO_OK);
  script.keys[0] = NULL;
  script.more = 0;
  ck_assert_int_eq(list("a/", NULL, 2, 10), BO_OK);
}
END_TEST

static const struct {
  const char *keys[3];
  const char *after;
  uint32_t limit;
  int stop;
  int more;
  unsigned passed_on; /* the good ones before */
  const char *said;
} bad_lists[] = {
    {{"a/2", "a/1"}, NULL, 9, 9, 0, 1, "ascending order"},
    {{"a/1", "a/1"}, NULL, 9, 9, 0, 1, "ascending order"},
    {{"a/1"}, "a/1", 9, 9, 0, 0, "ascending order"},
    {{"b"}, NULL, 9, 9, 0, 0, "outside of the prefix"},
    {{"a/1", "a/2"}, NULL, 1, 9, 0, 1, "more objects than it was asked for"},
    {{"a/1", "a/2"}, NULL, 9, 1, 0, 1, "told to stop"},
    {{"a/1", long_key}, NULL, 9, 9, 0, 1, "too long"},
    {{NULL}, NULL, 9, 9, 1, 0, "gave none"},
};

START_TEST(bad_list) {
  memcpy(script.keys, bad_lists[_i].keys, sizeof(bad_lists[_i].keys));
  script.more = bad_lists[_i].more;
  script.list_to_the_end = true;
  memset(long_key, 'x', BO_KEY_MAX + 1);
  memcpy(long_key, "a/", 2);
  listed_keys = 0;
  assert_broke(list("a/", bad_lists[_i].after, bad_lists[_i].limit, bad_lists[_i].stop), bad_lists[_i].said);
  ck_assert_uint_eq(listed_keys, bad_lists[_i].passed_on);
}
END_TEST

START_TEST(list_of_endless_texts) {
  script.keys[0] = "a/1";
  memset(script.object.etag, 'e', sizeof(script.object.etag));
  assert_broke(list("a/", NULL, 9, 9), "texts that do not end");
}
END_TEST

START_TEST(questions_pass_answers_on) {
  static const int results[] = {BO_OK, BO_RETRY, BO_ERROR};
  for (size_t i = 0; i < LENGTH(results); i++) {
    uint64_t count = 0;
    script.result = results[i];
    ck_assert_int_eq(bo_storage_probe(&storage, BO_PROBE_READ, &error), results[i]);
    ck_assert_int_eq(bo_storage_stat(&storage, "key", &object, &error), results[i]);
    ck_assert_int_eq(bo_storage_remove(&storage, "key", NULL, &error), results[i]);
    ck_assert_int_eq(bo_storage_sweep(&storage, "", 60, &count, &error), results[i]);
    ck_assert_int_eq(bo_storage_discard(&storage, "key", "token", NULL), results[i]);
    ck_assert(!storage.broken);
  }
}
END_TEST

START_TEST(cancel_reaches_plugin_and_host) {
  ck_assert_int_eq(storage.host.table.cancelled(storage.host.table.context), 0);
  bo_storage_cancel(&storage);
  bo_storage_cancel(&storage);
  ck_assert_int_eq(script.cancels, 2);
  ck_assert_int_ne(storage.host.table.cancelled(storage.host.table.context), 0);
}
END_TEST

START_TEST(open_gives_an_instance_or_an_error) {
  struct bo_storage second;
  script.no_instance = true;
  ck_assert_int_eq(bo_storage_open(&second, &scripted, &no_config, NULL, &error), BO_ERROR);
  ck_assert_has(error.text, "gave no instance");
  bo_storage_close(&second);
  script.result = BO_ERROR;
  ck_assert_int_eq(bo_storage_open(&second, &scripted, &no_config, NULL, &error), BO_ERROR);
  ck_assert_str_eq(error.text, "as the script says");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("storage");
  TCase *puts = tcase_create("put");
  tcase_add_checked_fixture(puts, setup, teardown);
  tcase_add_test(puts, put_that_keeps_the_contract);
  tcase_add_test(puts, commit_of_another_size);
  tcase_add_test(puts, commit_without_etag);
  tcase_add_test(puts, commit_with_endless_etag);
  tcase_add_test(puts, commit_with_too_many_metadata);
  tcase_add_test(puts, commit_that_answers_nonsense);
  tcase_add_test(puts, commit_that_fails_is_the_plugins_own_word);
  tcase_add_test(puts, put_without_token);
  tcase_add_test(puts, put_with_endless_token);
  tcase_add_test(puts, put_without_instance);
  tcase_add_test(puts, put_open_may_be_repeated_and_write_not);
  tcase_add_test(puts, broken_storage_is_only_put_away);
  tcase_add_test(puts, nothing_else_of_a_broken_storage_is_called);
  TCase *gets = tcase_create("get");
  tcase_add_checked_fixture(gets, setup, teardown);
  tcase_add_test(gets, get_to_its_end);
  tcase_add_test(gets, get_that_ends_early);
  tcase_add_test(gets, get_that_does_not_end);
  tcase_add_test(gets, get_read_past_the_buffer);
  tcase_add_test(gets, get_read_that_fails_gives_nothing);
  tcase_add_test(gets, get_past_the_end);
  tcase_add_test(gets, get_that_is_not_there);
  tcase_add_test(gets, get_without_instance);
  TCase *questions = tcase_create("questions");
  tcase_add_checked_fixture(questions, setup, teardown);
  tcase_add_test(questions, stat_with_endless_metadata);
  tcase_add_test(questions, list_in_order);
  tcase_add_loop_test(questions, bad_list, 0, LENGTH(bad_lists));
  tcase_add_test(questions, list_of_endless_texts);
  tcase_add_test(questions, questions_pass_answers_on);
  tcase_add_test(questions, cancel_reaches_plugin_and_host);
  tcase_add_test(questions, open_gives_an_instance_or_an_error);
  suite_add_tcase(suite, puts);
  suite_add_tcase(suite, gets);
  suite_add_tcase(suite, questions);
  return unit_main(suite);
}
