/* Into which parts streams of any length are cut: arithmetic, up to 5 TiB. */
#include "plugins/storage-s3/storage-s3.h"
#include "tests/support/unit.h"

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)
#define TIB (INT64_C(1) << 40)

static struct s3_plan plan_for(unsigned max_parts, int64_t hint) {
  struct s3_plan plan;
  struct bo_error error = BO_ERROR_INIT;
  int result = s3_plan_make(&plan, 5 * MIB, max_parts, 5, 2 * GIB, hint, &error);
  ck_assert_msg(result == BO_OK, "%s", error.text);
  return plan;
}

struct walk {
  unsigned parts;
  int64_t largest_part;
  int64_t most_memory;
};

/* What storing `bytes` takes. */
static struct walk walk(const struct s3_plan *plan, int64_t bytes) {
  struct walk walk = {0, 0, 0};
  for (int64_t stored = 0; stored < bytes; walk.parts++) {
    int64_t part = s3_plan_part(plan, stored);
    ck_assert_int_ge(part, S3_PART_MIN);
    ck_assert_int_le(part, S3_PART_MAX);
    ck_assert_int_ge(part, walk.largest_part);
    walk.largest_part = part;
    int64_t memory = part * s3_plan_buffers(plan, part);
    if (memory > walk.most_memory) walk.most_memory = memory;
    stored += part;
  }
  return walk;
}

START_TEST(five_tebibytes_fit_into_ten_thousand_parts) {
  struct s3_plan plan = plan_for(10000, -1);
  ck_assert_int_eq(s3_plan_capacity(&plan, NULL), 5 * TIB);
  struct walk all = walk(&plan, 5 * TIB);
  ck_assert_uint_le(all.parts, 10000);
  ck_assert_int_le(all.most_memory, 2 * GIB);
}
END_TEST

/* The table of the manual page. */
static const struct {
  int64_t bytes;
  int64_t most_memory;
  int64_t largest_part;
} sizes[] = {
    {MIB, 25 * MIB, 5 * MIB},        {4 * GIB, 25 * MIB, 5 * MIB}, {16 * GIB, 28 * MIB, 14 * MIB},
    {100 * GIB, 83 * MIB, 83 * MIB}, {TIB, 850 * MIB, 850 * MIB},  {5 * TIB, 2 * GIB, 2 * GIB},
};

START_TEST(memory_at_each_size) {
  struct s3_plan plan = plan_for(10000, -1);
  struct walk seen = walk(&plan, sizes[_i].bytes);
  ck_assert_int_le(seen.most_memory, sizes[_i].most_memory);
  ck_assert_int_le(seen.largest_part, sizes[_i].largest_part);
}
END_TEST

START_TEST(concurrency_falls_to_one_as_parts_grow) {
  struct s3_plan plan = plan_for(10000, -1);
  ck_assert_uint_eq(s3_plan_buffers(&plan, 5 * MIB), 5);
  ck_assert_uint_eq(s3_plan_buffers(&plan, 7 * MIB), 4);
  ck_assert_uint_eq(s3_plan_buffers(&plan, 14 * MIB), 2);
  ck_assert_uint_eq(s3_plan_buffers(&plan, 15 * MIB), 1);
  ck_assert_uint_eq(s3_plan_buffers(&plan, 5 * GIB), 1);
}
END_TEST

START_TEST(a_hint_makes_parts_even) {
  struct s3_plan plan = plan_for(10000, 100 * GIB);
  struct walk seen = walk(&plan, 100 * GIB);
  ck_assert_int_eq(s3_plan_part(&plan, 0), seen.largest_part);
  ck_assert_int_le(seen.largest_part, 14 * MIB);
  ck_assert_uint_le(seen.parts, 7500);
  /* An object that is longer than expected is stored all the same. */
  ck_assert_int_eq(s3_plan_capacity(&plan, NULL), 5 * TIB);
  plan = plan_for(10000, 5 * TIB);
  ck_assert_uint_le(walk(&plan, 5 * TIB).parts, 10000);
  plan = plan_for(10000, 0);
  ck_assert_int_eq(s3_plan_part(&plan, 0), 5 * MIB);
}
END_TEST

START_TEST(a_hint_that_passes_the_memory_is_refused) {
  struct s3_plan plan;
  struct bo_error error = BO_ERROR_INIT;
  ck_assert_int_eq(s3_plan_make(&plan, 5 * MIB, 10000, 5, 64 * MIB, 500 * GIB, &error), BO_OK);
  ck_assert_int_eq(s3_plan_make(&plan, 5 * MIB, 10000, 5, 64 * MIB, TIB, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_NO_MEMORY);
  ck_assert_ptr_nonnull(strstr(error.text, "memoryLimit"));
  ck_assert_int_eq(s3_plan_make(&plan, 5 * MIB, 10000, 5, 2 * GIB, 6 * TIB, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_UNSUPPORTED);
  ck_assert_int_eq(s3_plan_make(&plan, 65 * MIB, 10000, 5, 64 * MIB, -1, &error), BO_ERROR);
  ck_assert_int_eq(error.error_class, BO_CLASS_CONFIG);
}
END_TEST

START_TEST(stores_that_take_few_parts) {
  struct s3_plan plan = plan_for(1000, -1);
  ck_assert_int_ge(s3_plan_capacity(&plan, NULL), 300 * GIB);
  ck_assert_int_le(walk(&plan, 16 * GIB).most_memory, GIB);
  plan = plan_for(3, -1);
  ck_assert_int_ge(s3_plan_capacity(&plan, NULL), 20 * MIB);
  plan = plan_for(1, -1);
  ck_assert_int_eq(s3_plan_capacity(&plan, NULL), 5 * MIB);
  plan = plan_for(3, 3 * GIB);
  ck_assert_uint_le(walk(&plan, 3 * GIB).parts, 3);
}
END_TEST

START_TEST(no_more_memory_than_allowed) {
  static const int64_t limits[] = {5 * MIB, 6 * MIB, 32 * MIB, 100 * MIB, GIB};
  struct s3_plan plan;
  for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
    ck_assert_int_eq(s3_plan_make(&plan, 5 * MIB, 10000, 5, limits[i], -1, NULL), BO_OK);
    struct walk seen = walk(&plan, s3_plan_capacity(&plan, NULL));
    ck_assert_int_le(seen.most_memory, limits[i]);
    ck_assert_uint_le(seen.parts, 10000);
    ck_assert_int_ge(s3_plan_capacity(&plan, NULL), 5 * MIB * 10000);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("plan");
  TCase *tcase = tcase_create("plan");
  tcase_add_test(tcase, five_tebibytes_fit_into_ten_thousand_parts);
  tcase_add_loop_test(tcase, memory_at_each_size, 0, (int)(sizeof(sizes) / sizeof(sizes[0])));
  tcase_add_test(tcase, concurrency_falls_to_one_as_parts_grow);
  tcase_add_test(tcase, a_hint_makes_parts_even);
  tcase_add_test(tcase, a_hint_that_passes_the_memory_is_refused);
  tcase_add_test(tcase, stores_that_take_few_parts);
  tcase_add_test(tcase, no_more_memory_than_allowed);
  suite_add_tcase(suite, tcase);
  return unit_main(suite);
}
