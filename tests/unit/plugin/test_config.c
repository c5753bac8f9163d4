#include "core/plugin/config.h"

#include "tests/unit/plugin/rig.h"

/* ---- single values ---- */

START_TEST(bool_is_as_go_parses_it) {
  static const struct {
    const char *text;
    int value; /* -1: none */
  } cases[] = {{"1", 1},     {"t", 1},      {"T", 1},     {"TRUE", 1},  {"true", 1},  {"True", 1}, {"0", 0},
               {"f", 0},     {"F", 0},      {"FALSE", 0}, {"false", 0}, {"False", 0}, {"", -1},    {"yes", -1},
               {"tRUE", -1}, {" true", -1}, {"on", -1},   {"2", -1},    {"true ", -1}};
  for (size_t i = 0; i < LENGTH(cases); i++) {
    bool value = false;
    ck_assert_int_eq(bo_parse_bool(cases[i].text, &value), cases[i].value >= 0);
    if (cases[i].value >= 0) ck_assert_int_eq(value, cases[i].value);
  }
}
END_TEST

START_TEST(size_has_units) {
  static const struct {
    const char *text;
    int64_t value; /* -1: none */
  } cases[] = {{"0", 0},
               {"4096", 4096},
               {"4096B", 4096},
               {"1k", 1000},
               {"2M", 2000000},
               {"5G", 5000000000},
               {"1T", 1000000000000},
               {"64KiB", 65536},
               {"64Ki", 65536},
               {"16MiB", 16777216},
               {"5GiB", 5368709120},
               {"5TiB", 5497558138880},
               {"8388607TiB", INT64_C(8388607) << 40},
               {"8388608TiB", -1}, /* 2^63 */
               {"9223372036854775807", INT64_MAX},
               {"9223372036854775808", -1},
               {"99999999999999999999999", -1},
               {"", -1},
               {"MiB", -1},
               {"-1", -1},
               {"+1", -1},
               {"1.5GiB", -1},
               {"1 MiB", -1},
               {" 1", -1},
               {"1mib", -1},
               {"0x10", -1}};
  for (size_t i = 0; i < LENGTH(cases); i++) {
    int64_t value = -1;
    bool good = bo_parse_size(cases[i].text, &value);
    ck_assert_msg(good == (cases[i].value >= 0), "%s", cases[i].text);
    if (good) ck_assert_int_eq(value, cases[i].value);
  }
}
END_TEST

START_TEST(seconds_have_units) {
  static const struct {
    const char *text;
    int64_t value;
  } cases[] = {{"90", 90},    {"90s", 90}, {"15m", 900}, {"2h", 7200}, {"1d", 86400}, {"0", 0},
               {"1h30m", -1}, {"-5s", -1}, {"1.5h", -1}, {"s", -1},    {"1w", -1},    {"106751991167301d", -1}};
  for (size_t i = 0; i < LENGTH(cases); i++) {
    int64_t value = -1;
    bool good = bo_parse_seconds(cases[i].text, &value);
    ck_assert_msg(good == (cases[i].value >= 0), "%s", cases[i].text);
    if (good) ck_assert_int_eq(value, cases[i].value);
  }
}
END_TEST

/* ---- whole configurations ---- */

enum { NAME, VERIFY, LEVEL, PART, WAIT, MODE, PASSWORD, IDENTITY, TAG, COUNT };
static const struct bo_param params[COUNT] = {
    [NAME] = {.key = "name",
              .type = BO_TYPE_STRING,
              .flags = BO_PARAM_REQUIRED,
              .minimum = 1,
              .maximum = 8,
              .description = "what it is called"},
    [VERIFY] = {.key = "verify", .type = BO_TYPE_BOOL, .default_value = "true", .description = "."},
    [LEVEL] = {.key = "level",
               .type = BO_TYPE_INTEGER,
               .default_value = "-1",
               .minimum = -2,
               .maximum = 9,
               .description = "."},
    [PART] = {.key = "partSize", .type = BO_TYPE_SIZE, .minimum = 4096, .maximum = 65536, .description = "."},
    [WAIT] = {.key = "timeout", .type = BO_TYPE_SECONDS, .default_value = "2m", .description = "."},
    [MODE] = {.key = "mode",
              .type = BO_TYPE_ENUM,
              .default_value = "fast",
              .choices = "slow|fast|faster",
              .description = "."},
    [PASSWORD] = {.key = "password",
                  .type = BO_TYPE_STRING,
                  .flags = BO_PARAM_SECRET,
                  .minimum = 4,
                  .maximum = 64,
                  .description = "."},
    [IDENTITY] = {.key = "identity",
                  .type = BO_TYPE_STRING,
                  .flags = BO_PARAM_SECRET | BO_PARAM_REPEATED,
                  .description = "."},
    [TAG] = {.key = "tag", .type = BO_TYPE_STRING, .flags = BO_PARAM_REPEATED, .description = "."},
};
static const struct bo_plugin descriptor = {.kind = BO_KIND_STORAGE, .name = "example", .param_count = COUNT};

#define MOST 6
struct given {
  struct bo_pair parameters[MOST];
  struct bo_secret secrets[MOST];
};

static int parse(const struct given *given, struct bo_parsed_config *config, struct bo_error *error) {
  size_t parameters = 0, secrets = 0;
  while (parameters < MOST && given->parameters[parameters].name != NULL)
    parameters++;
  while (secrets < MOST && given->secrets[secrets].name != NULL)
    secrets++;
  *error = (struct bo_error)BO_ERROR_INIT;
  return bo_config_parse(&descriptor, params, given->parameters, parameters, given->secrets, secrets, config, error);
}

#define SECRET(name, text) \
  { name, (const unsigned char *)(text), sizeof(text) - 1 }

START_TEST(values_are_typed_and_defaults_filled_in) {
  struct given given = {
      .parameters = {{"mode", "faster"}, {"name", "db"}, {"tag", "x"}, {"partSize", "64KiB"}, {"tag", "y"}},
      .secrets = {SECRET("identity", "one"), SECRET("other", "un\0used"), SECRET("identity", "two"),
                  SECRET("password", "hunter2")}};
  struct bo_parsed_config config;
  struct bo_error error;
  ck_assert_msg(parse(&given, &config, &error) == BO_OK, "%s", error.text);
  const struct bo_config *table = &config.table;
  ck_assert_uint_eq(table->header.size, sizeof(struct bo_config));
  ck_assert_uint_eq(table->value_count, COUNT);
  ck_assert_str_eq(table->values[NAME].string, "db");
  ck_assert_int_eq(table->values[VERIFY].integer, 1);
  ck_assert_int_eq(table->values[LEVEL].integer, -1);
  ck_assert_int_eq(table->values[PART].integer, 65536);
  ck_assert_str_eq(table->values[PART].string, "64KiB");
  ck_assert_int_eq(table->values[WAIT].integer, 120);
  ck_assert_int_eq(table->values[MODE].integer, 2);
  ck_assert_str_eq(table->values[PASSWORD].string, "hunter2");
  ck_assert_str_eq(table->values[IDENTITY].string, "one");
  ck_assert_str_eq(table->values[TAG].string, "x");
  ck_assert_uint_eq(table->repeated_count, 2);
  ck_assert_str_eq(table->repeated[1].name, "tag");
  ck_assert_str_eq(table->repeated[1].value, "y");
  ck_assert_uint_eq(table->secret_count, 4);
  ck_assert_uint_eq(table->secrets[1].size, 7);
  ck_assert_mem_eq(table->secrets[1].bytes, "un\0used", 8);
  ck_assert_str_eq((const char *)table->secrets[2].bytes, "two");
  bo_config_free(&config);
  ck_assert_ptr_null(config.table.values);
}
END_TEST

START_TEST(nothing_of_the_input_is_kept) {
  char name[] = "name", value[] = "db", secret[] = "password", bytes[] = "hunter2";
  struct given given = {.parameters = {{name, value}}, .secrets = {{secret, (unsigned char *)bytes, 7}}};
  struct bo_parsed_config config;
  struct bo_error error;
  ck_assert_int_eq(parse(&given, &config, &error), BO_OK);
  memset(value, 'x', 2);
  memset(secret, 'x', 8);
  memset(bytes, 'x', 7);
  ck_assert_str_eq(config.table.values[NAME].string, "db");
  ck_assert_str_eq(config.table.values[PASSWORD].string, "hunter2");
  ck_assert_str_eq(config.table.secrets[0].name, "password");
  ck_assert_int_eq(config.table.values[PART].is_set, 0);
  ck_assert_ptr_null(config.table.values[PART].string);
  bo_config_free(&config);
}
END_TEST

static const struct {
  struct given given;
  const char *said[3];
} wrong[] = {
    {{.parameters = {{"verify", "1"}}}, {"storage-example: ", "parameter name", "what it is called"}},
    {{.parameters = {{"name", ""}}}, {"name", "between 1 and 8"}},
    {{.parameters = {{"name", "123456789"}}}, {"name", "length", "between 1 and 8"}},
    {{.parameters = {{"name", "a"}, {"name", "b"}}}, {"name", "given twice"}},
    {{.parameters = {{"name", "a"}, {"verify", "yes"}}}, {"verify", "true or false"}},
    {{.parameters = {{"name", "a"}, {"level", "10"}}}, {"level", "between -2 and 9"}},
    {{.parameters = {{"name", "a"}, {"level", "-3"}}}, {"level", "between -2 and 9"}},
    {{.parameters = {{"name", "a"}, {"level", "six"}}}, {"level", "whole number"}},
    {{.parameters = {{"name", "a"}, {"level", "6 "}}}, {"level", "whole number"}},
    {{.parameters = {{"name", "a"}, {"partSize", "1KiB"}}}, {"partSize", "between 4096 and 65536"}},
    {{.parameters = {{"name", "a"}, {"partSize", "large"}}}, {"partSize", "size in bytes"}},
    {{.parameters = {{"name", "a"}, {"timeout", "soon"}}}, {"timeout", "15m"}},
    {{.parameters = {{"name", "a"}, {"mode", "fas"}}}, {"mode", "slow|fast|faster"}},
    {{.parameters = {{"name", "a"}, {"mode", "fast|faster"}}}, {"mode", "slow|fast|faster"}},
    {{.parameters = {{"name", "a"}, {"partsize", "8192"}}}, {"no parameter partsize", "did you mean partSize"}},
    {{.parameters = {{"nmae", "a"}}}, {"no parameter nmae", "did you mean name"}},
    {{.parameters = {{"pasword", "a"}}}, {"no parameter pasword: known are name"}},
    {{.parameters = {{"completelyDifferent", "a"}}}, {"no parameter completelyDifferent", "known are name, verify"}},
    {{.parameters = {{"name", "a"}, {"password", "hunter2"}}}, {"password", "is a secret", "under the name password"}},
    {{.parameters = {{"name", "a"}}, .secrets = {SECRET("password", "hun")}}, {"password", "between 4 and 64"}},
    {{.parameters = {{"name", "a"}}, .secrets = {SECRET("password", "hunter2"), SECRET("password", "hunter2")}},
     {"secret password", "given twice"}},
};

START_TEST(wrong_configuration_is_named) {
  struct bo_parsed_config config;
  struct bo_error error;
  ck_assert_int_eq(parse(&wrong[_i].given, &config, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_CONFIG);
  ck_assert_ptr_null(config.memory);
  for (size_t i = 0; i < LENGTH(wrong[_i].said) && wrong[_i].said[i] != NULL; i++)
    ck_assert_has(error.text, wrong[_i].said[i]);
  ck_assert_lacks(error.text, "hunter2");
  ck_assert_lacks(error.text, "hun ");
}
END_TEST

START_TEST(no_parameters_at_all) {
  struct bo_plugin bare = {.kind = BO_KIND_COMPRESS, .name = "bare"};
  struct bo_parsed_config config;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(bo_config_parse(&bare, NULL, NULL, 0, NULL, 0, &config, &error), BO_OK);
  ck_assert_uint_eq(config.table.value_count, 0);
  bo_config_free(&config);
  struct bo_pair pair = {"level", "1"};
  ck_assert_int_eq(bo_config_parse(&bare, NULL, &pair, 1, NULL, 0, &config, &error), BO_ERROR);
  ck_assert_has(error.text, "compress-bare: there is no parameter level: this plugin has none");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("config");
  TCase *values = tcase_create("values");
  tcase_add_test(values, bool_is_as_go_parses_it);
  tcase_add_test(values, size_has_units);
  tcase_add_test(values, seconds_have_units);
  TCase *whole = tcase_create("whole");
  tcase_add_test(whole, values_are_typed_and_defaults_filled_in);
  tcase_add_test(whole, nothing_of_the_input_is_kept);
  tcase_add_loop_test(whole, wrong_configuration_is_named, 0, LENGTH(wrong));
  tcase_add_test(whole, no_parameters_at_all);
  suite_add_tcase(suite, values);
  suite_add_tcase(suite, whole);
  return unit_main(suite);
}
