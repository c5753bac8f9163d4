/* The gzip command and Go's compress/gzip read what we write, and we read what they do. They must be installed: without
 * them these tests fail. All work in one folder, whose name all commands get as $d. */
#include "core/base/io.h"
#include "plugins/compress-gzip/tests/rig.h"
#include "tests/support/unit.h"

static char folder[64];

static void run(const char *command) {
  ck_assert_msg(system(command) == 0, "failed: %s", command);
}

static const char *path_of(const char *name) {
  static char path[128];
  (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
  return path;
}

static void write_made(const char *name, const struct bo_buffer *buffer) {
  struct bo_error error = BO_ERROR_INIT;
  int result = bo_write_file_atomically(path_of(name), bo_buffer_text(buffer), buffer->size, 0600, &error);
  ck_assert_msg(result == BO_OK, "%s", error.text);
}

static void read_made(const char *name, struct bo_buffer *buffer) {
  struct bo_error error = BO_ERROR_INIT;
  int result = bo_read_file(path_of(name), SIZE_MAX, buffer, &error);
  ck_assert_msg(result == BO_OK, "%s", error.text);
}

static void make_folder(void) {
  (void)snprintf(folder, sizeof(folder), "/tmp/compress-gzip-test-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  ck_assert_int_eq(setenv("d", folder, 1), 0);
  /* Without modules and network; with a cache of its own where there is no home. */
  run("export GO111MODULE=off GOTOOLCHAIN=local; [ -n \"$HOME\" ] || export GOCACHE=$d/cache; "
      "go build -o $d/go_gzip plugins/compress-gzip/tests/go_gzip.go");
}

static void remove_folder(void) {
  run("rm -rf \"$d\"");
}

static void make_sample(int number, struct bo_buffer *buffer) {
  if (number == 1) append_dump(buffer, 300000);
  if (number == 2) append_random(buffer, 100000);
  if (number == 3) append_zeros(buffer, 1000000);
}
#define SAMPLE_COUNT 4 /* the first is empty */

START_TEST(they_read_ours_at_each_level) {
  for (int sample = 0; sample < SAMPLE_COUNT; sample++) {
    BO_CLEANUP_BUFFER struct bo_buffer plain = BO_BUFFER_INIT;
    make_sample(sample, &plain);
    write_made("plain", &plain);
    CLEANUP_OUTCOME struct outcome stored = transform(BO_ENCODE, _i, plain.bytes, plain.size, whole);
    ck_assert_int_eq(stored.result, BO_DONE);
    write_made("stored.gz", &stored.bytes);
    run("gunzip -t $d/stored.gz 2>$d/words && [ ! -s $d/words ]");
    run("gunzip <$d/stored.gz | cmp - $d/plain");
    run("$d/go_gzip decode <$d/stored.gz | cmp - $d/plain");
  }
}
END_TEST

static const char *const writers[] = {
    "gzip -1 <$d/plain >$d/stored.gz",
    "gzip -9 <$d/plain >$d/stored.gz",
    "gzip --rsyncable <$d/plain >$d/stored.gz",
    "gzip --name --keep --force --suffix .named.gz $d/plain && mv $d/plain.named.gz $d/stored.gz",
    "$d/go_gzip encode <$d/plain >$d/stored.gz",
    "(head -c 1000 $d/plain | gzip; tail -c +1001 $d/plain | $d/go_gzip encode) >$d/stored.gz",
};

START_TEST(we_read_theirs) {
  for (int sample = 0; sample < SAMPLE_COUNT; sample++) {
    BO_CLEANUP_BUFFER struct bo_buffer plain = BO_BUFFER_INIT, stored = BO_BUFFER_INIT;
    make_sample(sample, &plain);
    write_made("plain", &plain);
    run(writers[_i]);
    read_made("stored.gz", &stored);
    CLEANUP_OUTCOME struct outcome decoded = decode(stored.bytes, stored.size, (struct pieces){1000, 777});
    assert_bytes(&decoded, plain.bytes, plain.size);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("compress-gzip peers");
  TCase *tests = tcase_create("peers");
  tcase_set_timeout(tests, 300);
  tcase_add_unchecked_fixture(tests, make_folder, remove_folder);
  tcase_add_loop_test(tests, they_read_ours_at_each_level, -2, 10);
  tcase_add_loop_test(tests, we_read_theirs, 0, (int)(sizeof(writers) / sizeof(writers[0])));
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
