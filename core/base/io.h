/* core/base/io.h - whole reads and writes, and files that appear complete or not at all. EINTR is never seen. */
#ifndef BO_BASE_IO_H
#define BO_BASE_IO_H

#include <sys/types.h>

#include "core/base/buffer.h"
#include "core/base/error.h"

/* Opens those of the descriptors 0, 1 and 2 that are closed, so that no other file takes their place and is read or
 * written by mistake. Using them fails all the same. For the beginning of main. */
void bo_open_standard_descriptors(void);

/* Writes all of it to a blocking descriptor. */
int bo_write_all(int fd, const void *bytes, size_t size, struct bo_error *error);

/* Appends what `fd` gives until its end; more than `limit` bytes is an error (BO_CLASS_CONFIG). */
int bo_read_to_end(int fd, size_t limit, struct bo_buffer *buffer, struct bo_error *error);

/* The same for a file by its path. */
int bo_read_file(const char *path, size_t limit, struct bo_buffer *buffer, struct bo_error *error);

/* Writes a file so that a crash at any moment leaves the old one or the new one: temporary file in the same folder,
 * fsync, rename, fsync of the folder. */
int bo_write_file_atomically(const char *path, const void *bytes, size_t size, mode_t mode, struct bo_error *error);

/* Makes the entry of `path` in its folder durable: after a rename, say. */
int bo_sync_folder_of(const char *path, struct bo_error *error);

/* mkdir -p. Folders that are there keep their mode. */
int bo_make_folders(const char *path, mode_t mode, struct bo_error *error);

#endif
