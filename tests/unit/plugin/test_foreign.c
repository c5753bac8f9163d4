/*
 * What a plugin says is foreign text, and what it opens may be another thing than was asked for: the checked calls let
 * neither through. The plugins here are tables in this file.
 */
#include "core/base/text.h"
#include "core/plugin/checked.h"
#include "tests/support/unit.h"

static int an_instance;
static const char *the_error;
static const char *the_etag;
static const char *the_token;
static int stdin_closed;

/* ---- a storage ---- */

static int storage_open(const struct bo_host *host, const struct bo_config *config, void **storage,
                        struct bo_error *error) {
  (void)host, (void)config, (void)error;
  *storage = &an_instance;
  return BO_OK;
}

static void do_nothing(void *instance) {
  (void)instance;
}

static int storage_probe(void *storage, uint32_t what, struct bo_error *error) {
  (void)storage, (void)what;
  memset(error->text, '\xff', sizeof(error->text)); /* stays so, without an end, when there is no text */
  if (the_error != NULL) (void)snprintf(error->text, sizeof(error->text), "%s", the_error);
  (void)snprintf(error->provider_code, sizeof(error->provider_code), "Slow\nDown");
  error->error_class = BO_CLASS_NETWORK;
  return BO_RETRY;
}

static int storage_put_open(void *storage, const char *key, const struct bo_put_options *options,
                            struct bo_token *token, void **put, struct bo_error *error) {
  (void)storage, (void)key, (void)options, (void)error;
  (void)snprintf(token->text, sizeof(token->text), "%s", the_token);
  *put = &an_instance;
  return BO_OK;
}

static int storage_put_close(void *put, struct bo_error *error) {
  (void)put, (void)error;
  return BO_OK;
}

static int storage_stat(void *storage, const char *key, struct bo_object *object, struct bo_error *error) {
  (void)storage, (void)key, (void)error;
  object->size_bytes = 10;
  (void)snprintf(object->etag, sizeof(object->etag), "%s", the_etag);
  return BO_OK;
}

static int storage_get_open(void *storage, const char *key, uint64_t offset_bytes, const char *if_match,
                            struct bo_object *object, void **get, struct bo_error *error) {
  (void)offset_bytes, (void)if_match;
  *get = &an_instance;
  return storage_stat(storage, key, object, error);
}

static struct bo_storage_operations storage_operations = {
    .open = storage_open,
    .close = do_nothing,
    .probe = storage_probe,
    .put_open = storage_put_open,
    .put_close = storage_put_close,
    .get_open = storage_get_open,
    .get_close = do_nothing,
    .stat = storage_stat,
};
static const struct bo_loaded_plugin storage_plugin = {
    .descriptor = {.kind = BO_KIND_STORAGE, .name = "foreign"},
    .operations = {.storage = &storage_operations},
};

static struct bo_storage storage;
static struct bo_error error;

static void open_storage(void) {
  the_error = "";
  the_etag = the_token = "fine";
  error = (struct bo_error)BO_ERROR_INIT;
  ck_assert_int_eq(bo_storage_open(&storage, &storage_plugin, NULL, NULL, &error), BO_OK);
}

static void close_storage(void) {
  bo_storage_close(&storage);
}

START_TEST(error_text_is_one_printable_line) {
  the_error = "no\nbackupctl: restored\x1b[2J \xff\x01";
  ck_assert_int_eq(bo_storage_probe(&storage, BO_PROBE_READ, &error), BO_RETRY);
  ck_assert_str_eq(error.text, "no backupctl: restored \xEF\xBF\xBD");
  ck_assert_str_eq(error.provider_code, "Slow Down");
  ck_assert_int_eq(error.error_class, BO_CLASS_NETWORK);
}
END_TEST

START_TEST(endless_error_text_is_cut_between_characters) {
  the_error = NULL; /* each byte becomes three */
  ck_assert_int_eq(bo_storage_probe(&storage, BO_PROBE_READ, &error), BO_RETRY);
  ck_assert_uint_eq(strlen(error.text), (sizeof(error.text) - 1) / 3 * 3);
  ck_assert(bo_is_utf8(error.text, strlen(error.text)));
}
END_TEST

START_TEST(only_control_characters_are_no_reason) {
  the_error = "\x01";
  ck_assert_int_eq(bo_storage_probe(&storage, BO_PROBE_READ, &error), BO_RETRY);
  ck_assert_ptr_nonnull(strstr(error.text, "without saying why"));
}
END_TEST

START_TEST(etag_that_is_no_plain_text_breaks_the_contract) {
  static const char *const etags[] = {"a\nb", "\xff", "\x7f"};
  struct bo_object object;
  the_etag = etags[_i];
  ck_assert_int_eq(bo_storage_stat(&storage, "k", &object, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_INTERNAL);
}
END_TEST

START_TEST(token_that_is_no_plain_text_breaks_the_contract) {
  struct bo_put put;
  struct bo_token token;
  struct bo_put_options options = {.header = BO_HEADER(struct bo_put_options)};
  the_token = "a\nb";
  ck_assert_int_eq(bo_put_open(&put, &storage, "k", &options, &token, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_INTERNAL);
  ck_assert_ptr_null(put.instance);
  ck_assert_str_eq(token.text, "");
}
END_TEST

START_TEST(get_of_another_object_breaks_the_contract) {
  struct bo_get get;
  struct bo_object object;
  ck_assert_int_eq(bo_get_open(&get, &storage, "k", 0, "fine", &object, &error), BO_OK);
  bo_get_close(&get);
  ck_assert_int_eq(bo_get_open(&get, &storage, "k", 0, "other", &object, &error), BO_ERROR);
  ck_assert_ptr_nonnull(strstr(error.text, "another etag"));
  ck_assert_ptr_null(get.instance);
}
END_TEST

/* ---- a platform ---- */

static int workload_start(void *platform, const struct bo_workload_spec *spec, void **workload, struct bo_error *why) {
  (void)platform, (void)spec, (void)why;
  *workload = &an_instance;
  return BO_OK;
}

static int exec_open(void *workload, const struct bo_exec_spec *spec, void **exec, struct bo_error *why) {
  (void)workload, (void)spec, (void)why;
  *exec = &an_instance;
  return BO_OK;
}

static int exec_write(void *exec, const void *bytes, size_t size, struct bo_error *why) {
  (void)exec, (void)bytes, (void)size, (void)why;
  return 42;
}

static int exec_close_stdin(void *exec, struct bo_error *why) {
  (void)exec, (void)why;
  stdin_closed++;
  return BO_OK;
}

static struct bo_platform_operations platform_operations = {
    .open = storage_open,
    .close = do_nothing,
    .workload_start = workload_start,
    .workload_close = do_nothing,
    .exec_open = exec_open,
    .exec_write = exec_write,
    .exec_close_stdin = exec_close_stdin,
    .exec_close = do_nothing,
};
static const struct bo_loaded_plugin platform_plugin = {
    .descriptor = {.kind = BO_KIND_PLATFORM, .name = "foreign"},
    .operations = {.platform = &platform_operations},
};

/* A clean end would tell the command that its input is complete. */
START_TEST(stdin_is_not_ended_after_a_broken_write) {
  static const char *const argv[] = {"cat", NULL};
  struct bo_platform platform;
  struct bo_workload workload;
  struct bo_exec exec;
  struct bo_workload_spec workload_spec = {.header = BO_HEADER(struct bo_workload_spec), .name = "w"};
  struct bo_exec_spec exec_spec = {
      .header = BO_HEADER(struct bo_exec_spec), .argv = argv, .direction = BO_EXEC_RESTORE};
  ck_assert_int_eq(bo_platform_open(&platform, &platform_plugin, NULL, NULL, &error), BO_OK);
  ck_assert_int_eq(bo_workload_start(&workload, &platform, &workload_spec, &error), BO_OK);
  ck_assert_int_eq(bo_exec_open(&exec, &workload, &exec_spec, &error), BO_OK);
  ck_assert_int_eq(bo_exec_write(&exec, "x", 1, &error), BO_ERROR);
  ck_assert_int_eq(bo_exec_close_stdin(&exec, &error), BO_ERROR);
  ck_assert_int_eq(stdin_closed, 0);
  bo_exec_close(&exec);
  bo_workload_close(&workload);
  bo_platform_close(&platform);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("foreign");
  TCase *cases = tcase_create("storage");
  tcase_add_checked_fixture(cases, open_storage, close_storage);
  tcase_add_test(cases, error_text_is_one_printable_line);
  tcase_add_test(cases, endless_error_text_is_cut_between_characters);
  tcase_add_test(cases, only_control_characters_are_no_reason);
  tcase_add_loop_test(cases, etag_that_is_no_plain_text_breaks_the_contract, 0, 3);
  tcase_add_test(cases, token_that_is_no_plain_text_breaks_the_contract);
  tcase_add_test(cases, get_of_another_object_breaks_the_contract);
  suite_add_tcase(suite, cases);
  cases = tcase_create("platform");
  tcase_add_test(cases, stdin_is_not_ended_after_a_broken_write);
  suite_add_tcase(suite, cases);
  return unit_main(suite);
}
