/* The services that plugins get, from the plugin's side, and the note of running calls from the watchdog's. */
#include "core/base/clock.h"
#include "core/plugin/host.h"
#include "tests/unit/plugin/rig.h"

static struct rig_log log_lines;
static struct bo_plugin_host host;
static const struct bo_host *table;
static void *context;

static void setup(void) {
  rig_log_open(&log_lines);
  ck_assert_int_eq(bo_plugin_host_init(&host, &log_lines.log, "storage-x", NULL), BO_OK);
  table = &host.table;
  context = table->context;
}

static void teardown(void) {
  bo_plugin_host_destroy(&host);
  rig_log_close(&log_lines);
}

START_TEST(table_is_whole) {
  ck_assert_uint_eq(table->header.size, sizeof(struct bo_host));
  ck_assert_uint_eq(table->header.abi_major, BO_ABI_MAJOR);
  ck_assert_uint_eq(table->header.abi_minor, BO_ABI_MINOR);
  char *memory = table->alloc(context, 10);
  memory = table->realloc(context, memory, 1000);
  ck_assert_ptr_nonnull(memory);
  memory[999] = 1;
  table->free(context, memory);
  table->free(context, NULL);
  unsigned char bytes[1000] = {0}, zero[1000] = {0};
  ck_assert_int_eq(table->random(context, bytes, sizeof(bytes)), 0);
  ck_assert_mem_ne(bytes, zero, sizeof(bytes));
  uint64_t before = table->monotonic_ns(context);
  ck_assert_uint_ge(table->monotonic_ns(context), before);
}
END_TEST

START_TEST(sleep_lasts) {
  uint64_t begin = bo_monotonic_ms();
  ck_assert_int_eq(table->sleep_ms(context, 50), 0);
  ck_assert_uint_ge(bo_monotonic_ms() - begin, 50);
}
END_TEST

static void *sleep_long(void *slept) {
  *(int *)slept = table->sleep_ms(context, 60 * 60 * 1000);
  return NULL;
}

START_TEST(cancel_ends_a_sleep) {
  pthread_t thread;
  int slept = 0;
  ck_assert_int_eq(pthread_create(&thread, NULL, sleep_long, &slept), 0);
  (void)usleep(20000);
  ck_assert_int_eq(table->cancelled(context), 0);
  bo_plugin_host_cancel(&host);
  bo_plugin_host_cancel(&host);
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  ck_assert_int_ne(slept, 0);
  ck_assert_int_ne(table->cancelled(context), 0);
  ck_assert_int_ne(table->sleep_ms(context, 60 * 60 * 1000), 0);
}
END_TEST

START_TEST(log_is_one_safe_line) {
  table->log(context, BO_LOG_INFO, "first\nstorage-y: forged\r\x1b[2Jend");
  ck_assert_str_eq(bo_buffer_text(&log_lines.text), "storage-x: first storage-y: forgedend\n");
  bo_buffer_clear(&log_lines.text);
  char text[5000];
  memset(text, 'x', sizeof(text) - 1);
  text[sizeof(text) - 1] = '\0';
  table->log(context, 4711, text);
  ck_assert_uint_gt(log_lines.text.size, 1000);
  ck_assert_uint_lt(log_lines.text.size, 3000);
}
END_TEST

START_TEST(log_keeps_its_level) {
  log_lines.log.level = BO_LOG_WARNING;
  table->log(context, BO_LOG_INFO, "quiet");
  table->log(context, BO_LOG_WARNING, "loud");
  ck_assert_str_eq(bo_buffer_text(&log_lines.text), "storage-x: loud\n");
  host.log = NULL;
  table->log(context, BO_LOG_ERROR, "to nobody");
  bo_log_printf(NULL, BO_LOG_ERROR, "core", "to nobody");
}
END_TEST

START_TEST(running_call_is_noted) {
  const char *function = "something";
  ck_assert_uint_eq(bo_plugin_host_call_ms(&host, &function), 0);
  ck_assert_ptr_null(function);
  bo_plugin_host_enter(&host, "put_write");
  (void)usleep(5000);
  ck_assert_uint_ge(bo_plugin_host_call_ms(&host, &function), 5);
  ck_assert_str_eq(function, "put_write");
  bo_plugin_host_leave(&host);
  ck_assert_uint_eq(bo_plugin_host_call_ms(&host, &function), 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("host");
  TCase *services = tcase_create("services");
  tcase_add_checked_fixture(services, setup, teardown);
  tcase_add_test(services, table_is_whole);
  tcase_add_test(services, sleep_lasts);
  tcase_add_test(services, cancel_ends_a_sleep);
  tcase_add_test(services, log_is_one_safe_line);
  tcase_add_test(services, log_keeps_its_level);
  tcase_add_test(services, running_call_is_noted);
  suite_add_tcase(suite, services);
  return unit_main(suite);
}
