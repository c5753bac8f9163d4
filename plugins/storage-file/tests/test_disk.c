/* Real file systems that are full, read-only, divided, or do not tell names apart. They are mounted in a mount
 * namespace of the test's own; where that is not permitted, nothing of this can be shown. */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "plugins/storage-file/tests/rig.h"

static bool may_mount(void) {
  return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* A storage on a tmpfs with `options`; the rest of the world does not see it. */
static void open_on_tmpfs(struct rig *rig, int named, const char *options) {
  char folder[] = "/tmp/storage-file-XXXXXX";
  ck_assert(may_mount());
  ck_assert_ptr_nonnull(mkdtemp(folder));
  ck_assert_int_eq(mount("none", folder, "tmpfs", 0, options), 0);
  rig_open_at(rig, folder);
  ((struct file_storage *)rig->storage)->named_only = named != 0;
}

static void close_tmpfs(struct rig *rig) {
  (void)close(rig->root);
  rig->root = -1;
  (void)umount2(rig->folder, MNT_DETACH);
  rig_close(rig);
}

START_TEST(a_full_disk_is_an_error_with_nothing_left) {
  struct rig rig;
  static char block[65536];
  struct bo_token token;
  void *put = NULL;
  open_on_tmpfs(&rig, _i, "size=1m");
  put_text(&rig, "k", "old");
  RIG_OK(rig.ops->put_open(rig.storage, "k", NULL, &token, &put, &rig.error));
  int result = BO_OK;
  for (int i = 0; i < 32 && result == BO_OK; i++)
    result = rig.ops->put_write(put, block, sizeof(block), &rig.error);
  ck_assert_int_eq(result, BO_ERROR);
  ck_assert_int_eq(rig.error.error_class, BO_CLASS_NO_SPACE);
  ck_assert_ptr_nonnull(strstr(rig.error.text, "'k'"));
  RIG_OK(rig.ops->put_close(put, &rig.error));
  ck_assert_str_eq(get_text(&rig, "k"), "old");
  ck_assert_str_eq(tree_text(&rig), "k\n");
  put_text(&rig, "k", "there is room again");
  close_tmpfs(&rig);
}
END_TEST

/* Full so far that not even a put's own folder can be made; and removing must still be possible. */
START_TEST(a_disk_without_inodes) {
  struct rig rig;
  open_on_tmpfs(&rig, _i, "nr_inodes=8");
  int puts = 0;
  for (; puts < 20; puts++) {
    char key[8];
    (void)snprintf(key, sizeof(key), "k%d", puts);
    if (try_put_bytes(&rig, key, NULL, "x", 1, NULL) != BO_OK) break;
  }
  ck_assert_int_lt(puts, 20);
  ck_assert_int_eq(rig.error.error_class, BO_CLASS_NO_SPACE);
  RIG_FAILS(rig.ops->probe(rig.storage, BO_PROBE_WRITE, &rig.error), BO_CLASS_NO_SPACE);
  for (int i = 0; i < puts; i++) {
    char key[8];
    (void)snprintf(key, sizeof(key), "k%d", i);
    RIG_OK(rig.ops->remove(rig.storage, key, stat_object(&rig, key).etag, &rig.error));
  }
  ck_assert_str_eq(tree_text(&rig), "");
  close_tmpfs(&rig);
}
END_TEST

START_TEST(a_read_only_file_system) {
  struct rig rig;
  open_on_tmpfs(&rig, _i, "size=1m");
  put_text(&rig, "dir/k", "data");
  void *put = begin_put(&rig, "dir/k", NULL);
  RIG_OK(rig.ops->put_close(put, &rig.error));
  ck_assert_int_eq(mount("none", rig.folder, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
  ck_assert_str_eq(get_text(&rig, "dir/k"), "data");
  ck_assert_str_eq(list_text(&rig, "", "", 9), "dir/k=4\n");
  RIG_OK(rig.ops->probe(rig.storage, BO_PROBE_READ, &rig.error));
  RIG_FAILS(rig.ops->probe(rig.storage, BO_PROBE_WRITE, &rig.error), BO_CLASS_AUTH);
  ck_assert_ptr_nonnull(strstr(rig.error.text, "read-only"));
  RIG_FAILS(try_put_bytes(&rig, "x", NULL, "1", 1, NULL), BO_CLASS_AUTH);
  RIG_FAILS(rig.ops->remove(rig.storage, "dir/k", NULL, &rig.error), BO_CLASS_AUTH);
  close_tmpfs(&rig);
}
END_TEST

START_TEST(a_folder_on_another_file_system_is_refused_for_puts) {
  struct rig rig;
  struct bo_token token;
  void *put = NULL;
  BO_CLEANUP_FREE char *below = NULL;
  open_on_tmpfs(&rig, _i, "size=1m");
  ck_assert_int_gt(asprintf(&below, "%s/other", rig.folder), 0);
  ck_assert_int_eq(mkdir(below, 0700), 0);
  ck_assert_int_eq(mount("none", below, "tmpfs", 0, "size=1m"), 0);
  write_file(&rig, "other/k", "by hand");
  ck_assert_str_eq(get_text(&rig, "other/k"), "by hand");
  RIG_FAILS(rig.ops->put_open(rig.storage, "other/x", NULL, &token, &put, &rig.error), BO_CLASS_CONFIG);
  ck_assert_ptr_nonnull(strstr(rig.error.text, "another file system"));
  close_tmpfs(&rig);
}
END_TEST

/* The state folder found under two spellings is how such a file system looks; a bind mount looks the same. */
START_TEST(where_case_is_lost_only_plain_keys_are_held) {
  struct rig rig;
  struct bo_object object = {.size = sizeof(object)};
  BO_CLEANUP_FREE char *state = NULL;
  BO_CLEANUP_FREE char *folded = NULL;
  open_on_tmpfs(&rig, _i, "size=1m");
  put_text(&rig, "plain", "1");
  ck_assert_int_gt(asprintf(&state, "%s/%s", rig.folder, FILE_STATE_FOLDER), 0);
  ck_assert_int_gt(asprintf(&folded, "%s/%s", rig.folder, FILE_STATE_FOLDER_FOLDED), 0);
  ck_assert_int_eq(mkdir(folded, 0700), 0);
  ck_assert_int_eq(mount(state, folded, NULL, MS_BIND, NULL), 0);
  put_text(&rig, "also/plain-1_2.3", "2");
  static const char *const keys[] = {"Plain", "pl\xC3\xA4n", "plain.", "plain ", "a./b"};
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
    RIG_FAILS(try_put_bytes(&rig, keys[i], NULL, "x", 1, NULL), BO_CLASS_CONFIG);
    RIG_FAILS(try_get(&rig, keys[i], 0, NULL), BO_CLASS_CONFIG);
    RIG_FAILS(rig.ops->stat(rig.storage, keys[i], &object, &rig.error), BO_CLASS_CONFIG);
    RIG_FAILS(rig.ops->remove(rig.storage, keys[i], NULL, &rig.error), BO_CLASS_CONFIG);
  }
  ck_assert_str_eq(get_text(&rig, "plain"), "1");
  close_tmpfs(&rig);
}
END_TEST

/* Without /proc an unnamed file cannot be given a name: then it must have one from the start. */
START_TEST(puts_work_without_proc) {
  struct rig rig;
  open_on_tmpfs(&rig, 0, "size=1m");
  ck_assert_int_eq(mount("none", "/proc", "tmpfs", 0, NULL), 0);
  put_text(&rig, "dir/k", "data");
  ck_assert_str_eq(get_text(&rig, "dir/k"), "data");
  ck_assert_str_eq(tree_text(&rig), "dir\ndir/k\n");
  ck_assert_int_eq(umount("/proc"), 0);
  close_tmpfs(&rig);
}
END_TEST

static bool probe_mounting(void) {
  pid_t child = fork();
  int status = 1;
  if (child == 0) _exit(may_mount() ? 0 : 1);
  return waitpid(child, &status, 0) == child && status == 0;
}

int main(void) {
  Suite *suite = suite_create("storage-file-disk");
  TCase *tests = tcase_create("disk");
  if (!probe_mounting()) {
    puts("ok 1 - disk # SKIP file systems may not be mounted here\n1..1");
    return EXIT_SUCCESS;
  }
  tcase_set_timeout(tests, 60);
  tcase_add_loop_test(tests, a_full_disk_is_an_error_with_nothing_left, 0, 2);
  tcase_add_loop_test(tests, a_disk_without_inodes, 0, 2);
  tcase_add_loop_test(tests, a_read_only_file_system, 0, 2);
  tcase_add_loop_test(tests, a_folder_on_another_file_system_is_refused_for_puts, 0, 2);
  tcase_add_loop_test(tests, where_case_is_lost_only_plain_keys_are_held, 0, 2);
  tcase_add_test(tests, puts_work_without_proc);
  suite_add_tcase(suite, tests);
  return unit_main(suite);
}
