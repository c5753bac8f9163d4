/* tests/test_objects.c - objects and puts, against a real server that does what it should. */
#include <fcntl.h>

#include "rig.h"

/* ---- storing and reading ---- */

static void an_object_appears_at_commit(void) {
  void *storage = open_storage();
  struct bo_token token = {{0}};
  struct bo_object object = {.size = sizeof(object)};
  struct bo_object found;
  void *put = NULL;
  OK(put_open(storage, "ns/run 1+ä.backup", &token, &put));
  CHECK(token.text[0] != '\0');
  OK(rig.ops->put_write(put, "hello ", 6, &rig.error));
  FAILS(stat_object(storage, "ns/run 1+ä.backup", &found), BO_CLASS_NOT_FOUND);
  OK(rig.ops->put_write(put, "world", 5, &rig.error));
  OK(rig.ops->put_commit(put, &object, &rig.error));
  OK(rig.ops->put_close(put, &rig.error));
  CHECK(object.size_bytes == 11 && object.etag[0] != '\0');
  OK(stat_object(storage, "ns/run 1+ä.backup", &found));
  CHECK(found.size_bytes == 11 && strcmp(found.etag, object.etag) == 0 && found.metadata_count == 2);
  CHECK(strcmp(found.metadata[0].name, "run-uid") == 0 && strcmp(found.metadata[0].value, "1234") == 0);
  CHECK(reads_as(storage, "ns/run 1+ä.backup", "hello world"));
  CHECK(is_on_disk("ns/run 1+ä.backup") && left_of_puts() == 0 && records() == 1);
  close_storage(storage);
}

static void large_objects_come_back(void) {
  enum { SIZE = 12 * 1024 * 1024 + 17 };
  void *storage = open_storage();
  struct bo_object object;
  unsigned char *bytes = malloc(SIZE);
  unsigned char *copy = malloc(SIZE + 1);
  size_t size = 0;
  CHECK(bytes != NULL && copy != NULL);
  for (uint32_t i = 0, x = 1; i < SIZE; i++)
    bytes[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
  OK(store_bytes(storage, "large", bytes, SIZE, &object));
  OK(read_bytes(storage, "large", 0, object.etag, copy, SIZE + 1, &size));
  CHECK(size == SIZE && memcmp(bytes, copy, SIZE) == 0);
  OK(read_bytes(storage, "large", 1234567, NULL, copy, SIZE + 1, &size));
  CHECK(size == SIZE - 1234567 && memcmp(bytes + 1234567, copy, size) == 0);
  OK(read_bytes(storage, "large", SIZE, NULL, copy, SIZE + 1, &size));
  CHECK(size == 0);
  FAILS(read_bytes(storage, "large", SIZE + 1, NULL, copy, SIZE + 1, &size), BO_CLASS_CONFIG);
  OK(store_bytes(storage, "empty", "", 0, &object));
  CHECK(reads_as(storage, "empty", ""));
  free(bytes);
  free(copy);
  close_storage(storage);
}

static void a_replaced_object_has_another_etag(void) {
  void *storage = open_storage();
  struct bo_object first;
  struct bo_object second;
  unsigned char bytes[16];
  size_t size = 0;
  OK(store_bytes(storage, "k", "one", 3, &first));
  OK(store_bytes(storage, "k", "two", 3, &second)); /* the same size, within the same second */
  CHECK(strcmp(first.etag, second.etag) != 0);
  CHECK(reads_as(storage, "k", "two") && records() == 1);
  FAILS(read_bytes(storage, "k", 0, first.etag, bytes, sizeof(bytes), &size), BO_CLASS_CONFLICT);
  OK(read_bytes(storage, "k", 0, second.etag, bytes, sizeof(bytes), &size));
  close_storage(storage);
}

static void a_read_goes_on_while_the_object_is_replaced(void) {
  void *storage = open_storage();
  struct bo_object object = {.size = sizeof(object)};
  unsigned char byte[4];
  size_t size = 0;
  void *get = NULL;
  OK(store_text(storage, "k", "one"));
  OK(rig.ops->get_open(storage, "k", 0, NULL, &object, &get, &rig.error));
  OK(rig.ops->get_read(get, byte, 1, &size, &rig.error));
  CHECK(size == 1 && byte[0] == 'o');
  OK(store_text(storage, "k", "another"));
  OK(rig.ops->get_read(get, byte, 4, &size, &rig.error));
  CHECK(size == 2 && memcmp(byte, "ne", 2) == 0);
  OK(rig.ops->get_read(get, byte, 4, &size, &rig.error));
  CHECK(size == 0);
  rig.ops->get_close(get);
  CHECK(reads_as(storage, "k", "another"));
  close_storage(storage);
}

static void what_is_altered_in_place_is_noticed(void) {
  void *storage = open_storage();
  struct bo_object object = {.size = sizeof(object)};
  unsigned char bytes[16];
  size_t size = 0;
  void *get = NULL;
  OK(store_text(storage, "k", "something"));
  OK(rig.ops->get_open(storage, "k", 0, NULL, &object, &get, &rig.error));
  CHECK(truncate(on_disk("k"), 4) == 0);
  int result = BO_OK;
  do
    result = rig.ops->get_read(get, bytes, sizeof(bytes), &size, &rig.error);
  while (result == BO_OK && size > 0);
  CHECK(result == BO_ERROR && rig.error.error_class == BO_CLASS_CONFLICT);
  rig.ops->get_close(get);
  OK(stat_object(storage, "k", &object)); /* it is an object that was put there by hand now */
  CHECK(object.metadata_count == 0 && object.size_bytes == 4);
  close_storage(storage);
}

/* ---- what is not committed ---- */

static void an_abort_leaves_nothing(void) {
  void *storage = open_storage();
  struct bo_token token;
  struct bo_object object;
  void *put = NULL;
  OK(store_text(storage, "k", "old"));
  OK(put_open(storage, "k", &token, &put));
  OK(rig.ops->put_write(put, "new", 3, &rig.error));
  CHECK(left_of_puts() == 2);
  OK(rig.ops->put_close(put, &rig.error));
  CHECK(left_of_puts() == 0 && reads_as(storage, "k", "old"));
  OK(put_open(storage, "other/k", &token, &put));
  OK(rig.ops->put_write(put, "new", 3, &rig.error));
  rig.ops->close(storage); /* with the put still open */
  CHECK(left_of_puts() == 0 && atomic_load(&rig.live) == 0);
  storage = open_storage();
  FAILS(stat_object(storage, "other/k", &object), BO_CLASS_NOT_FOUND);
  close_storage(storage);
}

static void a_discard_from_elsewhere_ends_a_put(void) {
  void *storage = open_storage();
  void *other = open_storage();
  struct bo_token token;
  struct bo_object object = {.size = sizeof(object)};
  void *put = NULL;
  OK(put_open(storage, "k", &token, &put));
  OK(rig.ops->put_write(put, "new", 3, &rig.error));
  OK(rig.ops->discard(other, "k", token.text, &rig.error));
  OK(rig.ops->discard(other, "k", token.text, &rig.error));
  FAILS(rig.ops->put_commit(put, &object, &rig.error), BO_CLASS_CANCELLED);
  OK(rig.ops->put_close(put, &rig.error));
  FAILS(stat_object(storage, "k", &object), BO_CLASS_NOT_FOUND);
  CHECK(left_of_puts() == 0 && records() == 0);
  OK(put_open(storage, "k", &token, &put));
  OK(rig.ops->put_commit(put, &object, &rig.error));
  OK(rig.ops->put_close(put, &rig.error));
  OK(rig.ops->discard(other, "k", token.text, &rig.error)); /* the object stays */
  OK(stat_object(storage, "k", &object));
  FAILS(rig.ops->discard(other, "k", "../k", &rig.error), BO_CLASS_CONFIG);
  rig.ops->close(other);
  close_storage(storage);
}

static const time_t long_ago = 1000000000;

static void make_old(const char *path) {
  const struct timespec times[2] = {{.tv_sec = long_ago}, {.tv_sec = long_ago}};
  CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
}

static void a_sweep_takes_old_puts_and_no_others(void) {
  void *storage = open_storage();
  struct bo_token token;
  uint64_t count = 0;
  void *put = NULL;
  OK(rig.ops->sweep(storage, "", 0, &count, &rig.error)); /* there is nothing at all yet */
  CHECK(count == 0);
  for (int i = 0; i < 2; i++) {
    pid_t child = fork(); /* each dies with a put open */
    if (child == 0) {
      void *own = open_storage();
      OK(put_open(own, i == 0 ? "a/k" : "b/k", &token, &put));
      OK(rig.ops->put_write(put, "new", 3, &rig.error));
      OK(rig.ops->probe(own, BO_PROBE_READ, &rig.error)); /* what was written is there */
      (void)raise(SIGKILL);
    }
    CHECK(waitpid(child, NULL, 0) == child);
  }
  CHECK(left_of_puts() == 4);
  (void)count_files(".storage-sftp", make_old);
  OK(put_open(storage, "a/young", &token, &put));
  OK(rig.ops->sweep(storage, "a/", 3600, &count, &rig.error));
  CHECK(count == 1 && left_of_puts() == 4);
  OK(rig.ops->sweep(storage, "", 3600, &count, &rig.error));
  CHECK(count == 1 && left_of_puts() == 2);
  OK(rig.ops->put_write(put, "new", 3, &rig.error));
  struct bo_object object = {.size = sizeof(object)};
  OK(rig.ops->put_commit(put, &object, &rig.error));
  OK(rig.ops->put_close(put, &rig.error));
  CHECK(reads_as(storage, "a/young", "new") && left_of_puts() == 0);
  close_storage(storage);
}

static void a_sweep_takes_records_without_an_object(void) {
  void *storage = open_storage();
  struct bo_object object;
  uint64_t count = 0;
  OK(store_text(storage, "kept", "text"));
  OK(store_text(storage, "gone", "text"));
  CHECK(unlink(on_disk("gone")) == 0 && records() == 2);
  OK(rig.ops->sweep(storage, "", 0, &count, &rig.error)); /* they could be a commit's that is on its way */
  CHECK(records() == 2);
  (void)count_files(".storage-sftp/metadata", make_old);
  OK(rig.ops->sweep(storage, "", 3600, &count, &rig.error));
  CHECK(records() == 1 && count == 0);
  OK(stat_object(storage, "kept", &object));
  CHECK(object.metadata_count == 2);
  close_storage(storage);
}

/* ---- keys, listing, removing ---- */

static void keys_cannot_leave_the_folder(void) {
  static const char *const bad[] = {"",           "/a",          "a/",    "a//b", "..",       "../a",
                                    "a/../b",     ".",           "a/./b", "\xff", "\xc0\xaf", ".storage-sftp/x",
                                    "lost+found", "\xed\xa0\x80"};
  void *storage = open_storage();
  struct bo_token token;
  struct bo_object object;
  void *put = NULL;
  char long_part[300];
  memset(long_part, 'x', sizeof(long_part));
  long_part[256] = '\0';
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    FAILS(put_open(storage, bad[i], &token, &put), BO_CLASS_CONFIG);
    FAILS(stat_object(storage, bad[i], &object), BO_CLASS_CONFIG);
  }
  FAILS(put_open(storage, long_part, &token, &put), BO_CLASS_CONFIG);
  long_part[255] = '\0';
  OK(store_text(storage, long_part, "text"));
  OK(store_text(storage, "a/b", "text"));
  FAILS(put_open(storage, "a", &token, &put), BO_CLASS_CONFIG);
  FAILS(put_open(storage, "a/b/c", &token, &put), BO_CLASS_CONFIG);
  FAILS(stat_object(storage, "a/b/c", &object), BO_CLASS_NOT_FOUND);
  FAILS(stat_object(storage, "a", &object), BO_CLASS_NOT_FOUND);
  CHECK(symlink("b", on_disk("a/link")) == 0);
  FAILS(stat_object(storage, "a/link", &object), BO_CLASS_NOT_FOUND);
  close_storage(storage);
}

struct seen {
  char keys[4096];
  int count;
  int stop_after;
};

static int see(void *context, const char *key, const struct bo_object *object) {
  struct seen *seen = context;
  (void)object;
  (void)snprintf(seen->keys + strlen(seen->keys), sizeof(seen->keys) - strlen(seen->keys), "%s;", key);
  return ++seen->count == seen->stop_after;
}

static void a_listing_is_in_order_and_in_pages(void) {
  static const char *const keys[] = {"a/b", "a.b", "a0", "a/b.c", "a/b0/c", "z", "a/c/d/e", "B"};
  static const char all[] = "B;a.b;a/b;a/b.c;a/b0/c;a/c/d/e;a0;z;";
  void *storage = open_storage();
  int more = 0;
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
    OK(store_text(storage, keys[i], "text"));
  struct seen seen = {{0}, 0, 0};
  OK(rig.ops->list(storage, "", NULL, 100, see, &seen, &more, &rig.error));
  CHECK(strcmp(seen.keys, all) == 0 && !more);
  seen = (struct seen){{0}, 0, 0};
  OK(rig.ops->list(storage, "a/b", NULL, 2, see, &seen, &more, &rig.error));
  CHECK(strcmp(seen.keys, "a/b;a/b.c;") == 0 && more);
  seen = (struct seen){{0}, 0, 0};
  OK(rig.ops->list(storage, "a/b", "a/b.c", 2, see, &seen, &more, &rig.error));
  CHECK(strcmp(seen.keys, "a/b0/c;") == 0 && !more);
  seen = (struct seen){{0}, 0, 0};
  OK(rig.ops->list(storage, "nothing", NULL, 2, see, &seen, &more, &rig.error));
  CHECK(seen.count == 0 && !more);
  seen = (struct seen){{0}, 0, 3};
  OK(rig.ops->list(storage, NULL, "a.b", 100, see, &seen, &more, &rig.error));
  CHECK(strcmp(seen.keys, "a/b;a/b.c;a/b0/c;") == 0);
  close_storage(storage);
}

static void write_on_disk(const char *name, const char *text) {
  FILE *file = fopen(on_disk(name), "w");
  CHECK(file != NULL);
  CHECK(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void a_full_folder_is_listed_in_bounded_memory(void) {
  enum { COUNT = 9000 }; /* more than twice what is kept of a folder */
  void *storage = open_storage();
  char last[64] = "";
  int total = 0;
  for (int i = 0; i < COUNT; i++) {
    char name[64];
    (void)snprintf(name, sizeof(name), "%06d", i * 7919 % COUNT);
    write_on_disk(name, "");
  }
  for (int more = 1; more;) {
    struct seen seen = {{0}, 0, 0};
    OK(rig.ops->list(storage, "", last, 400, see, &seen, &more, &rig.error));
    CHECK(seen.count == 400 || !more);
    total += seen.count;
    if (seen.count > 0) (void)snprintf(last, sizeof(last), "%06d", total - 1);
    CHECK(seen.count == 0 || strncmp(seen.keys + strlen(seen.keys) - 7, last, 6) == 0);
  }
  CHECK(total == COUNT);
  close_storage(storage);
}

static void removing(void) {
  void *storage = open_storage();
  struct bo_object object;
  OK(store_bytes(storage, "a/b/k", "one", 3, &object));
  OK(store_text(storage, "a/other", "text"));
  FAILS(rig.ops->remove(storage, "a/b/k", "not-its-etag", &rig.error), BO_CLASS_CONFLICT);
  OK(rig.ops->remove(storage, "a/b/k", object.etag, &rig.error));
  FAILS(rig.ops->remove(storage, "a/b/k", NULL, &rig.error), BO_CLASS_NOT_FOUND);
  FAILS(rig.ops->remove(storage, "a/b/k", object.etag, &rig.error), BO_CLASS_NOT_FOUND);
  CHECK(!is_on_disk("a/b") && is_on_disk("a/other") && records() == 1);
  OK(rig.ops->remove(storage, "a/other", NULL, &rig.error));
  CHECK(!is_on_disk("a") && records() == 0 && left_of_puts() == 0);
  close_storage(storage);
}

/* ---- what is wrong with the place ---- */

static int probe_with(const char *key, const char *value) {
  void *storage = NULL;
  const struct setting changed[] = {{key, value}, {NULL, NULL}};
  int result = try_open(&storage, changed);
  if (result != BO_OK) return result;
  result = rig.ops->probe(storage, BO_PROBE_READ | BO_PROBE_WRITE, &rig.error);
  rig.ops->close(storage);
  return result;
}

static void a_probe_says_what_is_wrong(void) {
  OK(probe_with("port", getenv("SFTP_TEST_port")));
  OK(probe_with("hostKey", getenv("SFTP_TEST_FINGERPRINT")));
  CHECK(left_of_puts() == 0);
  FAILS(probe_with("path", "/nowhere/at/all"), BO_CLASS_NOT_FOUND);
  CHECK(says("/nowhere/at/all"));
  FAILS(probe_with("path", "/etc/passwd"), BO_CLASS_CONFIG);
  FAILS(probe_with("port", "1"), BO_CLASS_NETWORK);
  CHECK(says("port 1"));
  FAILS(probe_with("host", "name.invalid"), BO_CLASS_NETWORK);
  CHECK(says("name.invalid"));
  OK(probe_with("host", "localhost"));
  FAILS(probe_with("user", "nobody-there"), BO_CLASS_AUTH);
  CHECK(says("nobody-there"));
  FAILS(probe_with("privateKey", getenv("SFTP_TEST_OTHER_KEY")), BO_CLASS_AUTH);
  FAILS(probe_with("privateKey", "-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n"), BO_CLASS_CONFIG);
  FAILS(probe_with("privateKey", "nonsense"), BO_CLASS_CONFIG);
  FAILS(probe_with("privateKey", NULL), BO_CLASS_CONFIG);
  CHECK(atomic_load(&rig.live) == 0);
}

static void another_host_key_is_refused(void) {
  FAILS(probe_with("hostKey", getenv("SFTP_TEST_OTHER_HOST_KEY")), BO_CLASS_AUTH);
  CHECK(says(getenv("SFTP_TEST_FINGERPRINT"))); /* so that one can compare */
  FAILS(probe_with("hostKey", "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), BO_CLASS_AUTH);
  FAILS(probe_with("hostKey", "SHA256:"), BO_CLASS_AUTH);
  FAILS(probe_with("hostKey", "ssh-ed25519"), BO_CLASS_AUTH);
  FAILS(probe_with("hostKey", "yes"), BO_CLASS_CONFIG);
  FAILS(probe_with("hostKey", NULL), BO_CLASS_CONFIG);
}

/* ---- all of them ---- */

static const struct test_case cases[] = {
    CASE(an_object_appears_at_commit),
    CASE(large_objects_come_back),
    CASE(a_replaced_object_has_another_etag),
    CASE(a_read_goes_on_while_the_object_is_replaced),
    CASE(what_is_altered_in_place_is_noticed),
    CASE(an_abort_leaves_nothing),
    CASE(a_discard_from_elsewhere_ends_a_put),
    CASE(a_sweep_takes_old_puts_and_no_others),
    CASE(a_sweep_takes_records_without_an_object),
    CASE(keys_cannot_leave_the_folder),
    CASE(a_listing_is_in_order_and_in_pages),
    CASE(a_full_folder_is_listed_in_bounded_memory),
    CASE(removing),
    CASE(a_probe_says_what_is_wrong),
    CASE(another_host_key_is_refused),
};

int main(int argc, char **argv) {
  return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
