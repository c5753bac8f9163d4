/* What the storage `file` promises: whole objects or none, under safe keys, with their metadata. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/base/buffer.h"
#include "core/base/cleanup.h"
#include "core/base/error.h"
#include "core/base/io.h"
#include "plugins/storage-file/storage-file.h"
#include "plugins/storage-file/tests/rig.h"

START_TEST(put_get_stat_list_remove) {
  struct rig rig;
  rig_open(&rig, _i);
  put_text(&rig, "ns/run-1.backup", "hello, world");
  ck_assert_str_eq(get_text(&rig, "ns/run-1.backup"), "hello, world");
  struct bo_object object = {.size = sizeof(object)};
  RIG_OK(rig.ops->stat(rig.storage, "ns/run-1.backup", &object, &rig.error));
  ck_assert_uint_eq(object.size_bytes, 12);
  ck_assert_str_eq(list_text(&rig, "", "", 100), "ns/run-1.backup=12\n");
  RIG_OK(rig.ops->remove(rig.storage, "ns/run-1.backup", object.etag, &rig.error));
  RIG_FAILS(rig.ops->stat(rig.storage, "ns/run-1.backup", &object, &rig.error), BO_CLASS_NOT_FOUND);
  ck_assert_str_eq(list_text(&rig, "", "", 100), "");
  ck_assert_str_eq(tree_text(&rig), "");
  rig_close(&rig);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("storage-file");
  TCase *objects = tcase_create("objects");
  tcase_add_loop_test(objects, put_get_stat_list_remove, 0, 2);
  suite_add_tcase(suite, objects);
  return unit_main(suite);
}
