/*
 * crypt-age/armor.h - age's ASCII armor (age-encryption.org/v1, "ASCII armor"; strict PEM): the same file as base64
 * between two boundary lines. Read only; backups are stored as bytes.
 */
#ifndef CRYPT_AGE_ARMOR_H
#define CRYPT_AGE_ARMOR_H

#include <backup-operator/transform.h>
#include <stdbool.h>

#define AGE_ARMOR_COLUMNS 64

enum age_armor_state {
  AGE_ARMOR_BEFORE, /* only blank lines may precede the first boundary */
  AGE_ARMOR_BODY,
  AGE_ARMOR_LAST, /* a short line was read: only the last boundary may follow */
  AGE_ARMOR_AFTER /* only blanks may follow the last boundary */
};

/* Zeroed is the beginning. */
struct age_armor {
  enum age_armor_state state;
  size_t blank;         /* bytes of blanks before, then after */
  uint64_t line_number; /* of the line being read, from 0 */
  size_t line_size;
  char line[AGE_ARMOR_COLUMNS + 1]; /* with a carriage return that may end it */
};

/* Whether a file that begins with this byte can only be armored: age's binary files begin with an 'a'. */
bool age_armor_begins(unsigned char first_byte);

/* As a transform's process, in BO_CONTINUE or BO_END. BO_AGAIN means that less than a line fits into `out`, which must
 * have room for 48 bytes when it is empty. */
int age_armor_decode(struct age_armor *armor, struct bo_input *in, struct bo_output *out, int mode,
                     struct bo_error *error);

#endif
