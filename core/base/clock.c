#include "core/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t bo_monotonic_ns(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t bo_monotonic_ms(void) {
  return bo_monotonic_ns() / 1000000U;
}

int64_t bo_realtime_ms(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Counts in eras of 400 years (146,097 days) that begin on 1 March, so that the leap day is a year's last. */
int64_t bo_days_from_civil(int64_t year, int month, int day) {
  if (month <= 2) year--;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t year_of_era = year - era * 400;
  int64_t month_from_march = (month + 9) % 12;
  int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

void bo_civil_from_days(int64_t days, int64_t *year, int *month, int *day) {
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t month_from_march = (5 * day_of_year + 2) / 153;
  *day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  *month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  *year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

void bo_time_format(int64_t unix_seconds, char text[BO_TIME_TEXT_MAX]) {
  int64_t days = unix_seconds / 86400;
  int64_t rest = unix_seconds % 86400;
  if (rest < 0) {
    rest += 86400;
    days--;
  }
  int64_t year = 0;
  int month = 0;
  int day = 0;
  bo_civil_from_days(days, &year, &month, &day);
  (void)snprintf(text, BO_TIME_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year, month, day, (int)(rest / 3600),
                 (int)(rest / 60 % 60), (int)(rest % 60));
}

/* Reads `width` digits; false when there are fewer. */
static bool digits(const char **cursor, int width, int *value) {
  *value = 0;
  for (int i = 0; i < width; i++) {
    char c = (*cursor)[i];
    if (c < '0' || c > '9') return false;
    *value = *value * 10 + (c - '0');
  }
  *cursor += width;
  return true;
}

static bool literal(const char **cursor, char lower, char upper) {
  if (**cursor != lower && **cursor != upper) return false;
  (*cursor)++;
  return true;
}

bool bo_time_parse(const char *text, int64_t *unix_seconds) {
  static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const char *c = text;
  if (!digits(&c, 4, &year) || !literal(&c, '-', '-') || !digits(&c, 2, &month) || !literal(&c, '-', '-') ||
      !digits(&c, 2, &day) || !literal(&c, 't', 'T') || !digits(&c, 2, &hour) || !literal(&c, ':', ':') ||
      !digits(&c, 2, &minute) || !literal(&c, ':', ':') || !digits(&c, 2, &second))
    return false;
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return false;
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  if (day < 1 || day > month_days[month - 1] + (month == 2 && leap ? 1 : 0)) return false;
  if (*c == '.') {
    c++;
    size_t fraction = strspn(c, "0123456789");
    if (fraction == 0) return false;
    c += fraction;
  }
  int64_t offset = 0;
  if (*c == '+' || *c == '-') {
    int sign = *c++ == '-' ? -1 : 1;
    int offset_hour = 0, offset_minute = 0;
    if (!digits(&c, 2, &offset_hour) || !literal(&c, ':', ':') || !digits(&c, 2, &offset_minute)) return false;
    if (offset_hour > 23 || offset_minute > 59) return false;
    offset = sign * (offset_hour * 3600 + offset_minute * 60);
  } else if (!literal(&c, 'z', 'Z')) {
    return false;
  }
  if (*c != '\0') return false;
  *unix_seconds = bo_days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
  return true;
}
