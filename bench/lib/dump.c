/*
 * dump - writes MEBIBYTES of text like an SQL dump's to stdout, the same each time: rows with counting keys, names from
 * a small set, prices, times, free text and hexadecimal digests, so that it compresses about as real dumps do (a fifth
 * to a quarter with gzip -6), and nothing repeats from far away.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

/* xorshift64* (Vigna) */
static uint64_t random_u64(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * UINT64_C(2685821657736338717);
}

static unsigned below(unsigned limit) {
  return (unsigned)((random_u64() >> 33) % limit);
}

static const char *const first_names[] = {"Ada",  "Grace",  "Alan", "Edsger", "Barbara", "Donald", "Frances",  "Tony",
                                          "Lynn", "Niklas", "Ken",  "Dennis", "Radia",   "Leslie", "Margaret", "John"};
static const char *const cities[] = {"Lisbon", "Oslo",  "Kyoto", "Quito", "Accra", "Turin",
                                     "Lima",   "Perth", "Izmir", "Tartu", "Hue",   "Bergen"};
static const char *const words[] = {"order",   "shipped", "late",   "parcel",  "customer", "asked", "for",  "refund",
                                    "second",  "address", "please", "deliver", "before",   "noon",  "gift", "wrapped",
                                    "invoice", "sent",    "again",  "the",     "and",      "to",    "with", "without"};
static const char *const states[] = {"new", "paid", "shipped", "delivered", "returned"};
#define PICK(list) (list)[below((unsigned)(sizeof(list) / sizeof((list)[0])))]

/* One row; returns its bytes, or a negative number. */
static int write_row(uint64_t id) {
  unsigned word_count = below(12);
  int size = printf("INSERT INTO orders VALUES (%" PRIu64 ",'%s','%s',%u.%02u,'2026-%02u-%02u %02u:%02u:%02u','%s','",
                    id, PICK(first_names), PICK(cities), below(2000), below(100), 1 + below(12), 1 + below(28),
                    below(24), below(60), below(60), PICK(states));
  for (unsigned i = 0; i < word_count && size >= 0; i++) {
    int more = printf("%s%s", i == 0 ? "" : " ", PICK(words));
    size = more < 0 ? more : size + more;
  }
  if (size < 0) return size;
  int end = below(4) == 0 ? printf("','%016" PRIx64 "');\n", random_u64()) : printf("',NULL);\n");
  return end < 0 ? end : size + end;
}

int main(int argc, char **argv) {
  uint64_t mebibytes = argc == 2 ? strtoull(argv[1], NULL, 10) : 0, written = 0;
  if (mebibytes == 0) {
    (void)fputs("usage: dump MEBIBYTES\n", stderr);
    return 2;
  }
  for (uint64_t id = 1; written < mebibytes << 20; id++) {
    int size = write_row(id);
    if (size < 0) break;
    written += (uint64_t)size;
  }
  if (fflush(stdout) != 0 || ferror(stdout)) {
    perror("dump");
    return 1;
  }
  return 0;
}
