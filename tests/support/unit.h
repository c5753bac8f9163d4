/* tests/support/unit.h - the main of a unit test: runs the suite and writes TAP to stdout for tests/run. */
#ifndef BO_TESTS_UNIT_H
#define BO_TESTS_UNIT_H

#include <check.h>
#include <stdlib.h>

static inline int unit_main(Suite *suite) {
  SRunner *runner = srunner_create(suite);
  srunner_set_tap(runner, "-");
  srunner_run_all(runner, CK_SILENT);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
