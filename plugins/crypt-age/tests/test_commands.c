/* Both ways with the age command, and with keys from age-keygen and ssh-keygen. They must be installed: without them
 * these tests fail. Each test works in a folder of its own, whose name all commands get as $d. */
#include "plugins/crypt-age/tests/support.h"

static char folder[64];
static struct setup setup;

static void make_folder(void) {
  (void)snprintf(folder, sizeof(folder), "/tmp/crypt-age-test-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  ck_assert_int_eq(setenv("d", folder, 1), 0);
}

static void remove_folder(void) {
  ck_assert_int_eq(system("rm -rf \"$d\""), 0);
}

static void run(const char *command) {
  ck_assert_msg(system(command) == 0, "failed: %s", command);
}

static void read_made(const char *name, struct bo_buffer *buffer) {
  char path[128];
  (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
  read_whole(path, buffer);
}

static void write_made(const char *name, const void *bytes, size_t size) {
  char path[128];
  struct bo_error error = BO_ERROR_INIT;
  (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
  ck_assert_int_eq(bo_write_file_atomically(path, bytes, size, 0600, &error), BO_OK);
}

/* Each makes the files `key` and `key.pub`. */
static const char *const key_kinds[] = {
    "age-keygen -o $d/key 2>/dev/null && age-keygen -y $d/key >$d/key.pub",
    "ssh-keygen -q -t ed25519 -N '' -f $d/key",
    "ssh-keygen -q -t rsa -b 2048 -N '' -f $d/key",
    "ssh-keygen -q -t rsa -b 3072 -N '' -m PEM -f $d/key",
    "ssh-keygen -q -t rsa -b 4096 -N '' -m PKCS8 -f $d/key",
};

static const size_t sizes[] = {0, 1, 65536, 200000};
#define SIZE_COUNT (sizeof(sizes) / sizeof(sizes[0]))

START_TEST(both_ways_with_the_age_command) {
  BO_CLEANUP_BUFFER struct bo_buffer key = BO_BUFFER_INIT, public_key = BO_BUFFER_INIT;
  run(key_kinds[_i]);
  read_made("key", &key);
  read_made("key.pub", &public_key);
  for (size_t i = 0; i < SIZE_COUNT; i++) {
    BO_CLEANUP_FREE unsigned char *bytes = sample(sizes[i]);
    write_made("plain", bytes, sizes[i]);

    setup_recipient(setup_init(&setup), bo_buffer_text(&public_key));
    CLEANUP_OUTCOME struct outcome ours = transform(BO_ENCODE, &setup, bytes, sizes[i], whole);
    ck_assert_msg(ours.result == BO_DONE, "%s", ours.error.text);
    write_made("ours.age", ours.bytes.bytes, ours.bytes.size);
    run("age -d -i $d/key <$d/ours.age >$d/back && cmp $d/back $d/plain");

    setup_identity(setup_init(&setup), bo_buffer_text(&key));
    static const char *const commands[] = {"age -R $d/key.pub <$d/plain >$d/theirs.age",
                                           "age -a -R $d/key.pub <$d/plain >$d/theirs.age"};
    for (int armored = 0; armored < 2; armored++) {
      BO_CLEANUP_BUFFER struct bo_buffer theirs = BO_BUFFER_INIT;
      run(commands[armored]);
      read_made("theirs.age", &theirs);
      CLEANUP_OUTCOME struct outcome back =
          transform(BO_DECODE, &setup, theirs.bytes, theirs.size, (struct pieces){5000, 5000, 3});
      assert_bytes(&back, bytes, sizes[i]);
    }
  }
}
END_TEST

START_TEST(a_list_of_recipients_as_age_has_it) {
  BO_CLEANUP_BUFFER struct bo_buffer list = BO_BUFFER_INIT;
  run("age-keygen -o $d/one 2>/dev/null; ssh-keygen -q -t ed25519 -N '' -f $d/two -C 'a comment here'");
  run("(echo '# a list'; age-keygen -y $d/one; echo; cat $d/two.pub) >$d/list");
  read_made("list", &list);
  setup_recipient(setup_init(&setup), bo_buffer_text(&list));
  CLEANUP_OUTCOME struct outcome file = transform(BO_ENCODE, &setup, "text", 4, whole);
  ck_assert_msg(file.result == BO_DONE, "%s", file.error.text);
  write_made("file.age", file.bytes.bytes, file.bytes.size);
  run("for key in one two; do test \"$(age -d -i $d/$key <$d/file.age)\" = text || exit 1; done");
}
END_TEST

START_TEST(the_recovery_by_hand_that_the_manual_shows) {
  BO_CLEANUP_BUFFER struct bo_buffer packed = BO_BUFFER_INIT, public_key = BO_BUFFER_INIT;
  run("age-keygen -o $d/key.txt 2>/dev/null; age-keygen -y $d/key.txt >$d/key.pub; seq 1 50000 >$d/dump.sql");
  run("gzip <$d/dump.sql >$d/packed");
  read_made("packed", &packed);
  read_made("key.pub", &public_key);
  setup_recipient(setup_init(&setup), bo_buffer_text(&public_key));
  CLEANUP_OUTCOME struct outcome object = transform(BO_ENCODE, &setup, packed.bytes, packed.size, whole);
  write_made("object", object.bytes.bytes, object.bytes.size);
  run("cd $d && age -d -i key.txt < object | gunzip | cmp - dump.sql");
}
END_TEST

START_TEST(encrypted_ssh_keys_are_refused_with_a_clear_word) {
  static const char *const makes[] = {"ssh-keygen -q -t ed25519 -N canary -f $d/key",
                                      "ssh-keygen -q -t rsa -b 2048 -N canary -m PEM -f $d/key",
                                      "ssh-keygen -q -t rsa -b 2048 -N canary -m PKCS8 -f $d/key"};
  BO_CLEANUP_BUFFER struct bo_buffer key = BO_BUFFER_INIT;
  run(makes[_i]);
  read_made("key", &key);
  setup_identity(setup_init(&setup), bo_buffer_text(&key));
  CLEANUP_OUTCOME struct outcome outcome = transform(BO_DECODE, &setup, "", 0, whole);
  ck_assert(!outcome.opened);
  ck_assert_int_eq(outcome.error.error_class, BO_CLASS_UNSUPPORTED);
  ck_assert_ptr_nonnull(strstr(outcome.error.text, "is encrypted with a passphrase"));
  /* The way out that the error names works. */
  run("ssh-keygen -q -p -P canary -N '' -f $d/key >/dev/null");
  bo_buffer_clear(&key);
  read_made("key", &key);
  setup_identity(setup_init(&setup), bo_buffer_text(&key));
  CLEANUP_OUTCOME struct outcome opened = transform(BO_DECODE, &setup, "", 0, whole);
  ck_assert_msg(opened.opened, "%s", opened.error.text);
}
END_TEST

START_TEST(other_ssh_keys_are_refused_by_name) {
  BO_CLEANUP_BUFFER struct bo_buffer key = BO_BUFFER_INIT, public_key = BO_BUFFER_INIT;
  run("ssh-keygen -q -t ecdsa -N '' -f $d/key");
  read_made("key", &key);
  read_made("key.pub", &public_key);
  setup_identity(setup_init(&setup), bo_buffer_text(&key));
  setup_recipient(&setup, bo_buffer_text(&public_key));
  CLEANUP_OUTCOME struct outcome decode = transform(BO_DECODE, &setup, "", 0, whole);
  CLEANUP_OUTCOME struct outcome encode = transform(BO_ENCODE, &setup, "", 0, whole);
  ck_assert_ptr_nonnull(strstr(decode.error.text, "cannot decrypt"));
  ck_assert_ptr_nonnull(strstr(encode.error.text, "cannot encrypt"));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("age-commands");
  TCase *tests = tcase_create("commands");
  tcase_set_timeout(tests, 300);
  tcase_add_checked_fixture(tests, make_folder, remove_folder);
  tcase_add_loop_test(tests, both_ways_with_the_age_command, 0, sizeof(key_kinds) / sizeof(key_kinds[0]));
  tcase_add_test(tests, a_list_of_recipients_as_age_has_it);
  tcase_add_test(tests, the_recovery_by_hand_that_the_manual_shows);
  tcase_add_loop_test(tests, encrypted_ssh_keys_are_refused_with_a_clear_word, 0, 3);
  tcase_add_test(tests, other_ssh_keys_are_refused_by_name);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
