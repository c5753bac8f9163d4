/*
 * The shape of the ABI as it was released: if this does not compile, plugins that people have do not work any more.
 * Version 0.1, for machines with 64-bit pointers. While the major is 0 a change here needs a new minor; from 1 on
 * lines are only added.
 */
#include <backup-operator/plugin.h>

#include "tests/support/unit.h"

#define SIZE(table, bytes) _Static_assert(sizeof(struct table) == (bytes), "the size of struct " #table)
#define FIELD(table, field, at) \
  _Static_assert(offsetof(struct table, field) == (at), "the place of " #field " in struct " #table)

_Static_assert(BO_ABI_MAJOR == 0 && BO_ABI_MINOR == 1, "this is the shape of 0.1");

#if __SIZEOF_POINTER__ == 8
SIZE(bo_header, 8);
FIELD(bo_header, size, 0);
FIELD(bo_header, abi_major, 4);
FIELD(bo_header, abi_minor, 6);
SIZE(bo_error, 1100);
FIELD(bo_error, size, 0);
FIELD(bo_error, error_class, 4);
FIELD(bo_error, code, 8);
FIELD(bo_error, provider_code, 12);
FIELD(bo_error, text, 76);
SIZE(bo_host, 88);
FIELD(bo_host, header, 0);
FIELD(bo_host, features, 8);
FIELD(bo_host, context, 16);
FIELD(bo_host, alloc, 24);
FIELD(bo_host, realloc, 32);
FIELD(bo_host, free, 40);
FIELD(bo_host, log, 48);
FIELD(bo_host, cancelled, 56);
FIELD(bo_host, sleep_ms, 64);
FIELD(bo_host, monotonic_ns, 72);
FIELD(bo_host, random, 80);
SIZE(bo_param, 56);
FIELD(bo_param, key, 0);
FIELD(bo_param, type, 8);
FIELD(bo_param, flags, 12);
FIELD(bo_param, default_value, 16);
FIELD(bo_param, minimum, 24);
FIELD(bo_param, maximum, 32);
FIELD(bo_param, choices, 40);
FIELD(bo_param, description, 48);
SIZE(bo_value, 24);
FIELD(bo_value, is_set, 0);
FIELD(bo_value, reserved, 4);
FIELD(bo_value, integer, 8);
FIELD(bo_value, string, 16);
SIZE(bo_secret, 24);
FIELD(bo_secret, name, 0);
FIELD(bo_secret, bytes, 8);
FIELD(bo_secret, size, 16);
SIZE(bo_pair, 16);
FIELD(bo_pair, name, 0);
FIELD(bo_pair, value, 8);
SIZE(bo_config, 48);
FIELD(bo_config, header, 0);
FIELD(bo_config, values, 8);
FIELD(bo_config, value_count, 16);
FIELD(bo_config, secret_count, 20);
FIELD(bo_config, secrets, 24);
FIELD(bo_config, repeated, 32);
FIELD(bo_config, repeated_count, 40);
FIELD(bo_config, reserved, 44);
SIZE(bo_plugin, 96);
FIELD(bo_plugin, header, 0);
FIELD(bo_plugin, required_features, 8);
FIELD(bo_plugin, kind, 16);
FIELD(bo_plugin, capabilities, 20);
FIELD(bo_plugin, name, 24);
FIELD(bo_plugin, version, 32);
FIELD(bo_plugin, license, 40);
FIELD(bo_plugin, origin, 48);
FIELD(bo_plugin, description, 56);
FIELD(bo_plugin, threads, 64);
FIELD(bo_plugin, param_count, 68);
FIELD(bo_plugin, param_size, 72);
FIELD(bo_plugin, reserved, 76);
FIELD(bo_plugin, params, 80);
FIELD(bo_plugin, operations, 88);
SIZE(bo_token, 1024);
FIELD(bo_token, text, 0);
SIZE(bo_metadata, 320);
FIELD(bo_metadata, name, 0);
FIELD(bo_metadata, value, 64);
SIZE(bo_object, 5656);
FIELD(bo_object, size, 0);
FIELD(bo_object, metadata_count, 4);
FIELD(bo_object, size_bytes, 8);
FIELD(bo_object, modified_unix_ms, 16);
FIELD(bo_object, etag, 24);
FIELD(bo_object, version, 280);
FIELD(bo_object, metadata, 536);
SIZE(bo_put_options, 32);
FIELD(bo_put_options, header, 0);
FIELD(bo_put_options, metadata, 8);
FIELD(bo_put_options, metadata_count, 16);
FIELD(bo_put_options, reserved, 20);
FIELD(bo_put_options, size_hint_bytes, 24);
SIZE(bo_storage_operations, 144);
FIELD(bo_storage_operations, header, 0);
FIELD(bo_storage_operations, open, 8);
FIELD(bo_storage_operations, close, 16);
FIELD(bo_storage_operations, cancel, 24);
FIELD(bo_storage_operations, probe, 32);
FIELD(bo_storage_operations, put_open, 40);
FIELD(bo_storage_operations, put_write, 48);
FIELD(bo_storage_operations, put_commit, 56);
FIELD(bo_storage_operations, put_close, 64);
FIELD(bo_storage_operations, discard, 72);
FIELD(bo_storage_operations, get_open, 80);
FIELD(bo_storage_operations, get_read, 88);
FIELD(bo_storage_operations, get_close, 96);
FIELD(bo_storage_operations, stat, 104);
FIELD(bo_storage_operations, list, 112);
FIELD(bo_storage_operations, remove, 120);
FIELD(bo_storage_operations, sweep, 128);
FIELD(bo_storage_operations, memory_bytes, 136);
SIZE(bo_input, 24);
FIELD(bo_input, bytes, 0);
FIELD(bo_input, size, 8);
FIELD(bo_input, position, 16);
SIZE(bo_output, 24);
FIELD(bo_output, bytes, 0);
FIELD(bo_output, size, 8);
FIELD(bo_output, position, 16);
SIZE(bo_transform_operations, 40);
FIELD(bo_transform_operations, header, 0);
FIELD(bo_transform_operations, open, 8);
FIELD(bo_transform_operations, process, 16);
FIELD(bo_transform_operations, close, 24);
FIELD(bo_transform_operations, memory_bytes, 32);
SIZE(bo_workload_spec, 48);
FIELD(bo_workload_spec, header, 0);
FIELD(bo_workload_spec, namespace_name, 8);
FIELD(bo_workload_spec, name, 16);
FIELD(bo_workload_spec, uid, 24);
FIELD(bo_workload_spec, template_json, 32);
FIELD(bo_workload_spec, start_deadline_ms, 40);
FIELD(bo_workload_spec, reserved, 44);
SIZE(bo_workload_state, 776);
FIELD(bo_workload_state, size, 0);
FIELD(bo_workload_state, phase, 4);
FIELD(bo_workload_state, name, 8);
FIELD(bo_workload_state, reason, 264);
SIZE(bo_exec_spec, 48);
FIELD(bo_exec_spec, header, 0);
FIELD(bo_exec_spec, container, 8);
FIELD(bo_exec_spec, argv, 16);
FIELD(bo_exec_spec, direction, 24);
FIELD(bo_exec_spec, reserved, 28);
FIELD(bo_exec_spec, on_stderr, 32);
FIELD(bo_exec_spec, context, 40);
SIZE(bo_exit, 24);
FIELD(bo_exit, size, 0);
FIELD(bo_exit, kind, 4);
FIELD(bo_exit, code, 8);
FIELD(bo_exit, reserved, 12);
FIELD(bo_exit, unread_bytes, 16);
SIZE(bo_platform_operations, 176);
FIELD(bo_platform_operations, header, 0);
FIELD(bo_platform_operations, open, 8);
FIELD(bo_platform_operations, close, 16);
FIELD(bo_platform_operations, cancel, 24);
FIELD(bo_platform_operations, workload_start, 32);
FIELD(bo_platform_operations, workload_state, 40);
FIELD(bo_platform_operations, workload_stop, 48);
FIELD(bo_platform_operations, workload_close, 56);
FIELD(bo_platform_operations, exec_open, 64);
FIELD(bo_platform_operations, exec_read, 72);
FIELD(bo_platform_operations, exec_write, 80);
FIELD(bo_platform_operations, exec_close_stdin, 88);
FIELD(bo_platform_operations, exec_wait, 96);
FIELD(bo_platform_operations, exec_cancel, 104);
FIELD(bo_platform_operations, exec_close, 112);
FIELD(bo_platform_operations, object_watch, 120);
FIELD(bo_platform_operations, object_get, 128);
FIELD(bo_platform_operations, object_create, 136);
FIELD(bo_platform_operations, object_delete, 144);
FIELD(bo_platform_operations, object_patch, 152);
FIELD(bo_platform_operations, event_record, 160);
FIELD(bo_platform_operations, lease_acquire, 168);
#endif

/* ---- numbers are part of it, too ---- */

static const struct {
  int is, was;
} numbers[] = {
    {BO_OK, 0},
    {BO_RETRY, 1},
    {BO_ERROR, 2},
    {BO_AGAIN, 3},
    {BO_NEED_INPUT, 4},
    {BO_DONE, 5},
    {BO_CLASS_NONE, 0},
    {BO_CLASS_CONFIG, 1},
    {BO_CLASS_AUTH, 2},
    {BO_CLASS_NOT_FOUND, 3},
    {BO_CLASS_EXISTS, 4},
    {BO_CLASS_CONFLICT, 5},
    {BO_CLASS_CORRUPT, 6},
    {BO_CLASS_NO_SPACE, 7},
    {BO_CLASS_NO_MEMORY, 8},
    {BO_CLASS_IO, 9},
    {BO_CLASS_NETWORK, 10},
    {BO_CLASS_TIMEOUT, 11},
    {BO_CLASS_CANCELLED, 12},
    {BO_CLASS_UNDECIDED, 13},
    {BO_CLASS_COMMAND, 14},
    {BO_CLASS_PROTOCOL, 15},
    {BO_CLASS_UNSUPPORTED, 16},
    {BO_CLASS_INTERNAL, 17},
    {BO_LOG_DEBUG, 0},
    {BO_LOG_ERROR, 3},
    {BO_TYPE_STRING, 1},
    {BO_TYPE_BOOL, 2},
    {BO_TYPE_INTEGER, 3},
    {BO_TYPE_SIZE, 4},
    {BO_TYPE_SECONDS, 5},
    {BO_TYPE_ENUM, 6},
    {BO_PARAM_REQUIRED, 1},
    {BO_PARAM_SECRET, 2},
    {BO_PARAM_REPEATED, 4},
    {BO_KIND_STORAGE, 1},
    {BO_KIND_COMPRESS, 2},
    {BO_KIND_CRYPT, 3},
    {BO_KIND_PLATFORM, 4},
    {BO_ENCODE, 1},
    {BO_DECODE, 2},
    {BO_CONTINUE, 0},
    {BO_FLUSH, 1},
    {BO_END, 2},
    {BO_PROBE_READ, 1},
    {BO_PROBE_WRITE, 2},
    {BO_CAN_OBJECTS, 1},
    {BO_WORKLOAD_STARTING, 1},
    {BO_WORKLOAD_READY, 2},
    {BO_WORKLOAD_ENDED, 3},
    {BO_WORKLOAD_LOST, 4},
    {BO_EXEC_BACKUP, 1},
    {BO_EXEC_RESTORE, 2},
    {BO_EXIT_STATUS, 1},
    {BO_EXIT_SIGNAL, 2},
    {BO_WATCH_ADDED, 1},
    {BO_WATCH_MODIFIED, 2},
    {BO_WATCH_DELETED, 3},
    {BO_WATCH_SYNCED, 4},
};

START_TEST(numbers_are_as_released) {
  for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
    ck_assert_int_eq(numbers[i].is, numbers[i].was);
}
END_TEST

START_TEST(long_error_is_cut_and_ends) {
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_error_set(&error, BO_CLASS_IO, 5, "%02000d", 7), BO_ERROR);
  ck_assert_uint_eq(strlen(error.text), sizeof(error.text) - 1);
  ck_assert_int_eq(bo_error_set(NULL, BO_CLASS_IO, 5, "to nobody"), BO_ERROR);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("abi");
  TCase *shape = tcase_create("shape");
  tcase_add_test(shape, numbers_are_as_released);
  tcase_add_test(shape, long_error_is_cut_and_ends);
  suite_add_tcase(suite, shape);
  return unit_main(suite);
}
