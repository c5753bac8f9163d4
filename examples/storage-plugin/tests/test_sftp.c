/*
 * tests/test_sftp.c - the plugin against a real server (tests/run starts it). Each case is a process of its own, with
 * an empty folder on the server, and writes one line of TAP.
 */
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

static bool says(const char *text) {
  return strstr(rig.error.text, text) != NULL;
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

/* ---- a server that goes wrong ---- */

enum { OPEN = 3, READ = 5, WRITE = 6, EXTENDED = 200 };

static void a_lost_answer_to_the_commit_is_resolved(void) {
  void *storage = open_storage();
  struct bo_object object;
  /* The requests of type EXTENDED in a commit: syncs of record, data and folder, and then the rename. */
  for (int number = 1; number <= 6; number++) {
    char lines[64];
    OK(store_text(storage, "k", "old"));
    rig.ops->close(storage);
    (void)snprintf(lines, sizeof(lines), "lose-answer 200 %d\n", number);
    set_faults(lines);
    storage = open_storage();
    int result = store_bytes(storage, "k", "new!", 4, &object);
    set_faults("");
    rig.ops->close(storage);
    storage = open_storage();
    if (result == BO_OK || rig.error.error_class == BO_CLASS_UNDECIDED)
      CHECK(reads_as(storage, "k", "new!"));
    else
      CHECK(reads_as(storage, "k", "old") && rig.error.error_class == BO_CLASS_NETWORK);
    OK(stat_object(storage, "k", &object));
    CHECK(object.metadata_count == 2 && left_of_puts() == 0);
  }
  close_storage(storage);
}

static void a_lost_commit_leaves_nothing(void) {
  void *storage = NULL;
  struct bo_object object;
  bool saw_the_rename = false;
  for (int number = 1; number <= 6; number++) {
    char lines[64];
    (void)snprintf(lines, sizeof(lines), "lose-request 200 %d\n", number);
    set_faults(lines);
    storage = open_storage();
    int result = store_bytes(storage, "deep/k", "new!", 4, &object);
    set_faults("");
    if (result == BO_OK || rig.error.error_class == BO_CLASS_UNDECIDED) {
      CHECK(reads_as(storage, "deep/k", "new!"));
      OK(rig.ops->remove(storage, "deep/k", NULL, &rig.error));
    } else {
      CHECK(result == BO_RETRY && rig.error.error_class == BO_CLASS_NETWORK);
      FAILS(stat_object(storage, "deep/k", &object), BO_CLASS_NOT_FOUND);
      saw_the_rename = true;
    }
    CHECK(left_of_puts() == 0 && records() == 0);
    close_storage(storage);
  }
  CHECK(saw_the_rename);
}

static void a_commit_that_nobody_can_tell_of_is_undecided(void) {
  struct bo_object object;
  bool undecided = false;
  void *storage = open_storage();
  OK(store_text(storage, "first", "text"));
  rig.ops->close(storage);
  /* The requests of type EXTENDED: syncs of record, data and folder, the rename, and a sync again. */
  for (int number = 1; number <= 5; number++) {
    char lines[64];
    (void)snprintf(lines, sizeof(lines), "lose-answer 200 %d\nrefuse\nrefuse\nrefuse\nrefuse\n", number);
    set_faults(lines);
    storage = open_storage();
    int result = store_bytes(storage, "k", "new!", 4, &object);
    CHECK(result != BO_OK);
    bool exists = is_on_disk("k");
    CHECK(!exists || rig.error.error_class == BO_CLASS_UNDECIDED);
    undecided |= exists && says("may exist");
    set_faults("");
    rig.ops->close(storage);
    (void)unlink(on_disk("k"));
  }
  CHECK(undecided);
}

static void a_connection_that_breaks_in_mid_put_is_an_error(void) {
  unsigned char block[65536] = {1};
  struct bo_token token;
  void *put = NULL;
  set_faults("lose-request 6 20\n");
  void *storage = open_storage();
  OK(put_open(storage, "k", &token, &put));
  int result = BO_OK;
  for (int i = 0; i < 100 && result == BO_OK; i++)
    result = rig.ops->put_write(put, block, sizeof(block), &rig.error);
  CHECK(result == BO_RETRY && rig.error.error_class == BO_CLASS_NETWORK);
  FAILS(rig.ops->put_write(put, block, 1, &rig.error), BO_CLASS_INTERNAL);
  OK(rig.ops->put_close(put, &rig.error)); /* over a new connection */
  CHECK(left_of_puts() == 0);
  OK(store_text(storage, "k", "again"));
  close_storage(storage);
}

static void a_refused_write_is_an_error(void) {
  struct bo_object object;
  set_faults("fail 6 3\n"); /* the first is the record's */
  void *storage = open_storage();
  unsigned char *bytes = calloc(1, 1 << 20);
  FAILS(store_bytes(storage, "k", bytes, 1 << 20, &object), BO_CLASS_IO);
  free(bytes);
  FAILS(stat_object(storage, "k", &object), BO_CLASS_NOT_FOUND);
  CHECK(left_of_puts() == 0 && records() == 0);
  close_storage(storage);
}

static void a_connection_that_breaks_is_never_an_end(void) {
  unsigned char *bytes = calloc(1, 4 << 20);
  struct bo_object object;
  size_t size = 0;
  void *storage = open_storage();
  OK(store_bytes(storage, "k", bytes, 2 << 20, &object));
  rig.ops->close(storage);
  for (int number = 2; number < 60; number += 13) {
    char lines[64];
    (void)snprintf(lines, sizeof(lines), "lose-answer 5 %d\n", number);
    set_faults(lines);
    storage = open_storage();
    CHECK(read_bytes(storage, "k", 0, NULL, bytes, 4 << 20, &size) == BO_RETRY);
    CHECK(rig.error.error_class == BO_CLASS_NETWORK && size < 2 << 20);
    rig.ops->close(storage);
  }
  free(bytes);
}

static void answers_may_be_short_and_out_of_order(void) {
  enum { SIZE = 1 << 20 };
  static const char *const faults[] = {"short 5 2\n", "short 5 9\n", "swap 5 3\n", "swap 6 5\n"};
  unsigned char *bytes = malloc(SIZE);
  unsigned char *copy = malloc(SIZE + 1);
  for (uint32_t i = 0, x = 7; i < SIZE; i++)
    bytes[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
  for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
    struct bo_object object;
    size_t size = 0;
    set_faults(faults[i]);
    void *storage = open_storage();
    OK(store_bytes(storage, "k", bytes, SIZE, &object));
    OK(read_bytes(storage, "k", 0, NULL, copy, SIZE + 1, &size));
    CHECK(size == SIZE && memcmp(bytes, copy, SIZE) == 0);
    rig.ops->close(storage);
  }
  free(bytes);
  free(copy);
}

static void a_server_without_extensions_stores_but_does_not_replace(void) {
  set_faults("plain\n");
  void *storage = open_storage();
  struct bo_object object;
  OK(rig.ops->probe(storage, BO_PROBE_READ | BO_PROBE_WRITE, &rig.error));
  OK(store_text(storage, "k", "one"));
  CHECK(store_bytes(storage, "k", "two", 3, &object) == BO_ERROR && says("posix-rename"));
  CHECK(reads_as(storage, "k", "one") && left_of_puts() == 0 && records() == 1);
  close_storage(storage);
}

/* ---- time, cancelling, memory ---- */

static void a_silent_server_is_a_timeout(void) {
  struct bo_object object;
  set_faults("stall 6 2\n");
  void *storage = NULL;
  const struct setting changed[] = {{"timeout", "1"}, {NULL, NULL}};
  OK(try_open(&storage, changed));
  uint64_t begin = now_ms();
  CHECK(store_bytes(storage, "k", "new", 3, &object) == BO_RETRY);
  CHECK(rig.error.error_class == BO_CLASS_TIMEOUT && now_ms() - begin < 20000);
  CHECK(left_of_puts() == 0); /* removed over a new connection */
  close_storage(storage);
}

static void *cancel_soon(void *storage) {
  (void)usleep(300000);
  if (storage != NULL)
    rig.ops->cancel(storage);
  else
    atomic_store(&rig.cancelled, true); /* the host's flag alone */
  return NULL;
}

static void cancelling_ends_a_wait(bool by_flag) {
  struct bo_object object;
  pthread_t thread;
  set_faults("stall 6 2\n");
  void *storage = open_storage();
  CHECK(pthread_create(&thread, NULL, cancel_soon, by_flag ? NULL : storage) == 0);
  uint64_t begin = now_ms();
  FAILS(store_bytes(storage, "k", "new", 3, &object), BO_CLASS_CANCELLED);
  CHECK(now_ms() - begin < 10000); /* the timeout is 30 s */
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(left_of_puts() == 0);
  FAILS(stat_object(storage, "k", &object), BO_CLASS_CANCELLED);
  OK(rig.ops->discard(storage, "k", "0123456789abcdef0123456789abcdef", &rig.error));
  close_storage(storage);
}

static void cancel_ends_a_wait(void) {
  cancelling_ends_a_wait(false);
}

static void the_hosts_flag_ends_a_wait(void) {
  cancelling_ends_a_wait(true);
}

static void every_refused_allocation_is_an_error(void) {
  long total = 0;
  for (long at = 1; at < 1000; at++) {
    struct bo_object object;
    struct bo_object found;
    unsigned char bytes[64];
    size_t size = 0;
    void *storage = NULL;
    atomic_store(&rig.allocations, 0);
    atomic_store(&rig.fail_at, at);
    int result = try_open(&storage, NULL);
    if (result == BO_OK) {
      result = store_bytes(storage, "k", "text", 4, &object);
      if (result == BO_OK) result = read_bytes(storage, "k", 0, NULL, bytes, sizeof(bytes), &size);
      atomic_store(&rig.fail_at, 0);
      (void)stat_object(storage, "k", &found);
      rig.ops->close(storage);
    }
    CHECK(atomic_load(&rig.live) == 0);
    CHECK(left_of_puts() == 0);
    CHECK(result == BO_OK || rig.error.text[0] != '\0');
    total = atomic_load(&rig.allocations);
    if (at > total) break;
  }
  CHECK(total > 10);
}

/* ---- all of them ---- */

#define CASE(name) \
  { #name, name }
static const struct {
  const char *name;
  void (*run)(void);
} cases[] = {
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
    CASE(a_lost_answer_to_the_commit_is_resolved),
    CASE(a_lost_commit_leaves_nothing),
    CASE(a_commit_that_nobody_can_tell_of_is_undecided),
    CASE(a_connection_that_breaks_in_mid_put_is_an_error),
    CASE(a_refused_write_is_an_error),
    CASE(a_connection_that_breaks_is_never_an_end),
    CASE(answers_may_be_short_and_out_of_order),
    CASE(a_server_without_extensions_stores_but_does_not_replace),
    CASE(a_silent_server_is_a_timeout),
    CASE(cancel_ends_a_wait),
    CASE(the_hosts_flag_ends_a_wait),
    CASE(every_refused_allocation_is_an_error),
};

static bool run_case(const char *plugin, size_t i) {
  char template[4096];
  int status = 0;
  (void)snprintf(template, sizeof(template), "%s/store-XXXXXX", getenv("SFTP_TEST_FOLDERS"));
  rig.folder = mkdtemp(template);
  if (rig.folder == NULL) return false;
  (void)fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    (void)setenv("SFTP_TEST_path", rig.folder, 1);
    (void)alarm(120);
    load(plugin);
    set_faults("");
    cases[i].run();
    exit(0);
  }
  if (waitpid(child, &status, 0) != child) return false;
  if (WIFSIGNALED(status)) printf("# it was ended by signal %d\n", WTERMSIG(status));
  return status == 0;
}

int main(int argc, char **argv) {
  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  const size_t count = sizeof(cases) / sizeof(cases[0]);
  bool failed = false;
  rig.faults = getenv("SFTP_TEST_FAULTS");
  if (argc < 2 || rig.faults == NULL || getenv("SFTP_TEST_FOLDERS") == NULL) {
    (void)fprintf(stderr, "usage: tests/run starts this, with a server\n");
    return 2;
  }
  for (size_t i = 0; i < count; i++) {
    if (argc > 2 && strcmp(argv[2], cases[i].name) != 0) continue;
    bool passed = run_case(argv[1], i);
    failed |= !passed;
    printf("%s %zu - ", passed ? "ok" : "not ok", i + 1);
    for (const char *c = cases[i].name; *c != '\0'; c++)
      (void)putchar(*c == '_' ? ' ' : *c);
    (void)putchar('\n');
  }
  printf("1..%zu\n", count);
  return failed;
}
