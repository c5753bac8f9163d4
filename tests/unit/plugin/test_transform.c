/* The checked calls of transforms: the example plugin as it should be, and scripted answers that break the contract. */
#include "tests/unit/plugin/rig.h"

/* ---- the example plugin, through the wrapper ---- */

/* Runs all of `in` through an instance, with an output of `room` bytes and input in steps of `step`. */
static int run(const char *file, int kind, int direction, const struct bo_secret *secret, const void *in, size_t size,
               size_t step, size_t room, struct bo_buffer *result, struct bo_error *error) {
  struct bo_loaded_plugin *plugin = rig_load(file, kind, NULL, NULL);
  struct bo_parsed_config config;
  ck_assert_int_eq(
      bo_config_parse(&plugin->descriptor, plugin->params, NULL, 0, secret, secret == NULL ? 0 : 1, &config, error),
      BO_OK);
  struct bo_transform transform;
  ck_assert_int_eq(bo_transform_open(&transform, plugin, direction, &config.table, NULL, error), BO_OK);
  unsigned char bytes[512];
  ck_assert_uint_le(room, sizeof(bytes));
  size_t given = 0;
  int answer = BO_NEED_INPUT;
  while (answer == BO_NEED_INPUT || answer == BO_AGAIN) {
    size_t part = size - given < step ? size - given : step;
    struct bo_input input = {(const unsigned char *)in + given, part, 0};
    int mode = given + part == size ? BO_END : BO_CONTINUE;
    do {
      struct bo_output output = {bytes, room, 0};
      answer = bo_transform_process(&transform, &input, &output, mode, error);
      ck_assert(bo_buffer_append(result, bytes, output.position));
    } while (answer == BO_AGAIN);
    given += part;
  }
  bo_transform_close(&transform);
  bo_transform_close(&transform);
  bo_config_free(&config);
  bo_plugin_unload(plugin);
  return answer;
}

static const char plain[] = "aaaaaaaaaaaaaaaaaaaaaaaabcddddddddd\0\0\0\0\0\0x";

START_TEST(example_goes_round_in_every_split) {
  static const size_t sizes[] = {1, 2, 3, 7, 512};
  struct bo_secret key = {"key", (const unsigned char *)"\x5a", 1};
  struct bo_secret *secret = _i == 0 ? NULL : &key;
  const char *file = _i == 0 ? "compress-rle.so" : "crypt-example.so";
  int kind = _i == 0 ? BO_KIND_COMPRESS : BO_KIND_CRYPT;
  for (size_t i = 0; i < LENGTH(sizes); i++)
    for (size_t j = 0; j < LENGTH(sizes); j++) {
      BO_CLEANUP_BUFFER struct bo_buffer stored = BO_BUFFER_INIT, back = BO_BUFFER_INIT;
      struct bo_error error = BO_ERROR_INIT;
      ck_assert_int_eq(run(file, kind, BO_ENCODE, secret, plain, sizeof(plain), sizes[i], sizes[j], &stored, &error),
                       BO_DONE);
      ck_assert_msg(
          run(file, kind, BO_DECODE, secret, stored.bytes, stored.size, sizes[j], sizes[i], &back, &error) == BO_DONE,
          "%s", error.text);
      ck_assert_uint_eq(back.size, sizeof(plain));
      ck_assert_mem_eq(back.bytes, plain, sizeof(plain));
    }
}
END_TEST

/* What docs/plugin-abi.md says of the example. */
START_TEST(example_notices_all_damage) {
  BO_CLEANUP_BUFFER struct bo_buffer stored = BO_BUFFER_INIT, back = BO_BUFFER_INIT;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(
      run("compress-rle.so", BO_KIND_COMPRESS, BO_ENCODE, NULL, plain, sizeof(plain), 512, 512, &stored, &error),
      BO_DONE);
  for (size_t cut = 0; cut < stored.size; cut++)
    ck_assert_int_eq(run("compress-rle.so", BO_KIND_COMPRESS, BO_DECODE, NULL, stored.bytes, cut, 5, 9, &back, &error),
                     BO_ERROR);
  for (size_t bit = 0; bit < 8 * stored.size; bit++) {
    stored.bytes[bit / 8] = (char)(stored.bytes[bit / 8] ^ (1 << bit % 8));
    ck_assert_int_eq(
        run("compress-rle.so", BO_KIND_COMPRESS, BO_DECODE, NULL, stored.bytes, stored.size, 512, 512, &back, &error),
        BO_ERROR);
    ck_assert_int_eq(error.error_class, BO_CLASS_CORRUPT);
    stored.bytes[bit / 8] = (char)(stored.bytes[bit / 8] ^ (1 << bit % 8));
  }
  ck_assert(bo_buffer_append(&stored, "\0", 1));
  ck_assert_int_eq(
      run("compress-rle.so", BO_KIND_COMPRESS, BO_DECODE, NULL, stored.bytes, stored.size, 512, 512, &back, &error),
      BO_ERROR);
  ck_assert_has(error.text, "something follows");
}
END_TEST

/* ---- a scripted plugin ---- */

/* What process does next. */
static struct {
  int result;
  size_t in, out;
  bool change_size;
  int error_class;
  const char *text;
  bool no_instance;
  int open_result;
  unsigned closes;
} script;

static int scripted_open(const struct bo_host *host, int direction, const struct bo_config *config, void **instance,
                         struct bo_error *error) {
  (void)host, (void)direction, (void)config, (void)error;
  *instance = script.no_instance ? NULL : &script;
  return script.open_result;
}

static int scripted_process(void *instance, struct bo_input *in, struct bo_output *out, int mode,
                            struct bo_error *error) {
  (void)instance, (void)mode;
  in->position = script.in;
  out->position = script.out;
  if (script.change_size) out->size++;
  error->error_class = script.error_class;
  if (script.text != NULL) (void)snprintf(error->text, sizeof(error->text), "%s", script.text);
  return script.result;
}

static void scripted_close(void *instance) {
  ck_assert_ptr_eq(instance, &script);
  script.closes++;
}

static struct bo_transform_operations operations = {
    .open = scripted_open, .process = scripted_process, .close = scripted_close};
static const struct bo_loaded_plugin scripted = {.descriptor = {.kind = BO_KIND_COMPRESS, .name = "scripted"},
                                                 .operations.transform = &operations};
static const struct bo_config no_config = {.header = BO_HEADER(struct bo_config)};

/* One call with 10 bytes of input from position 2, and 20 of room from position 4. */
static int call(int mode, struct bo_output *out, struct bo_error *error) {
  struct bo_transform transform;
  ck_assert_int_eq(bo_transform_open(&transform, &scripted, BO_ENCODE, &no_config, NULL, error), BO_OK);
  static unsigned char bytes[32];
  struct bo_input in = {bytes, 10, 2};
  *out = (struct bo_output){bytes, 20, 4};
  int result = bo_transform_process(&transform, &in, out, mode, error);
  bool is_error = result == BO_ERROR;
  ck_assert_int_eq(transform.broken, is_error);
  ck_assert_int_eq(transform.done, result == BO_DONE);
  bo_transform_close(&transform);
  return result;
}

static const struct {
  int result;
  int mode;
  size_t in, out;
  bool change_size;
  const char *said;
} broken[] = {
    {BO_AGAIN, BO_CONTINUE, 11, 5, false, "in.position at 11 of 10"},
    {BO_AGAIN, BO_CONTINUE, 1, 5, false, "in.position at 1 of 10"},
    {BO_AGAIN, BO_CONTINUE, 3, 21, false, "out.position at 21 of 20"},
    {BO_AGAIN, BO_CONTINUE, 3, 3, false, "out.position at 3 of 20"},
    {BO_AGAIN, BO_CONTINUE, 3, SIZE_MAX, false, "out.position"},
    {BO_AGAIN, BO_CONTINUE, 3, 5, true, "address or size"},
    {BO_AGAIN, BO_CONTINUE, 2, 4, false, "without having done anything"},
    {BO_NEED_INPUT, BO_CONTINUE, 9, 5, false, "NEED_INPUT with 1 bytes"},
    {BO_NEED_INPUT, BO_END, 10, 5, false, "more input after END"},
    {BO_DONE, BO_CONTINUE, 10, 5, false, "DONE before"},
    {BO_DONE, BO_FLUSH, 10, 5, false, "DONE before"},
    {BO_DONE, BO_END, 9, 5, false, "DONE with 1 bytes"},
    {BO_OK, BO_CONTINUE, 10, 5, false, "answered 0"},
    {BO_RETRY, BO_CONTINUE, 10, 5, false, "answered 1"},
    {42, BO_CONTINUE, 10, 5, false, "answered 42"},
    {-1, BO_CONTINUE, 10, 5, false, "answered -1"},
    {32, BO_CONTINUE, 10, 5, false, "answered 32"},
};

START_TEST(broken_contract_is_an_error) {
  memset(&script, 0, sizeof(script));
  script.result = broken[_i].result;
  script.in = broken[_i].in;
  script.out = broken[_i].out;
  script.change_size = broken[_i].change_size;
  struct bo_error error = BO_ERROR_INIT;
  struct bo_output out;
  ck_assert_int_eq(call(broken[_i].mode, &out, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_INTERNAL);
  ck_assert_has(error.text, "compress-scripted broke its contract: process()");
  ck_assert_has(error.text, broken[_i].said);
  /* Nothing that the failed call claims to have written is used. */
  ck_assert_uint_eq(out.position, 4);
  ck_assert_uint_eq(out.size, 20);
  ck_assert_uint_eq(script.closes, 1);
}
END_TEST

static const struct {
  int result;
  int mode;
  size_t in, out;
} kept[] = {
    {BO_AGAIN, BO_CONTINUE, 3, 4},     {BO_AGAIN, BO_END, 10, 20}, {BO_NEED_INPUT, BO_CONTINUE, 10, 4},
    {BO_NEED_INPUT, BO_FLUSH, 10, 20}, {BO_DONE, BO_END, 10, 4},
};

START_TEST(kept_contract_is_passed_on) {
  memset(&script, 0, sizeof(script));
  script.result = kept[_i].result;
  script.in = kept[_i].in;
  script.out = kept[_i].out;
  struct bo_error error = BO_ERROR_INIT;
  struct bo_output out;
  ck_assert_int_eq(call(kept[_i].mode, &out, &error), kept[_i].result);
  ck_assert_uint_eq(out.position, kept[_i].out);
}
END_TEST

START_TEST(failure_has_a_text_and_a_class) {
  memset(&script, 0, sizeof(script));
  script.result = BO_ERROR;
  script.out = 15;
  struct bo_error error = BO_ERROR_INIT;
  struct bo_output out;
  /* An old text must not pass for this failure's. */
  (void)bo_error_set(&error, BO_CLASS_IO, 5, "an older failure");
  ck_assert_int_eq(call(BO_CONTINUE, &out, &error), BO_ERROR);
  ck_assert_str_eq(error.text, "compress-scripted: process() failed without saying why");
  ck_assert_int_eq(error.error_class, BO_CLASS_INTERNAL);
  ck_assert_uint_eq(out.position, 4);
  script.text = "the bytes are odd";
  script.error_class = BO_CLASS_CORRUPT;
  ck_assert_int_eq(call(BO_CONTINUE, &out, &error), BO_ERROR);
  ck_assert_str_eq(error.text, "the bytes are odd");
  ck_assert_int_eq(error.error_class, BO_CLASS_CORRUPT);
  script.error_class = 4711;
  ck_assert_int_eq(call(BO_CONTINUE, &out, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_INTERNAL);
  ck_assert_int_eq(call(BO_CONTINUE, &out, NULL), BO_ERROR);
}
END_TEST

START_TEST(open_gives_an_instance_or_an_error) {
  memset(&script, 0, sizeof(script));
  struct bo_transform transform;
  struct bo_error error = BO_ERROR_INIT;
  script.no_instance = true;
  ck_assert_int_eq(bo_transform_open(&transform, &scripted, BO_DECODE, &no_config, NULL, &error), BO_ERROR);
  ck_assert_has(error.text, "gave no instance");
  bo_transform_close(&transform);
  script.no_instance = false;
  script.open_result = 9;
  ck_assert_int_eq(bo_transform_open(&transform, &scripted, BO_DECODE, &no_config, NULL, &error), BO_ERROR);
  ck_assert_has(error.text, "open() answered 9");
  bo_transform_close(&transform);
  ck_assert_uint_eq(script.closes, 0);
}
END_TEST

START_TEST(each_call_is_a_trace_line) {
  memset(&script, 0, sizeof(script));
  struct rig_log log;
  rig_log_open(&log);
  struct bo_transform transform;
  ck_assert_int_eq(bo_transform_open(&transform, &scripted, BO_DECODE, &no_config, &log.log, NULL), BO_OK);
  unsigned char bytes[32] = "contents";
  struct bo_input in = {bytes, 10, 2};
  struct bo_output out = {bytes, 20, 4};
  script.result = BO_DONE;
  script.in = script.out = 10;
  ck_assert_int_eq(bo_transform_process(&transform, &in, &out, BO_END, NULL), BO_DONE);
  bo_transform_close(&transform);
  ck_assert_str_eq(bo_buffer_text(&log.text),
                   "compress-scripted: open(decode) = ok\n"
                   "compress-scripted: process(8 of 8 in, 6 of 16 out, end) = done\n");
  rig_log_close(&log);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("transform");
  TCase *example = tcase_create("example");
  tcase_add_loop_test(example, example_goes_round_in_every_split, 0, 2);
  tcase_add_test(example, example_notices_all_damage);
  tcase_set_timeout(example, 60);
  TCase *contract = tcase_create("contract");
  tcase_add_loop_test(contract, broken_contract_is_an_error, 0, LENGTH(broken));
  tcase_add_loop_test(contract, kept_contract_is_passed_on, 0, LENGTH(kept));
  tcase_add_test(contract, failure_has_a_text_and_a_class);
  tcase_add_test(contract, open_gives_an_instance_or_an_error);
  tcase_add_test(contract, each_call_is_a_trace_line);
  suite_add_tcase(suite, example);
  suite_add_tcase(suite, contract);
  return unit_main(suite);
}
