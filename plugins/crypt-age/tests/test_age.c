/* Round trips, and every way in which a file or a configuration can be wrong: each must end in the right kind of error,
 * with no plaintext that is not authentic. */
#include "plugins/crypt-age/tests/support.h"

#define SEALED (65536 + 16)
#define NONCE 16

static const char x25519_recipient[] = "age1fwe802g5eg4j6semd5h9xm20yjjx8lx44nkfp0nv6jwfvg0kfyjsr9vafe";
static struct bo_buffer x25519_identity, ed25519_recipient, ed25519_identity, rsa_recipient, rsa_identity;
static struct setup setup, other;

static void read_keys(void) {
  read_whole(VECTORS "own/keys/x1.txt", &x25519_identity);
  read_whole(VECTORS "own/keys/ssh_ed25519_a.pub", &ed25519_recipient);
  read_whole(VECTORS "own/keys/ssh_ed25519_a", &ed25519_identity);
  read_whole(VECTORS "own/keys/ssh_rsa_a.pub", &rsa_recipient);
  read_whole(VECTORS "own/keys/ssh_rsa_a", &rsa_identity);
}

static void free_keys(void) {
  bo_buffer_free(&x25519_identity);
  bo_buffer_free(&ed25519_identity);
  bo_buffer_free(&ed25519_recipient);
  bo_buffer_free(&rsa_identity);
  bo_buffer_free(&rsa_recipient);
}

static const char *recipient(int kind) {
  return kind == 0 ? x25519_recipient : bo_buffer_text(kind == 1 ? &ed25519_recipient : &rsa_recipient);
}

static const char *identity(int kind) {
  return bo_buffer_text(kind == 0 ? &x25519_identity : kind == 1 ? &ed25519_identity : &rsa_identity);
}

/* Encrypted to the X25519 key. */
static struct outcome encrypted(const void *bytes, size_t size) {
  setup_recipient(setup_init(&setup), x25519_recipient);
  struct outcome file = transform(BO_ENCODE, &setup, bytes, size, whole);
  ck_assert_msg(file.result == BO_DONE, "%s", file.error.text);
  setup_identity(setup_init(&setup), identity(0));
  return file;
}

/* Where the payload begins. */
static size_t header_size(const struct outcome *file) {
  const char *last = memmem(file->bytes.bytes, file->bytes.size, "\n---", 4);
  ck_assert_ptr_nonnull(last);
  const char *end = memchr(last + 1, '\n', 60);
  return (size_t)(end + 1 - file->bytes.bytes);
}

/* ---- round trips ---- */

static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 200000};

START_TEST(round_trip) {
  size_t size = sizes[_i];
  BO_CLEANUP_FREE unsigned char *bytes = sample(size);
  const struct pieces ways[] = {whole, {4096, 4096, 0}, {100000, 70000, 7}, {3, 5, 9}};
  for (int kind = 0; kind < 3; kind++)
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
      setup_recipient(setup_init(&setup), recipient(kind));
      CLEANUP_OUTCOME struct outcome file = transform(BO_ENCODE, &setup, bytes, size, ways[i]);
      ck_assert_msg(file.result == BO_DONE, "%s", file.error.text);
      size_t chunks = size == 0 ? 1 : (size + 65535) / 65536;
      ck_assert_uint_eq(file.bytes.size, header_size(&file) + NONCE + size + chunks * 16);
      setup_identity(setup_init(&setup), identity(kind));
      CLEANUP_OUTCOME struct outcome back =
          transform(BO_DECODE, &setup, file.bytes.bytes, file.bytes.size, ways[3 - i]);
      assert_bytes(&back, bytes, size);
    }
}
END_TEST

START_TEST(every_recipient_of_several_can_decrypt) {
  BO_CLEANUP_FREE unsigned char *bytes = sample(1000);
  BO_CLEANUP_BUFFER struct bo_buffer list = BO_BUFFER_INIT;
  bo_buffer_printf(&list, "# ours\r\n\r\n  %s  \r\n\n# theirs\n%s", recipient(0), recipient(1));
  setup_recipient(setup_init(&setup), bo_buffer_text(&list));
  setup_recipient(&setup, recipient(2));
  CLEANUP_OUTCOME struct outcome file = transform(BO_ENCODE, &setup, bytes, 1000, whole);
  for (int kind = 0; kind < 3; kind++) {
    setup_identity(setup_init(&setup), identity(kind));
    CLEANUP_OUTCOME struct outcome back = transform(BO_DECODE, &setup, file.bytes.bytes, file.bytes.size, whole);
    assert_bytes(&back, bytes, 1000);
  }
}
END_TEST

START_TEST(two_encryptions_share_nothing) {
  CLEANUP_OUTCOME struct outcome first = encrypted("same", 4), second = encrypted("same", 4);
  size_t at = header_size(&first);
  ck_assert_uint_eq(first.bytes.size, second.bytes.size);
  ck_assert_int_ne(memcmp(first.bytes.bytes + at, second.bytes.bytes + at, NONCE), 0);
  ck_assert_int_ne(memcmp(first.bytes.bytes + at + NONCE, second.bytes.bytes + at + NONCE, 4), 0);
}
END_TEST

START_TEST(a_header_with_a_thousand_recipients) {
  setup_init(&setup);
  for (int i = 0; i < 999; i++)
    setup_recipient(&setup, recipient(1));
  setup_recipient(&setup, recipient(0));
  CLEANUP_OUTCOME struct outcome file = transform(BO_ENCODE, &setup, "text", 4, whole);
  setup_identity(setup_init(&setup), identity(0));
  CLEANUP_OUTCOME struct outcome back = transform(BO_DECODE, &setup, file.bytes.bytes, file.bytes.size, whole);
  assert_bytes(&back, "text", 4);
  struct pieces slow = {1, 0, 0};
  CLEANUP_OUTCOME struct outcome slowly = transform(BO_DECODE, &setup, file.bytes.bytes, file.bytes.size, slow);
  assert_bytes(&slowly, "text", 4);

  BO_CLEANUP_BUFFER struct bo_buffer stranger = BO_BUFFER_INIT;
  read_whole(VECTORS "own/keys/ssh_ed25519_other", &stranger);
  setup_identity(setup_init(&setup), bo_buffer_text(&stranger));
  CLEANUP_OUTCOME struct outcome refused = transform(BO_DECODE, &setup, file.bytes.bytes, file.bytes.size, whole);
  ck_assert_int_eq(refused.error.error_class, BO_CLASS_AUTH);
  ck_assert_ptr_nonnull(strstr(refused.error.text, "1000 recipients (1 X25519, 999 ssh-ed25519)"));
}
END_TEST

START_TEST(more_recipients_than_can_be_read_again_are_refused) {
  BO_CLEANUP_BUFFER struct bo_buffer list = BO_BUFFER_INIT;
  for (int i = 0; i < 11000; i++)
    bo_buffer_printf(&list, "%s\n", recipient(0));
  setup_recipient(setup_init(&setup), bo_buffer_text(&list));
  CLEANUP_OUTCOME struct outcome outcome = transform(BO_ENCODE, &setup, "", 0, whole);
  ck_assert(!outcome.opened);
  ck_assert_int_eq(outcome.error.error_class, BO_CLASS_CONFIG);
  ck_assert_ptr_nonnull(strstr(outcome.error.text, "give fewer recipients"));
}
END_TEST

START_TEST(a_header_without_end_is_bounded) {
  size_t size = 3 * 1024 * 1024;
  BO_CLEANUP_FREE char *bytes = malloc(size);
  memset(bytes, 'A', size);
  memcpy(bytes, "age-encryption.org/v1\n-> ", 25);
  setup_identity(setup_init(&setup), identity(0));
  struct pieces pieces = {4096, 4096, 0};
  CLEANUP_OUTCOME struct outcome outcome = transform(BO_DECODE, &setup, bytes, size, pieces);
  ck_assert_int_eq(outcome.error.error_class, BO_CLASS_CORRUPT);
  ck_assert_ptr_nonnull(strstr(outcome.error.text, "longer than 1048576 bytes"));
}
END_TEST

/* ---- damaged files ---- */

static void assert_refused(const void *bytes, size_t size, size_t released_max) {
  CLEANUP_OUTCOME struct outcome outcome = transform(BO_DECODE, &setup, bytes, size, whole);
  ck_assert_int_eq(outcome.result, BO_ERROR);
  ck_assert(outcome.error.error_class == BO_CLASS_CORRUPT || outcome.error.error_class == BO_CLASS_AUTH);
  CLEANUP_OUTCOME struct outcome slow = transform(BO_DECODE, &setup, bytes, size, (struct pieces){999, 65536, 0});
  ck_assert_int_eq(slow.result, BO_ERROR);
  ck_assert_uint_le(slow.bytes.size, released_max);
}

START_TEST(every_truncation_is_noticed) {
  CLEANUP_OUTCOME struct outcome file = encrypted("a small backup", 14);
  for (size_t size = 0; size < file.bytes.size; size++)
    assert_refused(file.bytes.bytes, size, 0);
  assert_refused("", 0, 0);
}
END_TEST

START_TEST(every_flipped_bit_is_noticed) {
  CLEANUP_OUTCOME struct outcome file = encrypted("a small backup", 14);
  for (size_t bit = 0; bit < file.bytes.size * 8; bit++) {
    file.bytes.bytes[bit / 8] ^= (char)(1 << bit % 8);
    assert_refused(file.bytes.bytes, file.bytes.size, 0);
    file.bytes.bytes[bit / 8] ^= (char)(1 << bit % 8);
  }
  CLEANUP_OUTCOME struct outcome sound = transform(BO_DECODE, &setup, file.bytes.bytes, file.bytes.size, whole);
  assert_bytes(&sound, "a small backup", 14);
}
END_TEST

/* A file of four chunks, of which the last has 5 bytes, put together anew from the numbered ones. */
START_TEST(rearranged_chunks_are_noticed) {
  static const struct {
    const char *order; /* a digit for each chunk; "+" for five bytes more, "-" for five less */
    size_t released;   /* at most */
  } cases[] = {
      {"", 0},         {"0", 65536},      {"01", 131072},    {"012", 196608},  {"013", 131072},   {"123", 0},
      {"0213", 65536}, {"0123+", 196608}, {"0123-", 196608}, {"00123", 65536}, {"01233", 196608}, {"0122", 196608},
      {"3", 0},        {"30123", 0},      {"012-", 131072},  {"012+", 196608}, {"0+123", 65536},  {"01230", 196608},
  };
  size_t size = 3 * 65536 + 5;
  BO_CLEANUP_FREE unsigned char *bytes = sample(size);
  CLEANUP_OUTCOME struct outcome file = encrypted(bytes, size);
  size_t begin = header_size(&file) + NONCE;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    BO_CLEANUP_BUFFER struct bo_buffer forged = BO_BUFFER_INIT;
    bo_buffer_append(&forged, file.bytes.bytes, begin);
    for (const char *c = cases[i].order; *c != '\0'; c++) {
      size_t number = (size_t)(*c - '0');
      if (*c == '+')
        bo_buffer_append(&forged, "extra", 5);
      else if (*c == '-')
        forged.size -= 5;
      else
        bo_buffer_append(&forged, file.bytes.bytes + begin + number * SEALED, number == 3 ? 21 : SEALED);
    }
    assert_refused(forged.bytes, forged.size, cases[i].released);
  }
}
END_TEST

/* ---- errors say what to do ---- */

static void assert_decode_error(const char *bytes, int class, const char *text) {
  CLEANUP_OUTCOME struct outcome outcome = transform(BO_DECODE, &setup, bytes, strlen(bytes), whole);
  ck_assert_int_eq(outcome.result, BO_ERROR);
  ck_assert_int_eq(outcome.error.error_class, class);
  ck_assert_msg(strstr(outcome.error.text, text) != NULL, "%s", outcome.error.text);
}

START_TEST(what_is_no_age_file_is_named) {
  setup_identity(setup_init(&setup), identity(0));
  assert_decode_error("", BO_CLASS_CORRUPT, "is empty");
  assert_decode_error("-- a plain dump", BO_CLASS_CORRUPT, "age armor: line 1");
  assert_decode_error("\x1f\x8b\x08 gzip", BO_CLASS_CORRUPT, "not an age file");
  assert_decode_error("age-encryption.org/v2\n", BO_CLASS_CORRUPT, "version");
  assert_decode_error("age-encryption.org/v1\n-> X25519 ", BO_CLASS_CORRUPT, "cut in its header");
  assert_decode_error("-----BEGIN AGE ENCRYPTED FILE-----\n", BO_CLASS_CORRUPT, "was cut");
}
END_TEST

START_TEST(the_wrong_key_is_told_apart_from_damage) {
  CLEANUP_OUTCOME struct outcome file = encrypted("text", 4);
  setup_identity(setup_init(&setup), identity(1));
  setup_identity(&setup, identity(2));
  CLEANUP_OUTCOME struct outcome outcome = transform(BO_DECODE, &setup, file.bytes.bytes, file.bytes.size, whole);
  ck_assert_int_eq(outcome.error.error_class, BO_CLASS_AUTH);
  ck_assert_ptr_nonnull(strstr(outcome.error.text, "none of the keys given (2)"));
  ck_assert_ptr_nonnull(strstr(outcome.error.text, "1 recipient (1 X25519)"));
  setup_identity(&setup, identity(0));
  CLEANUP_OUTCOME struct outcome found = transform(BO_DECODE, &setup, file.bytes.bytes, file.bytes.size, whole);
  assert_bytes(&found, "text", 4);
}
END_TEST

START_TEST(passphrases_are_asked_for_and_bounded) {
  BO_CLEANUP_BUFFER struct bo_buffer file = BO_BUFFER_INIT, passphrase = BO_BUFFER_INIT;
  read_whole(VECTORS "own/files/scrypt-12.age", &file);
  read_whole(VECTORS "own/keys/pw1.pass", &passphrase);
  static const struct {
    int64_t work_factor_max;
    int class;
    const char *text;
  } cases[] = {{12, BO_CLASS_NONE, ""}, {11, BO_CLASS_UNSUPPORTED, "raise workFactorMax"}};
  for (size_t i = 0; i < 2; i++) {
    setup_init(&setup)->values[3].integer = cases[i].work_factor_max;
    BO_CLEANUP_BUFFER struct bo_buffer line = BO_BUFFER_INIT;
    bo_buffer_printf(&line, "%s\n", bo_buffer_text(&passphrase));
    setup_secret(&setup, "passphrase", bo_buffer_text(&line));
    CLEANUP_OUTCOME struct outcome outcome = transform(BO_DECODE, &setup, file.bytes, file.size, whole);
    ck_assert_int_eq(outcome.error.error_class, cases[i].class);
    ck_assert_ptr_nonnull(strstr(outcome.error.text, cases[i].text));
  }
  setup_secret(setup_init(&setup), "passphrase", "wrong");
  CLEANUP_OUTCOME struct outcome wrong = transform(BO_DECODE, &setup, file.bytes, file.size, whole);
  ck_assert_int_eq(wrong.error.error_class, BO_CLASS_AUTH);
  ck_assert_ptr_nonnull(strstr(wrong.error.text, "the one given is wrong"));
  setup_identity(setup_init(&setup), identity(0));
  CLEANUP_OUTCOME struct outcome missing = transform(BO_DECODE, &setup, file.bytes, file.size, whole);
  ck_assert_int_eq(missing.error.error_class, BO_CLASS_AUTH);
  ck_assert_ptr_nonnull(strstr(missing.error.text, "give it as `passphrase`"));
}
END_TEST

START_TEST(without_keys_nothing_opens) {
  CLEANUP_OUTCOME struct outcome encode = transform(BO_ENCODE, setup_init(&setup), "", 0, whole);
  CLEANUP_OUTCOME struct outcome decode = transform(BO_DECODE, &setup, "", 0, whole);
  ck_assert(!encode.opened && !decode.opened);
  ck_assert_int_eq(encode.error.error_class, BO_CLASS_CONFIG);
  ck_assert_int_eq(decode.error.error_class, BO_CLASS_CONFIG);
  setup_recipient(&setup, "# nobody\n\n");
  CLEANUP_OUTCOME struct outcome comments = transform(BO_ENCODE, &setup, "", 0, whole);
  ck_assert(!comments.opened);
  ck_assert_int_eq(comments.error.error_class, BO_CLASS_CONFIG);
}
END_TEST

/* ---- what the host refuses ---- */

/* Everything that allocates: all kinds of keys, and files in both directions. The N-th allocation fails. */
START_TEST(every_allocation_may_fail) {
  BO_CLEANUP_FREE unsigned char *bytes = sample(70000);
  setup_init(&setup);
  setup_init(&other);
  for (int kind = 0; kind < 3; kind++) {
    setup_recipient(&setup, recipient(kind));
    setup_identity(&other, identity(2 - kind));
  }
  for (int i = 0; i < 60; i++)
    setup_recipient(&setup, recipient(0)); /* so that the header grows */
  setup_secret(&other, "passphrase", "none");
  CLEANUP_OUTCOME struct outcome file = transform(BO_ENCODE, &setup, bytes, 70000, whole);
  ck_assert_int_eq(file.result, BO_DONE);
  for (int direction = BO_ENCODE; direction <= BO_DECODE; direction++) {
    bool failed = true;
    for (long number = 1; failed; number++) {
      struct fake_host fake;
      const struct bo_host *host = fake_host_open(&fake);
      fake_host_fail_at(&fake, number);
      bool encode = direction == BO_ENCODE;
      CLEANUP_OUTCOME struct outcome outcome =
          transform_with(host, direction, encode ? &setup : &other, encode ? (char *)bytes : file.bytes.bytes,
                         encode ? 70000 : file.bytes.size, (struct pieces){1000, 1000, 0});
      failed = outcome.result == BO_ERROR;
      if (failed) ck_assert_int_eq(outcome.error.error_class, BO_CLASS_NO_MEMORY);
      if (!failed) ck_assert_int_lt(atomic_load(&fake.allocations), number);
      fake_host_close(&fake);
    }
  }
}
END_TEST

START_TEST(without_randomness_nothing_is_encrypted) {
  setup_recipient(setup_init(&setup), recipient(0));
  struct fake_host fake;
  const struct bo_host *host = fake_host_open(&fake);
  atomic_store(&fake.no_random, true);
  CLEANUP_OUTCOME struct outcome outcome = transform_with(host, BO_ENCODE, &setup, "text", 4, whole);
  fake_host_close(&fake);
  ck_assert(!outcome.opened);
  ck_assert_ptr_nonnull(strstr(outcome.error.text, "randomness"));
}
END_TEST

START_TEST(a_cancelled_host_ends_the_search) {
  CLEANUP_OUTCOME struct outcome file = encrypted("text", 4);
  struct fake_host fake;
  const struct bo_host *host = fake_host_open(&fake);
  atomic_store(&fake.cancelled, true);
  CLEANUP_OUTCOME struct outcome outcome =
      transform_with(host, BO_DECODE, &setup, file.bytes.bytes, file.bytes.size, whole);
  fake_host_close(&fake);
  ck_assert_int_eq(outcome.error.error_class, BO_CLASS_CANCELLED);
}
END_TEST

START_TEST(memory_is_stated) {
  const struct bo_transform_operations *operations = operations_of_age();
  setup_recipient(setup_init(&setup), recipient(0));
  uint64_t encode = operations->memory_bytes(BO_ENCODE, &setup.config);
  ck_assert_uint_lt(encode, 2 * 1024 * 1024);
  setup_identity(setup_init(&setup), identity(2));
  ck_assert_uint_lt(operations->memory_bytes(BO_DECODE, &setup.config), 2 * 1024 * 1024);
  setup_secret(&setup, "passphrase", "text");
  ck_assert_uint_gt(operations->memory_bytes(BO_DECODE, &setup.config), UINT64_C(1) << 30);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("age");
  TCase *tests = tcase_create("age");
  tcase_set_timeout(tests, 300);
  tcase_add_checked_fixture(tests, read_keys, free_keys);
  tcase_add_loop_test(tests, round_trip, 0, sizeof(sizes) / sizeof(sizes[0]));
  tcase_add_test(tests, every_recipient_of_several_can_decrypt);
  tcase_add_test(tests, two_encryptions_share_nothing);
  tcase_add_test(tests, a_header_with_a_thousand_recipients);
  tcase_add_test(tests, more_recipients_than_can_be_read_again_are_refused);
  tcase_add_test(tests, a_header_without_end_is_bounded);
  tcase_add_test(tests, every_truncation_is_noticed);
  tcase_add_test(tests, every_flipped_bit_is_noticed);
  tcase_add_test(tests, rearranged_chunks_are_noticed);
  tcase_add_test(tests, what_is_no_age_file_is_named);
  tcase_add_test(tests, the_wrong_key_is_told_apart_from_damage);
  tcase_add_test(tests, passphrases_are_asked_for_and_bounded);
  tcase_add_test(tests, without_keys_nothing_opens);
  tcase_add_test(tests, every_allocation_may_fail);
  tcase_add_test(tests, without_randomness_nothing_is_encrypted);
  tcase_add_test(tests, a_cancelled_host_ends_the_search);
  tcase_add_test(tests, memory_is_stated);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
