/* core/base/clock.h - the two clocks, and RFC 3339 times in UTC. */
#ifndef BO_BASE_CLOCK_H
#define BO_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A clock that never jumps, for durations and deadlines. */
uint64_t bo_monotonic_ns(void);
uint64_t bo_monotonic_ms(void);
/* The wall clock: milliseconds since 1970-01-01T00:00:00Z. */
int64_t bo_realtime_ms(void);

#define BO_TIME_TEXT_MAX 32
/* "2026-11-24T18:10:27Z" into `text`, to the second, as Kubernetes writes times. */
void bo_time_format(int64_t unix_seconds, char text[BO_TIME_TEXT_MAX]);
/* RFC 3339 with any offset and fraction (dropped). False when it is none. */
bool bo_time_parse(const char *text, int64_t *unix_seconds);
/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back; month and day count from 1. */
int64_t bo_days_from_civil(int64_t year, int month, int day);
void bo_civil_from_days(int64_t days, int64_t *year, int *month, int *day);

#endif
