/* The test vectors of the age format (C2SP/CCTV) and our own from the reference implementation: the answer, and how
 * much plaintext is released before an error. Each at once, byte by byte, and in random pieces. */
#include <cjson/cJSON.h>
#include <zlib.h>

#include "plugins/crypt-age/tests/support.h"

#define CCTV_COUNT 147
#define OWN_COUNT 13
#define SLOW_SIZE (300 * 1024) /* of a file that is not sent byte by byte */
#define SPLITS 12

static cJSON *index_of(const char *path) {
  BO_CLEANUP_BUFFER struct bo_buffer text = BO_BUFFER_INIT;
  read_whole(path, &text);
  cJSON *index = cJSON_Parse(bo_buffer_text(&text));
  ck_assert_ptr_nonnull(index);
  return index;
}

static const char *string_of(const cJSON *object, const char *key) {
  const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
  return text != NULL ? text : "";
}

static void inflate_into(const unsigned char *bytes, size_t size, struct bo_buffer *out) {
  unsigned char room[65536];
  z_stream stream = {0};
  ck_assert_int_eq(inflateInit(&stream), Z_OK);
  stream.next_in = (unsigned char *)bytes;
  stream.avail_in = (uInt)size;
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = room;
    stream.avail_out = sizeof(room);
    result = inflate(&stream, Z_NO_FLUSH);
    bo_buffer_append(out, room, sizeof(room) - stream.avail_out);
  }
  ck_assert_int_eq(result, Z_STREAM_END);
  inflateEnd(&stream);
}

/* A vector's answer: the class, how the text begins, and whether the plaintext is the reference's. */
static void check_outcome(const struct outcome *outcome, const cJSON *vector) {
  const char *expect = string_of(vector, "expect"), *name = string_of(vector, "file"), *text = outcome->error.text;
  const char *payload = string_of(vector, "payload_sha256");
  int class = outcome->error.error_class;
  if (strcmp(expect, "success") == 0) {
    ck_assert_msg(outcome->result == BO_DONE, "%s: %s", name, text);
    assert_sha256(&outcome->bytes, payload, name);
    return;
  }
  ck_assert_msg(outcome->result == BO_ERROR, "%s: was taken, expected %s", name, expect);
  if (strcmp(expect, "payload failure") != 0)
    ck_assert_msg(outcome->bytes.size == 0, "%s: plaintext was released before %s", name, expect);
  if (strcmp(expect, "no match") == 0) {
    ck_assert_msg(class == BO_CLASS_AUTH, "%s: %s", name, text);
    return;
  }
  if (strcmp(name, "cctv/scrypt_work_factor_23") == 0 || strcmp(name, "cctv/scrypt_work_factor_overflow") == 0)
    ck_assert_int_eq(class, BO_CLASS_UNSUPPORTED);
  else
    ck_assert_msg(class == BO_CLASS_CORRUPT, "%s: %s", name, text);
  if (strcmp(expect, "HMAC failure") == 0) ck_assert_msg(strstr(text, "MAC is wrong") != NULL, "%s: %s", name, text);
  if (strcmp(expect, "header failure") == 0) ck_assert_msg(strncmp(text, "age header", 10) == 0, "%s: %s", name, text);
  if (strcmp(expect, "payload failure") == 0)
    ck_assert_msg(strncmp(text, "age payload", 11) == 0, "%s: %s", name, text);
  /* What begins neither with a dash nor with a blank is not recognised as armor. */
  if (strcmp(expect, "armor failure") == 0)
    ck_assert_msg(strncmp(text, "age armor", 9) == 0 || strstr(text, "this is not an age file") != NULL, "%s: %s", name,
                  text);
}

/* Of a payload that fails, the reference releases all before the bad chunk. So do we, but for these, where what it
 * releases includes a last chunk, which we keep back until the input has ended. The size is what we release. */
static const struct {
  const char *file;
  size_t size;
} released_less[] = {
    {"cctv/armor_garbage_encoded", 0},
    {"cctv/stream_no_final_full", 0},
    {"cctv/stream_no_final_two_chunks_full", 65536},
    {"cctv/stream_trailing_garbage_long", 0},
    {"cctv/stream_trailing_garbage_short", 0},
    {"cctv/stream_two_final_chunks", 0},
    {"cctv/stream_two_final_chunks_full", 0},
    {"cctv/stream_two_final_chunks_second", 65536},
};

/* Sent byte by byte, every chunk leaves before the next one can fail. */
static void check_released(const struct outcome *outcome, const cJSON *vector) {
  const char *name = string_of(vector, "file");
  for (size_t i = 0; i < sizeof(released_less) / sizeof(released_less[0]); i++)
    if (strcmp(released_less[i].file, name) == 0) {
      ck_assert_msg(outcome->bytes.size == released_less[i].size, "%s: %zu bytes", name, outcome->bytes.size);
      return;
    }
  if (strcmp(string_of(vector, "expect"), "payload failure") == 0)
    assert_sha256(&outcome->bytes, string_of(vector, "payload_sha256"), name);
}

/* In larger pieces the output of the failing call is lost: what is released is the beginning of that. */
static void check_beginning(const struct outcome *outcome, const struct outcome *slow) {
  ck_assert_uint_le(outcome->bytes.size, slow->bytes.size);
  if (outcome->bytes.size > 0)
    ck_assert_int_eq(memcmp(outcome->bytes.bytes, slow->bytes.bytes, outcome->bytes.size), 0);
}

static void run_all_ways(const struct setup *setup, const struct bo_buffer *file, const cJSON *vector,
                         void (*check)(const struct outcome *, const cJSON *)) {
  bool small = file->size <= SLOW_SIZE;
  struct pieces bytes_in = {.in = small ? 1 : 60000, .out = 65536};
  CLEANUP_OUTCOME struct outcome slow = transform(BO_DECODE, setup, file->bytes, file->size, bytes_in);
  check(&slow, vector);
  check_released(&slow, vector);
  CLEANUP_OUTCOME struct outcome at_once = transform(BO_DECODE, setup, file->bytes, file->size, whole);
  check(&at_once, vector);
  check_beginning(&at_once, &slow);
  if (small) {
    CLEANUP_OUTCOME struct outcome slowest = transform(BO_DECODE, setup, file->bytes, file->size, single_bytes);
    check(&slowest, vector);
    check_beginning(&slowest, &slow);
  }
  for (unsigned seed = 1; seed <= (small ? SPLITS : 2); seed++) {
    size_t limit = small && seed % 3 != 0 ? 1 + file->size / seed : 200000;
    struct pieces pieces = {.in = limit, .out = limit, .random = seed};
    CLEANUP_OUTCOME struct outcome split = transform(BO_DECODE, setup, file->bytes, file->size, pieces);
    check(&split, vector);
    check_beginning(&split, &slow);
  }
}

START_TEST(cctv) {
  cJSON *index = index_of(VECTORS "cctv-index.json");
  ck_assert_int_eq(cJSON_GetArraySize(index), CCTV_COUNT);
  const cJSON *vector = cJSON_GetArrayItem(index, _i), *item;
  char path[256];
  BO_CLEANUP_BUFFER struct bo_buffer stored = BO_BUFFER_INIT, file = BO_BUFFER_INIT;
  static struct setup setup;
  setup_init(&setup);

  (void)snprintf(path, sizeof(path), VECTORS "%s", string_of(vector, "file"));
  read_whole(path, &stored);
  size_t offset = (size_t)cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(vector, "offset"));
  if (strcmp(string_of(vector, "compressed"), "zlib") == 0)
    inflate_into((unsigned char *)stored.bytes + offset, stored.size - offset, &file);
  else
    bo_buffer_append(&file, stored.bytes + offset, stored.size - offset);

  bool post_quantum = false;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(vector, "identities")) {
    setup_identity(&setup, item->valuestring);
    post_quantum |= strncmp(item->valuestring, "AGE-SECRET-KEY-PQ-", 18) == 0;
  }
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(vector, "passphrases"))
      setup_secret(&setup, "passphrase", item->valuestring);
  if (setup.config.secret_count == 0)
    setup_identity(&setup, "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0");

  if (post_quantum) {
    CLEANUP_OUTCOME struct outcome refused = transform(BO_DECODE, &setup, file.bytes, file.size, whole);
    ck_assert(!refused.opened);
    ck_assert_int_eq(refused.error.error_class, BO_CLASS_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(refused.error.text, "ML-KEM-768"));
  } else {
    run_all_ways(&setup, &file, vector, check_outcome);
  }
  cJSON_Delete(index);
}
END_TEST

static void check_own(const struct outcome *outcome, const cJSON *vector) {
  const char *name = string_of(vector, "name"), *stage = string_of(vector, "stage");
  if (strcmp(string_of(vector, "expect"), "ok") == 0) {
    ck_assert_msg(outcome->result == BO_DONE, "%s: %s", name, outcome->error.text);
    assert_sha256(&outcome->bytes, string_of(vector, "sha256"), name);
    return;
  }
  double limit = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(vector, "released_before_error"));
  ck_assert_msg(outcome->result == BO_ERROR, "%s was taken", name);
  ck_assert_msg((double)outcome->bytes.size <= limit, "%s: more plaintext than the reference releases", name);
  ck_assert_int_eq(outcome->error.error_class, strcmp(stage, "no-match") == 0 ? BO_CLASS_AUTH : BO_CLASS_CORRUPT);
}

START_TEST(own) {
  cJSON *index = index_of(VECTORS "own/manifest.json");
  ck_assert_int_eq(cJSON_GetArraySize(index), OWN_COUNT);
  const cJSON *vector = cJSON_GetArrayItem(index, _i), *item;
  char path[256];
  BO_CLEANUP_BUFFER struct bo_buffer file = BO_BUFFER_INIT, key = BO_BUFFER_INIT;
  static struct setup setup;
  setup_init(&setup);
  (void)snprintf(path, sizeof(path), VECTORS "own/%s", string_of(vector, "file"));
  read_whole(path, &file);
  item = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(vector, "identities"), 0);
  (void)snprintf(path, sizeof(path), VECTORS "own/%s", string_of(item, "file"));
  read_whole(path, &key);
  bool passphrase = strcmp(string_of(item, "kind"), "scrypt") == 0;
  setup_secret(&setup, passphrase ? "passphrase" : "identity", bo_buffer_text(&key));
  run_all_ways(&setup, &file, vector, check_own);
  cJSON_Delete(index);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("age-vectors");
  TCase *tests = tcase_create("vectors");
  tcase_set_timeout(tests, 300);
  tcase_add_loop_test(tests, cctv, 0, CCTV_COUNT);
  tcase_add_loop_test(tests, own, 0, OWN_COUNT);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
