/* core/base/cleanup.h - release at the end of scope, so that a function has one way out. */
#ifndef BO_BASE_CLEANUP_H
#define BO_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void bo_cleanup_free_(void *pointer) {
  free(*(void **)pointer);
}
static inline void bo_cleanup_fd_(const int *fd) {
  if (*fd >= 0) (void)close(*fd);
}
static inline void bo_cleanup_file_(FILE **file) {
  if (*file != NULL) (void)fclose(*file);
}
static inline void bo_cleanup_dir_(DIR **dir) {
  if (*dir != NULL) (void)closedir(*dir);
}

#define BO_CLEANUP(function) __attribute__((cleanup(function)))
#define BO_CLEANUP_FREE BO_CLEANUP(bo_cleanup_free_)
#define BO_CLEANUP_FD BO_CLEANUP(bo_cleanup_fd_)
#define BO_CLEANUP_FILE BO_CLEANUP(bo_cleanup_file_)
#define BO_CLEANUP_DIR BO_CLEANUP(bo_cleanup_dir_)

#endif
