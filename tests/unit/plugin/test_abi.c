/*
 * The shape of ABI 0.1 on 64-bit Linux: every table that crosses the line between host and plugin. Once the major is 1,
 * a line here never changes; a new version appends fields and gets lines of its own.
 */
#include <backup-operator/plugin.h>

#include "tests/support/unit.h"

struct shape {
  const char *what;
  size_t is;
  size_t wanted;
};

#define SIZE(type, wanted) \
  { "sizeof " #type, sizeof(struct type), wanted }
#define AT(type, member, wanted) \
  { #type "." #member, offsetof(struct type, member), wanted }

static const struct shape shapes[] = {
    SIZE(bo_header, 8),
    AT(bo_header, size, 0),
    AT(bo_header, abi_major, 4),
    AT(bo_header, abi_minor, 6),
    SIZE(bo_error, 1100),
    AT(bo_error, size, 0),
    AT(bo_error, error_class, 4),
    AT(bo_error, code, 8),
    AT(bo_error, provider_code, 12),
    AT(bo_error, text, 76),
    SIZE(bo_host, 88),
    AT(bo_host, header, 0),
    AT(bo_host, features, 8),
    AT(bo_host, context, 16),
    AT(bo_host, alloc, 24),
    AT(bo_host, realloc, 32),
    AT(bo_host, free, 40),
    AT(bo_host, log, 48),
    AT(bo_host, cancelled, 56),
    AT(bo_host, sleep_ms, 64),
    AT(bo_host, monotonic_ns, 72),
    AT(bo_host, random, 80),
    SIZE(bo_param, 56),
    AT(bo_param, key, 0),
    AT(bo_param, type, 8),
    AT(bo_param, flags, 12),
    AT(bo_param, default_value, 16),
    AT(bo_param, minimum, 24),
    AT(bo_param, maximum, 32),
    AT(bo_param, choices, 40),
    AT(bo_param, description, 48),
    SIZE(bo_value, 24),
    AT(bo_value, is_set, 0),
    AT(bo_value, reserved, 4),
    AT(bo_value, integer, 8),
    AT(bo_value, string, 16),
    SIZE(bo_secret, 24),
    AT(bo_secret, name, 0),
    AT(bo_secret, bytes, 8),
    AT(bo_secret, size, 16),
    SIZE(bo_pair, 16),
    AT(bo_pair, name, 0),
    AT(bo_pair, value, 8),
    SIZE(bo_config, 48),
    AT(bo_config, header, 0),
    AT(bo_config, values, 8),
    AT(bo_config, value_count, 16),
    AT(bo_config, secret_count, 20),
    AT(bo_config, secrets, 24),
    AT(bo_config, repeated, 32),
    AT(bo_config, repeated_count, 40),
    AT(bo_config, reserved, 44),
    SIZE(bo_plugin, 96),
    AT(bo_plugin, header, 0),
    AT(bo_plugin, required_features, 8),
    AT(bo_plugin, kind, 16),
    AT(bo_plugin, capabilities, 20),
    AT(bo_plugin, name, 24),
    AT(bo_plugin, version, 32),
    AT(bo_plugin, license, 40),
    AT(bo_plugin, origin, 48),
    AT(bo_plugin, description, 56),
    AT(bo_plugin, threads, 64),
    AT(bo_plugin, param_count, 68),
    AT(bo_plugin, param_size, 72),
    AT(bo_plugin, reserved, 76),
    AT(bo_plugin, params, 80),
    AT(bo_plugin, operations, 88),
    SIZE(bo_input, 24),
    AT(bo_input, bytes, 0),
    AT(bo_input, size, 8),
    AT(bo_input, position, 16),
    SIZE(bo_output, 24),
    AT(bo_output, bytes, 0),
    AT(bo_output, size, 8),
    AT(bo_output, position, 16),
    SIZE(bo_transform_operations, 40),
    AT(bo_transform_operations, header, 0),
    AT(bo_transform_operations, open, 8),
    AT(bo_transform_operations, process, 16),
    AT(bo_transform_operations, close, 24),
    AT(bo_transform_operations, memory_bytes, 32),
    SIZE(bo_token, 1024),
    AT(bo_token, text, 0),
    SIZE(bo_metadata, 320),
    AT(bo_metadata, name, 0),
    AT(bo_metadata, value, 64),
    SIZE(bo_object, 5656),
    AT(bo_object, size, 0),
    AT(bo_object, metadata_count, 4),
    AT(bo_object, size_bytes, 8),
    AT(bo_object, modified_unix_ms, 16),
    AT(bo_object, etag, 24),
    AT(bo_object, version, 280),
    AT(bo_object, metadata, 536),
    SIZE(bo_put_options, 32),
    AT(bo_put_options, header, 0),
    AT(bo_put_options, metadata, 8),
    AT(bo_put_options, metadata_count, 16),
    AT(bo_put_options, reserved, 20),
    AT(bo_put_options, size_hint_bytes, 24),
    SIZE(bo_storage_operations, 144),
    AT(bo_storage_operations, header, 0),
    AT(bo_storage_operations, open, 8),
    AT(bo_storage_operations, close, 16),
    AT(bo_storage_operations, cancel, 24),
    AT(bo_storage_operations, probe, 32),
    AT(bo_storage_operations, put_open, 40),
    AT(bo_storage_operations, put_write, 48),
    AT(bo_storage_operations, put_commit, 56),
    AT(bo_storage_operations, put_close, 64),
    AT(bo_storage_operations, discard, 72),
    AT(bo_storage_operations, get_open, 80),
    AT(bo_storage_operations, get_read, 88),
    AT(bo_storage_operations, get_close, 96),
    AT(bo_storage_operations, stat, 104),
    AT(bo_storage_operations, list, 112),
    AT(bo_storage_operations, remove, 120),
    AT(bo_storage_operations, sweep, 128),
    AT(bo_storage_operations, memory_bytes, 136),
    SIZE(bo_workload_spec, 48),
    AT(bo_workload_spec, header, 0),
    AT(bo_workload_spec, namespace_name, 8),
    AT(bo_workload_spec, name, 16),
    AT(bo_workload_spec, uid, 24),
    AT(bo_workload_spec, template_json, 32),
    AT(bo_workload_spec, start_deadline_ms, 40),
    AT(bo_workload_spec, reserved, 44),
    SIZE(bo_workload_state, 776),
    AT(bo_workload_state, size, 0),
    AT(bo_workload_state, phase, 4),
    AT(bo_workload_state, name, 8),
    AT(bo_workload_state, reason, 264),
    SIZE(bo_exec_spec, 48),
    AT(bo_exec_spec, header, 0),
    AT(bo_exec_spec, container, 8),
    AT(bo_exec_spec, argv, 16),
    AT(bo_exec_spec, direction, 24),
    AT(bo_exec_spec, reserved, 28),
    AT(bo_exec_spec, on_stderr, 32),
    AT(bo_exec_spec, context, 40),
    SIZE(bo_exit, 24),
    AT(bo_exit, size, 0),
    AT(bo_exit, kind, 4),
    AT(bo_exit, code, 8),
    AT(bo_exit, reserved, 12),
    AT(bo_exit, unread_bytes, 16),
    SIZE(bo_platform_operations, 176),
    AT(bo_platform_operations, header, 0),
    AT(bo_platform_operations, open, 8),
    AT(bo_platform_operations, close, 16),
    AT(bo_platform_operations, cancel, 24),
    AT(bo_platform_operations, workload_start, 32),
    AT(bo_platform_operations, workload_state, 40),
    AT(bo_platform_operations, workload_stop, 48),
    AT(bo_platform_operations, workload_close, 56),
    AT(bo_platform_operations, exec_open, 64),
    AT(bo_platform_operations, exec_read, 72),
    AT(bo_platform_operations, exec_write, 80),
    AT(bo_platform_operations, exec_close_stdin, 88),
    AT(bo_platform_operations, exec_wait, 96),
    AT(bo_platform_operations, exec_cancel, 104),
    AT(bo_platform_operations, exec_close, 112),
    AT(bo_platform_operations, object_watch, 120),
    AT(bo_platform_operations, object_get, 128),
    AT(bo_platform_operations, object_create, 136),
    AT(bo_platform_operations, object_delete, 144),
    AT(bo_platform_operations, object_patch, 152),
    AT(bo_platform_operations, event_record, 160),
    AT(bo_platform_operations, lease_acquire, 168),
};

START_TEST(tables_keep_their_shape) {
  for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
    ck_assert_msg(shapes[i].is == shapes[i].wanted, "%s is %zu, but version 0.1 has %zu", shapes[i].what, shapes[i].is,
                  shapes[i].wanted);
}
END_TEST

/* What a table begins with must be at the same place in every version, or a mismatch could not be told. */
START_TEST(every_table_begins_with_its_header) {
  ck_assert_uint_eq(offsetof(struct bo_host, header), 0);
  ck_assert_uint_eq(offsetof(struct bo_plugin, header), 0);
  ck_assert_uint_eq(offsetof(struct bo_config, header), 0);
  ck_assert_uint_eq(offsetof(struct bo_storage_operations, header), 0);
  ck_assert_uint_eq(offsetof(struct bo_transform_operations, header), 0);
  ck_assert_uint_eq(offsetof(struct bo_platform_operations, header), 0);
  struct bo_header header = BO_HEADER(struct bo_plugin);
  ck_assert_uint_eq(header.size, sizeof(struct bo_plugin));
  ck_assert_uint_eq(header.abi_major, 0);
  ck_assert_uint_eq(header.abi_minor, 1);
}
END_TEST

/* The numbers are in plugins that nobody can compile again. */
START_TEST(numbers_keep_their_meaning) {
  static const int results[] = {BO_OK, BO_RETRY, BO_ERROR, BO_AGAIN, BO_NEED_INPUT, BO_DONE};
  for (int i = 0; i < 6; i++)
    ck_assert_int_eq(results[i], i);
  static const int classes[] = {BO_CLASS_NONE,        BO_CLASS_CONFIG,    BO_CLASS_AUTH,    BO_CLASS_NOT_FOUND,
                                BO_CLASS_EXISTS,      BO_CLASS_CONFLICT,  BO_CLASS_CORRUPT, BO_CLASS_NO_SPACE,
                                BO_CLASS_NO_MEMORY,   BO_CLASS_IO,        BO_CLASS_NETWORK, BO_CLASS_TIMEOUT,
                                BO_CLASS_CANCELLED,   BO_CLASS_UNDECIDED, BO_CLASS_COMMAND, BO_CLASS_PROTOCOL,
                                BO_CLASS_UNSUPPORTED, BO_CLASS_INTERNAL};
  for (int i = 0; i < (int)(sizeof(classes) / sizeof(classes[0])); i++)
    ck_assert_int_eq(classes[i], i);
  static const int kinds[] = {0, BO_KIND_STORAGE, BO_KIND_COMPRESS, BO_KIND_CRYPT, BO_KIND_PLATFORM};
  for (int i = 1; i < 5; i++)
    ck_assert_int_eq(kinds[i], i);
  static const int types[] = {0,           BO_TYPE_STRING, BO_TYPE_BOOL, BO_TYPE_INTEGER, BO_TYPE_SIZE, BO_TYPE_SECONDS,
                              BO_TYPE_ENUM};
  for (int i = 1; i < 7; i++)
    ck_assert_int_eq(types[i], i);
  ck_assert_int_eq(BO_ENCODE, 1);
  ck_assert_int_eq(BO_DECODE, 2);
  ck_assert_int_eq(BO_CONTINUE, 0);
  ck_assert_int_eq(BO_FLUSH, 1);
  ck_assert_int_eq(BO_END, 2);
  ck_assert_int_eq(BO_EXEC_BACKUP, 1);
  ck_assert_int_eq(BO_EXEC_RESTORE, 2);
  ck_assert_int_eq(BO_EXIT_STATUS, 1);
  ck_assert_int_eq(BO_EXIT_SIGNAL, 2);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("abi");
  TCase *cases = tcase_create("abi");
  tcase_add_test(cases, tables_keep_their_shape);
  tcase_add_test(cases, every_table_begins_with_its_header);
  tcase_add_test(cases, numbers_keep_their_meaning);
  suite_add_tcase(suite, cases);
  return unit_main(suite);
}
