/* A descriptor of this process as source or sink: for `cat`, `decode` and `verify`, where no command runs. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/pipeline/stages.h"

/* Waits until the descriptor is ready or the chain has failed. */
static int wait_ready(struct bo_fd_stage *self, int fd, short events, struct bo_error *error) {
  struct pollfd fds[2] = {{.fd = fd, .events = events}, {.fd = self->wake_fd, .events = POLLIN}};
  while (poll(fds, 2, -1) < 0)
    if (errno != EINTR) return bo_error_errno(error, errno, "poll");
  if (fds[1].revents != 0) return bo_error_set(error, BO_CLASS_CANCELLED, 0, "cancelled");
  return BO_OK;
}

static int run_source(struct bo_stage *stage, struct bo_error *error) {
  struct bo_fd_stage *self = (struct bo_fd_stage *)stage;
  for (;;) {
    unsigned char *slot = NULL;
    if (!bo_ring_reserve(stage->out, &slot)) return BO_ERROR;
    ssize_t got = 0;
    do {
      if (wait_ready(self, self->fd, POLLIN, error) != BO_OK) return BO_ERROR;
      got = read(self->fd, slot, BO_RING_SLOT_BYTES);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN));
    if (got < 0) return bo_error_errno(error, errno, "reading the input");
    if (got == 0) break;
    if (bo_meter_add(&self->meter, slot, (size_t)got, error) != BO_OK) return BO_ERROR;
    bo_ring_publish(stage->out, (size_t)got);
  }
  return bo_meter_finish(&self->meter, error);
}

/* Without a descriptor the bytes were only to be counted and hashed. */
static int write_out(void *context, const unsigned char *bytes, size_t size, struct bo_error *error) {
  struct bo_fd_stage *self = context;
  if (self->fd < 0) return BO_OK;
  while (size > 0) {
    if (wait_ready(self, self->own_fd, POLLOUT, error) != BO_OK) return BO_ERROR;
    ssize_t written = write(self->own_fd, bytes, size);
    if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (written < 0) return bo_error_errno(error, errno, "writing the output");
    bytes += written;
    size -= (size_t)written;
  }
  return BO_OK;
}

/* Some file systems, such as NFS, say only now that they could not store what was written. */
static int close_out(struct bo_fd_stage *self, struct bo_error *error) {
  int fd = self->own_fd;
  self->own_fd = -1;
  if (close(fd) == 0 || errno == EINTR) return BO_OK;
  return bo_error_errno(error, errno, "closing the output");
}

static int run_sink(struct bo_stage *stage, struct bo_error *error) {
  struct bo_fd_stage *self = (struct bo_fd_stage *)stage;
  if (bo_stage_drain(stage, &self->meter, write_out, self, error) != BO_OK) return BO_ERROR;
  if (self->fd >= 0 && close_out(self, error) != BO_OK) return BO_ERROR;
  return self->prove == NULL ? BO_OK : self->prove(self->context, error);
}

static void cancel(struct bo_stage *stage) {
  uint64_t one = 1;
  ssize_t written = write(((struct bo_fd_stage *)stage)->wake_fd, &one, sizeof(one));
  (void)written; /* an eventfd of ours takes it */
}

static int init(struct bo_fd_stage *stage, const char *name, int fd, bool hashing,
                int (*run)(struct bo_stage *stage, struct bo_error *error), struct bo_error *error) {
  *stage = (struct bo_fd_stage){
      .stage = {.name = name, .run = run, .cancel = cancel}, .fd = fd, .own_fd = -1, .wake_fd = -1};
  int result = bo_meter_open(&stage->meter, hashing, error);
  if (result != BO_OK) return result;
  stage->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return stage->wake_fd >= 0 ? BO_OK : bo_error_errno(error, errno, "eventfd");
}

int bo_fd_source_init(struct bo_fd_stage *stage, int fd, bool hashing, struct bo_error *error) {
  return init(stage, "input", fd, hashing, run_source, error);
}

int bo_fd_sink_init(struct bo_fd_stage *stage, int fd, bool hashing, struct bo_error *error) {
  int result = init(stage, fd < 0 ? "verify" : "output", fd, hashing, run_sink, error);
  if (result != BO_OK || fd < 0) return result;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) return bo_error_errno(error, EBADF, "the output");
  /* A pipe or terminal gets an open file description of our own: it can be non-blocking without whoever shares `fd`
   * noticing. */
  struct stat status;
  if (fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))) {
    char path[32];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    stage->own_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  }
  if (stage->own_fd < 0) stage->own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return stage->own_fd >= 0 ? BO_OK : bo_error_errno(error, errno, "the output");
}

void bo_fd_stage_close(struct bo_fd_stage *stage) {
  bo_meter_close(&stage->meter);
  if (stage->wake_fd >= 0) (void)close(stage->wake_fd);
  if (stage->own_fd >= 0) (void)close(stage->own_fd);
  stage->wake_fd = -1;
  stage->own_fd = -1;
}
