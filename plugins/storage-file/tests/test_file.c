/* Objects, keys, listings and metadata of the storage `file`, and what it answers when things are not as they should
 * be. Puts are tried both ways: 0 with unnamed files, 1 without. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "plugins/storage-file/tests/rig.h"

/* ---- objects */

START_TEST(put_get_stat_list_remove) {
  struct rig rig;
  rig_open(&rig, _i);
  put_text(&rig, "ns/run-1.backup", "hello, world");
  ck_assert_str_eq(get_text(&rig, "ns/run-1.backup"), "hello, world");
  struct bo_object object = stat_object(&rig, "ns/run-1.backup");
  ck_assert_uint_eq(object.size_bytes, 12);
  ck_assert_int_gt(object.modified_unix_ms, INT64_C(1600000000000));
  ck_assert_str_eq(list_text(&rig, "", "", 100), "ns/run-1.backup=12\n");
  ck_assert_str_eq(tree_text(&rig), "ns\nns/run-1.backup\n");
  RIG_OK(rig.ops->remove(rig.storage, "ns/run-1.backup", object.etag, &rig.error));
  RIG_FAILS(rig.ops->stat(rig.storage, "ns/run-1.backup", &object, &rig.error), BO_CLASS_NOT_FOUND);
  RIG_FAILS(try_get(&rig, "ns/run-1.backup", 0, NULL), BO_CLASS_NOT_FOUND);
  RIG_FAILS(rig.ops->remove(rig.storage, "ns/run-1.backup", NULL, &rig.error), BO_CLASS_NOT_FOUND);
  ck_assert_str_eq(list_text(&rig, "", "", 100), "");
  ck_assert_str_eq(tree_text(&rig), "");
  rig_close(&rig);
}
END_TEST

START_TEST(empty_object) {
  struct rig rig;
  rig_open(&rig, _i);
  put_text(&rig, "empty", "");
  ck_assert_str_eq(get_text(&rig, "empty"), "");
  ck_assert_str_eq(list_text(&rig, "", "", 1), "empty=0\n");
  rig_close(&rig);
}
END_TEST

START_TEST(nothing_is_visible_before_commit) {
  struct rig rig;
  struct bo_object object = {.size = sizeof(object)};
  rig_open(&rig, _i);
  put_text(&rig, "a/b", "old");
  void *put = begin_put(&rig, "a/b", NULL);
  void *other = begin_put(&rig, "fresh/x", NULL);
  RIG_OK(rig.ops->put_write(put, "new!", 4, &rig.error));
  RIG_OK(rig.ops->put_write(other, "new!", 4, &rig.error));
  ck_assert_str_eq(get_text(&rig, "a/b"), "old");
  ck_assert_str_eq(list_text(&rig, "", "", 100), "a/b=3\n");
  RIG_OK(rig.ops->put_commit(put, &object, &rig.error));
  ck_assert_uint_eq(object.size_bytes, 4);
  ck_assert_str_eq(object.etag, stat_object(&rig, "a/b").etag);
  RIG_OK(rig.ops->put_close(put, &rig.error));
  RIG_OK(rig.ops->put_close(other, &rig.error));
  ck_assert_str_eq(get_text(&rig, "a/b"), "new!");
  ck_assert_str_eq(tree_text(&rig), "a\na/b\n");
  rig_close(&rig);
}
END_TEST

START_TEST(close_aborts_what_is_open) {
  struct rig rig;
  struct bo_object object = {.size = sizeof(object)};
  void *get = NULL;
  rig_open(&rig, _i);
  put_text(&rig, "kept", "1");
  for (int i = 0; i < 3; i++)
    RIG_OK(rig.ops->put_write(begin_put(&rig, "x/y", NULL), "data", 4, &rig.error));
  RIG_OK(rig.ops->get_open(rig.storage, "kept", 0, NULL, &object, &get, &rig.error));
  rig.ops->close(rig.storage);
  ck_assert_str_eq(tree_text(&rig), "kept\n");
  RIG_OK(rig_make(&rig, rig.folder, &rig.storage));
  rig_close(&rig);
}
END_TEST

START_TEST(ranges) {
  struct rig rig;
  rig_open(&rig, 0);
  put_text(&rig, "r", "0123456789abcdef");
  RIG_OK(try_get(&rig, "r", 10, NULL));
  ck_assert_str_eq(bo_buffer_text(&rig.got), "abcdef");
  RIG_OK(try_get(&rig, "r", 16, NULL));
  ck_assert_str_eq(bo_buffer_text(&rig.got), "");
  RIG_FAILS(try_get(&rig, "r", 17, NULL), BO_CLASS_CONFIG);
  RIG_FAILS(try_get(&rig, "r", UINT64_MAX, NULL), BO_CLASS_CONFIG);
  rig_close(&rig);
}
END_TEST

START_TEST(if_match) {
  struct rig rig;
  rig_open(&rig, _i);
  put_text(&rig, "k", "same size 1");
  struct bo_object first = stat_object(&rig, "k");
  RIG_OK(try_get(&rig, "k", 0, first.etag));
  put_text(&rig, "k", "same size 2");
  struct bo_object second = stat_object(&rig, "k");
  ck_assert_str_ne(first.etag, second.etag);
  RIG_FAILS(try_get(&rig, "k", 0, first.etag), BO_CLASS_CONFLICT);
  RIG_FAILS(rig.ops->remove(rig.storage, "k", first.etag, &rig.error), BO_CLASS_CONFLICT);
  ck_assert_str_eq(get_text(&rig, "k"), "same size 2");
  RIG_OK(rig.ops->remove(rig.storage, "k", second.etag, &rig.error));
  rig_close(&rig);
}
END_TEST

START_TEST(etags_of_quick_successors_differ) {
  struct rig rig;
  char etags[50][BO_ETAG_MAX];
  rig_open(&rig, _i);
  for (int i = 0; i < 50; i++) {
    put_text(&rig, "k", "x");
    (void)snprintf(etags[i], BO_ETAG_MAX, "%s", stat_object(&rig, "k").etag);
    for (int j = 0; j < i; j++)
      ck_assert_str_ne(etags[i], etags[j]);
  }
  rig_close(&rig);
}
END_TEST

/* ---- changes under the reader's hands */

static void *begin_get(struct rig *rig, const char *key) {
  struct bo_object object = {.size = sizeof(object)};
  void *get = NULL;
  int result = rig->ops->get_open(rig->storage, key, 0, NULL, &object, &get, &rig->error);
  ck_assert_msg(result == BO_OK, "%s", rig->error.text);
  return get;
}

START_TEST(a_replaced_object_is_read_to_its_end) {
  struct rig rig;
  char bytes[4];
  size_t size = 0;
  rig_open(&rig, 0);
  put_text(&rig, "k", "old-old");
  void *get = begin_get(&rig, "k");
  RIG_OK(rig.ops->get_read(get, bytes, 4, &size, &rig.error));
  put_text(&rig, "k", "new");
  RIG_OK(rig.ops->get_read(get, bytes, 4, &size, &rig.error));
  ck_assert_uint_eq(size, 3);
  ck_assert_mem_eq(bytes, "old", 3);
  RIG_OK(rig.ops->get_read(get, bytes, 4, &size, &rig.error));
  ck_assert_uint_eq(size, 0);
  rig.ops->get_close(get);
  rig_close(&rig);
}
END_TEST

/* 0: altered within, same length; 1: longer; 2: shorter; 3: shorter, with the old time put back */
START_TEST(an_object_altered_in_place_is_a_conflict) {
  struct rig rig;
  char bytes[4];
  size_t size = 0;
  rig_open(&rig, 0);
  put_text(&rig, "k", "0123456789");
  void *get = begin_get(&rig, "k");
  RIG_OK(rig.ops->get_read(get, bytes, 4, &size, &rig.error));
  BO_CLEANUP_FD int fd = openat(rig.root, "k", O_RDWR);
  struct stat status;
  ck_assert_int_eq(fstat(fd, &status), 0);
  if (_i == 0) ck_assert_int_eq(pwrite(fd, "X", 1, 9), 1);
  if (_i == 1) ck_assert_int_eq(pwrite(fd, "X", 1, 10), 1);
  if (_i >= 2) ck_assert_int_eq(ftruncate(fd, 6), 0);
  if (_i == 3) ck_assert_int_eq(futimens(fd, (struct timespec[]){status.st_atim, status.st_mtim}), 0);
  RIG_FAILS(rig.ops->get_read(get, bytes, 4, &size, &rig.error), BO_CLASS_CONFLICT);
  rig.ops->get_close(get);
  rig_close(&rig);
}
END_TEST

START_TEST(altering_after_the_last_byte_is_still_seen) {
  struct rig rig;
  char bytes[16];
  size_t size = 0;
  rig_open(&rig, 0);
  put_text(&rig, "k", "0123456789");
  void *get = begin_get(&rig, "k");
  RIG_OK(rig.ops->get_read(get, bytes, sizeof(bytes), &size, &rig.error));
  ck_assert_uint_eq(size, 10);
  write_file(&rig, "k", "9876543210");
  RIG_FAILS(rig.ops->get_read(get, bytes, sizeof(bytes), &size, &rig.error), BO_CLASS_CONFLICT);
  rig.ops->get_close(get);
  rig_close(&rig);
}
END_TEST

/* ---- keys */

static char *repeat(char *text, const char *unit, size_t size) {
  size_t length = strlen(unit);
  for (size_t i = 0; i < size; i++)
    text[i] = unit[i % length];
  text[size] = '\0';
  return text;
}

START_TEST(odd_keys_are_held_as_they_are) {
  char deep[BO_KEY_MAX + 1];
  char long_part[256];
  const char *const keys[] = {
      "with space/and more ",
      "gr\xC3\xBC\xC3\x9F/\xE2\x82\xAC",
      "+plus+",
      "~/home",
      "C:\\windows",
      "a:b*c?d<e>f|g\"h",
      ".hidden",
      "...",
      "..a/b..",
      "-rf",
      "%2e%2e/%2F",
      "new\nline",
      "tab\tand\x01",
      ".backup-operator2",
      "x/.backup-operator",
      "$(reboot)",
      repeat(deep, "d/", BO_KEY_MAX - 1),
      repeat(long_part, "n", 255),
  };
  struct rig rig;
  rig_open(&rig, _i);
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
    put_text(&rig, keys[i], keys[i]);
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
    ck_assert_str_eq(get_text(&rig, keys[i]), keys[i]);
    ck_assert_ptr_nonnull(strstr(list_text(&rig, keys[i], NULL, 1), keys[i]));
    RIG_OK(rig.ops->remove(rig.storage, keys[i], NULL, &rig.error));
  }
  ck_assert_str_eq(tree_text(&rig), "");
  rig_close(&rig);
}
END_TEST

START_TEST(keys_that_a_folder_cannot_hold_are_refused) {
  char too_long[BO_KEY_MAX + 2];
  char long_part[257];
  const char *const keys[] = {
      "",
      "/",
      "/a",
      "a/",
      "a//b",
      ".",
      "..",
      "../a",
      "a/..",
      "a/../b",
      "a/./b",
      "./a",
      "a/.",
      "/etc/passwd",
      "../../../etc/passwd",
      ".backup-operator",
      ".backup-operator/x",
      ".backup-operator/metadata/x",
      "lost+found",
      "lost+found/x",
      "bad\xff",
      "over\xC0\xAFlong",
      repeat(too_long, "k/", BO_KEY_MAX + 1),
      repeat(long_part, "n", 256),
  };
  struct rig rig;
  struct bo_object object = {.size = sizeof(object)};
  rig_open(&rig, 0);
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
    struct bo_token token;
    void *put = NULL;
    RIG_FAILS(rig.ops->put_open(rig.storage, keys[i], NULL, &token, &put, &rig.error), BO_CLASS_CONFIG);
    RIG_FAILS(try_get(&rig, keys[i], 0, NULL), BO_CLASS_CONFIG);
    RIG_FAILS(rig.ops->stat(rig.storage, keys[i], &object, &rig.error), BO_CLASS_CONFIG);
    RIG_FAILS(rig.ops->remove(rig.storage, keys[i], NULL, &rig.error), BO_CLASS_CONFIG);
  }
  ck_assert_str_eq(tree_text(&rig), "");
  rig_close(&rig);
}
END_TEST

START_TEST(an_object_and_a_folder_cannot_share_a_name) {
  struct rig rig;
  struct bo_object object = {.size = sizeof(object)};
  struct bo_token token;
  void *put = NULL;
  rig_open(&rig, _i);
  put_text(&rig, "a", "1");
  put_text(&rig, "b/c", "2");
  RIG_FAILS(rig.ops->put_open(rig.storage, "a/x", NULL, &token, &put, &rig.error), BO_CLASS_CONFIG);
  RIG_FAILS(rig.ops->put_open(rig.storage, "a/x/y", NULL, &token, &put, &rig.error), BO_CLASS_CONFIG);
  RIG_FAILS(rig.ops->put_open(rig.storage, "b", NULL, &token, &put, &rig.error), BO_CLASS_CONFIG);
  RIG_FAILS(try_get(&rig, "a/x", 0, NULL), BO_CLASS_NOT_FOUND);
  RIG_FAILS(try_get(&rig, "b", 0, NULL), BO_CLASS_NOT_FOUND);
  RIG_FAILS(rig.ops->stat(rig.storage, "a/x", &object, &rig.error), BO_CLASS_NOT_FOUND);
  RIG_FAILS(rig.ops->stat(rig.storage, "b", &object, &rig.error), BO_CLASS_NOT_FOUND);
  RIG_FAILS(rig.ops->remove(rig.storage, "b", NULL, &rig.error), BO_CLASS_NOT_FOUND);

  /* Found out only at the commit: whoever came first stays, and nothing is left of the other. */
  put = begin_put(&rig, "late", NULL);
  put_text(&rig, "late/x", "3");
  RIG_OK(rig.ops->put_write(put, "4", 1, &rig.error));
  ck_assert_int_ne(rig.ops->put_commit(put, &object, &rig.error), BO_OK);
  RIG_OK(rig.ops->put_close(put, &rig.error));
  ck_assert_str_eq(tree_text(&rig), "a\nb\nb/c\nlate\nlate/x\n");

  /* A folder that has become empty makes room. */
  RIG_OK(rig.ops->remove(rig.storage, "b/c", NULL, &rig.error));
  put_text(&rig, "b", "5");
  rig_close(&rig);
}
END_TEST

START_TEST(links_and_special_files_are_not_objects) {
  struct rig rig;
  struct bo_object object = {.size = sizeof(object)};
  struct bo_token token;
  void *put = NULL;
  rig_open(&rig, _i);
  put_text(&rig, "real/x", "inside");
  ck_assert_int_eq(symlinkat("/etc", rig.root, "etc"), 0);
  ck_assert_int_eq(symlinkat("/etc/passwd", rig.root, "passwd"), 0);
  ck_assert_int_eq(symlinkat("real", rig.root, "alias"), 0);
  ck_assert_int_eq(symlinkat("/tmp", rig.root, "real/up"), 0);
  ck_assert_int_eq(mkfifoat(rig.root, "fifo", 0600), 0);
  static const char *const through[] = {"etc/passwd", "alias/x", "real/up/x"};
  for (size_t i = 0; i < 3; i++) {
    RIG_FAILS(try_get(&rig, through[i], 0, NULL), BO_CLASS_CONFIG);
    RIG_FAILS(rig.ops->stat(rig.storage, through[i], &object, &rig.error), BO_CLASS_CONFIG);
    RIG_FAILS(rig.ops->remove(rig.storage, through[i], NULL, &rig.error), BO_CLASS_CONFIG);
    RIG_FAILS(rig.ops->put_open(rig.storage, through[i], NULL, &token, &put, &rig.error), BO_CLASS_CONFIG);
  }
  static const char *const at[] = {"passwd", "etc", "fifo"};
  for (size_t i = 0; i < 3; i++) {
    RIG_FAILS(try_get(&rig, at[i], 0, NULL), BO_CLASS_NOT_FOUND);
    RIG_FAILS(rig.ops->stat(rig.storage, at[i], &object, &rig.error), BO_CLASS_NOT_FOUND);
    RIG_FAILS(rig.ops->remove(rig.storage, at[i], NULL, &rig.error), BO_CLASS_NOT_FOUND);
    RIG_FAILS(rig.ops->put_open(rig.storage, at[i], NULL, &token, &put, &rig.error), BO_CLASS_CONFIG);
  }
  ck_assert_str_eq(list_text(&rig, "", "", 100), "real/x=6\n");

  /* Planted between open and commit. */
  char key[64];
  char outside[64];
  (void)snprintf(key, sizeof(key), "sub/planted-%d", getpid());
  (void)snprintf(outside, sizeof(outside), "/tmp/planted-%d", getpid());
  put = begin_put(&rig, key, NULL);
  RIG_OK(rig.ops->put_write(put, "1", 1, &rig.error));
  ck_assert_int_eq(symlinkat("/tmp", rig.root, "sub"), 0);
  ck_assert_int_ne(rig.ops->put_commit(put, &object, &rig.error), BO_OK);
  RIG_OK(rig.ops->put_close(put, &rig.error));
  ck_assert_int_ne(access(outside, F_OK), 0);
  rig_close(&rig);
}
END_TEST

/* ---- listing */

START_TEST(keys_come_in_byte_order) {
  struct rig rig;
  rig_open(&rig, 0);
  static const char *const keys[] = {"a/b", "a.b", "a0", "a-b", "a/b.c", "a/b-c/d", "b", "A", "\xC3\xA9", "a/c/d"};
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
    put_text(&rig, keys[i], "");
  ck_assert_str_eq(list_text(&rig, "", NULL, 100),
                   "A=0\na-b=0\na.b=0\na/b=0\na/b-c/d=0\na/b.c=0\na/c/d=0\na0=0\nb=0\n\xC3\xA9=0\n");
  ck_assert_str_eq(list_text(&rig, NULL, "a/b", 2), "a/b-c/d=0\na/b.c=0\n...");
  ck_assert_str_eq(list_text(&rig, "a/b", "", 100), "a/b=0\na/b-c/d=0\na/b.c=0\n");
  ck_assert_str_eq(list_text(&rig, "a/b", "", 3), "a/b=0\na/b-c/d=0\na/b.c=0\n");
  ck_assert_str_eq(list_text(&rig, "a/", "a/b.c", 100), "a/c/d=0\n");
  ck_assert_str_eq(list_text(&rig, "a/c/d", "", 100), "a/c/d=0\n");
  ck_assert_str_eq(list_text(&rig, "a/c/d/", "", 100), "");
  ck_assert_str_eq(list_text(&rig, "", "zz", 100), "\xC3\xA9=0\n");
  ck_assert_str_eq(list_text(&rig, "", "", 0), "...");
  ck_assert_str_eq(list_text(&rig, ".backup-operator", "", 100), "");
  rig_close(&rig);
}
END_TEST

struct order {
  uint64_t count;
  char last[BO_KEY_MAX + 1];
  uint64_t stop_at;
};

static int check_order(void *context, const char *key, const struct bo_object *object) {
  struct order *order = context;
  ck_assert_msg(strcmp(order->last, key) < 0, "%s after %s", key, order->last);
  ck_assert_str_ne(object->etag, "");
  (void)snprintf(order->last, sizeof(order->last), "%s", key);
  return ++order->count == order->stop_at;
}

/* More than one heap holds, in one folder and in many, at once and in pages. */
START_TEST(a_large_listing_is_whole) {
  struct rig rig;
  enum { FILES = 20000 };
  rig_open(&rig, 0);
  for (int folder = 0; folder < 10; folder++) {
    char name[32];
    (void)snprintf(name, sizeof(name), "d%d", folder);
    ck_assert_int_eq(mkdirat(rig.root, name, 0700), 0);
  }
  for (int i = 0; i < FILES; i++) {
    char name[64];
    unsigned scattered = (unsigned)i * 2654435761u;
    if (i % 4 == 0)
      (void)snprintf(name, sizeof(name), "d%u/o-%08x", scattered % 10, scattered);
    else
      (void)snprintf(name, sizeof(name), "o-%08x", scattered);
    BO_CLEANUP_FD int fd = openat(rig.root, name, O_CREAT | O_EXCL | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
  }
  struct order order = {0};
  int more = -1;
  RIG_OK(rig.ops->list(rig.storage, "", "", UINT32_MAX, check_order, &order, &more, &rig.error));
  ck_assert_uint_eq(order.count, FILES);
  ck_assert_int_eq(more, 0);
  order = (struct order){0};
  do
    RIG_OK(rig.ops->list(rig.storage, "", order.last, 3000, check_order, &order, &more, &rig.error));
  while (more);
  ck_assert_uint_eq(order.count, FILES);
  order = (struct order){.stop_at = 5};
  RIG_OK(rig.ops->list(rig.storage, "o-", "", 100, check_order, &order, &more, &rig.error));
  ck_assert_uint_eq(order.count, 5);
  ck_assert_int_ne(more, 0);
  rig_close(&rig);
}
END_TEST

/* ---- metadata */

START_TEST(metadata_stay_with_their_object) {
  struct rig rig;
  const struct bo_pair first[] = {{"run-uid", "11-22"}, {"attempt", "1"}, {"empty", ""}};
  const struct bo_pair second[] = {{"run-uid", "33-44 = \"~\""}};
  rig_open(&rig, _i);
  RIG_OK(put_with(&rig, "k", first, 3, "old"));
  struct bo_object object = stat_object(&rig, "k");
  ck_assert_uint_eq(object.metadata_count, 3);
  ck_assert_str_eq(object.metadata[0].name, "run-uid");
  ck_assert_str_eq(object.metadata[0].value, "11-22");
  ck_assert_str_eq(object.metadata[2].value, "");
  RIG_OK(put_with(&rig, "k", second, 1, "new"));
  object = stat_object(&rig, "k");
  ck_assert_uint_eq(object.metadata_count, 1);
  ck_assert_str_eq(object.metadata[0].value, "33-44 = \"~\"");
  void *get = NULL;
  RIG_OK(rig.ops->get_open(rig.storage, "k", 0, NULL, &object, &get, &rig.error));
  ck_assert_uint_eq(object.metadata_count, 1);
  rig.ops->get_close(get);
  ck_assert_uint_eq(count_metadata(&rig), 1);
  /* A put without metadata has none, also not its predecessor's. */
  put_text(&rig, "k", "bare");
  ck_assert_uint_eq(stat_object(&rig, "k").metadata_count, 0);
  ck_assert_uint_eq(count_metadata(&rig), 0);
  rig_close(&rig);
}
END_TEST

START_TEST(metadata_do_not_describe_what_was_altered_by_hand) {
  struct rig rig;
  const struct bo_pair pair = {"run-uid", "mine"};
  rig_open(&rig, 0);
  RIG_OK(put_with(&rig, "k", &pair, 1, "by the operator"));
  write_file(&rig, "k", "by somebody else");
  ck_assert_uint_eq(stat_object(&rig, "k").metadata_count, 0);
  rig_close(&rig);
}
END_TEST

START_TEST(the_most_metadata) {
  struct rig rig;
  struct bo_pair pairs[BO_METADATA_MAX + 1];
  char names[BO_METADATA_MAX + 1][BO_METADATA_NAME_MAX];
  char value[BO_METADATA_VALUE_MAX + 1];
  char key[BO_KEY_MAX + 1];
  rig_open(&rig, _i);
  repeat(key, "key/", BO_KEY_MAX - 1);
  repeat(value, "value ", BO_METADATA_VALUE_MAX - 1);
  for (int i = 0; i <= BO_METADATA_MAX; i++) {
    repeat(names[i], "name-", BO_METADATA_NAME_MAX - 1);
    names[i][0] = (char)('a' + i);
    pairs[i] = (struct bo_pair){names[i], value};
  }
  RIG_OK(put_with(&rig, key, pairs, BO_METADATA_MAX, "x"));
  struct bo_object object = stat_object(&rig, key);
  ck_assert_uint_eq(object.metadata_count, BO_METADATA_MAX);
  ck_assert_str_eq(object.metadata[15].name, names[15]);
  ck_assert_str_eq(object.metadata[15].value, value);
  RIG_FAILS(put_with(&rig, "k", pairs, BO_METADATA_MAX + 1, "x"), BO_CLASS_CONFIG);
  repeat(value, "v", BO_METADATA_VALUE_MAX);
  RIG_FAILS(put_with(&rig, "k", pairs, 1, "x"), BO_CLASS_CONFIG);
  static const struct bo_pair bad[] = {{"", "v"}, {"Upper", "v"}, {"a_b", "v"}, {"a", "line\n"}, {"a", "\xC3\xBC"}};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    RIG_FAILS(put_with(&rig, "k", &bad[i], 1, "x"), BO_CLASS_CONFIG);
  ck_assert_str_eq(list_text(&rig, "k", "", 1), list_text(&rig, "key/", "", 1));
  rig_close(&rig);
}
END_TEST

START_TEST(damaged_metadata_do_not_stop_a_restore) {
  struct rig rig;
  const struct bo_pair pair = {"run-uid", "mine"};
  rig_open(&rig, 0);
  RIG_OK(put_with(&rig, "k", &pair, 1, "data"));
  char path[512];
  find_metadata(&rig, path);
  ck_assert_int_eq(truncate(path, 5), 0);
  ck_assert_str_eq(get_text(&rig, "k"), "data");
  ck_assert_uint_eq(stat_object(&rig, "k").metadata_count, 0);
  ck_assert(fake_host_logged(&rig.fake, "damaged"));
  rig_close(&rig);
}
END_TEST

/* ---- when things are not as they should be */

START_TEST(configuration_is_checked) {
  struct rig rig;
  void *storage = NULL;
  rig_open(&rig, 0);
  RIG_FAILS(rig_make(&rig, NULL, &storage), BO_CLASS_CONFIG);
  RIG_FAILS(rig_make(&rig, "", &storage), BO_CLASS_CONFIG);
  RIG_FAILS(rig_make(&rig, "relative/path", &storage), BO_CLASS_CONFIG);
  rig_close(&rig);
}
END_TEST

START_TEST(probe_says_what_is_missing) {
  struct rig rig;
  rig_open(&rig, _i);
  RIG_OK(rig.ops->probe(rig.storage, BO_PROBE_READ | BO_PROBE_WRITE, &rig.error));
  ck_assert_str_eq(tree_text(&rig), "");
  RIG_OK(rig.ops->probe(rig.storage, BO_PROBE_WRITE, &rig.error));
  rig_remove_folder(&rig);
  RIG_FAILS(rig.ops->probe(rig.storage, BO_PROBE_READ, &rig.error), BO_CLASS_NOT_FOUND);
  ck_assert_ptr_nonnull(strstr(rig.error.text, "mkdir"));
  write_absolute(rig.folder, "a file");
  RIG_FAILS(rig.ops->probe(rig.storage, BO_PROBE_READ, &rig.error), BO_CLASS_CONFIG);
  ck_assert_ptr_nonnull(strstr(rig.error.text, "not a folder"));
  rig_close(&rig);
}
END_TEST

/* Root may do all; so the child becomes nobody. */
START_TEST(missing_permissions_are_told) {
  struct rig rig;
  rig_open(&rig, 0);
  put_text(&rig, "dir/k", "secret");
  if (geteuid() == 0) {
    ck_assert_int_eq(chmod(rig.folder, 0755), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    RIG_FAILS(rig.ops->probe(rig.storage, BO_PROBE_WRITE, &rig.error), BO_CLASS_AUTH);
    RIG_FAILS(try_put_bytes(&rig, "other", NULL, "x", 1, NULL), BO_CLASS_AUTH);
    RIG_FAILS(try_get(&rig, "dir/k", 0, NULL), BO_CLASS_AUTH);
    struct order order = {0};
    int more = 0;
    RIG_FAILS(rig.ops->list(rig.storage, "", "", 10, check_order, &order, &more, &rig.error), BO_CLASS_AUTH);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(rig.folder, 0700), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    RIG_FAILS(rig.ops->probe(rig.storage, BO_PROBE_READ, &rig.error), BO_CLASS_AUTH);
    ck_assert_int_eq(seteuid(0), 0);
  }
  rig_close(&rig);
}
END_TEST

START_TEST(objects_are_private) {
  struct rig rig;
  struct stat status;
  rig_open(&rig, _i);
  (void)umask(0);
  put_text(&rig, "d/k", "x");
  ck_assert_int_eq(fstatat(rig.root, "d/k", &status, 0), 0);
  ck_assert_uint_eq(status.st_mode & 07777, 0600);
  ck_assert_int_eq(fstatat(rig.root, "d", &status, 0), 0);
  ck_assert_uint_eq(status.st_mode & 07777, 0700);
  rig_close(&rig);
}
END_TEST

START_TEST(a_file_size_limit_is_like_a_full_disk) {
  struct rig rig;
  static const char bytes[65536];
  rig_open(&rig, _i);
  put_text(&rig, "k", "old");
  (void)signal(SIGXFSZ, SIG_IGN);
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){40000, RLIM_INFINITY}), 0);
  RIG_FAILS(try_put_bytes(&rig, "k", NULL, bytes, sizeof(bytes), NULL), BO_CLASS_NO_SPACE);
  ck_assert_str_eq(get_text(&rig, "k"), "old");
  ck_assert_str_eq(tree_text(&rig), "k\n");
  rig_close(&rig);
}
END_TEST

START_TEST(the_folder_is_removed_during_a_put) {
  struct rig rig;
  struct bo_object object = {.size = sizeof(object)};
  rig_open(&rig, _i);
  void *put = begin_put(&rig, "a/b", NULL);
  RIG_OK(rig.ops->put_write(put, "x", 1, &rig.error));
  rig_remove_folder(&rig);
  ck_assert_int_ne(rig.ops->put_commit(put, &object, &rig.error), BO_OK);
  RIG_OK(rig.ops->put_close(put, &rig.error));
  ck_assert_int_ne(access(rig.folder, F_OK), 0);
  rig_close(&rig);
}
END_TEST

START_TEST(a_failed_put_can_only_be_closed) {
  struct rig rig;
  struct bo_object object = {.size = sizeof(object)};
  rig_open(&rig, _i);
  void *put = begin_put(&rig, "k", NULL);
  RIG_OK(rig.ops->put_commit(put, &object, &rig.error));
  RIG_FAILS(rig.ops->put_commit(put, &object, &rig.error), BO_CLASS_INTERNAL);
  RIG_FAILS(rig.ops->put_write(put, "x", 1, &rig.error), BO_CLASS_INTERNAL);
  RIG_OK(rig.ops->put_close(put, &rig.error));
  rig_close(&rig);
}
END_TEST

/* 0: through the storage; 1: through the host */
START_TEST(cancel_ends_all_but_undoing) {
  struct rig rig;
  struct bo_token token;
  struct bo_object object = {.size = sizeof(object)};
  struct order order = {0};
  char bytes[4];
  size_t size = 0;
  uint64_t count = 0;
  int more = 0;
  void *another = NULL;
  rig_open(&rig, 0);
  put_text(&rig, "k", "data");
  void *get = begin_get(&rig, "k");
  void *put = begin_put(&rig, "new", &token);
  if (_i == 0) rig.ops->cancel(rig.storage);
  if (_i == 1) atomic_store(&rig.fake.cancelled, true);
  RIG_FAILS(rig.ops->get_read(get, bytes, 4, &size, &rig.error), BO_CLASS_CANCELLED);
  RIG_FAILS(rig.ops->put_write(put, "x", 1, &rig.error), BO_CLASS_CANCELLED);
  RIG_FAILS(rig.ops->put_open(rig.storage, "k", NULL, &token, &another, &rig.error), BO_CLASS_CANCELLED);
  RIG_FAILS(try_get(&rig, "k", 0, NULL), BO_CLASS_CANCELLED);
  RIG_FAILS(rig.ops->stat(rig.storage, "k", &object, &rig.error), BO_CLASS_CANCELLED);
  RIG_FAILS(rig.ops->remove(rig.storage, "k", NULL, &rig.error), BO_CLASS_CANCELLED);
  RIG_FAILS(rig.ops->list(rig.storage, "", "", 9, check_order, &order, &more, &rig.error), BO_CLASS_CANCELLED);
  RIG_FAILS(rig.ops->sweep(rig.storage, "", 0, &count, &rig.error), BO_CLASS_CANCELLED);
  RIG_FAILS(rig.ops->probe(rig.storage, BO_PROBE_READ, &rig.error), BO_CLASS_CANCELLED);
  RIG_OK(rig.ops->discard(rig.storage, "new", token.text, &rig.error));
  RIG_OK(rig.ops->put_close(put, &rig.error));
  rig.ops->get_close(get);
  ck_assert_str_eq(tree_text(&rig), "k\n");
  rig_close(&rig);
}
END_TEST

/* Everything once, with the N-th allocation failing, until all succeed. */
START_TEST(out_of_memory_leaves_nothing) {
  struct rig rig;
  rig_open(&rig, _i);
  put_text(&rig, "there", "1");
  int failures = 0;
  for (long n = 1;; n++) {
    struct order order = {0};
    int more = 0;
    void *storage = NULL;
    fake_host_fail_at(&rig.fake, n);
    int result = rig_make(&rig, rig.folder, &storage);
    if (result == BO_OK) rig.ops->close(storage);
    if (result == BO_OK) result = try_put_bytes(&rig, "k", NULL, "x", 1, NULL);
    if (result == BO_OK) result = try_get(&rig, "k", 0, NULL);
    if (result == BO_OK) result = rig.ops->list(rig.storage, "", "", 9, check_order, &order, &more, &rig.error);
    fake_host_fail_at(&rig.fake, 0);
    if (result == BO_OK) break;
    failures++;
    ck_assert_int_eq(rig.error.error_class, BO_CLASS_NO_MEMORY);
    (void)rig.ops->remove(rig.storage, "k", NULL, &rig.error);
    ck_assert_str_eq(tree_text(&rig), "there\n");
  }
  ck_assert_int_ge(failures, 5);
  atomic_store(&rig.fake.no_random, true);
  RIG_FAILS(try_put_bytes(&rig, "y", NULL, "x", 1, NULL), BO_CLASS_INTERNAL);
  rig_close(&rig);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("storage-file");
  TCase *tests = tcase_create("file");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, put_get_stat_list_remove, 0, 2);
  tcase_add_loop_test(tests, empty_object, 0, 2);
  tcase_add_loop_test(tests, nothing_is_visible_before_commit, 0, 2);
  tcase_add_loop_test(tests, close_aborts_what_is_open, 0, 2);
  tcase_add_test(tests, ranges);
  tcase_add_loop_test(tests, if_match, 0, 2);
  tcase_add_loop_test(tests, etags_of_quick_successors_differ, 0, 2);
  tcase_add_test(tests, a_replaced_object_is_read_to_its_end);
  tcase_add_loop_test(tests, an_object_altered_in_place_is_a_conflict, 0, 4);
  tcase_add_test(tests, altering_after_the_last_byte_is_still_seen);
  tcase_add_loop_test(tests, odd_keys_are_held_as_they_are, 0, 2);
  tcase_add_test(tests, keys_that_a_folder_cannot_hold_are_refused);
  tcase_add_loop_test(tests, an_object_and_a_folder_cannot_share_a_name, 0, 2);
  tcase_add_loop_test(tests, links_and_special_files_are_not_objects, 0, 2);
  tcase_add_test(tests, keys_come_in_byte_order);
  tcase_add_test(tests, a_large_listing_is_whole);
  tcase_add_loop_test(tests, metadata_stay_with_their_object, 0, 2);
  tcase_add_test(tests, metadata_do_not_describe_what_was_altered_by_hand);
  tcase_add_loop_test(tests, the_most_metadata, 0, 2);
  tcase_add_test(tests, damaged_metadata_do_not_stop_a_restore);
  tcase_add_test(tests, configuration_is_checked);
  tcase_add_loop_test(tests, probe_says_what_is_missing, 0, 2);
  tcase_add_test(tests, missing_permissions_are_told);
  tcase_add_loop_test(tests, objects_are_private, 0, 2);
  tcase_add_loop_test(tests, a_file_size_limit_is_like_a_full_disk, 0, 2);
  tcase_add_loop_test(tests, the_folder_is_removed_during_a_put, 0, 2);
  tcase_add_loop_test(tests, a_failed_put_can_only_be_closed, 0, 2);
  tcase_add_loop_test(tests, cancel_ends_all_but_undoing, 0, 2);
  tcase_add_loop_test(tests, out_of_memory_leaves_nothing, 0, 2);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
