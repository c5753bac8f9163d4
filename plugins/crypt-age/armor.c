/*
 * crypt-age/armor.c - reading of ASCII armor, line by line.
 *
 * It is as strict as the reference: lines of exactly 64 characters but for the last, canonical base64, LF or CRLF,
 * nothing but blanks outside of the boundaries. Blanks are bounded, so that a stream of them is not read for ever.
 */
#include "plugins/crypt-age/armor.h"

#include <string.h>

#include "plugins/crypt-age/base64.h"

#define FIRST_LINE "-----BEGIN AGE ENCRYPTED FILE-----"
#define LAST_LINE "-----END AGE ENCRYPTED FILE-----"
#define LINE_BYTES (AGE_ARMOR_COLUMNS / 4 * 3)
#define BLANK_MAX 1024

static bool is_blank(unsigned char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\v' || c == '\f';
}

bool age_armor_begins(unsigned char first_byte) {
  return first_byte == '-' || is_blank(first_byte);
}

static int armor_error(const struct age_armor *armor, const char *wrong, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CORRUPT, 0, "age armor: line %llu %s", (unsigned long long)armor->line_number + 1,
                      wrong);
}

static bool line_is(const struct age_armor *armor, const char *text) {
  return armor->line_size == strlen(text) && memcmp(armor->line, text, armor->line_size) == 0;
}

static int decode_line(struct age_armor *armor, struct bo_output *out, struct bo_error *error) {
  size_t size = armor->line_size, decoded = 0, padding = 0;
  while (padding < 2 && padding < size && armor->line[size - padding - 1] == '=')
    padding++;
  if (size == 0 || size > AGE_ARMOR_COLUMNS || size % 4 != 0 ||
      !age_base64_decode(armor->line, size - padding, out->bytes + out->position, LINE_BYTES, &decoded))
    return armor_error(armor, "is no line of base64 with at most 64 characters", error);
  out->position += decoded;
  if (decoded < LINE_BYTES) armor->state = AGE_ARMOR_LAST;
  return BO_OK;
}

/* Does what the line, now whole and without its end, says. */
static int take_line(struct age_armor *armor, struct bo_output *out, struct bo_error *error) {
  if (armor->line_size > 0 && armor->line[armor->line_size - 1] == '\r') armor->line_size--;
  int result = BO_OK;
  if (armor->state == AGE_ARMOR_BEFORE) {
    if (!line_is(armor, FIRST_LINE)) return armor_error(armor, "is not \"" FIRST_LINE "\"", error);
    armor->state = AGE_ARMOR_BODY;
  } else if (line_is(armor, LAST_LINE)) {
    armor->state = AGE_ARMOR_AFTER;
    armor->blank = 0;
  } else if (armor->state == AGE_ARMOR_LAST) {
    return armor_error(armor, "follows a short line, and is not \"" LAST_LINE "\"", error);
  } else {
    result = decode_line(armor, out, error);
  }
  armor->line_size = 0;
  armor->line_number++;
  return result;
}

/* Takes blanks outside of the boundaries; false at something else. Blank lines before the first one count as lines. */
static int skip_blanks(struct age_armor *armor, struct bo_input *in, struct bo_error *error) {
  while (in->position < in->size && is_blank(in->bytes[in->position])) {
    if (in->bytes[in->position++] == '\n') armor->line_number++;
    if (++armor->blank > BLANK_MAX) return armor_error(armor, "is one of too many blank ones", error);
  }
  return BO_OK;
}

/* Moves input into the line. True when its newline came, which is not kept. */
static bool fill_line(struct age_armor *armor, struct bo_input *in) {
  const unsigned char *from = in->bytes + in->position;
  size_t size = in->size - in->position, room = sizeof(armor->line) - armor->line_size;
  const unsigned char *newline = memchr(from, '\n', size < room + 1 ? size : room + 1);
  size_t copied = newline != NULL ? (size_t)(newline - from) : size < room ? size : room;
  memcpy(armor->line + armor->line_size, from, copied);
  armor->line_size += copied;
  in->position += copied + (newline != NULL);
  return newline != NULL;
}

int age_armor_decode(struct age_armor *armor, struct bo_input *in, struct bo_output *out, int mode,
                     struct bo_error *error) {
  while (in->position < in->size) {
    bool outside = armor->state == AGE_ARMOR_AFTER || (armor->state == AGE_ARMOR_BEFORE && armor->line_size == 0);
    if (outside) {
      int result = skip_blanks(armor, in, error);
      if (result != BO_OK) return result;
      if (in->position == in->size) break;
      if (armor->state == AGE_ARMOR_AFTER) return armor_error(armor, "follows the end of the file", error);
    }
    if (out->size - out->position < LINE_BYTES) return BO_AGAIN;
    bool whole = fill_line(armor, in);
    if (!whole && in->position < in->size) return armor_error(armor, "has more than 64 characters", error);
    int result = whole ? take_line(armor, out, error) : BO_OK;
    if (result != BO_OK) return result;
  }
  if (mode != BO_END) return BO_NEED_INPUT;
  if (armor->line_size > 0 && armor->state != AGE_ARMOR_AFTER) {
    if (out->size - out->position < LINE_BYTES) return BO_AGAIN;
    int result = take_line(armor, out, error); /* the last line need not have an end */
    if (result != BO_OK) return result;
  }
  if (armor->state == AGE_ARMOR_AFTER) return BO_DONE;
  return armor_error(armor, "should be \"" LAST_LINE "\": the file was cut", error);
}
